// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: vectors lent to the driver of an auxiliary device
 */
#include <linux/auxiliary_bus.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "msi_table_test.h"

KUNIT_ARRAY_PARAM_DESC(mtt_variant, mtt_variants, name);

#define LEASE_SIZE	3

/* What the child does with the vectors when its driver goes */
enum lease_end {
	LEASE_RETURNED,		/* Frees them */
	LEASE_FORGOTTEN,	/* Leaves them, and its handlers, to the parent */
	LEASE_DEVM,		/* Leaves its handlers, by request_irq(), to devm */
};

/**
 * struct lease - What parent and child have between them, outlives both
 * @table:	The parent's table
 * @vectors:	Vectors which the child may use, NULL when they are freed
 * @hits:	dev_id of the child's handlers
 * @end:	What the child does in the end
 * @bound:	The child has a driver
 */
struct lease {
	struct msi_table	*table;
	struct msi_vector	*vectors[LEASE_SIZE];
	struct mtt_hits		hits[LEASE_SIZE];
	enum lease_end		end;
	bool			bound;
};

/**
 * struct tenant - The child
 * @adev:	The device
 * @lease:	What was lent to it
 */
struct tenant {
	struct auxiliary_device	adev;
	struct lease		*lease;
};

static int tenant_request(struct tenant *tenant, unsigned int i)
{
	struct lease *lease = tenant->lease;
	struct msi_vector *vector = lease->vectors[i];

	if (lease->end == LEASE_DEVM)
		return devm_request_irq(&tenant->adev.dev, msi_vector_irq(vector), mtt_handler,
					IRQF_NO_THREAD, "msi_table_tenant", &lease->hits[i]);
	return mtt_try_request(vector, &lease->hits[i]);
}

static int tenant_probe(struct auxiliary_device *adev, const struct auxiliary_device_id *id)
{
	struct tenant *tenant = container_of(adev, struct tenant, adev);
	struct lease *lease = tenant->lease;

	for (unsigned int i = 0; i < LEASE_SIZE; i++) {
		int ret = tenant_request(tenant, i);

		if (!ret)
			continue;
		while (i--)
			msi_vector_free_irq(lease->vectors[i]);
		return ret;
	}
	lease->bound = true;
	return 0;
}

static void tenant_remove(struct auxiliary_device *adev)
{
	struct lease *lease = container_of(adev, struct tenant, adev)->lease;

	if (lease->end == LEASE_RETURNED) {
		msi_table_free_vectors(lease->table, lease->vectors, LEASE_SIZE);
		memset(lease->vectors, 0, sizeof(lease->vectors));
	}
	lease->bound = false;
}

static const struct auxiliary_device_id tenant_ids[] = {
	{ .name = KBUILD_MODNAME ".tenant" },
	{ }
};

static struct auxiliary_driver tenant_driver = {
	.name		= "tenant",
	.probe		= tenant_probe,
	.remove		= tenant_remove,
	.id_table	= tenant_ids,
};

static void tenant_unregister_driver(void *driver)
{
	auxiliary_driver_unregister(driver);
}

static void tenant_register_driver(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, 0, auxiliary_driver_register(&tenant_driver));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, tenant_unregister_driver,
							   &tenant_driver));
}

static void tenant_release(struct device *dev)
{
	kfree(container_of(dev, struct tenant, adev.dev));
}

static void tenant_destroy(void *tenant)
{
	auxiliary_device_destroy(&((struct tenant *)tenant)->adev);
}

static void lease_grant(struct kunit *test, struct lease *lease)
{
	for (unsigned int i = 0; i < LEASE_SIZE; i++)
		lease->vectors[i] = mtt_alloc(test, 5 + 2 * i);
}

/* Like a driver which has a child device: its table is older than the child. */
static struct lease *lease_new(struct kunit *test, enum lease_end end)
{
	struct lease *lease = kunit_kzalloc(test, sizeof(*lease), GFP_KERNEL);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, lease);
	lease->table = ctx->table;
	lease->end = end;
	lease_grant(test, lease);
	return lease;
}

static struct tenant *tenant_new(struct kunit *test, struct lease *lease)
{
	struct mtt_ctx *ctx = test->priv;
	struct tenant *tenant;

	tenant = kzalloc_obj(*tenant);
	KUNIT_ASSERT_NOT_NULL(test, tenant);
	tenant->lease = lease;
	tenant->adev.name = "tenant";
	tenant->adev.dev.parent = ctx->dev;
	tenant->adev.dev.release = tenant_release;
	if (auxiliary_device_init(&tenant->adev)) {
		kfree(tenant);
		KUNIT_FAIL_AND_ABORT(test, "no auxiliary device");
	}
	if (auxiliary_device_add(&tenant->adev)) {
		auxiliary_device_uninit(&tenant->adev);
		KUNIT_FAIL_AND_ABORT(test, "auxiliary device not added");
	}
	KUNIT_ASSERT_EQ(test, 0, devm_add_action_or_reset(ctx->dev, tenant_destroy, tenant));
	return tenant;
}

