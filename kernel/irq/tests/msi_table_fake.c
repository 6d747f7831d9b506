// SPDX-License-Identifier: GPL-2.0
/*
 * Test doubles for MSI tables: a fake MSI parent domain and a recording store
 *
 * The parent takes a message for what a device does with it, a write of data
 * to an address, and delivers the interrupt. The store remembers what the
 * device would find in it. So a test can walk the whole way from the store to
 * the handler without hardware.
 */
#include <linux/atomic.h>
#include <linux/bitfield.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/export.h>
#include <linux/irq.h>
#include <linux/irq_work.h>
#include <linux/irqdomain.h>
#include <linux/lockdep.h>
#include <linux/msi.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include <kunit/msi_table.h>

#include "../internals.h"
#include "../msi_table.h"

/*
 * Addresses look like 4d53:<id of the parent>:<target CPU>:4. Bit 2 makes sure
 * that an address is never 0, whatever gets lost of its upper half. Of a parent
 * with MSI_FAKE_IMMUTABLE the target CPU is left out.
 */
#define FAKE_ADDRESS_BASE	0x4d53000000000000ULL
#define FAKE_ADDRESS_ID		GENMASK_ULL(47, 24)
#define FAKE_ADDRESS_CPU	GENMASK_ULL(23, 4)
#define FAKE_ADDRESS_LOW	BIT_ULL(2)

#define FAKE_FLAGS	(MSI_FAKE_NO_IMS | MSI_FAKE_MASK_PARENT | MSI_FAKE_PCI_ONLY |	\
			 MSI_FAKE_IMMUTABLE | MSI_FAKE_SINGLE | MSI_FAKE_NO_DYN |	\
			 MSI_FAKE_CONTIGUOUS | MSI_FAKE_STARTUP_PARENT |		\
			 MSI_FAKE_NO_AFFINITY | MSI_FAKE_ONE_DOMAIN)

/* Unlike any label a test is likely to use */
#define FAKE_FIRST_HWIRQ	0xfa000

/**
 * struct msi_fake_irq - One allocated interrupt of a fake parent
 * @parent:	The parent
 * @replay:	Delivers the interrupt once more, from hard interrupt context
 * @rcu:	For the lookup without a lock
 * @users:	Whoever delivers a message, and one until the interrupt is freed
 * @unused:	Completed when there is no user left
 * @hwirq:	The interrupt in the parent's domain
 * @cpu:	Target CPU, which is part of the message unless that is stable
 * @active:	Activated, so that messages are delivered
 * @masked:	Masked in the parent
 * @pending:	A message arrived while @masked
 */
struct msi_fake_irq {
	struct msi_fake_parent	*parent;
	struct irq_work		replay;
	struct rcu_head		rcu;
	refcount_t		users;
	struct completion	unused;
	u32			hwirq;
	unsigned int		cpu;
	bool			active;
	bool			masked;
	atomic_t		pending;
};

/**
 * struct msi_fake_parent - MSI parent domain without hardware
 * @domain:		The domain
 * @fwnode:		What @domain is named by
 * @ops:		MSI parent operations of @domain
 * @address:		Address of the messages, but for the target CPU
 * @irqs:		hwirq to &struct msi_fake_irq
 * @next:		Next hwirq. None is used twice, so that a message which
 *			outlived its interrupt is found out.
 * @capacity:		How many interrupts may be allocated
 * @live:		How many interrupts are allocated
 * @alloc_calls:	How often the irq core asked for interrupts
 * @flags:		MSI_FAKE_* flags
 * @fail:		Count-down to the allocation which fails
 * @fail_activate:	Count-down to the activation which fails
 */
struct msi_fake_parent {
	struct irq_domain	*domain;
	struct fwnode_handle	*fwnode;
	struct msi_parent_ops	ops;
	u64			address;
	struct xarray		irqs;
	u32			next;
	unsigned int		capacity;
	atomic_t		live;
	atomic_t		alloc_calls;
	unsigned int		flags;
	atomic_t		fail;
	atomic_t		fail_activate;
};

/* Its interrupts are masked there as long as they are not in use. */
static bool fake_masks(const struct msi_fake_parent *parent)
{
	return parent->flags & (MSI_FAKE_MASK_PARENT | MSI_FAKE_STARTUP_PARENT);
}

static bool fake_count_down(atomic_t *count)
{
	return !atomic_dec_if_positive(count);
}

static void fake_irq_ack(struct irq_data *data) { }

static void fake_irq_mask(struct irq_data *data)
{
	struct msi_fake_irq *irq = irq_data_get_irq_chip_data(data);

	WRITE_ONCE(irq->masked, true);
}

static void fake_irq_unmask(struct irq_data *data)
{
	struct msi_fake_irq *irq = irq_data_get_irq_chip_data(data);

	WRITE_ONCE(irq->masked, false);
	if (atomic_xchg(&irq->pending, 0))
		irq_work_queue(&irq->replay);
}

