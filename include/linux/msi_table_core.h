/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_MSI_TABLE_CORE_H
#define _LINUX_MSI_TABLE_CORE_H

/*
 * The inside of MSI tables, for the interrupt core and for bus code which
 * provides tables. Device drivers use <linux/msi_table.h>.
 */

#include <linux/irq.h>
#include <linux/list.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/xarray.h>

struct dentry;

/**
 * struct msi_vector - One allocated message of a table
 * @table:		Table which the vector belongs to
 * @cookie:		From msi_vector_request::cookie or cookies
 * @dev_id:		dev_id of the handler which the core installed; that of others
 *			which share the interrupt are in msi_table::shared
 * @label:		Label, which is also the hwirq in the table's irq domain
 * @live:		Allocated, and its backend is done with that
 * @requested:		The core installed a handler
 * @shared:		Others may install a handler, too
 *
 * There may be a million of them. The backend's part follows, and with it all
 * of a store's vector has 128 bytes.
 */
struct msi_vector {
	struct msi_table		*table;
	void				*cookie;
	void				*dev_id;
	u32				label;
	bool				live : 1;
	bool				requested : 1;
	bool				shared : 1;
};

/**
 * struct msi_table_backend - What a kind of table implements
 * @name:		For debugfs
 * @kind:		As msi_table_kind() says
 * @vector_size:	Size of the structure which begins with &struct msi_vector
 * @desc:		The MSI descriptor of a vector
 * @alloc:		Allocate the interrupts of vectors with consecutive labels,
 *			whose table, label and cookie are set.
 *			Returns how many were allocated, the first ones, or an
 *			error when there was none, and nothing has changed. @lowest
 *			is the lowest label which would have done. The first allocation
 *			may change backend and size of the table, to what has
 *			vectors of the same size.
 * @commit:		For a backend which sets msi_table::uncommitted, and clears that
 *			here: an allocation has succeeded, whatever calls of @alloc it
 *			took. May be called again.
 * @enable:		Optional. As msi_table_enable() says
 * @free:		Free the interrupts of vectors, which have no handler any
 *			more, in any order of labels. Also called for a batch
 *			which fails half way.
 * @restore:		Write messages and masks to the device again.
 * @restore_vector:	Optional. The same, of one vector
 * @destroy:		Undo the rest of the table's creation and free it. All
 *			vectors are freed.
 *
 * All may sleep, and are called concurrently, but for @destroy, and not for the
 * same label.
 */
struct msi_table_backend {
	const char	*name;
	unsigned int	kind;
	size_t		vector_size;
	struct msi_desc	*(*desc)(const struct msi_vector *vector);
	int		(*alloc)(struct msi_table *table, struct msi_vector **vectors,
				 unsigned int n, u32 lowest,
				 const struct irq_affinity_desc *affinity);
	void		(*commit)(struct msi_table *table);
	int		(*enable)(struct msi_table *table, unsigned int nr);
	void		(*free)(struct msi_table *table, struct msi_vector **vectors,
				unsigned int n);
	void		(*restore)(struct msi_table *table);
	void		(*restore_vector)(struct msi_vector *vector);
	void		(*destroy)(struct msi_table *table);
};

/**
 * struct msi_table - One physical store of messages
 * @dev:	Device which has the store
 * @backend:	Operations of this kind of table
 * @name:	Name of the table, unique on @dev
 * @data:	From msi_table_info::data
 * @size:	Number of labels, 0 if unlimited
 * @dynamic:	Vectors can be allocated whenever there is one
 * @uncommitted:	The backend is to hear of the next allocation which succeeds
 * @labels:	Label to &struct msi_vector. Whoever uses a vector he found here
 *		holds the lock.
 * @watchers:	List of &struct msi_watcher
 * @shared:	List of &struct msi_shared_handler
 * @watch_lock:	Protects @watchers and @shared; nests in the locks of interrupt
 *		descriptors
 * @node:	In the list of all tables
 * @devres:	The device resource which frees the table on unbind
 * @debugfs:	File in debugfs
 */
struct msi_table {
	struct device				*dev;
	const struct msi_table_backend		*backend;
	const char				*name;
	void					*data;
	u32					size;
	bool					dynamic;
	bool					uncommitted;
	struct xarray				labels;
	struct hlist_head			watchers;
	struct hlist_head			shared;
	raw_spinlock_t				watch_lock;
	struct list_head			node;
	struct msi_table			**devres;
#ifdef CONFIG_GENERIC_IRQ_DEBUGFS
	struct dentry				*debugfs;
#endif
};

int msi_table_register(struct msi_table *table);
void msi_table_unregister(struct msi_table *table);
void msi_table_changed(struct msi_table *table, const struct msi_desc *desc);

static inline struct msi_desc *msi_vector_desc(const struct msi_vector *vector)
{
	return vector->table->backend->desc(vector);
}

static inline bool msi_msg_valid(const struct msi_msg *msg)
{
	return msg->address_lo || msg->address_hi || msg->data;
}

/* How many of the vectors, from the first one on, have consecutive labels */
static inline unsigned int msi_vectors_run(struct msi_vector **vectors, unsigned int n)
{
	unsigned int run = 1;

	while (run < n && vectors[run]->label == vectors[0]->label + run)
		run++;
	return run;
}

#endif /* _LINUX_MSI_TABLE_CORE_H */
