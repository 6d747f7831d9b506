// SPDX-License-Identifier: GPL-2.0
/*
 * MSI-X and MSI of PCI functions as MSI tables
 *
 * The messages stay in the hands of the PCI core, which masks, restores and
 * shuts them down.
 */
#include <linux/irqdomain.h>
#include <linux/slab.h>

#include <trace/events/msi_table.h>

#include "msi.h"
#include "table.h"

static struct msi_desc *pci_msi_vector_desc(const struct msi_vector *vector)
{
	return container_of_const(vector, struct pci_msi_vector, vector)->desc;
}

static void pci_msi_vector_set_desc(struct msi_vector *vector, struct msi_desc *desc)
{
	container_of(vector, struct pci_msi_vector, vector)->desc = desc;
}

void pci_msi_table_disable(struct pci_msi_table *ptable)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);

	if (!ptable->enabled)
		return;

	guard(msi_descs_lock)(&pdev->dev);
	/* Nothing has come of it, and the entries are as they were. */
	if (ptable->held)
		msix_capability_abort(pdev);
	ptable->held = false;
	pci_msix_shutdown(pdev);
	pci_msi_shutdown(pdev);
	pci_free_msi_irqs(pdev);
	ptable->enabled = false;
	/* When it is switched on again the interrupts are held back once more. */
	WRITE_ONCE(ptable->table.uncommitted, true);
}

static int pci_msix_table_enable(struct pci_msi_table *ptable)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	int ret;

	if (ptable->enabled)
		return 0;
	if (pdev->current_state != PCI_D0)
		return -EINVAL;
	/* Firmware which was loaded since may have changed the number of entries. */
	ret = pci_msix_vec_count(pdev);
	if (ret < 0)
		return ret;
	WRITE_ONCE(ptable->table.size, ret);
	if (!pci_setup_msix_device_domain(pdev, ptable->table.size))
		return -ENOMEM;

	ret = msix_capability_begin(pdev);
	if (ret < 0)
		return ret;

	ptable->enabled = true;
	ptable->held = true;
	return 0;
}

static int pci_msix_table_insert_descs(struct pci_dev *pdev, struct msi_vector **vectors,
				       unsigned int n, const struct irq_affinity_desc *affinity)
{
	for (unsigned int i = 0; i < n; i++) {
		struct msi_desc desc = { .msi_index = vectors[i]->label };
		int ret;

		/*
		 * Not pci_msix_alloc_irq_at(): when it allocates the only vector
		 * then the descriptor is not prepared yet when the core looks
		 * whether it can be masked, and the vector gets more than a
		 * reservation.
		 */
		msix_prepare_msi_desc(pdev, &desc);
		desc.affinity = (struct irq_affinity_desc *)(affinity ? affinity + i : NULL);
		ret = msi_insert_msi_desc(&pdev->dev, &desc);
		if (ret)
			return ret;
	}
	return 0;
}

static void pci_msix_table_free_dyn(struct pci_dev *pdev, struct msi_vector **vectors,
				    unsigned int n)
{
	unsigned int run;

	guard(msi_descs_lock)(&pdev->dev);
	for (; n; vectors += run, n -= run) {
		u32 first = vectors[0]->label;

		run = msi_vectors_run(vectors, n);
		msi_domain_free_irqs_range_locked(&pdev->dev, MSI_DEFAULT_DOMAIN, first,
						  first + run - 1);
	}
}

static int pci_msix_table_alloc_dyn(struct pci_msi_table *ptable, struct msi_vector **vectors,
				    unsigned int n, const struct irq_affinity_desc *affinity)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	u32 first = vectors[0]->label;
	int ret;

	ret = pci_msix_table_enable(ptable);
	if (ret)
		return ret;
	if (first + n > ptable->table.size)
		return -ERANGE;

	scoped_guard(msi_descs_lock, &pdev->dev) {
		ret = pci_msix_table_insert_descs(pdev, vectors, n, affinity);
		if (!ret)
			ret = msi_domain_alloc_irqs_range_locked(&pdev->dev, MSI_DEFAULT_DOMAIN,
								 first, first + n - 1);
		if (!ret)
			ret = msi_verify_entries(pdev);
		if (ret) {
			msi_domain_free_irqs_range_locked(&pdev->dev, MSI_DEFAULT_DOMAIN, first,
							  first + n - 1);
			/* Some of them there would have been. */
			return ret > 0 ? -ENOSPC : ret;
		}

		for (unsigned int i = 0; i < n; i++)
			pci_msi_vector_set_desc(vectors[i],
						msi_domain_get_desc(&pdev->dev, MSI_DEFAULT_DOMAIN,
								    first + i));
	}
	return n;
}

static int pci_msix_table_alloc(struct pci_msi_table *ptable, struct msi_vector **vectors,
				unsigned int n, const struct irq_affinity_desc *affinity)
{
	bool was_enabled = ptable->enabled;
	int ret = pci_msix_table_alloc_dyn(ptable, vectors, n, affinity);

	if (ret < 0 && !was_enabled)
		pci_msi_table_disable(ptable);

	ptable->live += max(ret, 0);
	return ret;
}

