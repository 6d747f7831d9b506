// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables with several messages, on a NEC xHCI (uPD720200)
 *
 * QEMU's nec-usb-xhci has it with msi=on,msix=off: 16 messages, one for each
 * interrupter, which can not be masked. There is no USB in this: an interrupter
 * raises its message when it is told, by ERDP, that its event ring is not empty.
 * Without one the tests are skipped, and most of them where the parent domain
 * grants one message only, like that of x86 without interrupt remapping.
 */
#include <kunit/test.h>

#include <linux/bitfield.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/irq.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>

#include "igb.h"

#define XHCI_CAPLENGTH		0x00
#define XHCI_CAPLENGTH_MASK	GENMASK(7, 0)
#define XHCI_HCSPARAMS1		0x04
#define XHCI_HCSPARAMS1_INTRS	GENMASK(18, 8)
#define XHCI_RTSOFF		0x18

/* From CAPLENGTH on */
#define XHCI_USBCMD		0x00
#define XHCI_USBCMD_HCRST	BIT(1)
#define XHCI_USBCMD_INTE	BIT(2)

/* From RTSOFF on, for each interrupter */
#define XHCI_IR(n)		(0x20 + 0x20 * (n))
#define XHCI_IMAN		0x00
#define XHCI_IMAN_IE		BIT(1)
#define XHCI_ERSTSZ		0x08
#define XHCI_ERSTBA_LO		0x10
#define XHCI_ERSTBA_HI		0x14
#define XHCI_ERDP_LO		0x18
#define XHCI_ERDP_HI		0x1c
#define XHCI_ERDP_EHB		BIT(3)

#define XHCI_NR_MSI		16
#define XHCI_TRB_SIZE		16
#define XHCI_RING_TRBS		16

/* What most tests need: a few labels besides those they take */
#define XHCI_ENOUGH		8

/**
 * struct xhci_ring - The event ring, shared by all interrupters
 * @address:	Segment table, its one entry: address of @trbs
 * @size:	Segment table: number of @trbs
 * @reserved:	Segment table: end of the entry
 * @trbs:	The ring. The controller is not running and writes no event.
 */
struct xhci_ring {
	__le64	address;
	__le32	size;
	__le32	reserved;
	u8	trbs[XHCI_RING_TRBS * XHCI_TRB_SIZE] __aligned(64);
};

/**
 * struct xhci_test - test->priv
 * @pdev:	The function, bound to the driver of the tests
 * @regs:	BAR 0
 * @ring:	The event ring
 * @ring_dma:	Its address for the device
 * @nr_irqs:	Number of interrupts before the driver was bound
 * @granted:	How many messages the parent domain grants
 * @vectors:	By message number
 */
struct xhci_test {
	struct pci_dev		*pdev;
	void __iomem		*regs;
	struct xhci_ring	*ring;
	dma_addr_t		ring_dma;
	unsigned int		nr_irqs;
	unsigned int		granted;
	struct igb_vector	vectors[XHCI_NR_MSI];
};

/**
 * struct xhci_watcher - Remembers what it was told
 * @watcher:	The watcher
 * @msg:	The last message
 * @told:	How often it was called
 */
struct xhci_watcher {
	struct msi_watcher	watcher;
	struct msi_msg	msg;
	unsigned int		told;
};

static u16 xhci_msi_flags(struct xhci_test *xhci)
{
	u16 flags;

	pci_read_config_word(xhci->pdev, xhci->pdev->msi_cap + PCI_MSI_FLAGS, &flags);
	return flags;
}

static bool xhci_msi_on(struct xhci_test *xhci)
{
	return xhci_msi_flags(xhci) & PCI_MSI_FLAGS_ENABLE;
}

/* Number of messages in the block, 0 while MSI is off */
static unsigned int xhci_block(struct xhci_test *xhci)
{
	u16 flags = xhci_msi_flags(xhci);

	return flags & PCI_MSI_FLAGS_ENABLE ? 1U << FIELD_GET(PCI_MSI_FLAGS_QSIZE, flags) : 0;
}

