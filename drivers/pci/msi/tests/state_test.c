// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for the MSI tables of PCI functions: the state of the capability and
 * of its entries, after something has wiped it, while it can not be reached, and
 * when it is not what it was
 */
#include <kunit/msi_table.h>
#include <kunit/test.h>

#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>

#include "igb.h"

/* As a reset by the driver, a self-test or firmware does it */
static void state_wipe_entries(struct igb_test *igb)
{
	memset_io(igb->msix, 0, IGB_NR_MSIX * PCI_MSIX_ENTRY_SIZE);
}

static bool state_masked(struct igb_test *igb, u32 label)
{
	struct msi_msg msg;

	return igb_read_entry(igb, label, &msg);
}

/* A table, when what tests before have left pending was sent and forgotten */
static struct msi_table *state_create(struct kunit *test)
{
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);

	for (u32 label = 0; label < IGB_NR_MSIX; label++)
		igb_take(test, table, label, label, label);
	igb_free(table, test->priv);
	return igb_create(test, MSI_TABLE_MSIX);
}

/* As igb_take(), while the device can not be reached */
static void state_request(struct kunit *test, struct msi_table *table, u32 label)
{
	struct igb_test *igb = test->priv;
	struct igb_vector *v = &igb->vectors[label];

	v->vector = msi_table_alloc_vector(table, label);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v->vector);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v->vector, igb_handler, NULL, 0, v,
							"igb-test"));
}

static void pci_state_wiped_msix(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);

	/* Nothing has been switched on. */
	msi_table_restore(table);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));

	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 5, 5, 5);
	igb_take(test, table, 7, 7, 7);
	igb_give(table, igb, 5);

	state_wipe_entries(igb);
	pci_write_config_word(igb->pdev, igb->pdev->msix_cap + PCI_MSIX_FLAGS, 0);
	msi_table_restore(table);
	KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));
	for (u32 label = 0; label < IGB_NR_MSIX; label++) {
		if (igb->vectors[label].vector)
			igb_expect_message(test, label);
		else
			KUNIT_EXPECT_TRUE(test, state_masked(igb, label));
		igb_raise(test, label);
	}

	/* One of them, and not the others */
	state_wipe_entries(igb);
	msi_vector_restore(igb->vectors[3].vector);
	igb_expect_message(test, 3);
	igb_raise(test, 3);
	KUNIT_EXPECT_FALSE(test, state_masked(igb, 7));
	msi_vector_restore(igb->vectors[7].vector);
	igb_expect_message(test, 7);
	igb_raise(test, 7);
	msi_table_restore(table);
	igb_free(table, igb);
}

static void pci_state_wiped_msi(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSI);
	int address = igb->pdev->msi_cap + PCI_MSI_ADDRESS_LO;
	u32 before, after;

	msi_table_restore(table);
	KUNIT_EXPECT_FALSE(test, igb_msi_on(igb));
	igb_take(test, table, 0, 0, 0);
	pci_read_config_dword(igb->pdev, address, &before);
	KUNIT_EXPECT_NE(test, before, 0);
	for (int i = 0; i < 2; i++) {
		pci_write_config_dword(igb->pdev, address, 0);
		pci_write_config_word(igb->pdev, igb->pdev->msi_cap + PCI_MSI_FLAGS, 0);
		if (i)
			msi_vector_restore(igb->vectors[0].vector);
		else
			msi_table_restore(table);
		KUNIT_EXPECT_TRUE(test, igb_msi_on(igb));
		pci_read_config_dword(igb->pdev, address, &after);
		KUNIT_EXPECT_EQ(test, after, before);
	}
	igb_free(table, igb);
}

/* What happens while the device can not be reached is held back until a restore. */
static void pci_state_unreachable(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = state_create(test);
	struct pci_dev *pdev = igb->pdev;

	igb_take(test, table, 3, 3, 3);
	for (int reset = 0; reset < 2; reset++) {
		u32 fresh = reset ? 6 : 5;

		igb_take(test, table, 7, 7, 7);
		if (reset)
			WRITE_ONCE(pdev->in_reset, true);
		else
			pdev->error_state = pci_channel_io_perm_failure;
		msi_vector_free_irq(igb->vectors[7].vector);
		KUNIT_EXPECT_FALSE(test, state_masked(igb, 7));
		state_request(test, table, fresh);
		KUNIT_EXPECT_TRUE(test, state_masked(igb, fresh));
		WRITE_ONCE(pdev->in_reset, false);
		pdev->error_state = pci_channel_io_normal;

		msi_table_restore(table);
		KUNIT_EXPECT_TRUE(test, state_masked(igb, 7));
		igb_expect_message(test, fresh);
		igb_raise(test, fresh);
		igb_raise(test, 3);
		igb_give(table, igb, 7);
	}
	igb_free(table, igb);
}

static void state_sleep(struct kunit *test)
{
	struct igb_test *igb = test->priv;

	pci_save_state(igb->pdev);
	KUNIT_EXPECT_EQ(test, pci_set_power_state(igb->pdev, PCI_D3hot), 0);
}

