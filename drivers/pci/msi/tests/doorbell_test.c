// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for messages which somebody besides the device uses, as the peers
 * of an NTB and the hosts of an endpoint do, or which the device should not use
 *
 * The message is that of an MSI-X entry of an Intel 82576 (igb). The peer is
 * QEMU's edu, whose DMA engine writes the data of the message to its address.
 * It has to be started with dma_mask=0xffffffff. Without them the tests are
 * skipped, and there is no peer where interrupt remapping looks at who sends.
 */
#include <kunit/test.h>

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/irq.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

#include "igb.h"

#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98
#define EDU_DMA_CMD_RUN		BIT(0)
#define EDU_DMA_CMD_TO_MEMORY	BIT(1)
#define EDU_BUFFER		0x40000
/* A transfer takes 100 ms. */
#define EDU_DMA_US		(2 * USEC_PER_SEC)

#define DOORBELL_ENTRY		4

/**
 * struct doorbell - What a peer knows about a message
 * @watcher:	Tells it
 * @lock:	Protects @msg and @told
 * @msg:	The message, all zero when there is none
 * @told:	How often it was told
 * @pdev:	The edu
 * @regs:	Its BAR 0
 * @slot:	Data of the message, where the edu can read it
 * @slot_dma:	Address of @slot for the edu
 */
struct doorbell {
	struct msi_watcher	watcher;
	raw_spinlock_t		lock;
	struct msi_msg	msg;
	unsigned int		told;
	struct pci_dev		*pdev;
	void __iomem		*regs;
	__le32			*slot;
	dma_addr_t		slot_dma;
};

static void doorbell_notify(struct msi_watcher *watcher, const struct msi_msg *msg)
{
	struct doorbell *bell = container_of(watcher, struct doorbell, watcher);

	guard(raw_spinlock)(&bell->lock);
	bell->msg = *msg;
	bell->told++;
}

static struct msi_msg doorbell_msg(struct doorbell *bell)
{
	guard(raw_spinlock_irqsave)(&bell->lock);
	return bell->msg;
}

static unsigned int doorbell_told(struct doorbell *bell)
{
	guard(raw_spinlock_irqsave)(&bell->lock);
	return bell->told;
}

static struct doorbell *doorbell_create(struct kunit *test)
{
	struct doorbell *bell = kunit_kzalloc(test, sizeof(*bell), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, bell);
	raw_spin_lock_init(&bell->lock);
	bell->watcher.notify = doorbell_notify;
	return bell;
}

static void doorbell_attach_peer(struct kunit *test, struct doorbell *bell)
{
	bell->pdev = edu_bind(test, &bell->regs);
	bell->slot = dmam_alloc_coherent(&bell->pdev->dev, sizeof(*bell->slot), &bell->slot_dma,
					 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bell->slot);
}

static void doorbell_dma(struct kunit *test, struct doorbell *bell, u32 src, u32 dst, u32 cmd)
{
	u32 status;

	writel(src, bell->regs + EDU_DMA_SRC);
	writel(dst, bell->regs + EDU_DMA_DST);
	writel(sizeof(*bell->slot), bell->regs + EDU_DMA_COUNT);
	writel(EDU_DMA_CMD_RUN | cmd, bell->regs + EDU_DMA_CMD);
	KUNIT_ASSERT_EQ(test, 0, readl_poll_timeout(bell->regs + EDU_DMA_CMD, status,
						    !(status & EDU_DMA_CMD_RUN), USEC_PER_MSEC,
						    EDU_DMA_US));
}

/* @v is the entry of whoever may get it. To load it does not send it. */
static void doorbell_send(struct kunit *test, struct doorbell *bell, struct msi_msg msg,
			  struct igb_vector *v)
{
	int before = atomic_read(&v->count);

