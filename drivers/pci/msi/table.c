// SPDX-License-Identifier: GPL-2.0
/*
 * MSI tables of PCI functions: the MSI-X table, the MSI capability, and INTx
 *
 * The messages stay in the hands of the PCI core, which masks, restores and
 * shuts them down. The table owns the capability: pci_dev::msi_table keeps the
 * legacy functions in api.c away from it.
 */
#include <linux/export.h>
#include <linux/irqdomain.h>
#include <linux/kernfs.h>
#include <linux/msi_table_core.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include <trace/events/msi_table.h>

#include "msi.h"

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

/* Protects the claim on pci_dev::msi_table */
static DEFINE_MUTEX(pci_msi_claim_mutex);

static inline struct pci_msi_table *to_pci_msi_table(struct msi_table *table)
{
	return container_of(table, struct pci_msi_table, table);
}

static struct msi_desc *pci_msi_vector_desc(const struct msi_vector *vector)
{
	return container_of_const(vector, struct pci_msi_vector, vector)->desc;
}

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

static void pci_msi_vector_set_irq(struct msi_vector *vector, unsigned int irq)
{
	container_of(vector, struct pci_msi_vector, vector)->desc = irq_get_msi_desc(irq);
}

static void pci_msi_table_disable(struct pci_msi_table *ptable)
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
	if (ptable->table.abandoned)
		msi_abandon_device_irqs(&pdev->dev, MSI_DEFAULT_DOMAIN);
	pci_free_msi_irqs(pdev);
	if (ptable->table.irqs_dir) {
		kernfs_put(ptable->table.irqs_dir);
		ptable->table.irqs_dir = NULL;
		msi_device_set_sysfs(&pdev->dev, MSI_DEFAULT_DOMAIN, true);
	}
	if (ptable->table.abandoned)
		msi_abandon_device_domain(&pdev->dev, MSI_DEFAULT_DOMAIN);
	ptable->enabled = false;
	/* When it is switched on again the interrupts are held back once more. */
	WRITE_ONCE(ptable->table.uncommitted, true);
}

/* Firmware which was loaded since may have changed the number of entries. */
static int pci_msix_table_resize(struct pci_msi_table *ptable)
{
	int size = pci_msix_vec_count(to_pci_dev(ptable->table.dev));

	if (size < 0)
		return size;
	WRITE_ONCE(ptable->table.size, size);
	return 0;
}

static int pci_msix_table_enable(struct pci_msi_table *ptable)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	int ret;

	if (ptable->enabled)
		return 0;
	if (pdev->current_state != PCI_D0)
		return -EINVAL;
	ret = pci_msix_table_resize(ptable);
	if (ret)
		return ret;
	if (!pci_setup_msix_device_domain(pdev, ptable->table.size))
		return -ENOMEM;

	ret = msix_capability_begin(pdev);
	if (ret)
		return ret;

	ptable->enabled = true;
	ptable->held = true;
	/* Each vector makes its own entry in msi_irqs/, unless all are made at once. */
	if (ptable->table.dynamic)
		ptable->table.irqs_dir = msi_irqs_dir(&pdev->dev);
	if (ptable->table.irqs_dir) {
		guard(msi_descs_lock)(&pdev->dev);
		msi_device_set_sysfs(&pdev->dev, MSI_DEFAULT_DOMAIN, false);
	}
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
		if (ret) {
			msi_domain_free_irqs_range_locked(&pdev->dev, MSI_DEFAULT_DOMAIN,
							  vectors[0]->label, vectors[i]->label);
			return ret;
		}
	}
	return 0;
}

static void pci_msix_table_free_dyn(struct pci_dev *pdev, struct msi_vector **vectors,
				    unsigned int n)
{
	unsigned int run;

	for (unsigned int i = 0; i < n; i++)
		msi_vector_remove_sysfs(vectors[i]);

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
		if (ret)
			return ret;

		ret = msi_domain_alloc_irqs_range_locked(&pdev->dev, MSI_DEFAULT_DOMAIN, first,
							 first + n - 1);
		/* Some of them; but it has freed all. */
		if (ret > 0)
			ret = -ENOSPC;
		if (ret)
			return ret;

		ret = msi_verify_entries(pdev);
		if (ret) {
			msi_domain_free_irqs_range_locked(&pdev->dev, MSI_DEFAULT_DOMAIN, first,
							  first + n - 1);
			return ret;
		}
	}

	for (unsigned int i = 0; i < n; i++)
		pci_msi_vector_set_irq(vectors[i],
				       msi_get_virq(&pdev->dev, vectors[i]->label));
	ret = msi_vectors_add_sysfs(vectors, n);
	if (ret)
		pci_msix_table_free_dyn(pdev, vectors, n);
	return ret ? : n;
}

