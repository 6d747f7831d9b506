// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: the store of a device which is not on PCI
 *
 * The device is an IOMMU of RISC-V, which QEMU has as riscv-iommu-sys, and which no driver
 * has. An unknown command makes it send the message which its interrupt cause register
 * names for the command queue. Registers: RISC-V IOMMU Architecture Specification, 1.0,
 * section 6.
 */
#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iopoll.h>
#include <linux/irq.h>
#include <linux/mod_devicetable.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/of_irq.h>
#include <linux/platform_device.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "msi_table_test.h"

#define RIO_FCTL		0x08
#define RIO_FCTL_WSI		BIT(1)
#define RIO_CQB			0x18
#define RIO_CQB_PPN_SHIFT	10
#define RIO_CQT			0x24
#define RIO_CQCSR		0x48
#define RIO_CQCSR_CQEN		BIT(0)
#define RIO_CQCSR_CIE		BIT(1)
#define RIO_CQCSR_CQON		BIT(16)
#define RIO_IPSR		0x54
#define RIO_IPSR_CIP		BIT(0)
#define RIO_ICVEC		0x2f8
#define RIO_MSI_CFG_TBL		0x300
#define RIO_MSI_SIZE		16
#define RIO_MSI_ADDRESS		0
#define RIO_MSI_DATA		8
#define RIO_MSI_CONTROL		12
#define RIO_MSI_MASK		BIT(0)

#define RIO_VECTORS		4
#define RIO_UNKNOWN_COMMAND	0x7f

/* Time for an interrupt to arrive, and for one which must not to do so */
#define RIO_IRQ_US		(100 * USEC_PER_MSEC)
#define RIO_NO_IRQ_MS		20

/**
 * struct rio_test - test->priv
 * @pdev:	The device, bound to the driver of the tests
 * @regs:	Its registers
 * @table:	The table on its messages
 * @hits:	dev_id of the handlers
 */
struct rio_test {
	struct platform_device	*pdev;
	void __iomem		*regs;
	struct msi_table	*table;
	struct mtt_hits		hits[RIO_VECTORS];
};

static struct platform_device *rio_pdev;

static int rio_probe(struct platform_device *pdev)
{
	if (rio_pdev)
		return -EBUSY;
	rio_pdev = pdev;
	return 0;
}

static void rio_remove(struct platform_device *pdev)
{
	rio_pdev = NULL;
}

static const struct of_device_id rio_ids[] = {
	{ .compatible = "riscv,iommu" },
	{ }
};

static struct platform_driver rio_driver = {
	.probe	= rio_probe,
	.remove	= rio_remove,
	.driver	= {
		.name		= "msi_table_platform_test",
		.of_match_table	= rio_ids,
	},
};

/* The device's queue is off, and with it its interrupt. */
static int rio_stop(struct rio_test *rio)
{
	u32 status;

	writel(0, rio->regs + RIO_CQCSR);
	writel(RIO_IPSR_CIP, rio->regs + RIO_IPSR);
	return readl_poll_timeout(rio->regs + RIO_CQCSR, status, !(status & RIO_CQCSR_CQON), 10,
				  RIO_IRQ_US);
}

static void rio_raise(struct kunit *test, u32 label)
{
	struct rio_test *rio = test->priv;
	u32 status;

	KUNIT_ASSERT_EQ(test, 0, rio_stop(rio));
	writeq(label, rio->regs + RIO_ICVEC);
	KUNIT_ASSERT_EQ(test, label, readq(rio->regs + RIO_ICVEC));
	writel(RIO_CQCSR_CQEN | RIO_CQCSR_CIE, rio->regs + RIO_CQCSR);
	KUNIT_ASSERT_EQ(test, 0, readl_poll_timeout(rio->regs + RIO_CQCSR, status,
						    status & RIO_CQCSR_CQON, 10, RIO_IRQ_US));
	writel(1, rio->regs + RIO_CQT);
}

/* Nothing arrives but what @label has had @expected times by then. */
static void rio_expect(struct kunit *test, u32 label, int expected)
{
	struct rio_test *rio = test->priv;
	int i, count, counts[RIO_VECTORS];

	for (i = 0; i < RIO_VECTORS; i++)
		counts[i] = atomic_read(&rio->hits[i].hard);
	counts[label] = expected;
	read_poll_timeout(atomic_read, count, count == expected, 100, RIO_IRQ_US, false,
			  &rio->hits[label].hard);
	msleep(RIO_NO_IRQ_MS);
	for (i = 0; i < RIO_VECTORS; i++)
		KUNIT_EXPECT_EQ_MSG(test, counts[i], atomic_read(&rio->hits[i].hard), "label %d",
				    i);
}

static struct msi_vector *rio_take(struct kunit *test, u32 label)
{
	struct rio_test *rio = test->priv;
	struct msi_vector *vector = msi_table_alloc_vector(rio->table, label);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	KUNIT_ASSERT_EQ(test, 0, mtt_try_request(vector, &rio->hits[label]));
	return vector;
}

