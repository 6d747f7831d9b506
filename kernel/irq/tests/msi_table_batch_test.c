// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: vectors which are allocated and freed together
 */
#include <linux/cpumask.h>
#include <linux/irq.h>
#include <linux/minmax.h>
#include <linux/prandom.h>
#include <linux/string.h>

#include "msi_table_test.h"

KUNIT_ARRAY_PARAM_DESC(mtt_variant, mtt_variants, name);

static void mtt_shuffle(struct msi_vector **vectors, unsigned int n, struct rnd_state *rnd)
{
	for (unsigned int i = n - 1; i; i--) {
		unsigned int j = prandom_u32_state(rnd) % (i + 1);

		swap(vectors[i], vectors[j]);
	}
}

static void batch_expect_labels(struct kunit *test, const struct mtt_batch *batch,
				const u32 *labels, unsigned int n)
{
	KUNIT_ASSERT_EQ(test, batch->n, n);
	for (unsigned int i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, batch->labels[i], labels[i]);
}

static void batch_takes_lowest_free_labels(struct kunit *test)
{
	static const u32 expected[] = { 0, 1, 2, 5, 6, 7, 8, 10 };
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_batch *batch;

	mtt_alloc(test, 3);
	mtt_alloc(test, 4);
	mtt_alloc(test, 9);
	batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, ARRAY_SIZE(expected));
	batch_expect_labels(test, batch, expected, ARRAY_SIZE(expected));
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 3 + ARRAY_SIZE(expected));

	for (unsigned int i = 0; i < batch->n; i++) {
		struct msi_msg msg;

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
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);
}

static void batch_stays_in_range(struct kunit *test)
{
	static const u32 expected[] = { 6, 8, 9 };
	struct mtt_batch *batch = mtt_batch_new(test);

	mtt_create(test, MTT_SIZE);
	mtt_alloc(test, 7);
	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, batch, 6, 9, 1, 8), 3);
	batch_expect_labels(test, batch, expected, ARRAY_SIZE(expected));
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 5, 10), 5);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 5, 10), 10);
}

static void batch_min_and_max(struct kunit *test)
{
	struct mtt_batch *batch = mtt_batch_new(test), *rest = mtt_batch_new(test);
	struct mtt_ctx *ctx = mtt_create(test, 8);

	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, batch, 0, MSI_LABEL_ANY, 2, 5), 5);
	mtt_batch_expect_labels_from(test, batch, 0);
	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, rest, 0, MSI_LABEL_ANY, 4, 5), -ENOSPC);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 5);
	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, rest, 0, MSI_LABEL_ANY, 3, 5), 3);
	mtt_batch_expect_labels_from(test, rest, 5);
	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, rest, 0, MSI_LABEL_ANY, 1, 5), -ENOSPC);

	mtt_batch_free(test, batch);
	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, batch, 0, MSI_LABEL_ANY, 5, 5), 5);
	mtt_batch_expect_labels_from(test, batch, 0);
}

static void batch_of_one_label(struct kunit *test)
{
	struct mtt_batch *batch = mtt_batch_new(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, batch, 5, 5, 1, 4), 1);
	mtt_batch_expect_labels_from(test, batch, 5);
	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, mtt_batch_new(test), 5, 5, 1, 1), -EBUSY);
	mtt_batch_free(test, batch);
	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, batch, 5, 5, 2, 2), -ENOSPC);
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
	struct irq_affinity_desc *affinity = kunit_kcalloc(test, 2, sizeof(*affinity), GFP_KERNEL);
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY, .affinity = affinity };
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_batch *batch = mtt_batch_new(test);

	KUNIT_ASSERT_NOT_NULL(test, affinity);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].error,
				    mtt_batch_try_range(test, batch, cases[i].lowest,
							cases[i].highest, cases[i].min,
							cases[i].max), "case %u", i);
	/* The second has no CPU. */
	cpumask_copy(&affinity[0].mask, cpu_online_mask);
	KUNIT_EXPECT_EQ(test, mtt_batch_try(test, batch, &req, 1, 2), -EINVAL);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), 0);
	mtt_expect_empty(test);

	KUNIT_EXPECT_EQ(test, MTT_SIZE, mtt_batch_try_range(test, batch, 0, MSI_LABEL_ANY,
							    MTT_SIZE, MTT_SIZE));
	mtt_batch_expect_labels_from(test, batch, 0);
}

