// SPDX-License-Identifier: GPL-2.0
/*
 * MSI tables: one allocator for message signalled interrupts
 *
 * A table stands for one physical store of messages, a vector for one message
 * in it. This file knows about labels, lifetimes and handlers. What the store
 * is and how its interrupts come into being is up to the backend of the table:
 * msi_table_store.c for device-specific stores, drivers/pci/msi/table.c for
 * the MSI-X and MSI capabilities of PCI functions.
 */
#include <linux/device.h>
#include <linux/device/devres.h>
#include <linux/export.h>
#include <linux/irq.h>
#include <linux/msi.h>
#include <linux/msi_table_core.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "internals.h"
#include "msi_table.h"

#define CREATE_TRACE_POINTS
#include <trace/events/msi_table.h>

#if IS_ENABLED(CONFIG_MSI_TABLE_KUNIT_TEST)
EXPORT_TRACEPOINT_SYMBOL_GPL(msi_vector_alloc_failed);
EXPORT_TRACEPOINT_SYMBOL_GPL(msi_vector_request);
EXPORT_TRACEPOINT_SYMBOL_GPL(msi_vector_free);
#endif

/* All vectors of a table are freed in portions of this size. */
#define MSI_TABLE_FREE_BATCH	32

/* Protects the list of tables, and the first use of a device's MSI data */
DEFINE_MUTEX(msi_tables_mutex);
LIST_HEAD(msi_tables);

static void msi_table_devres_release(struct device *dev, void *res)
{
	/* NULL if the driver has freed it, while the device was being unbound */
	msi_table_free(*(struct msi_table **)res);
}

static int msi_table_devres_match(struct device *dev, void *res, void *data)
{
	return res == data;
}

/**
 * msi_table_register - Bring a new table to life
 * @table:	Zeroed table, with device, backend, name and size set
 *
 * From here on the table is freed when its device is unbound.
 *
 * Context: May sleep.
 *
 * Return: 0, %-EEXIST when the device has a table of this name, or %-ENOMEM
 */
int msi_table_register(struct msi_table *table)
{
	struct device *dev = table->dev;
	struct msi_table *other;
	struct msi_table **res;
	int ret;

	xa_init_flags(&table->labels, XA_FLAGS_ALLOC);
	raw_spin_lock_init(&table->watch_lock);

	guard(mutex)(&msi_tables_mutex);
	list_for_each_entry(other, &msi_tables, node) {
		if (other->dev == dev && !strcmp(other->name, table->name))
			return -EEXIST;
	}

	/*
	 * The resource of the MSI data must be older than that of the table:
	 * its release destroys the PCI domain and the group in sysfs, which the
	 * vectors of the table need. INTx has neither: an empty msi_irqs/ would hide
	 * its interrupt from who looks there first.
	 */
	ret = table->backend->kind == MSI_TABLE_INTX ? 0 : msi_setup_device_data(dev);
	if (ret)
		return ret;

	res = devres_alloc(msi_table_devres_release, sizeof(*res), GFP_KERNEL);
	if (!res)
		return -ENOMEM;

	*res = table;
	table->devres = res;
	list_add_tail(&table->node, &msi_tables);
	devres_add(dev, res);
	msi_table_add_debugfs(table);
	trace_msi_table_create(table);
	return 0;
}

/**
 * msi_table_unregister - Undo msi_table_register()
 * @table:	Table without vectors
 *
 * For a backend whose creation of a table fails later on.
 *
 * Context: May sleep.
 */
void msi_table_unregister(struct msi_table *table)
{
	struct msi_table **res = table->devres;

	trace_msi_table_destroy(table);
	scoped_guard(mutex, &msi_tables_mutex) {
		list_del(&table->node);
		msi_table_remove_debugfs(table);
	}
	/* A label for which there was no memory may have left empty nodes behind. */
	xa_destroy(&table->labels);

	/*
	 * While the device is being unbound the resource can not be found any
	 * more, and is released later. So it must not find the table either.
	 */
	*res = NULL;
	devres_destroy(table->dev, msi_table_devres_release, msi_table_devres_match, res);
}

/**
 * msi_table_free - Free a table
 * @table:	Table to free, or NULL
 *
 * Frees the vectors which are left like msi_table_free_vector() does. The
 * caller makes sure that nothing uses the table or a vector of it any more.
 *
 * A table which the driver did not free is freed when its device is unbound, in
 * the order of the device's resources: one which is older than the table, e.g.
 * a devm action, finds it gone and must not free it.
 *
 * Context: May sleep.
 */
