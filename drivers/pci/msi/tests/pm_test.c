// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables of devices which lose power or are reset, on an
 * Intel 82576 (igb)
 *
 * Three tables: that of MSI-X; the registers of MSI-X as a device-specific store
 * in MMIO, which the PCI core knows nothing about; and a store which counts how
 * often it is touched.
 */
#include <kunit/msi_table.h>
#include <kunit/test.h>

#include <linux/atomic.h>
#include <linux/bcd.h>
#include <linux/cleanup.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/iopoll.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>
#include <linux/pid_namespace.h>
#include <linux/pm_runtime.h>
#include <linux/rtc.h>
#include <linux/sched.h>
#include <linux/suspend.h>
#include <linux/syscore_ops.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#ifdef CONFIG_X86
#include <linux/mc146818rtc.h>
#endif

#include "igb.h"

/*
 * The labels which are taken, on every table. PM_CPU has the affinity of a CPU
 * which goes offline in suspend, PM_MANAGED has it as a managed one, PM_DISABLED
 * is disabled and PM_SILENT has no handler.
 */
#define PM_CPU			1
#define PM_DISABLED		3
#define PM_SILENT		5
#define PM_MANAGED		6
#define PM_PLAIN		8

#define PM_DEVICES		2
#define PM_RESET_US		(5 * USEC_PER_SEC)
#define PM_MOVE_MS		20
/* From when nothing can hold up the machine any more, or only its last devices */
#define PM_WAKE_SECONDS		3

static char *suspend;
module_param(suspend, charp, 0444);
MODULE_PARM_DESC(suspend,
		 "Suspend the machine, to RAM (mem) or to idle (freeze); it wakes up by itself");

static const u32 pm_labels[] = { PM_CPU, PM_DISABLED, PM_SILENT, PM_MANAGED, PM_PLAIN };

/**
 * struct pm_table - A table with vectors
 * @table:	The table, or NULL
 * @vectors:	By label
 */
struct pm_table {
	struct msi_table	*table;
	struct msi_vector	*vectors[IGB_NR_MSIX];
};

struct pm_test;

/**
 * struct pm_igb - A function in a test, the driver data of its device
 * @igb:	What the helpers of the igb work on; test->priv points to one
 * @all:	All of them
 * @entries:	The MSI-X table
 * @real:	The table which the device reads
 * @counted:	The table on @store
 * @counts:	dev_id of the handlers of @counted
 * @store:	Counts the calls of its ops, or NULL
 * @by_hand:	@real is in MMIO, and this driver switches MSI-X on
 * @calls:	Calls of ops of @store until the device went away, until just
 *		before the machine sleeps (wakes up, if it is idle), and until the
 *		device is back
 * @wake:	Wakes up the machine which is idle
 * @idles:	@wake is for this suspend
 * @resumed:	How often the device came back
 * @reset:	Resets the function
 * @reset_ret:	Result of @reset
 */
struct pm_igb {
	struct igb_test		igb;
	struct pm_test		*all;
	void __iomem		*entries;
	struct pm_table		real;
	struct pm_table		counted;
	struct igb_vector	counts[IGB_NR_MSIX];
	struct msi_fake_store	*store;
	bool			by_hand;
	struct {
		unsigned int	gone;
		unsigned int	asleep;
		unsigned int	back;
	}			calls;
	struct timer_list	wake;
	bool			idles;
	unsigned int		resumed;
	struct work_struct	reset;
	int			reset_ret;
};

/**
 * struct pm_test - The devices of a test
 * @pm:		The devices
 * @nr:		How many there are
 */
struct pm_test {
	struct pm_igb	pm[PM_DEVICES];
	unsigned int	nr;
};

static struct pm_igb *pm_igb(struct kunit *test)
{
	return container_of(test->priv, struct pm_igb, igb);
}

static unsigned int pm_calls(struct pm_igb *pm)
{
	return pm->store ? msi_fake_store_calls(pm->store) : 0;
}

static void pm_set_msix(struct pm_igb *pm, bool on)
{
	struct pci_dev *pdev = pm->igb.pdev;

	pci_clear_and_set_config_dword(pdev, pdev->msix_cap, PCI_MSIX_FLAGS_ENABLE << 16 |
				       PCI_MSIX_FLAGS_MASKALL << 16,
				       on ? PCI_MSIX_FLAGS_ENABLE << 16 : 0);
}

