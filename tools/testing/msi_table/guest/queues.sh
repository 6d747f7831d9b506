# SPDX-License-Identifier: GPL-2.0
#
# The Rust sample which drives the queues of NVMe controllers, in KTAP. The first one
# has vectors for four, the second for two, the third for none.
. /guest/common.sh

driver=rust_nvme_queues

worked() { # QUEUES EXCHANGES
	dmesg | grep -qE "$driver.*: $1 queues, [0-9]+ blocks written and compared, \
$2 times a queue deleted and created, [0-9]+ interrupts"
}
bound_are() { # N
	[ "$(ls -d /sys/bus/pci/drivers/$driver/*:* | wc -l)" = "$1" ]
}
vectors_are() { [ "$(grep -c "$driver" /proc/interrupts)" = "$1" ]; }

say "KTAP version 1"
dev=$(functions_with class 0x010802 | head -n1)
start=$(irqs)
insmod /modules/$driver.ko overwrite=1 exchanges=100 || exit 1
dmesg | grep $driver | quote
check "queues: four at work, while each is exchanged 25 times" worked 4 100
check "queues: two" worked 2 100
check "queues: no driver where there is no vector for a queue" bound_are 2
check "queues: their vectors" vectors_are 8
check "queues: rmmod" rmmod $driver
check "queues: no vector left" vectors_are 0
check "queues: no irq left behind" at_start
exit 0
