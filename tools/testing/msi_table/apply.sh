#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# apply.sh TREE [OVERLAY] - lay the overlay and its patches over a Linux tree.
#
# TREE/.msi_table records what was applied, so that a later version of the
# overlay can replace it. The patched files are made in a scratch folder first
# and only what differs is copied: nothing is touched unless all of it works.
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
	for top in Documentation arch drivers include kernel lib rust samples; do
		[ ! -d $top ] || find $top -type f \( ! -name '.*' -o -name .kunitconfig \) \
			! -name '*~' ! -name '*.orig' ! -name '*.rej'
	done) | sort >"$scratch/files"
mkdir -p "$scratch/old" "$scratch/new"
: >"$scratch/old.files"
if [ -d "$record" ]; then
	cp "$record/files" "$scratch/old.files"
	cp "$record"/*.patch "$scratch/old" 2>/dev/null || :
fi
cp "$overlay"/patches/*.patch "$scratch/new" 2>/dev/null || :

while read -r file; do
	[ ! -e "$tree/$file" ] || grep -qxF "$file" "$scratch/old.files" ||
		cmp -s "$overlay/$file" "$tree/$file" ||
		die "$tree has a $file of its own; nothing touched"
done <"$scratch/files"

# Take the old patches out of copies of the patched files, put the new ones in.
cat "$scratch"/old/*.patch "$scratch"/new/*.patch 2>/dev/null |
	sed -n 's|^+++ b/\([^[:space:]]*\).*|\1|p' | sort -u >"$scratch/patched"
mkdir "$scratch/tree"
while read -r file; do
	[ -f "$tree/$file" ] ||
		die "$tree has no $file to patch; nothing touched"
	mkdir -p "$scratch/tree/$(dirname "$file")"
	cp "$tree/$file" "$scratch/tree/$file"
done <"$scratch/patched"

try() { patch -d "$scratch/tree" -p1 -f -s --no-backup-if-mismatch -r - "$@"; }

for patch in $(ls -r "$scratch/old"); do
	patch=$scratch/old/$patch
	# A patched file may have been checked out afresh since.
	if try -R --dry-run <"$patch" >/dev/null 2>&1; then
		try -R <"$patch" >/dev/null
	fi
done
for patch in "$scratch"/new/*.patch; do
	[ -e "$patch" ] || break
	try <"$patch" >"$scratch/output" 2>&1 || {
		cat "$scratch/output" >&2
		die "${patch##*/} does not apply to $tree; nothing touched"
	}
done

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
	elif cmp -s "$overlay/$file" "$tree/$file"; then
		continue
	else
		what=updated
	fi
	mkdir -p "$tree/$(dirname "$file")"
	cp --remove-destination "$overlay/$file" "$tree/$file"
	changed "$what $file"
done <"$scratch/files"
while read -r file; do
	cmp -s "$scratch/tree/$file" "$tree/$file" || {
		cp --remove-destination "$scratch/tree/$file" "$tree/$file"
		changed "patched $file"
	}
done <"$scratch/patched"

if ! cmp -s "$scratch/files" "$scratch/old.files" ||
   ! diff -r "$scratch/old" "$scratch/new" >/dev/null || [ ! -d "$record" ]; then
	mkdir -p "$record"
	rm -f "$record"/*.patch
	cp "$scratch"/new/*.patch "$record" 2>/dev/null || :
	cp "$scratch/files" "$record/files"
fi
echo "$changes changed, of $(wc -l <"$scratch/files") overlay files and" \
	"$(wc -l <"$scratch/patched") patched ones"
