// SPDX-License-Identifier: GPL-2.0
/*
 * Torture test of MSI tables, on fake parents: no hardware needed
 *
 *	echo 1 > /sys/kernel/debug/msi_table_torture/run
 *
 * runs it once, with the parameters in /sys/module/msi_table_torture/parameters/.
 * The write returns when it is over, with an error if something was wrong. The
 * log has the figures, and "torture: ok" or "torture: FAILED: <reason>" and a
 * sequence of operations which shows the failure, and of which none can be left
 * out. The same seed makes the same operations again.
 *
 * Memory fails by task_struct::fail_nth, of the tasks of this test only. For
 * that failslab has to be prepared as msi_table_fail.h tells. To let it fail
 * every allocation during one part of the test set these, too:
 *
 *	/sys/kernel/debug/failslab/probability		100
 *	/sys/kernel/debug/failslab/times		-1
 *	/sys/kernel/debug/failslab/task-filter		Y
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/device/faux.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "msi_table_torture.h"

#define TORTURE_MAX_TASKS	16
#define TORTURE_SHARED_TASKS	2

/* A handler which has not run after this time never will. */
#define TORTURE_PATIENCE	(10 * HZ)

static unsigned int seed;
module_param(seed, uint, 0644);
MODULE_PARM_DESC(seed, "Seed of the operations, 0 for a random one");

static unsigned int duration = 60;
module_param(duration, uint, 0644);
MODULE_PARM_DESC(duration, "Duration in seconds, apart from the parts of a fixed length");

static unsigned int tasks = 4;
module_param(tasks, uint, 0644);
MODULE_PARM_DESC(tasks, "Number of tasks with tables of their own");

int torture_plant = -1;
module_param_named(plant, torture_plant, int, 0644);
MODULE_PARM_DESC(plant, "Label which the model believes to stay taken once it was freed, to see a failure; -1 for none");

unsigned int torture_seed;

static struct dentry *torture_dir;
static DEFINE_MUTEX(torture_mutex);

static DEFINE_SPINLOCK(torture_reason_lock);
static char torture_reason[256];
static bool torture_has_failed;

static unsigned long torture_end;
static atomic_t torture_running;

static atomic64_t torture_figures[TORTURE_NR_FIGURES];

static const char * const torture_figure_names[TORTURE_NR_FIGURES] = {
	[TORTURE_RAISED]		= "raised",
	[TORTURE_RECEIVED]		= "received",
	[TORTURE_WITHDRAWN]		= "withdrawn",
	[TORTURE_COALESCED]		= "coalesced",
	[TORTURE_REFUSED]		= "refused",
	[TORTURE_OPERATIONS]		= "model: operations",
	[TORTURE_TABLES]		= "model: tables",
	[TORTURE_ALLOCATED]		= "model: vectors",
	[TORTURE_FAULTS]		= "model: faults",
	[TORTURE_FAULTS_MEMORY]		= "model: faults of memory",
	[TORTURE_SHARED_OPERATIONS]	= "shared: operations",
	[TORTURE_SHARED_ALLOCATED]	= "shared: vectors",
	[TORTURE_SHARED_FAULTS]		= "shared: faults of memory",
	[TORTURE_FLOOD_RAISED]		= "flood: raised",
	[TORTURE_FLOOD_RECEIVED]	= "flood: received",
	[TORTURE_INPUT_CASES]		= "input: cases",
	[TORTURE_LIMITS_CASES]		= "limits: cases",
};

