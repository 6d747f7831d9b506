// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for the MSI tables of PCI functions: MSI-X entries which are freed,
 * parked, and used again, on an Intel 82576 (igb)
 */
#include <kunit/msi_table.h>
#include <kunit/test.h>

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>
#include <linux/sprintf.h>

#ifdef CONFIG_X86_LOCAL_APIC
#include <asm/hw_irq.h>
#include <asm/irq_vectors.h>
#endif

#include "../../../../kernel/irq/msi_table.h"
#include "../../../../kernel/irq/tests/msi_table_fail.h"
#include "../../../../kernel/irq/tests/msi_table_parked.h"
#include "igb.h"

/* For the trimmer, which runs in the background */
#define RECYCLE_TRIM_MS		10000

/* The entry is silent, after it had a handler, and its interrupt takes next to nothing. */
static void igb_expect_parked(struct kunit *test, u32 label, unsigned int irq)
{
	struct igb_test *igb = test->priv;
	struct msi_msg msg;

	KUNIT_EXPECT_TRUE_MSG(test, msi_irq_is_parked(irq), "entry %u", label);
	KUNIT_EXPECT_TRUE_MSG(test, igb_read_entry(igb, label, &msg), "entry %u", label);
	KUNIT_EXPECT_EQ_MSG(test, msi_msg_address(&msg), 0, "entry %u", label);
	KUNIT_EXPECT_EQ_MSG(test, msg.data, 0, "entry %u", label);
#ifdef CONFIG_X86_LOCAL_APIC
	/* A reservation, but no vector of a CPU */
	if (!igb->fake)
		KUNIT_EXPECT_EQ_MSG(test, irqd_cfg(irq_get_irq_data(irq))->vector,
				    MANAGED_IRQ_SHUTDOWN_VECTOR, "entry %u", label);
#endif
}

/* So many are in msi_irqs/. */
static void igb_expect_files(struct kunit *test, int n)
{
	struct igb_test *igb = test->priv;

	if (IS_ENABLED(CONFIG_SYSFS))
		KUNIT_EXPECT_EQ(test, msi_fail_sysfs(&igb->pdev->dev), n);
}

/* Frees the entry. Returns its interrupt, which is parked. */
static unsigned int igb_park(struct kunit *test, struct msi_table *table, u32 label)
{
	struct igb_test *igb = test->priv;
	unsigned int irq = msi_vector_irq(igb->vectors[label].vector);
	int files = msi_fail_sysfs(&igb->pdev->dev);

	igb_give(table, igb, label);
	igb_expect_parked(test, label, irq);
	if (files > 0)
		KUNIT_EXPECT_EQ(test, msi_fail_sysfs(&igb->pdev->dev), files - 1);
	return irq;
}

/* Takes the entry again, which has its interrupt again. */
static void igb_retake(struct kunit *test, struct msi_table *table, u32 label, unsigned int irq)
{
	struct igb_test *igb = test->priv;
	int files = msi_fail_sysfs(&igb->pdev->dev);

	igb_take(test, table, label, label, label);
	KUNIT_EXPECT_EQ(test, msi_vector_irq(igb->vectors[label].vector), irq);
	KUNIT_EXPECT_FALSE(test, msi_irq_is_parked(irq));
	igb_expect_message(test, label);
	if (files >= 0)
		KUNIT_EXPECT_EQ(test, msi_fail_sysfs(&igb->pdev->dev), files + 1);
}

static void pci_recycle_entry(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	unsigned int irq, nr_irqs;

	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 7, 7, 7);
	nr_irqs = igb_count_irqs();
	for (int round = 0; round < 4; round++) {
		igb_raise(test, 3);
		irq = igb_park(test, table, 3);
		KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));
		igb_raise(test, 7);

		/* The device keeps it until there is somebody to have it. */
		if (round % 2)
			igb_raise_nobody(test, 3);
		igb_expect_parked(test, 3, irq);

		igb_retake(test, table, 3, irq);
		KUNIT_EXPECT_EQ(test, igb_count_irqs(), nr_irqs);
		for (int i = 0; i < 3; i++) {
			igb_raise(test, 3);
			igb_raise(test, 7);
		}
	}
	igb_free(table, igb);
	KUNIT_EXPECT_EQ(test, igb_count_irqs(), nr_irqs - 2);
}

static void pci_recycle_write_msi_msg(struct msi_desc *desc, void *data)
{
	atomic_inc(data);
}

