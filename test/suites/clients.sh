#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PyIceberg, DuckDB and the raw protocol against a node of their own.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
export TARN_BINARY="${TARN:-$root/build/tarn}"
exec "${PYTHON:-$root/.venv/bin/python}" "$root/test/clients/run.py" "$@"
