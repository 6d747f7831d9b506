// SPDX-License-Identifier: GPL-2.0
/*
 * Torture test of MSI tables: parents, tables and memory which are used up
 *
 * Interrupt numbers can not be: with SPARSE_IRQ, which MSI needs, there are
 * INT_MAX of them, and each takes some kilobytes.
 */
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "msi_table_torture.h"

#define LIMITS_SIZE		32
#define LIMITS_FEW		16
#define LIMITS_TIGHT_ROUNDS	100
#define LIMITS_MANY		1024

#define limits_expect(_value, _expected)						\
({											\
	long _v = (_value), _e = (_expected);						\
											\
	torture_count(TORTURE_LIMITS_CASES, 1);						\
	torture_check(_v == _e, "%s: %ld instead of %ld", #_value, _v, _e);		\
})

static long limits_alloc(struct torture_rig *rig, u32 label, struct msi_vector **vector)
{
	*vector = msi_table_alloc_vector(rig->table, label);
	return PTR_ERR_OR_ZERO(*vector);
}

static int limits_batch(struct torture_rig *rig, unsigned int min, unsigned int max,
			struct msi_vector **vectors)
{
	const struct msi_vector_request req = { .highest = MSI_LABEL_ANY };

	return msi_table_alloc_vectors(rig->table, &req, min, max, vectors);
}

static bool limits_open(struct torture_rig *rig, const struct torture_variant *variant, u32 size,
			unsigned int capacity)
{
	int ret = torture_open(rig, variant, capacity);

	if (!torture_check(!ret, "no device: %d", ret))
		return false;
	rig->info.size = size;
	ret = torture_create(rig);
	if (torture_check(!ret, "no table: %d", ret))
		return true;
	torture_close(rig);
	return false;
}

static void limits_close(struct torture_rig *rig)
{
	const char *wrong = torture_close(rig);

	torture_check(!wrong, "\"%s\": %s", rig->variant->name, wrong);
}

/* Every vector of the table, which has only these, works. */
static void limits_use(struct torture_rig *rig, struct msi_vector **vectors, unsigned int n)
{
	for (unsigned int i = 0; i < n && !torture_failed(); i++) {
		struct torture_hits hits = { };

		limits_expect(torture_request(vectors[i], &hits), 0);
		torture_expect_hit(rig, msi_vector_label(vectors[i]), &hits);
		msi_vector_free_irq(vectors[i]);
	}
}

static void limits_parent(const struct torture_variant *variant)
{
	/* A batch begins at the tenth, and wants as many as there are. */
	struct msi_vector *vectors[10 + LIMITS_FEW];
	struct torture_rig rig;

	if (!limits_open(&rig, variant, LIMITS_SIZE, LIMITS_FEW))
		return;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < LIMITS_FEW; i++) {
			if (!limits_expect(limits_alloc(&rig, MSI_LABEL_ANY, &vectors[i]), 0))
				goto out;
		}
		limits_expect(limits_alloc(&rig, MSI_LABEL_ANY, &vectors[LIMITS_FEW]), -ENOSPC);
		limits_expect(limits_alloc(&rig, LIMITS_SIZE - 1, &vectors[LIMITS_FEW]), -ENOSPC);
		limits_expect(limits_batch(&rig, 1, 1, &vectors[LIMITS_FEW]), -ENOSPC);
		limits_expect(limits_alloc(&rig, 0, &vectors[LIMITS_FEW]), -EBUSY);
		if (torture_failed())
			goto out;
		limits_use(&rig, vectors, LIMITS_FEW);

		/* One comes back, and can be had again. */
		msi_table_free_vector(rig.table, vectors[5]);
		limits_expect(limits_alloc(&rig, MSI_LABEL_ANY, &vectors[5]), 0);
		limits_expect(limits_alloc(&rig, MSI_LABEL_ANY, &vectors[LIMITS_FEW]), -ENOSPC);
		if (torture_failed())
			goto out;
		msi_table_free_vectors(rig.table, vectors + 10, LIMITS_FEW - 10);

		/* As many as there are, but not less than needed */
		limits_expect(limits_batch(&rig, LIMITS_FEW - 9, LIMITS_FEW, vectors + 10),
			      -ENOSPC);
		limits_expect(limits_batch(&rig, 1, LIMITS_FEW - 9, vectors + 10),
			      LIMITS_FEW - 10);
		if (torture_failed())
			goto out;
		limits_use(&rig, vectors, LIMITS_FEW);
		msi_table_free_vectors(rig.table, vectors, LIMITS_FEW);
	}
	if (limits_expect(limits_batch(&rig, LIMITS_FEW, LIMITS_FEW, vectors), LIMITS_FEW))
		limits_use(&rig, vectors, LIMITS_FEW);
