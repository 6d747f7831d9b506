#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# docs.sh - the guides as HTML, by the kernel's own Sphinx setup, and no warning
set -eu
here=$(dirname "$0")
. "$here/steps.sh"
build=$BUILDS/build-docs
dirs='core-api/irq rust'
html=$build/Documentation/output

# Sphinx warns of a page when it reads it, which it does not do twice. It wants
# graphviz, and no page here has a picture of it. Two stock pages of rust refer to
# what is not built here.
docs() {
	command -v sphinx-build || {
		echo "no sphinx-build; install it (python3-sphinx)"
		return 1
	}
	rm -rf "$html"
	mkdir -p "$build"
	status=0
	make -C "$TREE" O="$build" htmldocs SPHINXDIRS="$dirs" \
		>"$build/docs.log" 2>&1 || status=$?
	cat "$build/docs.log"
	echo "--- of this, warnings:"
	! grep -E 'WARNING|ERROR|CRITICAL|SEVERE|[Ww]arning:' "$build/docs.log" |
		grep -vF -e 'WARNING: dot(1) not found' -e /rust/index.rst: \
			-e /rust/quick-start.rst: || return 1
	echo "(none)"
	[ $status = 0 ] && [ -f "$html/core-api/irq/msi-table.html" ] &&
		[ -f "$html/rust/msi.html" ]
}

step docs "build the guides" docs
for page in core-api/irq/msi-table rust/msi; do
	echo "$HOST_CACHE${html#"$MSI_TABLE_CACHE"}/$page.html"
done
