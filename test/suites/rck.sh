#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Java client with its own tests, where Java and Maven are there (./dev setup bench).
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
if ! command -v java > /dev/null || ! command -v mvn > /dev/null; then
  echo "# skipped: Java 17 and Maven are missing; ./dev setup bench installs them"
  echo "0 passed, 0 failed"
  exit 0
fi
export TARN_BINARY="${TARN:-$root/build/tarn}"
exec "$root/test/clients/rck/run" "$@"
