// SPDX-License-Identifier: GPL-2.0
/*
 * MSI tables in debugfs: one file per table, which lists its vectors
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "internals.h"
#include "msi_table.h"

static struct dentry *msi_table_dir;

/* The position is 0 for the head, and a label plus 1 after that. */
static void *msi_table_seq_start(struct seq_file *m, loff_t *pos)
{
	struct msi_table *table = m->private;
	unsigned long label = *pos - 1;

	if (!*pos)
		return SEQ_START_TOKEN;
	if (!xa_find(&table->labels, &label, ULONG_MAX, XA_PRESENT))
		return NULL;
	*pos = label + 1;
	return pos;
}

static void *msi_table_seq_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return msi_table_seq_start(m, pos);
}

static void msi_table_seq_stop(struct seq_file *m, void *v) { }

static unsigned int msi_table_count_live(struct msi_table *table)
{
	struct msi_vector *vector;
	unsigned long label;
	unsigned int n = 0;

	guard(spinlock)(&table->labels.xa_lock);
	xa_for_each(&table->labels, label, vector)
		n += vector->live;
	return n;
}

static void msi_table_show_head(struct seq_file *m, struct msi_table *table)
{
	seq_printf(m, "device:  %s\n", dev_name(table->dev));
	seq_printf(m, "kind:    %s\n", table->backend->name);
	seq_printf(m, "name:    %s\n", table->name);
	seq_printf(m, "size:    %u\n", table->size);
	seq_printf(m, "live:    %u\n", msi_table_count_live(table));
	seq_puts(m, "     label    irq address            data            count affinity\n");
}

static void msi_table_show_vector(struct seq_file *m, struct msi_vector *vector)
{
	unsigned int irq = msi_vector_irq(vector);

	scoped_irqdesc_get_and_lock(irq, 0) {
		struct irq_data *data = irq_desc_get_irq_data(scoped_irqdesc);
		struct msi_msg msg;

		seq_printf(m, "%10u %6u ", vector->label, irq);
		if (msi_vector_read_msg(vector, &msg))
			seq_printf(m, "0x%016llx 0x%08x ", msi_msg_address(&msg), msg.data);
		else
			seq_printf(m, "%-18s %-10s ", "-", "-");
		seq_printf(m, "%10u %*pbl\n", kstat_irqs_usr(irq),
			   cpumask_pr_args(irq_data_get_affinity_mask(data)));
	}
}

static int msi_table_seq_show(struct seq_file *m, void *v)
{
	struct msi_table *table = m->private;
	struct msi_vector *vector;
	loff_t *pos = v;

	if (v == SEQ_START_TOKEN) {
		msi_table_show_head(m, table);
		return 0;
	}

	guard(spinlock)(&table->labels.xa_lock);
	vector = xa_load(&table->labels, *pos - 1);
	/* As long as the lock is held it keeps its interrupt. */
	if (vector && vector->live)
		msi_table_show_vector(m, vector);
	return 0;
}

static const struct seq_operations msi_table_sops = {
	.start	= msi_table_seq_start,
	.next	= msi_table_seq_next,
	.stop	= msi_table_seq_stop,
	.show	= msi_table_seq_show,
};
DEFINE_SEQ_ATTRIBUTE(msi_table);

/* Called with the list of tables locked, as is msi_table_debugfs_init() */
void msi_table_add_debugfs(struct msi_table *table)
{
	if (!msi_table_dir)
		return;

	char *name __free(kfree) = kasprintf(GFP_KERNEL, "%s-%s", dev_name(table->dev),
					     table->name);
	if (name)
		table->debugfs = debugfs_create_file(name, 0444, msi_table_dir, table,
						     &msi_table_fops);
}

void msi_table_remove_debugfs(struct msi_table *table)
{
	debugfs_remove(table->debugfs);
}

void __init msi_table_debugfs_init(struct dentry *root)
{
	msi_table_dir = debugfs_create_dir("msi_tables", root);
}
