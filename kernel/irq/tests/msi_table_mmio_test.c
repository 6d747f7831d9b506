// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for MSI tables: plain linear stores in MMIO
 */
#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/limits.h>
#include <linux/string.h>

#include "msi_table_test.h"

#define MMIO_SIZE	8
/* What all registers contain at first */
#define MMIO_BYTE	0x5a
#define MMIO_PATTERN	(0x01010101U * MMIO_BYTE)

/**
 * struct mmio_variant - A layout on a kind of parent
 * @variant:	Name and kind of parent
 * @layout:	The layout, but for the base
 */
struct mmio_variant {
	struct mtt_variant	variant;
	struct msi_mmio_layout	layout;
};

#define MMIO_LIKE_MSIX	{		\
		.stride		= 16,	\
		.address_lo	= 0,	\
		.address_hi	= 4,	\
		.data		= 8,	\
		.control	= 12,	\
		.mask		= BIT(0), \
	}

static const struct mmio_variant mmio_variants[] = {
	{
		.variant.name		= "like MSI-X",
		.layout			= MMIO_LIKE_MSIX,
	}, {
		.variant.name		= "like MSI-X, parent masks",
		.variant.parent_flags	= MSI_FAKE_MASK_PARENT,
		.layout			= MMIO_LIKE_MSIX,
	}, {
		.variant.name		= "like MSI-X, stable message",
		.variant.parent_flags	= MSI_FAKE_IMMUTABLE,
		.layout			= MMIO_LIKE_MSIX,
	}, {
		.variant.name		= "odd",
		.layout			= {
			.stride		= 32,
			.address_lo	= 20,
			.address_hi	= 4,
			.data		= 28,
			.control	= 8,
			.mask		= BIT(4),
		},
	}, {
		.variant.name		= "two mask bits",
		.layout			= {
			.stride		= 20,
			.address_lo	= 12,
			.address_hi	= 8,
			.data		= 4,
			.control	= 0,
			.mask		= BIT(31) | BIT(1),
		},
	},
};

static void mmio_variant_desc(const struct mmio_variant *variant, char *desc)
{
	strscpy(desc, variant->variant.name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mmio_variant, mmio_variants, mmio_variant_desc);

/**
 * struct mmio - The registers of a device
 * @layout:	Where they are
 * @memory:	The same as memory
 * @bytes:	Size of @memory
 */
struct mmio {
	struct msi_mmio_layout	layout;
	void			*memory;
	size_t			bytes;
};

static const struct mmio_variant *mmio_variant(struct kunit *test)
{
	return test->param_value ? : &mmio_variants[0];
}

static int mmio_init(struct kunit *test)
{
	mtt_need_memory_as_mmio(test);
	return mtt_init_variant(test, &mmio_variant(test)->variant);
}

static struct mmio *mmio_new(struct kunit *test)
{
	struct mmio *mmio = kunit_kzalloc(test, sizeof(*mmio), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mmio);
	mmio->layout = mmio_variant(test)->layout;
	mmio->bytes = (size_t)mmio->layout.stride * MMIO_SIZE;
	mmio->memory = kunit_kzalloc(test, mmio->bytes, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mmio->memory);
	mmio->layout.base = (void __iomem __force *)mmio->memory;
	return mmio;
}

static struct msi_table_info mmio_info(const struct mmio *mmio)
{
	return (struct msi_table_info) {
		.name	= "mmio",
		.mmio	= &mmio->layout,
		.size	= MMIO_SIZE,
	};
}

static struct mmio *mmio_create(struct kunit *test, u8 pattern)
{
	struct mmio *mmio = mmio_new(test);
	struct msi_table_info info = mmio_info(mmio);
	struct mtt_ctx *ctx = test->priv;

	memset(mmio->memory, pattern, mmio->bytes);
	ctx->table = msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->table);
	return mmio;
}

static u32 mmio_read(const struct mmio *mmio, u32 label, u32 offset)
{
	return readl(mmio->layout.base + mmio->layout.stride * label + offset);
}

static struct msi_msg mmio_msg(const struct mmio *mmio, u32 label)
{
	const struct msi_mmio_layout *layout = &mmio->layout;

	return (struct msi_msg) {
		.address_lo	= mmio_read(mmio, label, layout->address_lo),
		.address_hi	= mmio_read(mmio, label, layout->address_hi),
		.data		= mmio_read(mmio, label, layout->data),
	};
}

