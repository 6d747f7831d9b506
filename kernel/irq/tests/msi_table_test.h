/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KERNEL_IRQ_TESTS_MSI_TABLE_TEST_H
#define _KERNEL_IRQ_TESTS_MSI_TABLE_TEST_H

/*
 * What the KUnit tests of MSI tables share: a device with a store on a fake
 * parent, in all the combinations which the core treats in its own way.
 *
 * A suite with mtt_init() and mtt_exit() has its tests run on @mtt_variants if
 * they take a parameter, else on the first of them. After each test the device
 * is unbound, whatever the test left behind, and then no interrupt may be left
 * and no op of the store may have been called where it must not be.
 */
#include <kunit/msi_table.h>
#include <kunit/test.h>

#include <linux/atomic.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/types.h>

#define MTT_CAPACITY	64
#define MTT_SIZE		32
#define MTT_NR_VARIANTS	8
#define MTT_BATCH_MAX	40

struct irq_domain;
struct irq_domain_ops;
struct task_struct;

/**
 * struct mtt_variant - A kind of store on a kind of parent
 * @name:		Shown in the test results
 * @no_mask:		The store has neither mask nor unmask
 * @no_clear:		The store has no clear_msg
 * @slow:		The store is behind a slow bus
 * @parent_flags:	For msi_fake_parent_create()
 */
struct mtt_variant {
	const char	*name;
	bool		no_mask;
	bool		no_clear;
	bool		slow;
	unsigned int	parent_flags;
};

extern const struct mtt_variant mtt_variants[MTT_NR_VARIANTS];

/**
 * struct mtt_ctx - What every test starts with, test->priv
 * @variant:	The kind of store and parent
 * @ops:	Operations of @store, as @variant has them
 * @parent:	MSI parent of @dev
 * @store:	The store
 * @dev:	A bound device, NULL once it is unregistered
 * @table:	Set by mtt_create()
 */
struct mtt_ctx {
	const struct mtt_variant	*variant;
	struct msi_table_ops	ops;
	struct msi_fake_parent	*parent;
	struct msi_fake_store	*store;
	struct device		*dev;
	struct msi_table	*table;
};

/**
 * struct mtt_hits - dev_id of the handlers
 * @hard:	Number of interrupts
 * @thread:	Number of runs of the thread
 * @irq:	The interrupt number which the handler saw last
 */
struct mtt_hits {
	atomic_t	hard;
	atomic_t	thread;
	int		irq;
};

/**
 * struct mtt_batch - Vectors which were allocated together
 * @n:		How many
 * @vectors:	The vectors
 * @irqs:	Their interrupt numbers
 * @labels:	Their labels
 * @hits:	Their handlers' dev_id, NULL without a handler
 */
struct mtt_batch {
	unsigned int		n;
	struct msi_vector	*vectors[MTT_BATCH_MAX];
	unsigned int		irqs[MTT_BATCH_MAX];
	u32			labels[MTT_BATCH_MAX];
	struct mtt_hits		*hits[MTT_BATCH_MAX];
};

/**
 * struct mtt_watch - A watcher which remembers what it was told
 * @watcher:	The watcher
 * @msg:	The last message
 * @calls:	How often it was told
 * @closed:	It does not watch, and must not be called
 * @wrong:	Number of calls which were against the rules
 */
struct mtt_watch {
	struct msi_watcher	watcher;
	struct msi_msg	msg;
	atomic_t		calls;
	bool			closed;
	atomic_t		wrong;
};

/**
 * struct mtt_racer - A thread which does one thing over and over
 * @step:	The thing
 * @ctx:	The test's context
 * @vector:	A vector which outlives the thread
 * @task:	The thread
 * @steps:	How often @step has been called
 * @wrong:	How often something was not as it should be
 */
struct mtt_racer {
	void			(*step)(struct mtt_racer *racer);
	struct mtt_ctx		*ctx;
	struct msi_vector	*vector;
	struct task_struct	*task;
	atomic_t		steps;
	unsigned int		wrong;
};

int mtt_init_variant(struct kunit *test, const struct mtt_variant *variant);
int mtt_init(struct kunit *test);
void mtt_exit(struct kunit *test);
void mtt_unbind(struct kunit *test);

/* These go away with the test. */
struct msi_fake_parent *mtt_new_parent(struct kunit *test, unsigned int capacity,
				       unsigned int flags);
struct msi_fake_store *mtt_new_store(struct kunit *test);
struct device *mtt_new_device(struct kunit *test, const char *name);
struct mtt_hits *mtt_new_hits(struct kunit *test);

