// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for the MSI tables of PCI functions: interrupts which a device
 * raises, delivered to whom and where they belong
 */
#include <kunit/test.h>

#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/irq.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>

#include "igb.h"

#define IGB_VF_NR_MSIX		3

static void pci_vectors_sparse(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	u32 label;

	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 7, 7, 7);
	igb_expect_entries(test, BIT(3) | BIT(7));
	igb_raise_all(test, 5);

	/* A range around one which is taken */
	igb_take(test, table, 6, 8, 6);
	igb_take(test, table, 6, 8, 8);
	igb_expect_entries(test, BIT(3) | BIT(6) | BIT(7) | BIT(8));
	igb_raise_all(test, 5);

	for (label = 0; label < IGB_NR_MSIX; label++) {
		if (!igb->vectors[label].vector)
			igb_take(test, table, 0, MSI_LABEL_ANY, label);
	}
	igb_expect_entries(test, IGB_ALL);
	igb_raise_all(test, 5);
	igb_free(table, igb);
}

/* Entries come and go, one by one and in batches, while others fire. */
static void pci_vectors_churn(struct kunit *test)
{
	const struct msi_vector_request req = { .lowest = 4, .highest = 8 };
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	static const u32 single[] = { 0, 9, 2 };
	struct msi_vector *vectors[3];
	struct igb_fire *fire;
	int i;

	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 7, 7, 7);
	fire = igb_fire_start(test, BIT(3) | BIT(7));

	for (i = 0; i < 24; i++) {
		u32 label = single[i % ARRAY_SIZE(single)];

		igb_take(test, table, label, label, label);
		igb_raise_beside(test, label);

		KUNIT_ASSERT_EQ(test, 3, msi_table_alloc_vectors(table, &req, 3, 3, vectors));
		igb_adopt(test, vectors, 3, BIT(4) | BIT(5) | BIT(6));
		igb_raise_beside(test, 5);

		igb_give(table, igb, label);
		igb_raise_beside(test, label);
		igb_raise_beside(test, 6);
		msi_table_free_vectors(table, vectors, 3);
		igb_disown(igb, BIT(4) | BIT(5) | BIT(6));
		igb_raise_beside(test, 4);
	}

	igb_fire_some(test, 3, 3);
	igb_fire_some(test, 7, 3);
	igb_fire_stop(test, fire);
	igb_free(table, igb);
}

/* The first allocation of a table is a batch. */
static void pci_vectors_batch_first(struct kunit *test)
{
	static const struct {
		u32 lowest, highest;
		unsigned int min, max;
		unsigned long labels;
	} batches[] = {
		{ 2, 6, 3, 4, BIT(2) | BIT(3) | BIT(4) | BIT(5) },
		{ 9, 9, 1, 1, BIT(9) },
		{ 8, MSI_LABEL_ANY, 1, 5, BIT(8) | BIT(9) },
		{ 0, MSI_LABEL_ANY, 10, 10, IGB_ALL },
	};
	struct igb_test *igb = test->priv;
	struct msi_vector *vectors[IGB_NR_MSIX];
	unsigned int i, label;
	int cookies[IGB_NR_MSIX];
	void *cookie[IGB_NR_MSIX];

	for (i = 0; i < IGB_NR_MSIX; i++)
		cookie[i] = &cookies[i];

	for (i = 0; i < ARRAY_SIZE(batches); i++) {
		const struct msi_vector_request req = {
			.lowest		= batches[i].lowest,
			.highest	= batches[i].highest,
			.cookies	= cookie,
		};
		struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
		int n;

		igb_expect_entries(test, 0);
		n = msi_table_alloc_vectors(table, &req, batches[i].min, batches[i].max, vectors);
		KUNIT_ASSERT_EQ_MSG(test, n, hweight_long(batches[i].labels), "batch %u", i);
		igb_expect_entries(test, batches[i].labels);
		igb_adopt(test, vectors, n, batches[i].labels);
		for (label = 0; label < n; label++)
			KUNIT_EXPECT_PTR_EQ(test, msi_vector_cookie(vectors[label]),
					    cookie[label]);
		for_each_set_bit(label, &batches[i].labels, IGB_NR_MSIX)
			igb_expect_message(test, label);
		igb_raise_all(test, 1);
		igb_free(table, igb);
		KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	}
}

