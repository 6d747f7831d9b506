// SPDX-License-Identifier: GPL-2.0
/*
 * What MSI tables cost, beside what the MSI core costs
 *
 * Both have the same parent domain, which does as little as can be, and the
 * same store, an array in memory. A third contender is the irq core alone, a
 * domain without any MSI: what it takes nobody who allocates an interrupt can
 * save. Where there is an NVMe controller nobody drives, both also have its MSI-X
 * table, below the parent which the machine has.
 *
 * Tables are in msi_table_bench_tables.c. Without them the rest also builds in a kernel
 * which has none, to compare with.
 *
 * Time is that of the clock. Under an emulator whose clock counts instructions
 * it is instructions.
 */
#define pr_fmt(fmt) "bench: " fmt

#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/device/faux.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#ifdef CONFIG_X86
#include <asm/tsc.h>
#endif

#include "msi_table_bench.h"

/* What the MSI core can have at most */
#define BENCH_MAX_MAINLINE	65536

#define BENCH_SEED		1

int bench_samples = BENCH_MAX_SAMPLES;
static bool bench_quick;

struct faux_device *bench_faux;
struct irq_domain *bench_parent;
static struct rnd_state bench_rnd;
struct bench_slot *bench_store;

/*
 * The parent: enough to deliver, and to compose a message.
 */

static void bench_parent_ack(struct irq_data *data) { }

static void bench_parent_compose(struct irq_data *data, struct msi_msg *msg)
{
	*msg = (struct msi_msg) { .address_lo = 0xfee00000, .data = data->hwirq };
}

static int bench_parent_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	irq_data_update_effective_affinity(data, cpumask_of(cpumask_first(mask)));
	return IRQ_SET_MASK_OK;
}

static struct irq_chip bench_parent_chip = {
	.name			= "BENCH",
	.irq_ack		= bench_parent_ack,
	.irq_compose_msi_msg	= bench_parent_compose,
	.irq_set_affinity	= bench_parent_set_affinity,
	.flags			= IRQCHIP_SKIP_SET_WAKE,
};

/* From 0 on for each contender: the more there were the deeper the tree to look them up */
static irq_hw_number_t bench_next_hwirq;

static int bench_parent_alloc(struct irq_domain *domain, unsigned int virq, unsigned int n,
			      void *arg)
{
	for (unsigned int i = 0; i < n; i++)
		irq_domain_set_hwirq_and_chip(domain, virq + i, bench_next_hwirq++,
					      &bench_parent_chip, NULL);
	return 0;
}

static void bench_parent_free(struct irq_domain *domain, unsigned int virq, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		irq_domain_reset_irq_data(irq_domain_get_irq_data(domain, virq + i));
}

static const struct irq_domain_ops bench_parent_ops = {
	.alloc	= bench_parent_alloc,
	.free	= bench_parent_free,
};

static bool bench_init_dev_msi_info(struct device *dev, struct irq_domain *domain,
				    struct irq_domain *parent, struct msi_domain_info *info)
{
	info->flags &= parent->msi_parent_ops->supported_flags;
	info->flags |= parent->msi_parent_ops->required_flags;
	info->handler = handle_edge_irq;
	info->handler_name = "edge";
	info->chip->irq_ack = irq_chip_ack_parent;
	info->chip->irq_set_affinity = msi_domain_set_affinity;
	return true;
}

static const struct msi_parent_ops bench_msi_parent_ops = {
	.supported_flags	= MSI_GENERIC_FLAGS_MASK | BENCH_PARENT_FLAGS,
	.required_flags		= MSI_FLAG_USE_DEF_DOM_OPS | MSI_FLAG_USE_DEF_CHIP_OPS,
	.chip_flags		= MSI_CHIP_FLAG_SET_ACK,
	.bus_select_token	= DOMAIN_BUS_NEXUS,
	.bus_select_mask	= BIT(DOMAIN_BUS_PLATFORM_MSI),
	.init_dev_msi_info	= bench_init_dev_msi_info,
};

