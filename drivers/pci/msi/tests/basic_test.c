// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for the MSI tables of PCI functions: what they own, beside what
 * else there is, and for how long
 */
#include <kunit/msi_table.h>
#include <kunit/test.h>

#include <linux/delay.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>

#include "igb.h"

static void msi_table_pci_create(struct kunit *test)
{
	static const unsigned int wrong[] = {
		0, BIT(3), BIT(31), MSI_TABLE_MSIX | BIT(3), U32_MAX - 7, U32_MAX,
	};
	struct igb_test *igb = test->priv;
	struct msi_table *table;

	for (int i = 0; i < ARRAY_SIZE(wrong); i++) {
		KUNIT_EXPECT_PTR_EQ(test, pci_allocate_msi_table(igb->pdev, wrong[i]),
				    ERR_PTR(-EINVAL));
	}

	table = igb_create(test, MSI_TABLE_MSIX | MSI_TABLE_MSI);
	KUNIT_EXPECT_EQ(test, msi_table_size(table), IGB_NR_MSIX);
	KUNIT_EXPECT_NULL(test, msi_table_data(table));
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	KUNIT_EXPECT_PTR_EQ(test, pci_allocate_msi_table(igb->pdev, MSI_TABLE_MSIX),
			    ERR_PTR(-EBUSY));
	KUNIT_EXPECT_PTR_EQ(test, pci_allocate_msi_table(igb->pdev, MSI_TABLE_MSI),
			    ERR_PTR(-EBUSY));
	msi_table_free(table);

	table = igb_create(test, MSI_TABLE_MSI);
	KUNIT_EXPECT_EQ(test, msi_table_size(table), pci_msi_vec_count(igb->pdev));
	msi_table_free(table);
}

/* A function without the capability: the host bridge */
static void msi_table_pci_no_capability(struct kunit *test)
{
	struct pci_dev *bridge = pci_get_domain_bus_and_slot(0, 0, PCI_DEVFN(0, 0));

	KUNIT_ASSERT_NOT_NULL(test, bridge);
	if (bridge->msi_cap || bridge->msix_cap) {
		pci_dev_put(bridge);
		kunit_skip(test, "the host bridge has MSI");
	}
	KUNIT_EXPECT_PTR_EQ(test, pci_allocate_msi_table(bridge, MSI_TABLE_MSIX | MSI_TABLE_MSI),
			    ERR_PTR(-ENODEV));
	pci_dev_put(bridge);
}

static void msi_table_pci_owns_msix(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msix_entry entry = { .entry = 1 };
	struct pci_dev *pdev = igb->pdev;
	struct msi_table *table;
	int i;

	table = igb_create(test, MSI_TABLE_MSIX);

	/* Empty at first, with a live vector the second time */
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(pdev, 1, 4, PCI_IRQ_ALL_TYPES), -EBUSY);
		KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_INTX), -EBUSY);
		KUNIT_EXPECT_EQ(test, pci_enable_msix_range(pdev, &entry, 1, 1), -EBUSY);
		KUNIT_EXPECT_EQ(test, pci_enable_msi(pdev), -EBUSY);
		pci_free_irq_vectors(pdev);
		if (!i)
			igb_take(test, table, 0, 0, 0);
		igb_raise(test, 0);
	}
	msi_table_free(table);
	igb->vectors[0].vector = NULL;

	/* The legacy way works again, and is kept as it is by a table which wants in. */
	KUNIT_ASSERT_EQ(test, pci_alloc_irq_vectors(pdev, 2, 2, PCI_IRQ_MSIX), 2);
	KUNIT_EXPECT_PTR_EQ(test, pci_allocate_msi_table(pdev, MSI_TABLE_MSIX), ERR_PTR(-EBUSY));
	KUNIT_EXPECT_PTR_EQ(test, pci_allocate_msi_table(pdev, MSI_TABLE_MSI), ERR_PTR(-EBUSY));
	KUNIT_EXPECT_GT(test, pci_irq_vector(pdev, 1), 0);
	pci_free_irq_vectors(pdev);
}

