#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# FAIL=, suites which let every allocation fail in turn, with commas.
. /guest/failslab.sh

say() { echo "$*" >/dev/kmsg; }

prepare_failslab
for suite in $(echo "$FAIL" | tr , ' '); do
	# The kernel numbers and prints the results itself, from 1 each time.
	say "KTAP version 1"
	say "1..1"
	echo run >"/sys/kernel/debug/kunit/$suite/run" || say "not ok 1 $suite"
done
exit 0
