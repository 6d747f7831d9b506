#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# mkroot.sh ROOT - make the trixie build root: compilers, QEMU, kernel source.
#
# The mirrors are those of the machine's own apt (MIRROR=, SECURITY_MIRROR=
# override them). Needs root, for mmdebstrap. ROOT appears whole or not at all.
set -eu

root=$1
suite=trixie
source_pkg=${LINUX_SOURCE:-linux-source-7.3}
here=$(dirname "$0")

die() { echo "mkroot: $*" >&2; exit 1; }

apt_mirror() {
	apt-get indextargets --format '$(LABEL) $(REPO_URI)' \
		'Created-By: Packages' 2>/dev/null |
		awk -v label="$1" '$1 == label { print $2; exit }'
}

# apt knows the labels only once it has the lists.
[ -n "${MIRROR:-}" ] || [ -n "$(apt_mirror Debian)" ] || apt-get update
mirror=${MIRROR:-$(apt_mirror Debian)}
security=${SECURITY_MIRROR:-$(apt_mirror Debian-Security)}
[ -n "$mirror" ] ||
	die "apt knows no Debian mirror here; set MIRROR= to the address of one"

# ROOT is made under another name and moved when it is whole.
tmp=$root.partial
trap 'rm -rf --one-file-system "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
rm -rf --one-file-system "$tmp"
mkdir -p "$(dirname "$root")"

set -- "deb $mirror $suite main" \
	"deb $mirror $suite-updates main" \
	"deb $mirror $suite-backports main"
[ -z "$security" ] || set -- "$@" "deb $security $suite-security main"

# Of clang and Rust the kernel needs neither libraries to link with nor the compiler's
# own source, a half of all files.
#
# A snapshot of the archive may be past its Valid-Until date. The signature
# is checked all the same.
packages=$(sed 's/#.*//' "$here/packages" | tr -s ' \n' ',')
mmdebstrap --verbose --variant=apt --mode=root \
	--aptopt='Acquire::Check-Valid-Until "false"' \
	--aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/lib/llvm-*/lib/lib*.a' \
	--dpkgopt='path-exclude=/usr/src/rustc-*/*' \
	--dpkgopt='path-include=/usr/src/rustc-*/library/*' \
	--include="${packages#,}$source_pkg" \
	"$suite" "$tmp" "$@" ||
	die "no build root. If the archive has no $source_pkg any more, set" \
	    "LINUX_SOURCE= to a package of Linux 7.3 source that it has," \
	    "MIRROR= to an archive that still has it, or KDIR= to a 7.3 tree."

# For the harness, which makes a new root when the list has changed.
cp "$here/packages" "$tmp/etc/msi_table.packages"
rm -rf --one-file-system "$root"
mv "$tmp" "$root"
