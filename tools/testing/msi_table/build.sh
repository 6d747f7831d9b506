#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# build.sh NAME FRAGMENT... - kernel, modules and initramfs, in $BUILDS/build-NAME.
# With the fragment uml it is for user mode Linux.
set -eu
here=$(dirname "$0")
. "$here/steps.sh"
export ARCH="${ARCH:-x86}"
build=$BUILDS/build-$1
suffix= label= image=bzImage
[ "$1" = debug ] || suffix=-$1 label=" ($1)"
shift
fragments=$*
with() { # FRAGMENT
	case " $fragments " in
	*" $1 "*) ;;
	*) false ;;
	esac
}
if with uml; then
	export ARCH=um
	image=linux
elif [ "$ARCH" != x86 ]; then
	image=Image
fi

# Of which files the coverage is measured: ours, and those with patches. They go by
# their name alone, and one which the boot code of x86 has as well can not be.
profiled=
if with gcov; then
	profiled=$({
		cat "$TREE/.msi_table/files"
		sed -n 's|^+++ b/\([^[:space:]]*\).*|\1|p' "$TREE"/.msi_table/*.patch
	} | sed -n '\,/pm\.c$,d
		\,^drivers/\(net\|nvme\|pci/endpoint\|vdpa\|vfio\|virtio\)/,d
		s,^\(kernel\|drivers\)/\([^/]*/\)*\([^/]*\)\.c$,GCOV_PROFILE_\3.o=y,p')
fi

# Rust and KASAN together need clang, and there is no other compiler for machines with
# another CPU. gcc is quicker.
if [ "$ARCH" != x86 ] || ! { with demo || with nomsi; }; then
	export LLVM=1
fi

# PROGRAM, for the /bin of the guest, and the libraries it needs where it looks
# for them
program() {
	echo "file /bin/${1##*/} $1 0755 0 0"
	ldd "$1" | grep -o '/[^ ]*' | awk '{
		n = split($0, parts, "/")
		dir = ""
		for (i = 2; i < n; i++) {
			dir = dir "/" parts[i]
			if (!seen[dir]++)
				print "dir " dir " 0755 0 0"
		}
		print "file " $0 " " $0 " 0755 0 0"
	}'
}

initramfs() {
	busybox=/opt/busybox/$ARCH
	[ -e "$busybox" ] || busybox=$(command -v busybox) || {
		echo "no busybox; install a static one (busybox-static)"
		return 1
	}
	find "$build" -name '*.ko' | sed 's,.*/,,; s,$,:,' >"$build/modules.dep"
	{
		for dir in bin dev guest modules proc sys tmp; do
			echo "dir /$dir 0755 0 0"
		done
		echo "nod /dev/console 0600 0 0 c 5 1"
		echo "file /bin/busybox $busybox 0755 0 0"
		echo "slink /bin/sh busybox 0777 0 0"
		echo "file /init $here/init 0755 0 0"
		# Where modprobe looks
		release=$(cat "$build/include/config/kernel.release")
		printf 'dir %s 0755 0 0\n' /lib /lib/modules
		echo "slink /lib/modules/$release /modules 0777 0 0"
		echo "file /modules/modules.dep $build/modules.dep 0644 0 0"
		for file in "$here"/guest/* "$here"/../selftests/msi_table/*.sh; do
			echo "file /guest/${file##*/} $file 0755 0 0"
		done
		# The build root has it. With KDIR= the machine may not, and
		# the tests which need it are skipped.
		if [ "$ARCH" = x86 ] && irqbalance=$(command -v irqbalance); then
			program "$irqbalance"
		fi
		if with drivers; then
			for name in vfio cost; do
				cc -O2 -Wall -Wextra -Werror -static -pthread \
					-o "$build/$name" "$here/$name.c" || return 1
				echo "file /bin/$name $build/$name 0755 0 0"
			done
		fi
		if with selftest; then
			for name in vfio_pci_device_test vfio_pci_driver_test; do
				echo "file /bin/$name $build/selftest/$name 0755 0 0"
			done
		fi
		find "$build" -name '*.ko' | while read -r file; do
			echo "file /modules/${file##*/} $file 0644 0 0"
		done
	} >"$build/initramfs.list" &&
		"$build/usr/gen_init_cpio" -o "$build/initramfs.partial" \
			"$build/initramfs.list" &&
		mv "$build/initramfs.partial" "$build/initramfs.cpio"
}