static int bench_create_parent(void)
{
	struct irq_domain_info info = {
		.fwnode	= irq_domain_alloc_named_fwnode("BENCH"),
		.ops	= &bench_parent_ops,
	};

	if (!info.fwnode)
		return -ENOMEM;
	bench_parent = msi_create_parent_irq_domain(&info, &bench_msi_parent_ops);
	return bench_parent ? 0 : -ENOMEM;
}

/*
 * The contenders without tables
 */

static struct irq_domain *bench_core_domain;

static struct irq_chip bench_core_chip = {
	.name			= "BENCH-CORE",
	.irq_ack		= irq_chip_ack_parent,
	.irq_set_affinity	= irq_chip_set_affinity_parent,
};

static int bench_core_domain_alloc(struct irq_domain *domain, unsigned int virq, unsigned int n,
				   void *arg)
{
	u32 label = *(u32 *)arg;
	int ret;

	ret = irq_domain_alloc_irqs_parent(domain, virq, n, arg);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < n; i++)
		irq_domain_set_info(domain, virq + i, label + i, &bench_core_chip, NULL,
				    handle_edge_irq, NULL, "edge");
	return 0;
}

static const struct irq_domain_ops bench_core_domain_ops = {
	.alloc	= bench_core_domain_alloc,
	.free	= irq_domain_free_irqs_top,
};

static int bench_core_create(u32 size, bool sysfs)
{
	struct fwnode_handle *fwnode = irq_domain_alloc_named_fwnode("BENCH-CORE");

	if (!fwnode)
		return -ENOMEM;
	bench_core_domain = irq_domain_create_hierarchy(bench_parent, 0, 0, fwnode,
							&bench_core_domain_ops, NULL);
	return bench_core_domain ? 0 : -ENOMEM;
}

static void bench_core_destroy(void)
{
	struct fwnode_handle *fwnode = bench_core_domain->fwnode;

	irq_domain_remove(bench_core_domain);
	irq_domain_free_fwnode(fwnode);
}

static int bench_core_alloc(struct bench_handle *handle, u32 lowest, u32 highest)
{
	int virq = __irq_domain_alloc_irqs(bench_core_domain, -1, 1, NUMA_NO_NODE, &lowest, false,
					   NULL);

	handle->word[0] = (void *)(long)virq;
	return min(virq, 0);
}

static void bench_core_free(struct bench_handle *handle)
{
	irq_domain_free_irqs((long)handle->word[0], 1);
}

static unsigned int bench_core_irq(struct bench_handle *handle)
{
	return (long)handle->word[0];
}

static void bench_mainline_mask(struct irq_data *data)
{
	WRITE_ONCE(bench_store[data->hwirq].masked, 1);
}

static void bench_mainline_unmask(struct irq_data *data)
{
	WRITE_ONCE(bench_store[data->hwirq].masked, 0);
}

static void bench_mainline_write_msg(struct irq_data *data, struct msi_msg *msg)
{
	struct bench_slot *slot = &bench_store[data->hwirq];

	WRITE_ONCE(slot->address, (u64)msg->address_hi << 32 | msg->address_lo);
	WRITE_ONCE(slot->data, msg->data);
}

static void bench_mainline_set_desc(msi_alloc_info_t *arg, struct msi_desc *desc)
{
	arg->desc = desc;
	arg->hwirq = desc->msi_index;
}

static int bench_mainline_create_on(struct device *dev, u32 size, bool sysfs)
{
	const struct msi_domain_template template = {
		.chip = {
			.name			= "MAINLINE",
			.irq_mask		= bench_mainline_mask,
			.irq_unmask		= bench_mainline_unmask,
			.irq_write_msi_msg	= bench_mainline_write_msg,
		},
		.ops = {
			.set_desc		= bench_mainline_set_desc,
		},
		.info = {
			.flags			= MSI_FLAG_FREE_MSI_DESCS |
						  (sysfs ? MSI_FLAG_DEV_SYSFS : 0),
			.bus_token		= DOMAIN_BUS_DEVICE_MSI,
		},
	};

	return msi_create_device_irq_domain(dev, MSI_DEFAULT_DOMAIN, &template, size, NULL,
					    NULL) ? 0 : -ENOMEM;
}

