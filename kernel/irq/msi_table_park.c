// SPDX-License-Identifier: GPL-2.0
/*
 * Parked vectors of MSI tables
 *
 * Nearly all of the time that it takes to allocate or free an interrupt goes
 * into its descriptor: memory, a kobject with its files, the tree of descriptors.
 * So a vector which is freed keeps its interrupt for a while, and
 * whoever wants its label next gets that, reset to what it was when it was new.
 *
 * A parked interrupt is not activated: on x86 it holds the reservation of a CPU
 * vector, not one. It is cut off from the store, and nobody can see it but in
 * debugfs and below /sys/kernel/irq.
 */
#include <kunit/visibility.h>
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/irq.h>
#include <linux/list.h>
#include <linux/moduleparam.h>
#include <linux/msi_table_core.h>
#include <linux/mutex.h>
#include <linux/shrinker.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <trace/events/msi_table.h>

#include "internals.h"
#include "msi_table.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX	"msi_table."

/* Parked vectors are given back in portions of this size. */
#define MSI_TABLE_TRIM_BATCH	32

unsigned int msi_table_max_parked = 64;
EXPORT_SYMBOL_IF_KUNIT(msi_table_max_parked);
module_param_named(max_parked, msi_table_max_parked, uint, 0644);
MODULE_PARM_DESC(max_parked, "Free vectors which a table keeps for reuse, 0 for none");

static atomic_t msi_tables_parked;

/* How many were given back, ever */
static atomic_t msi_tables_given_back;

/**
 * msi_vector_note_fresh - Remember what an interrupt is like before a driver has it
 * @vector:	Vector which was just allocated, without any particular affinity
 * @desc:	The descriptor of its interrupt
 *
 * The first one of a table serves as the model for all. One which differs from
 * it, which is not expected, is not parked. Nor is one which is active from the
 * beginning: it has more than a reservation.
 *
 * Context: With the lock of @desc held.
 */
void msi_vector_note_fresh(struct msi_vector *vector, struct irq_desc *desc)
{
	struct msi_table *table = vector->table;
	struct irq_desc_state state;

	if (!table->recycle || irqd_is_activated(irq_desc_get_irq_data(desc)))
		return;

	irq_desc_get_state(desc, &state);
	scoped_guard(raw_spinlock, &table->watch_lock) {
		if (!table->fresh.chip)
			table->fresh = state;
	}
	vector->recyclable = !memcmp(&table->fresh, &state, sizeof(state));
}

/**
 * msi_table_note_fresh - Remember what an interrupt is like before a driver has it
 * @vector:	Vector which was just allocated, without any particular affinity
 *
 * For backends.
 *
 * Context: Any, but not with the lock of the interrupt descriptor held.
 */
void msi_table_note_fresh(struct msi_vector *vector)
{
	scoped_irqdesc_get_and_lock(msi_vector_irq(vector), 0)
		msi_vector_note_fresh(vector, scoped_irqdesc);
}

/**
 * msi_irq_unpark - Give a parked interrupt back to its chip
 * @vector:	Parked vector
 * @silence:	Optional. Called for the vector with the lock of the interrupt
 *		descriptor held.
 *
 * For msi_table_backend::revive, when nothing can fail any more.
 *
 * Context: Any.
 */
void msi_irq_unpark(struct msi_vector *vector, void (*silence)(struct msi_vector *vector))
{
	scoped_irqdesc_get_and_lock(msi_vector_irq(vector), 0) {
		irq_desc_unpark(scoped_irqdesc, &vector->table->fresh);
		if (silence)
			silence(vector);
	}
	vector->parked = false;
}

/* More or less, when several are freed at the same time */
static bool msi_table_may_park(struct msi_table *table)
{
	return table->recycle &&
	       READ_ONCE(table->nr_parked) < READ_ONCE(msi_table_max_parked) &&
	       atomic_read(&msi_tables_parked) < MSI_TABLES_MAX_PARKED;
}

/**
 * msi_table_put_parked - Offer a parked vector to whoever looks for a free label
 * @vector:	The vector
 *
 * Context: Any but with the lock of msi_table::labels held.
 */
void msi_table_put_parked(struct msi_vector *vector)
{
	struct msi_table *table = vector->table;
	XA_STATE(xas, &table->labels, vector->label);

	atomic_inc(&msi_tables_parked);
	guard(spinlock)(&table->labels.xa_lock);
	WRITE_ONCE(table->nr_parked, table->nr_parked + 1);
	list_add(&vector->parked_node, &table->parked);
	xas_load(&xas);
	xas_set_mark(&xas, XA_FREE_MARK);
}

/**
 * msi_table_take_parked - Take a parked vector
 * @vector:	The vector, to be used again or freed
 *
 * Leaves %XA_FREE_MARK to the caller, who clears it, or holds msi_table::trim_sem for
 * writing, so that nobody looks for it.
 *
 * Context: With the lock of msi_table::labels held.
 */
void msi_table_take_parked(struct msi_vector *vector)
{
	struct msi_table *table = vector->table;

	WRITE_ONCE(table->nr_parked, table->nr_parked - 1);
	list_del(&vector->parked_node);
	atomic_dec(&msi_tables_parked);
}

/*
 * The chip of a parked interrupt. Whoever knows its number may mask and move it, but nothing
 * of that may reach the device or the store.
 */
static void msi_cut_off_noop(struct irq_data *data) { }

static void msi_cut_off_write_msg(struct irq_data *data, struct msi_msg *msg) { }

