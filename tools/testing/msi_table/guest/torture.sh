#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The torture tests which are in the kernel. TASK=model: random operations on
# fake devices, against a model. TASK=igb: the MSI-X tables of igb devices under
# change, and a CPU which comes and goes, while everything that tells of interrupts is
# read, and irqbalance moves them. For DURATION= seconds, from SEED= on.
. /guest/common.sh
. /guest/failslab.sh

cpu1=/sys/devices/system/cpu/cpu1/online

torture() { # MODULE: the write ends when all is over, and fails with it
	parameters=/sys/module/$1/parameters
	echo "$SEED" >"$parameters/seed" &&
		echo "$DURATION" >"$parameters/duration" &&
		echo 1 >"/sys/kernel/debug/$1/run"
}

# Until told that it is over; CPU 1 is online then.
come_and_go() {
	offline=0 random=$SEED
	while [ ! -e /tmp/over ]; do
		choose 900
		sleep "0.$(printf %03d "$chosen")"
		# Busy while something else holds CPU hotplug off
		(echo 0 >$cpu1) 2>/dev/null || continue
		offline=$((offline + 1))
		choose 300
		sleep "0.$(printf %03d "$chosen")"
		# The same; it is enough that this does not last
		for _ in $(seq 100); do
			(echo 1 >$cpu1) 2>/dev/null && break
			sleep 0.1
		done
	done
	say "torture: igb: offline $offline"
	[ "$(cat $cpu1)" = 1 ] && [ "$offline" -gt 0 ]
}

# Whatever there is of interrupts, which may go while it is read
read_all() {
	rounds=0
	while [ ! -e /tmp/over ]; do
		find /proc/interrupts /proc/irq /sys/kernel/irq /sys/kernel/debug/irq \
			/sys/bus/pci/devices/*/msi_irqs -type f 2>/dev/null |
			xargs cat >/dev/null 2>&1
		rounds=$((rounds + 1))
	done
	say "torture: igb: read $rounds"
	[ "$rounds" -gt 0 ]
}

balance() { # As a daemon, which looks each second
	mkdir -p /run/irqbalance
	irqbalance --foreground --interval=1 >/tmp/irqbalance 2>&1 &
	balancer=$!
	sleep 1
}
balances() {
	quote </tmp/irqbalance
	kill "$balancer" && ! grep WARNING /tmp/irqbalance
}

say "KTAP version 1"
start=$(irqs)
case $TASK in
model)
	prepare_failslab
	# For the tasks which ask for it: every allocation
	echo Y >/sys/kernel/debug/failslab/task-filter
	echo -1 >/sys/kernel/debug/failslab/times
	echo 100 >/sys/kernel/debug/failslab/probability
	check "model: every operation does what the model says" \
		torture msi_table_torture
	;;
igb)
	[ ! -x /bin/irqbalance ] || balance
	read_all &
	reader=$!
	come_and_go &
	pid=$!
	check "igb: every interrupt arrives, once, where it belongs" \
		torture msi_table_pci_torture
	touch /tmp/over
	check "igb: CPU 1 came and went" wait $pid
	check "igb: all there is to read was read" wait $reader
	[ ! -x /bin/irqbalance ] || check "igb: irqbalance went on" balances
	;;
*)
	check "there is a task $TASK" false
	;;
esac
# What is freed after a grace period
sleep 2
check "$TASK: no irq left behind" at_start
# The results are said; this one only that all of them were.
exit 0
