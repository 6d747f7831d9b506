#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Both timer drivers on QEMU's edu device, in KTAP. REMAP=yes: the device is
# behind interrupt remapping, so a device-specific table needs no flag; with
# REMAP=no the driver must be refused until it is told unremapped=1. Else the
# first driver which is refused decides which of them it is.
. "${0%/*}/lib.sh"

find_device 0x1234 0x11e8 || skip "no edu device, or it has a driver"
has_modules ims_timer || has_modules rust_ims_timer ||
	skip "no modules ims_timer and rust_ims_timer"

refusals() { said | grep -c 'may lose messages of a device-specific store'; }
refused_again() { [ "$(refusals)" -gt "$refused" ]; }

expirations_counted() { [ "$(counted IMS-timer)" = "$total" ]; }
has_both() { lines IMS-timer >/dev/null && lines PCI-MSI >/dev/null; }
has_none() { ! lines 'IMS-timer|PCI-MSI' >/dev/null; }
show() { lines 'IMS-timer|PCI-MSI' | while read -r l; do say "# $l"; done; }

# With a driver that never stops arming
unbind_armed() {
	for delay in 0.05 0.1 0.15 0.2 0.05 0.2; do
		sleep $delay && unbind && has_none && bind && bound || return 1
	done
}

say "KTAP version 1"
for driver in ims_timer rust_ims_timer; do
	if ! has_modules $driver; then
		tests=$((tests + 1))
		say "ok $tests $driver # SKIP no such module"
		continue
	fi
	start=$(irqs)
	params=
	if [ -z "$REMAP" ]; then
		modprobe $driver
		REMAP=yes
		bound || REMAP=no
		rmmod $driver
	fi
	if [ "$REMAP" = no ]; then
		refused=$(refusals)
		modprobe $driver
		check "$driver: not bound without remapping" unbound
		check "$driver: says why" refused_again
		check "$driver: a refused probe leaves nothing" at_start
		rmmod $driver
		params=unremapped=1
	fi
	modprobe $driver $params
	check "$driver: bound" bound || continue
	check "$driver: every expiration delivered" round 1
	show
	check "$driver: MSI and IMS in /proc/interrupts" has_both
	check "$driver: the kernel counted as many" expirations_counted
	check "$driver: unbind" unbind
	check "$driver: unbind removes the interrupts" has_none
	check "$driver: bind again" bind
	check "$driver: every expiration delivered again" round 2
	show
	check "$driver: the kernel counted as many again" expirations_counted
	check "$driver: unbind again" unbind
	check "$driver: rmmod" rmmod $driver
	modprobe $driver $params count=1000000
	check "$driver: unbind while armed" unbind_armed
	check "$driver: rmmod while armed" rmmod $driver
	check "$driver: no irq left behind" at_start
done
finish
