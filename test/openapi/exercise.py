# SPDX-License-Identifier: Apache-2.0
"""Calls every operation of the specification with valid requests, by raw HTTP.

Each function takes the target (see test/clients/harness.py) and calls one operation, or a few that
belong together. CALLS says which functions serve an operation; what it needs, it makes itself.
"""

import urllib.parse

from harness import SCHEMA, now_ms, set_properties, snapshot, uuid7

TABLE_PATH = "/namespaces/{}/tables/{}"
VIEW_PATH = "/namespaces/{}/views/{}"


def config(target):
    target.send("GET", "/v1/config")
    if target.warehouse:
        target.send("GET", "/v1/config?warehouse=" + urllib.parse.quote(target.warehouse, safe=""))
        target.send("GET", "/v1/config?warehouse=no-such-warehouse")


def token(target):
    form = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b",
            "scope": "catalog"}
    target.send("POST", "/v1/oauth/tokens", urllib.parse.urlencode(form).encode(),
                {"Content-Type": "application/x-www-form-urlencoded"})


def namespaces(target):
    name = target.namespace("oa")
    target.v1("POST", "/namespaces", {"namespace": [name, "child"], "properties": {"a": "1"}})
    target.v1("POST", "/namespaces", {"namespace": [name]})
    for query in ("", f"?parent={name}", "?pageToken=&pageSize=1", "?parent=missing_ns"):
        target.v1("GET", "/namespaces" + query)
    for method in ("GET", "HEAD"):
        target.v1(method, f"/namespaces/{name}")
        target.v1(method, "/namespaces/missing_ns")
    for body in ({"removals": ["x"], "updates": {"b": "2"}},
                 {"removals": ["b"], "updates": {"b": "2"}}):
        target.v1("POST", f"/namespaces/{name}/properties", body)
    target.v1("POST", "/namespaces/missing_ns/properties", {"updates": {"b": "2"}})
    target.v1("DELETE", f"/namespaces/{name}")
    target.v1("DELETE", f"/namespaces/{target.joined(name, 'child')}")
    target.v1("DELETE", f"/namespaces/{name}")
    target.v1("DELETE", f"/namespaces/{name}")


def tables(target):
    name = target.namespace("oa")
    body = {"name": "t", "schema": SCHEMA, "properties": {"a": "1"},
            "partition-spec": {"spec-id": 0, "fields": [{"source-id": 1, "name": "b",
                                                         "transform": "bucket[4]"}]},
            "write-order": {"order-id": 1, "fields": [{
                "source-id": 2, "transform": "identity", "direction": "desc",
                "null-order": "nulls-last"}]}}
    for name_of_ns in (name, name, "missing_ns_oa"):
        target.v1("POST", f"/namespaces/{name_of_ns}/tables", body)
    target.v1("POST", f"/namespaces/{name}/tables", {**body, "name": "s", "stage-create": True})
    target.v1("POST", f"/namespaces/{name}/tables",
              {**body, "name": "v3", "properties": {"format-version": "3"}},
              {"X-Iceberg-Access-Delegation": "vended-credentials"})
    unnumbered = {"fields": body["partition-spec"]["fields"]}  # the id is optional
    target.v1("POST", f"/namespaces/{name}/tables",
              {**body, "name": "u", "partition-spec": unnumbered})
    for query in ("", "?pageToken=&pageSize=1"):
        target.v1("GET", f"/namespaces/{name}/tables{query}")
    path = TABLE_PATH.format(name, "t")
    etag = target.v1("GET", path).etag
    target.v1("GET", path, headers={"If-None-Match": etag or "x"})
    for query in ("?snapshots=all", "?snapshots=refs"):
        target.v1("GET", path + query)
    target.v1("HEAD", path)
    for method in ("GET", "HEAD", "DELETE"):
        target.v1(method, TABLE_PATH.format(name, "missing"))
    target.v1("DELETE", path)
    target.v1("DELETE", TABLE_PATH.format(name, "v3") + "?purgeRequested=true")


def _statistics(number, location):
    return {"snapshot-id": number, "statistics-path": f"{location}/metadata/s.puffin",
            "file-size-in-bytes": 9, "file-footer-size-in-bytes": 3, "blob-metadata": [
                {"type": "apache-datasketches-theta-v1", "snapshot-id": number,
                 "sequence-number": 1, "fields": [1], "properties": {"ndv": "1"}}]}


