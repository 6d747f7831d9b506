// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for failures inside the operations of MSI tables, on a fake parent
 *
 * msi_table_fail.h says how, and what has to be done to make memory fail.
 */
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/msi.h>

#include <kunit/device.h>
#include <kunit/msi_table.h>
#include <kunit/test.h>

#include "msi_table_fail.h"
#include "msi_table_test.h"

#define FAIL_CAPACITY	64
#define FAIL_SIZE	128
#define FAIL_BATCH	5
/* Takes more than one node of a radix tree */
#define FAIL_HIGH	100

/* Registers of an entry in MMIO: lower and upper address, data, mask */
#define FAIL_NR_REGS	4

/**
 * struct fail_variant - A kind of store on a kind of parent
 * @name:		Shown in the test results
 * @ops:		Operations of the store, or NULL for one in MMIO
 * @parent_flags:	For msi_fake_parent_create()
 */
struct fail_variant {
	const char			*name;
	const struct msi_table_ops	*ops;
	unsigned int			parent_flags;
};

static const struct fail_variant fail_variants[] = {
	{
		.name		= "mask and clear",
		.ops		= &msi_fake_store_ops,
	}, {
		.name		= "clear, one at a time",
		.ops		= &msi_fake_store_ops_nomask,
		.parent_flags	= MSI_FAKE_SINGLE,
	}, {
		.name		= "slow bus, parent masks",
		.ops		= &msi_fake_store_ops_slow,
		.parent_flags	= MSI_FAKE_IMMUTABLE | MSI_FAKE_MASK_PARENT,
	}, {
		.name		= "MMIO",
	},
};

/**
 * struct fail_param - What a test runs
 * @op:		The operation
 * @variant:	Its store
 */
struct fail_param {
	const struct msi_fail_op	*op;
	const struct fail_variant	*variant;
};

/**
 * struct fail_ctx - What every test starts with
 * @ops:	Operations of the store, with an init_vector which fails
 * @mmio:	Layout of @regs
 * @regs:	The store, if it is one in MMIO
 * @info:	For msi_allocate_table()
 * @parent:	MSI parent of the devices
 * @store:	The store, if it is none in MMIO
 * @bound:	A device which is bound all the time
 * @dev:	@bound, or one which is bound for the operation
 * @table:	Table of @dev, or NULL
 * @vectors:	Vectors of @table
 * @n:		How many of @vectors the operation has allocated
 * @watcher:	Watches the first vector, if an operation says so
 */
struct fail_ctx {
	struct msi_table_ops	ops;
	struct msi_mmio_layout	mmio;
	u32			regs[FAIL_SIZE][FAIL_NR_REGS];
	struct msi_table_info	info;
	struct msi_fake_parent	*parent;
	struct msi_fake_store	*store;
	struct device		*bound;
	struct device		*dev;
	struct msi_table	*table;
	struct msi_vector	*vectors[FAIL_BATCH];
	unsigned int		n;
	struct msi_watcher	watcher;
};

/* What fails in the parent and in the store, and when */

enum { FAIL_PARENT, FAIL_ACTIVATION, FAIL_CALLBACK, FAIL_DOMAIN, FAIL_NR };

static unsigned int fail_nth[FAIL_NR];

static const struct msi_fail_source fail_sources[] = {
	[FAIL_PARENT]		= { "parent", &fail_nth[FAIL_PARENT], { -ENOSPC } },
	[FAIL_ACTIVATION]	= { "activation", &fail_nth[FAIL_ACTIVATION], { -ENOSPC } },
	[FAIL_CALLBACK]		= { "callback", &fail_nth[FAIL_CALLBACK], { -EIO } },
	[FAIL_DOMAIN]		= { "domain", &fail_nth[FAIL_DOMAIN], { -EOPNOTSUPP, -ENOSPC } },
};

static const struct msi_parent_ops *fail_orig_parent_ops;
static struct msi_parent_ops fail_parent_ops;

static bool fail_now(unsigned int source)
{
	return fail_nth[source] && !--fail_nth[source];
}

static int fail_alloc(struct irq_domain *domain, unsigned int virq, unsigned int n, void *arg)
{
	return fail_now(FAIL_PARENT) ? -ENOSPC : mtt_parent_ops->alloc(domain, virq, n, arg);
}

static int fail_activate(struct irq_domain *domain, struct irq_data *data, bool reserve)
{
	if (!reserve && fail_now(FAIL_ACTIVATION))
		return -ENOSPC;
	return mtt_parent_ops->activate(domain, data, reserve);
}