static unsigned int fake_irq_startup(struct irq_data *data)
{
	fake_irq_unmask(data);
	return 0;
}

static int fake_irq_retrigger(struct irq_data *data)
{
	struct msi_fake_irq *irq = irq_data_get_irq_chip_data(data);

	irq_work_queue(&irq->replay);
	return 1;
}

static void fake_irq_replay(struct irq_work *work)
{
	struct msi_fake_irq *irq = container_of(work, struct msi_fake_irq, replay);

	generic_handle_domain_irq_safe(irq->parent->domain, irq->hwirq);
}

static int fake_irq_set_affinity(struct irq_data *data, const struct cpumask *mask, bool force)
{
	struct msi_fake_irq *irq = irq_data_get_irq_chip_data(data);
	unsigned int cpu = cpumask_first_and(mask, cpu_online_mask);

	if (cpu >= nr_cpu_ids)
		return -EINVAL;

	WRITE_ONCE(irq->cpu, cpu);
	irq_data_update_effective_affinity(data, cpumask_of(cpu));
	/* Done: there is no need to write the message again. */
	return irq->parent->flags & MSI_FAKE_IMMUTABLE ? IRQ_SET_MASK_OK_DONE : IRQ_SET_MASK_OK;
}

static u64 fake_irq_address(const struct msi_fake_irq *irq)
{
	if (irq->parent->flags & MSI_FAKE_IMMUTABLE)
		return irq->parent->address;
	return irq->parent->address | FIELD_PREP(FAKE_ADDRESS_CPU, READ_ONCE(irq->cpu));
}

static void fake_irq_compose_msi_msg(struct irq_data *data, struct msi_msg *msg)
{
	struct msi_fake_irq *irq = irq_data_get_irq_chip_data(data);
	u64 address = fake_irq_address(irq);

	msg->address_hi = upper_32_bits(address);
	msg->address_lo = lower_32_bits(address);
	msg->data = irq->hwirq;
}

static struct irq_chip msi_fake_chip = {
	.name			= "MSI-fake",
	.irq_startup		= fake_irq_startup,
	.irq_shutdown		= fake_irq_mask,
	.irq_ack		= fake_irq_ack,
	.irq_mask		= fake_irq_mask,
	.irq_unmask		= fake_irq_unmask,
	.irq_retrigger		= fake_irq_retrigger,
	.irq_set_affinity	= fake_irq_set_affinity,
	.irq_compose_msi_msg	= fake_irq_compose_msi_msg,
	.flags			= IRQCHIP_SKIP_SET_WAKE,
};

static void fake_put_irq(struct msi_fake_irq *irq)
{
	if (refcount_dec_and_test(&irq->users))
		complete(&irq->unused);
}

/* The irq core frees its part without a grace period once this has returned. */
static void fake_free_irq(struct msi_fake_irq *irq)
{
	xa_erase(&irq->parent->irqs, irq->hwirq);
	fake_put_irq(irq);
	wait_for_completion(&irq->unused);
	irq_work_sync(&irq->replay);
	atomic_dec(&irq->parent->live);
	kfree_rcu(irq, rcu);
}

static struct msi_fake_irq *fake_alloc_irq(struct msi_fake_parent *parent)
{
	int ret;

	struct msi_fake_irq *irq __free(kfree) = kzalloc_obj(*irq);
	if (!irq)
		return ERR_PTR(-ENOMEM);

	irq->parent = parent;
	refcount_set(&irq->users, 1);
	init_completion(&irq->unused);
	irq->replay = IRQ_WORK_INIT_HARD(fake_irq_replay);
	irq->masked = fake_masks(parent);

	if (!atomic_add_unless(&parent->live, 1, parent->capacity))
		return ERR_PTR(-ENOSPC);

	ret = xa_alloc_cyclic(&parent->irqs, &irq->hwirq, irq,
			      XA_LIMIT(FAKE_FIRST_HWIRQ, INT_MAX), &parent->next, GFP_KERNEL);
	if (ret < 0) {
		atomic_dec(&parent->live);
		return ERR_PTR(ret);
	}
	return no_free_ptr(irq);
}

/* Another interrupt of the device can have the number from now on, and its name in msi_irqs/. */
static bool fake_in_sysfs(unsigned int virq)
{
#ifdef CONFIG_SYSFS
	struct msi_desc *desc = irq_get_msi_desc(virq);

	return desc && desc->sysfs_attrs;
#else
	return false;
#endif
}

static void fake_domain_free(struct irq_domain *domain, unsigned int virq, unsigned int nr_irqs)
{
	for (unsigned int i = 0; i < nr_irqs; i++) {
		struct irq_data *data = irq_domain_get_irq_data(domain, virq + i);

		WARN_ON(fake_in_sysfs(virq + i));
		fake_free_irq(irq_data_get_irq_chip_data(data));
		irq_domain_reset_irq_data(data);
	}
}

