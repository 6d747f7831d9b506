// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: vectors which are freed, parked, and used again
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/msi.h>
#include <linux/msi_table_core.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "../internals.h"
#include "../msi_table.h"
#include "msi_table_parked.h"
#include "msi_table_test.h"

KUNIT_ARRAY_PARAM_DESC(mtt_variant, mtt_variants, name);

/* Time for an interrupt to be replayed which must not */
#define RECYCLE_QUIET_MS	20
/* For the trimmer, which runs in the background */
#define RECYCLE_TRIM_MS		10000

static unsigned int recycle_nr_parked(struct msi_table *table)
{
	return READ_ONCE(table->nr_parked);
}

static bool recycle_label_parked(struct msi_table *table, u32 label)
{
	struct msi_vector *vector;

	guard(rcu)();
	vector = xa_load(&table->labels, label);
	return vector && vector->parked && xa_get_mark(&table->labels, label, XA_FREE_MARK);
}

/* Free for the driver and silent for the device, with an interrupt nobody has */
static void recycle_expect_parked(struct kunit *test, u32 label, unsigned int irq)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_fake_slot slot = mtt_slot(test, label);

	KUNIT_EXPECT_TRUE_MSG(test, recycle_label_parked(ctx->table, label), "label %u", label);
	KUNIT_EXPECT_TRUE_MSG(test, msi_irq_is_parked(irq), "label %u", label);
	/* What a driver may have put there is gone by now. */
	KUNIT_EXPECT_NULL(test, irq_get_chip_data(irq));
	KUNIT_EXPECT_FALSE(test, slot.inited);
	KUNIT_EXPECT_EQ(test, slot.inits, slot.exits);
	KUNIT_EXPECT_EQ(test, slot.masked, !!ctx->ops.mask);
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(slot.msg));
	KUNIT_EXPECT_EQ(test, mtt_fire(test, label), -EAGAIN);
	if (IS_ENABLED(CONFIG_SYSFS))
		KUNIT_EXPECT_FALSE(test, mtt_in_sysfs(ctx->dev, irq));
}

/* The next vector with this label, which has to be recycled, or must not be. */
static struct msi_vector *recycle_again(struct kunit *test, u32 label, bool recycled)
{
	struct mtt_ctx *ctx = test->priv;
	unsigned int calls = msi_fake_parent_alloc_calls(ctx->parent);
	struct msi_vector *vector = mtt_alloc(test, label);

	KUNIT_EXPECT_EQ(test, msi_vector_label(vector), label);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), calls + !recycled);
	return vector;
}

/* Has the labels parked, with these interrupts */
static void recycle_park(struct kunit *test, const u32 *labels, unsigned int n, unsigned int *irqs)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_vector *vectors[8];

	KUNIT_ASSERT_LE(test, n, ARRAY_SIZE(vectors));
	for (unsigned int i = 0; i < n; i++) {
		vectors[i] = mtt_alloc(test, labels[i]);
		irqs[i] = msi_vector_irq(vectors[i]);
	}
	msi_table_free_vectors(ctx->table, vectors, n);
	for (unsigned int i = 0; i < n; i++)
		KUNIT_ASSERT_TRUE(test, recycle_label_parked(ctx->table, labels[i]));
}

static void recycle_keeps_interrupt(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector_request req = { .lowest = 3, .highest = 3 };
	unsigned int irq = 0, calls = 0;
	struct msi_msg msg;
	int cookies[5];

	for (unsigned int life = 1; life < ARRAY_SIZE(cookies); life++) {
		struct msi_vector *vector;
		struct msi_fake_slot slot;

		req.cookie = &cookies[life];
		vector = msi_table_alloc_vector_req(ctx->table, &req);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
		if (life == 1) {
			irq = msi_vector_irq(vector);
			calls = msi_fake_parent_alloc_calls(ctx->parent);
		}
		KUNIT_EXPECT_EQ(test, msi_vector_irq(vector), irq);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), calls);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);

		slot = mtt_slot(test, 3);
		KUNIT_EXPECT_TRUE(test, slot.inited);
		KUNIT_EXPECT_EQ(test, slot.inits, life);
		KUNIT_EXPECT_EQ(test, slot.exits, life - 1);
		KUNIT_EXPECT_PTR_EQ(test, slot.cookie, &cookies[life]);
		KUNIT_EXPECT_PTR_EQ(test, msi_vector_cookie(vector), &cookies[life]);
		KUNIT_EXPECT_EQ(test, slot.masked, !!ctx->ops.mask);
		KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), -EAGAIN);
		KUNIT_EXPECT_EQ(test, mtt_fire(test, 3), -EAGAIN);
		KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 3, 3), -EBUSY);
		if (IS_ENABLED(CONFIG_SYSFS))
			KUNIT_EXPECT_TRUE(test, mtt_in_sysfs(ctx->dev, irq));

		/* Some lives pass without a handler. */
		if (life % 2) {
			struct mtt_hits *hits = mtt_request(test, vector);

			mtt_expect_armed(test, vector);
			mtt_expect_delivery(test, 3, hits);
			KUNIT_EXPECT_EQ(test, hits->irq, irq);
		}

		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_EQ(test, mtt_slot(test, 3).exits, life);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 1);
		recycle_expect_parked(test, 3, irq);
	}
	mtt_expect_gone(test, &irq, &req.lowest, 1);
}

/**
 * struct recycle_view - What there is to be seen of an interrupt
 * @desc:	The bytes of its &struct irq_desc
 * @affinity:	Mask which @desc may only point to
 * @effective:	Likewise
 * @pending:	Likewise
 * @parent:	Its &struct irq_data in the parent's domain
 * @msi:	Its MSI descriptor
 * @kstat:	Statistics, by CPU
 */
struct recycle_view {
	u8			desc[sizeof(struct irq_desc)];
	struct cpumask		affinity;
	struct cpumask		effective;
	struct cpumask		pending;
	struct irq_data		parent;
	struct msi_desc		msi;
	struct irqstat		*kstat;
};

/**
 * struct recycle_field - A member of struct irq_desc
 * @name:	Its name, for the log
 * @offset:	Where it is
 * @size:	Its size
 * @ignore:	May differ
 */
struct recycle_field {
	const char	*name;
	size_t		offset;
	size_t		size;
	bool		ignore;
};

#define RECYCLE_FIELD(_member, _ignore)	{			\
	.name	= #_member,					\
	.offset	= offsetof(struct irq_desc, _member),		\
	.size	= sizeof_field(struct irq_desc, _member),	\
	.ignore	= _ignore,					\
}

/*
 * Locks, and what counts or links users of the descriptor as such. Everything
 * else is compared, and what is not listed has just no name in the log.
 */
static const struct recycle_field recycle_fields[] = {
	RECYCLE_FIELD(lock, true),
	RECYCLE_FIELD(wait_for_threads, true),
	RECYCLE_FIELD(request_mutex, true),
	RECYCLE_FIELD(refcnt, true),
#ifdef CONFIG_SMP
	RECYCLE_FIELD(redirect.work, true),
	RECYCLE_FIELD(redirect.target_cpu, false),
	RECYCLE_FIELD(affinity_hint, false),
	RECYCLE_FIELD(affinity_notify, false),
#endif
#ifdef CONFIG_SPARSE_IRQ
	RECYCLE_FIELD(rcu, true),
	RECYCLE_FIELD(kobj, true),
#endif
#ifdef CONFIG_PROC_FS
	RECYCLE_FIELD(dir, false),
#endif
#ifdef CONFIG_GENERIC_IRQ_DEBUGFS
	RECYCLE_FIELD(debugfs_file, false),
	RECYCLE_FIELD(dev_name, false),
#endif
	RECYCLE_FIELD(irq_common_data, false),
	RECYCLE_FIELD(irq_data, false),
	RECYCLE_FIELD(handle_irq, false),
	RECYCLE_FIELD(action, false),
	RECYCLE_FIELD(status_use_accessors, false),
	RECYCLE_FIELD(istate, false),
	RECYCLE_FIELD(depth, false),
	RECYCLE_FIELD(wake_depth, false),
	RECYCLE_FIELD(tot_count, false),
	RECYCLE_FIELD(last_unhandled, false),
	RECYCLE_FIELD(irq_count, false),
	RECYCLE_FIELD(irqs_unhandled, false),
	RECYCLE_FIELD(threads_handled, false),
	RECYCLE_FIELD(threads_handled_last, false),
	RECYCLE_FIELD(threads_oneshot, false),
	RECYCLE_FIELD(threads_active, false),
	RECYCLE_FIELD(parent_irq, false),
	RECYCLE_FIELD(owner, false),
	RECYCLE_FIELD(name, false),
};