static const struct irq_domain_ops fail_domain_ops = {
	.alloc		= fail_alloc,
	.activate	= fail_activate,
};

static int fail_prepare(struct irq_domain *domain, struct device *dev, int n,
			msi_alloc_info_t *arg)
{
	*arg = (msi_alloc_info_t) { };
	return fail_now(FAIL_DOMAIN) ? -ENOSPC : 0;
}

static bool fail_init_dev_msi_info(struct device *dev, struct irq_domain *domain,
				   struct irq_domain *parent, struct msi_domain_info *info)
{
	if (fail_now(FAIL_DOMAIN))
		return false;

	info->ops->msi_prepare = fail_prepare;
	return fail_orig_parent_ops->init_dev_msi_info(dev, domain, parent, info);
}

static int fail_init_vector(struct msi_vector *vector)
{
	return fail_now(FAIL_CALLBACK) ? -EIO : msi_fake_store_ops.init_vector(vector);
}

static void fail_read(struct kunit *test, struct msi_fail_state *state)
{
	struct fail_ctx *ctx = test->priv;
	struct msi_fake_slot slot;

	*state = (struct msi_fail_state) {
		.count	= {
			[MSI_FAIL_IRQS]		= msi_fail_irqs(),
			[MSI_FAIL_SYSFS]	= msi_fail_sysfs(ctx->dev),
			[MSI_FAIL_LABELS]	= msi_fail_labels(ctx->table),
			[MSI_FAIL_PARENT]	= msi_fake_parent_live(ctx->parent),
			[MSI_FAIL_SLOTS]	= ctx->info.mmio ? -1 : 0,
		},
		.domain	= dev_get_msi_domain(ctx->dev),
	};

	for (u32 label = 0; label < FAIL_SIZE; label++) {
		state->messages += !!memchr_inv(ctx->regs[label], 0, 3 * sizeof(u32));
		if (msi_fake_store_read(ctx->store, label, &slot))
			continue;
		state->count[MSI_FAIL_SLOTS] += slot.inits - slot.exits;
		state->messages += msi_msg_address(&slot.msg) || slot.msg.data;
	}
}

/* The operations, and what they build upon */

static irqreturn_t fail_handler(int irq, void *dev_id)
{
	return IRQ_HANDLED;
}

static void fail_notify(struct msi_watcher *watcher, const struct msi_msg *msg) { }

static int run_create(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;
	struct msi_table *table = msi_allocate_table(ctx->dev, &ctx->info);

	if (IS_ERR(table))
		return PTR_ERR(table);

	ctx->table = table;
	return 0;
}

static void free_table(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;

	msi_table_free(ctx->table);
	ctx->table = NULL;
}

static int fail_alloc_vectors(struct kunit *test, const struct irq_affinity_desc *affinity)
{
	const struct fail_param *param = test->param_value;
	struct fail_ctx *ctx = test->priv;
	int ret;

	ret = msi_fail_alloc(ctx->table, param->op, affinity, ctx->vectors);
	ctx->n = max(ret, 0);
	return ret;
}

static int run_alloc(struct kunit *test)
{
	return fail_alloc_vectors(test, NULL);
}

static int run_alloc_affinity(struct kunit *test)
{
	struct irq_affinity_desc affinity = { };

	cpumask_copy(&affinity.mask, cpumask_of(cpumask_last(cpu_online_mask)));
	return fail_alloc_vectors(test, &affinity);
}

static int run_alloc_unseen(struct kunit *test)
{
	const struct msi_vector_request req = { .lowest = 9, .highest = MSI_LABEL_ANY };
	struct fail_ctx *ctx = test->priv;
	struct msi_vector *vector;
	int ret;

	ret = msi_table_alloc_vectors(ctx->table, &req, FAIL_BATCH, FAIL_BATCH, NULL);
	msi_table_for_each(ctx->table, vector)
		ctx->vectors[ctx->n++] = vector;
	return ret;
}

static void free_vectors(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;

	msi_table_free_vectors(ctx->table, ctx->vectors, ctx->n);
	ctx->n = 0;
}

static int run_request(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;

	return msi_vector_request_irq(ctx->vectors[0], fail_handler, NULL, 0, ctx,
				      "msi_table_fail");
}

static int run_request_threaded(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;

	return msi_vector_request_irq(ctx->vectors[0], NULL, fail_handler, IRQF_ONESHOT, ctx,
				      "msi_table_fail");
}

