#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# prepare.sh - a kernel tree with the overlay in it, at $TREE
set -eu
here=$(dirname "$0")
. "$here/steps.sh"

unpack() {
	tar=/usr/src/${LINUX_SOURCE:-linux-source-7.3}.tar.xz
	rm -rf "$TREE.partial" &&
		mkdir "$TREE.partial" &&
		tar -xf "$tar" -C "$TREE.partial" --strip-components=1 &&
		mv "$TREE.partial" "$TREE"
}

if [ -z "${KDIR:-}" ]; then
	[ -d "$TREE" ] || step unpack "unpack the kernel source" unpack
	step apply "apply overlay and patches" sh "$here/apply.sh" "$TREE"
else
	step rustavailable "ask the tree whether the tools here will do" \
		make -C "$TREE" LLVM=1 rustavailable
	sh "$here/apply.sh" "$TREE"
fi
