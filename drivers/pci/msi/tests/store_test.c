// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables with one side made up: the MSI-X table of a device
 * as a device-specific store, and PCI tables below a fake MSI parent
 */
#include <kunit/msi_table.h>
#include <kunit/test.h>

#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

#include "igb.h"

static int ims = -1;
module_param(ims, int, 0444);
MODULE_PARM_DESC(ims, "Stores are for whoever asks (1) or not (0)");

/*
 * The MSI-X table in the hands of the driver, as a device-specific store. The
 * PCI core does not know that MSI-X is on.
 */
static void igb_msix_by_hand(struct igb_test *igb, bool on)
{
	int pos = igb->pdev->msix_cap + PCI_MSIX_FLAGS;
	u16 control;
	int i;

	pci_read_config_word(igb->pdev, pos, &control);
	control &= ~(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	if (!on) {
		pci_write_config_word(igb->pdev, pos, control);
		return;
	}

	pci_write_config_word(igb->pdev, pos,
			      control | PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	for (i = 0; i < IGB_NR_MSIX; i++)
		writel(PCI_MSIX_ENTRY_CTRL_MASKBIT, igb->msix + i * PCI_MSIX_ENTRY_SIZE +
						    PCI_MSIX_ENTRY_VECTOR_CTRL);
	pci_write_config_word(igb->pdev, pos, control | PCI_MSIX_FLAGS_ENABLE);
}

static int igb_store_init(struct kunit *test)
{
	int ret = igb_test_init(test);

	if (!ret)
		igb_msix_by_hand(test->priv, true);
	return ret;
}

static void igb_store_exit(struct kunit *test)
{
	struct igb_test *igb = test->priv;

	if (!igb)
		return;

	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	/* What was forgotten is not to fire any more. */
	device_release_driver(&igb->pdev->dev);
	igb_msix_by_hand(igb, false);
	igb_test_exit(test);
}

static void igb_expect_cleared(struct kunit *test, u32 label)
{
	struct msi_msg msg;

	KUNIT_EXPECT_TRUE_MSG(test, igb_read_entry(test->priv, label, &msg), "entry %u", label);
	KUNIT_EXPECT_EQ_MSG(test, msi_msg_address(&msg), 0, "entry %u", label);
	KUNIT_EXPECT_EQ_MSG(test, msg.data, 0, "entry %u", label);
}

/* Anybody's store on the MSI-X table: sparse, in batches, all of it */
static void igb_use_store(struct kunit *test, struct msi_table *table)
{
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	struct msi_vector *vectors[8];
	struct igb_test *igb = test->priv;
	struct msi_msg msg;

	igb->vectors[5].vector = msi_table_alloc_vector(table, 5);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, igb->vectors[5].vector);
	KUNIT_EXPECT_TRUE(test, igb_read_entry(igb, 5, &msg));
	igb_raise_nobody(test, 5);
	igb_request(test, 5);
	igb_expect_message(test, 5);
	msi_vector_free_irq(igb->vectors[5].vector);
	igb_expect_cleared(test, 5);
	igb_give(table, igb, 5);

	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 7, 7, 7);
	igb_raise_all(test, 5);
	disable_irq(msi_vector_irq(igb->vectors[3].vector));
	enable_irq(msi_vector_irq(igb->vectors[3].vector));
	igb_raise(test, 3);

	KUNIT_ASSERT_EQ(test, 8, msi_table_alloc_vectors(table, &req, 8, 8, vectors));
	igb_adopt(test, vectors, 8, IGB_ALL & ~(BIT(3) | BIT(7)));
	igb_raise_all(test, 2);
	igb_expect_message(test, 7);

	igb_give(table, igb, 3);
	igb_expect_cleared(test, 3);
	igb_raise_nobody(test, 3);
	igb_raise(test, 7);
}

static void igb_free_store(struct kunit *test, struct msi_table *table)
{
	u32 label;

	igb_free(table, test->priv);
	for (label = 0; label < IGB_NR_MSIX; label++)
		igb_expect_cleared(test, label);
}

