// SPDX-License-Identifier: GPL-2.0
/*
 * MSI tables of device-specific stores (IMS: interrupt message store)
 *
 * Each table has a device MSI domain of its own below the device's MSI parent, which
 * is not known to the device's MSI data: dev->msi.domain and the domain of PCI MSI and
 * MSI-X stay as they are.
 */
#define pr_fmt(fmt) "msi_table: " fmt

#include <kunit/visibility.h>
#include <linux/device.h>
#include <linux/export.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/log2.h>
#include <linux/moduleparam.h>
#include <linux/msi.h>
#include <linux/msi_table_core.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include <trace/events/msi_table.h>

#include "internals.h"
#include "msi_table.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX	"msi_table."

/* How many interrupts are allocated at a time, with the lock of the root domain held */
#define MSI_STORE_MAX_CHUNK	256U

/* For how many vectors a parent makes room in advance, unless the driver says */
#define MSI_STORE_EXPECTED	64U

bool msi_stores_unremapped;
EXPORT_SYMBOL_IF_KUNIT(msi_stores_unremapped);
module_param_named(unremapped, msi_stores_unremapped, bool, 0644);
MODULE_PARM_DESC(unremapped,
		 "The messages of all device-specific stores arrive, whatever MSI parents say");

/**
 * struct msi_store - Table of a device-specific store
 * @table:	The table
 * @ops:	Operations of the store
 * @mmio:	Where the store is, when @ops is &msi_mmio_ops
 * @restored:	@msi_store_suspends at the time of the last msi_table_restore()
 * @single:	The parent takes one interrupt at a time
 * @domain:	Domain of the table
 * @name:	Copy of msi_table_info::name
 */
struct msi_store {
	struct msi_table		table;
	const struct msi_table_ops	*ops;
	struct msi_mmio_layout		mmio;
	unsigned int			restored;
	bool				single;
	struct irq_domain		*domain;
	char				name[];
};

/**
 * struct msi_store_vector - Vector of a device-specific store
 * @vector:	The vector
 * @desc:	Its MSI descriptor, which is in no one's MSI data
 */
struct msi_store_vector {
	struct msi_vector	vector;
	struct msi_desc		desc;
};

static inline struct msi_store *to_msi_store(struct msi_table *table)
{
	return container_of(table, struct msi_store, table);
}

static inline struct msi_store_vector *to_msi_store_vector(struct msi_vector *vector)
{
	return container_of(vector, struct msi_store_vector, vector);
}

static struct msi_desc *msi_store_vector_desc(const struct msi_vector *vector)
{
	return &to_msi_store_vector((struct msi_vector *)vector)->desc;
}

static inline struct msi_vector *irq_data_to_vector(struct irq_data *data)
{
	struct msi_desc *desc = irq_data_get_msi_desc(data);

	return &container_of(desc, struct msi_store_vector, desc)->vector;
}

const struct msi_mmio_layout *msi_store_mmio(const struct msi_vector *vector)
{
	return &to_msi_store(vector->table)->mmio;
}

static inline struct msi_domain_info *msi_store_info(const struct msi_store *store)
{
	return store->domain->host_data;
}

static void msi_store_lock(struct msi_store *store)
{
	if (store->ops->lock)
		store->ops->lock(&store->table);
}

static void msi_store_unlock(struct msi_store *store)
{
	if (store->ops->unlock)
		store->ops->unlock(&store->table);
}

/* How often devices were going to be suspended with their interrupts off */
static unsigned int msi_store_suspends = 1;

/**
 * msi_stores_suspend - A noirq phase begins
 *
 * Context: Any. For suspend_device_irqs().
 */
void msi_stores_suspend(void)
{
	WRITE_ONCE(msi_store_suspends, msi_store_suspends + 1);
}
EXPORT_SYMBOL_IF_KUNIT(msi_stores_suspend);

/* From suspend_noirq on until resume_noirq has returned */
static bool msi_store_noirq_suspended(const struct msi_store *store)
{
#ifdef CONFIG_PM_SLEEP
	return store->table.dev->power.is_noirq_suspended;
#else
	return false;
#endif
}