/* Around what is taken already, and freed in any order */
static void pci_vectors_batch_holes(struct kunit *test)
{
	struct msi_vector_request req = { .lowest = 2, .highest = 8 };
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	struct msi_vector *vectors[IGB_NR_MSIX], *mixed[4];

	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 7, 7, 7);

	KUNIT_EXPECT_EQ(test, -ENOSPC, msi_table_alloc_vectors(table, &req, 6, 10, vectors));
	igb_expect_entries(test, BIT(3) | BIT(7));
	KUNIT_ASSERT_EQ(test, 2, msi_table_alloc_vectors(table, &req, 1, 2, vectors));
	igb_adopt(test, vectors, 2, BIT(2) | BIT(4));
	KUNIT_ASSERT_EQ(test, 3, msi_table_alloc_vectors(table, &req, 3, 10, vectors + 2));
	igb_adopt(test, vectors + 2, 3, BIT(5) | BIT(6) | BIT(8));
	igb_expect_entries(test, GENMASK(8, 2));
	igb_raise_all(test, 2);
	KUNIT_EXPECT_EQ(test, -ENOSPC, msi_table_alloc_vectors(table, &req, 1, 10, vectors + 5));

	/* Of two batches and a single one, neither ascending nor adjacent */
	mixed[0] = vectors[4];
	mixed[1] = igb->vectors[3].vector;
	mixed[2] = vectors[1];
	mixed[3] = vectors[2];
	msi_table_free_vectors(table, mixed, ARRAY_SIZE(mixed));
	igb_disown(igb, BIT(3) | BIT(4) | BIT(5) | BIT(8));
	igb_expect_entries(test, BIT(2) | BIT(6) | BIT(7));
	igb_raise_all(test, 2);
	msi_table_free_vectors(table, mixed, 0);

	req.lowest = 0;
	req.highest = MSI_LABEL_ANY;
	KUNIT_ASSERT_EQ(test, 7, msi_table_alloc_vectors(table, &req, 7, 7, vectors));
	igb_adopt(test, vectors, 7, IGB_ALL & ~(BIT(2) | BIT(6) | BIT(7)));
	igb_raise_all(test, 1);
	igb_free(table, igb);
}

/* Refused, as a table's first allocation and as a later one: nothing changes. */
static void pci_vectors_batch_refused(struct kunit *test)
{
	struct irq_affinity_desc *masks = kunit_kcalloc(test, 3, sizeof(*masks), GFP_KERNEL);
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	struct msi_vector *vectors[IGB_NR_MSIX + 1];
	struct msi_vector_request req = { };
	unsigned long entries;

	/* The second of three is managed, and may go nowhere. */
	KUNIT_ASSERT_NOT_NULL(test, masks);
	cpumask_copy(&masks[0].mask, cpu_online_mask);
	cpumask_copy(&masks[2].mask, cpu_online_mask);
	masks[1].is_managed = 1;

	for (entries = 0; entries <= BIT(4); entries += BIT(4)) {
		unsigned int nr_irqs = igb_count_irqs();

		req = (struct msi_vector_request) { .highest = MSI_LABEL_ANY };
		KUNIT_EXPECT_EQ(test, -EINVAL, msi_table_alloc_vectors(table, &req, 0, 1, vectors));
		KUNIT_EXPECT_EQ(test, -EINVAL, msi_table_alloc_vectors(table, &req, 3, 2, vectors));
		KUNIT_EXPECT_EQ(test, -ENOSPC,
				msi_table_alloc_vectors(table, &req, 11, 11, vectors));
		req.affinity = masks;
		KUNIT_EXPECT_EQ(test, -EINVAL, msi_table_alloc_vectors(table, &req, 3, 3, vectors));
		req.affinity = NULL;
		req.highest = IGB_NR_MSIX;
		KUNIT_EXPECT_EQ(test, -ERANGE, msi_table_alloc_vectors(table, &req, 1, 1, vectors));
		req.lowest = 5;
		req.highest = 4;
		KUNIT_EXPECT_EQ(test, -ERANGE, msi_table_alloc_vectors(table, &req, 1, 1, vectors));
		igb_expect_entries(test, entries);
		KUNIT_EXPECT_EQ(test, igb_count_irqs(), nr_irqs);

		if (!entries) {
			KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
			igb_take(test, table, 4, 4, 4);
		}
	}

	req.lowest = 4;
	KUNIT_EXPECT_EQ(test, -EBUSY, msi_table_alloc_vectors(table, &req, 1, 1, vectors));
	igb_raise_all(test, 1);

	/* All the rest is there. */
	req.lowest = 0;
	req.highest = MSI_LABEL_ANY;
	KUNIT_ASSERT_EQ(test, 9, msi_table_alloc_vectors(table, &req, 9, 11, vectors));
	igb_adopt(test, vectors, 9, IGB_ALL & ~BIT(4));
	igb_raise_all(test, 1);
	igb_free(table, igb);
}

