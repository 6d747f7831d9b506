// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: stores behind a slow bus
 */
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/irq.h>

#include "msi_table_test.h"

static const struct mtt_variant slow_variants[] = {
	{
		.name		= "slow bus",
		.slow		= true,
		.parent_flags	= MSI_FAKE_IMMUTABLE,
	}, {
		.name		= "slow bus, parent masks",
		.slow		= true,
		.parent_flags	= MSI_FAKE_IMMUTABLE | MSI_FAKE_MASK_PARENT,
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

	/* Nor do they move where nothing can be moved. */
	info.flags = 0;
	info.name = "unmoved";
	msi_fake_parent_attach(mtt_new_parent(test, MTT_CAPACITY, MSI_FAKE_NO_AFFINITY), ctx->dev);
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), 0);
	info.name = mtt_info(ctx).name;
	msi_fake_parent_attach(mtt_new_parent(test, MTT_CAPACITY, 0), ctx->dev);

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
	struct mtt_batch *batch;

	mtt_create(test, MTT_SIZE);
	batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
	for (unsigned int i = 0; i < batch->n; i++)
		KUNIT_EXPECT_TRUE(test, mtt_slot(test, i).masked);
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);
	mtt_batch_free(test, batch);
	mtt_batch_expect_gone(test, batch);
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
	struct mtt_batch *batch = mtt_batch_new(test);
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

	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector_req(ctx->table, &req),
			    ERR_PTR(-EOPNOTSUPP));
	KUNIT_EXPECT_EQ(test, mtt_batch_try(test, batch, &req, 4, 4), -EOPNOTSUPP);
	/* One is enough */
	for (unsigned int i = 0; i < 3; i++)
		affinity[i].is_managed = false;
	KUNIT_EXPECT_EQ(test, mtt_batch_try(test, batch, &req, 4, 4), -EOPNOTSUPP);
	mtt_expect_empty(test);

	vector = msi_table_alloc_vector_req(ctx->table, &req);
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
	for (unsigned int i = 0; i < 20 || atomic_read(&racer->steps) < 10; i++) {
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
	struct mtt_batch *batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 6);
	unsigned int locks;

	batch->n = 4;
	mtt_batch_request(test, batch);
	msi_fake_store_wipe(ctx->store);
	locks = msi_fake_store_locks(ctx->store);
	msi_table_restore(ctx->table);
	KUNIT_EXPECT_EQ(test, msi_fake_store_locks(ctx->store), locks + 1);

	for (unsigned int i = 0; i < 4; i++)
		mtt_expect_armed(test, batch->vectors[i]);
	mtt_batch_expect_delivery(test, batch);
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

kunit_test_suite(mtt_slow_suite);
