#!/usr/bin/env bash
# Runs a command with the test broker up. A broker that ran before keeps running after; else it is stopped again.
#
#   scripts/with-kafka.sh go test -tags integration ./sources/kafkasource
set -euo pipefail

kafka=$(dirname "${BASH_SOURCE[0]}")/kafka.sh

if ! "$kafka" status >/dev/null; then
	trap '"$kafka" stop' EXIT
	"$kafka" start
fi
"$@"
