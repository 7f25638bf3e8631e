#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every offered REST operation is called; requests and answers satisfy the OpenAPI file.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
export TARN_BINARY="${TARN:-$root/build/tarn}"
exec "${PYTHON:-$root/.venv/bin/python}" "$root/test/openapi/check.py" "$@"