	KUNIT_ASSERT_NE(test, msi_msg_address(&msg), 0);
	KUNIT_ASSERT_EQ(test, upper_32_bits(msi_msg_address(&msg)), 0);
	*bell->slot = cpu_to_le32(msg.data);
	doorbell_dma(test, bell, bell->slot_dma, EDU_BUFFER, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&v->count), before);
	doorbell_dma(test, bell, EDU_BUFFER, msi_msg_address(&msg), EDU_DMA_CMD_TO_MEMORY);
}

static void doorbell_expect_count(struct kunit *test, struct igb_vector *v, int expected)
{
	igb_wait_for(v, expected);
	KUNIT_EXPECT_EQ(test, atomic_read(&v->count), expected);
}

/* The peer does what it was told; it sends nothing without a message. */
static void doorbell_ring(struct kunit *test, struct doorbell *bell)
{
	struct igb_test *igb = test->priv;
	struct igb_vector *v = &igb->vectors[DOORBELL_ENTRY];
	int before = atomic_read(&v->count);

	doorbell_send(test, bell, doorbell_msg(bell), v);
	doorbell_expect_count(test, v, before + 1);
}

static void doorbell_expect_current(struct kunit *test, struct doorbell *bell,
				    struct msi_vector *v)
{
	struct msi_msg msg, told = doorbell_msg(bell);

	KUNIT_ASSERT_EQ(test, msi_vector_get_msg(v, &msg), 0);
	KUNIT_EXPECT_NE(test, msi_msg_address(&told), 0);
	KUNIT_EXPECT_EQ(test, msi_msg_address(&told), msi_msg_address(&msg));
	KUNIT_EXPECT_EQ(test, told.data, msg.data);
}

static void doorbell_expect_none(struct kunit *test, struct doorbell *bell)
{
	struct msi_msg told = doorbell_msg(bell);

	KUNIT_EXPECT_EQ(test, msi_msg_address(&told), 0);
	KUNIT_EXPECT_EQ(test, told.data, 0);
}

/* On the first CPU */
static struct msi_vector *doorbell_alloc(struct kunit *test, struct msi_table *table)
{
	struct irq_affinity_desc cpu = { };
	struct msi_vector_request req = {
		.lowest		= DOORBELL_ENTRY,
		.highest	= DOORBELL_ENTRY,
		.affinity	= &cpu,
	};
	struct msi_vector *v;

	cpumask_set_cpu(cpumask_first(cpu_online_mask), &cpu.mask);
	v = msi_table_alloc_vector_req(table, &req);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v);
	return v;
}

static void doorbell_request(struct kunit *test, struct msi_vector *v)
{
	struct igb_test *igb = test->priv;
	struct igb_vector *entry = &igb->vectors[DOORBELL_ENTRY];

	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v, igb_handler, NULL, 0, entry,
							"doorbell-test"));
	entry->vector = v;
}

/* The move may have to wait for the next interrupt, so there is one. */
static void doorbell_move(struct kunit *test, struct msi_vector *v)
{
	unsigned int last = cpumask_last(cpu_online_mask), irq = msi_vector_irq(v);
	const struct cpumask *where;

	KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(irq, cpumask_of(last)));
	igb_raise(test, DOORBELL_ENTRY);
	where = irq_data_get_effective_affinity_mask(irq_get_irq_data(irq));
	KUNIT_EXPECT_TRUE(test, cpumask_test_cpu(last, where));
}

