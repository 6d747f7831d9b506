// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: large labels, large tables, files which show them
 */
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/irqdomain.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mount.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>

#include "msi_table_test.h"

/* From a store without a hardware index, as many labels as there are */
static void look_beyond_16_bits(struct kunit *test)
{
	static const u32 first[] = { 65534, 70000, (1 << 20) - 2, S32_MAX - 1, MSI_LABEL_ANY - 4 };
	struct mtt_batch *batches[ARRAY_SIZE(first)];

	mtt_create(test, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(first); i++) {
		batches[i] = mtt_batch_alloc(test, first[i], MSI_LABEL_ANY, 4);
		mtt_batch_expect_labels_from(test, batches[i], first[i]);
		mtt_batch_request(test, batches[i]);
	}
	/* What 16 bits, or 20, have in common is still told apart. */
	for (unsigned int i = 0; i < ARRAY_SIZE(first); i++)
		mtt_batch_expect_delivery(test, batches[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(first); i++) {
		mtt_batch_free(test, batches[i]);
		for (unsigned int j = i + 1; j < ARRAY_SIZE(first); j++)
			mtt_expect_delivery(test, first[j], batches[j]->hits[0]);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(first); i++)
		mtt_batch_expect_gone(test, batches[i]);
}

/* The last label is one below MSI_LABEL_ANY. */
static void look_at_the_last_label(struct kunit *test)
{
	struct mtt_batch *batch = mtt_batch_new(test);
	struct mtt_ctx *ctx = mtt_create(test, 0);
	const u32 last = MSI_LABEL_ANY - 1;
	struct msi_vector *vector;

	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, batch, last - 2, MSI_LABEL_ANY, 4, 8),
			-ENOSPC);
	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, batch, last - 2, MSI_LABEL_ANY, 1, 8), 3);
	mtt_batch_expect_labels_from(test, batch, last - 2);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last, last), -EBUSY);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last, MSI_LABEL_ANY), -EBUSY);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last - 1, MSI_LABEL_ANY), -ENOSPC);

	msi_table_free_vector(ctx->table, batch->vectors[2]);
	vector = mtt_alloc(test, last);
	mtt_expect_delivery(test, last, mtt_request(test, vector));
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), 0);
}

static void look_at_a_million(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, 1 << 20);
	const u32 last = (1 << 20) - 1;
	struct mtt_batch *batch = mtt_batch_new(test);
	struct msi_vector *vectors[2];

	KUNIT_EXPECT_EQ(test, msi_table_size(ctx->table), 1 << 20);
	vectors[0] = mtt_alloc(test, 0);
	vectors[1] = mtt_alloc(test, last);
	mtt_expect_delivery(test, 0, mtt_request(test, vectors[0]));
	mtt_expect_delivery(test, last, mtt_request(test, vectors[1]));

	/* A range at the end: what is free of it, all of it, and beyond it */
	KUNIT_EXPECT_EQ(test, mtt_batch_try_range(test, batch, last - 4, MSI_LABEL_ANY, 1, 8), 4);
	mtt_batch_expect_labels_from(test, batch, last - 4);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last - 4, last), -ENOSPC);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last, last), -EBUSY);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last, last + 1), -ERANGE);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last + 1, last + 1), -ERANGE);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, last + 1, MSI_LABEL_ANY), -ERANGE);
	mtt_batch_request(test, batch);
	mtt_batch_expect_delivery(test, batch);

	/* The lowest free label of a range which is nearly the table */
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), 1);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 1, last), 2);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 65536, last), 65536);
}

#define LOOK_BATCH	4096
/* More than 65536 vectors */
#define LOOK_BATCHES	17

static bool many;
module_param(many, bool, 0444);
MODULE_PARM_DESC(many, "Allocate more than 65536 vectors, which takes long with debugging (default off)");

static unsigned long look_available(void)
{
	/* Freed objects wait for RCU and in caches. */
	rcu_barrier();
	return si_mem_available();
}

static void look_check_sample(struct kunit *test, struct msi_vector *vector)
{
	mtt_expect_delivery(test, msi_vector_label(vector), mtt_request(test, vector));
	msi_vector_free_irq(vector);
}

