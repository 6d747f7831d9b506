// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: creating one, and what it has to be refused for
 */
#include <linux/array_size.h>
#include <linux/bits.h>
#include <linux/device.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/kmsg_dump.h>
#include <linux/msi.h>
#include <linux/sprintf.h>
#include <linux/string.h>

#include "../msi_table.h"
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

/* Creation fails, and one line of the log says why. */
static void create_refused(struct kunit *test, const struct msi_table_info *info, const char *why)
{
	struct kmsg_dump_iter iter = { };
	static char line[256];
	unsigned int said = 0;
	char end[128];
	size_t len;

	kmsg_dump_rewind(&iter);
	iter.cur_seq = iter.next_seq;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, info), -EOPNOTSUPP);
	snprintf(end, sizeof(end), " %s\n", why);
	while (kmsg_dump_get_line(&iter, false, line, sizeof(line) - 1, &len)) {
		line[len] = '\0';
		if (strstr(line, "MSI table")) {
			said++;
			KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(line, end), "%s", line);
		}
	}
	KUNIT_EXPECT_EQ(test, said, IS_ENABLED(CONFIG_PRINTK));
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
	create_refused(test, &info, "is no MSI parent");
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
	create_refused(test, &info, "may lose messages of a device-specific store");

	info.flags = MSI_TABLE_UNREMAPPED;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), 0);
}

/* The administrator vouches for all. */
static void create_vouched_for(struct kunit *test)
{
	struct msi_fake_parent *shy = mtt_new_parent(test, MTT_CAPACITY, MSI_FAKE_NO_IMS);
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);
	bool before = msi_stores_unremapped;

	msi_fake_parent_attach(shy, ctx->dev);
	WRITE_ONCE(msi_stores_unremapped, true);
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), 0);
	WRITE_ONCE(msi_stores_unremapped, before);
}

/* Nobody can vouch for a parent like that of s390, pseries or the GICv5. */
static void create_needs_multi_domain(struct kunit *test)
{
	struct msi_fake_parent *single = mtt_new_parent(test, MTT_CAPACITY, MSI_FAKE_ONE_DOMAIN);
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);
	bool before = msi_stores_unremapped;

	info.parent = msi_fake_parent_domain(single);
	create_refused(test, &info, "can not have several MSI domains of a device");
	info.flags = MSI_TABLE_UNREMAPPED;
	WRITE_ONCE(msi_stores_unremapped, true);
	create_refused(test, &info, "can not have several MSI domains of a device");
	WRITE_ONCE(msi_stores_unremapped, before);
	mtt_expect_creatable(test);
}

static void create_needs_parent_for_bus(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	msi_fake_parent_attach(mtt_new_parent(test, MTT_CAPACITY, MSI_FAKE_PCI_ONLY), ctx->dev);
	create_refused(test, &info, "serves PCI devices only");
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
static void (*create_replace)(struct msi_domain_info *info);
static int create_prepare_error;
static bool create_unwanted;
/* What the parent is told */
static u32 create_flags, create_hwsize;

static int create_prepare(struct irq_domain *domain, struct device *dev, int n,
			  msi_alloc_info_t *info)
{
	const struct msi_domain_info *domain_info = domain->host_data;

	*info = (msi_alloc_info_t) { };
	create_flags = domain_info->flags;
	return create_prepare_error;
}

static bool create_init_dev_msi_info(struct device *dev, struct irq_domain *domain,
				     struct irq_domain *parent, struct msi_domain_info *info)
{
	create_hwsize = info->hwsize;
	info->ops->msi_prepare = create_prepare;
	if (create_unwanted)
		return false;
	if (!create_parent_ops->init_dev_msi_info(dev, domain, parent, info))
		return false;
	if (create_replace)
		create_replace(info);
	return true;
}

/* A parent which does what create_replace and create_prepare_error say */
static struct irq_domain *create_choosy_parent(struct kunit *test)
{
	struct msi_fake_parent *choosy = mtt_new_parent(test, MTT_CAPACITY, 0);
	struct irq_domain *domain = msi_fake_parent_domain(choosy);
	struct msi_parent_ops *ops;

	ops = kunit_kzalloc(test, sizeof(*ops), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ops);
	create_replace = NULL;
	create_prepare_error = 0;
	create_unwanted = false;
	create_flags = 0;
	create_hwsize = 0;
	create_parent_ops = domain->msi_parent_ops;
	*ops = *create_parent_ops;
	ops->init_dev_msi_info = create_init_dev_msi_info;
	domain->msi_parent_ops = ops;
	return domain;
}

/* Creation works, but for what is tried. Before the domain loses its operations. */
static void create_choosy_done(struct kunit *test, const struct msi_table_info *info)
{
	create_replace = NULL;
	create_prepare_error = 0;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, info), 0);
	mtt_unbind(test);
	info->parent->msi_parent_ops = create_parent_ops;
}

