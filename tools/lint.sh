#!/usr/bin/env bash
# Lint, format, import directions, duplicates, lengths and types: `make lint`. Says all that it finds, and fails if it found anything.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly BIN=.venv/bin
# The contract, the experiment and the builders, and what uses them from outside.
readonly CHECKED=(tfacme/core.py tfacme/experiments tfacme/agents programs offline benchmarks)

failed=0

echo 'ruff'
"$BIN/ruff" check --quiet . || failed=1
"$BIN/ruff" format --check --quiet . || { echo '`make format` formats these.'; failed=1; }

echo 'import-linter'
report=$("$BIN/lint-imports" 2>&1) || { echo "$report"; failed=1; }

echo 'duplicates'
# What stands in two agents is a part that the framework lacks. Their `__init__.py` are alike by design.
"$BIN/pylint" --disable=all --enable=duplicate-code --score=no --min-similarity-lines=6 --ignore=__init__.py \
  tfacme/agents || failed=1

echo 'limits'
"$BIN/python" tools/limits.py || failed=1

echo 'reference'
"$BIN/python" tools/reference.py --check || failed=1

echo 'pyright'
# It would also look for a newer version of itself, and say so.
PYRIGHT_PYTHON_IGNORE_WARNINGS=1 "$BIN/pyright" "${CHECKED[@]}" || failed=1

exit "$failed"