static bool mmio_masked(const struct mmio *mmio, u32 label)
{
	u32 mask = mmio->layout.mask;

	return (mmio_read(mmio, label, mmio->layout.control) & mask) == mask;
}

/* A device which sends unless all mask bits are set. Like msi_fake_store_fire() */
static int mmio_fire(struct kunit *test, const struct mmio *mmio, u32 label)
{
	struct msi_msg msg = mmio_msg(mmio, label);
	struct mtt_ctx *ctx = test->priv;

	if (mmio_masked(mmio, label) || !mtt_msg_valid(msg))
		return -EAGAIN;
	return msi_fake_parent_inject(ctx->parent, &msg);
}

static void mmio_expect_delivery(struct kunit *test, const struct mmio *mmio, u32 label,
				 struct mtt_hits *hits)
{
	int before = atomic_read(&hits->hard);

	KUNIT_EXPECT_EQ(test, mmio_fire(test, mmio, label), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), before + 1);
}

/* A vector's cookie in the control register, like a PASID, and the mask which it may not touch */
static u32 mmio_bits(const struct msi_vector *vector)
{
	return (uintptr_t)msi_vector_cookie(vector) << 5 | BIT(4) | BIT(31) | BIT(0);
}

static u32 mmio_bits_of(const struct mmio *mmio, u32 label)
{
	return mmio_read(mmio, label, mmio->layout.control) & ~mmio->layout.mask;
}

/* The registers have the message of @vector, and no mask bit is set. */
static void mmio_expect_armed(struct kunit *test, const struct mmio *mmio,
			      struct msi_vector *vector)
{
	u32 label = msi_vector_label(vector);
	struct msi_msg msg;

	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), 0);
	KUNIT_EXPECT_TRUE(test, mtt_msg_valid(msg));
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(mmio_msg(mmio, label), msg));
	KUNIT_EXPECT_EQ(test, mmio_read(mmio, label, mmio->layout.control) & mmio->layout.mask, 0);
}

static void mmio_expect_off(struct kunit *test, const struct mmio *mmio, u32 label)
{
	KUNIT_EXPECT_TRUE(test, mmio_masked(mmio, label));
	KUNIT_EXPECT_FALSE(test, mtt_msg_valid(mmio_msg(mmio, label)));
}

/* What is none of the core's business has the pattern of mmio_create() still, masked. */
static void mmio_expect_rest(struct kunit *test, const struct mmio *mmio, const u32 *labels,
			     unsigned int n)
{
	const struct msi_mmio_layout *layout = &mmio->layout;

	for (u32 label = 0; label < MMIO_SIZE; label++) {
		bool used = false;

		for (unsigned int i = 0; i < n; i++)
			used |= labels[i] == label;
		for (u32 offset = 0; offset < layout->stride; offset += sizeof(u32)) {
			u32 value = mmio_read(mmio, label, offset);
			u32 expected = MMIO_PATTERN;

			if (used && offset == layout->control) {
				value &= ~layout->mask;
				expected &= ~layout->mask;
			} else if (offset == layout->control) {
				expected |= layout->mask;
			} else if (used && (offset == layout->address_lo ||
					    offset == layout->address_hi ||
					    offset == layout->data)) {
				continue;
			}
			KUNIT_EXPECT_EQ_MSG(test, value, expected, "label %u offset %u",
					    label, offset);
		}
	}
}

static void mmio_message_life(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, MMIO_BYTE);
	static const u32 labels[] = { 0, 3, MMIO_SIZE - 1 };
	struct mtt_ctx *ctx = test->priv;

	mmio_expect_rest(test, mmio, NULL, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++) {
		struct msi_vector *vector = mtt_alloc(test, labels[i]);

		KUNIT_EXPECT_TRUE(test, mmio_masked(mmio, labels[i]));
		for (unsigned int round = 0; round < 2; round++) {
			struct mtt_hits *hits = mtt_request(test, vector);

			mmio_expect_armed(test, mmio, vector);
			mmio_expect_delivery(test, mmio, labels[i], hits);
			msi_vector_free_irq(vector);
			mmio_expect_off(test, mmio, labels[i]);
		}
		mmio_expect_rest(test, mmio, labels, i + 1);
		mtt_request(test, vector);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++)
		KUNIT_EXPECT_EQ(test, mmio_fire(test, mmio, labels[i]), 0);

	msi_table_free(ctx->table);
	for (unsigned int i = 0; i < ARRAY_SIZE(labels); i++)
		mmio_expect_off(test, mmio, labels[i]);
	mmio_expect_rest(test, mmio, labels, ARRAY_SIZE(labels));
}

