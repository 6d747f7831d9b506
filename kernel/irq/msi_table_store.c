// SPDX-License-Identifier: GPL-2.0
/*
 * MSI tables of device-specific stores (IMS: interrupt message store)
 *
 * Each table has an irq domain of its own below the device's MSI parent. The
 * domain is not known to the device's MSI data: dev->msi.domain and the domain
 * of PCI MSI and MSI-X stay as they are.
 */
#define pr_fmt(fmt) "msi_table: " fmt

#include <linux/device.h>
#include <linux/export.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/msi.h>
#include <linux/msi_table_core.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "internals.h"

/**
 * struct msi_store - Table of a device-specific store
 * @table:	The table
 * @ops:	Operations of the store
 * @domain:	Domain of the table
 * @fwnode:	Firmware node which the domain is named by
 * @info:	MSI info of @domain
 * @chip:	Chip of the interrupts, with the parent's additions
 * @dom_ops:	MSI operations of @domain, with the parent's additions
 * @alloc_info:	Prepared by the parent, copied for each allocation
 * @name:	Copy of msi_table_info::name
 */
struct msi_store {
	struct msi_table		table;
	const struct msi_table_ops	*ops;
	struct irq_domain		*domain;
	struct fwnode_handle		*fwnode;
	struct msi_domain_info		info;
	struct irq_chip			chip;
	struct msi_domain_ops		dom_ops;
	msi_alloc_info_t		alloc_info;
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

static inline struct msi_vector *irq_data_to_vector(struct irq_data *data)
{
	struct msi_desc *desc = irq_data_get_msi_desc(data);

	return &container_of(desc, struct msi_store_vector, desc)->vector;
}

/* Chip callbacks: called with the lock of the interrupt descriptor held */

static void msi_store_mask(struct irq_data *data)
{
	struct msi_vector *vector = irq_data_to_vector(data);
	const struct msi_table_ops *ops = to_msi_store(vector->table)->ops;

	if (ops->mask)
		ops->mask(vector);
}

static void msi_store_unmask(struct irq_data *data)
{
	struct msi_vector *vector = irq_data_to_vector(data);
	const struct msi_table_ops *ops = to_msi_store(vector->table)->ops;

	if (ops->unmask)
		ops->unmask(vector);
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
	const struct msi_table_ops *ops = to_msi_store(vector->table)->ops;
	const struct msi_message message = {
		.address	= (u64)msg->address_hi << 32 | msg->address_lo,
		.data		= msg->data,
	};

	vector->desc->msg = *msg;
	if (!message.address && !message.data && ops->clear_msg)
		ops->clear_msg(vector);
	else
		ops->write_msg(vector, &message);
}

static void msi_store_set_desc(msi_alloc_info_t *arg, struct msi_desc *desc)
{
	arg->desc = desc;
	arg->hwirq = container_of(desc, struct msi_store_vector, desc)->vector.label;
}

static int msi_store_alloc_irq(struct msi_store *store, struct msi_vector *vector,
			       const struct irq_affinity_desc *affinity)
{
	struct device *dev = store->table.dev;
	msi_alloc_info_t arg = store->alloc_info;
	int virq, ret;

	store->dom_ops.set_desc(&arg, vector->desc);
	virq = __irq_domain_alloc_irqs(store->domain, -1, 1, dev_to_node(dev), &arg, false,
				       affinity);
	if (virq < 0)
		return virq;

	/*
	 * The interrupt is not activated before it is requested. Where the
	 * parent can reserve it holds a reservation until then.
	 */
	irq_set_msi_desc_off(virq, 0, vector->desc);
	irq_debugfs_copy_devname(virq, dev);
	vector->irq = virq;

	/* There is no message to update before the interrupt is activated. */
	irqd_set_affinity_on_activate(irq_get_irq_data(virq));
	/*
	 * What can not be masked has to be moved step by step. x86 takes this
	 * bit for a sign of that, and does not set it for a managed affinity.
	 */
	if (!store->ops->mask)
		irqd_set_can_reserve(irq_get_irq_data(virq));

	scoped_irqdesc_get_and_lock(virq, 0) {
		if (store->ops->mask)
			store->ops->mask(vector);
		else
			store->ops->clear_msg(vector);
	}

	ret = msi_sysfs_populate_desc(dev, vector->desc);
	if (ret)
		irq_domain_free_irqs(virq, 1);
	return ret;
}

static int msi_store_alloc(struct msi_vector *vector, const struct msi_vector_request *req)
{
	struct msi_store_vector *sv = container_of(vector, struct msi_store_vector, vector);
	struct msi_store *store = to_msi_store(vector->table);
	int ret;

	sv->desc.dev = vector->table->dev;
	sv->desc.nvec_used = 1;
	vector->desc = &sv->desc;

	if (store->ops->init_vector) {
		ret = store->ops->init_vector(vector);
		if (ret)
			return ret;
	}

	ret = msi_store_alloc_irq(store, vector, req->affinity);
	if (ret && store->ops->exit_vector)
		store->ops->exit_vector(vector);
	return ret;
}

static void msi_store_free(struct msi_vector *vector)
{
	struct msi_store *store = to_msi_store(vector->table);

	msi_sysfs_remove_desc(vector->table->dev, vector->desc);
	irq_domain_free_irqs(vector->irq, 1);
	if (store->ops->exit_vector)
		store->ops->exit_vector(vector);
}

static void msi_store_destroy(struct msi_table *table)
{
	struct msi_store *store = to_msi_store(table);

	/* A leaked interrupt refers to the domain, and the domain to the rest. */
	if (table->abandoned)
		return;

	store->dom_ops.msi_teardown(store->domain, &store->alloc_info);
	irq_domain_remove(store->domain);
	irq_domain_free_fwnode(store->fwnode);
	kfree(store->chip.name);
	kfree(store);
}

static const struct msi_table_backend msi_store_backend = {
	.vector_size	= sizeof(struct msi_store_vector),
	.alloc		= msi_store_alloc,
	.free		= msi_store_free,
	.destroy	= msi_store_destroy,
};

static bool msi_table_info_valid(const struct msi_table_info *info)
{
	const struct msi_table_ops *ops = info->ops;

	if (!info->name || !ops || !ops->write_msg || !ops->mask != !ops->unmask)
		return false;
	if (!ops->mask && !ops->clear_msg)
		return false;
	return !(info->flags & ~MSI_TABLE_UNREMAPPED);
}

/*
 * Without interrupt remapping a hypervisor does not see, and so can not
 * translate, a message which is written to a store it does not know about. It
 * is lost silently. So parents have to opt in.
 */
static bool msi_parent_routes_ims(struct device *dev, const struct irq_domain *parent,
				  const struct msi_table_info *info)
{
	if (parent->msi_parent_ops->supported_flags & MSI_FLAG_IMS)
		return true;
	if (info->flags & MSI_TABLE_UNREMAPPED)
		return true;

	dev_err(dev, "MSI table %s: device is not behind interrupt remapping (parent domain %s), messages may be lost\n",
		info->name, parent->name);
	return false;
}

/* The parents of PCI devices look at the PCI device behind a message. */
static bool msi_parent_serves_bus(struct device *dev, const struct irq_domain *parent)
{
	return dev_is_pci(dev) ||
	       parent->msi_parent_ops->bus_select_mask & BIT(DOMAIN_BUS_PLATFORM_MSI);
}

static int msi_store_create_domain(struct msi_store *store, struct irq_domain *parent)
{
	const struct msi_parent_ops *pops = parent->msi_parent_ops;
	u32 hwsize = min(store->table.size, MSI_MAX_INDEX + 1);
	struct device *dev = store->table.dev;
	int ret;

	store->chip = (struct irq_chip) {
		.irq_startup		= msi_store_startup,
		.irq_shutdown		= msi_store_shutdown,
		.irq_mask		= msi_store_mask,
		.irq_unmask		= msi_store_unmask,
		.irq_write_msi_msg	= msi_store_write_msg,
		.flags			= IRQCHIP_ONESHOT_SAFE,
	};
	store->dom_ops = (struct msi_domain_ops) {
		.set_desc		= msi_store_set_desc,
	};
	/*
	 * MSI-X is what the parents of PCI devices know which comes closest:
	 * single interrupts, allocated at any time. The size is not used
	 * beyond telling the parent; the labels are in the hands of the table.
	 */
	store->info = (struct msi_domain_info) {
		.bus_token	= dev_is_pci(dev) ? DOMAIN_BUS_PCI_DEVICE_MSIX :
						    DOMAIN_BUS_DEVICE_MSI,
		.hwsize		= hwsize,
		.ops		= &store->dom_ops,
		.dev		= dev,
		.chip		= &store->chip,
		.alloc_data	= &store->alloc_info,
	};

	char *name __free(kfree) = kasprintf(GFP_KERNEL, "%sIMS-%s-%s", pops->prefix ? : "",
					     store->name, dev_name(dev));
	if (!name)
		return -ENOMEM;
	store->chip.name = name;

	struct fwnode_handle *fwnode __free(irq_domain_free_fwnode) =
		irq_domain_alloc_named_fwnode(name);
	if (!fwnode)
		return -ENOMEM;

	if (!pops->init_dev_msi_info(dev, parent, parent, &store->info))
		return -EOPNOTSUPP;

	store->domain = msi_create_irq_domain(fwnode, &store->info, parent);
	if (!store->domain)
		return -ENOMEM;

	ret = store->dom_ops.msi_prepare(store->domain, dev, max(hwsize, 1U), &store->alloc_info);
	if (ret) {
		irq_domain_remove(store->domain);
		return ret == -EINVAL ? -EOPNOTSUPP : ret;
	}

	store->fwnode = no_free_ptr(fwnode);
	retain_and_null_ptr(name);
	return 0;
}

/**
 * msi_allocate_table - Create the table of a device-specific message store
 * @dev:	Device which has the store, bound to the calling driver
 * @info:	Description of the store; not needed after the call
 *
 * The table starts without vectors. It is freed by msi_table_free(), or when
 * @dev is unbound from its driver.
 *
 * A GICv3 ITS makes room for the messages of a device when the first of its MSI
 * domains is created, by the size of that, and all others share it. When it is
 * used up, allocation fails with %-ENOSPC.
 *
 * Context: May sleep.
 *
 * Return: The table, or an ERR_PTR():
 *
 *	%-EINVAL	@info is incomplete or contradictory
 *	%-EEXIST	@dev has a table of this name
 *	%-ENODEV	@dev has no MSI domain
 *	%-EOPNOTSUPP	the domain is not an MSI parent, can not serve this
 *			device, or does not see to it that the messages of a
 *			device-specific store arrive, which is said in the log;
 *			see %MSI_TABLE_UNREMAPPED
 *	%-ENOSPC	the parent has no room for another store of the device
 *	%-ENOMEM	no memory
 */
struct msi_table *msi_allocate_table(struct device *dev, const struct msi_table_info *info)
{
	struct irq_domain *parent;
	size_t name_size;
	int ret;