const struct torture_variant torture_variants[TORTURE_NR_VARIANTS] = {
	{
		.name		= "mask and clear",
		.ops		= &msi_fake_store_ops,
		.size		= 32,
	}, {
		.name		= "mask",
		.ops		= &msi_fake_store_ops,
		.no_clear	= true,
		.size		= 32,
	}, {
		.name		= "clear",
		.ops		= &msi_fake_store_ops_nomask,
		.size		= 32,
	}, {
		.name		= "slow bus",
		.ops		= &msi_fake_store_ops_slow,
		.size		= 32,
		.parent_flags	= MSI_FAKE_IMMUTABLE,
	}, {
		.name		= "no index",
		.ops		= &msi_fake_store_ops,
		.size		= 0,
	}, {
		.name		= "no index, clear",
		.ops		= &msi_fake_store_ops_nomask,
		.size		= 0,
		.parent_flags	= MSI_FAKE_SINGLE,
	}, {
		.name		= "big",
		.ops		= &msi_fake_store_ops,
		.size		= 1 << 20,
	}, {
		.name		= "parent masks",
		.ops		= &msi_fake_store_ops,
		.size		= 32,
		.parent_flags	= MSI_FAKE_MASK_PARENT,
	}, {
		.name		= "parent masks, clear",
		.ops		= &msi_fake_store_ops_nomask,
		.size		= 32,
		.parent_flags	= MSI_FAKE_MASK_PARENT,
	}, {
		.name		= "one at a time",
		.ops		= &msi_fake_store_ops,
		.size		= 32,
		.parent_flags	= MSI_FAKE_SINGLE | MSI_FAKE_IMMUTABLE,
	}, {
		.name		= "no sysfs",
		.ops		= &msi_fake_store_ops,
		.size		= 32,
		.flags		= MSI_TABLE_NO_SYSFS,
	}, {
		.name		= "unremapped",
		.ops		= &msi_fake_store_ops,
		.size		= 32,
		.parent_flags	= MSI_FAKE_NO_IMS,
		.flags		= MSI_TABLE_UNREMAPPED,
	},
};

void torture_count(enum torture_figure figure, s64 n)
{
	atomic64_add(n, &torture_figures[figure]);
}

bool torture_failed(void)
{
	return READ_ONCE(torture_has_failed);
}

bool torture_over(void)
{
	return torture_failed() || time_after_eq(jiffies, torture_end);
}

/* Keeps the first reason. Returns whether this is it. */
bool torture_fail(const char *fmt, ...)
{
	va_list args;

	guard(spinlock_irqsave)(&torture_reason_lock);
	if (torture_has_failed)
		return false;

	va_start(args, fmt);
	vscnprintf(torture_reason, sizeof(torture_reason), fmt, args);
	va_end(args);
	WRITE_ONCE(torture_has_failed, true);
	return true;
}

/* The streams of one seed have nothing in common, nor have neighbouring seeds. */
void torture_seed_state(struct rnd_state *rnd, unsigned int stream)
{
	prandom_seed_state(rnd, (torture_seed * 64ULL + stream) * 0x9e3779b97f4a7c15ULL);
	for (int i = 0; i < 16; i++)
		prandom_u32_state(rnd);
}

struct device *torture_dev(struct torture_rig *rig)
{
	return &rig->faux->dev;
}

int torture_open(struct torture_rig *rig, const struct torture_variant *variant,
		 unsigned int capacity)
{
	static atomic_t ids;
	char name[32];

	*rig = (struct torture_rig) {
		.variant	= variant,
		.ops		= *variant->ops,
	};
	if (variant->no_clear)
		rig->ops.clear_msg = NULL;

	rig->parent = msi_fake_parent_create(capacity, variant->parent_flags);
	if (IS_ERR(rig->parent))
		return PTR_ERR(rig->parent);

	rig->store = msi_fake_store_create();
	if (IS_ERR(rig->store)) {
		msi_fake_parent_destroy(rig->parent);
		return PTR_ERR(rig->store);
	}

	snprintf(name, sizeof(name), "msi_torture.%d", atomic_inc_return(&ids));
	rig->faux = faux_device_create(name, NULL, NULL);
	if (!rig->faux) {
		msi_fake_store_destroy(rig->store);
		msi_fake_parent_destroy(rig->parent);
		return -ENODEV;
	}

	rig->info = (struct msi_table_info) {
		.name	= "store",
		.ops	= &rig->ops,
		.size	= variant->size,
		.parent	= msi_fake_parent_domain(rig->parent),
		.data	= rig->store,
		.flags	= variant->flags,
	};
	return 0;
}

