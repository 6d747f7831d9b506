// SPDX-License-Identifier: GPL-2.0
/*
 * MSI-X tables under change, on every Intel 82576 (igb) which has no driver:
 * entries fire while they are moved, taken and given back, get other handlers,
 * and while the function is reset. One function has a virtual one, too.
 *
 * An entry is raised again only when its interrupt has been handled, for two
 * which arrive before the first is handled count as one. So whatever is not
 * received is lost, and whatever is received without being raised is wrong.
 *
 *	echo 1 > /sys/kernel/debug/msi_table_pci_torture/run
 *
 * runs it once, with the parameters in
 * /sys/module/msi_table_pci_torture/parameters/. The write returns when it is
 * over, with an error if something was wrong. Whoever runs it may take CPUs offline
 * meanwhile. The log has the figures, and "torture: ok" or "torture: FAILED:
 * <reason>". The same seed makes the same choices again, but not at the same time.
 */
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/kthread.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/msi_table.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "igb.h"

/* An interrupt which takes longer is lost. CPU hotplug may hold up everything. */
#define TORTURE_LOST_US		(20 * USEC_PER_SEC)
/* Who raises entries shares them out by number. */
#define TORTURE_RAISERS		2
#define TORTURE_CHANGERS	2

static unsigned int seed;
module_param(seed, uint, 0644);
MODULE_PARM_DESC(seed, "Where the random choices begin (default 0: anywhere)");

static unsigned int duration = 10;
module_param(duration, uint, 0644);
MODULE_PARM_DESC(duration, "How long it takes, in seconds (default 10)");

static bool resets = true;
module_param(resets, bool, 0644);
MODULE_PARM_DESC(resets, "Reset a function, again and again (default on)");

enum torture_figure {
	TORTURE_RAISED,
	TORTURE_RECEIVED,
	TORTURE_LOST,
	TORTURE_WRONG,
	TORTURE_EXTRA,
	TORTURE_DISABLED,
	TORTURE_VIRTUAL,
	TORTURE_MOVES,
	TORTURE_REREGISTERED,
	TORTURE_ALLOCATED,
	TORTURE_FREED,
	TORTURE_REFUSED,
	TORTURE_RESETS,
	TORTURE_NR_FIGURES,
};

static const char * const torture_names[TORTURE_NR_FIGURES] = {
	[TORTURE_RAISED]	= "raised",
	[TORTURE_RECEIVED]	= "received",
	[TORTURE_LOST]		= "lost",
	[TORTURE_WRONG]		= "wrong",
	[TORTURE_EXTRA]		= "extra",
	[TORTURE_DISABLED]	= "raised while disabled",
	[TORTURE_VIRTUAL]	= "raised by virtual functions",
	[TORTURE_MOVES]		= "moves",
	[TORTURE_REREGISTERED]	= "reregistered",
	[TORTURE_ALLOCATED]	= "allocated",
	[TORTURE_FREED]		= "freed",
	[TORTURE_REFUSED]	= "refused",
	[TORTURE_RESETS]	= "resets",
};

static atomic_long_t torture_figures[TORTURE_NR_FIGURES];

static void torture_count(enum torture_figure figure)
{
	atomic_long_inc(&torture_figures[figure]);
}

static long torture_counted(enum torture_figure figure)
{
	return atomic_long_read(&torture_figures[figure]);
}

/* The first thing which went wrong. The run ends with it. */
static DECLARE_WAIT_QUEUE_HEAD(torture_wait);
static atomic_t torture_failed;

