// SPDX-License-Identifier: GPL-2.0
/*
 * vfio IGB GROUP XHCI GROUP - interrupts of vfio-pci, as a program sees them
 *
 * In the guest of make test, on QEMU's igb, whose registers raise any entry of MSI-X, and
 * its nec-usb-xhci, which has multiple MSI. In KTAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

/* Registers of the igb, and its mode with an interrupt for each entry */
#define IGB_GPIE		0x1514
#define IGB_EICS		0x1520
#define IGB_EIMS		0x1524
#define IGB_EIAC		0x152c
#define IGB_GPIE_MSIX_MODE	0x80000011
#define IGB_NR_MSIX		10
#define IGB_VF_NR_MSIX		3

/* What the program which has a physical function lets others have its virtual ones for */
#define TOKEN			"6d73695f-7461-626c-6500-000000000000"

#define TOGGLES		2000
#define VF_TOGGLES	200
#define PATIENCE_MS	30000

static int tests;

/* A function which vfio-pci is bound to */
struct function {
	const char		*bdf;
	int			device;
	uint64_t		config;
	volatile uint32_t	*regs;
	size_t			size;
};

static void check(const char *name, bool good)
{
	printf("%sok %d vfio: %s\n", good ? "" : "not ", ++tests, name);
}

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Of the group with that number; @options is for a virtual function. */
static struct function open_function(int container, const char *bdf, const char *number,
				     const char *options)
{
	struct vfio_region_info region = { .argsz = sizeof(region) };
	struct function function = { .bdf = bdf };
	char path[32], name[96];
	int group;

	snprintf(path, sizeof(path), "/dev/vfio/%s", number);
	group = open(path, O_RDWR);
	if (group < 0 || ioctl(group, VFIO_GROUP_SET_CONTAINER, &container))
		die(path);
	/* With the first group */
	if (ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) && errno != EINVAL)
		die("VFIO_SET_IOMMU");
	snprintf(name, sizeof(name), "%s%s", bdf, options);
	function.device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (function.device < 0)
		die(bdf);

	region.index = VFIO_PCI_CONFIG_REGION_INDEX;
	if (ioctl(function.device, VFIO_DEVICE_GET_REGION_INFO, &region))
		die("configuration space");
	function.config = region.offset;

	region = (struct vfio_region_info){ .argsz = sizeof(region) };
	region.index = VFIO_PCI_BAR0_REGION_INDEX;
	if (ioctl(function.device, VFIO_DEVICE_GET_REGION_INFO, &region))
		die("BAR 0");
	function.regs = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			     function.device, region.offset);
	if (function.regs == MAP_FAILED)
		function.regs = NULL;
	function.size = region.size;
	return function;
}

static void enable_function(struct function *function)
{
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	if (pwrite(function->device, &command, sizeof(command),
		   function->config + PCI_COMMAND) != sizeof(command))
		die("PCI_COMMAND");
}

/* Once the mode is set: before that EIAC can not be written. */
static void setup_entries(struct function *igb, unsigned int nr)
{
	igb->regs[IGB_EIAC / 4] = (1 << nr) - 1;
	igb->regs[IGB_EIMS / 4] = (1 << nr) - 1;
}

static void setup_igb(struct function *igb)
{
	enable_function(igb);
	igb->regs[IGB_GPIE / 4] = IGB_GPIE_MSIX_MODE;
	setup_entries(igb, IGB_NR_MSIX);
}

static int open_attribute(struct function *function, const char *name, int flags)
{
	char path[96];
	int file;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", function->bdf, name);
	file = open(path, flags);
	if (file < 0)
		die(path);
	return file;
}

static void write_attribute(struct function *function, const char *name, const char *text)
{
	int file = open_attribute(function, name, O_WRONLY);

	if (write(file, text, strlen(text)) < 0)
		die(name);
	close(file);
}

/* The end of what a link below a function points to */
static const char *target(struct function *function, const char *name)
{
	char path[96], link[256];
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", function->bdf, name);
	length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		die(path);
	link[length] = 0;
	return strdup(strrchr(link, '/') + 1);
}

/* The only virtual function of @pf, which vfio-pci is given by itself */
static struct function open_virtual(int container, struct function *pf)
{
	struct {
		struct vfio_device_feature	feature;
		uint8_t				token[16];
	} set = {
		.feature.argsz	= sizeof(set),
		.feature.flags	= VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PCI_VF_TOKEN,
		.token		= { 'm', 's', 'i', '_', 't', 'a', 'b', 'l', 'e' },
	};
	struct function vf;

