// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: devices which are suspended and lose power
 */
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/pm_runtime.h>

#include "../internals.h"
#include "msi_table_test.h"

KUNIT_ARRAY_PARAM_DESC(mtt_variant, mtt_variants, name);

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

static struct mtt_batch *power_setup(struct kunit *test)
{
	struct mtt_batch *batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, POWER_STATES);

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
static void power_expect_works(struct kunit *test, struct mtt_batch *batch)
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
	mtt_batch_expect_delivery(test, batch);
}

/* The system wakes a device up which was runtime suspended, and suspends it then. */
static void power_restored_before(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_batch *batch = power_setup(test);
	unsigned int irq = batch->irqs[POWER_ACTIVE];
	unsigned int touches;

	msi_table_restore(ctx->table);
	touches = power_touches(test);
	power_off(test);
	disable_irq(irq);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, POWER_ACTIVE), 0);
	enable_irq(irq);
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&batch->hits[POWER_ACTIVE]->hard, 1));
	irq_set_affinity(irq, cpumask_of(cpumask_last(cpu_online_mask)));
	KUNIT_EXPECT_EQ(test, power_touches(test), touches);

	power_on(test);
	msi_table_restore(ctx->table);
	power_expect_works(test, batch);
}

/* Everything a driver may do while its device is suspended, and what others do to it */
static void power_off_is_left_alone(struct kunit *test)
{
	struct msi_vector *handled, *plain, *freed;
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_hits *hits, *handled_hits;
	struct mtt_batch *batch = power_setup(test);
	unsigned int irq = batch->irqs[POWER_ACTIVE];
	struct msi_msg msg;
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
	struct mtt_batch *batch = power_setup(test);
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

/* What an operation of the device wipes is restored entry by entry. */
static void power_restore_vector(struct kunit *test)
{
	struct msi_fake_slot before[POWER_STATES], other;
	struct mtt_batch *batch;
	struct msi_vector *vector;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 20);
	mtt_request(test, vector);
	batch = power_setup(test);
	for (unsigned int i = 0; i < POWER_STATES; i++)
		before[i] = mtt_slot(test, i);
	other = mtt_slot(test, 20);
	msi_fake_store_wipe(((struct mtt_ctx *)test->priv)->store);
	for (unsigned int i = 0; i < POWER_STATES; i++) {
		struct msi_fake_slot after;

		msi_vector_restore(batch->vectors[i]);
		after = mtt_slot(test, i);
		KUNIT_EXPECT_TRUE(test, mtt_msg_equal(before[i].msg, after.msg));
		KUNIT_EXPECT_EQ(test, before[i].masked, after.masked);
	}
	KUNIT_EXPECT_EQ(test, mtt_slot(test, 20).writes, other.writes);
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(mtt_slot(test, 20).msg));
	msi_vector_restore(vector);
	mtt_expect_armed(test, vector);
	power_expect_works(test, batch);
}

/* CPUs go offline in suspend when the devices are suspended already. */
static void power_moved_while_off(struct kunit *test)
{
	const struct cpumask *cpu = mtt_other_cpu(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct msi_msg before, after;
	struct mtt_hits *hits;
	struct mtt_watch *watch;

	hits = mtt_request(test, vector);
	KUNIT_ASSERT_EQ(test, irq_set_affinity(msi_vector_irq(vector), cpumask_of(0)), 0);
	watch = mtt_watch_start(test, vector);
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
	mtt_watch_stop(vector, watch);
}

static void power_restore_empty(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_fake_slot before, after;

	msi_table_restore(ctx->table);
	KUNIT_EXPECT_EQ(test, msi_fake_store_calls(ctx->store), 0);

	/* Nor does one which was there before count. */
	mtt_request(test, mtt_alloc(test, 2));
	msi_table_free_vector(ctx->table, mtt_alloc(test, 3));
	msi_fake_store_wipe(ctx->store);
	before = mtt_slot(test, 3);
	msi_table_restore(ctx->table);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), 0);
	after = mtt_slot(test, 3);
	KUNIT_EXPECT_FALSE(test, after.masked);
	KUNIT_EXPECT_EQ(test, after.masks, before.masks);
	KUNIT_EXPECT_EQ(test, after.writes, before.writes);
	KUNIT_EXPECT_EQ(test, after.clears, before.clears);
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

