/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KERNEL_IRQ_TESTS_MSI_TABLE_BENCH_H
#define _KERNEL_IRQ_TESTS_MSI_TABLE_BENCH_H

#include <linux/types.h>

#define BENCH_MAX_SAMPLES	33
#define BENCH_BATCH		32
#define BENCH_MAX_TABLE		1048576

#ifdef CONFIG_MSI_TABLE_BENCH
/* What device-specific stores want of a parent */
#define BENCH_PARENT_FLAGS	(MSI_FLAG_IMS | MSI_FLAG_MULTI_DOMAIN)
#else
#define BENCH_PARENT_FLAGS	0
#endif

struct device;
struct faux_device;
struct irq_domain;
struct msi_table;
struct pci_dev;
struct task_struct;

/* What the device would read */
struct bench_slot {
	u64	address;
	u32	data;
	u32	masked;
};

/* Whatever a contender knows an interrupt by, where its driver would keep it */
struct bench_handle {
	void	*word[2];
};

/**
 * struct bench_side - A contender
 * @name:		Its name
 * @create:		Make room for that many interrupts, with entries in sysfs or not
 * @destroy:		Undo @create
 * @alloc:		Allocate one, at the lowest free label of a range
 * @free:		Free it
 * @irq:		Its Linux interrupt number
 * @alloc_batch:	Allocate several with consecutive labels
 * @free_batch:		Free them
 * @is_table:		This is what is on trial.
 */
struct bench_side {
	const char	*name;
	int		(*create)(u32 size, bool sysfs);
	void		(*destroy)(void);
	int		(*alloc)(struct bench_handle *handle, u32 lowest, u32 highest);
	void		(*free)(struct bench_handle *handle);
	unsigned int	(*irq)(struct bench_handle *handle);
	int		(*alloc_batch)(unsigned int n, u32 lowest);
	void		(*free_batch)(void);
	bool		is_table;
};

/**
 * struct bench - A run of one contender
 * @side:	The contender
 * @sysfs:	With entries in msi_irqs/
 * @live:	How many interrupts are allocated, at the labels from 0 on
 * @handles:	Their handles
 */
struct bench {
	const struct bench_side	*side;
	bool			sysfs;
	u32			live;
	struct bench_handle	*handles;
};

/**
 * struct bench_task - One of the tasks which work side by side
 * @once:	What it does, again and again: allocate and free
 * @table:	Its table
 * @lowest:	The first of its labels
 * @dev:	Its device, when it has no table
 * @task:	The task
 * @done:	How often it has freed and allocated
 * @error:	Why it could not any more
 */
struct bench_task {
	int			(*once)(struct bench_task *task);
	struct msi_table	*table;
	u32			lowest;
	struct device		*dev;
	struct task_struct	*task;
	u64			done;
	int			error;
};

/* To see that all of it works takes few. */
extern int bench_samples;

extern struct faux_device *bench_faux;
extern struct irq_domain *bench_parent;
extern struct pci_dev *bench_pdev;
/* The store, of whoever is on */
extern struct bench_slot *bench_store;

u64 bench_now(void);
void bench_begin(void);
void bench_report(const struct bench *bench, const char *what, u64 *samples, unsigned int ops);
int bench_fill(struct bench *bench, u32 live);
int bench_level(struct bench *bench, u32 live);
int bench_finish(struct bench *bench, int ret);
int bench_run_side(const struct bench_side *side, bool sysfs, struct bench_handle *handles);
int bench_run_msix(const struct bench_side *side, int (*whole)(unsigned int n), u32 room,
		   struct bench_handle *handles);
int bench_pair(const char *side, const char *what, struct bench_task *two);

/* What there is with tables, msi_table_bench_tables.c */
int bench_tables(struct bench_handle *handles);
int bench_msix_tables(u32 room, struct bench_handle *handles);
int bench_huge(struct bench_handle *handles, u32 size);
int bench_two_tables(void);

/* The contender in Rust, msi_table_bench_rust.rs */
int msi_bench_rust_create(struct device *dev, struct irq_domain *parent, u32 size, bool sysfs,
			  struct bench_slot *store);
void msi_bench_rust_destroy(void);
int msi_bench_rust_alloc(struct bench_handle *handle, u32 lowest, u32 highest);
void msi_bench_rust_free(struct bench_handle *handle);
unsigned int msi_bench_rust_irq(struct bench_handle *handle);
int msi_bench_rust_alloc_batch(unsigned int n, u32 lowest);
void msi_bench_rust_free_batch(void);

#endif /* _KERNEL_IRQ_TESTS_MSI_TABLE_BENCH_H */