/* Two handlers on one vector, of which the second has a name that is made */
static int run_request_shared(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;
	int ret;

	ret = msi_vector_request_irq(ctx->vectors[0], fail_handler, NULL, IRQF_SHARED, ctx,
				     "msi_table_fail");
	if (ret)
		return ret;
	ret = msi_vector_request_irq(ctx->vectors[0], fail_handler, NULL, IRQF_SHARED,
				     ctx->vectors, "msi_table_fail%d", 2);
	if (ret)
		msi_vector_free_irq(ctx->vectors[0]);
	return ret;
}

static void free_irq_of_first(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;

	msi_vector_free_irq(ctx->vectors[0]);
}

/* What a driver does in its probe, and how it gives up */
static int run_probe(struct kunit *test)
{
	int ret, n;

	ret = run_create(test);
	if (ret)
		return ret;

	n = run_alloc(test);
	ret = n < 0 ? n : run_request(test);
	if (ret) {
		free_table(test);
		return ret;
	}
	return n;
}

static int run_free(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;
	struct msi_msg msg;
	int ret;

	ret = msi_vector_get_msg(ctx->vectors[0], &msg);
	msi_table_restore(ctx->table);
	msi_vector_unwatch(ctx->vectors[0], &ctx->watcher);
	msi_vector_free_irq(ctx->vectors[0]);
	msi_table_free_vector(ctx->table, ctx->vectors[1]);
	msi_table_free_vectors(ctx->table, ctx->vectors + 2, FAIL_BATCH - 2);
	/* The first vector and the one of setup_taken() */
	if (msi_fail_labels(ctx->table) != 2)
		ret = -EPROTO;
	free_table(test);
	return ret;
}

static int run_unbind(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;

	kunit_device_unregister(test, ctx->dev);
	ctx->dev = ctx->bound;
	ctx->table = NULL;
	return 0;
}

static void setup_device(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;
	struct device *dev = kunit_device_register(test, "new");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	msi_fake_parent_attach(ctx->parent, dev);
	ctx->dev = dev;
}

static void unregister_device(struct kunit *test)
{
	run_unbind(test);
}

static void setup_table(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, run_create(test), 0);
}

static void setup_taken(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;

	setup_table(test);
	KUNIT_ASSERT_FALSE(test, IS_ERR(msi_table_alloc_vector(ctx->table, 2)));
}

static void setup_vector(struct kunit *test)
{
	setup_table(test);
	KUNIT_ASSERT_EQ(test, run_alloc(test), 1);
}

static void setup_live(struct kunit *test)
{
	setup_taken(test);
	KUNIT_ASSERT_EQ(test, run_alloc(test), FAIL_BATCH);
	KUNIT_ASSERT_EQ(test, run_request(test), 0);
}

static void setup_watched(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;

	setup_live(test);
	ctx->watcher.notify = fail_notify;
	msi_vector_watch(ctx->vectors[0], &ctx->watcher);
}

static void setup_forgotten(struct kunit *test)
{
	setup_device(test);
	setup_live(test);
}

#define FAIL_LABELS(_lowest, _highest, _min, _max)					\
	.lowest = _lowest, .highest = _highest, .min = _min, .max = _max
#define FAIL_ALLOC									\
	.run = run_alloc, .undo = free_vectors, .teardown = free_table
#define FAIL_REQUEST									\
	.setup = setup_vector, .undo = free_irq_of_first, .teardown = free_table, .messages = 1
#define FAIL_PROBE									\
	.setup = setup_device, .run = run_probe, .undo = free_table,			\
	.teardown = unregister_device, .messages = 1, .once = true