/* The message of the block, as the device has it */
static struct msi_msg xhci_block_message(struct xhci_test *xhci)
{
	struct pci_dev *pdev = xhci->pdev;
	u32 lo, hi;
	u16 data;

	pci_read_config_dword(pdev, pdev->msi_cap + PCI_MSI_ADDRESS_LO, &lo);
	pci_read_config_dword(pdev, pdev->msi_cap + PCI_MSI_ADDRESS_HI, &hi);
	pci_read_config_word(pdev, pdev->msi_cap + PCI_MSI_DATA_64, &data);
	return (struct msi_msg) { .address_lo = lo, .address_hi = hi, .data = data };
}

static void __iomem *xhci_oper(struct xhci_test *xhci)
{
	return xhci->regs + FIELD_GET(XHCI_CAPLENGTH_MASK, readl(xhci->regs + XHCI_CAPLENGTH));
}

static void __iomem *xhci_interrupter(struct xhci_test *xhci, unsigned int n)
{
	return xhci->regs + readl(xhci->regs + XHCI_RTSOFF) + XHCI_IR(n);
}

static dma_addr_t xhci_erdp(struct xhci_test *xhci)
{
	/* One event behind the controller, which is at the start of the ring */
	return xhci->ring_dma + offsetof(struct xhci_ring, trbs) + XHCI_TRB_SIZE;
}

static void xhci_setup(struct xhci_test *xhci)
{
	struct xhci_ring *ring = xhci->ring;
	unsigned int n;

	ring->address = cpu_to_le64(xhci->ring_dma + offsetof(struct xhci_ring, trbs));
	ring->size = cpu_to_le32(XHCI_RING_TRBS);

	for (n = 0; n < XHCI_NR_MSI; n++) {
		void __iomem *ir = xhci_interrupter(xhci, n);

		writel(1, ir + XHCI_ERSTSZ);
		writel(lower_32_bits(xhci->ring_dma), ir + XHCI_ERSTBA_LO);
		writel(upper_32_bits(xhci->ring_dma), ir + XHCI_ERSTBA_HI);
		writel(upper_32_bits(xhci_erdp(xhci)), ir + XHCI_ERDP_HI);
		writel(XHCI_IMAN_IE, ir + XHCI_IMAN);
	}
	writel(XHCI_USBCMD_INTE, xhci_oper(xhci) + XHCI_USBCMD);
}

static int xhci_test_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret = pcim_enable_device(pdev);

	if (!ret)
		pci_set_master(pdev);
	return ret;
}

static const struct pci_device_id xhci_test_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_NEC, 0x0194) },
	{ }
};

static struct pci_driver xhci_test_driver = {
	.name		= "msi_table_xhci_test",
	.id_table	= xhci_test_ids,
	.probe		= xhci_test_probe,
};

KUNIT_DEFINE_ACTION_WRAPPER(xhci_test_unregister, pci_unregister_driver, struct pci_driver *);
KUNIT_DEFINE_ACTION_WRAPPER(xhci_test_put, pci_dev_put, struct pci_dev *);

static struct msi_table *xhci_create(struct kunit *test)
{
	struct xhci_test *xhci = test->priv;
	struct msi_table *table = pci_allocate_msi_table(xhci->pdev, MSI_TABLE_MSI);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	return table;
}

/* Frees the table and what xhci_take() took */
static void xhci_free(struct msi_table *table, struct xhci_test *xhci)
{
	unsigned int n;

	msi_table_free(table);
	for (n = 0; n < XHCI_NR_MSI; n++)
		xhci->vectors[n].vector = NULL;
}

