// SPDX-License-Identifier: GPL-2.0
/*
 * The devices which the KUnit suites of PCI tables share, and what they do with them
 */
#include <kunit/msi_table.h>
#include <kunit/test.h>

#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/irq.h>
#include <linux/kthread.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>

#include "igb.h"

unsigned int igb_count_irqs(void)
{
	unsigned int irq, n = 0;

	for (irq = 0; irq < irq_get_nr_irqs(); irq++)
		n += !!irq_get_irq_data(irq);
	return n;
}

u16 igb_command(struct igb_test *igb)
{
	u16 command;

	pci_read_config_word(igb->pdev, PCI_COMMAND, &command);
	return command;
}

bool igb_msix_on(struct igb_test *igb)
{
	u16 control;

	pci_read_config_word(igb->pdev, igb->pdev->msix_cap + PCI_MSIX_FLAGS, &control);
	return control & PCI_MSIX_FLAGS_ENABLE;
}

bool igb_msi_on(struct igb_test *igb)
{
	u16 control;

	pci_read_config_word(igb->pdev, igb->pdev->msi_cap + PCI_MSI_FLAGS, &control);
	return control & PCI_MSI_FLAGS_ENABLE;
}

/* The function under test, if there are several */
static struct pci_dev *igb_test_pdev;

static int igb_test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret;

	if (pci_physfn(pdev) != igb_test_pdev)
		return -ENODEV;

	ret = pcim_enable_device(pdev);
	if (!ret)
		pci_set_master(pdev);
	return ret;
}

/* The function and its virtual functions */
static const struct pci_device_id igb_test_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x10c9) },
	{ PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x10ca) },
	{ }
};

static struct pci_driver igb_test_driver = {
	.name		= "msi_table_igb_test",
	.id_table	= igb_test_ids,
	.probe		= igb_test_probe,
};

KUNIT_DEFINE_ACTION_WRAPPER(igb_test_unregister, pci_unregister_driver, struct pci_driver *);
KUNIT_DEFINE_ACTION_WRAPPER(igb_test_put, pci_dev_put, struct pci_dev *);

static int edu_test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32));
	if (!ret)
		pci_set_master(pdev);
	return ret;
}

static const struct pci_device_id edu_test_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};

static struct pci_driver edu_test_driver = {
	.name		= "msi_table_edu_test",
	.id_table	= edu_test_ids,
	.probe		= edu_test_probe,
};

KUNIT_DEFINE_ACTION_WRAPPER(edu_test_unregister, pci_unregister_driver, struct pci_driver *);
KUNIT_DEFINE_ACTION_WRAPPER(edu_test_put, pci_dev_put, struct pci_dev *);

struct pci_dev *edu_bind(struct kunit *test, void __iomem **regs)
{
	struct pci_dev *pdev = pci_get_device(0x1234, 0x11e8, NULL);

	if (!pdev)
		kunit_skip(test, "no edu");
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, edu_test_put, pdev));
	KUNIT_ASSERT_EQ(test, 0, pci_register_driver(&edu_test_driver));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, edu_test_unregister,
							   &edu_test_driver));
	if (pdev->dev.driver != &edu_test_driver.driver)
		kunit_skip(test, "the edu has another driver");

	*regs = pcim_iomap(pdev, 0, 0);
	KUNIT_ASSERT_TRUE(test, *regs);
	return pdev;
}

void edu_unbind(struct kunit *test)
{
	kunit_release_action(test, edu_test_unregister, &edu_test_driver);
}

static void igb_test_iounmap(void *base)
{
	iounmap((void __iomem __force *)base);
}

/* Not managed: a test may raise interrupts while the driver is being unbound. */
static void __iomem *igb_ioremap(struct kunit *test, int bar, resource_size_t offset)
{
	struct igb_test *igb = test->priv;
	void __iomem *base;

	base = ioremap(pci_resource_start(igb->pdev, bar), pci_resource_len(igb->pdev, bar));
	KUNIT_ASSERT_TRUE(test, base);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, igb_test_iounmap,
							   (void __force *)base));
	return base + offset;
}

