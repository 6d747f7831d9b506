/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KERNEL_IRQ_TESTS_MSI_TABLE_FAIL_H
#define _KERNEL_IRQ_TESTS_MSI_TABLE_FAIL_H

/*
 * Let everything fail which can fail inside an operation: the first thing, the
 * second, and so on until the operation gets through without a failure. After
 * each all is as it was, and the operation succeeds when it is tried again.
 *
 * Memory allocations fail by task_struct::fail_nth. By default that is only for
 * allocations which can not sleep. Before the suites are run, through
 * /sys/kernel/debug/kunit/<suite>/run, these files need another value:
 *
 *	/sys/kernel/debug/failslab/ignore-gfp-wait	N
 *	/sys/kernel/debug/failslab/verbose		0
 *	/sys/kernel/debug/failslab/cache-filter		1
 *	/sys/kernel/slab/<cache>/failslab		1
 *
 * the last one for all caches but those of kmemleak_object, debug_objects_cache
 * and maple_node, which always have another way out, and of proc_dir_entry: when
 * one of the files in /proc/irq/N is missing then the interrupt core warns as it
 * removes it.
 */
#include <kunit/test.h>

#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/kernfs.h>
#include <linux/msi_table_core.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/xarray.h>

/* An end for a loop which would not find one */
#define MSI_FAIL_MAX_POINTS	5000

/* What there is once for each vector */
enum msi_fail_count {
	MSI_FAIL_IRQS,
	MSI_FAIL_SYSFS,
	MSI_FAIL_LABELS,
	MSI_FAIL_PARENT,
	MSI_FAIL_SLOTS,
	MSI_FAIL_NR_COUNTS,
};

/**
 * struct msi_fail_state - What an operation may change if it succeeds
 * @count:	By &enum msi_fail_count, -1 where it can not be seen
 * @messages:	Number of valid messages in the device
 * @device:	Further state of the device, as bits
 * @domain:	MSI domain of the device
 */
struct msi_fail_state {
	int			count[MSI_FAIL_NR_COUNTS];
	int			messages;
	unsigned int		device;
	struct irq_domain	*domain;
};

/**
 * struct msi_fail_op - An operation
 * @name:	Its name
 * @setup:	Optional. What it builds upon, made anew for each failure
 * @run:	The operation. Returns the number of allocated vectors, or an error
 *		with nothing changed.
 * @undo:	Undo @run, unless @frees
 * @teardown:	Optional. Undo @setup, or what @run has left of it
 * @lowest:	Lowest label it allocates, up to @highest, where it allocates
 * @highest:	Highest label
 * @min:	How many vectors at least, up to @max
 * @max:	How many vectors
 * @messages:	How many messages are valid after @run, and not before
 * @device:	Which bits of msi_fail_state::device change
 * @frees:	It frees what @setup has made, and never fails
 * @once:	One kind of store is enough
 */
struct msi_fail_op {
	const char	*name;
	void		(*setup)(struct kunit *test);
	int		(*run)(struct kunit *test);
	void		(*undo)(struct kunit *test);
	void		(*teardown)(struct kunit *test);
	u32		lowest;
	u32		highest;
	int		min;
	int		max;
	int		messages;
	unsigned int	device;
	bool		frees;
	bool		once;
};

/**
 * struct msi_fail_source - A kind of thing which can fail
 * @name:	Its name
 * @nth:	Count-down to the one which fails, once; 0 afterwards, and for none
 * @errors:	How the operation may fail because of it
 */
struct msi_fail_source {
	const char	*name;
	unsigned int	*nth;
	int		errors[2];
};

typedef void (*msi_fail_read_t)(struct kunit *test, struct msi_fail_state *state);

/* Interrupt numbers are taken lowest first, so it is enough to look that far. */
static unsigned int msi_fail_irq_limit;

static inline void msi_fail_init_irqs(void)
{
	for (unsigned int irq = 0; irq < irq_get_nr_irqs(); irq++) {
		if (irq_get_irq_data(irq))
			msi_fail_irq_limit = irq + 32;
	}
}