static int bench_mainline_create(u32 size, bool sysfs)
{
	return bench_mainline_create_on(&bench_faux->dev, size, sysfs);
}

static void bench_mainline_destroy(void)
{
	msi_remove_device_irq_domain(&bench_faux->dev, MSI_DEFAULT_DOMAIN);
}

/* One of a range is more than it can. */
static int bench_mainline_alloc(struct bench_handle *handle, u32 lowest, u32 highest)
{
	unsigned int index = lowest == highest ? lowest : MSI_ANY_INDEX;
	struct msi_map map = msi_domain_alloc_irq_at(&bench_faux->dev, MSI_DEFAULT_DOMAIN, index,
						     NULL, NULL);

	handle->word[0] = (void *)(long)map.index;
	return min(map.index, 0);
}

static void bench_mainline_free(struct bench_handle *handle)
{
	unsigned int index = (long)handle->word[0];

	msi_domain_free_irqs_range(&bench_faux->dev, MSI_DEFAULT_DOMAIN, index, index);
}

static unsigned int bench_mainline_irq(struct bench_handle *handle)
{
	return msi_domain_get_virq(&bench_faux->dev, MSI_DEFAULT_DOMAIN, (long)handle->word[0]);
}

static const struct bench_side bench_core = {
	.name		= "core",
	.create		= bench_core_create,
	.destroy	= bench_core_destroy,
	.alloc		= bench_core_alloc,
	.free		= bench_core_free,
	.irq		= bench_core_irq,
};

static const struct bench_side bench_mainline = {
	.name		= "mainline",
	.create		= bench_mainline_create,
	.destroy	= bench_mainline_destroy,
	.alloc		= bench_mainline_alloc,
	.free		= bench_mainline_free,
	.irq		= bench_mainline_irq,
};

#ifdef CONFIG_PCI_MSI
struct pci_dev *bench_pdev;

/* Entry 0 is what switches MSI-X on and keeps it on. The first label is entry 1. */
static int bench_msix_create(u32 size, bool sysfs)
{
	int ret = pci_alloc_irq_vectors(bench_pdev, 1, 1, PCI_IRQ_MSIX);

	return min(ret, 0);
}

static void bench_msix_destroy(void)
{
	pci_free_irq_vectors(bench_pdev);
}

static int bench_msix_alloc(struct bench_handle *handle, u32 lowest, u32 highest)
{
	unsigned int index = lowest == highest ? lowest + 1 : MSI_ANY_INDEX;
	struct msi_map map = pci_msix_alloc_irq_at(bench_pdev, index, NULL);

	handle->word[0] = (void *)(long)map.index;
	handle->word[1] = (void *)(long)map.virq;
	return min(map.index, 0);
}

static unsigned int bench_msix_irq(struct bench_handle *handle)
{
	return (long)handle->word[1];
}

static void bench_msix_free(struct bench_handle *handle)
{
	pci_msix_free_irq(bench_pdev, (struct msi_map) {
		.index	= (long)handle->word[0],
		.virq	= bench_msix_irq(handle),
	});
}

static const struct bench_side bench_msix = {
	.name		= "msix-mainline",
	.create		= bench_msix_create,
	.destroy	= bench_msix_destroy,
	.alloc		= bench_msix_alloc,
	.free		= bench_msix_free,
	.irq		= bench_msix_irq,
};

/* All that a driver has, from nothing to nothing */
static int bench_msix_whole(unsigned int n)
{
	int ret = pci_alloc_irq_vectors(bench_pdev, n, n, PCI_IRQ_MSIX);

	if (ret > 0)
		pci_free_irq_vectors(bench_pdev);
	return min(ret, 0);
}
#endif