void igb_setup(struct igb_test *igb)
{
	writel(IGB_GPIE_MSIX_MODE, igb->regs + IGB_GPIE);
	writel(U32_MAX, igb->regs + IGB_EIAC);
	writel(IGB_ALL, igb->regs + IGB_EIMS);
}

static int igb_line_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return -ENODEV;
}

static const struct pci_device_id igb_line_ids[] = {
	{ PCI_DEVICE(PCI_ANY_ID, PCI_ANY_ID) },
	{ }
};

static struct pci_driver igb_line_driver = {
	.name		= "msi_table_line_test",
	.id_table	= igb_line_ids,
	.probe		= igb_line_probe,
};

void igb_settle(struct pci_dev *pdev)
{
	if (!pci_register_driver(&igb_line_driver))
		pci_unregister_driver(&igb_line_driver);
	if (!pci_enable_device(pdev))
		pci_disable_device(pdev);
}

int igb_test_init(struct kunit *test)
{
	struct igb_test *igb = kunit_kzalloc(test, sizeof(*igb), GFP_KERNEL);
	u32 offset;
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, igb);
	igb->pdev = pci_get_device(PCI_VENDOR_ID_INTEL, 0x10c9, NULL);
	if (!igb->pdev)
		kunit_skip(test, "no Intel 82576");
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, igb_test_put, igb->pdev));

	igb_test_pdev = igb->pdev;
	igb_settle(igb->pdev);
	igb->nr_irqs = igb_count_irqs();
	ret = pci_register_driver(&igb_test_driver);
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, igb_test_unregister,
							   &igb_test_driver));
	if (igb->pdev->dev.driver != &igb_test_driver.driver)
		kunit_skip(test, "the Intel 82576 has another driver");

	igb->command = igb_command(igb);
	igb->domain = dev_get_msi_domain(&igb->pdev->dev);
	test->priv = igb;
	igb->regs = igb_ioremap(test, 0, 0);
	pci_read_config_dword(igb->pdev, igb->pdev->msix_cap + PCI_MSIX_TABLE, &offset);
	igb->msix = igb_ioremap(test, offset & PCI_MSIX_TABLE_BIR, offset & PCI_MSIX_TABLE_OFFSET);
	pci_read_config_dword(igb->pdev, igb->pdev->msix_cap + PCI_MSIX_PBA, &offset);
	igb->pba = igb_ioremap(test, offset & PCI_MSIX_PBA_BIR, offset & PCI_MSIX_PBA_OFFSET);
	igb_setup(igb);
	return 0;
}

int igb_edu_test_init(struct kunit *test)
{
	struct pci_dev *pdev = NULL;

	while ((pdev = pci_get_device(0x1234, 0x11e8, pdev)))
		igb_settle(pdev);
	return igb_test_init(test);
}

void igb_use_fake(struct kunit *test, unsigned int flags)
{
	struct igb_test *igb = test->priv;
	int pos = igb->pdev->msix_cap + PCI_MSIX_FLAGS;
	struct msi_fake_parent *fake;
	u16 control;

	/* What was pending would go to a fake address with the first handler. */
	pci_read_config_word(igb->pdev, pos, &control);
	pci_write_config_word(igb->pdev, pos,
			      control | PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	writel(IGB_ALL, igb->regs + IGB_PBACLR);
	pci_write_config_word(igb->pdev, pos, control);

	fake = msi_fake_parent_create(64, flags);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fake);
	igb->fake = fake;
	msi_fake_parent_attach(fake, &igb->pdev->dev);
}

