#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The demo as a test: each of its checks is one case, a step that failed is one failure.

set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
code=0
"$PYTHON" demo/demo.py --json --stop-after --binary "$TARN" --data "$folder/data" \
    --listen 127.0.0.1:0 --admin 127.0.0.1:0 >"$folder/steps" || code=$?
cat "$folder/steps"
[ "$code" = 0 ] || [ ! -f "$folder/data.log" ] || tail -n 20 "$folder/data.log"
"$PYTHON" - "$folder/steps" "$code" <<'COUNT'
import json
import sys

objects = [json.loads(line) for line in open(sys.argv[1]) if line.startswith("{")]
steps = [step for step in objects if "step" in step]
passed = sum(step["checks"] for step in steps)
failed = sum(not step["ok"] for step in steps)
# A demo that stopped early, or checked nothing, has failed whatever its steps say.
if not failed and (int(sys.argv[2]) or not passed):
    failed = 1
print(f"{passed} passed, {failed} failed")
COUNT
[ "$code" = 0 ]