/* What a driver does when its device had no power, or was reset */
static void pm_back(struct pm_igb *pm)
{
	pm->calls.back = pm_calls(pm);
	pm->resumed++;
	igb_setup(&pm->igb);
	if (pm->by_hand)
		pm_set_msix(pm, true);
	if (pm->real.table)
		msi_table_restore(pm->real.table);
	if (pm->counted.table)
		msi_table_restore(pm->counted.table);
}

static int pm_driver_suspend(struct device *dev)
{
	struct pm_igb *pm = dev_get_drvdata(dev);

	if (!pm)
		return 0;
	pm->calls.gone = pm_calls(pm);
	if (pm->idles)
		mod_timer(&pm->wake, jiffies + secs_to_jiffies(PM_WAKE_SECONDS));
	return 0;
}

static int pm_driver_resume(struct device *dev)
{
	struct pm_igb *pm = dev_get_drvdata(dev);

	if (pm)
		pm_back(pm);
	return 0;
}

static const struct dev_pm_ops pm_driver_pm_ops = {
	NOIRQ_SYSTEM_SLEEP_PM_OPS(pm_driver_suspend, pm_driver_resume)
	RUNTIME_PM_OPS(pm_driver_suspend, pm_driver_resume, NULL)
};

static void pm_driver_reset_prepare(struct pci_dev *pdev)
{
	pm_driver_suspend(&pdev->dev);
}

static void pm_driver_reset_done(struct pci_dev *pdev)
{
	pm_driver_resume(&pdev->dev);
}

static const struct pci_error_handlers pm_driver_err_handler = {
	.reset_prepare	= pm_driver_reset_prepare,
	.reset_done	= pm_driver_reset_done,
};

static int pm_driver_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int ret = pcim_enable_device(pdev);

	if (!ret)
		pci_set_master(pdev);
	return ret;
}

static const struct pci_device_id pm_driver_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_INTEL, 0x10c9) },
	{ }
};

static struct pci_driver pm_driver = {
	.name		= "msi_table_pm_test",
	.id_table	= pm_driver_ids,
	.probe		= pm_driver_probe,
	.err_handler	= &pm_driver_err_handler,
	.driver.pm	= pm_ptr(&pm_driver_pm_ops),
};

static void pm_reset_work(struct work_struct *work)
{
	struct pm_igb *pm = container_of(work, struct pm_igb, reset);

	pm->reset_ret = pci_reset_function(pm->igb.pdev);
}

KUNIT_DEFINE_ACTION_WRAPPER(pm_test_unregister, pci_unregister_driver, struct pci_driver *);
KUNIT_DEFINE_ACTION_WRAPPER(pm_test_put, pci_dev_put, struct pci_dev *);

static void pm_test_setup(struct kunit *test, struct pm_igb *pm)
{
	struct pci_dev *pdev = pm->igb.pdev;
	u32 offset;

	pm->igb.command = igb_command(&pm->igb);
	pm->igb.domain = dev_get_msi_domain(&pdev->dev);
	pm->igb.regs = pcim_iomap(pdev, 0, 0);
	KUNIT_ASSERT_TRUE(test, pm->igb.regs);

	pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_TABLE, &offset);
	pm->entries = devm_ioremap(&pdev->dev, (offset & PCI_MSIX_TABLE_OFFSET) +
				   pci_resource_start(pdev, offset & PCI_MSIX_TABLE_BIR),
				   IGB_NR_MSIX * PCI_MSIX_ENTRY_SIZE);
	KUNIT_ASSERT_TRUE(test, pm->entries);

	INIT_WORK(&pm->reset, pm_reset_work);
	igb_setup(&pm->igb);
	pci_set_drvdata(pdev, pm);
}

static int pm_test_init(struct kunit *test)
{
	struct pm_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct pci_dev *pdev = NULL;
	unsigned int i, nr_irqs;

	KUNIT_ASSERT_NOT_NULL(test, t);
	while ((pdev = pci_get_device(PCI_VENDOR_ID_INTEL, 0x10c9, pdev)) && t->nr < PM_DEVICES) {
		struct pm_igb *pm = &t->pm[t->nr++];

		pm->all = t;
		pm->igb.pdev = pci_dev_get(pdev);
		igb_settle(pdev);
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pm_test_put, pdev));
	}
	pci_dev_put(pdev);
	if (!t->nr)
		kunit_skip(test, "no Intel 82576");

	nr_irqs = igb_count_irqs();
	for (i = 0; i < t->nr; i++)
		t->pm[i].igb.nr_irqs = nr_irqs;
	KUNIT_ASSERT_EQ(test, 0, pci_register_driver(&pm_driver));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pm_test_unregister, &pm_driver));
	for (i = 0; i < t->nr; i++) {
		if (t->pm[i].igb.pdev->dev.driver != &pm_driver.driver)
			kunit_skip(test, "an Intel 82576 has another driver");
	}
	for (i = 0; i < t->nr; i++)
		pm_test_setup(test, &t->pm[i]);
	test->priv = &t->pm[0].igb;
	return 0;
}

