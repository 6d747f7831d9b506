// SPDX-License-Identifier: GPL-2.0
/*
 * Torture test of MSI tables: devices and stores which do what they should not
 */
#include <linux/bits.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/prandom.h>
#include <linux/sched/task.h>

#include "msi_table_torture.h"

#define HOSTILE_CAPACITY	64
#define HOSTILE_VECTORS		8

/* The vector which is flooded, and how often its handler is replaced */
#define HOSTILE_FLOODED		0
#define HOSTILE_REPLACE		50

/**
 * struct hostile - A device which sends what it wants
 * @rig:	Its table
 * @other:	Another parent
 * @vectors:	Vectors of the table
 * @hits:	For their handlers
 * @flooding:	The flood goes on
 * @timer:	Part of the flood
 * @raised:	How many interrupts the flood has raised
 */
struct hostile {
	struct torture_rig	rig;
	struct msi_fake_parent	*other;
	struct msi_vector	*vectors[HOSTILE_VECTORS];
	struct torture_hits	hits[HOSTILE_VECTORS];
	bool			flooding;
	struct hrtimer		timer;
	atomic_t		raised;
};

static struct hostile hostile;

static bool hostile_open(const struct torture_variant *variant)
{
	int ret;

	memset(&hostile, 0, sizeof(hostile));
	hostile.other = msi_fake_parent_create(HOSTILE_CAPACITY, 0);
	if (!torture_check(!IS_ERR(hostile.other), "no parent: %pe", hostile.other))
		return false;

	ret = torture_open(&hostile.rig, variant, HOSTILE_CAPACITY);
	if (torture_check(!ret, "no device: %d", ret))
		return true;
	msi_fake_parent_destroy(hostile.other);
	return false;
}

/* Creates the table, with handlers on all vectors */
static bool hostile_setup(void)
{
	int ret = torture_create(&hostile.rig);

	if (!torture_check(!ret, "no table: %d", ret))
		return false;
	for (int i = 0; i < HOSTILE_VECTORS; i++) {
		hostile.vectors[i] = msi_table_alloc_vector(hostile.rig.table, i);
		if (!torture_check(!IS_ERR(hostile.vectors[i]), "no vector: %pe",
				   hostile.vectors[i]))
			return false;
		ret = torture_request(hostile.vectors[i], &hostile.hits[i]);
		if (!torture_check(!ret, "request_irq: %d", ret))
			return false;
	}
	return true;
}

static void hostile_close(void)
{
	const char *wrong = torture_close(&hostile.rig);

	torture_check(!wrong, "\"%s\": %s", hostile.rig.variant->name, wrong);
	msi_fake_parent_destroy(hostile.other);
}

static int hostile_hits(void)
{
	int n = 0;

	for (int i = 0; i < HOSTILE_VECTORS; i++)
		n += atomic_read(&hostile.hits[i].hard);
	return n;
}

/* The message is refused, and no handler runs. */
static void hostile_refused(struct msi_fake_parent *parent, u64 address, u32 data, int error)
{
	struct msi_msg msg = {
		.address_lo	= lower_32_bits(address),
		.address_hi	= upper_32_bits(address),
		.data		= data,
	};
	int hits = hostile_hits(), ret;

	ret = msi_fake_parent_inject(parent, &msg);
	torture_check(ret == error, "message %llx:%x: %d instead of %d", address, data, ret, error);
	torture_check(hostile_hits() == hits, "message %llx:%x reached a handler", address, data);
	torture_count(TORTURE_REFUSED, 1);
}

/* So is that of an interrupt which is no more. */
static void hostile_stale(const struct msi_msg *msg)
{
	hostile_refused(hostile.rig.parent, msi_msg_address(msg), msg->data, -ENOENT);
}

static bool hostile_is_ours(const struct msi_msg *msgs, u32 data)
{
	for (int i = 0; i < HOSTILE_VECTORS; i++) {
		if (msgs[i].data == data)
			return true;
	}
	return false;
}

