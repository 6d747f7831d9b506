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
measure() { # SIDE WHAT OPS, and what the program is told
	figures=/tmp/$1.$2 ops=$(($3 * SCALE / rounds))
	shift 3
	cost "$@" $ops >>"$figures"
}
median() { # SIDE WHAT OPS
	ops=$(($3 * SCALE / rounds))
	echo "bench: side=$1 what=$2 sysfs=1 live=0 ops=$ops" \
		"median=$(sort -n "/tmp/$1.$2" | sed -n $((rounds / 2 + 1))p)"
}

load_modules nvme-core $vfio_modules $virtio_modules
one_round() {
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
}

for _ in $(seq $rounds); do
	one_round
done
for side in mainline table; do
	median $side nvme-read 100
	median $side nvme-reset 2
	median $side virtio-read 100
	median $side vfio-64 2
done
echo "bench: end, 0"