/* Whatever a test did, or forgot to do: unbinding leaves nothing behind. */
void igb_test_exit(struct kunit *test)
{
	struct igb_test *igb = test->priv;

	if (!igb)
		return;

	KUNIT_EXPECT_PTR_EQ(test, dev_get_msi_domain(&igb->pdev->dev),
			    igb->fake ? msi_fake_parent_domain(igb->fake) : igb->domain);
	pci_lock_rescan_remove();
	pci_disable_sriov(igb->pdev);
	pci_unlock_rescan_remove();
	device_release_driver(&igb->pdev->dev);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	KUNIT_EXPECT_FALSE(test, igb_msi_on(igb));
	KUNIT_EXPECT_NULL(test, igb->pdev->msi_table);
	KUNIT_EXPECT_EQ(test, igb_count_irqs(), igb->nr_irqs);
	if (igb->fake) {
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(igb->fake), 0);
		dev_set_msi_domain(&igb->pdev->dev, igb->domain);
		msi_fake_parent_destroy(igb->fake);
	}
}

irqreturn_t igb_handler(int irq, void *dev_id)
{
	struct igb_vector *v = dev_id;

	WRITE_ONCE(v->cpu, smp_processor_id());
	atomic_inc(&v->count);
	return IRQ_HANDLED;
}

struct msi_table *igb_create(struct kunit *test, unsigned int flags)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = pci_allocate_msi_table(igb->pdev, flags);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	return table;
}

bool igb_pending(struct igb_test *igb, u32 label)
{
	return readl(igb->pba) & BIT(label);
}

bool igb_wait_for(struct igb_vector *v, int expected)
{
	int count;

	return !read_poll_timeout(atomic_read, count, count == expected, 100, IGB_IRQ_US, false,
				  &v->count);
}

void igb_request(struct kunit *test, u32 label)
{
	struct igb_test *igb = test->priv;
	struct igb_vector *v = &igb->vectors[label];
	int expected = atomic_read(&v->count) + igb_pending(igb, label);

	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v->vector, igb_handler, NULL, 0, v,
							"igb-test"));
	if (!igb->fake && igb_msix_on(igb))
		KUNIT_EXPECT_TRUE_MSG(test, igb_wait_for(v, expected), "entry %u: %d, expected %d",
				      label, atomic_read(&v->count), expected);
}

void igb_take(struct kunit *test, struct msi_table *table, u32 lowest, u32 highest, u32 expected)
{
	struct igb_test *igb = test->priv;
	struct msi_vector *vector = msi_table_alloc_vector_range(table, lowest, highest);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	KUNIT_ASSERT_EQ(test, msi_vector_label(vector), expected);
	igb->vectors[expected].vector = vector;
	igb_request(test, expected);
}

void igb_give(struct msi_table *table, struct igb_test *igb, u32 label)
{
	msi_table_free_vector(table, igb->vectors[label].vector);
	igb->vectors[label].vector = NULL;
}

void igb_free(struct msi_table *table, struct igb_test *igb)
{
	int i;

	msi_table_free(table);
	for (i = 0; i < IGB_NR_MSIX; i++)
		igb->vectors[i].vector = NULL;
}

static void igb_raise_expect(struct kunit *test, u32 label, bool arrives)
{
	struct igb_test *igb = test->priv;
	int expected[IGB_NR_MSIX], i;

	for (i = 0; i < IGB_NR_MSIX; i++)
		expected[i] = atomic_read(&igb->vectors[i].count);
	expected[label] += arrives;

	writel(BIT(label), igb->regs + IGB_EICS);
	if (arrives)
		igb_wait_for(&igb->vectors[label], expected[label]);
	else
		msleep(IGB_NO_IRQ_MS);

	for (i = 0; i < IGB_NR_MSIX; i++)
		KUNIT_EXPECT_EQ_MSG(test, atomic_read(&igb->vectors[i].count), expected[i],
				    "entry %d, raised %u", i, label);
	/* What nobody took stays pending in the device otherwise. */
	readl(igb->regs + IGB_EICR);
}

void igb_raise(struct kunit *test, u32 label)
{
	struct igb_test *igb = test->priv;

	igb_raise_expect(test, label, igb->vectors[label].vector);
}

void igb_raise_nobody(struct kunit *test, u32 label)
{
	igb_raise_expect(test, label, false);
	KUNIT_EXPECT_TRUE(test, igb_pending(test->priv, label));
}