void pci_msi_table_commit(struct pci_msi_table *ptable)
{
	if (ptable->held)
		msix_capability_commit(to_pci_dev(ptable->table.dev), ptable->table.size);
	ptable->held = false;
}

void pci_msi_table_free(struct pci_msi_table *ptable, struct msi_vector **vectors, unsigned int n)
{
	if (ptable->table.dynamic)
		pci_msix_table_free_dyn(to_pci_dev(ptable->table.dev), vectors, n);
}

/* The table goes, and INTx, which it has kept off, is the driver's again. */
void pci_msi_table_end(struct pci_msi_table *ptable)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);

	pci_msi_table_disable(ptable);
	if (pci_msi_table_keeps_intx_off(pdev)) {
		ptable->settled = false;
		pci_intx_for_msi(pdev, 1);
	}
}

/* The first of @n vectors, as far as there are interrupts for them */
static int pci_msi_table_take(struct pci_msi_table *ptable, struct msi_vector **vectors,
			      unsigned int n, u32 lowest)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	unsigned int i;

	for (i = 0; i < n; i++) {
		unsigned int irq = msi_get_virq(&pdev->dev, vectors[i]->label);

		if (!irq)
			break;
		pci_msi_vector_set_desc(vectors[i], irq_get_msi_desc(irq));
	}
	ptable->live += i;
	if (i)
		return i;
	return msi_get_virq(&pdev->dev, lowest) ? -ENOSPC : -EOPNOTSUPP;
}

/* As many entries as there can be of those of @vectors, or of 0 to @n - 1 */
static int pci_msix_table_setup(struct pci_msi_table *ptable, struct msi_vector **vectors,
				unsigned int n, const struct irq_affinity_desc *affinity)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	u32 first = vectors ? vectors[0]->label : 0;
	int ret;

	if (first && pci_msi_domain_supports(pdev, MSI_FLAG_MSIX_CONTIGUOUS, DENY_LEGACY))
		return -EOPNOTSUPP;

	struct msix_entry *entries __free(kfree) = kcalloc(n, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;

	for (unsigned int i = 0; i < n; i++)
		entries[i].entry = vectors ? vectors[i]->label : i;

	do {
		ret = pci_msix_table_enable(ptable);
		if (ret)
			return ret;
		if (!vectors)
			n = min(n, ptable->table.size);
		if (entries[n - 1].entry >= ptable->table.size) {
			pci_msi_table_disable(ptable);
			return -ERANGE;
		}

		scoped_guard(msi_descs_lock, &pdev->dev)
			ret = __msix_setup_interrupts(pdev, entries, n,
						      (struct irq_affinity_desc *)affinity);
		if (ret)
			pci_msi_table_disable(ptable);
		/* So many there are. */
		if (ret > 0)
			n = ret;
	} while (ret > 0);
	return ret ? : n;
}

/* As many messages as there can be, from 0 on, of those which @n vectors need */
static int pci_msi_table_setup(struct pci_msi_table *ptable, struct msi_vector **vectors,
			       unsigned int n, const struct irq_affinity_desc *affinity)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	int ret;

	if (affinity && vectors[0]->label)
		return -EOPNOTSUPP;
	if (pdev->current_state != PCI_D0)
		return -EINVAL;
	if (!pci_setup_msi_device_domain(pdev, ptable->table.size))
		return -ENOMEM;
	n = min(vectors ? vectors[n - 1]->label + 1 : n, ptable->table.size);

	do {
		ret = msi_capability_init(pdev, n, (struct irq_affinity_desc *)affinity);
		/* So many there are. */
		if (ret > 0)
			n = ret;
	} while (ret > 0);
	if (ret)
		return ret;
	ptable->enabled = true;
	return n;
}

/*
 * MSI, and MSI-X below a parent which can not add interrupts later: all are set up at once,
 * and taken one by one. @vectors is NULL when they are to be set up only.
 */
static int pci_table_alloc_static(struct pci_msi_table *ptable, struct msi_vector **vectors,
				  unsigned int n, u32 lowest,
				  const struct irq_affinity_desc *affinity)
{
	int ret;

	/* What is on has its entries, and their affinity. */
	if (!ptable->live && !ptable->reserved)
		pci_msi_table_disable(ptable);
	if (ptable->enabled && (affinity || !vectors))
		return vectors ? -EOPNOTSUPP : -EBUSY;

	if (!ptable->enabled) {
		ret = ptable->table.backend->kind == MSI_TABLE_MSIX ?
		      pci_msix_table_setup(ptable, vectors, n, affinity) :
		      pci_msi_table_setup(ptable, vectors, n, affinity);
		if (ret < 0 || !vectors)
			return ret;
	}

	ret = pci_msi_table_take(ptable, vectors, n, lowest);
	if (!ptable->live && !ptable->settled)
		pci_msi_table_disable(ptable);
	return ret;
}