/* What is an invalid argument to the parent is not one of the driver's. */
static void create_refused_by_parent(struct kunit *test)
{
	struct msi_table_info info = mtt_info(test->priv);

	info.parent = create_choosy_parent(test);
	create_unwanted = true;
	create_refused(test, &info, "does not take the store");
	create_unwanted = false;
	create_prepare_error = -EINVAL;
	create_refused(test, &info, "does not take the device");
	/* The GICv5, for a second domain */
	create_prepare_error = -EBUSY;
	create_refused(test, &info, "does not take the device");
	create_prepare_error = -ENOSPC;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -ENOSPC);
	create_prepare_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -ENOMEM);
	create_choosy_done(test, &info);
}

static void create_write_nothing(struct irq_data *data, struct msi_msg *msg) { }

static void create_nothing(struct irq_data *data) { }

static unsigned int create_start_nothing(struct irq_data *data)
{
	return 0;
}

static void create_set_nothing(msi_alloc_info_t *arg, struct msi_desc *desc) { }

/* pseries */
static void create_replace_write_msg(struct msi_domain_info *info)
{
	info->chip->irq_write_msi_msg = create_write_nothing;
}

/* VMD */
static void create_replace_startup(struct msi_domain_info *info)
{
	info->chip->irq_startup = create_start_nothing;
}

/* powernv, pseries and VMD */
static void create_replace_shutdown(struct msi_domain_info *info)
{
	info->chip->irq_shutdown = create_nothing;
}

/* VMD */
static void create_replace_enable(struct msi_domain_info *info)
{
	info->chip->irq_enable = create_nothing;
}

static void create_replace_disable(struct msi_domain_info *info)
{
	info->chip->irq_disable = create_nothing;
}

static void create_replace_mask(struct msi_domain_info *info)
{
	info->chip->irq_mask = create_nothing;
}

static void create_replace_unmask(struct msi_domain_info *info)
{
	info->chip->irq_unmask = create_nothing;
}

static void create_replace_lock(struct msi_domain_info *info)
{
	info->chip->irq_bus_lock = create_nothing;
}

static void create_replace_unlock(struct msi_domain_info *info)
{
	info->chip->irq_bus_sync_unlock = create_nothing;
}

static void create_replace_set_desc(struct msi_domain_info *info)
{
	info->ops->set_desc = create_set_nothing;
}

/* Otherwise the store would not be told of a message, or of masking. */
static void create_keeps_callbacks(struct kunit *test)
{
	static void (* const replace[])(struct msi_domain_info *info) = {
		create_replace_write_msg,
		create_replace_startup,
		create_replace_shutdown,
		create_replace_enable,
		create_replace_disable,
		create_replace_mask,
		create_replace_unmask,
		create_replace_lock,
		create_replace_unlock,
		create_replace_set_desc,
	};
	struct msi_table_info info = mtt_info(test->priv);

	info.parent = create_choosy_parent(test);
	info.flags = MSI_TABLE_UNREMAPPED;
	for (unsigned int i = 0; i < ARRAY_SIZE(replace); i++) {
		create_replace = replace[i];
		create_refused(test, &info, "replaces callbacks of the store");
	}
	create_choosy_done(test, &info);
}

/* What the parent is asked to make room for */
static int create_room;