void msi_table_free(struct msi_table *table)
{
	if (!table)
		return;

	msi_table_free_all(table);
	msi_table_unregister(table);
	table->backend->destroy(table);
}
EXPORT_SYMBOL_GPL(msi_table_free);

/* Of a vector without an interrupt */
static void msi_vector_release(struct msi_vector *vector)
{
	xa_erase(&vector->table->labels, vector->label);
	kfree(vector);
}

/* Undoes msi_table_take_vectors() */
static void msi_vectors_put_back(struct msi_vector **vectors, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		msi_vector_release(vectors[i]);
}

/* A new vector at the lowest free label */
static struct msi_vector *msi_table_take(struct msi_table *table, u32 lowest, u32 highest)
{
	struct msi_vector *vector = kzalloc(table->backend->vector_size, GFP_KERNEL);
	int ret;

	if (!vector)
		return ERR_PTR(-ENOMEM);

	vector->table = table;
	ret = xa_alloc(&table->labels, &vector->label, vector, XA_LIMIT(lowest, highest),
		       GFP_KERNEL);
	if (ret) {
		kfree(vector);
		return ERR_PTR(ret);
	}
	return vector;
}

/* Vectors at the lowest free labels, at least @min of them, without an interrupt */
static int msi_table_take_vectors(struct msi_table *table, const struct msi_vector_request *req,
				  u32 highest, unsigned int min, unsigned int max,
				  struct msi_vector **vectors)
{
	struct msi_vector *vector;
	u32 lowest = req->lowest;
	unsigned int n;

	for (n = 0; n < max; n++) {
		vector = msi_table_take(table, lowest, highest);
		if (IS_ERR(vector))
			break;
		vector->cookie = req->cookies ? req->cookies[n] : req->cookie;
		lowest = vector->label + 1;
		vectors[n] = vector;
	}
	if (n >= min)
		return n;

	msi_vectors_put_back(vectors, n);
	return PTR_ERR(vector);
}

static void msi_table_commit(struct msi_table *table)
{
	if (READ_ONCE(table->uncommitted))
		table->backend->commit(table);
}

/* The interrupts of at least @min of @n vectors, the first ones */
static int msi_table_alloc_irqs(struct msi_table *table, const struct msi_vector_request *req,
				unsigned int min, unsigned int n, struct msi_vector **vectors)
{
	const struct irq_affinity_desc *affinity = req->affinity;
	bool single = false;
	unsigned int done = 0;
	int ret = 0;

	while (done < n) {
		unsigned int run = single ? 1 : msi_vectors_run(vectors + done, n - done);

		ret = table->backend->alloc(table, vectors + done, run, req->lowest,
					    affinity ? affinity + done : NULL);
		if (ret > 0)
			done += ret;
		else if (run > 1)
			single = true;
		else
			break;
	}
	if (done >= min) {
		msi_table_commit(table);
		return done;
	}

	if (done)
		table->backend->free(table, vectors, done);
	return ret;
}

static int msi_table_alloc_batch(struct msi_table *table, const struct msi_vector_request *req,
				 unsigned int min, unsigned int max, struct msi_vector **vectors)
{
	u32 size = READ_ONCE(table->size);
	u32 last = size ? size - 1 : MSI_LABEL_ANY - 1;
	u32 highest = req->highest == MSI_LABEL_ANY ? last : req->highest;
	unsigned int taken;
	int ret, done;

	if (req->lowest > highest || highest > last)
		return -ERANGE;
	max = min(max, highest - req->lowest + 1);
	if (min > max)
		return -ENOSPC;
	for (unsigned int i = 0; req->affinity && i < max; i++) {
		if (cpumask_empty(&req->affinity[i].mask))
			return -EINVAL;
	}

	ret = msi_table_take_vectors(table, req, highest, min, max, vectors);
	if (ret < 0) {
		if (ret == -EBUSY && req->lowest != highest)
			ret = -ENOSPC;
		trace_msi_vector_alloc_failed(table, req, min, false, ret);
		return ret;
	}

	taken = ret;
	ret = msi_table_alloc_irqs(table, req, min, taken, vectors);
	if (ret < 0)
		trace_msi_vector_alloc_failed(table, req, min, true, ret);
	done = max(ret, 0);
	for (unsigned int i = 0; i < done; i++) {
		vectors[i]->live = true;
		trace_msi_vector_alloc(vectors[i]);
	}
	msi_vectors_put_back(vectors + done, taken - done);
	return ret;
}

