// SPDX-License-Identifier: GPL-2.0

#include <linux/interrupt.h>
#include <linux/msi_table.h>
#include <linux/refcount.h>

__rust_helper void rust_helper_refcount_add(int i, refcount_t *r)
{
	refcount_add(i, r);
}

__rust_helper bool rust_helper_refcount_sub_and_test(int i, refcount_t *r)
{
	return refcount_sub_and_test(i, r);
}

#ifndef CONFIG_SMP
__rust_helper int rust_helper_irq_set_affinity(unsigned int irq, const struct cpumask *cpumask)
{
	return irq_set_affinity(irq, cpumask);
}
#endif

#ifndef CONFIG_PCI
__rust_helper struct msi_table *
rust_helper_pci_allocate_msi_table(struct pci_dev *pdev, unsigned int flags)
{
	return pci_allocate_msi_table(pdev, flags);
}
#endif
