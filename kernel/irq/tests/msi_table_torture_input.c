// SPDX-License-Identifier: GPL-2.0
/*
 * Torture test of MSI tables: arguments at their edges and beyond
 *
 * Each wrong one gives its error and changes nothing, which is seen by what is
 * right working afterwards. NULL where an object or a callback has to be, a watcher
 * which watches already, and what the kernel warns about, is not input but misuse,
 * and not tested here: a vector of another table, a vector freed with a handler
 * behind the table's back or with a watcher, an IRQF_ONESHOT handler without a
 * thread. Nor is a batch of more vectors than memory has, for the caller has to
 * have room for the result.
 */
#include <linux/bits.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "msi_table_torture.h"

#define INPUT_CAPACITY	16
#define INPUT_SIZE	8
#define INPUT_LONG_NAME	4000

#define INPUT_FLAGS	(MSI_TABLE_UNREMAPPED | MSI_TABLE_NO_SYSFS)

#define input_expect(_value, _expected)							\
({											\
	long _v = (_value), _e = (_expected);						\
											\
	torture_count(TORTURE_INPUT_CASES, 1);						\
	torture_check(_v == _e, "%s: %ld instead of %ld", #_value, _v, _e);		\
})

static long input_alloc(struct msi_table *table, u32 lowest, u32 highest)
{
	return PTR_ERR_OR_ZERO(msi_table_alloc_vector_range(table, lowest, highest));
}

static long input_batch(struct msi_table *table, u32 lowest, u32 highest, unsigned int min,
			unsigned int max)
{
	struct msi_vector_request req = { .lowest = lowest, .highest = highest };
	struct msi_vector *vectors[INPUT_CAPACITY];
	int ret;

	ret = msi_table_alloc_vectors(table, &req, min, max, vectors);
	if (ret > 0)
		msi_table_free_vectors(table, vectors, ret);
	return ret;
}

/* The table works, whatever was done to it. */
static void input_use(struct torture_rig *rig, struct msi_table *table, u32 label, bool fire)
{
	struct msi_vector *vector = msi_table_alloc_vector(table, label);
	struct torture_hits hits = { };

	if (!torture_check(!IS_ERR(vector), "label %u: %pe", label, vector))
		return;
	input_expect(msi_vector_label(vector), label);
	input_expect(torture_request(vector, &hits), 0);
	if (fire)
		torture_expect_hit(rig, label, &hits);
	msi_table_free_vector(table, vector);
}

static void input_create(struct torture_rig *rig, const struct msi_table_info *info, long expected)
{
	struct msi_table *table = msi_allocate_table(torture_dev(rig), info);
	long ret = PTR_ERR_OR_ZERO(table);

	torture_count(TORTURE_INPUT_CASES, 1);
	torture_check(ret == expected, "table \"%.20s\" of %u, flags %x: %ld instead of %ld",
		      info->name ? : "(none)", info->size, info->flags, ret, expected);
	if (ret)
		return;
	/* The double knows nothing of MMIO, and stays masked without unmask. */
	input_use(rig, table, 0, info->ops && info->ops->unmask);
	msi_table_free(table);
}

static void input_names(struct torture_rig *rig)
{
	static const char * const names[] = {
		"", "/", "a/b", "..", "../..", " ", "%s%n", "\n", "store-store", "\xff\xfe",
	};
	char *name __free(kfree) = kzalloc(INPUT_LONG_NAME + 1, GFP_KERNEL);
	struct msi_table_info info = rig->info;

	if (!torture_check(name, "no memory"))
		return;

	info.name = NULL;
	input_create(rig, &info, -EINVAL);
	for (int i = 0; i < ARRAY_SIZE(names); i++) {
		info.name = names[i];
		input_create(rig, &info, 0);
	}

	memset(name, 'n', INPUT_LONG_NAME);
	info.name = name;
	input_create(rig, &info, 0);
	name[300] = '\0';
	input_create(rig, &info, 0);
	name[100] = '\0';
	input_create(rig, &info, 0);

	if (!torture_check(!torture_create(rig), "no table"))
		return;
	info.name = rig->info.name;
	input_create(rig, &info, -EEXIST);
	info.name = "other";
	input_create(rig, &info, 0);
	torture_free_table(rig);
}

static void input_flags(struct torture_rig *rig)
{
	struct msi_table_info info = rig->info;

	for (int bit = 0; bit < BITS_PER_TYPE(info.flags); bit++) {
		info.flags = BIT(bit);
		input_create(rig, &info, info.flags & ~INPUT_FLAGS ? -EINVAL : 0);
		info.flags |= INPUT_FLAGS;
		input_create(rig, &info, info.flags & ~INPUT_FLAGS ? -EINVAL : 0);
	}
	info.flags = ~0U;
	input_create(rig, &info, -EINVAL);
}

static void input_ops(struct torture_rig *rig)
{
	const struct msi_table_ops all = msi_fake_store_ops_slow;
	struct msi_table_info info = rig->info;
	struct msi_table_ops ops;

	info.ops = NULL;
	input_create(rig, &info, -EINVAL);
	info.ops = &ops;
	ops = (struct msi_table_ops) { };
	input_create(rig, &info, -EINVAL);

	/* Each one which is missing, of those which need each other */
	for (int bits = 0; bits < 64; bits++) {
		bool mask = bits & 1, unmask = bits & 2, lock = bits & 4, unlock = bits & 8;
		bool write = bits & 16, clear = bits & 32, right;

		ops = msi_fake_store_ops;
		if (!write)
			ops.write_msg = NULL;
		if (!clear)
			ops.clear_msg = NULL;
		if (!mask)
			ops.mask = NULL;
		if (!unmask)
			ops.unmask = NULL;
		ops.lock = lock ? all.lock : NULL;
		ops.unlock = unlock ? all.unlock : NULL;

		right = write && mask == unmask && lock == unlock && (mask || clear);
		/* The messages of this parent change with the affinity. */
		if (right)
			input_create(rig, &info, lock ? -EOPNOTSUPP : 0);
		else
			input_create(rig, &info, -EINVAL);
	}

	/* Without any of those which are optional there is no slot to look at. */
	ops = (struct msi_table_ops) {
		.write_msg	= msi_fake_store_ops.write_msg,
		.clear_msg	= msi_fake_store_ops.clear_msg,
		.exit_vector	= msi_fake_store_ops.exit_vector,
		.init_vector	= msi_fake_store_ops.init_vector,
	};
	input_create(rig, &info, 0);
}

static void input_mmio(struct torture_rig *rig)
{
	u32 *regs __free(kfree) = kcalloc(INPUT_SIZE, 4 * sizeof(u32), GFP_KERNEL);
	const struct msi_mmio_layout right = {
		.base		= (void __iomem __force *)regs,
		.stride		= 16,
		.address_lo	= 0,
		.address_hi	= 4,
		.data		= 8,
		.control	= 12,
		.mask		= 1,
	};
	struct msi_mmio_layout layout = right;
	struct msi_table_info info = rig->info;
	u32 * const places[] = {
		&layout.address_lo, &layout.address_hi, &layout.data, &layout.control,
	};
	struct msi_table *table;

	/* Is memory as good as registers? */
	if (IS_ENABLED(CONFIG_INDIRECT_IOMEM) && !IS_ENABLED(CONFIG_INDIRECT_IOMEM_FALLBACK))
		return;
	if (!torture_check(regs, "no memory"))
		return;

	info.mmio = &layout;
	input_create(rig, &info, -EINVAL);
	info.ops = NULL;

	layout.base = NULL;
	input_create(rig, &info, -EINVAL);
	layout.base = right.base + 2;
	input_create(rig, &info, -EINVAL);
	layout = right;
	layout.mask = 0;
	input_create(rig, &info, -EINVAL);
	layout = right;
	layout.stride = 0;
	input_create(rig, &info, -EINVAL);
	layout.stride = 18;
	input_create(rig, &info, -EINVAL);
	layout.stride = 12;
	input_create(rig, &info, -EINVAL);
	layout = right;
	info.size = 0;
	input_create(rig, &info, -EINVAL);
	info.size = INPUT_SIZE;
	for (int i = 0; i < ARRAY_SIZE(places); i++) {
		static const u32 wrong[] = { 1, 2, 3, 16, 20, U32_MAX - 3, U32_MAX };

		for (int j = 0; j < ARRAY_SIZE(wrong); j++) {
			layout = right;
			*places[i] = wrong[j];
			input_create(rig, &info, -EINVAL);
		}
		layout = right;
		*places[i] = *places[(i + 1) % ARRAY_SIZE(places)];
		input_create(rig, &info, -EINVAL);
	}

	layout = right;
	table = msi_allocate_table(torture_dev(rig), &info);
	if (!input_expect(PTR_ERR_OR_ZERO(table), 0))
		return;
	input_expect(input_alloc(table, INPUT_SIZE - 1, INPUT_SIZE - 1), 0);
	input_expect(regs[4 * (INPUT_SIZE - 1) + 3], 1);
	input_expect(input_alloc(table, INPUT_SIZE, INPUT_SIZE), -ERANGE);
	msi_table_free(table);
}

static void input_parents(struct torture_rig *rig)
{
	struct msi_fake_parent *shy = msi_fake_parent_create(INPUT_CAPACITY, MSI_FAKE_NO_IMS);
	struct msi_fake_parent *pci = msi_fake_parent_create(INPUT_CAPACITY, MSI_FAKE_PCI_ONLY);
	struct msi_fake_parent *empty = msi_fake_parent_create(0, 0);
	struct msi_fake_parent *unknown = msi_fake_parent_create(INPUT_CAPACITY, BIT(31));
	struct msi_table_info info = rig->info;
	struct msi_table *table;

	if (!torture_check(!IS_ERR(shy) && !IS_ERR(pci) && !IS_ERR(empty), "no parents"))
		return;
	input_expect(PTR_ERR_OR_ZERO(unknown), -EINVAL);

	/* The device has none. */
	info.parent = NULL;
	input_create(rig, &info, -ENODEV);
	info.parent = msi_fake_parent_domain(shy);
	input_create(rig, &info, -EOPNOTSUPP);
	info.parent = msi_fake_parent_domain(pci);
	input_create(rig, &info, -EOPNOTSUPP);
	info.flags = MSI_TABLE_UNREMAPPED;
	input_create(rig, &info, -EOPNOTSUPP);

	info = rig->info;
	info.parent = msi_fake_parent_domain(empty);
	table = msi_allocate_table(torture_dev(rig), &info);
	if (input_expect(PTR_ERR_OR_ZERO(table), 0)) {
		input_expect(input_alloc(table, 0, MSI_LABEL_ANY), -ENOSPC);
		input_expect(input_batch(table, 0, MSI_LABEL_ANY, 1, 4), -ENOSPC);
		msi_table_free(table);
	}
	msi_fake_parent_destroy(shy);
	msi_fake_parent_destroy(pci);
	msi_fake_parent_destroy(empty);
}

static void input_sizes(struct torture_rig *rig)
{
	static const u32 sizes[] = {
		0, 1, 2, U16_MAX, U16_MAX + 1, U16_MAX + 2, 1 << 20, S32_MAX, U32_MAX - 1, U32_MAX,
	};
	struct msi_table_info info = rig->info;

	for (int i = 0; i < ARRAY_SIZE(sizes) && !torture_failed(); i++) {
		u32 last = (sizes[i] ? : MSI_LABEL_ANY) - 1;
		struct msi_table *table;

		info.size = sizes[i];
		table = msi_allocate_table(torture_dev(rig), &info);
		if (!input_expect(PTR_ERR_OR_ZERO(table), 0))
			return;

		input_expect(msi_table_size(table), sizes[i]);
		input_use(rig, table, last, true);
		input_expect(input_alloc(table, last, MSI_LABEL_ANY), 0);
		input_expect(input_alloc(table, last, last), -EBUSY);
		input_expect(input_alloc(table, last, MSI_LABEL_ANY), -EBUSY);
		if (last != MSI_LABEL_ANY - 1) {
			input_expect(input_alloc(table, last + 1, last + 1), -ERANGE);
			input_expect(input_alloc(table, 0, last + 1), -ERANGE);
			input_expect(input_alloc(table, last + 1, MSI_LABEL_ANY), -ERANGE);
			input_expect(input_alloc(table, MSI_LABEL_ANY - 1, MSI_LABEL_ANY - 1),
				     -ERANGE);
		}
		input_expect(input_alloc(table, MSI_LABEL_ANY, MSI_LABEL_ANY), -ERANGE);
		if (last) {
			input_expect(input_alloc(table, last, last - 1), -ERANGE);
			input_expect(input_alloc(table, 0, last), 0);
			input_expect(input_alloc(table, 0, 0), -EBUSY);
		} else {
			input_expect(input_alloc(table, 0, MSI_LABEL_ANY), -EBUSY);
		}
		msi_table_free(table);
	}
}

static void input_batches(struct torture_rig *rig)
{
	struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	void *cookies[2] = { &cookies[0], &cookies[1] };
	struct msi_vector *vectors[2];
	struct msi_table *table;

	if (!torture_check(!torture_create(rig), "no table"))
		return;

	table = rig->table;
	input_expect(input_batch(table, 0, MSI_LABEL_ANY, 0, 0), -EINVAL);
	input_expect(input_batch(table, 0, MSI_LABEL_ANY, 0, 1), -EINVAL);
	input_expect(input_batch(table, 0, MSI_LABEL_ANY, 2, 1), -EINVAL);
	input_expect(input_batch(table, 0, MSI_LABEL_ANY, UINT_MAX, 1), -EINVAL);
	input_expect(input_batch(table, 0, MSI_LABEL_ANY, 1, INPUT_SIZE), INPUT_SIZE);
	input_expect(input_batch(table, 0, MSI_LABEL_ANY, INPUT_SIZE, INPUT_SIZE), INPUT_SIZE);
	/* There is room for as many as the table can give. */
	input_expect(input_batch(table, 0, MSI_LABEL_ANY, 1, UINT_MAX), INPUT_SIZE);
	input_expect(input_batch(table, 0, MSI_LABEL_ANY, INPUT_SIZE + 1, UINT_MAX), -ENOSPC);
	input_expect(input_batch(table, 0, MSI_LABEL_ANY, UINT_MAX, UINT_MAX), -ENOSPC);
	input_expect(input_batch(table, 3, 5, 3, 3), 3);
	input_expect(input_batch(table, 3, 5, 4, 4), -ENOSPC);
	input_expect(input_batch(table, 5, 5, 1, 2), 1);
	input_expect(input_batch(table, 5, 3, 1, 2), -ERANGE);
	input_expect(input_batch(table, 5, INPUT_SIZE, 1, 2), -ERANGE);
	input_expect(input_batch(table, U32_MAX, U32_MAX, 1, 2), -ERANGE);

	/* Of both, the one for each vector counts. */
	req.cookie = rig;
	req.cookies = cookies;
	input_expect(msi_table_alloc_vectors(table, &req, 2, 2, vectors), 2);
	for (int i = 0; i < 2 && !torture_failed(); i++)
		input_expect(msi_vector_cookie(vectors[i]) == &cookies[i], true);
	if (torture_failed())
		return;
	msi_table_free_vectors(table, vectors, 2);

	input_expect(input_alloc(table, 4, 4), 0);
	input_expect(input_batch(table, 3, 5, 3, 3), -ENOSPC);
	input_expect(input_batch(table, 3, 5, 2, 3), 2);
	input_expect(input_batch(table, 4, 4, 1, 1), -EBUSY);

	msi_table_free_vectors(table, NULL, 0);
	input_use(rig, table, 5, true);
	torture_free_table(rig);
}

/* A huge batch out of a store without an index, of which the range has only a few */
static void input_huge_batch(struct torture_rig *rig)
{
	u32 size = rig->info.size;

	rig->info.size = 0;
	if (torture_check(!torture_create(rig), "no table")) {
		input_expect(input_batch(rig->table, 70000, 70007, 1, UINT_MAX), 8);
		input_expect(input_batch(rig->table, MSI_LABEL_ANY - 2, MSI_LABEL_ANY, 1, UINT_MAX),
			     2);
		input_expect(input_batch(rig->table, 1, MSI_LABEL_ANY, UINT_MAX, UINT_MAX),
			     -ENOSPC);
		torture_free_table(rig);
	}
	rig->info.size = size;
}

static void input_notify(struct msi_watcher *watcher, const struct msi_msg *msg) { }

static long input_request(struct msi_vector *vector, irq_handler_t handler, unsigned long flags,
			  void *dev_id)
{
	return msi_vector_request_irq(vector, handler, NULL, flags, dev_id, "msi_torture");
}

static void input_vector(struct torture_rig *rig)
{
	struct msi_watcher watcher = { .notify = input_notify }, never = { };
	struct msi_vector *vector;
	struct torture_hits hits = { };
	struct msi_msg msg;

	if (!torture_check(!torture_create(rig), "no table"))
		return;

	msi_table_restore(rig->table);
	vector = msi_table_alloc_vector(rig->table, 2);
	if (!input_expect(PTR_ERR_OR_ZERO(vector), 0))
		return;

	msi_vector_free_irq(vector);
	msi_table_restore(rig->table);
	input_expect(msi_vector_get_msg(vector, &msg), -EAGAIN);
	input_expect(input_request(vector, NULL, 0, &hits), -EINVAL);
	input_expect(input_request(vector, torture_handler, IRQF_SHARED, NULL), -EINVAL);
	input_expect(input_request(vector, torture_handler, IRQF_SHARED | IRQF_NO_AUTOEN, &hits),
		     -EINVAL);
	input_expect(input_request(vector, torture_handler, IRQF_COND_SUSPEND, &hits), -EINVAL);
	input_expect(msi_vector_get_msg(vector, &msg), -EAGAIN);

	input_expect(torture_request(vector, &hits), 0);
	input_expect(torture_request(vector, &hits), -EBUSY);
	input_expect(torture_request(vector, &hits), -EBUSY);
	torture_expect_hit(rig, 2, &hits);

	msi_vector_unwatch(vector, &never);
	msi_vector_watch(vector, &watcher);
	msi_vector_unwatch(vector, &watcher);
	msi_vector_unwatch(vector, &watcher);
	msi_vector_watch(vector, &watcher);
	msi_vector_unwatch(vector, &watcher);
	torture_expect_hit(rig, 2, &hits);

	msi_vector_free_irq(vector);
	msi_vector_free_irq(vector);
	input_expect(msi_vector_get_msg(vector, &msg), -EAGAIN);
	input_expect(msi_vector_request_irq(vector, torture_handler, NULL, IRQF_NO_THREAD, &hits,
					    "%s", "x"), 0);
	torture_expect_hit(rig, 2, &hits);

	/* On its own thread alone */
	msi_vector_free_irq(vector);
	input_expect(msi_vector_request_irq(vector, NULL, torture_thread, IRQF_ONESHOT, &hits,
					    "msi_torture"), 0);
	input_expect(msi_fake_store_fire(rig->store, rig->parent, 2), 0);
	torture_check(torture_reaches(&hits.thread, 1), "the thread does not run");
	torture_free_table(rig);
}

/* Whatever a handler is requested with, the next one has nothing of it. */
static void input_handler_flags(struct torture_rig *rig)
{
	if (!torture_check(!torture_create(rig), "no table"))
		return;

	for (int bit = 0; bit < 32 && !torture_failed(); bit++) {
		unsigned long flags = BIT(bit);
		struct msi_vector *vector;
		struct torture_hits hits = { };

		if (flags == IRQF_ONESHOT)
			continue;
		vector = msi_table_alloc_vector(rig->table, 3);
		if (!input_expect(PTR_ERR_OR_ZERO(vector), 0))
			return;
		input_expect(input_request(vector, torture_handler, flags, &hits),
			     flags == IRQF_COND_SUSPEND ? -EINVAL : 0);
		if (flags == IRQF_NO_AUTOEN)
			enable_irq(msi_vector_irq(vector));
		if (flags != IRQF_COND_SUSPEND)
			torture_expect_hit(rig, 3, &hits);
		msi_table_free_vector(rig->table, vector);

		vector = msi_table_alloc_vector(rig->table, 3);
		if (!input_expect(PTR_ERR_OR_ZERO(vector), 0))
			return;
		input_expect(irq_is_percpu(msi_vector_irq(vector)), false);
		input_expect(irq_balancing_disabled(msi_vector_irq(vector)), 0);
		msi_table_free_vector(rig->table, vector);
		input_use(rig, rig->table, 3, true);
	}
	torture_free_table(rig);
}

/* An affinity of no CPU can not be. */
static void input_affinity(struct torture_rig *rig)
{
	struct irq_affinity_desc affinity[2] = { };
	struct msi_vector_request req = {
		.highest	= 1,
		.affinity	= affinity,
	};
	struct msi_vector *vectors[2];
	struct msi_vector *vector;

	if (!torture_check(!torture_create(rig), "no table"))
		return;

	input_expect(input_alloc(rig->table, 1, 1), 0);

	for (int managed = 0; managed < 2; managed++) {
		affinity[0].is_managed = managed;
		vector = msi_table_alloc_vector_req(rig->table, &req);
		input_expect(PTR_ERR_OR_ZERO(vector), -EINVAL);
		input_expect(msi_table_alloc_vectors(rig->table, &req, 2, 2, vectors), -EINVAL);
		/* The second one alone has none, and could not be had. */
		affinity[0].mask = *cpu_online_mask;
		input_expect(msi_table_alloc_vectors(rig->table, &req, 1, 2, vectors), -EINVAL);
		cpumask_clear(&affinity[0].mask);
	}
	input_use(rig, rig->table, 0, true);
	torture_free_table(rig);
}

static void input_doubles(struct torture_rig *rig)
{
	struct msi_msg msg = { };
	struct msi_fake_slot slot;

	if (!torture_check(!torture_create(rig), "no table"))
		return;

	input_expect(msi_fake_parent_inject(rig->parent, &msg), -EINVAL);
	input_expect(msi_fake_store_read(rig->store, U32_MAX, &slot), -ENOENT);
	input_expect(msi_fake_store_fire(rig->store, rig->parent, U32_MAX), -ENOENT);

	msi_fake_parent_fail_nth(rig->parent, UINT_MAX);
	msi_fake_parent_fail_activate_nth(rig->parent, UINT_MAX);
	msi_fake_store_fail_nth(rig->store, UINT_MAX);
	input_use(rig, rig->table, 6, true);
	msi_fake_parent_fail_nth(rig->parent, 0);
	msi_fake_parent_fail_activate_nth(rig->parent, 0);
	msi_fake_store_fail_nth(rig->store, 0);
	input_use(rig, rig->table, 6, true);

	msi_fake_store_wipe(rig->store);
	msi_fake_store_wipe(rig->store);
	input_use(rig, rig->table, 6, true);
	torture_free_table(rig);
}

void torture_input(void)
{
	static void (* const parts[])(struct torture_rig *rig) = {
		input_names, input_flags, input_ops, input_mmio, input_parents, input_sizes,
		input_batches, input_huge_batch, input_vector, input_handler_flags, input_affinity,
		input_doubles,
	};
	struct torture_rig rig;
	const char *wrong;
	int ret;

	ret = torture_open(&rig, &torture_variants[0], INPUT_CAPACITY);
	if (!torture_check(!ret, "no device: %d", ret))
		return;
	rig.info.size = INPUT_SIZE;

	for (int i = 0; i < ARRAY_SIZE(parts) && !torture_failed(); i++)
		parts[i](&rig);
	wrong = torture_close(&rig);
	torture_check(!wrong, "bad input: %s", wrong);
}