static void pm_test_exit(struct kunit *test)
{
	struct pm_test *t;
	unsigned int i;

	if (!test->priv)
		return;

	t = pm_igb(test)->all;
	/* All of them, before igb_test_exit() counts interrupts */
	for (i = 0; i < t->nr; i++) {
		if (t->pm[i].by_hand)
			pm_set_msix(&t->pm[i], false);
		device_release_driver(&t->pm[i].igb.pdev->dev);
	}
	for (i = 0; i < t->nr; i++) {
		struct pm_igb *pm = &t->pm[i];

		test->priv = &pm->igb;
		igb_test_exit(test);
		if (!pm->store)
			continue;
		/* The table is gone by now in any case. */
		KUNIT_EXPECT_EQ(test, 0, msi_fake_store_bad_context(pm->store));
		msi_fake_store_destroy(pm->store);
	}
}

static unsigned int pm_last_cpu(void)
{
	return cpumask_last(cpu_online_mask);
}

static void pm_populate(struct kunit *test, struct pm_table *table, struct igb_vector *counts)
{
	struct irq_affinity_desc affinity = { };
	const struct cpumask *where;
	struct msi_vector *v;
	unsigned int i, irq;

	cpumask_set_cpu(pm_last_cpu(), &affinity.mask);
	for (i = 0; i < ARRAY_SIZE(pm_labels); i++) {
		struct msi_vector_request req = { .lowest = pm_labels[i], .highest = pm_labels[i] };

		affinity.is_managed = pm_labels[i] == PM_MANAGED;
		if (pm_labels[i] == PM_MANAGED || pm_labels[i] == PM_CPU)
			req.affinity = &affinity;
		v = msi_table_alloc_vector_req(table->table, &req);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, v);
		table->vectors[pm_labels[i]] = v;
		if (pm_labels[i] == PM_SILENT)
			continue;
		KUNIT_ASSERT_EQ(test, 0, msi_vector_request_irq(v, igb_handler, NULL, 0,
								&counts[pm_labels[i]], "pm-test"));
		if (pm_labels[i] != PM_DISABLED)
			counts[pm_labels[i]].vector = v;
	}

	irq = msi_vector_irq(table->vectors[PM_CPU]);
	where = irq_data_get_effective_affinity_mask(irq_get_irq_data(irq));
	KUNIT_EXPECT_TRUE(test, cpumask_test_cpu(pm_last_cpu(), where));
	/* Masked at once, not when it comes next */
	irq = msi_vector_irq(table->vectors[PM_DISABLED]);
	irq_set_status_flags(irq, IRQ_DISABLE_UNLAZY);
	disable_irq(irq);
}

static void pm_free(struct pm_table *table, struct igb_vector *counts)
{
	unsigned int i;

	msi_table_free(table->table);
	table->table = NULL;
	for (i = 0; i < IGB_NR_MSIX; i++)
		counts[i].vector = NULL;
}

static void pm_create_msix(struct kunit *test, struct pm_igb *pm)
{
	pm->real.table = pci_allocate_msi_table(pm->igb.pdev, MSI_TABLE_MSIX);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pm->real.table);
	pm_populate(test, &pm->real, pm->igb.vectors);
}

static void pm_create_mmio(struct kunit *test, struct pm_igb *pm)
{
	const struct msi_mmio_layout layout = {
		.base		= pm->entries,
		.stride		= PCI_MSIX_ENTRY_SIZE,
		.address_lo	= PCI_MSIX_ENTRY_LOWER_ADDR,
		.address_hi	= PCI_MSIX_ENTRY_UPPER_ADDR,
		.data		= PCI_MSIX_ENTRY_DATA,
		.control	= PCI_MSIX_ENTRY_VECTOR_CTRL,
		.mask		= PCI_MSIX_ENTRY_CTRL_MASKBIT,
	};
	struct msi_table_info info = {
		.name	= "mmio",
		.mmio	= &layout,
		.size	= IGB_NR_MSIX,
		.flags	= MSI_TABLE_UNREMAPPED,
	};

	pm->real.table = msi_allocate_table(&pm->igb.pdev->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pm->real.table);
	pm->by_hand = true;
	pm_set_msix(pm, true);
	pm_populate(test, &pm->real, pm->igb.vectors);
}

