# SPDX-License-Identifier: GPL-2.0
#
# The driver of virtio on PCI, on an MSI table, and beside it the one which 7.3 has, in
# KTAP. There are disks and network cards with a vector for each queue, with one for all of
# them, and with INTx. What a card is given to load is what /bin/busybox is.
. /guest/disk.sh

functions() { # CLASS
	for d in $(functions_with vendor 0x1af4); do
		! grep -q "^$1" "$d/class" || echo "$d"
	done
}
devs=$(functions 0x01)
disks=$(echo "$devs" | awk '{ printf "vd%c ", 96 + NR }')
cards=$(functions 0x02)
dev=$(readlink -f "$(echo "$devs" | head -n1)")
bdf=${dev##*/}
driver=virtio-pci

all_queues() { for d in $disks; do queues virtio "$d"; done; }
# The host has a network of its own for each card.
all_load() {
	net=0
	for d in $cards; do
		net=$((net + 1)) card=$(ls "$d"/virtio*/net) || return 1
		ifconfig "$card" 10.0.$net.15 netmask 255.255.255.0 up &&
			tftp -g -b 1428 -r busybox -l /tmp/loaded 10.0.$net.2 &&
			cmp -s /tmp/loaded /bin/busybox || return 1
	done
}
rebind() {
	for _ in 1 2 3 4 5; do
		unbind && bind && appears vda && io 0 vda || return 1
	done
}
rescan() { echo 1 >/sys/bus/pci/rescan && all_appear; }
# irqbalance looks for an interrupt of the line where there is none.
no_folder() { [ -z "$(find /sys/devices -name msi_irqs)" ]; }
policies() { # What the disks were made for
	named virtio | cut -d' ' -f2 | sort | tr '\n' ' ' | grep -q "^$1"
}

say "KTAP version 1"
load_modules $virtio_modules failover net_failover dimlib virtio_net
start=$(irqs)

load virtio_pci_stock
check "virtio_pci_stock: all disks appear" all_appear
check "virtio_pci_stock: data, on each CPU" all_io
check "virtio_pci_stock: data of each network card" all_load
all_queues >/tmp/virtio_stock
check "virtio_pci_stock: rmmod" rmmod virtio_pci_stock
check "virtio_pci_stock: no irq left behind" at_start

load virtio_pci
check "virtio_pci: all disks appear" all_appear
if [ "$MSI" = yes ]; then
	check "virtio_pci: a vector for each queue, one for all, INTx" policies \
		"virtio0-config virtio0-req.0 virtio0-req.1 virtio0-req.2 virtio0-req.3 \
virtio1-config virtio1-virtqueues virtio2 \
virtio3-config virtio3-input.0 virtio3-output.0 virtio4-config virtio4-virtqueues virtio5 "
else
	check "virtio_pci: INTx" policies "virtio0 virtio1 virtio2 "
	check "virtio_pci: no msi_irqs/ of INTx" no_folder
fi
check "virtio_pci: interrupts, CPUs and queues of virtio_pci_stock" \
	same_as /tmp/virtio_stock all_queues
check "virtio_pci: data, on each CPU" all_io
check "virtio_pci: data of each network card" all_load
keep_busy vdb
if [ "$MSI" = yes ]; then
	check "virtio_pci: CPUs go and come" go_and_come vda
	check "virtio_pci: suspend to RAM" sleep_and_wake
fi
check "virtio_pci: unbind and bind, five times" rebind
check "virtio_pci: the card goes" remove
check "virtio_pci: and comes" rescan
check "virtio_pci: nothing of another was lost meanwhile" nothing_lost
check "virtio_pci: data, on each CPU, of the new one" all_io
check "virtio_pci: data of each network card, again" all_load
check "virtio_pci: rmmod" rmmod virtio_pci
check "virtio_pci: no irq left behind" at_start
exit 0