/* Interrupt remapping and the IOMMU find the device by its MSI descriptor. */
static bool fake_alloc_info_valid(unsigned int virq, const msi_alloc_info_t *info)
{
	return info->desc && info->desc->dev &&
	       info->desc->dev == irq_get_irq_data(virq)->domain->dev;
}

static int fake_domain_alloc(struct irq_domain *domain, unsigned int virq, unsigned int nr_irqs,
			     void *arg)
{
	struct msi_fake_parent *parent = domain->host_data;

	if (!fake_alloc_info_valid(virq, arg))
		return -ENODEV;

	atomic_inc(&parent->alloc_calls);
	if (nr_irqs > 1 && parent->flags & MSI_FAKE_SINGLE)
		return -EOPNOTSUPP;
	if (fake_count_down(&parent->fail))
		return -ENOSPC;

	for (unsigned int i = 0; i < nr_irqs; i++) {
		struct msi_fake_irq *irq = fake_alloc_irq(parent);

		if (IS_ERR(irq)) {
			fake_domain_free(domain, virq, i);
			return PTR_ERR(irq);
		}
		irq_domain_set_hwirq_and_chip(domain, virq + i, irq->hwirq, &msi_fake_chip, irq);
	}
	return 0;
}

static int fake_domain_activate(struct irq_domain *domain, struct irq_data *data, bool reserve)
{
	struct msi_fake_irq *irq = irq_data_get_irq_chip_data(data);
	const struct cpumask *mask = irq_data_get_affinity_mask(data);

	/* No CPU is asked for anything as long as this is a reservation. */
	if (reserve)
		return 0;
	if (fake_count_down(&irq->parent->fail_activate))
		return -ENOSPC;
	if (fake_irq_set_affinity(data, mask, false) < 0)
		fake_irq_set_affinity(data, cpu_online_mask, false);
	WRITE_ONCE(irq->active, true);
	return 0;
}

static void fake_domain_deactivate(struct irq_domain *domain, struct irq_data *data)
{
	struct msi_fake_irq *irq = irq_data_get_irq_chip_data(data);

	/* Hardware would be asked for a message which it does not have any more. */
	WARN_ON(fake_masks(irq->parent) && !irq->masked);
	WRITE_ONCE(irq->active, false);
	atomic_set(&irq->pending, 0);
}

static const struct irq_domain_ops msi_fake_domain_ops = {
	.alloc		= fake_domain_alloc,
	.free		= fake_domain_free,
	.activate	= fake_domain_activate,
	.deactivate	= fake_domain_deactivate,
};

static bool fake_init_dev_msi_info(struct device *dev, struct irq_domain *domain,
				   struct irq_domain *msi_parent_domain,
				   struct msi_domain_info *info)
{
	const struct msi_parent_ops *ops = msi_parent_domain->msi_parent_ops;
	u32 required_flags = ops->required_flags;
	struct irq_chip *chip = info->chip;

	switch (info->bus_token) {
	case DOMAIN_BUS_DEVICE_MSI:
		/* As msi_lib_init_dev_msi_info() does */
		if (WARN_ON_ONCE(info->flags))
			return false;
		info->flags = MSI_FLAG_ALLOC_SIMPLE_MSI_DESCS | MSI_FLAG_FREE_MSI_DESCS;
		required_flags &= ~MSI_FLAG_PCI_MSI_MASK_PARENT;
		break;
	case DOMAIN_BUS_PCI_DEVICE_MSI:
	case DOMAIN_BUS_PCI_DEVICE_MSIX:
		break;
	default:
		return false;
	}

	info->flags &= ops->supported_flags;
	info->flags |= required_flags;
	info->handler = handle_edge_irq;
	info->handler_name = "edge";
	/* Unlike what it would be by chance, so that a test sees when it gets lost */
	info->chip_data = msi_parent_domain->host_data;

	chip->irq_ack = irq_chip_ack_parent;
	if (!(info->flags & MSI_FLAG_NO_AFFINITY))
		chip->irq_set_affinity = msi_domain_set_affinity;
	if (info->flags & MSI_FLAG_PCI_MSI_MASK_PARENT) {
		chip->irq_mask = irq_chip_mask_parent;
		chip->irq_unmask = irq_chip_unmask_parent;
	}
	return true;
}

/**
 * msi_fake_parent_create - Create a fake MSI parent domain
 * @nr_vectors:	How many interrupts can be allocated from it at a time
 * @flags:	Any of %MSI_FAKE_NO_IMS, %MSI_FAKE_MASK_PARENT, %MSI_FAKE_STARTUP_PARENT,
 *		%MSI_FAKE_PCI_ONLY, %MSI_FAKE_IMMUTABLE, %MSI_FAKE_SINGLE,
 *		%MSI_FAKE_NO_DYN, %MSI_FAKE_CONTIGUOUS, %MSI_FAKE_NO_AFFINITY and
 *		%MSI_FAKE_ONE_DOMAIN
 *
 * The domain serves PCI devices and others. It opts in to device-specific
 * stores unless @flags say no. It can be given to msi_allocate_table() as
 * msi_table_info::parent, or attached to a device. Like interrupt remapping it
 * needs the MSI descriptor of the device to allocate an interrupt, and fails with
 * %-ENODEV without.
 *
 * Context: May sleep.
 *
 * Return: The parent, or an ERR_PTR(): %-EINVAL for unknown @flags, %-ENOMEM
 */