out:
	limits_close(&rig);
}

static void limits_table(const struct torture_variant *variant)
{
	struct msi_vector *vectors[LIMITS_FEW], *vector;
	struct torture_rig rig;

	if (!limits_open(&rig, variant, LIMITS_FEW, 4 * LIMITS_FEW))
		return;

	for (int round = 0; round < 3; round++) {
		u32 label = (5 * round + 2) % LIMITS_FEW;

		if (!limits_expect(limits_batch(&rig, 1, LIMITS_FEW, vectors), LIMITS_FEW))
			break;
		limits_expect(limits_alloc(&rig, MSI_LABEL_ANY, &vector), -ENOSPC);
		limits_expect(limits_alloc(&rig, label, &vector), -EBUSY);
		limits_expect(limits_alloc(&rig, LIMITS_FEW, &vector), -ERANGE);
		limits_expect(limits_batch(&rig, 1, 1, &vector), -ENOSPC);
		limits_use(&rig, vectors, LIMITS_FEW);

		msi_table_free_vector(rig.table, vectors[label]);
		if (!limits_expect(limits_alloc(&rig, MSI_LABEL_ANY, &vectors[label]), 0))
			break;
		limits_expect(msi_vector_label(vectors[label]), label);
		limits_use(&rig, vectors, LIMITS_FEW);
		msi_table_free_vectors(rig.table, vectors, LIMITS_FEW);
	}
	limits_close(&rig);
}

/* Memory */

static bool limits_memory_can_fail(void)
{
	bool failed;
	void *p;

	torture_fail_memory(1);
	p = kmalloc(16, GFP_KERNEL);
	failed = torture_memory_failed();
	OPTIMIZER_HIDE_VAR(p);
	kfree(p);
	return failed && !p;
}

/*
 * The next allocation fails, and all others, too, if failslab is set up for that.
 * Otherwise what follows would get memory after the first failure.
 */
static void limits_tight(bool tight)
{
#ifdef CONFIG_FAULT_INJECTION
	current->make_it_fail = tight;
	torture_fail_memory(0);
#endif
}

static bool limits_all_fails(void)
{
	void *p;

	limits_tight(true);
	p = kmalloc(16, GFP_KERNEL);
	limits_tight(false);
	OPTIMIZER_HIDE_VAR(p);
	kfree(p);
	return !p;
}

/* Everything which needs memory. What gets through all the same is undone. */
static void limits_try(struct torture_rig *rig, struct msi_vector *idle, struct torture_hits *hits,
		       unsigned int nth)
{
	struct msi_table_info info = rig->info;
	struct msi_vector *vectors[LIMITS_FEW], *vector;
	struct msi_table *table;
	int ret;

	torture_fail_memory(nth);
	ret = limits_alloc(rig, MSI_LABEL_ANY, &vector);
	torture_fail_memory(0);
	if (!ret)
		msi_table_free_vector(rig->table, vector);
	torture_check(!ret || ret == -ENOMEM, "alloc without memory: %d", ret);

	torture_fail_memory(nth);
	ret = limits_batch(rig, 2, 6, vectors);
	torture_fail_memory(0);
	if (ret > 0)
		msi_table_free_vectors(rig->table, vectors, ret);
	torture_check((ret >= 2 && ret <= 6) || ret == -ENOMEM, "batch without memory: %d", ret);

	torture_fail_memory(nth);
	ret = torture_request(idle, hits);
	torture_fail_memory(0);
	if (!ret)
		msi_vector_free_irq(idle);
	torture_check(!ret || ret == -ENOMEM, "request_irq without memory: %d", ret);

	info.name = "other";
	torture_fail_memory(nth);
	table = msi_allocate_table(torture_dev(rig), &info);
	torture_fail_memory(0);
	ret = PTR_ERR_OR_ZERO(table);
	if (!ret)
		msi_table_free(table);
	torture_check(!ret || ret == -ENOMEM, "table without memory: %d", ret);
	torture_count(TORTURE_LIMITS_CASES, 4);
}

