// SPDX-License-Identifier: GPL-2.0
/*
 * Torture test of MSI tables: a table next to a model of it
 *
 * The model knows what each operation has to return and what has to be seen of
 * a vector afterwards. It only uses what drivers use, and the test doubles.
 */
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/seq_buf.h>
#include <linux/slab.h>

#include "msi_table_torture_model.h"

/* Labels from all over a big table, and around where something may change */
static const u32 model_far[] = {
	31, 32, 33, 63, 64, 65, 255, 256, 4095, 4096, 32767, 32768, 65534, 65535, 65536, 65537,
	131071, 524288, 1048574, 1048575, 1048576, S32_MAX, MSI_LABEL_ANY - 1, MSI_LABEL_ANY,
};

static_assert(ARRAY_SIZE(model_far) == MODEL_NR_PLACES / 2);

u32 model_label(const struct model *model, unsigned int place)
{
	place %= MODEL_NR_PLACES;
	if (place < MODEL_NR_PLACES / 2 || (model->size && model->size <= MODEL_NR_PLACES))
		return place;
	return model_far[place - MODEL_NR_PLACES / 2];
}

/* Index of the vector with this label, or of the next one */
unsigned int model_index(const struct model *model, u32 label)
{
	unsigned int i = 0;

	while (i < model->nr_live && model->live[i]->label < label)
		i++;
	return i;
}

bool model_is_live(const struct model *model, u32 label)
{
	unsigned int i = model_index(model, label);

	return i < model->nr_live && model->live[i]->label == label;
}

static bool model_is_taken(const struct model *model, u32 label)
{
	if (model->planted && label == (u32)torture_plant)
		return true;
	return model_is_live(model, label);
}

/*
 * Which labels the table has to give, from the lowest free one on. Returns how
 * many, or the error.
 */
int model_expect(const struct model *model, const struct msi_vector_request *req,
		 unsigned int min, unsigned int max, u32 *labels)
{
	u32 lowest = req->lowest, highest = req->highest;
	u64 label = lowest;
	int n = 0;

	if (highest == MSI_LABEL_ANY)
		highest = model->last;
	if (!min || min > max)
		return -EINVAL;
	if (lowest > highest || highest > model->last)
		return -ERANGE;
	max = min_t(u64, max, (u64)highest - lowest + 1);
	if (min > max)
		return -ENOSPC;

	for (; label <= highest && n < max; label++) {
		if (!model_is_taken(model, label))
			labels[n++] = label;
	}
	if (n < min)
		return lowest == highest ? -EBUSY : -ENOSPC;

	/* CPU hotplug would shut it down without the lock of the bus. */
	if (req->affinity && req->affinity->is_managed && torture_is_slow(model->rig.variant))
		return -EOPNOTSUPP;

	n = min(n, (int)(model->capacity - model->nr_live));
	return n < (int)min ? -ENOSPC : n;
}

/* Faults */

void model_arm(struct model *model, const struct model_op *op)
{
	switch (op->fault) {
	case MODEL_FAULT_MEMORY:
		torture_fail_memory(op->nth);
		break;
	case MODEL_FAULT_PARENT:
		msi_fake_parent_fail_nth(model->rig.parent, op->nth);
		break;
	case MODEL_FAULT_STORE:
		msi_fake_store_fail_nth(model->rig.store, op->nth);
		break;
	case MODEL_FAULT_ACTIVATE:
		msi_fake_parent_fail_activate_nth(model->rig.parent, op->nth);
		break;
	}
}

/* Returns whether @ret may be due to the fault, which is disarmed. */
bool model_disarm(struct model *model, const struct model_op *op, int ret)
{
	bool happened = false;
	int error = 0;

	switch (op->fault) {
	case MODEL_FAULT_MEMORY:
		happened = torture_memory_failed();
		error = -ENOMEM;
		model->figures[TORTURE_FAULTS_MEMORY] += happened;
		break;
	case MODEL_FAULT_PARENT:
		happened = !msi_fake_parent_fail_nth(model->rig.parent, 0);
		error = -ENOSPC;
		break;
	case MODEL_FAULT_STORE:
		happened = !msi_fake_store_fail_nth(model->rig.store, 0);
		error = -EIO;
		break;
	case MODEL_FAULT_ACTIVATE:
		happened = !msi_fake_parent_fail_activate_nth(model->rig.parent, 0);
		error = -ENOSPC;
		break;
	}
	model->figures[TORTURE_FAULTS] += happened;
	return happened && (ret == error || ret >= 0);
}

/* What can be seen of a vector */

struct msi_fake_slot model_slot(struct model *model, u32 label)
{
	struct msi_fake_slot slot = { };

	msi_fake_store_read(model->rig.store, label, &slot);
	return slot;
}

