#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# addarch.sh ROOT ARCH - what the build root needs for a machine with another CPU: QEMU,
# and a busybox in /opt/busybox/ARCH. Needs root.
set -eu

root=$1 arch=$2
case $arch in
arm64) debian=arm64 qemu=qemu-system-arm ;;
riscv) debian=riscv64 qemu="qemu-system-riscv opensbi" ;;
esac

mount -t proc none "$root/proc"
chroot "$root" sh -eux -c '
	debian=$1 arch=$2
	shift 2
	apt-get update
	apt-get install -y --no-install-recommends "$@"

	# Of the first line of the sources, which is the release itself
	sed -n "1s/^deb /deb [arch=$debian] /p" /etc/apt/sources.list >/tmp/sources.list
	apt="apt-get -o APT::Architectures=amd64,$debian -o Dir::Etc::SourceList=/tmp/sources.list"
	$apt update
	cd /tmp
	rm -rf busybox busybox-static_*.deb
	$apt download "busybox-static:$debian"
	dpkg -x busybox-static_*.deb busybox
	mkdir -p /opt/busybox
	mv busybox/usr/bin/busybox "/opt/busybox/$arch"
	rm -rf busybox busybox-static_*.deb sources.list /var/lib/apt/lists/*
	apt-get clean' sh "$debian" "$arch" $qemu