static void pci_store_mmio(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	const struct msi_mmio_layout mmio = {
		.base		= igb->msix,
		.stride		= PCI_MSIX_ENTRY_SIZE,
		.address_lo	= PCI_MSIX_ENTRY_LOWER_ADDR,
		.address_hi	= PCI_MSIX_ENTRY_UPPER_ADDR,
		.data		= PCI_MSIX_ENTRY_DATA,
		.control	= PCI_MSIX_ENTRY_VECTOR_CTRL,
		.mask		= PCI_MSIX_ENTRY_CTRL_MASKBIT,
	};
	const struct msi_table_info info = {
		.name	= "mmio",
		.mmio	= &mmio,
		.size	= IGB_NR_MSIX,
		.flags	= MSI_TABLE_UNREMAPPED,
	};
	struct msi_table *table = msi_allocate_table(&igb->pdev->dev, &info);
	int cpus[2];

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	KUNIT_EXPECT_EQ(test, msi_table_size(table), IGB_NR_MSIX);
	igb_use_store(test, table);
	if (igb_two_cpus(cpus))
		igb_move(test, 7, cpus);
	igb_free_store(test, table);
}

/**
 * struct igb_slow - The MSI-X table as if it were behind a slow bus
 * @igb:	The device
 * @bus:	The lock of the bus
 * @lock:	Protects what is recorded
 * @msg:	By entry: recorded message
 * @masked:	Entries recorded as masked
 * @dirty:	Entries which have to be written
 */
struct igb_slow {
	struct igb_test		*igb;
	struct mutex		bus;
	raw_spinlock_t		lock;
	struct msi_msg	msg[IGB_NR_MSIX];
	unsigned long		masked;
	unsigned long		dirty;
};

static struct igb_slow *to_igb_slow(struct msi_vector *vector)
{
	return msi_table_data(msi_vector_table(vector));
}

static void igb_slow_write_msg(struct msi_vector *vector, const struct msi_msg *msg)
{
	struct igb_slow *slow = to_igb_slow(vector);
	u32 label = msi_vector_label(vector);

	guard(raw_spinlock_irqsave)(&slow->lock);
	slow->msg[label] = *msg;
	slow->dirty |= BIT(label);
}

static void igb_slow_mask(struct msi_vector *vector)
{
	struct igb_slow *slow = to_igb_slow(vector);
	u32 label = msi_vector_label(vector);

	guard(raw_spinlock_irqsave)(&slow->lock);
	slow->masked |= BIT(label);
	slow->dirty |= BIT(label);
}

static void igb_slow_unmask(struct msi_vector *vector)
{
	struct igb_slow *slow = to_igb_slow(vector);
	u32 label = msi_vector_label(vector);

	guard(raw_spinlock_irqsave)(&slow->lock);
	slow->masked &= ~BIT(label);
	slow->dirty |= BIT(label);
}

static void igb_slow_lock(struct msi_table *table)
{
	struct igb_slow *slow = msi_table_data(table);

	mutex_lock(&slow->bus);
}

static void igb_slow_unlock(struct msi_table *table)
{
	struct igb_slow *slow = msi_table_data(table);
	struct msi_msg msg[IGB_NR_MSIX];
	unsigned long masked, dirty;
	u32 label;

	scoped_guard(raw_spinlock_irqsave, &slow->lock) {
		memcpy(msg, slow->msg, sizeof(msg));
		masked = slow->masked;
		dirty = slow->dirty;
		slow->dirty = 0;
	}

	for_each_set_bit(label, &dirty, IGB_NR_MSIX) {
		void __iomem *entry = slow->igb->msix + label * PCI_MSIX_ENTRY_SIZE;

		/* A bus takes its time. */
		usleep_range(20, 50);
		writel(PCI_MSIX_ENTRY_CTRL_MASKBIT, entry + PCI_MSIX_ENTRY_VECTOR_CTRL);
		writel(msg[label].address_lo, entry + PCI_MSIX_ENTRY_LOWER_ADDR);
		writel(msg[label].address_hi, entry + PCI_MSIX_ENTRY_UPPER_ADDR);
		writel(msg[label].data, entry + PCI_MSIX_ENTRY_DATA);
		if (!(masked & BIT(label)))
			writel(0, entry + PCI_MSIX_ENTRY_VECTOR_CTRL);
		readl(entry + PCI_MSIX_ENTRY_VECTOR_CTRL);
	}
	mutex_unlock(&slow->bus);
}

