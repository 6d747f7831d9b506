#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The suites which let every allocation fail in turn. They do that to
# themselves (task_struct::fail_nth), but failslab has to be willing to fail
# what may sleep, and to be silent.
say() { echo "$*" >/dev/kmsg; }

cd /sys/kernel/debug || exit 1
echo 0 >failslab/verbose
echo N >failslab/ignore-gfp-wait
# Not where failure is not for us to handle: procfs warns when it frees what it
# failed to allocate, the debugging facilities turn themselves off, and debugfs
# does without a file.
for cache in /sys/kernel/slab/*; do
	case ${cache##*/} in
	proc_dir_entry | kmemleak_object | debug_objects_cache | maple_node) ;;
	dentry | inode_cache) ;;
	*) echo 1 >"$cache/failslab" ;;
	esac
done 2>/dev/null
echo 1 >failslab/cache-filter
for suite in msi_table_fail msi_table_pci_fail; do
	# The kernel numbers and prints the results itself, from 1 each time.
	say "KTAP version 1"
	say "1..1"
	echo run >"kunit/$suite/run" || say "not ok 1 $suite"
done
exit 0