/* The parent has less than what is needed. */
static void batch_is_all_or_nothing(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, 5, 0);
	struct mtt_batch *batch = mtt_batch_new(test);

	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, batch, 3, MSI_LABEL_ANY, 6, 8), -ENOSPC);
	mtt_expect_empty(test);

	/* Neither are the labels lost nor the parent's vectors. */
	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, batch, 3, MSI_LABEL_ANY, 5, 5), 5);
	mtt_batch_expect_labels_from(test, batch, 3);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 5);
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);
}

/* The parent has more than what is needed and less than what is wanted. */
static void batch_takes_what_there_is(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, 20, 0);
	struct mtt_batch *batch = mtt_batch_new(test);

	for (unsigned int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, batch, 0, MSI_LABEL_ANY, 10, 32),
				20);
		mtt_batch_expect_labels_from(test, batch, 0);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 20);
		KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 25, 25), -ENOSPC);
		mtt_expect_delivery(test, 19, mtt_request(test, batch->vectors[19]));
		mtt_batch_free(test, batch);
		mtt_batch_expect_gone(test, batch);
	}
}

static void batch_cookies(struct kunit *test)
{
	struct mtt_batch *batch = mtt_batch_new(test);
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
	KUNIT_ASSERT_EQ(test, mtt_batch_try(test, batch, &req, 8, 8), 8);
	for (unsigned int i = 0; i < 8; i++) {
		KUNIT_EXPECT_PTR_EQ(test, msi_vector_cookie(batch->vectors[i]), &queues[i]);
		KUNIT_EXPECT_PTR_EQ(test, mtt_slot(test, batch->labels[i]).cookie, &queues[i]);
	}
	mtt_batch_free(test, batch);

	req.cookies = NULL;
	req.cookie = &queues[0];
	KUNIT_ASSERT_EQ(test, mtt_batch_try(test, batch, &req, 4, 4), 4);
	for (unsigned int i = 0; i < 4; i++)
		KUNIT_EXPECT_PTR_EQ(test, mtt_slot(test, batch->labels[i]).cookie, &queues[0]);
}

static void batch_check_affinity(struct kunit *test, bool managed)
{
	struct mtt_batch *batch = mtt_batch_new(test);
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

	KUNIT_ASSERT_EQ(test, mtt_batch_try(test, batch, &req, 8, 8), 8);
	mtt_batch_request(test, batch);
	for (unsigned int i = 0; i < 8; i++) {
		struct irq_data *data = irq_get_irq_data(batch->irqs[i]);

		KUNIT_EXPECT_EQ(test, irqd_affinity_is_managed(data), managed && i);
		KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_data_get_affinity_mask(data),
						      &affinity[i].mask));
		KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_data_get_effective_affinity_mask(data),
						      &affinity[i].mask));
	}
	mtt_batch_expect_delivery(test, batch);
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

/**
 * struct batch_sets - Whom irq_affinity::calc_sets asks
 * @calls:	How often
 * @vectors:	How many vectors there were to spread, the last time
 */
struct batch_sets {
	unsigned int	calls;
	unsigned int	vectors;
};

/* One vector is a set of its own, if there are others. */
static void batch_calc_sets(struct irq_affinity *affd, unsigned int vectors)
{
	struct batch_sets *sets = affd->priv;

	sets->calls++;
	sets->vectors = vectors;
	affd->nr_sets = vectors > 1 ? 2 : 1;
	affd->set_size[0] = vectors > 1 ? 1 : max(vectors, 1);
	affd->set_size[1] = vectors - 1;
}

static int batch_spread(struct kunit *test, struct mtt_batch *batch, unsigned int min,
			unsigned int max, struct irq_affinity *affd)
{
	const struct msi_vector_request req = {
		.lowest		= 2,
		.highest	= MSI_LABEL_ANY,
		.spread		= affd,
	};

	return mtt_batch_try(test, batch, &req, min, max);
}

/* Those from @first on, @n of them, are managed and have each CPU. */
static void batch_expect_spread(struct kunit *test, const struct mtt_batch *batch,
				unsigned int first, unsigned int n)
{
	struct cpumask *all = kunit_kzalloc(test, cpumask_size(), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, all);
	for (unsigned int i = 0; i < batch->n; i++) {
		struct irq_data *data = irq_get_irq_data(batch->irqs[i]);
		bool managed = i >= first && i - first < n;

		KUNIT_EXPECT_EQ(test, irqd_affinity_is_managed(data), managed);
		if (managed)
			cpumask_or(all, all, irq_data_get_affinity_mask(data));
	}
	if (n)
		KUNIT_EXPECT_TRUE(test, cpumask_equal(all, cpu_possible_mask));
}

