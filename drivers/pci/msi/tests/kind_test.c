// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables of PCI: which kind a table is of, falling back, INTx, and
 * affinity where all vectors have to be allocated at once. On an Intel 82576 and an edu,
 * as QEMU has them (-device igb, -device edu).
 */
#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/iopoll.h>
#include <linux/irq.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>

#include <kunit/msi_table.h>
#include <kunit/test.h>

#include "igb.h"

/* Registers of QEMU's edu, which can raise INTx */
#define EDU_STATUS	0x24
#define EDU_RAISE	0x60
#define EDU_ACK		0x64

/**
 * struct kind_line - Somebody on the line of INTx
 * @regs:	Registers of the device, or NULL for a neighbour to whom no interrupt belongs
 * @hard:	Number of interrupts which were the device's
 * @thread:	Number of runs of the thread
 */
struct kind_line {
	void __iomem	*regs;
	atomic_t	hard;
	atomic_t	thread;
};

static irqreturn_t kind_handler(int irq, void *dev_id)
{
	struct kind_line *line = dev_id;
	u32 status = line->regs ? readl(line->regs + EDU_STATUS) : 0;

	if (!status)
		return IRQ_NONE;
	writel(status, line->regs + EDU_ACK);
	atomic_inc(&line->hard);
	return IRQ_HANDLED;
}

static irqreturn_t kind_thread(int irq, void *dev_id)
{
	struct kind_line *line = dev_id;

	atomic_inc(&line->thread);
	return kind_handler(irq, dev_id);
}

static void kind_raise(struct kunit *test, struct kind_line *line)
{
	int count, expected = atomic_read(&line->hard) + 1;

	writel(1, line->regs + EDU_RAISE);
	read_poll_timeout(atomic_read, count, count == expected, 100, IGB_IRQ_US, false,
			  &line->hard);
	KUNIT_EXPECT_EQ(test, count, expected);
}

/* What the function has and the driver asked for, the best first */
static void pci_kind_chosen(struct kunit *test)
{
	static const unsigned int chosen[] = {
		[MSI_TABLE_MSIX]			= MSI_TABLE_MSIX,
		[MSI_TABLE_MSI]				= MSI_TABLE_MSI,
		[MSI_TABLE_INTX]			= MSI_TABLE_INTX,
		[MSI_TABLE_MSIX | MSI_TABLE_MSI]	= MSI_TABLE_MSIX,
		[MSI_TABLE_MSIX | MSI_TABLE_INTX]	= MSI_TABLE_MSIX,
		[MSI_TABLE_MSI | MSI_TABLE_INTX]	= MSI_TABLE_MSI,
		[MSI_TABLE_ALL_KINDS]			= MSI_TABLE_MSIX,
	};
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	struct msi_vector *v;

	for (unsigned int kinds = 1; kinds <= MSI_TABLE_ALL_KINDS; kinds++) {
		table = igb_create(test, kinds);
		KUNIT_EXPECT_EQ(test, msi_table_kind(table), chosen[kinds]);
		v = msi_table_alloc_vector(table, 0);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v);
		KUNIT_EXPECT_EQ(test, msi_table_kind(table), chosen[kinds]);
		KUNIT_EXPECT_EQ(test, igb_msix_on(igb), chosen[kinds] == MSI_TABLE_MSIX);
		KUNIT_EXPECT_EQ(test, igb_msi_on(igb), chosen[kinds] == MSI_TABLE_MSI);
		KUNIT_EXPECT_PTR_EQ(test, msi_table_find(table, 0), v);
		if (chosen[kinds] != MSI_TABLE_MSIX) {
			KUNIT_EXPECT_EQ(test, msi_table_size(table), 1);
			KUNIT_EXPECT_FALSE(test, msi_table_is_dynamic(table));
		}
		KUNIT_EXPECT_EQ(test, msi_vector_irq(v), chosen[kinds] == MSI_TABLE_INTX ?
				igb->pdev->irq : msi_get_virq(&igb->pdev->dev, 0));
		KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(igb->pdev, 1, 1, PCI_IRQ_ALL_TYPES),
				-EBUSY);
		msi_table_free(table);
		KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	}
	KUNIT_EXPECT_PTR_EQ(test, pci_allocate_msi_table(igb->pdev, MSI_TABLE_ALL_KINDS + 1),
			    ERR_PTR(-EINVAL));
}

