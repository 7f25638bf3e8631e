#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The command line against a node of its own: verbs, exit codes, errors, settings, signals, what
# `tarn connect` prints, a stopped node's folder, and one quick run of every benchmark.

set -u
folder=$(mktemp -d)
node=
passed=0
failed=0
unset TARN_URI TARN_DATA TARN_CONFIG TARN_WAREHOUSE TARN_WAREHOUSES

finish() {
    [ -z "$node" ] || kill "$node" 2>/dev/null
    wait
    rm -rf "$folder"
}
trap finish EXIT

# check NAME EXIT-CODE TEXT COMMAND...: runs it and wants that exit code and that text in what
# it says.
check() {
    what=$1 wanted=$2 text=$3
    shift 3
    code=0
    "$@" >"$folder/said" 2>&1 </dev/null || code=$?
    if [ "$code" = "$wanted" ] && { [ -z "$text" ] || grep -qF -- "$text" "$folder/said"; }; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    echo "FAILED: $what: exit code $code, wanted $wanted and '$text'"
    sed 's/^/    /' "$folder/said" | head -n 20
}

start_node() {
    rm -f "$folder/address"
    "$TARN" serve --data "$folder/data" --listen 127.0.0.1:0 --admin 127.0.0.1:0 \
        --address-file "$folder/address" >"$folder/log" 2>&1 &
    node=$!
    tries=0
    while [ ! -s "$folder/address" ] && [ $tries -lt 300 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    TARN_URI=$(sed 's/.*"api":"\([^"]*\)".*/\1/' "$folder/address")
    export TARN_URI
}

stop_node() {
    kill -TERM "$node"
    code=0
    wait "$node" || code=$?
    node=
    return $code
}

# --- without a node ---
check "version" 0 "tarn 0." "$TARN" version
check "version as JSON" 0 '"version"' "$TARN" version --json
check "help" 0 "usage: tarn COMMAND" "$TARN" help
check "help of a command" 0 "usage: tarn table get TABLE" "$TARN" help table get
check "no command" 2 "usage: tarn" "$TARN"
check "unknown command" 2 "did you mean 'serve'?" "$TARN" srve
check "unknown flag" 2 "did you mean '--data'?" "$TARN" serve --dtaa x
check "unknown benchmark" 2 "did you mean 'commit'?" "$TARN" bench comit
check "unknown engine" 2 "one of spark" "$TARN" connect nope
check "help of an unknown command" 2 "did you mean 'serve'?" "$TARN" help srve
check "nobody answers" 6 "no answer from the catalog" "$TARN" ns ls --uri http://127.0.0.1:1
check "serve without a folder" 2 "tarn serve --data DIR" "$TARN" serve
check "serve beyond this machine" 1 "--insecure" \
    "$TARN" serve --data "$folder/never" --listen 0.0.0.0:0
check "settings" 0 "flag --threads" "$TARN" config show --origin --threads 3
check "settings as JSON" 0 '"origin": "default"' "$TARN" config show --origin -o json
printf 'threads: 2\nlisten: 127.0.0.1:1\nlimits:\n  bodi: 1MiB\n' >"$folder/bad.yaml"
check "settings file" 2 "bad.yaml:4: there is no setting 'limits.bodi'" \
    "$TARN" config show --config "$folder/bad.yaml"
check "doctor" 0 "PASS" \
    "$TARN" doctor --data "$folder/data" --listen 127.0.0.1:0 --admin 127.0.0.1:0
check "doctor finds typos" 0 "TARN_THREDS" env TARN_THREDS=1 \
    "$TARN" doctor --data "$folder/data" --listen 127.0.0.1:0 --admin 127.0.0.1:0 --json
check "doctor fails" 1 "FAIL" \
    "$TARN" doctor --data "$folder/data" --listen 0.0.0.0:0 --admin 127.0.0.1:0
for shell in bash zsh fish; do
    check "completion $shell" 0 "pyiceberg" "$TARN" completion $shell
done
"$TARN" completion bash >"$folder/completion.bash"
cat >"$folder/complete.bash" <<'BASH'
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_tarn
echo "${COMPREPLY[@]}"
BASH
completes() { bash "$folder/complete.bash" "$folder/completion.bash" "$@"; }
check "bash completes verbs" 0 "table" completes tarn ta
check "bash completes commands" 0 "rename" completes tarn table re
check "bash completes flags" 0 "--purge" completes tarn table drop --pu
"$TARN" help --markdown >"$folder/cli.md"
check "docs/cli.md is fresh" 0 "" diff docs/cli.md "$folder/cli.md"

# --- with a node ---
start_node
check "ns create" 0 "created namespace sales" "$TARN" ns create sales -p owner=me
check "ns create, there already" 4 "already exists" "$TARN" ns create sales
check "ns create below, with a dot" 0 "created" "$TARN" ns create 'sales."a.b"'
check "ns ls" 0 'sales."a.b"' "$TARN" ns ls -r
check "ns get" 0 "owner" "$TARN" ns get sales
check "ns set" 0 "set properties" "$TARN" ns set sales a=b --remove owner
check "ns get, changed" 0 '"a": "b"' "$TARN" ns get sales -o json
check "ns get, near" 3 "did you mean 'sales'?" "$TARN" ns get slaes
check "ns drop, not empty" 4 "not empty" "$TARN" ns drop sales --yes
check "ns drop asks" 2 "say --yes" "$TARN" ns drop 'sales."a.b"'
check "ns drop" 0 "dropped" "$TARN" ns drop 'sales."a.b"' --yes

"$TARN" connect pyiceberg >"$folder/connect.py"
cat >>"$folder/connect.py" <<'PYTHON'
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType
import pyarrow

table = catalog.create_table("sales.orders", Schema(
    NestedField(1, "id", LongType(), required=False, doc="the key"),
    NestedField(2, "country", StringType(), required=False)))
for number in range(3):
    table.append(pyarrow.table({"id": [number], "country": ["NO"]}))
print("rows", table.scan().to_arrow().num_rows)
PYTHON
check "connect pyiceberg works when pasted" 0 "rows 3" "$PYTHON" "$folder/connect.py"

"$TARN" connect duckdb >"$folder/connect.sql"
cat >"$folder/duck.py" <<'PYTHON'
"""Runs the printed SQL; extensions come from their wheels, so INSTALL and LOAD name files here."""
import re
import sys

sys.path.insert(0, "demo")
import duckdb
import engines

connection = duckdb.connect(config={"autoinstall_known_extensions": False})
for statement in open(sys.argv[1], encoding="utf-8").read().split(";"):
    statement = re.sub(r"^\s*--.*$", "", statement, flags=re.M).strip()
    found = re.match(r"LOAD (\w+)$", statement)
    if found:
        statement = f"LOAD '{engines._extension_path(found[1])}'"
    if statement and not statement.startswith("INSTALL"):
        connection.execute(statement)
print("rows", connection.execute("SELECT count(*) FROM lake.sales.orders").fetchone()[0])
PYTHON
check "connect duckdb works when pasted" 0 "rows 3" \
    "$PYTHON" "$folder/duck.py" "$folder/connect.sql"
for engine in spark trino flink; do
    check "connect $engine" 0 "$TARN_URI" "$TARN" connect $engine
done
check "connect, unsafe" 2 "pasted safely" "$TARN" connect duckdb --warehouse "x'; DROP"

check "table ls" 0 "sales.orders" "$TARN" table ls sales
check "table ls as JSON" 0 '"table": "sales.orders"' "$TARN" table ls sales -o json
check "table ls, no namespace" 3 "did you mean 'sales'?" "$TARN" table ls sale
check "table get" 0 "current snapshot" "$TARN" table get sales.orders
check "table schema" 0 "the key" "$TARN" table schema sales.orders
check "table history" 0 "append" "$TARN" table history sales.orders -n 1
check "table refs" 0 "main" "$TARN" table refs sales.orders
check "table get, near" 3 "did you mean 'sales.orders'?" "$TARN" table get sales.ordres
check "table properties set" 0 "set properties" "$TARN" table properties set sales.orders k=v
check "table properties get" 0 "v" "$TARN" table properties get sales.orders
check "table properties remove" 0 "removed properties" \
    "$TARN" table properties remove sales.orders k
check "table rename, only said" 0 "would have renamed" \
    "$TARN" table rename sales.orders sold --dry-run
check "table rename" 0 "renamed" "$TARN" table rename sales.orders sold
check "find" 0 "sales.sold" "$TARN" find SOL
check "find with a pattern" 0 "table" "$TARN" find 's?ld'
check "find as JSON" 0 '"kind": "table"' "$TARN" find sold -o json
location=$("$TARN" table get sales.sold -o json | sed -n 's/.*"metadata-location": "\(.*\)".*/\1/p')
check "table drop" 0 "dropped" "$TARN" table drop sales.sold --yes
check "table register" 0 "registered" "$TARN" table register sales.back "$location"
check "table register, outside" 1 "error:" "$TARN" table register sales.bad file:///etc/passwd
check "view ls" 0 "view" "$TARN" view ls sales
check "view get, none" 3 "error:" "$TARN" view get sales.none
check "inspect asks for a stopped node" 6 "a node is running" \
    "$TARN" inspect state --data "$folder/data"
check "SIGTERM ends it well" 0 "" stop_node

# --- its folder ---
find "$folder/data" -type f ! -name lock.mdb -exec cksum {} + | sort >"$folder/before"
check "inspect wal" 0 "write" "$TARN" inspect wal --data "$folder/data"
check "inspect state" 0 "table names" "$TARN" inspect state --data "$folder/data"
check "inspect state, one table" 0 '"part":"h"' \
    "$TARN" inspect state --data "$folder/data" --table sales.back
check "inspect snapshot" 0 "checksums" "$TARN" inspect snapshot --data "$folder/data"
check "inspect, no node's folder" 3 "node.json" "$TARN" inspect wal --data "$folder"
find "$folder/data" -type f ! -name lock.mdb -exec cksum {} + | sort >"$folder/after"
check "inspect changes nothing" 0 "" diff "$folder/before" "$folder/after"
start_node
check "everything is there again" 0 "sales.back" "$TARN" find back
stop_node

# --- benchmarks: that they work, never their numbers ---
export TMPDIR="$folder"
line='^{"bench":.*"case":.*"metric":.*"value":[-0-9.e+]*,"unit":".*"}$'
for name in commit history load list start; do
    check "bench $name" 0 '"bench":"'$name'"' "$TARN" bench $name --quick --json
    cp "$folder/said" "$folder/lines"
    check "bench $name speaks only JSON" 1 "" grep -v "$line" "$folder/lines"
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