/*
 * Measuring
 */

u64 bench_now(void)
{
#ifdef CONFIG_X86
	return rdtsc_ordered();
#else
	return ktime_get_raw_ns();
#endif
}

static int bench_compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* The samples are of @ops operations each. */
void bench_report(const struct bench *bench, const char *what, u64 *samples, unsigned int ops)
{
	unsigned int last = bench_samples - 1;

	sort(samples, bench_samples, sizeof(*samples), bench_compare, NULL);
	pr_info("side=%s what=%s sysfs=%d live=%u ops=%u low=%llu median=%llu high=%llu\n",
		bench->side->name, what, bench->sysfs, bench->live, ops, samples[last / 10],
		samples[last / 2], samples[last - last / 10]);
}

static irqreturn_t bench_handler(int irq, void *dev_id)
{
	u64 *entered = dev_id;

	*entered = bench_now();
	return IRQ_HANDLED;
}

/* What is wanted of a churn */
enum bench_label { BENCH_ANY, BENCH_SAME, BENCH_RANGE };

static const char *const bench_label_names[] = {
	[BENCH_ANY]	= "any",
	[BENCH_SAME]	= "same",
	[BENCH_RANGE]	= "range",
};

static int bench_realloc(struct bench *bench, u32 slot, enum bench_label want)
{
	u32 lowest = want == BENCH_ANY ? 0 : slot;
	u32 highest = want == BENCH_ANY ? U32_MAX : want == BENCH_SAME ? slot : slot | 63;

	return bench->side->alloc(&bench->handles[slot], lowest, highest);
}

/* Leaves the traces of a handler, in /proc for one */
static int bench_request(struct bench *bench, u32 slot, u64 *spent)
{
	unsigned int irq = bench->side->irq(&bench->handles[slot]);
	u64 begin = bench_now(), dummy;
	int ret;

	ret = request_irq(irq, bench_handler, 0, "bench", &dummy);
	if (!ret)
		free_irq(irq, &dummy);
	*spent += bench_now() - begin;
	return ret;
}

/*
 * One is freed and one allocated. With @request each had a handler in between;
 * what installing and freeing that takes is not part of it, and reported apart.
 */
static int bench_churn(struct bench *bench, enum bench_label want, bool request)
{
	u64 samples[BENCH_MAX_SAMPLES], requests[BENCH_MAX_SAMPLES];
	const unsigned int ops = 8;
	char what[32];

	for (int i = -1; i < bench_samples; i++) {
		u64 churn = 0, spent = 0;

		for (unsigned int op = 0; op < ops; op++) {
			u32 slot = prandom_u32_state(&bench_rnd) % bench->live;
			u64 begin;
			int ret;

			ret = request ? bench_request(bench, slot, &spent) : 0;
			if (ret)
				return ret;
			begin = bench_now();
			bench->side->free(&bench->handles[slot]);
			ret = bench_realloc(bench, slot, want);
			churn += bench_now() - begin;
			if (ret)
				return ret;
		}
		if (i >= 0) {
			samples[i] = churn;
			requests[i] = spent;
		}
		cond_resched();
	}
	snprintf(what, sizeof(what), "churn-%s%s", bench_label_names[want],
		 request ? "-request" : "");
	bench_report(bench, what, samples, ops);
	if (request && want == BENCH_ANY)
		bench_report(bench, "request", requests, ops);
	return 0;
}

