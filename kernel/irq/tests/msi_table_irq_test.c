// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: the life of a message, from the handler which is
 * installed to the handler which is freed
 */
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/irq.h>

#include "msi_table_test.h"

KUNIT_ARRAY_PARAM_DESC(mtt_variant, mtt_variants, name);

static irqreturn_t mtt_wake_handler(int irq, void *dev_id)
{
	mtt_handler(irq, dev_id);
	return IRQ_WAKE_THREAD;
}

static irqreturn_t mtt_thread(int irq, void *dev_id)
{
	struct mtt_hits *hits = dev_id;

	atomic_inc(&hits->thread);
	return IRQ_HANDLED;
}

static void irq_no_message_before_request(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct msi_msg msg;

	memset(&msg, 0xff, sizeof(msg));
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(msg, (struct msi_msg) { }));
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), -EAGAIN);
	KUNIT_EXPECT_EQ(test, mtt_slot(test, 2).writes, 0);
	if (ctx->ops.mask)
		KUNIT_EXPECT_TRUE(test, mtt_slot(test, 2).masked);
	else
		KUNIT_EXPECT_GT(test, mtt_slot(test, 2).clears, 0);
}

static void irq_message_on_request(struct kunit *test)
{
	struct msi_fake_slot slot;
	struct msi_vector *vector;
	struct msi_msg msg;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	mtt_request(test, vector);

	slot = mtt_slot(test, 2);
	KUNIT_EXPECT_FALSE(test, slot.masked);
	KUNIT_EXPECT_TRUE(test, mtt_msg_valid(slot.msg));
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), 0);
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(msg, slot.msg));
}

static void irq_delivers_to_its_handler(struct kunit *test)
{
	struct msi_vector *vectors[4];
	struct mtt_hits *hits[4];

	mtt_create(test, MTT_SIZE);
	for (unsigned int i = 0; i < 4; i++) {
		vectors[i] = mtt_alloc(test, 3 * i);
		hits[i] = mtt_request(test, vectors[i]);
	}
	for (unsigned int i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, mtt_fire(test, 3 * i), 0);
		for (unsigned int j = 0; j < 4; j++)
			KUNIT_EXPECT_EQ(test, atomic_read(&hits[j]->hard), j <= i);
		KUNIT_EXPECT_EQ(test, hits[i]->irq, msi_vector_irq(vectors[i]));
	}
}

static void irq_message_gone_on_free(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_fake_slot slot;
	struct msi_vector *vector;
	struct msi_msg msg;
	struct mtt_hits *hits;

	vector = mtt_alloc(test, 2);
	hits = mtt_request(test, vector);
	KUNIT_ASSERT_EQ(test, msi_vector_get_msg(vector, &msg), 0);
	msi_vector_free_irq(vector);

	slot = mtt_slot(test, 2);
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(slot.msg));
	KUNIT_EXPECT_EQ(test, slot.masked, !!ctx->ops.mask);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &msg), -ENOENT);
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), -EAGAIN);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);
}

static void irq_request_again(struct kunit *test)
{
	struct msi_vector *vector;
	struct mtt_hits *hits;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	for (unsigned int i = 0; i < 3; i++) {
		hits = mtt_request(test, vector);
		mtt_expect_delivery(test, 2, hits);
		msi_vector_free_irq(vector);
		KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), -EAGAIN);
		KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 1);
	}
}

static void irq_free_without_request(struct kunit *test)
{
	struct msi_vector *vector;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	kunit_warning_suppress(test) {
		msi_vector_free_irq(vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	mtt_expect_delivery(test, 2, mtt_request(test, vector));
}

static void irq_request_twice(struct kunit *test)
{
	struct mtt_hits *hits, *more = mtt_new_hits(test);
	struct msi_vector *vector;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	hits = mtt_request(test, vector);
	KUNIT_EXPECT_EQ(test, mtt_try_request(vector, more), -EBUSY);
	mtt_expect_delivery(test, 2, hits);
	KUNIT_EXPECT_EQ(test, atomic_read(&more->hard), 0);
}

static int irq_request_shared(struct msi_vector *vector, struct mtt_hits *hits)
{
	return msi_vector_request_irq(vector, mtt_handler, NULL, IRQF_SHARED | IRQF_NO_THREAD, hits,
				      "shared");
}

/* Each handler of a vector gets the interrupt, until it is freed, whichever is first. */
static void irq_shared(struct kunit *test)
{
	struct mtt_hits *hits[3], *others;
	struct msi_vector *vector, *other;
	/* They go in the order in which they came, or against it. */
	static const int order[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 } };

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	other = mtt_alloc(test, 3);
	others = mtt_new_hits(test);
	KUNIT_ASSERT_EQ(test, irq_request_shared(other, others), 0);
	for (int i = 0; i < ARRAY_SIZE(order); i++) {
		for (int j = 0; j < 3; j++) {
			hits[j] = mtt_new_hits(test);
			KUNIT_ASSERT_EQ(test, irq_request_shared(vector, hits[j]), 0);
		}
		for (int j = 0; j < 3; j++) {
			/* With DEBUG_SHIRQ they are called when they come and go, too. */
			for (int k = 0; k < 3; k++)
				atomic_set(&hits[order[i][k]]->hard, 0);
			KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), 0);
			for (int k = 0; k < 3; k++) {
				struct mtt_hits *hit = hits[order[i][k]];

				KUNIT_EXPECT_EQ(test, atomic_read(&hit->hard), k >= j);
			}
			msi_vector_free_handler(vector, others);
			msi_vector_free_handler(vector, hits[order[i][j]]);
			msi_vector_free_handler(vector, hits[order[i][j]]);
		}
		KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), -EAGAIN);
	}
	mtt_expect_delivery(test, 3, others);
	msi_vector_free_handler(other, others);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 3), -EAGAIN);
}

