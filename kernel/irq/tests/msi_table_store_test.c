// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for what MSI tables of device-specific stores offer beyond single
 * vectors: batches, slow busses, plain MMIO stores, watchers of a message,
 * devices which lose power, vectors lent to another driver, and large tables
 */
#include <linux/auxiliary_bus.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/kthread.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/pm_runtime.h>
#include <linux/prandom.h>
#include <linux/processor.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "msi_table_test.h"

KUNIT_ARRAY_PARAM_DESC(mtt_variant, mtt_variants, name);

/* A table on a parent of its own, which takes the place of ctx->parent */
static struct mtt_ctx *mtt_create_on(struct kunit *test, u32 size, unsigned int capacity,
				     unsigned int flags)
{
	struct mtt_ctx *ctx = test->priv;

	ctx->parent = mtt_new_parent(test, capacity, ctx->variant->parent_flags | flags);
	msi_fake_parent_attach(ctx->parent, ctx->dev);
	return mtt_create(test, size);
}

/* The slot has the message of @vector, and the device may send it. */
static void mtt_expect_armed(struct kunit *test, struct msi_vector *vector)
{
	struct msi_fake_slot slot = mtt_slot(test, msi_vector_label(vector));
	struct msi_message msg;

	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), 0);
	KUNIT_EXPECT_TRUE(test, mtt_msg_valid(msg));
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(slot.msg, msg));
	KUNIT_EXPECT_FALSE(test, slot.masked);
}

/* No vector is set up in the store, and none is left in the parent. */
static void mtt_expect_empty(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_fake_slot slot;

	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
	for (u32 label = 0; label < MTT_SIZE; label++) {
		if (msi_fake_store_read(ctx->store, label, &slot))
			continue;
		KUNIT_EXPECT_FALSE(test, slot.inited);
		KUNIT_EXPECT_EQ(test, slot.inits, slot.exits);
		KUNIT_EXPECT_EQ(test, mtt_fire(test, label), -EAGAIN);
	}
}

/**
 * struct mtt_racer - A thread which does one thing over and over
 * @step:	The thing
 * @ctx:	The test's context
 * @vector:	A vector which outlives the thread
 * @task:	The thread
 * @steps:	How often @step has been called
 * @wrong:	How often something was not as it should be
 */
struct mtt_racer {
	void			(*step)(struct mtt_racer *racer);
	struct mtt_ctx		*ctx;
	struct msi_vector	*vector;
	struct task_struct	*task;
	atomic_t		steps;
	unsigned int		wrong;
};

static int mtt_racer_fn(void *data)
{
	struct mtt_racer *racer = data;

	while (!kthread_should_stop()) {
		racer->step(racer);
		atomic_inc(&racer->steps);
		cond_resched();
	}
	return 0;
}

static void mtt_stop_racer(void *data)
{
	struct mtt_racer *racer = data;

	kthread_stop(racer->task);
}

static struct mtt_racer *mtt_start_racer(struct kunit *test, void (*step)(struct mtt_racer *racer),
					 struct msi_vector *vector)
{
	struct mtt_racer *racer = kunit_kzalloc(test, sizeof(*racer), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, racer);
	racer->step = step;
	racer->ctx = test->priv;
	racer->vector = vector;
	racer->task = kthread_run(mtt_racer_fn, racer, "msi_table_racer");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, racer->task);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mtt_stop_racer, racer));
	return racer;
}

static void mtt_finish_racer(struct kunit *test, struct mtt_racer *racer)
{
	kunit_release_action(test, mtt_stop_racer, racer);
	KUNIT_EXPECT_EQ(test, racer->wrong, 0);
}

/* Batches */

#define BATCH_MAX	40

/**
 * struct batch - Vectors which were allocated together
 * @n:		How many
 * @vectors:	The vectors
 * @irqs:	Their interrupt numbers
 * @labels:	Their labels
 * @hits:	Their handlers' dev_id, NULL without a handler
 */
struct batch {
	unsigned int		n;
	struct msi_vector	*vectors[BATCH_MAX];
	unsigned int		irqs[BATCH_MAX];
	u32			labels[BATCH_MAX];
	struct mtt_hits		*hits[BATCH_MAX];
};

static struct batch *batch_new(struct kunit *test)
{
	struct batch *batch = kunit_kzalloc(test, sizeof(*batch), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, batch);
	return batch;
}

static int batch_try(struct kunit *test, struct batch *batch, const struct msi_vector_request *req,
		     unsigned int min, unsigned int max)
{
	struct mtt_ctx *ctx = test->priv;
	int n;

	KUNIT_ASSERT_LE(test, min(max, MTT_SIZE), BATCH_MAX);
	n = msi_table_alloc_vectors(ctx->table, req, min, max, batch->vectors);
	memset(batch->hits, 0, sizeof(batch->hits));
	batch->n = max(n, 0);
	for (unsigned int i = 0; i < batch->n; i++) {
		batch->irqs[i] = msi_vector_irq(batch->vectors[i]);
		batch->labels[i] = msi_vector_label(batch->vectors[i]);
	}
	return n;
}

static int batch_try_range(struct kunit *test, struct batch *batch, u32 lowest, u32 highest,
			   unsigned int min, unsigned int max)
{
	const struct msi_vector_request req = {
		.lowest		= lowest,
		.highest	= highest,
	};

	return batch_try(test, batch, &req, min, max);
}

/* Exactly @n vectors of the range */
static struct batch *batch_alloc(struct kunit *test, u32 lowest, u32 highest, unsigned int n)
{
	struct batch *batch = batch_new(test);

	KUNIT_ASSERT_EQ(test, batch_try_range(test, batch, lowest, highest, n, n), (int)n);
	return batch;
}

static void batch_expect_labels(struct kunit *test, const struct batch *batch, const u32 *labels,
				unsigned int n)
{
	KUNIT_ASSERT_EQ(test, batch->n, n);
	for (unsigned int i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, batch->labels[i], labels[i]);
}

static void batch_expect_labels_from(struct kunit *test, const struct batch *batch, u32 first)
{
	for (unsigned int i = 0; i < batch->n; i++)
		KUNIT_EXPECT_EQ(test, batch->labels[i], first + i);
}

static void batch_request(struct kunit *test, struct batch *batch)
{
	for (unsigned int i = 0; i < batch->n; i++)
		batch->hits[i] = mtt_request(test, batch->vectors[i]);
}

/* Every message reaches its handler and no other one. */
static void batch_expect_delivery(struct kunit *test, const struct batch *batch)
{
	int hits = 0, before = 0;

	for (unsigned int i = 0; i < batch->n; i++)
		before += atomic_read(&batch->hits[i]->hard);
	for (unsigned int i = 0; i < batch->n; i++) {
		mtt_expect_delivery(test, batch->labels[i], batch->hits[i]);
		KUNIT_EXPECT_EQ(test, batch->hits[i]->irq, batch->irqs[i]);
	}
	for (unsigned int i = 0; i < batch->n; i++)
		hits += atomic_read(&batch->hits[i]->hard);
	KUNIT_EXPECT_EQ(test, hits, before + (int)batch->n);
}

static void batch_free(struct kunit *test, struct batch *batch)
{
	struct mtt_ctx *ctx = test->priv;

	msi_table_free_vectors(ctx->table, batch->vectors, batch->n);
}

static void batch_expect_gone(struct kunit *test, const struct batch *batch)
{
	mtt_expect_gone(test, batch->irqs, batch->labels, batch->n);
}

static void mtt_shuffle(struct msi_vector **vectors, unsigned int n, struct rnd_state *rnd)
{
	for (unsigned int i = n - 1; i; i--) {
		unsigned int j = prandom_u32_state(rnd) % (i + 1);

		swap(vectors[i], vectors[j]);
	}
}

static void batch_takes_lowest_free_labels(struct kunit *test)
{
	static const u32 expected[] = { 0, 1, 2, 5, 6, 7, 8, 10 };
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct batch *batch;

	mtt_alloc(test, 3);
	mtt_alloc(test, 4);
	mtt_alloc(test, 9);
	batch = batch_alloc(test, 0, MSI_LABEL_ANY, ARRAY_SIZE(expected));
	batch_expect_labels(test, batch, expected, ARRAY_SIZE(expected));
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 3 + ARRAY_SIZE(expected));

	for (unsigned int i = 0; i < batch->n; i++) {
		struct msi_message msg;

		KUNIT_EXPECT_PTR_EQ(test, msi_vector_table(batch->vectors[i]), ctx->table);
		KUNIT_EXPECT_TRUE(test, mtt_irq_exists(batch->irqs[i]));
		for (unsigned int j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, batch->irqs[i], batch->irqs[j]);

		/* It is as new as any single one. */
		KUNIT_EXPECT_EQ(test, msi_vector_get_msg(batch->vectors[i], &msg), -EAGAIN);
		KUNIT_EXPECT_EQ(test, mtt_fire(test, batch->labels[i]), -EAGAIN);
		KUNIT_EXPECT_EQ(test, mtt_slot(test, batch->labels[i]).inits, 1);
		KUNIT_EXPECT_EQ(test, mtt_slot(test, batch->labels[i]).masked, !!ctx->ops.mask);
	}
	batch_request(test, batch);
	batch_expect_delivery(test, batch);
}

static void batch_stays_in_range(struct kunit *test)
{
	static const u32 expected[] = { 6, 8, 9 };
	struct batch *batch = batch_new(test);

	mtt_create(test, MTT_SIZE);
	mtt_alloc(test, 7);
	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, 6, 9, 1, 8), 3);
	batch_expect_labels(test, batch, expected, ARRAY_SIZE(expected));
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 5, 10), 5);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 5, 10), 10);
}

static void batch_min_and_max(struct kunit *test)
{
	struct batch *batch = batch_new(test), *rest = batch_new(test);
	struct mtt_ctx *ctx = mtt_create(test, 8);

	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, 0, MSI_LABEL_ANY, 2, 5), 5);
	batch_expect_labels_from(test, batch, 0);
	KUNIT_EXPECT_EQ(test, batch_try_range(test, rest, 0, MSI_LABEL_ANY, 4, 5), -ENOSPC);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 5);
	KUNIT_EXPECT_EQ(test, batch_try_range(test, rest, 0, MSI_LABEL_ANY, 3, 5), 3);
	batch_expect_labels_from(test, rest, 5);
	KUNIT_EXPECT_EQ(test, batch_try_range(test, rest, 0, MSI_LABEL_ANY, 1, 5), -ENOSPC);

	batch_free(test, batch);
	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, 0, MSI_LABEL_ANY, 5, 5), 5);
	batch_expect_labels_from(test, batch, 0);
}

static void batch_of_one_label(struct kunit *test)
{
	struct batch *batch = batch_new(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, 5, 5, 1, 4), 1);
	batch_expect_labels_from(test, batch, 5);
	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch_new(test), 5, 5, 1, 1), -EBUSY);
	batch_free(test, batch);
	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, 5, 5, 2, 2), -ENOSPC);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
}

static void batch_errors(struct kunit *test)
{
	static const struct {
		u32		lowest;
		u32		highest;
		unsigned int	min;
		unsigned int	max;
		int		error;
	} cases[] = {
		{ 0, MSI_LABEL_ANY, 0, 4, -EINVAL },
		{ 0, MSI_LABEL_ANY, 0, 0, -EINVAL },
		{ 0, MSI_LABEL_ANY, 5, 4, -EINVAL },
		{ 5, 4, 1, 1, -ERANGE },
		{ MTT_SIZE, MSI_LABEL_ANY, 1, 1, -ERANGE },
		{ 0, MTT_SIZE, 1, 1, -ERANGE },
		{ 4, 6, 4, 8, -ENOSPC },
		{ 0, MSI_LABEL_ANY, MTT_SIZE + 1, MTT_SIZE + 2, -ENOSPC },
	};
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct batch *batch = batch_new(test);

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].error,
				    batch_try_range(test, batch, cases[i].lowest, cases[i].highest,
						    cases[i].min, cases[i].max), "case %u", i);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), 0);
	mtt_expect_empty(test);

	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, 0, MSI_LABEL_ANY, MTT_SIZE, MTT_SIZE),
			MTT_SIZE);
	batch_expect_labels_from(test, batch, 0);
}

