#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The Rust driver which takes single entries of an MSI-X table, on an Intel 82576
# (igb), which QEMU has, in KTAP.
. "${0%/*}/lib.sh"

driver=rust_msix_pool
find_device 0x8086 0x10c9 || skip "no Intel 82576, or it has a driver"
has_modules $driver || skip "no module $driver"

# Handlers by MSI-X entry, and how often each interrupt was taken
entries() {
	lines PCI-MSIX | sed -nE "s/.*-$bdf +([0-9]+)[- ][Ee]dge +(.*)/\1 \2/p" |
		sort -n | xargs
}
has_entries() {
	[ "$(entries)" = "3 $driver-three 5 $driver-any 6 $driver-any \
7 $driver-any 8 $driver-any" ]
}
each() {
	lines PCI-MSIX | awk '{
		for (n = 0, i = 2; $i ~ /^[0-9]+$/; i++)
			n += $i
		print n
	}' | xargs
}
counted_each() { # COUNT
	[ "$(each)" = "$1 $1 $1 $1 $1" ]
}
# The one which has no handler is among them.
has_vectors() { [ "$(ls "$dev/msi_irqs" | wc -l)" = 6 ]; }
has_none() { ! lines PCI-MSI >/dev/null; }
total_is() { [ "$total" = "$1" ]; }
show() { lines PCI-MSIX | while read -r l; do say "# $l"; done; }

again() { # COUNT
	for _ in 1 2 3 4 5; do
		nth=$((nth + 1))
		unbind && has_none && bind && bound && round $nth &&
			counted_each "$1" || return 1
	done
}

say "KTAP version 1"
start=$(irqs)
nth=1
modprobe $driver
check "$driver: bound" bound
check "$driver: every interrupt delivered" round $nth
check "$driver: ten of each" total_is 50
show
check "$driver: entry 3, and 4 of the entries 5 to 9" has_entries
check "$driver: the kernel counted as many, of each" counted_each 10
check "$driver: a vector without a handler" has_vectors
check "$driver: unbind" unbind
check "$driver: unbind removes the interrupts" has_none
check "$driver: no irq left behind" at_start
check "$driver: bind again" bind
nth=2
check "$driver: every interrupt delivered again" round $nth
check "$driver: the kernel counted as many, of each, again" counted_each 10
check "$driver: unbind and bind, five times" again 10
check "$driver: rmmod while bound" rmmod $driver
check "$driver: rmmod removes the interrupts" has_none
check "$driver: no irq left behind by rmmod" at_start

nth=$((nth + 1))
modprobe $driver count=1000
check "$driver: every one of 5000 interrupts delivered" round $nth
check "$driver: the kernel counted 1000 of each" counted_each 1000
check "$driver: unbind after that" unbind
check "$driver: rmmod" rmmod $driver
check "$driver: no irq left behind by any" at_start
finish