static void pm_create_counted(struct kunit *test, struct pm_igb *pm)
{
	struct msi_table_info info = {
		.name	= "counted",
		.ops	= &msi_fake_store_ops,
		.size	= IGB_NR_MSIX,
		.flags	= MSI_TABLE_UNREMAPPED,
	};
	struct msi_fake_store *store = msi_fake_store_create();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, store);
	pm->store = store;
	info.data = store;
	pm->counted.table = msi_allocate_table(&pm->igb.pdev->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pm->counted.table);
	pm_populate(test, &pm->counted, pm->counts);
}

/* Where the parent masks, the device does from shutdown to startup. */
static bool pm_expect_masked(struct msi_vector *v)
{
	struct irq_data *data = irq_get_irq_data(msi_vector_irq(v));

	if (data->chip->irq_mask == irq_chip_mask_parent)
		return !irqd_is_started(data);
	return irqd_irq_masked(data);
}

/* The device has the messages and mask bits which the core believes it to have. */
static void pm_check_entries(struct kunit *test, struct pm_igb *pm)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pm_labels); i++) {
		void __iomem *entry = pm->entries + pm_labels[i] * PCI_MSIX_ENTRY_SIZE;
		u32 mask = readl(entry + PCI_MSIX_ENTRY_VECTOR_CTRL) & PCI_MSIX_ENTRY_CTRL_MASKBIT;
		struct msi_vector *v = pm->real.vectors[pm_labels[i]];
		struct msi_msg msg;

		KUNIT_EXPECT_EQ_MSG(test, !!mask, pm_expect_masked(v), "entry %u", pm_labels[i]);
		if (pm_labels[i] != PM_DISABLED)
			KUNIT_EXPECT_EQ_MSG(test, !!mask, pm_labels[i] == PM_SILENT, "entry %u",
					    pm_labels[i]);
		if (!irqd_is_activated(irq_get_irq_data(msi_vector_irq(v)))) {
			KUNIT_EXPECT_EQ(test, msi_vector_get_msg(v, &msg), -EAGAIN);
			KUNIT_EXPECT_EQ(test, pm_labels[i], PM_SILENT);
			continue;
		}
		KUNIT_ASSERT_EQ(test, msi_vector_get_msg(v, &msg), 0);
		KUNIT_EXPECT_EQ_MSG(test, readl(entry + PCI_MSIX_ENTRY_LOWER_ADDR),
				    msg.address_lo, "entry %u", pm_labels[i]);
		KUNIT_EXPECT_EQ_MSG(test, readl(entry + PCI_MSIX_ENTRY_UPPER_ADDR),
				    msg.address_hi, "entry %u", pm_labels[i]);
		KUNIT_EXPECT_EQ_MSG(test, readl(entry + PCI_MSIX_ENTRY_DATA), msg.data,
				    "entry %u", pm_labels[i]);
	}
}

/* Every entry raises what it has to, and nothing else. */
static void pm_check_delivery(struct kunit *test, struct pm_igb *pm)
{
	struct igb_vector *disabled = &pm->igb.vectors[PM_DISABLED];
	unsigned int irq = msi_vector_irq(pm->real.vectors[PM_DISABLED]);
	void *priv = test->priv;
	int count, now;
	unsigned int i;

	test->priv = &pm->igb;
	/*
	 * The IMSIC ends a move with the next tick. Until then what is pending on the
	 * old CPU with the new number, as the disabled one may be, counts for both.
	 */
	msleep(PM_MOVE_MS);
	pm_check_entries(test, pm);
	for (i = 0; i < ARRAY_SIZE(pm_labels); i++)
		igb_raise(test, pm_labels[i]);
	/* One which is not allocated */
	igb_raise(test, 0);

	/* The disabled one comes as soon as it may. */
	count = atomic_read(&disabled->count);
	enable_irq(irq);
	read_poll_timeout(atomic_read, now, now == count + 1, 100, IGB_IRQ_US, false,
			  &disabled->count);
	KUNIT_EXPECT_EQ(test, now, count + 1);
	disabled->vector = pm->real.vectors[PM_DISABLED];
	igb_raise(test, PM_DISABLED);
	disabled->vector = NULL;
	disable_irq(irq);
	pm_check_entries(test, pm);
	test->priv = priv;
}

