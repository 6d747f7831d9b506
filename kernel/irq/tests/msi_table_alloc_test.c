// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: allocating single vectors
 */
#include <linux/array_size.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/irqdomain.h>
#include <linux/limits.h>
#include <linux/tracepoint.h>

#include <trace/events/msi_table.h>

#include "msi_table_test.h"

KUNIT_ARRAY_PARAM_DESC(mtt_variant, mtt_variants, name);

static void alloc_by_label(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	KUNIT_EXPECT_EQ(test, msi_vector_label(mtt_alloc(test, 7)), 7);
	KUNIT_EXPECT_EQ(test, msi_vector_label(mtt_alloc(test, 0)), 0);
	KUNIT_EXPECT_EQ(test, msi_vector_label(mtt_alloc(test, MTT_SIZE - 1)), MTT_SIZE - 1);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 3);
}

static void alloc_range_lowest_first(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector;

	mtt_alloc(test, 4);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 3, 6), 3);
	vector = msi_table_alloc_vector_range(ctx->table, 3, 6);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	KUNIT_EXPECT_EQ(test, msi_vector_label(vector), 5);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 3, 6), 6);

	/* What is freed is taken again. */
	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 3, 6), 5);
}

static void alloc_open_range(struct kunit *test)
{
	mtt_create(test, 4);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 2, MSI_LABEL_ANY), 2);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 2, MSI_LABEL_ANY), 3);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 2, MSI_LABEL_ANY), -ENOSPC);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), 0);
}

static void alloc_any(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *second;

	mtt_alloc(test, MSI_LABEL_ANY);
	second = mtt_alloc(test, MSI_LABEL_ANY);
	KUNIT_EXPECT_EQ(test, msi_vector_label(second), 1);
	KUNIT_EXPECT_EQ(test, msi_vector_label(mtt_alloc(test, MSI_LABEL_ANY)), 2);
	msi_table_free_vector(ctx->table, second);
	KUNIT_EXPECT_EQ(test, msi_vector_label(mtt_alloc(test, MSI_LABEL_ANY)), 1);
}

static void alloc_taken_label(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector;
	struct mtt_hits *hits;

	vector = mtt_alloc(test, 7);
	hits = mtt_request(test, vector);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 7, 7), -EBUSY);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 1);
	KUNIT_EXPECT_EQ(test, mtt_slot(test, 7).inits, 1);
	mtt_expect_delivery(test, 7, hits);

	msi_table_free_vector(ctx->table, vector);
	mtt_alloc(test, 7);
}

static void alloc_out_of_range(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, MTT_SIZE, MTT_SIZE), -ERANGE);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 0, MTT_SIZE), -ERANGE);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 5, 4), -ERANGE);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, MTT_SIZE, MSI_LABEL_ANY), -ERANGE);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 0, MSI_LABEL_ANY - 1), -ERANGE);
	KUNIT_EXPECT_EQ(test, msi_fake_store_calls(ctx->store), 0);
}

static void alloc_full_range(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector;

	mtt_alloc(test, 3);
	vector = mtt_alloc(test, 4);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 3, 4), -ENOSPC);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 2);

	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 3, 4), 4);
}

static void alloc_full_table(struct kunit *test)
{
	mtt_create(test, 2);
	mtt_alloc(test, MSI_LABEL_ANY);
	mtt_alloc(test, MSI_LABEL_ANY);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 0, MSI_LABEL_ANY), -ENOSPC);
}

static void alloc_parent_exhausted(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_fake_parent *parent = mtt_new_parent(test, 3, ctx->variant->parent_flags);
	struct msi_table_info info = mtt_info(ctx);
	struct msi_vector *vector;

	info.parent = msi_fake_parent_domain(parent);
	ctx->table = msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->table);

	mtt_alloc(test, MSI_LABEL_ANY);
	mtt_alloc(test, MSI_LABEL_ANY);
	vector = mtt_alloc(test, MSI_LABEL_ANY);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 9, 9), -ENOSPC);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(parent), 3);

	/* The label is not lost, nor is the parent's vector. */
	msi_table_free_vector(ctx->table, vector);
	mtt_alloc(test, 9);
	mtt_unbind(test);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(parent), 0);
}

