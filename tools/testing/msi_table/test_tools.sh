#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tests of the harness itself, in KTAP: apply.sh on a tree of three files,
# mkroot.sh when it fails, docs.sh with a make of its own, the libraries that
# build.sh finds, how far a step is, the mutants of a file, and how test.py reads
# results.
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1

# Whatever architecture these run for, they are about none.
export ARCH=

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
diff -u --label a/kernel/irq/one.c --label b/kernel/irq/one.c overlay/kernel/irq/one.c \
	- >overlay/patches/one.patch <<'END'
one more
END
check "apply: a patch of the overlay" apply
check "apply: is in the tree" grep -qx "one more" tree/kernel/irq/one.c
check "apply: and twice changes nothing" unchanged
rm overlay/patches/one.patch
check "apply: and without it" apply
check "apply: the file is as it was" cmp -s overlay/kernel/irq/one.c tree/kernel/irq/one.c

setup
sed -i 's/LEVEL = 3/LEVEL = 4/' tree/Makefile
check "apply: another version is refused" refused "is Linux 7.4"

setup
sed -i 's/^9$/nine/; s/^11$/eleven/; s/^10$/ten/' tree/kernel/irq/Makefile
check "apply: a patch that does not apply is refused" refused "does not apply"
check "apply: says where" grep -qx "tree/kernel/irq/Makefile:8: is not .*" output

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

# A make which says what is in warnings
cat >bin/make <<'END'
#!/bin/sh
for arg; do
	case $arg in O=*) out=${arg#O=} ;; esac
done
for page in core-api/irq/msi-table rust/msi; do
	mkdir -p "$out/Documentation/output/${page%/*}"
	touch "$out/Documentation/output/$page.html"
done
cat warnings
END
printf '#!/bin/sh\n' >bin/sphinx-build
chmod +x bin/make bin/sphinx-build
docs() {
	PATH=$scratch/bin:$PATH TREE=$scratch/tree BUILDS=$scratch V='' \
		MSI_TABLE_CACHE=$scratch HOST_CACHE=/host \
		sh "$here/docs.sh" >output 2>&1
}
docs_fails() { ! docs && grep -q "$1" output; }
cat >warnings <<'END'
WARNING: dot(1) not found
/tree/Documentation/rust/index.rst:42: WARNING: unknown document [ref.doc]
END
check "docs: works" docs
check "docs: says where a page is" \
	grep -qx "/host/build-docs/.*/core-api/irq/msi-table.html" output
echo "msi-table.rst:3: WARNING: odd [docutils]" >>warnings
check "docs: a warning is a failure" docs_fails "odd"

eval "$(sed -n '/^program() {/,/^}/p' "$here/build.sh")"
libraries() { # Each file comes after its folder, and the loader is one.
	program "$(command -v sh)" >output && grep -q '^file .*/ld-' output &&
		awk '$1 == "dir" { dirs[$2] = 1 }
		     $1 == "file" { dir = $2; sub("/[^/]*$", "", dir)
				    if (dir != "/bin" && !dirs[dir]) exit 1 }' output
}
check "initramfs: a program and its libraries" libraries

# A step has a name and a log, and so may whoever calls it.
step_keeps() (
	MSI_TABLE_CACHE=$PWD HOST_CACHE=$PWD
	. "$here/steps.sh"
	name=mine log=mine
	step some "some text" true >output && [ "$name $log" = "mine mine" ] &&
		! step some "some text" false >output 2>&1 && grep -q FAILED output
)
check "step: leaves the variables of its caller alone" step_keeps

# How far a step is, by what is in its log so far
how_far() { # SCRIPT FUNCTION EXPECTED, of the log on stdin
	eval "$(awk -v name="$2() {" 'index($0, name) == 1 { on = 1 } on
				      on && (/^}$/ || /; }$/) { exit }' "$here/$1")"
	[ "$($2)" = "$3" ]
}
check "how far: packages" how_far harness.sh installed \
	"5 packages: 2 got, 1 unpacked, 0 set up" <<'END'
