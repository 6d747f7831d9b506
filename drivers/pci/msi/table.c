// SPDX-License-Identifier: GPL-2.0
/*
 * MSI tables of PCI functions: the MSI-X table, the MSI capability, and INTx
 *
 * The messages stay in the hands of the PCI core, which masks, restores and
 * shuts them down. The table owns the capability: the legacy functions and tables
 * keep each other away from it by pci_dev::msi_table.
 */
#include <linux/export.h>
#include <linux/slab.h>

#include "table.h"

/*
 * The interrupt of the line may be another one when the function is enabled again. Handlers
 * are freed where they were installed.
 */
static struct msi_desc *pci_intx_vector_desc(const struct msi_vector *vector)
{
	struct pci_msi_table *ptable = to_pci_msi_table(vector->table);

	if (!vector->requested)
		WRITE_ONCE(ptable->intx.irq, to_pci_dev(vector->table->dev)->irq);
	return &ptable->intx;
}

void pci_table_commit(struct msi_table *table)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);

	guard(mutex)(&ptable->mutex);
	pci_msi_table_commit(ptable);
	ptable->settled = true;
	WRITE_ONCE(table->uncommitted, false);
}

static int pci_table_choose(struct pci_msi_table *ptable, unsigned int kinds);

void pci_table_free(struct msi_table *table, struct msi_vector **vectors, unsigned int n)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);

	guard(mutex)(&ptable->mutex);
	pci_msi_table_free(ptable, vectors, n);
	ptable->live -= n;
	if (ptable->live || ptable->reserved)
		return;
	if (ptable->settled && (table->dynamic || table->backend->kind == MSI_TABLE_MSI))
		return;

	/* This was the first allocation, which has failed, or none can follow. */
	pci_msi_table_disable(ptable);
	if (!ptable->settled)
		pci_table_choose(ptable, ptable->kinds);
}

/* The bits are in the order of preference. */
static unsigned int pci_table_kinds_below(const struct pci_msi_table *ptable)
{
	return ptable->kinds & ~GENMASK(fls(ptable->table.backend->kind) - 1, 0);
}

static int pci_intx_table_alloc(struct pci_msi_table *ptable, struct msi_vector **vectors)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);

	if (!pdev->irq || pdev->irq == IRQ_NOTCONNECTED || (vectors && vectors[0]->label))
		return -EOPNOTSUPP;
	pci_intx(pdev, 1);
	ptable->live += !!vectors;
	return 1;
}

/* What is not settled falls back until something succeeds. */
static int pci_table_try(struct pci_msi_table *ptable, struct msi_vector **vectors,
			 unsigned int n, u32 lowest, const struct irq_affinity_desc *affinity)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	int ret, first = 0;

	/* That MSI-X can not be switched on before D0 is no reason to be INTx for good. */
	if (!ptable->settled && ptable->table.backend->kind != MSI_TABLE_INTX && pdev->pm_cap &&
	    pdev->current_state != PCI_D0)
		return -EINVAL;

	for (;;) {
		if (ptable->table.backend->kind == MSI_TABLE_INTX)
			ret = pci_intx_table_alloc(ptable, vectors);
		else
			ret = pci_msi_table_alloc(ptable, vectors, n, lowest, affinity);
		if (ret > 0 || ptable->settled || ptable->live)
			return ret;
		first = first ? : ret;
		if (pci_table_choose(ptable, pci_table_kinds_below(ptable)))
			break;
	}
	pci_table_choose(ptable, ptable->kinds);
	return first;
}

int pci_table_alloc(struct msi_table *table, struct msi_vector **vectors, unsigned int n,
		    u32 lowest, const struct irq_affinity_desc *affinity)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);

	guard(mutex)(&ptable->mutex);
	return pci_table_try(ptable, vectors, n, lowest, affinity);
}

int pci_table_enable(struct msi_table *table, unsigned int nr)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);
	int ret;

	guard(mutex)(&ptable->mutex);
	ret = pci_table_try(ptable, NULL, min(nr, table->size), 0, NULL);
	if (ret > 0) {
		ptable->reserved = true;
		ptable->settled = true;
	}
	return ret;
}

static void pci_intx_table_restore(struct msi_table *table) { }

void pci_table_destroy(struct msi_table *table)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);
	struct pci_dev *pdev = to_pci_dev(table->dev);

	pci_msi_table_end(ptable);
	/* Pairs with cmpxchg() by whoever claims the capability next. */
	smp_store_release(&pdev->msi_table, NULL);
	kfree(ptable);
}

static const struct msi_table_backend pci_intx_table_backend = {
	.name		= "PCI/INTx",
	.kind		= MSI_TABLE_INTX,
	.vector_size	= sizeof(struct pci_msi_vector),
	.desc		= pci_intx_vector_desc,
	.alloc		= pci_table_alloc,
	.commit		= pci_table_commit,
	.enable		= pci_table_enable,
	.free		= pci_table_free,
	.restore	= pci_intx_table_restore,
	.destroy	= pci_table_destroy,
};