static int xhci_test_init(struct kunit *test)
{
	struct xhci_test *xhci = kunit_kzalloc(test, sizeof(*xhci), GFP_KERNEL);
	const struct msi_vector_request all = { .highest = MSI_LABEL_ANY };
	struct msi_vector *vectors[XHCI_NR_MSI];
	struct msi_table *table;
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, xhci);
	xhci->pdev = pci_get_device(PCI_VENDOR_ID_NEC, 0x0194, NULL);
	if (!xhci->pdev)
		kunit_skip(test, "no NEC xHCI");
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, xhci_test_put, xhci->pdev));
	if (pci_msi_vec_count(xhci->pdev) != XHCI_NR_MSI)
		kunit_skip(test, "the NEC xHCI has no multiple MSI");

	igb_settle(xhci->pdev);
	xhci->nr_irqs = igb_count_irqs();
	ret = pci_register_driver(&xhci_test_driver);
	KUNIT_ASSERT_EQ(test, ret, 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, xhci_test_unregister,
							   &xhci_test_driver));
	if (xhci->pdev->dev.driver != &xhci_test_driver.driver)
		kunit_skip(test, "the NEC xHCI has another driver");

	xhci->regs = pcim_iomap(xhci->pdev, 0, 0);
	KUNIT_ASSERT_TRUE(test, xhci->regs);
	if (FIELD_GET(XHCI_HCSPARAMS1_INTRS, readl(xhci->regs + XHCI_HCSPARAMS1)) < XHCI_NR_MSI)
		kunit_skip(test, "the NEC xHCI has too few interrupters");
	xhci->ring = dmam_alloc_coherent(&xhci->pdev->dev, sizeof(*xhci->ring), &xhci->ring_dma,
					 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, xhci->ring);
	xhci_setup(xhci);
	test->priv = xhci;

	table = xhci_create(test);
	KUNIT_ASSERT_GT(test, msi_table_alloc_vectors(table, &all, 1, XHCI_NR_MSI, vectors), 0);
	xhci->granted = xhci_block(xhci);
	xhci_free(table, xhci);
	return 0;
}

/* Whatever a test did, or forgot to do: unbinding leaves nothing behind. */
static void xhci_test_exit(struct kunit *test)
{
	struct xhci_test *xhci = test->priv;

	if (!xhci)
		return;

	writel(XHCI_USBCMD_HCRST, xhci_oper(xhci) + XHCI_USBCMD);
	device_release_driver(&xhci->pdev->dev);
	KUNIT_EXPECT_FALSE(test, xhci_msi_on(xhci));
	KUNIT_EXPECT_NULL(test, xhci->pdev->msi_table);
	KUNIT_EXPECT_EQ(test, igb_count_irqs(), xhci->nr_irqs);
}

static void xhci_need(struct kunit *test, unsigned int nr)
{
	struct xhci_test *xhci = test->priv;

	if (xhci->granted < nr)
		kunit_skip(test, "the parent domain grants %u messages", xhci->granted);
}

static void xhci_request(struct kunit *test, struct msi_vector *vector)
{
	struct xhci_test *xhci = test->priv;
	struct igb_vector *v = &xhci->vectors[msi_vector_label(vector)];

	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(vector, igb_handler, NULL, 0, v,
							"xhci-test"));
	v->vector = vector;
}

static struct msi_vector *xhci_take(struct kunit *test, struct msi_table *table, u32 label)
{
	struct msi_vector *vector = msi_table_alloc_vector(table, label);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	KUNIT_ASSERT_EQ(test, msi_vector_label(vector), label);
	xhci_request(test, vector);
	return vector;
}

static void xhci_give(struct msi_table *table, struct xhci_test *xhci, u32 label)
{
	msi_table_free_vector(table, xhci->vectors[label].vector);
	xhci->vectors[label].vector = NULL;
}

/* One message outside the block, and QEMU is gone. */
static void xhci_send(struct kunit *test, u32 label)
{
	struct xhci_test *xhci = test->priv;

	KUNIT_ASSERT_LT(test, label, xhci_block(xhci));
	writel(lower_32_bits(xhci_erdp(xhci)) | XHCI_ERDP_EHB,
	       xhci_interrupter(xhci, label) + XHCI_ERDP_LO);
}