static void batch_spread_over_cpus(struct kunit *test)
{
	struct irq_affinity affd = { .pre_vectors = 1, .post_vectors = 1 }, everything = { };
	unsigned int nr = min(num_possible_cpus(), 6);
	struct mtt_batch *batch = mtt_batch_new(test);

	mtt_create(test, MTT_SIZE);
	/* No more than there are CPUs */
	KUNIT_ASSERT_EQ(test, batch_spread(test, batch, 3, 8, &affd), nr + 2);
	mtt_batch_expect_labels_from(test, batch, 2);
	batch_expect_spread(test, batch, 1, nr);
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);
	mtt_batch_free(test, batch);

	KUNIT_ASSERT_EQ(test, batch_spread(test, batch, 1, 1, &everything), 1);
	batch_expect_spread(test, batch, 0, 1);
	mtt_batch_free(test, batch);

	/* Nothing is left to spread. */
	KUNIT_ASSERT_EQ(test, batch_spread(test, batch, 2, 2, &affd), 2);
	batch_expect_spread(test, batch, 0, 0);
	mtt_batch_free(test, batch);

	KUNIT_EXPECT_EQ(test, batch_spread(test, batch, 0, 4, &affd), -EINVAL);
	KUNIT_EXPECT_EQ(test, batch_spread(test, batch, 4, 3, &affd), -EINVAL);
	KUNIT_EXPECT_EQ(test, batch_spread(test, batch, 1, 4, &affd), -ENOSPC);
	mtt_expect_empty(test);
}

/* Those which there are have all CPUs, and the driver hears how many. */
static void batch_spread_over_fewer(struct kunit *test)
{
	struct batch_sets sets = { };
	struct irq_affinity affd = {
		.pre_vectors	= 1,
		.calc_sets	= batch_calc_sets,
		.priv		= &sets,
	};
	struct mtt_batch *batch = mtt_batch_new(test);

	mtt_create_on(test, MTT_SIZE, 4, 0);
	KUNIT_ASSERT_EQ(test, batch_spread(test, batch, 2, 8, &affd), 4);
	KUNIT_EXPECT_EQ(test, sets.calls, 2);
	KUNIT_EXPECT_EQ(test, sets.vectors, 3);
	batch_expect_spread(test, batch, 1, 3);
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);
	mtt_batch_free(test, batch);

	KUNIT_EXPECT_EQ(test, batch_spread(test, batch, 5, 8, &affd), -ENOSPC);
	mtt_expect_empty(test);

	/* One which is not spread is enough, and the driver hears of that. */
	sets.calls = 0;
	KUNIT_ASSERT_EQ(test, batch_spread(test, batch, 1, 1, &affd), 1);
	KUNIT_EXPECT_EQ(test, sets.calls, 1);
	KUNIT_EXPECT_EQ(test, sets.vectors, 0);
	batch_expect_spread(test, batch, 0, 0);
}

/* Without an array for them they are found by their labels. */
static void batch_unseen(struct kunit *test)
{
	struct irq_affinity affd = { .pre_vectors = 2 };
	struct msi_vector_request req = { .lowest = 3, .highest = MSI_LABEL_ANY };
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	unsigned int n = 0;

	KUNIT_ASSERT_EQ(test, msi_table_alloc_vectors(ctx->table, &req, 2, 4, NULL), 4);
	req.spread = &affd;
	KUNIT_ASSERT_EQ(test, msi_table_alloc_vectors(ctx->table, &req, 3, 3, NULL), 3);
	for (u32 label = 0; label < MTT_SIZE; label++) {
		struct msi_vector *vector = msi_table_find(ctx->table, label);

		KUNIT_EXPECT_EQ(test, !!vector, label >= 3 && label < 10);
		if (vector)
			mtt_expect_delivery(test, label, mtt_request(test, vector));
		n += !!vector;
	}
	KUNIT_EXPECT_EQ(test, n, 7);
	KUNIT_EXPECT_EQ(test, msi_table_alloc_vectors(ctx->table, &req, 0, 4, NULL), -EINVAL);
}

static void batch_calls_of_parent(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, 32, 0);
	struct mtt_batch *batch;
	unsigned int inits, calls;

	batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 32);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), 1);
	mtt_batch_expect_labels_from(test, batch, 0);
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);
	mtt_batch_free(test, batch);
	mtt_batch_expect_gone(test, batch);
	msi_table_free(ctx->table);

	/* A parent which takes one at a time makes no difference but the time. */
	mtt_create_on(test, MTT_SIZE, 32, MSI_FAKE_SINGLE);
	batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 32);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), 1 + 32);
	mtt_batch_expect_labels_from(test, batch, 0);
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);
	mtt_batch_free(test, batch);
	mtt_batch_expect_gone(test, batch);

	/* It has said so: the store is not troubled by another attempt. */
	inits = mtt_slot(test, 5).inits;
	calls = msi_fake_parent_alloc_calls(ctx->parent);
	mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 32);
	KUNIT_EXPECT_EQ(test, mtt_slot(test, 5).inits, inits + 1);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), calls + 32);
}

