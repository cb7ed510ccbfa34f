#!/usr/bin/env bash
# Installs DuckDB for the integration tests, from its wheel on PyPI, into .duckdb/, which git ignores. Nothing of it is part of the
# product. Prints the Python that has it.
#
# MILLRACE_DUCKDB_DIR puts it elsewhere.
set -euo pipefail

readonly version=1.4.5

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${MILLRACE_DUCKDB_DIR:-$(dirname "$here")/.duckdb}
name=duckdb
# shellcheck source=scripts/common.sh
source "$here/common.sh"

install() {
	debian "Python 3 with venv"
	packages python3 python3-venv
}

alone
if ! "$dir/venv/bin/python" -c "import duckdb; assert duckdb.__version__ == '$version'" 2>/dev/null; then
	python3 -c 'import ensurepip, venv' 2>/dev/null || install
	rm -rf "$dir/venv"
	python3 -m venv "$dir/venv" </dev/null >&2
	"$dir/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: "duckdb==$version" </dev/null >&2
fi
echo "$dir/venv/bin/python"