struct msi_fake_parent *msi_fake_parent_create(unsigned int nr_vectors, unsigned int flags)
{
	static atomic_t ids;
	unsigned int id = atomic_inc_return(&ids);
	struct irq_domain_info info = {
		.ops	= &msi_fake_domain_ops,
	};

	if (flags & ~FAKE_FLAGS)
		return ERR_PTR(-EINVAL);

	struct msi_fake_parent *parent __free(kfree) = kzalloc_obj(*parent);
	if (!parent)
		return ERR_PTR(-ENOMEM);

	parent->ops = (struct msi_parent_ops) {
		.supported_flags	= MSI_GENERIC_FLAGS_MASK | MSI_FLAG_MULTI_PCI_MSI |
					  MSI_FLAG_PCI_MSIX | MSI_FLAG_PCI_MSIX_ALLOC_DYN,
		.required_flags		= MSI_FLAG_USE_DEF_DOM_OPS | MSI_FLAG_USE_DEF_CHIP_OPS,
		.chip_flags		= MSI_CHIP_FLAG_SET_ACK,
		.bus_select_token	= DOMAIN_BUS_NEXUS,
		.bus_select_mask	= BIT(DOMAIN_BUS_PCI_MSI),
		.prefix			= "FAKE-",
		.init_dev_msi_info	= fake_init_dev_msi_info,
	};
	if (!(flags & MSI_FAKE_NO_IMS))
		parent->ops.supported_flags |= MSI_FLAG_IMS;
	if (!(flags & MSI_FAKE_ONE_DOMAIN))
		parent->ops.supported_flags |= MSI_FLAG_MULTI_DOMAIN;
	if (flags & MSI_FAKE_IMMUTABLE)
		info.domain_flags |= IRQ_DOMAIN_FLAG_MSI_IMMUTABLE;
	if (flags & MSI_FAKE_NO_AFFINITY)
		parent->ops.required_flags |= MSI_FLAG_NO_AFFINITY;
	if (!(flags & MSI_FAKE_PCI_ONLY))
		parent->ops.bus_select_mask |= BIT(DOMAIN_BUS_PLATFORM_MSI);
	if (flags & MSI_FAKE_NO_DYN)
		parent->ops.supported_flags &= ~MSI_FLAG_PCI_MSIX_ALLOC_DYN;
	if (flags & MSI_FAKE_CONTIGUOUS)
		parent->ops.supported_flags |= MSI_FLAG_MSIX_CONTIGUOUS;
	if (flags & MSI_FAKE_MASK_PARENT)
		parent->ops.required_flags |= MSI_FLAG_PCI_MSI_MASK_PARENT;
	if (flags & MSI_FAKE_STARTUP_PARENT)
		parent->ops.required_flags |= MSI_FLAG_PCI_MSI_STARTUP_PARENT;

	parent->address = FAKE_ADDRESS_BASE | FAKE_ADDRESS_LOW |
			  FIELD_PREP(FAKE_ADDRESS_ID, id & FIELD_MAX(FAKE_ADDRESS_ID));
	parent->capacity = nr_vectors;
	parent->flags = flags;
	parent->next = FAKE_FIRST_HWIRQ;
	xa_init_flags(&parent->irqs, XA_FLAGS_ALLOC);

	struct fwnode_handle *fwnode __free(irq_domain_free_fwnode) =
		irq_domain_alloc_named_id_fwnode("MSI-fake", id);
	if (!fwnode)
		return ERR_PTR(-ENOMEM);

	info.fwnode = fwnode;
	info.host_data = parent;
	parent->domain = msi_create_parent_irq_domain(&info, &parent->ops);
	if (!parent->domain)
		return ERR_PTR(-ENOMEM);

	parent->fwnode = no_free_ptr(fwnode);
	return no_free_ptr(parent);
}
EXPORT_SYMBOL_GPL(msi_fake_parent_create);

/**
 * msi_fake_parent_destroy - Destroy a fake MSI parent domain
 * @parent:	The parent
 *
 * All tables on it have to be freed. A parent with interrupts left warns and
 * is leaked, for they refer to it.
 *
 * Context: May sleep.
 */
void msi_fake_parent_destroy(struct msi_fake_parent *parent)
{
	unsigned int live = msi_fake_parent_live(parent);

	if (WARN(live, "%s: %u interrupts left\n", parent->domain->name, live))
		return;

	irq_domain_remove(parent->domain);
	irq_domain_free_fwnode(parent->fwnode);
	xa_destroy(&parent->irqs);
	kfree(parent);
}
EXPORT_SYMBOL_GPL(msi_fake_parent_destroy);

