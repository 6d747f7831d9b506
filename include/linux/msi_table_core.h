/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_MSI_TABLE_CORE_H
#define _LINUX_MSI_TABLE_CORE_H

/*
 * The inside of MSI tables, for the interrupt core and for bus code which
 * provides tables. Device drivers use <linux/msi_table.h>.
 */

#include <linux/list.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/rcupdate.h>
#include <linux/xarray.h>

struct dentry;

/**
 * struct msi_vector - One allocated message of a table
 * @table:	Table which the vector belongs to
 * @desc:	MSI descriptor of the interrupt
 * @cookie:	From msi_vector_request::cookie or cookies
 * @watchers:	List of &struct msi_watcher, protected by the lock of the
 *		interrupt descriptor of @desc's first interrupt
 * @rcu:	For those who walk the vectors of a table
 * @dev_id:	dev_id of the handler which the core installed
 * @irq:	Linux interrupt number
 * @label:	Label, which is also the hwirq in the table's irq domain
 * @requested:	The core installed a handler
 */
struct msi_vector {
	struct msi_table	*table;
	struct msi_desc		*desc;
	void			*cookie;
	struct hlist_head	watchers;
	struct rcu_head		rcu;
	void			*dev_id;
	unsigned int		irq;
	u32			label;
	bool			requested;
};

/**
 * struct msi_table_backend - What a kind of table implements
 * @kind:		For debugfs
 * @vector_size:	Size of the structure which begins with &struct msi_vector
 * @alloc:		Allocate the interrupts of vectors with consecutive labels,
 *			whose table, label and cookie are set. Sets their irq and
 *			desc. Returns how many were allocated, the first ones, or
 *			an error when there was none, and nothing has changed.
 *			@lowest is the lowest label which would have done.
 * @free:		Free the interrupts of vectors, which have no handler any
 *			more, in any order of labels. Also called for a batch
 *			which fails half way.
 * @restore:		Optional. Write messages and masks to the device again.
 * @destroy:		Undo the rest of the table's creation and free it. All
 *			vectors are freed. When msi_table::abandoned is set then
 *			whatever a leaked interrupt still refers to must be leaked
 *			as well.
 *
 * All may sleep. @alloc, @free and @restore are called concurrently, but @alloc
 * and @free not for the same label.
 */
struct msi_table_backend {
	const char	*kind;
	size_t		vector_size;
	int		(*alloc)(struct msi_table *table, struct msi_vector **vectors,
				 unsigned int n, u32 lowest,
				 const struct irq_affinity_desc *affinity);
	void		(*free)(struct msi_table *table, struct msi_vector **vectors,
				unsigned int n);
	void		(*restore)(struct msi_table *table);
	void		(*destroy)(struct msi_table *table);
};

/**
 * struct msi_table - One physical store of messages
 * @dev:	Device which has the store
 * @backend:	Operations of this kind of table
 * @name:	Name of the table, unique on @dev
 * @data:	From msi_table_info::data
 * @size:	Number of labels, 0 if unlimited
 * @managed:	Created by a devm function
 * @used:	An allocation has succeeded
 * @abandoned:	An interrupt had to be leaked
 * @labels:	Label to &struct msi_vector. An allocated slot without a vector
 *		is being allocated, being freed, or leaked.
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
	bool					managed;
	bool					used;
	bool					abandoned;
	struct xarray				labels;
	struct list_head			node;
	struct msi_table			**devres;
#ifdef CONFIG_GENERIC_IRQ_DEBUGFS
	struct dentry				*debugfs;
#endif
};

int msi_table_register(struct msi_table *table);
void msi_table_unregister(struct msi_table *table);
void msi_vector_changed(struct msi_vector *vector, const struct msi_message *msg);
void msi_table_cut_off(unsigned int irq);

/* What drivers and watchers see of the irq core's message */
static inline struct msi_message msi_message_from_msg(const struct msi_msg *msg)
{
	return (struct msi_message) {
		.address	= (u64)msg->address_hi << 32 | msg->address_lo,
		.data		= msg->data,
	};
}

static inline bool msi_message_valid(const struct msi_message *msg)
{
	return msg->address || msg->data;
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