/* An allocation which the parent fails once is made up for, @fails times of 8. */
static void mtt_check_parent_fails(struct kunit *test, unsigned int flags, unsigned int fails)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, MTT_CAPACITY, flags);
	struct mtt_batch *batch = mtt_batch_new(test);
	unsigned int failed = 0;

	for (unsigned int nth = 1; nth <= 8; nth++) {
		msi_fake_parent_fail_nth(ctx->parent, nth);
		KUNIT_ASSERT_EQ(test, mtt_batch_try_range(test, batch, 0, MSI_LABEL_ANY, 8, 8), 8);
		failed += !msi_fake_parent_fail_nth(ctx->parent, 0);
		mtt_batch_expect_labels_from(test, batch, 0);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 8);
		mtt_batch_free(test, batch);
		mtt_expect_empty(test);
	}
	KUNIT_EXPECT_EQ(test, failed, fails);
	batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);
	msi_table_free(ctx->table);
}

static void batch_parent_fails(struct kunit *test)
{
	/* All eight are one allocation there, and here one attempt comes before. */
	mtt_check_parent_fails(test, 0, 1);
	mtt_check_parent_fails(test, MSI_FAKE_SINGLE, 8);
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
	struct mtt_batch *batch = mtt_batch_new(test);
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
		KUNIT_EXPECT_EQ(test, mtt_batch_try(test, batch, &req, 8, 8), -EIO);
		mtt_expect_empty(test);

		/* What is in front of it may be enough. */
		if (!i)
			continue;
		KUNIT_EXPECT_EQ(test, mtt_batch_try(test, batch, &req, i, 8), i);
		mtt_batch_expect_labels_from(test, batch, 0);
		mtt_batch_free(test, batch);
		mtt_expect_empty(test);
	}

	batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);
}

static void batch_free_in_any_order(struct kunit *test)
{
	struct rnd_state rnd;

	mtt_create(test, MTT_SIZE);
	prandom_seed_state(&rnd, 32);
	for (unsigned int round = 0; round < 3; round++) {
		struct mtt_batch *batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);

		mtt_batch_expect_labels_from(test, batch, 0);
		/* The last two are freed without a handler. */
		for (unsigned int i = 0; i < batch->n - 2; i++)
			mtt_request(test, batch->vectors[i]);

		/* One after the other, backwards, and at random */
		for (unsigned int i = 0; round == 1 && i < batch->n / 2; i++)
			swap(batch->vectors[i], batch->vectors[batch->n - 1 - i]);
		if (round == 2)
			mtt_shuffle(batch->vectors, batch->n, &rnd);
		mtt_batch_free(test, batch);
		mtt_batch_expect_gone(test, batch);
	}
}

/* Members of a batch go one by one, and the others stay what they are. */
static void batch_free_in_parts(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_batch *batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 16);
	static const unsigned int single[] = { 0, 7, 15 };

	mtt_batch_request(test, batch);
	for (unsigned int i = 0; i < ARRAY_SIZE(single); i++) {
		msi_table_free_vector(ctx->table, batch->vectors[single[i]]);
		mtt_expect_unused(test, batch->irqs[single[i]]);
		batch->vectors[single[i]] = NULL;
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 15 - i);
		KUNIT_EXPECT_FALSE(test, mtt_irq_exists(batch->irqs[single[i]]));
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
	mtt_batch_expect_gone(test, batch);
}

/* A new vector in the place of a freed one does not belong to the old batch. */
static void batch_free_with_replaced_members(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_batch *batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 16);
	static const u32 labels[] = { 3, 4, 11 };
	struct rnd_state rnd;

	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++)
		msi_table_free_vector(ctx->table, batch->vectors[labels[i]]);
	/* New interrupts, in another order, so that they do not get the same numbers again */
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 13);
	for (unsigned int i = ARRAY_SIZE(labels); i--; ) {
		struct msi_vector *vector = mtt_alloc(test, labels[i]);

		batch->vectors[labels[i]] = vector;
		batch->irqs[labels[i]] = msi_vector_irq(vector);
	}
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);

	prandom_seed_state(&rnd, 16);
	mtt_shuffle(batch->vectors, batch->n, &rnd);
	mtt_batch_free(test, batch);
	mtt_batch_expect_gone(test, batch);
}