/* Messages which were never composed, or only for somebody else */
static void hostile_invent(struct rnd_state *rnd, const struct msi_msg *msgs)
{
	for (int i = 0; i < 2000 && !torture_failed(); i++) {
		const struct msi_msg *msg = &msgs[torture_below(rnd, HOSTILE_VECTORS)];
		u32 data = msg->data ^ BIT(torture_below(rnd, 32));
		u64 address = msi_msg_address(msg);

		if (!(i % 3))
			data = prandom_u32_state(rnd);
		if (!hostile_is_ours(msgs, data))
			hostile_refused(hostile.rig.parent, address, data, -ENOENT);
		hostile_refused(hostile.rig.parent, address ^ BIT_ULL(torture_below(rnd, 4)),
				msg->data, -EINVAL);
		hostile_refused(hostile.rig.parent, address ^ BIT_ULL(24 + torture_below(rnd, 40)),
				msg->data, -EINVAL);
		/* A CPU which the interrupt is not aimed at */
		hostile_refused(hostile.rig.parent, address ^ BIT_ULL(23), msg->data, -ENOENT);
		hostile_refused(hostile.other, address, msg->data, -EINVAL);
		hostile_refused(hostile.rig.parent, 0, 0, -EINVAL);
		hostile_refused(hostile.rig.parent, 0, msg->data, -EINVAL);
		cond_resched();
	}
}

static void hostile_messages(struct rnd_state *rnd)
{
	struct msi_msg msgs[HOSTILE_VECTORS], moved;
	struct torture_rig *rig = &hostile.rig;

	for (int i = 0; i < HOSTILE_VECTORS; i++)
		torture_check(!msi_vector_get_msg(hostile.vectors[i], &msgs[i]), "no message");
	hostile_invent(rnd, msgs);

	/* The message from before the interrupt has moved */
	if (num_online_cpus() > 1) {
		irq_set_affinity(msi_vector_irq(hostile.vectors[1]),
				 cpumask_of(cpumask_last(cpu_online_mask)));
		msi_vector_get_msg(hostile.vectors[1], &moved);
		if (!torture_msg_equal(&moved, &msgs[1]))
			hostile_stale(&msgs[1]);
		msgs[1] = moved;
	}

	/* Of a vector without handler, of a vector which is freed, of no table */
	msi_vector_free_irq(hostile.vectors[2]);
	hostile_stale(&msgs[2]);
	for (int i = 3; i < HOSTILE_VECTORS; i++) {
		msi_table_free_vector(rig->table, hostile.vectors[i]);
		hostile_stale(&msgs[i]);
	}
	torture_expect_hit(rig, 0, &hostile.hits[0]);
	torture_expect_hit(rig, 1, &hostile.hits[1]);

	/* A new vector in an old place is silent before it has a handler. */
	hostile.vectors[3] = msi_table_alloc_vector(rig->table, 3);
	if (torture_check(!IS_ERR(hostile.vectors[3]), "no vector: %pe", hostile.vectors[3])) {
		for (int i = 2; i < HOSTILE_VECTORS; i++)
			hostile_stale(&msgs[i]);
		torture_check(!torture_request(hostile.vectors[3], &hostile.hits[3]),
			      "request_irq");
		torture_expect_hit(rig, 3, &hostile.hits[3]);
	}

	torture_free_table(rig);
	for (int i = 0; i < HOSTILE_VECTORS; i++)
		hostile_stale(&msgs[i]);
}

/* A flood of one vector, from a task and from a timer */

static void hostile_raise(void)
{
	if (!msi_fake_store_fire(hostile.rig.store, hostile.rig.parent, HOSTILE_FLOODED))
		atomic_inc(&hostile.raised);
}

static int hostile_flood_task(void *data)
{
	while (!kthread_should_stop()) {
		for (int i = 0; i < 100; i++)
			hostile_raise();
		cond_resched();
	}
	return 0;
}

static enum hrtimer_restart hostile_flood_timer(struct hrtimer *timer)
{
	hostile_raise();
	if (!READ_ONCE(hostile.flooding))
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, us_to_ktime(500));
	return HRTIMER_RESTART;
}

/*
 * The others keep counting, and the handler of the flooded vector can be taken
 * away and does not run any more then.
 */
