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

# How far the log of a step says that it is, every now and then: on a terminal
# over and over in the same place, elsewhere once a minute. Until it is killed.
say_how_far() { # HOW_FAR TEXT
	every=60 before=' ' after=
	[ ! -t 1 ] || every=2 before=$(printf '\r%s ... ' "$2") after=$(printf '\033[K')
	while sleep $every; do
		far=$("$1" <"$log")
		[ -z "$far" ] || printf '%s%s%s' "$before" "$far" "$after"
	done
}

# step NAME TEXT COMMAND...: one line on the terminal, the output in NAME.log.
# Who sets how_far names a command which reads the log and says how far it is. In a shell
# of its own, for who calls this has a name and a status, too.
how_far=
step() (
	name=$1 text=$2 log=$logs/$1.log begin=$(date +%s%N) status=0 watch=
	shift 2
	printf '%s ... ' "$text"
	: >"$log"
	if [ "${V:-}" = 1 ]; then
		echo
		tail -f -n +1 --pid=$$ "$log" &
		watch=$!
	elif [ -n "$how_far" ]; then
		say_how_far "$how_far" "$text" &
		watch=$!
	fi
	"$@" </dev/null >"$log" 2>&1 || status=$?
	if [ -n "$watch" ]; then
		[ "${V:-}" != 1 ] || sleep 1
		kill $watch
		wait $watch 2>/dev/null || :
		[ "${V:-}" = 1 ] || [ ! -t 1 ] || printf '\r%s ... \033[K' "$text"
	fi
	ms=$((($(date +%s%N) - begin) / 1000000))
	[ $status = 0 ] && result=ok || result=FAILED
	printf '%s [%d.%ds]\n' $result $((ms / 1000)) $((ms % 1000 / 100))
	[ $status = 0 ] || {
		tail -n 30 "$log" | sed 's/^/    /'
		echo "    (all of it: $HOST_CACHE/log/$name.log)"
	} >&2
	exit $status
)