static void look_at_many(struct kunit *test)
{
	const struct msi_vector_request req = {
		.highest	= MSI_LABEL_ANY,
	};
	struct msi_vector **vectors[LOOK_BATCHES];
	unsigned long available;
	struct mtt_ctx *ctx;

	if (!many)
		kunit_skip(test, "the parameter many is not set");
	if (!IS_ENABLED(CONFIG_SPARSE_IRQ))
		kunit_skip(test, "needs CONFIG_SPARSE_IRQ");
	if (totalram_pages() < 700UL * SZ_1M / PAGE_SIZE)
		kunit_skip(test, "needs 700 MB of memory");

	ctx = mtt_create_on(test, 0, LOOK_BATCH * LOOK_BATCHES, 0);
	available = look_available();
	for (unsigned int i = 0; i < LOOK_BATCHES; i++) {
		vectors[i] = kunit_kcalloc(test, LOOK_BATCH, sizeof(*vectors[i]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, vectors[i]);
		KUNIT_ASSERT_EQ(test, LOOK_BATCH,
				msi_table_alloc_vectors(ctx->table, &req, LOOK_BATCH, LOOK_BATCH,
							vectors[i]));
		for (unsigned int j = 0; j < LOOK_BATCH; j++) {
			if (msi_vector_label(vectors[i][j]) != i * LOOK_BATCH + j)
				KUNIT_FAIL_AND_ABORT(test, "batch %u: label %u of vector %u", i,
						     msi_vector_label(vectors[i][j]), j);
		}
		/* With a debug kernel a vector takes many times what it takes else. */
		if (!i) {
			unsigned long now = look_available();
			unsigned long used = available - min(available, now);

			if (used > now / LOOK_BATCHES)
				kunit_skip(test, "needs %lu MB of memory, there are %lu",
					   PAGES_TO_MB(used * LOOK_BATCHES),
					   PAGES_TO_MB(available));
		}
	}
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), LOOK_BATCH * LOOK_BATCHES);
	KUNIT_EXPECT_EQ(test, mtt_alloc_error(test, 0, MSI_LABEL_ANY), -ENOSPC);

	look_check_sample(test, vectors[0][0]);
	look_check_sample(test, vectors[15][LOOK_BATCH - 1]);
	look_check_sample(test, vectors[16][0]);
	look_check_sample(test, vectors[16][LOOK_BATCH - 1]);

	for (unsigned int i = 0; i < LOOK_BATCHES; i++)
		msi_table_free_vectors(ctx->table, vectors[i], LOOK_BATCH);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
	KUNIT_EXPECT_EQ(test, mtt_alloc_label(test, 0, MSI_LABEL_ANY), 0);
}

static __printf(2, 3) char *look_printf(struct kunit *test, const char *fmt, ...)
{
	char *text = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	va_list args;

	KUNIT_ASSERT_NOT_NULL(test, text);
	va_start(args, fmt);
	vscnprintf(text, PAGE_SIZE, fmt, args);
	va_end(args);
	return text;
}

static void look_unmount(void *mnt)
{
	kern_unmount(mnt);
}

/* Nothing is mounted yet when built-in tests run. */
static struct vfsmount *look_mount(struct kunit *test, const char *name)
{
	struct file_system_type *type = get_fs_type(name);
	struct vfsmount *mnt;

	if (!type)
		kunit_skip(test, "there is no %s", name);
	mnt = kern_mount(type);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mnt);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, look_unmount, mnt));
	return mnt;
}

#ifdef CONFIG_GENERIC_IRQ_DEBUGFS
/*
 * A file which can be read to user space only, to @text, at once or in pieces. Returns how
 * many of them it has.
 */
static unsigned int look_seq_show(struct seq_file *m, char *text, size_t size, bool in_pieces)
{
	unsigned int pieces = 0;
	loff_t pos = 0;
	void *v;

	m->buf = text;
	m->size = size;
	m->count = 0;
	do {
		v = m->op->start(m, &pos);
		while (v) {
			m->op->show(m, v);
			pieces++;
			v = m->op->next(m, v, &pos);
			if (in_pieces)
				break;
		}
		m->op->stop(m, v);
	} while (v);
	m->buf[m->count] = '\0';
	m->buf = NULL;
	return pieces;
}
#endif