/**
 * msi_fake_parent_domain - The domain of a fake MSI parent
 * @parent:	The parent
 *
 * Context: Any.
 *
 * Return: the domain, e.g. for msi_table_info::parent
 */
struct irq_domain *msi_fake_parent_domain(struct msi_fake_parent *parent)
{
	return parent->domain;
}
EXPORT_SYMBOL_GPL(msi_fake_parent_domain);

/**
 * msi_fake_parent_attach - Make a fake parent the MSI parent of a device
 * @parent:	The parent, which has to outlive @dev's driver
 * @dev:	The device
 *
 * Context: Any.
 */
void msi_fake_parent_attach(struct msi_fake_parent *parent, struct device *dev)
{
	dev_set_msi_domain(dev, parent->domain);
}
EXPORT_SYMBOL_GPL(msi_fake_parent_attach);

/**
 * msi_fake_parent_fail_nth - Make an allocation from the parent fail
 * @parent:	The parent
 * @nth:	Which allocation from now on fails: 1 is the next one, 0 is none
 *
 * One allocation, of one interrupt or of several at once, fails with %-ENOSPC,
 * those after it succeed again.
 *
 * Context: Any.
 *
 * Return: which one would have failed by now; 0 if it has
 */
unsigned int msi_fake_parent_fail_nth(struct msi_fake_parent *parent, unsigned int nth)
{
	return atomic_xchg(&parent->fail, nth);
}
EXPORT_SYMBOL_GPL(msi_fake_parent_fail_nth);

/**
 * msi_fake_parent_fail_activate_nth - Make an activation in the parent fail
 * @parent:	The parent
 * @nth:	Which activation from now on fails: 1 is the next one, 0 is none
 *
 * An interrupt is activated when a handler is installed. One activation fails
 * with %-ENOSPC, as if there were no CPU vector left for the reservation.
 *
 * Context: Any.
 *
 * Return: which one would have failed by now; 0 if it has
 */
unsigned int msi_fake_parent_fail_activate_nth(struct msi_fake_parent *parent, unsigned int nth)
{
	return atomic_xchg(&parent->fail_activate, nth);
}
EXPORT_SYMBOL_GPL(msi_fake_parent_fail_activate_nth);

/**
 * msi_fake_parent_live - Count the interrupts which are allocated
 * @parent:	The parent
 *
 * Context: Any.
 *
 * Return: the number of interrupts allocated from @parent and not freed
 */
unsigned int msi_fake_parent_live(struct msi_fake_parent *parent)
{
	return atomic_read(&parent->live);
}
EXPORT_SYMBOL_GPL(msi_fake_parent_live);

/**
 * msi_fake_parent_alloc_calls - Count the allocations
 * @parent:	The parent
 *
 * An allocation of several interrupts at once counts as one, as does what
 * %MSI_FAKE_SINGLE refuses for its size.
 *
 * Context: Any.
 *
 * Return: how often interrupts were allocated from @parent, successfully or not
 */
unsigned int msi_fake_parent_alloc_calls(struct msi_fake_parent *parent)
{
	return atomic_read(&parent->alloc_calls);
}
EXPORT_SYMBOL_GPL(msi_fake_parent_alloc_calls);

/**
 * msi_fake_parent_inject - Do what a device does to raise an interrupt
 * @parent:	The parent
 * @msg:	The message, as read from a store
 *
 * When this returns the handler has run, unless the interrupt is disabled or
 * masked in the parent.
 *
 * Context: Any.
 *
 * Return: 0, %-EINVAL if @msg is not a message of @parent, all zero for
 * instance, or %-ENOENT if @msg was one, but is not any more: the interrupt is
 * not active, or its affinity has changed and the message with it
 */
int msi_fake_parent_inject(struct msi_fake_parent *parent, const struct msi_msg *msg)
{
	struct msi_fake_irq *irq;
	int ret;

	if ((msi_msg_address(msg) & ~FAKE_ADDRESS_CPU) != parent->address)
		return -EINVAL;

	scoped_guard(rcu) {
		irq = xa_load(&parent->irqs, msg->data);
		if (!irq || !READ_ONCE(irq->active) ||
		    fake_irq_address(irq) != msi_msg_address(msg))
			return -ENOENT;

		if (READ_ONCE(irq->masked)) {
			atomic_xchg(&irq->pending, 1);
			/* Unless it was unmasked just now and nobody has seen it */
			if (READ_ONCE(irq->masked) || !atomic_xchg(&irq->pending, 0))
				return 0;
		}
		if (!refcount_inc_not_zero(&irq->users))
			return -ENOENT;
	}

	ret = generic_handle_domain_irq_safe(parent->domain, msg->data) ? -ENOENT : 0;
	fake_put_irq(irq);
	return ret;
}
EXPORT_SYMBOL_GPL(msi_fake_parent_inject);

