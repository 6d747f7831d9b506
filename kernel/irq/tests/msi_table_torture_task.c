// SPDX-License-Identifier: GPL-2.0
/*
 * Torture test of MSI tables: the tasks of the model run
 *
 * What a task with tables of its own does follows from the seed alone. When the
 * model does not agree the task finds out which of the operations are needed
 * for that, and prints them. Tables which tasks share can not be predicted; there
 * no label must have two owners, and no interrupt must get lost.
 */
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "msi_table_torture.h"

/* Replays of a failure, to find out what of it matters */
#define TASK_MAX_REPLAYS	600
#define TASK_REPLAY_TIME	(90 * HZ)

/* Every how many operations something fails in one which can */
#define TASK_FAULT_RATE		12

/**
 * struct task_round - A table and what happens to it
 * @setup:	The table
 * @ops:	The operations
 * @n:		How many
 * @order:	Those which are needed for a failure
 * @trial:	Fewer of them
 */
struct task_round {
	struct model_setup	setup;
	struct model_op		ops[MODEL_MAX_OPS];
	unsigned int		n;
	u16			order[MODEL_MAX_OPS];
	u16			trial[MODEL_MAX_OPS];
};

/* How often, of a thousand. Mind that alloc, free and request_irq are slow. */
static const unsigned int task_weights[MODEL_NR_KINDS] = {
	[MODEL_ALLOC_LABEL]		= 34,
	[MODEL_ALLOC_RANGE]		= 18,
	[MODEL_ALLOC_ANY]		= 10,
	[MODEL_ALLOC_AFFINITY]		= 12,
	[MODEL_ALLOC_BATCH]		= 14,
	[MODEL_FREE]			= 40,
	[MODEL_FREE_BATCH]		= 8,
	[MODEL_REQUEST]			= 50,
	[MODEL_REQUEST_THREADED]	= 4,
	[MODEL_REQUEST_PLAIN]		= 12,
	[MODEL_REQUEST_AGAIN]		= 10,
	[MODEL_FREE_IRQ]		= 24,
	[MODEL_DISABLE]			= 50,
	[MODEL_ENABLE]			= 70,
	[MODEL_AFFINITY]		= 80,
	[MODEL_FIRE]			= 340,
	[MODEL_FIRE_DEAD]		= 50,
	[MODEL_WATCH]			= 20,
	[MODEL_UNWATCH]			= 16,
	[MODEL_RESTORE]			= 10,
	[MODEL_GET]			= 118,
	[MODEL_SAME_NAME]		= 2,
	[MODEL_OTHER_TABLE]		= 3,
	[MODEL_VERIFY]			= 5,
};

static enum model_kind task_pick_kind(struct rnd_state *rnd)
{
	unsigned int total = 0, kind;

	for (kind = 0; kind < MODEL_NR_KINDS; kind++)
		total += task_weights[kind];
	total = torture_below(rnd, total);
	for (kind = 0; total >= task_weights[kind]; kind++)
		total -= task_weights[kind];
	return kind;
}

/* How deep in an operation something fails: most have less than this. */
static unsigned int task_pick_nth(struct rnd_state *rnd, const struct model_op *op)
{
	switch (op->fault) {
	case MODEL_FAULT_MEMORY:
		return 1 + torture_below(rnd, op->kind == MODEL_OTHER_TABLE ? 60 : 30);
	case MODEL_FAULT_PARENT:
	case MODEL_FAULT_STORE:
		return 1 + torture_below(rnd, op->kind == MODEL_ALLOC_BATCH ? 5 : 1);
	default:
		return 1;
	}
}

static void task_pick_fault(struct rnd_state *rnd, struct model_op *op)
{
	static const u8 alloc_faults[] = {
		MODEL_FAULT_MEMORY, MODEL_FAULT_MEMORY, MODEL_FAULT_PARENT, MODEL_FAULT_STORE,
	};

	switch (op->kind) {
	case MODEL_ALLOC_LABEL ... MODEL_ALLOC_BATCH:
		op->fault = alloc_faults[torture_below(rnd, ARRAY_SIZE(alloc_faults))];
		break;
	case MODEL_REQUEST ... MODEL_REQUEST_PLAIN:
		op->fault = torture_below(rnd, 2) ? MODEL_FAULT_MEMORY : MODEL_FAULT_ACTIVATE;
		break;
	case MODEL_OTHER_TABLE:
		op->fault = MODEL_FAULT_MEMORY;
		break;
	}
	op->nth = task_pick_nth(rnd, op);
}

