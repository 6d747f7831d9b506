// SPDX-License-Identifier: GPL-2.0
/*
 * cost read DISK N - what it costs to read N blocks, one after the other
 * cost write FILE TEXT N - what it costs to write to a file of sysfs
 * cost vfio GROUP FUNCTION N - to switch MSI-X on, with 64 eventfds, and off
 *
 * In the guest of make bench, which has one CPU and whose clock counts instructions while
 * that is not idle. It never is: whenever nothing else is to be done a loop counts, and
 * what it takes is deducted.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/vfio.h>

#define BLOCK		4096
#define BLOCKS		1024
#define VECTORS		64

static volatile uint64_t idle_loops;
static double loop_cost;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void *idle(void *unused)
{
	const struct sched_param param = { };

	if (sched_setscheduler(0, SCHED_IDLE, &param))
		die("SCHED_IDLE");
	for (;;)
		idle_loops = idle_loops + 1;
	return unused;
}

static void start_idle(void)
{
	uint64_t loops, time;
	pthread_t thread;

	errno = pthread_create(&thread, NULL, idle, NULL);
	if (errno)
		die("thread");
	usleep(100000);
	loops = idle_loops;
	time = now();
	usleep(1000000);
	loop_cost = (double)(now() - time) / (idle_loops - loops);
}

static int fd;
static char **args;

static void open_disk(void)
{
	fd = open(args[0], O_RDONLY | O_DIRECT);
	if (fd < 0)
		die(args[0]);
}

static void read_block(unsigned int n)
{
	static char buffer[BLOCK] __attribute__((aligned(BLOCK)));

	if (pread(fd, buffer, BLOCK, (off_t)(n % BLOCKS) * BLOCK) != BLOCK)
		die(args[0]);
}

static void open_file(void)
{
	fd = open(args[0], O_WRONLY);
	if (fd < 0)
		die(args[0]);
}

static void write_file(unsigned int n)
{
	(void)n;
	if (pwrite(fd, args[1], strlen(args[1]), 0) < 0)
		die(args[0]);
}

static struct {
	struct vfio_irq_set	set;
	int			fds[VECTORS];
} irqs;

static void open_function(void)
{
	int container = open("/dev/vfio/vfio", O_RDWR), group;
	char path[32];

	snprintf(path, sizeof(path), "/dev/vfio/%s", args[0]);
	group = open(path, O_RDWR);
	if (group < 0 || ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		die(path);
	fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, args[1]);
	if (fd < 0)
		die(args[1]);
	irqs.set.argsz = sizeof(irqs);
	irqs.set.index = VFIO_PCI_MSIX_IRQ_INDEX;
	for (int i = 0; i < VECTORS; i++)
		irqs.fds[i] = eventfd(0, EFD_CLOEXEC);
}

static void set_irqs(unsigned int count)
{
	irqs.set.flags = VFIO_IRQ_SET_ACTION_TRIGGER |
			 (count ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	irqs.set.count = count;
	if (ioctl(fd, VFIO_DEVICE_SET_IRQS, &irqs))
		die("VFIO_DEVICE_SET_IRQS");
}

static void on_and_off(unsigned int n)
{
	(void)n;
	set_irqs(VECTORS);
	set_irqs(0);
}

static const struct {
	const char	*name;
	void		(*open)(void);
	void		(*once)(unsigned int n);
} costs[] = {
	{ "read", open_disk, read_block },
	{ "write", open_file, write_file },
	{ "vfio", open_function, on_and_off },
};

int main(int argc, char **argv)
{
	unsigned int n = argc < 4 ? 0 : atoi(argv[argc - 1]);
	uint64_t loops, time;
	size_t what;

	for (what = 0; what < 3 && n && strcmp(argv[1], costs[what].name); what++)
		;
	if (what == 3 || !n)
		return 2;

	args = argv + 2;
	costs[what].open();
	/* The first one is to warm up. */
	costs[what].once(0);
	start_idle();
	loops = idle_loops;
	time = now();
	for (unsigned int i = 1; i <= n; i++)
		costs[what].once(i);
	time = now() - time;
	loops = idle_loops - loops;
	printf("%.0f\n", time - loops * loop_cost);
	return 0;
}