static const struct recycle_field *recycle_field_at(size_t offset)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(recycle_fields); i++) {
		const struct recycle_field *field = &recycle_fields[i];

		if (offset >= field->offset && offset < field->offset + field->size)
			return field;
	}
	return NULL;
}

static struct recycle_view *recycle_look(struct kunit *test, unsigned int irq)
{
	struct recycle_view *view = kunit_kzalloc(test, sizeof(*view), GFP_KERNEL);
	struct irq_desc *desc = mtt_irq_desc(irq);
	struct irq_data *data;
	unsigned int cpu;

	KUNIT_ASSERT_NOT_NULL(test, view);
	KUNIT_ASSERT_NOT_NULL(test, desc);
	view->kstat = kunit_kcalloc(test, nr_cpu_ids, sizeof(*view->kstat), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, view->kstat);

	guard(raw_spinlock_irqsave)(&desc->lock);
	data = irq_desc_get_irq_data(desc);
	memcpy(view->desc, desc, sizeof(view->desc));
	memcpy(&view->parent, data->parent_data, sizeof(view->parent));
	memcpy(&view->msi, irq_data_get_msi_desc(data), sizeof(view->msi));
	cpumask_copy(&view->affinity, irq_data_get_affinity_mask(data));
	cpumask_copy(&view->effective, irq_data_get_effective_affinity_mask(data));
#ifdef CONFIG_GENERIC_PENDING_IRQ
	cpumask_copy(&view->pending, desc->pending_mask);
#endif
	for_each_possible_cpu(cpu)
		view->kstat[cpu] = *per_cpu_ptr(desc->kstat_irqs, cpu);
	return view;
}

static void recycle_compare_desc(struct kunit *test, const struct recycle_view *fresh,
				 const struct recycle_view *again)
{
	size_t i = 0;

	while (i < sizeof(fresh->desc)) {
		const struct recycle_field *field = recycle_field_at(i);
		size_t end = field ? field->offset + field->size : i + 1;

		if ((!field || !field->ignore) && memcmp(fresh->desc + i, again->desc + i, end - i))
			KUNIT_FAIL(test, "irq_desc differs at %zu (%s): %*ph, fresh %*ph", i,
				   field ? field->name : "?", (int)min(end - i, 64U),
				   again->desc + i, (int)min(end - i, 64U), fresh->desc + i);
		i = end;
	}
}

static void recycle_compare(struct kunit *test, const struct recycle_view *fresh,
			    const struct recycle_view *again)
{
	unsigned int cpu;

	recycle_compare_desc(test, fresh, again);
	KUNIT_EXPECT_MEMEQ(test, &again->parent, &fresh->parent, sizeof(fresh->parent));
	KUNIT_EXPECT_TRUE(test, cpumask_equal(&again->affinity, &fresh->affinity));
	KUNIT_EXPECT_TRUE(test, cpumask_equal(&again->effective, &fresh->effective));
	KUNIT_EXPECT_TRUE(test, cpumask_equal(&again->pending, &fresh->pending));
	for_each_possible_cpu(cpu)
		KUNIT_EXPECT_MEMEQ(test, &again->kstat[cpu], &fresh->kstat[cpu],
				   sizeof(*fresh->kstat));

	/* What a driver may change there */
	KUNIT_EXPECT_MEMEQ(test, &again->msi.msg, &fresh->msi.msg, sizeof(fresh->msi.msg));
	KUNIT_EXPECT_TRUE(test, again->msi.write_msi_msg == fresh->msi.write_msi_msg);
	KUNIT_EXPECT_PTR_EQ(test, again->msi.write_msi_msg_data, fresh->msi.write_msi_msg_data);
	KUNIT_EXPECT_PTR_EQ(test, again->msi.affinity, fresh->msi.affinity);
	KUNIT_EXPECT_EQ(test, again->msi.irq, fresh->msi.irq);
	KUNIT_EXPECT_EQ(test, again->msi.nvec_used, fresh->msi.nvec_used);
}

/* Nobody's, the handler's thread's, and its own */
static irqreturn_t recycle_handler(int irq, void *dev_id)
{
	static const irqreturn_t results[] = { IRQ_NONE, IRQ_WAKE_THREAD, IRQ_HANDLED };
	struct mtt_hits *hits = dev_id;

	return results[(atomic_inc_return(&hits->hard) - 1) % ARRAY_SIZE(results)];
}

static irqreturn_t recycle_thread(int irq, void *dev_id)
{
	struct mtt_hits *hits = dev_id;

	atomic_inc(&hits->thread);
	return IRQ_HANDLED;
}

static void recycle_write_msi_msg(struct msi_desc *desc, void *data) { }

/* An affinity which has to wait for the next interrupt, as on some parents */
static void recycle_move_deferred(struct kunit *test, unsigned int irq)
{
#ifdef CONFIG_GENERIC_PENDING_IRQ
	struct irq_data *data = irq_get_irq_data(irq);

	data->chip->flags |= IRQCHIP_MOVE_DEFERRED;
	KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, cpumask_of(0)), 0);
	data->chip->flags &= ~IRQCHIP_MOVE_DEFERRED;
	KUNIT_EXPECT_TRUE(test, irqd_is_setaffinity_pending(data));
#endif
}

/* What leaves traces while there is a handler */
static void recycle_use(struct kunit *test, struct msi_vector *vector)
{
	const struct cpumask *last = cpumask_of(cpumask_last(cpu_online_mask));
	struct mtt_hits *hits = mtt_new_hits(test);
	unsigned int irq = msi_vector_irq(vector);
	struct irq_desc *desc = mtt_irq_desc(irq);
	u32 label = msi_vector_label(vector);

	KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(vector, recycle_handler, recycle_thread,
							IRQF_NO_SUSPEND | IRQF_NO_THREAD, hits,
							"recycle"));
	for (unsigned int i = 0; i < 6; i++) {
		KUNIT_EXPECT_EQ(test, mtt_fire(test, label), 0);
		KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits->thread, (i + 2) / 3));
	}
	KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, last), 0);
	recycle_move_deferred(test, irq);

	/* A late message while it is disabled, which is remembered, and not enabled again */
	disable_irq(irq);
	disable_irq(irq);
	KUNIT_EXPECT_EQ(test, mtt_fire(test, label), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 6);

	/* So there is something to be found. */
	KUNIT_EXPECT_TRUE(test, desc->istate & IRQS_PENDING);
	KUNIT_EXPECT_EQ(test, desc->depth, 2);
	KUNIT_EXPECT_NE(test, desc->tot_count, 0);
	KUNIT_EXPECT_NE(test, atomic_read(&desc->threads_handled), 0);
#ifdef CONFIG_PROC_FS
	KUNIT_EXPECT_NOT_NULL(test, desc->dir);
#endif
	msi_vector_free_irq(vector);
}

/* What can be set without a handler, by functions which drivers have */
static void recycle_dirty(struct kunit *test, struct msi_vector *vector)
{
	unsigned int irq = msi_vector_irq(vector);
	struct irq_desc *desc = mtt_irq_desc(irq);
	struct msi_desc *msi = irq_get_msi_desc(irq);

	KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, cpumask_of(cpumask_last(cpu_online_mask))), 0);
	KUNIT_EXPECT_EQ(test, irq_update_affinity_hint(irq, cpumask_of(0)), 0);
	irq_set_status_flags(irq, _IRQF_MODIFY_MASK & ~IRQ_TYPE_LEVEL_MASK);
	KUNIT_EXPECT_EQ(test, irq_set_handler_data(irq, vector), 0);
	KUNIT_EXPECT_EQ(test, irq_set_chip_data(irq, vector), 0);
	__irq_set_handler(irq, handle_simple_irq, 0, "recycle");
	irq_set_parent(irq, 1);
	msi->write_msi_msg = recycle_write_msi_msg;
	msi->write_msi_msg_data = vector;
	KUNIT_EXPECT_TRUE(test, irq_settings_is_hidden(desc));
	KUNIT_EXPECT_STREQ(test, desc->name, "recycle");
}

/* How often the slot was told to be silent */
static unsigned int recycle_silences(struct kunit *test, u32 label)
{
	struct msi_fake_slot slot = mtt_slot(test, label);

	return slot.masks + slot.clears + slot.writes;
}

