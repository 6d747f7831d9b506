#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The edu device, with either timer driver running on it, goes away and comes
# back, again and again for DURATION= seconds. How and when is random, from SEED=
# on. PARAMS= are for the driver.
#
# TASK=rebind: unbound and bound, removed and found again, its driver unloaded
#	and loaded
# TASK=unplug: out of its slot
# TASK=surprise: the same, and every other time nobody asked the driver
# TASK=suspend: the machine sleeps
#
# What only QEMU can do is asked for on the console: "torture: host: ...". The
# harness obeys, and what came of it is seen here, in sysfs.
. /guest/common.sh

random=$SEED
# To wait and to count without a process: in a machine which is emulated, and which
# KASAN slows down, a card comes and goes in the time of a few.
now() { # sets now, in seconds
	read -r now _ </proc/uptime
	now=${now%.*}
}
wait_for() { # COMMAND...: true within a minute
	now
	give_up=$((now + 60))
	until "$@"; do
		now
		[ "$now" -lt $give_up ] || {
			say "# in vain: $*"
			return 1
		}
		sleep 0.05
	done
}
count() { # sets count to how often the timer expired, as far as the kernel knows
	count=0
	for irq in /sys/kernel/irq/*; do
		read -r chip <"$irq/chip_name" || continue
		case $chip in *IMS-timer*) ;; *) continue ;; esac
		read -r counts <"$irq/per_cpu_count" || continue
		count=$((${counts//,/+}))
	done
}

absent() { [ ! -e "$dev" ]; }
# Plugging a card in presses the button of its slot. If pciehp sees that only when
# the card already runs, it takes the card out again 5 seconds later.
settled() {
	for _ in 1 2 3 4 5 6 7; do
		! absent || return 1
		sleep 1
	done
}
no_irqs() { ! lines 'IMS-timer|PCI-MSI' >/dev/null; }
load() { insmod /modules/$driver.ko count=1000000 $PARAMS; }
unload() { rmmod $driver; }
taken_some() {
	count
	[ $count -ge $((taken + 2)) ]
}
# Two more expirations are two armings more: one lost would be the last.
ticks() {
	count
	taken=$count
	wait_for taken_some
}

rebind() { unbind && no_irqs && bind; }
rescan() {
	echo 1 >"$dev/remove" && absent && no_irqs &&
		echo 1 >/sys/bus/pci/rescan
}
reload() { unload && no_irqs && load; }
plug() {
	no_irqs || return 1
	say "torture: host: plug $rounds"
	wait_for bound
}
unplug() {
	say "torture: host: unplug $rounds"
	wait_for absent && plug
}
slot_control() { # LOW HIGH: the two bytes
	printf "\\$(printf %03o "$1")\\$(printf %03o "$2")" |
		dd of="$port/config" bs=2 seek="$control" conv=notrunc 2>/dev/null
}
# Its slot is switched off behind the back of its driver (PCIe 6.0, 7.5.3.10: no
# power, power indicator off). QEMU takes the card away at once, with the transfer
# it is doing. Then there is power again, as if somebody had pulled the card, and
# only now may the port tell (hot-plug interrupt enable).
surprise() {
	set -- $(hexdump -v -e '1/1 "%u\n"' "$port/config" | awk '
		{ b[NR - 1] = $1 }
		END {
			for (p = b[52]; p && b[p] != 16; p = b[p + 1])
				;
			print (p + 24) / 2, b[p + 24], b[p + 25]
		}')
	control=$1
	say "torture: host: pull $rounds"
	# Else QEMU might tell that the card is gone before this is on the console.
	sleep 1
	slot_control $(($2 & ~32)) $(($3 | 7)) && slot_control "$2" "$3" ||
		return 1
	surprises=$((surprises + 1))
	wait_for absent && plug
}
s2idle() {
	say "torture: host: press the button"
	# Whoever presses it too early may keep the machine awake.
	for _ in 1 2 3; do
		echo freeze >/sys/power/state
		status=$?
		[ $status != 0 ] || break
	done
	say "torture: host: awake"
	[ $status = 0 ] && woken
}
s3() {
	echo deep >/sys/power/mem_sleep && echo mem >/sys/power/state && woken
}
# The driver in C stops its timer, and starts it again. In Rust there is no callback
# for that in Linux 7.3: what is sent while the device sleeps, nobody receives.
woken() {
	[ $driver != ims_timer ] || return 0
	count
	taken=$count
	sleep 3
	count
	if [ $count = $taken ]; then
		say "# the message of this timer was sent while nobody listened"
		asleep=$((asleep + 1))
	fi
	rebind
}

# Once; afterwards the timer runs.
away() {
	case $TASK in
	rebind)
		choose 3
		case $chosen in
		0) rebind ;;
		1) rescan ;;
		2) reload ;;
		esac
		;;
	unplug) unplug ;;
	surprise) if [ $((rounds % 2)) = 0 ]; then surprise; else unplug; fi ;;
	suspend) s2idle ;;
	esac && wait_for bound && ticks
}
# The interrupts of the device go to a CPU each, at random, while it sends them.
move() {
	for irq in "$dev"/msi_irqs/*; do
		choose 2
		echo $((1 << chosen)) >"/proc/irq/${irq##*/}/smp_affinity" ||
			return 1
		moves=$((moves + 1))
	done
}
delivered=0 moves=0 surprises=0 asleep=0 total=0
again() { # SECONDS: at least twice
	rounds=0
	now
	end=$((now + $1))
	while [ $rounds -lt 2 ] || [ "$now" -lt $end ]; do
		choose 250
		usleep ${chosen}000
		rounds=$((rounds + 1))
		move && ticks && delivered=$((delivered + count)) && away || {
			say "# $driver: round $rounds"
			return 1
		}
		now
	done
}

