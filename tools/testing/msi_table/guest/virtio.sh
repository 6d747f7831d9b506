# SPDX-License-Identifier: GPL-2.0
#
# The driver of virtio on PCI, on an MSI table, and beside it the one which 7.3 has, in
# KTAP. There are disks with a vector for each queue, with one for all of them, and with
# INTx.
. /guest/disk.sh

devs=$(grep -l 0x1af4 /sys/bus/pci/devices/*/vendor | xargs -n1 dirname)
disks=$(echo "$devs" | awk '{ printf "vd%c ", 96 + NR }')
dev=$(readlink -f "$(echo "$devs" | head -n1)")
bdf=${dev##*/}
driver=virtio-pci

all_queues() { for d in $disks; do queues virtio "$d"; done; }
rebind() {
	for _ in 1 2 3 4 5; do
		unbind && bind && appears vda && io 0 vda || return 1
	done
}
rescan() { echo 1 >/sys/bus/pci/rescan && all_appear; }
policies() { # What the disks were made for
	named virtio | cut -d' ' -f2 | sort | tr '\n' ' ' | grep -q "^$1"
}

say "KTAP version 1"
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_blk; do
	load $module
done
start=$(irqs)

load virtio_pci_stock
check "virtio_pci_stock: all disks appear" all_appear
check "virtio_pci_stock: data, on each CPU" all_io
all_queues >/tmp/virtio_stock
check "virtio_pci_stock: rmmod" rmmod virtio_pci_stock
check "virtio_pci_stock: no irq left behind" at_start

load virtio_pci
check "virtio_pci: all disks appear" all_appear
if [ "$MSI" = yes ]; then
	check "virtio_pci: a vector for each queue, one for all, INTx" policies \
		"virtio0-config virtio0-req.0 virtio0-req.1 virtio0-req.2 virtio0-req.3 \
virtio1-config virtio1-virtqueues virtio2 "
else
	check "virtio_pci: INTx" policies "virtio0 virtio1 virtio2 "
fi
check "virtio_pci: interrupts, CPUs and queues of virtio_pci_stock" \
	same_as /tmp/virtio_stock all_queues
check "virtio_pci: data, on each CPU" all_io
keep_busy vdb
check "virtio_pci: suspend to RAM" sleep_and_wake
check "virtio_pci: unbind and bind, five times" rebind
check "virtio_pci: the card goes" remove
check "virtio_pci: and comes" rescan
check "virtio_pci: nothing of another was lost meanwhile" nothing_lost
check "virtio_pci: data, on each CPU, of the new one" all_io
check "virtio_pci: rmmod" rmmod virtio_pci
check "virtio_pci: no irq left behind" at_start
exit 0
