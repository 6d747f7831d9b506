// SPDX-License-Identifier: GPL-2.0
/*
 * MSI tables of PCI functions: the MSI-X table and the MSI capability
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
 * struct pci_msi_table - MSI-X table or MSI capability of a PCI function
 * @table:	The table
 * @mutex:	Serializes allocation and free, and so switching the capability
 * @enabled:	Number of usable labels while MSI is on, 1 while MSI-X is, or 0
 * @held:	MSI-X is on, but its interrupts are held back
 * @intx_off:	INTx was switched off, and comes back when the table goes
 * @live:	Number of allocated vectors
 */
struct pci_msi_table {
	struct msi_table	table;
	struct mutex		mutex;
	unsigned int		enabled;
	bool			held;
	bool			intx_off;
	unsigned int		live;
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
	ptable->enabled = 0;
}

/* Firmware which was loaded since may have changed the number of entries. */
static int pci_msix_table_resize(struct pci_msi_table *ptable, u32 label)
{
	int size = pci_msix_vec_count(to_pci_dev(ptable->table.dev));

	if (size < 0)
		return size;
	WRITE_ONCE(ptable->table.size, size);
	return label < size ? 0 : -ERANGE;
}

/* For an allocation up to @label */
static int pci_msix_table_enable(struct pci_msi_table *ptable, u32 label)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	int ret;

	if (ptable->enabled)
		return 0;
	if (pdev->current_state != PCI_D0)
		return -EINVAL;
	ret = pci_msix_table_resize(ptable, label);
	if (ret)
		return ret;
	if (!pci_setup_msix_device_domain(pdev, ptable->table.size))
		return -ENOMEM;

	ret = msix_capability_begin(pdev);
	if (ret)
		return ret;

	ptable->enabled = 1;
	ptable->held = true;
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

	ret = pci_msix_table_enable(ptable, first + n - 1);
	if (ret)
		return ret;

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

/*
 * The parent does not support dynamic allocation, or the domain is not below an
 * MSI parent: the one allocation which switches MSI-X on is all there can be.
 */
static int pci_msix_table_alloc_static(struct pci_msi_table *ptable, struct msi_vector **vectors,
				       unsigned int n, const struct irq_affinity_desc *affinity)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	int ret;

	if (ptable->enabled || affinity)
		return -EOPNOTSUPP;
	if (vectors[0]->label &&
	    pci_msi_domain_supports(pdev, MSI_FLAG_MSIX_CONTIGUOUS, DENY_LEGACY))
		return -EOPNOTSUPP;

	struct msix_entry *entries __free(kfree) = kcalloc(n, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;

	for (unsigned int i = 0; i < n; i++)
		entries[i].entry = vectors[i]->label;
	ret = __pci_enable_msix_range(pdev, entries, 1, n, NULL, 0);
	for (int i = 0; i < ret; i++)
		pci_msi_vector_set_irq(vectors[i], entries[i].vector);
	if (ret > 0)
		ptable->enabled = 1;
	return ret;
}

static void pci_msix_table_note_fresh(struct msi_vector *vector)
{
	struct irq_desc *desc = irq_to_desc(msi_vector_irq(vector));

	guard(raw_spinlock_irqsave)(&desc->lock);
	msi_table_note_fresh(vector, desc);
}

static int pci_msix_table_alloc(struct msi_table *table, struct msi_vector **vectors,
				unsigned int n, u32 lowest,
				const struct irq_affinity_desc *affinity)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);
	struct pci_dev *pdev = to_pci_dev(table->dev);
	bool was_enabled;
	int ret;

	guard(mutex)(&ptable->mutex);
	was_enabled = ptable->enabled;
	if (pci_msix_can_alloc_dyn(pdev))
		ret = pci_msix_table_alloc_dyn(ptable, vectors, n, affinity);
	else
		ret = pci_msix_table_alloc_static(ptable, vectors, n, affinity);
	if (ret < 0 && !was_enabled)
		pci_msi_table_disable(ptable);

	for (int i = 0; i < ret; i++) {
		ptable->live++;
		if (!affinity)
			pci_msix_table_note_fresh(vectors[i]);
	}
	return ret;
}

