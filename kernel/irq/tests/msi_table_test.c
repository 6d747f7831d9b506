// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables of device-specific stores, on a fake parent: single
 * vectors, and what all the suites share
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/kernfs.h>
#include <linux/kthread.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sched/task.h>

#include <kunit/device.h>

#include "msi_table_test.h"

const struct mtt_variant mtt_variants[MTT_NR_VARIANTS] = {
	{
		.name		= "mask and clear",
	}, {
		.name		= "mask",
		.no_clear	= true,
	}, {
		.name		= "clear",
		.no_mask	= true,
	}, {
		.name		= "mask and clear, parent masks",
		.parent_flags	= MSI_FAKE_MASK_PARENT,
	}, {
		.name		= "mask, parent masks",
		.no_clear	= true,
		.parent_flags	= MSI_FAKE_MASK_PARENT,
	}, {
		.name		= "clear, parent masks",
		.no_mask	= true,
		.parent_flags	= MSI_FAKE_MASK_PARENT,
	}, {
		.name		= "slow bus",
		.slow		= true,
		.parent_flags	= MSI_FAKE_STABLE_MSG,
	},
};

KUNIT_ARRAY_PARAM_DESC(mtt_variant, mtt_variants, name);

KUNIT_DEFINE_ACTION_WRAPPER(mtt_destroy_parent, msi_fake_parent_destroy, struct msi_fake_parent *);
KUNIT_DEFINE_ACTION_WRAPPER(mtt_destroy_store, msi_fake_store_destroy, struct msi_fake_store *);
KUNIT_DEFINE_ACTION_WRAPPER(mtt_remove_domain, irq_domain_remove, struct irq_domain *);
KUNIT_DEFINE_ACTION_WRAPPER(mtt_free_fwnode, irq_domain_free_fwnode, struct fwnode_handle *);

struct msi_fake_parent *mtt_new_parent(struct kunit *test, unsigned int capacity,
				       unsigned int flags)
{
	struct msi_fake_parent *parent = msi_fake_parent_create(capacity, flags);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mtt_destroy_parent, parent));
	return parent;
}

struct msi_fake_store *mtt_new_store(struct kunit *test)
{
	struct msi_fake_store *store = msi_fake_store_create();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, store);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mtt_destroy_store, store));
	return store;
}

struct device *mtt_new_device(struct kunit *test, const char *name)
{
	struct device *dev = kunit_device_register(test, name);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	return dev;
}

int mtt_init_variant(struct kunit *test, const struct mtt_variant *variant)
{
	struct mtt_ctx *ctx;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx);

	ctx->variant = variant;
	if (variant->slow)
		ctx->ops = msi_fake_store_ops_slow;
	else
		ctx->ops = variant->no_mask ? msi_fake_store_ops_nomask : msi_fake_store_ops;
	if (variant->no_clear)
		ctx->ops.clear_msg = NULL;

	ctx->parent = mtt_new_parent(test, MTT_CAPACITY, variant->parent_flags);
	ctx->store = mtt_new_store(test);
	ctx->dev = mtt_new_device(test, "dev");
	msi_fake_parent_attach(ctx->parent, ctx->dev);
	test->priv = ctx;
	return 0;
}

int mtt_init(struct kunit *test)
{
	return mtt_init_variant(test, test->param_value ? : &mtt_variants[0]);
}

void mtt_unbind(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;

	kunit_device_unregister(test, ctx->dev);
	ctx->dev = NULL;
}

void mtt_exit(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;

	if (!ctx)
		return;

	if (ctx->dev)
		mtt_unbind(test);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), ctx->leaked);
	KUNIT_EXPECT_EQ(test, msi_fake_store_bad_context(ctx->store), 0);
}

struct msi_table_info mtt_info(struct mtt_ctx *ctx)
{
	return (struct msi_table_info) {
		.name	= "store",
		.ops	= &ctx->ops,
		.size	= MTT_SIZE,
		.data	= ctx->store,
	};
}

struct mtt_ctx *mtt_create(struct kunit *test, u32 size)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	info.size = size;
	ctx->table = devm_msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->table);
	return ctx;
}

