/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KERNEL_IRQ_TESTS_MSI_TABLE_TORTURE_MODEL_H
#define _KERNEL_IRQ_TESTS_MSI_TABLE_TORTURE_MODEL_H

/* The model of a table, and what its two files share */

#include <linux/cpumask.h>

#include "msi_table_torture.h"

#define MODEL_NR_WATCHERS	2

/* Who has installed the handler of a vector, and how */
enum model_handler {
	MODEL_NO_HANDLER,
	MODEL_HARD,
	MODEL_THREADED,
	MODEL_PLAIN,
};

/**
 * struct model_watcher - A watcher and what it was told
 * @watcher:	The watcher
 * @last:	The last message
 * @calls:	How often it was told
 * @on:		It is watching
 */
struct model_watcher {
	struct msi_watcher	watcher;
	struct msi_msg	last;
	unsigned int		calls;
	bool			on;
};

/**
 * struct model_vector - What is known about a vector
 * @vector:	The vector
 * @label:	Its label
 * @cookie:	Its cookie
 * @used:	This structure is in use
 * @handler:	&enum model_handler
 * @depth:	How often the interrupt is disabled
 * @pending:	One arrived while it was disabled
 * @managed:	The affinity is managed
 * @moved:	The affinity is @mask, not the default
 * @mask:	The affinity
 * @hits:	For the handler
 * @hard:	What has to be counted there
 * @thread:	What has to be counted there
 * @watchers:	Watchers of the message
 */
struct model_vector {
	struct msi_vector	*vector;
	u32			label;
	void			*cookie;
	bool			used;
	enum model_handler	handler;
	unsigned int		depth;
	bool			pending;
	bool			managed;
	bool			moved;
	struct cpumask		mask;
	struct torture_hits	hits;
	int			hard;
	int			thread;
	struct model_watcher	watchers[MODEL_NR_WATCHERS];
};

/**
 * struct model - A table and what is known about it
 * @rig:	The table
 * @size:	Its size
 * @last:	Its last label
 * @capacity:	How many vectors its parent has
 * @pool:	Storage of the vectors
 * @live:	The vectors, by label
 * @nr_live:	How many
 * @cookies:	Last cookie which was given out
 * @total:	Interrupts which the handlers have counted
 * @expected:	How many that has to be
 * @pending:	Interrupts to come, of vectors which are disabled
 * @planted:	The label of the planted fault was freed
 * @vectors:	For the operation which runs
 * @batch:	Cookies of it
 * @affinity:	Affinity of it
 * @label:	Label which it was about, for the log
 * @ret:	What it returned, for the log
 * @failed:	It went wrong
 * @reason:	How
 * @figures:	To be added to the figures of the test
 */
struct model {
	struct torture_rig	rig;
	u32			size;
	u32			last;
	unsigned int		capacity;
	struct model_vector	pool[MODEL_MAX_LIVE];
	struct model_vector	*live[MODEL_MAX_LIVE];
	unsigned int		nr_live;
	unsigned long		cookies;
	atomic_t		total;
	int			expected;
	int			pending;
	bool			planted;
	struct msi_vector	*vectors[MODEL_MAX_LIVE];
	void			*batch[MODEL_MAX_BATCH];
	struct irq_affinity_desc affinity[MODEL_MAX_BATCH];
	u32			label;
	int			ret;
	bool			failed;
	char			reason[MODEL_REASON];
	s64			figures[TORTURE_NR_FIGURES];
};

/* Only the first thing which goes wrong counts. */
#define model_check(_model, _condition, _fmt, ...)					\
({											\
	struct model *_m = (_model);							\
	bool _ok = !!(_condition);							\
											\
	if (!_ok && !_m->failed) {							\
		_m->failed = true;							\
		snprintf(_m->reason, sizeof(_m->reason), _fmt, ##__VA_ARGS__);		\
	}										\
	_ok;										\
})

u32 model_label(const struct model *model, unsigned int place);
unsigned int model_index(const struct model *model, u32 label);
bool model_is_live(const struct model *model, u32 label);
int model_expect(const struct model *model, const struct msi_vector_request *req,
		 unsigned int min, unsigned int max, u32 *labels);
void model_arm(struct model *model, const struct model_op *op);
bool model_disarm(struct model *model, const struct model_op *op, int ret);

struct msi_fake_slot model_slot(struct model *model, u32 label);
void model_check_msg(struct model *model, struct model_vector *v);
void model_check_affinity(struct model *model, struct model_vector *v);
void model_check_vector(struct model *model, struct model_vector *v);
void model_check_dead(struct model *model, u32 label);
void model_check_total(struct model *model);
void model_verify(struct model *model);

void model_let_go(struct model_vector *v);
void model_exec(struct model *model, const struct model_op *op);

#endif /* _KERNEL_IRQ_TESTS_MSI_TABLE_TORTURE_MODEL_H */