static void pci_msi_table_commit(struct msi_table *table)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);

	guard(mutex)(&ptable->mutex);
	if (ptable->held)
		msix_capability_commit(to_pci_dev(table->dev));
	ptable->held = false;
	ptable->intx_off = true;
}

static void pci_msix_table_free(struct msi_table *table, struct msi_vector **vectors,
				unsigned int n)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);
	struct pci_dev *pdev = to_pci_dev(table->dev);
	bool dynamic = pci_msix_can_alloc_dyn(pdev);

	guard(mutex)(&ptable->mutex);
	ptable->live -= n;
	if (dynamic)
		pci_msix_table_free_dyn(pdev, vectors, n);
	/* With the first allocation, which failed, or because none can follow */
	if (!ptable->live && !(dynamic && ptable->intx_off))
		pci_msi_table_disable(ptable);
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

/* The first of @n vectors, as far as their messages were granted */
static int pci_msi_table_take(struct pci_msi_table *ptable, struct msi_vector **vectors,
			      unsigned int n, u32 lowest)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	unsigned int i;

	for (i = 0; i < n && vectors[i]->label < ptable->enabled; i++)
		pci_msi_vector_set_irq(vectors[i], pci_irq_vector(pdev, vectors[i]->label));
	ptable->live += i;
	if (i)
		return i;
	return lowest < ptable->enabled ? -ENOSPC : -EOPNOTSUPP;
}

static int pci_msi_table_alloc(struct msi_table *table, struct msi_vector **vectors,
			       unsigned int n, u32 lowest,
			       const struct irq_affinity_desc *affinity)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);
	struct pci_dev *pdev = to_pci_dev(table->dev);
	int ret;

	/* The messages differ in the data only, so all go to the same CPUs. */
	if (affinity)
		return -EOPNOTSUPP;

	guard(mutex)(&ptable->mutex);
	if (!ptable->enabled) {
		if (!pci_setup_msi_device_domain(pdev, table->size))
			return -ENOMEM;
		ret = __pci_enable_msi_range(pdev, 1, table->size, NULL);
		if (ret < 0)
			return ret;
		ptable->enabled = ret;
	}

	ret = pci_msi_table_take(ptable, vectors, n, lowest);
	if (!ptable->live && !ptable->intx_off)
		pci_msi_table_disable(ptable);
	return ret;
}

/* MSI stays on, unless this is the first allocation, which has failed. */
static void pci_msi_table_free(struct msi_table *table, struct msi_vector **vectors,
			       unsigned int n)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);

	guard(mutex)(&ptable->mutex);
	ptable->live -= n;
	if (!ptable->live && !ptable->intx_off)
		pci_msi_table_disable(ptable);
}

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

static void pci_msi_table_destroy(struct msi_table *table)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);
	struct pci_dev *pdev = to_pci_dev(table->dev);

	pci_msi_table_disable(ptable);
	if (ptable->intx_off) {
		ptable->intx_off = false;
		pci_intx_for_msi(pdev, 1);
	}
	scoped_guard(mutex, &pci_msi_claim_mutex)
		pdev->msi_table = NULL;
	kfree(ptable);
}

static const struct msi_table_backend pci_msix_table_backend = {
	.kind		= "PCI/MSI-X",
	.vector_size	= sizeof(struct pci_msi_vector),
	.desc		= pci_msi_vector_desc,
	.alloc		= pci_msix_table_alloc,
	.commit		= pci_msi_table_commit,
	.free		= pci_msix_table_free,
	.retire		= msi_vector_remove_sysfs,
	.revive		= pci_msix_table_revive,
	.abandon	= pci_msi_table_abandon,
	.restore	= pci_msi_table_restore,
	.restore_vector	= pci_msix_table_restore_vector,
	.destroy	= pci_msi_table_destroy,
};