/* The driver has been told to suspend the device, and has not restored it yet. */
static bool msi_store_asleep(const struct msi_store *store)
{
	return msi_store_noirq_suspended(store) &&
	       READ_ONCE(store->restored) != READ_ONCE(msi_store_suspends);
}

/* Nothing must touch the store, but msi_table_restore() will. */
static bool msi_store_unreachable(const struct msi_store *store)
{
	struct device *dev = store->table.dev;

	if (msi_store_asleep(store))
		return true;
	if (dev_is_pci(dev)) {
		struct pci_dev *pdev = to_pci_dev(dev);

		return pdev->current_state != PCI_D0 || pci_channel_offline(pdev) ||
		       READ_ONCE(pdev->in_reset);
	}
	return pm_runtime_suspended(dev);
}

/* From here on: called with the lock of the interrupt descriptor held */

static void msi_store_do_mask(struct msi_vector *vector, bool mask)
{
	const struct msi_table_ops *ops = to_msi_store(vector->table)->ops;

	if (!ops->mask)
		return;

	trace_msi_vector_mask(vector->table, vector->label,
			      msi_store_vector_desc(vector)->irq, mask);
	if (mask)
		ops->mask(vector);
	else
		ops->unmask(vector);
}

static void msi_store_do_write_msg(struct msi_vector *vector, const struct msi_msg *msg)
{
	const struct msi_table_ops *ops = to_msi_store(vector->table)->ops;

	trace_msi_vector_write_msg(vector->table, vector->label,
				   msi_store_vector_desc(vector)->irq, msg);
	if (!msi_msg_valid(msg) && ops->clear_msg)
		ops->clear_msg(vector);
	else
		ops->write_msg(vector, msg);
}

/* As a vector without a handler has to be */
static void msi_store_do_silence(struct msi_vector *vector)
{
	if (to_msi_store(vector->table)->ops->mask)
		msi_store_do_mask(vector, true);
	else
		msi_store_do_write_msg(vector, &(struct msi_msg) { });
}

static void msi_store_mask(struct irq_data *data)
{
	struct msi_vector *vector = irq_data_to_vector(data);

	if (!msi_store_unreachable(to_msi_store(vector->table)))
		msi_store_do_mask(vector, true);
}

static void msi_store_unmask(struct irq_data *data)
{
	struct msi_vector *vector = irq_data_to_vector(data);

	if (!msi_store_unreachable(to_msi_store(vector->table)))
		msi_store_do_mask(vector, false);
}

/*
 * Parents which insist on masking themselves replace irq_mask and irq_unmask.
 * The store is unmasked at startup and masked at shutdown then.
 */
static unsigned int msi_store_startup(struct irq_data *data)
{
	struct msi_domain_info *info = data->domain->host_data;
	unsigned int ret = 0;

	if (info->flags & MSI_FLAG_PCI_MSI_STARTUP_PARENT)
		ret = irq_chip_startup_parent(data);
	else if (info->flags & MSI_FLAG_PCI_MSI_MASK_PARENT)
		irq_chip_unmask_parent(data);

	msi_store_unmask(data);
	return ret;
}

static void msi_store_shutdown(struct irq_data *data)
{
	struct msi_domain_info *info = data->domain->host_data;

	msi_store_mask(data);

	if (info->flags & MSI_FLAG_PCI_MSI_STARTUP_PARENT)
		irq_chip_shutdown_parent(data);
	else if (info->flags & MSI_FLAG_PCI_MSI_MASK_PARENT)
		irq_chip_mask_parent(data);
}

static void msi_store_write_msg(struct irq_data *data, struct msi_msg *msg)
{
	struct msi_vector *vector = irq_data_to_vector(data);
	struct msi_desc *desc = msi_store_vector_desc(vector);

	desc->msg = *msg;
	if (!msi_store_unreachable(to_msi_store(vector->table)))
		msi_store_do_write_msg(vector, msg);
	msi_table_changed(vector->table, desc);
}

/* The slow bus; no other lock is held */

/* The irq core takes it while the interrupt has no MSI descriptor yet. */
static struct msi_store *irq_data_to_store(struct irq_data *data)
{
	struct msi_domain_info *info = data->domain->host_data;

	return info->data;
}