int torture_create(struct torture_rig *rig)
{
	struct msi_table *table = msi_allocate_table(torture_dev(rig), &rig->info);

	if (IS_ERR(table))
		return PTR_ERR(table);
	rig->table = table;
	return 0;
}

void torture_free_table(struct torture_rig *rig)
{
	msi_table_free(rig->table);
	rig->table = NULL;
}

/*
 * Unbinds the device, which frees the table if that still exists. Returns what
 * is wrong afterwards, or NULL. What would be destroyed under somebody is left.
 */
const char *torture_close(struct torture_rig *rig)
{
	unsigned int live, bad;

	faux_device_destroy(rig->faux);
	rig->table = NULL;

	live = msi_fake_parent_live(rig->parent);
	bad = msi_fake_store_bad_context(rig->store);
	msi_fake_store_destroy(rig->store);
	if (live)
		return "interrupts are left in the parent";
	msi_fake_parent_destroy(rig->parent);
	return bad ? "the store was called against the rules" : NULL;
}

irqreturn_t torture_handler(int irq, void *dev_id)
{
	struct torture_hits *hits = dev_id;

	WRITE_ONCE(hits->irq, irq);
	if (hits->total)
		atomic_inc(hits->total);
	atomic_inc(&hits->hard);
	return IRQ_HANDLED;
}

irqreturn_t torture_waker(int irq, void *dev_id)
{
	torture_handler(irq, dev_id);
	return IRQ_WAKE_THREAD;
}

irqreturn_t torture_thread(int irq, void *dev_id)
{
	struct torture_hits *hits = dev_id;

	atomic_inc(&hits->thread);
	return IRQ_HANDLED;
}

int torture_request(struct msi_vector *vector, struct torture_hits *hits)
{
	return msi_vector_request_irq(vector, torture_handler, NULL, IRQF_NO_THREAD, hits,
				      "msi_torture");
}

/* Waits as long as that may help */
bool torture_reaches(atomic_t *count, int value)
{
	unsigned long end = jiffies + TORTURE_PATIENCE;

	while (atomic_read(count) != value && time_before(jiffies, end))
		usleep_range(50, 100);
	return atomic_read(count) == value;
}

/* The message of @label reaches its handler, once. */
bool torture_expect_hit(struct torture_rig *rig, u32 label, struct torture_hits *hits)
{
	int before = atomic_read(&hits->hard);
	int ret;

	ret = msi_fake_store_fire(rig->store, rig->parent, label);
	if (!torture_check(!ret, "%pS: label %u can not be fired: %d",
			   __builtin_return_address(0), label, ret))
		return false;

	torture_count(TORTURE_RAISED, 1);
	if (!torture_check(torture_reaches(&hits->hard, before + 1), "label %u: %d instead of 1",
			   label, atomic_read(&hits->hard) - before))
		return false;
	torture_count(TORTURE_RECEIVED, 1);
	return true;
}

/* How many interrupts the system has */
unsigned int torture_irqs(void)
{
	unsigned int n = 0;

	for (unsigned int irq = 0; irq < irq_get_nr_irqs(); irq++)
		n += !!irq_get_irq_data(irq);
	return n;
}

/**
 * struct torture_task - A task of the model run
 * @task:	The task
 * @fn:		What it runs
 * @number:	Its number, and its stream of random numbers
 */
struct torture_task {
	struct task_struct	*task;
	int			(*fn)(void *data);
	unsigned long		number;
};

static struct torture_task torture_tasks[TORTURE_MAX_TASKS + TORTURE_SHARED_TASKS];

static int torture_task_fn(void *data)
{
	struct torture_task *task = data;

	task->fn((void *)task->number);
	atomic_dec(&torture_running);
	return 0;
}