bool igb_read_entry(struct igb_test *igb, u32 label, struct msi_msg *msg)
{
	void __iomem *entry = igb->msix + label * PCI_MSIX_ENTRY_SIZE;

	msg->address_lo = readl(entry + PCI_MSIX_ENTRY_LOWER_ADDR);
	msg->address_hi = readl(entry + PCI_MSIX_ENTRY_UPPER_ADDR);
	msg->data = readl(entry + PCI_MSIX_ENTRY_DATA);
	return readl(entry + PCI_MSIX_ENTRY_VECTOR_CTRL) & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

void igb_expect_message(struct kunit *test, u32 label)
{
	struct igb_test *igb = test->priv;
	struct msi_msg msg, entry;

	KUNIT_EXPECT_EQ(test, 0, msi_vector_get_msg(igb->vectors[label].vector, &msg));
	KUNIT_EXPECT_FALSE(test, igb_read_entry(igb, label, &entry));
	KUNIT_EXPECT_EQ(test, msi_msg_address(&entry), msi_msg_address(&msg));
	KUNIT_EXPECT_EQ(test, entry.data, msg.data);
}

static int igb_fire_thread(void *data)
{
	struct igb_fire *fire = data;
	struct igb_test *igb = fire->igb;
	unsigned int label;
	u32 raise;

	while (!kthread_should_stop()) {
		raise = 0;
		for_each_set_bit(label, &fire->labels, IGB_NR_MSIX) {
			if (atomic_read(&igb->vectors[label].count) != fire->sent[label])
				continue;
			fire->sent[label]++;
			raise |= BIT(label);
		}
		if (raise)
			writel(raise, igb->regs + IGB_EICS);
		usleep_range(20, 50);
	}
	return 0;
}

static void igb_fire_end(void *data)
{
	struct igb_fire *fire = data;

	kthread_stop(fire->task);
}

struct igb_fire *igb_fire_start(struct kunit *test, unsigned long labels)
{
	struct igb_fire *fire = kunit_kzalloc(test, sizeof(*fire), GFP_KERNEL);
	unsigned int label;

	KUNIT_ASSERT_NOT_NULL(test, fire);
	fire->igb = test->priv;
	fire->labels = labels;
	for_each_set_bit(label, &fire->labels, IGB_NR_MSIX)
		fire->sent[label] = atomic_read(&fire->igb->vectors[label].count);

	fire->task = kthread_run(igb_fire_thread, fire, "igb-fire");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fire->task);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, igb_fire_end, fire));
	return fire;
}

void igb_fire_stop(struct kunit *test, struct igb_fire *fire)
{
	struct igb_test *igb = fire->igb;
	unsigned int label;

	kunit_release_action(test, igb_fire_end, fire);
	for_each_set_bit(label, &fire->labels, IGB_NR_MSIX) {
		KUNIT_EXPECT_TRUE_MSG(test, igb_wait_for(&igb->vectors[label], fire->sent[label]),
				      "entry %u: %d received, expected %d", label,
				      atomic_read(&igb->vectors[label].count), fire->sent[label]);
		KUNIT_EXPECT_GT_MSG(test, fire->sent[label], 1, "entry %u", label);
	}
}

void igb_fire_some(struct kunit *test, u32 label, int n)
{
	struct igb_test *igb = test->priv;
	int count, enough = atomic_read(&igb->vectors[label].count) + n;

	KUNIT_EXPECT_EQ_MSG(test, 0, read_poll_timeout(atomic_read, count, count >= enough, 100,
						       n * IGB_IRQ_US, false,
						       &igb->vectors[label].count),
			    "entry %u is stuck at %d, expected %d or more", label, count, enough);
}

void igb_raise_beside(struct kunit *test, u32 label)
{
	struct igb_test *igb = test->priv;
	struct igb_vector *v = &igb->vectors[label];
	int expected = atomic_read(&v->count) + !!v->vector;

	writel(BIT(label), igb->regs + IGB_EICS);
	if (!v->vector)
		KUNIT_EXPECT_TRUE_MSG(test, igb_pending(igb, label), "entry %u", label);
	KUNIT_EXPECT_TRUE_MSG(test, igb_wait_for(v, expected), "entry %u: %d received, expected %d",
			      label, atomic_read(&v->count), expected);
}

