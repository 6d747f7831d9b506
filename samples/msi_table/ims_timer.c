// SPDX-License-Identifier: GPL-2.0
/*
 * MSI table sample: a timer with an interrupt message store
 *
 * The device is QEMU's edu. Its DMA engine copies between memory and a buffer
 * of the device and takes 100 ms for it, which makes it a timer: writing the
 * data of a message to the address of the message is an interrupt.
 *
 * The message store is one slot in memory, from where the device reads the
 * message into its buffer. That it has done so is signalled by the one PCI MSI
 * of the device, so the driver has two tables:
 *
 *	load:	slot -> buffer			then "loaded" by PCI MSI
 *	arm:	buffer -> message address	then "expired" by IMS
 *
 * A message which has been loaded is armed again and again, until it changes.
 */
#include <linux/dma-mapping.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/msi.h>
#include <linux/msi_table.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#define EDU_IRQ_STATUS		0x24
#define EDU_IRQ_ACK		0x64
#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98
#define EDU_DMA_CMD_RUN		BIT(0)
#define EDU_DMA_CMD_TO_MEMORY	BIT(1)
#define EDU_DMA_CMD_IRQ		BIT(2)
#define EDU_BUFFER		0x40000
#define EDU_DMA_MS		100
#define EDU_PATIENCE_US		(3 * USEC_PER_SEC)

static unsigned int count = 10;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "Number of expirations to wait for (default 10)");

static bool unremapped;
module_param(unremapped, bool, 0444);
MODULE_PARM_DESC(unremapped, "Work without interrupt remapping: edu is fully emulated (default off)");

/* The message store, read by the device; a zero address is an invalid message */
struct ims_slot {
	__le64	address;
	__le32	data;
};

/**
 * struct ims_timer - The timer
 * @pdev:	PCI function
 * @ims:	Table of the message store
 * @regs:	BAR 0
 * @slot:	The message store
 * @slot_dma:	Its address for the device
 * @lock:	Protects the following, @slot, and the DMA engine
 * @version:	Counts the messages written to @slot
 * @loading:	@version which is being loaded
 * @loaded:	@version which is in the buffer of the device
 * @armed:	Number of messages which the DMA engine was told to send
 * @delivered:	Number of expirations
 * @stopped:	Do not start the DMA engine any more
 * @report:	Reports the expirations, when done or overdue
 */
struct ims_timer {
	struct pci_dev		*pdev;
	struct msi_table	*ims;
	void __iomem		*regs;
	struct ims_slot		*slot;
	dma_addr_t		slot_dma;
	raw_spinlock_t		lock;
	unsigned int		version;
	unsigned int		loading;
	unsigned int		loaded;
	unsigned int		armed;
	unsigned int		delivered;
	bool			stopped;
	struct delayed_work	report;
};

static void ims_timer_write_msg(struct msi_vector *vector, const struct msi_msg *msg)
{
	struct ims_timer *timer = msi_table_data(msi_vector_table(vector));

	guard(raw_spinlock)(&timer->lock);
	timer->slot->address = cpu_to_le64(msi_msg_address(msg));
	timer->slot->data = cpu_to_le32(msg->data);
	timer->version++;
}

static void ims_timer_clear_msg(struct msi_vector *vector)
{
	ims_timer_write_msg(vector, &(struct msi_msg){ });
}

static const struct msi_table_ops ims_timer_ops = {
	.write_msg	= ims_timer_write_msg,
	.clear_msg	= ims_timer_clear_msg,
};

static void edu_start_dma(struct ims_timer *timer, u64 src, u64 dst, u32 cmd)
{
	writeq(src, timer->regs + EDU_DMA_SRC);
	writeq(dst, timer->regs + EDU_DMA_DST);
	writeq(sizeof(timer->slot->data), timer->regs + EDU_DMA_COUNT);
	writeq(EDU_DMA_CMD_RUN | cmd, timer->regs + EDU_DMA_CMD);
}

/* Called when the DMA engine is idle */
static void ims_timer_arm(struct ims_timer *timer)
{
	guard(raw_spinlock_irqsave)(&timer->lock);
	if (timer->stopped || !timer->slot->address)
		return;

	if (timer->loaded == timer->version) {
		timer->armed++;
		edu_start_dma(timer, EDU_BUFFER, le64_to_cpu(timer->slot->address),
			      EDU_DMA_CMD_TO_MEMORY);
	} else {
		timer->loading = timer->version;
		edu_start_dma(timer, timer->slot_dma + offsetof(struct ims_slot, data), EDU_BUFFER,
			      EDU_DMA_CMD_IRQ);
	}
}

static irqreturn_t ims_timer_loaded(int irq, void *dev_id)
{
	struct ims_timer *timer = dev_id;
	u32 status = readl(timer->regs + EDU_IRQ_STATUS);

	writel(status, timer->regs + EDU_IRQ_ACK);
	scoped_guard(raw_spinlock, &timer->lock)
		timer->loaded = timer->loading;
	ims_timer_arm(timer);
	return IRQ_HANDLED;
}

static irqreturn_t ims_timer_expired(int irq, void *dev_id)
{
	struct ims_timer *timer = dev_id;

	WRITE_ONCE(timer->delivered, timer->delivered + 1);
	if (timer->delivered < count)
		ims_timer_arm(timer);
	else
		mod_delayed_work(system_percpu_wq, &timer->report, 0);
	return IRQ_HANDLED;
}

static void ims_timer_report(struct work_struct *work)
{
	struct ims_timer *timer = container_of(to_delayed_work(work), struct ims_timer, report);

	dev_info(&timer->pdev->dev, "ims_timer: %u of %u expirations delivered\n",
		 READ_ONCE(timer->delivered), count);
}