	if (ioctl(pf->device, VFIO_DEVICE_FEATURE, &set))
		die("VFIO_DEVICE_FEATURE_PCI_VF_TOKEN");
	write_attribute(pf, "sriov_numvfs", "1");
	vf = open_function(container, target(pf, "virtfn0"), target(pf, "virtfn0/iommu_group"),
			   " vf_token=" TOKEN);
	if (!vf.regs)
		die("BAR 0");
	return vf;
}

/* Of MSI or MSI-X: an eventfd for each entry, or -1; none at all disables it */
static int set_irqs(struct function *function, unsigned int index, unsigned int start,
		    unsigned int count, const int *fds)
{
	char buffer[sizeof(struct vfio_irq_set) + 16 * sizeof(int)] = { };
	struct vfio_irq_set *set = (struct vfio_irq_set *)buffer;

	set->argsz = sizeof(*set) + count * sizeof(int);
	set->flags = VFIO_IRQ_SET_ACTION_TRIGGER |
		     (fds ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	set->index = index;
	set->start = start;
	set->count = count;
	if (fds)
		memcpy(set->data, fds, count * sizeof(int));
	return ioctl(function->device, VFIO_DEVICE_SET_IRQS, set);
}

static int set_entry(struct function *function, unsigned int entry, int fd)
{
	return set_irqs(function, VFIO_PCI_MSIX_IRQ_INDEX, entry, 1, &fd);
}

static int disable(struct function *function, unsigned int index)
{
	return set_irqs(function, index, 0, 0, NULL);
}

/* How many interrupts of vfio there are, of all devices */
static int count_irqs(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	char line[512];
	int n = 0;

	if (!file)
		die("/proc/interrupts");
	while (fgets(line, sizeof(line), file))
		n += strstr(line, "vfio-msi") != NULL;
	fclose(file);
	return n;
}

/* The control word of a capability, as the hardware has it */
static int control(struct function *function, uint8_t id)
{
	int file = open_attribute(function, "config", O_RDONLY);
	uint8_t config[256] = { };
	uint8_t pos;

	if (read(file, config, sizeof(config)) < 0)
		die("config");
	close(file);
	for (pos = config[PCI_CAPABILITY_LIST]; pos; pos = config[pos + PCI_CAP_LIST_NEXT]) {
		if (config[pos] == id)
			return config[pos + 2] | config[pos + 3] << 8;
	}
	return -1;
}

static bool msix_on(struct function *function)
{
	return control(function, PCI_CAP_ID_MSIX) & PCI_MSIX_FLAGS_ENABLE;
}

/* What is on: so many messages of MSI, or 0 */
static int messages(struct function *function)
{
	int flags = control(function, PCI_CAP_ID_MSI);

	return flags & PCI_MSI_FLAGS_ENABLE ? 1 << ((flags & PCI_MSI_FLAGS_QSIZE) >> 4) : 0;
}

static void raise_entry(struct function *igb, unsigned int entry)
{
	igb->regs[IGB_EICS / 4] = 1 << entry;
}

/* The eventfd is signalled once. */
static bool arrives(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	uint64_t count = 0;

	return poll(&wait, 1, PATIENCE_MS) == 1 &&
	       read(fd, &count, sizeof(count)) == sizeof(count) && count == 1;
}

static bool quiet(int fd)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, 20) == 0;
}

/* An entry which fires while others come and go */
struct firing {
	struct function	*igb;
	int		fd;
	bool		stop;
	unsigned int	raised;
	unsigned int	lost;
};

static void *fire(void *data)
{
	struct firing *firing = data;

	while (!__atomic_load_n(&firing->stop, __ATOMIC_RELAXED)) {
		raise_entry(firing->igb, 7);
		firing->raised++;
		firing->lost += !arrives(firing->fd);
	}
	return NULL;
}