/* An affinity which has to wait for the next interrupt, as without remapping */
static void igb_move_deferred(struct kunit *test, unsigned int irq, const struct cpumask *mask)
{
	struct irq_chip *chip = irq_get_irq_data(irq)->chip;
	unsigned long flags = chip->flags;

	chip->flags |= IRQCHIP_MOVE_DEFERRED;
	KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(irq, mask));
	chip->flags = flags;
}

static unsigned int igb_irq_state(struct irq_data *data)
{
	return ACCESS_PRIVATE(data->common, state_use_accessors);
}

/* What its last user has done to it is not for the next one to find out. */
static void pci_recycle_like_new(struct kunit *test)
{
	const struct cpumask *last = cpumask_of(cpumask_last(cpu_online_mask));
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	struct cpumask *masks = kunit_kcalloc(test, 2, sizeof(*masks), GFP_KERNEL);
	struct igb_vector *v = &igb->vectors[2];
	atomic_t written = ATOMIC_INIT(0);
	struct irq_data *data;
	struct irq_desc *desc;
	unsigned int irq, state, settings;
	u32 ctrl;

	KUNIT_ASSERT_NOT_NULL(test, masks);
	v->vector = msi_table_alloc_vector(table, 2);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v->vector);
	irq = msi_vector_irq(v->vector);
	data = irq_get_irq_data(irq);
	desc = irq_data_to_desc(data);
	cpumask_copy(&masks[0], irq_data_get_affinity_mask(data));
	cpumask_copy(&masks[1], irq_data_get_effective_affinity_mask(data));
	state = igb_irq_state(data);
	settings = desc->status_use_accessors;
	ctrl = irq_get_msi_desc(irq)->pci.msix_ctrl;

	/* Without a handler at first */
	for (int round = 0; round < 3; round++) {
		struct msi_desc *msi = irq_get_msi_desc(irq);
		struct msi_msg msg;

		msi->write_msi_msg_data = &written;
		msi->write_msi_msg = pci_recycle_write_msi_msg;
		if (round) {
			igb_request(test, 2);
			igb_raise(test, 2);
		}
		KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(irq, last));
		irq_set_status_flags(irq, IRQ_DISABLE_UNLAZY | IRQ_NO_BALANCING);
		if (round) {
			igb_move_deferred(test, irq, last);
			disable_irq(irq);
			KUNIT_EXPECT_GT(test, atomic_read(&written), 0);
			igb_park(test, table, 2);
		} else {
			/* The parent has put a message there, which reaches nobody. */
			igb_give(table, igb, 2);
			KUNIT_EXPECT_TRUE(test, msi_irq_is_parked(irq));
			KUNIT_EXPECT_TRUE(test, igb_read_entry(igb, 2, &msg));
		}

		atomic_set(&written, 0);
		v->vector = msi_table_alloc_vector(table, 2);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v->vector);
		KUNIT_ASSERT_EQ(test, msi_vector_irq(v->vector), irq);
		msi = irq_get_msi_desc(irq);
		KUNIT_EXPECT_TRUE(test, !msi->write_msi_msg);
		KUNIT_EXPECT_NULL(test, msi->write_msi_msg_data);
		/* Not to be called when this function has returned */
		msi->write_msi_msg = NULL;
		KUNIT_EXPECT_EQ(test, atomic_read(&written), 0);
		KUNIT_EXPECT_EQ(test, msi->pci.msix_ctrl, ctrl);

		data = irq_get_irq_data(irq);
		KUNIT_EXPECT_PTR_EQ(test, irq_data_to_desc(data), desc);
		KUNIT_EXPECT_EQ(test, igb_irq_state(data), state);
		KUNIT_EXPECT_EQ(test, desc->status_use_accessors, settings);
		KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_data_get_affinity_mask(data), &masks[0]));
		KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_data_get_effective_affinity_mask(data),
						      &masks[1]));
#ifdef CONFIG_GENERIC_PENDING_IRQ
		KUNIT_EXPECT_TRUE(test, cpumask_empty(desc->pending_mask));
#endif
		KUNIT_EXPECT_EQ(test, desc->tot_count, 0);
		KUNIT_EXPECT_EQ(test, msi_vector_get_msg(v->vector, &msg), -EAGAIN);
		KUNIT_EXPECT_TRUE(test, igb_read_entry(igb, 2, &msg));
	}

	igb_request(test, 2);
	igb_expect_message(test, 2);
	igb_raise(test, 2);
	KUNIT_EXPECT_EQ(test, desc->tot_count, 1);
	igb_free(table, igb);
}