/* Spreads again when there are fewer than wanted: all CPUs have to be served. */
static int msi_table_alloc_spread(struct msi_table *table, const struct msi_vector_request *req,
				  unsigned int min, unsigned int max, struct msi_vector **vectors)
{
	struct irq_affinity affd = *req->spread;
	struct msi_vector_request spread = *req;
	unsigned int n = max;
	int ret;

	for (;;) {
		n = irq_calc_affinity_vectors(min, n, &affd);
		if (n < min)
			return -ENOSPC;

		struct irq_affinity_desc *masks __free(kfree) = irq_create_affinity_masks(n, &affd);

		spread.affinity = masks;
		ret = msi_table_alloc_batch(table, &spread, min, n, vectors);
		if (ret < 0 || ret == n)
			return ret;

		msi_table_free_vectors(table, vectors, ret);
		n = ret;
	}
}

/**
 * msi_table_alloc_vectors - Allocate several vectors
 * @table:	Table to allocate from
 * @req:	Which vectors are wanted
 * @min:	How many are needed at least
 * @max:	How many are wanted
 * @vectors:	Where to put the vectors, room for @max. Undefined after a failure.
 *		NULL for a driver which looks for them by msi_table_find().
 *
 * Takes the lowest free labels from @req->lowest to @req->highest, in ascending
 * order. Faster than one by one: where the labels are consecutive and the parent
 * can take several interrupts at a time they are allocated at a time, and MSI-X
 * is switched on with all of them.
 *
 * With @req->spread all but its pre_vectors and post_vectors get a managed affinity,
 * so that together they serve each CPU, and there are no more of them than CPUs; see
 * Documentation/core-api/irq/managed_irq.rst. When there are fewer than @max then they
 * are spread once more. With CONFIG_SMP calc_sets is called each time, with a copy of
 * @req->spread, also when nothing is left to be spread. INTx has one vector, whose
 * affinity stays as it is.
 *
 * See msi_table_alloc_vector_req() for what else there is to know. A failure changes
 * nothing.
 *
 * Context: May sleep. May run concurrently with any other allocation and free.
 *
 * Return: The number of vectors, from @min to @max, or a negative error:
 *
 * * %-EINVAL - @min is 0 or above @max, or an affinity has no CPU
 * * %-ENOSPC - less than @min labels of the range are free, the parent domain is
 *   out of vectors, or @min is less than those which are not to be spread
 * * another error of msi_table_alloc_vector_req()
 */
int msi_table_alloc_vectors(struct msi_table *table, const struct msi_vector_request *req,
			    unsigned int min, unsigned int max, struct msi_vector **vectors)
{
	struct msi_vector **unseen __free(kvfree) = NULL;

	if (!min || min > max)
		return -EINVAL;

	if (!vectors) {
		unseen = kvmalloc_array(max, sizeof(*unseen), GFP_KERNEL);
		if (!unseen)
			return -ENOMEM;
		vectors = unseen;
	}
	return req->spread ? msi_table_alloc_spread(table, req, min, max, vectors) :
			     msi_table_alloc_batch(table, req, min, max, vectors);
}
EXPORT_SYMBOL_GPL(msi_table_alloc_vectors);

/**
 * msi_table_alloc_vector_req - Allocate a vector
 * @table:	Table to allocate from
 * @req:	Which vector is wanted
 *
 * Takes the lowest free label from @req->lowest to @req->highest. The vector
 * reserves an interrupt number and, where the parent supports it, no more than
 * a reservation of a CPU vector. The store gets a valid message when a handler
 * is installed. A failure changes nothing.
 *
 * Context: May sleep. May run concurrently with any other allocation and free.
 *
 * Return: The vector, or an ERR_PTR():
 *
 * * %-EBUSY - the label is taken, and it was the only one asked for
 * * %-ENOSPC - all labels of the range are taken, or the parent domain is out
 *   of vectors
 * * %-ERANGE - the range is empty or not inside the table
 * * %-EINVAL - the affinity has no CPU, or the PCI function is not in D0
 * * %-EIO - the PCI function sends to addresses below 4 GiB, the parent's is above
 * * %-EOPNOTSUPP - the parent can not allocate this label, or not any more, or
 *   not with this affinity
 * * %-ENOMEM - no memory, or the parent domain is out of vectors
 * * an error of msi_table_ops::init_vector
 */
struct msi_vector *msi_table_alloc_vector_req(struct msi_table *table,
					      const struct msi_vector_request *req)
{
	struct msi_vector *vector;
	int ret;

	ret = msi_table_alloc_vectors(table, req, 1, 1, &vector);
	return ret < 0 ? ERR_PTR(ret) : vector;
}
EXPORT_SYMBOL_GPL(msi_table_alloc_vector_req);

/*
 * Handlers which somebody has installed by the number, and left behind. Neither must they
 * outlive the driver, nor the interrupt its message.
 */
