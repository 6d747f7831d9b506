# SPDX-License-Identifier: GPL-2.0
#
# What drivers cost which are on MSI tables, and those of 7.3, in instructions: SCALE=
# times as many as shows that it works. There are two NVMe controllers, the second one
# for VFIO, and a disk of virtio. When the disks answer is up to the host, so it is the
# median of several rounds.
. /guest/disk.sh

functions=$(functions_with class 0x010802)
first=$(echo "$functions" | head -n1)
second=$(echo "$functions" | tail -n1)
group=$(basename "$(readlink "$second/iommu_group")")
echo vfio-pci >"$second/driver_override"

rounds=$((SCALE < 5 ? 1 : 5))
mkdir /tmp/cost
measure() { # WHAT OPS, and what the program is told: by the driver of $side
	ops=$(($2 * SCALE / rounds))
	figures="/tmp/cost/side=$side what=$1 sysfs=1 live=0 ops=$ops"
	shift 2
	cost "$@" $ops >>"$figures" || exit 1
}
reset() { # WHAT, after the module was loaded
	settled "$first/nvme"
	controller=$(ls "$first/nvme")
	appears "${controller}n1"
	measure "$1" 2 write "$first/nvme/$controller/reset_controller" 1
}

load_modules nvme-core $vfio_modules $virtio_modules
for _ in $(seq $rounds); do
	for stock in _stock ''; do
		side=table
		[ -z "$stock" ] || side=mainline

		load "nvme$stock"
		reset nvme-reset
		measure nvme-read 100 read "/dev/${controller}n1"
		rmmod "nvme$stock"

		# There is one CPU, and so one more queue.
		load "nvme$stock" write_queues=1
		reset nvme-reset-2
		rmmod "nvme$stock"

		load "virtio_pci$stock"
		appears vda
		measure virtio-read 100 read /dev/vda
		rmmod "virtio_pci$stock"

		load "vfio-pci-core$stock"
		load "vfio-pci$stock"
		echo "${second##*/}" >/sys/bus/pci/drivers_probe
		measure vfio-64 2 vfio "$group" "${second##*/}"
		rmmod "vfio_pci$stock" "vfio_pci_core$stock"
	done
done
for figures in /tmp/cost/*; do
	echo "bench: ${figures##*/} median=$(sort -n "$figures" | sed -n $((rounds / 2 + 1))p)"
done
echo "bench: end, 0"
