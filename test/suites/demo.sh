#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The demo from start to end on ports of its own; each of its steps counts as one test.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/tarn-demo.XXXXXX")
trap 'rm -rf "$folder"' EXIT
status=0
"${PYTHON:-$root/.venv/bin/python}" "$root/demo/demo.py" --json --stop-after \
  --binary "${TARN:-$root/build/tarn}" --data "$folder/data" \
  --listen 127.0.0.1:0 --admin 127.0.0.1:0 "$@" > "$folder/steps" || status=$?
cat "$folder/steps"
passed=$(grep -c '^{"step".*"ok": true' "$folder/steps" || :)
failed=$(grep -c '^{"step".*"ok": false' "$folder/steps" || :)
if [ "$status" != 0 ]; then
  if [ "$failed" = 0 ]; then failed=1; fi
  tail -n 30 "$folder/data.log" 2> /dev/null || :
fi
echo "$passed passed, $failed failed"
exit "$status"