/* One who does not share is alone, and the vector takes all with it. */
static void irq_shared_or_not(struct kunit *test)
{
	struct mtt_hits *first = mtt_new_hits(test), *second = mtt_new_hits(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);

	KUNIT_ASSERT_EQ(test, irq_request_shared(vector, first), 0);
	KUNIT_EXPECT_EQ(test, mtt_try_request(vector, second), -EBUSY);
	KUNIT_ASSERT_EQ(test, irq_request_shared(vector, second), 0);
	atomic_set(&first->hard, 0);
	atomic_set(&second->hard, 0);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->hard), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&second->hard), 1);
	msi_vector_free_irq(vector);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), -EAGAIN);

	mtt_expect_delivery(test, 2, mtt_request(test, vector));
	KUNIT_EXPECT_EQ(test, irq_request_shared(vector, second), -EBUSY);
	msi_vector_free_irq(vector);

	KUNIT_ASSERT_EQ(test, irq_request_shared(vector, first), 0);
	KUNIT_ASSERT_EQ(test, irq_request_shared(vector, second), 0);
	kunit_warning_suppress(test) {
		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	mtt_expect_empty(test);
}

/* Two vectors which share a handler each know who else there is. */
static void irq_shared_by_two(struct kunit *test)
{
	struct mtt_hits *both = mtt_new_hits(test), *hits[2];
	struct msi_vector *vectors[2];

	mtt_create(test, MTT_SIZE);
	for (int i = 0; i < 2; i++) {
		hits[i] = mtt_new_hits(test);
		vectors[i] = mtt_alloc(test, i);
		KUNIT_ASSERT_EQ(test, irq_request_shared(vectors[i], both), 0);
		KUNIT_ASSERT_EQ(test, irq_request_shared(vectors[i], hits[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		msi_vector_free_handler(vectors[i], both);
		atomic_set(&hits[i]->hard, 0);
		mtt_expect_delivery(test, i, hits[i]);
		kunit_warning_suppress(test) {
			msi_vector_free_irq(vectors[i]);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
		}
		KUNIT_EXPECT_EQ(test, mtt_fire(test, i), -EAGAIN);
	}
}

/* What the driver told irqbalance goes with its handler. */
static void irq_drops_hint(struct kunit *test)
{
#ifdef CONFIG_SMP
	struct msi_vector *vector;
	struct irq_desc *desc;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	desc = mtt_irq_desc(msi_vector_irq(vector));
	mtt_request(test, vector);
	KUNIT_ASSERT_EQ(test, irq_update_affinity_hint(msi_vector_irq(vector), cpumask_of(0)), 0);
	KUNIT_EXPECT_PTR_EQ(test, desc->affinity_hint, cpumask_of(0));
	kunit_warning_suppress(test) {
		msi_vector_free_irq(vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	KUNIT_EXPECT_NULL(test, desc->affinity_hint);
	mtt_expect_delivery(test, 2, mtt_request(test, vector));
#else
	kunit_skip(test, "needs CONFIG_SMP");
#endif
}

/* The name is the vector's own, whatever becomes of what it was made of. */
static void irq_name(struct kunit *test)
{
	struct msi_vector *vector;
	struct irq_desc *desc;
	char queue[] = "queue";

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(vector, mtt_handler, NULL, IRQF_NO_THREAD,
							mtt_new_hits(test), "dev%d-%s", 3, queue));
	memset(queue, 'x', sizeof(queue) - 1);
	desc = mtt_irq_desc(msi_vector_irq(vector));
	KUNIT_EXPECT_STREQ(test, desc->action->name, "dev3-queue");
}

/* No CPU vector is left when the reservation is called in. */
static void irq_request_fails(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_hits *hits = mtt_new_hits(test);
	struct msi_vector *vector;
	struct msi_msg msg;

	vector = mtt_alloc(test, 2);
	msi_fake_parent_fail_activate_nth(ctx->parent, 1);
	KUNIT_EXPECT_EQ(test, mtt_try_request(vector, hits), -ENOSPC);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), -EAGAIN);
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), -EAGAIN);
	KUNIT_EXPECT_EQ(test, mtt_slot(test, 2).writes, 0);

	KUNIT_EXPECT_EQ(test, mtt_try_request(vector, hits), 0);
	mtt_expect_delivery(test, 2, hits);
}

