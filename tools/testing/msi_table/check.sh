#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [ARCH...] - the style checks and static analysers of the kernel, on what is
# ours; or what compilers for other architectures say of it, with W=1. What they say of
# the rest of the tree is not counted.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/steps.sh"
build=$BUILDS/build-check
jobs=$(nproc)
cd "$TREE"

# The overlay as it was laid over the tree, and the other files its patches touch
ours=$(cat "$TREE/.msi_table/files")
patched=$(sed -n 's|^+++ b/\([^[:space:]]*\).*|\1|p' "$TREE"/.msi_table/*.patch)
select_files() { # PATTERN: of "ours"
	echo "$ours" | grep -E "$1" || :
}

# A patch here has neither author nor sign-off: all of the repository is one
# change; and there is no history of the kernel to find a commit in. With git it
# would run a script that needs modules. What a lock is for stands in the
# kernel-doc of the struct, where checkpatch does not look. The statement in a
# DEFINE_FREE() it takes for a badly indented one; the compiler knows better,
# with -Wmisleading-indentation. And it does not know the layout of trace
# events, nor that the name of a struct member has no side effects, nor what a
# loop over all vectors is given.
checkpatch() {
	status=0
	export GIT_DIR=none
	for file in $ours; do
		ignore=UNCOMMENTED_DEFINITION,SUSPECT_CODE_INDENT
		case $file in
		include/trace/*)
			ignore=$ignore,SPACING,OPEN_ENDED_LINE
			ignore=$ignore,PARENTHESIS_ALIGNMENT
			;;
		include/linux/msi_table.h | */msi_table_recycle_test.c)
			ignore=$ignore,MACRO_ARG_REUSE
			;;
		esac
		perl scripts/checkpatch.pl --strict --terse --no-summary --show-types \
			--ignore "$ignore" -f "$file" || status=1
	done
	for file in "$SRC"/patches/*.patch; do
		perl scripts/checkpatch.pl --strict --terse --no-summary --show-types \
			--no-signoff --ignore UNKNOWN_COMMIT_ID "$file" || status=1
	done
	return $status
}

kernel_doc() {
	# shellcheck disable=SC2046
	scripts/kernel-doc -none -Wall -Werror \
		$(select_files '\.[ch]$')
}

rustfmt_check() {
	# shellcheck disable=SC2046
	rustfmt --check --color never --config-path .rustfmt.toml \
		$(select_files '\.rs$')
}

# make TARGETS...; fails if the compiler, sparse, clippy or rustdoc has
# anything to say that points at a file of ours: at the start of a line (C) or
# behind an arrow (Rust).
#
# The released sparse does not know __typeof_unqual__, for which the kernel would
# silently do without sparse; nor the constants in MODULE_*() and its kin. The
# last messages are about mainline: pci.c and proc.c are not clean in sparse's eyes.
known="error: bad constant expression|symbol 'amd_ivhd_dev_flags_list'"
known="$known|/irq/proc\.c:.*label '(continue|break)' already bound"
known="$known|/pci/pci\.c:.*(pci_power_t|base types|flexible structures|"
known="${known}invalid assignment:|got int|expected int|left side has type)"
analyse() {
	output=$build/analyse.log
	status=0
	make -k -C "$TREE" O="$build" -j"$jobs" W=1 "$@" >"$output" 2>&1 || status=$?
	cat "$output"
	pattern="([^ ]*/)?($(echo $ours $patched | sed 's/\./\\./g; s/ /|/g')):[0-9]+"
	echo "--- of this, ours:"
	! grep -E "^$pattern|--> $pattern|C=1 specified, but" "$output" |
		grep -vE "$known" || return 1
	echo "(nothing)"
	return $status
}

analyse_more() {
	analyse C=1 CHECK="sparse -D__typeof_unqual__=__typeof__" CLIPPY=1 "$@"
}

# An object that was built with a warning is up to date, and the next run would
# not see the warning: such objects must go.
compile() {
	[ -f "$build/analysed" ] ||
		(cd "$build" && rm -f $objects rust/kernel.o rust/helpers/helpers.o)
	rm -f "$build/analysed"
	analyse_more $objects || return 1
	touch "$build/analysed"
}

# What of ours is a module gets what the kernel exports, and no build here links one.
# Some exports are made by macros, and KASAN has its own.
modules() {
	made='^(__asan_.*|__this_module|_dev_(err|info|warn)|get_random_u32|param_ops_.*)$'
	of_modules=$(cd "$build" && find kernel/irq/tests drivers/pci/msi/tests samples/msi_table \
		-name '.*.o.cmd' -exec grep -l -e -DMODULE {} + | sed 's,\.\([^/]*\)\.cmd$,\1,')
	grep -rhoE 'EXPORT(_PER_CPU|_TRACEPOINT)?_SYMBOL[A-Z_]*\("?\w+' --include='*.[chS]' . |
		sed 's/.*[("]//' | sort -u >"$build/exported"
	cd "$build"
	# shellcheck disable=SC2086
	nm $of_modules | awk 'NF == 3 { print $3 }' | sort -u >defined
	# shellcheck disable=SC2086
	! nm -u $of_modules | awk '$1 == "U" { sub(/^__tracepoint_/, "", $2); print $2 }' |
		sort -u | comm -23 - defined | comm -23 - exported | grep -vE "$made"
}

# The folders of what is ours, of which Kbuild builds what is configured
cross() {
	folders=$(printf '%s\n' $ours $patched | grep '^[^r].*\.c$' | grep -v '^arch/' |
		  sed 's,[^/]*$,,' | sort -u)
	[ -f "$build/analysed" ] ||
		(cd "$build" && find $folders -name '*.o' -delete 2>/dev/null || :)
	rm -f "$build/analysed"
	analyse $folders || return 1
	touch "$build/analysed"
}

# The helpers are included by rust/helpers/helpers.c, which is built first. What is for
# other machines only x86 has no headers for.
objects=$({
	select_files '\.c$'
	select_files '^samples/.*\.rs$'
	echo "$patched" | grep '\.c$' | grep -v '^drivers/\(cdx\|irqchip\)/'
} | grep -v '^rust/' | sed 's/\.[a-z]*$/.o/')

failed=0
run() {
	step "$@" || failed=1
}
export LLVM=1
if [ $# = 0 ]; then
	run checkpatch "checkpatch --strict" checkpatch
	run kernel-doc "kernel-doc" kernel_doc
	run rustfmt "rustfmt" rustfmt_check
	step check-configure "configure a build for the rest" \
		python3 -B "$here/configure.py" "$build" \
		base debug debug-qemu kunit test drivers check
	run compile "W=1, sparse and clippy" compile
	run modules "what modules need is exported" modules
	run rustdoc "rustdoc" analyse_more rustdoc
fi
for arch; do
	export ARCH="$arch"
	build=$BUILDS/build-check-$arch
	step "check-configure-$arch" "configure for $arch" \
		python3 -B "$here/configure.py" "$build" cross
	run "check-$arch" "W=1 for $arch" cross
done
[ $failed = 0 ] || die "make check: FAILED"
echo "make check: all passed"
