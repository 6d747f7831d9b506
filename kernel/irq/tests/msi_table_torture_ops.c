// SPDX-License-Identifier: GPL-2.0
/*
 * Torture test of MSI tables: the operations, on the table and on the model
 *
 * An operation which has nothing to work on does nothing, so that any part of a
 * sequence of operations is one as well.
 */
#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "msi_table_torture_model.h"

/* The vector at or after a place */
static struct model_vector *model_pick(struct model *model, const struct model_op *op)
{
	unsigned int i = model_index(model, model_label(model, op->a));
	struct model_vector *v;

	if (!model->nr_live)
		return NULL;

	v = model->live[i == model->nr_live ? 0 : i];
	model->label = v->label;
	return v;
}

/* Expect interrupts */

/* An interrupt is on its way to the handler. */
static void model_expect_hit(struct model *model, struct model_vector *v)
{
	v->hard++;
	model->expected++;
	if (model_check(model, torture_reaches(&v->hits.hard, v->hard),
			"label %u: handler ran %d times, not %d", v->label,
			atomic_read(&v->hits.hard), v->hard))
		model->figures[TORTURE_RECEIVED]++;
	model_check(model, READ_ONCE(v->hits.irq) == msi_vector_irq(v->vector),
		    "label %u: handler ran for irq %d", v->label, v->hits.irq);
	model_check_total(model);
	if (v->handler != MODEL_THREADED)
		return;

	v->thread++;
	model_check(model, torture_reaches(&v->hits.thread, v->thread),
		    "label %u: thread ran %d times, not %d", v->label,
		    atomic_read(&v->hits.thread), v->thread);
}

/* The interrupt starts up, and what is pending arrives. */
static void model_enabled(struct model *model, struct model_vector *v)
{
	v->depth = 0;
	if (!v->pending)
		return;
	v->pending = false;
	model_expect_hit(model, v);
}

/* Alloc and free */

static void model_add(struct model *model, struct msi_vector *vector, u32 label, void *cookie,
		      const struct irq_affinity_desc *affinity)
{
	unsigned int i = model_index(model, label);
	struct model_vector *v = model->pool;

	while (v->used)
		v++;
	*v = (struct model_vector) {
		.vector	= vector,
		.label	= label,
		.cookie	= cookie,
		.used	= true,
		.hits	= { .total = &model->total },
	};
	if (affinity) {
		v->moved = true;
		v->managed = affinity->is_managed;
		v->mask = affinity->mask;
	}

	memmove(model->live + i + 1, model->live + i, (model->nr_live - i) * sizeof(*model->live));
	model->live[i] = v;
	model->nr_live++;
	model->figures[TORTURE_ALLOCATED]++;
	model_check_vector(model, v);
}

static void model_remove(struct model *model, struct model_vector *v)
{
	unsigned int i = model_index(model, v->label);

	model->nr_live--;
	memmove(model->live + i, model->live + i + 1, (model->nr_live - i) * sizeof(*model->live));
	model->figures[TORTURE_WITHDRAWN] += v->pending;
	if (v->label == (u32)torture_plant)
		model->planted = true;
	v->used = false;
}

static void model_cpus(struct cpumask *mask, u32 bits)
{
	unsigned int cpu;

	cpumask_clear(mask);
	for_each_online_cpu(cpu) {
		if (bits & BIT(cpu % 8))
			cpumask_set_cpu(cpu, mask);
	}
	if (cpumask_empty(mask))
		cpumask_set_cpu(cpumask_first(cpu_online_mask), mask);
}

static int model_call_alloc(struct model *model, const struct model_op *op,
			    const struct msi_vector_request *req)
{
	struct msi_vector *vector;

	switch (op->kind) {
	case MODEL_ALLOC_LABEL:
		vector = msi_table_alloc_vector(model->rig.table, req->highest);
		break;
	case MODEL_ALLOC_RANGE:
		vector = msi_table_alloc_vector_range(model->rig.table, req->lowest, req->highest);
		break;
	case MODEL_ALLOC_BATCH:
		return msi_table_alloc_vectors(model->rig.table, req, op->min, op->max,
					       model->vectors);
	default:
		vector = msi_table_alloc_vector_req(model->rig.table, req);
	}
	if (IS_ERR(vector))
		return PTR_ERR(vector);
	model->vectors[0] = vector;
	return 1;
}

static struct msi_vector_request model_request_for(struct model *model, const struct model_op *op)
{
	struct msi_vector_request req = {
		.lowest		= model_label(model, op->a),
		.highest	= model_label(model, op->b),
	};
	bool batch = op->kind == MODEL_ALLOC_BATCH;

