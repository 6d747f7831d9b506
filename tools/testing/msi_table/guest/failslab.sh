# SPDX-License-Identifier: GPL-2.0
#
# For the scripts which run tests that let memory allocations of theirs fail.
# They do that to themselves (task_struct::fail_nth), but failslab has to be
# willing to fail what may sleep, and to be silent.
prepare_failslab() {
	echo 0 >/sys/kernel/debug/failslab/verbose
	echo N >/sys/kernel/debug/failslab/ignore-gfp-wait
	# Not where failure is not for us to handle: procfs warns when it frees
	# what it failed to allocate, the debugging facilities turn themselves
	# off, and debugfs does without a file.
	for cache in /sys/kernel/slab/*; do
		case ${cache##*/} in
		proc_dir_entry | kmemleak_object | debug_objects_cache | maple_node) ;;
		dentry | inode_cache) ;;
		*) echo 1 >"$cache/failslab" ;;
		esac
	done 2>/dev/null
	echo 1 >/sys/kernel/debug/failslab/cache-filter
}
