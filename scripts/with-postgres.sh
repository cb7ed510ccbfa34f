#!/usr/bin/env bash
# Runs a command with the test PostgreSQL up. One that ran before keeps running after; else it is stopped again.
#
#   scripts/with-postgres.sh go test -tags integration ./integration/oracle
set -euo pipefail

postgres=$(dirname "${BASH_SOURCE[0]}")/postgres.sh

if ! "$postgres" status >/dev/null; then
	trap '"$postgres" stop' EXIT
	"$postgres" start
fi
"$@"