static void msi_cut_off_ack(struct irq_data *data)
{
	if (data->parent_data && data->parent_data->chip->irq_ack)
		irq_chip_ack_parent(data);
}

static void msi_cut_off_eoi(struct irq_data *data)
{
	if (data->parent_data && data->parent_data->chip->irq_eoi)
		irq_chip_eoi_parent(data);
}

static int msi_cut_off_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	return data->parent_data ? irq_chip_set_affinity_parent(data, mask, force) : -EINVAL;
}

static struct irq_chip msi_cut_off_chip = {
	.name			= "MSI-cut-off",
	.irq_mask		= msi_cut_off_noop,
	.irq_unmask		= msi_cut_off_noop,
	.irq_ack		= msi_cut_off_ack,
	.irq_eoi		= msi_cut_off_eoi,
	.irq_set_affinity	= msi_cut_off_set_affinity,
	.irq_write_msi_msg	= msi_cut_off_write_msg,
	.flags			= IRQCHIP_SKIP_SET_WAKE | IRQCHIP_ONESHOT_SAFE,
};

/**
 * msi_vector_park - Keep the interrupt of a vector which is freed
 * @vector:	The vector
 * @desc:	The descriptor of its interrupt, which has no handler
 *
 * Context: May sleep.
 *
 * Return: true if the vector is free now, false if it has to be freed
 */
bool msi_vector_park(struct msi_vector *vector, struct irq_desc *desc)
{
	struct msi_table *table = vector->table;

	if (!vector->recyclable || !msi_table_may_park(table) ||
	    !irq_desc_park(desc, &table->fresh, &msi_cut_off_chip, &table->late))
		return false;

	trace_msi_vector_free(vector);
	table->backend->retire(vector);
	vector->parked = true;
	msi_table_put_parked(vector);
	return true;
}

static unsigned int msi_table_extract_parked(struct msi_table *table, struct msi_vector **vectors,
					     unsigned int max)
{
	unsigned int n = 0;

	guard(spinlock)(&table->labels.xa_lock);
	while (n < max && !list_empty(&table->parked)) {
		vectors[n] = list_first_entry(&table->parked, struct msi_vector, parked_node);
		msi_table_take_parked(vectors[n++]);
	}
	return n;
}

/**
 * msi_table_trim - Give back the interrupts of parked vectors
 * @table:	The table
 *
 * Who allocates meanwhile waits: the labels are free, and marked so, but just can't be had.
 *
 * Context: May sleep.
 */
void msi_table_trim(struct msi_table *table)
{
	struct msi_vector *vectors[MSI_TABLE_TRIM_BATCH];
	unsigned int n;

	guard(rwsem_write)(&table->trim_sem);
	while ((n = msi_table_extract_parked(table, vectors, ARRAY_SIZE(vectors)))) {
		msi_table_discard(table, vectors, n);
		atomic_add(n, &msi_tables_given_back);
	}
}

/**
 * msi_tables_trim - Give back the interrupts of all parked vectors
 *
 * Those which somebody else is giving back are given back, too, when this
 * returns. msi_tables_nr_given_back() counts all of them.
 *
 * Context: May sleep.
 */
void msi_tables_trim(void)
{
	struct msi_table *table;

	guard(mutex)(&msi_tables_mutex);
	list_for_each_entry(table, &msi_tables, node)
		msi_table_trim(table);
}

/**
 * msi_tables_nr_given_back - How many interrupts of parked vectors were given back, ever
 *
 * Context: Any.
 *
 * Return: Their number, for msi_tables_give_back()
 */
int msi_tables_nr_given_back(void)
{
	return atomic_read(&msi_tables_given_back);
}

/**
 * msi_tables_give_back - See whether an allocation which failed is worth another try
 * @ret:	What it returned: an error, or a positive number of interrupts which could
 *		have been had
 * @before:	msi_tables_nr_given_back() before the allocation. Others may have failed,
 *		and given everything back, meanwhile.
 *
 * What it was short of may be held by parked vectors of any table, which are given back.
 *
 * Context: May sleep. Not with the lock of any device's MSI descriptors.
 *
 * Return: true if something was given back
 */
bool msi_tables_give_back(int ret, int before)
{
	if (ret != -ENOSPC && ret != -ENOMEM && ret <= 0)
		return false;
	msi_tables_trim();
	return msi_tables_nr_given_back() != before;
}

static void msi_tables_trim_work(struct work_struct *work)
{
	msi_tables_trim();
}

static DECLARE_WORK(msi_tables_trimmer, msi_tables_trim_work);

static unsigned long msi_tables_count_parked(struct shrinker *shrinker, struct shrink_control *sc)
{
	return atomic_read(&msi_tables_parked) ? : SHRINK_EMPTY;
}

/* Memory is allocated under all the locks that are taken to free an interrupt. */
unsigned long msi_tables_shrink(struct shrinker *shrinker, struct shrink_control *sc)
{
	schedule_work(&msi_tables_trimmer);
	return SHRINK_STOP;
}
EXPORT_SYMBOL_IF_KUNIT(msi_tables_shrink);

static int __init msi_table_park_init(void)
{
	struct shrinker *shrinker = shrinker_alloc(0, "msi_tables");

	if (!shrinker)
		return -ENOMEM;

	shrinker->count_objects = msi_tables_count_parked;
	shrinker->scan_objects = msi_tables_shrink;
	shrinker_register(shrinker);
	return 0;
}
core_initcall(msi_table_park_init);