0 upgraded, 3 newly installed, 0 to remove and 0 not upgraded.
Get:1 somewhere/main amd64 one
Get:2 somewhere/main amd64 two
Unpacking one (1-1) ...
0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.
END
check "how far: the kernel source" how_far prepare.sh unpacked 50% <<'END'
bytes: 40960000
tar: records: 1000
tar: records: 2000
END
check "how far: compiled" how_far build.sh built "2 files" <<'END'
make: Entering directory '/somewhere'
  CC      one.o
  LD      two.o
END

cat >mutated.c <<'END'
#include <linux/one.h>

static int one(struct two *two, int n)
{
	guard(mutex)(&two->lock);
	if (!two || n < 3 && two->n)
		return -EINVAL;
	two->n = n;
	return 0;
}
END
mutants() { # EXPRESSION of mutants, text and new
	PYTHONPATH=$here python3 -B -c "
from mutate import mutate
text = open('mutated.c').read()
mutants, new = mutate('mutated.c', text, 7)
kinds = {(m.line, m.kind) for m in mutants}
assert $1, (kinds, new)"
}
check "mutants: of each kind, where it is" mutants "kinds == {
	(5, 'lock'), (6, 'negate'), (6, 'bound'), (6, 'logic'), (7, 'error'),
	(8, 'statement')}"
check "mutants: numbered from the first" \
	mutants "[m.number for m in mutants] == list(range(7, 7 + len(mutants)))"
check "mutants: each is switched on by its number" \
	mutants "all(f'msi_mutant == {m.number} ' in new or
		     f'msi_mutant != {m.number})' in new or
		     f'msi_mutant == {m.number})' in new for m in mutants)"
check "mutants: lines stay where they are" \
	mutants "len(new.splitlines()) == len(text.splitlines())"
check "mutants: what does not compile is left out" \
	mutants "mutate('mutated.c', text, 1, {m.key for m in mutants})[1] == text"

check "coverage: functions and their lines" env PYTHONPATH="$here" python3 -B -c "
import coverage
assert list(coverage.functions(open('mutated.c').read())) == [('one', 3, 10)]"

# make mutants and make coverage do not run here; what they need of others is there.
for module in bench coverage demo mutants torture; do
	check "tools: $module finds its parts" env ARCH=x86 PYTHONPATH="$here" \
		python3 -B -c "import $module"
done

# Of the first document all is good, the second has a failure and a skip, and
# the third ends early.
cat >ktap <<'END'
KTAP version 1
1..1
    KTAP version 1
    # Subtest: one
    1..1
    ok 1 a
ok 1 one
KTAP version 1
1..1
    KTAP version 1
    # Subtest: two
    1..2
    not ok 1 a
    ok 2 b # SKIP no device
not ok 1 two
KTAP version 1
1..1
    KTAP version 1
    # Subtest: three
    1..2
    ok 1 a
END
results() { # EXPRESSION of results and ran()
	PYTHONPATH=$here python3 -B -c "
import test
results = list(test.ktap(open('ktap').read()))
good = {name: good for name, good, _ in results}
def ran(name):
    return next(test.ran([name], results))[1]
assert ($1), results"
}
check "results: a document" results "good['one.a'] is True"
check "results: the next one" \
	results "good['two.a'] is False and good['two.b'] is None"
check "results: one which ends early" \
	results "any(n.startswith('three') and g is False for n, g in good.items())"
check "results: others talk while kmemleak does" env PYTHONPATH="$here" python3 -B -c "
import machine
boot = object.__new__(machine.Boot)
boot.trouble = ''
def leaks(place):
    boot.console = ('leak: unreferenced object 1\n' 'leak:   backtrace\n' 'clocksource: slow\n'
                    f'leak:     {place}\n')
    return next(not good for name, good, _ in boot.health() if name == 'no leak')
assert leaks('somewhere') and not leaks(machine.LEAKS_BY_DESIGN[0])"
check "results: a suite ran" results "ran('one') and ran('two')"
check "results: a skipped test did not" results "not ran('two.b')"
check "results: what runs a test again" results "
	test.again('test', 'uml', 'msi_table_free.one.two') ==
	'make test SUITE=uml TEST=msi_table_free.one'"
check "results: a script as a whole" results "
	test.again('test', 'tools', 'one.two') == 'make test SUITE=tools'"
check "results: nor one which is not there" \
	results "not ran('four') and not ran('o')"