/* What was written back is what the core believes to be there. */
static void pm_check_counted(struct kunit *test, struct pm_igb *pm)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pm_labels); i++) {
		struct msi_vector *v = pm->counted.vectors[pm_labels[i]];
		struct msi_msg msg = { };
		struct msi_fake_slot slot;

		msi_vector_get_msg(v, &msg);
		KUNIT_ASSERT_EQ(test, 0, msi_fake_store_read(pm->store, pm_labels[i], &slot));
		KUNIT_EXPECT_EQ_MSG(test, msi_msg_address(&slot.msg), msi_msg_address(&msg),
				    "label %u", pm_labels[i]);
		KUNIT_EXPECT_EQ_MSG(test, slot.msg.data, msg.data, "label %u", pm_labels[i]);
		KUNIT_EXPECT_EQ_MSG(test, slot.masked, pm_expect_masked(v), "label %u",
				    pm_labels[i]);
	}
}

/*
 * Everything which would touch the store of a device that can be reached: affinity,
 * masking, unmasking, and a handler which goes
 */
static void pm_shake(struct kunit *test, struct pm_table *table)
{
	unsigned int plain = msi_vector_irq(table->vectors[PM_PLAIN]);
	unsigned int cpu;

	for_each_online_cpu(cpu)
		KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(plain, cpumask_of(cpu)));
	irq_set_status_flags(plain, IRQ_DISABLE_UNLAZY);
	disable_irq(plain);
	enable_irq(msi_vector_irq(table->vectors[PM_DISABLED]));
	msi_vector_free_irq(table->vectors[PM_CPU]);
}

/* After pm_shake() and msi_table_restore() */
static void pm_check_shaken(struct kunit *test, struct pm_igb *pm)
{
	struct msi_fake_slot slot;
	struct msi_msg msg;

	pm_check_counted(test, pm);
	KUNIT_ASSERT_EQ(test, 0, msi_fake_store_read(pm->store, PM_PLAIN, &slot));
	KUNIT_EXPECT_NE(test, msi_msg_address(&slot.msg), 0);
	KUNIT_ASSERT_EQ(test, 0, msi_fake_store_read(pm->store, PM_DISABLED, &slot));
	KUNIT_EXPECT_FALSE(test, slot.masked);
	KUNIT_EXPECT_NE(test, msi_msg_address(&slot.msg), 0);
	KUNIT_ASSERT_EQ(test, 0, msi_fake_store_read(pm->store, PM_CPU, &slot));
	KUNIT_EXPECT_TRUE(test, slot.masked);
	KUNIT_EXPECT_EQ(test, msi_msg_address(&slot.msg), 0);
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(pm->counted.vectors[PM_CPU], &msg), -EAGAIN);
}

/* Whoever waits for the test is asleep, but not where it can be frozen. */
static int pm_suspend_without_init(suspend_state_t state)
{
	struct task_struct *init = init_pid_ns.child_reaper;
	unsigned int nofreeze = init->flags & PF_NOFREEZE;
	int ret;

	init->flags |= PF_NOFREEZE;
	ret = pm_suspend(state);
	init->flags &= ~PF_NOFREEZE | nofreeze;
	return ret;
}

static void pm_wake(struct timer_list *timer)
{
	struct pm_igb *pm = timer_container_of(pm, timer, wake);

	pm->calls.asleep = pm_calls(pm);
	pm_system_wakeup();
}

/* Suspend to idle, in which timers run unless the machine has deep idle states */
static int pm_freeze(struct pm_igb *pm)
{
	int ret;

	timer_setup(&pm->wake, pm_wake, 0);
	pm->idles = true;
	ret = pm_suspend_without_init(PM_SUSPEND_TO_IDLE);
	pm->idles = false;
	timer_shutdown_sync(&pm->wake);
	return ret;
}

#if IS_ENABLED(CONFIG_SUSPEND) && IS_BUILTIN(CONFIG_RTC_DRV_CMOS) && defined(CONFIG_X86)
/* Long enough that it can not come before the machine sleeps */
#define PM_ALARM_SECONDS	600
/* CPUs other than 0 are offline, interrupts are off. */
static int pm_asleep(void *data)
{
	struct pm_igb *pm = data;
	unsigned int seconds;
	bool bcd;

	pm->calls.asleep = pm_calls(pm);

	guard(spinlock)(&rtc_lock);
	bcd = RTC_ALWAYS_BCD || !(CMOS_READ(RTC_CONTROL) & RTC_DM_BINARY);
	seconds = CMOS_READ(RTC_SECONDS);
	seconds = ((bcd ? bcd2bin(seconds) : seconds) + PM_WAKE_SECONDS) % 60;
	CMOS_WRITE(RTC_ALARM_DONT_CARE, RTC_HOURS_ALARM);
	CMOS_WRITE(RTC_ALARM_DONT_CARE, RTC_MINUTES_ALARM);
	CMOS_WRITE(bcd ? bin2bcd(seconds) : seconds, RTC_SECONDS_ALARM);
	CMOS_READ(RTC_INTR_FLAGS);
	return 0;
}