/* The parent has less than what is needed. */
static void batch_is_all_or_nothing(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, 5, 0);
	struct batch *batch = batch_new(test);

	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, 3, MSI_LABEL_ANY, 6, 8), -ENOSPC);
	mtt_expect_empty(test);

	/* Neither are the labels lost nor the parent's vectors. */
	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, 3, MSI_LABEL_ANY, 5, 5), 5);
	batch_expect_labels_from(test, batch, 3);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 5);
	batch_request(test, batch);
	batch_expect_delivery(test, batch);
}

/* The parent has more than what is needed and less than what is wanted. */
static void batch_takes_what_there_is(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, 20, 0);
	struct batch *batch = batch_new(test);

	for (unsigned int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, 0, MSI_LABEL_ANY, 10, 32), 20);
		batch_expect_labels_from(test, batch, 0);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 20);
		KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 25, 25), -ENOSPC);
		mtt_expect_delivery(test, 19, mtt_request(test, batch->vectors[19]));
		batch_free(test, batch);
		batch_expect_gone(test, batch);
	}
}

static void batch_cookies(struct kunit *test)
{
	struct batch *batch = batch_new(test);
	int queues[8];
	void *cookies[8];
	struct msi_vector_request req = {
		.highest	= MSI_LABEL_ANY,
		.cookies	= cookies,
	};

	mtt_create(test, MTT_SIZE);
	mtt_alloc(test, 2);
	mtt_alloc(test, 5);
	for (unsigned int i = 0; i < 8; i++)
		cookies[i] = &queues[i];
	KUNIT_ASSERT_EQ(test, batch_try(test, batch, &req, 8, 8), 8);
	for (unsigned int i = 0; i < 8; i++) {
		KUNIT_EXPECT_PTR_EQ(test, msi_vector_cookie(batch->vectors[i]), &queues[i]);
		KUNIT_EXPECT_PTR_EQ(test, mtt_slot(test, batch->labels[i]).cookie, &queues[i]);
	}
	batch_free(test, batch);

	req.cookies = NULL;
	req.cookie = &queues[0];
	KUNIT_ASSERT_EQ(test, batch_try(test, batch, &req, 4, 4), 4);
	for (unsigned int i = 0; i < 4; i++)
		KUNIT_EXPECT_PTR_EQ(test, mtt_slot(test, batch->labels[i]).cookie, &queues[0]);
}

static void batch_check_affinity(struct kunit *test, bool managed)
{
	struct batch *batch = batch_new(test);
	struct irq_affinity_desc *affinity;
	struct msi_vector_request req = {
		.highest	= MSI_LABEL_ANY,
	};

	mtt_create(test, MTT_SIZE);
	/* Not all consecutive: the array goes with the vectors, not with the labels. */
	mtt_alloc(test, 4);
	affinity = kunit_kcalloc(test, 8, sizeof(*affinity), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, affinity);
	/* As irq_create_affinity_masks() does it, with one vector for the housekeeping */
	for (unsigned int i = 0; i < 8; i++) {
		cpumask_copy(&affinity[i].mask,
			     cpumask_of(cpumask_nth(i % num_online_cpus(), cpu_online_mask)));
		affinity[i].is_managed = managed && i;
	}
	req.affinity = affinity;

	KUNIT_ASSERT_EQ(test, batch_try(test, batch, &req, 8, 8), 8);
	batch_request(test, batch);
	for (unsigned int i = 0; i < 8; i++) {
		struct irq_data *data = irq_get_irq_data(batch->irqs[i]);

		KUNIT_EXPECT_EQ(test, irqd_affinity_is_managed(data), managed && i);
		KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_data_get_affinity_mask(data),
						      &affinity[i].mask));
		KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_data_get_effective_affinity_mask(data),
						      &affinity[i].mask));
	}
	batch_expect_delivery(test, batch);
}

static void batch_affinity(struct kunit *test)
{
	batch_check_affinity(test, false);
}

static void batch_managed_affinity(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;

	if (ctx->variant->slow)
		kunit_skip(test, "no managed affinity behind a slow bus");
	batch_check_affinity(test, true);
}

static void batch_calls_of_parent(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, 32, 0);
	struct batch *batch;

	batch = batch_alloc(test, 0, MSI_LABEL_ANY, 32);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), 1);
	batch_expect_labels_from(test, batch, 0);
	batch_request(test, batch);
	batch_expect_delivery(test, batch);
	batch_free(test, batch);
	batch_expect_gone(test, batch);
	msi_table_free(ctx->table);

	/* A parent which takes one at a time makes no difference but the time. */
	mtt_create_on(test, MTT_SIZE, 32, MSI_FAKE_SINGLE);
	batch = batch_alloc(test, 0, MSI_LABEL_ANY, 32);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), 32);
	batch_expect_labels_from(test, batch, 0);
	batch_request(test, batch);
	batch_expect_delivery(test, batch);
	batch_free(test, batch);
	batch_expect_gone(test, batch);
}

/* An allocation which the parent fails is made up for, or undone. */
static void mtt_check_parent_fails(struct kunit *test, unsigned int flags)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, MTT_CAPACITY, flags);
	struct batch *batch = batch_new(test);

	for (unsigned int nth = 1; nth <= 8; nth++) {
		int n;

		msi_fake_parent_fail_nth(ctx->parent, nth);
		n = batch_try_range(test, batch, 0, MSI_LABEL_ANY, 8, 8);
		msi_fake_parent_fail_nth(ctx->parent, 0);
		if (n == 8) {
			batch_expect_labels_from(test, batch, 0);
			KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 8);
			batch_free(test, batch);
		} else {
			KUNIT_EXPECT_EQ(test, n, -ENOSPC);
		}
		mtt_expect_empty(test);
	}
	batch = batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	batch_request(test, batch);
	batch_expect_delivery(test, batch);
	msi_table_free(ctx->table);
}

static void batch_parent_fails(struct kunit *test)
{
	mtt_check_parent_fails(test, 0);
	mtt_check_parent_fails(test, MSI_FAKE_SINGLE);
}

static int batch_refused;

static int batch_init_vector(struct msi_vector *vector)
{
	if (msi_vector_cookie(vector) == &batch_refused)
		return -EIO;
	return msi_fake_store_ops.init_vector(vector);
}

/* The store does not want the vector at one place of the batch. */
static void batch_init_vector_fails(struct kunit *test)
{
	struct batch *batch = batch_new(test);
	struct mtt_ctx *ctx = test->priv;
	void *cookies[8];
	struct msi_vector_request req = {
		.highest	= MSI_LABEL_ANY,
		.cookies	= cookies,
	};

	ctx->ops.init_vector = batch_init_vector;
	mtt_create(test, MTT_SIZE);
	for (unsigned int i = 0; i < 8; i++) {
		memset(cookies, 0, sizeof(cookies));
		cookies[i] = &batch_refused;
		KUNIT_EXPECT_EQ(test, batch_try(test, batch, &req, 8, 8), -EIO);
		mtt_expect_empty(test);

		/* What is in front of it may be enough. */
		if (!i)
			continue;
		KUNIT_EXPECT_EQ(test, batch_try(test, batch, &req, i, 8), i);
		batch_expect_labels_from(test, batch, 0);
		batch_free(test, batch);
		mtt_expect_empty(test);
	}

	batch = batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	batch_request(test, batch);
	batch_expect_delivery(test, batch);
}

static void batch_free_in_any_order(struct kunit *test)
{
	struct rnd_state rnd;

	mtt_create(test, MTT_SIZE);
	prandom_seed_state(&rnd, 32);
	for (unsigned int round = 0; round < 3; round++) {
		struct batch *batch = batch_alloc(test, 0, MSI_LABEL_ANY, 8);

		batch_expect_labels_from(test, batch, 0);
		/* The last two are freed without a handler. */
		for (unsigned int i = 0; i < batch->n - 2; i++)
			mtt_request(test, batch->vectors[i]);

		/* One after the other, backwards, and at random */
		for (unsigned int i = 0; round == 1 && i < batch->n / 2; i++)
			swap(batch->vectors[i], batch->vectors[batch->n - 1 - i]);
		if (round == 2)
			mtt_shuffle(batch->vectors, batch->n, &rnd);
		batch_free(test, batch);
		batch_expect_gone(test, batch);
	}
}

/* Members of a batch go one by one, and the others stay what they are. */
static void batch_free_in_parts(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct batch *batch = batch_alloc(test, 0, MSI_LABEL_ANY, 16);
	static const unsigned int single[] = { 0, 7, 15 };

	batch_request(test, batch);
	for (unsigned int i = 0; i < ARRAY_SIZE(single); i++) {
		msi_table_free_vector(ctx->table, batch->vectors[single[i]]);
		KUNIT_EXPECT_FALSE(test, mtt_irq_exists(batch->irqs[single[i]]));
		batch->vectors[single[i]] = NULL;
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 15 - i);
	}
	for (unsigned int i = 0; i < batch->n; i++) {
		if (batch->vectors[i])
			mtt_expect_delivery(test, batch->labels[i], batch->hits[i]);
	}

	/* Some of the rest at a time, then the rest of the rest */
	msi_table_free_vectors(ctx->table, batch->vectors + 3, 4);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 9);
	mtt_expect_delivery(test, 2, batch->hits[2]);
	mtt_expect_delivery(test, 8, batch->hits[8]);
	msi_table_free_vectors(ctx->table, batch->vectors + 8, 7);
	mtt_expect_delivery(test, 1, batch->hits[1]);
	msi_table_free_vectors(ctx->table, batch->vectors + 1, 2);
	batch_expect_gone(test, batch);
}

/* A new vector in the place of a freed one does not belong to the old batch. */
static void batch_free_with_replaced_members(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct batch *batch = batch_alloc(test, 0, MSI_LABEL_ANY, 16);
	static const u32 labels[] = { 3, 4, 11 };
	struct rnd_state rnd;

	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++)
		msi_table_free_vector(ctx->table, batch->vectors[labels[i]]);
	/* In another order, so that they do not get the same numbers again */
	for (unsigned int i = ARRAY_SIZE(labels); i--; ) {
		struct msi_vector *vector = mtt_alloc(test, labels[i]);

		batch->vectors[labels[i]] = vector;
		batch->irqs[labels[i]] = msi_vector_irq(vector);
	}
	batch_request(test, batch);
	batch_expect_delivery(test, batch);

	prandom_seed_state(&rnd, 16);
	mtt_shuffle(batch->vectors, batch->n, &rnd);
	batch_free(test, batch);
	batch_expect_gone(test, batch);
}

static void batch_free_interleaved(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct batch *a = batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	struct batch *b = batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	struct msi_vector *vectors[16];

	batch_expect_labels_from(test, b, 8);
	batch_request(test, a);
	for (unsigned int i = 0; i < 8; i++) {
		vectors[2 * i] = a->vectors[i];
		vectors[2 * i + 1] = b->vectors[7 - i];
	}
	msi_table_free_vectors(ctx->table, vectors, 16);
	batch_expect_gone(test, a);
	batch_expect_gone(test, b);

	/* Beginning of one and end of another, side by side */
	a = batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	b = batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	batch_request(test, b);
	msi_table_free_vectors(ctx->table, a->vectors, 4);
	for (unsigned int i = 0; i < 4; i++) {
		vectors[i] = a->vectors[4 + i];
		vectors[4 + i] = b->vectors[i];
	}
	msi_table_free_vectors(ctx->table, vectors, 8);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 4);
	for (unsigned int i = 4; i < 8; i++)
		mtt_expect_delivery(test, b->labels[i], b->hits[i]);
	msi_table_free_vectors(ctx->table, b->vectors + 4, 4);
	batch_expect_gone(test, b);
}

