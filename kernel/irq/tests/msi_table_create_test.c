// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: creating one, and what it has to be refused for
 */
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/device.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/msi.h>
#include <linux/sprintf.h>
#include <linux/string.h>

#include "msi_table_test.h"

KUNIT_DEFINE_ACTION_WRAPPER(mtt_remove_domain, irq_domain_remove, struct irq_domain *);
KUNIT_DEFINE_ACTION_WRAPPER(mtt_free_fwnode, irq_domain_free_fwnode, struct fwnode_handle *);

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

static const struct msi_parent_ops *create_parent_ops;
static int create_prepare_error;

static int create_prepare(struct irq_domain *domain, struct device *dev, int n,
			  msi_alloc_info_t *info)
{
	*info = (msi_alloc_info_t) { };
	return create_prepare_error;
}

static bool create_init_dev_msi_info(struct device *dev, struct irq_domain *domain,
				     struct irq_domain *parent, struct msi_domain_info *info)
{
	info->ops->msi_prepare = create_prepare;
	return create_parent_ops->init_dev_msi_info(dev, domain, parent, info);
}

/* What is an invalid argument to the parent is not one of the driver's. */
static void create_refused_by_parent(struct kunit *test)
{
	static const struct {
		int	parent;
		int	driver;
	} errors[] = {
		{ -EINVAL, -EOPNOTSUPP },
		{ -ENOSPC, -ENOSPC },
		{ -ENOMEM, -ENOMEM },
	};
	struct msi_fake_parent *choosy = mtt_new_parent(test, MTT_CAPACITY, 0);
	struct irq_domain *domain = msi_fake_parent_domain(choosy);
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);
	struct msi_parent_ops *ops;

	ops = kunit_kzalloc(test, sizeof(*ops), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ops);
	create_parent_ops = domain->msi_parent_ops;
	*ops = *create_parent_ops;
	ops->init_dev_msi_info = create_init_dev_msi_info;
	domain->msi_parent_ops = ops;

	info.parent = domain;
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		create_prepare_error = errors[i].parent;
		KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), errors[i].driver);
	}
	create_prepare_error = 0;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), 0);
	/* Before the domain loses its operations, and the parent its table */
	mtt_unbind(test);
	domain->msi_parent_ops = create_parent_ops;
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
	KUNIT_CASE(create_refused_by_parent),
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

kunit_test_suite(mtt_create_suite);