static void xhci_wait(struct kunit *test, u32 label, int expected)
{
	struct xhci_test *xhci = test->priv;
	int count;

	read_poll_timeout(atomic_read, count, count == expected, 100, IGB_IRQ_US, false,
			  &xhci->vectors[label].count);
	KUNIT_EXPECT_EQ_MSG(test, count, expected, "message %u", label);
}

/* The device sends one message; the handlers see just that, if it has one. */
static void xhci_raise(struct kunit *test, u32 label)
{
	struct xhci_test *xhci = test->priv;
	int before[XHCI_NR_MSI], i;

	for (i = 0; i < XHCI_NR_MSI; i++)
		before[i] = atomic_read(&xhci->vectors[i].count);

	xhci_send(test, label);
	if (xhci->vectors[label].vector)
		xhci_wait(test, label, ++before[label]);
	else
		msleep(IGB_NO_IRQ_MS);

	for (i = 0; i < XHCI_NR_MSI; i++)
		KUNIT_EXPECT_EQ_MSG(test, atomic_read(&xhci->vectors[i].count), before[i],
				    "message %d, sent %u", i, label);
}

/* What is not granted, or not needed, is not there, and leaves MSI as it is. */
static void msi_table_multi_grant(struct kunit *test)
{
	struct xhci_test *xhci = test->priv;
	struct irq_affinity_desc cpu = { };
	struct msi_vector_request req = { .lowest = 1, .highest = 1, .affinity = &cpu };
	struct msi_table *table = xhci_create(test);
	u32 label;

	KUNIT_EXPECT_EQ(test, msi_table_size(table), XHCI_NR_MSI);
	KUNIT_EXPECT_FALSE(test, xhci_msi_on(xhci));
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, XHCI_NR_MSI), ERR_PTR(-ERANGE));

	cpumask_set_cpu(0, &cpu.mask);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector_req(table, &req), ERR_PTR(-EOPNOTSUPP));
	for (label = xhci->granted; label < XHCI_NR_MSI; label++)
		KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, label),
				    ERR_PTR(-EOPNOTSUPP));
	KUNIT_EXPECT_FALSE(test, xhci_msi_on(xhci));

	xhci_take(test, table, 0);
	KUNIT_EXPECT_EQ(test, xhci_block(xhci), 1);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector_req(table, &req), ERR_PTR(-EOPNOTSUPP));
	for (label = 1; label < XHCI_NR_MSI; label++)
		KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, label),
				    ERR_PTR(-EOPNOTSUPP));
	xhci_raise(test, 0);
	xhci_free(table, xhci);
	KUNIT_EXPECT_FALSE(test, xhci_msi_on(xhci));
}

/* The block reaches up to the first label, whichever it is, and goes with the table. */
static void msi_table_multi_block(struct kunit *test)
{
	struct xhci_test *xhci = test->priv;
	unsigned int intx = xhci->pdev->irq;
	struct msi_vector *first, *next, *last;
	struct msi_table *table;

	xhci_need(test, XHCI_ENOUGH);
	table = xhci_create(test);
	last = xhci_take(test, table, 6);
	KUNIT_EXPECT_EQ(test, xhci_block(xhci), XHCI_ENOUGH);
	xhci_raise(test, 6);
	first = xhci_take(test, table, 4);
	xhci_raise(test, 4);

	next = msi_table_alloc_vector(table, MSI_LABEL_ANY);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, next);
	KUNIT_EXPECT_EQ(test, msi_vector_label(next), 0);
	xhci_request(test, next);
	next = msi_table_alloc_vector_range(table, 4, MSI_LABEL_ANY);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, next);
	KUNIT_EXPECT_EQ(test, msi_vector_label(next), 5);
	xhci_request(test, next);
	KUNIT_EXPECT_EQ(test, msi_vector_irq(next), msi_vector_irq(first) + 1);
	KUNIT_EXPECT_EQ(test, msi_vector_irq(next), msi_vector_irq(last) - 1);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 5), ERR_PTR(-EBUSY));
	/* It would be one more, of a block of a power of two. */
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 7), ERR_PTR(-EOPNOTSUPP));

	xhci_raise(test, 0);
	xhci_raise(test, 4);
	xhci_raise(test, 5);
	xhci_raise(test, 6);
	/* In the block, but nobody's */
	xhci_raise(test, 3);

	xhci_give(table, xhci, 4);
	xhci_give(table, xhci, 0);
	xhci_give(table, xhci, 6);
	KUNIT_EXPECT_EQ(test, xhci_block(xhci), XHCI_ENOUGH);
	xhci_raise(test, 5);
	xhci_give(table, xhci, 5);
	KUNIT_EXPECT_EQ(test, xhci_block(xhci), XHCI_ENOUGH);

	/* And all over again, with as many as are needed now */
	xhci_take(test, table, 1);
	KUNIT_EXPECT_EQ(test, xhci_block(xhci), 2);
	xhci_raise(test, 1);
	xhci_free(table, xhci);
	KUNIT_EXPECT_FALSE(test, xhci_msi_on(xhci));
	KUNIT_EXPECT_EQ(test, xhci->pdev->irq, intx);
}

