/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KERNEL_IRQ_TESTS_MSI_TABLE_BENCH_H
#define _KERNEL_IRQ_TESTS_MSI_TABLE_BENCH_H

/* The contender in Rust, msi_table_bench_rust.rs */

#include <linux/types.h>

struct device;
struct irq_domain;

/* What the device would read */
struct bench_slot {
	u64	address;
	u32	data;
	u32	masked;
};

/* Whatever a contender knows an interrupt by, where its driver would keep it */
struct bench_handle {
	void	*word[2];
};

int msi_bench_rust_create(struct device *dev, struct irq_domain *parent, u32 size, bool sysfs,
			  struct bench_slot *store);
void msi_bench_rust_destroy(void);
int msi_bench_rust_alloc(struct bench_handle *handle, u32 lowest, u32 highest);
void msi_bench_rust_free(struct bench_handle *handle);
unsigned int msi_bench_rust_irq(struct bench_handle *handle);
int msi_bench_rust_alloc_batch(unsigned int n, u32 lowest);
void msi_bench_rust_free_batch(void);

#endif /* _KERNEL_IRQ_TESTS_MSI_TABLE_BENCH_H */
