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
#include <linux/msi_table_core.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "msi.h"

/**
 * struct pci_msi_table - MSI-X table or MSI capability of a PCI function
 * @table:	The table
 * @mutex:	Serializes allocation and free, and so switching the capability
 * @enabled:	Number of usable labels while MSI is on, 1 while MSI-X is, or 0
 * @live:	Number of allocated vectors of MSI, which is switched off with the last
 */
struct pci_msi_table {
	struct msi_table	table;
	struct mutex		mutex;
	unsigned int		enabled;
	unsigned int		live;
};

/* Protects the claim on pci_dev::msi_table */
static DEFINE_MUTEX(pci_msi_claim_mutex);

static inline struct pci_msi_table *to_pci_msi_table(struct msi_table *table)
{
	return container_of(table, struct pci_msi_table, table);
}

static void pci_msi_table_disable(struct pci_msi_table *ptable)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);

	if (!ptable->enabled)
		return;

	guard(msi_descs_lock)(&pdev->dev);
	pci_msix_shutdown(pdev);
	pci_msi_shutdown(pdev);
	if (ptable->table.abandoned)
		msi_abandon_device_irqs(&pdev->dev, MSI_DEFAULT_DOMAIN);
	pci_free_msi_irqs(pdev);
	if (ptable->table.abandoned)
		msi_abandon_device_domain(&pdev->dev, MSI_DEFAULT_DOMAIN);
	ptable->enabled = 0;
}

static int pci_msix_table_enable(struct pci_msi_table *ptable)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	int ret;

	if (ptable->enabled)
		return 0;
	if (pdev->current_state != PCI_D0)
		return -EINVAL;
	if (!pci_setup_msix_device_domain(pdev, ptable->table.size))
		return -ENOMEM;

	ret = msix_capability_init(pdev, NULL, 0, NULL);
	if (!ret)
		ptable->enabled = 1;
	return ret;
}

static int pci_msix_table_alloc_dyn(struct pci_msi_table *ptable, struct msi_vector *vector,
				    const struct irq_affinity_desc *affinity)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	struct msi_desc desc = { .msi_index = vector->label };
	int ret;

	ret = pci_msix_table_enable(ptable);
	if (ret)
		return ret;

	/*
	 * Not pci_msix_alloc_irq_at(): when it allocates the only vector then
	 * the descriptor is not prepared yet when the core looks whether it can
	 * be masked, and the vector gets more than a reservation.
	 */
	msix_prepare_msi_desc(pdev, &desc);
	desc.affinity = (struct irq_affinity_desc *)affinity;

	scoped_guard(msi_descs_lock, &pdev->dev) {
		ret = msi_insert_msi_desc(&pdev->dev, &desc);
		if (!ret)
			ret = msi_domain_alloc_irqs_range_locked(&pdev->dev, MSI_DEFAULT_DOMAIN,
								 vector->label, vector->label);
	}
	if (ret)
		return ret;

	vector->irq = msi_get_virq(&pdev->dev, vector->label);
	return 0;
}

/*
 * The parent does not support dynamic allocation, or the domain is not below an
 * MSI parent: the one allocation which switches MSI-X on is all there can be.
 */
static int pci_msix_table_alloc_static(struct pci_msi_table *ptable, struct msi_vector *vector,
				       const struct irq_affinity_desc *affinity)
{
	struct pci_dev *pdev = to_pci_dev(ptable->table.dev);
	struct msix_entry entry = { .entry = vector->label };
	int ret;

	if (ptable->enabled || affinity)
		return -EOPNOTSUPP;
	if (entry.entry && pci_msi_domain_supports(pdev, MSI_FLAG_MSIX_CONTIGUOUS, DENY_LEGACY))
		return -EOPNOTSUPP;

	ret = __pci_enable_msix_range(pdev, &entry, 1, 1, NULL, 0);
	if (ret < 0)
		return ret;

	ptable->enabled = 1;
	vector->irq = entry.vector;
	return 0;
}