static int bench_cold(struct bench *bench)
{
	u64 alloc[BENCH_MAX_SAMPLES], free[BENCH_MAX_SAMPLES], both[BENCH_MAX_SAMPLES];
	struct bench_handle *handles = bench->handles + bench->live;
	const unsigned int ops = 8;
	int ret;

	for (int i = -1; i < bench_samples; i++) {
		u64 begin = bench_now(), middle, end;

		for (unsigned int op = 0; op < ops; op++) {
			u32 label = bench->live + op;

			ret = bench->side->alloc(&handles[op], label, label);
			if (ret)
				return ret;
		}
		middle = bench_now();
		for (unsigned int op = 0; op < ops; op++)
			bench->side->free(&handles[op]);
		end = bench_now();
		if (i >= 0) {
			alloc[i] = middle - begin;
			free[i] = end - middle;
			both[i] = end - begin;
		}
		/* The irq core frees memory later. */
		rcu_barrier();
	}
	bench_report(bench, "cold-alloc", alloc, ops);
	bench_report(bench, "cold-free", free, ops);
	bench_report(bench, "cold", both, ops);
	return 0;
}

static int bench_batch_alloc(struct bench *bench, struct bench_handle *handles, unsigned int n)
{
	int ret = 0;

	if (bench->side->alloc_batch)
		return bench->side->alloc_batch(n, bench->live);
	for (unsigned int i = 0; i < n && !ret; i++)
		ret = bench->side->alloc(&handles[i], bench->live + i, bench->live + i);
	return ret;
}

static void bench_batch_free(struct bench *bench, struct bench_handle *handles, unsigned int n)
{
	if (bench->side->free_batch) {
		bench->side->free_batch();
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		bench->side->free(&handles[i]);
}

static int bench_batch(struct bench *bench, const char *what)
{
	struct bench_handle *handles = bench->handles + bench->live;
	u64 samples[BENCH_MAX_SAMPLES];
	const unsigned int n = BENCH_BATCH;
	int ret;

	for (int i = -1; i < bench_samples; i++) {
		u64 begin = bench_now();

		ret = bench_batch_alloc(bench, handles, n);
		if (ret)
			return ret;
		bench_batch_free(bench, handles, n);
		if (i >= 0)
			samples[i] = bench_now() - begin;
		rcu_barrier();
	}
	bench_report(bench, what, samples, n);
	return 0;
}

static void bench_lookup(struct bench *bench)
{
	u64 samples[BENCH_MAX_SAMPLES];
	const unsigned int ops = 64;
	unsigned int sum = 0;

	for (int i = -1; i < bench_samples; i++) {
		u64 begin = bench_now();

		for (unsigned int op = 0; op < ops; op++)
			sum += bench->side->irq(&bench->handles[prandom_u32_state(&bench_rnd) %
							       bench->live]);
		if (i >= 0)
			samples[i] = bench_now() - begin;
	}
	OPTIMIZER_HIDE_VAR(sum);
	bench_report(bench, "lookup", samples, ops);
}

/* From the parent's handler to the driver's, and there and back */
static int bench_deliver(struct bench *bench)
{
	unsigned int irq = bench->side->irq(&bench->handles[bench->live / 2]);
	u64 there[BENCH_MAX_SAMPLES], back[BENCH_MAX_SAMPLES], mask[BENCH_MAX_SAMPLES];
	struct irq_data *data = irq_domain_get_irq_data(bench_parent, irq);
	irq_hw_number_t hwirq;
	u64 entered;
	int ret;

	/* Below another parent it is up to the device. */
	if (!data)
		return 0;

	hwirq = data->hwirq;
	ret = request_irq(irq, bench_handler, 0, "bench", &entered);
	if (ret)
		return ret;

	for (int i = -1; i < bench_samples; i++) {
		unsigned long flags;
		u64 begin;

		local_irq_save(flags);
		begin = bench_now();
		generic_handle_domain_irq(bench_parent, hwirq);
		if (i >= 0) {
			there[i] = entered - begin;
			back[i] = bench_now() - begin;
		}
		local_irq_restore(flags);
	}
	bench_report(bench, "deliver", there, 1);
	bench_report(bench, "deliver-return", back, 1);

	irq_set_status_flags(irq, IRQ_DISABLE_UNLAZY);
	for (int i = -1; i < bench_samples; i++) {
		u64 begin = bench_now();

		disable_irq_nosync(irq);
		enable_irq(irq);
		if (i >= 0)
			mask[i] = bench_now() - begin;
	}
	bench_report(bench, "mask-unmask", mask, 1);
	free_irq(irq, &entered);
	return 0;
}

static long bench_slab(void)
{
	return global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B) +
	       global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
}

