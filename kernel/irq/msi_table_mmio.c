// SPDX-License-Identifier: GPL-2.0
/*
 * The message store which is a plain linear table in MMIO, so that a driver
 * only says where its registers are
 */
#include <linux/align.h>
#include <linux/io.h>

#include "msi_table.h"

/* Called with the lock of the interrupt descriptor held */

static void __iomem *msi_mmio_regs(struct msi_vector *vector, const struct msi_mmio_layout *layout)
{
	return layout->base + (size_t)layout->stride * msi_vector_label(vector);
}

/* The control register of a vector which is not masked */
static u32 msi_mmio_control(struct msi_vector *vector, const struct msi_mmio_layout *layout)
{
	u32 bits = layout->bits ? layout->bits(vector) :
				  readl(msi_mmio_regs(vector, layout) + layout->control);

	return bits & ~layout->mask;
}

static void msi_mmio_mask(struct msi_vector *vector)
{
	const struct msi_mmio_layout *layout = msi_store_mmio(vector);
	void __iomem *control = msi_mmio_regs(vector, layout) + layout->control;

	writel(msi_mmio_control(vector, layout) | layout->mask, control);
	/* No message leaves the device after this. */
	readl(control);
}

static void msi_mmio_unmask(struct msi_vector *vector)
{
	const struct msi_mmio_layout *layout = msi_store_mmio(vector);
	void __iomem *control = msi_mmio_regs(vector, layout) + layout->control;

	writel(msi_mmio_control(vector, layout), control);
}

/* The device must not see half of a new message. */
static void msi_mmio_write_msg(struct msi_vector *vector, const struct msi_msg *msg)
{
	const struct msi_mmio_layout *layout = msi_store_mmio(vector);
	void __iomem *regs = msi_mmio_regs(vector, layout);
	u32 control = readl(regs + layout->control);

	if ((control & layout->mask) != layout->mask)
		writel(control | layout->mask, regs + layout->control);

	writel(msg->address_lo, regs + layout->address_lo);
	writel(msg->address_hi, regs + layout->address_hi);
	writel(msg->data, regs + layout->data);

	if ((control & layout->mask) != layout->mask)
		writel(control, regs + layout->control);
	readl(regs + layout->data);
}

/**
 * msi_mmio_mask_all - Mask the slots of a table which nobody owns yet
 * @layout:	Where they are
 * @size:	How many
 *
 * Firmware, or the kernel before this one, may have left some unmasked.
 */
void msi_mmio_mask_all(const struct msi_mmio_layout *layout, u32 size)
{
	void __iomem *control = layout->base + layout->control;

	for (u32 label = 0; label < size; label++, control += layout->stride)
		writel(readl(control) | layout->mask, control);
	readl(layout->base + layout->control);
}

const struct msi_table_ops msi_mmio_ops = {
	.write_msg	= msi_mmio_write_msg,
	.mask		= msi_mmio_mask,
	.unmask		= msi_mmio_unmask,
};

bool msi_mmio_layout_valid(const struct msi_mmio_layout *layout, u32 size)
{
	const u32 regs[] = {
		layout->address_lo, layout->address_hi, layout->data, layout->control,
	};

	if (!layout->base || !layout->mask || !layout->stride || !size)
		return false;
	if (!IS_ALIGNED((unsigned long)layout->base | layout->stride, sizeof(u32)))
		return false;

	for (unsigned int i = 0; i < ARRAY_SIZE(regs); i++) {
		if (!IS_ALIGNED(regs[i], sizeof(u32)) || regs[i] >= layout->stride)
			return false;
		for (unsigned int j = 0; j < i; j++) {
			if (regs[i] == regs[j])
				return false;
		}
	}
	return true;
}