/* The one which has to be leaked does not take the others with it. */
static void batch_free_foreign_handler(struct kunit *test)
{
	struct batch *batch;
	struct mtt_hits *hits;
	unsigned int irq;

	mtt_create(test, MTT_SIZE);
	batch = batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	irq = batch->irqs[3];
	hits = mtt_request_behind(test, batch->vectors[3]);
	mtt_leak(test, 1);
	kunit_warning_suppress(test) {
		batch_free(test, batch);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	mtt_expect_gone(test, batch->irqs, batch->labels, 3);
	mtt_expect_gone(test, batch->irqs + 4, batch->labels + 4, 4);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 3), -EAGAIN);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 3, 3), -EBUSY);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 3, 4), 4);
	mtt_expect_dead(test, irq, hits);
}

static void batch_goes_with_table(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct batch *batch = batch_alloc(test, 5, MSI_LABEL_ANY, 12);

	batch_request(test, batch);
	kunit_warning_suppress(test) {
		msi_table_free(ctx->table);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	batch_expect_gone(test, batch);

	mtt_create(test, MTT_SIZE);
	batch = batch_alloc(test, 5, MSI_LABEL_ANY, 12);
	batch_request(test, batch);
	mtt_unbind(test);
	batch_expect_gone(test, batch);
}

static void batch_shows_in_sysfs(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct batch *batch;

	if (!IS_ENABLED(CONFIG_SYSFS))
		kunit_skip(test, "needs sysfs");

	batch = batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	for (unsigned int i = 0; i < batch->n; i++)
		KUNIT_EXPECT_TRUE(test, mtt_in_sysfs(ctx->dev, batch->irqs[i]));
	batch_free(test, batch);
	batch_expect_gone(test, batch);
}

/* Runs beside the test: batches come and go, each with labels of its own. */
static void batch_race_step(struct mtt_racer *racer)
{
	const struct msi_vector_request req = {
		.highest	= MSI_LABEL_ANY,
	};
	struct msi_table *table = racer->ctx->table;
	struct msi_vector *vectors[6];
	int n;

	n = msi_table_alloc_vectors(table, &req, 2, ARRAY_SIZE(vectors), vectors);
	if (n < 0) {
		racer->wrong += n != -ENOSPC;
		return;
	}
	racer->wrong += n < 2;
	for (int i = 1; i < n; i++)
		racer->wrong += msi_vector_label(vectors[i]) <= msi_vector_label(vectors[i - 1]);
	msi_table_free_vectors(table, vectors, n);
}

static void batch_race(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, 12);
	struct batch *batch = batch_new(test);
	unsigned int allocs = 0;
	struct mtt_racer *racer;

	racer = mtt_start_racer(test, batch_race_step, NULL);
	for (unsigned int i = 0; i < 40 || !allocs || !atomic_read(&racer->steps); i++) {
		int n = batch_try_range(test, batch, 0, MSI_LABEL_ANY, 1, 8);

		KUNIT_EXPECT_TRUE(test, n >= 1 || n == -ENOSPC);
		if (n < 1)
			continue;
		for (unsigned int j = 0; j < batch->n; j++) {
			struct mtt_hits hits = { };

			if (j % 4)
				continue;
			KUNIT_EXPECT_EQ(test, mtt_try_request(batch->vectors[j], &hits), 0);
			mtt_expect_delivery(test, batch->labels[j], &hits);
			msi_vector_free_irq(batch->vectors[j]);
		}
		batch_free(test, batch);
		allocs++;
	}
	mtt_finish_racer(test, racer);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, 0, MSI_LABEL_ANY, 12, 12), 12);
	batch_expect_labels_from(test, batch, 0);
}

static struct kunit_case mtt_batch_cases[] = {
	KUNIT_CASE_PARAM(batch_takes_lowest_free_labels, mtt_variant_gen_params),
	KUNIT_CASE(batch_stays_in_range),
	KUNIT_CASE(batch_min_and_max),
	KUNIT_CASE(batch_of_one_label),
	KUNIT_CASE(batch_errors),
	KUNIT_CASE_PARAM(batch_is_all_or_nothing, mtt_variant_gen_params),
	KUNIT_CASE(batch_takes_what_there_is),
	KUNIT_CASE(batch_cookies),
	KUNIT_CASE_PARAM(batch_affinity, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(batch_managed_affinity, mtt_variant_gen_params),
	KUNIT_CASE(batch_calls_of_parent),
	KUNIT_CASE(batch_parent_fails),
	KUNIT_CASE(batch_init_vector_fails),
	KUNIT_CASE_PARAM(batch_free_in_any_order, mtt_variant_gen_params),
	KUNIT_CASE(batch_free_in_parts),
	KUNIT_CASE(batch_free_with_replaced_members),
	KUNIT_CASE(batch_free_interleaved),
	KUNIT_CASE_PARAM(batch_free_foreign_handler, mtt_variant_gen_params),
	KUNIT_CASE(batch_goes_with_table),
	KUNIT_CASE(batch_shows_in_sysfs),
	KUNIT_CASE(batch_race),
	{ }
};

static struct kunit_suite mtt_batch_suite = {
	.name		= "msi_table_batch",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_batch_cases,
};

/* Slow busses */

static const struct mtt_variant slow_variants[] = {
	{
		.name		= "slow bus",
		.slow		= true,
		.parent_flags	= MSI_FAKE_STABLE_MSG,
	}, {
		.name		= "slow bus, parent masks",
		.slow		= true,
		.parent_flags	= MSI_FAKE_STABLE_MSG | MSI_FAKE_MASK_PARENT,
	},
};

KUNIT_ARRAY_PARAM_DESC(slow_variant, slow_variants, name);

static int slow_init(struct kunit *test)
{
	return mtt_init_variant(test, test->param_value ? : &slow_variants[0]);
}

static void slow_needs_stable_messages(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	msi_fake_parent_attach(mtt_new_parent(test, MTT_CAPACITY, 0), ctx->dev);
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EOPNOTSUPP);
	/* That the messages arrive does not mean that they stay. */
	info.flags = MSI_TABLE_UNREMAPPED;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EOPNOTSUPP);

	/* It is the parent which is used that counts. */
	info.flags = 0;
	info.parent = msi_fake_parent_domain(ctx->parent);
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), 0);
}

static void slow_needs_lock_with_unlock(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	ctx->ops.unlock = NULL;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	ctx->ops = msi_fake_store_ops_slow;
	ctx->ops.lock = NULL;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	ctx->ops = msi_fake_store_ops_slow;
	mtt_expect_creatable(test);
}

/* On return of each function the device has what it is to have. */
static void slow_reaches_device(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);

	KUNIT_EXPECT_TRUE(test, mtt_slot(test, 2).masked);
	for (unsigned int i = 0; i < 2; i++) {
		struct mtt_hits *hits = mtt_request(test, vector);

		mtt_expect_armed(test, vector);
		mtt_expect_delivery(test, 2, hits);
		msi_vector_free_irq(vector);
		KUNIT_EXPECT_TRUE(test, mtt_slot(test, 2).masked);
		KUNIT_EXPECT_FALSE(test, mtt_msg_valid(mtt_slot(test, 2).msg));
	}
	KUNIT_EXPECT_GT(test, msi_fake_store_locks(ctx->store), 0);

	mtt_request(test, vector);
	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_TRUE(test, mtt_slot(test, 2).masked);
	mtt_expect_empty(test);
}

static void slow_batch(struct kunit *test)
{
	struct batch *batch;

	mtt_create(test, MTT_SIZE);
	batch = batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	for (unsigned int i = 0; i < batch->n; i++)
		KUNIT_EXPECT_TRUE(test, mtt_slot(test, i).masked);
	batch_request(test, batch);
	batch_expect_delivery(test, batch);
	batch_free(test, batch);
	batch_expect_gone(test, batch);
}

/* Disabling is lazy, unless somebody asks for more. */
static void slow_disable_reaches_device(struct kunit *test)
{
	struct msi_vector *vector;
	struct mtt_hits *hits;
	unsigned int irq;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	irq = msi_vector_irq(vector);
	hits = mtt_request(test, vector);
	irq_set_status_flags(irq, IRQ_DISABLE_UNLAZY);

	for (unsigned int i = 0; i < 2; i++) {
		disable_irq(irq);
		KUNIT_EXPECT_TRUE(test, mtt_slot(test, 2).masked);
		KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), -EAGAIN);
		enable_irq(irq);
		mtt_expect_armed(test, vector);
		mtt_expect_delivery(test, 2, hits);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 2);
}

/* An interrupt which arrives while it is disabled can not wait for the bus. */
static void slow_masked_at_next_unlock(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct msi_vector *other = mtt_alloc(test, 3);
	struct mtt_hits *hits;
	unsigned int locks, masks;

	hits = mtt_request(test, vector);
	mtt_request(test, other);

	disable_irq(msi_vector_irq(vector));
	locks = msi_fake_store_locks(ctx->store);
	masks = mtt_slot(test, 2).masks;
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), 0);
	KUNIT_EXPECT_EQ(test, mtt_slot(test, 2).masks, masks + 1);
	KUNIT_EXPECT_FALSE(test, mtt_slot(test, 2).masked);
	KUNIT_EXPECT_EQ(test, msi_fake_store_locks(ctx->store), locks);
	/* Until then the device sends on, to no effect. */
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);

	disable_irq(msi_vector_irq(other));
	enable_irq(msi_vector_irq(other));
	KUNIT_EXPECT_TRUE(test, mtt_slot(test, 2).masked);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), -EAGAIN);

	enable_irq(msi_vector_irq(vector));
	mtt_expect_armed(test, vector);
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits->hard, 1));
	mtt_expect_delivery(test, 2, hits);
}

static void slow_no_managed_affinity(struct kunit *test)
{
	struct batch *batch = batch_new(test);
	struct irq_affinity_desc *affinity;
	struct msi_vector_request req = {
		.highest	= MSI_LABEL_ANY,
	};
	struct msi_vector *vector;
	struct mtt_ctx *ctx;

	ctx = mtt_create(test, MTT_SIZE);
	affinity = kunit_kcalloc(test, 4, sizeof(*affinity), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, affinity);
	for (unsigned int i = 0; i < 4; i++) {
		cpumask_copy(&affinity[i].mask, cpumask_of(0));
		affinity[i].is_managed = true;
	}
	req.affinity = affinity;

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(msi_table_alloc(ctx->table, &req)), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, batch_try(test, batch, &req, 4, 4), -EOPNOTSUPP);
	/* One is enough */
	for (unsigned int i = 0; i < 3; i++)
		affinity[i].is_managed = false;
	KUNIT_EXPECT_EQ(test, batch_try(test, batch, &req, 4, 4), -EOPNOTSUPP);
	mtt_expect_empty(test);

	vector = msi_table_alloc(ctx->table, &req);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	KUNIT_EXPECT_EQ(test, msi_vector_label(vector), 0);
	mtt_expect_delivery(test, 0, mtt_request(test, vector));
}