int bench_fill(struct bench *bench, u32 live)
{
	const u32 step = max(live / 8, 16384U);

	for (; bench->live < live; bench->live++) {
		int ret = bench->side->alloc(&bench->handles[bench->live], bench->live,
					     bench->live);

		if (ret)
			return ret;
		if (bench->live % step == step - 1) {
			pr_info("%s: %u live\n", bench->side->name, bench->live + 1);
			cond_resched();
		}
	}
	return 0;
}

/* With the slab pages which it takes, in bytes per interrupt */
static int bench_grow(struct bench *bench, u32 live)
{
	u32 more = live - bench->live;
	long before;
	int ret;

	rcu_barrier();
	before = bench_slab();
	ret = bench_fill(bench, live);
	rcu_barrier();
	if (!ret)
		pr_info("side=%s what=memory sysfs=%d live=%u bytes=%ld\n", bench->side->name,
			bench->sysfs, live, (bench_slab() - before) * (long)PAGE_SIZE / more);
	return ret;
}

/* After a failure a handle may be none, and all is left as it is. */
int bench_finish(struct bench *bench, int ret)
{
	while (!ret && bench->live) {
		bench->side->free(&bench->handles[--bench->live]);
		if (!(bench->live % 1024))
			cond_resched();
	}
	if (!ret)
		bench->side->destroy();
	return ret;
}

int bench_level(struct bench *bench, u32 live)
{
	bool table = bench->side->is_table;
	int ret = 0;

	if (bench->live < live)
		ret = bench_grow(bench, live);
	if (ret)
		return ret;

	ret = bench_cold(bench);
	if (!ret && bench->side != &bench_core)
		ret = bench_batch(bench, "batch");
	if (ret || bench->side == &bench_core)
		return ret;

	if (table)
		ret = bench_batch(bench, "batch-again");
	for (unsigned int want = BENCH_ANY; !ret && want <= BENCH_RANGE; want++) {
		if (want == BENCH_RANGE && !table)
			continue;
		ret = bench_churn(bench, want, false) ? : bench_churn(bench, want, true);
	}
	if (ret)
		return ret;

	bench_lookup(bench);
	return bench_deliver(bench);
}

static const u32 bench_levels[] = { 64, 2048, 16384, BENCH_MAX_MAINLINE - 64 };

void bench_begin(void)
{
	prandom_seed_state(&bench_rnd, BENCH_SEED);
	bench_next_hwirq = 0;
}

int bench_run_side(const struct bench_side *side, bool sysfs, struct bench_handle *handles)
{
	struct bench bench = { .side = side, .sysfs = sysfs, .handles = handles };
	int ret;

	pr_info("%s, sysfs=%d\n", side->name, sysfs);
	bench_begin();
	ret = side->create(BENCH_MAX_MAINLINE, sysfs);
	if (ret)
		return ret;

	for (unsigned int i = 0; !ret && i < (bench_quick ? 2 : ARRAY_SIZE(bench_levels)); i++)
		ret = bench_level(&bench, bench_levels[i]);
	return bench_finish(&bench, ret);
}

#ifdef CONFIG_PCI_MSI
static int bench_whole(const struct bench_side *side, int (*whole)(unsigned int n))
{
	struct bench bench = { .side = side, .sysfs = true };
	u64 samples[BENCH_MAX_SAMPLES];

	for (int i = -1; i < bench_samples; i++) {
		u64 begin = bench_now();
		int ret = whole(BENCH_BATCH);

		if (ret)
			return ret;
		if (i >= 0)
			samples[i] = bench_now() - begin;
		rcu_barrier();
	}
	bench_report(&bench, "whole", samples, BENCH_BATCH);
	return 0;
}

