# SPDX-License-Identifier: GPL-2.0
#
# The driver of VFIO on PCI, on MSI tables, as a program sees it, in KTAP.
. /guest/disk.sh

functions=$(grep -lE '0x10c9|0x0194' /sys/bus/pci/devices/*/device | xargs -n1 dirname)
give() { # FUNCTION: to vfio-pci
	echo vfio-pci >"$1/driver_override"
	echo "${1##*/}" >/sys/bus/pci/drivers_probe
}
where() { # DEVICE: the function and its group
	for f in $functions; do
		[ "$(cat "$f/device")" != "$1" ] ||
			echo "${f##*/} $(basename "$(readlink "$f/iommu_group")")"
	done
}
none_left() { ! grep -q vfio /proc/interrupts; }

for module in irqbypass vfio vfio_iommu_type1 vfio-pci-core vfio-pci; do
	[ ! -e "/modules/$module.ko" ] || load $module
done
for f in $functions; do
	give "$f"
done
status=0
# shellcheck disable=SC2046
/bin/vfio $(where 0x10c9) $(where 0x0194) || status=$?

say "KTAP version 1"
check "vfio: the program has got to its end" [ $status = 0 ]
check "vfio: no interrupt is left of a program which has ended" none_left
check "vfio: rmmod" rmmod vfio_pci
exit 0
