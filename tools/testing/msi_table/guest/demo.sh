#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The timer drivers, or DRIVERS= some of them, on the edu device, for people to
# watch: all expirations of each, and where /proc/interrupts has them. PARAMS= is
# for the modules.
. /guest/common.sh

say "KTAP version 1"
for driver in ${DRIVERS:-ims_timer rust_ims_timer}; do
	insmod /modules/$driver.ko $PARAMS
	check "$driver: every expiration delivered" round 1
	lines 'IMS-timer|PCI-MSI' | while read -r line; do say "# $line"; done
	rmmod $driver
done
exit 0