int bench_run_msix(const struct bench_side *side, int (*whole)(unsigned int n), u32 room,
		   struct bench_handle *handles)
{
	struct bench bench = { .side = side, .sysfs = true, .handles = handles };
	int ret;

	pr_info("%s\n", side->name);
	bench_begin();
	ret = bench_whole(side, whole) ? : side->create(0, true);
	if (ret)
		return ret;

	ret = bench_level(&bench, 64) ? : bench_level(&bench, room);
	return bench_finish(&bench, ret);
}

static int bench_msix_both(struct bench_handle *handles)
{
	/* Entry 0 and room for a batch behind those which are live */
	const int other = 1 + BENCH_BATCH;
	int ret = 0, count;

	do
		bench_pdev = pci_get_class(PCI_CLASS_STORAGE_EXPRESS, bench_pdev);
	while (bench_pdev && bench_pdev->dev.driver);
	if (!bench_pdev)
		return 0;

	count = pci_msix_vec_count(bench_pdev);
	if (count < 64 + other) {
		pr_info("the NVMe controller has too few MSI-X entries, %d\n", count);
		goto out;
	}
	ret = pci_enable_device_mem(bench_pdev);
	if (ret)
		goto out;

	ret = bench_run_msix(&bench_msix, bench_msix_whole, count - other, handles);
	if (!ret && IS_ENABLED(CONFIG_MSI_TABLE_BENCH))
		ret = bench_msix_tables(count - other, handles);
	pci_disable_device(bench_pdev);
out:
	pci_dev_put(bench_pdev);
	return ret;
}
#else
static int bench_msix_both(struct bench_handle *handles)
{
	return 0;
}
#endif

/*
 * Two tasks
 */

static int bench_mainline_once(struct bench_task *task)
{
	struct msi_map map = msi_domain_alloc_irq_at(task->dev, MSI_DEFAULT_DOMAIN, MSI_ANY_INDEX,
						     NULL, NULL);

	if (map.index < 0)
		return map.index;
	msi_domain_free_irqs_range(task->dev, MSI_DEFAULT_DOMAIN, map.index, map.index);
	return 0;
}

