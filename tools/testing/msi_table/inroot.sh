#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# inroot.sh COMMAND... - run a command in the build root as the calling user.
#
# The cache is /mnt there and the checkout /src. Mounts and processes are
# private: when the caller goes, so does all that was started.
set -eu

if [ "$(id -u)" != 0 ]; then
	exec_root=sudo
else
	exec_root=
fi

exec $exec_root setpriv --pdeathsig HUP \
	unshare --mount --pid --fork --kill-child \
	sh -euc '
	cache=$1 src=$2 user=$3 groups=$4
	root=$cache/root
	shift 4
	mkdir -p "$root/src"
	mount --bind "$cache" "$root/mnt"
	mount --bind "$src" "$root/src"
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs tmpfs "$root/tmp"
	# Signals reach the first process of a namespace only if it asks.
	trap "exit 130" INT TERM
	status=0
	chroot --userspec="$user" --groups="$groups" "$root" \
		env -i HOME=/tmp PATH=/usr/lib/llvm-19/bin:/usr/sbin:/usr/bin \
		SRC=/src MSI_TABLE_CACHE=/mnt "$@" || status=$?
	exit $status
	' inroot "$MSI_TABLE_CACHE" "$SRC" "$(id -u):$(id -g)" \
	"$(id -G | tr ' ' ,)" \
	TERM="${TERM:-dumb}" ARCH="$ARCH" HOST_CACHE="$HOST_CACHE" TREE="$TREE" \
	BUILDS="$BUILDS" KVM="${KVM:-}" TEST="${TEST:-}" COVERAGE="${COVERAGE:-}" V="${V:-}" \
	LINUX_SOURCE="${LINUX_SOURCE:-}" "$@"
