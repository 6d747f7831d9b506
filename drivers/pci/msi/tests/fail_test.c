// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for failures inside the operations of PCI tables
 *
 * On the real parent of the device, so what fails is memory. msi_table_fail.h
 * says how, and what has to be done to make it fail.
 */
#include <kunit/test.h>

#include <linux/device.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>

#include "../../../../kernel/irq/tests/msi_table_fail.h"
#include "igb.h"

#define PCI_FAIL_BATCH		3
#define PCI_FAIL_LAST		(IGB_NR_MSIX - 1)

/* Bits of msi_fail_state::device */
#define PCI_FAIL_MSIX		BIT(0)
#define PCI_FAIL_MSI		BIT(1)
#define PCI_FAIL_NO_INTX	BIT(2)
#define PCI_FAIL_CLAIMED	BIT(3)

/* The table of the function, or NULL, and the vectors an operation has allocated */
static struct msi_table *pci_fail_table;
static struct msi_vector *pci_fail_vectors[PCI_FAIL_BATCH];
static unsigned int pci_fail_n;

static void pci_fail_read(struct kunit *test, struct msi_fail_state *state)
{
	struct igb_test *igb = test->priv;
	struct msi_msg msg;

	*state = (struct msi_fail_state) {
		.count	= {
			[MSI_FAIL_IRQS]		= msi_fail_irqs(),
			[MSI_FAIL_SYSFS]	= msi_fail_sysfs(&igb->pdev->dev),
			[MSI_FAIL_LABELS]	= msi_fail_labels(pci_fail_table),
			[MSI_FAIL_PARENT]	= -1,
			[MSI_FAIL_SLOTS]	= -1,
		},
		.domain	= dev_get_msi_domain(&igb->pdev->dev),
		.device	= (igb_msix_on(igb) ? PCI_FAIL_MSIX : 0) |
			  (igb_msi_on(igb) ? PCI_FAIL_MSI : 0) |
			  (igb_command(igb) & PCI_COMMAND_INTX_DISABLE ? PCI_FAIL_NO_INTX : 0) |
			  (igb->pdev->msi_table ? PCI_FAIL_CLAIMED : 0),
	};
	for (int i = 0; i < pci_fail_n; i++)
		state->messages += !msi_vector_get_msg(pci_fail_vectors[i], &msg);
}

/* The operations, and what they build upon */

static int pci_fail_create(struct kunit *test, unsigned int flags)
{
	struct igb_test *igb = test->priv;
	struct msi_table *table = pci_allocate_msi_table(igb->pdev, flags);

	if (IS_ERR(table))
		return PTR_ERR(table);

	pci_fail_table = table;
	return 0;
}

static int run_create_msix(struct kunit *test)
{
	return pci_fail_create(test, MSI_TABLE_MSIX);
}

static int run_create_msi(struct kunit *test)
{
	return pci_fail_create(test, MSI_TABLE_MSI);
}

static void free_table(struct kunit *test)
{
	msi_table_free(pci_fail_table);
	pci_fail_table = NULL;
	pci_fail_n = 0;
}

static int run_alloc(struct kunit *test)
{
	int ret = msi_fail_alloc(pci_fail_table, test->param_value, NULL, pci_fail_vectors);

	pci_fail_n = max(ret, 0);
	return ret;
}

static void free_vectors(struct kunit *test)
{
	msi_table_free_vectors(pci_fail_table, pci_fail_vectors, pci_fail_n);
	pci_fail_n = 0;
}

/* MSI-X and MSI, once on, go only with the table. */
static void free_vectors_and_msix(struct kunit *test)
{
	free_table(test);
	KUNIT_ASSERT_EQ(test, run_create_msix(test), 0);
}

static void free_vectors_and_msi(struct kunit *test)
{
	free_table(test);
	KUNIT_ASSERT_EQ(test, run_create_msi(test), 0);
}

static int run_request(struct kunit *test)
{
	struct igb_test *igb = test->priv;

	return msi_vector_request_irq(pci_fail_vectors[0], igb_handler, NULL, 0, &igb->vectors[0],
				      "igb-fail");
}

static void free_irq_of_first(struct kunit *test)
{
	msi_vector_free_irq(pci_fail_vectors[0]);
}

/* What a driver does in its probe, and how it gives up */
static int run_probe(struct kunit *test)
{
	int ret, n;

	ret = run_create_msix(test);
	if (ret)
		return ret;

	n = run_alloc(test);
	ret = n < 0 ? n : run_request(test);
	if (ret) {
		free_table(test);
		return ret;
	}
	return n;
}

static int run_free(struct kunit *test)
{
	int ret = 0;

	msi_vector_free_irq(pci_fail_vectors[0]);
	msi_table_free_vector(pci_fail_table, pci_fail_vectors[1]);
	msi_table_free_vectors(pci_fail_table, pci_fail_vectors + 2, PCI_FAIL_BATCH - 2);
	pci_fail_n = 1;
	if (msi_fail_labels(pci_fail_table) != 1)
		ret = -EPROTO;
	free_table(test);
	return ret;
}

static int run_unbind(struct kunit *test)
{
	struct igb_test *igb = test->priv;

	device_release_driver(&igb->pdev->dev);
	pci_fail_table = NULL;
	pci_fail_n = 0;
	return 0;
}

static void setup_binding(struct kunit *test)
{
	struct igb_test *igb = test->priv;

	KUNIT_ASSERT_EQ(test, device_attach(&igb->pdev->dev), 1);
}

/* Nothing is left of what was made for MSI and MSI-X before. */
static void setup_new_binding(struct kunit *test)
{
	run_unbind(test);
	setup_binding(test);
}