struct msi_table_info mtt_info(struct mtt_ctx *ctx);
struct mtt_ctx *mtt_create(struct kunit *test, u32 size);
struct mtt_ctx *mtt_create_on(struct kunit *test, u32 size, unsigned int capacity,
			      unsigned int flags);

/*
 * What the irq core calls of @instead it calls instead of the parent's own, which is in
 * mtt_parent_ops: alloc, free or activate, as long as there is the parent. One at a time.
 */
extern const struct irq_domain_ops *mtt_parent_ops;
void mtt_replace_ops(struct msi_fake_parent *parent, const struct irq_domain_ops *instead);

long mtt_create_error(struct kunit *test, const struct msi_table_info *info);
void mtt_expect_creatable(struct kunit *test);

struct msi_vector *mtt_alloc(struct kunit *test, u32 label);
u32 mtt_alloc_label(struct kunit *test, u32 lowest, u32 highest);
long mtt_alloc_error(struct kunit *test, u32 lowest, u32 highest);

irqreturn_t mtt_handler(int irq, void *dev_id);
int mtt_try_request(struct msi_vector *vector, struct mtt_hits *hits);
struct mtt_hits *mtt_request(struct kunit *test, struct msi_vector *vector);
struct mtt_hits *mtt_request_behind(struct kunit *test, struct msi_vector *vector);

struct msi_fake_slot mtt_slot(struct kunit *test, u32 label);
bool mtt_msg_valid(struct msi_msg msg);
bool mtt_msg_equal(struct msi_msg a, struct msi_msg b);
int mtt_fire(struct kunit *test, u32 label);
void mtt_expect_delivery(struct kunit *test, u32 label, struct mtt_hits *hits);
void mtt_expect_armed(struct kunit *test, struct msi_vector *vector);
bool mtt_reaches(atomic_t *count, int value);

bool mtt_irq_exists(unsigned int irq);
void mtt_expect_unused(struct kunit *test, unsigned int irq);
bool mtt_in_sysfs(struct device *dev, unsigned int irq);
const struct cpumask *mtt_other_cpu(struct kunit *test);
void mtt_expect_gone(struct kunit *test, const unsigned int *irqs, const u32 *labels,
		     unsigned int n);
void mtt_expect_empty(struct kunit *test);

struct mtt_batch *mtt_batch_new(struct kunit *test);
int mtt_batch_try(struct kunit *test, struct mtt_batch *batch, const struct msi_vector_request *req,
		  unsigned int min, unsigned int max);
int mtt_batch_try_range(struct kunit *test, struct mtt_batch *batch, u32 lowest, u32 highest,
			unsigned int min, unsigned int max);
struct mtt_batch *mtt_batch_alloc(struct kunit *test, u32 lowest, u32 highest, unsigned int n);
void mtt_batch_expect_labels_from(struct kunit *test, const struct mtt_batch *batch, u32 first);
void mtt_batch_request(struct kunit *test, struct mtt_batch *batch);
void mtt_batch_expect_delivery(struct kunit *test, const struct mtt_batch *batch);
void mtt_batch_free(struct kunit *test, struct mtt_batch *batch);
void mtt_batch_expect_gone(struct kunit *test, const struct mtt_batch *batch);

struct mtt_watch *mtt_watch_new(struct kunit *test);
struct mtt_watch *mtt_watch_start(struct kunit *test, struct msi_vector *vector);
void mtt_watch_stop(struct msi_vector *vector, struct mtt_watch *watch);

struct mtt_racer *mtt_start_racer(struct kunit *test, void (*step)(struct mtt_racer *racer),
				  struct msi_vector *vector);
void mtt_finish_racer(struct kunit *test, struct mtt_racer *racer);

/* For whoever has a store in memory and lets the product access it as MMIO */
static inline void mtt_need_memory_as_mmio(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_INDIRECT_IOMEM) && !IS_ENABLED(CONFIG_INDIRECT_IOMEM_FALLBACK))
		kunit_skip(test, "memory can not be accessed like MMIO");
}

/* irq_to_desc() is not for modules. */
static inline struct irq_desc *mtt_irq_desc(unsigned int irq)
{
	struct irq_data *data = irq_get_irq_data(irq);

	return data ? irq_data_to_desc(data) : NULL;
}

/* Messages do not change with the affinity. */
static inline bool mtt_stable(const struct mtt_ctx *ctx)
{
	return ctx->variant->parent_flags & MSI_FAKE_IMMUTABLE;
}

#endif /* _KERNEL_IRQ_TESTS_MSI_TABLE_TEST_H */
