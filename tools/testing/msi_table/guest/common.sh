# SPDX-License-Identifier: GPL-2.0
#
# For the scripts which test a sample driver, and say so in KTAP. They set
# driver= to its name, and dev= and bdf= if its device is not the edu.
say() { echo "$*" >/dev/kmsg; }
quote() { while IFS= read -r l; do say "# $l"; done; }

# Of what scripts before this one had the kernel say nothing counts.
dmesg -c >/dev/null

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

# Whoever wants numbers at random sets random= to where they begin.
choose() { # CEIL: sets chosen to a number below it
	random=$(((random * 1103515245 + 12345) % 2147483648))
	chosen=$((random / 65536 % $1))
}

# Functions of PCI by what a file of theirs says
functions_with() { # FILE PATTERN
	grep -lE "$2" /sys/bus/pci/devices/*/"$1" | xargs -n1 dirname
}

dev=$(for d in /sys/bus/pci/devices/*; do
	[ "$(cat "$d/vendor" "$d/device" | xargs)" != "0x1234 0x11e8" ] ||
		echo "$d"
done)
bdf=${dev##*/}

bound() { [ -e "$dev/driver" ]; }
unbound() { ! bound; }
bind() { echo "$bdf" >"/sys/bus/pci/drivers/$driver/bind"; }
unbind() { echo "$bdf" >"/sys/bus/pci/drivers/$driver/unbind"; }

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

# The device's lines of one kind, and the interrupts which the kernel counted
lines() { grep -E "($1).*$bdf" /proc/interrupts; }
counted() {
	lines "$1" | awk '{ for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i }
			  END { print n + 0 }'
}

# Interrupts, their folders in /proc, and the device's own list of them. Not those
# which are no messages: enabling a PCI device makes one for its line, and the Rust
# abstraction of PCI never disables it again.
ours() { # NUMBER
	grep -qE "PCI-MSI|IMS-|MSI-cut-off" "/sys/kernel/irq/$1/chip_name"
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
at_start() { # As when start= was set to them?
	now=$(irqs)
	say "# irqs, /proc/irq, msi_irqs: $start, now $now"
	[ "$now" = "$start" ]
}