/* The affinity changes without the lock of the bus. */
static void slow_moves_without_bus(struct kunit *test)
{
	const struct cpumask *cpu = mtt_other_cpu(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct msi_vector *idle = mtt_alloc(test, 3);
	struct mtt_hits *hits = mtt_request(test, vector);
	unsigned int irq = msi_vector_irq(vector);
	unsigned int calls, locks;

	calls = msi_fake_store_calls(ctx->store);
	locks = msi_fake_store_locks(ctx->store);
	for (unsigned int i = 0; i < 4; i++) {
		const struct cpumask *target = i % 2 ? cpumask_of(0) : cpu;

		KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, target), 0);
		KUNIT_EXPECT_EQ(test, irq_set_affinity(msi_vector_irq(idle), target), 0);
		KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_effective_affinity_mask(irq),
						      target));
		mtt_expect_armed(test, vector);
		mtt_expect_delivery(test, 2, hits);
	}
	KUNIT_EXPECT_EQ(test, msi_fake_store_calls(ctx->store), calls);
	KUNIT_EXPECT_EQ(test, msi_fake_store_locks(ctx->store), locks);
}

static void slow_race_step(struct mtt_racer *racer)
{
	struct mtt_hits hits = { };

	if (mtt_try_request(racer->vector, &hits)) {
		racer->wrong++;
		return;
	}
	racer->wrong += !!msi_fake_store_fire(racer->ctx->store, racer->ctx->parent,
					      msi_vector_label(racer->vector));
	msi_vector_free_irq(racer->vector);
	racer->wrong += atomic_read(&hits.hard) != 1;
}

/* Two who want the bus */
static void slow_race(struct kunit *test)
{
	struct msi_vector *vector;
	struct mtt_racer *racer;

	mtt_create(test, MTT_SIZE);
	racer = mtt_start_racer(test, slow_race_step, mtt_alloc(test, 2));
	vector = mtt_alloc(test, 3);
	for (unsigned int i = 0; i < 20 || !atomic_read(&racer->steps); i++) {
		struct mtt_hits hits = { };

		KUNIT_EXPECT_EQ(test, mtt_try_request(vector, &hits), 0);
		mtt_expect_delivery(test, 3, &hits);
		msi_vector_free_irq(vector);
	}
	mtt_finish_racer(test, racer);
}

static void slow_restore_locks_once(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct batch *batch = batch_alloc(test, 0, MSI_LABEL_ANY, 6);
	unsigned int locks;

	batch->n = 4;
	batch_request(test, batch);
	msi_fake_store_wipe(ctx->store);
	locks = msi_fake_store_locks(ctx->store);
	msi_table_restore(ctx->table);
	KUNIT_EXPECT_EQ(test, msi_fake_store_locks(ctx->store), locks + 1);

	for (unsigned int i = 0; i < 4; i++)
		mtt_expect_armed(test, batch->vectors[i]);
	batch_expect_delivery(test, batch);
	KUNIT_EXPECT_TRUE(test, mtt_slot(test, 4).masked);
	KUNIT_EXPECT_TRUE(test, mtt_slot(test, 5).masked);
}

static struct kunit_case mtt_slow_cases[] = {
	KUNIT_CASE(slow_needs_stable_messages),
	KUNIT_CASE(slow_needs_lock_with_unlock),
	KUNIT_CASE_PARAM(slow_reaches_device, slow_variant_gen_params),
	KUNIT_CASE_PARAM(slow_batch, slow_variant_gen_params),
	KUNIT_CASE(slow_disable_reaches_device),
	KUNIT_CASE(slow_masked_at_next_unlock),
	KUNIT_CASE(slow_no_managed_affinity),
	KUNIT_CASE_PARAM(slow_moves_without_bus, slow_variant_gen_params),
	KUNIT_CASE(slow_race),
	KUNIT_CASE_PARAM(slow_restore_locks_once, slow_variant_gen_params),
	{ }
};

static struct kunit_suite mtt_slow_suite = {
	.name		= "msi_table_slow",
	.init		= slow_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_slow_cases,
};

/* Plain stores in MMIO */

#define MMIO_SIZE	8
/* What all registers contain at first */
#define MMIO_BYTE	0x5a
#define MMIO_PATTERN	(0x01010101U * MMIO_BYTE)

/**
 * struct mmio_variant - A layout on a kind of parent
 * @variant:	Name and kind of parent
 * @layout:	The layout, but for the base
 */
struct mmio_variant {
	struct mtt_variant	variant;
	struct msi_mmio_layout	layout;
};

#define MMIO_LIKE_MSIX	{		\
		.stride		= 16,	\
		.address_lo	= 0,	\
		.address_hi	= 4,	\
		.data		= 8,	\
		.control	= 12,	\
		.mask		= BIT(0), \
	}

static const struct mmio_variant mmio_variants[] = {
	{
		.variant.name		= "like MSI-X",
		.layout			= MMIO_LIKE_MSIX,
	}, {
		.variant.name		= "like MSI-X, parent masks",
		.variant.parent_flags	= MSI_FAKE_MASK_PARENT,
		.layout			= MMIO_LIKE_MSIX,
	}, {
		.variant.name		= "like MSI-X, stable message",
		.variant.parent_flags	= MSI_FAKE_STABLE_MSG,
		.layout			= MMIO_LIKE_MSIX,
	}, {
		.variant.name		= "odd",
		.layout			= {
			.stride		= 32,
			.address_lo	= 20,
			.address_hi	= 4,
			.data		= 28,
			.control	= 8,
			.mask		= BIT(4),
		},
	}, {
		.variant.name		= "two mask bits",
		.layout			= {
			.stride		= 20,
			.address_lo	= 12,
			.address_hi	= 8,
			.data		= 4,
			.control	= 0,
			.mask		= BIT(31) | BIT(1),
		},
	},
};

static void mmio_variant_desc(const struct mmio_variant *variant, char *desc)
{
	strscpy(desc, variant->variant.name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mmio_variant, mmio_variants, mmio_variant_desc);

/**
 * struct mmio - The registers of a device
 * @layout:	Where they are
 * @memory:	The same as memory
 * @bytes:	Size of @memory
 */
struct mmio {
	struct msi_mmio_layout	layout;
	void			*memory;
	size_t			bytes;
};

static const struct mmio_variant *mmio_variant(struct kunit *test)
{
	return test->param_value ? : &mmio_variants[0];
}

static int mmio_init(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_INDIRECT_IOMEM) && !IS_ENABLED(CONFIG_INDIRECT_IOMEM_FALLBACK))
		kunit_skip(test, "memory can not be accessed like MMIO");
	return mtt_init_variant(test, &mmio_variant(test)->variant);
}

static struct mmio *mmio_new(struct kunit *test)
{
	struct mmio *mmio = kunit_kzalloc(test, sizeof(*mmio), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mmio);
	mmio->layout = mmio_variant(test)->layout;
	mmio->bytes = (size_t)mmio->layout.stride * MMIO_SIZE;
	mmio->memory = kunit_kzalloc(test, mmio->bytes, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mmio->memory);
	mmio->layout.base = (void __iomem __force *)mmio->memory;
	return mmio;
}

static struct msi_table_info mmio_info(const struct mmio *mmio)
{
	return (struct msi_table_info) {
		.name	= "mmio",
		.mmio	= &mmio->layout,
		.size	= MMIO_SIZE,
	};
}

static struct mmio *mmio_create(struct kunit *test, u8 pattern)
{
	struct mmio *mmio = mmio_new(test);
	struct msi_table_info info = mmio_info(mmio);
	struct mtt_ctx *ctx = test->priv;

	memset(mmio->memory, pattern, mmio->bytes);
	ctx->table = devm_msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->table);
	return mmio;
}

static u32 mmio_read(const struct mmio *mmio, u32 label, u32 offset)
{
	return readl(mmio->layout.base + mmio->layout.stride * label + offset);
}

static struct msi_message mmio_msg(const struct mmio *mmio, u32 label)
{
	const struct msi_mmio_layout *layout = &mmio->layout;

	return (struct msi_message) {
		.address	= (u64)mmio_read(mmio, label, layout->address_hi) << 32 |
				  mmio_read(mmio, label, layout->address_lo),
		.data		= mmio_read(mmio, label, layout->data),
	};
}

static bool mmio_masked(const struct mmio *mmio, u32 label)
{
	u32 mask = mmio->layout.mask;

	return (mmio_read(mmio, label, mmio->layout.control) & mask) == mask;
}

/* A device which sends unless all mask bits are set. Like msi_fake_store_fire() */
static int mmio_fire(struct kunit *test, const struct mmio *mmio, u32 label)
{
	struct msi_message msg = mmio_msg(mmio, label);
	struct mtt_ctx *ctx = test->priv;

	if (mmio_masked(mmio, label) || !mtt_msg_valid(msg))
		return -EAGAIN;
	return msi_fake_parent_inject(ctx->parent, &msg);
}

static void mmio_expect_delivery(struct kunit *test, const struct mmio *mmio, u32 label,
				 struct mtt_hits *hits)
{
	int before = atomic_read(&hits->hard);

	KUNIT_EXPECT_EQ(test, mmio_fire(test, mmio, label), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), before + 1);
}

/* The registers have the message of @vector, and no mask bit is set. */
static void mmio_expect_armed(struct kunit *test, const struct mmio *mmio,
			      struct msi_vector *vector)
{
	u32 label = msi_vector_label(vector);
	struct msi_message msg;

	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), 0);
	KUNIT_EXPECT_TRUE(test, mtt_msg_valid(msg));
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(mmio_msg(mmio, label), msg));
	KUNIT_EXPECT_EQ(test, mmio_read(mmio, label, mmio->layout.control) & mmio->layout.mask, 0);
}

static void mmio_expect_off(struct kunit *test, const struct mmio *mmio, u32 label)
{
	KUNIT_EXPECT_TRUE(test, mmio_masked(mmio, label));
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(mmio_msg(mmio, label)));
}

/* What is none of the core's business has the pattern of mmio_create() still. */
static void mmio_expect_rest(struct kunit *test, const struct mmio *mmio, const u32 *labels,
			     unsigned int n)
{
	const struct msi_mmio_layout *layout = &mmio->layout;

	for (u32 label = 0; label < MMIO_SIZE; label++) {
		bool used = false;

		for (unsigned int i = 0; i < n; i++)
			used |= labels[i] == label;
		for (u32 offset = 0; offset < layout->stride; offset += sizeof(u32)) {
			u32 value = mmio_read(mmio, label, offset);
			u32 expected = MMIO_PATTERN;

			if (used && offset == layout->control) {
				value &= ~layout->mask;
				expected &= ~layout->mask;
			} else if (used && (offset == layout->address_lo ||
					    offset == layout->address_hi ||
					    offset == layout->data)) {
				continue;
			}
			KUNIT_EXPECT_EQ_MSG(test, value, expected, "label %u offset %u",
					    label, offset);
		}
	}
}

static void mmio_message_life(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, MMIO_BYTE);
	static const u32 labels[] = { 0, 3, MMIO_SIZE - 1 };
	struct mtt_ctx *ctx = test->priv;

	mmio_expect_rest(test, mmio, NULL, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++) {
		struct msi_vector *vector = mtt_alloc(test, labels[i]);

		KUNIT_EXPECT_TRUE(test, mmio_masked(mmio, labels[i]));
		for (unsigned int round = 0; round < 2; round++) {
			struct mtt_hits *hits = mtt_request(test, vector);

			mmio_expect_armed(test, mmio, vector);
			mmio_expect_delivery(test, mmio, labels[i], hits);
			msi_vector_free_irq(vector);
			mmio_expect_off(test, mmio, labels[i]);
		}
		mmio_expect_rest(test, mmio, labels, i + 1);
		mtt_request(test, vector);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++)
		KUNIT_EXPECT_EQ(test, mmio_fire(test, mmio, labels[i]), 0);

	msi_table_free(ctx->table);
	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++)
		mmio_expect_off(test, mmio, labels[i]);
	mmio_expect_rest(test, mmio, labels, ARRAY_SIZE(labels));
}

