// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: watchers of a message
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/processor.h>
#include <linux/sched.h>

#include "msi_table_test.h"

KUNIT_ARRAY_PARAM_DESC(mtt_variant, mtt_variants, name);

/* The watcher, msi_vector_get_msg() and the store are of one mind. */
static void watch_expect_agreement(struct kunit *test, struct msi_vector *vector,
				   const struct mtt_watch *watch)
{
	struct msi_msg msg = { };

	if (msi_vector_get_msg(vector, &msg))
		KUNIT_EXPECT_FALSE(test, mtt_msg_valid(watch->msg));
	else
		KUNIT_EXPECT_TRUE(test, mtt_msg_valid(watch->msg));
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(watch->msg, msg));
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(watch->msg,
					      mtt_slot(test, msi_vector_label(vector)).msg));
	KUNIT_EXPECT_EQ(test, atomic_read(&watch->wrong), 0);
}

static void watch_tells_at_once(struct kunit *test)
{
	struct msi_vector *vector;
	struct mtt_watch *watch;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	watch = mtt_watch_start(test, vector);
	KUNIT_EXPECT_EQ(test, atomic_read(&watch->calls), 1);
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(watch->msg));
	mtt_watch_stop(vector, watch);

	mtt_request(test, vector);
	watch = mtt_watch_start(test, vector);
	KUNIT_EXPECT_EQ(test, atomic_read(&watch->calls), 1);
	KUNIT_EXPECT_TRUE(test, mtt_msg_valid(watch->msg));
	watch_expect_agreement(test, vector, watch);
	mtt_watch_stop(vector, watch);
}

static void watch_tells_changes(struct kunit *test)
{
	const struct cpumask *cpu = mtt_other_cpu(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct mtt_watch *watch = mtt_watch_start(test, vector);
	unsigned int irq = msi_vector_irq(vector);
	struct msi_msg msg;
	int calls;

	for (unsigned int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, cpumask_of(0)), 0);
		KUNIT_EXPECT_FALSE(test, mtt_msg_valid(watch->msg));
		mtt_request(test, vector);
		KUNIT_EXPECT_TRUE(test, mtt_msg_valid(watch->msg));
		watch_expect_agreement(test, vector, watch);

		msg = watch->msg;
		KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, cpu), 0);
		KUNIT_EXPECT_EQ(test, mtt_msg_equal(watch->msg, msg), mtt_stable(ctx));
		watch_expect_agreement(test, vector, watch);

		/* Masking is not a change. */
		calls = atomic_read(&watch->calls);
		disable_irq(irq);
		enable_irq(irq);
		KUNIT_EXPECT_EQ(test, atomic_read(&watch->calls), calls);

		msi_vector_free_irq(vector);
		KUNIT_EXPECT_FALSE(test, mtt_msg_valid(watch->msg));
		watch_expect_agreement(test, vector, watch);
	}
	mtt_watch_stop(vector, watch);
	mtt_request(test, vector);
	KUNIT_EXPECT_EQ(test, atomic_read(&watch->wrong), 0);
}

static void watch_failed_request(struct kunit *test)
{
	struct mtt_hits *hits = mtt_new_hits(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct mtt_watch *watch = mtt_watch_start(test, vector);

	msi_fake_parent_fail_activate_nth(ctx->parent, 1);
	KUNIT_EXPECT_EQ(test, mtt_try_request(vector, hits), -ENOSPC);
	watch_expect_agreement(test, vector, watch);
	KUNIT_EXPECT_EQ(test, mtt_try_request(vector, hits), 0);
	watch_expect_agreement(test, vector, watch);
	mtt_watch_stop(vector, watch);
}

static void watch_several(struct kunit *test)
{
	struct mtt_watch *watches[3], *other;
	struct msi_vector *vector;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	for (unsigned int i = 0; i < 3; i++)
		watches[i] = mtt_watch_start(test, vector);
	other = mtt_watch_start(test, mtt_alloc(test, 3));

	mtt_request(test, vector);
	for (unsigned int i = 0; i < 3; i++)
		watch_expect_agreement(test, vector, watches[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&other->calls), 1);

	/* The others go on without it, and without the next one. */
	mtt_watch_stop(vector, watches[1]);
	msi_vector_free_irq(vector);
	watch_expect_agreement(test, vector, watches[0]);
	watch_expect_agreement(test, vector, watches[2]);
	KUNIT_EXPECT_TRUE(test, mtt_msg_valid(watches[1]->msg));
	mtt_watch_stop(vector, watches[0]);
	mtt_request(test, vector);
	watch_expect_agreement(test, vector, watches[2]);
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(watches[0]->msg));
	KUNIT_EXPECT_EQ(test, atomic_read(&watches[0]->wrong), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&watches[1]->wrong), 0);

	/* One which left comes back. */
	watches[1]->closed = false;
	msi_vector_watch(vector, &watches[1]->watcher);
	watch_expect_agreement(test, vector, watches[1]);

	mtt_watch_stop(vector, watches[1]);
	mtt_watch_stop(vector, watches[2]);
	KUNIT_EXPECT_EQ(test, atomic_read(&other->calls), 1);
	msi_vector_unwatch(vector, &other->watcher);
}