/* As with pci=nomsi, or behind a bridge which can not */
static void pci_kind_without_msi(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;

	igb->pdev->no_msi = 1;
	KUNIT_EXPECT_PTR_EQ(test, pci_allocate_msi_table(igb->pdev,
							 MSI_TABLE_MSIX | MSI_TABLE_MSI),
			    ERR_PTR(-ENODEV));
	table = igb_create(test, MSI_TABLE_ALL_KINDS);
	igb->pdev->no_msi = 0;
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_INTX);
	msi_table_free(table);
}

/* MSI-X fails, and MSI does not. It stays with that, also when all are freed. */
static void pci_kind_falls_back_to_msi(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	struct msi_vector *v;

	igb_use_fake(test, 0);
	table = igb_create(test, MSI_TABLE_ALL_KINDS);
	msi_fake_parent_fail_nth(igb->fake, 1);
	for (int i = 0; i < 2; i++) {
		v = msi_table_alloc_vector(table, 0);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v);
		KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSI);
		KUNIT_EXPECT_EQ(test, msi_table_size(table), 1);
		KUNIT_EXPECT_TRUE(test, igb_msi_on(igb));
		KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
		igb->vectors[0].vector = v;
		igb_request(test, 0);
		msi_table_free_all(table);
		igb->vectors[0].vector = NULL;
		KUNIT_EXPECT_TRUE(test, igb_command(igb) & PCI_COMMAND_INTX_DISABLE);
	}
	msi_table_free(table);
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
}

/* Nothing can be had: the table begins anew, with what it prefers. */
static void pci_kind_falls_back_to_nothing(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;

	igb_use_fake(test, 0);
	table = igb_create(test, MSI_TABLE_ALL_KINDS);
	/* INTx has label 0 only, and MSI of this device, too. */
	msi_fake_parent_fail_nth(igb->fake, 1);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 3), ERR_PTR(-ENOSPC));
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSIX);
	KUNIT_EXPECT_EQ(test, msi_table_size(table), IGB_NR_MSIX);
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	igb_take(test, table, 3, 3, 3);
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSIX);

	/* It is settled. */
	msi_fake_parent_fail_nth(igb->fake, 1);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 0), ERR_PTR(-ENOSPC));
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSIX);
	igb_free(table, igb);
}

/* One of a batch fails: that is no reason to have another kind, with one vector. */
static void pci_kind_stays_with_msix(struct kunit *test)
{
	const struct msi_vector_request any = { .highest = MSI_LABEL_ANY };
	struct igb_test *igb = test->priv;
	struct msi_vector *vectors[5];
	struct msi_table *table;

	igb_use_fake(test, 0);
	table = igb_create(test, MSI_TABLE_ALL_KINDS);
	msi_fake_parent_fail_nth(igb->fake, 3);
	KUNIT_ASSERT_EQ(test, msi_table_alloc_vectors(table, &any, 1, 5, vectors), 5);
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSIX);
	igb_adopt(test, vectors, 5, GENMASK(4, 0));
	igb_free(table, igb);
}