static void check_entries(struct function *igb)
{
	int three = eventfd(0, EFD_NONBLOCK), five = eventfd(0, EFD_NONBLOCK);
	int seven = eventfd(0, EFD_NONBLOCK);
	struct firing firing = { .igb = igb, .fd = seven };
	unsigned int lost = 0;
	pthread_t thread;

	check("entries 7 and 3, each with an eventfd",
	      !set_entry(igb, 7, seven) && !set_entry(igb, 3, three));
	check("these are two interrupts", count_irqs() == 2);
	setup_igb(igb);
	raise_entry(igb, 3);
	check("entry 3 arrives, and only that", arrives(three) && quiet(seven));
	raise_entry(igb, 7);
	check("entry 7 arrives, and only that", arrives(seven) && quiet(three));

	if (pthread_create(&thread, NULL, fire, &firing))
		die("thread");
	for (int i = 0; i < TOGGLES; i++) {
		/* Another one comes and goes beside it. */
		if (set_entry(igb, 3, -1) || set_entry(igb, 5, i % 2 ? five : -1) ||
		    set_entry(igb, 3, three))
			die("toggle");
		raise_entry(igb, 3);
		lost += !arrives(three);
	}
	__atomic_store_n(&firing.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("# entry 7 fired %u times while entry 3 came and went %d times\n", firing.raised,
	       TOGGLES);
	check("nothing was lost meanwhile", !lost && !firing.lost && firing.raised > 100);

	check("an eventfd is exchanged", !set_entry(igb, 3, five) && count_irqs() == 3);
	raise_entry(igb, 3);
	check("and the new one is signalled", arrives(five) && quiet(three));
	check("an entry without an eventfd is freed", !set_entry(igb, 3, -1) &&
	      !set_entry(igb, 5, -1) && count_irqs() == 1);
	check("after a reset of the function", !ioctl(igb->device, VFIO_DEVICE_RESET));
	setup_igb(igb);
	raise_entry(igb, 7);
	check("entry 7 arrives as before", arrives(seven));
	check("disabled, there is none", !disable(igb, VFIO_PCI_MSIX_IRQ_INDEX) &&
	      count_irqs() == 0 && !msix_on(igb));

	check("on without any eventfd", !set_entry(igb, 0, -1) && msix_on(igb) &&
	      count_irqs() == 0);
	check("an entry comes", !set_entry(igb, 3, three) && count_irqs() == 1);
	raise_entry(igb, 3);
	check("and arrives", arrives(three));
	check("and disabled", !disable(igb, VFIO_PCI_MSIX_IRQ_INDEX) && !msix_on(igb));
}

static void check_virtual(struct function *pf, struct function *vf)
{
	int none = eventfd(0, EFD_NONBLOCK), two = eventfd(0, EFD_NONBLOCK);
	unsigned int lost = 0;

	setup_igb(pf);
	enable_function(vf);
	setup_entries(vf, IGB_VF_NR_MSIX);
	check("virtual function: entries 2 and 0", !set_entry(vf, 2, two) &&
	      !set_entry(vf, 0, none) && count_irqs() == 2);
	raise_entry(vf, 2);
	check("virtual function: entry 2 arrives, and only that", arrives(two) && quiet(none));
	for (int i = 0; i < VF_TOGGLES; i++) {
		if (set_entry(vf, 0, -1) || set_entry(vf, 0, none))
			die("toggle");
		raise_entry(vf, 0);
		lost += !arrives(none);
	}
	check("virtual function: nothing was lost while entry 0 came and went", !lost);
	check("virtual function: FLR", !ioctl(vf->device, VFIO_DEVICE_RESET));
	enable_function(vf);
	setup_entries(vf, IGB_VF_NR_MSIX);
	raise_entry(vf, 2);
	check("virtual function: entry 2 arrives as before", arrives(two) && quiet(none));
	check("virtual function: disabled", !disable(vf, VFIO_PCI_MSIX_IRQ_INDEX) &&
	      count_irqs() == 0 && !msix_on(vf));
	/* Or else it would not go */
	munmap((void *)vf->regs, vf->size);
	close(vf->device);
	write_attribute(pf, "sriov_numvfs", "0");
}

static void check_messages(struct function *xhci)
{
	int fds[4];

	for (int i = 0; i < 4; i++)
		fds[i] = eventfd(0, 0);
	enable_function(xhci);
	check("four messages of MSI", !set_irqs(xhci, VFIO_PCI_MSI_IRQ_INDEX, 0, 4, fds) &&
	      messages(xhci) == 4 && count_irqs() == 4);
	check("one goes", !set_irqs(xhci, VFIO_PCI_MSI_IRQ_INDEX, 2, 1, (int[]){ -1 }) &&
	      count_irqs() == 3);
	check("and disabled", !disable(xhci, VFIO_PCI_MSI_IRQ_INDEX) && !messages(xhci) &&
	      count_irqs() == 0);
	check("one message of MSI", !set_irqs(xhci, VFIO_PCI_MSI_IRQ_INDEX, 0, 1, fds) &&
	      messages(xhci) == 1 && count_irqs() == 1);
}

int main(int argc, char **argv)
{
	struct function igb, xhci, vf;
	int container;

	if (argc != 5)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	container = open("/dev/vfio/vfio", O_RDWR);
	if (container < 0)
		die("/dev/vfio/vfio");
	printf("KTAP version 1\n");
	igb = open_function(container, argv[1], argv[2], "");
	xhci = open_function(container, argv[3], argv[4], "");
	check_entries(&igb);
	vf = open_virtual(container, &igb);
	check_virtual(&igb, &vf);
	check_messages(&xhci);
	/* And ends with interrupts enabled, those of MSI above, too. */
	check("two entries, and the program ends", !set_entry(&igb, 7, eventfd(0, 0)) &&
	      !set_entry(&igb, 3, eventfd(0, 0)) && count_irqs() == 3);
	return 0;
}
