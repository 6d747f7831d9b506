// SPDX-License-Identifier: GPL-2.0
/*
 * The contenders of the benchmark which have tables, and what only they can do
 */
#include <linux/device/faux.h>
#include <linux/irq.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>

#include "../msi_table.h"
#include "msi_table_bench.h"

static struct msi_table *bench_table;

static struct bench_slot *bench_table_slot(struct msi_vector *vector)
{
	struct bench_slot *store = msi_table_data(msi_vector_table(vector));

	return &store[msi_vector_label(vector)];
}

static void bench_table_mask(struct msi_vector *vector)
{
	WRITE_ONCE(bench_table_slot(vector)->masked, 1);
}

static void bench_table_unmask(struct msi_vector *vector)
{
	WRITE_ONCE(bench_table_slot(vector)->masked, 0);
}

static void bench_table_write_msg(struct msi_vector *vector, const struct msi_msg *msg)
{
	struct bench_slot *slot = bench_table_slot(vector);

	WRITE_ONCE(slot->address, msi_msg_address(msg));
	WRITE_ONCE(slot->data, msg->data);
}

static const struct msi_table_ops bench_table_ops = {
	.write_msg	= bench_table_write_msg,
	.mask		= bench_table_mask,
	.unmask		= bench_table_unmask,
};

static struct msi_table *bench_new_table(const char *name, u32 size, bool sysfs)
{
	const struct msi_table_info info = {
		.name	= name,
		.ops	= &bench_table_ops,
		.size	= size,
		.parent	= bench_parent,
		.data	= bench_store,
		.flags	= sysfs ? 0 : MSI_TABLE_NO_SYSFS,
	};

	return msi_allocate_table(&bench_faux->dev, &info);
}

static int bench_table_create(u32 size, bool sysfs)
{
	bench_table = bench_new_table("bench", size, sysfs);
	return PTR_ERR_OR_ZERO(bench_table);
}

static void bench_table_destroy(void)
{
	msi_table_free(bench_table);
}

static int bench_table_alloc(struct bench_handle *handle, u32 lowest, u32 highest)
{
	handle->word[0] = msi_table_alloc_vector_range(bench_table, lowest, highest);
	return PTR_ERR_OR_ZERO(handle->word[0]);
}

static void bench_table_free(struct bench_handle *handle)
{
	msi_table_free_vector(bench_table, handle->word[0]);
}

static unsigned int bench_table_irq(struct bench_handle *handle)
{
	return msi_vector_irq(handle->word[0]);
}

/* There is one batch at a time. */
static struct msi_vector *bench_vectors[BENCH_BATCH];

static int bench_table_alloc_batch(unsigned int n, u32 lowest)
{
	const struct msi_vector_request req = { .lowest = lowest, .highest = lowest + n - 1 };
	int ret = msi_table_alloc_vectors(bench_table, &req, n, n, bench_vectors);

	return min(ret, 0);
}

static void bench_table_free_batch(void)
{
	msi_table_free_vectors(bench_table, bench_vectors, BENCH_BATCH);
}

static const struct bench_side bench_c = {
	.name		= "table",
	.create		= bench_table_create,
	.destroy	= bench_table_destroy,
	.alloc		= bench_table_alloc,
	.free		= bench_table_free,
	.irq		= bench_table_irq,
	.alloc_batch	= bench_table_alloc_batch,
	.free_batch	= bench_table_free_batch,
	.is_table	= true,
};

#ifdef CONFIG_MSI_TABLE_BENCH_RUST
static int bench_rust_create(u32 size, bool sysfs)
{
	return msi_bench_rust_create(&bench_faux->dev, bench_parent, size, sysfs, bench_store);
}

static const struct bench_side bench_rust = {
	.name		= "rust",
	.create		= bench_rust_create,
	.destroy	= msi_bench_rust_destroy,
	.alloc		= msi_bench_rust_alloc,
	.free		= msi_bench_rust_free,
	.irq		= msi_bench_rust_irq,
	.alloc_batch	= msi_bench_rust_alloc_batch,
	.free_batch	= msi_bench_rust_free_batch,
	.is_table	= true,
};
#endif

int bench_tables(struct bench_handle *handles)
{
	int ret = 0;

	for (unsigned int sysfs = 0; !ret && sysfs <= 1; sysfs++)
		ret = bench_run_side(&bench_c, sysfs, handles);
#ifdef CONFIG_MSI_TABLE_BENCH_RUST
	for (unsigned int sysfs = 0; !ret && sysfs <= 1; sysfs++)
		ret = bench_run_side(&bench_rust, sysfs, handles);
#endif
	return ret;
}