/* INTx is no claim to the capability. The number of a vector is not to be had by it. */
static void msi_table_pci_legacy_intx(struct kunit *test)
{
	static const unsigned int kinds[] = { MSI_TABLE_MSIX, MSI_TABLE_MSI, MSI_TABLE_INTX };
	struct igb_test *igb = test->priv;
	struct pci_dev *pdev = igb->pdev;
	unsigned int intx = pdev->irq;

	if (!intx)
		kunit_skip(test, "the function has no INTx");

	for (int i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct msi_table *table;

		KUNIT_ASSERT_EQ(test, pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_INTX), 1);
		KUNIT_EXPECT_EQ(test, pci_irq_vector(pdev, 0), intx);

		table = igb_create(test, kinds[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, msi_table_alloc_vector(table, 0));
		KUNIT_EXPECT_EQ(test, pci_irq_vector(pdev, 0),
				kinds[i] == MSI_TABLE_INTX ? intx : -EINVAL);
		KUNIT_EXPECT_EQ(test, pci_irq_vector(pdev, 1), -EINVAL);
		KUNIT_EXPECT_EQ(test, pdev->irq, intx);
		pci_free_irq_vectors(pdev);
		KUNIT_EXPECT_EQ(test, pci_dev_msi_enabled(pdev), kinds[i] != MSI_TABLE_INTX);
		msi_table_free(table);

		KUNIT_EXPECT_EQ(test, pci_irq_vector(pdev, 0), intx);
	}
}

/**
 * struct igb_claims - Of two threads which want MSI of a function in both ways
 * @pdev:	The function
 * @owners:	How many have it
 * @shared:	How often there was another one
 * @failed:	How often it failed because of something else
 * @won:	How often a table got it
 */
struct igb_claims {
	struct pci_dev	*pdev;
	atomic_t	owners;
	atomic_t	shared;
	atomic_t	failed;
	unsigned int	won;
};

static void igb_own(struct igb_claims *claims)
{
	if (atomic_inc_return(&claims->owners) > 1)
		atomic_inc(&claims->shared);
	cond_resched();
	atomic_dec(&claims->owners);
}

static int igb_claim_thread(void *data)
{
	struct igb_claims *claims = data;

	for (int i = 0; !kthread_should_stop(); i++) {
		unsigned int kind = i % 2 ? MSI_TABLE_MSIX : MSI_TABLE_MSI;
		struct msi_table *table = pci_allocate_msi_table(claims->pdev, kind);

		cond_resched();
		if (IS_ERR(table)) {
			if (PTR_ERR(table) != -EBUSY)
				atomic_inc(&claims->failed);
			continue;
		}
		if (IS_ERR(msi_table_alloc_vector(table, 0)))
			atomic_inc(&claims->failed);
		igb_own(claims);
		claims->won++;
		msi_table_free(table);
		/* It is the other one's turn. */
		fsleep(100);
	}
	return 0;
}

static void msi_table_pci_claimed_once(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct igb_claims claims = { .pdev = igb->pdev };
	unsigned long end = jiffies + 60 * HZ;
	struct task_struct *task;
	unsigned int won = 0;

	task = kthread_run(igb_claim_thread, &claims, "igb-claim");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	for (int i = 0; (won < 30 || READ_ONCE(claims.won) < 30) && time_before(jiffies, end);
	     i++) {
		unsigned int kind = i % 3 ? PCI_IRQ_MSIX : PCI_IRQ_MSI;
		int ret = pci_alloc_irq_vectors(igb->pdev, 1, 1, kind);

		cond_resched();
		if (ret < 0) {
			if (ret != -EBUSY)
				atomic_inc(&claims.failed);
			continue;
		}
		if (pci_irq_vector(igb->pdev, 0) <= 0)
			atomic_inc(&claims.failed);
		igb_own(&claims);
		won++;
		pci_free_irq_vectors(igb->pdev);
		fsleep(100);
	}
	kthread_stop(task);

	KUNIT_EXPECT_GE(test, won, 30);
	KUNIT_EXPECT_GE(test, claims.won, 30);
	KUNIT_EXPECT_EQ(test, atomic_read(&claims.shared), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&claims.failed), 0);
	KUNIT_EXPECT_FALSE(test, pci_dev_msi_enabled(igb->pdev));
}

/**
 * struct igb_watcher - Counts what it is told
 * @watcher:	The watcher
 * @valid:	How often it was a message
 * @gone:	How often it was that there is none
 */
struct igb_watcher {
	struct msi_watcher	watcher;
	unsigned int		valid;
	unsigned int		gone;
};