/* What it fell back to is not enough: the next one begins with MSI-X again. */
static void pci_kind_not_enough(struct kunit *test)
{
	const struct msi_vector_request any = { .highest = MSI_LABEL_ANY };
	struct igb_test *igb = test->priv;
	struct msi_vector *vectors[3];
	struct msi_table *table;

	igb_use_fake(test, MSI_FAKE_NO_DYN);
	table = igb_create(test, MSI_TABLE_ALL_KINDS);
	msi_fake_parent_fail_nth(igb->fake, 1);
	KUNIT_EXPECT_LT(test, msi_table_alloc_vectors(table, &any, 2, 3, vectors), 0);
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSIX);
	KUNIT_EXPECT_EQ(test, msi_table_size(table), IGB_NR_MSIX);
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	KUNIT_EXPECT_FALSE(test, igb_msi_on(igb));
	KUNIT_ASSERT_EQ(test, msi_table_alloc_vectors(table, &any, 2, 3, vectors), 3);
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSIX);
	igb_adopt(test, vectors, 3, GENMASK(2, 0));
	igb_free(table, igb);
}

/* Each vector has the mask and the kind of affinity which was asked for. */
static void kind_expect_spread(struct kunit *test, struct msi_vector **vectors, unsigned int n)
{
	struct cpumask all = { };

	for (unsigned int i = 0; i < n; i++) {
		struct irq_data *data = irq_get_irq_data(msi_vector_irq(vectors[i]));

		KUNIT_EXPECT_EQ(test, irqd_affinity_is_managed(data), i > 0);
		if (i)
			cpumask_or(&all, &all, irq_data_get_affinity_mask(data));
	}
	KUNIT_EXPECT_TRUE(test, cpumask_equal(&all, cpu_possible_mask));
}

/* A parent which can not add any later: all in one batch, whose affinity is like theirs. */
static void kind_check_static_spread(struct kunit *test, unsigned int flags)
{
	struct irq_affinity affd = { .pre_vectors = 1 };
	struct msi_vector_request any = { .highest = MSI_LABEL_ANY, .spread = &affd };
	unsigned int n = 1 + min(num_possible_cpus(), 4);
	struct igb_test *igb = test->priv;
	struct msi_vector *vectors[5];
	struct msi_table *table;

	igb_use_fake(test, MSI_FAKE_NO_DYN | flags);
	table = igb_create(test, MSI_TABLE_MSIX);
	KUNIT_EXPECT_FALSE(test, msi_table_is_dynamic(table));
	for (int i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, n, msi_table_alloc_vectors(table, &any, 2, 5, vectors));
		kind_expect_spread(test, vectors, n);
		KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, MSI_LABEL_ANY),
				    ERR_PTR(-ENOSPC));
		KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, n), ERR_PTR(-EOPNOTSUPP));
		igb_adopt(test, vectors, n, GENMASK(n - 1, 0));
		igb_expect_entries(test, GENMASK(n - 1, 0));
		msi_table_free_all(table);
		igb_disown(igb, GENMASK(n - 1, 0));
		igb_expect_entries(test, 0);
	}
	msi_table_free(table);
}

static void pci_kind_static_spread(struct kunit *test)
{
	kind_check_static_spread(test, 0);
}

static void pci_kind_contiguous_spread(struct kunit *test)
{
	kind_check_static_spread(test, MSI_FAKE_CONTIGUOUS);
}

/* There are fewer than asked for, and those are spread. */
static void pci_kind_static_spread_again(struct kunit *test)
{
	struct irq_affinity affd = { .pre_vectors = 1 };
	struct msi_vector_request any = { .highest = MSI_LABEL_ANY, .spread = &affd };
	struct igb_test *igb = test->priv;
	struct msi_vector *vectors[3];
	struct msi_table *table;

	if (num_possible_cpus() < 2)
		kunit_skip(test, "needs two CPUs");

	igb_use_fake(test, MSI_FAKE_NO_DYN);
	table = igb_create(test, MSI_TABLE_MSIX);
	/* The third one, once: two are left of what was to be three. */
	msi_fake_parent_fail_nth(igb->fake, 3);
	KUNIT_ASSERT_EQ(test, 2, msi_table_alloc_vectors(table, &any, 2, 3, vectors));
	kind_expect_spread(test, vectors, 2);
	igb_adopt(test, vectors, 2, GENMASK(1, 0));
	igb_free(table, igb);
}