static inline int msi_fail_irqs(void)
{
	int n = 0;

	for (unsigned int irq = 0; irq < msi_fail_irq_limit; irq++)
		n += !!irq_get_irq_data(irq);
	return n;
}

/* Files in msi_irqs/ of a device, which nobody else changes now */
static inline int msi_fail_sysfs(struct device *dev)
{
	struct kernfs_node *dir;
	int n = 0;

	if (!IS_ENABLED(CONFIG_SYSFS))
		return -1;

	dir = kernfs_find_and_get(dev->kobj.sd, "msi_irqs");
	if (!dir)
		return 0;
	for (struct rb_node *node = rb_first(&dir->dir.children); node; node = rb_next(node))
		n++;
	kernfs_put(dir);
	return n;
}

/* Labels which are taken, also those without a vector */
static inline int msi_fail_labels(struct msi_table *table)
{
	void *entry;
	int n = 0;

	if (!table)
		return 0;

	XA_STATE(xas, &table->labels, 0);

	guard(rcu)();
	xas_for_each(&xas, entry, ULONG_MAX)
		n += !xas_get_mark(&xas, XA_FREE_MARK);
	return n;
}

/* The count-down for memory of this task, or NULL if GFP_KERNEL never fails */
static inline unsigned int *msi_fail_memory(void)
{
#ifdef CONFIG_FAULT_INJECTION
	void *p;

	WRITE_ONCE(current->fail_nth, 1);
	p = kmalloc(16, GFP_KERNEL);
	WRITE_ONCE(current->fail_nth, 0);
	OPTIMIZER_HIDE_VAR(p);
	kfree(p);
	return p ? NULL : &current->fail_nth;
#else
	return NULL;
#endif
}

static inline void msi_fail_expect(struct kunit *test, const char *when, unsigned int n,
				   const struct msi_fail_state *state,
				   const struct msi_fail_state *expected)
{
	static const char * const names[] = {
		[MSI_FAIL_IRQS]		= "interrupts",
		[MSI_FAIL_SYSFS]	= "files in msi_irqs",
		[MSI_FAIL_LABELS]	= "labels",
		[MSI_FAIL_PARENT]	= "interrupts of the parent",
		[MSI_FAIL_SLOTS]	= "slots of the store",
	};

	for (int i = 0; i < MSI_FAIL_NR_COUNTS; i++)
		KUNIT_EXPECT_EQ_MSG(test, state->count[i], expected->count[i], "%s, %s (point %u)",
				    names[i], when, n);
	KUNIT_EXPECT_EQ_MSG(test, state->messages, expected->messages, "messages, %s (point %u)",
			    when, n);
	KUNIT_EXPECT_EQ_MSG(test, state->device, expected->device, "device, %s (point %u)",
			    when, n);
	KUNIT_EXPECT_PTR_EQ_MSG(test, state->domain, expected->domain, "domain, %s (point %u)",
				when, n);
}

/* As the parent has to find it when it arrives */
static inline bool msi_fail_is_mapped(unsigned int irq)
{
	struct irq_data *data;

	for (data = irq_get_irq_data(irq); data; data = data->parent_data) {
		if (irq_find_mapping(data->domain, data->hwirq) != irq)
			return false;
	}
	return true;
}

/* A batch which is not what was asked for, or can not be delivered, is no success. */
static inline int msi_fail_alloc(struct msi_table *table, const struct msi_fail_op *op,
				 const struct irq_affinity_desc *affinity,
				 struct msi_vector **vectors)
{
	struct msi_vector_request req = {
		.lowest		= op->lowest,
		.highest	= op->highest,
		.affinity	= affinity,
	};
	u32 next = op->lowest;
	int ret;

	ret = msi_table_alloc_vectors(table, &req, op->min, op->max, vectors);
	if (ret < 0)
		return ret;
	if (ret < op->min || ret > op->max)
		return -EPROTO;