/* Every allocation fails once, and then succeeds as if nothing had been. */
static void alloc_parent_fails(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	for (unsigned int i = 0; i < 8; i++) {
		msi_fake_parent_fail_nth(ctx->parent, 1);
		KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 0, MSI_LABEL_ANY), -ENOSPC);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 2 * i);
		KUNIT_EXPECT_FALSE(test, mtt_slot(test, i).inited);
		KUNIT_EXPECT_EQ(test, mtt_slot(test, i).exits, 1);
		KUNIT_EXPECT_EQ(test, mtt_slot(test, i).writes, 0);

		KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), i);
		mtt_expect_delivery(test, 16 + i, mtt_request(test, mtt_alloc(test, 16 + i)));
	}
}

static void alloc_init_vector_fails(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_fake_slot slot;

	msi_fake_store_fail_nth(ctx->store, 2);
	mtt_alloc(test, 5);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 6, 6), -EIO);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 1);
	/* What was not set up is not taken down. */
	KUNIT_EXPECT_EQ(test, msi_fake_store_read(ctx->store, 6, &slot), -ENOENT);
	KUNIT_EXPECT_EQ(test, msi_fake_store_bad_context(ctx->store), 0);

	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 6, 7), 6);
	KUNIT_EXPECT_EQ(test, mtt_slot(test, 6).inits, 1);
}

static int alloc_init_error;

static int alloc_init_vector(struct msi_vector *vector)
{
	return alloc_init_error;
}

/* The store's error is the driver's, if it is one. */
static void alloc_init_vector_errors(struct kunit *test)
{
	static const int errors[][2] = {
		{ -ENXIO, -ENXIO }, { -EPERM, -EPERM }, { -MAX_ERRNO, -MAX_ERRNO },
		{ -MAX_ERRNO - 1, -EIO }, { 1, -EIO }, { INT_MIN, -EIO },
	};
	struct mtt_ctx *ctx = test->priv;

	ctx->ops.init_vector = alloc_init_vector;
	ctx->ops.exit_vector = NULL;
	mtt_create(test, MTT_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		alloc_init_error = errors[i][0];
		KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 6, 6), errors[i][1]);
	}
	mtt_expect_empty(test);
}

static unsigned int alloc_asked;
static int alloc_parent_error;

/* Fails once */
static int alloc_failing(struct irq_domain *domain, unsigned int virq, unsigned int n, void *arg)
{
	int error = alloc_parent_error;

	alloc_asked++;
	alloc_parent_error = 0;
	return error ? : mtt_parent_ops->alloc(domain, virq, n, arg);
}

static const struct irq_domain_ops alloc_failing_ops = { .alloc = alloc_failing };

/* It is taken for one which can not do more at a time only where that may be the reason. */
static void alloc_errors_of_parent(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	static const int errors[] = { -ENOSPC, -ENOMEM, -EINVAL };

	mtt_replace_ops(ctx->parent, &alloc_failing_ops);
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		struct mtt_batch *batch;

		/* Nobody has anything that could be given back. */
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
		alloc_asked = 0;
		alloc_parent_error = errors[i];
		KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 3, 3), errors[i]);
		KUNIT_EXPECT_EQ(test, alloc_asked, 1);

		/* One by one there may be enough. */
		alloc_asked = 0;
		alloc_parent_error = errors[i];
		batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
		KUNIT_EXPECT_EQ(test, alloc_asked, 1 + 8);
		mtt_batch_free(test, batch);
		mtt_batch_expect_gone(test, batch);

		alloc_asked = 0;
		batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
		KUNIT_EXPECT_EQ(test, alloc_asked, errors[i] == -EINVAL ? 8 : 1);
		mtt_batch_free(test, batch);
		mtt_batch_expect_gone(test, batch);
	}
}

static void mtt_null_write_msg(struct msi_vector *vector, const struct msi_msg *msg) { }

static void mtt_null_clear_msg(struct msi_vector *vector) { }

/* A store need not have anything to prepare. */
static void alloc_without_init_vector(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_msg msg;
	struct msi_vector *vector;
	struct mtt_hits *hits;

	ctx->ops = (struct msi_table_ops) {
		.write_msg	= mtt_null_write_msg,
		.clear_msg	= mtt_null_clear_msg,
	};
	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 1);
	hits = mtt_request(test, vector);
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), 0);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &msg), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 1);
}

