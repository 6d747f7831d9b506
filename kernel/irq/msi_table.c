// SPDX-License-Identifier: GPL-2.0
/*
 * MSI tables: one allocator for message signalled interrupts
 *
 * A table stands for one physical store of messages, a vector for one message
 * in it. This file knows about labels, lifetimes and handlers. What the store
 * is and how its interrupts come into being is up to the backend of the table:
 * msi_table_store.c for device-specific stores, drivers/pci/msi/table.c for
 * the MSI-X and MSI capabilities of PCI functions.
 */
#include <linux/device.h>
#include <linux/device/devres.h>
#include <linux/export.h>
#include <linux/irq.h>
#include <linux/kmemleak.h>
#include <linux/msi.h>
#include <linux/msi_table_core.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "internals.h"

/* Protects the list of tables, and the first use of a device's MSI data */
static DEFINE_MUTEX(msi_tables_mutex);
static LIST_HEAD(msi_tables);

static void msi_table_devres_release(struct device *dev, void *res)
{
	struct msi_table *table = *(struct msi_table **)res;

	/* Freed by the driver, while the device was being unbound */
	if (!table)
		return;

	if (!table->managed)
		dev_warn(dev, "MSI table %s was not freed by the driver\n", table->name);
	msi_table_free(table);
}

static int msi_table_devres_match(struct device *dev, void *res, void *data)
{
	return res == data;
}

/**
 * msi_table_register - Bring a new table to life
 * @table:	Zeroed table, with device, backend, name and size set
 *
 * From here on the table is freed when its device is unbound.
 *
 * Context: May sleep.
 *
 * Return: 0, %-EEXIST when the device has a table of this kind and name, or %-ENOMEM
 */
int msi_table_register(struct msi_table *table)
{
	struct device *dev = table->dev;
	struct msi_table *other;
	struct msi_table **res;
	int ret;

	xa_init_flags(&table->labels, XA_FLAGS_ALLOC);

	guard(mutex)(&msi_tables_mutex);
	list_for_each_entry(other, &msi_tables, node) {
		if (other->dev == dev && other->backend == table->backend &&
		    !strcmp(other->name, table->name))
			return -EEXIST;
	}

	/*
	 * The resource of the MSI data must be older than that of the table:
	 * its release destroys the PCI domain and the group in sysfs, which the
	 * vectors of the table need.
	 */
	ret = msi_setup_device_data(dev);
	if (ret)
		return ret;

	res = devres_alloc(msi_table_devres_release, sizeof(*res), GFP_KERNEL);
	if (!res)
		return -ENOMEM;

	*res = table;
	table->devres = res;
	list_add_tail(&table->node, &msi_tables);
	devres_add(dev, res);
	return 0;
}

/**
 * msi_table_unregister - Undo msi_table_register()
 * @table:	Table without vectors
 *
 * For a backend whose creation of a table fails later on.
 *
 * Context: May sleep.
 */
void msi_table_unregister(struct msi_table *table)
{
	struct msi_table **res = table->devres;

	scoped_guard(mutex, &msi_tables_mutex)
		list_del(&table->node);
	xa_destroy(&table->labels);

	/*
	 * While the device is being unbound the resource can not be found any
	 * more, and is released later. So it must not find the table either.
	 */
	*res = NULL;
	devres_destroy(table->dev, msi_table_devres_release, msi_table_devres_match, res);
}

/**
 * msi_table_free - Free a table
 * @table:	Table to free
 *
 * Frees the vectors which are left like msi_table_free_vector() does. The
 * caller makes sure that nothing uses the table or a vector of it any more.
 *
 * A table which the driver did not free is freed when its device is unbound, in
 * the order of the device's resources: one which is older than the table, e.g.
 * a devm action, finds it gone and must not free it.
 *
 * Context: May sleep.
 */
void msi_table_free(struct msi_table *table)
{
	struct msi_vector *vector;
	unsigned long label;

	xa_for_each(&table->labels, label, vector)
		msi_table_free_vector(table, vector);

	msi_table_unregister(table);
	table->backend->destroy(table);
}
EXPORT_SYMBOL_GPL(msi_table_free);

/**
 * msi_table_alloc - Allocate a vector
 * @table:	Table to allocate from
 * @req:	Which vector is wanted
 *
 * Takes the lowest free label from @req->lowest to @req->highest. The vector
 * reserves an interrupt number and, where the parent supports it, no more than
 * a reservation of a CPU vector. The store gets a valid message when a handler
 * is installed.
 *
 * Context: May sleep. May run concurrently with any other allocation and free.
 *
 * Return: The vector, or an ERR_PTR():
 *
 *	%-EBUSY		the label is taken, and it was the only one asked for
 *	%-ENOSPC	all labels of the range are taken, or the parent domain is
 *			out of vectors
 *	%-ERANGE	the range is empty or not inside the table
 *	%-EOPNOTSUPP	the parent can not allocate this label, or not any more
 *	%-ENOMEM	no memory, or the parent domain is out of vectors
 *
 *	or an error of msi_table_ops::init_vector. A failure changes nothing.
 */