/**
 * struct msi_fake_store - Message store which records what it is told
 * @slots:	Label to &struct fake_slot; they stay until the end
 * @bus:	Lock of the slow bus, if the store is behind one
 * @fail:	Count-down to the init_vector call which fails
 * @calls:	Number of calls of any op for a vector
 * @locks:	Number of lock calls
 * @bad:	Number of calls which were against the rules
 */
struct msi_fake_store {
	struct xarray	slots;
	struct mutex	bus;
	atomic_t	fail;
	atomic_t	calls;
	atomic_t	locks;
	atomic_t	bad;
};

/**
 * struct fake_slot - One label of a fake store
 * @lock:	Protects the other members against being read half way
 * @state:	What is known about the slot; message and mask as the device has them
 * @msg:	The message which was written last
 * @masked:	Whether mask was called last, or unmask
 * @dirty:	@msg and @masked are to be written to the device
 */
struct fake_slot {
	raw_spinlock_t		lock;
	struct msi_fake_slot	state;
	struct msi_msg	msg;
	bool			masked;
	bool			dirty;
};

static struct msi_fake_store *fake_store(struct msi_vector *vector)
{
	return msi_table_data(msi_vector_table(vector));
}

static bool fake_irq_desc_locked(struct msi_vector *vector)
{
	struct irq_desc *desc = irq_to_desc(msi_vector_irq(vector));

	if (!desc)
		return false;
#ifdef CONFIG_LOCKDEP
	return lockdep_is_held(&desc->lock);
#else
	return !IS_ENABLED(CONFIG_SMP) || raw_spin_is_locked(&desc->lock);
#endif
}

static bool fake_bus_locked(struct msi_fake_store *store)
{
#ifdef CONFIG_LOCKDEP
	return lockdep_is_held(&store->bus);
#else
	return mutex_is_locked(&store->bus);
#endif
}

/* Every atomic op comes through here. */
static struct fake_slot *fake_slot_atomic(struct msi_vector *vector)
{
	struct msi_fake_store *store = fake_store(vector);
	struct fake_slot *slot = xa_load(&store->slots, msi_vector_label(vector));

	atomic_inc(&store->calls);
	if (!slot || !slot->state.inited || !irqs_disabled() || !fake_irq_desc_locked(vector))
		atomic_inc(&store->bad);
	return slot;
}

static struct fake_slot *fake_slot_sleeping(struct msi_vector *vector)
{
	struct msi_fake_store *store = fake_store(vector);

	might_sleep();
	atomic_inc(&store->calls);
	if (IS_ENABLED(CONFIG_PREEMPT_COUNT) && !preemptible())
		atomic_inc(&store->bad);
	return xa_load(&store->slots, msi_vector_label(vector));
}

/* What is recorded reaches the device. */
static void fake_flush(struct fake_slot *slot)
{
	lockdep_assert_held(&slot->lock);

	if (!slot->dirty)
		return;
	slot->state.msg = slot->msg;
	slot->state.masked = slot->masked;
	slot->dirty = false;
}

static void fake_record_msg(struct msi_vector *vector, const struct msi_msg *msg, bool slow)
{
	struct fake_slot *slot = fake_slot_atomic(vector);

	if (!slot)
		return;

	guard(raw_spinlock_irqsave)(&slot->lock);
	/* An unmasked device would write to address 0. */
	if (msg && !msi_msg_address(msg) && !msg->data && !slot->masked)
		atomic_inc(&fake_store(vector)->bad);
	if (slow && !fake_bus_locked(fake_store(vector)))
		atomic_inc(&fake_store(vector)->bad);

	slot->msg = msg ? *msg : (struct msi_msg) { };
	slot->dirty = true;
	if (msg)
		slot->state.writes++;
	else
		slot->state.clears++;
	if (!slow)
		fake_flush(slot);
}

static void fake_record_mask(struct msi_vector *vector, bool mask, bool slow)
{
	struct fake_slot *slot = fake_slot_atomic(vector);

	if (!slot)
		return;

	guard(raw_spinlock_irqsave)(&slot->lock);
	slot->masked = mask;
	slot->dirty = true;
	if (mask)
		slot->state.masks++;
	else
		slot->state.unmasks++;
	if (!slow)
		fake_flush(slot);
}

static void fake_write_msg(struct msi_vector *vector, const struct msi_msg *msg)
{
	fake_record_msg(vector, msg, false);
}

static void fake_clear_msg(struct msi_vector *vector)
{
	fake_record_msg(vector, NULL, false);
}

static void fake_mask(struct msi_vector *vector)
{
	fake_record_mask(vector, true, false);
}

static void fake_unmask(struct msi_vector *vector)
{
	fake_record_mask(vector, false, false);
}

static void fake_slow_write_msg(struct msi_vector *vector, const struct msi_msg *msg)
{
	fake_record_msg(vector, msg, true);
}

