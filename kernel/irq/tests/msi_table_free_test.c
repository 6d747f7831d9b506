// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: freeing vectors and tables, unbinding the driver, and
 * handlers which are left behind
 */
#include <linux/array_size.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/minmax.h>
#include <linux/prandom.h>

#include "msi_table_test.h"

KUNIT_ARRAY_PARAM_DESC(mtt_variant, mtt_variants, name);

#define MTT_MANY		8

/**
 * struct mtt_many - Some vectors with handlers
 * @vectors:	The vectors
 * @hits:	Their handlers' dev_id
 * @irqs:	Their interrupt numbers
 * @labels:	Their labels
 */
struct mtt_many {
	struct msi_vector	*vectors[MTT_MANY];
	struct mtt_hits		*hits[MTT_MANY];
	unsigned int		irqs[MTT_MANY];
	u32			labels[MTT_MANY];
};

static struct mtt_many *mtt_alloc_many(struct kunit *test)
{
	struct mtt_many *many = kunit_kzalloc(test, sizeof(*many), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, many);
	for (unsigned int i = 0; i < MTT_MANY; i++) {
		many->vectors[i] = mtt_alloc(test, 3 * i);
		many->hits[i] = mtt_request(test, many->vectors[i]);
		many->irqs[i] = msi_vector_irq(many->vectors[i]);
		many->labels[i] = 3 * i;
	}
	return many;
}

static void mtt_expect_many_gone(struct kunit *test, const struct mtt_many *many)
{
	mtt_expect_gone(test, many->irqs, many->labels, MTT_MANY);
}

static void free_vector_frees_handler(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector;
	const u32 label = 2;
	unsigned int irq;

	vector = mtt_alloc(test, label);
	irq = msi_vector_irq(vector);
	mtt_request(test, vector);
	kunit_warning_suppress(test) {
		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	mtt_expect_gone(test, &irq, &label, 1);
}

static void free_vector_without_handler(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector;
	const u32 label = 2;
	unsigned int irq;

	vector = mtt_alloc(test, label);
	irq = msi_vector_irq(vector);
	msi_table_free_vector(ctx->table, vector);
	mtt_expect_gone(test, &irq, &label, 1);
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(mtt_slot(test, label).msg));
}

static void mtt_free_in_order(struct kunit *test, const unsigned int *order)
{
	struct mtt_many *many = mtt_alloc_many(test);
	struct mtt_ctx *ctx = test->priv;

	for (unsigned int i = 0; i < MTT_MANY; i++) {
		msi_table_free_vector(ctx->table, many->vectors[order[i]]);
		mtt_expect_unused(test, many->irqs[order[i]]);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), MTT_MANY - 1 - i);
		KUNIT_EXPECT_FALSE(test, mtt_irq_exists(many->irqs[order[i]]));
		/* Those which are left still work. */
		for (unsigned int j = i + 1; j < MTT_MANY; j++)
			mtt_expect_delivery(test, many->labels[order[j]], many->hits[order[j]]);
	}
	mtt_expect_many_gone(test, many);
}