/* The line has other users, whom nothing of the table bothers. */
static void kind_check_intx(struct kunit *test, struct msi_table *table, struct pci_dev *pdev,
			    void __iomem *regs)
{
	struct irq_affinity affd = { .pre_vectors = 1 };
	struct msi_vector_request any = { .highest = MSI_LABEL_ANY, .spread = &affd };
	struct kind_line line = { .regs = regs }, second = { }, neighbour = { };
	struct msi_vector *v, *vectors[4];
	struct msi_msg msg;
	u16 command;

	for (int i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, 0, request_irq(pdev->irq, kind_handler, IRQF_SHARED,
						     "kind-neighbour", &neighbour));
		KUNIT_ASSERT_EQ(test, 1, msi_table_alloc_vectors(table, &any, 1, 4, vectors));
		v = vectors[0];
		KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_INTX);
		KUNIT_EXPECT_EQ(test, msi_table_size(table), 1);
		KUNIT_EXPECT_FALSE(test, msi_table_is_dynamic(table));
		KUNIT_EXPECT_EQ(test, msi_vector_irq(v), pdev->irq);
		KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 0), ERR_PTR(-EBUSY));
		KUNIT_EXPECT_EQ(test, msi_vector_get_msg(v, &msg), -EAGAIN);
		pci_read_config_word(pdev, PCI_COMMAND, &command);
		KUNIT_EXPECT_FALSE(test, command & PCI_COMMAND_INTX_DISABLE);

		KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v, kind_handler, NULL, 0, &line,
								"kind-%d", i));
		KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v, kind_handler, NULL, 0, &second,
								"kind-second"));
		kind_raise(test, &line);
		msi_vector_free_handler(v, &second);
		kind_raise(test, &line);
		msi_table_restore(table);
		msi_vector_restore(v);
		kind_raise(test, &line);
		msi_vector_free_irq(v);
		free_irq(pdev->irq, &neighbour);

		/*
		 * A thread, which has the line masked until it has looked at the device. Who
		 * comes later has to agree with that.
		 */
		KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v, NULL, kind_thread, 0, &line,
								"kind-thread"));
		KUNIT_ASSERT_EQ(test, 0, request_irq(pdev->irq, kind_handler,
						     IRQF_SHARED | IRQF_COND_ONESHOT,
						     "kind-neighbour", &neighbour));
		kind_raise(test, &line);
		KUNIT_EXPECT_GE(test, atomic_read(&line.thread), 1);

		kunit_warning_suppress(test) {
			msi_table_free_vector(table, v);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
		}
		KUNIT_EXPECT_EQ(test, atomic_read(&second.hard), 0);
		free_irq(pdev->irq, &neighbour);
	}
}

static void pci_intx_asked_for(struct kunit *test)
{
	void __iomem *regs;
	struct pci_dev *pdev = edu_bind(test, &regs);
	struct msi_table *table = pci_allocate_msi_table(pdev, MSI_TABLE_INTX);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	kind_check_intx(test, table, pdev, regs);
	msi_table_free(table);
}

/* A function which is disabled and enabled may get another one: a handler is where it was. */
static void pci_intx_other_number(struct kunit *test)
{
	void __iomem *regs;
	struct pci_dev *pdev = edu_bind(test, &regs);
	struct msi_table *table = pci_allocate_msi_table(pdev, MSI_TABLE_INTX);
	unsigned int irq = pdev->irq;
	struct kind_line line = { .regs = regs };
	struct msi_vector *v;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	v = msi_table_alloc_vector(table, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v);
	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v, kind_handler, NULL, 0, &line, "kind"));
	pdev->irq = irq + 1000;
	KUNIT_EXPECT_EQ(test, msi_vector_irq(v), irq);
	kind_raise(test, &line);
	kunit_warning_suppress(test) {
		msi_vector_free_irq(v);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	KUNIT_EXPECT_EQ(test, msi_vector_irq(v), pdev->irq);
	/* There is no such interrupt. */
	msi_table_free(table);
	pdev->irq = irq;
}