static void mmio_off_after_unbind(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, 0);
	struct mtt_ctx *ctx = test->priv;

	mtt_request(test, mtt_alloc(test, 2));
	mtt_alloc(test, 3);
	mtt_unbind(test);
	mmio_expect_off(test, mmio, 2);
	mmio_expect_off(test, mmio, 3);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
}

static void mmio_batch(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, 0);
	struct batch *batch;

	batch = batch_alloc(test, 0, MSI_LABEL_ANY, MMIO_SIZE);
	batch_request(test, batch);
	for (unsigned int i = 0; i < MMIO_SIZE; i++) {
		mmio_expect_armed(test, mmio, batch->vectors[i]);
		mmio_expect_delivery(test, mmio, i, batch->hits[i]);
		KUNIT_EXPECT_EQ(test, batch->hits[i]->irq, batch->irqs[i]);
	}
	batch_free(test, batch);
	for (unsigned int i = 0; i < MMIO_SIZE; i++)
		mmio_expect_off(test, mmio, i);
}

static void mmio_moves(struct kunit *test)
{
	const struct cpumask *cpu = mtt_other_cpu(test);
	struct mmio *mmio = mmio_create(test, MMIO_BYTE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct mtt_hits *hits = mtt_request(test, vector);
	struct mtt_ctx *ctx = test->priv;
	static const u32 label = 2;

	KUNIT_ASSERT_EQ(test, irq_set_affinity(msi_vector_irq(vector), cpumask_of(0)), 0);
	for (unsigned int i = 0; i < 4; i++) {
		struct msi_message before = mmio_msg(mmio, label);

		KUNIT_EXPECT_EQ(test, irq_set_affinity(msi_vector_irq(vector),
						       i % 2 ? cpumask_of(0) : cpu), 0);
		mmio_expect_armed(test, mmio, vector);
		mmio_expect_delivery(test, mmio, label, hits);
		KUNIT_EXPECT_EQ(test, mtt_msg_equal(before, mmio_msg(mmio, label)),
				mtt_stable(ctx));
		if (!mtt_stable(ctx))
			KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &before),
					-ENOENT);
	}
	mmio_expect_rest(test, mmio, &label, 1);
}

/* Moving a masked one does not unmask it. */
static void mmio_disabled(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, 0);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct mtt_hits *hits = mtt_request(test, vector);
	unsigned int irq = msi_vector_irq(vector);
	struct mtt_ctx *ctx = test->priv;
	struct msi_message msg;

	disable_irq(irq);
	KUNIT_EXPECT_EQ(test, mmio_fire(test, mmio, 2), 0);
	irq_set_affinity(irq, cpumask_of(cpumask_last(cpu_online_mask)));
	KUNIT_EXPECT_EQ(test, mmio_masked(mmio, 2),
			!(ctx->variant->parent_flags & MSI_FAKE_MASK_PARENT));
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), 0);
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(mmio_msg(mmio, 2), msg));
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);

	enable_irq(irq);
	mmio_expect_armed(test, mmio, vector);
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits->hard, 1));
	mmio_expect_delivery(test, mmio, 2, hits);
}

static void mmio_copies_layout(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, 0);
	struct msi_mmio_layout layout = mmio->layout;
	struct mtt_hits *hits;

	memset(&mmio->layout, 0xff, sizeof(mmio->layout));
	hits = mtt_request(test, mtt_alloc(test, 5));
	mmio->layout = layout;
	mmio_expect_delivery(test, mmio, 5, hits);
}

static void mmio_needs_valid_layout(struct kunit *test)
{
	struct mmio *mmio = mmio_new(test);
	const struct msi_mmio_layout good = mmio->layout;
	struct msi_table_info info = mmio_info(mmio);
	struct msi_mmio_layout *bad = &mmio->layout;
	u32 *const offsets[] = {
		&bad->address_lo, &bad->address_hi, &bad->data, &bad->control,
	};

	bad->base = NULL;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	*bad = good;
	bad->mask = 0;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	*bad = good;
	bad->stride = 0;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	bad->stride = good.stride + 2;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++) {
		static const u32 steps[] = { 1, 2, 3 };

		for (unsigned int j = 0; j < ARRAY_SIZE(steps); j++) {
			*bad = good;
			*offsets[i] += steps[j];
			KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
		}
		*bad = good;
		*offsets[i] = good.stride;
		KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
		*offsets[i] = good.stride - 2;
		KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
		/* The register would end at 0 again. */
		*offsets[i] = U32_MAX - 3;
		KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	}

	*bad = good;
	info.size = 0;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	info.size = MMIO_SIZE;
	info.ops = &msi_fake_store_ops;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	info.ops = NULL;
	info.mmio = NULL;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);

	info.mmio = &good;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), 0);
}

static void mmio_restore(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, 0);
	struct mtt_ctx *ctx = test->priv;
	struct msi_vector *vectors[4];
	struct mtt_hits *hits[4];
	void *before;

	for (unsigned int i = 0; i < 4; i++) {
		vectors[i] = mtt_alloc(test, 2 * i);
		hits[i] = i ? mtt_request(test, vectors[i]) : NULL;
	}
	/* Vector 0 has no handler, vector 2 is disabled, vector 3 masked as well. */
	disable_irq(msi_vector_irq(vectors[2]));
	disable_irq(msi_vector_irq(vectors[3]));
	KUNIT_EXPECT_EQ(test, mmio_fire(test, mmio, 6), 0);

	before = kunit_kmalloc(test, mmio->bytes, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, before);
	memcpy(before, mmio->memory, mmio->bytes);
	memset(mmio->memory, 0, mmio->bytes);
	msi_table_restore(ctx->table);
	KUNIT_EXPECT_MEMEQ(test, mmio->memory, before, mmio->bytes);

	mmio_expect_delivery(test, mmio, 2, hits[1]);
	enable_irq(msi_vector_irq(vectors[2]));
	mmio_expect_delivery(test, mmio, 4, hits[2]);
	enable_irq(msi_vector_irq(vectors[3]));
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits[3]->hard, 1));
	mmio_expect_delivery(test, mmio, 6, hits[3]);
}

static void mmio_two_tables(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_vector *vectors[2];
	struct msi_table *tables[2];
	struct mtt_hits *hits[2];
	struct mmio mmio[2];
	void *memory;

	memory = kunit_kzalloc(test, 2 * 16 * MMIO_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, memory);
	/* The slots take turns. */
	for (unsigned int i = 0; i < 2; i++) {
		struct msi_table_info info = mmio_info(&mmio[i]);

		mmio[i].layout = (struct msi_mmio_layout) {
			.base		= (void __iomem __force *)memory,
			.stride		= 32,
			.address_lo	= 16 * i,
			.address_hi	= 16 * i + 4,
			.data		= 16 * i + 8,
			.control	= 16 * i + 12,
			.mask		= BIT(0),
		};
		info.name = i ? "odd" : "even";
		tables[i] = devm_msi_allocate_table(ctx->dev, &info);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, tables[i]);
		vectors[i] = msi_table_alloc_vector(tables[i], 3);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vectors[i]);
		hits[i] = mtt_request(test, vectors[i]);
	}
	for (unsigned int i = 0; i < 2; i++) {
		mmio_expect_armed(test, &mmio[i], vectors[i]);
		mmio_expect_delivery(test, &mmio[i], 3, hits[i]);
	}

	msi_table_free(tables[0]);
	mmio_expect_off(test, &mmio[0], 3);
	mmio_expect_armed(test, &mmio[1], vectors[1]);
	mmio_expect_delivery(test, &mmio[1], 3, hits[1]);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits[0]->hard), 1);
}

static struct kunit_case mtt_mmio_cases[] = {
	KUNIT_CASE_PARAM(mmio_message_life, mmio_variant_gen_params),
	KUNIT_CASE_PARAM(mmio_off_after_unbind, mmio_variant_gen_params),
	KUNIT_CASE(mmio_batch),
	KUNIT_CASE_PARAM(mmio_moves, mmio_variant_gen_params),
	KUNIT_CASE_PARAM(mmio_disabled, mmio_variant_gen_params),
	KUNIT_CASE(mmio_copies_layout),
	KUNIT_CASE_PARAM(mmio_needs_valid_layout, mmio_variant_gen_params),
	KUNIT_CASE_PARAM(mmio_restore, mmio_variant_gen_params),
	KUNIT_CASE(mmio_two_tables),
	{ }
};

static struct kunit_suite mtt_mmio_suite = {
	.name		= "msi_table_mmio",
	.init		= mmio_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_mmio_cases,
};

/* Watchers */

/**
 * struct watch - A watcher which remembers what it was told
 * @watcher:	The watcher
 * @msg:	The last message
 * @calls:	How often it was told
 * @closed:	It does not watch, and must not be called
 * @wrong:	Number of calls which were against the rules
 */
struct watch {
	struct msi_watcher	watcher;
	struct msi_message	msg;
	atomic_t		calls;
	bool			closed;
	atomic_t		wrong;
};

static void watch_notify(struct msi_watcher *watcher, const struct msi_message *msg)
{
	struct watch *watch = container_of(watcher, struct watch, watcher);

	if (READ_ONCE(watch->closed) || !irqs_disabled())
		atomic_inc(&watch->wrong);
	watch->msg = *msg;
	atomic_inc(&watch->calls);
}

static struct watch *watch_new(struct kunit *test)
{
	struct watch *watch = kunit_kzalloc(test, sizeof(*watch), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, watch);
	watch->watcher.notify = watch_notify;
	return watch;
}

static struct watch *watch_start(struct kunit *test, struct msi_vector *vector)
{
	struct watch *watch = watch_new(test);

	msi_vector_watch(vector, &watch->watcher);
	return watch;
}

static void watch_stop(struct msi_vector *vector, struct watch *watch)
{
	msi_vector_unwatch(vector, &watch->watcher);
	WRITE_ONCE(watch->closed, true);
}

/* The watcher, msi_vector_get_msg() and the store are of one mind. */
static void watch_expect_agreement(struct kunit *test, struct msi_vector *vector,
				   const struct watch *watch)
{
	struct msi_message msg = { };

	if (msi_vector_get_msg(vector, &msg))
		KUNIT_EXPECT_FALSE(test, mtt_msg_valid(watch->msg));
	else
		KUNIT_EXPECT_TRUE(test, mtt_msg_valid(watch->msg));
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(watch->msg, msg));
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(watch->msg,
					      mtt_slot(test, msi_vector_label(vector)).msg));
	KUNIT_EXPECT_EQ(test, atomic_read(&watch->wrong), 0);
}

static void watch_tells_at_once(struct kunit *test)
{
	struct msi_vector *vector;
	struct watch *watch;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	watch = watch_start(test, vector);
	KUNIT_EXPECT_EQ(test, atomic_read(&watch->calls), 1);
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(watch->msg));
	watch_stop(vector, watch);

	mtt_request(test, vector);
	watch = watch_start(test, vector);
	KUNIT_EXPECT_EQ(test, atomic_read(&watch->calls), 1);
	KUNIT_EXPECT_TRUE(test, mtt_msg_valid(watch->msg));
	watch_expect_agreement(test, vector, watch);
	watch_stop(vector, watch);
}

