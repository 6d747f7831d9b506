# SPDX-License-Identifier: GPL-2.0
#
# For the scripts which test a driver of disks: reading and writing on one CPU, and
# what the queues of a disk look like. They set disks= to the names of all of them.
. /guest/common.sh

cpus=$(ls -d /sys/devices/system/cpu/cpu[0-9]* | sed 's/.*cpu//')
[ -e /tmp/pattern ] || dd if=/dev/urandom of=/tmp/pattern bs=64k count=4 2>/dev/null

load() { # MODULE, or there is nothing to test
	insmod "/modules/$1.ko" $2 || exit 1
}
load_modules() { # MODULE...: those which are not built in, or left out
	for module; do
		[ ! -e "/modules/$module.ko" ] || load "$module"
	done
}
virtio_modules="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_blk"
vfio_modules="irqbypass iommufd vfio vfio_iommu_type1"

on() { # CPU COMMAND...
	mask=$(printf %x $((1 << $1)))
	shift
	taskset "$mask" "$@"
}
# Each CPU has a part of the disk for itself. Nothing is cached of one that is closed.
put() { on "$1" dd if=/tmp/pattern of="/dev/$2" bs=64k seek=$(($1 * 4)) conv=fsync 2>/dev/null; }
get() { on "$1" dd if="/dev/$2" bs=64k skip=$(($1 * 4)) count=4 2>/dev/null; }
io() { # CPU DISK: what is read is what was written
	[ -b "/dev/$2" ] && put "$1" "$2" && get "$1" "$2" | cmp -s - /tmp/pattern
}
io_each() { # DISK: on each CPU which is online
	for cpu in $cpus; do
		online "$cpu" || continue
		io "$cpu" "$1" || return 1
	done
}

online() { [ "$(cat "/sys/devices/system/cpu/cpu$1/online" 2>/dev/null || echo 1)" = 1 ]; }
switch() { # 0 or 1, CPU...
	to=$1
	shift
	for cpu; do
		echo "$to" >"/sys/devices/system/cpu/cpu$cpu/online" || return 1
	done
}

go_and_come() { # DISK: all CPUs but one, three times
	for _ in 1 2 3; do
		switch 0 1 2 3 && io 0 "$1" && switch 1 1 2 3 && io_each "$1" || return 1
	done
}

# To RAM, until the alarm of the clock
sleep_and_wake() {
	clock=/sys/class/rtc/rtc0
	echo 0 >$clock/wakealarm
	echo $(($(cat $clock/since_epoch) + 4)) >$clock/wakealarm
	echo mem >/sys/power/state
}

settled() { # PATH: it is there, in time
	for _ in $(seq 300); do
		[ ! -e "$1" ] || return 0
		sleep 0.1
	done
	return 1
}
appears() { # DISK
	settled "/sys/block/$1/dev" && settled "/dev/$1"
}

all_appear() { for d in $disks; do appears "$d" || return 1; done; }
all_io() { for d in $disks; do io_each "$d" || return 1; done; }
remove() { echo 1 >"$dev/remove" && [ ! -e "$dev" ]; }

# Reads and writes all the time, on CPU 0, until the file is there.
keep_busy() { # DISK
	rm -f /tmp/enough /tmp/lost
	while [ ! -e /tmp/enough ]; do
		io 0 "$1" || echo "$1" >>/tmp/lost
	done &
}
nothing_lost() {
	touch /tmp/enough
	wait
	[ ! -e /tmp/lost ]
}

# The interrupts whose names begin with NAME: number and name. A line may be shared.
named() { # NAME
	awk -v name="^$1" '{
		for (i = NF; $i ~ name; i--) {
			sub(",$", "", $i)
			print $1 + 0, $i
		}
	}' /proc/interrupts
}
# How often a CPU took an interrupt
taken() { # IRQ CPU
	awk -v irq="$1:" -v column="$(($2 + 2))" '$1 == irq { print $column }' /proc/interrupts
}

# Names and CPUs of the interrupts, and which queue serves which CPU
queues() { # NAME DISK
	named "$1" | while read -r irq name; do
		echo "$name: $(cat "/proc/irq/$irq/smp_affinity_list")"
	done | sort
	for queue in "/sys/block/$2"/mq/*; do
		echo "${queue##*/}: $(cat "$queue/cpu_list")"
	done
}
same_as() { # FILE COMMAND...: what it prints is what is in the file
	file=$1
	shift
	"$@" >/tmp/same
	quote </tmp/same
	[ -s "$file" ] && cmp -s /tmp/same "$file"
}
