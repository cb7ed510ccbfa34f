#!/usr/bin/env bash
# Runs a PostgreSQL for the integration tests: Debian's package, a cluster of its own on the loopback interface. Nothing of it is part
# of the product; everything lands in .postgres/, which git ignores.
#
#   scripts/postgres.sh start     make the cluster when new, start it when not running, wait until it answers
#   scripts/postgres.sh stop      stop it; data stay
#   scripts/postgres.sh status    say whether it answers; exit status 1 when not
#   scripts/postgres.sh clean     stop it and delete its data
#
# It listens on 127.0.0.1:54329; user, database: millrace, trusted without a password. MILLRACE_POSTGRES_DIR puts it elsewhere.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${MILLRACE_POSTGRES_DIR:-$(dirname "$here")/.postgres}
name=postgres
# shellcheck source=scripts/common.sh
source "$here/common.sh"

readonly port=54329 user=millrace start_seconds_max=60

install() {
	debian "PostgreSQL 15 or newer"
	# A cluster of Debian's own is not wanted.
	rooted mkdir -p /etc/postgresql-common/createcluster.d
	echo "create_main_cluster = false" | rooted tee /etc/postgresql-common/createcluster.d/millrace.conf >/dev/null
	packages postgresql
}

# binaries is where the newest installed server's programs are.
binaries() { find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -name pg_ctl 2>/dev/null | sort -V | tail -1 | xargs -r dirname; }

# as runs a program as somebody the server agrees to run as: it refuses root.
as() {
	if [[ $(id -u) == 0 ]]; then
		(cd / && runuser -u postgres -- "$@")
	else
		(cd / && "$@")
	fi
}

# place is where the cluster lives. A server that root may not run cannot see into a directory of root's.
place() {
	if [[ $(id -u) != 0 ]]; then
		echo "$dir/data"
	else
		echo "/var/lib/postgresql/millrace-$(sha256sum <<<"$dir" | head -c 12)"
	fi
}

ready() { [[ -n $bin ]] && "$bin/pg_isready" -q -h 127.0.0.1 -p $port; }

running() { [[ -n $bin ]] && as "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1; }

start() {
	[[ -n $bin ]] || install
	bin=$(binaries)
	[[ -n $bin ]] || die "no pg_ctl below /usr/lib/postgresql after the installation"
	if running && ready; then
		say "already running on 127.0.0.1:$port"
		return
	fi
	if ! as test -f "$data/PG_VERSION"; then
		say "making the cluster $data"
		as "$bin/initdb" -D "$data" -U $user -A trust -E UTF8 --locale=C.UTF-8 >"$dir/initdb.log" 2>&1 || die "initdb: $(tail -3 "$dir/initdb.log")"
	fi
	# Its data are worth nothing: no fsync.
	local options="-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories= -c fsync=off -c full_page_writes=off -c synchronous_commit=off"
	as "$bin/pg_ctl" -D "$data" -w -t $start_seconds_max -l "$data/server.log" -o "$options" start >/dev/null </dev/null 9>&- ||
		die "it did not start: $(as tail -5 "$data/server.log")"
	as "$bin/createdb" -h 127.0.0.1 -p $port -U $user $user 2>/dev/null || as "$bin/psql" -h 127.0.0.1 -p $port -U $user -d $user -qc 'SELECT' >/dev/null ||
		die "the database $user cannot be made"
	say "running on 127.0.0.1:$port"
}

stop() {
	if ! running; then
		say "not running"
		return
	fi
	as "$bin/pg_ctl" -D "$data" -w -m fast stop >/dev/null
	say "stopped"
}

clean() {
	stop
	as rm -rf "$data"
}

bin=$(binaries)
data=$(place)
run "$@"