static const struct msi_table_ops igb_slow_ops = {
	.write_msg	= igb_slow_write_msg,
	.mask		= igb_slow_mask,
	.unmask		= igb_slow_unmask,
	.lock		= igb_slow_lock,
	.unlock		= igb_slow_unlock,
};

static void pci_store_slow(struct kunit *test)
{
	struct igb_slow *slow = kunit_kzalloc(test, sizeof(*slow), GFP_KERNEL);
	const struct msi_table_info info = {
		.name	= "slow",
		.ops	= &igb_slow_ops,
		.size	= IGB_NR_MSIX,
		.data	= slow,
		.flags	= MSI_TABLE_UNREMAPPED,
	};
	struct igb_test *igb = test->priv;
	struct msi_msg before, after;
	struct msi_table *table;
	int cpus[2];

	KUNIT_ASSERT_NOT_NULL(test, slow);
	slow->igb = igb;
	mutex_init(&slow->bus);
	raw_spin_lock_init(&slow->lock);
	slow->masked = IGB_ALL;

	table = msi_allocate_table(&igb->pdev->dev, &info);
	if (table == ERR_PTR(-EOPNOTSUPP))
		kunit_skip(test, "messages change with the affinity");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	igb_use_store(test, table);
	if (igb_two_cpus(cpus)) {
		KUNIT_EXPECT_EQ(test, 0, msi_vector_get_msg(igb->vectors[7].vector, &before));
		igb_move(test, 7, cpus);
		KUNIT_EXPECT_EQ(test, 0, msi_vector_get_msg(igb->vectors[7].vector, &after));
		KUNIT_EXPECT_EQ(test, msi_msg_address(&before), msi_msg_address(&after));
		KUNIT_EXPECT_EQ(test, before.data, after.data);
	}
	igb_free_store(test, table);
}

/* What the parent says of stores, which nobody but the machine knows */
static void pci_store_opt_in(struct kunit *test)
{
	const struct msi_table_info info = {
		.name	= "opt-in",
		.ops	= &msi_fake_store_ops,
		.size	= 1,
	};
	struct igb_test *igb = test->priv;
	struct msi_table *table;

	if (ims < 0)
		kunit_skip(test, "the parameter ims is not set");
	table = msi_allocate_table(&igb->pdev->dev, &info);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(table), ims ? 0 : -EOPNOTSUPP);
	if (!IS_ERR(table))
		msi_table_free(table);
}

static struct kunit_case msi_table_pci_store_cases[] = {
	KUNIT_CASE(pci_store_mmio),
	KUNIT_CASE(pci_store_slow),
	KUNIT_CASE(pci_store_opt_in),
	{ }
};

static struct kunit_suite msi_table_pci_store_suite = {
	.name		= "msi_table_pci_store",
	.init		= igb_store_init,
	.exit		= igb_store_exit,
	.test_cases	= msi_table_pci_store_cases,
};

/* The device would send this message, and the handler would run. */
static void igb_inject(struct kunit *test, u32 label)
{
	struct igb_test *igb = test->priv;
	int count = atomic_read(&igb->vectors[label].count);
	struct msi_msg msg;

	igb_expect_message(test, label);
	igb_read_entry(igb, label, &msg);
	KUNIT_EXPECT_EQ_MSG(test, 0, msi_fake_parent_inject(igb->fake, &msg), "entry %u", label);
	KUNIT_EXPECT_EQ_MSG(test, atomic_read(&igb->vectors[label].count), count + 1, "entry %u",
			    label);
}

static void igb_inject_all(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	u32 label;

	for (label = 0; label < IGB_NR_MSIX; label++) {
		if (igb->vectors[label].vector)
			igb_inject(test, label);
	}
}

/* With dynamic allocation, to compare with */
static void pci_fake_dynamic(struct kunit *test)
{
	const struct msi_vector_request req = { .highest = 4 };
	struct igb_test *igb = test->priv;
	struct msi_vector *vectors[5];
	struct msi_table *table;

	igb_use_fake(test, 0);
	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 3, 3, 3);
	igb_take(test, table, 1, 1, 1);
	igb_inject_all(test);
	KUNIT_ASSERT_EQ(test, 3, msi_table_alloc_vectors(table, &req, 1, 5, vectors));
	igb_adopt(test, vectors, 3, BIT(0) | BIT(2) | BIT(4));
	igb_inject_all(test);
	igb_give(table, igb, 1);
	igb_inject_all(test);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(igb->fake), 4);
	igb_free(table, igb);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(igb->fake), 0);
}