static void watch_tells_changes(struct kunit *test)
{
	const struct cpumask *cpu = mtt_other_cpu(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct watch *watch = watch_start(test, vector);
	unsigned int irq = msi_vector_irq(vector);
	struct msi_message msg;
	int calls;

	for (unsigned int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, cpumask_of(0)), 0);
		KUNIT_EXPECT_FALSE(test, mtt_msg_valid(watch->msg));
		mtt_request(test, vector);
		KUNIT_EXPECT_TRUE(test, mtt_msg_valid(watch->msg));
		watch_expect_agreement(test, vector, watch);

		msg = watch->msg;
		KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, cpu), 0);
		KUNIT_EXPECT_EQ(test, mtt_msg_equal(watch->msg, msg), mtt_stable(ctx));
		watch_expect_agreement(test, vector, watch);

		/* Masking is not a change. */
		calls = atomic_read(&watch->calls);
		disable_irq(irq);
		enable_irq(irq);
		KUNIT_EXPECT_EQ(test, atomic_read(&watch->calls), calls);

		msi_vector_free_irq(vector);
		KUNIT_EXPECT_FALSE(test, mtt_msg_valid(watch->msg));
		watch_expect_agreement(test, vector, watch);
	}
	watch_stop(vector, watch);
	mtt_request(test, vector);
	KUNIT_EXPECT_EQ(test, atomic_read(&watch->wrong), 0);
}

static void watch_failed_request(struct kunit *test)
{
	struct mtt_hits *hits = mtt_new_hits(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct watch *watch = watch_start(test, vector);

	msi_fake_parent_fail_activate_nth(ctx->parent, 1);
	KUNIT_EXPECT_EQ(test, mtt_try_request(vector, hits), -ENOSPC);
	watch_expect_agreement(test, vector, watch);
	KUNIT_EXPECT_EQ(test, mtt_try_request(vector, hits), 0);
	watch_expect_agreement(test, vector, watch);
	watch_stop(vector, watch);
}

static void watch_several(struct kunit *test)
{
	struct watch *watches[3], *other;
	struct msi_vector *vector;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	for (unsigned int i = 0; i < 3; i++)
		watches[i] = watch_start(test, vector);
	other = watch_start(test, mtt_alloc(test, 3));

	mtt_request(test, vector);
	for (unsigned int i = 0; i < 3; i++)
		watch_expect_agreement(test, vector, watches[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&other->calls), 1);

	/* The others go on without it, and without the next one. */
	watch_stop(vector, watches[1]);
	msi_vector_free_irq(vector);
	watch_expect_agreement(test, vector, watches[0]);
	watch_expect_agreement(test, vector, watches[2]);
	KUNIT_EXPECT_TRUE(test, mtt_msg_valid(watches[1]->msg));
	watch_stop(vector, watches[0]);
	mtt_request(test, vector);
	watch_expect_agreement(test, vector, watches[2]);
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(watches[0]->msg));
	KUNIT_EXPECT_EQ(test, atomic_read(&watches[0]->wrong), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&watches[1]->wrong), 0);

	/* One which left comes back. */
	watches[1]->closed = false;
	msi_vector_watch(vector, &watches[1]->watcher);
	watch_expect_agreement(test, vector, watches[1]);

	watch_stop(vector, watches[1]);
	watch_stop(vector, watches[2]);
	KUNIT_EXPECT_EQ(test, atomic_read(&other->calls), 1);
	msi_vector_unwatch(vector, &other->watcher);
}

/* As in the error path of a driver which does not know how far it came */
static void watch_unwatch_without_watch(struct kunit *test)
{
	struct watch *watch, *never = watch_new(test);
	struct msi_vector *vector;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	msi_vector_unwatch(vector, &never->watcher);
	watch = watch_start(test, vector);
	msi_vector_unwatch(vector, &never->watcher);
	mtt_request(test, vector);
	watch_expect_agreement(test, vector, watch);
	KUNIT_EXPECT_EQ(test, atomic_read(&never->calls), 0);

	watch_stop(vector, watch);
	watch_stop(vector, watch);
}

/* What an NTB does: the peer sends the message, which it has from a watcher. */
static void watch_doorbell(struct kunit *test)
{
	const struct cpumask *cpu = mtt_other_cpu(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct watch *peer = watch_start(test, vector);
	unsigned int irq = msi_vector_irq(vector);
	struct msi_message stale;
	struct mtt_hits *hits;

	KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, cpumask_of(0)), 0);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &peer->msg), -EINVAL);
	hits = mtt_request(test, vector);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &peer->msg), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 1);

	for (int i = 0; i < 4; i++) {
		stale = peer->msg;
		KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, i % 2 ? cpumask_of(0) : cpu), 0);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &peer->msg), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 2 + i);
		if (!mtt_stable(ctx))
			KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &stale),
					-ENOENT);
	}

	stale = peer->msg;
	msi_vector_free_irq(vector);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &peer->msg), -EINVAL);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &stale), -ENOENT);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 5);
	KUNIT_EXPECT_EQ(test, atomic_read(&peer->wrong), 0);
	watch_stop(vector, peer);
}

static void watch_left_behind(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct watch *watch = watch_start(test, vector);
	int calls;

	mtt_request(test, vector);
	kunit_warning_suppress(test) {
		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	/* Nothing worse: it knows that the message is gone, and was dropped. */
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(watch->msg));
	mtt_expect_empty(test);
	calls = atomic_read(&watch->calls);
	mtt_expect_delivery(test, 2, mtt_request(test, mtt_alloc(test, 2)));
	KUNIT_EXPECT_EQ(test, atomic_read(&watch->calls), calls);
}

static void watch_race_step(struct mtt_racer *racer)
{
	bool odd = atomic_read(&racer->steps) % 2;

	racer->wrong += !!irq_set_affinity(msi_vector_irq(racer->vector),
					   odd ? cpumask_of(0) :
						 cpumask_of(cpumask_last(cpu_online_mask)));
}

static void watch_pause(void)
{
	for (unsigned int i = 0; i < 100; i++)
		cpu_relax();
}

/* When msi_vector_unwatch() has returned, the watcher is not called any more. */
static void watch_race(struct kunit *test)
{
	struct watch *watch = watch_new(test);
	struct msi_vector *vector;
	struct mtt_racer *racer;
	int rounds = 0;

	/* Skips where there is nowhere to move to */
	mtt_other_cpu(test);
	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	mtt_request(test, vector);
	racer = mtt_start_racer(test, watch_race_step, vector);

	/* Until it has been told of some changes, besides the message at first */
	while (rounds < 300 || (atomic_read(&watch->calls) < rounds + 10 && rounds < 30000)) {
		WRITE_ONCE(watch->closed, false);
		msi_vector_watch(vector, &watch->watcher);
		watch_pause();
		watch_stop(vector, watch);
		watch_pause();
		rounds++;
	}
	mtt_finish_racer(test, racer);
	KUNIT_EXPECT_EQ(test, atomic_read(&watch->wrong), 0);
	KUNIT_EXPECT_GE(test, atomic_read(&watch->calls), rounds + 10);
	mtt_expect_armed(test, vector);
}

static struct kunit_case mtt_watch_cases[] = {
	KUNIT_CASE_PARAM(watch_tells_at_once, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(watch_tells_changes, mtt_variant_gen_params),
	KUNIT_CASE(watch_failed_request),
	KUNIT_CASE(watch_several),
	KUNIT_CASE(watch_unwatch_without_watch),
	KUNIT_CASE_PARAM(watch_doorbell, mtt_variant_gen_params),
	KUNIT_CASE(watch_left_behind),
	KUNIT_CASE(watch_race),
	{ }
};

static struct kunit_suite mtt_watch_suite = {
	.name		= "msi_table_watch",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_watch_cases,
};

/* Power */

/* What the device's driver or the PM core does */
static void power_off(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;

	if (!IS_ENABLED(CONFIG_PM_SLEEP))
		kunit_skip(test, "needs CONFIG_PM_SLEEP");
	ctx->dev->power.is_noirq_suspended = true;
}

static void power_on(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;

	ctx->dev->power.is_noirq_suspended = false;
}

/* How often messages and masks were written to the store */
static unsigned int power_touches(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_fake_slot slot;
	unsigned int touches = 0;

	for (u32 label = 0; label < MTT_SIZE; label++) {
		if (msi_fake_store_read(ctx->store, label, &slot))
			continue;
		touches += slot.writes + slot.clears + slot.masks + slot.unmasks;
	}
	return touches;
}

/* Vectors in all states which they can be in */
enum power_state {
	POWER_MASKED,		/* Disabled, and an interrupt has arrived */
	POWER_DISABLED,
	POWER_IDLE,		/* Has no handler */
	POWER_RELEASED,		/* Had one */
	POWER_ACTIVE,
	POWER_MOVED,		/* Active on another CPU than at first */
	POWER_STATES
};

static struct batch *power_setup(struct kunit *test)
{
	struct batch *batch = batch_alloc(test, 0, MSI_LABEL_ANY, POWER_STATES);

	/* What is masked first has reached a store behind a slow bus in the end. */
	for (unsigned int i = 0; i < POWER_STATES; i++) {
		unsigned int irq = batch->irqs[i];

		if (i == POWER_IDLE)
			continue;
		batch->hits[i] = mtt_request(test, batch->vectors[i]);
		if (i == POWER_MASKED || i == POWER_DISABLED)
			disable_irq(irq);
		if (i == POWER_MASKED)
			KUNIT_EXPECT_EQ(test, mtt_fire(test, i), 0);
		if (i == POWER_RELEASED)
			msi_vector_free_irq(batch->vectors[i]);
		if (i == POWER_MOVED)
			irq_set_affinity(irq, cpumask_of(cpumask_last(cpu_online_mask)));
	}
	return batch;
}

/* All of power_setup() do what they have to. */
static void power_expect_works(struct kunit *test, struct batch *batch)
{
	KUNIT_EXPECT_EQ(test, mtt_fire(test, POWER_IDLE), -EAGAIN);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, POWER_RELEASED), -EAGAIN);
	KUNIT_EXPECT_EQ(test, atomic_read(&batch->hits[POWER_MASKED]->hard), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&batch->hits[POWER_DISABLED]->hard), 0);
	enable_irq(batch->irqs[POWER_MASKED]);
	enable_irq(batch->irqs[POWER_DISABLED]);
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&batch->hits[POWER_MASKED]->hard, 1));

	batch->hits[POWER_IDLE] = mtt_request(test, batch->vectors[POWER_IDLE]);
	batch->hits[POWER_RELEASED] = mtt_request(test, batch->vectors[POWER_RELEASED]);
	for (unsigned int i = 0; i < POWER_STATES; i++)
		mtt_expect_armed(test, batch->vectors[i]);
	batch_expect_delivery(test, batch);
}

/* Everything a driver may do while its device is suspended, and what others do to it */
static void power_off_is_left_alone(struct kunit *test)
{
	struct msi_vector *handled, *plain, *freed;
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_hits *hits, *handled_hits;
	struct batch *batch = power_setup(test);
	unsigned int irq = batch->irqs[POWER_ACTIVE];
	struct msi_message msg;
	unsigned int touches;

	freed = mtt_alloc(test, 20);
	mtt_request(test, freed);
	touches = power_touches(test);
	power_off(test);

	irq_set_affinity(irq, cpumask_of(cpumask_last(cpu_online_mask)));
	irq_set_affinity(batch->irqs[POWER_MOVED], cpumask_of(0));
	KUNIT_EXPECT_EQ(test, power_touches(test), touches);

	/* A message which was on its way */
	hits = batch->hits[POWER_ACTIVE];
	disable_irq(irq);
	KUNIT_ASSERT_EQ(test, msi_vector_get_msg(batch->vectors[POWER_ACTIVE], &msg), 0);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &msg), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);
	enable_irq(irq);
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits->hard, 1));
	KUNIT_EXPECT_EQ(test, power_touches(test), touches);

	handled = mtt_alloc(test, 10);
	handled_hits = mtt_request(test, handled);
	plain = mtt_alloc(test, 11);
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(handled, &msg), 0);
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(plain, &msg), -EAGAIN);
	hits = mtt_request(test, batch->vectors[POWER_IDLE]);
	msi_vector_free_irq(batch->vectors[POWER_IDLE]);
	msi_table_free_vector(ctx->table, freed);
	KUNIT_EXPECT_EQ(test, power_touches(test), touches);

	power_on(test);
	msi_table_restore(ctx->table);
	KUNIT_EXPECT_GT(test, power_touches(test), touches);
	mtt_expect_armed(test, handled);
	mtt_expect_delivery(test, 10, handled_hits);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 11), -EAGAIN);
	power_expect_works(test, batch);
	mtt_expect_delivery(test, 11, mtt_request(test, plain));
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);
}

