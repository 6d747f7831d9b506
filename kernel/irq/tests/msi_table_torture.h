/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KERNEL_IRQ_TESTS_MSI_TABLE_TORTURE_H
#define _KERNEL_IRQ_TESTS_MSI_TABLE_TORTURE_H

/* What the files of the torture test of MSI tables share */

#include <kunit/msi_table.h>

#include <linux/atomic.h>
#include <linux/interrupt.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/types.h>

struct faux_device;

/* Figures, each of which becomes a line of the result */
enum torture_figure {
	TORTURE_RAISED,
	TORTURE_RECEIVED,
	TORTURE_WITHDRAWN,
	TORTURE_COALESCED,
	TORTURE_REFUSED,
	TORTURE_OPERATIONS,
	TORTURE_TABLES,
	TORTURE_ALLOCATED,
	TORTURE_FAULTS,
	TORTURE_FAULTS_MEMORY,
	TORTURE_SHARED_OPERATIONS,
	TORTURE_SHARED_ALLOCATED,
	TORTURE_SHARED_FAULTS,
	TORTURE_FLOOD_RAISED,
	TORTURE_FLOOD_RECEIVED,
	TORTURE_INPUT_CASES,
	TORTURE_LIMITS_CASES,
	TORTURE_NR_FIGURES,
};

extern unsigned int torture_seed;
extern int torture_plant;

void torture_count(enum torture_figure figure, s64 n);
bool torture_over(void);
__printf(1, 2) bool torture_fail(const char *fmt, ...);
bool torture_failed(void);