static void igb_be_told(struct msi_watcher *watcher, const struct msi_msg *msg)
{
	struct igb_watcher *w = container_of(watcher, struct igb_watcher, watcher);

	if (msi_msg_address(msg))
		w->valid++;
	else
		w->gone++;
}

/*
 * The PCI core writes the message of an entry before there is a handler. That of
 * another entry is nothing to tell.
 */
static void msi_table_pci_watched(struct kunit *test)
{
	struct igb_watcher w = { .watcher.notify = igb_be_told };
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	struct igb_test *igb = test->priv;
	struct msi_vector *v;

	igb_take(test, table, 0, 0, 0);
	v = igb->vectors[0].vector;
	msi_vector_watch(v, &w.watcher);
	igb_take(test, table, 1, 1, 1);
	igb_raise(test, 0);
	igb_raise(test, 1);
	igb_give(table, igb, 1);
	KUNIT_EXPECT_EQ(test, w.valid, 1);
	KUNIT_EXPECT_EQ(test, w.gone, 0);

	msi_vector_free_irq(v);
	KUNIT_EXPECT_GT(test, w.gone, 0);
	igb_request(test, 0);
	KUNIT_EXPECT_GT(test, w.valid, 1);
	msi_vector_unwatch(v, &w.watcher);
	igb_raise(test, 0);
	w.gone = 0;
	msi_vector_free_irq(v);
	KUNIT_EXPECT_EQ(test, w.gone, 0);
	igb_free(table, igb);
}

static void msi_table_pci_sparse_msix(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	u32 label;

	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 3, 3, 3);
	KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));
	KUNIT_EXPECT_EQ(test, msi_get_virq(&igb->pdev->dev, 0), 0);
	igb_take(test, table, 7, 7, 7);
	for (label = 0; label < IGB_NR_MSIX; label++)
		igb_raise(test, label);

	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 7), ERR_PTR(-EBUSY));
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, IGB_NR_MSIX), ERR_PTR(-ERANGE));
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector_range(table, 7, IGB_NR_MSIX),
			    ERR_PTR(-ERANGE));

	/* Entry 3 goes and comes back while 7 goes on. */
	igb_give(table, igb, 3);
	igb_raise(test, 3);
	igb_raise(test, 7);
	igb_take(test, table, 2, 4, 2);
	igb_take(test, table, 2, 4, 3);
	igb_take(test, table, 2, 4, 4);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector_range(table, 2, 4), ERR_PTR(-ENOSPC));
	igb_take(test, table, 0, MSI_LABEL_ANY, 0);
	for (label = 0; label < IGB_NR_MSIX; label++)
		igb_raise(test, label);

	msi_table_free(table);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
}

/* The first vector gets the affinity which was asked for. */
static void msi_table_pci_affinity(struct kunit *test)
{
	struct irq_affinity_desc last = { };
	struct msi_vector_request req = { .lowest = 4, .highest = 4, .affinity = &last };
	struct igb_test *igb = test->priv;
	struct igb_vector *v = &igb->vectors[4];
	struct msi_table *table;

	cpumask_set_cpu(cpumask_last(cpu_online_mask), &last.mask);
	table = igb_create(test, MSI_TABLE_MSIX);
	v->vector = msi_table_alloc_vector_req(table, &req);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v->vector);
	igb_request(test, 4);
	KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_affinity_mask(msi_vector_irq(v->vector)),
					      &last.mask));
	igb_raise(test, 4);
	igb_free(table, igb);

	/* MSI takes it from message 0 on. */
	table = igb_create(test, MSI_TABLE_MSI);
	req.lowest = 0;
	req.highest = 0;
	v->vector = msi_table_alloc_vector_req(table, &req);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v->vector);
	KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_affinity_mask(msi_vector_irq(v->vector)),
					      &last.mask));
	igb_free(table, igb);
}

/* What the device has in its table is what we are told. */
static void msi_table_pci_message(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct igb_vector *v = &igb->vectors[5];
	struct msi_msg msg;
	struct msi_table *table;
	bool early;

	table = igb_create(test, MSI_TABLE_MSIX);
	v->vector = msi_table_alloc_vector(table, 5);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v->vector);
	/* Without reservations an entry has its message early, masked. */
	early = irqd_is_activated(irq_get_irq_data(msi_vector_irq(v->vector)));
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(v->vector, &msg), early ? 0 : -EAGAIN);
	KUNIT_EXPECT_TRUE(test, igb_read_entry(igb, 5, &msg));
	igb_request(test, 5);
	igb_expect_message(test, 5);

	msi_vector_free_irq(v->vector);
	KUNIT_EXPECT_TRUE(test, igb_read_entry(igb, 5, &msg));
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(v->vector, &msg), -EAGAIN);
	igb_free(table, igb);
}