static void task_generate_op(struct rnd_state *rnd, struct model_op *op)
{
	*op = (struct model_op) {
		.kind		= task_pick_kind(rnd),
		.min		= torture_below(rnd, 6),
		.max		= torture_below(rnd, MODEL_MAX_BATCH + 1),
		.managed	= torture_below(rnd, 2),
		.a		= torture_below(rnd, MODEL_NR_PLACES),
		.b		= torture_below(rnd, MODEL_NR_PLACES),
		.c		= prandom_u32_state(rnd),
	};
	/* Mostly in order */
	if (op->a > op->b && torture_below(rnd, 8))
		swap(op->a, op->b);
	if (op->min > op->max && torture_below(rnd, 8))
		swap(op->min, op->max);
	if (!torture_below(rnd, TASK_FAULT_RATE))
		task_pick_fault(rnd, op);
}

static void task_generate(struct rnd_state *rnd, struct task_round *round)
{
	round->setup = (struct model_setup) {
		.variant	= torture_below(rnd, TORTURE_NR_VARIANTS),
		.size		= 1 + torture_below(rnd, MODEL_NR_PLACES),
		.capacity	= 1 + torture_below(rnd, MODEL_MAX_LIVE),
		.managed	= torture_below(rnd, 2),
	};
	round->n = MODEL_MAX_OPS / 2 + torture_below(rnd, MODEL_MAX_OPS / 2 + 1);
	for (unsigned int i = 0; i < round->n; i++)
		task_generate_op(rnd, &round->ops[i]);
}

/*
 * Leaves out parts of the operations, smaller and smaller ones, as long as what
 * remains still fails. Returns how many remain.
 */
static unsigned int task_shrink(struct model *model, struct task_round *round, unsigned int n)
{
	unsigned long end = jiffies + TASK_REPLAY_TIME;
	unsigned int replays = 0;

	for (unsigned int part = max(n / 2, 1U); n > 1; part = max(part / 2, 1U)) {
		unsigned int start = 0, before = n;

		while (start < n) {
			unsigned int rest = n - min(start + part, n);

			if (replays++ == TASK_MAX_REPLAYS || time_after(jiffies, end))
				return n;
			memcpy(round->trial, round->order, start * sizeof(*round->order));
			memcpy(round->trial + start, round->order + n - rest,
			       rest * sizeof(*round->order));
			if (model_run(model, &round->setup, round->ops, round->trial, start + rest,
				      true, false)) {
				n = start + rest;
				memcpy(round->order, round->trial, n * sizeof(*round->order));
			} else {
				start += part;
			}
		}
		if (part == 1 && n == before)
			break;
	}
	return n;
}

static void task_report(struct model *model, struct task_round *round, unsigned int n,
			unsigned long number)
{
	const struct model_setup *setup = &round->setup;
	unsigned int failed;

	if (!torture_fail("task %lu, table \"%s\": %s", number,
			  torture_variants[setup->variant].name, model_reason(model)))
		return;

	pr_err("torture: seed %u, task %lu: %s\n", torture_seed, number, model_reason(model));
	n = min(n, round->n);
	for (unsigned int i = 0; i < n; i++)
		round->order[i] = i;
	failed = model_run(model, &round->setup, round->ops, round->order, n, true, false);
	if (failed)
		n = task_shrink(model, round, min(n, failed));

	pr_err("torture: %s after %u operations on a table \"%s\" of %u, %u in the parent:\n",
	       failed ? "fails" : "not again", n, torture_variants[setup->variant].name,
	       torture_variants[setup->variant].size ? setup->size : 0, setup->capacity);
	model_run(model, &round->setup, round->ops, round->order, n, true, true);
	pr_err("torture:   %s\n", model_reason(model));
}

/* A task with tables of its own, one at a time */
int torture_model_task(void *data)
{
	struct task_round *round = kvzalloc_obj(*round);
	unsigned long number = (unsigned long)data;
	struct model *model = model_new();
	struct rnd_state rnd;
	unsigned int n;

	torture_seed_state(&rnd, 1 + number);
	if (!torture_check(model && round, "no memory"))
		goto out;

	while (!torture_over()) {
		task_generate(&rnd, round);
		n = model_run(model, &round->setup, round->ops, NULL, round->n, false, false);
		if (n)
			task_report(model, round, n, number);
	}
out:
	model_free(model);
	kvfree(round);
	return 0;
}