struct msi_vector *mtt_alloc(struct kunit *test, u32 label)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_vector *vector = msi_table_alloc_vector(ctx->table, label);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	return vector;
}

/* The label of a new vector from the range */
u32 mtt_alloc_label(struct kunit *test, u32 lowest, u32 highest)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_vector *vector = msi_table_alloc_vector_range(ctx->table, lowest, highest);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	return msi_vector_label(vector);
}

long mtt_alloc_error(struct kunit *test, u32 lowest, u32 highest)
{
	struct mtt_ctx *ctx = test->priv;

	return PTR_ERR_OR_ZERO(msi_table_alloc_vector_range(ctx->table, lowest, highest));
}

struct msi_fake_slot mtt_slot(struct kunit *test, u32 label)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_fake_slot slot = { };

	KUNIT_EXPECT_EQ(test, msi_fake_store_read(ctx->store, label, &slot), 0);
	return slot;
}

bool mtt_msg_valid(struct msi_message msg)
{
	return msg.address || msg.data;
}

bool mtt_msg_equal(struct msi_message a, struct msi_message b)
{
	return a.address == b.address && a.data == b.data;
}

irqreturn_t mtt_handler(int irq, void *dev_id)
{
	struct mtt_hits *hits = dev_id;

	hits->irq = irq;
	atomic_inc(&hits->hard);
	return IRQ_HANDLED;
}

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

int mtt_try_request(struct msi_vector *vector, struct mtt_hits *hits)
{
	return msi_vector_request_irq(vector, mtt_handler, NULL, IRQF_NO_THREAD, "msi_table_test",
				      hits);
}

struct mtt_hits *mtt_new_hits(struct kunit *test)
{
	struct mtt_hits *hits = kunit_kzalloc(test, sizeof(*hits), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, hits);
	return hits;
}

struct mtt_hits *mtt_request(struct kunit *test, struct msi_vector *vector)
{
	struct mtt_hits *hits = mtt_new_hits(test);

	KUNIT_ASSERT_EQ(test, mtt_try_request(vector, hits), 0);
	return hits;
}

int mtt_fire(struct kunit *test, u32 label)
{
	struct mtt_ctx *ctx = test->priv;

	return msi_fake_store_fire(ctx->store, ctx->parent, label);
}

/* The message of @label reaches the handler, once. */
void mtt_expect_delivery(struct kunit *test, u32 label, struct mtt_hits *hits)
{
	int before = atomic_read(&hits->hard);

	KUNIT_EXPECT_EQ(test, mtt_fire(test, label), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), before + 1);
}

bool mtt_reaches(atomic_t *count, int value)
{
	for (int i = 0; i < 2000 && atomic_read(count) != value; i++)
		usleep_range(1000, 2000);
	return atomic_read(count) == value;
}

bool mtt_irq_exists(unsigned int irq)
{
	struct irq_data *data = irq_get_irq_data(irq);

	return data && data->domain;
}

bool mtt_in_sysfs(struct device *dev, unsigned int irq)
{
	struct kernfs_node *dir, *node;
	char name[16];

	dir = kernfs_find_and_get(dev->kobj.sd, "msi_irqs");
	if (!dir)
		return false;

	snprintf(name, sizeof(name), "%u", irq);
	node = kernfs_find_and_get(dir, name);
	kernfs_put(dir);
	kernfs_put(node);
	return node;
}

const struct cpumask *mtt_other_cpu(struct kunit *test)
{
	if (num_online_cpus() == 1)
		kunit_skip(test, "needs two CPUs");
	return cpumask_of(cpumask_last(cpu_online_mask));
}

