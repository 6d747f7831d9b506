// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: allocating and freeing in several threads
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/sched/task.h>

#include "msi_table_test.h"

#define MTT_WORKERS	4
#define MTT_ROUNDS	200
#define MTT_HELD		4
/* Small enough for the workers to get into each other's way */
#define MTT_SHARED_SIZE	12

/**
 * struct mtt_shared - A table which workers share
 * @table:	The table
 * @store:	Its store
 * @parent:	Its parent
 * @taken:	Labels which a worker holds
 */
struct mtt_shared {
	struct msi_table	*table;
	struct msi_fake_store	*store;
	struct msi_fake_parent	*parent;
	DECLARE_BITMAP(taken, MTT_SHARED_SIZE);
};

/**
 * struct mtt_worker - A thread which allocates and frees
 * @shared:	What it allocates from
 * @task:	The thread
 * @done:	The thread is done
 * @held:	Vectors which it holds
 * @rnd:	What it does next
 * @allocs:	How many vectors it got
 * @wrong:	How often something was not as it should be
 */
struct mtt_worker {
	struct mtt_shared	*shared;
	struct task_struct	*task;
	struct completion	done;
	struct msi_vector	*held[MTT_HELD];
	struct rnd_state	rnd;
	unsigned int		allocs;
	unsigned int		wrong;
};

static void mtt_worker_free(struct mtt_worker *worker, unsigned int i)
{
	struct mtt_shared *shared = worker->shared;
	struct msi_vector *vector = worker->held[i];

	if (!vector)
		return;
	worker->wrong += !test_and_clear_bit(msi_vector_label(vector), shared->taken);
	msi_table_free_vector(shared->table, vector);
	worker->held[i] = NULL;
}

static void mtt_worker_alloc(struct mtt_worker *worker, unsigned int i, u32 random)
{
	static const u32 ranges[][2] = { { 0, MSI_LABEL_ANY }, { 2, 5 }, { 4, 9 }, { 3, 3 },
					 { 0, 0 }, { 5, 5 }, { 10, MSI_LABEL_ANY } };
	const u32 *range = ranges[random % ARRAY_SIZE(ranges)];
	long full = range[0] == range[1] ? -EBUSY : -ENOSPC;
	struct mtt_shared *shared = worker->shared;
	struct msi_vector *vector;
	u32 label;

	vector = msi_table_alloc_vector_range(shared->table, range[0], range[1]);
	if (IS_ERR(vector)) {
		worker->wrong += PTR_ERR(vector) != full;
		return;
	}

	label = msi_vector_label(vector);
	worker->wrong += label < range[0] || label > range[1] || label >= MTT_SHARED_SIZE;
	worker->wrong += test_and_set_bit(label, shared->taken);
	worker->held[i] = vector;
	worker->allocs++;
}

static void mtt_worker_use(struct mtt_worker *worker, unsigned int i)
{
	struct mtt_shared *shared = worker->shared;
	struct msi_vector *vector = worker->held[i];
	struct mtt_hits hits = { };

	if (!vector)
		return;
	if (mtt_try_request(vector, &hits)) {
		worker->wrong++;
		return;
	}
	worker->wrong += !!msi_fake_store_fire(shared->store, shared->parent,
					       msi_vector_label(vector));
	msi_vector_free_irq(vector);
	worker->wrong += atomic_read(&hits.hard) != 1;
}

static int mtt_worker_fn(void *data)
{
	struct mtt_worker *worker = data;

	for (unsigned int round = 0; round < MTT_ROUNDS; round++) {
		u32 random = prandom_u32_state(&worker->rnd);
		unsigned int i = random % MTT_HELD;

		if (worker->held[i]) {
			mtt_worker_free(worker, i);
		} else {
			mtt_worker_alloc(worker, i, random >> 8);
			if (random & BIT(30))
				mtt_worker_use(worker, i);
		}
	}
	for (unsigned int i = 0; i < MTT_HELD; i++)
		mtt_worker_free(worker, i);
	complete(&worker->done);
	return 0;
}

static void mtt_stop_worker(void *data)
{
	struct mtt_worker *worker = data;

	wait_for_completion(&worker->done);
	kthread_stop_put(worker->task);
}

/* Workers take turns on the @n tables. */
static void mtt_run_workers(struct kunit *test, struct mtt_shared *shared, unsigned int n)
{
	struct mtt_worker *workers;
	struct mtt_ctx *ctx = test->priv;

	workers = kunit_kcalloc(test, MTT_WORKERS, sizeof(*workers), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, workers);

	for (unsigned int i = 0; i < MTT_WORKERS; i++) {
		struct mtt_worker *worker = &workers[i];

		worker->shared = &shared[i % n];
		init_completion(&worker->done);
		prandom_seed_state(&worker->rnd, 1000 + i);
		worker->task = kthread_create(mtt_worker_fn, worker, "msi_table_test/%u", i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, worker->task);
		get_task_struct(worker->task);
		wake_up_process(worker->task);
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mtt_stop_worker, worker));
	}
	for (unsigned int i = 0; i < MTT_WORKERS; i++) {
		kunit_release_action(test, mtt_stop_worker, &workers[i]);
		KUNIT_EXPECT_EQ(test, workers[i].wrong, 0);
		KUNIT_EXPECT_GT(test, workers[i].allocs, 0);
	}
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
}

static void threads_on_one_table(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SHARED_SIZE);
	struct mtt_shared *shared;

	shared = kunit_kzalloc(test, sizeof(*shared), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, shared);
	shared->table = ctx->table;
	shared->store = ctx->store;
	shared->parent = ctx->parent;
	mtt_run_workers(test, shared, 1);

	/* Every label is there for the next one. */
	for (unsigned int i = 0; i < MTT_SHARED_SIZE; i++)
		KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), i);
}

static void threads_on_two_tables(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SHARED_SIZE);
	struct msi_table_info info = mtt_info(ctx);
	struct mtt_shared *shared;

	shared = kunit_kcalloc(test, 2, sizeof(*shared), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, shared);
	shared[0].table = ctx->table;
	shared[0].store = ctx->store;
	shared[0].parent = ctx->parent;
	shared[1].store = mtt_new_store(test);
	shared[1].parent = ctx->parent;
	info.name = "other";
	info.size = MTT_SHARED_SIZE;
	info.data = shared[1].store;
	shared[1].table = msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, shared[1].table);

	mtt_run_workers(test, shared, 2);
	KUNIT_EXPECT_EQ(test, msi_fake_store_bad_context(shared[1].store), 0);
}

static struct kunit_case mtt_threads_cases[] = {
	KUNIT_CASE_SLOW(threads_on_one_table),
	KUNIT_CASE_SLOW(threads_on_two_tables),
	{ }
};

static struct kunit_suite mtt_threads_suite = {
	.name		= "msi_table_threads",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_threads_cases,
};

kunit_test_suite(mtt_threads_suite);