/* Tables which tasks share */

#define SHARED_LABELS		128
#define SHARED_CAPACITY		96
#define SHARED_MAX_LIVE		24
#define SHARED_BATCH		6

/**
 * struct shared_table - A table which tasks share
 * @rig:	The table
 * @owner:	By label, the task which has the vector plus 1
 */
struct shared_table {
	struct torture_rig	rig;
	atomic_t		owner[SHARED_LABELS];
};

static struct shared_table *shared_tables;

/**
 * struct shared_vector - A vector of a task
 * @shared:	Its table
 * @vector:	The vector
 * @requested:	It has a handler
 * @hits:	For the handler
 * @sent:	What has to be counted there
 * @watcher:	Who watches it
 * @watching:	Whether it does
 * @told:	Number of calls of @watcher
 * @told_last:	The same when it ended to watch
 */
struct shared_vector {
	struct shared_table	*shared;
	struct msi_vector	*vector;
	bool			requested;
	struct torture_hits	hits;
	int			sent;
	struct msi_watcher	watcher;
	bool			watching;
	atomic_t		told;
	int			told_last;
};

/**
 * struct shared_task - What a task has of the tables
 * @me:		Its number plus 1
 * @rnd:	Its choices
 * @n:		Number of vectors
 * @vs:		The vectors, and behind them what is not in use
 * @pool:	What @vs refers to, each once
 */
struct shared_task {
	int			me;
	struct rnd_state	rnd;
	unsigned int		n;
	struct shared_vector	*vs[SHARED_MAX_LIVE];
	struct shared_vector	pool[SHARED_MAX_LIVE];
};

int torture_shared_open(void)
{
	int ret;

	shared_tables = kvcalloc(TORTURE_NR_VARIANTS, sizeof(*shared_tables), GFP_KERNEL);
	if (!torture_check(shared_tables, "no memory"))
		return -ENOMEM;

	for (int i = 0; i < TORTURE_NR_VARIANTS; i++) {
		struct torture_rig *rig = &shared_tables[i].rig;

		ret = torture_open(rig, &torture_variants[i], SHARED_CAPACITY);
		if (!torture_check(!ret, "shared table %d: %d", i, ret)) {
			rig->faux = NULL;
			torture_shared_close();
			return ret;
		}
		ret = torture_create(rig);
		if (!torture_check(!ret, "shared table %d: %d", i, ret)) {
			torture_shared_close();
			return ret;
		}
	}
	return 0;
}

/* No task has anything left, so every label can be had. */
static void shared_expect_free(struct shared_table *shared)
{
	struct msi_table *table = shared->rig.table;
	u32 labels = min(msi_table_size(table) ? : SHARED_LABELS, SHARED_LABELS);
	struct msi_vector *vectors[SHARED_CAPACITY];

	/* Nobody came next to that parent. */
	msi_fake_parent_fail_nth(shared->rig.parent, 0);
	for (u32 first = 0; first < labels; first += SHARED_CAPACITY) {
		unsigned int n = min(labels - first, SHARED_CAPACITY);
		struct msi_vector_request req = {
			.lowest		= first,
			.highest	= first + n - 1,
		};
		int ret = msi_table_alloc_vectors(table, &req, n, n, vectors);

		if (torture_check(ret == n, "not all labels of \"%s\" from %u to %u are free: %d",
				  shared->rig.variant->name, req.lowest, req.highest, ret))
			msi_table_free_vectors(table, vectors, n);
	}
}

void torture_shared_close(void)
{
	for (int i = 0; i < TORTURE_NR_VARIANTS; i++) {
		const char *wrong;

		if (!shared_tables[i].rig.faux)
			continue;
		if (shared_tables[i].rig.table)
			shared_expect_free(&shared_tables[i]);
		wrong = torture_close(&shared_tables[i].rig);
		torture_check(!wrong, "shared table %d: %s", i, wrong);
	}
	kvfree(shared_tables);
	shared_tables = NULL;
}