/* Nobody who has a recycled interrupt can know what it was before. */
static void recycle_like_new(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	unsigned int irq = msi_vector_irq(vector);
	struct recycle_view *fresh = recycle_look(test, irq);
	struct mtt_hits *hits = mtt_new_hits(test);
	struct irq_desc *desc = mtt_irq_desc(irq);
	unsigned int silences;
	struct msi_msg msg;

	/* With a handler, without one, with both */
	for (unsigned int life = 1; life < 4; life++) {
		if (life & 1)
			recycle_use(test, vector);
		if (life & 2)
			recycle_dirty(test, vector);
		msi_table_free_vector(ctx->table, vector);
		recycle_expect_parked(test, 2, irq);
#ifdef CONFIG_PROC_FS
		KUNIT_EXPECT_NULL(test, desc->dir);
#endif

		silences = recycle_silences(test, 2);
		vector = recycle_again(test, 2, true);
		KUNIT_ASSERT_EQ(test, msi_vector_irq(vector), irq);
		/* The device may have put anything there meanwhile. */
		KUNIT_EXPECT_GT(test, recycle_silences(test, 2), silences);
		recycle_compare(test, fresh, recycle_look(test, irq));
		KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), -EAGAIN);
		if (IS_ENABLED(CONFIG_SYSFS)) {
			KUNIT_EXPECT_TRUE(test, mtt_in_sysfs(ctx->dev, irq));
#ifdef CONFIG_SPARSE_IRQ
			KUNIT_EXPECT_TRUE(test, desc->kobj.state_in_sysfs);
#endif
		}
	}

	/* Nothing is replayed, and procfs has no old folder. */
	kunit_warning_suppress(test) {
		KUNIT_ASSERT_EQ(test, mtt_try_request(vector, hits), 0);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	msleep(RECYCLE_QUIET_MS);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);
	mtt_expect_armed(test, vector);
	mtt_expect_delivery(test, 2, hits);
	KUNIT_EXPECT_EQ(test, desc->tot_count, 1);
	KUNIT_EXPECT_EQ(test, hits->irq, irq);
	KUNIT_EXPECT_FALSE(test, irq_settings_is_hidden(desc));
#ifdef CONFIG_PROC_FS
	KUNIT_EXPECT_NOT_NULL(test, desc->dir);
#endif
}

/* In two tables at a time, each knows what its own interrupts were like. */
static void recycle_two_tables(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_table_info info = mtt_info(ctx);
	struct msi_vector *vector, *other_vector;
	struct msi_table *other;
	unsigned int irq;

	info.name = "other";
	info.data = mtt_new_store(test);
	other = msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);

	vector = mtt_alloc(test, 2);
	other_vector = msi_table_alloc_vector(other, 2);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other_vector);
	irq = msi_vector_irq(other_vector);
	msi_table_free_vector(ctx->table, vector);
	msi_table_free_vector(other, other_vector);

	vector = recycle_again(test, 2, true);
	KUNIT_EXPECT_NE(test, msi_vector_irq(vector), irq);
	other_vector = msi_table_alloc_vector(other, 2);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other_vector);
	KUNIT_EXPECT_EQ(test, msi_vector_irq(other_vector), irq);
	mtt_expect_delivery(test, 2, mtt_request(test, vector));
	mtt_request(test, other_vector);
	KUNIT_EXPECT_EQ(test, msi_fake_store_fire(info.data, ctx->parent, 2), 0);
	msi_table_free(other);
	KUNIT_EXPECT_EQ(test, msi_fake_store_bad_context(info.data), 0);
}

/* The parent delivers what was sent before the vector was freed. */
static void recycle_late_interrupt(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct irq_domain *domain = msi_fake_parent_domain(ctx->parent);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct mtt_hits *hits = mtt_request(test, vector), *again;
	unsigned int irq = msi_vector_irq(vector), calls;
	irq_hw_number_t hwirq = irq_get_irq_data(irq)->parent_data->hwirq;
	struct irq_desc *desc = mtt_irq_desc(irq);

	mtt_expect_delivery(test, 2, hits);
	msi_table_free_vector(ctx->table, vector);
	calls = msi_fake_store_calls(ctx->store);
	KUNIT_EXPECT_EQ(test, atomic_read(&ctx->table->late), 0);
	for (int i = 1; i <= 3; i++) {
		KUNIT_EXPECT_EQ(test, generic_handle_domain_irq_safe(domain, hwirq), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&ctx->table->late), i);
	}
	KUNIT_EXPECT_EQ(test, msi_fake_store_calls(ctx->store), calls);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 1);
	recycle_expect_parked(test, 2, irq);

	vector = recycle_again(test, 2, true);
	KUNIT_EXPECT_EQ(test, msi_vector_irq(vector), irq);
	KUNIT_EXPECT_EQ(test, desc->tot_count, 0);
	again = mtt_request(test, vector);
	msleep(RECYCLE_QUIET_MS);
	KUNIT_EXPECT_EQ(test, atomic_read(&again->hard), 0);
	mtt_expect_delivery(test, 2, again);
	KUNIT_EXPECT_EQ(test, desc->tot_count, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&ctx->table->late), 3);
	KUNIT_EXPECT_EQ(test, msi_fake_store_bad_context(ctx->store), 0);
}

static atomic_t recycle_acks, recycle_eois;

static void recycle_ack(struct irq_data *data)
{
	atomic_inc(&recycle_acks);
}

static void recycle_eoi(struct irq_data *data)
{
	atomic_inc(&recycle_eois);
}

/*
 * The parent hears that a late interrupt has been handled, or would send no other. A
 * domain of MSI which is no hierarchy has no parent.
 */
static void recycle_late_is_acknowledged(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct irq_domain *domain = msi_fake_parent_domain(ctx->parent);
	struct irq_data *data, *parent, orphan = { };
	static const u32 labels[] = { 2 };
	const struct irq_chip *cut_off;
	struct irq_chip *chip;
	unsigned int irq;

	chip = kunit_kzalloc(test, sizeof(*chip), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, chip);
	recycle_park(test, labels, 1, &irq);
	data = irq_get_irq_data(irq);
	parent = data->parent_data;
	cut_off = data->chip;

	*chip = *parent->chip;
	chip->irq_ack = recycle_ack;
	chip->irq_eoi = recycle_eoi;
	parent->chip = chip;
	atomic_set(&recycle_acks, 0);
	atomic_set(&recycle_eois, 0);
	KUNIT_EXPECT_EQ(test, generic_handle_domain_irq_safe(domain, parent->hwirq), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&recycle_acks), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&recycle_eois), 1);

	/* One which has neither is not asked. */
	chip->irq_ack = NULL;
	chip->irq_eoi = NULL;
	KUNIT_EXPECT_EQ(test, generic_handle_domain_irq_safe(domain, parent->hwirq), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&ctx->table->late), 2);

	cut_off->irq_ack(&orphan);
	cut_off->irq_eoi(&orphan);
	KUNIT_EXPECT_EQ(test, cut_off->irq_set_affinity(&orphan, cpumask_of(0), false), -EINVAL);
	KUNIT_EXPECT_EQ(test, atomic_read(&recycle_acks), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&recycle_eois), 1);
}

/*
 * A flow handler which began before the interrupt was parked, and got the lock after:
 * the next owner must not get what nobody sent him.
 */
static void recycle_late_flow_handler(struct kunit *test)
{
	static const u32 labels[] = { 2 };
	struct mtt_hits *hits;
	unsigned int irq;

	mtt_create(test, MTT_SIZE);
	recycle_park(test, labels, 1, &irq);
	scoped_guard(irqsave)
		handle_edge_irq(mtt_irq_desc(irq));
	hits = mtt_request(test, recycle_again(test, 2, true));
	msleep(RECYCLE_QUIET_MS);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);
	mtt_expect_delivery(test, 2, hits);
}

/* A parent which picks a CPU at allocation would keep it: nothing is parked there. */
static void recycle_needs_reservation(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, MTT_CAPACITY, MSI_FAKE_NO_RESERVATION);
	struct msi_vector *vector = mtt_alloc(test, 2);
	unsigned int irq = msi_vector_irq(vector);

	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_FALSE(test, mtt_irq_exists(irq));
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	mtt_expect_delivery(test, 2, mtt_request(test, recycle_again(test, 2, false)));
}

/* The lock of a slow bus is found by the chip, which is another one while it is parked. */
static void recycle_not_behind_slow_bus(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	msi_table_free_vector(ctx->table, mtt_alloc(test, 2));
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), ctx->variant->slow ? 0 : 1);
}