/* The peer and the device raise the same interrupt, wherever it goes. */
static void msi_table_doorbell_peer(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_msg first, moved;
	struct msi_table *table;
	struct doorbell *bell;
	struct msi_vector *v;

	if (msi_device_has_isolated_msi(&igb->pdev->dev))
		kunit_skip(test, "interrupt remapping keeps peers out");
	bell = doorbell_create(test);
	doorbell_attach_peer(test, bell);

	table = igb_create(test, MSI_TABLE_MSIX);
	v = doorbell_alloc(test, table);
	msi_vector_watch(v, &bell->watcher);
	KUNIT_EXPECT_EQ(test, doorbell_told(bell), 1);
	/* Without reservations there is one before there is a handler. */
	if (!irqd_is_activated(irq_get_irq_data(msi_vector_irq(v))))
		doorbell_expect_none(test, bell);

	doorbell_request(test, v);
	doorbell_expect_current(test, bell, v);
	first = doorbell_msg(bell);
	doorbell_ring(test, bell);
	igb_raise(test, DOORBELL_ENTRY);

	doorbell_move(test, v);
	doorbell_expect_current(test, bell, v);
	moved = doorbell_msg(bell);
	if (num_online_cpus() > 1)
		KUNIT_EXPECT_EQ(test, msi_msg_address(&first) == msi_msg_address(&moved) &&
				first.data == moved.data,
				!!(igb->domain->flags & IRQ_DOMAIN_FLAG_MSI_IMMUTABLE));
	doorbell_ring(test, bell);
	igb_raise(test, DOORBELL_ENTRY);
	doorbell_ring(test, bell);

	msi_vector_free_irq(v);
	doorbell_expect_none(test, bell);
	doorbell_request(test, v);
	doorbell_expect_current(test, bell, v);
	doorbell_ring(test, bell);

	msi_vector_unwatch(v, &bell->watcher);
	igb_free(table, igb);
}

/**
 * struct doorbell_ntb - What drivers/ntb/msi.c keeps of a message
 * @msg:	The message
 * @calls:	How often it changed
 */
struct doorbell_ntb {
	struct msi_msg		msg;
	atomic_t		calls;
};

static void doorbell_ntb_write_msg(struct msi_desc *desc, void *data)
{
	struct doorbell_ntb *ntb = data;

	ntb->msg = desc->msg;
	atomic_inc(&ntb->calls);
}

/* Several watchers, and the hook in the MSI descriptor which is NTB's, at once */
static void msi_table_doorbell_ntb(struct kunit *test)
{
	struct doorbell *bell = doorbell_create(test), *other = doorbell_create(test);
	struct doorbell_ntb ntb = { };
	struct igb_test *igb = test->priv;
	struct msi_msg msg;
	struct msi_table *table;
	struct msi_desc *desc;
	struct msi_vector *v;
	unsigned int told;
	int calls;

	table = igb_create(test, MSI_TABLE_MSIX);
	v = doorbell_alloc(test, table);
	doorbell_request(test, v);
	msi_vector_watch(v, &bell->watcher);
	desc = irq_get_msi_desc(msi_vector_irq(v));
	KUNIT_ASSERT_NOT_NULL(test, desc);
	desc->write_msi_msg_data = &ntb;
	desc->write_msi_msg = doorbell_ntb_write_msg;
	msi_vector_watch(v, &other->watcher);
	doorbell_expect_current(test, bell, v);
	doorbell_expect_current(test, other, v);

	/* With interrupt remapping the message stays as it is. */
	told = doorbell_told(bell);
	doorbell_move(test, v);
	doorbell_expect_current(test, bell, v);
	doorbell_expect_current(test, other, v);
	KUNIT_EXPECT_EQ(test, doorbell_told(bell) != told, atomic_read(&ntb.calls) != 0);

	calls = atomic_read(&ntb.calls);
	told = doorbell_told(bell);
	msi_vector_free_irq(v);
	KUNIT_EXPECT_GT(test, atomic_read(&ntb.calls), calls);
	KUNIT_EXPECT_GT(test, doorbell_told(bell), told);
	KUNIT_EXPECT_EQ(test, msi_msg_address(&ntb.msg), 0);
	doorbell_expect_none(test, bell);
	doorbell_expect_none(test, other);

	calls = atomic_read(&ntb.calls);
	told = doorbell_told(bell);
	doorbell_request(test, v);
	KUNIT_EXPECT_GT(test, atomic_read(&ntb.calls), calls);
	KUNIT_EXPECT_GT(test, doorbell_told(bell), told);
	doorbell_expect_current(test, bell, v);
	doorbell_expect_current(test, other, v);
	msg = doorbell_msg(bell);
	KUNIT_EXPECT_EQ(test, msi_msg_address(&ntb.msg), msi_msg_address(&msg));
	KUNIT_EXPECT_EQ(test, ntb.msg.data, msg.data);
	igb_raise(test, DOORBELL_ENTRY);

	/* Each of them goes by itself. */
	msi_vector_unwatch(v, &bell->watcher);
	told = doorbell_told(bell);
	calls = atomic_read(&ntb.calls);
	msi_vector_free_irq(v);
	KUNIT_EXPECT_EQ(test, doorbell_told(bell), told);
	KUNIT_EXPECT_GT(test, atomic_read(&ntb.calls), calls);
	doorbell_expect_none(test, other);

	desc->write_msi_msg = NULL;
	desc->write_msi_msg_data = NULL;
	calls = atomic_read(&ntb.calls);
	doorbell_request(test, v);
	KUNIT_EXPECT_EQ(test, atomic_read(&ntb.calls), calls);
	doorbell_expect_current(test, other, v);

	msi_vector_unwatch(v, &other->watcher);
	igb_free(table, igb);
}