static void batch_free_interleaved(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_batch *a = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	struct mtt_batch *b = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	struct msi_vector *vectors[16];

	mtt_batch_expect_labels_from(test, b, 8);
	mtt_batch_request(test, a);
	for (unsigned int i = 0; i < 8; i++) {
		vectors[2 * i] = a->vectors[i];
		vectors[2 * i + 1] = b->vectors[7 - i];
	}
	msi_table_free_vectors(ctx->table, vectors, 16);
	mtt_batch_expect_gone(test, a);
	mtt_batch_expect_gone(test, b);

	/* Beginning of one and end of another, side by side */
	a = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	b = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	mtt_batch_request(test, b);
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
	mtt_batch_expect_gone(test, b);
}

/* Of several batches, each at another place than the one before it: what is not given stays. */
static void batch_free_across(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	for (unsigned int n = 2; n <= 8; n *= 2) {
		struct mtt_batch *batches[2] = {
			mtt_batch_alloc(test, 0, MSI_LABEL_ANY, n),
			mtt_batch_alloc(test, 0, MSI_LABEL_ANY, n),
		};
		struct msi_vector *vectors[8];

		for (unsigned int i = 0; i < 2; i++)
			mtt_batch_request(test, batches[i]);
		for (unsigned int i = 0; i < n; i++)
			vectors[i] = batches[i % 2]->vectors[i];
		msi_table_free_vectors(ctx->table, vectors, n);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), n);
		for (unsigned int i = 0; i < n; i++) {
			const struct mtt_batch *rest = batches[!(i % 2)];

			mtt_expect_delivery(test, rest->labels[i], rest->hits[i]);
			vectors[i] = rest->vectors[i];
		}
		msi_table_free_vectors(ctx->table, vectors, n);
		for (unsigned int i = 0; i < 2; i++)
			mtt_batch_expect_gone(test, batches[i]);
	}
}

static void batch_free_foreign_handler(struct kunit *test)
{
	struct mtt_batch *batch;

	mtt_create(test, MTT_SIZE);
	batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	mtt_request_behind(test, batch->vectors[3]);
	kunit_warning_suppress(test) {
		mtt_batch_free(test, batch);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	mtt_batch_expect_gone(test, batch);
}

static void batch_goes_with_table(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_batch *batch = mtt_batch_alloc(test, 5, MSI_LABEL_ANY, 12);

	mtt_batch_request(test, batch);
	kunit_warning_suppress(test) {
		msi_table_free(ctx->table);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	mtt_batch_expect_gone(test, batch);

	mtt_create(test, MTT_SIZE);
	batch = mtt_batch_alloc(test, 5, MSI_LABEL_ANY, 12);
	mtt_batch_request(test, batch);
	mtt_unbind(test);
	mtt_batch_expect_gone(test, batch);
}

static void batch_shows_in_sysfs(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_batch *batch;

	if (!IS_ENABLED(CONFIG_SYSFS))
		kunit_skip(test, "needs sysfs");

	batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	for (unsigned int i = 0; i < batch->n; i++)
		KUNIT_EXPECT_TRUE(test, mtt_in_sysfs(ctx->dev, batch->irqs[i]));
	mtt_batch_free(test, batch);
	mtt_batch_expect_gone(test, batch);
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
	struct mtt_batch *batch = mtt_batch_new(test);
	unsigned int allocs = 0;
	struct mtt_racer *racer;

	racer = mtt_start_racer(test, batch_race_step, NULL);
	for (unsigned int i = 0; i < 40 || !allocs || atomic_read(&racer->steps) < 10; i++) {
		int n = mtt_batch_try_range(test, batch, 0, MSI_LABEL_ANY, 1, 8);

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
		mtt_batch_free(test, batch);
		allocs++;
	}
	mtt_finish_racer(test, racer);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, batch, 0, MSI_LABEL_ANY, 12, 12), 12);
	mtt_batch_expect_labels_from(test, batch, 0);
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
	KUNIT_CASE(batch_spread_over_cpus),
	KUNIT_CASE(batch_spread_over_fewer),
	KUNIT_CASE(batch_unseen),
	KUNIT_CASE(batch_calls_of_parent),
	KUNIT_CASE(batch_parent_fails),
	KUNIT_CASE(batch_init_vector_fails),
	KUNIT_CASE_PARAM(batch_free_in_any_order, mtt_variant_gen_params),
	KUNIT_CASE(batch_free_in_parts),
	KUNIT_CASE(batch_free_with_replaced_members),
	KUNIT_CASE(batch_free_interleaved),
	KUNIT_CASE(batch_free_across),
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

kunit_test_suite(mtt_batch_suite);