/* msi_table_restore() has nothing to write for them. */
static void recycle_not_restored(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	static const u32 labels[] = { 1, 4 };
	unsigned int irqs[2], calls;

	recycle_park(test, labels, 2, irqs);
	calls = msi_fake_store_calls(ctx->store);
	msi_table_restore(ctx->table);
	KUNIT_EXPECT_EQ(test, msi_fake_store_calls(ctx->store), calls);
	recycle_expect_parked(test, 1, irqs[0]);
	mtt_expect_delivery(test, 4, mtt_request(test, recycle_again(test, 4, true)));
}

static unsigned int recycle_count_labels(struct msi_table *table)
{
	unsigned int n = 0;

	for (u32 label = 0; label < MTT_SIZE; label++)
		n += recycle_label_parked(table, label);
	return n;
}

static void recycle_bounded(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_batch *batch;
	unsigned int max;

	mtt_limit_parked(test, 0);
	for (max = 0; max <= 8; max += 4) {
		unsigned int parked = 0;

		WRITE_ONCE(msi_table_max_parked, max);
		batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
		mtt_batch_expect_labels_from(test, batch, 0);
		mtt_batch_request(test, batch);
		mtt_batch_free(test, batch);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), max);
		KUNIT_EXPECT_EQ(test, recycle_count_labels(ctx->table), max);
		for (unsigned int i = 0; i < batch->n; i++) {
			mtt_expect_unused(test, batch->irqs[i]);
			parked += msi_irq_is_parked(batch->irqs[i]);
		}
		KUNIT_EXPECT_EQ(test, parked, max);

		/* One by one comes to the same. */
		batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
		mtt_batch_expect_labels_from(test, batch, 0);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
		mtt_batch_request(test, batch);
		mtt_batch_expect_delivery(test, batch);
		for (unsigned int i = 0; i < batch->n; i++)
			msi_table_free_vector(ctx->table, batch->vectors[i]);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), max);
		mtt_batch_expect_gone(test, batch);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	}
}

/* Some of a batch can not be used again, and the others are. */
static void recycle_some_of_batch(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);

	for (unsigned int i = 0; i < 3; i++) {
		struct mtt_batch *batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 3);

		/* As where the hardware sends it to a vCPU */
		irqd_set_forwarded_to_vcpu(irq_get_irq_data(batch->irqs[i]));
		mtt_batch_free(test, batch);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 2);
		for (unsigned int j = 0; j < 3; j++)
			KUNIT_EXPECT_EQ(test, recycle_label_parked(ctx->table, j), j != i);
		KUNIT_EXPECT_FALSE(test, mtt_irq_exists(batch->irqs[i]));
		mtt_batch_expect_gone(test, batch);
	}
}

/* However many the administrator allows for each, there are no more of all tables. */
static void recycle_bounded_together(struct kunit *test)
{
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	const unsigned int nr = MSI_TABLES_MAX_PARKED + 4;
	struct msi_vector **vectors;
	unsigned int parked = 0;
	struct mtt_ctx *ctx;

	if (!IS_ENABLED(CONFIG_SPARSE_IRQ))
		kunit_skip(test, "needs CONFIG_SPARSE_IRQ");
	mtt_limit_parked(test, nr);
	ctx = mtt_create_on(test, 0, nr, 0);
	vectors = kunit_kcalloc(test, nr, sizeof(*vectors), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vectors);
	/* Others may have something parked, or the kernel want memory: not each time */
	for (unsigned int i = 0; i < 5 && parked != MSI_TABLES_MAX_PARKED; i++) {
		KUNIT_ASSERT_EQ(test, nr, msi_table_alloc_vectors(ctx->table, &req, nr, nr,
								  vectors));
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), nr);
		msi_table_free_vectors(ctx->table, vectors, nr);
		parked = recycle_nr_parked(ctx->table);
		KUNIT_EXPECT_LE(test, parked, MSI_TABLES_MAX_PARKED);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	}
	KUNIT_EXPECT_EQ(test, parked, MSI_TABLES_MAX_PARKED);
}

/* What one table has parked is not missed by another one. */
static void recycle_given_to_other_table(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, 8, 0);
	const struct msi_vector_request all = { .highest = MSI_LABEL_ANY };
	struct msi_table_info info = mtt_info(ctx);
	struct mtt_batch *batch;
	struct msi_vector *vectors[8], *vector;
	struct msi_table *other;

	info.name = "other";
	info.data = mtt_new_store(test);
	other = msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);

	/* At a time, and one by one */
	for (unsigned int min = 1; min <= 8; min += 7) {
		batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8);
		mtt_batch_free(test, batch);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 8);
		KUNIT_EXPECT_EQ(test, 8, msi_table_alloc_vectors(other, &all, 8, 8, vectors));
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
		KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 0, 0), -ENOSPC);
		msi_table_free_vectors(other, vectors, 8);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(other), 8);

		for (unsigned int i = 0; i < 8; i += min) {
			batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, min);
			KUNIT_EXPECT_EQ(test, batch->labels[0], i);
		}
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(other), 0);
		vector = msi_table_alloc_vector(other, 0);
		KUNIT_EXPECT_PTR_EQ(test, vector, ERR_PTR(-ENOSPC));
		msi_table_free(ctx->table);
		mtt_create(test, MTT_SIZE);
	}

	/* Nor by its own table, at other labels */
	batch = mtt_batch_alloc(test, 0, 7, 8);
	mtt_batch_free(test, batch);
	batch = mtt_batch_alloc(test, 16, 23, 8);
	mtt_batch_expect_labels_from(test, batch, 16);
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);
	msi_table_free(other);
	KUNIT_EXPECT_EQ(test, msi_fake_store_bad_context(info.data), 0);
}

static void recycle_no_message(struct msi_desc *desc, struct msi_msg *msg) { }

static unsigned int recycle_asked;
static int recycle_hungry_error;

/* A domain which has nothing as long as vectors are parked */
static int recycle_hungry_alloc(struct irq_domain *domain, unsigned int virq,
				unsigned int nr_irqs, void *arg)
{
	struct mtt_ctx *ctx = domain->host_data;

	recycle_asked++;
	if (recycle_nr_parked(ctx->table))
		return recycle_hungry_error;
	irq_domain_set_hwirq_and_chip(domain, virq, 0, &dummy_irq_chip, NULL);
	return 0;
}

static void recycle_hungry_free(struct irq_domain *domain, unsigned int virq,
				unsigned int nr_irqs)
{
	irq_domain_free_irqs_common(domain, virq, nr_irqs);
}

static const struct irq_domain_ops recycle_hungry_ops = {
	.alloc	= recycle_hungry_alloc,
	.free	= recycle_hungry_free,
};

/* Who has no table gets what tables keep: as platform MSI, and as something else */
static void recycle_given_to_no_table(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, 8, 0);
	static const int errors[] = { -EINVAL, -ENOSPC, -ENOMEM };
	struct irq_domain *domain;

	mtt_batch_free(test, mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8));
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 8);
	KUNIT_EXPECT_EQ(test, 0, platform_device_msi_init_and_alloc_irqs(ctx->dev, 8,
									 recycle_no_message));
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 0, 0), -ENOSPC);
	platform_device_msi_free_irqs_all(ctx->dev);

	domain = irq_domain_create_linear(NULL, 1, &recycle_hungry_ops, ctx);
	KUNIT_ASSERT_NOT_NULL(test, domain);
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		bool scarce = errors[i] != -EINVAL;
		int virq;

		mtt_batch_free(test, mtt_batch_alloc(test, 0, MSI_LABEL_ANY, 8));
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 8);
		recycle_hungry_error = errors[i];
		recycle_asked = 0;
		virq = irq_domain_alloc_irqs(domain, 1, NUMA_NO_NODE, NULL);
		KUNIT_EXPECT_EQ(test, virq > 0, scarce);
		KUNIT_EXPECT_EQ(test, recycle_asked, 1 + scarce);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), scarce ? 0 : 8);
		if (virq > 0)
			irq_domain_free_irqs(virq, 1);
	}
	irq_domain_remove(domain);
}

static struct msi_table *recycle_wanted_from;

static int recycle_short_alloc(struct irq_domain *domain, unsigned int virq, unsigned int n,
			       void *arg)
{
	if (recycle_nr_parked(recycle_wanted_from))
		return recycle_hungry_error;
	return mtt_parent_ops->alloc(domain, virq, n, arg);
}

static const struct irq_domain_ops recycle_short_ops = { .alloc = recycle_short_alloc };

