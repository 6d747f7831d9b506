#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# prepare.sh [stock] - a kernel tree with the overlay in it, at $TREE; or without it and
# with nothing new but the part of the benchmark which does without tables
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

bench_alone() {
	rsync -c "$SRC"/kernel/irq/tests/msi_table_bench.[ch] "$TREE/kernel/irq" &&
		{ grep msi_table_bench "$TREE/kernel/irq/Makefile" ||
			echo 'obj-y += msi_table_bench.o' >>"$TREE/kernel/irq/Makefile"; }
}

if [ -z "${KDIR:-}" ]; then
	how_far=unpacked
	[ -d "$TREE" ] || step unpack "unpack the kernel source" unpack
	how_far=
fi
if [ "${1:-}" = stock ]; then
	step stock-apply "put the benchmark alone into it" bench_alone
elif [ -z "${KDIR:-}" ]; then
	step apply "apply overlay and patches" sh "$here/apply.sh" "$TREE"
else
	step rustavailable "ask the tree whether the tools here will do" \
		make -C "$TREE" LLVM=1 rustavailable
	sh "$here/apply.sh" "$TREE"
fi
