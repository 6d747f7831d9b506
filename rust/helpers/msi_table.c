// SPDX-License-Identifier: GPL-2.0

#include <linux/interrupt.h>
#include <linux/msi_table.h>

__rust_helper const struct cpumask *rust_helper_get_cpu_mask(unsigned int cpu)
{
	return get_cpu_mask(cpu);
}

__rust_helper int rust_helper_irq_update_affinity_hint(unsigned int irq, const struct cpumask *m)
{
	return irq_update_affinity_hint(irq, m);
}

#ifndef CONFIG_SMP
__rust_helper int rust_helper_irq_set_affinity(unsigned int irq, const struct cpumask *cpumask)
{
	return irq_set_affinity(irq, cpumask);
}
#endif