/* Whatever its parent calls it when something is missing, and nothing else */
static void recycle_parent_is_short(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	static const int errors[] = { -ENOSPC, -ENOMEM, -EINVAL };
	static const u32 labels[] = { 5 };
	unsigned int irq;

	recycle_wanted_from = ctx->table;
	mtt_replace_ops(ctx->parent, &recycle_short_ops);
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		bool scarce = errors[i] != -EINVAL;

		recycle_park(test, labels, 1, &irq);
		recycle_hungry_error = errors[i];
		if (scarce)
			mtt_alloc(test, 10 + i);
		else
			KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 10 + i, 10 + i), errors[i]);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), !scarce);
	}
}

static int recycle_active_alloc(struct irq_domain *domain, unsigned int virq, unsigned int n,
				void *arg)
{
	int ret = mtt_parent_ops->alloc(domain, virq, n, arg);

	if (!ret)
		irqd_set_activated(irq_get_irq_data(virq));
	return ret;
}

static const struct irq_domain_ops recycle_active_ops = { .alloc = recycle_active_alloc };

/* It has more than a reservation from the beginning. */
static void recycle_not_if_active(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector;
	unsigned int irq;

	mtt_replace_ops(ctx->parent, &recycle_active_ops);
	vector = mtt_alloc(test, 2);
	irq = msi_vector_irq(vector);
	/* With its handler it is deactivated. */
	mtt_request(test, vector);
	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	KUNIT_EXPECT_FALSE(test, mtt_irq_exists(irq));
}

/* A vector gives its interrupt up, for another with an affinity, and who comes gets that. */
static int recycle_init_after_other(struct msi_vector *vector)
{
	struct msi_table *table = msi_vector_table(vector);
	struct mtt_hits *hits = msi_vector_cookie(vector);
	struct msi_vector *other;

	if (hits) {
		other = msi_table_alloc_vector(table, msi_vector_label(vector) + 1);
		if (IS_ERR(other) || mtt_try_request(other, hits))
			return -EIO;
		msi_table_restore(table);
	}
	return msi_fake_store_ops.init_vector(vector);
}

/* What is restored is never that of another vector. */
static void recycle_restored_without(struct kunit *test)
{
	struct irq_affinity_desc *affinity = kunit_kzalloc(test, sizeof(*affinity), GFP_KERNEL);
	struct mtt_hits *hits = mtt_new_hits(test);
	const struct msi_vector_request req = {
		.lowest = 5, .highest = 5, .affinity = affinity, .cookie = hits,
	};
	static const u32 labels[] = { 5 };
	struct mtt_ctx *ctx = test->priv;
	struct msi_vector *vector;
	unsigned int irq;

	KUNIT_ASSERT_NOT_NULL(test, affinity);
	cpumask_copy(&affinity->mask, cpu_online_mask);
	ctx->ops.init_vector = recycle_init_after_other;
	mtt_create(test, MTT_SIZE);
	recycle_park(test, labels, 1, &irq);
	vector = msi_table_alloc_vector_req(ctx->table, &req);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
	KUNIT_EXPECT_EQ(test, msi_vector_irq(msi_table_find(ctx->table, 6)), irq);
	KUNIT_EXPECT_TRUE(test, mtt_slot(test, 5).masked);
	mtt_expect_delivery(test, 6, hits);
}

static struct completion recycle_freeing;

static void recycle_slow_free(struct irq_domain *domain, unsigned int virq, unsigned int n)
{
	complete(&recycle_freeing);
	msleep(RECYCLE_QUIET_MS);
	mtt_parent_ops->free(domain, virq, n);
}

static const struct irq_domain_ops recycle_slow_ops = { .free = recycle_slow_free };

static void recycle_trim_step(struct mtt_racer *racer)
{
	msi_fake_parent_live(racer->ctx->parent);
}

/* Who wants a label whose interrupt is being given back waits for that. */
static void recycle_waits(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	static const u32 labels[] = { 5 };
	struct mtt_racer *racer;
	unsigned int irq;

	init_completion(&recycle_freeing);
	mtt_replace_ops(ctx->parent, &recycle_slow_ops);
	recycle_park(test, labels, 1, &irq);
	racer = mtt_start_racer(test, recycle_trim_step, NULL);
	wait_for_completion(&recycle_freeing);
	mtt_alloc(test, 5);
	mtt_finish_racer(test, racer);
}

/* A failure of the parent is one, if there was nothing to give back. */
static void recycle_parent_fails(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	static const u32 labels[] = { 5 };
	unsigned int irq, calls;

	KUNIT_ASSERT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
	calls = msi_fake_parent_alloc_calls(ctx->parent);
	msi_fake_parent_fail_nth(ctx->parent, 1);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 3, 3), -ENOSPC);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), calls + 1);
	msi_fake_parent_fail_nth(ctx->parent, 0);

	recycle_park(test, labels, 1, &irq);
	msi_fake_parent_fail_nth(ctx->parent, 1);
	mtt_expect_delivery(test, 3, mtt_request(test, mtt_alloc(test, 3)));
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	KUNIT_EXPECT_FALSE(test, msi_irq_is_parked(irq));
}

/* As reclaim calls it. Who does has to wait for recycle_wait_gone(). */
static unsigned long recycle_shrink(void)
{
	unsigned long ret;

	fs_reclaim_acquire(GFP_KERNEL);
	ret = msi_tables_shrink(NULL, NULL);
	fs_reclaim_release(GFP_KERNEL);
	return ret;
}

static bool recycle_wait_gone(unsigned int irq)
{
	unsigned long end = jiffies + msecs_to_jiffies(RECYCLE_TRIM_MS);

	while (mtt_irq_exists(irq) && time_before(jiffies, end))
		msleep(RECYCLE_QUIET_MS);
	return !mtt_irq_exists(irq);
}

static void recycle_shrinks(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_hits *hits = mtt_request(test, mtt_alloc(test, 0));
	static const u32 labels[] = { 2, 3, 5, 7 };
	unsigned int irqs[4];

	recycle_park(test, labels, 4, irqs);
	KUNIT_EXPECT_EQ(test, recycle_shrink(), SHRINK_STOP);
	for (unsigned int i = 0; i < 4; i++)
		KUNIT_EXPECT_TRUE(test, recycle_wait_gone(irqs[i]));
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	KUNIT_EXPECT_EQ(test, recycle_count_labels(ctx->table), 0);
	/* Waits until the trimmer is done. */
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 1);

	/* Neither those which are in use, nor the labels */
	mtt_expect_delivery(test, 0, hits);
	mtt_expect_delivery(test, 5, mtt_request(test, recycle_again(test, 5, false)));
}

/* More than are given back at a time */
static void recycle_trims_many(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_BATCH_MAX);
	struct mtt_batch *batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, MTT_BATCH_MAX);

	mtt_batch_free(test, batch);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), MTT_BATCH_MAX);
	mtt_batch_expect_gone(test, batch);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	KUNIT_EXPECT_EQ(test, recycle_count_labels(ctx->table), 0);
}

/* The kernel knows of them when it is short of memory. */
static void recycle_reclaimed(struct kunit *test)
{
#ifdef MODULE
	kunit_skip(test, "drop_slab() is for what is built in");
#else
	static const u32 labels[] = { 2, 3, 5 };
	struct mtt_hits *hits;
	unsigned int irqs[3];

	mtt_create(test, MTT_SIZE);
	hits = mtt_request(test, mtt_alloc(test, 0));
	recycle_park(test, labels, 3, irqs);
	drop_slab();
	for (unsigned int i = 0; i < 3; i++)
		KUNIT_EXPECT_TRUE(test, recycle_wait_gone(irqs[i]));
	mtt_expect_delivery(test, 0, hits);
#endif
}

static void recycle_goes_with_table(struct kunit *test)
{
	static const u32 labels[] = { 1, 2, 3, 30 };
	unsigned int irqs[4];
	struct mtt_ctx *ctx;

	for (unsigned int i = 0; i < 2; i++) {
		ctx = mtt_create(test, MTT_SIZE);
		recycle_park(test, labels, 4, irqs);
		mtt_request(test, recycle_again(test, 2, true));
		if (i)
			mtt_unbind(test);
		else
			msi_table_free(ctx->table);
		/* Without any help: mtt_expect_gone() would have them given back. */
		for (unsigned int j = 0; j < 4; j++)
			KUNIT_EXPECT_FALSE(test, mtt_irq_exists(irqs[j]));
		mtt_expect_gone(test, irqs, labels, 4);
	}
}

