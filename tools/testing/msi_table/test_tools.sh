#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests of the harness itself, in KTAP: apply.sh on a tree of three files, and
# mkroot.sh when it fails.
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1

tests=0
check() { # NAME COMMAND...
	name=$1
	tests=$((tests + 1))
	shift
	if "$@"; then echo "ok $tests $name"; else echo "not ok $tests $name"; fi
}

# A tree to patch, and an overlay of two files and a patch of one line.
setup() {
	rm -rf tree overlay
	mkdir -p tree/kernel/irq overlay/kernel/irq overlay/rust overlay/patches
	printf 'VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\n' >tree/Makefile
	touch tree/Kbuild
	seq 20 >tree/kernel/irq/Makefile
	echo one >overlay/kernel/irq/one.c
	echo two >overlay/rust/two.rs
	hook 10
}
hook() { # LINE: a patch that puts a line after LINE
	seq 20 >original
	sed "$1a hook" original >new
	diff -u --label a/kernel/irq/Makefile --label b/kernel/irq/Makefile \
		original new >overlay/patches/makefile.patch
}
apply() { sh "$here/apply.sh" tree overlay >output 2>&1; }
# Everything that find can see of the tree, to the mtime, and its content
state() { find tree -printf '%p %T@\n' | sort; find tree -type f -exec cksum {} +; }
refused() { # PATTERN: apply fails, says PATTERN and touches nothing
	state >before
	! apply && grep -q "$1" output && state | cmp -s - before
}
unchanged() { state >before; apply && state | cmp -s - before; }
line_after() { [ "$(grep -n hook tree/kernel/irq/Makefile)" = "$1:hook" ]; }

echo "KTAP version 1"

setup
check "apply: works" apply
check "apply: says what it did" \
	grep -q "added kernel/irq/one.c" output
check "apply: adds files" cmp -s overlay/rust/two.rs tree/rust/two.rs
check "apply: patches" line_after 11
check "apply: twice changes nothing" unchanged

echo more >>overlay/kernel/irq/one.c
check "apply: a changed file" apply
check "apply: updates it" cmp -s overlay/kernel/irq/one.c tree/kernel/irq/one.c
check "apply: and nothing else" grep -q "^1 changed" output

hook 15
check "apply: a changed patch" apply
check "apply: replaces the old one" line_after 16

rm overlay/rust/two.rs
check "apply: a file less" apply
check "apply: removes it and its folder" test ! -e tree/rust

rm overlay/patches/makefile.patch
check "apply: a patch less" apply
check "apply: takes it back" cmp -s original tree/kernel/irq/Makefile

hook 10
apply
cp original tree/kernel/irq/Makefile
check "apply: a patched file checked out afresh" apply
check "apply: is patched again" line_after 11

setup
sed -i 's/LEVEL = 3/LEVEL = 4/' tree/Makefile
check "apply: another version is refused" refused "is Linux 7.4"

setup
sed -i 's/^9$/nine/; s/^11$/eleven/; s/^10$/ten/' tree/kernel/irq/Makefile
check "apply: a patch that does not apply is refused" refused "does not apply"

setup
apply
sed -i 's/^+hook/+HOOK/; s/^ 10$/ ten/' overlay/patches/makefile.patch
check "apply: so is one over an older version" refused "does not apply"

setup
echo theirs >tree/kernel/irq/one.c
check "apply: a file of the tree is not overwritten" refused "of its own"

setup
rm tree/kernel/irq/Makefile
check "apply: nor a file to patch made up" refused "no kernel/irq/Makefile"

# An mmdebstrap that fails half way
mkdir bin
cat >bin/mmdebstrap <<'END'
#!/bin/sh
mkdir -p root.partial/usr
exit 1
END
chmod +x bin/mmdebstrap
mkroot_fails() {
	! PATH=$scratch/bin:$PATH MIRROR=none SECURITY_MIRROR=none \
		sh "$here/mkroot.sh" root >output 2>&1
}
check "mkroot: fails" mkroot_fails
check "mkroot: says what to set" grep -q "KDIR=" output
check "mkroot: leaves nothing" test ! -e root -a ! -e root.partial