/* The whole block at once; each message has its own handler. */
static void msi_table_multi_batch(struct kunit *test)
{
	const struct msi_vector_request all = { .highest = MSI_LABEL_ANY };
	struct msi_vector *vectors[XHCI_NR_MSI], *left;
	struct xhci_test *xhci = test->priv;
	struct msi_msg block, msg;
	struct msi_table *table;
	int i, n;

	table = xhci_create(test);
	if (xhci->granted < XHCI_NR_MSI) {
		KUNIT_EXPECT_EQ(test, msi_table_alloc_vectors(table, &all, XHCI_NR_MSI, XHCI_NR_MSI,
							      vectors), -ENOSPC);
		KUNIT_EXPECT_FALSE(test, xhci_msi_on(xhci));
	}

	n = msi_table_alloc_vectors(table, &all, 1, XHCI_NR_MSI, vectors);
	KUNIT_ASSERT_EQ(test, n, xhci->granted);
	KUNIT_EXPECT_EQ(test, xhci_block(xhci), xhci->granted);
	KUNIT_EXPECT_EQ(test, msi_table_alloc_vectors(table, &all, 1, 1, &left), -ENOSPC);

	for (i = 0; i < n; i++) {
		KUNIT_ASSERT_EQ(test, msi_vector_label(vectors[i]), i);
		xhci_request(test, vectors[i]);
	}
	block = xhci_block_message(xhci);
	KUNIT_EXPECT_NE(test, msi_msg_address(&block), 0);
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vectors[i], &msg), 0);
		KUNIT_EXPECT_EQ(test, msi_msg_address(&msg), msi_msg_address(&block));
		KUNIT_EXPECT_EQ(test, msg.data, block.data + i);
		xhci_raise(test, i);
	}
	for (i = n - 1; i >= 0; i--)
		xhci_raise(test, i);

	/* All but the middle one, which goes on */
	swap(vectors[n / 2], vectors[n - 1]);
	msi_table_free_vectors(table, vectors, n - 1);
	for (i = 0; i < n; i++) {
		if (i != n / 2)
			xhci->vectors[i].vector = NULL;
	}
	KUNIT_EXPECT_TRUE(test, xhci_msi_on(xhci));
	xhci_raise(test, n / 2);
	msi_table_free_vectors(table, &vectors[n - 1], 1);
	KUNIT_EXPECT_TRUE(test, xhci_msi_on(xhci));
	xhci->vectors[n / 2].vector = NULL;
	xhci_free(table, xhci);
	KUNIT_EXPECT_FALSE(test, xhci_msi_on(xhci));
}