static int pci_msix_table_alloc(struct msi_vector *vector, const struct msi_vector_request *req)
{
	struct pci_msi_table *ptable = to_pci_msi_table(vector->table);
	struct pci_dev *pdev = to_pci_dev(vector->table->dev);
	bool was_enabled;
	int ret;

	guard(mutex)(&ptable->mutex);
	was_enabled = ptable->enabled;
	if (pci_msix_can_alloc_dyn(pdev))
		ret = pci_msix_table_alloc_dyn(ptable, vector, req->affinity);
	else
		ret = pci_msix_table_alloc_static(ptable, vector, req->affinity);
	if (ret) {
		if (!was_enabled)
			pci_msi_table_disable(ptable);
		return ret;
	}

	vector->desc = irq_get_msi_desc(vector->irq);
	return 0;
}

static void pci_msix_table_free(struct msi_vector *vector)
{
	struct pci_msi_table *ptable = to_pci_msi_table(vector->table);
	struct pci_dev *pdev = to_pci_dev(vector->table->dev);

	guard(mutex)(&ptable->mutex);
	if (pci_msix_can_alloc_dyn(pdev))
		msi_domain_free_irqs_range(&pdev->dev, MSI_DEFAULT_DOMAIN, vector->label,
					   vector->label);
	else
		pci_msi_table_disable(ptable);
}

static int pci_msi_table_alloc(struct msi_vector *vector, const struct msi_vector_request *req)
{
	struct pci_msi_table *ptable = to_pci_msi_table(vector->table);
	struct pci_dev *pdev = to_pci_dev(vector->table->dev);
	int ret;

	/* The messages differ in the data only, so all go to the same CPUs. */
	if (req->affinity)
		return -EOPNOTSUPP;

	guard(mutex)(&ptable->mutex);
	if (!ptable->enabled) {
		ret = __pci_enable_msi_range(pdev, 1, vector->table->size, NULL);
		if (ret < 0)
			return ret;
		ptable->enabled = ret;
	}

	if (vector->label >= ptable->enabled) {
		ret = req->lowest < ptable->enabled ? -ENOSPC : -EOPNOTSUPP;
		if (!ptable->live)
			pci_msi_table_disable(ptable);
		return ret;
	}

	ptable->live++;
	vector->irq = pci_irq_vector(pdev, vector->label);
	vector->desc = irq_get_msi_desc(vector->irq);
	return 0;
}

static void pci_msi_table_free(struct msi_vector *vector)
{
	struct pci_msi_table *ptable = to_pci_msi_table(vector->table);

	guard(mutex)(&ptable->mutex);
	if (!--ptable->live)
		pci_msi_table_disable(ptable);
}

static void pci_msi_table_destroy(struct msi_table *table)
{
	struct pci_msi_table *ptable = to_pci_msi_table(table);

	pci_msi_table_disable(ptable);
	scoped_guard(mutex, &pci_msi_claim_mutex)
		to_pci_dev(table->dev)->msi_table = NULL;
	kfree(ptable);
}

static const struct msi_table_backend pci_msix_table_backend = {
	.vector_size	= sizeof(struct msi_vector),
	.alloc		= pci_msix_table_alloc,
	.free		= pci_msix_table_free,
	.destroy	= pci_msi_table_destroy,
};

static const struct msi_table_backend pci_msi_table_backend = {
	.vector_size	= sizeof(struct msi_vector),
	.alloc		= pci_msi_table_alloc,
	.free		= pci_msi_table_free,
	.destroy	= pci_msi_table_destroy,
};

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
 * parent domain does not support dynamic allocation then there can be only one
 * vector, and further ones get %-EOPNOTSUPP.
 *
 * MSI is switched on by the first allocation, with as many messages as the
 * parent domain grants, and off with the last vector. Labels above what was
 * granted get %-EOPNOTSUPP, and so does an affinity.
 *
 * It is freed by msi_table_free(), or when @pdev is unbound from its driver.
 *
 * Context: May sleep. Switching MSI-X or MSI on needs the function in D0;
 * otherwise the allocation fails with %-EINVAL.
 *
 * Return: The table, or an ERR_PTR():
 *
 *	%-EINVAL	@flags is empty or unknown
 *	%-EBUSY		MSI or MSI-X is in use, by a table or in the legacy way
 *	%-ENODEV	the function has no such capability, it is disabled, or
 *			there is no MSI domain
 *	%-EOPNOTSUPP	the MSI domain does not support it
 *	%-ENOMEM	no memory
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
