/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _DRIVERS_PCI_MSI_TABLE_H
#define _DRIVERS_PCI_MSI_TABLE_H

/*
 * Between table.c, which owns the tables of PCI functions and knows INTx, and
 * table_msi.c, which knows MSI-X and MSI.
 */
#include <linux/msi_table_core.h>
#include <linux/mutex.h>
#include <linux/pci.h>

/**
 * struct pci_msi_table - MSI-X table, MSI capability or INTx of a PCI function
 * @table:	The table
 * @mutex:	Serializes allocation and free, and so switching the capability
 * @kinds:	Which kinds the table may be of
 * @settled:	An allocation has succeeded: the kind stays, and INTx off if it is not
 *		that
 * @held:	MSI-X is on, but its interrupts are held back
 * @enabled:	MSI or MSI-X is on
 * @reserved:	It is to stay on while there is no vector
 * @live:	Number of allocated vectors
 * @intx:	Stands in for the MSI descriptor which INTx has not
 */
struct pci_msi_table {
	struct msi_table	table;
	struct mutex		mutex;
	unsigned int		kinds;
	bool			settled;
	bool			held;
	bool			enabled;
	bool			reserved;
	unsigned int		live;
	struct msi_desc		intx;
};

/**
 * struct pci_msi_vector - Vector of a PCI function
 * @vector:	The vector
 * @desc:	Its MSI descriptor, in the MSI data of the function
 */
struct pci_msi_vector {
	struct msi_vector	vector;
	struct msi_desc		*desc;
};

static inline struct pci_msi_table *to_pci_msi_table(struct msi_table *table)
{
	return container_of(table, struct pci_msi_table, table);
}

static inline void pci_table_become(struct pci_msi_table *ptable,
				    const struct msi_table_backend *backend, u32 size,
				    bool dynamic)
{
	WRITE_ONCE(ptable->table.backend, backend);
	WRITE_ONCE(ptable->table.size, size);
	WRITE_ONCE(ptable->table.dynamic, dynamic);
}

int pci_table_alloc(struct msi_table *table, struct msi_vector **vectors, unsigned int n,
		    u32 lowest, const struct irq_affinity_desc *affinity);
void pci_table_commit(struct msi_table *table);
int pci_table_enable(struct msi_table *table, unsigned int nr);
void pci_table_free(struct msi_table *table, struct msi_vector **vectors, unsigned int n);
void pci_table_destroy(struct msi_table *table);

#ifdef CONFIG_PCI_MSI
int pci_msi_table_alloc(struct pci_msi_table *ptable, struct msi_vector **vectors,
			unsigned int n, u32 lowest, const struct irq_affinity_desc *affinity);
void pci_msi_table_commit(struct pci_msi_table *ptable);
void pci_msi_table_free(struct pci_msi_table *ptable, struct msi_vector **vectors, unsigned int n);
void pci_msi_table_disable(struct pci_msi_table *ptable);
void pci_msi_table_end(struct pci_msi_table *ptable);
int pci_msi_table_choose(struct pci_msi_table *ptable, unsigned int kinds);
#else
static inline int pci_msi_table_alloc(struct pci_msi_table *ptable, struct msi_vector **vectors,
				      unsigned int n, u32 lowest,
				      const struct irq_affinity_desc *affinity)
{
	return -ENODEV;
}

static inline void pci_msi_table_commit(struct pci_msi_table *ptable) { }

static inline void pci_msi_table_free(struct pci_msi_table *ptable, struct msi_vector **vectors,
				      unsigned int n) { }

static inline void pci_msi_table_disable(struct pci_msi_table *ptable) { }
static inline void pci_msi_table_end(struct pci_msi_table *ptable) { }

static inline int pci_msi_table_choose(struct pci_msi_table *ptable, unsigned int kinds)
{
	return -ENODEV;
}
#endif

#endif /* _DRIVERS_PCI_MSI_TABLE_H */