static void alloc_accessors(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector_request req = {
		.lowest		= 9,
		.highest	= 9,
		.cookie		= &req,
	};
	struct msi_vector *vector;

	vector = msi_table_alloc_vector_req(ctx->table, &req);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	KUNIT_EXPECT_EQ(test, msi_vector_label(vector), 9);
	KUNIT_EXPECT_PTR_EQ(test, msi_vector_cookie(vector), &req);
	KUNIT_EXPECT_PTR_EQ(test, msi_vector_table(vector), ctx->table);
	KUNIT_EXPECT_TRUE(test, mtt_irq_exists(msi_vector_irq(vector)));
	KUNIT_EXPECT_NULL(test, msi_vector_cookie(mtt_alloc(test, 10)));
}

/* The store finds the queue which the message is for before it writes it. */
static void alloc_cookie_in_init_vector(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector_request req = {
		.highest	= MSI_LABEL_ANY,
		.cookie		= &req,
	};

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, msi_table_alloc_vector_req(ctx->table, &req));
	KUNIT_EXPECT_PTR_EQ(test, mtt_slot(test, 0).cookie, &req);
}

static void alloc_large_labels(struct kunit *test)
{
	static const u32 labels[] = { 0, 65535, 65536, 65537, (1 << 20) - 1 };
	struct msi_vector *vectors[ARRAY_SIZE(labels)];
	struct mtt_hits *hits[ARRAY_SIZE(labels)];
	struct mtt_ctx *ctx = mtt_create(test, 1 << 20);

	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++) {
		vectors[i] = mtt_alloc(test, labels[i]);
		KUNIT_EXPECT_EQ(test, msi_vector_label(vectors[i]), labels[i]);
		hits[i] = mtt_request(test, vectors[i]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++) {
		mtt_expect_delivery(test, labels[i], hits[i]);
		KUNIT_EXPECT_EQ(test, atomic_read(&hits[i]->hard), 1);
	}
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 1 << 20, 1 << 20), -ERANGE);

	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++)
		msi_table_free_vector(ctx->table, vectors[i]);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 65536, MSI_LABEL_ANY), 65536);
}

static void alloc_without_index(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, 0);
	struct mtt_hits *hits;

	KUNIT_EXPECT_EQ(test, msi_table_size(ctx->table), 0);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), 0);
	hits = mtt_request(test, mtt_alloc(test, 5000000));
	mtt_expect_delivery(test, 5000000, hits);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 5000000, MSI_LABEL_ANY), 5000001);
	hits = mtt_request(test, mtt_alloc(test, MSI_LABEL_ANY - 1));
	mtt_expect_delivery(test, MSI_LABEL_ANY - 1, hits);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, MSI_LABEL_ANY - 1, MSI_LABEL_ANY), -EBUSY);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), 1);
}

static void alloc_from_two_tables(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_fake_store *other_store = mtt_new_store(test);
	struct msi_table_info info = mtt_info(ctx);
	struct msi_vector *vector, *other_vector;
	struct mtt_hits *hits, *other_hits;
	struct msi_table *other;

	info.name = "other";
	info.data = other_store;
	other = msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);

	/* One label, two tables, two interrupts */
	vector = mtt_alloc(test, 5);
	hits = mtt_request(test, vector);
	other_vector = msi_table_alloc_vector(other, 5);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other_vector);
	other_hits = mtt_request(test, other_vector);
	KUNIT_EXPECT_NE(test, msi_vector_irq(vector), msi_vector_irq(other_vector));

	mtt_expect_delivery(test, 5, hits);
	KUNIT_EXPECT_EQ(test, atomic_read(&other_hits->hard), 0);
	KUNIT_EXPECT_EQ(test, msi_fake_store_fire(other_store, ctx->parent, 5), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&other_hits->hard), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 1);
	KUNIT_EXPECT_PTR_EQ(test, dev_get_msi_domain(ctx->dev),
			    msi_fake_parent_domain(ctx->parent));

	msi_table_free(ctx->table);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 1);
	KUNIT_EXPECT_EQ(test, msi_fake_store_fire(other_store, ctx->parent, 5), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&other_hits->hard), 2);

	mtt_unbind(test);
	KUNIT_EXPECT_EQ(test, msi_fake_store_bad_context(other_store), 0);
}