/* The device has lost everything, and gets back what it had. */
static void power_restore(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct batch *batch = power_setup(test);
	struct msi_fake_slot before[POWER_STATES];

	for (unsigned int i = 0; i < POWER_STATES; i++)
		before[i] = mtt_slot(test, i);

	/* Once from resume_noirq, while the device counts as suspended, and once after */
	for (unsigned int round = 0; round < 2; round++) {
		power_off(test);
		msi_fake_store_wipe(ctx->store);
		if (round)
			power_on(test);
		msi_table_restore(ctx->table);
		power_on(test);
		for (unsigned int i = 0; i < POWER_STATES; i++) {
			struct msi_fake_slot after = mtt_slot(test, i);

			KUNIT_EXPECT_TRUE(test, mtt_msg_equal(before[i].msg, after.msg));
			KUNIT_EXPECT_EQ(test, before[i].masked, after.masked);
		}
	}
	power_expect_works(test, batch);
}

/* CPUs go offline in suspend when the devices are suspended already. */
static void power_moved_while_off(struct kunit *test)
{
	const struct cpumask *cpu = mtt_other_cpu(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct msi_message before, after;
	struct mtt_hits *hits;
	struct watch *watch;

	hits = mtt_request(test, vector);
	KUNIT_ASSERT_EQ(test, irq_set_affinity(msi_vector_irq(vector), cpumask_of(0)), 0);
	watch = watch_start(test, vector);
	before = watch->msg;

	power_off(test);
	KUNIT_EXPECT_EQ(test, irq_set_affinity(msi_vector_irq(vector), cpu), 0);
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &after), 0);
	KUNIT_EXPECT_EQ(test, mtt_msg_equal(before, after), mtt_stable(ctx));
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(before, mtt_slot(test, 2).msg));
	/* A peer is not suspended, and has to know. */
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(watch->msg, after));

	msi_fake_store_wipe(ctx->store);
	msi_table_restore(ctx->table);
	power_on(test);
	mtt_expect_armed(test, vector);
	mtt_expect_delivery(test, 2, hits);
	watch_stop(vector, watch);
}

static void power_restore_empty(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	msi_table_restore(ctx->table);
	KUNIT_EXPECT_EQ(test, msi_fake_store_calls(ctx->store), 0);

	/* Nor does one which was there before count. */
	mtt_request(test, mtt_alloc(test, 2));
	msi_table_free_vector(ctx->table, mtt_alloc(test, 3));
	msi_fake_store_wipe(ctx->store);
	msi_table_restore(ctx->table);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), 0);
	KUNIT_EXPECT_FALSE(test, mtt_slot(test, 3).masked);
}

/* Nothing is written for a vector which had to be leaked. */
static void power_restore_skips_dead(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 3);
	unsigned int irq = msi_vector_irq(vector);
	struct mtt_hits *hits;
	unsigned int touches;

	hits = mtt_request_behind(test, vector);
	mtt_leak(test, 1);
	kunit_warning_suppress(test) {
		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	touches = power_touches(test);
	msi_table_restore(ctx->table);
	KUNIT_EXPECT_EQ(test, power_touches(test), touches);
	mtt_expect_dead(test, irq, hits);
}

static void power_disable_runtime(void *dev)
{
	pm_runtime_disable(dev);
}

static void power_runtime_suspended(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct mtt_hits *hits, *late;
	struct msi_vector *other;
	unsigned int touches;

	if (!IS_ENABLED(CONFIG_PM))
		kunit_skip(test, "needs CONFIG_PM");

	hits = mtt_request(test, vector);
	touches = power_touches(test);
	KUNIT_ASSERT_EQ(test, pm_runtime_set_suspended(ctx->dev), 0);
	pm_runtime_enable(ctx->dev);
	KUNIT_ASSERT_EQ(test, 0, devm_add_action_or_reset(ctx->dev, power_disable_runtime,
							  ctx->dev));

	irq_set_affinity(msi_vector_irq(vector), cpumask_of(cpumask_last(cpu_online_mask)));
	other = mtt_alloc(test, 3);
	late = mtt_request(test, other);
	KUNIT_EXPECT_EQ(test, power_touches(test), touches);

	/* From the runtime_resume callback */
	msi_fake_store_wipe(ctx->store);
	msi_table_restore(ctx->table);
	mtt_expect_armed(test, vector);
	mtt_expect_armed(test, other);
	devm_release_action(ctx->dev, power_disable_runtime, ctx->dev);

	mtt_expect_delivery(test, 2, hits);
	mtt_expect_delivery(test, 3, late);
	msi_vector_free_irq(vector);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), -EAGAIN);
}

static void power_race_step(struct mtt_racer *racer)
{
	msi_table_restore(racer->ctx->table);
}

/* Others allocate and free while the table is restored. */
static void power_restore_races(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct mtt_hits *hits = mtt_request(test, vector);
	struct mtt_racer *racer;

	racer = mtt_start_racer(test, power_race_step, vector);
	for (unsigned int i = 0; i < 12 || !atomic_read(&racer->steps); i++) {
		struct batch *batch = batch_alloc(test, 0, MSI_LABEL_ANY, 3);
		struct mtt_hits other = { };
		int ret;

		KUNIT_EXPECT_EQ(test, mtt_try_request(batch->vectors[1], &other), 0);
		/* The restoration may have it masked, or cleared, at the moment. */
		ret = mtt_fire(test, batch->labels[1]);
		KUNIT_EXPECT_TRUE(test, !ret || ret == -EAGAIN);
		KUNIT_EXPECT_EQ(test, atomic_read(&other.hard), !ret);
		batch_free(test, batch);
	}
	mtt_finish_racer(test, racer);

	mtt_expect_armed(test, vector);
	mtt_expect_delivery(test, 2, hits);
	msi_table_free_vector(ctx->table, vector);
	mtt_expect_empty(test);
}

static struct kunit_case mtt_power_cases[] = {
	KUNIT_CASE_PARAM(power_off_is_left_alone, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(power_restore, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(power_moved_while_off, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(power_restore_empty, mtt_variant_gen_params),
	KUNIT_CASE(power_restore_skips_dead),
	KUNIT_CASE(power_runtime_suspended),
	KUNIT_CASE_PARAM(power_restore_races, mtt_variant_gen_params),
	{ }
};

static struct kunit_suite mtt_power_suite = {
	.name		= "msi_table_power",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_power_cases,
};

/* Vectors lent to the driver of an auxiliary device */

#if IS_ENABLED(CONFIG_AUXILIARY_BUS)

#define LEASE_SIZE	3

/* What the child does with the vectors when its driver goes */
enum lease_end {
	LEASE_RETURNED,		/* Frees them */
	LEASE_FORGOTTEN,	/* Leaves them, and its handlers, to the parent */
	LEASE_DEVM,		/* Leaves its handlers, by request_irq(), to devm */
};

/**
 * struct lease - What parent and child have between them, outlives both
 * @table:	The parent's table
 * @vectors:	Vectors which the child may use, NULL when they are freed
 * @hits:	dev_id of the child's handlers
 * @end:	What the child does in the end
 * @bound:	The child has a driver
 */
struct lease {
	struct msi_table	*table;
	struct msi_vector	*vectors[LEASE_SIZE];
	struct mtt_hits		hits[LEASE_SIZE];
	enum lease_end		end;
	bool			bound;
};

/**
 * struct tenant - The child
 * @adev:	The device
 * @lease:	What was lent to it
 */
struct tenant {
	struct auxiliary_device	adev;
	struct lease		*lease;
};

static int tenant_request(struct tenant *tenant, unsigned int i)
{
	struct lease *lease = tenant->lease;
	struct msi_vector *vector = lease->vectors[i];

	if (lease->end == LEASE_DEVM)
		return devm_request_irq(&tenant->adev.dev, msi_vector_irq(vector), mtt_handler,
					IRQF_NO_THREAD, "msi_table_tenant", &lease->hits[i]);
	return mtt_try_request(vector, &lease->hits[i]);
}

static int tenant_probe(struct auxiliary_device *adev, const struct auxiliary_device_id *id)
{
	struct tenant *tenant = container_of(adev, struct tenant, adev);
	struct lease *lease = tenant->lease;

	for (unsigned int i = 0; i < LEASE_SIZE; i++) {
		int ret = tenant_request(tenant, i);

		if (!ret)
			continue;
		while (i--)
			msi_vector_free_irq(lease->vectors[i]);
		return ret;
	}
	lease->bound = true;
	return 0;
}

static void tenant_remove(struct auxiliary_device *adev)
{
	struct lease *lease = container_of(adev, struct tenant, adev)->lease;

	if (lease->end == LEASE_RETURNED) {
		msi_table_free_vectors(lease->table, lease->vectors, LEASE_SIZE);
		memset(lease->vectors, 0, sizeof(lease->vectors));
	}
	lease->bound = false;
}

static const struct auxiliary_device_id tenant_ids[] = {
	{ .name = KBUILD_MODNAME ".tenant" },
	{ }
};

static struct auxiliary_driver tenant_driver = {
	.name		= "tenant",
	.probe		= tenant_probe,
	.remove		= tenant_remove,
	.id_table	= tenant_ids,
};

static void tenant_unregister_driver(void *driver)
{
	auxiliary_driver_unregister(driver);
}

static void tenant_register_driver(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, auxiliary_driver_register(&tenant_driver));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, tenant_unregister_driver,
							   &tenant_driver));
}

static void tenant_release(struct device *dev)
{
	kfree(container_of(dev, struct tenant, adev.dev));
}

static void tenant_destroy(void *tenant)
{
	auxiliary_device_destroy(&((struct tenant *)tenant)->adev);
}

static void lease_grant(struct kunit *test, struct lease *lease)
{
	for (unsigned int i = 0; i < LEASE_SIZE; i++)
		lease->vectors[i] = mtt_alloc(test, 5 + 2 * i);
}

/* Like a driver which has a child device: its table is older than the child. */
static struct lease *lease_new(struct kunit *test, enum lease_end end)
{
	struct lease *lease = kunit_kzalloc(test, sizeof(*lease), GFP_KERNEL);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, lease);
	lease->table = ctx->table;
	lease->end = end;
	lease_grant(test, lease);
	return lease;
}

static struct tenant *tenant_new(struct kunit *test, struct lease *lease)
{
	struct mtt_ctx *ctx = test->priv;
	struct tenant *tenant;

	tenant = kzalloc_obj(*tenant);
	KUNIT_ASSERT_NOT_NULL(test, tenant);
	tenant->lease = lease;
	tenant->adev.name = "tenant";
	tenant->adev.dev.parent = ctx->dev;
	tenant->adev.dev.release = tenant_release;
	if (auxiliary_device_init(&tenant->adev)) {
		kfree(tenant);
		KUNIT_FAIL_AND_ABORT(test, "no auxiliary device");
	}
	if (auxiliary_device_add(&tenant->adev)) {
		auxiliary_device_uninit(&tenant->adev);
		KUNIT_FAIL_AND_ABORT(test, "auxiliary device not added");
	}
	KUNIT_ASSERT_EQ(test, 0, devm_add_action_or_reset(ctx->dev, tenant_destroy, tenant));
	return tenant;
}