#define torture_fail(fmt, ...)							\
do {										\
	if (!atomic_xchg(&torture_failed, 1))					\
		pr_err("torture: FAILED: " fmt "\n", ##__VA_ARGS__);		\
	wake_up(&torture_wait);							\
} while (0)

struct torture_label;

/**
 * struct torture_handler - A dev_id
 * @label:	The entry it is for
 */
struct torture_handler {
	struct torture_label	*label;
};

/**
 * struct torture_label - An MSI-X entry
 * @fn:		Its function
 * @nr:		Its number
 * @life:	Held for writing by who takes it, gives it back, or changes the
 *		handler; for reading by who uses it
 * @vector:	Its vector, with a handler on it, or NULL
 * @handlers:	One is on @vector, the other was, or will be
 * @active:	Which one
 * @due:	1 from when the entry is raised to when it has been received
 */
struct torture_label {
	struct torture_fn	*fn;
	u32			nr;
	struct rw_semaphore	life;
	struct msi_vector	*vector;
	struct torture_handler	handlers[2];
	struct torture_handler	*active;
	atomic_t		due;
};

/**
 * struct torture_task - Does one kind of thing again and again
 * @fn:		The function
 * @name:	What it does
 * @step:	Does it once
 * @first:	First entry it does it to
 * @every:	To each of how many entries from there
 * @rnd:	Its choices
 * @task:	The thread, or NULL
 */
struct torture_task {
	struct torture_fn	*fn;
	const char		*name;
	void			(*step)(struct torture_task *task);
	u32			first;
	u32			every;
	struct rnd_state	rnd;
	struct task_struct	*task;
};

#define TORTURE_TASKS		(TORTURE_RAISERS + TORTURE_CHANGERS + 3)

/**
 * struct torture_fn - A function, the driver data of its device
 * @pdev:	The function
 * @regs:	Its BAR 0
 * @table:	Its MSI-X table
 * @nr:		Number of entries
 * @reset:	Held for writing during a reset, for reading by who needs a device
 * @labels:	By entry
 * @tasks:	Who works on it
 * @nr_tasks:	How many of these are used
 */
struct torture_fn {
	struct pci_dev		*pdev;
	void __iomem		*regs;
	struct msi_table	*table;
	u32			nr;
	struct rw_semaphore	reset;
	struct torture_label	labels[IGB_NR_MSIX];
	struct torture_task	tasks[TORTURE_TASKS];
	unsigned int		nr_tasks;
};

/* The seed in use, and how many tasks have got theirs of it */
static u32 torture_seed;
static u32 torture_seeded;

/* Gets a virtual function, and no resets: these would end it. Or NULL */
static struct pci_dev *torture_sriov;

static u32 torture_below(struct torture_task *task, u32 ceil)
{
	return prandom_u32_state(&task->rnd) % ceil;
}

static struct torture_label *torture_pick(struct torture_task *task)
{
	u32 n = DIV_ROUND_UP(task->fn->nr - task->first, task->every);

	return &task->fn->labels[task->first + task->every * torture_below(task, n)];
}

static irqreturn_t torture_handle(int irq, void *dev_id)
{
	struct torture_handler *handler = dev_id;
	struct torture_label *label = handler->label;

	if (READ_ONCE(label->active) != handler) {
		torture_count(TORTURE_WRONG);
		torture_fail("%s: entry %u reached a handler which is gone",
			     pci_name(label->fn->pdev), label->nr);
	} else if (atomic_xchg(&label->due, 0) == 1) {
		torture_count(TORTURE_RECEIVED);
	} else {
		torture_count(TORTURE_EXTRA);
		torture_fail("%s: entry %u was received and not raised",
			     pci_name(label->fn->pdev), label->nr);
	}
	return IRQ_HANDLED;
}

/* While the interrupt is disabled no handler runs; afterwards it does, once. */
static void torture_raise_disabled(struct torture_label *label)
{
	unsigned int irq = msi_vector_irq(label->vector);

	disable_irq(irq);
	atomic_set(&label->due, 1);
	writel(BIT(label->nr), label->fn->regs + IGB_EICS);
	usleep_range(50, 200);
	if (!atomic_read(&label->due)) {
		torture_count(TORTURE_WRONG);
		torture_fail("%s: entry %u was received while disabled",
			     pci_name(label->fn->pdev), label->nr);
	}
	enable_irq(irq);
	torture_count(TORTURE_DISABLED);
}

static void torture_raise(struct torture_task *task)
{
	struct torture_label *label = torture_pick(task);
	bool disabled = !torture_below(task, 8);
	struct torture_fn *fn = task->fn;
	int due;

	guard(rwsem_read)(&fn->reset);
	guard(rwsem_read)(&label->life);
	if (!label->vector)
		return;

	torture_count(TORTURE_RAISED);
	if (fn->pdev->is_virtfn)
		torture_count(TORTURE_VIRTUAL);
	if (disabled) {
		torture_raise_disabled(label);
	} else {
		atomic_set(&label->due, 1);
		writel(BIT(label->nr), fn->regs + IGB_EICS);
	}

	read_poll_timeout(atomic_read, due, !due, 50, TORTURE_LOST_US, false, &label->due);
	if (due && atomic_xchg(&label->due, 0)) {
		torture_count(TORTURE_LOST);
		torture_fail("%s: entry %u was raised%s and not received", pci_name(fn->pdev),
			     label->nr, disabled ? " while disabled" : "");
	}
}

static void torture_move(struct torture_task *task)
{
	struct torture_label *label = torture_pick(task);
	unsigned int cpu = torture_below(task, nr_cpu_ids);

	usleep_range(100, 500);
	/* During a reset, too. Without remapping the next interrupt does it. */
	guard(rwsem_read)(&label->life);
	if (label->vector && cpu_online(cpu) &&
	    !irq_set_affinity(msi_vector_irq(label->vector), cpumask_of(cpu)))
		torture_count(TORTURE_MOVES);
}

static void torture_register(struct torture_label *label)
{
	struct torture_handler *handler = &label->handlers[label->active == label->handlers];
	int ret;

	WRITE_ONCE(label->active, handler);
	ret = msi_vector_request_irq(label->vector, torture_handle, NULL, 0, handler, "torture");
	if (!ret)
		return;

	torture_fail("%s: entry %u: %d from msi_vector_request_irq()", pci_name(label->fn->pdev),
		     label->nr, ret);
	msi_table_free_vector(label->fn->table, label->vector);
	label->vector = NULL;
}

static void torture_take(struct torture_label *label, bool batch)
{
	const struct msi_vector_request req = { .lowest = label->nr, .highest = label->nr };
	struct torture_fn *fn = label->fn;
	struct msi_vector *vector;
	int ret = 1;

	if (batch)
		ret = msi_table_alloc_vectors(fn->table, &req, 1, 1, &vector);
	else
		vector = msi_table_alloc_vector(fn->table, label->nr);
	if (ret != 1)
		vector = ERR_PTR(ret);
	if (IS_ERR(vector)) {
		torture_fail("%s: entry %u: %pe instead of a vector", pci_name(fn->pdev),
			     label->nr, vector);
		return;
	}

	if (msi_vector_label(vector) != label->nr)
		torture_fail("%s: entry %u has the label %u", pci_name(fn->pdev), label->nr,
			     msi_vector_label(vector));
	label->vector = vector;
	torture_count(TORTURE_ALLOCATED);
	torture_register(label);
}

/* What is taken is given back one time in three, with its handler or without. */
static void torture_change(struct torture_task *task)
{
	struct torture_label *label = torture_pick(task);
	u32 choice = torture_below(task, 6);

	usleep_range(100, 1000);
	guard(rwsem_read)(&task->fn->reset);
	guard(rwsem_write)(&label->life);
	if (!label->vector) {
		torture_take(label, choice % 2);
		return;
	}

	if (choice)
		msi_vector_free_irq(label->vector);
	if (choice > 1) {
		torture_register(label);
		torture_count(TORTURE_REREGISTERED);
	} else {
		msi_table_free_vector(task->fn->table, label->vector);
		label->vector = NULL;
		torture_count(TORTURE_FREED);
	}
}

static void torture_refuse(struct torture_fn *fn, u32 lowest, u32 highest, unsigned int min,
			   unsigned int max, int expected)
{
	const struct msi_vector_request req = { .lowest = lowest, .highest = highest };
	struct msi_vector *vectors[IGB_NR_MSIX];
	int ret = msi_table_alloc_vectors(fn->table, &req, min, max, vectors);

	if (ret == expected)
		torture_count(TORTURE_REFUSED);
	else
		torture_fail("%s: %d instead of %d from an allocation of %u to %u, from %u to %u",
			     pci_name(fn->pdev), ret, expected, min, max, lowest, highest);
}

/* Asks for what can not be had. An entry which is taken can not be, either. */
static void torture_ask(struct torture_task *task)
{
	struct torture_label *label = torture_pick(task);
	struct torture_fn *fn = task->fn;
	u32 nr = label->nr;

	usleep_range(1000, 5000);
	guard(rwsem_read)(&fn->reset);
	guard(rwsem_read)(&label->life);
	switch (torture_below(task, 8)) {
	case 0:
		return torture_refuse(fn, fn->nr, fn->nr, 1, 1, -ERANGE);
	case 1:
		return torture_refuse(fn, nr, fn->nr + nr, 1, 1, -ERANGE);
	case 2:
		return torture_refuse(fn, nr + 1, nr, 1, 1, -ERANGE);
	case 3:
		return torture_refuse(fn, nr, MSI_LABEL_ANY, fn->nr - nr + 1, IGB_NR_MSIX + 1,
				      -ENOSPC);
	case 4:
		return torture_refuse(fn, 0, MSI_LABEL_ANY, 0, nr, -EINVAL);
	default:
		if (label->vector)
			torture_refuse(fn, nr, nr, 1, 1, -EBUSY);
	}
}

static void torture_setup(struct torture_fn *fn)
{
	if (!fn->pdev->is_virtfn)
		writel(IGB_GPIE_MSIX_MODE, fn->regs + IGB_GPIE);
	writel(GENMASK(fn->nr - 1, 0), fn->regs + IGB_EIAC);
	writel(GENMASK(fn->nr - 1, 0), fn->regs + IGB_EIMS);
}

static void torture_reset(struct torture_task *task)
{
	int ret;

	schedule_timeout_interruptible(msecs_to_jiffies(200 + torture_below(task, 600)));
	if (kthread_should_stop())
		return;

	guard(rwsem_write)(&task->fn->reset);
	/* Who unbinds the device holds its lock, and waits for us. */
	ret = pci_try_reset_function(task->fn->pdev);
	if (!ret)
		torture_count(TORTURE_RESETS);
	else if (ret != -EAGAIN)
		torture_fail("%s: %d from pci_try_reset_function()", pci_name(task->fn->pdev), ret);
}

static void torture_reset_done(struct pci_dev *pdev)
{
	torture_setup(pci_get_drvdata(pdev));
}

static int torture_thread(void *data)
{
	struct torture_task *task = data;

	while (!kthread_should_stop()) {
		task->step(task);
		usleep_range(20, 50);
	}
	return 0;
}

static void torture_add_task(struct torture_fn *fn, const char *name,
			     void (*step)(struct torture_task *task), u32 first, u32 every)
{
	struct torture_task *task = &fn->tasks[fn->nr_tasks++];

	task->fn = fn;
	task->name = name;
	task->step = step;
	task->first = first;
	task->every = every;
	prandom_seed_state(&task->rnd, torture_seed + torture_seeded++);
}

static void torture_stop(struct torture_fn *fn)
{
	unsigned int i;

	for (i = 0; i < fn->nr_tasks; i++) {
		if (fn->tasks[i].task)
			kthread_stop(fn->tasks[i].task);
	}
}

static int torture_start(struct torture_fn *fn)
{
	unsigned int i;

	for (i = 0; i < TORTURE_RAISERS; i++)
		torture_add_task(fn, "raise", torture_raise, i, TORTURE_RAISERS);
	for (i = 0; i < TORTURE_CHANGERS; i++)
		torture_add_task(fn, "change", torture_change, 0, 1);
	torture_add_task(fn, "move", torture_move, 0, 1);
	torture_add_task(fn, "ask", torture_ask, 0, 1);
	if (resets && !fn->pdev->is_virtfn && fn->pdev != torture_sriov &&
	    fn->pdev->reset_methods[0])
		torture_add_task(fn, "reset", torture_reset, 0, 1);

	for (i = 0; i < fn->nr_tasks; i++) {
		struct torture_task *task = &fn->tasks[i];
		struct task_struct *thread;

		thread = kthread_run(torture_thread, task, "torture-%s", task->name);
		if (IS_ERR(thread)) {
			torture_stop(fn);
			return PTR_ERR(thread);
		}
		task->task = thread;
	}
	return 0;
}

static int torture_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct torture_fn *fn = devm_kzalloc(&pdev->dev, sizeof(*fn), GFP_KERNEL);
	int ret;
	u32 i;

	if (!fn)
		return -ENOMEM;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;

	pci_set_master(pdev);
	fn->pdev = pdev;
	fn->regs = pcim_iomap(pdev, 0, 0);
	if (!fn->regs)
		return -ENOMEM;

	fn->table = pci_allocate_msi_table(pdev, MSI_TABLE_MSIX);
	if (IS_ERR(fn->table))
		return PTR_ERR(fn->table);

	fn->nr = min(msi_table_size(fn->table), IGB_NR_MSIX);
	init_rwsem(&fn->reset);
	for (i = 0; i < fn->nr; i++) {
		struct torture_label *label = &fn->labels[i];

		label->fn = fn;
		label->nr = i;
		init_rwsem(&label->life);
		label->handlers[0].label = label;
		label->handlers[1].label = label;
	}
	pci_set_drvdata(pdev, fn);
	torture_setup(fn);
	return torture_start(fn);
}