static void mmio_off_after_unbind(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, 0);
	struct mtt_ctx *ctx = test->priv;

	mtt_request(test, mtt_alloc(test, 2));
	mtt_alloc(test, 3);
	mtt_unbind(test);
	mmio_expect_off(test, mmio, 2);
	mmio_expect_off(test, mmio, 3);
	KUNIT_EXPECT_EQ(test, msi_fake_parent_live(ctx->parent), 0);
}

static void mmio_batch(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, 0);
	struct mtt_batch *batch;

	batch = mtt_batch_alloc(test, 0, MSI_LABEL_ANY, MMIO_SIZE);
	mtt_batch_request(test, batch);
	for (unsigned int i = 0; i < MMIO_SIZE; i++) {
		mmio_expect_armed(test, mmio, batch->vectors[i]);
		mmio_expect_delivery(test, mmio, i, batch->hits[i]);
		KUNIT_EXPECT_EQ(test, batch->hits[i]->irq, batch->irqs[i]);
	}
	mtt_batch_free(test, batch);
	for (unsigned int i = 0; i < MMIO_SIZE; i++)
		mmio_expect_off(test, mmio, i);
}

static void mmio_moves(struct kunit *test)
{
	const struct cpumask *cpu = mtt_other_cpu(test);
	struct mmio *mmio = mmio_create(test, MMIO_BYTE);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct mtt_hits *hits = mtt_request(test, vector);
	struct mtt_ctx *ctx = test->priv;
	static const u32 label = 2;

	KUNIT_ASSERT_EQ(test, irq_set_affinity(msi_vector_irq(vector), cpumask_of(0)), 0);
	for (unsigned int i = 0; i < 4; i++) {
		struct msi_msg before = mmio_msg(mmio, label);

		KUNIT_EXPECT_EQ(test, irq_set_affinity(msi_vector_irq(vector),
						       i % 2 ? cpumask_of(0) : cpu), 0);
		mmio_expect_armed(test, mmio, vector);
		mmio_expect_delivery(test, mmio, label, hits);
		KUNIT_EXPECT_EQ(test, mtt_msg_equal(before, mmio_msg(mmio, label)),
				mtt_stable(ctx));
		if (!mtt_stable(ctx))
			KUNIT_EXPECT_EQ(test, msi_fake_parent_inject(ctx->parent, &before),
					-ENOENT);
	}
	mmio_expect_rest(test, mmio, &label, 1);
}

/* Moving a masked one does not unmask it. */
static void mmio_disabled(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, 0);
	struct msi_vector *vector = mtt_alloc(test, 2);
	struct mtt_hits *hits = mtt_request(test, vector);
	unsigned int irq = msi_vector_irq(vector);
	struct mtt_ctx *ctx = test->priv;
	struct msi_msg msg;

	disable_irq(irq);
	KUNIT_EXPECT_EQ(test, mmio_fire(test, mmio, 2), 0);
	irq_set_affinity(irq, cpumask_of(cpumask_last(cpu_online_mask)));
	KUNIT_EXPECT_EQ(test, mmio_masked(mmio, 2),
			!(ctx->variant->parent_flags & MSI_FAKE_MASK_PARENT));
	KUNIT_EXPECT_EQ(test, msi_vector_get_msg(vector, &msg), 0);
	KUNIT_EXPECT_TRUE(test, mtt_msg_equal(mmio_msg(mmio, 2), msg));
	KUNIT_EXPECT_EQ(test, atomic_read(&hits->hard), 0);

	enable_irq(irq);
	mmio_expect_armed(test, mmio, vector);
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits->hard, 1));
	mmio_expect_delivery(test, mmio, 2, hits);
}

static void mmio_copies_layout(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, 0);
	struct msi_mmio_layout layout = mmio->layout;
	struct mtt_hits *hits;

	memset(&mmio->layout, 0xff, sizeof(mmio->layout));
	hits = mtt_request(test, mtt_alloc(test, 5));
	mmio->layout = layout;
	mmio_expect_delivery(test, mmio, 5, hits);
}