/* As in the error path of a driver which does not know how far it came */
static void watch_unwatch_without_watch(struct kunit *test)
{
	struct mtt_watch *watch, *never = mtt_watch_new(test);
	struct msi_vector *vector;

	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	msi_vector_unwatch(vector, &never->watcher);
	watch = mtt_watch_start(test, vector);
	msi_vector_unwatch(vector, &never->watcher);
	mtt_request(test, vector);
	watch_expect_agreement(test, vector, watch);
	KUNIT_EXPECT_EQ(test, atomic_read(&never->calls), 0);

	mtt_watch_stop(vector, watch);
	mtt_watch_stop(vector, watch);
}

/* What an NTB does: the peer sends the message, which it has from a watcher. */
static void watch_doorbell(struct kunit *test)
{
	const struct cpumask *cpu = mtt_other_cpu(test);
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct mtt_watch *peer = mtt_watch_start(test, vector);
	unsigned int irq = msi_vector_irq(vector);
	struct msi_msg stale;
	struct mtt_hits *hits;

	KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, cpumask_of(0)), 0);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &peer->msg), -EINVAL);
	hits = mtt_request(test, vector);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &peer->msg), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 1);

	for (int i = 0; i < 4; i++) {
		stale = peer->msg;
		KUNIT_EXPECT_EQ(test, irq_set_affinity(irq, i % 2 ? cpumask_of(0) : cpu), 0);
		KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &peer->msg), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 2 + i);
		if (!mtt_stable(ctx))
			KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &stale),
					-ENOENT);
	}

	stale = peer->msg;
	msi_vector_free_irq(vector);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &peer->msg), -EINVAL);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &stale), -ENOENT);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 5);
	KUNIT_EXPECT_EQ(test, atomic_read(&peer->wrong), 0);
	mtt_watch_stop(vector, peer);
}

static void watch_left_behind(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct mtt_watch *watch = mtt_watch_start(test, vector);
	int calls;

	mtt_request(test, vector);
	kunit_warning_suppress(test) {
		msi_table_free_vector(ctx->table, vector);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	/* Nothing worse: it knows that the message is gone, and was dropped. */
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(watch->msg));
	mtt_expect_empty(test);
	calls = atomic_read(&watch->calls);
	mtt_expect_delivery(test, 2, mtt_request(test, mtt_alloc(test, 2)));
	KUNIT_EXPECT_EQ(test, atomic_read(&watch->calls), calls);
}

static void watch_race_step(struct mtt_racer *racer)
{
	bool odd = atomic_read(&racer->steps) % 2;

	racer->wrong += !!irq_set_affinity(msi_vector_irq(racer->vector),
					   odd ? cpumask_of(0) :
						 cpumask_of(cpumask_last(cpu_online_mask)));
}

static void watch_pause(void)
{
	for (unsigned int i = 0; i < 100; i++)
		cpu_relax();
}

/* When msi_vector_unwatch() has returned, the watcher is not called any more. */
static void watch_race(struct kunit *test)
{
	struct mtt_watch *watch = mtt_watch_new(test);
	struct msi_vector *vector;
	struct mtt_racer *racer;
	int rounds = 0;

	/* Skips where there is nowhere to move to */
	mtt_other_cpu(test);
	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	mtt_request(test, vector);
	racer = mtt_start_racer(test, watch_race_step, vector);

	/* Until it has been told of some changes, besides the message at first */
	while (rounds < 300 || (atomic_read(&watch->calls) < rounds + 10 && rounds < 30000)) {
		WRITE_ONCE(watch->closed, false);
		msi_vector_watch(vector, &watch->watcher);
		watch_pause();
		mtt_watch_stop(vector, watch);
		watch_pause();
		rounds++;
	}
	mtt_finish_racer(test, racer);
	KUNIT_EXPECT_EQ(test, atomic_read(&watch->wrong), 0);
	KUNIT_EXPECT_GE(test, atomic_read(&watch->calls), rounds + 10);
	mtt_expect_armed(test, vector);
}

