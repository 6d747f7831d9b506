// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for the MSI tables of PCI functions, on an Intel 82576 (igb)
 *
 * The device has MSI, MSI-X with ten entries, and a register which raises any
 * of them. QEMU has it. Without one the tests are skipped.
 */
#include <kunit/msi_table.h>
#include <kunit/test.h>

#include <linux/delay.h>
#include <linux/iopoll.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/irqdomain.h>
#include <linux/module.h>
#include <linux/msi_table.h>
#include <linux/pci.h>

#define IGB_EICS		0x1520
#define IGB_EIMS		0x1524
#define IGB_EIAC		0x152c
#define IGB_EICR		0x1580
#define IGB_GPIE		0x1514
#define IGB_GPIE_MSIX_MODE	0x80000011
#define IGB_NR_MSIX		10

/* Time for an interrupt to arrive, or for one which must not to do so */
#define IGB_IRQ_US		(100 * USEC_PER_MSEC)
#define IGB_NO_IRQ_MS		20

struct igb_vector {
	struct msi_vector	*vector;
	atomic_t		count;
};

struct igb_test {
	struct pci_dev		*pdev;
	void __iomem		*regs;
	struct irq_domain	*domain;
	unsigned int		nr_irqs;
	u16			command;
	struct igb_vector	vectors[IGB_NR_MSIX];
};

static unsigned int igb_count_irqs(void)
{
	unsigned int irq, n = 0;

	for (irq = 0; irq < irq_get_nr_irqs(); irq++)
		n += !!irq_to_desc(irq);
	return n;
}

static u16 igb_command(struct igb_test *igb)
{
	u16 command;

	pci_read_config_word(igb->pdev, PCI_COMMAND, &command);
	return command;
}

static bool igb_msix_on(struct igb_test *igb)
{
	u16 control;

	pci_read_config_word(igb->pdev, igb->pdev->msix_cap + PCI_MSIX_FLAGS, &control);
	return control & PCI_MSIX_FLAGS_ENABLE;
}

static bool igb_msi_on(struct igb_test *igb)
{
	u16 control;

	pci_read_config_word(igb->pdev, igb->pdev->msi_cap + PCI_MSI_FLAGS, &control);
	return control & PCI_MSI_FLAGS_ENABLE;
}

static int igb_test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret = pcim_enable_device(pdev);

	if (!ret)
		pci_set_master(pdev);
	return ret;
}

static const struct pci_device_id igb_test_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x10c9) },
	{ }
};

static struct pci_driver igb_test_driver = {
	.name		= "msi_table_igb_test",
	.id_table	= igb_test_ids,
	.probe		= igb_test_probe,
};

KUNIT_DEFINE_ACTION_WRAPPER(igb_test_unregister, pci_unregister_driver, struct pci_driver *);
KUNIT_DEFINE_ACTION_WRAPPER(igb_test_put, pci_dev_put, struct pci_dev *);

static int igb_test_init(struct kunit *test)
{
	struct igb_test *igb = kunit_kzalloc(test, sizeof(*igb), GFP_KERNEL);
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, igb);
	igb->pdev = pci_get_device(PCI_VENDOR_ID_INTEL, 0x10c9, NULL);
	if (!igb->pdev)
		kunit_skip(test, "no Intel 82576");
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, igb_test_put, igb->pdev));

	igb->nr_irqs = igb_count_irqs();
	ret = pci_register_driver(&igb_test_driver);
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, igb_test_unregister,
							   &igb_test_driver));
	if (igb->pdev->dev.driver != &igb_test_driver.driver)
		kunit_skip(test, "the Intel 82576 has another driver");

	igb->command = igb_command(igb);
	igb->domain = dev_get_msi_domain(&igb->pdev->dev);
	igb->regs = pcim_iomap(igb->pdev, 0, 0);
	KUNIT_ASSERT_TRUE(test, igb->regs);
	writel(IGB_GPIE_MSIX_MODE, igb->regs + IGB_GPIE);
	writel(U32_MAX, igb->regs + IGB_EIAC);
	writel(GENMASK(IGB_NR_MSIX - 1, 0), igb->regs + IGB_EIMS);
	test->priv = igb;
	return 0;
}

/* Whatever a test did, or forgot to do: unbinding leaves nothing behind. */
static void igb_test_exit(struct kunit *test)
{
	struct igb_test *igb = test->priv;

	if (!igb)
		return;

	KUNIT_EXPECT_PTR_EQ(test, dev_get_msi_domain(&igb->pdev->dev), igb->domain);
	device_release_driver(&igb->pdev->dev);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	KUNIT_EXPECT_FALSE(test, igb_msi_on(igb));
	KUNIT_EXPECT_NULL(test, igb->pdev->msi_table);
	KUNIT_EXPECT_EQ(test, igb_count_irqs(), igb->nr_irqs);
}