static void pci_msix_table_note_fresh(struct msi_vector *vector)
{
	struct irq_desc *desc = irq_to_desc(msi_vector_irq(vector));

	guard(raw_spinlock_irqsave)(&desc->lock);
	msi_table_note_fresh(vector, desc);
}

static int pci_msix_table_alloc(struct pci_msi_table *ptable, struct msi_vector **vectors,
				unsigned int n, const struct irq_affinity_desc *affinity)
{
	bool was_enabled = ptable->enabled;
	int ret = pci_msix_table_alloc_dyn(ptable, vectors, n, affinity);

	if (ret < 0 && !was_enabled)
		pci_msi_table_disable(ptable);

	for (int i = 0; i < ret; i++) {
		ptable->live++;
		if (!affinity)
			pci_msix_table_note_fresh(vectors[i]);
	}
	return ret;
}

static void pci_table_commit(struct msi_table *table)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);

	guard(mutex)(&ptable->mutex);
	if (ptable->held)
		msix_capability_commit(to_pci_dev(table->dev));
	ptable->held = false;
	ptable->settled = true;
	WRITE_ONCE(table->uncommitted, false);
}

static int pci_table_choose(struct pci_msi_table *ptable, unsigned int kinds);

static void pci_table_free(struct msi_table *table, struct msi_vector **vectors, unsigned int n)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);

	guard(mutex)(&ptable->mutex);
	if (table->dynamic)
		pci_msix_table_free_dyn(to_pci_dev(table->dev), vectors, n);

	ptable->live -= n;
	if (ptable->live || ptable->reserved)
		return;
	if (ptable->settled && (table->dynamic || table->kind == MSI_TABLE_MSI))
		return;

	/* This was the first allocation, which has failed, or none can follow. */
	pci_msi_table_disable(ptable);
	if (!ptable->settled)
		pci_table_choose(ptable, ptable->kinds);
}

static int pci_msix_table_revive(struct msi_vector *vector)
{
	int ret = msi_vector_add_sysfs(vector);

	if (!ret)
		msi_irq_unpark(vector, NULL);
	return ret;
}

static void pci_msi_table_abandon(struct msi_vector *vector)
{
	struct msi_desc *desc = msi_vector_desc(vector);

	msi_vector_remove_sysfs(vector);
	/* That of multiple MSI is for the other vectors too. */
	if (desc->nvec_used == 1)
		msi_sysfs_remove_desc(vector->table->dev, desc);
}

/* The first of @n vectors, as far as there are interrupts for them */
static int pci_msi_table_take(struct pci_msi_table *ptable, struct msi_vector **vectors,
			      unsigned int n, u32 lowest)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	unsigned int i;

	for (i = 0; i < n; i++) {
		int irq = pci_irq_vector(pdev, vectors[i]->label);

		if (irq < 0)
			break;
		pci_msi_vector_set_irq(vectors[i], irq);
	}
	ptable->live += i;
	if (i)
		return i;
	return pci_irq_vector(pdev, lowest) < 0 ? -EOPNOTSUPP : -ENOSPC;
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

	if (vectors && affinity && vectors[0]->label)
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
		ret = ptable->table.kind == MSI_TABLE_MSIX ?
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

static int pci_intx_table_alloc(struct pci_msi_table *ptable, struct msi_vector **vectors)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);

	if (!pdev->irq || (vectors && vectors[0]->label))
		return -EOPNOTSUPP;
	pci_intx(pdev, 1);
	ptable->live += !!vectors;
	return 1;
}

static int pci_table_alloc_kind(struct pci_msi_table *ptable, struct msi_vector **vectors,
				unsigned int n, u32 lowest,
				const struct irq_affinity_desc *affinity)
{
	int ret;

	if (ptable->table.kind == MSI_TABLE_INTX)
		return pci_intx_table_alloc(ptable, vectors);
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

/* What is not settled falls back until something succeeds. */
static int pci_table_try(struct pci_msi_table *ptable, struct msi_vector **vectors,
			 unsigned int n, u32 lowest, const struct irq_affinity_desc *affinity)
{
	int ret, first = 0;

	for (;;) {
		ret = pci_table_alloc_kind(ptable, vectors, n, lowest, affinity);
		if (ret > 0 || ptable->settled || ptable->live)
			return ret;
		first = first ? : ret;
		/* The bits are in the order of preference. */
		if (pci_table_choose(ptable, ptable->kinds & -(ptable->table.kind << 1)))
			break;
	}
	pci_table_choose(ptable, ptable->kinds);
	return first;
}

static int pci_table_alloc(struct msi_table *table, struct msi_vector **vectors, unsigned int n,
			   u32 lowest, const struct irq_affinity_desc *affinity)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);

	guard(mutex)(&ptable->mutex);
	return pci_table_try(ptable, vectors, n, lowest, affinity);
}

