#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Both timer drivers on the edu device, in KTAP. REMAP=yes: the device is
# behind interrupt remapping, so a device-specific table needs no flag; with
# REMAP=no the driver must be refused until it is told unremapped=1.
say() { echo "$*" >/dev/kmsg; }

tests=0
check() { # NAME COMMAND...
	name=$1
	tests=$((tests + 1))
	shift
	if "$@"; then
		say "ok $tests $name"
	else
		say "not ok $tests $name"
		false
	fi
}

dev=$(for d in /sys/bus/pci/devices/*; do
	[ "$(cat "$d/vendor" "$d/device" | xargs)" != "0x1234 0x11e8" ] ||
		echo "$d"
done)
bdf=${dev##*/}

# Interrupts, their folders in /proc, and the device's own list of them. Not
# those of the IO-APIC: enabling a PCI device makes one, and the Rust
# abstraction of PCI never disables it again.
ours() { # NUMBER
	! grep -q IO-APIC "/sys/kernel/irq/$1/chip_name"
}
irqs() {
	chips=0 folders=0
	for irq in /sys/kernel/irq/*; do
		! ours "${irq##*/}" || chips=$((chips + 1))
	done
	for irq in /proc/irq/[0-9]*; do
		! ours "${irq##*/}" || folders=$((folders + 1))
	done
	echo "$chips $folders $(ls "$dev/msi_irqs" 2>/dev/null | wc -l)"
}
at_start() {
	now=$(irqs)
	say "# irqs, /proc/irq, msi_irqs: $start, now $now"
	[ "$now" = "$start" ]
}

bound() { [ -e "$dev/driver" ]; }
unbound() { ! bound; }
bind() { echo "$bdf" >"/sys/bus/pci/drivers/$driver/bind"; }
unbind() { echo "$bdf" >"/sys/bus/pci/drivers/$driver/unbind"; }

refusals() { dmesg | grep -c 'not behind interrupt remapping'; }
refused_again() { [ "$(refusals)" -gt "$refused" ]; }

# "K of K" of each completed round, as "K K"
rounds() {
	dmesg | sed -nE "s/.*\b$driver: ([0-9]+) of ([0-9]+) exp.*/\1 \2/p"
}
round() { # N: the Nth round ends, and nothing was lost
	for _ in $(seq 300); do
		[ "$(rounds | wc -l)" -lt "$1" ] || break
		sleep 0.2
	done
	delivered=$(rounds | sed -n "$1p")
	total=${delivered#* }
	[ "${delivered% *}" = "$total" ] && [ "$total" -ge 10 ]
}

# Interrupts counted by the kernel on the device's lines of one kind
lines() { grep -E "($1).*$bdf" /proc/interrupts; }
counted() {
	lines "$1" | awk '{ for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i }
			  END { print n + 0 }'
}
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
	start=$(irqs)
	params=
	if [ "$REMAP" = no ]; then
		refused=$(refusals)
		insmod /modules/$driver.ko
		check "$driver: not bound without remapping" unbound
		check "$driver: says why" refused_again
		check "$driver: a refused probe leaves nothing" at_start
		rmmod $driver
		params=unremapped=1
	fi
	insmod /modules/$driver.ko $params
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
	insmod /modules/$driver.ko $params count=1000000
	check "$driver: unbind while armed" unbind_armed
	check "$driver: rmmod while armed" rmmod $driver
	check "$driver: no irq left behind" at_start
done
# The results are said; this one only that all of them were.
exit 0