static irqreturn_t igb_handler(int irq, void *dev_id)
{
	struct igb_vector *v = dev_id;

	atomic_inc(&v->count);
	return IRQ_HANDLED;
}

static struct msi_table *igb_create(struct kunit *test, unsigned int flags)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = pci_allocate_msi_table(igb->pdev, flags);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	return table;
}

static void igb_take(struct kunit *test, struct msi_table *table, u32 lowest, u32 highest,
		     u32 expected)
{
	struct igb_test *igb = test->priv;
	struct igb_vector *v = &igb->vectors[expected];

	v->vector = msi_table_alloc_vector_range(table, lowest, highest);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v->vector);
	KUNIT_ASSERT_EQ(test, msi_vector_label(v->vector), expected);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v->vector, igb_handler, NULL, 0, "igb-test",
							v));
}

static void igb_give(struct msi_table *table, struct igb_test *igb, u32 label)
{
	msi_table_free_vector(table, igb->vectors[label].vector);
	igb->vectors[label].vector = NULL;
}

/* The device raises one entry; the handlers see just that, if it has one. */
static void igb_raise(struct kunit *test, u32 label)
{
	struct igb_test *igb = test->priv;
	int before[IGB_NR_MSIX], i;

	for (i = 0; i < IGB_NR_MSIX; i++)
		before[i] = atomic_read(&igb->vectors[i].count);

	writel(BIT(label), igb->regs + IGB_EICS);
	if (igb->vectors[label].vector) {
		int count;

		before[label]++;
		read_poll_timeout(atomic_read, count, count == before[label], 100, IGB_IRQ_US,
				  false, &igb->vectors[label].count);
	} else {
		msleep(IGB_NO_IRQ_MS);
	}

	for (i = 0; i < IGB_NR_MSIX; i++)
		KUNIT_EXPECT_EQ_MSG(test, atomic_read(&igb->vectors[i].count), before[i],
				    "entry %d, raised %u", i, label);
	/* What nobody took stays pending in the device otherwise. */
	readl(igb->regs + IGB_EICR);
}

static void msi_table_pci_create(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;

	KUNIT_EXPECT_PTR_EQ(test, pci_allocate_msi_table(igb->pdev, 0), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, pci_allocate_msi_table(igb->pdev, BIT(5)), ERR_PTR(-EINVAL));

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
		KUNIT_EXPECT_EQ(test, pci_msix_alloc_irq_at(pdev, 1, NULL).index, -EBUSY);
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

static void msi_table_pci_sparse_msix(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	u32 label;

	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 3, 3, 3);
	KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));
	KUNIT_EXPECT_EQ(test, pci_irq_vector(igb->pdev, 0), -EINVAL);
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

/* A failed first allocation switches MSI-X off again. */
static void msi_table_pci_first_fails(struct kunit *test)
{
	struct msi_vector_request req = { .lowest = 0 };
	struct irq_affinity_desc nowhere = { .is_managed = 1 };
	struct igb_test *igb = test->priv;
	struct msi_table *table;

	table = igb_create(test, MSI_TABLE_MSIX);
	req.affinity = &nowhere;
	KUNIT_EXPECT_TRUE(test, IS_ERR(msi_table_alloc(table, &req)));
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	igb_take(test, table, 0, 0, 0);
	igb_raise(test, 0);

	/* A later one leaves it on, though no vector is left. */
	igb_give(table, igb, 0);
	KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));
	KUNIT_EXPECT_TRUE(test, IS_ERR(msi_table_alloc(table, &req)));
	KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));
	igb_take(test, table, 0, 0, 0);
	igb_raise(test, 0);
	msi_table_free(table);
	igb->vectors[0].vector = NULL;
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
	v->vector = msi_table_alloc(table, &req);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v->vector);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v->vector, igb_handler, NULL, 0, "igb-test",
							v));
	KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_affinity_mask(msi_vector_irq(v->vector)),
					      &last.mask));
	igb_raise(test, 4);
	msi_table_free(table);

	table = igb_create(test, MSI_TABLE_MSI);
	req.lowest = 0;
	req.highest = 0;
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc(table, &req), ERR_PTR(-EOPNOTSUPP));
	KUNIT_EXPECT_FALSE(test, igb_msi_on(igb));
	msi_table_free(table);
}