static void mmio_needs_valid_layout(struct kunit *test)
{
	struct mmio *mmio = mmio_new(test);
	const struct msi_mmio_layout good = mmio->layout;
	struct msi_table_info info = mmio_info(mmio);
	struct msi_mmio_layout *bad = &mmio->layout;
	u32 *const offsets[] = {
		&bad->address_lo, &bad->address_hi, &bad->data, &bad->control,
	};

	bad->base = NULL;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	*bad = good;
	bad->mask = 0;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	*bad = good;
	bad->stride = 0;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	bad->stride = good.stride + 2;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++) {
		static const u32 steps[] = { 1, 2, 3 };

		for (unsigned int j = 0; j < ARRAY_SIZE(steps); j++) {
			*bad = good;
			*offsets[i] += steps[j];
			KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
		}
		*bad = good;
		*offsets[i] = good.stride;
		KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
		*bad = good;
		*offsets[i] = *offsets[(i + 1) % ARRAY_SIZE(offsets)];
		KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
		/* The register would end at 0 again. */
		*offsets[i] = U32_MAX - 3;
		KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	}

	*bad = good;
	info.size = 0;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	info.size = MMIO_SIZE;
	info.ops = &msi_fake_store_ops;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);
	info.ops = NULL;
	info.mmio = NULL;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), -EINVAL);

	info.mmio = &good;
	KUNIT_EXPECT_EQ(test, mtt_create_error(test, &info), 0);
}

/* What somebody before us left on can not fire into somebody's handler. */
static void mmio_masks_all(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, 0);

	for (u32 label = 0; label < MMIO_SIZE; label++)
		KUNIT_EXPECT_TRUE(test, mmio_masked(mmio, label));
	mmio_expect_delivery(test, mmio, 5, mtt_request(test, mtt_alloc(test, 5)));
}

static void mmio_restore(struct kunit *test)
{
	struct mmio *mmio = mmio_create(test, 0);
	struct mtt_ctx *ctx = test->priv;
	struct msi_vector *vectors[4];
	struct mtt_hits *hits[4];
	void *before;

	for (unsigned int i = 0; i < 4; i++) {
		vectors[i] = mtt_alloc(test, 2 * i);
		hits[i] = i ? mtt_request(test, vectors[i]) : NULL;
	}
	/* Vector 0 has no handler, vector 2 is disabled, vector 3 masked as well. */
	disable_irq(msi_vector_irq(vectors[2]));
	disable_irq(msi_vector_irq(vectors[3]));
	KUNIT_EXPECT_EQ(test, mmio_fire(test, mmio, 6), 0);

	before = kunit_kmalloc(test, mmio->bytes, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, before);
	memcpy(before, mmio->memory, mmio->bytes);
	for (unsigned int i = 0; i < 4; i++)
		memset(mmio->memory + 2 * i * mmio->layout.stride, 0, mmio->layout.stride);
	msi_table_restore(ctx->table);
	KUNIT_EXPECT_MEMEQ(test, mmio->memory, before, mmio->bytes);

	mmio_expect_delivery(test, mmio, 2, hits[1]);
	enable_irq(msi_vector_irq(vectors[2]));
	mmio_expect_delivery(test, mmio, 4, hits[2]);
	enable_irq(msi_vector_irq(vectors[3]));
	KUNIT_EXPECT_TRUE(test, mtt_reaches(&hits[3]->hard, 1));
	mmio_expect_delivery(test, mmio, 6, hits[3]);
}