/* For what is checked once, and ends the test when it is not so */
#define torture_check(_condition, _fmt, ...)						\
({											\
	bool _ok = !!(_condition);							\
											\
	if (!_ok)									\
		torture_fail("%s:%d: " _fmt, __func__, __LINE__, ##__VA_ARGS__);	\
	_ok;										\
})

void torture_seed_state(struct rnd_state *rnd, unsigned int stream);

static inline u32 torture_below(struct rnd_state *rnd, u32 limit)
{
	return prandom_u32_state(rnd) % limit;
}

/* Memory which fails: the Nth allocation of this task from now on, or none */
static inline void torture_fail_memory(unsigned int nth)
{
#ifdef CONFIG_FAULT_INJECTION
	WRITE_ONCE(current->fail_nth, nth);
#endif
}

/* Disarms it, and returns whether it has happened */
static inline bool torture_memory_failed(void)
{
#ifdef CONFIG_FAULT_INJECTION
	bool failed = !READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	return failed;
#else
	return false;
#endif
}

/**
 * struct torture_variant - A kind of store on a kind of parent
 * @name:		For messages
 * @ops:		Operations of the store
 * @no_clear:		Without clear_msg
 * @size:		Size of the table, 0 without an index
 * @parent_flags:	For msi_fake_parent_create()
 * @flags:		For msi_allocate_table()
 */
struct torture_variant {
	const char			*name;
	const struct msi_table_ops	*ops;
	bool				no_clear;
	u32				size;
	unsigned int			parent_flags;
	unsigned int			flags;
};

#define TORTURE_NR_VARIANTS	12
extern const struct torture_variant torture_variants[TORTURE_NR_VARIANTS];

static inline bool torture_is_slow(const struct torture_variant *variant)
{
	return variant->ops->lock;
}

static inline bool torture_is_stable(const struct torture_variant *variant)
{
	return variant->parent_flags & MSI_FAKE_IMMUTABLE;
}

/**
 * struct torture_rig - A bound device with a store on a fake parent
 * @variant:	Kind of the store and the parent
 * @ops:	Operations of @store, may be changed before the table is created
 * @info:	For msi_allocate_table()
 * @faux:	The device
 * @parent:	The parent
 * @store:	The store
 * @table:	Set by torture_create(), NULL again when it is freed
 */
struct torture_rig {
	const struct torture_variant	*variant;
	struct msi_table_ops		ops;
	struct msi_table_info		info;
	struct faux_device		*faux;
	struct msi_fake_parent		*parent;
	struct msi_fake_store		*store;
	struct msi_table		*table;
};

int torture_open(struct torture_rig *rig, const struct torture_variant *variant,
		 unsigned int capacity);
int torture_create(struct torture_rig *rig);
void torture_free_table(struct torture_rig *rig);
const char *torture_close(struct torture_rig *rig);
struct device *torture_dev(struct torture_rig *rig);

/**
 * struct torture_hits - dev_id of the handlers
 * @hard:	Number of interrupts
 * @thread:	Number of runs of the thread
 * @irq:	The interrupt number which the handler saw last
 * @total:	Counts the interrupts of all the handlers which belong together
 */
struct torture_hits {
	atomic_t	hard;
	atomic_t	thread;
	int		irq;
	atomic_t	*total;
};

irqreturn_t torture_handler(int irq, void *dev_id);
irqreturn_t torture_waker(int irq, void *dev_id);
irqreturn_t torture_thread(int irq, void *dev_id);
int torture_request(struct msi_vector *vector, struct torture_hits *hits);
bool torture_reaches(atomic_t *count, int value);
bool torture_expect_hit(struct torture_rig *rig, u32 label, struct torture_hits *hits);
unsigned int torture_irqs(void);

static inline bool torture_msg_valid(const struct msi_msg *msg)
{
	return msi_msg_address(msg) || msg->data;
}

static inline bool torture_msg_equal(const struct msi_msg *a, const struct msi_msg *b)
{
	return msi_msg_address(a) == msi_msg_address(b) && a->data == b->data;
}

/* What an operation of the model run does */
enum model_kind {
	MODEL_ALLOC_LABEL,
	MODEL_ALLOC_RANGE,
	MODEL_ALLOC_ANY,
	MODEL_ALLOC_AFFINITY,
	MODEL_ALLOC_BATCH,
	MODEL_FREE,
	MODEL_FREE_BATCH,
	MODEL_REQUEST,
	MODEL_REQUEST_THREADED,
	MODEL_REQUEST_PLAIN,
	MODEL_REQUEST_AGAIN,
	MODEL_FREE_IRQ,
	MODEL_DISABLE,
	MODEL_ENABLE,
	MODEL_AFFINITY,
	MODEL_FIRE,
	MODEL_FIRE_DEAD,
	MODEL_WATCH,
	MODEL_UNWATCH,
	MODEL_RESTORE,
	MODEL_GET,
	MODEL_SAME_NAME,
	MODEL_OTHER_TABLE,
	MODEL_VERIFY,
	MODEL_NR_KINDS,
};

/* What fails while an operation runs */
enum model_fault {
	MODEL_NO_FAULT,
	MODEL_FAULT_MEMORY,
	MODEL_FAULT_PARENT,
	MODEL_FAULT_STORE,
	MODEL_FAULT_ACTIVATE,
};

/**
 * struct model_op - An operation, independent of those before
 * @kind:	&enum model_kind
 * @fault:	&enum model_fault
 * @nth:	Which one of that kind of thing fails
 * @min:	For a batch
 * @max:	For a batch
 * @managed:	For an allocation with an affinity
 * @a:		First place, which becomes a label of the table, or the vector at or
 *		behind that label. With nothing to be done there the operation does
 *		nothing.
 * @b:		Last place of a range
 * @c:		Random bits: CPUs, an order, a choice
 */
struct model_op {
	u8	kind;
	u8	fault;
	u8	nth;
	u8	min;
	u8	max;
	bool	managed;
	u8	a;
	u8	b;
	u32	c;
};

/**
 * struct model_setup - What the operations are run on
 * @variant:	Index in torture_variants[]
 * @size:	Size of the table if the variant has a small one
 * @capacity:	Interrupts of the parent
 * @managed:	The table is freed by unbinding its device
 */
struct model_setup {
	unsigned int	variant;
	u32		size;
	unsigned int	capacity;
	bool		managed;
};

/* Places are mapped to labels: the low ones, and some from all over the table. */
#define MODEL_NR_PLACES		48
#define MODEL_MAX_LIVE		40
#define MODEL_MAX_BATCH		12
#define MODEL_MAX_OPS		400
#define MODEL_REASON		192

struct model;

struct model *model_new(void);
void model_free(struct model *model);
int model_run(struct model *model, const struct model_setup *setup, const struct model_op *ops,
	      const u16 *order, unsigned int n, bool replay, bool print);
const char *model_reason(const struct model *model);

/* The phases; they report what goes wrong by torture_fail(). */
int torture_model_task(void *data);
int torture_shared_task(void *data);
int torture_shared_open(void);
void torture_shared_close(void);
void torture_hostile(unsigned int seconds);
void torture_input(void);
void torture_limits(void);

#endif /* _KERNEL_IRQ_TESTS_MSI_TABLE_TORTURE_H */