# Interrupts, domains, mappings and tables there are; and the objects in the caches
# which a removal uses, without what is only kept for later. What the Rust abstraction
# of PCI leaves of the IO-APIC, see irqs, is there from the first time on.
things() {
	echo "$(irqs) $(ls /sys/kernel/debug/irq/domains | wc -l)" \
		"$(sed -n 's/^ *mapped: *//p' /sys/kernel/debug/irq/domains/* | xargs)" \
		"$(ls /sys/kernel/debug/irq/msi_tables 2>/dev/null | wc -l)"
}
objects() {
	for cache in /sys/kernel/slab/kmalloc-* \
		     /sys/kernel/slab/kernfs_node_cache \
		     /sys/kernel/slab/proc_dir_entry \
		     /sys/kernel/slab/radix_tree_node; do
		[ -e "$cache/shrink" ] || continue
		echo 1 >"$cache/shrink"
		read -r n _ <"$cache/objects"
		echo "${cache##*/} $n"
	done
}
measure() { # FILE
	[ "$TASK" != surprise ] || wait_for settled
	# What is freed after a grace period
	sleep 3
	things >"$1.things"
	objects >"$1.objects"
}
same_things() {
	say "# irqs, /proc/irq, msi_irqs, domains, mapped, tables:" \
		"$(cat /tmp/before.things), now $(cat /tmp/after.things)"
	cmp -s /tmp/before.things /tmp/after.things
}
# The rest of the kernel allocates, too: some objects more are no leak. One more
# in each round is.
same_objects() {
	limit=$((rounds / 2))
	[ $limit -ge 50 ] || limit=50
	awk -v limit=$limit '
		NR == FNR { before[$1] = $2; next }
		{ more = $2 - before[$1]; if (more > most) { most = more; name = $1 } }
		END {
			print "# objects: at most " most + 0 " more, " name
			exit (most > limit)
		}' /tmp/before.objects /tmp/after.objects
}

say "KTAP version 1"
port=$(dirname "$(readlink -f "$dev")")
for driver in ims_timer rust_ims_timer; do
	# What a first time leaves behind for good is there before it counts.
	load
	check "$driver: bound" bound || continue
	check "$driver: runs" ticks
	rounds=0
	check "$driver: goes and comes" away
	check "$driver: unloaded" unload
	measure /tmp/before

	load
	check "$driver: goes and comes, armed" again $((DURATION / 2))
	total=$((total + rounds))
	check "$driver: runs to the end" ticks
	count
	delivered=$((delivered + count))
	check "$driver: unloaded while armed" unload
	check "$driver: no irq left" no_irqs
	measure /tmp/after
	check "$driver: no irq, domain or table left behind" same_things
	check "$driver: no memory left behind" same_objects
done
# At the end, since the power button does not wake QEMU's machine up any more after
# it was off.
[ "$TASK" != suspend ] || for driver in ims_timer rust_ims_timer; do
	load
	check "$driver: runs before suspend to RAM" ticks
	check "$driver: suspend to RAM" s3
	check "$driver: runs after suspend to RAM" ticks
	check "$driver: unloaded after suspend to RAM" unload
	check "$driver: no irq left after suspend to RAM" no_irqs
done
say "torture: removal: rounds $total"
say "torture: removal: delivered $delivered"
say "torture: removal: moves $moves"
say "torture: removal: surprises $surprises"
say "torture: removal: sent while asleep $asleep"
# The results are said; this one only that all of them were.
exit 0