static void msi_table_pci_msi(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	unsigned int nr = pci_msi_vec_count(igb->pdev), intx = igb->pdev->irq;
	struct msi_msg msg;
	struct msi_table *table;
	struct msi_vector *v;

	table = igb_create(test, MSI_TABLE_MSI);
	KUNIT_EXPECT_FALSE(test, igb_msi_on(igb));
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, nr), ERR_PTR(-ERANGE));

	v = msi_table_alloc_vector(table, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v);
	KUNIT_EXPECT_TRUE(test, igb_msi_on(igb));
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 0), ERR_PTR(-EBUSY));
	KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(igb->pdev, 1, 1, PCI_IRQ_ALL_TYPES), -EBUSY);
	pci_free_irq_vectors(igb->pdev);
	KUNIT_EXPECT_TRUE(test, igb_msi_on(igb));
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v, igb_handler, NULL, 0, &igb->vectors[0],
							"igb-test"));
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(v, &msg), 0);
	KUNIT_EXPECT_NE(test, msi_msg_address(&msg), 0);

	/* INTx, which nobody handles, comes back with the end of the table. */
	msi_table_free_vector(table, v);
	KUNIT_EXPECT_TRUE(test, igb_msi_on(igb));
	KUNIT_EXPECT_TRUE(test, igb_command(igb) & PCI_COMMAND_INTX_DISABLE);
	v = msi_table_alloc_vector(table, MSI_LABEL_ANY);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, v);
	msi_table_free(table);
	KUNIT_EXPECT_FALSE(test, igb_msi_on(igb));
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	KUNIT_EXPECT_EQ(test, igb->pdev->irq, intx);
}

/* Forgotten on unbind, with handlers installed; igb_test_exit() looks for it. */
static void msi_table_pci_forgotten(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;

	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 1, 1, 1);
	igb_take(test, table, 6, 6, 6);
	igb_raise(test, 6);

	device_release_driver(&igb->pdev->dev);
	KUNIT_EXPECT_NULL(test, igb->pdev->msi_table);
	KUNIT_ASSERT_EQ(test, device_attach(&igb->pdev->dev), 1);
	KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(igb->pdev, 2, 2, PCI_IRQ_MSIX), 2);
	pci_free_irq_vectors(igb->pdev);
}

static void msi_table_pci_beside_ims(struct kunit *test)
{
	struct msi_fake_store *store = msi_fake_store_create();
	struct msi_table_info info = {
		.name	= "test",
		.ops	= &msi_fake_store_ops,
		.size	= 4,
		.data	= store,
		.flags	= MSI_TABLE_UNREMAPPED,
	};
	struct igb_test *igb = test->priv;
	struct igb_vector ims_count = { };
	struct msi_table *msix, *ims[2];
	struct msi_fake_slot slot;
	struct msi_msg msg;
	struct msi_vector *v;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, store);
	/* A name is that of one table, whichever was first. */
	info.name = "PCI";
	ims[0] = msi_allocate_table(&igb->pdev->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ims[0]);
	KUNIT_EXPECT_PTR_EQ(test, pci_allocate_msi_table(igb->pdev, MSI_TABLE_MSIX),
			    ERR_PTR(-EEXIST));
	msi_table_free(ims[0]);
	info.name = "test";
	ims[0] = msi_allocate_table(&igb->pdev->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ims[0]);
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	KUNIT_EXPECT_PTR_EQ(test, msi_allocate_table(&igb->pdev->dev, &info), ERR_PTR(-EEXIST));
	msix = igb_create(test, MSI_TABLE_MSIX);
	info.name = "PCI";
	KUNIT_EXPECT_PTR_EQ(test, msi_allocate_table(&igb->pdev->dev, &info), ERR_PTR(-EEXIST));
	info.name = "other";
	ims[1] = msi_allocate_table(&igb->pdev->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ims[1]);

	igb_take(test, msix, 2, 2, 2);
	v = msi_table_alloc_vector(ims[0], 2);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v, igb_handler, NULL, 0, &ims_count,
							"igb-ims"));
	KUNIT_EXPECT_EQ(test, 0, msi_vector_get_msg(v, &msg));
	KUNIT_EXPECT_EQ(test, 0, msi_fake_store_read(store, 2, &slot));
	KUNIT_EXPECT_EQ(test, msi_msg_address(&slot.msg), msi_msg_address(&msg));
	KUNIT_EXPECT_EQ(test, slot.msg.data, msg.data);
	KUNIT_EXPECT_FALSE(test, slot.masked);
	igb_raise(test, 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&ims_count.count), 0);

	/* MSI-X goes; the store stays as it is. */
	msi_table_free(msix);
	igb->vectors[2].vector = NULL;
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	KUNIT_EXPECT_EQ(test, 0, msi_vector_get_msg(v, &msg));
	msi_table_free(ims[0]);
	msi_table_free(ims[1]);
	KUNIT_EXPECT_EQ(test, 0, msi_fake_store_bad_context(store));
	msi_fake_store_destroy(store);
}