/* A static table which has something gives no more. */
static void igb_expect_full(struct kunit *test, struct msi_table *table, unsigned long entries,
			    u32 free_label)
{
	struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	struct msi_vector *vectors[2];

	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, free_label),
			    ERR_PTR(-EOPNOTSUPP));
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, MSI_LABEL_ANY),
			    ERR_PTR(-EOPNOTSUPP));
	KUNIT_EXPECT_EQ(test, msi_table_alloc_vectors(table, &req, 1, 2, vectors), -EOPNOTSUPP);
	igb_expect_entries(test, entries);
}

static void pci_fake_static_single(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;
	u32 label;

	igb_use_fake(test, MSI_FAKE_NO_DYN);
	table = igb_create(test, MSI_TABLE_MSIX);
	KUNIT_EXPECT_EQ(test, msi_table_size(table), IGB_NR_MSIX);

	for (label = 3; label > 0; label--) {
		igb_take(test, table, label, label, label);
		igb_expect_entries(test, BIT(label));
		igb_inject(test, label);
		KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, label), ERR_PTR(-EBUSY));
		igb_expect_full(test, table, BIT(label), 4);
		igb_inject(test, label);

		/* Off with the last one, on with another */
		igb_give(table, igb, label);
		igb_expect_entries(test, 0);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(igb->fake), 0);
	}

	igb_take(test, table, 0, MSI_LABEL_ANY, 0);
	igb_inject(test, 0);
	igb_free(table, igb);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
}

static void pci_fake_static_batch(struct kunit *test)
{
	struct msi_vector_request req = { .lowest = 1, .highest = 4 };
	struct igb_test *igb = test->priv;
	struct msi_vector *vectors[IGB_NR_MSIX + 1];
	unsigned long all = GENMASK(4, 1);
	struct msi_table *table;
	int i;

	igb_use_fake(test, MSI_FAKE_NO_DYN);
	table = igb_create(test, MSI_TABLE_MSIX);

	KUNIT_EXPECT_EQ(test, msi_table_alloc_vectors(table, &req, 5, 5, vectors), -ENOSPC);
	igb_expect_entries(test, 0);

	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, 4, msi_table_alloc_vectors(table, &req, 2, 8, vectors));
		igb_expect_entries(test, all);
		igb_adopt(test, vectors, 4, all);
		igb_inject_all(test);
		igb_expect_full(test, table, all, 0);

		/* Nothing is added while it empties. */
		igb_give(table, igb, 3);
		KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));
		igb_inject_all(test);
		/* What was set up may be taken again. */
		igb_take(test, table, 3, 3, 3);
		igb_inject_all(test);
		igb_give(table, igb, 3);
		igb_give(table, igb, 1);
		igb_give(table, igb, 4);
		KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));
		KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 0), ERR_PTR(-EOPNOTSUPP));
		igb_inject(test, 2);
		igb_give(table, igb, 2);
		igb_expect_entries(test, 0);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(igb->fake), 0);
	}

	/* Freed as a batch, and by the table */
	KUNIT_ASSERT_EQ(test, 2, msi_table_alloc_vectors(table, &req, 2, 2, vectors));
	igb_expect_entries(test, BIT(1) | BIT(2));
	swap(vectors[0], vectors[1]);
	msi_table_free_vectors(table, vectors, 2);
	igb_expect_entries(test, 0);
	KUNIT_ASSERT_EQ(test, 4, msi_table_alloc_vectors(table, &req, 4, 4, vectors));
	igb_adopt(test, vectors, 4, all);
	igb_free(table, igb);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
}

