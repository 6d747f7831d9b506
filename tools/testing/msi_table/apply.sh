#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# apply.sh TREE [OVERLAY] - lay the overlay and its patches over a Linux tree.
#
# TREE/.msi_table records what was applied, so that a later version of the
# overlay can replace it: the new files, and what became of each patched one. All is
# made in a scratch folder first and only what differs is copied: nothing is touched
# unless all of it works. Patches may also change files of the overlay.
set -eu

version=7.3
tree=$1
overlay=${2:-$(dirname "$0")/../../..}
record=$tree/.msi_table

die() { echo "apply: $*" >&2; exit 1; }

command -v patch >/dev/null || die "needs the patch program"
[ -f "$tree/Makefile" ] && [ -f "$tree/Kbuild" ] ||
	die "$tree is not a Linux tree"
found=$(awk '$2 == "=" && $1 == "VERSION" { v = $3 }
	$2 == "=" && $1 == "PATCHLEVEL" { p = $3 }
	END { print v "." p }' "$tree/Makefile")
[ "$found" = $version ] ||
	die "$tree is Linux $found, and this is for $version; nothing touched"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP

# The files of the overlay, and those of the version applied before.
(cd "$overlay" &&
	for top in Documentation arch drivers include kernel lib rust samples \
			tools/testing/selftests; do
		[ ! -d $top ] || find $top -type f \( ! -name '.*' -o -name .kunitconfig \) \
			! -name '*~' ! -name '*.orig' ! -name '*.rej'
	done) | sort >"$scratch/files"
mkdir -p "$scratch/old" "$scratch/new"
: >"$scratch/old.files"
if [ -d "$record" ]; then
	cp "$record/files" "$scratch/old.files"
	cp "$record"/*.patch "$scratch/old" 2>/dev/null || :
fi
cat "$overlay"/patches/*.patch >"$scratch/patches" 2>/dev/null || :

# What the patches apply to: the overlay, and copies of other files without what an
# older version did to them.
mkdir "$scratch/tree"
while read -r file; do
	mkdir -p "$scratch/tree/$(dirname "$file")"
	cp "$overlay/$file" "$scratch/tree/$file"
done <"$scratch/files"
cat "$scratch"/old/*.patch "$scratch/patches" 2>/dev/null |
	sed -n 's|^+++ b/\([^[:space:]]*\).*|\1|p' | sort -u |
	comm -23 - "$scratch/files" >"$scratch/patched"
while read -r file; do
	[ -f "$tree/$file" ] ||
		die "$tree has no $file to patch; nothing touched"
	mkdir -p "$scratch/tree/$(dirname "$file")"
	cp "$tree/$file" "$scratch/tree/$file"
done <"$scratch/patched"

try() { patch -d "$scratch/tree" -p1 -f --no-backup-if-mismatch -r - "$@"; }

# Of what patch says: where in the tree a hunk has no place
places() {
	awk -v tree="$tree" '/^(patching|checking) file / { file = $3 }
		/^Hunk #[0-9]+ FAILED at / {
			print tree "/" file ":" $5 + 0 ": is not what Linux 7.3 has there" }'
}

for patch in $(ls -r "$scratch/old"); do
	patch=$scratch/old/$patch
	# A patched file may have been checked out afresh since.
	if try -R --dry-run <"$patch" >/dev/null 2>&1; then
		try -R <"$patch" >/dev/null
	fi
done
cp -r "$scratch/tree" "$scratch/base"
for patch in "$overlay"/patches/*.patch; do
	[ -e "$patch" ] || break
	try <"$patch" >"$scratch/output" 2>&1 || {
		places <"$scratch/output" >&2
		die "${patch##*/} does not apply to $tree; nothing touched"
	}
done

while read -r file; do
	[ ! -e "$tree/$file" ] || grep -qxF "$file" "$scratch/old.files" ||
		cmp -s "$scratch/tree/$file" "$tree/$file" ||
		die "$tree has a $file of its own; nothing touched"
done <"$scratch/files"
cp "$scratch/files" "$scratch/new/files"
while read -r file; do
	diff -up --label "a/$file" --label "b/$file" "$scratch/base/$file" \
		"$scratch/tree/$file" >"$scratch/diff" ||
		mv "$scratch/diff" "$scratch/new/$(echo "$file" | tr / -).patch"
done <"$scratch/patched"

# All of it works. From here to the new record no signal stops us.
trap '' INT TERM HUP
changes=0
changed() {
	echo "$*"
	changes=$((changes + 1))
}

while read -r file; do
	grep -qxF "$file" "$scratch/files" || [ ! -e "$tree/$file" ] || {
		rm "$tree/$file"
		rmdir -p --ignore-fail-on-non-empty "$tree/$(dirname "$file")"
		changed "removed $file"
	}
done <"$scratch/old.files"
while read -r file; do
	if [ ! -e "$tree/$file" ]; then
		what=added
	elif cmp -s "$scratch/tree/$file" "$tree/$file"; then
		continue
	else
		what=updated
	fi
	mkdir -p "$tree/$(dirname "$file")"
	cp --remove-destination "$scratch/tree/$file" "$tree/$file"
	changed "$what $file"
done <"$scratch/files"
while read -r file; do
	cmp -s "$scratch/tree/$file" "$tree/$file" || {
		cp --remove-destination "$scratch/tree/$file" "$tree/$file"
		changed "patched $file"
	}
done <"$scratch/patched"

if ! diff -r "$record" "$scratch/new" >/dev/null 2>&1; then
	rm -rf "$record"
	cp -r "$scratch/new" "$record"
fi
echo "$changes changed, of $(wc -l <"$scratch/files") overlay files and" \
	"$(wc -l <"$scratch/patched") patched ones"