/* The edu as the device of a table. Its store is the test, which keeps old messages. */
static void edu_write_msg(struct msi_vector *vector, const struct msi_msg *msg)
{
}

static void edu_clear_msg(struct msi_vector *vector)
{
}

static const struct msi_table_ops edu_ops = {
	.write_msg	= edu_write_msg,
	.clear_msg	= edu_clear_msg,
};

static struct msi_table *edu_create(struct kunit *test, struct doorbell *bell, u32 size)
{
	const struct msi_table_info info = {
		.name	= "doorbell",
		.ops	= &edu_ops,
		.size	= size,
		.flags	= MSI_TABLE_UNREMAPPED | MSI_TABLE_NO_SYSFS,
	};
	struct msi_table *table = msi_allocate_table(&bell->pdev->dev, &info);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	return table;
}

static struct msi_msg edu_request(struct kunit *test, struct msi_vector *vector,
				  struct igb_vector *v)
{
	struct msi_msg msg = { };

	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(vector, igb_handler, NULL, 0, v,
							"doorbell-test"));
	KUNIT_EXPECT_EQ(test, 0, msi_vector_get_msg(vector, &msg));
	return msg;
}

/* Message of an interrupt which nobody has: a high index, or a high CPU vector (x86) */
static struct msi_msg edu_invent(struct doorbell *bell, struct msi_msg msg)
{
	if (msi_device_has_isolated_msi(&bell->pdev->dev))
		msg.address_lo |= GENMASK(19, 5);
	else
		msg.data = 0xea;
	return msg;
}

/*
 * Without remapping the CPU does not report the first one after an interrupt was
 * shut down: it might have been on its way.
 */
static void edu_send_stale(struct kunit *test, struct doorbell *bell, struct msi_msg msg,
			   struct igb_vector *v)
{
	if (!msi_device_has_isolated_msi(&bell->pdev->dev))
		doorbell_send(test, bell, msg, v);
	doorbell_send(test, bell, msg, v);
}

/*
 * Messages of vectors which are freed, and which never were. Whoever runs this looks
 * for the reports in the log, of the IOMMU or of the CPU. That of the IOMMU reports no
 * more than three in five seconds.
 */
