/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_MSI_TABLE_H
#define _LINUX_MSI_TABLE_H

/*
 * Message signalled interrupts for device drivers: a table for each physical
 * store of messages, vectors taken from it one by one.
 */

#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/types.h>

struct device;
struct irq_affinity;
struct irq_affinity_desc;
struct irq_domain;
struct msi_msg;
struct msi_table;
struct msi_vector;
struct pci_dev;

/* Any label: as a request for one, and as the open end of a range. */
#define MSI_LABEL_ANY		U32_MAX

/* Kinds of table which pci_allocate_msi_table() may return; see msi_table_kind() */
#define MSI_TABLE_MSIX		BIT(0)
#define MSI_TABLE_MSI		BIT(1)
#define MSI_TABLE_INTX		BIT(2)
#define MSI_TABLE_ALL_KINDS	(MSI_TABLE_MSIX | MSI_TABLE_MSI | MSI_TABLE_INTX)

/* msi_table_info::flags */
#define MSI_TABLE_UNREMAPPED	BIT(0)
#define MSI_TABLE_NO_SYSFS	BIT(1)

/**
 * struct msi_watcher - Somebody besides the device who uses a message
 * @notify:	Called with the new message whenever it changes, all zero when
 *		it becomes invalid. Runs with the lock of an interrupt
 *		descriptor held and interrupts disabled.
 * @node:	For msi_vector_watch()
 * @vector:	For msi_vector_watch()
 */
struct msi_watcher {
	void			(*notify)(struct msi_watcher *watcher,
					  const struct msi_msg *msg);
	struct hlist_node	node;
	struct msi_vector	*vector;
};

/**
 * struct msi_table_ops - What a device-specific message store implements
 * @write_msg:		Required. Put @msg where the device reads it. The
 *			device may send it at once unless the vector is masked,
 *			which it need not be. A device which may read the slot at
 *			that time must not find half of @msg there.
 * @clear_msg:		Make the message invalid. On return the device does not
 *			send it any more, so a posted write has to be flushed.
 *			Required without @mask and @unmask. When it is
 *			missing, @write_msg is called with an all-zero message
 *			on a masked vector.
 * @mask:		Stop the device from sending the message. Given together
 *			with @unmask or not at all. On return no further message
 *			leaves the device, so a posted write has to be flushed.
 * @unmask:		Let the device send the message
 * @init_vector:	Optional. Prepare the slot, before its first message
 * @exit_vector:	Optional. Undo @init_vector, after its last message
 * @lock:		For a store behind a slow bus, which can not be written in
 *			atomic context. Take the lock of the bus. Given together
 *			with @unlock or not at all.
 * @unlock:		Write to the device what was recorded, release the lock
 *
 * @init_vector, @exit_vector, @lock and @unlock may sleep. All others are called
 * with the interrupt descriptor's raw lock held and interrupts disabled; calls
 * for different vectors of a table may run at the same time.
 *
 * With @lock and @unlock the others only record what is to be written, and
 * most run between the two. Some do not: masking an interrupt which arrives
 * while it is disabled, for one. What they record is due at the next @unlock.
 * Such a store needs a parent whose messages do not change with the affinity.
 *
 * A new vector is masked, or cleared if the store can not mask. It gets its
 * message when a handler is installed, and is masked and cleared when the
 * handler is freed. No op of the store runs after msi_table_free() has returned
 * or the device has been unbound from its driver.
 *
 * The core knows nothing of a slot without a vector. Whoever had the device
 * before, firmware, another driver or the kernel before kexec, may have left one
 * on: the driver silences all of them before it creates the table.
 *
 * None of @write_msg, @clear_msg, @mask and @unmask runs, but for msi_table_restore()
 * and msi_vector_restore(), while the device can not be reached: from its
 * suspend_noirq on until msi_table_restore() or the end of its resume_noirq; a
 * PCI device which is not in D0, is offline after an error, or is being reset by
 * the PCI core; another device which is runtime suspended. The others run
 * whenever a vector or its handler comes or goes, also then.
 */
