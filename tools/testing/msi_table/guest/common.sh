# SPDX-License-Identifier: GPL-2.0
#
# For the other scripts which test a driver: what the kselftests have, and more.

# Of what was before the kernel said nothing counts.
dmesg -c >/dev/null
. /guest/lib.sh

# Whoever calls it, and wherever his output goes
say() { echo "$*" >/dev/kmsg; }
quote() { while IFS= read -r l; do say "# $l"; done; }

# Whoever wants numbers at random sets random= to where they begin.
choose() { # CEIL: sets chosen to a number below it
	random=$(((random * 1103515245 + 12345) % 2147483648))
	chosen=$((random / 65536 % $1))
}

# Functions of PCI by what a file of theirs says
functions_with() { # FILE PATTERN
	grep -lE "$2" /sys/bus/pci/devices/*/"$1" | xargs -n1 dirname
}

# The edu device, for those who say nothing else
find_device 0x1234 0x11e8 || :
