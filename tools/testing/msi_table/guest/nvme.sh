# SPDX-License-Identifier: GPL-2.0
#
# The NVMe driver on an MSI table, and beside it the one which 7.3 has, in KTAP. The
# first controller has a vector for each CPU, others have what the machine gave them.
. /guest/disk.sh

dev=$(readlink -f "$(functions_with class 0x010802 | head -n1)")
bdf=${dev##*/}
driver=nvme
disks=$(for d in $(functions_with class 0x010802); do
	n=${n-0}; echo "nvme${n}n1"; n=$((n + 1))
done)

# Controllers are probed all at a time, and numbered as they come.
ctrl() { ls "$dev/nvme"; }
disk() { echo "$(ctrl)n1"; }
ours_appears() { settled "$dev/nvme" && appears "$(disk)"; }
# The same for whatever number it has got
our_queues() { queues "$(ctrl)q" "$(disk)" | sed "s/^nvme[0-9]*//"; }
as_stock() { same_as /tmp/nvme_stock our_queues; }

reset() { echo 1 >"$dev/nvme/$(ctrl)/reset_controller"; }
reset_often() { for _ in $(seq 10); do reset || return 1; done; }
flr() { echo 1 >"$dev/reset"; }
# What the card has for INTx, and does not use, goes with it.
line_goes() {
	line=$(cat "$dev/irq")
	remove && [ "$line" -gt 0 ] && [ ! -e "/sys/kernel/irq/$line" ]
}
rescan() { echo 1 >/sys/bus/pci/rescan && ours_appears; }
# With queues for writing and for polling, too
queues_with() { # DRIVER
	load "$1" "write_queues=1 poll_queues=1"
	all_appear && all_io
	our_queues
	rmmod "$1"
}
sets_alike() {
	queues_with nvme_stock >/tmp/nvme_stock
	same_as /tmp/nvme_stock queues_with nvme
}
rebind() {
	for _ in 1 2 3 4 5; do
		unbind && bind && ours_appears && io 0 "$(disk)" || return 1
	done
}
no_timeout() { ! dmesg | grep -iE 'nvme.*(time-?out|polled)'; }

# Each CPU is served by its own queue, whose interrupt it takes.
served_by_own() {
	for queue in "/sys/block/$(disk)"/mq/*; do
		cpu=$(cat "$queue/cpu_list")
		irq=$(named "$(ctrl)q$((${queue##*/} + 1))" | cut -d' ' -f1)
		before=$(taken "$irq" "$cpu")
		io "$cpu" "$(disk)" || return 1
		[ "$(taken "$irq" "$cpu")" -gt "$before" ] || return 1
	done
}
numbers() { named "$(ctrl)q" | sort | xargs; }
kept() { [ "$(numbers)" = "$vectors" ]; }

# What was reported of 7.3: the other CPUs are away when the controller is reset, and
# the queue of the one that is left has its interrupt elsewhere.
alone() {
	switch 0 1 2 3 && reset && io 0 "$(disk)" && no_timeout
	alone=$?
	switch 1 1 2 3
	return $alone
}

not_alone() { ! alone; }

say "KTAP version 1"
start=$(irqs)
load nvme-core io_timeout=3

load nvme_stock
check "nvme_stock: all disks appear" all_appear
check "nvme_stock: data, on each CPU" all_io
our_queues >/tmp/nvme_stock
if [ "$MSI" = yes ]; then
	# Or the same of the other driver shows nothing.
	check "nvme_stock: I/O times out after a reset with one CPU" not_alone
	dmesg -c >/dev/null
fi
check "nvme_stock: rmmod" rmmod nvme_stock
check "nvme_stock: no irq left behind" at_start

load nvme
check "nvme: all disks appear" all_appear
check "nvme: data, on each CPU" all_io
check "nvme: interrupts, CPUs and queues of nvme_stock" as_stock
vectors=$(numbers)
if [ "$MSI" = yes ]; then
	check "nvme: each CPU takes the interrupts of its queue" served_by_own
	check "nvme: data after a reset with one CPU" alone
	check "nvme: each CPU takes the interrupts of its queue, again" served_by_own
fi
# With INTx, a controller of QEMU which is reset while it has something to tell may keep
# the line asserted, whichever driver it has. There is something after each reset, when
# the namespaces are looked at. And INTx belongs to no CPU in particular.
if [ "$MSI" = yes ]; then
	keep_busy "$(disk)"
	check "nvme: ten resets" reset_often
	check "nvme: FLR" flr
	check "nvme: nothing was lost meanwhile" nothing_lost
	check "nvme: the vectors are those of before" kept
	check "nvme: data, on each CPU, after that" all_io
	keep_busy "$(disk)"
	check "nvme: CPUs go and come" go_and_come "$(disk)"
	check "nvme: suspend to RAM" sleep_and_wake
	check "nvme: nothing was lost meanwhile" nothing_lost
	check "nvme: data, on each CPU, after that" all_io
fi
check "nvme: unbind and bind, five times" rebind
if [ "$MSI" = yes ]; then
	check "nvme: the card goes, and its interrupt of INTx" line_goes
else
	check "nvme: the card goes" remove
fi
check "nvme: and comes" rescan
check "nvme: data, on each CPU, of the new one" all_io
check "nvme: interrupts, CPUs and queues of nvme_stock, again" as_stock
check "nvme: no time-out" no_timeout
check "nvme: rmmod" rmmod nvme
check "nvme: no irq left behind" at_start
if [ "$MSI" = yes ]; then
	check "nvme: queues for writing and for polling, as with nvme_stock" sets_alike
	check "nvme: no irq left behind" at_start
fi
rmmod nvme_core
exit 0
