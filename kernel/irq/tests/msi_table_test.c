// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables of device-specific stores, on a fake parent: what
 * all the suites share
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/irqflags.h>
#include <linux/kernfs.h>
#include <linux/kthread.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include <kunit/device.h>

#include "../msi_table.h"
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
		.name		= "mask and clear, parent starts up",
		.parent_flags	= MSI_FAKE_STARTUP_PARENT,
	}, {
		.name		= "slow bus",
		.slow		= true,
		.parent_flags	= MSI_FAKE_IMMUTABLE,
	},
};

KUNIT_DEFINE_ACTION_WRAPPER(mtt_destroy_parent, msi_fake_parent_destroy, struct msi_fake_parent *);
KUNIT_DEFINE_ACTION_WRAPPER(mtt_destroy_store, msi_fake_store_destroy, struct msi_fake_store *);

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

const struct irq_domain_ops *mtt_parent_ops;
static const struct irq_domain_ops *mtt_instead;

static int mtt_domain_alloc(struct irq_domain *domain, unsigned int virq, unsigned int n,
			    void *arg)
{
	return (mtt_instead->alloc ? : mtt_parent_ops->alloc)(domain, virq, n, arg);
}

static void mtt_domain_free(struct irq_domain *domain, unsigned int virq, unsigned int n)
{
	(mtt_instead->free ? : mtt_parent_ops->free)(domain, virq, n);
}

static int mtt_domain_activate(struct irq_domain *domain, struct irq_data *data, bool reserve)
{
	return (mtt_instead->activate ? : mtt_parent_ops->activate)(domain, data, reserve);
}

static void mtt_domain_deactivate(struct irq_domain *domain, struct irq_data *data)
{
	mtt_parent_ops->deactivate(domain, data);
}

static const struct irq_domain_ops mtt_domain_ops = {
	.alloc		= mtt_domain_alloc,
	.free		= mtt_domain_free,
	.activate	= mtt_domain_activate,
	.deactivate	= mtt_domain_deactivate,
};

void mtt_replace_ops(struct msi_fake_parent *parent, const struct irq_domain_ops *instead)
{
	struct irq_domain *domain = msi_fake_parent_domain(parent);

	if (domain->ops != &mtt_domain_ops)
		mtt_parent_ops = domain->ops;
	mtt_instead = instead;
	domain->ops = &mtt_domain_ops;
}

void mtt_exit(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;

	if (!ctx)
		return;

	if (ctx->dev)
		mtt_unbind(test);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
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
	ctx->table = msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->table);
	return ctx;
}

/* A table on a parent of its own, which takes the place of ctx->parent */
struct mtt_ctx *mtt_create_on(struct kunit *test, u32 size, unsigned int capacity,
			      unsigned int flags)
{
	struct mtt_ctx *ctx = test->priv;

	ctx->parent = mtt_new_parent(test, capacity, ctx->variant->parent_flags | flags);
	msi_fake_parent_attach(ctx->parent, ctx->dev);
	return mtt_create(test, size);
}

long mtt_create_error(struct kunit *test, const struct msi_table_info *info)
{
	struct mtt_ctx *ctx = test->priv;

	return PTR_ERR_OR_ZERO(msi_allocate_table(ctx->dev, info));
}

/* A creation which failed is no obstacle to one which is right. */
void mtt_expect_creatable(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_table_info info = mtt_info(ctx);

	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), 0);
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

bool mtt_msg_valid(struct msi_msg msg)
{
	return msi_msg_address(&msg) || msg.data;
}

bool mtt_msg_equal(struct msi_msg a, struct msi_msg b)
{
	return msi_msg_address(&a) == msi_msg_address(&b) && a.data == b.data;
}

irqreturn_t mtt_handler(int irq, void *dev_id)
{
	struct mtt_hits *hits = dev_id;

	hits->irq = irq;
	atomic_inc(&hits->hard);
	return IRQ_HANDLED;
}