static void irq_threaded(struct kunit *test)
{
	struct mtt_hits *hits = mtt_new_hits(test);
	struct msi_vector *vector;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(vector, mtt_wake_handler, mtt_thread, 0,
							hits, "msi_table_test"));
	mtt_expect_delivery(test, 2, hits);
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits->thread, 1));
	mtt_expect_delivery(test, 2, hits);
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits->thread, 2));
}

/* IRQF_ONESHOT is not needed: a message is sent once. */
static void irq_thread_only(struct kunit *test)
{
	struct mtt_hits *hits = mtt_new_hits(test);
	struct msi_vector *vector;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(vector, NULL, mtt_thread, 0, hits,
							"msi_table_test"));
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), 0);
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits->thread, 1));
}

static void irq_plain_request(struct kunit *test)
{
	struct mtt_hits *hits = mtt_new_hits(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector;
	unsigned int irq;

	vector = mtt_alloc(test, 2);
	irq = msi_vector_irq(vector);
	KUNIT_ASSERT_EQ(test, 0, request_irq(irq, mtt_handler, IRQF_NO_THREAD,
					     "msi_table_test", hits));
	mtt_expect_delivery(test, 2, hits);
	free_irq(irq, hits);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), -EAGAIN);

	kunit_warning_suppress(test) {
		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	mtt_expect_unused(test, irq);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
	KUNIT_EXPECT_FALSE(test, mtt_irq_exists(irq));
}

static void irq_without_autoen(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_hits *hits = mtt_new_hits(test);
	struct msi_vector *vector;

	vector = mtt_alloc(test, 2);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(vector, mtt_handler, NULL,
							IRQF_NO_AUTOEN | IRQF_NO_THREAD, hits,
							"msi_table_test"));
	/* What can not be masked is sent, and waits. */
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), ctx->ops.mask ? -EAGAIN : 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);

	enable_irq(msi_vector_irq(vector));
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits->hard, !ctx->ops.mask));
	mtt_expect_delivery(test, 2, hits);
}

static void irq_disabled_is_replayed(struct kunit *test)
{
	struct msi_vector *vector;
	struct mtt_hits *hits;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	hits = mtt_request(test, vector);

	disable_irq(msi_vector_irq(vector));
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);

	enable_irq(msi_vector_irq(vector));
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits->hard, 1));
	mtt_expect_delivery(test, 2, hits);
}

/* Disabling is lazy: it is the next interrupt which masks. */
static void irq_disabled_is_masked(struct kunit *test)
{
	struct msi_vector *vector;
	struct mtt_hits *hits;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	hits = mtt_request(test, vector);

	disable_irq(msi_vector_irq(vector));
	KUNIT_EXPECT_FALSE(test, mtt_slot(test, 2).masked);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), 0);
	KUNIT_EXPECT_TRUE(test, mtt_slot(test, 2).masked);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), -EAGAIN);

	enable_irq(msi_vector_irq(vector));
	KUNIT_EXPECT_FALSE(test, mtt_slot(test, 2).masked);
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits->hard, 1));
}

static void irq_clears_by_clear_msg(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	unsigned int clears;
	struct msi_vector *vector;

	vector = mtt_alloc(test, 2);
	mtt_request(test, vector);
	clears = mtt_slot(test, 2).clears;
	msi_vector_free_irq(vector);

	if (ctx->ops.clear_msg)
		KUNIT_EXPECT_GT(test, mtt_slot(test, 2).clears, clears);
	else
		KUNIT_EXPECT_EQ(test, mtt_slot(test, 2).clears, 0);
	/*
	 * Where there is no clear_msg an all-zero message is written, which the
	 * store counts against the core unless the slot is masked.
	 */
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(mtt_slot(test, 2).msg));
	KUNIT_EXPECT_EQ(test, msi_fake_store_bad_context(ctx->store), 0);
}