/* What is still taken, handlers and all, goes with the binding. */
static void torture_remove(struct pci_dev *pdev)
{
	torture_stop(pci_get_drvdata(pdev));
	/* For what was received and not raised, and comes late */
	msleep(IGB_NO_IRQ_MS);
}

/* The function and its virtual functions */
static const struct pci_device_id torture_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x10c9) },
	{ PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x10ca) },
	{ }
};

static const struct pci_error_handlers torture_err_handler = {
	.reset_done	= torture_reset_done,
};

static struct pci_driver torture_driver = {
	.name		= "msi_table_torture",
	.id_table	= torture_ids,
	.probe		= torture_probe,
	.remove		= torture_remove,
	.err_handler	= &torture_err_handler,
};

static void torture_enable_vf(struct pci_dev *pdev)
{
	int ret;

	pci_lock_rescan_remove();
	ret = pci_enable_sriov(pdev, 1);
	pci_unlock_rescan_remove();
	if (ret)
		torture_fail("%s: %d from pci_enable_sriov()", pci_name(pdev), ret);
}

static void torture_disable_vf(struct pci_dev *pdev)
{
	pci_lock_rescan_remove();
	pci_disable_sriov(pdev);
	pci_unlock_rescan_remove();
}

static void torture_report(void)
{
	unsigned int i;

	for (i = 0; i < TORTURE_NR_FIGURES; i++)
		pr_info("torture: igb: %s %ld\n", torture_names[i], torture_counted(i));
	pr_info("torture: igb: seed %u\n", torture_seed);

	if (torture_counted(TORTURE_RAISED) != torture_counted(TORTURE_RECEIVED))
		torture_fail("raised and received differ");
	else if (!torture_counted(TORTURE_RAISED))
		torture_fail("nothing was raised");
	if (!atomic_read(&torture_failed))
		pr_info("torture: ok\n");
}