def _updates(location, uuid):
    """Every update of a table at least once, in lists that can follow each other."""
    column = {"id": 3, "name": "more", "type": "int", "required": False}
    tall = {**SCHEMA, "fields": [*SCHEMA["fields"], column]}
    partition = {"fields": [{"source-id": 2, "field-id": 1000, "name": "n",
                             "transform": "truncate[4]"}]}
    order = {"order-id": 1, "fields": [{"source-id": 1, "transform": "identity",
                                        "direction": "asc", "null-order": "nulls-first"}]}
    first, second = snapshot(11, 1, location=location), snapshot(12, 2, 11, location)
    statistics = _statistics(12, location)
    yield [{"action": "assign-uuid", "uuid": uuid},
           {"action": "upgrade-format-version", "format-version": 2}, set_properties(a="1", b="2"),
           {"action": "remove-properties", "removals": ["b"]}]
    yield [{"action": "add-schema", "schema": tall, "last-column-id": 3},
           {"action": "set-current-schema", "schema-id": -1},
           {"action": "add-spec", "spec": partition}, {"action": "set-default-spec", "spec-id": -1},
           {"action": "add-sort-order", "sort-order": order},
           {"action": "set-default-sort-order", "sort-order-id": -1}]
    yield [{"action": "add-snapshot", "snapshot": first},
           {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 11},
           {"action": "add-snapshot", "snapshot": second},
           {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 12},
           {"action": "set-snapshot-ref", "ref-name": "t", "type": "tag", "snapshot-id": 11,
            "max-ref-age-ms": 1000}]
    yield [{"action": "set-statistics", "snapshot-id": 12, "statistics": statistics},
           {"action": "set-partition-statistics", "partition-statistics": {
               "snapshot-id": 12, "statistics-path": f"{location}/metadata/p.parquet",
               "file-size-in-bytes": 9}}]
    yield [{"action": "remove-statistics", "snapshot-id": 12},
           {"action": "remove-partition-statistics", "snapshot-id": 12},
           {"action": "remove-snapshot-ref", "ref-name": "t"},
           {"action": "remove-snapshots", "snapshot-ids": [11]},
           {"action": "remove-schemas", "schema-ids": [0]},
           {"action": "remove-partition-specs", "spec-ids": [0]}]
    yield [{"action": "set-location", "location": location}]
    yield [{"action": "add-encryption-key", "encryption-key": {
        "key-id": "k", "encrypted-key-metadata": "a2V5"}},
        {"action": "remove-encryption-key", "key-id": "k"}]


def _requirements(metadata):
    """Every requirement of a table that exists, all of them met."""
    return [{"type": "assert-table-uuid", "uuid": metadata["table-uuid"]},
            {"type": "assert-ref-snapshot-id", "ref": "none", "snapshot-id": None},
            {"type": "assert-last-assigned-field-id",
             "last-assigned-field-id": metadata["last-column-id"]},
            {"type": "assert-current-schema-id",
             "current-schema-id": metadata["current-schema-id"]},
            {"type": "assert-last-assigned-partition-id",
             "last-assigned-partition-id": metadata["last-partition-id"]},
            {"type": "assert-default-spec-id", "default-spec-id": metadata["default-spec-id"]},
            {"type": "assert-default-sort-order-id",
             "default-sort-order-id": metadata["default-sort-order-id"]}]


def updates(target):
    name = target.namespace("oa")
    metadata = target.table(name)["metadata"]
    path = TABLE_PATH.format(name, "t")
    for some in _updates(metadata["location"], metadata["table-uuid"]):
        target.v1("POST", path, {"identifier": {"namespace": [name], "name": "t"},
                                 "requirements": _requirements(metadata), "updates": some})
        metadata = target.v1("GET", path).json["metadata"]
    wrong = [{"type": "assert-current-schema-id", "current-schema-id": 99}]
    target.v1("POST", path, {"requirements": wrong, "updates": [set_properties(z="1")]})
    target.v1("POST", TABLE_PATH.format(name, "missing"),
              {"requirements": [], "updates": [set_properties(z="1")]})


def staged(target):
    name = target.namespace("oa")
    answer = target.v1("POST", f"/namespaces/{name}/tables",
                       {"name": "t", "schema": SCHEMA, "stage-create": True})
    metadata = answer.json["metadata"]
    target.v1("POST", TABLE_PATH.format(name, "t"), {
        "requirements": [{"type": "assert-create"}],
        "updates": [{"action": "assign-uuid", "uuid": metadata["table-uuid"]},
                    {"action": "upgrade-format-version", "format-version": 2},
                    {"action": "add-schema", "schema": metadata["schemas"][0]},
                    {"action": "set-current-schema", "schema-id": -1},
                    {"action": "add-spec", "spec": metadata["partition-specs"][0]},
                    {"action": "set-default-spec", "spec-id": -1},
                    {"action": "add-sort-order", "sort-order": metadata["sort-orders"][0]},
                    {"action": "set-default-sort-order", "sort-order-id": -1},
                    {"action": "set-location", "location": metadata["location"]}]},
        {"Idempotency-Key": uuid7()})


def register(target):
    name = target.namespace("oa")
    location = target.table(name)["metadata-location"]
    target.v1("DELETE", TABLE_PATH.format(name, "t"))
    body = {"name": "t", "metadata-location": location}
    for _ in range(2):
        target.v1("POST", f"/namespaces/{name}/register", body)
    target.v1("POST", f"/namespaces/{name}/register", {**body, "overwrite": True})
    target.v1("POST", "/namespaces/missing_ns_oa/register", body)
    target.v1("POST", f"/namespaces/{name}/register",
              {"name": "u", "metadata-location": location + ".missing"})