static void msi_vector_free_handlers(struct msi_vector *vector, struct irq_desc *desc)
{
	struct msi_table *table = vector->table;
	unsigned int irq;

	/* Other devices have theirs on the line of INTx, which may be gone by now. */
	if (table->backend->kind == MSI_TABLE_INTX || !irq_desc_has_action(desc))
		return;

	irq = irq_desc_get_irq(desc);
	WARN(1, "%s: MSI table %s: irq %u of label %u still has a handler\n",
	     dev_name(table->dev), table->name, irq, vector->label);
	if (irq_desc_is_chained(desc)) {
		irq_set_chained_handler_and_data(irq, NULL, NULL);
		scoped_irqdesc_get_and_buslock(irq, 0)
			irq_shutdown_and_deactivate(scoped_irqdesc);
		return;
	}
	for (;;) {
		void *dev_id;

		scoped_guard(raw_spinlock_irqsave, &desc->lock) {
			if (!desc->action)
				return;
			dev_id = desc->action->dev_id;
		}
		free_irq(irq, dev_id);
	}
}

static void msi_vector_drop_watchers(struct msi_vector *vector)
{
	struct msi_table *table = vector->table;
	struct msi_watcher *watcher;
	struct hlist_node *next;

	guard(raw_spinlock_irqsave)(&table->watch_lock);
	hlist_for_each_entry_safe(watcher, next, &table->watchers, node) {
		if (WARN(watcher->vector == vector,
			 "%s: MSI table %s: the message of label %u is still watched\n",
			 dev_name(table->dev), table->name, vector->label))
			hlist_del_init(&watcher->node);
	}
}

/* Leaves the interrupt without a handler */
static void msi_vector_shutdown(struct msi_vector *vector, struct irq_desc *desc)
{
	struct msi_table *table = vector->table;

	msi_vector_free_irq(vector);
	msi_vector_free_handlers(vector, desc);
	if (!hlist_empty(&table->watchers))
		msi_vector_drop_watchers(vector);
}

/* Frees vectors without a handler, with their interrupts and labels */
static void msi_table_discard(struct msi_table *table, struct msi_vector **vectors,
			      unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		trace_msi_vector_free(vectors[i]);

	/* None of them is live. Whoever shows one in debugfs has it locked. */
	xa_lock(&table->labels);
	xa_unlock(&table->labels);

	table->backend->free(table, vectors, n);
	for (unsigned int i = 0; i < n; i++)
		msi_vector_release(vectors[i]);
}

/**
 * msi_table_free_vectors - Free several vectors
 * @table:	Table which the vectors were allocated from
 * @vectors:	Vectors to free, in any order
 * @n:		How many
 *
 * Faster than one by one, in particular with vectors which were allocated
 * together and in the order of allocation. See msi_table_free_vector().
 *
 * Context: May sleep. May run concurrently with any other allocation and free.
 */
void msi_table_free_vectors(struct msi_table *table, struct msi_vector **vectors, unsigned int n)
{
	unsigned int i;

	/* Here, and not one by one below: the same vector may be there twice. */
	for (i = 0; i < n; i++) {
		if (WARN(vectors[i]->table != table || !vectors[i]->live,
			 "%s: MSI table %s: freed twice, or of another table\n",
			 dev_name(table->dev), table->name)) {
			while (i--)
				vectors[i]->live = true;
			return;
		}
		vectors[i]->live = false;
	}

	for (i = 0; i < n; i++)
		msi_vector_shutdown(vectors[i], irq_to_desc(msi_vector_irq(vectors[i])));
	msi_table_discard(table, vectors, n);
}
EXPORT_SYMBOL_GPL(msi_table_free_vectors);

/**
 * msi_table_free_vector - Free a vector
 * @table:	Table which the vector was allocated from
 * @vector:	Vector to free
 *
 * Frees the handler which msi_vector_request_irq() installed. A handler which
 * was installed in another way has to be freed before; otherwise this warns, and
 * frees it as well. Nobody must watch the message any more.
 *
 * Context: May sleep. May run concurrently with any other allocation and free.
 */
void msi_table_free_vector(struct msi_table *table, struct msi_vector *vector)
{
	msi_table_free_vectors(table, &vector, 1);
}
EXPORT_SYMBOL_GPL(msi_table_free_vector);

/**
 * msi_table_free_all - Free all vectors of a table
 * @table:	The table
 *
 * Frees them like msi_table_free_vector() does. The table stays.
 *
 * Context: May sleep. Not concurrently with allocation or free of vectors of the table.
 */
