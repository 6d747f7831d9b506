# SPDX-License-Identifier: GPL-2.0
#
# What drivers cost which are on MSI tables, and those of 7.3, in instructions: SCALE=
# times as many as shows that it works. There are two NVMe controllers, the second one
# for VFIO, and a disk of virtio.
. /guest/disk.sh

functions=$(functions_with class 0x010802)
first=$(echo "$functions" | head -n1)
second=$(echo "$functions" | tail -n1)
group=$(basename "$(readlink "$second/iommu_group")")
echo vfio-pci >"$second/driver_override"

measure() { # SIDE WHAT OPS, and what the program is told
	side=$1 what=$2 ops=$(($3 * SCALE))
	shift 3
	echo "bench: side=$side what=$what sysfs=1 live=0 ops=$ops median=$(cost "$@" $ops)"
}

load_modules nvme-core $vfio_modules $virtio_modules
for stock in _stock ''; do
	side=table
	[ -z "$stock" ] || side=mainline

	load "nvme$stock"
	settled "$first/nvme"
	controller=$(ls "$first/nvme")
	appears "${controller}n1"
	measure $side nvme-read 100 read "/dev/${controller}n1"
	measure $side nvme-reset 2 write "$first/nvme/$controller/reset_controller" 1
	rmmod "nvme$stock"

	load "virtio_pci$stock"
	appears vda
	measure $side virtio-read 100 read /dev/vda
	rmmod "virtio_pci$stock"

	load "vfio-pci-core$stock"
	load "vfio-pci$stock"
	echo "${second##*/}" >/sys/bus/pci/drivers_probe
	measure $side vfio-64 2 vfio "$group" "${second##*/}"
	rmmod "vfio_pci$stock" "vfio_pci_core$stock"
done
echo "bench: end, 0"
