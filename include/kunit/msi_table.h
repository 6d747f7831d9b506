/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _KUNIT_MSI_TABLE_H
#define _KUNIT_MSI_TABLE_H

/*
 * Test doubles for drivers which use MSI tables: an MSI parent domain which
 * stands in for the interrupt controller, and a message store which records
 * what it is told.
 */

#include <linux/msi.h>
#include <linux/msi_table.h>

/*
 * Like interrupt remapping, a parent finds out whose interrupt it allocates by the
 * MSI descriptor in msi_alloc_info_t, and says -ENODEV where that is not of the
 * device of the domain.
 */
struct msi_fake_parent;

/*
 * msi_fake_parent_create() flags
 *
 * MSI_FAKE_NO_IMS:		Does not opt in to device-specific stores
 * MSI_FAKE_MASK_PARENT:	Insists on masking by itself, like the interrupt
 *				controllers with MSI_FLAG_PCI_MSI_MASK_PARENT
 * MSI_FAKE_STARTUP_PARENT:	Insists on being told of startup and shutdown, like
 *				those with MSI_FLAG_PCI_MSI_STARTUP_PARENT
 * MSI_FAKE_NO_AFFINITY:	Can not move interrupts, as those with
 *				MSI_FLAG_NO_AFFINITY
 * MSI_FAKE_PCI_ONLY:		Serves no devices but those of PCI
 * MSI_FAKE_IMMUTABLE:		Messages do not change with the affinity, as with
 *				interrupt remapping
 * MSI_FAKE_SINGLE:		Allocates one interrupt at a time and refuses
 *				more with -EOPNOTSUPP, as the IMSIC does
 * MSI_FAKE_NO_DYN:		Allocates MSI-X only while it is being switched on
 * MSI_FAKE_CONTIGUOUS:		Allocates MSI-X only from entry 0 on, without gaps
 * MSI_FAKE_ONE_DOMAIN:		Does not say that a device can have several MSI domains
 */
#define MSI_FAKE_NO_IMS		BIT(0)
#define MSI_FAKE_MASK_PARENT	BIT(1)
#define MSI_FAKE_PCI_ONLY	BIT(2)
#define MSI_FAKE_IMMUTABLE	BIT(3)
#define MSI_FAKE_SINGLE		BIT(4)
#define MSI_FAKE_NO_DYN		BIT(5)
#define MSI_FAKE_CONTIGUOUS	BIT(6)
#define MSI_FAKE_STARTUP_PARENT	BIT(7)
#define MSI_FAKE_NO_AFFINITY	BIT(8)
#define MSI_FAKE_ONE_DOMAIN	BIT(9)

struct msi_fake_parent *msi_fake_parent_create(unsigned int nr_vectors, unsigned int flags);
void msi_fake_parent_destroy(struct msi_fake_parent *parent);
struct irq_domain *msi_fake_parent_domain(struct msi_fake_parent *parent);
void msi_fake_parent_attach(struct msi_fake_parent *parent, struct device *dev);
unsigned int msi_fake_parent_fail_nth(struct msi_fake_parent *parent, unsigned int nth);
unsigned int msi_fake_parent_fail_activate_nth(struct msi_fake_parent *parent, unsigned int nth);
unsigned int msi_fake_parent_live(struct msi_fake_parent *parent);
unsigned int msi_fake_parent_alloc_calls(struct msi_fake_parent *parent);
int msi_fake_parent_inject(struct msi_fake_parent *parent, const struct msi_msg *msg);

/**
 * struct msi_fake_slot - What a recording store knows about one label
 * @msg:	The message as the device would read it, all zero if invalid
 * @masked:	Whether the slot is masked, as the device would read it
 * @inited:	init_vector was called, and exit_vector not since
 * @cookie:	Cookie of the vector at the time of the last init_vector call
 * @inits:	Number of init_vector calls which succeeded
 * @exits:	Number of exit_vector calls
 * @writes:	Number of write_msg calls
 * @clears:	Number of clear_msg calls
 * @masks:	Number of mask calls
 * @unmasks:	Number of unmask calls
 */
struct msi_fake_slot {
	struct msi_msg		msg;
	bool			masked;
	bool			inited;
	void			*cookie;
	unsigned int		inits;
	unsigned int		exits;
	unsigned int		writes;
	unsigned int		clears;
	unsigned int		masks;
	unsigned int		unmasks;
};

struct msi_fake_store;

extern const struct msi_table_ops msi_fake_store_ops;
extern const struct msi_table_ops msi_fake_store_ops_nomask;
extern const struct msi_table_ops msi_fake_store_ops_slow;

struct msi_fake_store *msi_fake_store_create(void);
void msi_fake_store_destroy(struct msi_fake_store *store);
unsigned int msi_fake_store_fail_nth(struct msi_fake_store *store, unsigned int nth);
int msi_fake_store_read(struct msi_fake_store *store, u32 label, struct msi_fake_slot *slot);
int msi_fake_store_fire(struct msi_fake_store *store, struct msi_fake_parent *parent, u32 label);
void msi_fake_store_wipe(struct msi_fake_store *store);
unsigned int msi_fake_store_locks(struct msi_fake_store *store);
unsigned int msi_fake_store_calls(struct msi_fake_store *store);
unsigned int msi_fake_store_bad_context(struct msi_fake_store *store);

#endif /* _KUNIT_MSI_TABLE_H */
