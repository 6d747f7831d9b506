/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _DRIVERS_PCI_MSI_TABLE_TEST_H
#define _DRIVERS_PCI_MSI_TABLE_TEST_H

/*
 * An Intel 82576 (igb), shared by the test suites of PCI tables. The device has
 * MSI, MSI-X with ten entries, and a register which raises any of them. QEMU has
 * it. Without one the tests are skipped.
 */
#include <kunit/test.h>

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/interrupt.h>
#include <linux/irqdomain.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>

#define IGB_GPIE		0x1514
#define IGB_EICS		0x1520
#define IGB_EIMS		0x1524
#define IGB_EIAC		0x152c
#define IGB_EICR		0x1580
#define IGB_PBACLR		0x5b68
#define IGB_GPIE_MSIX_MODE	0x80000011
#define IGB_NR_MSIX		10
#define IGB_ALL			GENMASK(IGB_NR_MSIX - 1, 0)

/* Time for an interrupt to arrive, or for one which must not to do so */
#define IGB_IRQ_US		(100 * USEC_PER_MSEC)
#define IGB_NO_IRQ_MS		20

/**
 * struct igb_vector - An MSI-X entry in a test
 * @vector:	Its vector, or NULL when raising it has to reach nobody
 * @count:	How often the handler ran
 * @cpu:	Where it ran the last time
 */
struct igb_vector {
	struct msi_vector	*vector;
	atomic_t		count;
	int			cpu;
};

struct msi_fake_parent;
struct task_struct;

/**
 * struct igb_test - test->priv, set by igb_test_init()
 * @pdev:	The function, bound to the driver of the tests
 * @fake:	From igb_use_fake(), or NULL
 * @regs:	BAR 0, mapped also while the driver is not bound
 * @msix:	The MSI-X table, likewise
 * @pba:	Its pending bits, likewise
 * @domain:	dev_get_msi_domain() at the start
 * @nr_irqs:	igb_count_irqs() before the driver was bound
 * @command:	PCI_COMMAND at the start
 * @vectors:	By MSI-X entry
 */
struct igb_test {
	struct pci_dev		*pdev;
	struct msi_fake_parent	*fake;
	void __iomem		*regs;
	void __iomem		*msix;
	void __iomem		*pba;
	struct irq_domain	*domain;
	unsigned int		nr_irqs;
	u16			command;
	struct igb_vector	vectors[IGB_NR_MSIX];
};

/*
 * Before interrupts are counted: a bridge above stays enabled, and keeps one. And there
 * are machines where the first probe of a function makes one for its line, which stays.
 */
void igb_settle(struct pci_dev *pdev);

/* For struct kunit_suite. Exit unbinds the driver and looks for what is left behind. */
int igb_test_init(struct kunit *test);
/* Where tests bind edus besides, which enables the bridge above some of them */
int igb_edu_test_init(struct kunit *test);
void igb_test_exit(struct kunit *test);

/* Puts the registers in MSI-X mode, all entries enabled. Again after a reset. */
void igb_setup(struct igb_test *igb);

/*
 * A fake MSI parent until the end of the test. Before the first table, and not
 * for interrupts which the device is to raise; see msi_fake_parent_inject().
 */
void igb_use_fake(struct kunit *test, unsigned int flags);

unsigned int igb_count_irqs(void);
u16 igb_command(struct igb_test *igb);
bool igb_msix_on(struct igb_test *igb);
bool igb_msi_on(struct igb_test *igb);

/*
 * x86 has vectors of CPUs, and somebody who reports a message of nobody. No other test
 * knows the architecture.
 */
static inline bool igb_machine_is_x86(void)
{
	return IS_ENABLED(CONFIG_X86);
}

/* dev_id is a struct igb_vector */
irqreturn_t igb_handler(int irq, void *dev_id);

/* pci_allocate_msi_table(), which must not fail */
struct msi_table *igb_create(struct kunit *test, unsigned int flags);

/* Requests the interrupt of igb->vectors[label].vector */
void igb_request(struct kunit *test, u32 label);

/* A vector of the range, which has to be @expected, with igb_handler() on it */
void igb_take(struct kunit *test, struct msi_table *table, u32 lowest, u32 highest, u32 expected);
void igb_give(struct msi_table *table, struct igb_test *igb, u32 label);

/* Frees the table and what igb_take() took */
void igb_free(struct msi_table *table, struct igb_test *igb);

/* The device raises one entry; the handlers see just that, if it has one. */
void igb_raise(struct kunit *test, u32 label);

/* The device raises it, and has to keep it. */
void igb_raise_nobody(struct kunit *test, u32 label);

/* The message in the device's MSI-X table, and whether the entry is masked */
bool igb_read_entry(struct igb_test *igb, u32 label, struct msi_msg *msg);

/* What vectors[label] says its message is, is what the device has. */
void igb_expect_message(struct kunit *test, u32 label);

/* Whether the device keeps an interrupt, to be sent when the entry is unmasked */
bool igb_pending(struct igb_test *igb, u32 label);

/* Waits until igb_handler() has run for the @expected th time. */
bool igb_wait_for(struct igb_vector *v, int expected);

/**
 * struct igb_fire - Raises entries all the time
 * @igb:	The device
 * @task:	Who does it
 * @labels:	The entries
 * @sent:	By entry: what igb_vector::count has to come to
 *
 * An entry is raised again as soon as its interrupt has been handled: two which
 * arrive before the first is handled count as one. No entry waits for another.
 */
struct igb_fire {
	struct igb_test		*igb;
	struct task_struct	*task;
	unsigned long		labels;
	int			sent[IGB_NR_MSIX];
};

struct igb_fire *igb_fire_start(struct kunit *test, unsigned long labels);

/* Waits until an entry has fired @n times more. */
void igb_fire_some(struct kunit *test, u32 label, int n);

/* Exactly what was sent has arrived. */
void igb_fire_stop(struct kunit *test, struct igb_fire *fire);

/* Like igb_raise(), while other entries fire */
void igb_raise_beside(struct kunit *test, u32 label);

/* Like igb_raise(). An interrupt on the move has to arrive on @cpu soon. */
void igb_raise_on(struct kunit *test, u32 label, int cpu);

/* All entries, taken ones @rounds times */
void igb_raise_all(struct kunit *test, int rounds);

/* A batch, which has to have these labels in ascending order. igb_handler() goes on it. */
void igb_adopt(struct kunit *test, struct msi_vector **vectors, unsigned int n,
	       unsigned long labels);

/* After a batch has been freed */
void igb_disown(struct igb_test *igb, unsigned long labels);

/*
 * MSI-X is on with these entries only, or off without any. The interrupt of any other
 * entry does not exist.
 */
void igb_expect_entries(struct kunit *test, unsigned long labels);

/* First and last CPU, if these are two */
bool igb_two_cpus(int cpus[2]);

/* Moves an entry back and forth while it fires. It ends on cpus[1], and loses nothing. */
void igb_move(struct kunit *test, u32 label, const int cpus[2]);

/*
 * QEMU's edu, bound to a driver until the end of the test, and its BAR 0. Or the test
 * is skipped.
 */
struct pci_dev *edu_bind(struct kunit *test, void __iomem **regs);

/* Before the end of a test which has it bound */
void edu_unbind(struct kunit *test);

#endif /* _DRIVERS_PCI_MSI_TABLE_TEST_H */