	for (int i = 0; i < ret; i++) {
		u32 label = msi_vector_label(vectors[i]);

		if (label < next || label > op->highest ||
		    !msi_fail_is_mapped(msi_vector_irq(vectors[i])))
			return -EPROTO;
		next = label + 1;
	}
	return ret;
}

/* The operation has returned @ret: it has done all of its work, or nothing. */
static inline void msi_fail_check(struct kunit *test, const struct msi_fail_op *op,
				  msi_fail_read_t read, unsigned int n, int ret,
				  const struct msi_fail_state *before)
{
	struct msi_fail_state state, expected = *before;

	if (ret >= 0) {
		for (int i = 0; i < MSI_FAIL_NR_COUNTS; i++)
			expected.count[i] += expected.count[i] < 0 ? 0 : ret;
		expected.messages += op->messages;
		expected.device ^= op->device;
		read(test, &state);
		msi_fail_expect(test, "after success", n, &state, &expected);
		op->undo(test);
	}
	read(test, &state);
	msi_fail_expect(test, ret < 0 ? "after failure" : "after undo", n, &state, before);
}

/* Returns whether there is an @n th thing to fail. */
static inline bool msi_fail_at(struct kunit *test, const struct msi_fail_op *op,
			       msi_fail_read_t read, const struct msi_fail_source *source,
			       unsigned int n, unsigned int *tolerated)
{
	struct msi_fail_state start, before, end;
	bool failed;
	int ret;

	read(test, &start);
	if (op->setup)
		op->setup(test);
	read(test, &before);

	WRITE_ONCE(*source->nth, n);
	ret = op->run(test);
	failed = !READ_ONCE(*source->nth);
	WRITE_ONCE(*source->nth, 0);

	if (ret < 0)
		KUNIT_EXPECT_TRUE_MSG(test, !op->frees && failed && (ret == source->errors[0] ||
								     ret == source->errors[1]),
				      "%s failure at point %u: %pe", source->name, n, ERR_PTR(ret));
	*tolerated += failed && ret >= 0;

	if (!op->frees) {
		msi_fail_check(test, op, read, n, ret, &before);
		if (failed) {
			ret = op->run(test);
			KUNIT_EXPECT_GE_MSG(test, ret, 0, "again after point %u", n);
			msi_fail_check(test, op, read, n, ret, &before);
		}
	}
	if (op->teardown)
		op->teardown(test);
	read(test, &end);
	msi_fail_expect(test, "at the end", n, &end, &start);
	return failed;
}

/**
 * msi_fail_all - Let everything of one kind fail inside an operation
 * @test:	The test
 * @op:		The operation
 * @read:	Reads the state
 * @source:	The kind
 * @tolerated:	Incremented for each failure with which the operation succeeds
 *
 * Return: the number of points where it was made to fail
 */
static inline unsigned int msi_fail_all(struct kunit *test, const struct msi_fail_op *op,
					msi_fail_read_t read, const struct msi_fail_source *source,
					unsigned int *tolerated)
{
	unsigned int points = 0;

	while (msi_fail_at(test, op, read, source, points + 1, tolerated)) {
		points++;
		/* One report is enough. */
		if (READ_ONCE(test->status) == KUNIT_FAILURE)
			break;
		KUNIT_ASSERT_LT(test, points, MSI_FAIL_MAX_POINTS);
	}
	return points;
}

/* The same for memory, or skipped if that can not be. Logs the result. */
static inline unsigned int msi_fail_all_memory(struct kunit *test, const struct msi_fail_op *op,
					       msi_fail_read_t read, int error, int other_error)
{
	struct msi_fail_source source = {
		.name	= "memory",
		.nth	= msi_fail_memory(),
		.errors	= { error, other_error },
	};
	unsigned int points, tolerated = 0;

	if (!source.nth)
		kunit_skip(test, "GFP_KERNEL does not fail, see msi_table_fail.h");

	points = msi_fail_all(test, op, read, &source, &tolerated);
	kunit_info(test, "%s: %u failure points (memory), %u tolerated", op->name, points,
		   tolerated);
	return points;
}

#endif /* _KERNEL_IRQ_TESTS_MSI_TABLE_FAIL_H */