void msi_table_free_all(struct msi_table *table)
{
	struct msi_vector *vectors[MSI_TABLE_FREE_BATCH], *vector;
	unsigned int n;

	do {
		n = 0;
		msi_table_for_each(table, vector) {
			vectors[n++] = vector;
			if (n == ARRAY_SIZE(vectors))
				break;
		}
		msi_table_free_vectors(table, vectors, n);
	} while (n);
}
EXPORT_SYMBOL_GPL(msi_table_free_all);

/**
 * msi_table_enable - Switch a table on before it has a vector
 * @table:	The table
 * @nr:		So many labels are to be had, from 0 on
 *
 * For a driver which decides later which vectors there are, and takes and frees them one
 * by one whatever the parent is like: where msi_table_is_dynamic() is false this sets up
 * the interrupts of all these labels, without an affinity, and the table stays on until it
 * is freed. Otherwise an allocation switches it on, with what that needs.
 *
 * Context: May sleep. See pci_allocate_msi_table().
 *
 * Return: How many labels can be had, from 1 to @nr, or a negative error:
 *
 * * %-EINVAL - @nr is 0, or the function is not in D0
 * * %-EBUSY - the table is on, and is not dynamic
 * * %-EOPNOTSUPP - it is a device-specific store
 * * another error of msi_table_alloc_vector_req()
 */
int msi_table_enable(struct msi_table *table, unsigned int nr)
{
	int ret;

	if (!nr)
		return -EINVAL;
	if (!table->backend->enable)
		return -EOPNOTSUPP;

	ret = table->backend->enable(table, nr);
	if (ret > 0)
		msi_table_commit(table);
	return ret;
}
EXPORT_SYMBOL_GPL(msi_table_enable);

/**
 * msi_table_restore - Write messages and masks to the device again
 * @table:	Table whose device was suspended or reset
 *
 * While a device can not be reached the core does not touch its store, and
 * remembers what it would have written; see &struct msi_table_ops. Call this as
 * soon as the device works again: from the resume_noirq and runtime_resume
 * callbacks, and from pci_error_handlers::reset_done and ::resume. Vectors
 * without a handler are masked, or cleared, as if they were new.
 *
 * What msi_table_ops::init_vector did has to be repeated by the driver, before.
 * The slot of a vector which was freed in between is not written. If the device
 * keeps its store while it is suspended, free vectors after it has resumed.
 *
 * The PCI core restores MSI and MSI-X by itself when it resets or resumes the
 * function. This is for a reset of the driver's own, a self-test or firmware which
 * wipes them, and for the virtual functions of a function which is reset: that
 * clears their MSI-X Enable (PCIe 6.0, 9.2.2), and nobody tells them. Entries
 * without a vector are masked.
 *
 * Context: Process context, but not from a msi_table_ops callback. Sleeps if
 * msi_table_ops::lock does, or for a table of MSI or MSI-X. May run concurrently with
 * allocation and free.
 */
void msi_table_restore(struct msi_table *table)
{
	table->backend->restore(table);
}
EXPORT_SYMBOL_GPL(msi_table_restore);

/**
 * msi_vector_restore - Write message and mask of one vector to the device again
 * @vector:	The vector
 *
 * For a device of which an operation wipes one entry. MSI is restored as a whole.
 *
 * Context: As msi_table_restore()
 */
void msi_vector_restore(struct msi_vector *vector)
{
	const struct msi_table_backend *backend = vector->table->backend;

	if (backend->restore_vector)
		backend->restore_vector(vector);
	else
		backend->restore(vector->table);
}
EXPORT_SYMBOL_GPL(msi_vector_restore);

/*
 * One of several handlers of a vector. The first one is in the vector, which is all
 * that most of them need.
 */
struct msi_shared_handler {
	struct hlist_node	node;
	struct msi_vector	*vector;
	void			*dev_id;
};

/* Whether the vector has this handler, which it has no more then */
static bool msi_vector_forget_handler(struct msi_vector *vector, void *dev_id)
{
	struct msi_shared_handler *found __free(kfree) = NULL, *shared;
	bool first = vector->requested && vector->dev_id == dev_id;

	if (!hlist_empty(&vector->table->shared)) {
		guard(raw_spinlock_irqsave)(&vector->table->watch_lock);
		hlist_for_each_entry(shared, &vector->table->shared, node) {
			if (shared->vector != vector || !(first || shared->dev_id == dev_id))
				continue;
			hlist_del(&shared->node);
			found = shared;
			break;
		}
	}

	if (first && found)
		vector->dev_id = found->dev_id;
	else if (first)
		vector->requested = false;
	return first || found;
}