/* Labels come and go; the messages of the others arrive all the time. */
static void msi_table_multi_churn(struct kunit *test)
{
	struct xhci_test *xhci = test->priv;
	struct msi_table *table;
	u32 label, other;
	int sent = 0;

	xhci_need(test, XHCI_ENOUGH);
	table = xhci_create(test);
	for (label = XHCI_ENOUGH; label-- > 0; )
		xhci_take(test, table, label);

	/* Label 7 is the one which stays. */
	other = XHCI_ENOUGH - 1;
	for (label = 0; label < other; label++) {
		xhci_send(test, other);
		xhci_give(table, xhci, label);
		xhci_wait(test, other, ++sent);

		xhci_send(test, other);
		xhci_take(test, table, label);
		xhci_wait(test, other, ++sent);
		xhci_raise(test, label);
	}
	for (label = 0; label < XHCI_ENOUGH; label++)
		KUNIT_EXPECT_EQ(test, atomic_read(&xhci->vectors[label].count),
				label == other ? sent : 1);
	xhci_free(table, xhci);
}

/*
 * The one message of the block is in the hands of its first interrupt. Without
 * handler that has none; the others have theirs all the same.
 */
static void msi_table_multi_first_freed(struct kunit *test)
{
	struct xhci_test *xhci = test->priv;
	struct msi_msg block, msg;
	struct msi_vector *v0, *v3;
	struct msi_table *table;

	xhci_need(test, XHCI_ENOUGH);
	table = xhci_create(test);
	xhci_take(test, table, 6);
	v3 = xhci_take(test, table, 3);
	v0 = xhci_take(test, table, 0);
	block = xhci_block_message(xhci);
	xhci_raise(test, 0);
	xhci_raise(test, 3);
	xhci_give(table, xhci, 6);

	msi_vector_free_irq(v0);
	xhci->vectors[0].vector = NULL;
	msg = xhci_block_message(xhci);
	/* The device would write to address 0. */
	KUNIT_ASSERT_EQ(test, msi_msg_address(&msg), msi_msg_address(&block));
	KUNIT_ASSERT_EQ(test, msg.data, block.data);
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(v3, &msg), 0);
	KUNIT_EXPECT_EQ(test, msi_msg_address(&msg), msi_msg_address(&block));
	KUNIT_EXPECT_EQ(test, msg.data, block.data + 3);
	xhci_raise(test, 3);

	/* Others come after it has gone. */
	xhci_take(test, table, 6);
	xhci_raise(test, 6);
	msi_table_free_vector(table, v0);
	xhci_raise(test, 3);
	xhci_raise(test, 6);

	xhci_take(test, table, 0);
	xhci_raise(test, 0);
	xhci_raise(test, 3);
	xhci_free(table, xhci);
}

/* The handler of label 0 may not come at all. */
static void msi_table_multi_first_unused(struct kunit *test)
{
	struct xhci_test *xhci = test->priv;
	struct msi_msg block, msg;
	struct msi_table *table;
	struct msi_vector *v;

	xhci_need(test, XHCI_ENOUGH);
	table = xhci_create(test);
	v = xhci_take(test, table, 4);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, msi_table_alloc_vector(table, 0));
	block = xhci_block_message(xhci);
	KUNIT_ASSERT_NE(test, msi_msg_address(&block), 0);
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(v, &msg), 0);
	KUNIT_EXPECT_EQ(test, msi_msg_address(&msg), msi_msg_address(&block));
	KUNIT_EXPECT_EQ(test, msg.data, block.data + 4);
	xhci_raise(test, 4);

	/* A handler which comes again */
	msi_vector_free_irq(v);
	xhci_request(test, v);
	xhci_raise(test, 4);
	xhci_free(table, xhci);
}

static void xhci_notify(struct msi_watcher *watcher, const struct msi_msg *msg)
{
	struct xhci_watcher *w = container_of(watcher, struct xhci_watcher, watcher);

	w->msg = *msg;
	w->told++;
}

