// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for the MSI tables of PCI functions: interrupts which move from one CPU
 * to another
 */
#include <kunit/test.h>

#include <linux/bitops.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/irq.h>
#include <linux/moduleparam.h>
#include <linux/msi.h>
#include <linux/msi_table.h>

#include "igb.h"

static void pci_affinity_move(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	int cpus[2];

	if (!igb_two_cpus(cpus))
		kunit_skip(test, "one CPU only");
	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 2, 2, 2);
	igb_take(test, table, 6, 6, 6);
	igb_move(test, 6, cpus);
	igb_move(test, 2, cpus);
	igb_raise(test, 6);
	igb_free(table, igb);
}

/**
 * struct igb_told - Counts messages
 * @watcher:	The watcher
 * @messages:	How often there was a message
 */
struct igb_told {
	struct msi_watcher	watcher;
	unsigned int		messages;
};

static void igb_count_message(struct msi_watcher *watcher, const struct msi_msg *msg)
{
	container_of(watcher, struct igb_told, watcher)->messages += !!msi_msg_address(msg);
}

/*
 * An entry is masked while it is moved. A message for a place in between, which x86
 * has for MSI without a mask bit, may bring an interrupt twice. Where the parent masks
 * the device goes on, and what moves its message can not do without.
 */
static void pci_affinity_told_once(struct kunit *test)
{
	struct igb_told told = { .watcher.notify = igb_count_message };
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	bool masked_by_parent;
	unsigned int irq;
	int cpus[2];

	if (!igb_two_cpus(cpus))
		kunit_skip(test, "one CPU only");
	table = igb_create(test, MSI_TABLE_MSIX);
	/* So that entry 2 has not the same vector on both CPUs */
	for (u32 label = 3; label < IGB_NR_MSIX; label++) {
		igb_take(test, table, label, label, label);
		irq = msi_vector_irq(igb->vectors[label].vector);
		KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(irq, cpumask_of(cpus[1])));
		igb_raise_on(test, label, cpus[1]);
	}
	igb_take(test, table, 2, 2, 2);
	irq = msi_vector_irq(igb->vectors[2].vector);
	masked_by_parent = irq_get_irq_data(irq)->chip->irq_mask == irq_chip_mask_parent;

	msi_vector_watch(igb->vectors[2].vector, &told.watcher);
	told.messages = 0;
	for (int i = 0; i < 20; i++) {
		KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(irq, cpumask_of(cpus[i % 2])));
		igb_raise_on(test, 2, cpus[i % 2]);
	}
	msi_vector_unwatch(igb->vectors[2].vector, &told.watcher);
	KUNIT_EXPECT_LE(test, told.messages, masked_by_parent ? 40 : 20);
	igb_free(table, igb);
}

/* Each vector of a batch has an affinity of its own. */
static void pci_affinity_batch(struct kunit *test)
{
	struct irq_affinity_desc *masks = kunit_kcalloc(test, 4, sizeof(*masks), GFP_KERNEL);
	struct msi_vector_request req = { .lowest = 3, .highest = 9, .affinity = masks };
	struct igb_test *igb = test->priv;
	struct msi_vector *vectors[4];
	struct msi_table *table;
	int cpus[2], i;

	KUNIT_ASSERT_NOT_NULL(test, masks);
	if (!igb_two_cpus(cpus))
		kunit_skip(test, "one CPU only");
	for (i = 0; i < 4; i++) {
		cpumask_set_cpu(cpus[i % 2], &masks[i].mask);
		masks[i].is_managed = i >= 2;
	}

	/* As the first allocation, and as a later one */
	table = igb_create(test, MSI_TABLE_MSIX);
	for (int round = 0; round < 2; round++) {
		KUNIT_ASSERT_EQ(test, 4, msi_table_alloc_vectors(table, &req, 4, 4, vectors));
		igb_adopt(test, vectors, 4, GENMASK(6, 3));
		for (i = 0; i < 4; i++) {
			unsigned int irq = msi_vector_irq(vectors[i]);

			KUNIT_EXPECT_EQ(test, irqd_affinity_is_managed(irq_get_irq_data(irq)),
					i >= 2);
			KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_affinity_mask(irq),
							      &masks[i].mask));
			igb_raise_on(test, 3 + i, cpus[i % 2]);
		}
		msi_table_free_vectors(table, vectors, 4);
		igb_disown(igb, GENMASK(6, 3));
	}
	igb_free(table, igb);
}

static bool igb_is_shut_down(struct msi_vector *vector)
{
	return irqd_is_managed_and_shutdown(irq_get_irq_data(msi_vector_irq(vector)));
}

static bool hotplug;
module_param(hotplug, bool, 0444);
MODULE_PARM_DESC(hotplug, "Take a CPU offline and online again (default off)");