struct msi_table_ops {
	void	(*write_msg)(struct msi_vector *vector, const struct msi_msg *msg);
	void	(*clear_msg)(struct msi_vector *vector);
	void	(*mask)(struct msi_vector *vector);
	void	(*unmask)(struct msi_vector *vector);
	int	(*init_vector)(struct msi_vector *vector);
	void	(*exit_vector)(struct msi_vector *vector);
	void	(*lock)(struct msi_table *table);
	void	(*unlock)(struct msi_table *table);
};

/**
 * struct msi_mmio_layout - A plain linear message store in MMIO
 * @base:	Register block of label 0
 * @stride:	Distance from one label's registers to the next, in bytes
 * @address_lo:	Offset of the lower half of the address, in bytes
 * @address_hi:	Offset of the upper half of the address, in bytes
 * @data:	Offset of the data, in bytes
 * @control:	Offset of the control register, in bytes
 * @mask:	Bits of the control register which, when set, keep the device
 *		from sending
 * @bits:	Optional. What the other bits of the control register are for a vector,
 *		a PASID for example, which comes from the vector's cookie. They are
 *		written with the mask, also by msi_table_restore(). Called in atomic
 *		context. Without it, and in slots without a vector, they are left as
 *		they are.
 *
 * When the table is created all slots are masked, if the device can be reached then.
 * All registers have 32 bits and are little endian. An MSI-X table looks like
 * this: stride 16, offsets 0, 4, 8 and 12, mask bit 0 (PCIe 6.0, 7.7.2).
 */
struct msi_mmio_layout {
	void __iomem	*base;
	u32		stride;
	u32		address_lo;
	u32		address_hi;
	u32		data;
	u32		control;
	u32		mask;
	u32		(*bits)(const struct msi_vector *vector);
};

/**
 * struct msi_table_info - Description of a device-specific message store
 * @name:	Name of the store, unique among the tables of the device; that of its
 *		PCI function has the name "PCI". The interrupts appear as
 *		IMS-<name>-<device> in /proc/interrupts. Copied.
 * @ops:	Operations of the store, for as long as the table exists
 * @mmio:	Instead of @ops: where the store is, and how it looks like. Copied.
 *		The registers have to stay mapped as long as the table exists.
 * @size:	Number of labels, or 0 when the hardware has no index. Labels
 *		are software indices then.
 * @expected:	How many vectors there are going to be at a time, about, for parents
 *		which make room for them when the table is created, as the GICv3
 *		ITS does. Default 64; no more than @size, or 65536 without one.
 * @parent:	Parent interrupt domain, which must outlive the table, or NULL for the
 *		device's own MSI parent
 * @data:	For the driver, returned by msi_table_data()
 * @flags:	%MSI_TABLE_UNREMAPPED: the driver vouches that whoever routes
 *		the messages of this store understands them without interrupt
 *		remapping, e.g. because the device is fully emulated.
 *		%MSI_TABLE_NO_SYSFS: the interrupts do not appear in msi_irqs/ of
 *		the device, where irqbalance would find them, because the driver
 *		alone says where they go.
 */
struct msi_table_info {
	const char			*name;
	const struct msi_table_ops	*ops;
	const struct msi_mmio_layout	*mmio;
	u32				size;
	u32				expected;
	struct irq_domain		*parent;
	void				*data;
	unsigned int			flags;
};

/**
 * struct msi_vector_request - Which vector to allocate
 * @lowest:	Lowest acceptable label
 * @highest:	Highest acceptable label, %MSI_LABEL_ANY for the table's last
 * @cookie:	For the driver and its store, e.g. a queue. Set before the
 *		first call of an op for the vector; see msi_vector_cookie().
 * @cookies:	The same for a batch: NULL, or an array with one for each vector,
 *		instead of @cookie
 * @affinity:	Initial affinity of the interrupt, managed or not, or NULL. For
 *		a batch an array with one for each vector which is wanted.
 * @spread:	How to spread a batch over the CPUs, instead of @affinity, or NULL.
 *		See msi_table_alloc_vectors().
 */
struct msi_vector_request {
	u32				lowest;
	u32				highest;
	void				*cookie;
	void				**cookies;
	const struct irq_affinity_desc	*affinity;
	const struct irq_affinity	*spread;
};

struct msi_table *msi_allocate_table(struct device *dev, const struct msi_table_info *info);
void msi_table_free(struct msi_table *table);

DEFINE_FREE(msi_table, struct msi_table *, if (!IS_ERR_OR_NULL(_T)) msi_table_free(_T))