def unregister(target):
    name = target.namespace("oa")
    target.table(name)
    for _ in range(2):
        target.v1("POST", TABLE_PATH.format(name, "t") + "/unregister")


def rename(target):
    name = target.namespace("oa")
    target.table(name)
    for source, to in (("t", "u"), ("t", "u"), ("u", "u2")):
        target.v1("POST", "/tables/rename", {
            "source": {"namespace": [name], "name": source},
            "destination": {"namespace": [name], "name": to}})


def transactions(target):
    name = target.namespace("oa")
    target.table(name, "a")
    target.table(name, "b")
    wrong = [{"type": "assert-default-spec-id", "default-spec-id": 99}]
    for table, requirements in (("b", []), ("b", wrong), ("missing", [])):
        target.v1("POST", "/transactions/commit", {"table-changes": [
            {"identifier": {"namespace": [name], "name": "a"}, "requirements": [],
             "updates": [set_properties(x="1")]},
            {"identifier": {"namespace": [name], "name": table}, "requirements": requirements,
             "updates": [set_properties(x="1")]}]})


def metrics(target):
    name = target.namespace("oa")
    target.table(name)
    path = TABLE_PATH.format(name, "t") + "/metrics"
    counter, timer = {"unit": "count", "value": 1}, {
        "count": 1, "time-unit": "nanoseconds", "total-duration": 5}
    target.v1("POST", path, {
        "report-type": "scan-report", "table-name": f"{name}.t", "snapshot-id": 1, "schema-id": 0,
        "filter": {"type": "gt", "term": "id", "value": 5}, "projected-field-ids": [1],
        "projected-field-names": ["id"],
        "metrics": {"total-planning-duration": timer, "result-data-files": counter}})
    target.v1("POST", path, {
        "report-type": "commit-report", "table-name": f"{name}.t", "snapshot-id": 1,
        "sequence-number": 1, "operation": "append",
        "metrics": {"total-duration": timer, "attempts": counter}, "metadata": {"k": "v"}})


def credentials(target):
    name = target.namespace("oa")
    target.table(name)
    for table in ("t", "missing"):
        target.v1("GET", TABLE_PATH.format(name, table) + "/credentials")


def functions(target):
    name = target.namespace("oa")
    for namespace in (name, "missing_ns_oa"):
        target.v1("GET", f"/namespaces/{namespace}/functions")
    target.v1("GET", f"/namespaces/{name}/functions/missing")


def _version(sql, number=1):
    return {"version-id": number, "timestamp-ms": now_ms(), "schema-id": 0, "summary": {},
            "default-namespace": ["x"],
            "representations": [{"type": "sql", "sql": sql, "dialect": "spark"}]}


def views(target):
    name = target.namespace("oa")
    body = {"name": "v", "schema": SCHEMA, "view-version": _version("SELECT 1"), "properties": {}}
    for namespace in (name, name, "missing_ns_oa"):
        target.v1("POST", f"/namespaces/{namespace}/views", body)
    target.v1("GET", f"/namespaces/{name}/views?pageToken=&pageSize=1")
    path = VIEW_PATH.format(name, "v")
    for method in ("GET", "HEAD"):
        target.v1(method, path)
        target.v1(method, VIEW_PATH.format(name, "missing"))
    view_uuid = target.v1("GET", path).json["metadata"]["view-uuid"]
    for uuid in (view_uuid, "00000000-0000-0000-0000-000000000000"):
        target.v1("POST", path, {
            "requirements": [{"type": "assert-view-uuid", "uuid": uuid}],
            "updates": [{"action": "add-view-version", "view-version": _version("SELECT 2", 2)},
                        {"action": "set-current-view-version", "view-version-id": -1},
                        set_properties(a="1")]})
    location = target.v1("GET", path).json["metadata-location"]
    for source in ("v", "v"):
        target.v1("POST", "/views/rename", {
            "source": {"namespace": [name], "name": source},
            "destination": {"namespace": [name], "name": "w"}})
    for view in ("w", "w"):
        target.v1("DELETE", VIEW_PATH.format(name, view))
    for _ in range(2):
        target.v1("POST", f"/namespaces/{name}/register-view",
                  {"name": "r", "metadata-location": location})


CALLS = {
    config: ["getConfig"],
    token: ["getToken"],
    namespaces: ["listNamespaces", "createNamespace", "loadNamespaceMetadata", "namespaceExists",
                 "dropNamespace", "updateProperties"],
    tables: ["listTables", "createTable", "loadTable", "tableExists", "dropTable"],
    updates: ["updateTable"],
    staged: ["createTable", "updateTable"],
    register: ["registerTable"],
    unregister: ["unregisterTable"],
    rename: ["renameTable"],
    transactions: ["commitTransaction"],
    metrics: ["reportMetrics"],
    credentials: ["loadCredentials"],
    functions: ["listFunctions", "loadFunction"],
    views: ["listViews", "createView", "loadView", "viewExists", "replaceView", "dropView",
            "renameView", "registerView"],
}

# Operations whose only truthful answer today is that there is nothing: no success is wanted.
NEVER_SUCCEED = {"loadFunction"}