/* What a driver may hold, in any combination */
enum igb_way {
	IGB_LEGACY_MSIX,
	IGB_LEGACY_MSI,
	IGB_LEGACY_INTX,
	IGB_TABLE_MSIX,
	IGB_TABLE_MSI,
	IGB_STORE,
	IGB_NR_WAYS,
};

static const struct {
	const char	*name;
	unsigned int	legacy;
	unsigned int	kind;
	bool		msix;
} igb_ways[IGB_NR_WAYS] = {
	[IGB_LEGACY_MSIX]	= { "legacy MSI-X", .legacy = PCI_IRQ_MSIX, .msix = true },
	[IGB_LEGACY_MSI]	= { "legacy MSI", .legacy = PCI_IRQ_MSI },
	[IGB_LEGACY_INTX]	= { "legacy INTx", .legacy = PCI_IRQ_INTX },
	[IGB_TABLE_MSIX]	= { "MSI-X table", .kind = MSI_TABLE_MSIX, .msix = true },
	[IGB_TABLE_MSI]		= { "MSI table", .kind = MSI_TABLE_MSI },
	[IGB_STORE]		= { "store" },
};

/**
 * struct igb_held - One of igb_ways, with one vector
 * @way:	Which one
 * @table:	Table, unless it is a legacy way
 * @vector:	Vector of @table
 * @store:	Store of an IGB_STORE
 * @irq:	Interrupt of legacy MSI or MSI-X
 * @counter:	Counts the interrupts
 */
struct igb_held {
	enum igb_way		way;
	struct msi_table	*table;
	struct msi_vector	*vector;
	struct msi_fake_store	*store;
	unsigned int		irq;
	struct igb_vector	counter;
};

static int igb_hold_legacy(struct igb_test *igb, struct igb_held *held)
{
	int ret = pci_alloc_irq_vectors(igb->pdev, 1, 1, igb_ways[held->way].legacy);

	if (ret < 0 || held->way == IGB_LEGACY_INTX)
		return min(ret, 0);

	held->irq = pci_irq_vector(igb->pdev, 0);
	return request_irq(held->irq, igb_handler, 0, "igb-legacy", &held->counter);
}

static struct msi_table *igb_hold_store(struct igb_test *igb, struct igb_held *held,
					const char *name)
{
	struct msi_table_info info = {
		.name	= name,
		.ops	= &msi_fake_store_ops,
		.size	= 4,
		.flags	= MSI_TABLE_UNREMAPPED,
	};

	held->store = msi_fake_store_create();
	if (IS_ERR(held->store))
		return ERR_CAST(held->store);

	info.data = held->store;
	return msi_allocate_table(&igb->pdev->dev, &info);
}

static int igb_hold(struct igb_test *igb, struct igb_held *held, enum igb_way way,
		    const char *name)
{
	int ret, expected;

	*held = (struct igb_held) { .way = way };
	expected = igb_ways[way].msix && igb_pending(igb, 0);

	if (igb_ways[way].legacy) {
		ret = igb_hold_legacy(igb, held);
	} else {
		if (way == IGB_STORE)
			held->table = igb_hold_store(igb, held, name);
		else
			held->table = pci_allocate_msi_table(igb->pdev, igb_ways[way].kind);
		if (IS_ERR(held->table))
			return PTR_ERR(held->table);

		held->vector = msi_table_alloc_vector(held->table, 0);
		if (IS_ERR(held->vector))
			return PTR_ERR(held->vector);
		ret = msi_vector_request_irq(held->vector, igb_handler, NULL, 0, &held->counter,
					     "igb-held");
	}
	if (!ret && !igb_wait_for(&held->counter, expected))
		return -ETIMEDOUT;
	return ret;
}

