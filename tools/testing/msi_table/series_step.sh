#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# series_step.sh checkpatch | build CHANGED... | kunit - what make series CHECK=1 does in
# the build root, with what of the series is checked out.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
jobs=$(nproc)
export LLVM=1

# Whoever sends the mails signs them off. Most of the rest is as make check says.
checkpatch() {
	cd "$TREE"
	export GIT_DIR=none
	find "$SRC/build/series" -name '[0-9]*' ! -name '0000-*' | sort |
		xargs -n 1 -P "$jobs" perl scripts/checkpatch.pl --strict --terse --no-summary \
			--show-types --no-signoff --ignore UNKNOWN_COMMIT_ID,FILE_PATH_CHANGES \
			--ignore UNCOMMENTED_DEFINITION,SUSPECT_CODE_INDENT,MACRO_ARG_REUSE \
			--ignore SPACING,OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT
}

# configured NAME FRAGMENT...: the symbols which there are at this step
configured() {
	build=$BUILDS/build-series-$1
	shift
	[ -z "$anew" ] || rm -f "$build/.config.inputs"
	python3 -B "$here/configure.py" --missing-ok "$build" "$@"
}

compile() { make -C "$TREE" O="$build" -j"$jobs" KCFLAGS=-Werror "$@"; }

# All that the series touches in the end, so that who includes a header is compiled, too;
# but the large drivers when something in them has changed
build() {
	all='arch/x86/kernel/apic/ arch/x86/pci/ drivers/iommu/amd/ drivers/iommu/intel/'
	all="$all drivers/pci/ kernel/irq/ rust/kernel.o rust/helpers/helpers.o"
	some='drivers/nvme/host/ drivers/vfio/pci/ drivers/virtio/ lib/kunit/ samples/'
	for folder in drivers/net/ethernet/intel/ice/ drivers/net/ethernet/mellanox/mlx5/core/ \
		      drivers/vdpa/mlx5/; do
		! echo "$*" | grep -q "$folder" || some="$some $folder"
	done
	anew=$(printf '%s\n' "$@" | grep Kconfig) || :
	export ARCH=x86
	configured with base kunit test drivers check
	# shellcheck disable=SC2086
	compile $all $some
	configured without base without
	if grep '^CONFIG_MSI_TABLE=' "$build/.config"; then
		return 1
	fi
	# shellcheck disable=SC2086
	compile $all
	for file; do
		case $file in
		*/irq-riscv*.c) ARCH=riscv ;;
		*/irq-gic*.c | drivers/cdx/*.c) ARCH=arm64 ;;
		*/irq-loongson*.c) ARCH=loongarch ;;
		*) continue ;;
		esac
		anew=yes
		configured "$ARCH" cross
		compile "${file%.*}.o"
	done
}

# In user mode Linux, as anybody would
kunit() {
	build=$BUILDS/build-series-kunit config=$build/asked.kunitconfig
	mkdir -p "$build"
	cd "$TREE"
	{
		printf 'CONFIG_%s=y\n' KUNIT IRQ_KUNIT_TEST
		[ ! -e kernel/irq/tests/.kunitconfig ] || cat kernel/irq/tests/.kunitconfig
		[ ! -e rust/kernel/msi.rs ] ||
			printf 'CONFIG_%s=y\n' RUST RUST_KUNIT_TESTS RUST_KERNEL_DOCTESTS
	} | sort -u >"$config"
	python3 -B tools/testing/kunit/kunit.py run --kunitconfig "$config" \
		--make_options LLVM=1 --jobs "$jobs" --build_dir "$build"
}

"$@"