static void fake_slow_clear_msg(struct msi_vector *vector)
{
	fake_record_msg(vector, NULL, true);
}

static void fake_slow_mask(struct msi_vector *vector)
{
	fake_record_mask(vector, true, true);
}

static void fake_slow_unmask(struct msi_vector *vector)
{
	fake_record_mask(vector, false, true);
}

static void fake_slow_lock(struct msi_table *table)
{
	struct msi_fake_store *store = msi_table_data(table);

	might_sleep();
	if (IS_ENABLED(CONFIG_PREEMPT_COUNT) && !preemptible())
		atomic_inc(&store->bad);
	mutex_lock(&store->bus);
	atomic_inc(&store->locks);
}

static void fake_slow_unlock(struct msi_table *table)
{
	struct msi_fake_store *store = msi_table_data(table);
	struct fake_slot *slot;
	unsigned long label;

	might_sleep();
	if (!fake_bus_locked(store))
		atomic_inc(&store->bad);
	xa_for_each(&store->slots, label, slot) {
		guard(raw_spinlock_irqsave)(&slot->lock);
		fake_flush(slot);
	}
	mutex_unlock(&store->bus);
}

static int fake_init_vector(struct msi_vector *vector)
{
	struct fake_slot *slot = fake_slot_sleeping(vector);
	struct msi_fake_store *store = fake_store(vector);
	int ret;

	if (fake_count_down(&store->fail))
		return -EIO;

	if (!slot) {
		slot = kzalloc_obj(*slot);
		if (!slot)
			return -ENOMEM;

		raw_spin_lock_init(&slot->lock);
		ret = xa_insert(&store->slots, msi_vector_label(vector), slot, GFP_KERNEL);
		if (ret) {
			kfree(slot);
			return ret;
		}
	}

	guard(raw_spinlock_irqsave)(&slot->lock);
	if (slot->state.inited)
		atomic_inc(&store->bad);
	slot->state.inited = true;
	slot->state.cookie = msi_vector_cookie(vector);
	slot->state.inits++;
	return 0;
}

static void fake_exit_vector(struct msi_vector *vector)
{
	struct fake_slot *slot = fake_slot_sleeping(vector);

	if (!slot || !slot->state.inited)
		atomic_inc(&fake_store(vector)->bad);
	if (!slot)
		return;

	guard(raw_spinlock_irqsave)(&slot->lock);
	slot->state.inited = false;
	slot->state.exits++;
}

/**
 * var msi_fake_store_ops - Operations of a recording store which can mask
 *
 * msi_table_info::data has to be the &struct msi_fake_store.
 */
const struct msi_table_ops msi_fake_store_ops = {
	.write_msg	= fake_write_msg,
	.clear_msg	= fake_clear_msg,
	.mask		= fake_mask,
	.unmask		= fake_unmask,
	.init_vector	= fake_init_vector,
	.exit_vector	= fake_exit_vector,
};
EXPORT_SYMBOL_GPL(msi_fake_store_ops);

/**
 * var msi_fake_store_ops_nomask - Operations of a recording store without mask
 *
 * msi_table_info::data has to be the &struct msi_fake_store.
 */
const struct msi_table_ops msi_fake_store_ops_nomask = {
	.write_msg	= fake_write_msg,
	.clear_msg	= fake_clear_msg,
	.init_vector	= fake_init_vector,
	.exit_vector	= fake_exit_vector,
};
EXPORT_SYMBOL_GPL(msi_fake_store_ops_nomask);

/**
 * var msi_fake_store_ops_slow - Operations of a recording store behind a slow bus
 *
 * Messages and masks reach the device, and msi_fake_store_read(), when the bus
 * is unlocked. msi_table_info::data has to be the &struct msi_fake_store.
 */
const struct msi_table_ops msi_fake_store_ops_slow = {
	.write_msg	= fake_slow_write_msg,
	.clear_msg	= fake_slow_clear_msg,
	.mask		= fake_slow_mask,
	.unmask		= fake_slow_unmask,
	.init_vector	= fake_init_vector,
	.exit_vector	= fake_exit_vector,
	.lock		= fake_slow_lock,
	.unlock		= fake_slow_unlock,
};
EXPORT_SYMBOL_GPL(msi_fake_store_ops_slow);

/**
 * msi_fake_store_create - Create a recording store
 *
 * One store serves one table.
 *
 * Context: May sleep.
 *
 * Return: The store, or an ERR_PTR()
 */
struct msi_fake_store *msi_fake_store_create(void)
{
	struct msi_fake_store *store = kzalloc_obj(*store);

	if (!store)
		return ERR_PTR(-ENOMEM);

	xa_init(&store->slots);
	mutex_init(&store->bus);
	return store;
}
EXPORT_SYMBOL_GPL(msi_fake_store_create);

