// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for what the tables of one function leave to each other
 *
 * Some parents have room for so many messages of a device: a GICv3 ITS has one table for
 * all that its MSI domains can send. The function is an Intel 82576 (igb), of which
 * nothing is sent here; two functions which send with the same id are those behind a
 * PCIe-to-PCI bridge, as QEMU's edu can be. Without them the tests are skipped.
 */
#include <kunit/test.h>

#include <linux/cleanup.h>
#include <linux/irq.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>

#include "igb.h"

#define ROOM_MAX	256

static void room_write_msg(struct msi_vector *vector, const struct msi_msg *msg) { }

static void room_clear_msg(struct msi_vector *vector) { }

static const struct msi_table_ops room_ops = {
	.write_msg	= room_write_msg,
	.clear_msg	= room_clear_msg,
};

static struct msi_table *room_store(struct kunit *test, struct pci_dev *pdev, const char *name,
				    u32 size, u32 expected)
{
	const struct msi_table_info info = {
		.name		= name,
		.ops		= &room_ops,
		.size		= size,
		.expected	= expected,
		.flags		= MSI_TABLE_UNREMAPPED,
	};
	struct msi_table *table = msi_allocate_table(&pdev->dev, &info);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	return table;
}

static struct msi_table *room_pci(struct kunit *test, struct pci_dev *pdev, unsigned int kind)
{
	struct msi_table *table = pci_allocate_msi_table(pdev, kind);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	return table;
}

/* How many of @n vectors there are */
static int room_try(struct msi_table *table, unsigned int n)
{
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	/* Whoever frees the table frees them. */
	static struct msi_vector *vectors[ROOM_MAX];

	return msi_table_alloc_vectors(table, &req, 1, n, vectors);
}

static void room_take(struct kunit *test, struct msi_table *table, unsigned int n)
{
	KUNIT_EXPECT_EQ(test, room_try(table, n), n);
}

/* There are machines which have no more than 64 messages for all devices. */
static void room_need(struct kunit *test, unsigned int n)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = room_store(test, igb->pdev, "all", 0, n);
	int most = 0, got;

	while (most < n && (got = room_try(table, n - most)) > 0)
		most += got;
	msi_table_free(table);
	if (most < n)
		kunit_skip(test, "the machine has %d messages, %u are needed", most, n);
}

/* What the parent knows the first interrupt of the device by: on an ITS, its LPI */
static irq_hw_number_t room_first(struct kunit *test, struct pci_dev *pdev)
{
	struct msi_table *table = room_store(test, pdev, "first", 1, 0);
	struct msi_vector *vector = msi_table_alloc_vector(table, 0);
	irq_hw_number_t hwirq;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	hwirq = irq_get_irq_data(msi_vector_irq(vector))->parent_data->hwirq;
	msi_table_free(table);
	return hwirq;
}

static void room_store_first(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *store = room_store(test, igb->pdev, "store", 2, 0), *msix;

	room_take(test, store, 2);
	msix = room_pci(test, igb->pdev, MSI_TABLE_MSIX);
	room_take(test, msix, IGB_NR_MSIX);
	msi_table_free(store);
	msi_table_free(msix);
}

/* MSI-X is on, but nobody uses it. */
static void room_msix_idle(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *msix, *store;

	room_need(test, 100 + IGB_NR_MSIX);
	msix = room_pci(test, igb->pdev, MSI_TABLE_MSIX);
	msi_table_free_vector(msix, msi_table_alloc_vector(msix, 0));
	store = room_store(test, igb->pdev, "store", 100, 100);
	room_take(test, store, 100);
	room_take(test, msix, IGB_NR_MSIX);
	msi_table_free(msix);
	msi_table_free(store);
}

/* What there is may not do for one who comes late, but nobody loses anything. */
static void room_msix_busy(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *msix = room_pci(test, igb->pdev, MSI_TABLE_MSIX), *store;
	int n;

	igb_take(test, msix, 9, 9, 9);
	store = room_store(test, igb->pdev, "store", 100, 100);
	n = room_try(store, 100);
	KUNIT_EXPECT_TRUE_MSG(test, n > 0 || n == -ENOSPC, "%d", n);
	igb_raise(test, 9);
	msi_table_free(store);
	igb_raise(test, 9);
	igb_free(msix, igb);
}

static void room_msi_first(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *msi = room_pci(test, igb->pdev, MSI_TABLE_MSI);
	struct msi_table *store = room_store(test, igb->pdev, "store", 20, 0);

	room_take(test, msi, 1);
	room_take(test, store, 20);
	msi_table_free(msi);
	room_take(test, room_pci(test, igb->pdev, MSI_TABLE_MSIX), IGB_NR_MSIX);
	msi_table_free(store);
}

/* The tables of a driver before their vectors, as it should be */
static void room_two_stores(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *one, *two, *msix;

	room_need(test, 240 + IGB_NR_MSIX);
	one = room_store(test, igb->pdev, "one", 40, 40);
	two = room_store(test, igb->pdev, "two", 0, 200);
	msix = room_pci(test, igb->pdev, MSI_TABLE_MSIX);
	room_take(test, one, 40);
	room_take(test, two, 200);
	room_take(test, msix, IGB_NR_MSIX);
	msi_table_free(one);
	room_take(test, room_store(test, igb->pdev, "three", 40, 40), 40);
	msi_table_free(msix);
	msi_table_free(two);
}