static const struct syscore_ops pm_syscore_ops = {
	.suspend	= pm_asleep,
};

static int pm_set_alarm(struct rtc_device *rtc, bool enabled)
{
	struct rtc_wkalrm alarm = { .enabled = enabled };
	int ret = rtc_read_time(rtc, &alarm.time);

	if (ret)
		return ret;
	rtc_time64_to_tm(rtc_tm_to_time64(&alarm.time) + PM_ALARM_SECONDS, &alarm.time);
	return rtc_set_alarm(rtc, &alarm);
}

KUNIT_DEFINE_ACTION_WRAPPER(pm_close_rtc, rtc_class_close, struct rtc_device *);

/*
 * Suspend to RAM, and be woken up by the RTC. Its driver gets an alarm which makes
 * it a wakeup source; pm_asleep() moves that alarm.
 */
static int pm_mem(struct kunit *test, struct pm_igb *pm)
{
	struct syscore syscore = { .ops = &pm_syscore_ops, .data = pm };
	enum system_states state = system_state;
	struct rtc_device *rtc;
	int ret;

	rtc = rtc_class_open("rtc0");
	if (!rtc)
		kunit_skip(test, "no RTC");
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pm_close_rtc, rtc));
	if (strcmp(dev_driver_string(rtc->dev.parent), "rtc_cmos") ||
	    !device_may_wakeup(rtc->dev.parent))
		kunit_skip(test, "the RTC can not wake up the machine");

	KUNIT_ASSERT_EQ(test, 0, pm_set_alarm(rtc, true));
	register_syscore(&syscore);
	ret = pm_suspend_without_init(PM_SUSPEND_MEM);
	/* That of suspend is for a machine which has been booted. */
	system_state = state;
	unregister_syscore(&syscore);
	pm_set_alarm(rtc, false);
	return ret;
}
#else
static int pm_mem(struct kunit *test, struct pm_igb *pm)
{
	return -EINVAL;
}
#endif

/* @pm is whose calls are counted. */
static void pm_sleep(struct kunit *test, struct pm_igb *pm)
{
	int ret = -EINVAL;

	if (!strcmp(suspend, "freeze"))
		ret = pm_freeze(pm);
	else if (!strcmp(suspend, "mem"))
		ret = pm_mem(test, pm);
	if (ret == -EINVAL)
		kunit_skip(test, "no such suspend, or nothing which wakes up the machine");
	KUNIT_ASSERT_EQ(test, ret, 0);
}

/*
 * In suspend to RAM all memory of the devices is lost, and a CPU which has interrupts of
 * them goes and comes while they are without power. One suspend for all tables, for a
 * second one may not last.
 */
static void msi_table_pm_suspend(struct kunit *test)
{
	struct pm_igb *msix = pm_igb(test), *mmio = &msix->all->pm[1];

	if (!suspend)
		kunit_skip(test, "the parameter suspend is not set");
	if (!IS_ENABLED(CONFIG_SUSPEND))
		kunit_skip(test, "needs CONFIG_SUSPEND");
	/* Later on the process which waits for this test could not be frozen. */
	if (system_state >= SYSTEM_RUNNING)
		kunit_skip(test, "the machine can be suspended during boot only");
	if (msix->all->nr < PM_DEVICES)
		kunit_skip(test, "only one Intel 82576");
	pm_create_msix(test, msix);
	pm_create_counted(test, msix);
	pm_create_mmio(test, mmio);
	pm_check_delivery(test, msix);
	pm_check_delivery(test, mmio);
	pm_check_counted(test, msix);

	pm_sleep(test, msix);

	KUNIT_EXPECT_EQ(test, msix->resumed, 1);
	KUNIT_EXPECT_EQ(test, mmio->resumed, 1);
	KUNIT_EXPECT_EQ(test, msix->calls.asleep, msix->calls.gone);
	KUNIT_EXPECT_EQ(test, msix->calls.back, msix->calls.gone);
	pm_check_counted(test, msix);
	pm_check_delivery(test, msix);
	pm_check_delivery(test, mmio);
	pm_free(&mmio->real, mmio->igb.vectors);
	pm_free(&msix->counted, msix->counts);
	pm_free(&msix->real, msix->igb.vectors);
}

static void pm_need_reset(struct kunit *test, struct pm_igb *pm)
{
	if (!pm->igb.pdev->reset_methods[0])
		kunit_skip(test, "the Intel 82576 has no function reset");
}