static void state_wake(struct kunit *test)
{
	struct igb_test *igb = test->priv;

	KUNIT_ASSERT_EQ(test, pci_set_power_state(igb->pdev, PCI_D0), 0);
	pci_restore_state(igb->pdev);
	igb_setup(igb);
}

/* A function which is not in D0: MSI-X is not switched on, but allocated from. */
static void pci_state_asleep(struct kunit *test)
{
	struct msi_table *table = state_create(test);
	struct igb_test *igb = test->priv;

	state_sleep(test);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 0), ERR_PTR(-EINVAL));
	state_wake(test);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	igb_take(test, table, 0, 0, 0);
	igb_raise(test, 0);
	state_sleep(test);
	state_request(test, table, 1);
	state_wake(test);
	igb_raise(test, 0);
	igb_raise(test, 1);
	igb_free(table, igb);
}

/* It is not settled on INTx for that. */
static void pci_state_asleep_any_kind(struct kunit *test)
{
	struct msi_table *table = igb_create(test, MSI_TABLE_ALL_KINDS);

	state_sleep(test);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 0), ERR_PTR(-EINVAL));
	state_wake(test);
	igb_take(test, table, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSIX);
	igb_raise(test, 0);
	igb_free(table, test->priv);
}

/*
 * What is restored without a table, which goes through the same functions: messages
 * and masks after the device forgot both
 */
static void pci_state_legacy(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct pci_dev *pdev = igb->pdev;
	struct msi_msg was[2], msg;
	struct msi_map map;
	u32 before, after;
	int i;

	KUNIT_ASSERT_EQ(test, pci_alloc_irq_vectors(pdev, 1, 1, PCI_IRQ_MSIX), 1);
	KUNIT_EXPECT_EQ(test, 0, request_irq(pci_irq_vector(pdev, 0), igb_handler, 0, "igb-test",
					     &igb->vectors[0]));
	map = pci_msix_alloc_irq_at(pdev, 1, NULL);
	KUNIT_EXPECT_EQ(test, map.index, 1);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, igb_read_entry(igb, i, &was[i]), i == 1);
		memset_io(igb->msix + i * PCI_MSIX_ENTRY_SIZE, 0, PCI_MSIX_ENTRY_SIZE);
	}
	pci_restore_msi_state(pdev);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, igb_read_entry(igb, i, &msg), i == 1);
		KUNIT_EXPECT_EQ(test, msi_msg_address(&msg), msi_msg_address(&was[i]));
		KUNIT_EXPECT_EQ(test, msg.data, was[i].data);
	}
	pci_msix_free_irq(pdev, map);
	free_irq(pci_irq_vector(pdev, 0), &igb->vectors[0]);
	pci_free_irq_vectors(pdev);

	KUNIT_ASSERT_EQ(test, pci_enable_msi(pdev), 0);
	KUNIT_EXPECT_EQ(test, 0, request_irq(pdev->irq, igb_handler, 0, "igb-test",
					     &igb->vectors[0]));
	pci_read_config_dword(pdev, pdev->msi_cap + PCI_MSI_ADDRESS_LO, &before);
	pci_write_config_dword(pdev, pdev->msi_cap + PCI_MSI_ADDRESS_LO, 0);
	pci_write_config_word(pdev, pdev->msi_cap + PCI_MSI_FLAGS, 0);
	KUNIT_EXPECT_FALSE(test, igb_msi_on(igb));
	pci_restore_msi_state(pdev);
	KUNIT_EXPECT_TRUE(test, igb_msi_on(igb));
	pci_read_config_dword(pdev, pdev->msi_cap + PCI_MSI_ADDRESS_LO, &after);
	KUNIT_EXPECT_NE(test, before, 0);
	KUNIT_EXPECT_EQ(test, after, before);
	free_irq(pdev->irq, &igb->vectors[0]);
	pci_disable_msi(pdev);
}

/* The parent's doorbell is above what the device can address. */
static void pci_state_narrow(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct pci_dev *pdev = igb->pdev;
	u64 mask = pdev->msi_addr_mask;
	struct msi_table *table;

	igb_use_fake(test, 0);
	pdev->msi_addr_mask = DMA_BIT_MASK(32);
	table = igb_create(test, MSI_TABLE_MSIX);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 4), ERR_PTR(-EIO));
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	pdev->msi_addr_mask = mask;
	igb_take(test, table, 4, 4, 4);
	pdev->msi_addr_mask = DMA_BIT_MASK(32);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 5), ERR_PTR(-EIO));
	igb_free(table, igb);

	table = igb_create(test, MSI_TABLE_MSI);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 0), ERR_PTR(-EIO));
	KUNIT_EXPECT_FALSE(test, igb_msi_on(igb));
	pdev->msi_addr_mask = mask;
	igb_take(test, table, 0, 0, 0);
	igb_free(table, igb);
}

static bool state_intx_off(struct igb_test *igb)
{
	return igb_command(igb) & PCI_COMMAND_INTX_DISABLE;
}