/* The message is the same for everybody, and it is there if there is a handler. */
void model_check_msg(struct model *model, struct model_vector *v)
{
	struct msi_fake_slot slot = model_slot(model, v->label);
	struct msi_msg msg = { };
	int ret;

	ret = msi_vector_get_msg(v->vector, &msg);
	model_check(model, ret == (v->handler ? 0 : -EAGAIN), "label %u: get_msg: %d", v->label,
		    ret);
	model_check(model, torture_msg_valid(&msg) == !!v->handler,
		    "label %u: message %llx:%x with%s handler", v->label, msi_msg_address(&msg),
		    msg.data, v->handler ? "" : "out");
	model_check(model, torture_msg_equal(&msg, &slot.msg),
		    "label %u: message %llx:%x, but %llx:%x in the store", v->label,
		    msi_msg_address(&msg), msg.data, msi_msg_address(&slot.msg), slot.msg.data);
	model_check(model, slot.inited && slot.inits == slot.exits + 1,
		    "label %u: slot set up %u times, undone %u times", v->label, slot.inits,
		    slot.exits);
	model_check(model, slot.cookie == v->cookie, "label %u: cookie %p in the store", v->label,
		    slot.cookie);
	if (model->rig.ops.mask && !v->handler)
		model_check(model, slot.masked, "label %u: not masked without handler", v->label);
	if (v->handler && !v->depth)
		model_check(model, !slot.masked, "label %u: masked with handler", v->label);

	for (int i = 0; i < MODEL_NR_WATCHERS; i++) {
		struct model_watcher *watcher = &v->watchers[i];

		if (watcher->on)
			model_check(model, torture_msg_equal(&watcher->last, &msg),
				    "label %u: watcher knows %llx:%x of %llx:%x", v->label,
				    msi_msg_address(&watcher->last), watcher->last.data,
				    msi_msg_address(&msg), msg.data);
	}
}

void model_check_affinity(struct model *model, struct model_vector *v)
{
	unsigned int irq = msi_vector_irq(v->vector);
	const struct cpumask *mask;

	if (num_online_cpus() == 1)
		return;

	mask = irq_get_affinity_mask(irq);
	if (!model_check(model, mask, "label %u: irq %u does not exist", v->label, irq))
		return;
	if (!v->moved) {
		model_check(model, cpumask_subset(cpu_online_mask, mask),
			    "label %u: affinity %*pbl is not the default", v->label,
			    cpumask_pr_args(mask));
		return;
	}

	model_check(model, cpumask_equal(mask, &v->mask), "label %u: affinity %*pbl, not %*pbl",
		    v->label, cpumask_pr_args(mask), cpumask_pr_args(&v->mask));
	if (!v->handler)
		return;

	mask = irq_get_effective_affinity_mask(irq);
	model_check(model, cpumask_equal(mask, cpumask_of(cpumask_first(&v->mask))),
		    "label %u: effective affinity %*pbl of %*pbl", v->label, cpumask_pr_args(mask),
		    cpumask_pr_args(&v->mask));
}

void model_check_vector(struct model *model, struct model_vector *v)
{
	model_check(model, msi_vector_label(v->vector) == v->label, "label %u calls itself %u",
		    v->label, msi_vector_label(v->vector));
	model_check(model, msi_vector_cookie(v->vector) == v->cookie, "label %u: cookie %p",
		    v->label, msi_vector_cookie(v->vector));
	model_check(model, msi_vector_table(v->vector) == model->rig.table,
		    "label %u: another table", v->label);
	model_check(model, msi_vector_irq(v->vector), "label %u: no irq", v->label);
	model_check_affinity(model, v);
	model_check_msg(model, v);
}

/* The device can not send the message of a vector which does not exist. */
void model_check_dead(struct model *model, u32 label)
{
	struct msi_fake_slot slot = model_slot(model, label);
	int ret;

	model_check(model, !slot.inited && slot.inits == slot.exits,
		    "label %u: slot of no vector set up %u times, undone %u times", label,
		    slot.inits, slot.exits);
	model_check(model, !torture_msg_valid(&slot.msg), "label %u: message %llx:%x of no vector",
		    label, msi_msg_address(&slot.msg), slot.msg.data);

	ret = msi_fake_store_fire(model->rig.store, model->rig.parent, label);
	model_check(model, ret == -EAGAIN || (ret == -ENOENT && !slot.inits),
		    "label %u: firing no vector: %d", label, ret);
	model->figures[TORTURE_REFUSED]++;
}

void model_check_total(struct model *model)
{
	int total = atomic_read(&model->total);

	model_check(model, total == model->expected, "%d interrupts in all handlers instead of %d",
		    total, model->expected);
}

void model_verify(struct model *model)
{
	unsigned int bad = msi_fake_store_bad_context(model->rig.store);

	model_check_total(model);
	model_check(model, !bad, "%u calls of the store against the rules", bad);
	model_check(model, msi_table_size(model->rig.table) == model->size &&
		    msi_table_data(model->rig.table) == model->rig.store, "size or data is wrong");

	for (unsigned int i = 0; i < model->nr_live; i++) {
		model_check_vector(model, model->live[i]);
		for (unsigned int j = 0; j < i; j++)
			model_check(model, msi_vector_irq(model->live[i]->vector) !=
				    msi_vector_irq(model->live[j]->vector),
				    "labels %u and %u have the same irq", model->live[i]->label,
				    model->live[j]->label);
	}
	for (unsigned int place = 0; place < MODEL_NR_PLACES; place++) {
		u32 label = model_label(model, place);

		if (!model_is_live(model, label))
			model_check_dead(model, label);
	}
}