static void rio_arrives(struct kunit *test)
{
	struct rio_test *rio = test->priv;
	void __iomem *entry = rio->regs + RIO_MSI_CFG_TBL;
	struct msi_vector *vectors[RIO_VECTORS];
	struct msi_msg msg;
	int i;

	for (i = 0; i < RIO_VECTORS; i++) {
		vectors[i] = rio_take(test, i);
		KUNIT_ASSERT_EQ(test, 0, msi_vector_get_msg(vectors[i], &msg));
		KUNIT_EXPECT_EQ(test, msi_msg_address(&msg), readq(entry + RIO_MSI_ADDRESS));
		KUNIT_EXPECT_EQ(test, msg.data, readl(entry + RIO_MSI_DATA));
		KUNIT_EXPECT_EQ(test, 0, readl(entry + RIO_MSI_CONTROL) & RIO_MSI_MASK);
		entry += RIO_MSI_SIZE;
	}
	for (i = RIO_VECTORS - 1; i >= 0; i--) {
		rio_raise(test, i);
		rio_expect(test, i, 1);
		KUNIT_EXPECT_EQ(test, msi_vector_irq(vectors[i]), rio->hits[i].irq);
	}

	msi_vector_free_irq(vectors[2]);
	msi_table_free_vector(rio->table, vectors[2]);
	KUNIT_EXPECT_EQ(test, RIO_MSI_MASK,
			readl(rio->regs + RIO_MSI_CFG_TBL + 2 * RIO_MSI_SIZE + RIO_MSI_CONTROL));
	rio_raise(test, 2);
	rio_expect(test, 2, 1);
	rio_take(test, 2);
	rio_expect(test, 2, 1);
	rio_raise(test, 2);
	rio_expect(test, 2, 2);
}

/* What comes while it is disabled is kept: by the device, or by who masks for it. */
static void rio_disabled(struct kunit *test)
{
	struct msi_vector *vector = rio_take(test, 1);

	disable_irq(msi_vector_irq(vector));
	rio_raise(test, 1);
	rio_expect(test, 1, 0);
	enable_irq(msi_vector_irq(vector));
	rio_expect(test, 1, 1);
	rio_raise(test, 1);
	rio_expect(test, 1, 2);
}

static void rio_moves(struct kunit *test)
{
	struct msi_vector *vector = rio_take(test, 3);
	int cpu, expected = 0;

	for_each_online_cpu(cpu) {
		KUNIT_ASSERT_EQ(test, 0, irq_set_affinity(msi_vector_irq(vector),
							  cpumask_of(cpu)));
		rio_raise(test, 3);
		rio_expect(test, 3, ++expected);
	}
}

static void rio_unregister(void *data)
{
	platform_driver_unregister(&rio_driver);
}

static int rio_init(struct kunit *test)
{
	struct msi_mmio_layout layout = {
		.stride		= RIO_MSI_SIZE,
		.address_lo	= RIO_MSI_ADDRESS,
		.address_hi	= RIO_MSI_ADDRESS + 4,
		.data		= RIO_MSI_DATA,
		.control	= RIO_MSI_CONTROL,
		.mask		= RIO_MSI_MASK,
	};
	const struct msi_table_info info = {
		.name	= "messages",
		.mmio	= &layout,
		.size	= RIO_VECTORS,
		.flags	= MSI_TABLE_UNREMAPPED,
	};
	struct rio_test *rio = kunit_kzalloc(test, sizeof(*rio), GFP_KERNEL);
	dma_addr_t queue;
	void *commands;

	KUNIT_ASSERT_NOT_NULL(test, rio);
	KUNIT_ASSERT_EQ(test, 0, platform_driver_register(&rio_driver));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, rio_unregister, NULL));
	if (!rio_pdev)
		kunit_skip(test, "no IOMMU of RISC-V, or it has another driver");

	rio->pdev = rio_pdev;
	rio->regs = devm_platform_ioremap_resource(rio->pdev, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(rio->regs));
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask_and_coherent(&rio->pdev->dev, DMA_BIT_MASK(56)));
	commands = dmam_alloc_coherent(&rio->pdev->dev, SZ_4K, &queue, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, commands);
	memset(commands, RIO_UNKNOWN_COMMAND, SZ_4K);
	KUNIT_ASSERT_EQ(test, 0, rio_stop(rio));
	writel(readl(rio->regs + RIO_FCTL) & ~RIO_FCTL_WSI, rio->regs + RIO_FCTL);
	/* Room for two commands */
	writeq(queue >> PAGE_SHIFT << RIO_CQB_PPN_SHIFT, rio->regs + RIO_CQB);

	/* The domain of its MSI controller is younger than the device. */
	of_msi_configure(&rio->pdev->dev, rio->pdev->dev.of_node);
	layout.base = rio->regs + RIO_MSI_CFG_TBL;
	rio->table = msi_allocate_table(&rio->pdev->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rio->table);
	test->priv = rio;
	return 0;
}

/* The driver goes after this, and the table with it. */
static void rio_exit(struct kunit *test)
{
	struct rio_test *rio = test->priv;

	if (rio)
		rio_stop(rio);
}

static struct kunit_case rio_cases[] = {
	KUNIT_CASE(rio_arrives),
	KUNIT_CASE(rio_disabled),
	KUNIT_CASE(rio_moves),
	{ }
};

static struct kunit_suite rio_suite = {
	.name		= "msi_table_platform",
	.init		= rio_init,
	.exit		= rio_exit,
	.test_cases	= rio_cases,
};

kunit_test_suite(rio_suite);