/* The driver is unbound in the midst of it all. */
static void pci_vectors_unbind(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	int counts[4];
	u32 label;

	for (label = 0; label < 4; label++)
		igb_take(test, table, label, label, label);
	igb_fire_start(test, GENMASK(3, 0));
	for (label = 0; label < 4; label++)
		igb_fire_some(test, label, 3);

	device_release_driver(&igb->pdev->dev);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	KUNIT_EXPECT_EQ(test, igb_count_irqs(), igb->nr_irqs);
	for (label = 0; label < 4; label++)
		counts[label] = atomic_read(&igb->vectors[label].count);
	writel(IGB_ALL, igb->regs + IGB_EICS);
	msleep(IGB_NO_IRQ_MS);
	for (label = 0; label < 4; label++)
		KUNIT_EXPECT_EQ(test, counts[label], atomic_read(&igb->vectors[label].count));
}

/**
 * struct igb_vf - A virtual function
 * @pdev:	The function, bound to the driver of the tests
 * @regs:	Its BAR 0
 * @table:	Its MSI-X table
 * @vectors:	By entry of it
 */
struct igb_vf {
	struct pci_dev		*pdev;
	void __iomem		*regs;
	struct msi_table	*table;
	struct igb_vector	vectors[IGB_VF_NR_MSIX];
};

KUNIT_DEFINE_ACTION_WRAPPER(igb_vf_put, pci_dev_put, struct pci_dev *);

static struct igb_vf *igb_vf_create(struct kunit *test)
{
	struct igb_vf *vf = kunit_kzalloc(test, sizeof(*vf), GFP_KERNEL);
	struct igb_test *igb = test->priv;
	struct pci_dev *pf = igb->pdev;
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, vf);
	if (!pf->is_physfn)
		kunit_skip(test, "no SR-IOV");
	pci_lock_rescan_remove();
	ret = pci_enable_sriov(pf, 1);
	pci_unlock_rescan_remove();
	KUNIT_ASSERT_EQ_MSG(test, ret, 0, "pci_enable_sriov()");

	for_each_pci_dev(vf->pdev) {
		if (vf->pdev->is_virtfn && pci_physfn(vf->pdev) == pf)
			break;
	}
	KUNIT_ASSERT_NOT_NULL(test, vf->pdev);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, igb_vf_put, vf->pdev));
	kunit_info(test, "VF %s: %04x:%04x, BAR 0 %pR, MSI-X at 0x%x, MSI domain %s\n",
		   pci_name(vf->pdev), vf->pdev->vendor, vf->pdev->device, &vf->pdev->resource[0],
		   vf->pdev->msix_cap, dev_get_msi_domain(&vf->pdev->dev) ?
		   dev_get_msi_domain(&vf->pdev->dev)->name : "none");
	KUNIT_ASSERT_PTR_EQ(test, vf->pdev->dev.driver, pf->dev.driver);

	vf->regs = pcim_iomap(vf->pdev, 0, 0);
	KUNIT_ASSERT_TRUE(test, vf->regs);
	writel(GENMASK(IGB_VF_NR_MSIX - 1, 0), vf->regs + IGB_EIAC);
	writel(GENMASK(IGB_VF_NR_MSIX - 1, 0), vf->regs + IGB_EIMS);

	vf->table = pci_allocate_msi_table(vf->pdev, MSI_TABLE_MSIX);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vf->table);
	KUNIT_EXPECT_EQ(test, msi_table_size(vf->table), IGB_VF_NR_MSIX);
	return vf;
}

static void igb_vf_take(struct kunit *test, struct igb_vf *vf, u32 label)
{
	struct igb_vector *v = &vf->vectors[label];

	v->vector = msi_table_alloc_vector(vf->table, label);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v->vector);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v->vector, igb_handler, NULL, 0, v,
							"igb-vf"));
}