/* The parent takes the child away. */
static void tenant_evict(struct kunit *test, struct tenant *tenant)
{
	struct mtt_ctx *ctx = test->priv;

	devm_release_action(ctx->dev, tenant_destroy, tenant);
}

static void lease_expect_delivery(struct kunit *test, struct lease *lease)
{
	KUNIT_ASSERT_TRUE(test, lease->bound);
	for (unsigned int i = 0; i < LEASE_SIZE; i++)
		mtt_expect_delivery(test, 5 + 2 * i, &lease->hits[i]);
}

/* A child with its driver, which works */
static struct tenant *tenant_move_in(struct kunit *test, struct lease *lease)
{
	struct tenant *tenant;

	tenant_register_driver(test);
	tenant = tenant_new(test, lease);
	lease_expect_delivery(test, lease);
	return tenant;
}

static void aux_unbind_quietly(struct kunit *test)
{
	kunit_warning_suppress(test) {
		mtt_unbind(test);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
}

static void aux_child_goes_first(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_RETURNED);
	struct mtt_hits *hits = mtt_request(test, mtt_alloc(test, 1));
	struct mtt_ctx *ctx = test->priv;
	struct tenant *tenant;

	tenant = tenant_move_in(test, lease);
	mtt_expect_delivery(test, 1, hits);

	tenant_evict(test, tenant);
	KUNIT_EXPECT_FALSE(test, lease->bound);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 1);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, 5), -EAGAIN);
	mtt_expect_delivery(test, 1, hits);
	mtt_unbind(test);
	mtt_expect_empty(test);
}

static void aux_table_goes_after_child(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_RETURNED);
	struct mtt_ctx *ctx = test->priv;
	struct tenant *tenant;

	tenant = tenant_move_in(test, lease);
	tenant_evict(test, tenant);
	msi_table_free(ctx->table);
	mtt_expect_empty(test);
	mtt_expect_creatable(test);
}

static void aux_driver_goes_first(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_RETURNED);
	struct mtt_ctx *ctx = test->priv;

	/* The device waits for its driver. */
	tenant_new(test, lease);
	KUNIT_EXPECT_FALSE(test, lease->bound);
	for (unsigned int i = 0; i < 2; i++) {
		tenant_register_driver(test);
		lease_expect_delivery(test, lease);
		kunit_release_action(test, tenant_unregister_driver, &tenant_driver);
		KUNIT_EXPECT_FALSE(test, lease->bound);
		mtt_expect_empty(test);
		lease_grant(test, lease);
	}
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), LEASE_SIZE);
}

/* The child is taken down by a devm action of the parent's. */
static void aux_parent_unbound(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_RETURNED);

	tenant_move_in(test, lease);
	aux_unbind_quietly(test);
	KUNIT_EXPECT_FALSE(test, lease->bound);
	mtt_expect_empty(test);
}

static void aux_child_forgets(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_FORGOTTEN);
	struct mtt_ctx *ctx = test->priv;
	struct tenant *tenant;

	tenant = tenant_move_in(test, lease);
	tenant_evict(test, tenant);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), LEASE_SIZE);
	aux_unbind_quietly(test);
	mtt_expect_empty(test);
}

/* The handlers belong to the child, the vectors to the parent. */
static void aux_child_uses_devm(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_DEVM);

	tenant_move_in(test, lease);
	aux_unbind_quietly(test);
	mtt_expect_empty(test);
}

/* There is no CPU vector for one of the child's interrupts. */
static void aux_probe_fails(struct kunit *test)
{
	struct lease *lease = lease_new(test, LEASE_RETURNED);
	struct mtt_ctx *ctx = test->priv;
	struct tenant *tenant;

	tenant_register_driver(test);
	msi_fake_parent_fail_activate_nth(ctx->parent, 2);
	tenant = tenant_new(test, lease);
	KUNIT_EXPECT_FALSE(test, lease->bound);
	for (unsigned int i = 0; i < LEASE_SIZE; i++)
		KUNIT_EXPECT_EQ(test, mtt_fire(test, 5 + 2 * i), -EAGAIN);

	/* They are the parent's still. */
	mtt_expect_delivery(test, 5, mtt_request(test, lease->vectors[0]));
	tenant_evict(test, tenant);
	msi_table_free_vectors(ctx->table, lease->vectors, LEASE_SIZE);
	mtt_expect_empty(test);
}

static struct kunit_case mtt_aux_cases[] = {
	KUNIT_CASE_PARAM(aux_child_goes_first, mtt_variant_gen_params),
	KUNIT_CASE(aux_table_goes_after_child),
	KUNIT_CASE(aux_driver_goes_first),
	KUNIT_CASE_PARAM(aux_parent_unbound, mtt_variant_gen_params),
	KUNIT_CASE(aux_child_forgets),
	KUNIT_CASE(aux_child_uses_devm),
	KUNIT_CASE(aux_probe_fails),
	{ }
};

static struct kunit_suite mtt_aux_suite = {
	.name		= "msi_table_aux",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_aux_cases,
};

kunit_test_suite(mtt_aux_suite);
