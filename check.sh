#!/usr/bin/env bash
# Every gate but the tests: format, lint, types, import directions. .ci/run calls it after the tests.
set -euo pipefail
cd "$(dirname "$0")"
python -m ruff format --check .
python -m ruff check .
python -m mypy
lint-imports