int pci_msi_table_alloc(struct pci_msi_table *ptable, struct msi_vector **vectors,
			unsigned int n, u32 lowest, const struct irq_affinity_desc *affinity)
{
	int ret;

	if (!ptable->table.dynamic)
		return pci_table_alloc_static(ptable, vectors, n, lowest, affinity);
	if (!vectors)
		return pci_msix_table_enable(ptable) ? : min(n, ptable->table.size);

	ret = pci_msix_table_alloc(ptable, vectors, n, affinity);
	/* With one it is settled what kind of table it is, and others may follow. */
	if (ret < 0 && n > 1 && !ptable->live && !ptable->settled)
		ret = pci_msix_table_alloc(ptable, vectors, 1, affinity);
	return ret;
}

static void pci_msi_table_restore(struct msi_table *table)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);
	struct pci_dev *pdev = to_pci_dev(table->dev);

	guard(mutex)(&ptable->mutex);
	if (!ptable->enabled || ptable->held)
		return;

	/* What has wiped the entries need not have masked those of nobody. */
	if (table->backend->kind == MSI_TABLE_MSIX && pci_msi_reachable(pdev) &&
	    !pci_msi_domain_supports(pdev, MSI_FLAG_NO_MASK, DENY_LEGACY))
		msix_mask_all(pdev, table->size);
	pci_restore_msi_state(pdev);
}

static void pci_msix_table_restore_vector(struct msi_vector *vector)
{
	struct pci_dev *pdev = to_pci_dev(vector->table->dev);
	bool write_msg = arch_restore_msi_irqs(pdev);

	guard(raw_spinlock_irqsave)(&irq_to_desc(msi_vector_irq(vector))->lock);
	if (pci_msi_reachable(pdev))
		pci_restore_msix_entry(msi_vector_desc(vector), write_msg);
}

/* Nobody handles INTx of a function whose driver has vectors of MSI. */
bool pci_msi_table_keeps_intx_off(struct pci_dev *pdev)
{
	struct msi_table *table = pci_msi_table(pdev);

	return table && table->backend->kind != MSI_TABLE_INTX && to_pci_msi_table(table)->settled;
}

static const struct msi_table_backend pci_msix_table_backend = {
	.name		= "PCI/MSI-X",
	.kind		= MSI_TABLE_MSIX,
	.vector_size	= sizeof(struct pci_msi_vector),
	.desc		= pci_msi_vector_desc,
	.alloc		= pci_table_alloc,
	.commit		= pci_table_commit,
	.enable		= pci_table_enable,
	.free		= pci_table_free,
	.restore	= pci_msi_table_restore,
	.restore_vector	= pci_msix_table_restore_vector,
	.destroy	= pci_table_destroy,
};

static const struct msi_table_backend pci_msi_table_backend = {
	.name		= "PCI/MSI",
	.kind		= MSI_TABLE_MSI,
	.vector_size	= sizeof(struct pci_msi_vector),
	.desc		= pci_msi_vector_desc,
	.alloc		= pci_table_alloc,
	.commit		= pci_table_commit,
	.enable		= pci_table_enable,
	.free		= pci_table_free,
	.restore	= pci_msi_table_restore,
	.destroy	= pci_table_destroy,
};

/* MSI-X or MSI, as far as it is among @kinds */
int pci_msi_table_choose(struct pci_msi_table *ptable, unsigned int kinds)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	bool supported = pci_msi_supported(pdev, 1);
	int nr_msix = supported && kinds & MSI_TABLE_MSIX ? pci_msix_vec_count(pdev) : -EINVAL;
	int nr_msi = supported && kinds & MSI_TABLE_MSI ? pci_msi_vec_count(pdev) : -EINVAL;

	if (nr_msix > 0 && pci_msi_domain_supports(pdev, MSI_FLAG_PCI_MSIX, ALLOW_LEGACY)) {
		pci_table_become(ptable, &pci_msix_table_backend, nr_msix,
				 pci_msix_can_alloc_dyn(pdev));
		return 0;
	}
	if (nr_msi > 0 && pci_msi_domain_supports(pdev, 0, ALLOW_LEGACY)) {
		pci_table_become(ptable, &pci_msi_table_backend, nr_msi, false);
		return 0;
	}
	return (nr_msix < 0 && nr_msi < 0) || !dev_get_msi_domain(&pdev->dev) ?
		-ENODEV : -EOPNOTSUPP;
}

/**
 * pci_msi_table_wrote_msg - The PCI core has written a message of a table
 * @table:	Table which owns the capability
 * @desc:	MSI descriptor of the message
 *
 * Context: See msi_table_changed().
 */
void pci_msi_table_wrote_msg(struct msi_table *table, struct msi_desc *desc)
{
	trace_msi_vector_write_msg(table, desc->msi_index, desc->irq, &desc->msg);
	msi_table_changed(table, desc);
}