static int create_prepare_room(struct irq_domain *domain, struct device *dev, int n,
			       msi_alloc_info_t *info)
{
	create_room = n;
	return create_prepare(domain, dev, n, info);
}

static void create_count_room(struct msi_domain_info *info)
{
	info->ops->msi_prepare = create_prepare_room;
}

static void create_asks_for_room(struct kunit *test)
{
	static const struct {
		u32	size;
		u32	expected;
		int	room;
	} cases[] = {
		{ 0, 0, 64 }, { 0, 200, 200 }, { 16, 0, 16 }, { 16, 4, 4 }, { 16, 17, 16 },
		{ 65, 0, 64 }, { BIT(20), 0, 64 }, { BIT(20), 1000, 1000 },
		{ 0, U32_MAX, 65536 },
	};
	struct msi_table_info info = mtt_info(test->priv);

	info.parent = create_choosy_parent(test);
	create_replace = create_count_room;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mtt_ctx *ctx = test->priv;
		struct msi_table *table;

		info.size = cases[i].size;
		info.expected = cases[i].expected;
		table = msi_allocate_table(ctx->dev, &info);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
		KUNIT_EXPECT_EQ(test, create_room, cases[i].room);
		KUNIT_EXPECT_EQ(test, create_hwsize, min(cases[i].size, 65536));
		msi_table_free(table);
	}
	info.size = MTT_SIZE;
	create_choosy_done(test, &info);
}

/* Some parents route those of stores in another way, or move what can't be masked with care. */
static void create_tells_parent(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	info.parent = create_choosy_parent(test);
	for (unsigned int i = 0; i < 2; i++) {
		struct msi_table *table;

		ctx->ops = i ? msi_fake_store_ops_nomask : msi_fake_store_ops;
		table = msi_allocate_table(ctx->dev, &info);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
		msi_table_free(table);
		KUNIT_EXPECT_TRUE(test, create_flags & MSI_FLAG_IMS);
		KUNIT_EXPECT_EQ(test, !!(create_flags & MSI_FLAG_NO_MASK), i);
	}
	create_choosy_done(test, &info);
}

static unsigned int create_teardowns;

static void create_teardown(struct irq_domain *domain, msi_alloc_info_t *info)
{
	create_teardowns++;
}

static void create_count_teardowns(struct msi_domain_info *info)
{
	info->ops->msi_teardown = create_teardown;
}

/* Of a table which is freed the parent keeps nothing, and its device neither. */
static void create_leaves_nothing(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);
	void *group = NULL;

	info.parent = create_choosy_parent(test);
	create_replace = create_count_teardowns;
	create_teardowns = 0;
	/* The first table of a device makes something that stays. */
	for (unsigned int i = 1; i <= 2; i++) {
		struct msi_table *table = msi_allocate_table(ctx->dev, &info);

		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
		msi_table_free(table);
		KUNIT_EXPECT_EQ(test, create_teardowns, i);
		if (i == 1)
			group = devres_open_group(ctx->dev, NULL, GFP_KERNEL);
	}
	KUNIT_ASSERT_NOT_NULL(test, group);
	KUNIT_EXPECT_EQ(test, devres_release_group(ctx->dev, group), 0);
	create_choosy_done(test, &info);
}

static void create_uses_given_parent(struct kunit *test)
{
	struct msi_fake_parent *other = mtt_new_parent(test, MTT_CAPACITY, 0);
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	info.parent = msi_fake_parent_domain(other);
	ctx->table = msi_allocate_table(ctx->dev, &info);
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
	table = msi_allocate_table(dev, &info);
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
	ctx->table = msi_allocate_table(ctx->dev, &info);
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
	KUNIT_CASE(create_vouched_for),
	KUNIT_CASE(create_needs_multi_domain),
	KUNIT_CASE(create_needs_parent_for_bus),
	KUNIT_CASE(create_checks_given_parent),
	KUNIT_CASE(create_refused_by_parent),
	KUNIT_CASE(create_keeps_callbacks),
	KUNIT_CASE(create_asks_for_room),
	KUNIT_CASE(create_tells_parent),
	KUNIT_CASE(create_leaves_nothing),
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