	if (!msi_table_info_valid(info))
		return ERR_PTR(-EINVAL);

	parent = info->parent ? : dev_get_msi_domain(dev);
	if (!parent)
		return ERR_PTR(-ENODEV);
	if (!irq_domain_is_msi_parent(parent) || !msi_parent_serves_bus(dev, parent) ||
	    !msi_parent_routes_ims(dev, parent, info))
		return ERR_PTR(-EOPNOTSUPP);

	name_size = strlen(info->name) + 1;
	struct msi_store *store __free(kfree) = kzalloc_flex(*store, name, name_size);
	if (!store)
		return ERR_PTR(-ENOMEM);

	strscpy(store->name, info->name, name_size);
	store->ops = info->ops;
	store->table.dev = dev;
	store->table.backend = &msi_store_backend;
	store->table.name = store->name;
	store->table.data = info->data;
	store->table.size = info->size;

	ret = msi_table_register(&store->table);
	if (ret)
		return ERR_PTR(ret);

	ret = msi_store_create_domain(store, parent);
	if (ret) {
		msi_table_unregister(&store->table);
		return ERR_PTR(ret);
	}
	return &no_free_ptr(store)->table;
}
EXPORT_SYMBOL_GPL(msi_allocate_table);

/**
 * devm_msi_allocate_table - Create a table which is freed on unbind
 * @dev:	Device which has the store, bound to the calling driver
 * @info:	Description of the store; not needed after the call
 *
 * Like msi_allocate_table(), for a driver which leaves freeing the table to the
 * device's resources.
 *
 * Context: May sleep.
 *
 * Return: The table, or an ERR_PTR() as msi_allocate_table()
 */
struct msi_table *devm_msi_allocate_table(struct device *dev, const struct msi_table_info *info)
{
	struct msi_table *table = msi_allocate_table(dev, info);

	if (!IS_ERR(table))
		table->managed = true;
	return table;
}
EXPORT_SYMBOL_GPL(devm_msi_allocate_table);
