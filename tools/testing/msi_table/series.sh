#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# series.sh [check] - overlay and patches as mails for git am, in build/series.
#
# A patch of patches/ is a mail without a sender: a subject, a message, and after
# the line with --- the files of the overlay which it adds, then what it changes
# elsewhere. The order is that of their names, and the first two digits name a part.
#
# With check each mail is applied to a clean tree by git am, and has to please
# checkpatch; what it changes is compiled, with MSI tables and without them; and
# at the end of each part the KUnit tests pass.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/steps.sh"
out=$SRC/build/series
repo=$MSI_TABLE_CACHE/linux-series
tar=$MSI_TABLE_CACHE/root/usr/src/${LINUX_SOURCE:-linux-source-7.3}.tar.xz

# Whoever made the last change here, and when. Without its history nobody knows.
last=$(git -C "$SRC" log -1 --format='%an|%ae|%aI' 2>/dev/null) ||
	last="nobody|nobody@localhost|$(date -Iseconds)"
GIT_AUTHOR_NAME=${last%%|*}
GIT_AUTHOR_DATE=${last##*|}
GIT_AUTHOR_EMAIL=${last#*|}
GIT_AUTHOR_EMAIL=${GIT_AUTHOR_EMAIL%|*}
GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME
GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE
export GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE
# Whatever the user has configured, the mails are the same.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1

kernel() { git -C "$repo" "$@"; }

unpack_repo() {
	rm -rf "$repo" "$repo.partial" &&
		mkdir "$repo.partial" &&
		tar -xf "$tar" -C "$repo.partial" --strip-components=1 &&
		git -C "$repo.partial" init -q &&
		git -C "$repo.partial" add -A -f &&
		git -C "$repo.partial" commit -q -m "Linux 7.3 as Debian has it" &&
		git -C "$repo.partial" tag stock &&
		mv "$repo.partial" "$repo"
}

header() { sed '/^---$/,$d' "$1"; }
changed_files() { sed -n 's|^+++ b/||p' "$1"; }
new_files() { sed -n '1,/^---$/d; /^--- a/q; s/^new: //p' "$1"; }

# What make check runs on such files, as the kernel wants to know
analysed() { { new_files "$1"; changed_files "$1"; } | grep -q '\.[ch]$' && echo " sparse"; }

restart() { # BRANCH
	kernel checkout -q -f -B "$1" stock && kernel clean -fdxq
}

commit_all() {
	restart series || return 1
	for patch in "$SRC"/patches/*.patch; do
		echo "${patch##*/}"
		patch -d "$repo" -p1 -f -s --no-backup-if-mismatch -r - <"$patch" || return 1
		for file in $(new_files "$patch"); do
			[ ! -e "$repo/$file" ] || die "$file is new, and is there"
			mkdir -p "$repo/$(dirname "$file")"
			cp "$SRC/$file" "$repo/$file" || return 1
		done
		subject=$(sed -n 's/^Subject: //p' "$patch")
		{
			echo "$subject"
			header "$patch" | sed '1,/^Subject: /d'
		} >"$scratch/message"
		# shellcheck disable=SC2046
		kernel add -f $(new_files "$patch"; changed_files "$patch") &&
			kernel commit -q -F "$scratch/message" \
				--trailer "Assisted-by: LLM$(analysed "$patch")" || return 1
	done
}

# What apply.sh makes of the same tree, file by file
same_as_applied() {
	mkdir "$scratch/applied"
	kernel diff --name-only --diff-filter=M stock series >"$scratch/patched"
	kernel archive stock Makefile Kbuild $(cat "$scratch/patched") |
		tar -x -C "$scratch/applied"
	sh "$here/apply.sh" "$scratch/applied" "$SRC" || return 1
	rm -r "$scratch/applied/.msi_table"
	mkdir "$scratch/sum"
	kernel archive series Makefile Kbuild $(cat "$scratch/patched") \
		$(kernel diff --name-only --diff-filter=A stock series) |
		tar -x -C "$scratch/sum"
	diff -r "$scratch/applied" "$scratch/sum"
}

# The cover letter is the description of the branch, its first line the subject.
mails() {
	rm -rf "$out"
	kernel config branch.series.description "$(sed 1,2d "$SRC/patches/cover-letter")"
	kernel format-patch -q --zero-commit --no-signature -o "$out" \
		--cover-letter --cover-from-description=subject stock..series
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP

[ -d "$repo" ] || step series-unpack "a git tree of the kernel source" unpack_repo
step series-commit "commit overlay and patches" commit_all
step series-sum "compare with what make apply does" same_as_applied
step series-mails "write build/series" mails
echo "$(find "$out" -name '*.patch' | wc -l) mails in build/series"
[ "${1:-}" = check ] || exit 0

# git am would refuse the cover letter.
git_am() {
	# shellcheck disable=SC2046
	restart am && kernel am -q $(find "$out" -name '[0-9]*' ! -name '0000-*' | sort) &&
		kernel diff --exit-code series am
}

inside() { TREE=/mnt/linux-series sh "$here/inroot.sh" sh "/src/${here#"$SRC"/}/series_step.sh" "$@"; }

step series-am "git am onto a clean tree" git_am
step series-checkpatch "checkpatch --strict on each mail" inside checkpatch

part_of() { basename "$1" | cut -c1-2; }

# What has passed is not done again: with the same tree, after the same, in the same way.
passed=$repo/.git/passed
step_id() {
	{ echo "$@" && kernel rev-parse HEAD^{tree} HEAD~^{tree} &&
		cat "$here/series_step.sh" "$here/configure.py" "$here/inroot.sh" \
			"$here/packages" "$here"/configs/*; } | sha1sum
}
forget_configs() { rm -f "$MSI_TABLE_CACHE"/build-series-*/.config.inputs; }
step_once() { # NAME TEXT COMMAND...
	name=$1 text=$2
	shift 2
	id=$(step_id "$@")
	if grep -qsxF "$id" "$passed"; then
		echo "$text ... ok, as before"
		forget_configs
	else
		step "$name" "$text" "$@" && echo "$id" >>"$passed"
	fi
}

forget_configs
ls "$SRC"/patches/[0-9]*.patch >"$scratch/steps"
total=$(wc -l <"$scratch/steps") n=0
while [ $n -lt "$total" ]; do
	n=$((n + 1))
	mail=$(sed -n "${n}p" "$scratch/steps")
	kernel checkout -q -f "series~$((total - n))"
	# shellcheck disable=SC2046
	step_once "series-$n" "$n/$total $(basename "$mail")" \
		inside build $(kernel diff --name-only HEAD~)
	part=$(part_of "$mail")
	[ "$part" = "$(part_of "$(sed -n "$((n + 1))p" "$scratch/steps")")" ] ||
		step_once "series-kunit-$part" "KUnit at the end of part $part" inside kunit
done
echo "make series CHECK=1: all passed"