static void setup_msix(struct kunit *test)
{
	setup_new_binding(test);
	KUNIT_ASSERT_EQ(test, run_create_msix(test), 0);
}

static void setup_msi(struct kunit *test)
{
	setup_new_binding(test);
	KUNIT_ASSERT_EQ(test, run_create_msi(test), 0);
}

/* MSI-X is on, with entry 0 and whatever the operation allocates. */
static void setup_msix_on(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, run_create_msix(test), 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(msi_table_alloc_vector(pci_fail_table, 0)));
}

static void setup_vector(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, run_create_msix(test), 0);
	KUNIT_ASSERT_EQ(test, run_alloc(test), 1);
}

static void setup_live(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, run_probe(test), PCI_FAIL_BATCH);
}

#define PCI_FAIL_ONE(_lowest)								\
	.lowest = _lowest, .highest = PCI_FAIL_LAST, .min = 1, .max = 1
#define PCI_FAIL_SOME(_lowest)								\
	.lowest = _lowest, .highest = PCI_FAIL_LAST, .min = PCI_FAIL_BATCH, .max = PCI_FAIL_BATCH
#define PCI_FAIL_FIRST									\
	.setup = setup_msix, .run = run_alloc, .undo = free_vectors_and_msix,		\
	.teardown = free_table, .device = PCI_FAIL_MSIX | PCI_FAIL_NO_INTX
#define PCI_FAIL_LATER									\
	.setup = setup_msix_on, .run = run_alloc, .undo = free_vectors, .teardown = free_table

static const struct msi_fail_op pci_fail_ops[] = {
	{
		.name = "create MSI-X", .setup = setup_new_binding, .run = run_create_msix,
		.undo = free_table, .device = PCI_FAIL_CLAIMED,
	}, {
		.name = "create MSI", .run = run_create_msi,
		.undo = free_table, .device = PCI_FAIL_CLAIMED,
	}, {
		.name = "first of MSI-X", PCI_FAIL_ONE(3), PCI_FAIL_FIRST,
	}, {
		.name = "first batch of MSI-X", PCI_FAIL_SOME(3), PCI_FAIL_FIRST,
	}, {
		.name = "second of MSI-X", PCI_FAIL_ONE(5), PCI_FAIL_LATER,
	}, {
		.name = "another batch of MSI-X", PCI_FAIL_SOME(5), PCI_FAIL_LATER,
	}, {
		.name = "MSI", .highest = MSI_LABEL_ANY, .min = 1, .max = 1, .setup = setup_msi,
		.run = run_alloc, .undo = free_vectors_and_msi, .teardown = free_table,
		.device = PCI_FAIL_MSI | PCI_FAIL_NO_INTX,
	}, {
		.name = "request_irq", PCI_FAIL_ONE(0), .setup = setup_vector,
		.run = run_request, .undo = free_irq_of_first, .teardown = free_table,
		.messages = 1,
	}, {
		.name = "probe", PCI_FAIL_SOME(0), .setup = setup_new_binding,
		.run = run_probe, .undo = free_table, .messages = 1,
		.device = PCI_FAIL_MSIX | PCI_FAIL_NO_INTX | PCI_FAIL_CLAIMED,
	}, {
		.name = "free", PCI_FAIL_SOME(0), .setup = setup_live,
		.run = run_free, .frees = true,
	}, {
		.name = "unbind", PCI_FAIL_SOME(0), .setup = setup_live,
		.run = run_unbind, .teardown = setup_binding, .frees = true,
	},
};

KUNIT_ARRAY_PARAM_DESC(pci_fail, pci_fail_ops, name);

static unsigned int pci_fail_points;

/* The MSI core of PCI says -ENOSPC whatever the reason. */
static void pci_fail_memory(struct kunit *test)
{
	const struct msi_fail_op *op = test->param_value;
	unsigned int points = msi_fail_all_memory(test, op, pci_fail_read, -ENOMEM, -ENOSPC);

	/* To free needs no memory. All else does, or nothing was made to fail. */
	if (!op->frees)
		KUNIT_EXPECT_GT(test, points, 0);
	pci_fail_points += points;
}

static void pci_fail_disable(void *pdev)
{
	pci_disable_device(pdev);
	pci_dev_put(pdev);
}

/*
 * The device stays enabled: on the way to its INTx the interpreter of ACPI does
 * not survive a lack of memory.
 */
static int pci_fail_init(struct kunit *test)
{
	struct pci_dev *pdev = pci_get_device(PCI_VENDOR_ID_INTEL, 0x10c9, NULL);

	if (!pdev)
		kunit_skip(test, "no Intel 82576");
	KUNIT_ASSERT_EQ(test, pci_enable_device(pdev), 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, pci_fail_disable, pdev));

	pci_fail_table = NULL;
	pci_fail_n = 0;
	return igb_test_init(test);
}

static int pci_fail_suite_init(struct kunit_suite *suite)
{
	pci_fail_points = 0;
	msi_fail_init_irqs();
	return 0;
}

static void pci_fail_suite_exit(struct kunit_suite *suite)
{
	kunit_log(KERN_INFO, suite, KUNIT_SUBTEST_INDENT "# msi_table_pci_fail: %u failure points",
		  pci_fail_points);
}

static struct kunit_case pci_fail_cases[] = {
	KUNIT_CASE_PARAM(pci_fail_memory, pci_fail_gen_params),
	{ }
};

static struct kunit_suite pci_fail_suite = {
	.name		= "msi_table_pci_fail",
	.suite_init	= pci_fail_suite_init,
	.suite_exit	= pci_fail_suite_exit,
	.init		= pci_fail_init,
	.exit		= igb_test_exit,
	.test_cases	= pci_fail_cases,
};

kunit_test_suite(pci_fail_suite);