static int igb_vf_sum(struct igb_vf *vf)
{
	int i, sum = 0;

	for (i = 0; i < IGB_VF_NR_MSIX; i++)
		sum += atomic_read(&vf->vectors[i].count);
	return sum;
}

static int igb_pf_sum(struct igb_test *igb)
{
	int i, sum = 0;

	for (i = 0; i < IGB_NR_MSIX; i++)
		sum += atomic_read(&igb->vectors[i].count);
	return sum;
}

/* The entry's handler runs, and no other of either function. */
static void igb_vf_raise(struct kunit *test, struct igb_vf *vf, u32 label)
{
	struct igb_vector *v = &vf->vectors[label];
	int count = atomic_read(&v->count) + 1;
	int sum = igb_vf_sum(vf) + 1, pf_sum = igb_pf_sum(test->priv);

	writel(BIT(label), vf->regs + IGB_EICS);
	KUNIT_EXPECT_TRUE_MSG(test, igb_wait_for(v, count),
			      "VF entry %u: %d received, expected %d, EICR 0x%x, EIMS 0x%x", label,
			      atomic_read(&v->count), count, readl(vf->regs + IGB_EICR),
			      readl(vf->regs + IGB_EIMS));
	KUNIT_EXPECT_EQ_MSG(test, igb_vf_sum(vf), sum, "VF entry %u", label);
	KUNIT_EXPECT_EQ_MSG(test, igb_pf_sum(test->priv), pf_sum, "VF entry %u", label);
}

/* A function and its virtual function have a table each. */
static void pci_vectors_vf(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	unsigned int nr_irqs;
	struct igb_vf *vf;
	u32 label;
	int i, sum;

	igb_take(test, table, 3, 3, 3);
	nr_irqs = igb_count_irqs();
	vf = igb_vf_create(test);

	igb_vf_take(test, vf, 2);
	igb_vf_take(test, vf, 0);
	igb_take(test, table, 0, 0, 0);
	igb_take(test, table, 9, 9, 9);
	for (i = 0; i < 3; i++) {
		igb_vf_raise(test, vf, 0);
		igb_vf_raise(test, vf, 2);
		sum = igb_vf_sum(vf);
		igb_raise(test, 0);
		igb_raise(test, 3);
		igb_raise(test, 9);
		KUNIT_EXPECT_EQ(test, igb_vf_sum(vf), sum);
	}
	KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(vf->pdev, 1, 1, PCI_IRQ_MSIX), -EBUSY);

	/* That of the PF goes, and comes back. */
	igb_free(table, igb);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	igb_vf_take(test, vf, 1);
	for (label = 0; label < IGB_VF_NR_MSIX; label++)
		igb_vf_raise(test, vf, label);
	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 3, 3, 3);
	igb_raise(test, 3);
	igb_vf_raise(test, vf, 1);

	/* What a reset of the PF does to the VF, which nobody tells it */
	pci_write_config_word(vf->pdev, vf->pdev->msix_cap + PCI_MSIX_FLAGS, 0);
	msi_table_restore(vf->table);
	for (label = 0; label < IGB_VF_NR_MSIX; label++)
		igb_vf_raise(test, vf, label);
	igb_raise(test, 3);

	/* The VF disappears, with handlers installed. */
	pci_lock_rescan_remove();
	pci_disable_sriov(igb->pdev);
	pci_unlock_rescan_remove();
	igb_raise(test, 3);
	KUNIT_EXPECT_EQ(test, igb_count_irqs(), nr_irqs);
	igb_free(table, igb);
}

static struct kunit_case msi_table_pci_vectors_cases[] = {
	KUNIT_CASE(pci_vectors_sparse),
	KUNIT_CASE(pci_vectors_churn),
	KUNIT_CASE(pci_vectors_batch_first),
	KUNIT_CASE(pci_vectors_batch_holes),
	KUNIT_CASE(pci_vectors_batch_refused),
	KUNIT_CASE(pci_vectors_unbind),
	KUNIT_CASE(pci_vectors_vf),
	{ }
};

static struct kunit_suite msi_table_pci_vectors_suite = {
	.name		= "msi_table_pci_vectors",
	.init		= igb_test_init,
	.exit		= igb_test_exit,
	.test_cases	= msi_table_pci_vectors_cases,
};

kunit_test_suite(msi_table_pci_vectors_suite);