/* Watchers of a label are told its own message, which outlives that of label 0. */
static void msi_table_multi_watch(struct kunit *test)
{
	struct xhci_watcher w3 = { .watcher.notify = xhci_notify }, other = w3;
	struct xhci_test *xhci = test->priv;
	struct msi_vector *v0, *v3;
	struct msi_msg block;
	struct msi_table *table;
	unsigned int cpu;

	xhci_need(test, XHCI_ENOUGH);
	table = xhci_create(test);
	v3 = xhci_take(test, table, 3);
	v0 = xhci_take(test, table, 0);
	block = xhci_block_message(xhci);

	msi_vector_watch(v3, &w3.watcher);
	msi_vector_watch(v3, &other.watcher);
	KUNIT_EXPECT_EQ(test, w3.told, 1);
	KUNIT_EXPECT_EQ(test, other.told, 1);
	KUNIT_EXPECT_EQ(test, msi_msg_address(&w3.msg), msi_msg_address(&block));
	KUNIT_EXPECT_EQ(test, w3.msg.data, block.data + 3);
	msi_vector_unwatch(v3, &other.watcher);

	/* Whatever happens to label 0, and wherever label 3 goes */
	msi_vector_free_irq(v0);
	xhci->vectors[0].vector = NULL;
	block = xhci_block_message(xhci);
	KUNIT_EXPECT_NE(test, msi_msg_address(&w3.msg), 0);
	KUNIT_EXPECT_EQ(test, msi_msg_address(&w3.msg), msi_msg_address(&block));
	KUNIT_EXPECT_EQ(test, w3.msg.data, block.data + 3);
	xhci_request(test, v0);
	for_each_online_cpu(cpu) {
		KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(msi_vector_irq(v3), cpumask_of(cpu)));
		xhci_raise(test, 3);
		xhci_raise(test, 0);
		block = xhci_block_message(xhci);
		KUNIT_EXPECT_EQ(test, msi_msg_address(&w3.msg), msi_msg_address(&block));
		KUNIT_EXPECT_EQ(test, w3.msg.data, block.data + 3);
	}
	KUNIT_EXPECT_EQ(test, other.told, 1);

	msi_vector_unwatch(v3, &w3.watcher);
	xhci_free(table, xhci);
}

/* Somebody else's handler is on a message of the block; the others do not notice. */
static void msi_table_multi_foreign_handler(struct kunit *test)
{
	struct xhci_test *xhci = test->priv;
	struct msi_msg block;
	struct msi_table *table;
	struct msi_vector *v;

	xhci_need(test, XHCI_ENOUGH);
	table = xhci_create(test);
	xhci_take(test, table, 3);
	xhci_take(test, table, 0);
	v = msi_table_alloc_vector(table, 2);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v);
	KUNIT_ASSERT_EQ(test, 0, request_irq(msi_vector_irq(v), igb_handler, 0, "xhci-foreign",
					     &xhci->vectors[2]));
	xhci->vectors[2].vector = v;
	xhci_raise(test, 2);
	xhci->vectors[2].vector = NULL;

	kunit_warning_suppress(test) {
		msi_table_free_vector(table, v);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}

	block = xhci_block_message(xhci);
	KUNIT_EXPECT_NE(test, msi_msg_address(&block), 0);
	xhci_raise(test, 0);
	xhci_raise(test, 3);
	xhci_take(test, table, 2);
	xhci_raise(test, 2);
	xhci_free(table, xhci);
}

static struct kunit_case msi_table_multi_cases[] = {
	KUNIT_CASE(msi_table_multi_grant),
	KUNIT_CASE(msi_table_multi_block),
	KUNIT_CASE(msi_table_multi_batch),
	KUNIT_CASE(msi_table_multi_churn),
	KUNIT_CASE(msi_table_multi_first_freed),
	KUNIT_CASE(msi_table_multi_first_unused),
	KUNIT_CASE(msi_table_multi_watch),
	KUNIT_CASE(msi_table_multi_foreign_handler),
	{ }
};

static struct kunit_suite msi_table_multi_suite = {
	.name		= "msi_table_multi",
	.init		= xhci_test_init,
	.exit		= xhci_test_exit,
	.test_cases	= msi_table_multi_cases,
};

kunit_test_suite(msi_table_multi_suite);