static void alloc_find(struct kunit *test)
{
	static const u32 labels[] = { 0, 7, 8, MTT_SIZE - 1 };
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vectors[ARRAY_SIZE(labels)], *vector;
	unsigned int n = 0;

	KUNIT_EXPECT_NULL(test, msi_table_next(ctx->table, NULL));
	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++)
		vectors[i] = mtt_alloc(test, labels[i]);
	/* What was freed is not there. */
	msi_table_free_vector(ctx->table, mtt_alloc(test, 3));
	msi_table_free_vector(ctx->table, mtt_alloc(test, 9));

	for (u32 label = 0; label < MTT_SIZE + 2; label++) {
		vector = msi_table_find(ctx->table, label);
		if (n < ARRAY_SIZE(labels) && label == labels[n])
			KUNIT_EXPECT_PTR_EQ(test, vector, vectors[n++]);
		else
			KUNIT_EXPECT_NULL(test, vector);
	}
	KUNIT_EXPECT_EQ(test, n, ARRAY_SIZE(labels));

	n = 0;
	msi_table_for_each(ctx->table, vector)
		KUNIT_EXPECT_PTR_EQ(test, vector, vectors[n++]);
	KUNIT_EXPECT_EQ(test, n, ARRAY_SIZE(labels));
}

/* More than go at a time, with and without handlers; the table is as good as new. */
static void alloc_free_all(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_CAPACITY);

	for (int i = 0; i < 2; i++) {
		for (u32 label = 0; label < MTT_CAPACITY; label++) {
			struct msi_vector *vector = mtt_alloc(test, label);

			if (label % 3)
				mtt_request(test, vector);
		}
		msi_table_free_all(ctx->table);
		mtt_expect_empty(test);
		for (u32 label = 0; label < MTT_CAPACITY; label++)
			KUNIT_EXPECT_EQ(test, mtt_fire(test, label), -EAGAIN);
	}
	msi_table_free_all(ctx->table);
	mtt_expect_delivery(test, 5, mtt_request(test, mtt_alloc(test, 5)));
}

static void alloc_scoped(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	{
		struct msi_vector *vector __free(msi_vector) =
			msi_table_alloc_vector(ctx->table, 1);
		struct msi_vector *none __free(msi_vector) = msi_table_alloc_vector(ctx->table, 1);

		KUNIT_EXPECT_PTR_EQ(test, vector, msi_table_find(ctx->table, 1));
		KUNIT_EXPECT_PTR_EQ(test, none, ERR_PTR(-EBUSY));
	}
	mtt_expect_empty(test);
}

static void alloc_kind(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	KUNIT_EXPECT_EQ(test, msi_table_kind(ctx->table), 0);
	KUNIT_EXPECT_TRUE(test, msi_table_is_dynamic(ctx->table));
	KUNIT_EXPECT_EQ(test, msi_table_enable(ctx->table, 1), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, msi_table_enable(ctx->table, 0), -EINVAL);
}

static void alloc_shows_in_sysfs(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector;
	unsigned int irq;

	if (!IS_ENABLED(CONFIG_SYSFS))
		kunit_skip(test, "needs sysfs");

	vector = mtt_alloc(test, 1);
	irq = msi_vector_irq(vector);
	KUNIT_EXPECT_TRUE(test, mtt_in_sysfs(ctx->dev, irq));
	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_FALSE(test, mtt_in_sysfs(ctx->dev, irq));
}

/**
 * struct alloc_trace - What the tracepoints told of one table
 * @table:	The table
 * @labels:	How often there were too few labels
 * @parent:	How often the parent had too few
 * @requested:	How many handlers were installed
 * @refused:	How many were not
 * @freed:	How many vectors were freed
 */
struct alloc_trace {
	struct msi_table	*table;
	unsigned int		labels;
	unsigned int		parent;
	unsigned int		requested;
	unsigned int		refused;
	unsigned int		freed;
};

static void alloc_trace_failed(void *data, const struct msi_table *table,
			       const struct msi_vector_request *req, unsigned int min,
			       bool parent, int error)
{
	struct alloc_trace *trace = data;

	if (table != trace->table || error != -ENOSPC)
		return;
	trace->parent += parent;
	trace->labels += !parent;
}

static void alloc_trace_request(void *data, const struct msi_vector *vector, int error)
{
	struct alloc_trace *trace = data;

	if (vector->table != trace->table)
		return;
	trace->requested += !error;
	trace->refused += error == -ENOSPC;
}

static void alloc_trace_free(void *data, const struct msi_vector *vector)
{
	struct alloc_trace *trace = data;

	trace->freed += vector->table == trace->table;
}