static void msi_store_bus_lock(struct irq_data *data)
{
	msi_store_lock(irq_data_to_store(data));
}

static void msi_store_bus_sync_unlock(struct irq_data *data)
{
	msi_store_unlock(irq_data_to_store(data));
}

static void msi_store_set_desc(msi_alloc_info_t *arg, struct msi_desc *desc)
{
	arg->desc = desc;
	arg->hwirq = container_of(desc, struct msi_store_vector, desc)->vector.label;
}

static void msi_store_silence(struct msi_vector *vector)
{
	if (!msi_store_unreachable(to_msi_store(vector->table)))
		msi_store_do_silence(vector);
}

/*
 * A new interrupt is not activated before it is requested. Where the parent can
 * reserve it holds a reservation until then.
 */
static void msi_store_init_irq(struct msi_store *store, struct msi_vector *vector,
			       unsigned int irq)
{
	irq_debugfs_copy_devname(irq, store->table.dev);

	scoped_irqdesc_get_and_lock(irq, 0) {
		struct irq_data *data = irq_desc_get_irq_data(scoped_irqdesc);
		struct msi_desc *msi_desc = msi_store_vector_desc(vector);

		msi_desc->irq = irq;
		data->common->msi_desc = msi_desc;
		/* There is no message to update before the interrupt is activated. */
		irqd_set_affinity_on_activate(data);
		msi_store_silence(vector);
	}
}

/* An IOMMU which translates the doorbell was told of the first descriptor only. */
static void msi_store_copy_doorbell(struct msi_vector **vectors, unsigned int n)
{
#ifdef CONFIG_IRQ_MSI_IOMMU
	const struct msi_desc *first = msi_store_vector_desc(vectors[0]);

	for (unsigned int i = 1; i < n; i++) {
		struct msi_desc *desc = msi_store_vector_desc(vectors[i]);

		desc->iommu_msi_iova = first->iommu_msi_iova;
		desc->iommu_msi_shift = first->iommu_msi_shift;
	}
#endif
}

static void msi_store_remove_sysfs(struct msi_vector *vector)
{
	msi_sysfs_remove_desc(vector->table->dev, msi_store_vector_desc(vector));
}

static int msi_store_add_sysfs(struct msi_store *store, struct msi_vector **vectors,
			       unsigned int n)
{
	if (!(msi_store_info(store)->flags & MSI_FLAG_DEV_SYSFS))
		return 0;

	for (unsigned int i = 0; i < n; i++) {
		int ret = msi_sysfs_populate_desc(store->table.dev,
						  msi_store_vector_desc(vectors[i]));

		if (!ret)
			continue;
		while (i--)
			msi_store_remove_sysfs(vectors[i]);
		return ret;
	}
	return 0;
}

/* All @n interrupts, in one call of the irq core, or none */
static int msi_store_alloc_irqs(struct msi_store *store, struct msi_vector **vectors,
				unsigned int n, const struct irq_affinity_desc *affinity)
{
	struct msi_domain_info *info = msi_store_info(store);
	msi_alloc_info_t arg = *info->alloc_data;
	int virq, ret;

	info->ops->set_desc(&arg, msi_store_vector_desc(vectors[0]));
	virq = __irq_domain_alloc_irqs(store->domain, -1, n, dev_to_node(store->table.dev), &arg,
				       false, affinity);
	if (virq < 0)
		return virq;

	msi_store_copy_doorbell(vectors, n);
	msi_store_lock(store);
	for (unsigned int i = 0; i < n; i++)
		msi_store_init_irq(store, vectors[i], virq + i);
	msi_store_unlock(store);

	ret = msi_store_add_sysfs(store, vectors, n);
	if (ret)
		irq_domain_free_irqs(virq, n);
	return ret ? : n;
}

/* There are parents which refuse more than one at a time, like the IMSIC, by any error. */
static int msi_store_alloc_some_irqs(struct msi_store *store, struct msi_vector **vectors,
				     unsigned int n, const struct irq_affinity_desc *affinity)
{
	int ret = msi_store_alloc_irqs(store, vectors, n, affinity);

	if (ret > 0 || n == 1 || ret == -ENOSPC || ret == -ENOMEM)
		return ret;

	ret = msi_store_alloc_irqs(store, vectors, 1, affinity);
	if (ret > 0)
		WRITE_ONCE(store->single, true);
	return ret;
}