static void torture_start(unsigned int number, int (*fn)(void *data))
{
	struct torture_task *task = &torture_tasks[number];

	task->fn = fn;
	task->number = number;
	task->task = kthread_create(torture_task_fn, task, "msi_torture/%u", number);
	if (!torture_check(!IS_ERR(task->task), "no task: %pe", task->task)) {
		task->task = NULL;
		return;
	}

	get_task_struct(task->task);
	atomic_inc(&torture_running);
	wake_up_process(task->task);
}

static void torture_run_model(unsigned int nr_tasks, unsigned int seconds)
{
	torture_end = jiffies + seconds * HZ;

	if (torture_shared_open())
		return;

	for (unsigned int i = 0; i < nr_tasks + TORTURE_SHARED_TASKS; i++)
		torture_start(i, i < nr_tasks ? torture_model_task : torture_shared_task);

	/* kthread_stop() alone would wait so long that it looks like a hung task. */
	while (atomic_read(&torture_running))
		msleep(100);
	for (unsigned int i = 0; i < nr_tasks + TORTURE_SHARED_TASKS; i++) {
		if (torture_tasks[i].task)
			kthread_stop_put(torture_tasks[i].task);
		torture_tasks[i].task = NULL;
	}
	torture_shared_close();
}

static s64 torture_figure(enum torture_figure figure)
{
	return atomic64_read(&torture_figures[figure]);
}

static void torture_print(s64 lost, int irqs)
{
	for (int i = 0; i < TORTURE_NR_FIGURES; i++)
		pr_info("torture: %s %lld\n", torture_figure_names[i], torture_figure(i));
	pr_info("torture: lost %lld\n", lost);
	pr_info("torture: irqs left %d\n", irqs);
	pr_info("torture: seed %u\n", torture_seed);
	if (torture_failed())
		pr_err("torture: FAILED: %s\n", torture_reason);
	else
		pr_info("torture: ok\n");
}

static int torture_run(void)
{
	unsigned int nr_tasks = clamp(tasks, 1U, TORTURE_MAX_TASKS);
	unsigned int seconds = clamp(duration, 1U, 86400U);
	s64 lost;
	int irqs;

	torture_seed = seed ? : get_random_u32() | 1;
	torture_has_failed = false;
	memset(torture_figures, 0, sizeof(torture_figures));
	pr_info("torture: seed %u, %u s, %u tasks\n", torture_seed, seconds, nr_tasks);
	irqs = torture_irqs();

	torture_input();
	if (!torture_failed())
		torture_limits();
	if (!torture_failed())
		torture_hostile(DIV_ROUND_UP(seconds, 8));
	if (!torture_failed())
		torture_run_model(nr_tasks, seconds - seconds / 8);

	lost = torture_figure(TORTURE_RAISED) - torture_figure(TORTURE_WITHDRAWN) -
	       torture_figure(TORTURE_RECEIVED);
	irqs = torture_irqs() - irqs;
	torture_check(!lost, "%lld interrupts are lost", lost);
	/* Less is right where others have given some back meanwhile. */
	torture_check(irqs <= 0, "%d interrupts more than before", irqs);
	torture_print(lost, irqs);
	return torture_failed() ? -EIO : 0;
}

static int torture_write(void *data, u64 value)
{
	if (value != 1)
		return -EINVAL;

	scoped_cond_guard(mutex_try, return -EBUSY, &torture_mutex)
		return torture_run();
	return -EBUSY;
}
DEFINE_DEBUGFS_ATTRIBUTE(torture_fops, NULL, torture_write, "%llu\n");

static int __init torture_init(void)
{
	torture_dir = debugfs_create_dir("msi_table_torture", NULL);
	debugfs_create_file("run", 0200, torture_dir, NULL, &torture_fops);
	return 0;
}
module_init(torture_init);

static void __exit torture_exit(void)
{
	debugfs_remove(torture_dir);
}
module_exit(torture_exit);

MODULE_DESCRIPTION("Torture test of MSI tables");
MODULE_LICENSE("GPL");