/* Not even where MSI-X has to be switched off to be allocated from anew */
static void pci_state_intx(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;

	igb_use_fake(test, MSI_FAKE_NO_DYN);
	table = igb_create(test, MSI_TABLE_MSIX);
	KUNIT_EXPECT_FALSE(test, state_intx_off(igb));
	for (u32 label = 2; label < 4; label++) {
		igb_take(test, table, label, label, label);
		KUNIT_EXPECT_TRUE(test, state_intx_off(igb));
		igb_give(table, igb, label);
		KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
		KUNIT_EXPECT_TRUE(test, state_intx_off(igb));
	}
	msi_table_free(table);
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);

	/* One which never came to it */
	table = igb_create(test, MSI_TABLE_MSIX);
	msi_fake_parent_fail_nth(igb->fake, 1);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 0), ERR_PTR(-ENOSPC));
	KUNIT_EXPECT_FALSE(test, state_intx_off(igb));
	msi_table_free(table);
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
}

/* A configuration space in which MSI-X of one function has another size */
static struct pci_ops *state_ops;
static struct pci_dev *state_pdev;
static unsigned int state_size;

static int state_read_config(struct pci_bus *bus, unsigned int devfn, int where, int size,
			     u32 *val)
{
	int ret = state_ops->read(bus, devfn, where, size, val);

	if (devfn == state_pdev->devfn && where == state_pdev->msix_cap + PCI_MSIX_FLAGS)
		*val = (*val & ~PCI_MSIX_FLAGS_QSIZE) | (state_size - 1);
	return ret;
}

static int state_write_config(struct pci_bus *bus, unsigned int devfn, int where, int size,
			      u32 val)
{
	return state_ops->write(bus, devfn, where, size, val);
}

/* There are buses whose functions look for map_bus in the ops themselves. */
static struct pci_ops state_resized_ops;

static void state_restore_ops(void *bus)
{
	pci_bus_set_ops(bus, state_ops);
}

/* Below what there were when the table was created */
static void state_shrinks(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = igb_create(test, MSI_TABLE_MSIX);

	KUNIT_EXPECT_EQ(test, msi_table_size(table), IGB_NR_MSIX);
	state_size = 4;
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 8), ERR_PTR(-ERANGE));
	KUNIT_EXPECT_EQ(test, msi_table_size(table), 4);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	igb_take(test, table, 1, 1, 1);
	igb_free(table, igb);
}

static void pci_state_resized(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct pci_dev *pdev = igb->pdev;
	struct msi_table *table;

	state_pdev = pdev;
	state_size = 4;
	state_resized_ops = *pdev->bus->ops;
	state_resized_ops.read = state_read_config;
	state_resized_ops.write = state_write_config;
	state_ops = pci_bus_set_ops(pdev->bus, &state_resized_ops);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, state_restore_ops, pdev->bus));

	table = igb_create(test, MSI_TABLE_MSIX);
	KUNIT_EXPECT_EQ(test, msi_table_size(table), 4);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 4), ERR_PTR(-ERANGE));
	igb_take(test, table, 3, 3, 3);
	igb_raise(test, 3);
	igb_free(table, igb);

	/* More, which the domain that there is has no room for */
	state_size = IGB_NR_MSIX;
	table = igb_create(test, MSI_TABLE_MSIX);
	KUNIT_EXPECT_EQ(test, msi_table_size(table), IGB_NR_MSIX);
	igb_take(test, table, 9, 9, 9);
	igb_raise(test, 9);
	igb_free(table, igb);

	/* More and less after the table was created, and before MSI-X is on */
	state_size = 4;
	table = igb_create(test, MSI_TABLE_MSIX);
	state_size = IGB_NR_MSIX;
	igb_take(test, table, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, msi_table_size(table), IGB_NR_MSIX);
	igb_take(test, table, 8, 8, 8);
	igb_raise(test, 8);
	igb_free(table, igb);

	state_shrinks(test);

	/* Without a table, too */
	KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(pdev, 4, 4, PCI_IRQ_MSIX), 4);
	pci_free_irq_vectors(pdev);
	state_size = IGB_NR_MSIX;
	KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(pdev, 8, 8, PCI_IRQ_MSIX), 8);
	pci_free_irq_vectors(pdev);

	/* Where all entries are set up at once */
	igb_use_fake(test, MSI_FAKE_NO_DYN);
	state_shrinks(test);
}

static struct kunit_case msi_table_pci_state_cases[] = {
	KUNIT_CASE(pci_state_wiped_msix),
	KUNIT_CASE(pci_state_wiped_msi),
	KUNIT_CASE(pci_state_unreachable),
	KUNIT_CASE(pci_state_asleep),
	KUNIT_CASE(pci_state_asleep_any_kind),
	KUNIT_CASE(pci_state_legacy),
	KUNIT_CASE(pci_state_narrow),
	KUNIT_CASE(pci_state_intx),
	KUNIT_CASE(pci_state_resized),
	{ }
};

static struct kunit_suite msi_table_pci_state_suite = {
	.name		= "msi_table_pci_state",
	.init		= igb_test_init,
	.exit		= igb_test_exit,
	.test_cases	= msi_table_pci_state_cases,
};

kunit_test_suite(msi_table_pci_state_suite);