/* While others fire, all but them are parked and taken again, at a time. */
static void pci_recycle_batch(struct kunit *test)
{
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	unsigned long labels = IGB_ALL & ~(BIT(3) | BIT(7));
	unsigned int irqs[8], i;
	struct msi_vector *vectors[8];
	struct igb_fire *fire;

	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 7, 7, 7);
	fire = igb_fire_start(test, BIT(3) | BIT(7));
	for (int round = 0; round < 4; round++) {
		KUNIT_ASSERT_EQ(test, 8, msi_table_alloc_vectors(table, &req, 8, 8, vectors));
		for (i = 0; i < 8; i++) {
			if (round)
				KUNIT_EXPECT_EQ(test, msi_vector_irq(vectors[i]), irqs[i]);
			irqs[i] = msi_vector_irq(vectors[i]);
		}
		igb_adopt(test, vectors, 8, labels);
		igb_raise_beside(test, 0);
		igb_raise_beside(test, 5);
		igb_raise_beside(test, 9);
		msi_table_free_vectors(table, vectors, 8);
		igb_disown(igb, labels);
		for (i = 0; i < 8; i++)
			KUNIT_EXPECT_TRUE(test, msi_irq_is_parked(irqs[i]));
		igb_raise_beside(test, 5);
	}
	igb_fire_some(test, 3, 3);
	igb_fire_some(test, 7, 3);
	igb_fire_stop(test, fire);
	igb_free(table, igb);
}

/* It can not be shown in msi_irqs/. */
static void pci_recycle_sysfs_fails(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	unsigned int irq;

	if (!IS_ENABLED(CONFIG_SYSFS))
		kunit_skip(test, "needs sysfs");
	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 7, 7, 7);
	irq = igb_park(test, table, 3);

	msi_irqs_set_closed(&igb->pdev->dev, true);
	KUNIT_EXPECT_TRUE(test, IS_ERR(msi_table_alloc_vector(table, 3)));
	msi_irqs_set_closed(&igb->pdev->dev, false);
	igb_expect_parked(test, 3, irq);

	igb_retake(test, table, 3, irq);
	igb_raise(test, 3);
	igb_raise(test, 7);
	igb_free(table, igb);
}

/* The table owns MSI-X as long as there is one, and then nothing is left of it. */
static void pci_recycle_then_legacy(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	unsigned int nr_irqs = igb_count_irqs(), irqs[2];

	igb_take(test, table, 0, 0, 0);
	igb_take(test, table, 1, 1, 1);
	irqs[0] = igb_park(test, table, 0);
	irqs[1] = igb_park(test, table, 1);
	KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(igb->pdev, 1, 2, PCI_IRQ_ALL_TYPES), -EBUSY);
	pci_free_irq_vectors(igb->pdev);
	igb_expect_parked(test, 0, irqs[0]);

	igb_free(table, igb);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	KUNIT_EXPECT_EQ(test, igb_count_irqs(), nr_irqs);
	for (int i = 0; i < 2; i++)
		KUNIT_EXPECT_FALSE(test, msi_irq_is_parked(irqs[i]));

	igb_expect_files(test, 0);

	KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(igb->pdev, 2, 2, PCI_IRQ_MSIX), 2);
	igb_expect_files(test, 2);
	for (int i = 0; i < 2; i++) {
		int irq = pci_irq_vector(igb->pdev, i), expected = igb_pending(igb, i);
		struct igb_vector v = { };

		KUNIT_ASSERT_EQ(test, 0, request_irq(irq, igb_handler, 0, "igb-legacy", &v));
		igb_wait_for(&v, expected);
		writel(BIT(i), igb->regs + IGB_EICS);
		KUNIT_EXPECT_TRUE(test, igb_wait_for(&v, expected + 1));
		free_irq(irq, &v);
	}
	pci_free_irq_vectors(igb->pdev);
	KUNIT_EXPECT_EQ(test, igb_count_irqs(), nr_irqs);
	igb_expect_files(test, 0);

	/* And all over again */
	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 0, 0, 0);
	igb_expect_files(test, 1);
	igb_raise(test, 0);
	igb_free(table, igb);
}

/* The driver goes, with parked entries and without a word. */
static void pci_recycle_forgotten(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	unsigned int irq;

	igb_take(test, table, 4, 4, 4);
	igb_take(test, table, 5, 5, 5);
	irq = igb_park(test, table, 4);
	device_release_driver(&igb->pdev->dev);
	KUNIT_EXPECT_FALSE(test, msi_irq_is_parked(irq));
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	KUNIT_EXPECT_EQ(test, igb_count_irqs(), igb->nr_irqs);
}

