/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_MSI_TABLE_CORE_H
#define _LINUX_MSI_TABLE_CORE_H

/*
 * The inside of MSI tables, for the interrupt core and for bus code which
 * provides tables. Device drivers use <linux/msi_table.h>.
 */

#include <linux/list.h>
#include <linux/msi_table.h>
#include <linux/xarray.h>

struct msi_desc;

/**
 * struct msi_vector - One allocated message of a table
 * @table:	Table which the vector belongs to
 * @desc:	MSI descriptor of the interrupt
 * @cookie:	From msi_vector_request::cookie
 * @dev_id:	dev_id of the handler which the core installed
 * @irq:	Linux interrupt number
 * @label:	Label, which is also the hwirq in the table's irq domain
 * @requested:	The core installed a handler
 */
struct msi_vector {
	struct msi_table	*table;
	struct msi_desc		*desc;
	void			*cookie;
	void			*dev_id;
	unsigned int		irq;
	u32			label;
	bool			requested;
};

/**
 * struct msi_table_backend - What a kind of table implements
 * @vector_size:	Size of the structure which begins with &struct msi_vector
 * @alloc:		Allocate the interrupt of a vector whose table, label and
 *			cookie are set. Sets msi_vector::irq and desc. A failure
 *			leaves everything as it was.
 * @free:		Free the interrupt, which has no handler any more
 * @destroy:		Undo the rest of the table's creation and free it. All
 *			vectors are freed. When msi_table::abandoned is set then
 *			whatever a leaked interrupt still refers to must be leaked
 *			as well.
 *
 * All may sleep. @alloc and @free are called concurrently for different labels.
 */
struct msi_table_backend {
	size_t	vector_size;
	int	(*alloc)(struct msi_vector *vector, const struct msi_vector_request *req);
	void	(*free)(struct msi_vector *vector);
	void	(*destroy)(struct msi_table *table);
};

/**
 * struct msi_table - One physical store of messages
 * @dev:	Device which has the store
 * @backend:	Operations of this kind of table
 * @name:	Name of the table, unique on @dev
 * @data:	From msi_table_info::data
 * @size:	Number of labels, 0 if unlimited
 * @managed:	Created by a devm function
 * @abandoned:	An interrupt had to be leaked
 * @labels:	Label to &struct msi_vector. An allocated slot without a vector
 *		is being allocated, being freed, or leaked.
 * @node:	In the list of all tables
 * @devres:	The device resource which frees the table on unbind
 */
struct msi_table {
	struct device				*dev;
	const struct msi_table_backend		*backend;
	const char				*name;
	void					*data;
	u32					size;
	bool					managed;
	bool					abandoned;
	struct xarray				labels;
	struct list_head			node;
	struct msi_table			**devres;
};

int msi_table_register(struct msi_table *table);
void msi_table_unregister(struct msi_table *table);

#endif /* _LINUX_MSI_TABLE_CORE_H */
