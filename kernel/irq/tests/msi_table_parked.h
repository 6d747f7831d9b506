/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KERNEL_IRQ_TESTS_MSI_TABLE_PARKED_H
#define _KERNEL_IRQ_TESTS_MSI_TABLE_PARKED_H

#include <linux/cleanup.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
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

#endif /* _KERNEL_IRQ_TESTS_MSI_TABLE_PARKED_H */
