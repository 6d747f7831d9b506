#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What a user sees of the tables of the timer, in KTAP: /proc/interrupts,
# msi_irqs/, debugfs and tracepoints; and whether the interrupt can be moved
# while the timer runs: by hand, by taking its CPU away, by irqbalance. REMAP=
# as for timer.sh.
. /guest/common.sh

driver=ims_timer
params=
[ "$REMAP" = yes ] || params=unremapped=1
debug=/sys/kernel/debug/irq
timer_file=$debug/msi_tables/$bdf-timer
msi_file=$debug/msi_tables/$bdf-PCI
tracing=/sys/kernel/tracing
mount -t tracefs tracefs $tracing

nth=0
next_round() {
	nth=$((nth + 1))
	round $nth
}

# The interrupt of one kind, and those of the timer which one CPU took
irq_of() { lines "$1" | awk -F: '{ print $1 + 0 }'; }
on_cpu() { lines IMS-timer | awk -v cpu="$1" '{ print $(cpu + 2) }'; }
find_irqs() { ims=$(irq_of IMS-timer) msi=$(irq_of PCI-MSI); }
named() { lines "$1" | grep -q "[ -]$1-$bdf .*$2\$"; }
in_msi_irqs() { grep -qx msi "$dev/msi_irqs/$ims" && grep -qx msi "$dev/msi_irqs/$msi"; }

# Of a file in debugfs: its head, and the line of its only vector as
# "label irq address data count affinity"
head_is() { # FILE KIND NAME
	[ "$(sed -n '1,7s/^[a-z]*: *//p' "$1" | xargs)" = "$bdf $2 $3 1 1 0 0" ]
}
vector_is() { # FILE IRQ KIND: as /proc says
	set -- $(sed 1,8d "$1") "$2" "$(counted "$3")"
	[ $# = 8 ] && [ "$1 $2 $5" = "0 $7 $8" ] &&
		[ "$6" = "$(cat "/proc/irq/$2/smp_affinity_list")" ]
}
message() { # FILE: "address data", both without leading zeroes
	set -- $(sed 1,8d "$1")
	printf '0x%x 0x%x\n' "$3" "$4"
}
same_message() { # FILE MESSAGE
	[ "$(message "$1")" = "$2" ] && [ "${2%% *}" != 0x0 ]
}

# The same, from the MSI capability of the device (PCI 3.0, 6.8.1)
message_in_device() {
	printf '0x%x 0x%x\n' $(hexdump -v -e '1/1 "%u\n"' "$dev/config" | awk '
		{ b[NR - 1] = $1 }
		END {
			for (p = b[52]; p && b[p] != 5; p = b[p + 1])
				;
			wide = int(b[p + 2] / 128) % 2 * 4
			for (i = 7; i >= 4; i--)
				high = high sprintf("%02x", wide ? b[p + i + 4] : 0)
			for (i = 7; i >= 4; i--)
				low = low sprintf("%02x", b[p + i])
			d = p + 8 + wide
			printf "0x%s%s 0x%02x%02x\n", high, low, b[d + 1], b[d]
		}')
}

# Of the trace: the events of a table, without what all of them have; its last
# valid message; and the names alone. A message of zeroes clears the store.
events() { # TABLE
	sed -nE "s/.*: (msi_[a-z_]+): device=$bdf table=$1 /\1 /p" /tmp/trace
}
traced_message() {
	events "$1" | sed -nE 's/.*address=(0x.*) data=(.*)/\1 \2/p' |
		grep -v '^0x0 0x0$' | tail -n 1
}
story() { # TABLE IRQ
	events "$1" | awk -v irq="irq=$2" '
		{
			name = $1
			sub(/^msi_(table|vector)_/, "", name)
			if (/ address=0x0 data=0x0$/)
				name = "clear"
			if (/^msi_vector/ && ($2 != "label=0" || $3 != irq))
				name = "wrong"
			print name
		}' | xargs
}
told() { # TABLE IRQ PATTERN
	story=$(story "$1" "$2")
	say "# $1: $story"
	case $story in
	*wrong*) false ;;
	$3) ;;
	*) false ;;
	esac
}
has_fields() {
	for event in table_create table_destroy vector_alloc vector_free \
		     vector_write_msg vector_mask; do
		format=$tracing/events/msi_table/msi_$event/format
		fields="device table"
		[ "${event%_*}" = table ] || fields="$fields label irq"
		for field in $fields; do
			grep -q "field:.* $field;" "$format" || return 1
		done
	done
}