static void limits_memory(const struct torture_variant *variant)
{
	struct torture_hits hits[LIMITS_FEW] = { }, idle = { };
	bool all = limits_all_fails();
	struct msi_vector *vectors[LIMITS_FEW];
	struct torture_rig rig;
	int half = LIMITS_FEW / 2;

	if (!limits_open(&rig, variant, LIMITS_SIZE, 2 * LIMITS_FEW))
		return;
	if (!limits_expect(limits_batch(&rig, LIMITS_FEW, LIMITS_FEW, vectors), LIMITS_FEW))
		return limits_close(&rig);
	for (int i = 0; i < LIMITS_FEW - 1; i++)
		limits_expect(torture_request(vectors[i], &hits[i]), 0);

	limits_tight(true);
	for (int i = 0; i < LIMITS_TIGHT_ROUNDS && !torture_failed(); i++) {
		limits_try(&rig, vectors[LIMITS_FEW - 1], &idle, all ? 0 : 1 + i / 2);
		torture_expect_hit(&rig, msi_vector_label(vectors[i % half]), &hits[i % half]);
	}
	/* To give something back takes no memory. */
	for (int i = half; i < LIMITS_FEW; i += 2)
		msi_vector_free_irq(vectors[i]);
	msi_table_free_vectors(rig.table, vectors + half, LIMITS_FEW - half);
	limits_tight(false);

	for (int i = 0; i < half; i++)
		torture_expect_hit(&rig, msi_vector_label(vectors[i]), &hits[i]);
	limits_expect(limits_batch(&rig, LIMITS_FEW - half, LIMITS_FEW - half, vectors + half),
		      LIMITS_FEW - half);
	if (!torture_failed())
		limits_use(&rig, vectors + half, LIMITS_FEW - half);

	limits_tight(true);
	torture_free_table(&rig);
	limits_tight(false);
	limits_close(&rig);
}

/* Many vectors, freed in any order */
static void limits_many(const struct torture_variant *variant)
{
	struct msi_vector **vectors = kvcalloc(LIMITS_MANY, sizeof(*vectors), GFP_KERNEL);
	struct torture_rig rig;
	struct rnd_state rnd;

	torture_seed_state(&rnd, 63);
	if (!torture_check(vectors, "no memory"))
		return;
	if (!limits_open(&rig, variant, variant->size, LIMITS_MANY))
		goto out;

	if (!limits_expect(limits_batch(&rig, LIMITS_MANY, LIMITS_MANY, vectors), LIMITS_MANY))
		goto out_close;
	for (int i = 0; i < LIMITS_MANY; i++)
		torture_check(msi_vector_label(vectors[i]) == i, "label %u instead of %d",
			      msi_vector_label(vectors[i]), i);
	for (int i = LIMITS_MANY - 1; i > 0; i--) {
		u32 other = torture_below(&rnd, i + 1);

		swap(vectors[i], vectors[other]);
	}
	limits_use(&rig, vectors, 64);

	for (int i = 0; i < LIMITS_MANY; i += 64) {
		msi_table_free_vectors(rig.table, vectors + i, 63);
		msi_table_free_vector(rig.table, vectors[i + 63]);
		cond_resched();
	}
	limits_expect(limits_batch(&rig, 4, 4, vectors), 4);
	if (!torture_failed())
		limits_use(&rig, vectors, 4);
out_close:
	limits_close(&rig);
out:
	kvfree(vectors);
}

void torture_limits(void)
{
	bool memory = limits_memory_can_fail();

	if (!memory)
		pr_warn("torture: memory does not fail here, see msi_table_torture_main.c\n");
	else if (!limits_all_fails())
		pr_info("torture: only single allocations fail, see msi_table_torture_main.c\n");

	for (int i = 0; i < TORTURE_NR_VARIANTS && !torture_failed(); i++) {
		const struct torture_variant *variant = &torture_variants[i];

		limits_parent(variant);
		if (!torture_failed())
			limits_table(variant);
		if (memory && !torture_failed())
			limits_memory(variant);
		if ((!variant->size || variant->size > LIMITS_MANY) && !torture_failed())
			limits_many(variant);
		cond_resched();
	}
}