static int pci_table_enable(struct msi_table *table, unsigned int nr)
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

static void pci_intx_table_restore_vector(struct msi_vector *vector) { }

static void pci_msi_table_restore(struct msi_table *table)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);

	guard(mutex)(&ptable->mutex);
	if (ptable->enabled && !ptable->held)
		pci_restore_msi_state(to_pci_dev(table->dev));
}

static void pci_msix_table_restore_vector(struct msi_vector *vector)
{
	struct pci_dev *pdev = to_pci_dev(vector->table->dev);
	bool write_msg = arch_restore_msi_irqs(pdev);

	guard(raw_spinlock_irqsave)(&irq_to_desc(msi_vector_irq(vector))->lock);
	if (pci_msix_reachable(pdev))
		pci_restore_msix_entry(msi_vector_desc(vector), write_msg);
}

static void pci_msi_table_restore_vector(struct msi_vector *vector)
{
	pci_msi_table_restore(vector->table);
}

/* Nobody handles INTx of a function whose driver has vectors of MSI. */
bool pci_msi_table_keeps_intx_off(struct pci_dev *pdev)
{
	struct msi_table *table = pdev->msi_table;

	return table && table->kind != MSI_TABLE_INTX && to_pci_msi_table(table)->settled;
}

static void pci_table_destroy(struct msi_table *table)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);
	struct pci_dev *pdev = to_pci_dev(table->dev);

	pci_msi_table_disable(ptable);
	if (pci_msi_table_keeps_intx_off(pdev)) {
		ptable->settled = false;
		pci_intx_for_msi(pdev, 1);
	}
	scoped_guard(mutex, &pci_msi_claim_mutex)
		pdev->msi_table = NULL;
	kfree(ptable);
}

static const struct msi_table_backend pci_msix_table_backend = {
	.name		= "PCI/MSI-X",
	.vector_size	= sizeof(struct pci_msi_vector),
	.desc		= pci_msi_vector_desc,
	.alloc		= pci_table_alloc,
	.commit		= pci_table_commit,
	.enable		= pci_table_enable,
	.free		= pci_table_free,
	.retire		= msi_vector_remove_sysfs,
	.revive		= pci_msix_table_revive,
	.abandon	= pci_msi_table_abandon,
	.restore	= pci_msi_table_restore,
	.restore_vector	= pci_msix_table_restore_vector,
	.destroy	= pci_table_destroy,
};

static const struct msi_table_backend pci_msi_table_backend = {
	.name		= "PCI/MSI",
	.vector_size	= sizeof(struct pci_msi_vector),
	.desc		= pci_msi_vector_desc,
	.alloc		= pci_table_alloc,
	.commit		= pci_table_commit,
	.enable		= pci_table_enable,
	.free		= pci_table_free,
	.abandon	= pci_msi_table_abandon,
	.restore	= pci_msi_table_restore,
	.restore_vector	= pci_msi_table_restore_vector,
	.destroy	= pci_table_destroy,
};

static const struct msi_table_backend pci_intx_table_backend = {
	.name		= "PCI/INTx",
	.vector_size	= sizeof(struct pci_msi_vector),
	.desc		= pci_intx_vector_desc,
	.alloc		= pci_table_alloc,
	.commit		= pci_table_commit,
	.enable		= pci_table_enable,
	.free		= pci_table_free,
	.restore	= pci_intx_table_restore,
	.restore_vector	= pci_intx_table_restore_vector,
	.destroy	= pci_table_destroy,
};

/* The first of @kinds, in their order of preference, which the function has */
static int pci_table_choose(struct pci_msi_table *ptable, unsigned int kinds)
{
	struct msi_table *table = &ptable->table;
	struct pci_dev *pdev = to_pci_dev(table->dev);
	bool msi = pci_msi_supported(pdev, 1);
	int nr_msix = msi && kinds & MSI_TABLE_MSIX ? pci_msix_vec_count(pdev) : -EINVAL;
	int nr_msi = msi && kinds & MSI_TABLE_MSI ? pci_msi_vec_count(pdev) : -EINVAL;
	const struct msi_table_backend *backend;
	bool dynamic = false;
	unsigned int kind;
	int size;

	if (nr_msix > 0 && pci_msi_domain_supports(pdev, MSI_FLAG_PCI_MSIX, ALLOW_LEGACY)) {
		backend = &pci_msix_table_backend;
		kind = MSI_TABLE_MSIX;
		size = nr_msix;
		dynamic = pci_msix_can_alloc_dyn(pdev);
	} else if (nr_msi > 0 && pci_msi_domain_supports(pdev, 0, ALLOW_LEGACY)) {
		backend = &pci_msi_table_backend;
		kind = MSI_TABLE_MSI;
		size = nr_msi;
	} else if (kinds & MSI_TABLE_INTX && (pdev->pin || pdev->irq)) {
		/* Which interrupt that is may be known when the function is enabled. */
		backend = &pci_intx_table_backend;
		kind = MSI_TABLE_INTX;
		size = 1;
	} else {
		return (nr_msix < 0 && nr_msi < 0) || !dev_get_msi_domain(&pdev->dev) ?
			-ENODEV : -EOPNOTSUPP;
	}

	WRITE_ONCE(table->backend, backend);
	WRITE_ONCE(table->kind, kind);
	WRITE_ONCE(table->size, size);
	WRITE_ONCE(table->dynamic, dynamic);
	table->recycle = dynamic && pci_msi_domain_supports(pdev, MSI_FLAG_RESERVATION_MODE,
							    DENY_LEGACY);
	return 0;
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
	const struct msi_message msg = msi_message_from_msg(&desc->msg);

	trace_msi_vector_write_msg(table, desc->msi_index, desc->irq, &msg);
	msi_table_changed(table, desc);
}