/* A store as large as can be takes what is expected, and leaves the rest to others. */
static void room_large_store(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *large[15], *store;

	room_need(test, (ARRAY_SIZE(large) + 1) * 16);
	for (unsigned int i = 0; i < ARRAY_SIZE(large); i++) {
		char name[16];

		snprintf(name, sizeof(name), "large-%u", i);
		large[i] = room_store(test, igb->pdev, name, U32_MAX, 0);
	}
	store = room_store(test, igb->pdev, "store", 16, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(large); i++)
		room_take(test, large[i], 16);
	room_take(test, store, 16);
	for (unsigned int i = 0; i < ARRAY_SIZE(large); i++)
		msi_table_free(large[i]);
	msi_table_free(store);
}

static void room_virtfn(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *store, *vf_store;
	struct pci_dev *vf;
	int ret;

	room_need(test, 64 + 3 + IGB_NR_MSIX);
	store = room_store(test, igb->pdev, "store", 32, 0);
	pci_lock_rescan_remove();
	ret = pci_enable_sriov(igb->pdev, 1);
	pci_unlock_rescan_remove();
	KUNIT_ASSERT_EQ_MSG(test, ret, 0, "pci_enable_sriov()");
	vf = pci_get_device(PCI_VENDOR_ID_INTEL, 0x10ca, NULL);
	KUNIT_ASSERT_NOT_NULL(test, vf);
	pci_dev_put(vf);
	vf_store = room_store(test, vf, "store", 32, 0);
	room_take(test, vf_store, 32);
	room_take(test, store, 32);
	room_take(test, room_pci(test, vf, MSI_TABLE_MSIX), 3);
	room_take(test, room_pci(test, igb->pdev, MSI_TABLE_MSIX), IGB_NR_MSIX);
	/* The function goes with all of its tables. */
	pci_lock_rescan_remove();
	pci_disable_sriov(igb->pdev);
	pci_unlock_rescan_remove();
}

/* The next driver, as often as one likes, finds what the first one found. */
static void room_rebind(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	irq_hw_number_t first = room_first(test, igb->pdev);

	for (int i = 0; i < 30; i++) {
		struct msi_table *store = room_store(test, igb->pdev, "store", 1 + i, 0), *msix;

		msix = room_pci(test, igb->pdev, MSI_TABLE_MSIX);
		room_take(test, i % 2 ? store : msix, 1);
		room_take(test, i % 2 ? msix : store, 1);
		device_release_driver(&igb->pdev->dev);
		KUNIT_ASSERT_EQ(test, device_attach(&igb->pdev->dev), 1);
	}
	KUNIT_EXPECT_EQ(test, room_first(test, igb->pdev), first);
}

/* The next function after @from which sends with the id of a bridge, or NULL */
static struct pci_dev *room_next_aliased(struct pci_dev *from)
{
	struct pci_dev *pdev = from;

	while ((pdev = pci_get_device(0x1234, 0x11e8, pdev))) {
		struct pci_dev *bridge = pci_upstream_bridge(pdev);

		if (bridge && pci_pcie_type(bridge) == PCI_EXP_TYPE_PCI_BRIDGE)
			break;
	}
	return pdev;
}

KUNIT_DEFINE_ACTION_WRAPPER(room_put, pci_dev_put, struct pci_dev *);

/* Whoever comes first, and whoever goes last, of two functions and four tables */
static void room_aliases(struct kunit *test)
{
	struct pci_dev *one = room_next_aliased(NULL), *two;
	struct msi_table *tables[4];
	irq_hw_number_t first;
	void __iomem *regs;

	two = one ? room_next_aliased(pci_dev_get(one)) : NULL;
	if (one)
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, room_put, one));
	if (!two)
		kunit_skip(test, "no two edus behind a PCIe-to-PCI bridge");
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, room_put, two));
	edu_bind(test, &regs);

	for (unsigned int i = 0; i < 4; i++) {
		tables[0] = room_store(test, one, "store", 8, 0);
		tables[1] = room_store(test, two, "store", 8, 0);
		tables[2] = room_pci(test, one, MSI_TABLE_MSI);
		tables[3] = room_pci(test, two, MSI_TABLE_MSI);
		for (unsigned int j = 0; j < 4; j++) {
			unsigned int k = (i + j) % 4;

			room_take(test, tables[k], k < 2 ? 8 : 1);
		}
		for (unsigned int j = 0; j < 4; j++)
			msi_table_free(tables[(i + j + 1) % 4]);
		/* The PCI core has kept its domains ever since the first round. */
		if (!i)
			first = room_first(test, one);
	}
	KUNIT_EXPECT_EQ(test, room_first(test, one), first);
	edu_unbind(test);
}

static struct kunit_case msi_table_pci_room_cases[] = {
	KUNIT_CASE(room_store_first),
	KUNIT_CASE(room_msix_idle),
	KUNIT_CASE(room_msix_busy),
	KUNIT_CASE(room_msi_first),
	KUNIT_CASE(room_two_stores),
	KUNIT_CASE(room_large_store),
	KUNIT_CASE(room_virtfn),
	KUNIT_CASE(room_rebind),
	KUNIT_CASE(room_aliases),
	{ }
};

static struct kunit_suite msi_table_pci_room_suite = {
	.name		= "msi_table_pci_room",
	.init		= igb_edu_test_init,
	.exit		= igb_test_exit,
	.test_cases	= msi_table_pci_room_cases,
};

kunit_test_suite(msi_table_pci_room_suite);