	/* These have no cookie. */
	if (op->kind == MODEL_ALLOC_LABEL) {
		req.highest = req.lowest;
		if (req.lowest == MSI_LABEL_ANY)
			req.lowest = 0;
		return req;
	}
	if (op->kind == MODEL_ALLOC_RANGE)
		return req;
	if (op->kind == MODEL_ALLOC_ANY) {
		req.lowest = 0;
		req.highest = MSI_LABEL_ANY;
	}

	if (op->kind == MODEL_ALLOC_AFFINITY || (batch && op->c & BIT(16)))
		req.affinity = model->affinity;
	for (int i = 0; i < MODEL_MAX_BATCH; i++) {
		model_cpus(&model->affinity[i].mask, ror32(op->c, i));
		model->affinity[i].is_managed = op->managed;
		model->cookies++;
		model->batch[i] = (void *)model->cookies;
	}
	if (batch)
		req.cookies = model->batch;
	else
		req.cookie = model->batch[0];
	return req;
}

static void model_alloc(struct model *model, const struct model_op *op)
{
	bool batch = op->kind == MODEL_ALLOC_BATCH;
	unsigned int min = batch ? op->min : 1, max = batch ? op->max : 1;
	struct msi_vector_request req = model_request_for(model, op);
	bool with_cookie = req.cookie || req.cookies;
	u32 labels[MODEL_MAX_BATCH];
	int expected, ret;
	bool excused;

	expected = model_expect(model, &req, min, max, labels);
	model_arm(model, op);
	ret = model_call_alloc(model, op, &req);
	excused = model_disarm(model, op, ret);

	model->ret = ret;
	model->label = ret > 0 ? msi_vector_label(model->vectors[0]) : req.lowest;
	if (excused && ret < 0) {
		model_verify(model);
		return;
	}
	if (!model_check(model, ret == expected ||
			 (excused && ret >= (int)min && ret <= expected),
			 "allocation of %u to %u from %u to %u: %d instead of %d", min, max,
			 req.lowest, req.highest, ret, expected))
		return;

	for (int i = 0; i < ret; i++) {
		u32 label = msi_vector_label(model->vectors[i]);

		if (!model_check(model, label == labels[i], "label %u instead of %u", label,
				 labels[i]))
			return;
		model_add(model, model->vectors[i], label, with_cookie ? model->batch[i] : NULL,
			  req.affinity ? &req.affinity[i] : NULL);
	}
}

/* What the driver has to do before it frees a vector */
void model_let_go(struct model_vector *v)
{
	for (int i = 0; i < MODEL_NR_WATCHERS; i++) {
		if (v->watchers[i].on)
			msi_vector_unwatch(v->vector, &v->watchers[i].watcher);
		v->watchers[i].on = false;
	}
	if (v->handler == MODEL_PLAIN)
		free_irq(msi_vector_irq(v->vector), &v->hits);
}

static void model_free_vector(struct model *model, const struct model_op *op)
{
	struct model_vector *v = model_pick(model, op);
	u32 label;

	if (!v)
		return;

	label = v->label;
	model_let_go(v);
	msi_table_free_vector(model->rig.table, v->vector);
	model_remove(model, v);
	model_check_dead(model, label);
}

static void model_free_batch(struct model *model, const struct model_op *op)
{
	struct model_vector *first = model_pick(model, op);
	unsigned int n = min_t(unsigned int, op->max, model->nr_live);
	u32 labels[MODEL_MAX_LIVE], random = op->c | 1;
	unsigned int start;

	if (!first)
		return;

	start = model_index(model, first->label);
	for (unsigned int i = 0; i < n; i++) {
		struct model_vector *v = model->live[(start + i) % model->nr_live];

		model_let_go(v);
		model->vectors[i] = v->vector;
		labels[i] = v->label;
	}
	/* Any order will do. Every other time leave it as it is. */
	for (unsigned int i = n; op->managed && i > 1; i--) {
		random = random * 1664525 + 1013904223;
		swap(model->vectors[i - 1], model->vectors[(random >> 16) % i]);
	}

	msi_table_free_vectors(model->rig.table, model->vectors, n);
	for (unsigned int i = 0; i < n; i++) {
		model_remove(model, model->live[model_index(model, labels[i])]);
		model_check_dead(model, labels[i]);
	}
	model->ret = n;
}

/* Handlers */