/* Nothing is left of the vectors, and the device can send nothing. */
void mtt_expect_gone(struct kunit *test, const unsigned int *irqs, const u32 *labels,
		     unsigned int n)
{
	struct mtt_ctx *ctx = test->priv;

	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), ctx->leaked);
	for (unsigned int i = 0; i < n; i++) {
		struct msi_fake_slot slot = mtt_slot(test, labels[i]);

		KUNIT_EXPECT_FALSE(test, mtt_irq_exists(irqs[i]));
		KUNIT_EXPECT_FALSE(test, slot.inited);
		KUNIT_EXPECT_EQ(test, slot.inits, slot.exits);
		KUNIT_EXPECT_EQ(test, mtt_fire(test, labels[i]), -EAGAIN);
		if (ctx->dev && IS_ENABLED(CONFIG_SYSFS))
			KUNIT_EXPECT_FALSE(test, mtt_in_sysfs(ctx->dev, irqs[i]));
	}
}

/* Creation */

long mtt_create_error(struct kunit *test, const struct msi_table_info *info)
{
	struct mtt_ctx *ctx = test->priv;

	return PTR_ERR_OR_ZERO(devm_msi_allocate_table(ctx->dev, info));
}

/* A creation which failed is no obstacle to one which is right. */
void mtt_expect_creatable(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), 0);
}

static void create_needs_name(struct kunit *test)
{
	struct msi_table_info info = mtt_info(test->priv);

	info.name = NULL;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	mtt_expect_creatable(test);
}

static void create_needs_ops(struct kunit *test)
{
	struct msi_table_info info = mtt_info(test->priv);

	info.ops = NULL;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	mtt_expect_creatable(test);
}

static void create_needs_write_msg(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	ctx->ops.write_msg = NULL;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
}

static void create_needs_mask_with_unmask(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	ctx->ops.mask = NULL;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
}

static void create_needs_unmask_with_mask(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	ctx->ops.unmask = NULL;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
}

static void create_needs_mask_or_clear(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	ctx->ops = msi_fake_store_ops_nomask;
	ctx->ops.clear_msg = NULL;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
}

static void create_rejects_unknown_flags(struct kunit *test)
{
	struct msi_table_info info = mtt_info(test->priv);

	info.flags = BIT(31);
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	info.flags = BIT(31) | MSI_TABLE_UNREMAPPED;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	mtt_expect_creatable(test);
}

static void create_needs_msi_domain(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	dev_set_msi_domain(ctx->dev, NULL);
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -ENODEV);

	msi_fake_parent_attach(ctx->parent, ctx->dev);
	mtt_expect_creatable(test);
}

static void create_needs_msi_parent(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);
	struct fwnode_handle *fwnode;
	struct irq_domain *domain;

	fwnode = irq_domain_alloc_named_fwnode("msi_table_test");
	KUNIT_ASSERT_NOT_NULL(test, fwnode);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mtt_free_fwnode, fwnode));
	domain = irq_domain_create_tree(fwnode, &irq_domain_simple_ops, NULL);
	KUNIT_ASSERT_NOT_NULL(test, domain);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mtt_remove_domain, domain));

	info.parent = domain;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EOPNOTSUPP);
	/* Being vouched for does not make it an MSI parent. */
	info.flags = MSI_TABLE_UNREMAPPED;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EOPNOTSUPP);
	mtt_expect_creatable(test);
}

static void create_needs_opt_in(struct kunit *test)
{
	struct msi_fake_parent *shy = mtt_new_parent(test, MTT_CAPACITY, MSI_FAKE_NO_IMS);
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	msi_fake_parent_attach(shy, ctx->dev);
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EOPNOTSUPP);

	info.flags = MSI_TABLE_UNREMAPPED;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), 0);
}

static void create_needs_parent_for_bus(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	msi_fake_parent_attach(mtt_new_parent(test, MTT_CAPACITY, MSI_FAKE_PCI_ONLY), ctx->dev);
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EOPNOTSUPP);
}

/* It is the parent which is used that has to opt in. */
static void create_checks_given_parent(struct kunit *test)
{
	struct msi_fake_parent *shy = mtt_new_parent(test, MTT_CAPACITY, MSI_FAKE_NO_IMS);
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	info.parent = msi_fake_parent_domain(shy);
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EOPNOTSUPP);

	msi_fake_parent_attach(shy, ctx->dev);
	info.parent = msi_fake_parent_domain(ctx->parent);
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), 0);
}