/* The parent takes the child away. */
static void tenant_evict(struct kunit *test, struct tenant *tenant)
{
	struct mtt_ctx *ctx = test->priv;

	devm_release_action(ctx->dev, tenant_destroy, tenant);
}

static void lease_expect_delivery(struct kunit *test, struct lease *lease)
{
	KUNIT_ASSERT_TRUE(test, lease->bound);
	for (unsigned int i = 0; i < LEASE_SIZE; i++)
		mtt_expect_delivery(test, 5 + 2 * i, &lease->hits[i]);
}

/* A child with its driver, which works */
static struct tenant *tenant_move_in(struct kunit *test, struct lease *lease)
{
	struct tenant *tenant;

	tenant_register_driver(test);
	tenant = tenant_new(test, lease);
	lease_expect_delivery(test, lease);
	return tenant;
}

static void aux_unbind_quietly(struct kunit *test)
{
	kunit_warning_suppress(test) {
		mtt_unbind(test);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
}

static void aux_child_goes_first(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_RETURNED);
	struct mtt_hits *hits = mtt_request(test, mtt_alloc(test, 1));
	struct mtt_ctx *ctx = test->priv;
	struct tenant *tenant;

	tenant = tenant_move_in(test, lease);
	mtt_expect_delivery(test, 1, hits);

	tenant_evict(test, tenant);
	KUNIT_EXPECT_FALSE(test, lease->bound);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 1);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 5), -EAGAIN);
	mtt_expect_delivery(test, 1, hits);
	mtt_unbind(test);
	mtt_expect_empty(test);
}

static void aux_table_goes_after_child(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_RETURNED);
	struct mtt_ctx *ctx = test->priv;
	struct tenant *tenant;

	tenant = tenant_move_in(test, lease);
	tenant_evict(test, tenant);
	msi_table_free(ctx->table);
	mtt_expect_empty(test);
	mtt_expect_creatable(test);
}

static void aux_driver_goes_first(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_RETURNED);
	struct mtt_ctx *ctx = test->priv;

	/* The device waits for its driver. */
	tenant_new(test, lease);
	KUNIT_EXPECT_FALSE(test, lease->bound);
	for (unsigned int i = 0; i < 2; i++) {
		tenant_register_driver(test);
		lease_expect_delivery(test, lease);
		kunit_release_action(test, tenant_unregister_driver, &tenant_driver);
		KUNIT_EXPECT_FALSE(test, lease->bound);
		mtt_expect_empty(test);
		lease_grant(test, lease);
	}
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), LEASE_SIZE);
}

/* The child is taken down by a devm action of the parent's. */
static void aux_parent_unbound(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_RETURNED);

	tenant_move_in(test, lease);
	aux_unbind_quietly(test);
	KUNIT_EXPECT_FALSE(test, lease->bound);
	mtt_expect_empty(test);
}

static void aux_child_forgets(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_FORGOTTEN);
	struct mtt_ctx *ctx = test->priv;
	struct tenant *tenant;

	tenant = tenant_move_in(test, lease);
	tenant_evict(test, tenant);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), LEASE_SIZE);
	aux_unbind_quietly(test);
	mtt_expect_empty(test);
}

/* The handlers belong to the child, the vectors to the parent. */
static void aux_child_uses_devm(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_DEVM);

	tenant_move_in(test, lease);
	aux_unbind_quietly(test);
	mtt_expect_empty(test);
}

/* There is no CPU vector for one of the child's interrupts. */
static void aux_probe_fails(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_RETURNED);
	struct mtt_ctx *ctx = test->priv;
	struct tenant *tenant;

	tenant_register_driver(test);
	msi_fake_parent_fail_activate_nth(ctx->parent, 2);
	tenant = tenant_new(test, lease);
	KUNIT_EXPECT_FALSE(test, lease->bound);
	for (unsigned int i = 0; i < LEASE_SIZE; i++)
		KUNIT_EXPECT_EQ(test, mtt_fire(test, 5 + 2 * i), -EAGAIN);

	/* They are the parent's still. */
	mtt_expect_delivery(test, 5, mtt_request(test, lease->vectors[0]));
	tenant_evict(test, tenant);
	msi_table_free_vectors(ctx->table, lease->vectors, LEASE_SIZE);
	mtt_expect_empty(test);
}

static struct kunit_case mtt_aux_cases[] = {
	KUNIT_CASE_PARAM(aux_child_goes_first, mtt_variant_gen_params),
	KUNIT_CASE(aux_table_goes_after_child),
	KUNIT_CASE(aux_driver_goes_first),
	KUNIT_CASE_PARAM(aux_parent_unbound, mtt_variant_gen_params),
	KUNIT_CASE(aux_child_forgets),
	KUNIT_CASE(aux_child_uses_devm),
	KUNIT_CASE(aux_probe_fails),
	{ }
};

static struct kunit_suite mtt_aux_suite = {
	.name		= "msi_table_aux",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_aux_cases,
};

kunit_test_suite(mtt_aux_suite);

#endif /* CONFIG_AUXILIARY_BUS */

/* Large labels, large tables */

/* From a store without a hardware index, as many labels as there are */
static void look_beyond_16_bits(struct kunit *test)
{
	static const u32 first[] = { 65534, 70000, (1 << 20) - 2, S32_MAX - 1, MSI_LABEL_ANY - 4 };
	struct batch *batches[ARRAY_SIZE(first)];

	mtt_create(test, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(first); i++) {
		batches[i] = batch_alloc(test, first[i], MSI_LABEL_ANY, 4);
		batch_expect_labels_from(test, batches[i], first[i]);
		batch_request(test, batches[i]);
	}
	/* What 16 bits, or 20, have in common is still told apart. */
	for (unsigned int i = 0; i < ARRAY_SIZE(first); i++)
		batch_expect_delivery(test, batches[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(first); i++) {
		batch_free(test, batches[i]);
		for (unsigned int j = i + 1; j < ARRAY_SIZE(first); j++)
			mtt_expect_delivery(test, first[j], batches[j]->hits[0]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(first); i++)
		batch_expect_gone(test, batches[i]);
}

/* The last label is one below MSI_LABEL_ANY. */
static void look_at_the_last_label(struct kunit *test)
{
	struct batch *batch = batch_new(test);
	struct mtt_ctx *ctx = mtt_create(test, 0);
	const u32 last = MSI_LABEL_ANY - 1;
	struct msi_vector *vector;

	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, last - 2, MSI_LABEL_ANY, 4, 8), -ENOSPC);
	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, last - 2, MSI_LABEL_ANY, 1, 8), 3);
	batch_expect_labels_from(test, batch, last - 2);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last, last), -EBUSY);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last, MSI_LABEL_ANY), -EBUSY);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last - 1, MSI_LABEL_ANY), -ENOSPC);

	msi_table_free_vector(ctx->table, batch->vectors[2]);
	vector = mtt_alloc(test, last);
	mtt_expect_delivery(test, last, mtt_request(test, vector));
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), 0);
}

static void look_at_a_million(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, 1 << 20);
	const u32 last = (1 << 20) - 1;
	struct batch *batch = batch_new(test);
	struct msi_vector *vectors[2];

	KUNIT_EXPECT_EQ(test, msi_table_size(ctx->table), 1 << 20);
	vectors[0] = mtt_alloc(test, 0);
	vectors[1] = mtt_alloc(test, last);
	mtt_expect_delivery(test, 0, mtt_request(test, vectors[0]));
	mtt_expect_delivery(test, last, mtt_request(test, vectors[1]));

	/* A range at the end: what is free of it, all of it, and beyond it */
	KUNIT_EXPECT_EQ(test, batch_try_range(test, batch, last - 4, MSI_LABEL_ANY, 1, 8), 4);
	batch_expect_labels_from(test, batch, last - 4);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last - 4, last), -ENOSPC);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last, last), -EBUSY);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last, last + 1), -ERANGE);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last + 1, last + 1), -ERANGE);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last + 1, MSI_LABEL_ANY), -ERANGE);
	batch_request(test, batch);
	batch_expect_delivery(test, batch);

	/* The lowest free label of a range which is nearly the table */
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), 1);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 1, last), 2);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 65536, last), 65536);
}

#define LOOK_BATCH	4096
/* More than 65536 vectors */
#define LOOK_BATCHES	17

static bool many;
module_param(many, bool, 0444);
MODULE_PARM_DESC(many, "Allocate more than 65536 vectors, which takes long with debugging (default off)");

static unsigned long look_available(void)
{
	/* Freed objects wait for RCU and in caches. */
	rcu_barrier();
	return si_mem_available();
}

static void look_check_sample(struct kunit *test, struct msi_vector *vector)
{
	mtt_expect_delivery(test, msi_vector_label(vector), mtt_request(test, vector));
	msi_vector_free_irq(vector);
}

static void look_at_many(struct kunit *test)
{
	const struct msi_vector_request req = {
		.highest	= MSI_LABEL_ANY,
	};
	struct msi_vector **vectors[LOOK_BATCHES];
	unsigned long available;
	struct mtt_ctx *ctx;

	if (!many)
		kunit_skip(test, "the parameter many is not set");
	if (!IS_ENABLED(CONFIG_SPARSE_IRQ))
		kunit_skip(test, "needs CONFIG_SPARSE_IRQ");
	if (totalram_pages() < 700UL * SZ_1M / PAGE_SIZE)
		kunit_skip(test, "needs 700 MB of memory");

	ctx = mtt_create_on(test, 0, LOOK_BATCH * LOOK_BATCHES, 0);
	available = look_available();
	for (unsigned int i = 0; i < LOOK_BATCHES; i++) {
		vectors[i] = kunit_kcalloc(test, LOOK_BATCH, sizeof(*vectors[i]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, vectors[i]);
		KUNIT_ASSERT_EQ(test, LOOK_BATCH,
				msi_table_alloc_vectors(ctx->table, &req, LOOK_BATCH, LOOK_BATCH,
							vectors[i]));
		for (unsigned int j = 0; j < LOOK_BATCH; j++) {
			if (msi_vector_label(vectors[i][j]) != i * LOOK_BATCH + j)
				KUNIT_FAIL_AND_ABORT(test, "batch %u: label %u of vector %u", i,
						     msi_vector_label(vectors[i][j]), j);
		}
		/* With a debug kernel a vector takes many times what it takes else. */
		if (!i) {
			unsigned long now = look_available();
			unsigned long used = available - min(available, now);

			if (used > now / LOOK_BATCHES)
				kunit_skip(test, "needs %lu MB of memory, there are %lu",
					   PAGES_TO_MB(used * LOOK_BATCHES),
					   PAGES_TO_MB(available));
		}
	}
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), LOOK_BATCH * LOOK_BATCHES);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 0, MSI_LABEL_ANY), -ENOSPC);

	look_check_sample(test, vectors[0][0]);
	look_check_sample(test, vectors[15][LOOK_BATCH - 1]);
	look_check_sample(test, vectors[16][0]);
	look_check_sample(test, vectors[16][LOOK_BATCH - 1]);

	for (unsigned int i = 0; i < LOOK_BATCHES; i++)
		msi_table_free_vectors(ctx->table, vectors[i], LOOK_BATCH);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), 0);
}

static struct kunit_case mtt_look_cases[] = {
	KUNIT_CASE(look_beyond_16_bits),
	KUNIT_CASE(look_at_the_last_label),
	KUNIT_CASE(look_at_a_million),
	KUNIT_CASE_SLOW(look_at_many),
	{ }
};

static struct kunit_suite mtt_look_suite = {
	.name		= "msi_table_look",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_look_cases,
};

kunit_test_suites(&mtt_batch_suite, &mtt_slow_suite, &mtt_mmio_suite, &mtt_watch_suite,
		  &mtt_power_suite, &mtt_look_suite);
