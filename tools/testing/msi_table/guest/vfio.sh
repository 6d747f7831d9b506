# SPDX-License-Identifier: GPL-2.0
#
# The driver of VFIO on PCI, on MSI tables, as a program sees it, in KTAP.
. /guest/disk.sh

functions=$(functions_with device '0x10c9|0x0194')
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
# A test of the kernel's own, in KTAP: it has an older header, and says more beside it.
selftest() { # DEVICE PROGRAM OPTION...
	bdf=$(where "$1")
	bdf=${bdf% *} program=$2
	shift 2
	{
		"/bin/$program" "$@" "$bdf" 2>&1 || touch /tmp/failed
	} | while IFS= read -r line; do
		case $line in
		"TAP version "*) say "KTAP version 1" ;;
		1..*) say "$line" ;;
		"ok "* | "not ok "*) say "${line%%vfio_*}vfio: $bdf vfio_${line#*vfio_}" ;;
		*) say "# $line" ;;
		esac
	done
}
none_left() { ! grep -q vfio /proc/interrupts; }

load_modules $vfio_modules vfio-pci-core
load vfio-pci enable_sriov=1
for f in $functions; do
	give "$f"
done
status=0
# shellcheck disable=SC2046
/bin/vfio $(where 0x10c9) $(where 0x0194) || status=$?

# The controller has neither MSI-X nor a reset.
selftest 0x10c9 vfio_pci_device_test
selftest 0x0194 vfio_pci_device_test -V msix -T reset
selftest 0x10c9 vfio_pci_driver_test -v iommufd

say "KTAP version 1"
check "vfio: the program has got to its end" [ $status = 0 ]
check "vfio: so have the kernel's own tests" [ ! -e /tmp/failed ]
check "vfio: no interrupt is left of a program which has ended" none_left
check "vfio: rmmod" rmmod vfio_pci
exit 0