static void kind_notify(struct msi_watcher *watcher, const struct msi_msg *msg) { }

/* There is nothing to be told, and a watcher which is left is dropped as ever. */
static void pci_intx_watched(struct kunit *test)
{
	void __iomem *regs;
	struct pci_dev *pdev = edu_bind(test, &regs);
	struct msi_table *table = pci_allocate_msi_table(pdev, MSI_TABLE_INTX);
	struct msi_watcher watcher = { .notify = kind_notify };
	struct msi_vector *v;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	v = msi_table_alloc_vector(table, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v);
	msi_vector_watch(v, &watcher);
	kunit_warning_suppress(test) {
		msi_table_free_vector(table, v);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_TRUE(test, hlist_unhashed(&watcher.node));
	msi_table_free(table);
}

/* The parent has no vector: INTx, if it was asked for, else nothing. */
static void pci_intx_after_msi(struct kunit *test)
{
	void __iomem *regs;
	struct pci_dev *pdev = edu_bind(test, &regs);
	struct irq_domain *domain = dev_get_msi_domain(&pdev->dev);
	struct msi_fake_parent *fake = msi_fake_parent_create(4, 0);
	struct msi_table *table;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fake);
	msi_fake_parent_attach(fake, &pdev->dev);

	table = pci_allocate_msi_table(pdev, MSI_TABLE_MSI);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	msi_fake_parent_fail_nth(fake, 1);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 0), ERR_PTR(-ENOSPC));
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSI);
	msi_table_free(table);

	table = pci_allocate_msi_table(pdev, MSI_TABLE_ALL_KINDS);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSI);
	msi_fake_parent_fail_nth(fake, 1);
	kind_check_intx(test, table, pdev, regs);
	msi_table_free(table);

	device_release_driver(&pdev->dev);
	dev_set_msi_domain(&pdev->dev, domain);
	msi_fake_parent_destroy(fake);
}

static struct kunit_case msi_table_pci_intx_cases[] = {
	KUNIT_CASE(pci_intx_asked_for),
	KUNIT_CASE(pci_intx_other_number),
	KUNIT_CASE(pci_intx_watched),
	KUNIT_CASE(pci_intx_after_msi),
	{ }
};

static struct kunit_suite msi_table_pci_intx_suite = {
	.name		= "msi_table_pci_intx",
	.test_cases	= msi_table_pci_intx_cases,
};

/* MSI-X is on, and nothing is sent before there is a vector, which is sent what waited. */
static void pci_kind_enable(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;

	table = igb_create(test, MSI_TABLE_ALL_KINDS);
	KUNIT_EXPECT_EQ(test, msi_table_enable(table, 0), -EINVAL);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	KUNIT_EXPECT_EQ(test, msi_table_enable(table, U32_MAX), IGB_NR_MSIX);
	for (int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, msi_table_enable(table, 4), 4);
		KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSIX);
		KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));
		KUNIT_EXPECT_TRUE(test, igb_command(igb) & PCI_COMMAND_INTX_DISABLE);
		KUNIT_EXPECT_NULL(test, msi_table_next(table, NULL));
		igb_raise_nobody(test, 3);
		igb_take(test, table, 3, 3, 3);
		KUNIT_EXPECT_EQ(test, atomic_read(&igb->vectors[3].count), 2 * i + 1);
		igb_raise(test, 3);
		igb_give(table, igb, 3);
		KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));
	}
	msi_table_free(table);
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
}