/* The device has lost the entries 3 and 7, and 3, which is parked, is unmasked. */
static void igb_lose_entries(struct igb_test *igb)
{
	static const u32 labels[] = { 3, 7 };

	for (int i = 0; i < ARRAY_SIZE(labels); i++) {
		void __iomem *entry = igb->msix + labels[i] * PCI_MSIX_ENTRY_SIZE;

		writel(0, entry + PCI_MSIX_ENTRY_LOWER_ADDR);
		writel(0, entry + PCI_MSIX_ENTRY_UPPER_ADDR);
		writel(0, entry + PCI_MSIX_ENTRY_DATA);
		writel(0, entry + PCI_MSIX_ENTRY_VECTOR_CTRL);
	}
}

/* Entry 3 is still parked, after what has happened to the function, and 7 in use. */
static void pci_recycle_goes_on(struct kunit *test, struct msi_table *table, unsigned int irq)
{
	igb_expect_parked(test, 3, irq);
	igb_expect_message(test, 7);
	igb_raise(test, 7);
	igb_raise_nobody(test, 3);

	igb_retake(test, table, 3, irq);
	igb_raise(test, 3);
	igb_raise(test, 7);
	igb_free(table, test->priv);
}

/* What the PCI core does around suspend */
static void pci_recycle_restore_state(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	struct msi_msg msg;
	unsigned int irq;

	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 7, 7, 7);
	irq = igb_park(test, table, 3);

	KUNIT_ASSERT_EQ(test, pci_save_state(igb->pdev), 0);
	igb_lose_entries(igb);
	KUNIT_EXPECT_FALSE(test, igb_read_entry(igb, 3, &msg));
	pci_restore_state(igb->pdev);
	pci_recycle_goes_on(test, table, irq);
}

static void pci_recycle_reset(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	unsigned int irq;

	if (!igb->pdev->reset_methods[0])
		kunit_skip(test, "the Intel 82576 has no function reset");
	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 7, 7, 7);
	irq = igb_park(test, table, 3);

	KUNIT_ASSERT_EQ(test, pci_reset_function(igb->pdev), 0);
	igb_setup(igb);
	pci_recycle_goes_on(test, table, irq);
}

/* Under memory pressure the interrupts go, but MSI-X stays on, and the entries off. */
static void pci_recycle_shrinks(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);
	unsigned long end = jiffies + msecs_to_jiffies(RECYCLE_TRIM_MS);
	unsigned int irq, nr_irqs;
	struct msi_msg msg;

	igb_take(test, table, 7, 7, 7);
	nr_irqs = igb_count_irqs();
	igb_take(test, table, 3, 3, 3);
	irq = igb_park(test, table, 3);
	KUNIT_EXPECT_EQ(test, igb_count_irqs(), nr_irqs + 1);

	msi_tables_shrink(NULL, NULL);
	while (igb_count_irqs() != nr_irqs && time_before(jiffies, end))
		msleep(20);
	KUNIT_EXPECT_EQ(test, igb_count_irqs(), nr_irqs);
	KUNIT_EXPECT_FALSE(test, msi_irq_is_parked(irq));
	KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));
	KUNIT_EXPECT_TRUE(test, igb_read_entry(igb, 3, &msg));
	igb_expect_entries(test, BIT(7));
	igb_raise(test, 7);
	igb_raise_nobody(test, 3);

	igb_take(test, table, 3, 3, 3);
	igb_raise(test, 3);
	igb_raise(test, 7);
	igb_free(table, igb);
}

/* The parent is asked for each entry once. */
static void pci_recycle_on_fake(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	unsigned int irq, calls;

	igb_use_fake(test, 0);
	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 7, 7, 7);
	calls = msi_fake_parent_alloc_calls(igb->fake);
	for (int i = 0; i < 3; i++) {
		irq = igb_park(test, table, 3);
		igb_retake(test, table, 3, irq);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(igb->fake), calls);
	}

	/* Two which are taken, and none which is parked */
	irq = igb_park(test, table, 3);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(igb->fake), 1);
	KUNIT_EXPECT_FALSE(test, msi_irq_is_parked(irq));
	igb_expect_entries(test, BIT(7));
	igb_take(test, table, 3, 3, 3);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(igb->fake), calls + 1);
	igb_free(table, igb);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(igb->fake), 0);
}

KUNIT_DEFINE_ACTION_WRAPPER(pci_recycle_destroy_store, msi_fake_store_destroy,
			    struct msi_fake_store *);

/* A store of the device has parked so many of the 64 interrupts which the parent has. */
static void pci_recycle_hog(struct kunit *test, struct msi_table *hog, unsigned int n)
{
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY };

	KUNIT_EXPECT_EQ(test, msi_table_alloc_vectors(hog, &req, n, n, NULL), n);
	msi_table_free_all(hog);
	KUNIT_EXPECT_EQ(test, hog->nr_parked, n);
}

