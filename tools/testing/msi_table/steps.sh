# SPDX-License-Identifier: GPL-2.0
#
# Sourced by the scripts of the harness, which run on the host or, with the
# cache mounted elsewhere, in the build root. HOST_CACHE is its name on the
# host, which is what the user is told.

logs=$MSI_TABLE_CACHE/log
mkdir -p "$logs"

die() {
	echo "msi_table: $*" >&2
	exit 1
}

# step NAME TEXT COMMAND...: one line on the terminal, the output in NAME.log
step() {
	name=$1 text=$2 log=$logs/$1.log begin=$(date +%s%N) status=0
	shift 2
	printf '%s ... ' "$text"
	: >"$log"
	if [ "${V:-}" = 1 ]; then
		echo
		tail -f -n +1 --pid=$$ "$log" &
		tail_pid=$!
	fi
	"$@" </dev/null >"$log" 2>&1 || status=$?
	if [ "${V:-}" = 1 ]; then
		sleep 1
		kill $tail_pid
	fi
	ms=$((($(date +%s%N) - begin) / 1000000))
	[ $status = 0 ] && result=ok || result=FAILED
	printf '%s [%d.%ds]\n' $result $((ms / 1000)) $((ms % 1000 / 100))
	[ $status = 0 ] || {
		tail -n 30 "$log" | sed 's/^/    /'
		echo "    (all of it: $HOST_CACHE/log/$name.log)"
	} >&2
	return $status
}