/* Labels of vectors which are being given back are free all the time. */
static void recycle_never_busy(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_racer *racer;

	racer = mtt_start_racer(test, recycle_trim_step, NULL);
	for (unsigned int i = 0; i < 60 || atomic_read(&racer->steps) < 10; i++) {
		struct msi_vector *vector = msi_table_alloc_vector(ctx->table, 3);
		struct msi_vector *next = msi_table_alloc_vector(ctx->table, 4);

		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, next);
		if (!(i % 8)) {
			struct mtt_hits hits = { };

			KUNIT_ASSERT_EQ(test, mtt_try_request(vector, &hits), 0);
			mtt_expect_delivery(test, 3, &hits);
			msi_vector_free_irq(vector);
		}
		msi_table_free_vector(ctx->table, vector);
		msi_table_free_vector(ctx->table, next);
	}
	mtt_finish_racer(test, racer);
	mtt_expect_empty(test);
}

/* What somebody else is giving back can be had as well. */
static void recycle_given_back_meanwhile(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, 1, 0);
	struct mtt_racer *racer;

	racer = mtt_start_racer(test, recycle_trim_step, NULL);
	for (unsigned int i = 0; i < 200 || atomic_read(&racer->steps) < 10; i++) {
		struct msi_vector *vector = msi_table_alloc_vector(ctx->table, i % MTT_SIZE);

		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
		msi_table_free_vector(ctx->table, vector);
	}
	mtt_finish_racer(test, racer);
	mtt_expect_empty(test);
}

/* The store does not want the recycled vector. */
static void recycle_init_vector_fails(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	static const u32 labels[] = { 5 };
	struct msi_vector *vector;
	unsigned int irq;

	recycle_park(test, labels, 1, &irq);
	for (unsigned int i = 0; i < 2; i++) {
		msi_fake_store_fail_nth(ctx->store, 1);
		KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 5, 5), -EIO);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 1);
		KUNIT_EXPECT_EQ(test, mtt_slot(test, 5).inits, 1);
		recycle_expect_parked(test, 5, irq);
	}

	vector = recycle_again(test, 5, true);
	KUNIT_EXPECT_EQ(test, msi_vector_irq(vector), irq);
	KUNIT_EXPECT_EQ(test, mtt_slot(test, 5).inits, 2);
	KUNIT_EXPECT_EQ(test, mtt_slot(test, 5).exits, 1);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	mtt_expect_delivery(test, 5, mtt_request(test, vector));
}

/* It can not be shown in msi_irqs/. */
static void recycle_sysfs_fails(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	static const u32 labels[] = { 5 };
	struct msi_vector *vector;
	unsigned int irq;

	if (!IS_ENABLED(CONFIG_SYSFS))
		kunit_skip(test, "needs sysfs");
	recycle_park(test, labels, 1, &irq);

	/* What is new neither, and what it had of the parent goes back. */
	msi_irqs_set_closed(ctx->dev, true);
	KUNIT_EXPECT_LT(test, mtt_alloc_error(test, 5, 5), 0);
	KUNIT_EXPECT_LT(test, mtt_alloc_error(test, 6, 6), 0);
	KUNIT_EXPECT_FALSE(test, mtt_slot(test, 6).inited);
	msi_irqs_set_closed(ctx->dev, false);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 1);
	recycle_expect_parked(test, 5, irq);

	vector = recycle_again(test, 5, true);
	KUNIT_EXPECT_EQ(test, msi_vector_irq(vector), irq);
	KUNIT_EXPECT_TRUE(test, mtt_in_sysfs(ctx->dev, irq));
	mtt_expect_delivery(test, 5, mtt_request(test, vector));
}

/* Parked among those which are taken by recycle_batch() */
static const u32 recycle_some[] = { 1, 3, 4, 6 };

static void recycle_batch(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	unsigned int irqs[ARRAY_SIZE(recycle_some)], calls;
	struct mtt_batch *batch = mtt_batch_new(test);

	for (unsigned int min = 1; min <= 8; min += 7) {
		recycle_park(test, recycle_some, ARRAY_SIZE(recycle_some), irqs);
		calls = msi_fake_parent_alloc_calls(ctx->parent);
		/* More than there are labels, and no more than needed */
		KUNIT_ASSERT_EQ(test, 8, mtt_batch_try_range(test, batch, 0, 7, min, min + 8));
		mtt_batch_expect_labels_from(test, batch, 0);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), calls + 4);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
		for (unsigned int i = 0; i < ARRAY_SIZE(recycle_some); i++)
			KUNIT_EXPECT_EQ(test, batch->irqs[recycle_some[i]], irqs[i]);
		mtt_batch_request(test, batch);
		mtt_batch_expect_delivery(test, batch);
		KUNIT_EXPECT_EQ(test, -ENOSPC,
				mtt_batch_try_range(test, mtt_batch_new(test), 0, 7, 1, 8));

		/* All of it comes back without the parent. */
		mtt_batch_free(test, batch);
		calls = msi_fake_parent_alloc_calls(ctx->parent);
		KUNIT_ASSERT_EQ(test, 8, mtt_batch_try_range(test, batch, 0, 7, 8, 8));
		mtt_batch_expect_labels_from(test, batch, 0);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), calls);
		mtt_batch_request(test, batch);
		mtt_batch_expect_delivery(test, batch);
		mtt_batch_free(test, batch);
		mtt_batch_expect_gone(test, batch);
	}
	KUNIT_EXPECT_EQ(test, -ENOSPC, mtt_batch_try_range(test, batch, 0, 7, 9, 9));
}

/* The store refuses one of a batch of new and recycled vectors. */
static void recycle_batch_refused(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct mtt_hits *hits = mtt_request(test, mtt_alloc(test, 20));
	unsigned int irqs[ARRAY_SIZE(recycle_some)];
	struct mtt_batch *batch = mtt_batch_new(test);

	for (unsigned int nth = 1; nth <= 8; nth++) {
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 1);
		recycle_park(test, recycle_some, ARRAY_SIZE(recycle_some), irqs);
		msi_fake_store_fail_nth(ctx->store, nth);
		KUNIT_EXPECT_EQ(test, -EIO, mtt_batch_try_range(test, batch, 0, 7, 8, 8));
		msi_fake_store_fail_nth(ctx->store, 0);
		for (u32 label = 0; label < 8; label++) {
			struct msi_fake_slot slot = { };

			msi_fake_store_read(ctx->store, label, &slot);
			KUNIT_EXPECT_EQ(test, slot.inits, slot.exits);
			KUNIT_EXPECT_FALSE(test, slot.inited);
		}
		for (unsigned int i = 0; i < ARRAY_SIZE(irqs); i++)
			mtt_expect_unused(test, irqs[i]);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table),
				recycle_count_labels(ctx->table));
		mtt_expect_delivery(test, 20, hits);

		/* What is in front of it may be enough. */
		KUNIT_ASSERT_EQ(test, 8, mtt_batch_try_range(test, batch, 0, 7, 8, 8));
		mtt_batch_expect_labels_from(test, batch, 0);
		mtt_batch_free(test, batch);
		if (nth == 1)
			continue;
		msi_fake_store_fail_nth(ctx->store, nth);
		KUNIT_ASSERT_EQ(test, nth - 1, mtt_batch_try_range(test, batch, 0, 7, 1, 8));
		msi_fake_store_fail_nth(ctx->store, 0);
		mtt_batch_expect_labels_from(test, batch, 0);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 8 - (nth - 1));
		mtt_batch_request(test, batch);
		mtt_batch_expect_delivery(test, batch);
		mtt_batch_free(test, batch);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 8);
	}
}

/* The parent has enough for some of a batch of new and recycled vectors. */
static void recycle_batch_parent_full(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create_on(test, MTT_SIZE, 7, 0);
	struct mtt_hits *hits = mtt_request(test, mtt_alloc(test, 20));
	unsigned int irqs[ARRAY_SIZE(recycle_some)];
	struct mtt_batch *batch = mtt_batch_new(test);

	for (unsigned int round = 0; round < 2; round++) {
		recycle_park(test, recycle_some, ARRAY_SIZE(recycle_some), irqs);
		KUNIT_EXPECT_EQ(test, -ENOSPC, mtt_batch_try_range(test, batch, 0, 7, 8, 8));
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 1);
		mtt_expect_delivery(test, 20, hits);
		for (u32 label = 0; label < 8; label++) {
			struct msi_fake_slot slot = { };

			msi_fake_store_read(ctx->store, label, &slot);
			KUNIT_EXPECT_EQ(test, slot.inits, slot.exits);
		}

		recycle_park(test, recycle_some, ARRAY_SIZE(recycle_some), irqs);
		/* What is parked at label 6 serves as well at label 5. */
		KUNIT_ASSERT_EQ(test, 6, mtt_batch_try_range(test, batch, 0, 7, 6, 8));
		mtt_batch_expect_labels_from(test, batch, 0);
		mtt_batch_request(test, batch);
		mtt_batch_expect_delivery(test, batch);
		mtt_batch_free(test, batch);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 1);
	}
}