/* The first of several functions is for SR-IOV; a single one is for resets. */
static int torture_choose(void)
{
	struct pci_dev *first = pci_get_device(PCI_VENDOR_ID_INTEL, 0x10c9, NULL);
	struct pci_dev *second;

	if (!first)
		return -ENODEV;
	/* pci_get_device() takes the reference back. */
	second = pci_get_device(PCI_VENDOR_ID_INTEL, 0x10c9, pci_dev_get(first));
	torture_sriov = second && first->is_physfn ? pci_dev_get(first) : NULL;
	pci_dev_put(second);
	pci_dev_put(first);
	return 0;
}

static int torture_run(void)
{
	unsigned int i;
	long left;
	int ret;

	for (i = 0; i < TORTURE_NR_FIGURES; i++)
		atomic_long_set(&torture_figures[i], 0);
	atomic_set(&torture_failed, 0);
	torture_seed = seed ?: get_random_u32();
	torture_seeded = 0;

	ret = torture_choose();
	if (ret) {
		torture_fail("no Intel 82576");
		return ret;
	}

	ret = pci_register_driver(&torture_driver);
	if (ret) {
		torture_fail("%d from pci_register_driver()", ret);
	} else {
		if (torture_sriov)
			torture_enable_vf(torture_sriov);
		left = wait_event_killable_timeout(torture_wait, atomic_read(&torture_failed),
						   duration * HZ);
		if (left < 0)
			torture_fail("interrupted");
		if (torture_sriov)
			torture_disable_vf(torture_sriov);
		pci_unregister_driver(&torture_driver);
		torture_report();
	}
	pci_dev_put(torture_sriov);
	return atomic_read(&torture_failed) ? -EIO : 0;
}

static struct dentry *torture_dir;
static DEFINE_MUTEX(torture_mutex);

static int torture_write(void *data, u64 value)
{
	if (value != 1)
		return -EINVAL;

	guard(mutex)(&torture_mutex);
	return torture_run();
}
DEFINE_DEBUGFS_ATTRIBUTE(torture_fops, NULL, torture_write, "%llu\n");

static int __init torture_init(void)
{
	torture_dir = debugfs_create_dir("msi_table_pci_torture", NULL);
	debugfs_create_file("run", 0200, torture_dir, NULL, &torture_fops);
	return 0;
}
module_init(torture_init);

static void __exit torture_exit(void)
{
	debugfs_remove(torture_dir);
}
module_exit(torture_exit);

MODULE_DESCRIPTION("MSI-X tables under change, on an Intel 82576");
MODULE_LICENSE("GPL");