struct msi_vector *msi_table_alloc(struct msi_table *table, const struct msi_vector_request *req)
{
	u32 last = table->size ? table->size - 1 : MSI_LABEL_ANY - 1;
	u32 highest = req->highest == MSI_LABEL_ANY ? last : req->highest;
	int ret;

	if (req->lowest > highest || highest > last)
		return ERR_PTR(-ERANGE);

	struct msi_vector *vector __free(kfree) = kzalloc(table->backend->vector_size, GFP_KERNEL);
	if (!vector)
		return ERR_PTR(-ENOMEM);

	vector->table = table;
	vector->cookie = req->cookie;
	ret = xa_alloc(&table->labels, &vector->label, NULL, XA_LIMIT(req->lowest, highest),
		       GFP_KERNEL);
	if (ret == -EBUSY && req->lowest != highest)
		ret = -ENOSPC;
	if (ret)
		return ERR_PTR(ret);

	ret = table->backend->alloc(vector, req);
	if (ret) {
		xa_erase(&table->labels, vector->label);
		return ERR_PTR(ret);
	}

	/* The slot exists, so this can not fail. */
	xa_store(&table->labels, vector->label, vector, GFP_KERNEL);
	return no_free_ptr(vector);
}
EXPORT_SYMBOL_GPL(msi_table_alloc);

/*
 * The chip of a leaked interrupt. Whoever has a handler on it may still mask,
 * move and free it, but nothing of that may reach the device, the store or the
 * table, which are gone by then.
 */
static void msi_dead_noop(struct irq_data *data) { }

static void msi_dead_write_msg(struct irq_data *data, struct msi_msg *msg) { }

static void msi_dead_ack(struct irq_data *data)
{
	if (data->parent_data && data->parent_data->chip->irq_ack)
		irq_chip_ack_parent(data);
}

static void msi_dead_eoi(struct irq_data *data)
{
	if (data->parent_data && data->parent_data->chip->irq_eoi)
		irq_chip_eoi_parent(data);
}

static int msi_dead_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	return data->parent_data ? irq_chip_set_affinity_parent(data, mask, force) : -EINVAL;
}

static struct irq_chip msi_dead_chip = {
	.name			= "MSI-dead",
	.irq_mask		= msi_dead_noop,
	.irq_unmask		= msi_dead_noop,
	.irq_ack		= msi_dead_ack,
	.irq_eoi		= msi_dead_eoi,
	.irq_set_affinity	= msi_dead_set_affinity,
	.irq_write_msi_msg	= msi_dead_write_msg,
	.flags			= IRQCHIP_SKIP_SET_WAKE | IRQCHIP_ONESHOT_SAFE,
};

/*
 * Leak an interrupt which somebody else's handler is installed on. Masked and
 * cleared for the last time, then cut off from the device.
 */
static void msi_vector_abandon(struct msi_vector *vector)
{
	scoped_irqdesc_get_and_lock(vector->irq, 0) {
		struct irq_data *data = &scoped_irqdesc->irq_data;
		struct msi_msg msg = { };

		/* Reaches the device also where the parent took over irq_mask. */
		if (data->chip->irq_shutdown)
			data->chip->irq_shutdown(data);
		else
			data->chip->irq_mask(data);
		/* The message of multiple MSI belongs to the other vectors too. */
		if (vector->desc->nvec_used == 1 && data->chip->irq_write_msi_msg)
			data->chip->irq_write_msi_msg(data, &msg);
		data->chip = &msi_dead_chip;
	}

	if (vector->desc->nvec_used == 1)
		msi_sysfs_remove_desc(vector->table->dev, vector->desc);
	vector->table->abandoned = true;
	/* Its MSI descriptor refers to the device. */
	get_device(vector->table->dev);
	kmemleak_not_leak(vector);
}

/**
 * msi_table_free_vector - Free a vector
 * @table:	Table which the vector was allocated from
 * @vector:	Vector to free
 *
 * Frees the handler which msi_vector_request_irq() installed. A handler which
 * was installed in another way has to be freed before; otherwise this warns,
 * cuts the interrupt off from the device and leaks it together with its label.
 *
 * Context: May sleep. May run concurrently with any other allocation and free.
 */
void msi_table_free_vector(struct msi_table *table, struct msi_vector *vector)
{
	u32 label = vector->label;

	if (WARN_ON_ONCE(vector->table != table))
		return;

	/* Keeps the label while the vector goes away. */
	xa_store(&table->labels, label, NULL, GFP_KERNEL);
	msi_vector_free_irq(vector);

	if (WARN(irq_has_action(vector->irq),
		 "%s: MSI table %s: irq %u of label %u still has a handler\n",
		 dev_name(table->dev), table->name, vector->irq, label)) {
		msi_vector_abandon(vector);
		return;
	}

	table->backend->free(vector);
	kfree(vector);
	xa_erase(&table->labels, label);
}
EXPORT_SYMBOL_GPL(msi_table_free_vector);