static const struct msi_fail_op fail_ops[] = {
	{
		.name = "create", .run = run_create, .undo = free_table,
	}, {
		.name = "create on a new device", .setup = setup_device, .run = run_create,
		.undo = free_table, .teardown = unregister_device, .once = true,
	}, {
		.name = "alloc by label", FAIL_LABELS(7, 7, 1, 1),
		.setup = setup_table, FAIL_ALLOC,
	}, {
		.name = "alloc from a range", FAIL_LABELS(0, 20, 1, 1),
		.setup = setup_taken, FAIL_ALLOC, .once = true,
	}, {
		.name = "alloc any", FAIL_LABELS(0, MSI_LABEL_ANY, 1, 1),
		.setup = setup_table, FAIL_ALLOC, .once = true,
	}, {
		.name = "alloc with affinity", FAIL_LABELS(4, 9, 1, 1),
		.setup = setup_table, .run = run_alloc_affinity, .undo = free_vectors,
		.teardown = free_table,
	}, {
		.name = "alloc 5 around a taken label", FAIL_LABELS(0, 5, FAIL_BATCH, FAIL_BATCH),
		.setup = setup_taken, FAIL_ALLOC,
	}, {
		.name = "alloc 2 to 5", FAIL_LABELS(9, MSI_LABEL_ANY, 2, FAIL_BATCH),
		.setup = setup_table, FAIL_ALLOC,
	}, {
		.name = "alloc 5 unseen", FAIL_LABELS(9, MSI_LABEL_ANY, FAIL_BATCH, FAIL_BATCH),
		.setup = setup_table, .run = run_alloc_unseen, .undo = free_vectors,
		.teardown = free_table, .once = true,
	}, {
		.name = "request_irq", FAIL_LABELS(1, 1, 1, 1), FAIL_REQUEST,
		.run = run_request,
	}, {
		.name = "request_irq of two", FAIL_LABELS(1, 1, 1, 1), FAIL_REQUEST,
		.run = run_request_shared, .once = true,
	}, {
		.name = "request_irq with a thread", FAIL_LABELS(1, 1, 1, 1), FAIL_REQUEST,
		.run = run_request_threaded, .once = true,
	}, {
		.name = "probe", FAIL_LABELS(0, 9, FAIL_BATCH, FAIL_BATCH),
		FAIL_PROBE,
	}, {
		.name = "probe for a high label", FAIL_LABELS(FAIL_HIGH, FAIL_HIGH, 1, 1),
		FAIL_PROBE,
	}, {
		.name = "free", FAIL_LABELS(0, 9, FAIL_BATCH, FAIL_BATCH),
		.setup = setup_watched, .run = run_free, .frees = true,
	}, {
		.name = "unbind", FAIL_LABELS(0, 9, FAIL_BATCH, FAIL_BATCH),
		.setup = setup_forgotten, .run = run_unbind, .frees = true, .once = true,
	},
};

/* All operations on all kinds of stores */
static const void *fail_gen_params(struct kunit *test, const void *prev, char *desc)
{
	static struct fail_param param;

	if (!prev) {
		param.op = fail_ops;
		param.variant = fail_variants;
	} else if (param.op->once || ++param.variant == fail_variants + ARRAY_SIZE(fail_variants)) {
		param.variant = fail_variants;
		if (++param.op == fail_ops + ARRAY_SIZE(fail_ops))
			return NULL;
	}

	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s: %s", param.op->name, param.variant->name);
	return &param;
}

/* Memory has many points: batches on one kind of store only */
static const void *fail_gen_some(struct kunit *test, const void *prev, char *desc, bool mmio,
				 bool memory)
{
	const struct fail_param *param;

	do {
		prev = fail_gen_params(test, prev, desc);
		param = prev;
	} while (param && (!param->variant->ops != mmio ||
			   (memory && param->op->max > 1 && param->variant != fail_variants)));
	return param;
}

static const void *fail_gen_store(struct kunit *test, const void *prev, char *desc)
{
	return fail_gen_some(test, prev, desc, false, false);
}

static const void *fail_gen_store_memory(struct kunit *test, const void *prev, char *desc)
{
	return fail_gen_some(test, prev, desc, false, true);
}

static const void *fail_gen_mmio(struct kunit *test, const void *prev, char *desc)
{
	return fail_gen_some(test, prev, desc, true, false);
}

static const void *fail_gen_mmio_memory(struct kunit *test, const void *prev, char *desc)
{
	return fail_gen_some(test, prev, desc, true, true);
}

static unsigned int fail_points;

/* Everything but memory */
static void fail_parent_and_store(struct kunit *test)
{
	const struct fail_param *param = test->param_value;
	unsigned int n[FAIL_NR], tolerated = 0, points = 0;

	for (int i = 0; i < FAIL_NR; i++) {
		n[i] = msi_fail_all(test, param->op, fail_read, &fail_sources[i], &tolerated);
		points += n[i];
	}
	fail_points += points;
	kunit_info(test, "%s: %u failure points (parent %u, activation %u, callback %u, domain %u), %u tolerated",
		   param->op->name, points, n[FAIL_PARENT], n[FAIL_ACTIVATION], n[FAIL_CALLBACK],
		   n[FAIL_DOMAIN], tolerated);
}

