// SPDX-License-Identifier: GPL-2.0
/*
 * Entries of MSI tables in msi_irqs/ of their device, as the MSI core makes them
 *
 * An attribute for each vector would take more memory than the vector, and time
 * whenever it is recycled. So the files are made without one. What is an array of
 * attributes for others is the file for the descriptor of such a vector.
 */
#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/kernfs.h>
#include <linux/msi_table_core.h>
#include <linux/pci.h>
#include <linux/seq_file.h>

static int msi_irqs_show(struct seq_file *m, void *v)
{
	struct kernfs_open_file *of = m->private;
	struct device *dev = of->kn->priv;

	/* MSI or MSI-X is per device, also for a store which is none of both. */
	seq_puts(m, dev_is_pci(dev) && to_pci_dev(dev)->msix_enabled ? "msix\n" : "msi\n");
	return 0;
}

static const struct kernfs_ops msi_irqs_ops = {
	.seq_show	= msi_irqs_show,
};

/**
 * msi_irqs_dir - The folder msi_irqs/ of a device
 * @dev:	The device
 *
 * Context: May sleep.
 *
 * Return: the folder, to be put, or NULL if there is none
 */
struct kernfs_node *msi_irqs_dir(struct device *dev)
{
	return kernfs_find_and_get(dev->kobj.sd, "msi_irqs");
}

/**
 * msi_vector_remove_sysfs - Remove the entry of a vector
 * @vector:	The vector
 *
 * Does nothing without msi_table::irqs_dir.
 *
 * Context: May sleep.
 */
void msi_vector_remove_sysfs(struct msi_vector *vector)
{
	struct msi_desc *desc;

	if (!vector->table->irqs_dir)
		return;

	desc = msi_vector_desc(vector);
	kernfs_remove((void *)desc->sysfs_attrs);
	desc->sysfs_attrs = NULL;
}

/**
 * msi_vector_add_sysfs - Add the entry of a vector which has an interrupt
 * @vector:	The vector
 *
 * Does nothing without msi_table::irqs_dir.
 *
 * Context: May sleep.
 *
 * Return: 0, or %-ENOMEM
 */
int msi_vector_add_sysfs(struct msi_vector *vector)
{
	struct msi_table *table = vector->table;
	static struct lock_class_key key;
	struct kernfs_node *kn;
	char name[12] = { };

	if (!table->irqs_dir)
		return 0;

	num_to_str(name, sizeof(name) - 1, msi_vector_irq(vector), 0);
	kn = __kernfs_create_file(table->irqs_dir, name, 0444, GLOBAL_ROOT_UID, GLOBAL_ROOT_GID,
				  PAGE_SIZE, &msi_irqs_ops, table->dev, NULL, &key);
	if (IS_ERR(kn))
		return PTR_ERR(kn);
	msi_vector_desc(vector)->sysfs_attrs = (void *)kn;
	return 0;
}

/**
 * msi_vectors_add_sysfs - Add the entries of several vectors, or none
 * @vectors:	The vectors
 * @n:		How many
 *
 * Context: May sleep.
 *
 * Return: 0, or %-ENOMEM
 */
int msi_vectors_add_sysfs(struct msi_vector **vectors, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		int ret = msi_vector_add_sysfs(vectors[i]);

		if (!ret)
			continue;
		while (i--)
			msi_vector_remove_sysfs(vectors[i]);
		return ret;
	}
	return 0;
}
