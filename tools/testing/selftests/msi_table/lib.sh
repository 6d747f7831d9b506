# SPDX-License-Identifier: GPL-2.0
#
# For the scripts which test a sample driver, and say so in KTAP. They set
# driver= to its name, and call find_device first.
say() { echo "$*"; }

# What the kernel says from here on, all that is left of it
mark="msi_table selftest $$"
echo "$mark" >/dev/kmsg
said() {
	dmesg | awk -v mark="$mark\$" '
		{ line[NR] = $0 }
		$0 ~ mark { start = NR }
		END { for (n = start + 1; n <= NR; n++) print line[n] }'
}

tests=0 failed=0
check() { # NAME COMMAND...
	name=$1
	tests=$((tests + 1))
	shift
	if "$@"; then
		say "ok $tests $name"
	else
		failed=$((failed + 1))
		say "not ok $tests $name"
		false
	fi
}
finish() {
	[ $failed = 0 ]
	exit
}
skip() { # WHY
	say "1..0 # SKIP $*"
	exit 4
}

# Sets dev= and bdf= to the last such function, which has no other driver.
find_device() { # VENDOR DEVICE
	dev=$(for d in /sys/bus/pci/devices/*; do
		[ "$(cat "$d/vendor" "$d/device" | xargs)" != "$1 $2" ] || echo "$d"
	done | tail -n1)
	bdf=${dev##*/}
	[ -n "$dev" ] && unbound
}

has_modules() { # MODULE...
	for module; do
		modinfo "$module" 2>/dev/null | grep -q . || return 1
	done
}

bound() { [ -e "$dev/driver" ]; }
unbound() { ! bound; }
bind() { echo "$bdf" >"/sys/bus/pci/drivers/$driver/bind"; }
unbind() { echo "$bdf" >"/sys/bus/pci/drivers/$driver/unbind"; }

# "K of K" of each completed round, as "K K"
rounds() {
	said | sed -nE "s/.*\b$driver: ([0-9]+) of ([0-9]+) (exp|int).*/\1 \2/p"
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

# Interrupts, their directories in /proc, and the device's own list of them. Not those
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