static const struct msi_table_backend pci_msi_table_backend = {
	.kind		= "PCI/MSI",
	.vector_size	= sizeof(struct pci_msi_vector),
	.desc		= pci_msi_vector_desc,
	.alloc		= pci_msi_table_alloc,
	.commit		= pci_msi_table_commit,
	.free		= pci_msi_table_free,
	.abandon	= pci_msi_table_abandon,
	.restore	= pci_msi_table_restore,
	.restore_vector	= pci_msi_table_restore_vector,
	.destroy	= pci_msi_table_destroy,
};

/* Nobody handles INTx of a function whose driver wants MSI. */
bool pci_msi_table_keeps_intx_off(struct pci_dev *pdev)
{
	return pdev->msi_table && to_pci_msi_table(pdev->msi_table)->intx_off;
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

static int pci_msi_table_init(struct msi_table *table, struct pci_dev *pdev, unsigned int flags)
{
	int nr_msix = flags & MSI_TABLE_MSIX ? pci_msix_vec_count(pdev) : -EINVAL;
	int nr_msi = flags & MSI_TABLE_MSI ? pci_msi_vec_count(pdev) : -EINVAL;

	if (!pci_msi_supported(pdev, 1) || (nr_msix < 0 && nr_msi < 0))
		return -ENODEV;

	table->dev = &pdev->dev;
	if (nr_msix > 0 && pci_msi_domain_supports(pdev, MSI_FLAG_PCI_MSIX, ALLOW_LEGACY)) {
		table->backend = &pci_msix_table_backend;
		table->name = "PCI-MSIX";
		table->recycle = pci_msix_can_alloc_dyn(pdev) &&
				 pci_msi_domain_supports(pdev, MSI_FLAG_RESERVATION_MODE,
							 DENY_LEGACY);
		table->size = nr_msix;
		return 0;
	}
	if (nr_msi > 0 && pci_msi_domain_supports(pdev, 0, ALLOW_LEGACY)) {
		table->backend = &pci_msi_table_backend;
		table->name = "PCI-MSI";
		table->size = nr_msi;
		return 0;
	}
	return dev_get_msi_domain(&pdev->dev) ? -EOPNOTSUPP : -ENODEV;
}

/**
 * pci_allocate_msi_table - Create the table of a PCI function's MSI-X or MSI
 * @pdev:	The PCI function, bound to the calling driver
 * @flags:	%MSI_TABLE_MSIX, %MSI_TABLE_MSI, or both, which prefers MSI-X
 *
 * The table starts without vectors, and owns the capability from now on:
 * pci_alloc_irq_vectors() and friends fail with %-EBUSY, and
 * pci_free_irq_vectors() and friends do nothing.
 *
 * A label is an index of the MSI-X table (PCIe 6.0, 7.7.2), or an MSI message
 * number (7.7.1).
 *
 * MSI-X is switched on by the first allocation and off with the table. If the
 * parent domain does not support dynamic allocation then the first allocation, of
 * one or several vectors, is the only one; further ones get %-EOPNOTSUPP, as does
 * an affinity, until all vectors are freed, which switches MSI-X off.
 *
 * MSI is switched on by the first allocation, with as many messages as the
 * parent domain grants, and off with the table. Labels above what was granted get
 * %-EOPNOTSUPP, and so does an affinity.
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
 * * %-ENODEV - the function has no such capability, it is disabled, or there is
 *   no MSI domain
 * * %-EOPNOTSUPP - the MSI domain does not support it
 * * %-ENOMEM - no memory
 */
struct msi_table *pci_allocate_msi_table(struct pci_dev *pdev, unsigned int flags)
{
	int ret;

	if (!flags || flags & ~(MSI_TABLE_MSIX | MSI_TABLE_MSI))
		return ERR_PTR(-EINVAL);

	struct pci_msi_table *ptable __free(kfree) = kzalloc_obj(*ptable);
	if (!ptable)
		return ERR_PTR(-ENOMEM);

	mutex_init(&ptable->mutex);
	ret = pci_msi_table_init(&ptable->table, pdev, flags);
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
 * @flags:	%MSI_TABLE_MSIX, %MSI_TABLE_MSI, or both, which prefers MSI-X
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