int mtt_try_request(struct msi_vector *vector, struct mtt_hits *hits)
{
	return msi_vector_request_irq(vector, mtt_handler, NULL, IRQF_NO_THREAD, hits,
				      "msi_table_test");
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

struct mtt_hits *mtt_request_behind(struct kunit *test, struct msi_vector *vector)
{
	struct mtt_hits *hits = mtt_new_hits(test);

	KUNIT_ASSERT_EQ(test, 0, request_irq(msi_vector_irq(vector), mtt_handler, IRQF_NO_THREAD,
					     "msi_table_test", hits));
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

/* The slot has the message of @vector, and the device may send it. */
void mtt_expect_armed(struct kunit *test, struct msi_vector *vector)
{
	struct msi_fake_slot slot = mtt_slot(test, msi_vector_label(vector));
	struct msi_msg msg;

	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), 0);
	KUNIT_EXPECT_TRUE(test, mtt_msg_valid(msg));
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(slot.msg, msg));
	KUNIT_EXPECT_FALSE(test, slot.masked);
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

void mtt_expect_unused(struct kunit *test, unsigned int irq)
{
	KUNIT_EXPECT_FALSE_MSG(test, mtt_irq_exists(irq), "irq %u", irq);
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

	for (unsigned int i = 0; i < n; i++)
		mtt_expect_unused(test, irqs[i]);
	/* This has the tables give back what they keep. */
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
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

/* No vector is set up in the store, and none is left in the parent. */
void mtt_expect_empty(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_fake_slot slot;

	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
	for (u32 label = 0; label < MTT_SIZE; label++) {
		if (msi_fake_store_read(ctx->store, label, &slot))
			continue;
		KUNIT_EXPECT_FALSE(test, slot.inited);
		KUNIT_EXPECT_EQ(test, slot.inits, slot.exits);
		KUNIT_EXPECT_EQ(test, mtt_fire(test, label), -EAGAIN);
	}
}

struct mtt_batch *mtt_batch_new(struct kunit *test)
{
	struct mtt_batch *batch = kunit_kzalloc(test, sizeof(*batch), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, batch);
	return batch;
}

int mtt_batch_try(struct kunit *test, struct mtt_batch *batch, const struct msi_vector_request *req,
		  unsigned int min, unsigned int max)
{
	struct mtt_ctx *ctx = test->priv;
	int n;

	KUNIT_ASSERT_LE(test, min(max, MTT_SIZE), MTT_BATCH_MAX);
	n = msi_table_alloc_vectors(ctx->table, req, min, max, batch->vectors);
	memset(batch->hits, 0, sizeof(batch->hits));
	batch->n = max(n, 0);
	for (unsigned int i = 0; i < batch->n; i++) {
		batch->irqs[i] = msi_vector_irq(batch->vectors[i]);
		batch->labels[i] = msi_vector_label(batch->vectors[i]);
	}
	return n;
}

int mtt_batch_try_range(struct kunit *test, struct mtt_batch *batch, u32 lowest, u32 highest,
			unsigned int min, unsigned int max)
{
	const struct msi_vector_request req = {
		.lowest		= lowest,
		.highest	= highest,
	};

	return mtt_batch_try(test, batch, &req, min, max);
}

/* Exactly @n vectors of the range */
struct mtt_batch *mtt_batch_alloc(struct kunit *test, u32 lowest, u32 highest, unsigned int n)
{
	struct mtt_batch *batch = mtt_batch_new(test);

	KUNIT_ASSERT_EQ(test, mtt_batch_try_range(test, batch, lowest, highest, n, n), (int)n);
	return batch;
}

void mtt_batch_expect_labels_from(struct kunit *test, const struct mtt_batch *batch, u32 first)
{
	for (unsigned int i = 0; i < batch->n; i++)
		KUNIT_EXPECT_EQ(test, batch->labels[i], first + i);
}

void mtt_batch_request(struct kunit *test, struct mtt_batch *batch)
{
	for (unsigned int i = 0; i < batch->n; i++)
		batch->hits[i] = mtt_request(test, batch->vectors[i]);
}

/* Every message reaches its handler and no other one. */
void mtt_batch_expect_delivery(struct kunit *test, const struct mtt_batch *batch)
{
	int hits = 0, before = 0;

	for (unsigned int i = 0; i < batch->n; i++)
		before += atomic_read(&batch->hits[i]->hard);
	for (unsigned int i = 0; i < batch->n; i++) {
		mtt_expect_delivery(test, batch->labels[i], batch->hits[i]);
		KUNIT_EXPECT_EQ(test, batch->hits[i]->irq, batch->irqs[i]);
	}
	for (unsigned int i = 0; i < batch->n; i++)
		hits += atomic_read(&batch->hits[i]->hard);
	KUNIT_EXPECT_EQ(test, hits, before + (int)batch->n);
}

void mtt_batch_free(struct kunit *test, struct mtt_batch *batch)
{
	struct mtt_ctx *ctx = test->priv;

	msi_table_free_vectors(ctx->table, batch->vectors, batch->n);
}

void mtt_batch_expect_gone(struct kunit *test, const struct mtt_batch *batch)
{
	mtt_expect_gone(test, batch->irqs, batch->labels, batch->n);
}

/* What msi_vector_unwatch() waits for until the watcher is done */
static bool mtt_watch_locked(struct msi_watcher *watcher)
{
	raw_spinlock_t *lock = &watcher->vector->table->watch_lock;

#ifdef CONFIG_LOCKDEP
	return lockdep_is_held(lock);
#else
	return !IS_ENABLED(CONFIG_SMP) || raw_spin_is_locked(lock);
#endif
}

static void mtt_watch_notify(struct msi_watcher *watcher, const struct msi_msg *msg)
{
	struct mtt_watch *watch = container_of(watcher, struct mtt_watch, watcher);

	if (READ_ONCE(watch->closed) || !irqs_disabled() || !mtt_watch_locked(watcher))
		atomic_inc(&watch->wrong);
	watch->msg = *msg;
	atomic_inc(&watch->calls);
}

struct mtt_watch *mtt_watch_new(struct kunit *test)
{
	struct mtt_watch *watch = kunit_kzalloc(test, sizeof(*watch), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, watch);
	watch->watcher.notify = mtt_watch_notify;
	return watch;
}

struct mtt_watch *mtt_watch_start(struct kunit *test, struct msi_vector *vector)
{
	struct mtt_watch *watch = mtt_watch_new(test);

	msi_vector_watch(vector, &watch->watcher);
	return watch;
}

void mtt_watch_stop(struct msi_vector *vector, struct mtt_watch *watch)
{
	msi_vector_unwatch(vector, &watch->watcher);
	WRITE_ONCE(watch->closed, true);
}

static int mtt_racer_fn(void *data)
{
	struct mtt_racer *racer = data;

	while (!kthread_should_stop()) {
		racer->step(racer);
		atomic_inc(&racer->steps);
		cond_resched();
	}
	return 0;
}

static void mtt_stop_racer(void *data)
{
	struct mtt_racer *racer = data;

	kthread_stop(racer->task);
}

struct mtt_racer *mtt_start_racer(struct kunit *test, void (*step)(struct mtt_racer *racer),
				  struct msi_vector *vector)
{
	struct mtt_racer *racer = kunit_kzalloc(test, sizeof(*racer), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, racer);
	racer->step = step;
	racer->ctx = test->priv;
	racer->vector = vector;
	racer->task = kthread_run(mtt_racer_fn, racer, "msi_table_racer");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, racer->task);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mtt_stop_racer, racer));
	return racer;
}

void mtt_finish_racer(struct kunit *test, struct mtt_racer *racer)
{
	kunit_release_action(test, mtt_stop_racer, racer);
	KUNIT_EXPECT_EQ(test, racer->wrong, 0);
}

MODULE_DESCRIPTION("KUnit tests for MSI tables");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