void igb_raise_on(struct kunit *test, u32 label, int cpu)
{
	struct igb_test *igb = test->priv;
	int i;

	for (i = 0; i < 10; i++) {
		igb_raise(test, label);
		if (READ_ONCE(igb->vectors[label].cpu) == cpu)
			return;
		/* x86 gives the last CPU's vector back on a timer, and moves no more until then. */
		fsleep(5 * USEC_PER_MSEC);
	}
	KUNIT_FAIL(test, "entry %u arrives on CPU %d, expected %d", label,
		   READ_ONCE(igb->vectors[label].cpu), cpu);
}

void igb_adopt(struct kunit *test, struct msi_vector **vectors, unsigned int n,
	       unsigned long labels)
{
	struct igb_test *igb = test->priv;
	unsigned int label, i = 0;

	KUNIT_ASSERT_EQ(test, n, hweight_long(labels));
	for_each_set_bit(label, &labels, IGB_NR_MSIX) {
		KUNIT_ASSERT_EQ(test, msi_vector_label(vectors[i]), label);
		igb->vectors[label].vector = vectors[i++];
		igb_request(test, label);
	}
}

void igb_disown(struct igb_test *igb, unsigned long labels)
{
	unsigned int label;

	for_each_set_bit(label, &labels, IGB_NR_MSIX)
		igb->vectors[label].vector = NULL;
}

void igb_expect_entries(struct kunit *test, unsigned long labels)
{
	struct igb_test *igb = test->priv;
	struct msi_msg msg;
	unsigned int label;
	u16 control;

	KUNIT_EXPECT_EQ(test, igb_msix_on(igb), labels != 0);
	/* Held back only while it is switched on */
	pci_read_config_word(igb->pdev, igb->pdev->msix_cap + PCI_MSIX_FLAGS, &control);
	KUNIT_EXPECT_FALSE(test, control & PCI_MSIX_FLAGS_MASKALL);
	for (label = 0; label < IGB_NR_MSIX && labels; label++) {
		unsigned int irq = msi_get_virq(&igb->pdev->dev, label);

		KUNIT_EXPECT_EQ_MSG(test, !!irq, !!(labels & BIT(label)), "entry %u", label);
		if (!(labels & BIT(label)))
			KUNIT_EXPECT_TRUE_MSG(test, igb_read_entry(igb, label, &msg), "entry %u",
					      label);
	}
}

void igb_raise_all(struct kunit *test, int rounds)
{
	struct igb_test *igb = test->priv;
	u32 label;

	for (label = 0; label < IGB_NR_MSIX; label++) {
		if (!igb->vectors[label].vector)
			igb_raise_nobody(test, label);
		for (int i = 0; i < rounds && igb->vectors[label].vector; i++)
			igb_raise(test, label);
	}
}

bool igb_two_cpus(int cpus[2])
{
	cpus[0] = cpumask_first(cpu_online_mask);
	cpus[1] = cpumask_last(cpu_online_mask);
	return cpus[0] != cpus[1];
}

void igb_move(struct kunit *test, u32 label, const int cpus[2])
{
	struct igb_test *igb = test->priv;
	unsigned int irq = msi_vector_irq(igb->vectors[label].vector);
	struct igb_fire *fire = igb_fire_start(test, BIT(label));
	int i;

	for (i = 0; i < 40; i++) {
		KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(irq, cpumask_of(cpus[i % 2])));
		/* Sometimes the next move comes before the last is complete. */
		if (i % 3)
			igb_fire_some(test, label, i % 3);
	}
	igb_fire_stop(test, fire);

	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(irq, cpumask_of(cpus[i])));
		igb_raise_on(test, label, cpus[i]);
		igb_expect_message(test, label);
		KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_effective_affinity_mask(irq),
						      cpumask_of(cpus[i])));
	}
}