#ifdef CONFIG_PCI
struct msi_table *pci_allocate_msi_table(struct pci_dev *pdev, unsigned int flags);
#else
static inline struct msi_table *pci_allocate_msi_table(struct pci_dev *pdev, unsigned int flags)
{
	return ERR_PTR(-ENODEV);
}
#endif

struct msi_vector *msi_table_alloc_vector_req(struct msi_table *table,
					      const struct msi_vector_request *req);
int msi_table_alloc_vectors(struct msi_table *table, const struct msi_vector_request *req,
			    unsigned int min, unsigned int max, struct msi_vector **vectors);
void msi_table_free_vector(struct msi_table *table, struct msi_vector *vector);
void msi_table_free_vectors(struct msi_table *table, struct msi_vector **vectors, unsigned int n);
void msi_table_free_all(struct msi_table *table);
int msi_table_enable(struct msi_table *table, unsigned int nr);
void msi_table_restore(struct msi_table *table);
void msi_vector_restore(struct msi_vector *vector);

/**
 * msi_table_alloc_vector_range - Allocate the lowest free vector of a range
 * @table:	Table to allocate from
 * @lowest:	Lowest acceptable label
 * @highest:	Highest acceptable label, %MSI_LABEL_ANY for the table's last
 *
 * See msi_table_alloc_vector_req() for context and errors.
 *
 * Return: the vector, or an ERR_PTR()
 */
static inline struct msi_vector *msi_table_alloc_vector_range(struct msi_table *table,
							      u32 lowest, u32 highest)
{
	const struct msi_vector_request req = { .lowest = lowest, .highest = highest };

	return msi_table_alloc_vector_req(table, &req);
}

/**
 * msi_table_alloc_vector - Allocate one vector by its label
 * @table:	Table to allocate from
 * @hw_label:	Label of the vector, %MSI_LABEL_ANY for the lowest free one
 *
 * See msi_table_alloc_vector_req() for context and errors.
 *
 * Return: the vector, or an ERR_PTR()
 */
static inline struct msi_vector *msi_table_alloc_vector(struct msi_table *table, u32 hw_label)
{
	return msi_table_alloc_vector_range(table, hw_label == MSI_LABEL_ANY ? 0 : hw_label,
					    hw_label);
}

__printf(6, 7)
int msi_vector_request_irq(struct msi_vector *vector, irq_handler_t handler,
			   irq_handler_t thread_fn, unsigned long flags, void *dev_id,
			   const char *fmt, ...);
void msi_vector_free_irq(struct msi_vector *vector);
void msi_vector_free_handler(struct msi_vector *vector, void *dev_id);
int msi_vector_get_msg(const struct msi_vector *vector, struct msi_msg *msg);
void msi_vector_watch(struct msi_vector *vector, struct msi_watcher *watcher);
void msi_vector_unwatch(struct msi_vector *vector, struct msi_watcher *watcher);

unsigned int msi_vector_irq(const struct msi_vector *vector);
u32 msi_vector_label(const struct msi_vector *vector);
void *msi_vector_cookie(const struct msi_vector *vector);
struct msi_table *msi_vector_table(const struct msi_vector *vector);
void *msi_table_data(const struct msi_table *table);
u32 msi_table_size(const struct msi_table *table);
unsigned int msi_table_kind(const struct msi_table *table);
bool msi_table_is_dynamic(const struct msi_table *table);
struct msi_vector *msi_table_find(struct msi_table *table, u32 hw_label);
struct msi_vector *msi_table_next(struct msi_table *table, const struct msi_vector *vector);

/**
 * msi_table_for_each - Visit the vectors of a table, in the order of their labels
 * @table:	The table
 * @vector:	&struct msi_vector pointer, the loop cursor
 *
 * None of them may be freed meanwhile. See msi_table_free_all() for that.
 */
#define msi_table_for_each(table, vector)				\
	for ((vector) = msi_table_next((table), NULL); (vector);	\
	     (vector) = msi_table_next((table), (vector)))

DEFINE_FREE(msi_vector, struct msi_vector *,
	    IS_ERR_OR_NULL(_T) ? (void)0 : msi_table_free_vector(msi_vector_table(_T), _T))

#endif /* _LINUX_MSI_TABLE_H */