static void hostile_beside_flood(struct rnd_state *rnd, unsigned long end)
{
	struct msi_vector *flooded = hostile.vectors[HOSTILE_FLOODED];
	atomic_t *hard = &hostile.hits[HOSTILE_FLOODED].hard;
	int n, ret;

	for (unsigned int round = 1; time_before(jiffies, end) && !torture_failed(); round++) {
		u32 label = 1 + torture_below(rnd, HOSTILE_VECTORS - 1);

		if (!torture_expect_hit(&hostile.rig, label, &hostile.hits[label]))
			return;
		cond_resched();
		if (round % HOSTILE_REPLACE)
			continue;

		msi_vector_free_irq(flooded);
		n = atomic_read(hard);
		usleep_range(500, 1000);
		torture_check(atomic_read(hard) == n, "handler runs after free_irq");
		ret = torture_request(flooded, &hostile.hits[HOSTILE_FLOODED]);
		torture_check(!ret, "request_irq in a flood: %d", ret);
		/* Where there is one CPU the flood comes while this sleeps. */
		usleep_range(500, 1000);
	}
}

static void hostile_flood(struct rnd_state *rnd, unsigned int seconds)
{
	struct task_struct *task;
	int received;

	hostile.flooding = true;
	hrtimer_setup(&hostile.timer, hostile_flood_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	task = kthread_run(hostile_flood_task, NULL, "msi_torture/flood");
	if (!torture_check(!IS_ERR(task), "no task: %pe", task))
		return;

	hrtimer_start(&hostile.timer, us_to_ktime(500), HRTIMER_MODE_REL_HARD);
	hostile_beside_flood(rnd, jiffies + seconds * HZ);
	WRITE_ONCE(hostile.flooding, false);
	hrtimer_cancel(&hostile.timer);
	kthread_stop(task);

	received = atomic_read(&hostile.hits[HOSTILE_FLOODED].hard);
	torture_count(TORTURE_FLOOD_RAISED, atomic_read(&hostile.raised));
	torture_count(TORTURE_FLOOD_RECEIVED, received);
	torture_check(received > 0 && received <= atomic_read(&hostile.raised),
		      "flood: %d received of %d", received, atomic_read(&hostile.raised));
	/* And when it is over the vector is like any other. */
	torture_expect_hit(&hostile.rig, HOSTILE_FLOODED, &hostile.hits[HOSTILE_FLOODED]);
}

/* Stores which do not do what they are told */

static int hostile_answer;

static int hostile_init_vector(struct msi_vector *vector)
{
	return hostile_answer;
}

static void hostile_nop(struct msi_vector *vector) { }

static int hostile_alloc(u32 lowest, unsigned int n)
{
	struct msi_vector_request req = { .lowest = lowest, .highest = MSI_LABEL_ANY };
	/* More than was asked for, in case somebody believes the store. */
	struct msi_vector *vectors[2 * HOSTILE_VECTORS] = { };
	int expected = IS_ERR_VALUE((long)hostile_answer) ? hostile_answer : -EIO;
	struct msi_vector *vector;
	int ret;

	if (n == 1) {
		vector = msi_table_alloc_vector_req(hostile.rig.table, &req);
		ret = IS_ERR(vector) ? PTR_ERR(vector) : 1;
		vectors[0] = ret == 1 ? vector : NULL;
	} else {
		ret = msi_table_alloc_vectors(hostile.rig.table, &req, n, n, vectors);
	}
	torture_check(ret == expected, "init_vector returns %d, allocation of %u returns %d",
		      hostile_answer, n, ret);
	return ret;
}

/* Leaves free vectors behind. */
static bool hostile_warm_up(void)
{
	struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	struct msi_vector *vectors[HOSTILE_VECTORS];
	int ret;

	hostile_answer = 0;
	ret = msi_table_alloc_vectors(hostile.rig.table, &req, 2, 2, vectors);
	if (!torture_check(ret == 2, "no vectors: %d", ret))
		return false;
	msi_table_free_vectors(hostile.rig.table, vectors, 2);
	return true;
}

/* An errno is what the driver gets. What is none is no success either. */
static void hostile_answers(void)
{
	static const int answers[] = {
		1, 2, HOSTILE_VECTORS, 4096, INT_MAX, INT_MIN, -4096, -1000000,
		-4095, -1, -512, -517, -EINVAL, -EBUSY, -ENOSPC, -ERANGE, -EAGAIN,
	};
	struct torture_rig *rig = &hostile.rig;

	if (!hostile_open(&torture_variants[0]))
		return;

	rig->ops.init_vector = hostile_init_vector;
	rig->ops.exit_vector = NULL;
	rig->ops.write_msg = NULL;
	rig->ops.clear_msg = hostile_nop;
	rig->ops.mask = hostile_nop;
	rig->ops.unmask = hostile_nop;
	torture_check(torture_create(rig) == -EINVAL, "table without write_msg");

	rig->ops.write_msg = msi_fake_store_ops.write_msg;
	if (!torture_check(!torture_create(rig), "no table"))
		return hostile_close();
	for (unsigned int i = 0; i < ARRAY_SIZE(answers); i++) {
		if (!hostile_warm_up())
			return hostile_close();
		hostile_answer = answers[i];
		/*
		 * With new vectors, then with those which are there. Leaks the table
		 * after a wrong answer rather than free what is no irq: 0 is the
		 * system timer.
		 */
		if (hostile_alloc(4, 1) >= 0 || hostile_alloc(4, 3) >= 0 ||
		    hostile_alloc(0, 1) >= 0 || hostile_alloc(0, 3) >= 0)
			return;
		torture_count(TORTURE_INPUT_CASES, 1);
	}
	hostile_close();
}

/* The store keeps the message, and the device goes on sending it. */
static void hostile_forgets_to_clear(void)
{
	struct torture_rig *rig = &hostile.rig;
	int hits, ret;

	if (!hostile_open(&torture_variants[2]))
		return;
	rig->ops.clear_msg = hostile_nop;
	if (!hostile_setup())
		return hostile_close();

	for (u32 label = 0; label < HOSTILE_VECTORS; label++) {
		torture_expect_hit(rig, label, &hostile.hits[label]);
		hits = hostile_hits();
		if (label % 2)
			msi_table_free_vector(rig->table, hostile.vectors[label]);
		else
			msi_vector_free_irq(hostile.vectors[label]);
		ret = msi_fake_store_fire(rig->store, rig->parent, label);
		torture_check(ret == -ENOENT, "label %u is sent without a handler: %d", label, ret);
		torture_check(hostile_hits() == hits, "label %u reached a handler", label);
		torture_count(TORTURE_REFUSED, 1);
	}
	torture_check(!torture_request(hostile.vectors[2], &hostile.hits[2]), "request_irq");
	torture_expect_hit(rig, 2, &hostile.hits[2]);
	hostile_close();
}

/* Masking does nothing: what comes while it is disabled comes once, later. */
static void hostile_forgets_to_mask(void)
{
	struct torture_rig *rig = &hostile.rig;
	unsigned int irq;
	int n, ret;

	if (!hostile_open(&torture_variants[0]))
		return;
	rig->ops.mask = hostile_nop;
	if (!hostile_setup())
		return hostile_close();

	irq = msi_vector_irq(hostile.vectors[4]);
	n = atomic_read(&hostile.hits[4].hard);
	disable_irq(irq);
	for (int i = 0; i < 10; i++) {
		ret = msi_fake_store_fire(rig->store, rig->parent, 4);
		torture_check(!ret, "fire: %d", ret);
	}
	torture_count(TORTURE_RAISED, 1);
	torture_count(TORTURE_COALESCED, 9);
	torture_check(atomic_read(&hostile.hits[4].hard) == n, "a disabled handler runs");
	enable_irq(irq);
	if (torture_check(torture_reaches(&hostile.hits[4].hard, n + 1), "%d instead of 1",
			  atomic_read(&hostile.hits[4].hard) - n))
		torture_count(TORTURE_RECEIVED, 1);

	msi_vector_free_irq(hostile.vectors[4]);
	ret = msi_fake_store_fire(rig->store, rig->parent, 4);
	torture_check(ret < 0, "sent without a handler");
	torture_count(TORTURE_REFUSED, 1);
	hostile_close();
}

void torture_hostile(unsigned int seconds)
{
	unsigned int part = max(seconds / TORTURE_NR_VARIANTS, 1U);
	struct rnd_state rnd;

	torture_seed_state(&rnd, 0);
	hostile_answers();
	if (!torture_failed())
		hostile_forgets_to_clear();
	if (!torture_failed())
		hostile_forgets_to_mask();

	for (int i = 0; i < TORTURE_NR_VARIANTS && !torture_failed(); i++) {
		if (!hostile_open(&torture_variants[i]))
			return;
		if (hostile_setup()) {
			hostile_flood(&rnd, part);
			if (!torture_failed())
				hostile_messages(&rnd);
		}
		hostile_close();
	}
}