static void msi_table_pci_message(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_message msg;
	struct msi_table *table;
	struct msi_vector *v;
	void __iomem *entry;
	u32 offset;

	table = igb_create(test, MSI_TABLE_MSIX);
	v = msi_table_alloc_vector(table, 5);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v);
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(v, &msg), -EAGAIN);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v, igb_handler, NULL, 0, "igb-test",
							&igb->vectors[5]));
	KUNIT_ASSERT_EQ(test, msi_vector_get_msg(v, &msg), 0);

	/* What the device has in its table is what we are told. */
	pci_read_config_dword(igb->pdev, igb->pdev->msix_cap + PCI_MSIX_TABLE, &offset);
	entry = ioremap(pci_resource_start(igb->pdev, offset & PCI_MSIX_TABLE_BIR) +
			(offset & PCI_MSIX_TABLE_OFFSET) + 5 * PCI_MSIX_ENTRY_SIZE,
			PCI_MSIX_ENTRY_SIZE);
	KUNIT_ASSERT_TRUE(test, entry);
	KUNIT_EXPECT_EQ(test, readl(entry + PCI_MSIX_ENTRY_LOWER_ADDR), lower_32_bits(msg.address));
	KUNIT_EXPECT_EQ(test, readl(entry + PCI_MSIX_ENTRY_UPPER_ADDR), upper_32_bits(msg.address));
	KUNIT_EXPECT_EQ(test, readl(entry + PCI_MSIX_ENTRY_DATA), msg.data);
	KUNIT_EXPECT_EQ(test, readl(entry + PCI_MSIX_ENTRY_VECTOR_CTRL), 0);

	msi_vector_free_irq(v);
	KUNIT_EXPECT_EQ(test, readl(entry + PCI_MSIX_ENTRY_VECTOR_CTRL),
			PCI_MSIX_ENTRY_CTRL_MASKBIT);
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(v, &msg), -EAGAIN);
	iounmap(entry);
	msi_table_free(table);
}

static void msi_table_pci_msi(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	unsigned int nr = pci_msi_vec_count(igb->pdev), intx = igb->pdev->irq;
	struct msi_message msg;
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
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v, igb_handler, NULL, 0, "igb-test",
							&igb->vectors[0]));
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(v, &msg), 0);
	KUNIT_EXPECT_NE(test, msg.address, 0);

	/* MSI goes with the last vector and not with the table. */
	msi_table_free_vector(table, v);
	KUNIT_EXPECT_FALSE(test, igb_msi_on(igb));
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	KUNIT_EXPECT_EQ(test, igb->pdev->irq, intx);
	v = msi_table_alloc_vector(table, MSI_LABEL_ANY);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, v);
	msi_table_free(table);
	KUNIT_EXPECT_FALSE(test, igb_msi_on(igb));
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
	struct msi_message msg;
	struct msi_vector *v;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, store);
	ims[0] = msi_allocate_table(&igb->pdev->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ims[0]);
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	KUNIT_EXPECT_PTR_EQ(test, msi_allocate_table(&igb->pdev->dev, &info), ERR_PTR(-EEXIST));
	msix = igb_create(test, MSI_TABLE_MSIX);
	info.name = "other";
	ims[1] = msi_allocate_table(&igb->pdev->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ims[1]);

	igb_take(test, msix, 2, 2, 2);
	v = msi_table_alloc_vector(ims[0], 2);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v, igb_handler, NULL, 0, "igb-ims",
							&ims_count));
	KUNIT_EXPECT_EQ(test, 0, msi_vector_get_msg(v, &msg));
	KUNIT_EXPECT_EQ(test, 0, msi_fake_store_read(store, 2, &slot));
	KUNIT_EXPECT_EQ(test, slot.msg.address, msg.address);
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

/*
 * Somebody else's handler is on the interrupt when the table goes: warned about,
 * leaked, and cut off from the device. Comes last, as the interrupt stays.
 */
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

	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 4), ERR_PTR(-EBUSY));
	igb_raise(test, 4);
	igb_raise(test, 1);
	msi_table_free(table);
	igb->vectors[1].vector = NULL;
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));

	/* The function is as good as new. */
	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 4, 4, 4);
	igb_raise(test, 4);
	msi_table_free(table);
	igb->vectors[4].vector = NULL;
	device_release_driver(&igb->pdev->dev);

	disable_irq(irq);
	enable_irq(irq);
	free_irq(irq, &igb->vectors[4]);
	KUNIT_EXPECT_NOT_NULL(test, irq_to_desc(irq));
	igb->nr_irqs++;

	KUNIT_ASSERT_EQ(test, device_attach(&igb->pdev->dev), 1);
	KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(igb->pdev, 1, 1, PCI_IRQ_MSIX), 1);
	pci_free_irq_vectors(igb->pdev);
}

static struct kunit_case msi_table_pci_cases[] = {
	KUNIT_CASE(msi_table_pci_create),
	KUNIT_CASE(msi_table_pci_no_capability),
	KUNIT_CASE(msi_table_pci_owns_msix),
	KUNIT_CASE(msi_table_pci_sparse_msix),
	KUNIT_CASE(msi_table_pci_first_fails),
	KUNIT_CASE(msi_table_pci_affinity),
	KUNIT_CASE(msi_table_pci_message),
	KUNIT_CASE(msi_table_pci_msi),
	KUNIT_CASE(msi_table_pci_forgotten),
	KUNIT_CASE(msi_table_pci_beside_ims),
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