/**
 * msi_vector_request_irq - Install the handler of a vector
 * @vector:	Vector to install the handler on
 * @handler:	Called in hard interrupt context, or NULL for the default which
 *		wakes the thread
 * @thread_fn:	Called in a thread, or NULL
 * @flags:	IRQF_* flags
 * @dev_id:	Cookie for the handler
 * @fmt:	Name for /proc/interrupts, as for printf(), which the vector keeps
 *
 * Like request_threaded_irq(), but the handler belongs to the vector: it is
 * freed by msi_vector_free_irq(), or together with the vector or the table. A
 * driver may use request_irq() on msi_vector_irq() instead, and has to free
 * that itself.
 *
 * With %IRQF_SHARED a vector may have several handlers, of different @dev_id. The
 * line of INTx is always shared, so @dev_id must not be NULL there, and @flags have no
 * %IRQF_NO_AUTOEN. There a thread without @handler is %IRQF_ONESHOT; if there is one it
 * silences the device, or @flags have %IRQF_ONESHOT.
 *
 * Context: May sleep. Not concurrently with itself, msi_vector_free_irq() or
 * msi_vector_free_handler() on one vector.
 *
 * Return: 0, %-EBUSY when the vector has a handler and one of them does not share,
 * %-ENOSPC when there is no CPU vector left, or another error of
 * request_threaded_irq()
 */