static void shared_take(struct shared_task *task, struct shared_table *shared,
			struct msi_vector *vector)
{
	struct shared_vector *v = task->vs[task->n++];
	u32 label = msi_vector_label(vector);
	int owner;

	*v = (struct shared_vector) { .shared = shared, .vector = vector };
	torture_count(TORTURE_SHARED_ALLOCATED, 1);
	if (!torture_check(label < SHARED_LABELS, "label %u", label))
		return;
	owner = atomic_cmpxchg(&shared->owner[label], 0, task->me);
	torture_check(!owner, "label %u of \"%s\" given to task %d, but task %d has it", label,
		      shared->rig.variant->name, task->me - 1, owner - 1);
	torture_check(msi_vector_irq(vector), "label %u has no irq", label);
}

/* Sometimes memory fails while the next thing is done. Returns whether it may. */
static bool shared_arm(struct shared_task *task)
{
	if (torture_below(&task->rnd, TASK_FAULT_RATE))
		return false;
	torture_fail_memory(1 + torture_below(&task->rnd, 30));
	return true;
}

/* Returns whether @ret is because it did */
static bool shared_disarm(bool armed, int ret)
{
	if (!armed || !torture_memory_failed())
		return false;
	torture_count(TORTURE_SHARED_FAULTS, 1);
	return ret == -ENOMEM;
}

static void shared_alloc(struct shared_task *task)
{
	unsigned int variant = torture_below(&task->rnd, TORTURE_NR_VARIANTS);
	struct shared_table *shared = &shared_tables[variant];
	u32 labels = min(msi_table_size(shared->rig.table) ? : SHARED_LABELS, SHARED_LABELS);
	struct msi_vector_request req = {
		.lowest		= torture_below(&task->rnd, labels),
		.highest	= labels - 1,
	};
	unsigned int room = min(SHARED_MAX_LIVE - task->n, SHARED_BATCH);
	unsigned int max = 1 + torture_below(&task->rnd, room);
	struct msi_vector *vectors[SHARED_BATCH];
	bool armed;
	int ret;

	if (torture_below(&task->rnd, 2))
		max = 1;
	if (!torture_below(&task->rnd, 3))
		req.highest = req.lowest;
	/* Whoever comes next to that parent */
	if (!torture_below(&task->rnd, TASK_FAULT_RATE))
		msi_fake_parent_fail_nth(shared->rig.parent, 1 + torture_below(&task->rnd, 3));
	armed = shared_arm(task);
	ret = msi_table_alloc_vectors(shared->rig.table, &req, 1, max, vectors);
	if (shared_disarm(armed, ret) || ret == -ENOSPC ||
	    (ret == -EBUSY && req.lowest == req.highest))
		return;
	if (!torture_check(ret > 0 && ret <= max, "allocation of %u from %u to %u: %d", max,
			   req.lowest, req.highest, ret))
		return;

	for (int i = 0; i < ret; i++)
		shared_take(task, shared, vectors[i]);
}

static void shared_notify(struct msi_watcher *watcher, const struct msi_msg *msg)
{
	atomic_inc(&container_of(watcher, struct shared_vector, watcher)->told);
}

static void shared_watch(struct shared_vector *v)
{
	if (v->watching) {
		msi_vector_unwatch(v->vector, &v->watcher);
		v->told_last = atomic_read(&v->told);
	} else {
		torture_check(atomic_read(&v->told) == v->told_last,
			      "a watcher is told though it does not watch");
		v->watcher.notify = shared_notify;
		msi_vector_watch(v->vector, &v->watcher);
		torture_check(atomic_read(&v->told) > v->told_last, "a new watcher is not told");
	}
	v->watching = !v->watching;
}

/* It is not its owner's any more before others may get it. */
static void shared_let_go(struct shared_task *task, struct shared_vector *v)
{
	u32 label = msi_vector_label(v->vector);

	if (v->watching)
		shared_watch(v);
	if (label < SHARED_LABELS)
		torture_check(atomic_cmpxchg(&v->shared->owner[label], task->me, 0) == task->me,
			      "label %u was taken from task %d", label, task->me - 1);
}