/* Hibernation: the store was restored in thaw_noirq, and goes again in poweroff_noirq. */
static void power_suspended_twice(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_batch *batch = power_setup(test);
	unsigned int touches;

	for (unsigned int i = 0; i < 2; i++) {
		msi_stores_suspend();
		power_off(test);
		touches = power_touches(test);
		disable_irq(batch->irqs[POWER_ACTIVE]);
		KUNIT_EXPECT_EQ(test, mtt_fire(test, POWER_ACTIVE), 0);
		enable_irq(batch->irqs[POWER_ACTIVE]);
		KUNIT_EXPECT_TRUE(test, mtt_reaches(&batch->hits[POWER_ACTIVE]->hard, i + 1));
		KUNIT_EXPECT_EQ(test, power_touches(test), touches);
		msi_table_restore(ctx->table);
		KUNIT_EXPECT_GT(test, power_touches(test), touches);
		power_on(test);
	}
	power_expect_works(test, batch);
}

static struct kunit *power_waking_test;

/* The device is back when only half of the batch has an interrupt. */
static int power_wake_in_init(struct msi_vector *vector)
{
	struct mtt_ctx *ctx = power_waking_test->priv;

	if (msi_vector_label(vector) == 5) {
		power_on(power_waking_test);
		msi_table_restore(ctx->table);
	}
	return msi_fake_store_ops.init_vector(vector);
}

static void power_restored_while_allocated(struct kunit *test)
{
	const struct msi_vector_request req = { .lowest = 2, .highest = 5 };
	struct mtt_batch *batch = mtt_batch_new(test);
	struct mtt_ctx *ctx = test->priv;

	power_waking_test = test;
	ctx->ops.init_vector = power_wake_in_init;
	mtt_create(test, MTT_SIZE);
	mtt_request(test, mtt_alloc(test, 4));
	/* What was in the slots before would fire. */
	msi_fake_store_wipe(ctx->store);
	power_off(test);
	KUNIT_ASSERT_EQ(test, mtt_batch_try(test, batch, &req, 3, 3), 3);
	for (u32 label = 2; label <= 5; label++)
		KUNIT_EXPECT_EQ(test, mtt_slot(test, label).masked, label != 4);
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
	for (unsigned int i = 0; i < 12 || atomic_read(&racer->steps) < 10; i++) {
		struct mtt_batch *batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 3);
		struct mtt_hits other = { };
		int ret;

		KUNIT_EXPECT_EQ(test, mtt_try_request(batch->vectors[1], &other), 0);
		/* The restoration may have it masked, or cleared, at the moment. */
		ret = mtt_fire(test, batch->labels[1]);
		KUNIT_EXPECT_TRUE(test, !ret || ret == -EAGAIN);
		KUNIT_EXPECT_EQ(test, atomic_read(&other.hard), !ret);
		mtt_batch_free(test, batch);
	}
	mtt_finish_racer(test, racer);

	mtt_expect_armed(test, vector);
	mtt_expect_delivery(test, 2, hits);
	msi_table_free_vector(ctx->table, vector);
	mtt_expect_empty(test);
}

static struct kunit_case mtt_power_cases[] = {
	KUNIT_CASE_PARAM(power_off_is_left_alone, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(power_restored_before, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(power_restore, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(power_restore_vector, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(power_moved_while_off, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(power_restore_empty, mtt_variant_gen_params),
	KUNIT_CASE(power_runtime_suspended),
	KUNIT_CASE(power_restored_while_allocated),
	KUNIT_CASE(power_suspended_twice),
	KUNIT_CASE_PARAM(power_restore_races, mtt_variant_gen_params),
	{ }
};

static struct kunit_suite mtt_power_suite = {
	.name		= "msi_table_power",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_power_cases,
};

kunit_test_suite(mtt_power_suite);