# The drivers which are on tables as 7.3 has them, to compare with: modules of their own,
# of what is there without our patches.
stock_drivers() {
	stock=$build/stock new=$build/stock.new
	rm -rf "$new"
	mkdir -p "$stock"
	for file in drivers/nvme/host/pci.c drivers/nvme/host/nvme.h drivers/nvme/host/trace.h \
		    drivers/virtio/virtio_pci_common.c drivers/virtio/virtio_pci_common.h \
		    drivers/virtio/virtio_pci_modern.c drivers/virtio/virtio_pci_legacy.c \
		    drivers/vfio/pci/vfio_pci.c drivers/vfio/pci/vfio_pci_core.c \
		    drivers/vfio/pci/vfio_pci_intrs.c drivers/vfio/pci/vfio_pci_rdwr.c \
		    drivers/vfio/pci/vfio_pci_config.c drivers/vfio/pci/vfio_pci_priv.h \
		    drivers/vfio/pci/trace.h include/linux/vfio_pci_core.h; do
		dir=$(echo "$file" | sed 's,^include/linux/vfio_.*,vfio,; s,drivers/\([^/]*\)/.*,\1,')
		copy=$new/$dir/${file##*/}
		mkdir -p "$new/$dir"
		cp "$TREE/$file" "$copy" || return 1
		patch=$TREE/.msi_table/$(echo "$file" | tr / -).patch
		[ ! -e "$patch" ] || patch -sR "$copy" "$patch" || return 1
	done
	sed -i 's,<linux/vfio_pci_core.h>,"vfio_pci_core.h",' "$new"/vfio/*.[ch]
	cat >"$new/Makefile" <<-'END'
		obj-$(CONFIG_BLK_DEV_NVME) += nvme/
		obj-$(CONFIG_VIRTIO_PCI) += virtio/
		obj-$(CONFIG_VFIO_PCI) += vfio/
	END
	cat >"$new/nvme/Makefile" <<-'END'
		obj-m := nvme_stock.o
		nvme_stock-y := pci.o
		ccflags-y := -I$(srctree)/drivers/nvme/host
	END
	cat >"$new/virtio/Makefile" <<-'END'
		obj-m := virtio_pci_stock.o
		virtio_pci_stock-y := virtio_pci_modern.o virtio_pci_common.o virtio_pci_legacy.o
	END
	cat >"$new/vfio/Makefile" <<-'END'
		obj-m := vfio-pci-core_stock.o vfio-pci_stock.o
		vfio-pci-core_stock-y := vfio_pci_core.o vfio_pci_intrs.o vfio_pci_rdwr.o \
					 vfio_pci_config.o
		vfio-pci_stock-y := vfio_pci.o
	END
	rsync -rc "$new/" "$stock/" &&
		make -C "$TREE" O="$build" M="$stock" -j"$(nproc)" modules
}

# The kernel's own tests of VFIO, as they are. The headers of the build root are too old
# for them, and it has no libuuid to link with.
selftests() {
	mkdir -p "$build/selftest"
	make -C "$TREE" O="$build" -j"$(nproc)" headers &&
		LDFLAGS=-static make -C "$TREE/tools/testing/selftests/vfio" \
			-j"$(nproc)" OUTPUT="$build/selftest" LDLIBS= \
			KHDR_INCLUDES="-isystem $build/usr/include" EXTRA_CFLAGS="-I$here"
}

# Each step of Kbuild is a line.
built() { awk '/^  [A-Z]/ { n++ } END { if (n) print n " files" }'; }

# A kernel without tables does not have all that is asked for.
missing=
[ -d "$TREE/.msi_table" ] || missing=--missing-ok
# shellcheck disable=SC2086
step "configure$suffix" "configure$label" \
	python3 -B "$here/configure.py" $missing "$build" "$@"
how_far=built
step "build$suffix" "build the kernel$label" \
	make -C "$TREE" O="$build" -j"$(nproc)" $profiled $image modules
how_far=
if with drivers; then
	step "stock$suffix" "build the drivers without tables$label" stock_drivers
fi
if with selftest; then
	step "selftest$suffix" "build the kernel's own tests of VFIO$label" selftests
fi
step "initramfs$suffix" "make the initramfs$label" initramfs