static void irq_moves(struct kunit *test)
{
	const struct cpumask *cpu = mtt_other_cpu(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_msg before, after;
	struct msi_fake_slot slot;
	struct msi_vector *vector;
	struct mtt_hits *hits;

	vector = mtt_alloc(test, 2);
	hits = mtt_request(test, vector);
	KUNIT_ASSERT_EQ(test, irq_set_affinity(msi_vector_irq(vector), cpumask_of(0)), 0);
	KUNIT_ASSERT_EQ(test, msi_vector_get_msg(vector, &before), 0);
	KUNIT_ASSERT_EQ(test, irq_set_affinity(msi_vector_irq(vector), cpu), 0);
	KUNIT_ASSERT_EQ(test, msi_vector_get_msg(vector, &after), 0);

	slot = mtt_slot(test, 2);
	KUNIT_EXPECT_EQ(test, mtt_msg_equal(before, after), mtt_stable(ctx));
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(after, slot.msg));
	KUNIT_EXPECT_FALSE(test, slot.masked);
	mtt_expect_delivery(test, 2, hits);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &before),
			mtt_stable(ctx) ? 0 : -ENOENT);
}

/* Before and after a handler is installed there is no message to update. */
static void irq_moves_while_inactive(struct kunit *test)
{
	const struct cpumask *cpu = mtt_other_cpu(test);
	struct msi_vector *vector;
	struct msi_msg msg;
	unsigned int irq;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	irq = msi_vector_irq(vector);
	for (unsigned int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, cpumask_of(0)), 0);
		KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, cpu), 0);
		KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), -EAGAIN);
		KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), -EAGAIN);
		KUNIT_EXPECT_FALSE(test, mtt_msg_valid(mtt_slot(test, 2).msg));

		mtt_expect_delivery(test, 2, mtt_request(test, vector));
		KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_affinity_mask(irq), cpu));
		msi_vector_free_irq(vector);
	}
}

static void mtt_check_affinity(struct kunit *test, bool managed)
{
	const struct cpumask *cpu = mtt_other_cpu(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct irq_affinity_desc *affinity;
	struct msi_vector_request req = {
		.highest	= MSI_LABEL_ANY,
	};
	struct msi_vector *vector;
	struct mtt_hits *hits;
	unsigned int irq;

	if (managed && ctx->variant->slow)
		kunit_skip(test, "no managed affinity behind a slow bus");

	affinity = kunit_kzalloc(test, sizeof(*affinity), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, affinity);
	cpumask_copy(&affinity->mask, cpu);
	affinity->is_managed = managed;
	req.affinity = affinity;

	vector = msi_table_alloc_vector_req(ctx->table, &req);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	irq = msi_vector_irq(vector);
	KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_affinity_mask(irq), cpu));
	KUNIT_EXPECT_EQ(test, irqd_affinity_is_managed(irq_get_irq_data(irq)), managed);

	hits = mtt_request(test, vector);
	KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_affinity_mask(irq), cpu));
	mtt_expect_delivery(test, 0, hits);
	msi_vector_free_irq(vector);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 0), -EAGAIN);
}

static void irq_affinity_from_request(struct kunit *test)
{
	mtt_check_affinity(test, false);
}

static void irq_managed_affinity_from_request(struct kunit *test)
{
	mtt_check_affinity(test, true);
}

static struct kunit_case mtt_irq_cases[] = {
	KUNIT_CASE_PARAM(irq_no_message_before_request, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(irq_message_on_request, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(irq_delivers_to_its_handler, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(irq_message_gone_on_free, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(irq_request_again, mtt_variant_gen_params),
	KUNIT_CASE(irq_free_without_request),
	KUNIT_CASE(irq_request_twice),
	KUNIT_CASE(irq_shared),
	KUNIT_CASE(irq_shared_or_not),
	KUNIT_CASE(irq_shared_by_two),
	KUNIT_CASE(irq_drops_hint),
	KUNIT_CASE(irq_name),
	KUNIT_CASE_PARAM(irq_request_fails, mtt_variant_gen_params),
	KUNIT_CASE(irq_threaded),
	KUNIT_CASE(irq_thread_only),
	KUNIT_CASE_PARAM(irq_plain_request, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(irq_without_autoen, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(irq_disabled_is_replayed, mtt_variant_gen_params),
	KUNIT_CASE(irq_disabled_is_masked),
	KUNIT_CASE_PARAM(irq_clears_by_clear_msg, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(irq_moves, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(irq_moves_while_inactive, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(irq_affinity_from_request, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(irq_managed_affinity_from_request, mtt_variant_gen_params),
	{ }
};

static struct kunit_suite mtt_irq_suite = {
	.name		= "msi_table_irq",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_irq_cases,
};

kunit_test_suite(mtt_irq_suite);