static void alloc_trace_end(void *data)
{
	unregister_trace_msi_vector_free(alloc_trace_free, data);
	unregister_trace_msi_vector_alloc_failed(alloc_trace_failed, data);
	unregister_trace_msi_vector_request(alloc_trace_request, data);
	tracepoint_synchronize_unregister();
}

/* The same error for what was missing: labels, something of the parent, or CPU vectors */
static void alloc_tells_what_is_missing(struct kunit *test)
{
	struct alloc_trace *trace = kunit_kzalloc(test, sizeof(*trace), GFP_KERNEL);
	struct irq_affinity_desc *affinity = kunit_kzalloc(test, sizeof(*affinity), GFP_KERNEL);
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY, .affinity = affinity };
	struct mtt_ctx *ctx = mtt_create_on(test, 4, 3, 0);
	struct msi_vector *vector;

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "needs CONFIG_TRACEPOINTS");
	KUNIT_ASSERT_NOT_NULL(test, trace);
	KUNIT_ASSERT_NOT_NULL(test, affinity);
	trace->table = ctx->table;
	KUNIT_ASSERT_EQ(test, 0, register_trace_msi_vector_alloc_failed(alloc_trace_failed, trace));
	KUNIT_ASSERT_EQ(test, 0, register_trace_msi_vector_request(alloc_trace_request, trace));
	KUNIT_ASSERT_EQ(test, 0, register_trace_msi_vector_free(alloc_trace_free, trace));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, alloc_trace_end, trace));

	vector = mtt_alloc(test, 0);
	mtt_alloc(test, 1);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 0, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, trace->labels, 1);
	mtt_alloc(test, 2);
	KUNIT_EXPECT_EQ(test, trace->parent, 0);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 0, MSI_LABEL_ANY), -ENOSPC);
	KUNIT_EXPECT_EQ(test, trace->parent, 1);
	KUNIT_EXPECT_EQ(test, trace->labels, 1);

	msi_fake_parent_fail_activate_nth(ctx->parent, 1);
	KUNIT_EXPECT_EQ(test, -ENOSPC, msi_vector_request_irq(vector, mtt_handler, NULL, 0,
							      test, "mtt"));
	KUNIT_EXPECT_EQ(test, trace->refused, 1);
	mtt_request(test, vector);
	KUNIT_EXPECT_EQ(test, trace->requested, 1);
	KUNIT_EXPECT_EQ(test, trace->refused, 1);

	/* Once, whether its interrupt may be used again or not */
	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_EQ(test, trace->freed, 1);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 2);
	KUNIT_EXPECT_EQ(test, trace->freed, 1);
	cpumask_copy(&affinity->mask, cpu_online_mask);
	vector = msi_table_alloc_vector_req(ctx->table, &req);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_EQ(test, trace->freed, 2);
}

static struct kunit_case mtt_alloc_cases[] = {
	KUNIT_CASE(alloc_by_label),
	KUNIT_CASE(alloc_range_lowest_first),
	KUNIT_CASE(alloc_open_range),
	KUNIT_CASE(alloc_any),
	KUNIT_CASE(alloc_taken_label),
	KUNIT_CASE(alloc_out_of_range),
	KUNIT_CASE(alloc_full_range),
	KUNIT_CASE(alloc_full_table),
	KUNIT_CASE(alloc_parent_exhausted),
	KUNIT_CASE_PARAM(alloc_parent_fails, mtt_variant_gen_params),
	KUNIT_CASE(alloc_init_vector_fails),
	KUNIT_CASE(alloc_init_vector_errors),
	KUNIT_CASE(alloc_errors_of_parent),
	KUNIT_CASE(alloc_without_init_vector),
	KUNIT_CASE(alloc_accessors),
	KUNIT_CASE(alloc_cookie_in_init_vector),
	KUNIT_CASE_PARAM(alloc_large_labels, mtt_variant_gen_params),
	KUNIT_CASE(alloc_without_index),
	KUNIT_CASE(alloc_from_two_tables),
	KUNIT_CASE(alloc_find),
	KUNIT_CASE(alloc_free_all),
	KUNIT_CASE(alloc_scoped),
	KUNIT_CASE(alloc_kind),
	KUNIT_CASE(alloc_shows_in_sysfs),
	KUNIT_CASE(alloc_tells_what_is_missing),
	{ }
};

static struct kunit_suite mtt_alloc_suite = {
	.name		= "msi_table_alloc",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_alloc_cases,
};

kunit_test_suite(mtt_alloc_suite);