/* Two CPUs, of which the second one may be taken away. Or the test is skipped. */
static void affinity_need_hotplug(struct kunit *test, int cpus[2])
{
	if (!igb_two_cpus(cpus))
		kunit_skip(test, "one CPU only");
	if (!hotplug)
		kunit_skip(test, "the parameter hotplug is not set");
	if (!cpu_is_hotpluggable(cpus[1]))
		kunit_skip(test, "CPU %d can not go offline", cpus[1]);
}

/*
 * A CPU goes offline and comes back: its managed interrupt is off meanwhile, an
 * ordinary one moves.
 */
static void pci_affinity_cpu_off(struct kunit *test)
{
	struct irq_affinity_desc *masks = kunit_kcalloc(test, 3, sizeof(*masks), GFP_KERNEL);
	struct msi_vector_request req = { .highest = 2, .affinity = masks };
	struct igb_test *igb = test->priv;
	struct igb_vector *managed = &igb->vectors[1];
	struct msi_vector *vectors[3];
	struct msi_table *table;
	struct msi_msg msg;
	int cpus[2], expected;

	KUNIT_ASSERT_NOT_NULL(test, masks);
	affinity_need_hotplug(test, cpus);

	/* One managed interrupt for each CPU, and one which is not */
	cpumask_set_cpu(cpus[0], &masks[0].mask);
	cpumask_set_cpu(cpus[1], &masks[1].mask);
	cpumask_set_cpu(cpus[1], &masks[2].mask);
	masks[0].is_managed = 1;
	masks[1].is_managed = 1;
	table = igb_create(test, MSI_TABLE_MSIX);
	KUNIT_ASSERT_EQ(test, 3, msi_table_alloc_vectors(table, &req, 3, 3, vectors));
	igb_adopt(test, vectors, 3, BIT(0) | BIT(1) | BIT(2));
	igb_raise_on(test, 0, cpus[0]);
	igb_raise_on(test, 1, cpus[1]);
	igb_raise_on(test, 2, cpus[1]);

	KUNIT_ASSERT_EQ(test, 0, remove_cpu(cpus[1]));
	KUNIT_EXPECT_FALSE(test, igb_is_shut_down(vectors[0]));
	KUNIT_EXPECT_TRUE(test, igb_is_shut_down(vectors[1]));
	KUNIT_EXPECT_EQ(test, -EAGAIN, msi_vector_get_msg(vectors[1], &msg));
	igb_raise_on(test, 0, cpus[0]);
	igb_raise_on(test, 2, cpus[0]);
	igb_expect_message(test, 2);
	expected = atomic_read(&managed->count) + 1;
	igb_raise_nobody(test, 1);
	igb_raise_nobody(test, 1);

	/* The device has kept it, once. */
	KUNIT_ASSERT_EQ(test, 0, add_cpu(cpus[1]));
	KUNIT_EXPECT_FALSE(test, igb_is_shut_down(vectors[1]));
	KUNIT_EXPECT_TRUE_MSG(test, igb_wait_for(managed, expected), "%d received, expected %d",
			      atomic_read(&managed->count), expected);
	igb_expect_message(test, 1);
	igb_raise_on(test, 1, cpus[1]);
	igb_raise_on(test, 0, cpus[0]);
	igb_raise(test, 2);
	igb_free(table, igb);
}

/* The CPU goes away under an interrupt which fires. */
static void pci_affinity_cpu_off_firing(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	struct igb_fire *fire;
	int cpus[2], i;

	affinity_need_hotplug(test, cpus);

	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 7, 7, 7);
	fire = igb_fire_start(test, BIT(3) | BIT(7));
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(msi_vector_irq(igb->vectors[7].vector),
							  cpumask_of(cpus[1])));
		igb_fire_some(test, 7, 3);
		KUNIT_ASSERT_EQ(test, 0, remove_cpu(cpus[1]));
		igb_fire_some(test, 7, 3);
		KUNIT_ASSERT_EQ(test, 0, add_cpu(cpus[1]));
		igb_fire_some(test, 7, 3);
	}
	igb_fire_stop(test, fire);
	igb_expect_message(test, 3);
	igb_expect_message(test, 7);
	igb_free(table, igb);
}

static struct kunit_case msi_table_pci_affinity_cases[] = {
	KUNIT_CASE(pci_affinity_move),
	KUNIT_CASE(pci_affinity_told_once),
	KUNIT_CASE(pci_affinity_batch),
	KUNIT_CASE(pci_affinity_cpu_off),
	KUNIT_CASE(pci_affinity_cpu_off_firing),
	{ }
};

static struct kunit_suite msi_table_pci_affinity_suite = {
	.name		= "msi_table_pci_affinity",
	.init		= igb_test_init,
	.exit		= igb_test_exit,
	.test_cases	= msi_table_pci_affinity_cases,
};

kunit_test_suite(msi_table_pci_affinity_suite);
