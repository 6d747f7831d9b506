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

# As the kernel calls it; make check compiles for more
case ${ARCH:=} in
x86_64) ARCH=x86 ;;
riscv64) ARCH=riscv ;;
esac
compilers='i386 arm arm64 riscv loongarch powerpc s390'
known='x86 arm64 riscv'
[ "$1" != check ] || known="x86 $compilers all"
echo "$known" | tr ' ' '\n' | grep -qxF "$ARCH" || [ -z "$ARCH" ] ||
	die "ARCH=$ARCH is none of $known"
export ARCH

root=$MSI_TABLE_CACHE/root
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

if [ -n "${KDIR:-}" ]; then
	[ -n "$ARCH" ] || ARCH=x86
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

install() { # PROGRAM...: what the machine has none of
	for program; do
		command -v "$program" >/dev/null || step apt "install $program" \
			sh -c "$sudo apt-get update && $sudo apt-get install -y \
				--no-install-recommends $program"
	done
}

# apt says how many packages it will get, and gets, unpacks and sets up each.
installed() {
	awk '/newly installed/ { all += $3 } /^Get:/ { got++ }
	     /^Unpacking/ { unpacked++ } /^Setting up/ { set_up++ }
	     END { if (all) printf "%d packages: %d got, %d unpacked, %d set up",
				   all, got, unpacked, set_up }'
}

make_root() {
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
		die "making the build root needs root or sudo"
	[ -z "$sudo" ] || sudo -v
	install mmdebstrap
	how_far=installed
	step mkroot "make the build root" \
		$sudo env MIRROR="${MIRROR:-}" \
		SECURITY_MIRROR="${SECURITY_MIRROR:-}" \
		LINUX_SOURCE="${LINUX_SOURCE:-}" \
		unshare --mount sh "$here/mkroot.sh" "$root"
	how_far=
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

# build_for ARCH NAME FRAGMENT...: a kernel for machines of that architecture
build_for() {
	for_arch=$1 name=$2
	shift 2
	[ -z "${KDIR:-}" ] || die "ARCH=$for_arch takes the build root, not KDIR="
	if [ ! -e "$root/opt/busybox/$for_arch" ]; then
		how_far=installed
		step "addarch-$for_arch" "add to the build root what $for_arch takes" \
			$sudo unshare --mount sh "$here/addarch.sh" "$root" "$for_arch"
		how_far=
	fi
	(
		ARCH=$for_arch
		script build.sh "$name-$for_arch" "$@"
	)
}

# Of the suite, or of all architectures
archs_to_test() {
	case ${SUITE:-} in
	*-its | *-its-* | *-gicv2m) echo arm64 ;;
	*-imsic | *-imsic-*) echo riscv ;;
	'') echo "${ARCH:-x86 arm64 riscv}" ;;
	*) echo x86 ;;
	esac
}

build_all_tests() {
	for arch in $(archs_to_test); do
		case $arch in
		x86) build_tests ;;
		*) build_for "$arch" debug base debug debug-qemu kunit test ;;
		esac
	done
}

build_tests() (
	ARCH=x86
	script build.sh debug base debug debug-qemu kunit test drivers selftest gcov
	script build.sh uml-debug debug kunit torture uml
	# A kernel for one suite, which is not for every day
	[ "${SUITE:-}" != drivers-intx ] ||
		script build.sh nomsi base norust test drivers nomsi
)

# The kernel as it is, to compare with
build_stock() (
	TREE=/mnt/linux-stock
	script prepare.sh stock
	script build.sh bench-stock base bench drivers without
)

build_demo() {
	case ${ARCH:=x86} in
	x86) script build.sh demo base demo ;;
	*) build_for "$ARCH" demo base demo ;;
	esac
}

compile_for=
case $1 in
run | test | build | shell | torture) ;;
check)
	case $ARCH in
	'' | x86) ;;
	all) compile_for=$compilers ;;
	*) compile_for=$ARCH ;;
	esac
	ARCH=x86
	;;
*) ARCH=x86 ;;
esac
[ -z "${KCSAN:-}" ] || ARCH=x86

case $1 in
build)
	build
	build_all_tests
	;;
run)
	build
	build_demo
	script demo.py run
	;;
test)
	build
	build_all_tests
	script test.py ${SUITE:+"$SUITE"}
	;;
bench)
	build
	if [ -n "${QUICK:-}" ]; then
		build_tests
	else
		script build.sh bench base bench drivers
		script build.sh uml-bench bench uml
		[ -n "${KDIR:-}" ] || build_stock
	fi
	script bench.py ${QUICK:+quick}
	;;
coverage)
	build
	build_tests
	export COVERAGE=1
	status=0
	script test.py || status=1
	script coverage.py || status=1
	exit $status
	;;
mutants)
	build
	script mutants.py "${N:-100}" "${SEED:-0}" ${QUICK:+quick}
	;;
torture)
	build
	if [ -n "${KCSAN:-}" ]; then
		script build.sh kcsan base debug debug-qemu test norust kcsan
	else
		[ -n "$ARCH" ] || ARCH=$([ -z "${SUITE:-}" ] && echo x86 || archs_to_test)
		build_all_tests
	fi
	script torture.py "${DURATION:-900}" "${SEED:-0}" "${KCSAN:+kcsan}" \
		${SUITE:+"$SUITE"}
	;;
check)
	build
	# shellcheck disable=SC2086
	script check.sh $compile_for
	;;
docs)
	build
	script docs.sh
	;;
shell)
	build
	build_demo
	exec 9>&-
	script demo.py shell
	;;
series)
	[ -z "${KDIR:-}" ] || die "make series takes the source of the build root, not KDIR="
	build
	install git patch
	sh "$here/series.sh" ${CHECK:+check}
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
	rm -rf build-* kdir-* linux-* log lock
	;;
esac