static void igb_drop(struct igb_test *igb, struct igb_held *held)
{
	if (igb_ways[held->way].legacy) {
		if (held->irq)
			free_irq(held->irq, &held->counter);
		pci_free_irq_vectors(igb->pdev);
		return;
	}

	msi_table_free(held->table);
	if (held->store)
		msi_fake_store_destroy(held->store);
}

static bool igb_alive(struct igb_test *igb, struct igb_held *held)
{
	int expected = atomic_read(&held->counter.count) + 1;
	struct msi_fake_slot slot;
	struct msi_msg msg;

	if (held->way == IGB_LEGACY_INTX)
		return true;
	if (held->way == IGB_STORE)
		return !msi_vector_get_msg(held->vector, &msg) &&
		       !msi_fake_store_read(held->store, 0, &slot) && !slot.masked &&
		       msi_msg_address(&slot.msg) == msi_msg_address(&msg) &&
		       slot.msg.data == msg.data;
	if (!igb_ways[held->way].msix)
		return igb_msi_on(igb) && !igb_msix_on(igb);

	writel(BIT(0), igb->regs + IGB_EICS);
	return igb_wait_for(&held->counter, expected);
}

/* What @second has to say while @first is held */
static int igb_expected(enum igb_way first, enum igb_way second)
{
	if (first == IGB_STORE || second == IGB_STORE || first == IGB_LEGACY_INTX)
		return 0;
	return -EBUSY;
}

static void igb_pair(struct kunit *test, enum igb_way first, enum igb_way second, bool in_order)
{
	struct igb_test *igb = test->priv;
	struct igb_held *held = kunit_kcalloc(test, 2, sizeof(*held), GFP_KERNEL);
	unsigned int nr_irqs = igb_count_irqs();
	int ret;

#define IGB_PAIR_EXPECT(left, right)								\
	KUNIT_EXPECT_EQ_MSG(test, left, right, "%s, then %s, freed in %s order",		\
			    igb_ways[first].name, igb_ways[second].name,			\
			    in_order ? "the same" : "reverse")

	KUNIT_ASSERT_NOT_NULL(test, held);
	IGB_PAIR_EXPECT(igb_hold(igb, &held[0], first, "first"), 0);
	ret = igb_hold(igb, &held[1], second, "second");
	IGB_PAIR_EXPECT(ret, igb_expected(first, second));
	IGB_PAIR_EXPECT(igb_alive(igb, &held[0]), true);
	if (!ret) {
		IGB_PAIR_EXPECT(igb_alive(igb, &held[1]), true);
		igb_drop(igb, &held[!in_order]);
		IGB_PAIR_EXPECT(igb_alive(igb, &held[in_order]), true);
		igb_drop(igb, &held[in_order]);
	} else {
		igb_drop(igb, &held[0]);
	}

	IGB_PAIR_EXPECT(igb_command(igb), igb->command);
	IGB_PAIR_EXPECT(igb_msix_on(igb), false);
	IGB_PAIR_EXPECT(igb_msi_on(igb), false);
	IGB_PAIR_EXPECT(igb_count_irqs(), nr_irqs);
	KUNIT_EXPECT_PTR_EQ(test, dev_get_msi_domain(&igb->pdev->dev), igb->domain);
#undef IGB_PAIR_EXPECT
}

/* Everything a driver can hold, and what else it can have beside it */
static void msi_table_pci_coexistence(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	enum igb_way first, second;

	for (first = 0; first < IGB_NR_WAYS; first++) {
		for (second = 0; second < IGB_NR_WAYS; second++) {
			if (igb_ways[first].legacy && igb_ways[second].legacy)
				continue;
			if (!igb->pdev->irq &&
			    (first == IGB_LEGACY_INTX || second == IGB_LEGACY_INTX))
				continue;
			igb_pair(test, first, second, false);
			if (!igb_expected(first, second))
				igb_pair(test, first, second, true);
		}
	}
}

static void igb_free_table(void *table)
{
	msi_table_free(table);
}