/* The parent takes no gaps, either. */
static void pci_fake_static_contiguous(struct kunit *test)
{
	struct msi_vector_request req = { .lowest = 1, .highest = 3 };
	struct igb_test *igb = test->priv;
	struct msi_vector *vectors[4];
	struct msi_table *table;

	igb_use_fake(test, MSI_FAKE_NO_DYN | MSI_FAKE_CONTIGUOUS);
	table = igb_create(test, MSI_TABLE_MSIX);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 1), ERR_PTR(-EOPNOTSUPP));
	KUNIT_EXPECT_EQ(test, msi_table_alloc_vectors(table, &req, 1, 3, vectors), -EOPNOTSUPP);
	igb_expect_entries(test, 0);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(igb->fake), 0);

	igb_take(test, table, 0, 0, 0);
	igb_inject(test, 0);
	igb_give(table, igb, 0);

	req.lowest = 0;
	KUNIT_ASSERT_EQ(test, 4, msi_table_alloc_vectors(table, &req, 1, 4, vectors));
	igb_expect_entries(test, GENMASK(3, 0));
	igb_adopt(test, vectors, 4, GENMASK(3, 0));
	igb_inject_all(test);
	igb_free(table, igb);
}

/**
 * struct igb_refusal - A parent which refuses, and looks at the device meanwhile
 * @igb:	The device
 * @granting:	What the domain of the parent does
 * @grants:	How many interrupts the parent still has
 * @fewer:	How many it had at the beginning, of which others take one, down to the last,
 *		whenever there is none
 * @returned:	It has those again which are freed
 * @refused:	How often it had none
 * @msix_off:	How often MSI-X was off at that time
 */
static struct igb_refusal {
	struct igb_test			*igb;
	const struct irq_domain_ops	*granting;
	unsigned int			grants;
	unsigned int			fewer;
	bool				returned;
	unsigned int			refused;
	unsigned int			msix_off;
} igb_refusal;

static int igb_refuse(struct irq_domain *domain, unsigned int virq, unsigned int nr_irqs, void *arg)
{
	struct igb_refusal *r = &igb_refusal;

	if (r->grants) {
		r->grants--;
		return r->granting->alloc(domain, virq, nr_irqs, arg);
	}
	if (r->fewer) {
		r->fewer = max(r->fewer - 1, 1);
		r->grants = r->fewer;
	}
	r->refused++;
	r->msix_off += !igb_msix_on(r->igb);
	return -ENOSPC;
}

static void igb_refusal_free(struct irq_domain *domain, unsigned int virq, unsigned int nr_irqs)
{
	igb_refusal.granting->free(domain, virq, nr_irqs);
	if (igb_refusal.returned)
		igb_refusal.grants += nr_irqs;
}

static int igb_refusal_activate(struct irq_domain *domain, struct irq_data *data, bool reserve)
{
	return igb_refusal.granting->activate(domain, data, reserve);
}

static void igb_refusal_deactivate(struct irq_domain *domain, struct irq_data *data)
{
	igb_refusal.granting->deactivate(domain, data);
}

static const struct irq_domain_ops igb_refusal_ops = {
	.alloc		= igb_refuse,
	.free		= igb_refusal_free,
	.activate	= igb_refusal_activate,
	.deactivate	= igb_refusal_deactivate,
};

static void igb_use_refusing(struct kunit *test, unsigned int flags)
{
	struct igb_test *igb = test->priv;
	struct irq_domain *domain;

	igb_use_fake(test, flags);
	domain = msi_fake_parent_domain(igb->fake);
	igb_refusal = (struct igb_refusal) {
		.igb		= igb,
		.granting	= domain->ops,
		.grants		= UINT_MAX,
	};
	domain->ops = &igb_refusal_ops;
}

/* The failure was that of the parent, and came when MSI-X was on already. */
static void igb_expect_refused(struct kunit *test)
{
	KUNIT_EXPECT_GT(test, igb_refusal.refused, 0);
	KUNIT_EXPECT_EQ(test, igb_refusal.msix_off, 0);
	igb_refusal.refused = 0;
	igb_refusal.msix_off = 0;
}

static u16 igb_msix_control(struct igb_test *igb)
{
	u16 control;

	pci_read_config_word(igb->pdev, igb->pdev->msix_cap + PCI_MSIX_FLAGS, &control);
	return control;
}

/* No MSI-X, but INTx, and nothing left of an interrupt */
static void igb_expect_as_before(struct kunit *test, u16 control, unsigned int intx,
				 unsigned int nr_irqs)
{
	struct igb_test *igb = test->priv;

	KUNIT_EXPECT_EQ(test, control & (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL), 0);
	KUNIT_EXPECT_EQ(test, igb_msix_control(igb), control);
	KUNIT_EXPECT_FALSE(test, igb->pdev->msix_enabled);
	KUNIT_EXPECT_FALSE(test, igb->pdev->msi_enabled);
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
	KUNIT_EXPECT_EQ(test, igb->pdev->irq, intx);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(igb->fake), 0);
	KUNIT_EXPECT_EQ(test, igb_count_irqs(), nr_irqs);
}