/* With the lock of the interrupt descriptor held */
void __pci_msi_table_trace_mask(struct irq_data *data, bool masked)
{
	struct msi_desc *desc = irq_data_get_msi_desc(data);
	struct msi_table *table = msi_desc_to_pci_dev(desc)->msi_table;

	if (table)
		trace_msi_vector_mask(table, desc->msi_index + data->irq - desc->irq, data->irq,
				      masked);
}

/**
 * pci_allocate_msi_table - Create the table of a PCI function's MSI-X, MSI or INTx
 * @pdev:	The PCI function, bound to the calling driver
 * @flags:	Which kinds will do: %MSI_TABLE_MSIX, %MSI_TABLE_MSI, %MSI_TABLE_INTX
 *
 * The table is of the first of these kinds which the function has and of which the
 * first allocation gets a vector; until that has succeeded kind and size may change.
 *
 * The table starts without vectors, and owns the capability from now on:
 * pci_alloc_irq_vectors() and friends fail with %-EBUSY, and
 * pci_free_irq_vectors() and friends do nothing.
 *
 * A label is an index of the MSI-X table (PCIe 6.0, 7.7.2), or an MSI message
 * number (7.7.1); that of INTx is 0.
 *
 * MSI-X is switched on by the first allocation and off with the table.
 *
 * If the parent domain does not support dynamic allocation (msi_table_is_dynamic())
 * then an allocation sets up its entries of MSI-X, and others get %-EOPNOTSUPP until all
 * vectors are freed, which switches MSI-X off. MSI is likewise switched on by an
 * allocation when there is no vector, with as many messages as its labels need, from 0
 * on, or as the parent domain grants. What is set up and has been freed can be taken
 * again meanwhile, without an affinity. With msi_table_enable() the driver says instead
 * which labels there are to be, until the table is freed.
 *
 * The line of INTx is shared with other devices, so handlers have to look whether it
 * was theirs. Its interrupt number, and with it msi_vector_irq(), may change when the
 * function is disabled and enabled again, for handlers which are installed after that.
 *
 * INTx, which either of them switches off, comes back with the end of the table
 * and not before: nobody handles it.
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
 * Context: May sleep. Switching MSI-X or MSI on needs the function in D0;
 * otherwise the allocation fails with %-EINVAL.
 *
 * Return: The table, or an ERR_PTR():
 *
 * * %-EINVAL - @flags is empty or unknown
 * * %-EBUSY - MSI or MSI-X is in use, by a table or in the legacy way
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

	guard(mutex)(&pci_msi_claim_mutex);
	if (pdev->msi_table || pci_dev_msi_enabled(pdev))
		return ERR_PTR(-EBUSY);

	ret = msi_table_register(&ptable->table);
	if (ret)
		return ERR_PTR(ret);

	pdev->msi_table = &ptable->table;
	return &no_free_ptr(ptable)->table;
}
EXPORT_SYMBOL_GPL(pci_allocate_msi_table);

/**
 * devm_pci_allocate_msi_table - Create a table which is freed on unbind
 * @pdev:	The PCI function, bound to the calling driver
 * @flags:	Which kinds will do
 *
 * Like pci_allocate_msi_table(), for a driver which leaves freeing the table to
 * the device's resources.
 *
 * Context: May sleep.
 *
 * Return: The table, or an ERR_PTR() as pci_allocate_msi_table()
 */
struct msi_table *devm_pci_allocate_msi_table(struct pci_dev *pdev, unsigned int flags)
{
	struct msi_table *table = pci_allocate_msi_table(pdev, flags);

	if (!IS_ERR(table))
		table->managed = true;
	return table;
}
EXPORT_SYMBOL_GPL(devm_pci_allocate_msi_table);