static void msi_table_doorbell_hostile(struct kunit *test)
{
	struct doorbell *bell = doorbell_create(test);
	struct msi_msg old, freed;
	struct igb_test *igb = test->priv;
	struct igb_vector *v = &igb->vectors[DOORBELL_ENTRY];
	struct msi_vector *vector;
	struct msi_table *table;
	unsigned int irq;

	if (!igb_machine_is_x86())
		kunit_skip(test, "other messages, and other reports");
	doorbell_attach_peer(test, bell);
	table = edu_create(test, bell, 4);
	vector = msi_table_alloc_vector(table, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	irq = msi_vector_irq(vector);
	old = edu_request(test, vector, v);
	doorbell_send(test, bell, old, v);
	doorbell_expect_count(test, v, 1);

	msi_table_free_vector(table, vector);
	edu_send_stale(test, bell, old, v);
	doorbell_send(test, bell, edu_invent(bell, old), v);
	msleep(IGB_NO_IRQ_MS);
	KUNIT_EXPECT_EQ(test, atomic_read(&v->count), 1);

	/* It is none the worse for that. */
	vector = msi_table_alloc_vector(table, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	KUNIT_EXPECT_EQ(test, msi_vector_irq(vector), irq);
	freed = edu_request(test, vector, v);
	doorbell_send(test, bell, freed, v);
	doorbell_expect_count(test, v, 2);

	msi_table_free(table);
	edu_send_stale(test, bell, freed, v);
	msleep(IGB_NO_IRQ_MS);
	KUNIT_EXPECT_EQ(test, atomic_read(&v->count), 2);
	kunit_info(test, "3 hostile messages to be reported");
}

/* All that the CPUs have */
static void msi_table_doorbell_cpu_vectors(struct kunit *test)
{
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	unsigned int n = 256 * num_online_cpus(), used = 0;
	struct doorbell *bell = doorbell_create(test);
	struct igb_test *igb = test->priv;
	struct igb_vector *first = &igb->vectors[0], *other = &igb->vectors[1];
	struct msi_vector **vectors;
	struct msi_msg msg;
	struct msi_table *table;
	int ret;

	if (!igb_machine_is_x86())
		kunit_skip(test, "CPUs have no vectors");
	doorbell_attach_peer(test, bell);
	vectors = kunit_kcalloc(test, n, sizeof(*vectors), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vectors);
	table = edu_create(test, bell, n);
	KUNIT_ASSERT_EQ(test, n, msi_table_alloc_vectors(table, &req, n, n, vectors));

	msg = edu_request(test, vectors[0], first);
	do {
		ret = msi_vector_request_irq(vectors[++used], igb_handler, NULL, 0, other,
					     "doorbell-test");
	} while (!ret && used < n - 1);
	KUNIT_EXPECT_EQ(test, ret, -ENOSPC);
	KUNIT_EXPECT_GT(test, used, 128);

	doorbell_send(test, bell, msg, first);
	doorbell_expect_count(test, first, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&other->count), 0);

	/* What one gives up another may have. */
	msi_vector_free_irq(vectors[0]);
	msg = edu_request(test, vectors[used], other);
	doorbell_send(test, bell, msg, other);
	doorbell_expect_count(test, other, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&first->count), 1);

	msi_table_free_vectors(table, vectors, n);
	KUNIT_ASSERT_EQ(test, n, msi_table_alloc_vectors(table, &req, n, n, vectors));
	msg = edu_request(test, vectors[used], first);
	doorbell_send(test, bell, msg, first);
	doorbell_expect_count(test, first, 2);
	msi_table_free(table);
}

static void doorbell_test_exit(struct kunit *test)
{
	/* The INTx of the edu counts too when igb_test_exit() counts interrupts. */
	edu_unbind(test);
	igb_test_exit(test);
}

static struct kunit_case msi_table_doorbell_cases[] = {
	KUNIT_CASE(msi_table_doorbell_peer),
	KUNIT_CASE(msi_table_doorbell_ntb),
	KUNIT_CASE(msi_table_doorbell_hostile),
	KUNIT_CASE_SLOW(msi_table_doorbell_cpu_vectors),
	{ }
};

static struct kunit_suite msi_table_doorbell_suite = {
	.name		= "msi_table_doorbell",
	.init		= igb_edu_test_init,
	.exit		= doorbell_test_exit,
	.test_cases	= msi_table_doorbell_cases,
};

kunit_test_suite(msi_table_doorbell_suite);