static int bench_task_fn(void *data)
{
	struct bench_task *task = data;

	while (!kthread_should_stop()) {
		task->error = task->once(task);
		if (task->error)
			break;
		WRITE_ONCE(task->done, task->done + 1);
		cond_resched();
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int bench_tasks(struct bench_task *tasks, unsigned int n, u64 *per_second)
{
	unsigned int cpu = cpumask_first(cpu_online_mask);
	u64 begin, done = 0;
	int error = 0;

	for (unsigned int i = 0; i < n; i++) {
		tasks[i].done = 0;
		tasks[i].task = kthread_create(bench_task_fn, &tasks[i], "bench/%u", i);
		if (IS_ERR(tasks[i].task)) {
			while (i--)
				kthread_stop(tasks[i].task);
			return -ENOMEM;
		}
		kthread_bind(tasks[i].task, cpu);
		cpu = cpumask_next_wrap(cpu, cpu_online_mask);
	}
	begin = ktime_get_raw_ns();
	for (unsigned int i = 0; i < n; i++)
		wake_up_process(tasks[i].task);
	schedule_timeout_uninterruptible(HZ / 10);
	for (unsigned int i = 0; i < n; i++)
		done += READ_ONCE(tasks[i].done);
	*per_second = div64_u64(done * NSEC_PER_SEC, ktime_get_raw_ns() - begin);
	for (unsigned int i = 0; i < n; i++) {
		kthread_stop(tasks[i].task);
		error = error ? : tasks[i].error;
	}
	/* The irq core frees memory later. */
	rcu_barrier();
	return error;
}

/* What one of @two does by itself, and both at a time */
int bench_pair(const char *side, const char *what, struct bench_task *two)
{
	u64 rate_one, rate_two;
	int ret;

	/* Short and many: the machine may have other things to do as well. */
	for (unsigned int i = 0; i < (bench_quick ? 1 : 50); i++) {
		ret = bench_tasks(two, 1, &rate_one) ? : bench_tasks(two, 2, &rate_two);
		if (ret)
			return ret;
		pr_info("side=%s what=%s one=%llu two=%llu\n", side, what, rate_one, rate_two);
	}
	return 0;
}

static int bench_two_devices(struct device *a, struct device *b)
{
	struct bench_task two[] = {
		{ .once = bench_mainline_once, .dev = a },
		{ .once = bench_mainline_once, .dev = b },
	};
	int ret;

	dev_set_msi_domain(b, bench_parent);
	ret = bench_mainline_create_on(a, 64, true);
	if (ret)
		return ret;

	ret = bench_mainline_create_on(b, 64, true);
	if (!ret) {
		ret = bench_pair("mainline", "tasks-cold", two);
		msi_remove_device_irq_domain(b, MSI_DEFAULT_DOMAIN);
	}
	msi_remove_device_irq_domain(a, MSI_DEFAULT_DOMAIN);
	return ret;
}

static int bench_two_tasks(void)
{
	struct faux_device *other = faux_device_create("msi_table_bench_other", NULL, NULL);
	int ret;

	if (!other)
		return -ENOMEM;
	ret = bench_two_devices(&bench_faux->dev, &other->dev);
	if (!ret && IS_ENABLED(CONFIG_MSI_TABLE_BENCH))
		ret = bench_two_tables();
	faux_device_destroy(other);
	return ret;
}

static int bench_everything(void)
{
	struct bench_handle *handles __free(kvfree) =
		kvcalloc(BENCH_MAX_TABLE, sizeof(*handles), GFP_KERNEL);
	bool huge = !bench_quick && totalram_pages() >= SZ_1G / PAGE_SIZE * 3;
	int ret;

	if (!handles)
		return -ENOMEM;

	ret = bench_run_side(&bench_core, false, handles);
	for (unsigned int sysfs = 0; !ret && sysfs <= 1; sysfs++)
		ret = bench_run_side(&bench_mainline, sysfs, handles);
	if (!ret && IS_ENABLED(CONFIG_MSI_TABLE_BENCH))
		ret = bench_tables(handles);
	if (!ret)
		ret = bench_msix_both(handles);
	if (!ret && huge && IS_ENABLED(CONFIG_MSI_TABLE_BENCH))
		ret = bench_huge(handles, BENCH_MAX_TABLE);
	return ret;
}

static int bench_set_run(const char *value, const struct kernel_param *kp)
{
	int ret;

	if (bench_faux)
		return -EBUSY;
	bench_faux = faux_device_create("msi_table_bench", NULL, NULL);
	bench_store = kvcalloc(BENCH_MAX_TABLE, sizeof(*bench_store), GFP_KERNEL);
	if (!bench_faux || !bench_store)
		return -ENOMEM;

	if (bench_quick)
		bench_samples = 3;
	ret = bench_create_parent();
	if (!ret) {
		dev_set_msi_domain(&bench_faux->dev, bench_parent);
		ret = sysfs_streq(value, "tasks") ? bench_two_tasks() : bench_everything();
	}
	pr_info("end, %d\n", ret);
	return ret;
}

static const struct kernel_param_ops bench_run_ops = {
	.set	= bench_set_run,
};
module_param_cb(run, &bench_run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "Write \"tasks\" to let two tasks work side by side, anything else for all the rest; once");

module_param_named(quick, bench_quick, bool, 0444);
MODULE_PARM_DESC(quick, "Take few samples, and few interrupts, to see that it works");

MODULE_DESCRIPTION("What MSI tables cost");
MODULE_LICENSE("GPL");