static void msi_store_exit_vectors(struct msi_store *store, struct msi_vector **vectors,
				   unsigned int n)
{
	for (unsigned int i = 0; store->ops->exit_vector && i < n; i++)
		store->ops->exit_vector(vectors[i]);
}

static int msi_store_init_vectors(struct msi_store *store, struct msi_vector **vectors,
				  unsigned int n)
{
	for (unsigned int i = 0; store->ops->init_vector && i < n; i++) {
		int ret = store->ops->init_vector(vectors[i]);

		if (ret) {
			msi_store_exit_vectors(store, vectors, i);
			/* No number of vectors, and no pointer to one */
			return IS_ERR_VALUE((long)ret) ? ret : -EIO;
		}
	}
	return 0;
}

static int msi_store_alloc_chunk(struct msi_store *store, struct msi_vector **vectors,
				 unsigned int n, const struct irq_affinity_desc *affinity)
{
	int ret, done;

	for (unsigned int i = 0; i < n; i++) {
		struct msi_store_vector *sv = to_msi_store_vector(vectors[i]);

		sv->desc.dev = store->table.dev;
		sv->desc.nvec_used = 1;
	}

	ret = msi_store_init_vectors(store, vectors, n);
	if (ret)
		return ret;

	ret = msi_store_alloc_some_irqs(store, vectors, n, affinity);
	done = max(ret, 0);
	msi_store_exit_vectors(store, vectors + done, n - done);
	return ret;
}

static int msi_store_alloc(struct msi_table *table, struct msi_vector **vectors, unsigned int n,
			   u32 lowest, const struct irq_affinity_desc *affinity)
{
	struct msi_store *store = to_msi_store(table);
	unsigned int done = 0;

	/* CPU hotplug shuts a managed interrupt down without the lock of the bus. */
	for (unsigned int i = 0; store->ops->lock && affinity && i < n; i++) {
		if (affinity[i].is_managed)
			return -EOPNOTSUPP;
	}

	while (done < n) {
		/*
		 * A power of two, as some parents round up to that, and would
		 * lose the rest when the interrupts are freed one by one.
		 */
		unsigned int chunk = min(rounddown_pow_of_two(n - done), MSI_STORE_MAX_CHUNK);
		int ret;

		if (READ_ONCE(store->single))
			chunk = 1;
		ret = msi_store_alloc_chunk(store, vectors + done, chunk,
					    affinity ? affinity + done : NULL);
		if (ret < 0)
			return done ? : ret;
		done += ret;
	}
	return done;
}

/* How many of @vectors, the first ones, have consecutive interrupts */
static unsigned int msi_store_irq_run(struct msi_vector **vectors, unsigned int n)
{
	unsigned int irq = msi_vector_irq(vectors[0]), run = 1;

	while (run < n && msi_vector_irq(vectors[run]) == irq + run)
		run++;
	return run;
}

static void msi_store_free(struct msi_table *table, struct msi_vector **vectors, unsigned int n)
{
	struct msi_store *store = to_msi_store(table);
	unsigned int i, step;

	for (i = 0; i < n; i++)
		msi_store_remove_sysfs(vectors[i]);

	for (i = 0; i < n; i += step) {
		step = msi_store_irq_run(vectors + i, n - i);
		irq_domain_free_irqs(msi_vector_irq(vectors[i]), step);
	}

	msi_store_exit_vectors(store, vectors, n);
}

/*
 * Also a vector which is just being allocated: if the store could not be reached when
 * its interrupt was made, then nobody else silences it.
 */
static void msi_store_restore_vector(struct msi_store *store, struct msi_vector *vector)
{
	guard(rcu)();
	scoped_irqdesc_get_and_lock(READ_ONCE(msi_store_vector_desc(vector)->irq), 0) {
		struct irq_data *data = irq_desc_get_irq_data(scoped_irqdesc);
		struct msi_msg msg;
		bool masked;

		/* The interrupt was just freed, or has not been made yet. */
		if (data->chip != msi_store_info(store)->chip || irq_data_to_vector(data) != vector)
			return;

		msi_store_do_silence(vector);
		msi_vector_read_msg(vector, &msg);
		msi_store_do_write_msg(vector, &msg);
		/* Where the parent masks by itself the store is masked while it is shut down. */
		if (data->chip->irq_mask == msi_store_mask)
			masked = irqd_irq_masked(data);
		else
			masked = !irqd_is_started(data);
		if (!masked)
			msi_store_do_mask(vector, false);
	}
}