/**
 * msi_vector_request_irq - Install the handler of a vector
 * @vector:	Vector to install the handler on
 * @handler:	Called in hard interrupt context, or NULL for the default which
 *		wakes the thread
 * @thread_fn:	Called in a thread, or NULL
 * @flags:	IRQF_* flags
 * @name:	Name for /proc/interrupts; not copied
 * @dev_id:	Cookie for the handler
 *
 * Like request_threaded_irq(), but the handler belongs to the vector: it is
 * freed by msi_vector_free_irq(), or together with the vector or the table. A
 * driver may use request_irq() on msi_vector_irq() instead, and has to free
 * that itself.
 *
 * Context: May sleep. Not concurrently with itself or msi_vector_free_irq() on
 * one vector.
 *
 * Return: 0, %-EBUSY when the vector has a handler, %-ENOSPC when there is no
 * CPU vector left, or another error of request_threaded_irq()
 */
int msi_vector_request_irq(struct msi_vector *vector, irq_handler_t handler,
			   irq_handler_t thread_fn, unsigned long flags, const char *name,
			   void *dev_id)
{
	int ret;

	if (vector->requested)
		return -EBUSY;

	ret = request_threaded_irq(vector->irq, handler, thread_fn, flags, name, dev_id);
	if (ret)
		return ret;

	vector->dev_id = dev_id;
	vector->requested = true;
	return 0;
}
EXPORT_SYMBOL_GPL(msi_vector_request_irq);

/**
 * msi_vector_free_irq - Free the handler of a vector
 * @vector:	Vector to free the handler of
 *
 * Does nothing when msi_vector_request_irq() installed none. The handler does
 * not run any more when this returns.
 *
 * Context: May sleep. Not concurrently with itself or msi_vector_request_irq()
 * on one vector.
 */
void msi_vector_free_irq(struct msi_vector *vector)
{
	if (!vector->requested)
		return;

	vector->requested = false;
	free_irq(vector->irq, vector->dev_id);
}
EXPORT_SYMBOL_GPL(msi_vector_free_irq);

/**
 * msi_vector_get_msg - Read the message of a vector
 * @vector:	Vector to read the message of
 * @msg:	Where to put the message
 *
 * The message may change at any time when the affinity of the interrupt does.
 *
 * Context: Any, but not from a msi_table_ops callback or with the lock of the
 * interrupt descriptor held.
 *
 * Return: 0, or %-EAGAIN as long as there is no valid message because no
 * handler is installed
 */
int msi_vector_get_msg(const struct msi_vector *vector, struct msi_message *msg)
{
	scoped_irqdesc_get_and_lock(vector->irq, 0) {
		struct irq_data *data = &scoped_irqdesc->irq_data;
		struct msi_desc *desc = vector->desc;

		if (!irqd_is_activated(data))
			return -EAGAIN;

		msg->address = (u64)desc->msg.address_hi << 32 | desc->msg.address_lo;
		/* The device adds the message number to the data of multiple MSI. */
		msg->data = desc->msg.data + (vector->irq - desc->irq);
		return 0;
	}
	return -EAGAIN;
}
EXPORT_SYMBOL_GPL(msi_vector_get_msg);

/**
 * msi_vector_irq - The Linux interrupt number of a vector
 * @vector:	The vector
 *
 * Context: Any.
 *
 * Return: the interrupt number
 */
unsigned int msi_vector_irq(const struct msi_vector *vector)
{
	return vector->irq;
}
EXPORT_SYMBOL_GPL(msi_vector_irq);

/**
 * msi_vector_label - The label of a vector
 * @vector:	The vector
 *
 * Context: Any.
 *
 * Return: MSI-X table index, MSI message number, or entry number of the store
 */
u32 msi_vector_label(const struct msi_vector *vector)
{
	return vector->label;
}
EXPORT_SYMBOL_GPL(msi_vector_label);

/**
 * msi_vector_cookie - The cookie a vector was allocated with
 * @vector:	The vector
 *
 * Context: Any.
 *
 * Return: msi_vector_request::cookie
 */
void *msi_vector_cookie(const struct msi_vector *vector)
{
	return vector->cookie;
}
EXPORT_SYMBOL_GPL(msi_vector_cookie);

/**
 * msi_vector_table - The table of a vector
 * @vector:	The vector
 *
 * Context: Any.
 *
 * Return: the table which the vector was allocated from
 */
struct msi_table *msi_vector_table(const struct msi_vector *vector)
{
	return vector->table;
}
EXPORT_SYMBOL_GPL(msi_vector_table);

/**
 * msi_table_data - The driver data of a table
 * @table:	The table
 *
 * Context: Any.
 *
 * Return: msi_table_info::data, NULL for a PCI table
 */
void *msi_table_data(const struct msi_table *table)
{
	return table->data;
}
EXPORT_SYMBOL_GPL(msi_table_data);

/**
 * msi_table_size - The size of a table
 * @table:	The table
 *
 * Context: Any.
 *
 * Return: the number of labels, 0 for a store without a hardware index
 */
u32 msi_table_size(const struct msi_table *table)
{
	return table->size;
}
EXPORT_SYMBOL_GPL(msi_table_size);