static void create_uses_given_parent(struct kunit *test)
{
	struct msi_fake_parent *other = mtt_new_parent(test, MTT_CAPACITY, 0);
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	info.parent = msi_fake_parent_domain(other);
	ctx->table = devm_msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->table);
	mtt_request(test, mtt_alloc(test, 1));

	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(other), 1);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
	KUNIT_EXPECT_EQ(test, msi_fake_store_fire(ctx->store, other, 1), 0);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 1), -EINVAL);

	mtt_unbind(test);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(other), 0);
}

static void create_same_name_twice(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_table_info info = mtt_info(ctx);
	struct mtt_hits *hits;

	hits = mtt_request(test, mtt_alloc(test, 3));
	info.data = mtt_new_store(test);
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EEXIST);

	/* The one which was there is as good as before. */
	mtt_expect_delivery(test, 3, hits);
	mtt_alloc(test, 4);

	msi_table_free(ctx->table);
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), 0);
}

static void create_same_name_on_other_device(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_table_info info = mtt_info(ctx);
	struct device *dev = mtt_new_device(test, "other");
	struct msi_table *table;

	msi_fake_parent_attach(ctx->parent, dev);
	info.data = mtt_new_store(test);
	table = devm_msi_allocate_table(dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	msi_table_free(table);
}

static void create_copies_info(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);
	char name[] = "store";
	char expected[64];
	unsigned int irq;

	info.name = name;
	ctx->table = devm_msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->table);
	memset(name, 'x', sizeof(name) - 1);
	memset(&info, 0xff, sizeof(info));

	irq = msi_vector_irq(mtt_alloc(test, 0));
	snprintf(expected, sizeof(expected), "FAKE-IMS-store-%s", dev_name(ctx->dev));
	KUNIT_EXPECT_STREQ(test, irq_get_irq_data(irq)->chip->name, expected);
}

static void create_leaves_msi_domain(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	KUNIT_EXPECT_PTR_EQ(test, dev_get_msi_domain(ctx->dev),
			    msi_fake_parent_domain(ctx->parent));
	mtt_alloc(test, 0);
	msi_table_free(ctx->table);
	KUNIT_EXPECT_PTR_EQ(test, dev_get_msi_domain(ctx->dev),
			    msi_fake_parent_domain(ctx->parent));
}

static void create_starts_without_vectors(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
	KUNIT_EXPECT_EQ(test, msi_fake_store_calls(ctx->store), 0);
	KUNIT_EXPECT_EQ(test, msi_table_size(ctx->table), MTT_SIZE);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_data(ctx->table), ctx->store);
}

static struct kunit_case mtt_create_cases[] = {
	KUNIT_CASE(create_needs_name),
	KUNIT_CASE(create_needs_ops),
	KUNIT_CASE(create_needs_write_msg),
	KUNIT_CASE(create_needs_mask_with_unmask),
	KUNIT_CASE(create_needs_unmask_with_mask),
	KUNIT_CASE(create_needs_mask_or_clear),
	KUNIT_CASE(create_rejects_unknown_flags),
	KUNIT_CASE(create_needs_msi_domain),
	KUNIT_CASE(create_needs_msi_parent),
	KUNIT_CASE(create_needs_opt_in),
	KUNIT_CASE(create_needs_parent_for_bus),
	KUNIT_CASE(create_checks_given_parent),
	KUNIT_CASE(create_uses_given_parent),
	KUNIT_CASE(create_same_name_twice),
	KUNIT_CASE(create_same_name_on_other_device),
	KUNIT_CASE(create_copies_info),
	KUNIT_CASE(create_leaves_msi_domain),
	KUNIT_CASE(create_starts_without_vectors),
	{ }
};

static struct kunit_suite mtt_create_suite = {
	.name		= "msi_table_create",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_create_cases,
};

/* Allocation */

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
	ctx->table = devm_msi_allocate_table(ctx->dev, &info);
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

static void mtt_null_write_msg(struct msi_vector *vector, const struct msi_message *msg) { }

static void mtt_null_clear_msg(struct msi_vector *vector) { }