static void msi_store_restore_one(struct msi_vector *vector)
{
	struct msi_store *store = to_msi_store(vector->table);

	msi_store_lock(store);
	msi_store_restore_vector(store, vector);
	msi_store_unlock(store);
}

static void msi_store_restore(struct msi_table *table)
{
	struct msi_store *store = to_msi_store(table);
	unsigned long label;

	/* Not because it was runtime suspended, just before the system suspends it */
	if (msi_store_noirq_suspended(store))
		WRITE_ONCE(store->restored, READ_ONCE(msi_store_suspends));
	msi_store_lock(store);
	for (label = 0; ; label++) {
		struct msi_vector *vector;

		guard(spinlock)(&table->labels.xa_lock);
		vector = xa_find(&table->labels, &label, ULONG_MAX, XA_PRESENT);
		if (!vector)
			break;
		msi_store_restore_vector(store, vector);
	}
	msi_store_unlock(store);
}

static void msi_store_destroy(struct msi_table *table)
{
	struct msi_store *store = to_msi_store(table);
	struct msi_domain_info *info = msi_store_info(store);

	info->ops->msi_teardown(store->domain, info->alloc_data);
	msi_remove_device_domain(store->domain);
	kfree(store);
}

static const struct msi_table_backend msi_store_backend = {
	.name		= "IMS",
	.vector_size	= sizeof(struct msi_store_vector),
	.desc		= msi_store_vector_desc,
	.alloc		= msi_store_alloc,
	.free		= msi_store_free,
	.restore	= msi_store_restore,
	.restore_vector	= msi_store_restore_one,
	.destroy	= msi_store_destroy,
};

static bool msi_table_info_valid(const struct msi_table_info *info)
{
	const struct msi_table_ops *ops = info->ops;

	if (!info->name || !ops == !info->mmio)
		return false;
	if (info->flags & ~(MSI_TABLE_UNREMAPPED | MSI_TABLE_NO_SYSFS))
		return false;
	if (info->mmio)
		return msi_mmio_layout_valid(info->mmio, info->size);

	if (!ops->write_msg || !ops->mask != !ops->unmask || !ops->lock != !ops->unlock)
		return false;
	return ops->mask || ops->clear_msg;
}

/* Why the store can not be below this parent, or NULL */
static const char *msi_parent_refusal(struct device *dev, struct irq_domain *parent,
				      const struct msi_table_info *info)
{
	const struct msi_parent_ops *ops = parent->msi_parent_ops;

	if (!irq_domain_is_msi_parent(parent))
		return "is no MSI parent";
	/* The parents of PCI devices look at the PCI device behind a message. */
	if (!dev_is_pci(dev) && !(ops->bus_select_mask & BIT(DOMAIN_BUS_PLATFORM_MSI)))
		return "serves PCI devices only";
	/* Of which the second may damage the first; nobody can vouch for it. */
	if (!(ops->supported_flags & MSI_FLAG_MULTI_DOMAIN))
		return "can not have several MSI domains of a device";
	/*
	 * A hypervisor translates the messages of its guest which it sees written, and a
	 * store that it does not know about is not among them. What it holds is lost
	 * silently, unless the hardware translates it. So parents have to opt in. Else a
	 * driver vouches for a device which is fully emulated, or the administrator for the
	 * machine; firmware can not, as there is no property for it: where stores are to
	 * work, it shows remapping.
	 */
	if (!(ops->supported_flags & MSI_FLAG_IMS) && !(info->flags & MSI_TABLE_UNREMAPPED) &&
	    !READ_ONCE(msi_stores_unremapped))
		return "may lose messages of a device-specific store";
	/*
	 * The message of an interrupt which moves is written by whoever moves it, in
	 * atomic context and without the lock of a slow bus.
	 */
	if (info->ops && info->ops->lock && !(parent->flags & IRQ_DOMAIN_FLAG_MSI_IMMUTABLE) &&
	    !((ops->supported_flags | ops->required_flags) & MSI_FLAG_NO_AFFINITY))
		return "changes messages with the affinity, and the store is behind a slow bus";
	return NULL;
}