# All of the directory, with the tables in it
readable() { cat "$debug/$1"/* >/tmp/output; }
# So many links have the files which are open as 3 to 5
linked() {
	[ "$(stat -L -c %h /proc/self/fd/3 /proc/self/fd/4 /proc/self/fd/5 | xargs)" = "$1" ]
}
has_domain() { ls "$debug/domains" | grep -q "IMS-timer-$bdf"; }
has_files() { [ -e "$timer_file" ] && [ -e "$msi_file" ]; }
has_no_files() { [ ! -e "$timer_file" ] && [ ! -e "$msi_file" ]; }
no_domain() { ! has_domain; }

move() { echo "$1" >"/proc/irq/$ims/smp_affinity_list"; }
placed() { [ "$(cat "/proc/irq/$ims/smp_affinity_list")" = "$1" ]; }
effective() { [ "$(cat "/proc/irq/$ims/effective_affinity_list")" = "$1" ]; }
moves() {
	for i in $(seq 12); do
		move $((i % 2)) && placed $((i % 2)) && sleep 0.15 || return 1
	done
}
taken_by_both() { [ "$(on_cpu 0)" -gt 0 ] && [ "$(on_cpu 1)" -gt 0 ]; }
cpu1() { echo "$1" >/sys/devices/system/cpu/cpu1/online; }
grows() { # COMMAND...: the number it prints does, by 3
	before=$("$@")
	for _ in $(seq 50); do
		[ "$("$@")" -lt $((before + 3)) ] || return 0
		sleep 0.2
	done
	false
}
# irqbalance takes the interrupt away from a CPU which it is told to avoid. It
# asks /guest/policy.sh about each interrupt of each device, and of none.
balance() { # CPU-TO-AVOID OPTION...
	avoid=$1
	shift
	IRQBALANCE_BANNED_CPULIST=$avoid timeout 60 irqbalance --foreground \
		--debug --oneshot --interval=1 "$@" >/tmp/irqbalance 2>&1
}
balanced() { grep -q "^ *Interrupt $1 " /tmp/irqbalance; }
owned() { grep -qxF "$dev $1" /tmp/owners; }
content() { ! grep -E "WARNING|Cannot change IRQ ($ims|$msi) " /tmp/irqbalance; }

say "KTAP version 1"

check "events have their fields" has_fields
echo 1 >$tracing/events/msi_table/enable
insmod /modules/$driver.ko $params
check "every expiration delivered" next_round
find_irqs
lines 'IMS-timer|PCI-MSI' | quote
check "IMS in /proc/interrupts" named IMS-timer $driver-expired
check "MSI in /proc/interrupts" named PCI-MSI $driver-loaded
check "both in msi_irqs" in_msi_irqs
check "both in debugfs" has_files
quote <"$timer_file"
quote <"$msi_file"
check "debugfs: the IMS table" head_is "$timer_file" IMS timer
check "debugfs: its vector" vector_is "$timer_file" "$ims" IMS-timer
check "debugfs: the MSI table" head_is "$msi_file" PCI/MSI PCI
check "debugfs: its vector, too" vector_is "$msi_file" "$msi" PCI-MSI
ims_message=$(message "$timer_file")
check "debugfs: the message is that of the device" \
	same_message "$msi_file" "$(message_in_device)"
check "debugfs: the domain of the store" has_domain
check "debugfs: domains readable" readable domains
check "debugfs: interrupts readable" readable irqs
exec 3<"/sys/kernel/irq/$ims/actions" 4<"/sys/kernel/irq/$ims" 5<"$dev/msi_irqs/$ims"
check "sysfs: files of the interrupt" linked "1 2 1"
check "unbind" unbind
check "sysfs: they have no links any more" linked "0 0 0"
exec 3<&- 4<&- 5<&-
echo 0 >$tracing/events/msi_table/enable
grep ' msi_' $tracing/trace >/tmp/trace
quote </tmp/trace
check "debugfs: the tables are gone" has_no_files
check "debugfs: the domain is gone" no_domain
check "debugfs: domains readable without it" readable domains
check "trace: the IMS table" told timer "$ims" \
	'create*alloc*write_msg*request*clear*free*destroy'
check "trace: its message" [ "$(traced_message timer)" = "$ims_message" ]
check "trace: the MSI table" told PCI "$msi" \
	'create*write_msg*alloc*request*free*destroy'
check "rmmod" rmmod $driver

# It does not end by itself, and would stop if an expiration was lost.
insmod /modules/$driver.ko $params count=1000000
find_irqs
check "move the interrupt of the running timer" moves
check "both CPUs take it" taken_by_both
# Without remapping the address is that of the CPU, and the edu keeps it from
# when it is armed to when it expires: one under way would be lost with the CPU.
if [ "$REMAP" = yes ]; then
	move 1
	check "CPU 1 goes offline" cpu1 0
	check "the interrupt is with CPU 0" effective 0
	check "the timer goes on" grows counted IMS-timer
	check "CPU 1 comes online" cpu1 1
fi
check "every expiration delivered, wherever" grows counted IMS-timer
rmmod $driver

# If the machine has it: see build.sh
if [ -x /bin/irqbalance ]; then
	mkdir -p /run/irqbalance
	: >/tmp/owners
	insmod /modules/$driver.ko $params count=1000000
	find_irqs
	move 0
	check "irqbalance: runs" balance 0 --policyscript=/guest/policy.sh
	check "irqbalance: has nothing to complain of" content
	check "irqbalance: IMS belongs to the device" owned "$ims"
	check "irqbalance: so does MSI" owned "$msi"
	check "irqbalance: balances IMS" balanced "$ims"
	grep "Interrupt $ims " /tmp/irqbalance | quote
	check "irqbalance: moves it to CPU 1" placed 1
	check "irqbalance: CPU 1 takes it" grows on_cpu 1
	check "irqbalance: runs again" balance 1
	check "irqbalance: moves it back" placed 0
	check "irqbalance: CPU 0 takes it" grows on_cpu 0
	lines IMS-timer | quote
	rmmod $driver
else
	tests=$((tests + 1))
	say "ok $tests irqbalance # SKIP not installed"
fi
check "no interrupt left" no_domain
exit 0