static void model_request(struct model *model, const struct model_op *op)
{
	struct model_vector *v = model_pick(model, op);
	enum model_handler handler;
	bool excused;
	int ret;

	if (!v || v->handler)
		return;
	/* The irq core does not expect an activation with reserved resources to fail. */
	if (op->fault == MODEL_FAULT_ACTIVATE && v->managed)
		return;

	model_arm(model, op);
	switch (op->kind) {
	case MODEL_REQUEST_THREADED:
		handler = MODEL_THREADED;
		ret = msi_vector_request_irq(v->vector, torture_waker, torture_thread, 0, &v->hits,
					     "msi_torture");
		break;
	case MODEL_REQUEST_PLAIN:
		handler = MODEL_PLAIN;
		ret = request_irq(msi_vector_irq(v->vector), torture_handler, IRQF_NO_THREAD,
				  "msi_torture", &v->hits);
		break;
	default:
		handler = MODEL_HARD;
		ret = torture_request(v->vector, &v->hits);
	}
	excused = model_disarm(model, op, ret);
	model->ret = ret;

	model_check(model, !ret || excused, "label %u: request_irq: %d", v->label, ret);
	if (!ret) {
		v->handler = handler;
		model_enabled(model, v);
	}
	model_check_vector(model, v);
}

static void model_request_again(struct model *model, const struct model_op *op)
{
	struct model_vector *v = model_pick(model, op);

	if (!v || (v->handler != MODEL_HARD && v->handler != MODEL_THREADED))
		return;

	model->ret = torture_request(v->vector, &v->hits);
	model_check(model, model->ret == -EBUSY, "label %u: second request_irq: %d", v->label,
		    model->ret);
}

static void model_free_irq(struct model *model, const struct model_op *op)
{
	struct model_vector *v = model_pick(model, op);

	if (!v)
		return;

	/* Does nothing if there is none, or a plain one */
	msi_vector_free_irq(v->vector);
	if (v->handler == MODEL_PLAIN)
		free_irq(msi_vector_irq(v->vector), &v->hits);
	v->handler = MODEL_NO_HANDLER;
	v->depth = 0;
	model_check_msg(model, v);
}

static void model_disable(struct model *model, const struct model_op *op)
{
	struct model_vector *v = model_pick(model, op);

	if (!v || !v->handler || v->depth == 3)
		return;

	disable_irq(msi_vector_irq(v->vector));
	v->depth++;
	model_check_msg(model, v);
}

static void model_enable(struct model *model, const struct model_op *op)
{
	struct model_vector *v = model_pick(model, op);

	if (!v || !v->depth)
		return;

	enable_irq(msi_vector_irq(v->vector));
	if (v->depth > 1)
		v->depth--;
	else
		model_enabled(model, v);
	model_check_msg(model, v);
}

static void model_affinity(struct model *model, const struct model_op *op)
{
	struct model_vector *v = model_pick(model, op);

	if (!v)
		return;

	model_cpus(&v->mask, op->c);
	v->moved = true;
	model->ret = irq_set_affinity(msi_vector_irq(v->vector), &v->mask);
	model_check(model, !model->ret, "label %u: irq_set_affinity: %d", v->label, model->ret);
	model_check_affinity(model, v);
	model_check_msg(model, v);
}

static int model_send(struct model *model, struct model_vector *v, bool by_message)
{
	struct msi_msg msg;

	if (!by_message || msi_vector_get_msg(v->vector, &msg))
		return msi_fake_store_fire(model->rig.store, model->rig.parent, v->label);
	return msi_fake_parent_inject(model->rig.parent, &msg);
}

static void model_fire(struct model *model, const struct model_op *op)
{
	struct model_vector *v = model_pick(model, op);
	bool enabled, quiet;
	int ret;

	if (!v)
		return;

	enabled = v->handler && !v->depth;
	/* While it is disabled the store is only masked once one has arrived. */
	quiet = !enabled && (!v->handler || model_slot(model, v->label).masked);
	ret = model_send(model, v, enabled && op->managed);
	model->ret = ret;
	if (!model_check(model, ret == (quiet ? -EAGAIN : 0), "label %u: fire: %d", v->label, ret))
		return;

	if (quiet) {
		model->figures[TORTURE_REFUSED]++;
		model_check_total(model);
		return;
	}
	if (!enabled && v->pending) {
		model->figures[TORTURE_COALESCED]++;
		model_check_total(model);
		return;
	}

	model->figures[TORTURE_RAISED]++;
	if (enabled)
		model_expect_hit(model, v);
	else
		v->pending = true;
	model_check_total(model);
}

static void model_fire_dead(struct model *model, const struct model_op *op)
{
	u32 label = model_label(model, op->a);

	model->label = label;
	if (!model_is_live(model, label))
		model_check_dead(model, label);
}