/* They are given back before the table makes do with fewer, or with INTx. */
static void pci_recycle_given_to(struct kunit *test, unsigned int flags)
{
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	struct msi_fake_store *store = msi_fake_store_create();
	const struct msi_table_info info = {
		.name	= "hog",
		.ops	= &msi_fake_store_ops,
		.data	= store,
	};
	struct igb_test *igb = test->priv;
	struct msi_table *table, *hog;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, store);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pci_recycle_destroy_store, store));
	igb_use_fake(test, flags);
	hog = msi_allocate_table(&igb->pdev->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, hog);

	pci_recycle_hog(test, hog, 64);
	table = igb_create(test, MSI_TABLE_ALL_KINDS);
	igb_take(test, table, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSIX);
	KUNIT_EXPECT_EQ(test, hog->nr_parked, 0);
	igb_free(table, igb);

	pci_recycle_hog(test, hog, 60);
	table = igb_create(test, MSI_TABLE_ALL_KINDS);
	KUNIT_EXPECT_EQ(test, msi_table_alloc_vectors(table, &req, 8, 8, NULL), 8);
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSIX);
	KUNIT_EXPECT_EQ(test, hog->nr_parked, 0);
	igb_free(table, igb);

	pci_recycle_hog(test, hog, 60);
	table = igb_create(test, MSI_TABLE_ALL_KINDS);
	KUNIT_EXPECT_EQ(test, msi_table_enable(table, 8), 8);
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSIX);
	for (u32 label = 0; label < 8; label++)
		igb_take(test, table, label, label, label);
	igb_free(table, igb);
	msi_table_free(hog);
}

static void pci_recycle_given_to_dynamic(struct kunit *test)
{
	pci_recycle_given_to(test, 0);
}

static void pci_recycle_given_to_static(struct kunit *test)
{
	pci_recycle_given_to(test, MSI_FAKE_NO_DYN);
}

/* Nobody who looks for the interrupt of an old device activates a parked one. */
static void pci_recycle_not_probed(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	unsigned long probed;
	unsigned int irq;

	if (!IS_ENABLED(CONFIG_GENERIC_IRQ_PROBE))
		kunit_skip(test, "nobody probes");
	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 3, 3, 3);
	irq = igb_park(test, table, 3);
	probed = probe_irq_on();
	igb_expect_parked(test, 3, irq);
	KUNIT_EXPECT_FALSE(test, irqd_is_activated(irq_get_irq_data(irq)));
	probe_irq_off(probed);
	igb_expect_parked(test, 3, irq);
	igb_retake(test, table, 3, irq);
	igb_free(table, igb);
}

/* What can not be allocated one by one can not be kept either: MSI-X goes off. */
static void pci_recycle_not_static(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	unsigned int irq;

	igb_use_fake(test, MSI_FAKE_NO_DYN);
	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 3, 3, 3);
	irq = msi_vector_irq(igb->vectors[3].vector);
	igb_give(table, igb, 3);
	KUNIT_EXPECT_FALSE(test, msi_irq_is_parked(irq));
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	igb_free(table, igb);
}

/* The PCI core activates interrupts early where the irq core has no reservations. */
static int pci_recycle_init(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_GENERIC_IRQ_RESERVATION_MODE))
		kunit_skip(test, "no reservations");
	return igb_test_init(test);
}

static struct kunit_case msi_table_pci_recycle_cases[] = {
	KUNIT_CASE(pci_recycle_entry),
	KUNIT_CASE(pci_recycle_like_new),
	KUNIT_CASE(pci_recycle_batch),
	KUNIT_CASE(pci_recycle_sysfs_fails),
	KUNIT_CASE(pci_recycle_then_legacy),
	KUNIT_CASE(pci_recycle_forgotten),
	KUNIT_CASE(pci_recycle_restore_state),
	KUNIT_CASE(pci_recycle_reset),
	KUNIT_CASE(pci_recycle_shrinks),
	KUNIT_CASE(pci_recycle_on_fake),
	KUNIT_CASE(pci_recycle_given_to_dynamic),
	KUNIT_CASE(pci_recycle_given_to_static),
	KUNIT_CASE_SLOW(pci_recycle_not_probed),
	KUNIT_CASE(pci_recycle_not_static),
	{ }
};

static struct kunit_suite msi_table_pci_recycle_suite = {
	.name		= "msi_table_pci_recycle",
	.init		= pci_recycle_init,
	.exit		= igb_test_exit,
	.test_cases	= msi_table_pci_recycle_cases,
};

kunit_test_suite(msi_table_pci_recycle_suite);

MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