/* A store need not have anything to prepare. */
static void alloc_without_init_vector(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_message msg;
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

	vector = msi_table_alloc(ctx->table, &req);
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

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, msi_table_alloc(ctx->table, &req));
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
	other = devm_msi_allocate_table(ctx->dev, &info);
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
	KUNIT_CASE(alloc_without_init_vector),
	KUNIT_CASE(alloc_accessors),
	KUNIT_CASE(alloc_cookie_in_init_vector),
	KUNIT_CASE_PARAM(alloc_large_labels, mtt_variant_gen_params),
	KUNIT_CASE(alloc_without_index),
	KUNIT_CASE(alloc_from_two_tables),
	KUNIT_CASE(alloc_shows_in_sysfs),
	{ }
};

static struct kunit_suite mtt_alloc_suite = {
	.name		= "msi_table_alloc",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_alloc_cases,
};

/* The life of a message */

static void irq_no_message_before_request(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct msi_message msg;

	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), -EAGAIN);
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
	struct msi_message msg;

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
	struct msi_message msg;
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

/* No CPU vector is left when the reservation is called in. */
static void irq_request_fails(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_hits *hits = mtt_new_hits(test);
	struct msi_vector *vector;
	struct msi_message msg;

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
							"msi_table_test", hits));
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
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(vector, NULL, mtt_thread, 0,
							"msi_table_test", hits));
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
	KUNIT_EXPECT_FALSE(test, mtt_irq_exists(irq));
}

static void irq_without_autoen(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_hits *hits = mtt_new_hits(test);
	struct msi_vector *vector;

	vector = mtt_alloc(test, 2);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(vector, mtt_handler, NULL,
							IRQF_NO_AUTOEN | IRQF_NO_THREAD,
							"msi_table_test", hits));
	if (ctx->ops.mask)
		KUNIT_EXPECT_EQ(test, mtt_fire(test, 2), -EAGAIN);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);

	enable_irq(msi_vector_irq(vector));
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
	struct msi_message before, after;
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
	struct msi_message msg;
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

	vector = msi_table_alloc(ctx->table, &req);
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

/* Freeing */

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
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), MTT_MANY - 1 - i);
		KUNIT_EXPECT_FALSE(test, mtt_irq_exists(many->irqs[order[i]]));
		/* Those which are left still work. */
		for (unsigned int j = i + 1; j < MTT_MANY; j++)
			mtt_expect_delivery(test, many->labels[order[j]], many->hits[order[j]]);
	}
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
	struct msi_message msg;

	KUNIT_ASSERT_EQ(test, msi_vector_get_msg(many->vectors[0], &msg), 0);
	kunit_warning_suppress(test) {
		mtt_unbind(test);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	mtt_expect_many_gone(test, many);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &msg), -ENOENT);
	KUNIT_EXPECT_EQ(test, atomic_read(&many->hits[0]->hard), 0);
}

/* The driver forgot all about it. */
static void unbind_frees_forgotten_table(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);
	struct mtt_many *many;

	ctx->table = msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->table);
	many = mtt_alloc_many(test);
	mtt_unbind(test);
	mtt_expect_many_gone(test, many);
}

static void unbind_frees_all_tables(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_table_info info = mtt_info(ctx);
	struct mtt_many *many = mtt_alloc_many(test);
	struct msi_table *other;

	info.name = "other";
	info.data = mtt_new_store(test);
	other = devm_msi_allocate_table(ctx->dev, &info);
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

/* The core can not free the interrupts, so the parent has to stay. */
void mtt_leak(struct kunit *test, unsigned int irqs)
{
	struct mtt_ctx *ctx = test->priv;

	kunit_remove_action(test, mtt_destroy_parent, ctx->parent);
	ctx->leaked = irqs;
}

/*
 * All that can be done with a dead interrupt, up to freeing the handler. None
 * of it may reach the store.
 */
void mtt_expect_dead(struct kunit *test, unsigned int irq, struct mtt_hits *hits)
{
	struct mtt_ctx *ctx = test->priv;
	unsigned int calls = msi_fake_store_calls(ctx->store);

	disable_irq(irq);
	enable_irq(irq);
	if (num_online_cpus() > 1)
		irq_set_affinity(irq, cpumask_of(cpumask_last(cpu_online_mask)));
	free_irq(irq, hits);
	KUNIT_EXPECT_EQ(test, msi_fake_store_calls(ctx->store), calls);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);
}