/* Waits for the DMA engine: an armed timer still sends its message, which arrives. */
static void ims_timer_quiesce(struct ims_timer *timer)
{
	unsigned int delivered;
	u64 cmd;

	scoped_guard(raw_spinlock_irqsave, &timer->lock)
		timer->stopped = true;
	if (readq_poll_timeout(timer->regs + EDU_DMA_CMD, cmd, !(cmd & EDU_DMA_CMD_RUN),
			       USEC_PER_MSEC, EDU_PATIENCE_US))
		dev_err(&timer->pdev->dev, "DMA does not end\n");
	else if (read_poll_timeout(READ_ONCE, delivered, delivered == timer->armed,
				   USEC_PER_MSEC, EDU_PATIENCE_US, false, timer->delivered))
		dev_err(&timer->pdev->dev, "an interrupt is missing\n");
}

static void ims_timer_stop(void *data)
{
	struct ims_timer *timer = data;

	ims_timer_quiesce(timer);
	/* The last interrupt may come as late as this. */
	disable_delayed_work_sync(&timer->report);
}

static int ims_timer_setup_device(struct ims_timer *timer)
{
	struct pci_dev *pdev = timer->pdev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;

	timer->regs = pcim_iomap_region(pdev, 0, KBUILD_MODNAME);
	if (IS_ERR(timer->regs))
		return PTR_ERR(timer->regs);

	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(32));
	if (ret)
		return ret;

	timer->slot = dmam_alloc_coherent(&pdev->dev, sizeof(*timer->slot), &timer->slot_dma,
					  GFP_KERNEL);
	if (!timer->slot)
		return -ENOMEM;

	pci_set_master(pdev);
	return 0;
}

static int ims_timer_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct msi_table_info info = {
		.name	= "timer",
		.ops	= &ims_timer_ops,
		.size	= 1,
		.flags	= unremapped ? MSI_TABLE_UNREMAPPED : 0,
	};
	struct msi_vector *loaded, *expired;
	struct msi_table *msi;
	struct ims_timer *timer;
	int ret;

	timer = devm_kzalloc(&pdev->dev, sizeof(*timer), GFP_KERNEL);
	if (!timer)
		return -ENOMEM;

	timer->pdev = pdev;
	pci_set_drvdata(pdev, timer);
	raw_spin_lock_init(&timer->lock);
	INIT_DELAYED_WORK(&timer->report, ims_timer_report);
	ret = ims_timer_setup_device(timer);
	if (ret)
		return ret;

	msi = pci_allocate_msi_table(pdev, MSI_TABLE_MSI);
	if (IS_ERR(msi))
		return dev_err_probe(&pdev->dev, PTR_ERR(msi), "no MSI table\n");

	info.data = timer;
	timer->ims = msi_allocate_table(&pdev->dev, &info);
	if (IS_ERR(timer->ims))
		return dev_err_probe(&pdev->dev, PTR_ERR(timer->ims), "no IMS table\n");

	loaded = msi_table_alloc_vector(msi, 0);
	if (IS_ERR(loaded))
		return PTR_ERR(loaded);

	expired = msi_table_alloc_vector(timer->ims, MSI_LABEL_ANY);
	if (IS_ERR(expired))
		return PTR_ERR(expired);

	ret = msi_vector_request_irq(loaded, ims_timer_loaded, NULL, 0, timer, "ims_timer-loaded");
	if (ret)
		return ret;

	ret = msi_vector_request_irq(expired, ims_timer_expired, NULL, 0, timer,
				     "ims_timer-expired");
	if (ret)
		return ret;

	/* Comes before the tables, and so the vectors, when the driver goes. */
	ret = devm_add_action(&pdev->dev, ims_timer_stop, timer);
	if (ret)
		return ret;

	/* Each expiration takes one DMA; loading takes a few more. Be patient. */
	schedule_delayed_work(&timer->report, msecs_to_jiffies((count + 10) * 4 * EDU_DMA_MS));
	ims_timer_arm(timer);
	return 0;
}

/* The next kernel, if there is one, gets a device which sends nothing. */
static void ims_timer_shutdown(struct pci_dev *pdev)
{
	ims_timer_quiesce(pci_get_drvdata(pdev));
}

static int ims_timer_suspend(struct device *dev)
{
	ims_timer_quiesce(dev_get_drvdata(dev));
	return 0;
}

/* The device has lost what was in its buffer, which goes for the message, too. */
static int ims_timer_resume_noirq(struct device *dev)
{
	struct ims_timer *timer = dev_get_drvdata(dev);

	msi_table_restore(timer->ims);
	return 0;
}

static int ims_timer_resume(struct device *dev)
{
	struct ims_timer *timer = dev_get_drvdata(dev);

	scoped_guard(raw_spinlock_irqsave, &timer->lock)
		timer->stopped = false;
	if (timer->delivered < count)
		ims_timer_arm(timer);
	return 0;
}

static const struct dev_pm_ops ims_timer_pm_ops = {
	SYSTEM_SLEEP_PM_OPS(ims_timer_suspend, ims_timer_resume)
	NOIRQ_SYSTEM_SLEEP_PM_OPS(NULL, ims_timer_resume_noirq)
};

static const struct pci_device_id ims_timer_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};
MODULE_DEVICE_TABLE(pci, ims_timer_ids);

static struct pci_driver ims_timer_driver = {
	.name		= "ims_timer",
	.id_table	= ims_timer_ids,
	.probe		= ims_timer_probe,
	.shutdown	= ims_timer_shutdown,
	.driver.pm	= pm_sleep_ptr(&ims_timer_pm_ops),
};
module_pci_driver(ims_timer_driver);

MODULE_DESCRIPTION("MSI table sample: a timer with an interrupt message store");
MODULE_LICENSE("GPL");
