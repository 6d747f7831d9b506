/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KERNEL_IRQ_MSI_TABLE_H
#define _KERNEL_IRQ_MSI_TABLE_H

/* What the files of MSI tables share within kernel/irq */

#include <linux/msi_table_core.h>

const struct msi_mmio_layout *msi_store_mmio(const struct msi_vector *vector);
void msi_mmio_mask_all(const struct msi_mmio_layout *layout, u32 size);
bool msi_mmio_layout_valid(const struct msi_mmio_layout *layout, u32 size);
extern const struct msi_table_ops msi_mmio_ops;

void msi_vector_note_fresh(struct msi_vector *vector, struct irq_desc *desc);
bool msi_vector_park(struct msi_vector *vector, struct irq_desc *desc);
int msi_vector_unpark(struct msi_vector *vector);
void msi_table_take_parked(struct msi_vector *vector, struct xa_state *xas);
void msi_table_put_parked(struct msi_vector *vector);
void msi_table_trim(struct msi_table *table);
void msi_table_discard(struct msi_table *table, struct msi_vector **vectors, unsigned int n);
void msi_tables_trim(void);
struct shrinker;
struct shrink_control;
unsigned long msi_tables_shrink(struct shrinker *shrinker, struct shrink_control *sc);
extern unsigned int msi_table_max_parked;
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