/* Refused as a whole: each of the vectors is as it was, and of use. */
static void free_vectors_refused(struct kunit *test, struct msi_table *table,
				 struct msi_vector **vectors, unsigned int n,
				 const struct mtt_many *many)
{
	kunit_warning_suppress(test) {
		msi_table_free_vectors(table, vectors, n);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	for (unsigned int i = 0; i < MTT_MANY; i++) {
		KUNIT_EXPECT_EQ(test, msi_vector_irq(many->vectors[i]), many->irqs[i]);
		mtt_expect_delivery(test, many->labels[i], many->hits[i]);
	}
}

static void free_vector_twice_at_once(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_many *many = mtt_alloc_many(test);
	struct msi_vector *twice[] = {
		many->vectors[0], many->vectors[1], many->vectors[2], many->vectors[1],
	};

	free_vectors_refused(test, ctx->table, twice, ARRAY_SIZE(twice), many);

	msi_table_free_vectors(ctx->table, many->vectors, MTT_MANY);
	mtt_expect_many_gone(test, many);
}

static void free_vector_of_another_table(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_many *many = mtt_alloc_many(test);
	struct msi_table_info info = mtt_info(ctx);
	struct msi_vector *mixed[2];
	struct msi_table *other;

	info.name = "other";
	other = msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	mixed[0] = msi_table_alloc_vector(other, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mixed[0]);
	mixed[1] = many->vectors[0];

	free_vectors_refused(test, other, mixed, ARRAY_SIZE(mixed), many);
	free_vectors_refused(test, ctx->table, mixed, ARRAY_SIZE(mixed), many);
	free_vectors_refused(test, other, &mixed[1], 1, many);

	msi_table_free_vector(other, mixed[0]);
	msi_table_free(other);
	msi_table_free_vectors(ctx->table, many->vectors, MTT_MANY);
	mtt_expect_many_gone(test, many);
}

static void free_in_any_order(struct kunit *test)
{
	unsigned int order[MTT_MANY];
	struct rnd_state rnd;

	mtt_create(test, MTT_SIZE);
	for (unsigned int i = 0; i < MTT_MANY; i++)
		order[i] = i;
	mtt_free_in_order(test, order);
	for (unsigned int i = 0; i < MTT_MANY; i++)
		order[i] = MTT_MANY - 1 - i;
	mtt_free_in_order(test, order);

	prandom_seed_state(&rnd, 20211202);
	for (unsigned int round = 0; round < 8; round++) {
		for (unsigned int i = MTT_MANY - 1; i; i--) {
			unsigned int j = prandom_u32_state(&rnd) % (i + 1);

			swap(order[i], order[j]);
		}
		mtt_free_in_order(test, order);
	}
}

static void free_table_with_vectors(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_many *many = mtt_alloc_many(test);
	unsigned int calls;

	kunit_warning_suppress(test) {
		msi_table_free(ctx->table);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	mtt_expect_many_gone(test, many);

	calls = msi_fake_store_calls(ctx->store);
	mtt_unbind(test);
	KUNIT_EXPECT_EQ(test, msi_fake_store_calls(ctx->store), calls);
}

static void free_empty_table(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	msi_table_free(ctx->table);
	KUNIT_EXPECT_EQ(test, msi_fake_store_calls(ctx->store), 0);
	mtt_expect_creatable(test);
}

static void free_table_by_scope(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	{
		struct msi_table *table __free(msi_table) = msi_allocate_table(ctx->dev, &info);

		KUNIT_EXPECT_NOT_ERR_OR_NULL(test, table);
		KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EEXIST);
	}
	mtt_expect_creatable(test);
}

static void unbind_frees_table(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_many *many = mtt_alloc_many(test);
	struct msi_msg msg;

	KUNIT_ASSERT_EQ(test, msi_vector_get_msg(many->vectors[0], &msg), 0);
	kunit_warning_suppress(test) {
		mtt_unbind(test);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	mtt_expect_many_gone(test, many);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &msg), -ENOENT);
	KUNIT_EXPECT_EQ(test, atomic_read(&many->hits[0]->hard), 0);
}

static void unbind_frees_all_tables(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_table_info info = mtt_info(ctx);
	struct mtt_many *many = mtt_alloc_many(test);
	struct msi_table *other;

	info.name = "other";
	info.data = mtt_new_store(test);
	other = msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, msi_table_alloc_vector(other, 0));
	mtt_unbind(test);
	mtt_expect_many_gone(test, many);
	KUNIT_EXPECT_EQ(test, msi_fake_store_bad_context(info.data), 0);
}

static void mtt_free_table_action(void *table)
{
	msi_table_free(table);
}

/* While the device is unbound the table's own resource is out of reach. */
static void unbind_runs_action_which_frees(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_many *many = mtt_alloc_many(test);

	KUNIT_ASSERT_EQ(test, 0, devm_add_action_or_reset(ctx->dev, mtt_free_table_action,
							  ctx->table));
	mtt_unbind(test);
	mtt_expect_many_gone(test, many);
}

static void mtt_free_vector_action(void *vector)
{
	msi_table_free_vector(msi_vector_table(vector), vector);
}

static void unbind_runs_action_which_frees_vector(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_many *many = mtt_alloc_many(test);

	KUNIT_ASSERT_EQ(test, 0, devm_add_action_or_reset(ctx->dev, mtt_free_vector_action,
							  many->vectors[3]));
	mtt_unbind(test);
	mtt_expect_many_gone(test, many);
}

/**
 * struct mtt_older - Something of the driver's which a table may need
 * @parent:	Parent of the table
 * @live:	Interrupts which were left when this was taken down
 */
struct mtt_older {
	struct msi_fake_parent	*parent;
	int			live;
};

static void mtt_older_action(void *data)
{
	struct mtt_older *older = data;

	older->live = msi_fake_parent_live(older->parent);
}