/**
 * msi_fake_store_destroy - Destroy a recording store
 * @store:	The store, whose table is freed
 *
 * Context: May sleep.
 */
void msi_fake_store_destroy(struct msi_fake_store *store)
{
	struct fake_slot *slot;
	unsigned long label;

	xa_for_each(&store->slots, label, slot)
		kfree(slot);
	xa_destroy(&store->slots);
	mutex_destroy(&store->bus);
	kfree(store);
}
EXPORT_SYMBOL_GPL(msi_fake_store_destroy);

/**
 * msi_fake_store_fail_nth - Make a call of init_vector fail
 * @store:	The store
 * @nth:	Which call from now on fails: 1 is the next one, 0 is none
 *
 * One call fails with %-EIO, those after it succeed again.
 *
 * Context: Any.
 *
 * Return: which one would have failed by now; 0 if it has
 */
unsigned int msi_fake_store_fail_nth(struct msi_fake_store *store, unsigned int nth)
{
	return atomic_xchg(&store->fail, nth);
}
EXPORT_SYMBOL_GPL(msi_fake_store_fail_nth);

/**
 * msi_fake_store_read - Read what the store knows about a label
 * @store:	The store
 * @label:	The label
 * @slot:	Where to put it
 *
 * A slot can still be read when its vector is freed.
 *
 * Context: Any.
 *
 * Return: 0, or %-ENOENT if there was never a vector with this label
 */
int msi_fake_store_read(struct msi_fake_store *store, u32 label, struct msi_fake_slot *slot)
{
	struct fake_slot *s = xa_load(&store->slots, label);

	if (!s)
		return -ENOENT;

	guard(raw_spinlock_irqsave)(&s->lock);
	*slot = s->state;
	return 0;
}
EXPORT_SYMBOL_GPL(msi_fake_store_read);

/**
 * msi_fake_store_fire - Let the device send the message of a label
 * @store:	The store
 * @parent:	Whom the message goes to
 * @label:	The label
 *
 * Context: Any. The vector must not be freed at the same time.
 *
 * Return: 0, %-ENOENT if there was never a vector with this label, %-EAGAIN if
 * the device does not send because the slot is masked or its message invalid,
 * or an error of msi_fake_parent_inject()
 */
int msi_fake_store_fire(struct msi_fake_store *store, struct msi_fake_parent *parent, u32 label)
{
	struct msi_fake_slot slot;
	int ret;

	ret = msi_fake_store_read(store, label, &slot);
	if (ret)
		return ret;
	if (slot.masked || (!msi_msg_address(&slot.msg) && !slot.msg.data))
		return -EAGAIN;
	return msi_fake_parent_inject(parent, &slot.msg);
}
EXPORT_SYMBOL_GPL(msi_fake_store_fire);

/**
 * msi_fake_store_wipe - Let the device lose what it was told
 * @store:	The store
 *
 * As a reset of the device does: all messages become invalid and all masks are
 * taken away, in the device and among what waits for the bus to be unlocked.
 *
 * Context: Any.
 */
void msi_fake_store_wipe(struct msi_fake_store *store)
{
	struct fake_slot *slot;
	unsigned long label;

	xa_for_each(&store->slots, label, slot) {
		guard(raw_spinlock_irqsave)(&slot->lock);
		slot->msg = (struct msi_msg) { };
		slot->masked = false;
		slot->dirty = true;
		fake_flush(slot);
	}
}
EXPORT_SYMBOL_GPL(msi_fake_store_wipe);

/**
 * msi_fake_store_locks - Count how often the bus was locked
 * @store:	The store, behind a slow bus
 *
 * Context: Any.
 *
 * Return: the number of calls of msi_table_ops::lock
 */
unsigned int msi_fake_store_locks(struct msi_fake_store *store)
{
	return atomic_read(&store->locks);
}
EXPORT_SYMBOL_GPL(msi_fake_store_locks);

/**
 * msi_fake_store_calls - Count the calls of ops
 * @store:	The store
 *
 * Context: Any.
 *
 * Return: how often an op was called for a vector, on any label
 */
unsigned int msi_fake_store_calls(struct msi_fake_store *store)
{
	return atomic_read(&store->calls);
}
EXPORT_SYMBOL_GPL(msi_fake_store_calls);

/**
 * msi_fake_store_bad_context - Count the calls against the rules
 * @store:	The store
 *
 * A message op without the lock of the interrupt descriptor or with interrupts
 * on, an op on a slot which is not set up, an all-zero message written to a
 * slot which is not masked, a message written or cleared behind a slow bus which
 * is not locked, unlock without lock, init_vector or exit_vector called twice, or they
 * or lock called where it may not sleep. A good test ends with none.
 *
 * Context: Any.
 *
 * Return: the number of such calls
 */
unsigned int msi_fake_store_bad_context(struct msi_fake_store *store)
{
	return atomic_read(&store->bad);
}
EXPORT_SYMBOL_GPL(msi_fake_store_bad_context);