/* How long a slow watcher waits for the other CPU, and then for what must not happen */
#define WATCH_MEET_US	5000
#define WATCH_STAY_US	500

/* The watcher runs, somebody calls msi_vector_unwatch(), and that has returned. */
enum watch_state { WATCH_IDLE, WATCH_RUNS, WATCH_LEAVING, WATCH_LEFT };

/**
 * struct watch_slow - A watcher which waits until it is to be taken away
 * @watcher:	The watcher
 * @state:	See &enum watch_state
 * @armed:	It waits when it is called next
 * @met:	Somebody came while it ran
 * @wrong:	And did not wait for its end
 */
static struct watch_slow {
	struct msi_watcher	watcher;
	atomic_t		state;
	bool			armed;
	bool			met;
	bool			wrong;
} watch_slow;

static void watch_slow_notify(struct msi_watcher *watcher, const struct msi_msg *msg)
{
	if (!watch_slow.armed)
		return;

	watch_slow.armed = false;
	atomic_set(&watch_slow.state, WATCH_RUNS);
	for (int i = 0; i < WATCH_MEET_US && atomic_read(&watch_slow.state) == WATCH_RUNS; i++)
		udelay(1);
	if (atomic_cmpxchg(&watch_slow.state, WATCH_RUNS, WATCH_IDLE) == WATCH_RUNS)
		return;

	udelay(WATCH_STAY_US);
	watch_slow.met = true;
	watch_slow.wrong = atomic_read(&watch_slow.state) == WATCH_LEFT;
}

static void watch_slow_step(struct mtt_racer *racer)
{
	if (atomic_cmpxchg(&watch_slow.state, WATCH_RUNS, WATCH_LEAVING) != WATCH_RUNS)
		return;

	msi_vector_unwatch(racer->vector, &watch_slow.watcher);
	atomic_set(&watch_slow.state, WATCH_LEFT);
}

/* Takes the watcher away while it is told of the message at first, or of a change. */
static void watch_meet(struct kunit *test, struct msi_vector *vector, bool change)
{
	struct mtt_hits *hits = mtt_new_hits(test);

	watch_slow.met = false;
	for (int i = 0; i < 500 && !watch_slow.met; i++) {
		atomic_set(&watch_slow.state, WATCH_IDLE);
		watch_slow.armed = !change;
		msi_vector_watch(vector, &watch_slow.watcher);
		watch_slow.armed = change;
		KUNIT_ASSERT_EQ(test, mtt_try_request(vector, hits), 0);
		msi_vector_free_irq(vector);
		while (atomic_read(&watch_slow.state) == WATCH_LEAVING)
			cond_resched();
		msi_vector_unwatch(vector, &watch_slow.watcher);
		/* Lets the other thread find the other CPU. */
		usleep_range(500, 1000);
	}
	KUNIT_EXPECT_TRUE(test, watch_slow.met);
	KUNIT_EXPECT_FALSE(test, watch_slow.wrong);
}

static void watch_unwatch_waits(struct kunit *test)
{
	struct msi_vector *vector;
	struct mtt_racer *racer;

	/* Skips where nobody can take it away meanwhile */
	mtt_other_cpu(test);
	mtt_create(test, MTT_SIZE);
	vector = mtt_alloc(test, 2);
	watch_slow = (struct watch_slow) { .watcher.notify = watch_slow_notify };
	racer = mtt_start_racer(test, watch_slow_step, vector);
	watch_meet(test, vector, false);
	watch_meet(test, vector, true);
	mtt_finish_racer(test, racer);
}

static struct kunit_case mtt_watch_cases[] = {
	KUNIT_CASE_PARAM(watch_tells_at_once, mtt_variant_gen_params),
	KUNIT_CASE_PARAM(watch_tells_changes, mtt_variant_gen_params),
	KUNIT_CASE(watch_failed_request),
	KUNIT_CASE(watch_several),
	KUNIT_CASE(watch_unwatch_without_watch),
	KUNIT_CASE_PARAM(watch_doorbell, mtt_variant_gen_params),
	KUNIT_CASE(watch_left_behind),
	KUNIT_CASE(watch_race),
	KUNIT_CASE(watch_unwatch_waits),
	{ }
};

static struct kunit_suite mtt_watch_suite = {
	.name		= "msi_table_watch",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_watch_cases,
};

kunit_test_suite(mtt_watch_suite);
