#!/usr/bin/env bash
# Runs every benchmark program for a second, so that a change that breaks one is noticed at once. The last line each
# prints must be one JSON object; its figures mean nothing at this length.
set -euo pipefail
export GOTOOLCHAIN=auto
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Of chaos a campaign of its own says more: make chaos.
programs=$(go list -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' ./benchmarks/... | grep -v /benchmarks/chaos)
[[ -n $programs ]] || { echo "bench-smoke: no program below benchmarks/" >&2; exit 1; }

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# smoke runs the program that was built last with the given flags.
smoke() {
	(cd "$out" && timeout 300 ./bench "$@" -json </dev/null) >"$out/log" || {
		tail -20 "$out/log"
		exit 1
	}
	tail -n 1 "$out/log" | grep -qE '^\{.*\}$' || { tail -5 "$out/log"; echo "bench-smoke: the last line is no JSON object" >&2; exit 1; }
}

for program in $programs; do
	echo "bench-smoke: $program"
	go build -o "$out/bench" "$program"
	smoke -rounds 1 -seconds 1
	if [[ $program == */benchmarks/operators ]]; then
		smoke -panes -rounds 1 -seconds 0.1
		smoke -bounded 2000000
	fi
done