#ifdef CONFIG_PCI_MSI
static int bench_msix_table_create(u32 size, bool sysfs)
{
	struct msi_vector *vector;

	bench_table = pci_allocate_msi_table(bench_pdev, MSI_TABLE_MSIX);
	if (IS_ERR(bench_table))
		return PTR_ERR(bench_table);

	vector = msi_table_alloc_vector(bench_table, 0);
	if (IS_ERR(vector))
		msi_table_free(bench_table);
	return PTR_ERR_OR_ZERO(vector);
}

static int bench_msix_table_alloc(struct bench_handle *handle, u32 lowest, u32 highest)
{
	u32 last = msi_table_size(bench_table) - 1;

	return bench_table_alloc(handle, lowest + 1, min(highest, last - 1) + 1);
}

static int bench_msix_table_alloc_batch(unsigned int n, u32 lowest)
{
	return bench_table_alloc_batch(n, lowest + 1);
}

static const struct bench_side bench_msix_table = {
	.name		= "msix-table",
	.create		= bench_msix_table_create,
	.destroy	= bench_table_destroy,
	.alloc		= bench_msix_table_alloc,
	.free		= bench_table_free,
	.irq		= bench_table_irq,
	.alloc_batch	= bench_msix_table_alloc_batch,
	.free_batch	= bench_table_free_batch,
	.is_table	= true,
};

static int bench_msix_table_whole(unsigned int n)
{
	int ret;

	bench_table = pci_allocate_msi_table(bench_pdev, MSI_TABLE_MSIX);
	if (IS_ERR(bench_table))
		return PTR_ERR(bench_table);

	ret = bench_table_alloc_batch(n, 0);
	msi_table_free(bench_table);
	return ret;
}

int bench_msix_tables(u32 room, struct bench_handle *handles)
{
	return bench_run_msix(&bench_msix_table, bench_msix_table_whole, room, handles);
}
#endif

/* The lowest free label of a table, when those below bench->live are taken */
static int bench_lowest(struct bench *bench, const char *what, u32 size)
{
	struct bench_handle *handles = bench->handles + bench->live;
	u64 samples[BENCH_MAX_SAMPLES];
	const unsigned int ops = 8;

	for (int i = -1; i < bench_samples; i++) {
		u64 begin = bench_now();

		for (unsigned int op = 0; op < ops; op++) {
			int ret = bench_table_alloc(&handles[op], 0, size - 1);

			if (ret)
				return ret;
		}
		if (i >= 0)
			samples[i] = bench_now() - begin;
		for (unsigned int op = 0; op < ops; op++)
			bench_table_free(&handles[op]);
		rcu_barrier();
	}
	bench_report(bench, what, samples, ops);
	return 0;
}

/*
 * The more interrupts there are in the machine the more does each cost. So the
 * empty table is another one beside the full one.
 */
static int bench_lowest_empty(struct bench *full, u32 size)
{
	struct bench empty = { .side = full->side, .handles = full->handles + full->live };
	struct msi_table *table = bench_table;
	int ret;

	bench_table = bench_new_table("empty", size, false);
	ret = PTR_ERR_OR_ZERO(bench_table) ? : bench_lowest(&empty, "range-empty", size);
	if (!IS_ERR(bench_table))
		msi_table_free(bench_table);
	bench_table = table;
	return ret;
}

/* And the last thing at 2^20: what everything takes at so many */
int bench_huge(struct bench_handle *handles, u32 size)
{
	struct bench bench = { .side = &bench_c, .handles = handles };
	int ret;

	bench_begin();
	ret = bench_table_create(size, false) ? :
	      bench_lowest(&bench, "range-0", size) ? :
	      bench_fill(&bench, size / 2) ? :
	      bench_lowest(&bench, "range-50", size) ? :
	      bench_fill(&bench, size - size / 1000) ? :
	      bench_lowest(&bench, "range-99.9", size) ? :
	      bench_lowest_empty(&bench, size) ? :
	      bench_level(&bench, bench.live);
	return bench_finish(&bench, ret);
}

static int bench_table_once(struct bench_task *task)
{
	struct msi_vector *vector = msi_table_alloc_vector_range(task->table, task->lowest,
								 task->lowest + 31);

	if (IS_ERR(vector))
		return PTR_ERR(vector);
	msi_table_free_vector(task->table, vector);
	return 0;
}

/* New interrupts are what drivers get, with entries in sysfs. */
int bench_two_tables(void)
{
	struct msi_table *a __free(msi_table) = bench_new_table("a", 64, true);
	struct msi_table *b __free(msi_table) = bench_new_table("b", 64, true);
	struct bench_task two[] = {
		{ .once = bench_table_once, .table = a },
		{ .once = bench_table_once, .table = b },
	};

	if (IS_ERR(a) || IS_ERR(b))
		return -ENOMEM;
	return bench_pair("table", "tasks-cold", two);
}