static void fail_memory(struct kunit *test)
{
	const struct fail_param *param = test->param_value;

	fail_points += msi_fail_all_memory(test, param->op, fail_read, -ENOMEM, -ENOMEM);
}

KUNIT_DEFINE_ACTION_WRAPPER(fail_destroy_parent, msi_fake_parent_destroy, struct msi_fake_parent *);
KUNIT_DEFINE_ACTION_WRAPPER(fail_destroy_store, msi_fake_store_destroy, struct msi_fake_store *);

static void fail_hook_parent(struct msi_fake_parent *parent)
{
	struct irq_domain *domain = msi_fake_parent_domain(parent);

	mtt_replace_ops(parent, &fail_domain_ops);
	fail_orig_parent_ops = domain->msi_parent_ops;
	fail_parent_ops = *domain->msi_parent_ops;
	fail_parent_ops.init_dev_msi_info = fail_init_dev_msi_info;
	domain->msi_parent_ops = &fail_parent_ops;
}

static void fail_init_info(struct fail_ctx *ctx, const struct fail_variant *variant)
{
	ctx->info = (struct msi_table_info) {
		.name	= "store",
		.size	= FAIL_SIZE,
		.data	= ctx->store,
	};
	if (variant->ops) {
		ctx->ops = *variant->ops;
		ctx->ops.init_vector = fail_init_vector;
		ctx->info.ops = &ctx->ops;
		return;
	}

	ctx->mmio = (struct msi_mmio_layout) {
		.base		= (void __iomem __force *)ctx->regs,
		.stride		= sizeof(*ctx->regs),
		.address_lo	= 0,
		.address_hi	= 4,
		.data		= 8,
		.control	= 12,
		.mask		= 1,
	};
	ctx->info.mmio = &ctx->mmio;
}

static int fail_init(struct kunit *test)
{
	const struct fail_param *param = test->param_value;
	struct fail_ctx *ctx;

	if (!param->variant->ops)
		mtt_need_memory_as_mmio(test);

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);

	ctx->parent = msi_fake_parent_create(FAIL_CAPACITY, param->variant->parent_flags);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->parent);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, fail_destroy_parent, ctx->parent));
	fail_hook_parent(ctx->parent);

	ctx->store = msi_fake_store_create();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->store);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, fail_destroy_store, ctx->store));
	fail_init_info(ctx, param->variant);

	ctx->bound = kunit_device_register(test, "dev");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->bound);
	msi_fake_parent_attach(ctx->parent, ctx->bound);
	ctx->dev = ctx->bound;
	test->priv = ctx;
	return 0;
}

static void fail_exit(struct kunit *test)
{
	struct fail_ctx *ctx = test->priv;

	if (!ctx)
		return;

	memset(fail_nth, 0, sizeof(fail_nth));
	KUNIT_EXPECT_EQ(test, msi_fake_store_bad_context(ctx->store), 0);
}

static int fail_suite_init(struct kunit_suite *suite)
{
	fail_points = 0;
	msi_fail_init_irqs();
	return 0;
}

static void fail_suite_exit(struct kunit_suite *suite)
{
	kunit_log(KERN_INFO, suite, KUNIT_SUBTEST_INDENT "# %s: %u failure points", suite->name,
		  fail_points);
}

static struct kunit_case fail_cases[] = {
	KUNIT_CASE_PARAM(fail_parent_and_store, fail_gen_store),
	KUNIT_CASE_PARAM(fail_memory, fail_gen_store_memory),
	{ }
};

static struct kunit_case fail_mmio_cases[] = {
	KUNIT_CASE_PARAM(fail_parent_and_store, fail_gen_mmio),
	KUNIT_CASE_PARAM(fail_memory, fail_gen_mmio_memory),
	{ }
};

static struct kunit_suite fail_suite = {
	.name		= "msi_table_fail",
	.suite_init	= fail_suite_init,
	.suite_exit	= fail_suite_exit,
	.init		= fail_init,
	.exit		= fail_exit,
	.test_cases	= fail_cases,
};

/* Apart, since not every machine can access memory like MMIO */
static struct kunit_suite fail_mmio_suite = {
	.name		= "msi_table_fail_mmio",
	.suite_init	= fail_suite_init,
	.suite_exit	= fail_suite_exit,
	.init		= fail_init,
	.exit		= fail_exit,
	.test_cases	= fail_mmio_cases,
};

kunit_test_suites(&fail_suite, &fail_mmio_suite);