/* One vector is in use, and another one has no handler. */
static void look_in_debugfs(struct kunit *test)
{
#ifdef CONFIG_GENERIC_IRQ_DEBUGFS
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct msi_table_info info = mtt_info(ctx);
	struct vfsmount *debugfs = look_mount(test, "debugfs");
	struct msi_vector *idle = mtt_alloc(test, 2), *used = mtt_alloc(test, 5);
	unsigned int irq = msi_vector_irq(used);
	struct msi_msg msg;
	char *path, *text, *want, *domain;
	struct file *file;

	mtt_expect_delivery(test, 5, mtt_request(test, used));
	KUNIT_ASSERT_EQ(test, msi_vector_get_msg(used, &msg), 0);

	path = look_printf(test, "irq/msi_tables/%s-%s", dev_name(ctx->dev), info.name);
	text = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL);
	want = look_printf(test, "device:  %s\nkind:    IMS\nname:    %s\nsize:    %u\n"
			   "live:    2\n"
			   "     label    irq address            data            count affinity\n"
			   "%10u %6u %-18s %-10s %10u %*pbl\n"
			   "%10u %6u 0x%016llx 0x%08x %10u %*pbl\n",
			   dev_name(ctx->dev), info.name, MTT_SIZE,
			   2, msi_vector_irq(idle), "-", "-", 0,
			   cpumask_pr_args(irq_get_affinity_mask(msi_vector_irq(idle))),
			   5, irq, msi_msg_address(&msg), msg.data, 1,
			   cpumask_pr_args(irq_get_affinity_mask(irq)));
	KUNIT_ASSERT_NOT_NULL(test, text);

	file = file_open_root_mnt(debugfs, path, O_RDONLY, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	for (int in_pieces = 0; in_pieces < 2; in_pieces++) {
		unsigned int pieces = look_seq_show(file->private_data, text, PAGE_SIZE, in_pieces);

		/* The head, and no label where there is nothing */
		KUNIT_EXPECT_LE(test, pieces, 4);
		KUNIT_EXPECT_STREQ(test, text, want);
	}
	fput(file);
	KUNIT_EXPECT_STREQ(test, mtt_irq_desc(irq)->dev_name, dev_name(ctx->dev));

	domain = look_printf(test, "irq/domains/%s", irq_get_irq_data(irq)->domain->name);
	file = file_open_root_mnt(debugfs, domain, O_RDONLY, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	fput(file);

	msi_table_free(ctx->table);
	ctx->table = NULL;
	KUNIT_EXPECT_PTR_EQ(test, file_open_root_mnt(debugfs, path, O_RDONLY, 0),
			    ERR_PTR(-ENOENT));
	KUNIT_EXPECT_PTR_EQ(test, file_open_root_mnt(debugfs, domain, O_RDONLY, 0),
			    ERR_PTR(-ENOENT));
#else
	kunit_skip(test, "needs CONFIG_GENERIC_IRQ_DEBUGFS");
#endif
}

/* What the MSI core says of an interrupt which is not MSI-X */
static void look_in_sysfs(struct kunit *test)
{
	struct mtt_ctx *ctx = mtt_create(test, MTT_SIZE);
	struct vfsmount *sysfs = look_mount(test, "sysfs");
	unsigned int irq = msi_vector_irq(mtt_alloc(test, 1));
	char *dev = kobject_get_path(&ctx->dev->kobj, GFP_KERNEL);
	char text[8] = { };
	struct file *file;
	loff_t pos = 0;
	char *path;

	KUNIT_ASSERT_NOT_NULL(test, dev);
	path = look_printf(test, "%s/msi_irqs/%u", dev, irq);
	kfree(dev);
	file = file_open_root_mnt(sysfs, path, O_RDONLY, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_EXPECT_EQ(test, kernel_read(file, text, sizeof(text) - 1, &pos), 4);
	fput(file);
	KUNIT_EXPECT_STREQ(test, text, "msi\n");
}

static struct kunit_case mtt_look_cases[] = {
	KUNIT_CASE(look_beyond_16_bits),
	KUNIT_CASE(look_at_the_last_label),
	KUNIT_CASE(look_at_a_million),
	KUNIT_CASE(look_in_debugfs),
	KUNIT_CASE(look_in_sysfs),
	KUNIT_CASE_SLOW(look_at_many),
	{ }
};

static struct kunit_suite mtt_look_suite = {
	.name		= "msi_table_look",
	.init		= mtt_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_look_cases,
};

kunit_test_suite(mtt_look_suite);