/* What the driver set up before the table is taken down after it. */
static void unbind_frees_table_before_older_resources(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct mtt_older older = {
		.parent	= ctx->parent,
		.live	= -1,
	};
	struct mtt_many *many;

	KUNIT_ASSERT_EQ(test, 0, devm_add_action_or_reset(ctx->dev, mtt_older_action, &older));
	mtt_create(test, MTT_SIZE);
	many = mtt_alloc_many(test);
	mtt_unbind(test);
	KUNIT_EXPECT_EQ(test, older.live, 0);
	mtt_expect_many_gone(test, many);
}

/* Handlers which nobody frees are freed with the vector, as loud as that. */
static void foreign_handler_on_vector(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_hits *hits[2] = { mtt_new_hits(test), mtt_new_hits(test) };
	struct msi_vector *vector = mtt_alloc(test, 3);
	unsigned int irq = msi_vector_irq(vector);
	static const u32 label = 3;
	int counts[2];

	for (unsigned int i = 0; i < 2; i++)
		KUNIT_ASSERT_EQ(test, 0, request_irq(irq, mtt_handler, IRQF_SHARED,
						     "left behind", hits[i]));
	kunit_warning_suppress(test) {
		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	mtt_expect_gone(test, &irq, &label, 1);
	/* With CONFIG_DEBUG_SHIRQ free_irq() calls a shared handler. */
	for (unsigned int i = 0; i < 2; i++)
		counts[i] = atomic_read(&hits[i]->hard);

	vector = mtt_alloc(test, 3);
	mtt_expect_delivery(test, 3, mtt_request(test, vector));
	for (unsigned int i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, atomic_read(&hits[i]->hard), counts[i]);
}

static void free_flow_handler(struct irq_desc *desc) { }

static void foreign_handler_chained(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 3);
	unsigned int irq = msi_vector_irq(vector);
	static const u32 label = 3;

	irq_set_chained_handler(irq, free_flow_handler);
	kunit_warning_suppress(test) {
		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	mtt_expect_gone(test, &irq, &label, 1);
	mtt_expect_delivery(test, 3, mtt_request(test, mtt_alloc(test, 3)));
}

static void foreign_handler_on_table(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_many *many = mtt_alloc_many(test);
	struct msi_vector *vector = mtt_alloc(test, 1);
	unsigned int irq = msi_vector_irq(vector);
	static const u32 label = 1;

	mtt_request_behind(test, vector);
	kunit_warning_suppress(test) {
		msi_table_free(ctx->table);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	mtt_expect_many_gone(test, many);
	mtt_expect_gone(test, &irq, &label, 1);
}

static void foreign_handler_on_device(struct kunit *test)
{
	struct mtt_many *many;
	struct msi_vector *vector;
	static const u32 label = 1;
	unsigned int irq;

	mtt_create(test, MTT_SIZE);
	many = mtt_alloc_many(test);
	vector = mtt_alloc(test, 1);
	irq = msi_vector_irq(vector);
	mtt_request_behind(test, vector);
	kunit_warning_suppress(test) {
		mtt_unbind(test);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	mtt_expect_many_gone(test, many);
	mtt_expect_gone(test, &irq, &label, 1);
}

static struct kunit_case mtt_free_cases[] = {
	KUNIT_CASE_PARAM(free_vector_frees_handler, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(free_vector_without_handler, mtt_variant_gen_params),
	KUNIT_CASE(free_vector_twice_at_once),
	KUNIT_CASE(free_vector_of_another_table),
	KUNIT_CASE(free_in_any_order),
	KUNIT_CASE_PARAM(free_table_with_vectors, mtt_variant_gen_params),
	KUNIT_CASE(free_empty_table),
	KUNIT_CASE(free_table_by_scope),
	KUNIT_CASE_PARAM(unbind_frees_table, mtt_variant_gen_params),
	KUNIT_CASE(unbind_frees_all_tables),
	KUNIT_CASE(unbind_runs_action_which_frees),
	KUNIT_CASE(unbind_runs_action_which_frees_vector),
	KUNIT_CASE(unbind_frees_table_before_older_resources),
	KUNIT_CASE_PARAM(foreign_handler_on_vector, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(foreign_handler_chained, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(foreign_handler_on_table, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(foreign_handler_on_device, mtt_variant_gen_params),
	{ }
};

static struct kunit_suite mtt_free_suite = {
	.name		= "msi_table_free",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_free_cases,
};

kunit_test_suite(mtt_free_suite);