/* Whether a label is parked makes no difference to which is the lowest. */
static void recycle_lowest_first(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	static const u32 parked[] = { 5, 7 };
	unsigned int irqs[2];

	mtt_alloc(test, 4);
	recycle_park(test, parked, 2, irqs);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 6, 8), 6);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 2);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 3, MSI_LABEL_ANY), 3);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 2);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 3, MSI_LABEL_ANY), 5);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 1);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 3, MSI_LABEL_ANY), 7);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 3, 9), 8);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 3, 9), 9);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 3, 9), -ENOSPC);

	for (u32 label = 0; label < 3; label++)
		KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), label);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), 10);
}

/* Nor does it where labels are as large as they can be. */
static void recycle_large_labels(struct kunit *test)
{
	static const u32 labels[] = { 0, 63, 64, 65536, S32_MAX, MSI_LABEL_ANY - 1 };
	unsigned int irqs[ARRAY_SIZE(labels)];
	struct mtt_ctx *ctx = mtt_create(test, 0);

	recycle_park(test, labels, ARRAY_SIZE(labels), irqs);
	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++) {
		struct msi_vector *vector;

		vector = msi_table_alloc_vector_range(ctx->table, labels[i], MSI_LABEL_ANY);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
		KUNIT_EXPECT_EQ(test, msi_vector_label(vector), labels[i]);
		KUNIT_EXPECT_EQ(test, msi_vector_irq(vector), irqs[i]);
		mtt_expect_delivery(test, labels[i], mtt_request(test, vector));
	}
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), 1);
}

static void recycle_check_affinity(struct kunit *test, bool managed)
{
	/* Even where this is the only one, it is another mask than the usual one. */
	const struct cpumask *cpu = cpumask_of(cpumask_last(cpu_online_mask)), *usual;
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct irq_affinity_desc *affinity;
	struct msi_vector_request req = { .lowest = 2, .highest = 2 };
	static const u32 labels[] = { 2 };
	struct msi_vector *vector;
	unsigned int irq, calls;

	if (managed && ctx->variant->slow)
		kunit_skip(test, "no managed affinity behind a slow bus");
	affinity = kunit_kzalloc(test, sizeof(*affinity), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, affinity);
	cpumask_copy(&affinity->mask, cpu);
	affinity->is_managed = managed;
	req.affinity = affinity;
	usual = irq_get_affinity_mask(msi_vector_irq(mtt_alloc(test, 9)));

	recycle_park(test, labels, 1, &irq);
	for (unsigned int i = 0; i < 2; i++) {
		calls = msi_fake_parent_alloc_calls(ctx->parent);
		vector = msi_table_alloc_vector_req(ctx->table, &req);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vector);
		irq = msi_vector_irq(vector);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_alloc_calls(ctx->parent), calls + 1);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
		KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_affinity_mask(irq), cpu));
		KUNIT_EXPECT_EQ(test, irqd_affinity_is_managed(irq_get_irq_data(irq)), managed);
		mtt_expect_delivery(test, 2, mtt_request(test, vector));
		KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_effective_affinity_mask(irq), cpu));

		/* Not to be had again */
		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
		KUNIT_EXPECT_FALSE(test, mtt_irq_exists(irq));
	}

	vector = recycle_again(test, 2, false);
	irq = msi_vector_irq(vector);
	KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_affinity_mask(irq), usual));
	KUNIT_EXPECT_FALSE(test, irqd_affinity_was_set(irq_get_irq_data(irq)));
	/* This one is as any other. */
	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 1);
}

static void recycle_with_affinity(struct kunit *test)
{
	recycle_check_affinity(test, false);
}

static void recycle_with_managed_affinity(struct kunit *test)
{
	recycle_check_affinity(test, true);
}

/* Where a user has put the interrupt is forgotten. */
static void recycle_affinity_of_user(struct kunit *test)
{
	const struct cpumask *cpu = mtt_other_cpu(test), *usual;
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector;

	usual = irq_get_affinity_mask(msi_vector_irq(mtt_alloc(test, 9)));
	vector = mtt_alloc(test, 2);
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int irq = msi_vector_irq(vector);

		KUNIT_EXPECT_TRUE(test, cpumask_equal(irq_get_affinity_mask(irq), usual));
		KUNIT_EXPECT_FALSE(test, irqd_affinity_was_set(irq_get_irq_data(irq)));
		/* Before, after, and without a handler */
		if (i)
			mtt_expect_delivery(test, 2, mtt_request(test, vector));
		KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, cpu), 0);
		if (i == 2)
			msi_vector_free_irq(vector);
		msi_table_free_vector(ctx->table, vector);
		vector = recycle_again(test, 2, true);
	}
}

/* An interrupt which can not be made like new is not used again. */
static void recycle_expect_discarded(struct kunit *test, struct msi_vector *vector)
{
	struct mtt_ctx *ctx = test->priv;
	unsigned int irq = msi_vector_irq(vector);

	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	KUNIT_EXPECT_FALSE(test, mtt_irq_exists(irq));
	vector = recycle_again(test, 2, false);
	mtt_expect_delivery(test, 2, mtt_request(test, vector));
	msi_vector_free_irq(vector);
	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 1);
}

static void recycle_not_with_wake(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	unsigned int irq = msi_vector_irq(vector);

	irq_get_irq_data(irq)->chip->flags |= IRQCHIP_SKIP_SET_WAKE;
	KUNIT_ASSERT_EQ(test, irq_set_irq_wake(irq, 1), 0);
	KUNIT_ASSERT_EQ(test, irq_set_irq_wake(irq, 0), 0);
	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 1);

	vector = recycle_again(test, 2, true);
	KUNIT_ASSERT_EQ(test, irq_set_irq_wake(irq, 1), 0);
	recycle_expect_discarded(test, vector);
	irq = msi_vector_irq(recycle_again(test, 2, true));
	KUNIT_EXPECT_FALSE(test, irqd_is_wakeup_set(irq_get_irq_data(irq)));
}

/* A parent which lets the hardware send it to a vCPU remembers that. */
static void recycle_not_with_vcpu(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct irq_data *data = irq_get_irq_data(msi_vector_irq(vector));

	irqd_set_forwarded_to_vcpu(data);
	irqd_clr_forwarded_to_vcpu(data);
	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 1);

	vector = recycle_again(test, 2, true);
	irqd_set_forwarded_to_vcpu(irq_get_irq_data(msi_vector_irq(vector)));
	recycle_expect_discarded(test, vector);
	data = irq_get_irq_data(msi_vector_irq(recycle_again(test, 2, true)));
	KUNIT_EXPECT_FALSE(test, irqd_is_forwarded_to_vcpu(data));
}

/**
 * struct recycle_notify - Somebody who is told of changes of the affinity
 * @notify:	For irq_set_affinity_notifier()
 * @released:	Nobody refers to @notify any more
 */
struct recycle_notify {
	struct irq_affinity_notify	notify;
	bool				released;
};

static void recycle_notified(struct irq_affinity_notify *notify, const cpumask_t *mask) { }

static void recycle_notify_release(struct kref *ref)
{
	container_of(ref, struct recycle_notify, notify.kref)->released = true;
}

static void recycle_not_with_notifier(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	unsigned int irq = msi_vector_irq(vector);
	struct recycle_notify *n;

	if (!IS_ENABLED(CONFIG_SMP))
		kunit_skip(test, "no affinity");
	n = kunit_kzalloc(test, sizeof(*n), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, n);
	n->notify.notify = recycle_notified;
	n->notify.release = recycle_notify_release;

	KUNIT_ASSERT_EQ(test, irq_set_affinity_notifier(irq, &n->notify), 0);
	KUNIT_ASSERT_EQ(test, irq_set_affinity_notifier(irq, NULL), 0);
	KUNIT_EXPECT_TRUE(test, n->released);
	msi_table_free_vector(ctx->table, vector);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 1);

	vector = recycle_again(test, 2, true);
	n->released = false;
	KUNIT_ASSERT_EQ(test, irq_set_affinity_notifier(irq, &n->notify), 0);
	recycle_expect_discarded(test, vector);

	/* Nobody was told, and the descriptor which referred to it is gone. */
	KUNIT_EXPECT_FALSE(test, n->released);
	KUNIT_EXPECT_FALSE(test, work_pending(&n->notify.work));
	kref_put(&n->notify.kref, n->notify.release);
	KUNIT_EXPECT_TRUE(test, n->released);
}