/* Control bits come with the vector, and survive whatever the mask does and a reset. */
static void mmio_control_bits(struct kunit *test)
{
	struct msi_vector_request req = { .highest = MSI_LABEL_ANY };
	struct mmio *mmio = mmio_new(test);
	struct msi_table_info info = mmio_info(mmio);
	const u32 mask = mmio->layout.mask;
	struct mtt_ctx *ctx = test->priv;
	struct msi_vector *vectors[2];
	struct mtt_hits *hits[2];

	memset(mmio->memory, MMIO_BYTE, mmio->bytes);
	mmio->layout.bits = mmio_bits;
	ctx->table = msi_allocate_table(ctx->dev, &info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx->table);

	for (uintptr_t i = 0; i < 2; i++) {
		req.cookie = (void *)(0x155 + i);
		vectors[i] = msi_table_alloc_vector_req(ctx->table, &req);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vectors[i]);
		KUNIT_EXPECT_TRUE(test, mmio_masked(mmio, i));
		KUNIT_EXPECT_EQ(test, mmio_bits_of(mmio, i), mmio_bits(vectors[i]) & ~mask);
		hits[i] = mtt_request(test, vectors[i]);
	}
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < 2; i++) {
			mmio_expect_armed(test, mmio, vectors[i]);
			mmio_expect_delivery(test, mmio, i, hits[i]);
			KUNIT_EXPECT_EQ(test, mmio_bits_of(mmio, i),
					mmio_bits(vectors[i]) & ~mask);
		}
		memset(mmio->memory, MMIO_BYTE, mmio->bytes);
		msi_table_restore(ctx->table);
	}
	KUNIT_EXPECT_EQ(test, mmio_bits_of(mmio, 2), MMIO_PATTERN & ~mask);

	msi_vector_free_irq(vectors[1]);
	mmio_expect_off(test, mmio, 1);
	KUNIT_EXPECT_EQ(test, mmio_bits_of(mmio, 1), mmio_bits(vectors[1]) & ~mask);

	/* The next owner's, not those of the one before */
	msi_table_free_vector(ctx->table, vectors[1]);
	req.cookie = (void *)0x2aa;
	vectors[1] = msi_table_alloc_vector_req(ctx->table, &req);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vectors[1]);
	KUNIT_EXPECT_EQ(test, msi_vector_label(vectors[1]), 1);
	KUNIT_EXPECT_TRUE(test, mmio_masked(mmio, 1));
	KUNIT_EXPECT_EQ(test, mmio_bits_of(mmio, 1), mmio_bits(vectors[1]) & ~mask);
}

static void mmio_two_tables(struct kunit *test)
{
	struct mtt_ctx *ctx = test->priv;
	struct msi_vector *vectors[2];
	struct msi_table *tables[2];
	struct mtt_hits *hits[2];
	struct mmio mmio[2];
	void *memory;

	memory = kunit_kzalloc(test, 2 * 16 * MMIO_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, memory);
	/* The slots take turns. */
	for (unsigned int i = 0; i < 2; i++) {
		struct msi_table_info info = mmio_info(&mmio[i]);

		mmio[i].layout = (struct msi_mmio_layout) {
			.base		= (void __iomem __force *)memory,
			.stride		= 32,
			.address_lo	= 16 * i,
			.address_hi	= 16 * i + 4,
			.data		= 16 * i + 8,
			.control	= 16 * i + 12,
			.mask		= BIT(0),
		};
		info.name = i ? "odd" : "even";
		tables[i] = msi_allocate_table(ctx->dev, &info);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, tables[i]);
		vectors[i] = msi_table_alloc_vector(tables[i], 3);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vectors[i]);
		hits[i] = mtt_request(test, vectors[i]);
	}
	for (unsigned int i = 0; i < 2; i++) {
		mmio_expect_armed(test, &mmio[i], vectors[i]);
		mmio_expect_delivery(test, &mmio[i], 3, hits[i]);
	}

	msi_table_free(tables[0]);
	mmio_expect_off(test, &mmio[0], 3);
	mmio_expect_armed(test, &mmio[1], vectors[1]);
	mmio_expect_delivery(test, &mmio[1], 3, hits[1]);
	KUNIT_EXPECT_EQ(test, atomic_read(&hits[0]->hard), 1);
}

static struct kunit_case mtt_mmio_cases[] = {
	KUNIT_CASE_PARAM(mmio_message_life, mmio_variant_gen_params),
	KUNIT_CASE_PARAM(mmio_off_after_unbind, mmio_variant_gen_params),
	KUNIT_CASE(mmio_batch),
	KUNIT_CASE_PARAM(mmio_moves, mmio_variant_gen_params),
	KUNIT_CASE_PARAM(mmio_disabled, mmio_variant_gen_params),
	KUNIT_CASE(mmio_copies_layout),
	KUNIT_CASE_PARAM(mmio_needs_valid_layout, mmio_variant_gen_params),
	KUNIT_CASE_PARAM(mmio_masks_all, mmio_variant_gen_params),
	KUNIT_CASE_PARAM(mmio_restore, mmio_variant_gen_params),
	KUNIT_CASE_PARAM(mmio_control_bits, mmio_variant_gen_params),
	KUNIT_CASE(mmio_two_tables),
	{ }
};

static struct kunit_suite mtt_mmio_suite = {
	.name		= "msi_table_mmio",
	.init		= mmio_init,
	.exit		= mtt_exit,
	.test_cases	= mtt_mmio_cases,
};

kunit_test_suite(mtt_mmio_suite);
