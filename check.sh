#!/usr/bin/env bash
# Every gate but the tests: format, lint, types, import directions, documents.
# .ci/run calls it after the tests.
set -euo pipefail
cd "$(dirname "$0")"
python -m ruff format --check .
python -m ruff check .
python -m mypy
lint-imports
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict --quiet --site-dir "$site"