int msi_vector_request_irq(struct msi_vector *vector, irq_handler_t handler,
			   irq_handler_t thread_fn, unsigned long flags, void *dev_id,
			   const char *fmt, ...)
{
	struct msi_shared_handler *shared __free(kfree) = NULL;
	const char *name;
	va_list args;
	int ret;

	if (vector->table->backend->kind == MSI_TABLE_INTX)
		flags |= IRQF_SHARED | (handler ? 0 : IRQF_ONESHOT);

	if (vector->requested) {
		if (!vector->shared || !(flags & IRQF_SHARED))
			return -EBUSY;
		shared = kmalloc_obj(*shared);
		if (!shared)
			return -ENOMEM;
		shared->vector = vector;
		shared->dev_id = dev_id;
	}

	va_start(args, fmt);
	name = kvasprintf_const(GFP_KERNEL, fmt, args);
	va_end(args);
	if (!name)
		return -ENOMEM;

	ret = request_threaded_irq(msi_vector_irq(vector), handler, thread_fn, flags, name, dev_id);
	trace_msi_vector_request(vector, ret);
	if (ret) {
		kfree_const(name);
		return ret;
	}

	if (shared) {
		guard(raw_spinlock_irqsave)(&vector->table->watch_lock);
		hlist_add_head(&shared->node, &vector->table->shared);
		retain_and_null_ptr(shared);
	} else {
		vector->dev_id = dev_id;
		vector->requested = true;
		vector->shared = flags & IRQF_SHARED;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(msi_vector_request_irq);

/**
 * msi_vector_free_irq - Free the handler of a vector, or all who share it
 * @vector:	Vector to free the handler of
 *
 * Does nothing when msi_vector_request_irq() installed none. The handler does
 * not run any more when this returns.
 *
 * Context: May sleep. Not concurrently with itself, msi_vector_request_irq() or
 * msi_vector_free_handler() on one vector.
 */
void msi_vector_free_irq(struct msi_vector *vector)
{
	while (vector->requested)
		msi_vector_free_handler(vector, vector->dev_id);
}
EXPORT_SYMBOL_GPL(msi_vector_free_irq);

/* A driver's hint goes with its handler. The line of INTx may have that of another device. */
static void msi_irq_drop_hint(struct msi_vector *vector, unsigned int irq)
{
#ifdef CONFIG_SMP
	if (vector->table->backend->kind != MSI_TABLE_INTX && irq_to_desc(irq)->affinity_hint)
		irq_update_affinity_hint(irq, NULL);
#endif
}

/**
 * msi_vector_free_handler - Free one handler of a vector which several share
 * @vector:	Vector to free the handler of
 * @dev_id:	Cookie which msi_vector_request_irq() was given for it
 *
 * Does nothing when the vector has no such handler. It does not run any more when
 * this returns, and a hint for the affinity is gone, except for INTx.
 *
 * Context: As msi_vector_free_irq()
 */
void msi_vector_free_handler(struct msi_vector *vector, void *dev_id)
{
	unsigned int irq = msi_vector_irq(vector);

	if (!msi_vector_forget_handler(vector, dev_id))
		return;
	msi_irq_drop_hint(vector, irq);
	kfree_const(free_irq(irq, dev_id));
}
EXPORT_SYMBOL_GPL(msi_vector_free_handler);

/**
 * msi_vector_get_msg - Read the message of a vector
 * @vector:	Vector to read the message of
 * @msg:	Where to put the message, all zero if there is none
 *
 * The message may change at any time when the affinity of the interrupt does.
 *
 * Context: Any, but not from a msi_table_ops callback or with the lock of the
 * interrupt descriptor held.
 *
 * Return: 0, or %-EAGAIN as long as there is no valid message because no
 * handler is installed, or a managed affinity has no CPU which is online
 */
int msi_vector_get_msg(const struct msi_vector *vector, struct msi_msg *msg)
{
	bool valid = false;

	*msg = (struct msi_msg) { };
	scoped_irqdesc_get_and_lock(msi_vector_desc(vector)->irq, 0)
		valid = msi_vector_read_msg(vector, msg);
	return valid ? 0 : -EAGAIN;
}
EXPORT_SYMBOL_GPL(msi_vector_get_msg);

/* With the lock of the first interrupt of the MSI descriptor held */
bool msi_vector_read_msg(const struct msi_vector *vector, struct msi_msg *msg)
{
	struct msi_desc *desc = msi_vector_desc(vector);
	unsigned int irq = msi_vector_irq(vector);

	*msg = (struct msi_msg) { };
	if (!irqd_is_activated(irq_get_irq_data(irq)))
		return false;

	*msg = desc->msg;
	if (!msi_msg_valid(msg))
		return false;
	/* The device adds the message number to the data of multiple MSI. */
	msg->data += irq - desc->irq;
	return true;
}

/**
 * msi_vector_watch - Be told when the message of a vector changes
 * @vector:	Vector whose message somebody besides the device uses, such as
 *		the peer of an NTB or the host of an endpoint
 * @watcher:	Whom to tell; msi_watcher::notify is set, the rest zero at first
 *
 * Tells the current message at once, which is all zero when there is none, and
 * from then on every change, be it by affinity, CPU hotplug, or the coming and
 * going of the handler. A vector may have any number of watchers. With multiple
 * MSI all messages of the block change at a time, by affinity or CPU hotplug, and
 * handlers which come or go later than the first one are nothing to tell.
 *
 * Context: Process context. The watcher runs in atomic context.
 */
void msi_vector_watch(struct msi_vector *vector, struct msi_watcher *watcher)
{
	struct msi_table *table = vector->table;

	watcher->vector = vector;
	scoped_irqdesc_get_and_lock(msi_vector_desc(vector)->irq, 0) {
		struct msi_msg msg;

		msi_vector_read_msg(vector, &msg);
		guard(raw_spinlock)(&table->watch_lock);
		hlist_add_head(&watcher->node, &table->watchers);
		watcher->notify(watcher, &msg);
	}
}
EXPORT_SYMBOL_GPL(msi_vector_watch);

/**
 * msi_vector_unwatch - Undo msi_vector_watch()
 * @vector:	The vector
 * @watcher:	Who watches it
 *
 * The watcher is not running any more when this returns. Do it before the vector
 * is freed. Does nothing with a watcher which is not watching.
 *
 * Context: Process context, but not from a watcher.
 */
void msi_vector_unwatch(struct msi_vector *vector, struct msi_watcher *watcher)
{
	guard(raw_spinlock_irqsave)(&vector->table->watch_lock);
	hlist_del_init(&watcher->node);
}
EXPORT_SYMBOL_GPL(msi_vector_unwatch);

/**
 * msi_table_changed - Tell the watchers of a message
 * @table:	The table
 * @desc:	MSI descriptor, with the new message
 *
 * For backends.
 *
 * Context: Any. With the lock of the first interrupt of @desc held, unless that
 * is being allocated or freed, and has no watchers.
 */
void msi_table_changed(struct msi_table *table, const struct msi_desc *desc)
{
	struct msi_watcher *watcher;

	/* Who begins to watch has the lock of the interrupt. */
	if (hlist_empty(&table->watchers))
		return;

	guard(raw_spinlock_irqsave)(&table->watch_lock);
	hlist_for_each_entry(watcher, &table->watchers, node) {
		struct msi_msg msg = desc->msg;

		if (msi_vector_desc(watcher->vector) != desc)
			continue;
		/* The device adds the message number to the data of multiple MSI. */
		if (msi_msg_valid(&msg))
			msg.data += msi_vector_irq(watcher->vector) - desc->irq;
		watcher->notify(watcher, &msg);
	}
}

/**
 * msi_vector_irq - The Linux interrupt number of a vector
 * @vector:	The vector
 *
 * Context: Any.
 *
 * Return: the interrupt number
 */
unsigned int msi_vector_irq(const struct msi_vector *vector)
{
	const struct msi_desc *desc = msi_vector_desc(vector);

	/* Of multiple MSI there is one descriptor for all. */
	return desc->nvec_used == 1 ? desc->irq : desc->irq + vector->label - desc->msi_index;
}
EXPORT_SYMBOL_GPL(msi_vector_irq);

/**
 * msi_vector_label - The label of a vector
 * @vector:	The vector
 *
 * Context: Any.
 *
 * Return: MSI-X table index, MSI message number, or entry number of the store
 */
u32 msi_vector_label(const struct msi_vector *vector)
{
	return vector->label;
}
EXPORT_SYMBOL_GPL(msi_vector_label);

/**
 * msi_vector_cookie - The cookie a vector was allocated with
 * @vector:	The vector
 *
 * Context: Any.
 *
 * Return: msi_vector_request::cookie
 */
void *msi_vector_cookie(const struct msi_vector *vector)
{
	return vector->cookie;
}
EXPORT_SYMBOL_GPL(msi_vector_cookie);

/**
 * msi_vector_table - The table of a vector
 * @vector:	The vector
 *
 * Context: Any.
 *
 * Return: the table which the vector was allocated from
 */
struct msi_table *msi_vector_table(const struct msi_vector *vector)
{
	return vector->table;
}
EXPORT_SYMBOL_GPL(msi_vector_table);

/**
 * msi_table_data - The driver data of a table
 * @table:	The table
 *
 * Context: Any.
 *
 * Return: msi_table_info::data, NULL for a PCI table
 */
void *msi_table_data(const struct msi_table *table)
{
	return table->data;
}
EXPORT_SYMBOL_GPL(msi_table_data);

/**
 * msi_table_size - The size of a table
 * @table:	The table
 *
 * Context: Any.
 *
 * Return: the number of labels, 0 for a store without a hardware index
 */
u32 msi_table_size(const struct msi_table *table)
{
	return READ_ONCE(table->size);
}
EXPORT_SYMBOL_GPL(msi_table_size);

/**
 * msi_table_kind - The kind of a table
 * @table:	The table
 *
 * What pci_allocate_msi_table() was allowed to choose from is settled when the
 * first allocation has succeeded.
 *
 * Context: Any.
 *
 * Return: %MSI_TABLE_MSIX, %MSI_TABLE_MSI or %MSI_TABLE_INTX, or 0 for a
 * device-specific store
 */
unsigned int msi_table_kind(const struct msi_table *table)
{
	return READ_ONCE(table->backend)->kind;
}
EXPORT_SYMBOL_GPL(msi_table_kind);

/**
 * msi_table_is_dynamic - Can vectors be allocated whenever one is needed?
 * @table:	The table
 *
 * If not then there are the labels which one allocation, or msi_table_enable(), has set
 * up; see pci_allocate_msi_table().
 *
 * Context: Any.
 *
 * Return: false for MSI, INTx, and MSI-X below a parent which can not add interrupts
 * later; true for others
 */
bool msi_table_is_dynamic(const struct msi_table *table)
{
	return READ_ONCE(table->dynamic);
}
EXPORT_SYMBOL_GPL(msi_table_is_dynamic);

/**
 * msi_table_find - The vector at a label
 * @table:	The table
 * @hw_label:	The label
 *
 * Context: Process context. The caller sees to it that the vector is not freed, nor
 * spread again by an allocation which has not returned.
 *
 * Return: the vector, or NULL if there is none
 */
struct msi_vector *msi_table_find(struct msi_table *table, u32 hw_label)
{
	struct msi_vector *vector;

	guard(spinlock)(&table->labels.xa_lock);
	vector = xa_load(&table->labels, hw_label);
	return vector && vector->live ? vector : NULL;
}
EXPORT_SYMBOL_GPL(msi_table_find);

/**
 * msi_table_next - The vector at the next label
 * @table:	The table
 * @vector:	A vector of it, or NULL for the first one
 *
 * See msi_table_for_each().
 *
 * Context: As msi_table_find()
 *
 * Return: the vector, or NULL after the last one
 */
struct msi_vector *msi_table_next(struct msi_table *table, const struct msi_vector *vector)
{
	unsigned long label, first = vector ? vector->label + 1UL : 0;
	struct msi_vector *next;

	guard(spinlock)(&table->labels.xa_lock);
	xa_for_each_start(&table->labels, label, next, first) {
		if (next->live)
			return next;
	}
	return NULL;
}
EXPORT_SYMBOL_GPL(msi_table_next);