/* The first of @kinds, in their order of preference, which the function has */
static int pci_table_choose(struct pci_msi_table *ptable, unsigned int kinds)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	int ret = pci_msi_table_choose(ptable, kinds);

	/* Which interrupt it is may be known when the function is enabled. */
	if (ret && kinds & MSI_TABLE_INTX && (pdev->pin || pdev->irq)) {
		pci_table_become(ptable, &pci_intx_table_backend, 1, false);
		ret = 0;
	}
	return ret;
}

/**
 * pci_allocate_msi_table - Create the table of a PCI function's MSI-X, MSI or INTx
 * @pdev:	The PCI function, bound to the calling driver
 * @flags:	Which kinds will do: %MSI_TABLE_MSIX, %MSI_TABLE_MSI, %MSI_TABLE_INTX
 *
 * The table is of the first of these kinds which the function has and of which the
 * first allocation gets a vector, whatever the error was for the others; until that has
 * succeeded kind and size may change.
 *
 * The table starts without vectors, and owns the capability from now on:
 * pci_alloc_irq_vectors() and friends fail with %-EBUSY, and
 * pci_free_irq_vectors() and friends do nothing. pci_msix_alloc_irq_at() and
 * pci_msix_free_irq() must not be called.
 *
 * A label is an index of the MSI-X table (PCIe 6.0, 7.7.2), or an MSI message
 * number (7.7.1); that of INTx is 0.
 *
 * MSI-X is switched on by the first allocation. It stays on, and INTx off, which nobody
 * handles, until the table is freed.
 *
 * If the parent domain does not support dynamic allocation (msi_table_is_dynamic())
 * then an allocation sets up its entries of MSI-X, and others get %-EOPNOTSUPP until all
 * vectors are freed, which switches such MSI-X off. MSI is likewise switched on by an
 * allocation when there is no vector, with as many messages as its labels need, from 0
 * on, or as the parent domain grants. What is set up and has been freed can be taken
 * again meanwhile, without an affinity. With msi_table_enable() the driver says instead
 * which labels there are to be, until the table is freed.
 *
 * The line of INTx is shared with other devices, so handlers have to look whether it
 * was theirs. Its interrupt number, and with it msi_vector_irq(), may change when the
 * function is disabled and enabled again, for handlers which are installed after that.
 *
 * Firmware which the driver loads may change the number of entries of MSI-X. The
 * table follows when the first allocation switches MSI-X on, until when
 * msi_table_size() is what it was when the table was created.
 *
 * An allocation fails with %-EIO when the function can send only to addresses
 * below 4 GiB, and the parent's is above.
 *
 * It is freed by msi_table_free(), or when @pdev is unbound from its driver.
 *
 * Context: May sleep. The first allocation, and one which switches MSI-X or MSI on, need
 * the function in D0; otherwise they fail with %-EINVAL. INTx alone does not need it.
 *
 * Return: The table, or an ERR_PTR():
 *
 * * %-EINVAL - @flags is empty or unknown
 * * %-EBUSY - MSI or MSI-X is in use, by a table or in the legacy way
 * * %-EEXIST - the device has a store whose name is "PCI"
 * * %-ENODEV - the function has nothing of the kind, it is disabled, or there is
 *   no MSI domain
 * * %-EOPNOTSUPP - the MSI domain does not support it
 * * %-ENOMEM - no memory
 */
struct msi_table *pci_allocate_msi_table(struct pci_dev *pdev, unsigned int flags)
{
	int ret;

	if (!flags || flags & ~MSI_TABLE_ALL_KINDS)
		return ERR_PTR(-EINVAL);

	struct pci_msi_table *ptable __free(kfree) = kzalloc_obj(*ptable);
	if (!ptable)
		return ERR_PTR(-ENOMEM);

	mutex_init(&ptable->mutex);
	ptable->kinds = flags;
	ptable->table.uncommitted = true;
	ptable->intx.nvec_used = 1;
	ptable->table.dev = &pdev->dev;
	ptable->table.name = "PCI";
	ret = pci_table_choose(ptable, flags);
	if (ret)
		return ERR_PTR(ret);
	/* What it can not be now it will not become. */
	ptable->kinds &= -ptable->table.backend->kind;

	if (cmpxchg(&pdev->msi_table, NULL, &ptable->table))
		return ERR_PTR(-EBUSY);

	ret = msi_table_register(&ptable->table);
	if (ret) {
		/* As in pci_table_destroy() */
		smp_store_release(&pdev->msi_table, NULL);
		return ERR_PTR(ret);
	}
	return &no_free_ptr(ptable)->table;
}
EXPORT_SYMBOL_GPL(pci_allocate_msi_table);
