/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KERNEL_IRQ_TESTS_MSI_TABLE_PARKED_H
#define _KERNEL_IRQ_TESTS_MSI_TABLE_PARKED_H

#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/kernfs.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

/* Kept by its table for whoever wants the label next, and nobody's until then */
static inline bool msi_irq_is_parked(unsigned int irq)
{
	struct irq_data *data;

	/* It may be given back at any time. */
	guard(rcu)();
	data = irq_get_irq_data(irq);
	return data && data->domain && data->chip->name &&
	       !strcmp(data->chip->name, "MSI-cut-off") && !irqd_is_activated(data) &&
	       !irq_has_action(irq);
}

/* While it is closed nothing can be added to msi_irqs/ of a device. */
static inline void msi_irqs_set_closed(struct device *dev, bool closed)
{
	struct kernfs_node *dir = kernfs_find_and_get(dev->kobj.sd, "msi_irqs");

	if (closed)
		dir->flags |= KERNFS_EMPTY_DIR;
	else
		dir->flags &= ~KERNFS_EMPTY_DIR;
	kernfs_put(dir);
}

#endif /* _KERNEL_IRQ_TESTS_MSI_TABLE_PARKED_H */