static void recycle_not_with_other_chip(struct kunit *test)
{
	struct msi_vector *vector;
	struct irq_chip *chip;
	unsigned int irq;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	irq = msi_vector_irq(vector);
	chip = kunit_kmalloc(test, sizeof(*chip), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, chip);
	*chip = *irq_get_irq_data(irq)->chip;
	KUNIT_ASSERT_EQ(test, irq_set_chip(irq, chip), 0);
	recycle_expect_discarded(test, vector);
}

#define RECYCLE_SHARED_SIZE	8

/* Labels which a task holds */
static DECLARE_BITMAP(recycle_held, RECYCLE_SHARED_SIZE);

static void recycle_churn_step(struct mtt_racer *racer)
{
	u32 lowest = atomic_read(&racer->steps) * 5 % RECYCLE_SHARED_SIZE;
	const struct msi_vector_request req = {
		.lowest		= lowest,
		.highest	= MSI_LABEL_ANY,
	};
	struct msi_table *table = racer->ctx->table;
	struct mtt_hits hits = { };
	struct msi_vector *vectors[3];
	int n;

	n = msi_table_alloc_vectors(table, &req, 1, ARRAY_SIZE(vectors), vectors);
	if (n < 0) {
		racer->wrong += n != -ENOSPC && (n != -EBUSY || lowest != RECYCLE_SHARED_SIZE - 1);
		return;
	}
	for (int i = 0; i < n; i++) {
		u32 label = msi_vector_label(vectors[i]);

		racer->wrong += label < lowest || label >= RECYCLE_SHARED_SIZE;
		racer->wrong += test_and_set_bit(label % RECYCLE_SHARED_SIZE, recycle_held);
	}

	if (mtt_try_request(vectors[0], &hits)) {
		racer->wrong++;
	} else {
		racer->wrong += !!msi_fake_store_fire(racer->ctx->store, racer->ctx->parent,
						      msi_vector_label(vectors[0]));
		msi_vector_free_irq(vectors[0]);
		racer->wrong += atomic_read(&hits.hard) != 1;
	}
	for (int i = 0; i < n; i++)
		clear_bit(msi_vector_label(vectors[i]) % RECYCLE_SHARED_SIZE, recycle_held);
	msi_table_free_vectors(table, vectors, n);
}

/* Two tasks take and free labels of a table while a third has it give back. */
static void recycle_churn(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, RECYCLE_SHARED_SIZE);
	struct mtt_racer *racers[2];
	struct mtt_batch *batch;

	bitmap_zero(recycle_held, RECYCLE_SHARED_SIZE);
	for (unsigned int i = 0; i < 2; i++)
		racers[i] = mtt_start_racer(test, recycle_churn_step, NULL);
	while (atomic_read(&racers[0]->steps) < 60 || atomic_read(&racers[1]->steps) < 60) {
		msi_fake_parent_live(ctx->parent);
		/* Something has to become parked in between. */
		usleep_range(1000, 5000);
	}
	for (unsigned int i = 0; i < 2; i++)
		mtt_finish_racer(test, racers[i]);

	KUNIT_EXPECT_TRUE(test, bitmap_empty(recycle_held, RECYCLE_SHARED_SIZE));
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 0);
	KUNIT_EXPECT_EQ(test, recycle_count_labels(ctx->table), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&ctx->table->late), 0);
	batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, RECYCLE_SHARED_SIZE);
	mtt_batch_expect_labels_from(test, batch, 0);
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);
}

/* A driver which frees twice is told so, and nothing happens. */
static void recycle_double_free(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct msi_vector *both[2] = { mtt_alloc(test, 3), vector };
	struct mtt_hits *hits = mtt_request(test, both[0]);
	unsigned int irq = msi_vector_irq(vector), calls;

	msi_table_free_vector(ctx->table, vector);
	recycle_expect_parked(test, 2, irq);
	calls = msi_fake_store_calls(ctx->store);
	kunit_warning_suppress(test) {
		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 1);

	/* Nor to those which are freed together with it */
	kunit_warning_suppress(test) {
		msi_table_free_vectors(ctx->table, both, 2);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_EQ(test, msi_fake_store_calls(ctx->store), calls);
	KUNIT_EXPECT_EQ(test, recycle_nr_parked(ctx->table), 1);
	recycle_expect_parked(test, 2, irq);
	mtt_expect_delivery(test, 3, hits);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 3, 3), -EBUSY);

	vector = recycle_again(test, 2, true);
	KUNIT_EXPECT_EQ(test, msi_vector_irq(vector), irq);
	mtt_expect_delivery(test, 2, mtt_request(test, vector));
}

/* What was left behind on it does not come back with it. */
static void recycle_foreign_handler(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 3);
	struct mtt_hits *hits = mtt_request_behind(test, vector);
	unsigned int irq = msi_vector_irq(vector);

	kunit_warning_suppress(test) {
		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	vector = recycle_again(test, 3, true);
	KUNIT_EXPECT_EQ(test, msi_vector_irq(vector), irq);
	mtt_expect_delivery(test, 3, mtt_request(test, vector));
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);
}

/* Those variants whose interrupts are recycled */
static const void *recycle_gen_params(struct kunit *test, const void *prev, char *desc)
{
	const struct mtt_variant *variant = prev;

	do {
		variant = mtt_variant_gen_params(test, variant, desc);
	} while (variant && variant->slow);
	return variant;
}

static struct kunit_case mtt_recycle_cases[] = {
	KUNIT_CASE_PARAM(recycle_keeps_interrupt, recycle_gen_params),
	KUNIT_CASE_PARAM(recycle_like_new, recycle_gen_params),
	KUNIT_CASE(recycle_two_tables),
	KUNIT_CASE_PARAM(recycle_late_interrupt, recycle_gen_params),
	KUNIT_CASE(recycle_late_is_acknowledged),
	KUNIT_CASE(recycle_late_flow_handler),
	KUNIT_CASE(recycle_needs_reservation),
	KUNIT_CASE_PARAM(recycle_not_behind_slow_bus, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(recycle_not_restored, recycle_gen_params),
	KUNIT_CASE_PARAM(recycle_bounded, recycle_gen_params),
	KUNIT_CASE(recycle_some_of_batch),
	KUNIT_CASE_SLOW(recycle_bounded_together),
	KUNIT_CASE(recycle_given_to_other_table),
	KUNIT_CASE(recycle_given_to_no_table),
	KUNIT_CASE(recycle_parent_fails),
	KUNIT_CASE(recycle_parent_is_short),
	KUNIT_CASE(recycle_not_if_active),
	KUNIT_CASE(recycle_restored_without),
	KUNIT_CASE(recycle_waits),
	KUNIT_CASE(recycle_shrinks),
	KUNIT_CASE(recycle_trims_many),
	KUNIT_CASE(recycle_reclaimed),
	KUNIT_CASE(recycle_goes_with_table),
	KUNIT_CASE_SLOW(recycle_never_busy),
	KUNIT_CASE_SLOW(recycle_given_back_meanwhile),
	KUNIT_CASE_PARAM(recycle_init_vector_fails, recycle_gen_params),
	KUNIT_CASE_PARAM(recycle_sysfs_fails, recycle_gen_params),
	KUNIT_CASE_PARAM(recycle_batch, recycle_gen_params),
	KUNIT_CASE(recycle_batch_refused),
	KUNIT_CASE(recycle_batch_parent_full),
	KUNIT_CASE(recycle_lowest_first),
	KUNIT_CASE(recycle_large_labels),
	KUNIT_CASE_PARAM(recycle_with_affinity, recycle_gen_params),
	KUNIT_CASE_PARAM(recycle_with_managed_affinity, recycle_gen_params),
	KUNIT_CASE_PARAM(recycle_affinity_of_user, recycle_gen_params),
	KUNIT_CASE(recycle_not_with_wake),
	KUNIT_CASE(recycle_not_with_vcpu),
	KUNIT_CASE(recycle_not_with_notifier),
	KUNIT_CASE(recycle_not_with_other_chip),
	KUNIT_CASE_SLOW(recycle_churn),
	KUNIT_CASE(recycle_double_free),
	KUNIT_CASE_PARAM(recycle_foreign_handler, recycle_gen_params),
	{ }
};

static struct kunit_suite mtt_recycle_suite = {
	.name		= "msi_table_recycle",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_recycle_cases,
};

kunit_test_suite(mtt_recycle_suite);