struct mtt_hits *mtt_request_behind(struct kunit *test, struct msi_vector *vector)
{
	struct mtt_hits *hits = mtt_new_hits(test);

	KUNIT_ASSERT_EQ(test, 0, request_irq(msi_vector_irq(vector), mtt_handler, IRQF_NO_THREAD,
					     "msi_table_test", hits));
	return hits;
}

static void foreign_handler_on_vector(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector;
	struct mtt_hits *hits;
	unsigned int irq;

	vector = mtt_alloc(test, 3);
	irq = msi_vector_irq(vector);
	hits = mtt_request_behind(test, vector);
	mtt_leak(test, 1);
	kunit_warning_suppress(test) {
		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}

	KUNIT_EXPECT_EQ(test, mtt_fire(test, 3), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(mtt_slot(test, 3).msg));
	KUNIT_EXPECT_EQ(test, mtt_slot(test, 3).masked, !!ctx->ops.mask);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 3, 3), -EBUSY);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 3, 4), 4);

	mtt_expect_dead(test, irq, hits);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 3, 3), -EBUSY);
}

static void foreign_handler_outlives_table(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_many *many = mtt_alloc_many(test);
	struct msi_vector *vector;
	struct mtt_hits *hits;
	unsigned int irq;

	vector = mtt_alloc(test, 1);
	irq = msi_vector_irq(vector);
	hits = mtt_request_behind(test, vector);
	mtt_leak(test, 1);
	kunit_warning_suppress(test) {
		msi_table_free(ctx->table);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}

	/* It does not keep the others from being freed, nor its name. */
	mtt_expect_many_gone(test, many);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 1), -EAGAIN);
	mtt_expect_dead(test, irq, hits);
}

static void foreign_handler_outlives_device(struct kunit *test)
{
	struct mtt_many *many;
	struct msi_vector *vector;
	struct mtt_hits *hits;
	unsigned int irq;

	mtt_create(test, MTT_SIZE);
	many = mtt_alloc_many(test);
	vector = mtt_alloc(test, 1);
	irq = msi_vector_irq(vector);
	hits = mtt_request_behind(test, vector);
	mtt_leak(test, 1);
	kunit_warning_suppress(test) {
		mtt_unbind(test);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}

	mtt_expect_many_gone(test, many);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 1), -EAGAIN);
	mtt_expect_dead(test, irq, hits);
}

static struct kunit_case mtt_free_cases[] = {
	KUNIT_CASE_PARAM(free_vector_frees_handler, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(free_vector_without_handler, mtt_variant_gen_params),
	KUNIT_CASE(free_in_any_order),
	KUNIT_CASE_PARAM(free_table_with_vectors, mtt_variant_gen_params),
	KUNIT_CASE(free_empty_table),
	KUNIT_CASE(free_table_by_scope),
	KUNIT_CASE_PARAM(unbind_frees_table, mtt_variant_gen_params),
	KUNIT_CASE(unbind_frees_forgotten_table),
	KUNIT_CASE(unbind_frees_all_tables),
	KUNIT_CASE(unbind_runs_action_which_frees),
	KUNIT_CASE(unbind_runs_action_which_frees_vector),
	KUNIT_CASE(unbind_frees_table_before_older_resources),
	KUNIT_CASE_PARAM(foreign_handler_on_vector, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(foreign_handler_outlives_table, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(foreign_handler_outlives_device, mtt_variant_gen_params),
	{ }
};

static struct kunit_suite mtt_free_suite = {
	.name		= "msi_table_free",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_free_cases,
};

/* Concurrency */

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
	shared[1].table = devm_msi_allocate_table(ctx->dev, &info);
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

kunit_test_suites(&mtt_create_suite, &mtt_alloc_suite, &mtt_irq_suite, &mtt_free_suite,
		  &mtt_threads_suite);

MODULE_DESCRIPTION("KUnit tests for MSI tables");
MODULE_LICENSE("GPL");