static void model_print(const struct model *model, const struct model_op *op)
{
	static const char * const kinds[MODEL_NR_KINDS] = {
		"alloc label", "alloc range", "alloc any", "alloc with affinity", "alloc batch",
		"free", "free batch", "request_irq", "request_irq with thread",
		"plain request_irq", "request_irq again", "free_irq", "disable_irq", "enable_irq",
		"irq_set_affinity", "fire", "fire dead", "watch", "unwatch", "wipe and restore",
		"get", "table of the same name", "other table", "verify",
	};
	static const char * const faults[] = { "", "memory", "parent", "store", "activation" };

	DECLARE_SEQ_BUF(s, 160);

	seq_buf_puts(&s, kinds[op->kind]);
	if (op->kind == MODEL_ALLOC_RANGE || op->kind == MODEL_ALLOC_AFFINITY ||
	    op->kind == MODEL_ALLOC_BATCH)
		seq_buf_printf(&s, " %u..%u", model_label(model, op->a), model_label(model, op->b));
	if (op->kind == MODEL_ALLOC_LABEL)
		seq_buf_printf(&s, " %u", model_label(model, op->a));
	else if (model->label != MSI_LABEL_ANY)
		seq_buf_printf(&s, " (label %u)", model->label);
	if (op->kind == MODEL_ALLOC_BATCH)
		seq_buf_printf(&s, ", %u to %u", op->min, op->max);
	if (op->kind == MODEL_FREE_BATCH)
		seq_buf_printf(&s, ", %u %s", op->max, op->managed ? "in any order" : "in order");
	if (op->kind == MODEL_ALLOC_AFFINITY && op->managed)
		seq_buf_puts(&s, ", managed");
	if (op->fault)
		seq_buf_printf(&s, ", %s fails at %u", faults[op->fault], op->nth);
	pr_err("torture:   %s: %d\n", seq_buf_str(&s), model->ret);
}

static int model_open(struct model *model, const struct model_setup *setup)
{
	const struct torture_variant *variant = &torture_variants[setup->variant];
	int ret;

	memset(model, 0, sizeof(*model));
	ret = torture_open(&model->rig, variant, setup->capacity);
	if (ret) {
		model_check(model, false, "no parent, store or device: %d", ret);
		return ret;
	}

	if (variant->size && variant->size <= MODEL_NR_PLACES)
		model->rig.info.size = setup->size;
	model->size = model->rig.info.size;
	model->last = (model->size ? : MSI_LABEL_ANY) - 1;
	model->capacity = setup->capacity;
	ret = torture_create(&model->rig);
	if (!ret)
		return 0;

	model_check(model, false, "table can not be created: %d", ret);
	torture_close(&model->rig);
	return ret;
}

static void model_close(struct model *model, const struct model_setup *setup)
{
	const char *wrong;

	for (unsigned int i = 0; i < model->nr_live; i++) {
		model_let_go(model->live[i]);
		model->figures[TORTURE_WITHDRAWN] += model->live[i]->pending;
	}
	if (!setup->managed)
		torture_free_table(&model->rig);
	wrong = torture_close(&model->rig);
	model_check(model, !wrong, "at the end: %s", wrong);
	model_check_total(model);
}

/**
 * model_run - Run operations on a new table
 * @model:	The model
 * @setup:	The table
 * @ops:	The operations
 * @order:	Which of them, or NULL for all
 * @n:		How many
 * @replay:	Do not count, and do not stop when the time is over
 * @print:	Print each operation
 *
 * Return: 0, or the number of operations up to the one which went wrong, @n + 1
 * if that was the end of the table
 */
int model_run(struct model *model, const struct model_setup *setup, const struct model_op *ops,
	      const u16 *order, unsigned int n, bool replay, bool print)
{
	unsigned int i;

	if (model_open(model, setup))
		return 1;

	for (i = 0; i < n && !model->failed && (replay || !torture_over()); i++) {
		const struct model_op *op = &ops[order ? order[i] : i];

		model_exec(model, op);
		if (print)
			model_print(model, op);
		cond_resched();
	}
	model->figures[TORTURE_OPERATIONS] = i;
	model->figures[TORTURE_TABLES] = 1;
	if (!model->failed) {
		model_verify(model);
		i++;
	}
	model_close(model, setup);

	for (int f = 0; !replay && f < TORTURE_NR_FIGURES; f++)
		torture_count(f, model->figures[f]);
	return model->failed ? i : 0;
}

const char *model_reason(const struct model *model)
{
	return model->reason;
}

struct model *model_new(void)
{
	return kvzalloc_obj(struct model);
}

void model_free(struct model *model)
{
	kvfree(model);
}