/* A parent may add to the chip, and take over masking; it must not replace the rest. */
static bool msi_store_chip_intact(const struct msi_store *store)
{
	const struct msi_domain_info *info = msi_store_info(store);
	bool mask_parent = info->flags & MSI_FLAG_PCI_MSI_MASK_PARENT;
	const struct irq_chip *chip = info->chip;

	return chip->irq_startup == msi_store_startup && chip->irq_shutdown == msi_store_shutdown &&
	       chip->irq_write_msi_msg == msi_store_write_msg &&
	       chip->irq_mask == (mask_parent ? irq_chip_mask_parent : msi_store_mask) &&
	       chip->irq_unmask == (mask_parent ? irq_chip_unmask_parent : msi_store_unmask) &&
	       chip->irq_bus_lock == (store->ops->lock ? msi_store_bus_lock : NULL) &&
	       chip->irq_bus_sync_unlock == (store->ops->lock ? msi_store_bus_sync_unlock : NULL) &&
	       !chip->irq_enable && !chip->irq_disable &&
	       info->ops->set_desc == msi_store_set_desc;
}

static int msi_store_refuse(struct device *dev, const struct msi_table_info *info,
			    const struct irq_domain *parent, const char *why)
{
	dev_err(dev, "MSI table %s: parent domain %s %s\n", info->name, parent->name, why);
	return -EOPNOTSUPP;
}

static const struct msi_domain_template msi_store_template = {
	.chip = {
		.irq_startup		= msi_store_startup,
		.irq_shutdown		= msi_store_shutdown,
		.irq_mask		= msi_store_mask,
		.irq_unmask		= msi_store_unmask,
		.irq_write_msi_msg	= msi_store_write_msg,
		.flags			= IRQCHIP_ONESHOT_SAFE,
	},
	.ops = {
		.set_desc		= msi_store_set_desc,
	},
};

static int msi_store_create_domain(struct msi_store *store, struct irq_domain *parent,
				   const struct msi_table_info *table_info)
{
	struct msi_domain_template template = msi_store_template;
	u32 hwsize = min(store->table.size, MSI_MAX_INDEX + 1);
	struct device *dev = store->table.dev;
	struct msi_domain_info *info;
	struct irq_domain *domain;

	/*
	 * MSI-X is what the parents of PCI devices know which comes closest:
	 * single interrupts, allocated at any time. The size is not used
	 * beyond telling the parent; the labels are in the hands of the table.
	 */
	template.info.bus_token = dev_is_pci(dev) ? DOMAIN_BUS_PCI_DEVICE_MSIX :
						    DOMAIN_BUS_DEVICE_MSI;
	if (store->ops->lock) {
		template.chip.irq_bus_lock = msi_store_bus_lock;
		template.chip.irq_bus_sync_unlock = msi_store_bus_sync_unlock;
	}
	char *name __free(kfree) = kasprintf(GFP_KERNEL, "IMS-%s", store->name);
	if (!name)
		return -ENOMEM;
	template.chip.name = name;

	domain = msi_create_device_domain(dev, parent, &template, hwsize, store, NULL);
	if (domain == ERR_PTR(-EOPNOTSUPP))
		return msi_store_refuse(dev, table_info, parent, "does not take the store");
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	store->domain = domain;
	info = domain->host_data;

	/*
	 * Device MSI is masked nowhere, and irq-msi-lib takes this to be so for all
	 * that is not on PCI. A store which the parent masks has to be unmasked there.
	 */
	if (parent->msi_parent_ops->required_flags & MSI_FLAG_PCI_MSI_MASK_PARENT) {
		info->flags |= MSI_FLAG_PCI_MSI_MASK_PARENT;
		info->chip->irq_mask = irq_chip_mask_parent;
		info->chip->irq_unmask = irq_chip_unmask_parent;
	}

	/* What parents take for flags of their own. One without a mask is moved step by step. */
	info->flags |= MSI_FLAG_IMS;
	if (!store->ops->mask)
		info->flags |= MSI_FLAG_NO_MASK;
	if (!(table_info->flags & MSI_TABLE_NO_SYSFS))
		info->flags |= MSI_FLAG_DEV_SYSFS;
	return 0;
}