/* The table which was created works before and after, and is freed. */
static void pm_check_reset(struct kunit *test, struct pm_igb *pm)
{
	pm_check_delivery(test, pm);
	KUNIT_ASSERT_EQ(test, 0, pci_reset_function(pm->igb.pdev));
	KUNIT_EXPECT_EQ(test, pm->resumed, 1);
	pm_check_delivery(test, pm);
	pm_free(&pm->real, pm->igb.vectors);
}

/* The PCI core writes back the MSI-X table. */
static void msi_table_pm_reset_msix(struct kunit *test)
{
	struct pm_igb *pm = pm_igb(test);

	pm_need_reset(test, pm);
	pm_create_msix(test, pm);
	pm_check_reset(test, pm);
}

/**
 * struct pm_watcher - Looks whether a message is written as it has to be
 * @watcher:	For msi_vector_watch()
 * @lock:	Lock of the interrupt
 * @calls:	How often it was told
 * @unlocked:	How often without the lock
 */
struct pm_watcher {
	struct msi_watcher	watcher;
	raw_spinlock_t		*lock;
	unsigned int		calls;
	unsigned int		unlocked;
};

static void pm_notify(struct msi_watcher *watcher, const struct msi_msg *msg)
{
	struct pm_watcher *w = container_of(watcher, struct pm_watcher, watcher);

	w->calls++;
	w->unlocked += !raw_spin_is_locked(w->lock);
}

/* CPU hotplug moves an interrupt whatever else is going on. */
static void msi_table_pm_reset_locked(struct kunit *test)
{
	struct pm_watcher w = { .watcher.notify = pm_notify };
	struct pm_igb *pm = pm_igb(test);
	struct msi_vector *v;

	pm_need_reset(test, pm);
	pm_create_msix(test, pm);
	v = pm->real.vectors[PM_PLAIN];
	w.lock = &irq_data_to_desc(irq_get_irq_data(msi_vector_irq(v)))->lock;
	msi_vector_watch(v, &w.watcher);
	KUNIT_EXPECT_EQ(test, w.calls, 1);
	KUNIT_EXPECT_EQ(test, 0, pci_reset_function(pm->igb.pdev));
	msi_vector_unwatch(v, &w.watcher);
	KUNIT_EXPECT_GT(test, w.calls, 1);
	KUNIT_EXPECT_EQ(test, w.unlocked, 0);
	pm_check_delivery(test, pm);
	pm_free(&pm->real, pm->igb.vectors);
}

/* msi_table_restore() writes back any other store. */
static void msi_table_pm_reset_mmio(struct kunit *test)
{
	struct pm_igb *pm = pm_igb(test);

	pm_need_reset(test, pm);
	pm_create_mmio(test, pm);
	pm_check_reset(test, pm);
}

static bool pm_in_reset(struct pm_igb *pm)
{
	return READ_ONCE(pm->igb.pdev->in_reset);
}

/* An interrupt is moved, masked and unmasked all through a reset. */
static void msi_table_pm_reset_untouched(struct kunit *test)
{
	unsigned int irq, cpu = 0, during = 0, loops = 0;
	struct pm_igb *pm = pm_igb(test);
	bool in_reset;

	pm_need_reset(test, pm);
	pm_create_counted(test, pm);
	irq = msi_vector_irq(pm->counted.vectors[PM_PLAIN]);
	irq_set_status_flags(irq, IRQ_DISABLE_UNLAZY);

	schedule_work(&pm->reset);
	read_poll_timeout(pm_in_reset, in_reset, in_reset, 100, PM_RESET_US, false, pm);
	while (pm_in_reset(pm)) {
		unsigned int calls;

		cpu = cpumask_next_wrap(cpu, cpu_online_mask);
		KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(irq, cpumask_of(cpu)));
		disable_irq(irq);
		enable_irq(irq);
		/* Counts only if the reset was not over before. */
		calls = pm_calls(pm);
		if (pm_in_reset(pm)) {
			during = calls;
			loops++;
		}
		cond_resched();
	}
	flush_work(&pm->reset);

	KUNIT_EXPECT_EQ(test, pm->reset_ret, 0);
	KUNIT_EXPECT_EQ(test, pm->resumed, 1);
	KUNIT_EXPECT_GT(test, loops, 0);
	KUNIT_EXPECT_EQ(test, during, pm->calls.gone);
	pm_check_counted(test, pm);
	pm_free(&pm->counted, pm->counts);
}