/* Labels 0 to @nr - 1 come and go, and others do not. */
static void kind_check_reserved(struct kunit *test, unsigned int kinds, unsigned int nr,
				bool (*on)(struct igb_test *igb))
{
	struct irq_affinity_desc anywhere = { };
	struct msi_vector_request req = { .affinity = &anywhere };
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	u32 label;

	cpumask_copy(&anywhere.mask, cpu_online_mask);
	table = igb_create(test, kinds);
	KUNIT_ASSERT_EQ(test, msi_table_enable(table, nr), nr);
	KUNIT_EXPECT_TRUE(test, on(igb));
	KUNIT_EXPECT_EQ(test, msi_table_enable(table, nr), -EBUSY);
	for (int i = 0; i < 2; i++) {
		KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector_req(table, &req),
				    ERR_PTR(-EOPNOTSUPP));
		for (label = nr; label-- > 0; )
			igb_take(test, table, label, label, label);
		if (nr < msi_table_size(table))
			KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, nr),
					    ERR_PTR(-EOPNOTSUPP));
		KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, MSI_LABEL_ANY),
				    ERR_PTR(msi_table_size(table) == 1 ? -EBUSY : -ENOSPC));
		if (nr > 2) {
			igb_give(table, igb, 1);
			igb_take(test, table, 0, MSI_LABEL_ANY, 1);
		}
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(igb->fake), nr);
		msi_table_free_all(table);
		igb_disown(igb, GENMASK(nr - 1, 0));
		KUNIT_EXPECT_TRUE(test, on(igb));
	}
	msi_table_free(table);
	KUNIT_EXPECT_FALSE(test, on(igb));
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(igb->fake), 0);
}

static void pci_kind_static_enable(struct kunit *test)
{
	igb_use_fake(test, MSI_FAKE_NO_DYN);
	kind_check_reserved(test, MSI_TABLE_MSIX, 4, igb_msix_on);
	kind_check_reserved(test, MSI_TABLE_MSI, 1, igb_msi_on);
}

/* There are no more, whoever asks. */
static void pci_kind_enable_fewer(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;

	igb_use_fake(test, MSI_FAKE_NO_DYN);
	table = igb_create(test, MSI_TABLE_MSIX);
	msi_fake_parent_fail_nth(igb->fake, 3);
	KUNIT_EXPECT_EQ(test, msi_table_enable(table, 5), 2);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 2), ERR_PTR(-EOPNOTSUPP));
	igb_take(test, table, 1, 1, 1);
	igb_free(table, igb);

	/* Nor any of it: MSI has one, and if not then INTx. */
	table = igb_create(test, MSI_TABLE_ALL_KINDS);
	msi_fake_parent_fail_nth(igb->fake, 1);
	KUNIT_EXPECT_EQ(test, msi_table_enable(table, 5), 1);
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_MSI);
	msi_table_free(table);

	table = igb_create(test, MSI_TABLE_MSIX | MSI_TABLE_INTX);
	msi_fake_parent_fail_nth(igb->fake, 1);
	KUNIT_EXPECT_EQ(test, msi_table_enable(table, 5), 1);
	KUNIT_EXPECT_EQ(test, msi_table_kind(table), MSI_TABLE_INTX);
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, msi_table_alloc_vector(table, 0));
	msi_table_free(table);
}

static struct kunit_case msi_table_pci_kind_cases[] = {
	KUNIT_CASE(pci_kind_chosen),
	KUNIT_CASE(pci_kind_without_msi),
	KUNIT_CASE(pci_kind_falls_back_to_msi),
	KUNIT_CASE(pci_kind_falls_back_to_nothing),
	KUNIT_CASE(pci_kind_stays_with_msix),
	KUNIT_CASE(pci_kind_not_enough),
	KUNIT_CASE(pci_kind_enable),
	KUNIT_CASE(pci_kind_static_enable),
	KUNIT_CASE(pci_kind_enable_fewer),
	KUNIT_CASE(pci_kind_static_spread),
	KUNIT_CASE(pci_kind_contiguous_spread),
	KUNIT_CASE(pci_kind_static_spread_again),
	{ }
};

static struct kunit_suite msi_table_pci_kind_suite = {
	.name		= "msi_table_pci_kind",
	.init		= igb_test_init,
	.exit		= igb_test_exit,
	.test_cases	= msi_table_pci_kind_cases,
};

kunit_test_suites(&msi_table_pci_kind_suite, &msi_table_pci_intx_suite);
