/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KERNEL_IRQ_MSI_TABLE_H
#define _KERNEL_IRQ_MSI_TABLE_H

/* What the files of MSI tables share within kernel/irq */

#include <linux/msi_table_core.h>

const struct msi_mmio_layout *msi_store_mmio(const struct msi_vector *vector);
void msi_mmio_mask_all(const struct msi_mmio_layout *layout, u32 size);
bool msi_mmio_layout_valid(const struct msi_mmio_layout *layout, u32 size);
extern const struct msi_table_ops msi_mmio_ops;

extern bool msi_stores_unremapped;
extern struct mutex msi_tables_mutex;
extern struct list_head msi_tables;

bool msi_vector_read_msg(const struct msi_vector *vector, struct msi_msg *msg);

#ifdef CONFIG_GENERIC_IRQ_DEBUGFS
void msi_table_add_debugfs(struct msi_table *table);
void msi_table_remove_debugfs(struct msi_table *table);
#else
static inline void msi_table_add_debugfs(struct msi_table *table) { }
static inline void msi_table_remove_debugfs(struct msi_table *table) { }
#endif

#endif /* _KERNEL_IRQ_MSI_TABLE_H */