/* A failed first allocation switches MSI-X off again, as it does in the legacy way. */
static void igb_check_first_fails(struct kunit *test, unsigned int flags)
{
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	struct igb_test *igb = test->priv;
	unsigned int nr_irqs = igb_count_irqs(), intx = igb->pdev->irq;
	u16 control = igb_msix_control(igb);
	struct msi_vector *vectors[3];
	struct msi_table *table;

	igb_use_refusing(test, flags);
	igb_refusal.grants = 0;
	KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(igb->pdev, 1, 1, PCI_IRQ_MSIX), -ENOSPC);
	igb_expect_refused(test);
	igb_expect_as_before(test, control, intx, nr_irqs);

	table = igb_create(test, MSI_TABLE_MSIX);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 0), ERR_PTR(-ENOSPC));
	igb_expect_refused(test);
	igb_expect_as_before(test, control, intx, nr_irqs);

	/* The third of a batch, when two are there already */
	igb_refusal.grants = 2;
	KUNIT_EXPECT_EQ(test, msi_table_alloc_vectors(table, &req, 3, 3, vectors), -ENOSPC);
	KUNIT_EXPECT_EQ(test, igb_refusal.grants, 0);
	igb_expect_refused(test);
	igb_expect_as_before(test, control, intx, nr_irqs);

	igb_refusal.grants = UINT_MAX;
	igb_take(test, table, 0, 0, 0);
	igb_expect_entries(test, BIT(0));
	igb_inject(test, 0);

	igb_free(table, igb);
	igb_expect_as_before(test, control, intx, nr_irqs);

	/* What a driver falls back to, with a table of its own or without */
	table = igb_create(test, MSI_TABLE_MSIX);
	igb_refusal.grants = 0;
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 0), ERR_PTR(-ENOSPC));
	igb_expect_refused(test);
	msi_table_free(table);
	if (intx) {
		KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(igb->pdev, 1, 1, PCI_IRQ_INTX), 1);
		KUNIT_EXPECT_EQ(test, pci_irq_vector(igb->pdev, 0), intx);
		pci_free_irq_vectors(igb->pdev);
	}
	igb_refusal.grants = UINT_MAX;
	table = igb_create(test, MSI_TABLE_MSI);
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, msi_table_alloc_vector(table, 0));
	KUNIT_EXPECT_TRUE(test, igb_msi_on(igb));
	msi_table_free(table);
	igb_expect_as_before(test, control, intx, nr_irqs);
}

static void pci_fake_first_fails(struct kunit *test)
{
	igb_check_first_fails(test, 0);
}

static void pci_fake_static_first_fails(struct kunit *test)
{
	igb_check_first_fails(test, MSI_FAKE_NO_DYN);
}

/* There are fewer each time that one asks for as many as there were. */
static void pci_fake_static_fewer(struct kunit *test)
{
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	struct igb_test *igb = test->priv;
	struct msi_vector *vectors[5];
	struct msi_table *table;

	igb_use_refusing(test, MSI_FAKE_NO_DYN);
	igb_refusal.grants = 3;
	igb_refusal.fewer = 3;
	table = igb_create(test, MSI_TABLE_MSIX);
	KUNIT_ASSERT_EQ(test, 1, msi_table_alloc_vectors(table, &req, 1, 5, vectors));
	igb_expect_refused(test);
	igb_adopt(test, vectors, 1, BIT(0));
	igb_expect_entries(test, BIT(0));
	igb_free(table, igb);
}

