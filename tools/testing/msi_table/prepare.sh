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
		xz --robot --list "$tar" | awk '$1 == "totals" { print "bytes:", $5 }' &&
		tar -xf "$tar" -C "$TREE.partial" --strip-components=1 \
			--checkpoint=2000 --checkpoint-action='echo=records: %u' &&
		mv "$TREE.partial" "$TREE"
}

# tar counts in records of 20 blocks.
unpacked() {
	awk '$1 == "bytes:" { all = $2 } $2 == "records:" { n = $3 }
	     END { if (n) printf "%d%%", n * 20 * 512 * 100 / all }'
}

if [ -z "${KDIR:-}" ]; then
	how_far=unpacked
	[ -d "$TREE" ] || step unpack "unpack the kernel source" unpack
	how_far=
	step apply "apply overlay and patches" sh "$here/apply.sh" "$TREE"
else
	step rustavailable "ask the tree whether the tools here will do" \
		make -C "$TREE" LLVM=1 rustavailable
	sh "$here/apply.sh" "$TREE"
fi