/* Watchers */

static void model_notify(struct msi_watcher *watcher, const struct msi_msg *msg)
{
	struct model_watcher *w = container_of(watcher, struct model_watcher, watcher);

	w->last = *msg;
	w->calls++;
}

static void model_watch(struct model *model, const struct model_op *op)
{
	struct model_vector *v = model_pick(model, op);
	struct model_watcher *w;

	if (!v)
		return;

	w = &v->watchers[op->c % MODEL_NR_WATCHERS];
	if (w->on)
		return;

	*w = (struct model_watcher) { .watcher.notify = model_notify, .on = true };
	msi_vector_watch(v->vector, &w->watcher);
	model_check(model, w->calls == 1, "label %u: new watcher told %u times", v->label,
		    w->calls);
	model_check_msg(model, v);
}

static void model_unwatch(struct model *model, const struct model_op *op)
{
	struct model_vector *v = model_pick(model, op);
	struct model_watcher *w;

	if (!v)
		return;

	/* Does nothing with one which is not watching. */
	w = &v->watchers[op->c % MODEL_NR_WATCHERS];
	msi_vector_unwatch(v->vector, &w->watcher);
	w->on = false;
}

/* The table as a whole */

static void model_restore(struct model *model)
{
	msi_fake_store_wipe(model->rig.store);
	msi_table_restore(model->rig.table);
	for (unsigned int i = 0; i < model->nr_live; i++)
		model_check_msg(model, model->live[i]);
}

static void model_same_name(struct model *model)
{
	struct msi_table *table = msi_allocate_table(torture_dev(&model->rig), &model->rig.info);

	model->ret = PTR_ERR_OR_ZERO(table);
	model_check(model, model->ret == -EEXIST, "second table of the name: %d", model->ret);
	if (!model->ret)
		msi_table_free(table);
}

/* Another table of the device comes and goes, or fails to come. */
static void model_other_table(struct model *model, const struct model_op *op)
{
	struct msi_table_info info = model->rig.info;
	struct msi_table *table;
	bool excused;

	info.name = "other";
	model_arm(model, op);
	table = msi_allocate_table(torture_dev(&model->rig), &info);
	model->ret = PTR_ERR_OR_ZERO(table);
	excused = model_disarm(model, op, model->ret);
	model_check(model, !model->ret || excused, "other table: %d", model->ret);
	if (!model->ret)
		msi_table_free(table);
}

/* The parent has an interrupt for each vector and, once asked for, no others. */
static void model_verify_all(struct model *model, const struct model_op *op)
{
	unsigned int live;

	model_verify(model);
	if (!op->managed)
		return;
	live = msi_fake_parent_live(model->rig.parent);
	model_check(model, live == model->nr_live, "%u interrupts in the parent, of %u vectors",
		    live, model->nr_live);
}

static void model_get(struct model *model, const struct model_op *op)
{
	struct model_vector *v = model_pick(model, op);

	if (v)
		model_check_vector(model, v);
}

void model_exec(struct model *model, const struct model_op *op)
{
	model->label = MSI_LABEL_ANY;
	model->ret = 0;
	switch (op->kind) {
	case MODEL_ALLOC_LABEL ... MODEL_ALLOC_BATCH:
		return model_alloc(model, op);
	case MODEL_FREE:
		return model_free_vector(model, op);
	case MODEL_FREE_BATCH:
		return model_free_batch(model, op);
	case MODEL_REQUEST ... MODEL_REQUEST_PLAIN:
		return model_request(model, op);
	case MODEL_REQUEST_AGAIN:
		return model_request_again(model, op);
	case MODEL_FREE_IRQ:
		return model_free_irq(model, op);
	case MODEL_DISABLE:
		return model_disable(model, op);
	case MODEL_ENABLE:
		return model_enable(model, op);
	case MODEL_AFFINITY:
		return model_affinity(model, op);
	case MODEL_FIRE:
		return model_fire(model, op);
	case MODEL_FIRE_DEAD:
		return model_fire_dead(model, op);
	case MODEL_WATCH:
		return model_watch(model, op);
	case MODEL_UNWATCH:
		return model_unwatch(model, op);
	case MODEL_RESTORE:
		return model_restore(model);
	case MODEL_GET:
		return model_get(model, op);
	case MODEL_SAME_NAME:
		return model_same_name(model);
	case MODEL_OTHER_TABLE:
		return model_other_table(model, op);
	default:
		return model_verify_all(model, op);
	}
}