/* The same at leisure, with everything there is to be remembered */
static void msi_table_pm_reset_remembered(struct kunit *test)
{
	struct pm_igb *pm = pm_igb(test);
	unsigned int calls;

	pm_create_counted(test, pm);
	WRITE_ONCE(pm->igb.pdev->in_reset, true);
	calls = pm_calls(pm);
	pm_shake(test, &pm->counted);
	KUNIT_EXPECT_EQ(test, pm_calls(pm), calls);
	WRITE_ONCE(pm->igb.pdev->in_reset, false);
	KUNIT_EXPECT_EQ(test, pm_calls(pm), calls);

	msi_table_restore(pm->counted.table);
	pm_check_shaken(test, pm);

	/* Once more changes nothing. */
	msi_table_restore(pm->counted.table);
	pm_check_shaken(test, pm);
	pm_free(&pm->counted, pm->counts);
}

static void pm_runtime_sleep(struct kunit *test, struct pm_igb *pm)
{
	struct device *dev = &pm->igb.pdev->dev;

	pm_runtime_allow(dev);
	KUNIT_EXPECT_GE(test, pm_runtime_put_sync_suspend(dev), 0);
	KUNIT_EXPECT_TRUE(test, pm_runtime_status_suspended(dev));
	KUNIT_EXPECT_EQ(test, pm->igb.pdev->current_state, PCI_D3hot);
}

static void pm_runtime_wake(struct kunit *test, struct pm_igb *pm)
{
	struct device *dev = &pm->igb.pdev->dev;

	KUNIT_EXPECT_GE(test, pm_runtime_get_sync(dev), 0);
	pm_runtime_forbid(dev);
	KUNIT_ASSERT_EQ(test, pm->igb.pdev->current_state, PCI_D0);
	KUNIT_EXPECT_EQ(test, pm->resumed, 1);
}

/* A table of PCI needs nothing from its driver. */
static void msi_table_pm_runtime_msix(struct kunit *test)
{
	struct pm_igb *pm = pm_igb(test);
	unsigned int irq, cpu;

	if (!IS_ENABLED(CONFIG_PM))
		kunit_skip(test, "no power management");
	pm_create_msix(test, pm);
	pm_check_delivery(test, pm);

	pm_runtime_sleep(test, pm);
	irq = msi_vector_irq(pm->real.vectors[PM_PLAIN]);
	for_each_online_cpu(cpu)
		KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(irq, cpumask_of(cpu)));
	pm_runtime_wake(test, pm);

	pm_check_delivery(test, pm);
	pm_free(&pm->real, pm->igb.vectors);
}

/* Other stores are not touched, and written back by the driver. */
static void msi_table_pm_runtime_store(struct kunit *test)
{
	struct pm_igb *pm = pm_igb(test);
	unsigned int irq, cpu;

	if (!IS_ENABLED(CONFIG_PM))
		kunit_skip(test, "no power management");
	pm_create_mmio(test, pm);
	pm_create_counted(test, pm);
	pm_check_delivery(test, pm);

	pm_runtime_sleep(test, pm);
	pm_shake(test, &pm->counted);
	KUNIT_EXPECT_EQ(test, pm_calls(pm), pm->calls.gone);
	irq = msi_vector_irq(pm->real.vectors[PM_PLAIN]);
	for_each_online_cpu(cpu)
		KUNIT_EXPECT_EQ(test, 0, irq_set_affinity(irq, cpumask_of(cpu)));
	pm_runtime_wake(test, pm);
	KUNIT_EXPECT_EQ(test, pm->calls.back, pm->calls.gone);

	pm_check_shaken(test, pm);
	pm_check_delivery(test, pm);
	pm_free(&pm->counted, pm->counts);
	pm_free(&pm->real, pm->igb.vectors);
}

static struct kunit_case msi_table_pm_cases[] = {
	KUNIT_CASE(msi_table_pm_reset_msix),
	KUNIT_CASE(msi_table_pm_reset_locked),
	KUNIT_CASE(msi_table_pm_reset_mmio),
	KUNIT_CASE(msi_table_pm_reset_untouched),
	KUNIT_CASE(msi_table_pm_reset_remembered),
	KUNIT_CASE(msi_table_pm_runtime_msix),
	KUNIT_CASE(msi_table_pm_runtime_store),
	KUNIT_CASE_SLOW(msi_table_pm_suspend),
	{ }
};

static struct kunit_suite msi_table_pm_suite = {
	.name		= "msi_table_pm",
	.init		= pm_test_init,
	.exit		= pm_test_exit,
	.test_cases	= msi_table_pm_cases,
};

kunit_test_suite(msi_table_pm_suite);