static int msi_store_prepare_domain(struct msi_store *store, struct irq_domain *parent,
				    const struct msi_table_info *table_info)
{
	struct msi_domain_info *info = msi_store_info(store);
	unsigned int expected = table_info->expected ? : MSI_STORE_EXPECTED;
	struct device *dev = store->table.dev;
	int ret;

	if (!msi_store_chip_intact(store))
		return msi_store_refuse(dev, table_info, parent, "replaces callbacks of the store");

	expected = min(expected, store->table.size ? : MSI_MAX_INDEX + 1);
	ret = info->ops->msi_prepare(store->domain, dev, expected, info->alloc_data);
	if (ret && ret != -ENOMEM && ret != -ENOSPC)
		ret = msi_store_refuse(dev, table_info, parent, "does not take the device");
	return ret;
}

/**
 * msi_allocate_table - Create the table of a device-specific message store
 * @dev:	Device which has the store, bound to the calling driver
 * @info:	Description of the store; not needed after the call, unlike what its
 *		@ops and @parent point to
 *
 * The table starts without vectors. It is freed by msi_table_free(), or when
 * @dev is unbound from its driver.
 *
 * A GICv3 ITS makes room for the messages of all tables of a device when a table is
 * created and none has a vector, see msi_table_info::expected. When it is used up,
 * allocation fails with %-ENOSPC.
 *
 * Context: May sleep.
 *
 * Return: The table, or an ERR_PTR():
 *
 * * %-EINVAL - @info is incomplete or contradictory
 * * %-EEXIST - @dev has a table of this name
 * * %-ENODEV - @dev has no MSI domain
 * * %-EOPNOTSUPP - for a reason which is said in the log: the domain is not an MSI
 *   parent, can not serve this device or several MSI domains of one, has callbacks of
 *   its own for them, or does not see to it that the messages of a device-specific
 *   store arrive, see %MSI_TABLE_UNREMAPPED; or the store is behind a slow bus, and
 *   messages of the parent change with the affinity
 * * %-ENOSPC - the parent has no room for another store of the device
 * * %-ENOMEM - no memory
 */
struct msi_table *msi_allocate_table(struct device *dev, const struct msi_table_info *info)
{
	struct irq_domain *parent;
	size_t name_size;
	const char *why;
	int ret;

	if (!msi_table_info_valid(info))
		return ERR_PTR(-EINVAL);

	parent = info->parent ? : dev_get_msi_domain(dev);
	if (!parent)
		return ERR_PTR(-ENODEV);
	why = msi_parent_refusal(dev, parent, info);
	if (why)
		return ERR_PTR(msi_store_refuse(dev, info, parent, why));

	name_size = strlen(info->name) + 1;
	struct msi_store *store __free(kfree) = kzalloc_flex(*store, name, name_size);
	if (!store)
		return ERR_PTR(-ENOMEM);

	strscpy(store->name, info->name, name_size);
	store->ops = info->ops ? : &msi_mmio_ops;
	if (info->mmio)
		store->mmio = *info->mmio;
	store->table.dev = dev;
	store->table.backend = &msi_store_backend;
	store->table.dynamic = true;
	store->table.name = store->name;
	store->table.data = info->data;
	store->table.size = info->size;

	ret = msi_table_register(&store->table);
	if (ret)
		return ERR_PTR(ret);

	ret = msi_store_create_domain(store, parent, info);
	if (ret)
		goto out_unregister;

	ret = msi_store_prepare_domain(store, parent, info);
	if (ret)
		goto out_remove_domain;

	if (info->mmio && !msi_store_unreachable(store))
		msi_mmio_mask_all(info->mmio, info->size);
	return &no_free_ptr(store)->table;

out_remove_domain:
	msi_remove_device_domain(store->domain);
out_unregister:
	msi_table_unregister(&store->table);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(msi_allocate_table);
