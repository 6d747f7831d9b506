#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# harness.sh TARGET - what the targets of the Makefile do.
#
# Everything after the making of the build root runs inside it; with KDIR=,
# the same scripts run on that tree, with the tools of the machine.
set -eu

# Not for the kernel's make: the variables and jobs of ours.
unset MAKEFLAGS MFLAGS MAKELEVEL

here=$(cd "$(dirname "$0")" && pwd)
SRC=$(cd "$here/../../.." && pwd)
mkdir -p "$MSI_TABLE_CACHE"
MSI_TABLE_CACHE=$(cd "$MSI_TABLE_CACHE" && pwd)
HOST_CACHE=$MSI_TABLE_CACHE
export SRC MSI_TABLE_CACHE HOST_CACHE
. "$here/steps.sh"

root=$MSI_TABLE_CACHE/root
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

if [ -n "${KDIR:-}" ]; then
	[ -d "$KDIR" ] || die "KDIR=$KDIR is not a folder"
	KDIR=$(cd "$KDIR" && pwd)
	TREE=$KDIR
	BUILDS=$MSI_TABLE_CACHE/kdir-$(echo "$KDIR" | cksum | cut -d' ' -f1)
else
	TREE=/mnt/linux-source-7.3
	BUILDS=/mnt
fi
export TREE BUILDS

inside() {
	if [ -n "${KDIR:-}" ]; then
		"$@"
	else
		sh "$here/inroot.sh" "$@"
	fi
}

# script NAME ARGS...: one of ours, wherever it is to run
script() {
	if [ -n "${KDIR:-}" ]; then dir=$here; else dir=/src/${here#"$SRC"/}; fi
	name=$1
	shift
	case $name in
	*.py) inside python3 -B "$dir/$name" "$@" ;;
	*) inside sh "$dir/$name" "$@" ;;
	esac
}

install_mmdebstrap() {
	$sudo apt-get update &&
		$sudo apt-get install -y --no-install-recommends mmdebstrap
}

make_root() {
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
		die "making the build root needs root or sudo"
	[ -z "$sudo" ] || sudo -v
	command -v mmdebstrap >/dev/null ||
		step apt "install mmdebstrap" install_mmdebstrap
	step mkroot "make the build root" \
		$sudo env MIRROR="${MIRROR:-}" \
		SECURITY_MIRROR="${SECURITY_MIRROR:-}" \
		LINUX_SOURCE="${LINUX_SOURCE:-}" \
		unshare --mount sh "$here/mkroot.sh" "$root"
}

build() {
	exec 9>"$MSI_TABLE_CACHE/lock"
	flock -n 9 || {
		echo "waiting for another run to finish"
		flock 9
	}
	if [ -z "${KDIR:-}" ] &&
	   ! cmp -s "$here/packages" "$root/etc/msi_table.packages"; then
		make_root
	fi
	script prepare.sh
}

case $1 in
build)
	build
	script build.sh
	;;
run)
	build
	script build.sh
	script test.py run
	;;
test)
	build
	script build.sh
	script test.py test ${SUITE:+"$SUITE"}
	;;
bench)
	build
	script build.sh bench base bench
	script build.sh uml-bench bench uml
	script bench.py
	;;
torture)
	build
	if [ -n "${KCSAN:-}" ]; then
		script build.sh kcsan base debug test kcsan
	else
		script build.sh
		script build.sh uml-debug debug torture uml
	fi
	script torture.py "${DURATION:-900}" "${SEED:-0}" "${KCSAN:+kcsan}" \
		${SUITE:+"$SUITE"}
	;;
check)
	build
	script check.sh
	;;
docs)
	build
	script docs.sh
	;;
shell)
	build
	script build.sh
	exec 9>&-
	script test.py shell
	;;
apply)
	[ -n "${KDIR:-}" ] || die "which tree? make apply KDIR=/path/to/linux"
	sh "$here/apply.sh" "$KDIR"
	;;
clean)
	rm -rf "$MSI_TABLE_CACHE"/build-* "$MSI_TABLE_CACHE"/kdir-* \
		"$SRC/build"
	;;
distclean)
	# By name, in case the cache is a folder that has other things too.
	cd "$MSI_TABLE_CACHE"
	$sudo rm -rf --one-file-system root root.partial
	rm -rf build-* kdir-* linux-source-7.3 linux-source-7.3.partial log lock
	;;
esac