/* The one at @i, and some others of its table */
static void shared_free(struct shared_task *task, unsigned int i, unsigned int max)
{
	struct shared_table *shared = task->vs[i]->shared;
	struct msi_vector *vectors[SHARED_BATCH];
	unsigned int n = 0;

	while (i < task->n && n < max) {
		struct shared_vector *v = task->vs[i];

		if (v->shared != shared) {
			i++;
			continue;
		}
		shared_let_go(task, v);
		vectors[n++] = v->vector;
		task->n--;
		swap(task->vs[i], task->vs[task->n]);
	}
	if (max == 1)
		msi_table_free_vector(shared->rig.table, vectors[0]);
	else
		msi_table_free_vectors(shared->rig.table, vectors, n);

	for (i = task->n; i < task->n + n; i++) {
		struct shared_vector *v = task->vs[i];

		torture_check(atomic_read(&v->hits.hard) == v->sent, "%d interrupts instead of %d",
			      atomic_read(&v->hits.hard), v->sent);
		torture_check(atomic_read(&v->told) == v->told_last,
			      "a watcher is told though it does not watch");
	}
}

/* A message comes with the handler, and goes with it. */
static void shared_request(struct shared_task *task, struct shared_vector *v)
{
	int told = atomic_read(&v->told);
	bool armed;
	int ret;

	if (v->requested) {
		msi_vector_free_irq(v->vector);
		v->requested = false;
	} else {
		armed = shared_arm(task);
		ret = torture_request(v->vector, &v->hits);
		if (shared_disarm(armed, ret))
			return;
		v->requested = torture_check(!ret, "request_irq: %d", ret);
	}
	if (v->watching)
		torture_check(atomic_read(&v->told) > told, "a watcher is not told");
}

static void shared_fire(struct shared_vector *v)
{
	struct torture_rig *rig = &v->shared->rig;
	u32 label = msi_vector_label(v->vector);
	int ret;

	if (!v->requested) {
		ret = msi_fake_store_fire(rig->store, rig->parent, label);
		torture_check(ret == -EAGAIN, "label %u without handler is sent: %d", label, ret);
		torture_count(TORTURE_REFUSED, 1);
		return;
	}

	/* Another task may be restoring, which masks or clears it for a moment. */
	for (int tries = 0; tries < 100000; tries++) {
		ret = msi_fake_store_fire(rig->store, rig->parent, label);
		if (ret != -EAGAIN)
			break;
		cond_resched();
	}
	if (!torture_check(!ret, "label %u of \"%s\" can not be fired: %d", label,
			   rig->variant->name, ret))
		return;

	torture_count(TORTURE_RAISED, 1);
	v->sent++;
	if (torture_check(torture_reaches(&v->hits.hard, v->sent), "label %u: %d of %d", label,
			  atomic_read(&v->hits.hard), v->sent))
		torture_count(TORTURE_RECEIVED, 1);
}

static void shared_step(struct shared_task *task)
{
	unsigned int i = task->n ? torture_below(&task->rnd, task->n) : 0;
	unsigned int dice = torture_below(&task->rnd, 100);
	struct shared_vector *v = task->vs[i];

	torture_count(TORTURE_SHARED_OPERATIONS, 1);
	if (!task->n || (dice < 8 && task->n < SHARED_MAX_LIVE)) {
		shared_alloc(task);
	} else if (dice < 14) {
		shared_free(task, i, 1);
	} else if (dice < 16) {
		shared_free(task, i, SHARED_BATCH);
	} else if (dice < 28) {
		shared_request(task, v);
	} else if (dice < 36) {
		unsigned int nth = torture_below(&task->rnd, num_online_cpus());
		int cpu = cpumask_nth(nth, cpu_online_mask);

		torture_check(!irq_set_affinity(msi_vector_irq(v->vector), cpumask_of(cpu)),
			      "irq_set_affinity");
	} else if (dice < 38) {
		msi_table_restore(v->shared->rig.table);
	} else if (dice < 42) {
		shared_watch(v);
	} else {
		shared_fire(v);
	}
}

int torture_shared_task(void *data)
{
	struct shared_task *task = kvzalloc_obj(*task);

	if (!torture_check(task, "no memory"))
		return 0;

	task->me = (unsigned long)data + 1;
	torture_seed_state(&task->rnd, task->me);
	for (int i = 0; i < SHARED_MAX_LIVE; i++)
		task->vs[i] = &task->pool[i];

	while (!torture_over()) {
		shared_step(task);
		cond_resched();
	}
	while (task->n)
		shared_free(task, 0, SHARED_BATCH);
	kvfree(task);
	return 0;
}