/* A later one leaves it on, though no vector is left. */
static void pci_fake_later_fails(struct kunit *test)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table;

	igb_use_refusing(test, 0);
	table = igb_create(test, MSI_TABLE_MSIX);
	igb_take(test, table, 0, 0, 0);
	igb_give(table, igb, 0);
	KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));

	igb_refusal.grants = 0;
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 5), ERR_PTR(-ENOSPC));
	igb_expect_refused(test);
	KUNIT_EXPECT_TRUE(test, igb_msix_on(igb));
	KUNIT_EXPECT_TRUE(test, igb->pdev->msix_enabled);
	KUNIT_EXPECT_TRUE(test, igb_command(igb) & PCI_COMMAND_INTX_DISABLE);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(igb->fake), 0);

	igb_refusal.grants = UINT_MAX;
	igb_take(test, table, 5, 5, 5);
	igb_expect_entries(test, BIT(5));
	igb_inject(test, 5);
	igb_free(table, igb);
	KUNIT_EXPECT_FALSE(test, igb_msix_on(igb));
	KUNIT_EXPECT_EQ(test, igb_command(igb), igb->command);
}

/* Vector control: the mask, and bits of a steering tag, which are the device's to keep */
static const u32 igb_control_before[] = { 0, 0x00550000, PCI_MSIX_ENTRY_CTRL_MASKBIT, 0x00aa0001 };

static void igb_expect_control_as_before(struct kunit *test)
{
	struct igb_test *igb = test->priv;

	igb_expect_refused(test);
	for (unsigned int i = 0; i < ARRAY_SIZE(igb_control_before); i++)
		KUNIT_EXPECT_EQ(test, readl(igb->msix + i * PCI_MSIX_ENTRY_SIZE +
					    PCI_MSIX_ENTRY_VECTOR_CTRL), igb_control_before[i]);
}

/* There is an NVMe controller which obeys the mask bits with MSI-X off. */
static void pci_fake_first_fails_entries(struct kunit *test)
{
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	struct igb_test *igb = test->priv;
	void __iomem *ctrl = igb->msix + PCI_MSIX_ENTRY_VECTOR_CTRL;
	struct msi_vector *vectors[3];
	struct msi_table *table;

	igb_use_refusing(test, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(igb_control_before); i++)
		writel(igb_control_before[i], ctrl + i * PCI_MSIX_ENTRY_SIZE);

	igb_refusal.grants = 0;
	KUNIT_EXPECT_EQ(test, pci_alloc_irq_vectors(igb->pdev, 1, 1, PCI_IRQ_MSIX), -ENOSPC);
	igb_expect_control_as_before(test);

	table = igb_create(test, MSI_TABLE_MSIX);
	KUNIT_EXPECT_PTR_EQ(test, msi_table_alloc_vector(table, 0), ERR_PTR(-ENOSPC));
	igb_expect_control_as_before(test);

	igb_refusal.grants = 2;
	KUNIT_EXPECT_EQ(test, msi_table_alloc_vectors(table, &req, 3, 3, vectors), -ENOSPC);
	igb_expect_control_as_before(test);

	/* Where it succeeds nothing but the mask changes, now and later. */
	igb_refusal.grants = UINT_MAX;
	igb_take(test, table, 1, 1, 1);
	KUNIT_EXPECT_EQ(test, readl(ctrl + PCI_MSIX_ENTRY_SIZE), igb_control_before[1]);
	igb_take(test, table, 3, 3, 3);
	KUNIT_EXPECT_EQ(test, readl(ctrl + 3 * PCI_MSIX_ENTRY_SIZE),
			igb_control_before[3] & ~PCI_MSIX_ENTRY_CTRL_MASKBIT);
	KUNIT_EXPECT_EQ(test, readl(ctrl), PCI_MSIX_ENTRY_CTRL_MASKBIT);
	igb_free(table, igb);
}

static struct kunit_case msi_table_pci_fake_cases[] = {
	KUNIT_CASE(pci_fake_dynamic),
	KUNIT_CASE(pci_fake_static_single),
	KUNIT_CASE(pci_fake_static_batch),
	KUNIT_CASE(pci_fake_static_contiguous),
	KUNIT_CASE(pci_fake_first_fails),
	KUNIT_CASE(pci_fake_first_fails_entries),
	KUNIT_CASE(pci_fake_static_first_fails),
	KUNIT_CASE(pci_fake_static_fewer),
	KUNIT_CASE(pci_fake_later_fails),
	{ }
};

static struct kunit_suite msi_table_pci_fake_suite = {
	.name		= "msi_table_pci_fake",
	.init		= igb_test_init,
	.exit		= igb_test_exit,
	.test_cases	= msi_table_pci_fake_cases,
};

kunit_test_suites(&msi_table_pci_store_suite, &msi_table_pci_fake_suite);