/*
 * The table's own device resource frees it, or one of the driver's. Those of the PCI core
 * are on both sides of it: it was enabled before, and MSI or MSI-X after.
 */
static void msi_table_pci_unbind(struct kunit *test)
{
	enum { MANAGED, ACTION, NR_ENDS } end;
	struct igb_test *igb = test->priv;
	struct device *dev = &igb->pdev->dev;
	struct igb_held *held;
	struct msi_fake_slot slot;
	enum igb_way way;

	held = kunit_kzalloc(test, sizeof(*held), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, held);

	for (end = 0; end < NR_ENDS; end++) {
		for (way = IGB_TABLE_MSIX; way <= IGB_STORE; way++) {
			const char *name = igb_ways[way].name;

			KUNIT_ASSERT_EQ_MSG(test, igb_hold(igb, held, way, "test"), 0, "%s %d",
					    name, end);
			KUNIT_EXPECT_TRUE_MSG(test, igb_alive(igb, held), "%s %d", name, end);
			if (end == ACTION)
				KUNIT_ASSERT_EQ(test, 0, devm_add_action(dev, igb_free_table,
									 held->table));

			device_release_driver(dev);
			KUNIT_EXPECT_FALSE_MSG(test, igb_msix_on(igb), "%s %d", name, end);
			KUNIT_EXPECT_FALSE_MSG(test, igb_msi_on(igb), "%s %d", name, end);
			KUNIT_EXPECT_NULL_MSG(test, igb->pdev->msi_table, "%s %d", name, end);
			KUNIT_EXPECT_EQ_MSG(test, igb_count_irqs(), igb->nr_irqs, "%s %d", name,
					    end);
			if (way == IGB_STORE) {
				KUNIT_EXPECT_EQ(test, 0,
						msi_fake_store_read(held->store, 0, &slot));
				KUNIT_EXPECT_EQ(test, msi_msg_address(&slot.msg), 0);
				KUNIT_EXPECT_EQ(test, slot.inits, slot.exits);
				msi_fake_store_destroy(held->store);
			}
			KUNIT_ASSERT_EQ(test, device_attach(dev), 1);
		}
	}
}

/* Somebody else's handler is on the interrupt, and is freed with that. */
static void msi_table_pci_foreign_handler(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	unsigned int irq;

	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 1, 1, 1);
	igb->vectors[4].vector = msi_table_alloc_vector(table, 4);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, igb->vectors[4].vector);
	irq = msi_vector_irq(igb->vectors[4].vector);
	KUNIT_ASSERT_EQ(test, 0, request_irq(irq, igb_handler, 0, "igb-foreign",
					     &igb->vectors[4]));
	igb_raise(test, 4);

	kunit_warning_suppress(test) {
		igb_give(table, igb, 4);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	igb_raise_nobody(test, 4);
	igb_raise(test, 1);
	igb_take(test, table, 4, 4, 4);
	igb_raise(test, 4);
	igb_free(table, igb);
}

static struct kunit_case msi_table_pci_cases[] = {
	KUNIT_CASE(msi_table_pci_create),
	KUNIT_CASE(msi_table_pci_no_capability),
	KUNIT_CASE(msi_table_pci_owns_msix),
	KUNIT_CASE(msi_table_pci_legacy_intx),
	KUNIT_CASE(msi_table_pci_claimed_once),
	KUNIT_CASE(msi_table_pci_watched),
	KUNIT_CASE(msi_table_pci_sparse_msix),
	KUNIT_CASE(msi_table_pci_affinity),
	KUNIT_CASE(msi_table_pci_message),
	KUNIT_CASE(msi_table_pci_msi),
	KUNIT_CASE(msi_table_pci_forgotten),
	KUNIT_CASE(msi_table_pci_beside_ims),
	KUNIT_CASE(msi_table_pci_coexistence),
	KUNIT_CASE(msi_table_pci_unbind),
	KUNIT_CASE(msi_table_pci_foreign_handler),
	{ }
};

static struct kunit_suite msi_table_pci_suite = {
	.name		= "msi_table_pci",
	.init		= igb_test_init,
	.exit		= igb_test_exit,
	.test_cases	= msi_table_pci_cases,
};

kunit_test_suite(msi_table_pci_suite);

MODULE_DESCRIPTION("KUnit tests for the MSI tables of PCI functions");
MODULE_LICENSE("GPL");
