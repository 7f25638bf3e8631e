# SPDX-License-Identifier: Apache-2.0
"""The wire protocol of tables, commits, transactions and views, in raw HTTP."""

import os
import tempfile
import threading
import urllib.parse

from harness import (SCHEMA, Skip, assert_error, needs_node, reference_differs, set_properties,
                     snapshot, uuid7)

APPEND = {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch"}


def tables(namespace, table=None, more=""):
    return f"/namespaces/{namespace}/tables" + (f"/{table}" if table else "") + more


def commit(target, namespace, table, updates, requirements=(), **more):
    return target.v1("POST", tables(namespace, table),
                     {"requirements": list(requirements), "updates": list(updates)}, **more)


def append(target, namespace, table, number, sequence, parent=None, requirements=()):
    """Adds a snapshot and makes it current; returns the answer."""
    return commit(target, namespace, table,
                  [{"action": "add-snapshot", "snapshot": snapshot(number, sequence, parent)},
                   {**APPEND, "snapshot-id": number}], requirements)


def load(target, namespace, table="t", query=""):
    answer = target.v1("GET", tables(namespace, table, query))
    assert answer.status == 200, answer
    return answer.json


def local_path(location):
    """The path of a file: location."""
    return urllib.parse.urlsplit(location).path


# --- create, load, exists, drop ---

def test_table_life(target):
    name = target.namespace()
    made = target.v1("POST", tables(name), {"name": "t", "schema": SCHEMA,
                                            "properties": {"owner": "ann"}})
    assert made.status == 200 and made.etag, (made, made.headers)
    metadata = made.json["metadata"]
    assert metadata["format-version"] == 2 and metadata["last-column-id"] == 2, metadata
    assert metadata["current-schema-id"] == 0 and metadata["current-snapshot-id"] == -1, metadata
    assert metadata["properties"]["owner"] == "ann", metadata
    assert metadata["partition-specs"] == [{"spec-id": 0, "fields": []}], metadata
    assert metadata["last-partition-id"] == 999 and metadata["default-sort-order-id"] == 0
    assert os.path.basename(made.json["metadata-location"]).startswith("00000-"), made
    head = target.v1("HEAD", tables(name, "t"))
    assert (head.status, head.body) == (204, b""), head
    loaded = target.v1("GET", tables(name, "t"))
    assert loaded.json["metadata"] == metadata, loaded
    assert loaded.json["metadata-location"] == made.json["metadata-location"]
    listed = target.v1("GET", tables(name)).json["identifiers"]
    assert listed == [{"namespace": [name], "name": "t"}], listed
    gone = target.v1("DELETE", tables(name, "t"))
    assert (gone.status, gone.body) == (204, b""), gone
    assert target.v1("HEAD", tables(name, "t")).status == 404
    assert_error(target.v1("GET", tables(name, "t")), 404, "NoSuchTableException",
                 f"Table does not exist: {name}.t")
    assert_error(target.v1("DELETE", tables(name, "t")), 404, "NoSuchTableException")


def test_metadata_files_are_written_and_kept_after_a_drop(target):
    name = target.namespace()
    location = target.table(name)["metadata-location"]
    assert os.path.exists(local_path(location)), location
    assert target.v1("DELETE", tables(name, "t")).status == 204
    assert os.path.exists(local_path(location)), "a drop without purge removed the metadata"


def test_create_assigns_fresh_field_ids(target):
    name = target.namespace()
    schema = {"type": "struct", "schema-id": 7, "identifier-field-ids": [40], "fields": [
        {"id": 50, "name": "s", "required": False, "type": {"type": "struct", "fields": [
            {"id": 10, "name": "x", "type": "int", "required": True}]}},
        {"id": 40, "name": "k", "type": "long", "required": True},
        {"id": 60, "name": "l", "required": False, "type": {
            "type": "list", "element-id": 61, "element": "string", "element-required": True}},
    ]}
    metadata = target.table(name, schema=schema)["metadata"]
    made = metadata["schemas"][0]
    assert made["schema-id"] == 0 and [f["id"] for f in made["fields"]] == [1, 2, 3], made
    assert made["fields"][0]["type"]["fields"][0]["id"] == 4, made
    assert made["fields"][2]["type"]["element-id"] == 5, made
    assert made["identifier-field-ids"] == [2] and metadata["last-column-id"] == 5, metadata


def test_create_with_a_spec_an_order_and_a_version(target):
    name = target.namespace()
    metadata = target.table(
        name, properties={"format-version": "3"},
        **{"partition-spec": {"spec-id": 0, "fields": [
            {"source-id": 1, "name": "id_bucket", "transform": "bucket[16]"}]},
           "write-order": {"order-id": 1, "fields": [
               {"source-id": 2, "transform": "identity", "direction": "asc",
                "null-order": "nulls-first"}]}})["metadata"]
    assert metadata["format-version"] == 3 and metadata["next-row-id"] == 0, metadata
    assert metadata.get("current-snapshot-id") is None, "version 3 writes null, not -1"
    assert "format-version" not in metadata["properties"], metadata
    assert metadata["partition-specs"][0]["fields"][0]["field-id"] == 1000, metadata
    assert metadata["default-sort-order-id"] == 1 and metadata["last-partition-id"] == 1000


def test_creating_a_table_twice(target):
    name = target.namespace()
    target.table(name)
    body = {"name": "t", "schema": SCHEMA}
    assert_error(target.v1("POST", tables(name), body), 409, "AlreadyExistsException",
                 f"Table already exists: {name}.t")


@reference_differs("its JDBC catalog creates namespaces on the way")
def test_missing_namespaces_are_not_created_on_the_way(target):
    name = target.namespace()
    made = target.table(name)
    answer = target.v1("POST", tables("missing_ns"), {"name": "t", "schema": SCHEMA})
    assert_error(answer, 404, "NoSuchNamespaceException", "Namespace does not exist: missing_ns")
    body = {"name": "r", "metadata-location": made["metadata-location"]}
    assert_error(target.v1("POST", "/namespaces/missing_ns/register", body), 404,
                 "NoSuchNamespaceException")
    assert_error(rename(target, name, "t", "x", "missing_ns"), 404, "NoSuchNamespaceException")
    assert_error(create_view(target, "missing_ns", "v"), 404, "NoSuchNamespaceException")
    create_view(target, name, "w")
    assert_error(rename(target, name, "w", "x", "missing_ns", kind="views"), 404,
                 "NoSuchNamespaceException")
    assert_error(target.v1("GET", tables("missing_ns")), 404, "NoSuchNamespaceException")
    assert_error(target.v1("GET", "/namespaces/missing_ns/views"), 404, "NoSuchNamespaceException")
    assert target.v1("HEAD", tables(name, "t")).status == 204


@reference_differs("creates tables of format version 4")
def test_version_4_cannot_be_created(target):
    name = target.namespace()
    for version in ("4", "5", "0", "x"):
        answer = target.v1("POST", tables(name), {"name": "t", "schema": SCHEMA,
                                                  "properties": {"format-version": version}})
        assert_error(answer, 400)


@reference_differs("answers 500 for some requests that are not valid")
def test_bad_create_requests_are_refused(target):
    name = target.namespace()
    good = {"name": "t", "schema": SCHEMA}
    field = SCHEMA["fields"][0]
    for change in ({"name": None}, {"name": ""}, {"schema": None}, {"schema": {"type": "list"}},
                   {"schema": {"type": "struct", "fields": [{**field, "type": "no-such-type"}]}},
                   {"schema": {"type": "struct", "fields": [field, field]}},
                   {"schema": {"type": "struct", "fields": [{**field, "type": "decimal(99,2)"}]}},
                   {"partition-spec": {"fields": [{"source-id": 99, "name": "x",
                                                   "transform": "identity"}]}},
                   {"stage-create": "yes"}, {"properties": {"a": 1}}, {"properties": []}):
        body = {key: value for key, value in {**good, **change}.items() if value is not None}
        assert_error(target.v1("POST", tables(name), body), 400)
    assert target.v1("GET", tables(name)).json["identifiers"] == []


def test_locations_outside_the_warehouse_are_refused(target):
    if target.reference:
        raise Skip("the reference server writes wherever it is told to")
    name = target.namespace()
    home = target.table(name)["metadata"]["location"]
    folder = tempfile.mkdtemp(prefix="tarn-outside-")
    outside = [f"file://{folder}/t", home + "/.." * 30 + folder + "/t", f"file:{folder}/t",
               f"{folder}/t", "s3://bucket/x", home + "/%2e%2e/%2e%2e/x", home + "/.." * 4 + "/x",
               "file://elsewhere" + local_path(home)]
    for number, location in enumerate(outside):
        answer = target.v1("POST", tables(name), {"name": f"o{number}", "schema": SCHEMA,
                                                  "location": location})
        assert answer.status in (400, 403), (location, answer)
        assert_error(answer, answer.status)
        moved = commit(target, name, "t", [{"action": "set-location", "location": location}])
        assert moved.status in (400, 403), (location, moved)
    assert os.listdir(folder) == []
    os.rmdir(folder)


def test_names_that_look_like_paths_stay_in_the_warehouse(target):
    if target.reference:
        raise Skip("the reference server writes wherever a name leads it")
    name = target.namespace()
    home = os.path.dirname(local_path(target.table(name)["metadata"]["location"]))
    for odd in ("..", ".", "../../escape", "a/../../../b"):
        answer = target.v1("POST", tables(name), {"name": odd, "schema": SCHEMA})
        if answer.status == 400:
            continue
        assert answer.status == 200, answer
        location = local_path(answer.json["metadata"]["location"])
        assert os.path.realpath(location).startswith(home + "/"), location


def test_locations_are_unique_after_a_rename(target):
    """The default location of a new table is not the one of a renamed table that lives on."""
    name = target.namespace()
    first = target.table(name)["metadata"]["location"]
    rename(target, name, "t", "u")
    second = target.table(name)["metadata"]["location"]
    if target.reference and first == second:
        raise Skip("the reference server reuses the location")
    assert first != second


# --- freshness ---

@reference_differs("its ETags of create, register and load differ for one state")
def test_etags(target):
    name = target.namespace()
    made = target.v1("POST", tables(name), {"name": "t", "schema": SCHEMA})
    before = target.v1("GET", tables(name, "t")).etag
    assert made.etag == before, "the ETag of a create is not the one of the next load"
    target.table(name, "u")
    gone = load(target, name, "u")["metadata-location"]
    target.v1("DELETE", tables(name, "u"))
    registered = target.v1("POST", f"/namespaces/{name}/register",
                           {"name": "u", "metadata-location": gone})
    assert registered.etag == target.v1("GET", tables(name, "u")).etag, registered
    changed = commit(target, name, "t", [set_properties(a="1")])
    after = target.v1("GET", tables(name, "t")).etag
    assert before != after, "a commit did not change the ETag"
    assert changed.etag == after, "the commit's ETag is not the one of the next load"
    assert target.v1("GET", tables(name, "t", "?snapshots=all")).etag == after
    assert target.v1("GET", tables(name, "t", "?snapshots=refs")).etag != after


def test_not_modified(target):
    name = target.namespace()
    target.table(name)
    etag = target.v1("GET", tables(name, "t")).etag
    answer = target.v1("GET", tables(name, "t"), headers={"If-None-Match": etag})
    assert (answer.status, answer.body) == (304, b""), answer
    other = target.v1("GET", tables(name, "t"), headers={"If-None-Match": '"other"'})
    assert other.status == 200, other
    commit(target, name, "t", [set_properties(a="1")])
    assert target.v1("GET", tables(name, "t"), headers={"If-None-Match": etag}).status == 200


@reference_differs("compares the header's text with its own ETag only")
def test_not_modified_forms(target):
    name = target.namespace()
    target.table(name)
    etag = target.v1("GET", tables(name, "t")).etag
    plain = etag.removeprefix("W/").strip('"')
    for form in (f'"{plain}"', f'W/"{plain}"', plain, f'"other", "{plain}"',
                 f'W/"other",W/"{plain}"'):
        answer = target.v1("GET", tables(name, "t"), headers={"If-None-Match": form})
        assert (answer.status, answer.body) == (304, b""), (form, answer)
    refs = target.v1("GET", tables(name, "t", "?snapshots=refs"), headers={"If-None-Match": etag})
    assert refs.status == 200, "the ETag of snapshots=all matched snapshots=refs"


def test_snapshots_refs_holds_only_what_refs_point_at(target):
    name = target.namespace()
    target.table(name)
    for number in (1, 2, 3):
        parent = 99 + number if number > 1 else None
        answer = append(target, name, "t", 100 + number, number, parent)
        assert answer.status == 200, answer
    commit(target, name, "t", [{"action": "set-snapshot-ref", "ref-name": "old", "type": "tag",
                                "snapshot-id": 101}])
    every = load(target, name, query="?snapshots=all")["metadata"]
    few = load(target, name, query="?snapshots=refs")["metadata"]
    assert [s["snapshot-id"] for s in every["snapshots"]] == [101, 102, 103], every
    assert sorted(s["snapshot-id"] for s in few["snapshots"]) == [101, 103], few
    assert load(target, name)["metadata"] == every, "the default is all"
    assert few["current-snapshot-id"] == 103 and set(few["refs"]) == {"main", "old"}


@reference_differs("answers 500")
def test_unknown_snapshots_mode_is_refused(target):
    name = target.namespace()
    target.table(name)
    assert_error(target.v1("GET", tables(name, "t", "?snapshots=some")), 400)


# --- rename ---

def rename(target, namespace, source, destination, to=None, kind="tables"):
    return target.v1("POST", f"/{kind}/rename", {
        "source": {"namespace": [namespace], "name": source},
        "destination": {"namespace": [to or namespace], "name": destination}})


def test_rename(target):
    name, other = target.namespace(), target.namespace()
    before = target.table(name)["metadata"]["table-uuid"]
    answer = rename(target, name, "t", "u", other)
    assert (answer.status, answer.body) == (204, b""), answer
    assert target.v1("HEAD", tables(name, "t")).status == 404
    assert load(target, other, "u")["metadata"]["table-uuid"] == before
    target.table(name)
    assert_error(rename(target, name, "t", "u", other), 409, "AlreadyExistsException")
    assert_error(rename(target, name, "missing", "x"), 404, "NoSuchTableException")
    assert target.v1("HEAD", tables(name, "t")).status == 204


# --- register, unregister ---

def test_register(target):
    name = target.namespace()
    made = target.table(name)
    target.v1("DELETE", tables(name, "t"))
    body = {"name": "r", "metadata-location": made["metadata-location"]}
    answer = target.v1("POST", f"/namespaces/{name}/register", body)
    assert answer.status == 200 and answer.etag, answer
    assert answer.json["metadata"]["table-uuid"] == made["metadata"]["table-uuid"], answer
    assert_error(target.v1("POST", f"/namespaces/{name}/register", body), 409,
                 "AlreadyExistsException")


@reference_differs("its JDBC catalog cannot overwrite")
def test_register_with_overwrite_goes_back_in_time(target):
    name = target.namespace()
    first = target.table(name)["metadata-location"]
    commit(target, name, "t", [set_properties(a="1")])
    answer = target.v1("POST", f"/namespaces/{name}/register",
                       {"name": "t", "metadata-location": first, "overwrite": True})
    assert answer.status == 200, answer
    assert "a" not in load(target, name)["metadata"]["properties"]


@reference_differs("answers 400 or 500 for a file that is not there, and reads any path")
def test_register_of_bad_files(target):
    name = target.namespace()
    folder = os.path.dirname(target.table(name)["metadata-location"])
    where = f"/namespaces/{name}/register"
    missing = target.v1("POST", where, {"name": "r",
                                        "metadata-location": f"{folder}/00009-x.metadata.json"})
    assert_error(missing, 404, "NotFoundException")
    for location in ("file:///etc/passwd", "file:///etc/../etc/passwd", "x", ""):
        answer = target.v1("POST", where, {"name": "r", "metadata-location": location})
        assert answer.status in (400, 403), (location, answer)
        assert "root:" not in answer.json["error"]["message"]
    broken = local_path(folder) + "/00007-broken.metadata.json"
    with open(broken, "w", encoding="ascii") as text:
        text.write('{"format-version": 2, "table-uuid"')
    assert_error(target.v1("POST", where, {"name": "r", "metadata-location": "file://" + broken}),
                 400)


@reference_differs("release 1.11.0 does not have it")
def test_unregister(target):
    name = target.namespace()
    made = target.table(name)
    commit(target, name, "t", [set_properties(a="1")])
    answer = target.v1("POST", tables(name, "t", "/unregister"))
    assert answer.status == 200, answer
    assert answer.json["metadata"]["properties"]["a"] == "1", answer
    assert answer.json["metadata-location"] != made["metadata-location"]
    assert os.path.exists(local_path(answer.json["metadata-location"]))
    assert_error(commit(target, name, "t", [set_properties(b="1")]), 404, "NoSuchTableException")
    assert_error(target.v1("POST", tables(name, "t", "/unregister")), 404, "NoSuchTableException")


# --- staged creation ---

def staged_updates(metadata):
    """What a client sends to create the table that it staged."""
    return [{"action": "assign-uuid", "uuid": metadata["table-uuid"]},
            {"action": "upgrade-format-version", "format-version": metadata["format-version"]},
            {"action": "add-schema", "schema": metadata["schemas"][0], "last-column-id": 2},
            {"action": "set-current-schema", "schema-id": -1},
            {"action": "add-spec", "spec": metadata["partition-specs"][0]},
            {"action": "set-default-spec", "spec-id": -1},
            {"action": "add-sort-order", "sort-order": metadata["sort-orders"][0]},
            {"action": "set-default-sort-order", "sort-order-id": -1},
            {"action": "set-location", "location": metadata["location"]},
            set_properties(**metadata["properties"])]


def stage(target, namespace, table):
    answer = target.v1("POST", tables(namespace), {"name": table, "schema": SCHEMA,
                                                   "stage-create": True})
    assert answer.status == 200, answer
    assert answer.json.get("metadata-location") is None, answer
    return answer.json["metadata"]


def test_stage_create(target):
    name = target.namespace()
    metadata = stage(target, name, "t")
    assert target.v1("HEAD", tables(name, "t")).status == 404
    must_not_exist = [{"type": "assert-create"}]
    answer = commit(target, name, "t", staged_updates(metadata), must_not_exist)
    assert answer.status == 200, answer
    made = load(target, name)["metadata"]
    assert made["table-uuid"] == metadata["table-uuid"] and made["location"] == metadata["location"]
    assert_error(commit(target, name, "t", staged_updates(metadata), must_not_exist), 409,
                 text="Requirement failed: table already exists")
    again = target.v1("POST", tables(name), {"name": "t", "schema": SCHEMA, "stage-create": True})
    assert_error(again, 409, "AlreadyExistsException")


def test_bad_staged_creates_are_refused(target):
    if target.reference:
        raise Skip("the reference server answers 500 or does not answer")
    name = target.namespace()
    updates = staged_updates(stage(target, name, "t"))
    must_not_exist = [{"type": "assert-create"}]
    for left_out in ("add-schema", "add-spec", "add-sort-order", "set-location"):
        some = [u for u in updates if u["action"] != left_out]
        assert_error(commit(target, name, "t", some, must_not_exist), 400)
    both = [*must_not_exist, {"type": "assert-table-uuid", "uuid": updates[0]["uuid"]}]
    assert_error(commit(target, name, "t", updates, both), 400, text="Invalid create requirements")
    assert_error(target.v1("POST", tables("missing_ns", "t"),
                           {"requirements": must_not_exist, "updates": updates}), 404,
                 "NoSuchNamespaceException")
    assert target.v1("HEAD", tables(name, "t")).status == 404


# --- commits ---

def test_commit(target):
    name = target.namespace()
    made = target.table(name)
    answer = commit(target, name, "t", [set_properties(a="1", b="2")],
                    [{"type": "assert-table-uuid", "uuid": made["metadata"]["table-uuid"]}])
    assert answer.status == 200, answer
    assert answer.json["metadata"]["properties"]["a"] == "1", answer
    assert answer.json["metadata-location"] != made["metadata-location"]
    log = answer.json["metadata"]["metadata-log"]
    assert log[-1]["metadata-file"] == made["metadata-location"], log
    assert os.path.exists(local_path(answer.json["metadata-location"]))
    removed = commit(target, name, "t", [{"action": "remove-properties", "removals": ["a", "zz"]}])
    assert "a" not in removed.json["metadata"]["properties"], removed


def test_a_commit_without_effect_makes_no_version(target):
    name = target.namespace()
    made = target.table(name)
    same = made["metadata"]["location"]
    for updates in ([], [{"action": "set-location", "location": same}],
                    [{"action": "remove-snapshot-ref", "ref-name": "nothing"}]):
        answer = commit(target, name, "t", updates)
        assert answer.status == 200, answer
        assert answer.json["metadata-location"] == made["metadata-location"], updates


def test_a_commit_without_requirements_member(target):
    """Load generators leave it out."""
    name = target.namespace()
    target.table(name)
    answer = target.v1("POST", tables(name, "t"), {"updates": [set_properties(a="1")]})
    if target.reference and answer.status != 200:
        raise Skip("the reference server wants the member")
    assert answer.status == 200, answer


@reference_differs("answers 406 or 500")
def test_unknown_updates_and_requirements_are_refused(target):
    name = target.namespace()
    made = target.table(name)
    for updates, requirements in (
            ([{"action": "no-such-update"}], []),
            ([set_properties(a="1"), {"action": "no-such-update"}], []),
            ([set_properties(a="1")], [{"type": "assert-no-such-thing"}]),
            ([{"updates": {"a": "1"}}], []), (["x"], []),
            ([{"action": "add-view-version", "view-version": {}}], []),
            ([set_properties(a="1")], [{"type": "assert-view-uuid", "uuid": "x"}])):
        assert_error(commit(target, name, "t", updates, requirements), 400)
    assert load(target, name)["metadata-location"] == made["metadata-location"]


def test_commit_to_a_missing_table(target):
    name = target.namespace()
    assert_error(commit(target, name, "t", [set_properties(a="1")]), 404, "NoSuchTableException")


def test_failed_requirements(target):
    name = target.namespace()
    target.table(name)
    assert append(target, name, "t", 11, 1).status == 200
    for requirement, text in (
            ({"type": "assert-table-uuid", "uuid": "00000000-0000-0000-0000-000000000000"},
             "Requirement failed: UUID does not match"),
            ({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 12},
             "Requirement failed: branch main has changed: expected id 12 != 11"),
            ({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": None},
             "main was created concurrently"),
            ({"type": "assert-ref-snapshot-id", "ref": "x", "snapshot-id": 1},
             "branch or tag x is missing, expected 1"),
            ({"type": "assert-last-assigned-field-id", "last-assigned-field-id": 9},
             "last assigned field id changed: expected id 9 != 2"),
            ({"type": "assert-current-schema-id", "current-schema-id": 5},
             "current schema changed: expected id 5 != 0"),
            ({"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 1000},
             "last assigned partition id changed"),
            ({"type": "assert-default-spec-id", "default-spec-id": 4},
             "default partition spec changed: expected id 4 != 0"),
            ({"type": "assert-default-sort-order-id", "default-sort-order-id": 4},
             "default sort order changed: expected id 4 != 0")):
        assert_error(commit(target, name, "t", [set_properties(a="1")], [requirement]), 409,
                     "CommitFailedException", text)
    assert "a" not in load(target, name)["metadata"]["properties"]


def test_a_snapshot_that_is_behind_is_a_conflict(target):
    """409, never 400: a client that reads 400 gives up and deletes its files."""
    name = target.namespace()
    target.table(name)
    assert append(target, name, "t", 1, 1).status == 200
    assert append(target, name, "t", 2, 2, 1).status == 200
    assert_error(append(target, name, "t", 3, 2, 1), 409, "CommitFailedException",
                 "sequence number 2 older than last sequence number 2")


def test_row_lineage(target):
    name = target.namespace()
    target.table(name, properties={"format-version": "3"})
    first = {**snapshot(1, 1), "first-row-id": 0, "added-rows": 10}
    answer = commit(target, name, "t", [{"action": "add-snapshot", "snapshot": first},
                                        {**APPEND, "snapshot-id": 1}])
    assert answer.status == 200 and answer.json["metadata"]["next-row-id"] == 10, answer
    behind = {**snapshot(2, 2, 1), "first-row-id": 5, "added-rows": 1}
    assert_error(commit(target, name, "t", [{"action": "add-snapshot", "snapshot": behind}]), 409,
                 "CommitFailedException")


def test_big_integers_are_exact(target):
    name = target.namespace()
    target.table(name)
    big = 9223372036854775807
    assert append(target, name, "t", big, 1).status == 200
    metadata = load(target, name)["metadata"]
    assert metadata["current-snapshot-id"] == big, metadata["current-snapshot-id"]
    assert metadata["snapshots"][0]["snapshot-id"] == big
    odd = 9007199254740993  # one more than a double can hold
    assert append(target, name, "t", odd, 2, big).status == 200
    assert load(target, name)["metadata"]["snapshots"][1]["parent-snapshot-id"] == big
    assert load(target, name)["metadata"]["refs"]["main"]["snapshot-id"] == odd


@reference_differs("drops members that it does not know")
def test_unknown_members_are_kept(target):
    name = target.namespace()
    target.table(name)
    made = {**snapshot(1, 1), "x-future": {"deep": [1, 18446744073709551615, "ü"]}}
    answer = commit(target, name, "t", [{"action": "add-snapshot", "snapshot": made},
                                        {**APPEND, "snapshot-id": 1}])
    assert answer.status == 200, answer
    kept = load(target, name)["metadata"]["snapshots"][0]
    assert kept["x-future"] == made["x-future"], kept


@reference_differs("drops the ref silently")
def test_expiring_the_head_of_a_ref_is_a_conflict(target):
    name = target.namespace()
    target.table(name)
    append(target, name, "t", 1, 1)
    append(target, name, "t", 2, 2, 1)
    assert_error(commit(target, name, "t", [{"action": "remove-snapshots", "snapshot-ids": [2]}]),
                 409, "CommitFailedException")
    answer = commit(target, name, "t", [{"action": "remove-snapshots", "snapshot-ids": [1]}])
    assert answer.status == 200, answer


# --- idempotency ---

def key_header(key):
    return {"Idempotency-Key": key}


def needs_idempotency(target):
    if "idempotency-key-lifetime" not in target.config:
        raise Skip("the server does not advertise idempotency keys")


def test_a_replayed_create_is_not_a_conflict(target):
    needs_idempotency(target)
    name, headers = target.name(), key_header(uuid7())
    for _ in range(3):
        answer = target.v1("POST", "/namespaces", {"namespace": [name]}, headers)
        assert answer.status == 200, answer
    assert_error(target.v1("POST", "/namespaces", {"namespace": [name]}, key_header(uuid7())), 409)


def test_a_replayed_commit_is_applied_once(target):
    needs_idempotency(target)
    name, headers = target.namespace(), key_header(uuid7())
    target.table(name)
    body = {"requirements": [{"type": "assert-ref-snapshot-id", "ref": "main",
                              "snapshot-id": None}],
            "updates": [{"action": "add-snapshot", "snapshot": snapshot(1, 1)},
                        {**APPEND, "snapshot-id": 1}]}
    first = target.v1("POST", tables(name, "t"), body, headers)
    second = target.v1("POST", tables(name, "t"), body, headers)
    assert (first.status, second.status) == (200, 200), (first, second)
    assert first.json["metadata-location"] == second.json["metadata-location"]
    assert len(load(target, name)["metadata"]["snapshots"]) == 1


def test_replayed_refusals_stay_refusals(target):
    needs_idempotency(target)
    name, headers = target.namespace(), key_header(uuid7())
    assert_error(target.v1("POST", "/namespaces", {"namespace": [name]}, headers), 409,
                 "AlreadyExistsException")
    target.v1("DELETE", f"/namespaces/{name}")
    assert_error(target.v1("POST", "/namespaces", {"namespace": [name]}, headers), 409,
                 "AlreadyExistsException")


def test_replayed_drops_and_renames(target):
    needs_idempotency(target)
    name = target.namespace()
    target.table(name)
    body = {"source": {"namespace": [name], "name": "t"},
            "destination": {"namespace": [name], "name": "u"}}
    headers = key_header(uuid7())
    for _ in range(2):
        assert target.v1("POST", "/tables/rename", body, headers).status == 204
    headers = key_header(uuid7())
    for _ in range(2):
        assert target.v1("DELETE", tables(name, "u"), headers=headers).status == 204


@reference_differs("does not compare the request with the first one")
def test_a_key_belongs_to_one_request(target):
    needs_idempotency(target)
    name, key = target.namespace(), uuid7()
    target.table(name)
    target.table(name, "u")
    commit(target, name, "t", [set_properties(a="1")], headers=key_header(key))
    for again in (commit(target, name, "t", [set_properties(a="2")], headers=key_header(key)),
                  commit(target, name, "u", [set_properties(a="1")], headers=key_header(key)),
                  target.v1("DELETE", tables(name, "t"), headers=key_header(key))):
        assert again.status in (400, 409, 422), again
        assert_error(again, again.status)
    assert load(target, name)["metadata"]["properties"]["a"] == "1"


@reference_differs("takes any text")
def test_malformed_keys_are_refused(target):
    needs_idempotency(target)
    for key in ("x", "", "0" * 36, uuid7() + "0", "'; --"):
        answer = target.v1("POST", "/namespaces", {"namespace": [target.name()]}, key_header(key))
        assert_error(answer, 400)


def test_concurrent_duplicates_are_applied_once(target):
    needs_idempotency(target)
    name, headers = target.namespace(), key_header(uuid7())
    made = target.table(name)
    answers = []

    def send():
        answers.append(commit(target, name, "t", [set_properties(a="1")], headers=headers))
    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.status for a in answers] == [200] * 8, answers
    log = load(target, name)["metadata"]["metadata-log"]
    assert [entry["metadata-file"] for entry in log] == [made["metadata-location"]], log


@needs_node
def test_keys_survive_kill_and_restart(target):
    needs_idempotency(target)
    name, headers = target.namespace(), key_header(uuid7())
    target.table(name)
    first = commit(target, name, "t", [set_properties(a="1")], headers=headers)
    target.restart(kill=True)
    second = commit(target, name, "t", [set_properties(a="1")], headers=headers)
    assert second.status == 200, second
    assert second.json["metadata-location"] == first.json["metadata-location"]


# --- transactions ---

def change(namespace, table, updates, requirements=()):
    return {"identifier": {"namespace": [namespace], "name": table},
            "requirements": list(requirements), "updates": list(updates)}


def transact(target, *changes, **more):
    return target.v1("POST", "/transactions/commit", {"table-changes": list(changes)}, **more)


def test_transaction_over_two_tables(target):
    name, other = target.namespace(), target.namespace()
    target.table(name)
    target.table(other, "u")
    answer = transact(target, change(name, "t", [set_properties(a="1")]),
                      change(other, "u", [set_properties(a="1")]))
    assert (answer.status, answer.body) == (204, b""), answer
    assert load(target, name)["metadata"]["properties"]["a"] == "1"
    assert load(target, other, "u")["metadata"]["properties"]["a"] == "1"


def test_a_transaction_with_a_conflict_changes_nothing(target):
    name = target.namespace()
    first, second = target.table(name), target.table(name, "u")
    stale = [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 5}]
    answer = transact(target, change(name, "t", [set_properties(a="1")]),
                      change(name, "u", [set_properties(a="1")], stale))
    assert_error(answer, 409, "CommitFailedException", "Requirement failed")
    assert load(target, name)["metadata-location"] == first["metadata-location"]
    assert load(target, name, "u")["metadata-location"] == second["metadata-location"]


@reference_differs("does not name the table")
def test_a_failed_transaction_names_the_table(target):
    name = target.namespace()
    target.table(name)
    target.table(name, "culprit")
    answer = transact(target, change(name, "t", [set_properties(a="1")]),
                      change(name, "culprit", [], [{"type": "assert-default-spec-id",
                                                    "default-spec-id": 9}]))
    assert_error(answer, 409, "CommitFailedException", f"{name}.culprit")


def test_a_transaction_with_a_missing_table_changes_nothing(target):
    name = target.namespace()
    first = target.table(name)
    answer = transact(target, change(name, "t", [set_properties(a="1")]),
                      change(name, "missing", [set_properties(a="1")]))
    assert_error(answer, 404, "NoSuchTableException")
    assert load(target, name)["metadata-location"] == first["metadata-location"]


@reference_differs("loads every table first and finds none")
def test_a_transaction_may_create_tables(target):
    name = target.namespace()
    target.table(name)
    must_not_exist = [{"type": "assert-create"}]
    fresh = change(name, "new", staged_updates(stage(target, name, "new")), must_not_exist)
    stale = change(name, "t", [], [{"type": "assert-default-spec-id", "default-spec-id": 9}])
    assert_error(transact(target, fresh, stale), 409)
    assert target.v1("HEAD", tables(name, "new")).status == 404
    answer = transact(target, fresh, change(name, "t", [set_properties(a="1")]))
    assert answer.status == 204, answer
    assert target.v1("HEAD", tables(name, "new")).status == 204


@reference_differs("commits each change by itself")
def test_one_table_twice_in_a_transaction(target):
    name = target.namespace()
    made = target.table(name)
    answer = transact(target, change(name, "t", [set_properties(a="1")]),
                      change(name, "t", [set_properties(a="2", b="2")]))
    assert answer.status == 204, answer
    metadata = load(target, name)["metadata"]
    assert metadata["properties"]["a"] == "2" and metadata["properties"]["b"] == "2"
    log = [entry["metadata-file"] for entry in metadata["metadata-log"]]
    assert log == [made["metadata-location"]], "one new version for the table"


@reference_differs("answers 406 or 500")
def test_bad_transactions_are_refused(target):
    name = target.namespace()
    target.table(name)
    good = change(name, "t", [set_properties(a="1")])
    for body in ({}, {"table-changes": {}}, {"table-changes": [{"updates": []}]},
                 {"table-changes": [good, change(name, "t", [{"action": "no-such-update"}])]},
                 {"table-changes": [{**good, "identifier": {"namespace": [name]}}]}):
        assert_error(target.v1("POST", "/transactions/commit", body), 400)
    assert "a" not in load(target, name)["metadata"]["properties"]


# --- other operations on tables ---

def test_metrics_reports(target):
    name = target.namespace()
    target.table(name)
    path = tables(name, "t", "/metrics")
    report = {"report-type": "scan-report", "table-name": f"{name}.t", "snapshot-id": 1,
              "filter": True, "schema-id": 0, "projected-field-ids": [1],
              "projected-field-names": ["id"], "metrics": {}}
    answer = target.v1("POST", path, report)
    assert (answer.status, answer.body) == (204, b""), answer
    report = {"report-type": "commit-report", "table-name": f"{name}.t", "snapshot-id": 1,
              "sequence-number": 1, "operation": "append", "metrics": {}}
    assert target.v1("POST", path, report).status == 204


def test_credentials(target):
    if "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials" not in \
            target.endpoints():
        raise Skip("the server does not offer it")
    name = target.namespace()
    target.table(name)
    answer = target.v1("GET", tables(name, "t", "/credentials"))
    assert answer.status == 200, answer
    assert isinstance(answer.json["storage-credentials"], list), answer
    assert_error(target.v1("GET", tables(name, "missing", "/credentials")), 404,
                 "NoSuchTableException")


@reference_differs("release 1.11.0 does not have it")
def test_functions_are_empty(target):
    name = target.namespace()
    answer = target.v1("GET", f"/namespaces/{name}/functions")
    assert answer.status == 200 and answer.json["identifiers"] == [], answer
    assert_error(target.v1("GET", "/namespaces/missing_ns/functions"), 404,
                 "NoSuchNamespaceException")


# --- views ---

def view_version(*pairs, number=1, schema=0):
    return {"version-id": number, "timestamp-ms": 1700000000000, "schema-id": schema,
            "summary": {"engine-name": "test"}, "default-namespace": ["default"],
            "representations": [{"type": "sql", "sql": sql, "dialect": dialect}
                                for dialect, sql in pairs]}


def create_view(target, namespace, view, *pairs, **more):
    body = {"name": view, "schema": SCHEMA, "properties": {},
            "view-version": view_version(*(pairs or [("spark", "SELECT 1")])), **more}
    return target.v1("POST", f"/namespaces/{namespace}/views", body)


def views(namespace, view):
    return f"/namespaces/{namespace}/views/{view}"


def test_view_life(target):
    name = target.namespace()
    made = create_view(target, name, "v", ("spark", "SELECT 1"), ("trino", "SELECT 2"))
    assert made.status == 200, made
    metadata = made.json["metadata"]
    assert metadata["format-version"] == 1 and metadata["current-version-id"] == 1, metadata
    assert os.path.exists(local_path(made.json["metadata-location"]))
    assert target.v1("HEAD", views(name, "v")).status == 204
    assert target.v1("GET", views(name, "v")).json["metadata"] == metadata
    listed = target.v1("GET", f"/namespaces/{name}/views").json["identifiers"]
    assert listed == [{"namespace": [name], "name": "v"}], listed
    assert target.v1("GET", tables(name)).json["identifiers"] == []
    gone = target.v1("DELETE", views(name, "v"))
    assert (gone.status, gone.body) == (204, b""), gone
    assert target.v1("HEAD", views(name, "v")).status == 404
    assert_error(target.v1("GET", views(name, "v")), 404, "NoSuchViewException",
                 f"View does not exist: {name}.v")


def test_view_replace(target):
    name = target.namespace()
    made = create_view(target, name, "v").json["metadata"]
    updates = [{"action": "add-view-version",
                "view-version": view_version(("spark", "SELECT 2"), number=2)},
               {"action": "set-current-view-version", "view-version-id": -1}]
    need = [{"type": "assert-view-uuid", "uuid": made["view-uuid"]}]
    answer = target.v1("POST", views(name, "v"), {"requirements": need, "updates": updates})
    assert answer.status == 200, answer
    metadata = answer.json["metadata"]
    assert metadata["current-version-id"] == 2 and len(metadata["versions"]) == 2, metadata
    assert [entry["version-id"] for entry in metadata["version-log"]] == [1, 2], metadata
    wrong = [{"type": "assert-view-uuid", "uuid": "00000000-0000-0000-0000-000000000000"}]
    assert_error(target.v1("POST", views(name, "v"), {"requirements": wrong, "updates": updates}),
                 409, "CommitFailedException", "view UUID does not match")
    assert_error(target.v1("POST", views(name, "missing"), {"updates": updates}), 404,
                 "NoSuchViewException")


def test_one_dialect_twice_is_refused(target):
    name = target.namespace()
    answer = create_view(target, name, "v", ("trino", "SELECT 1"), ("TRINO", "SELECT 2"))
    assert_error(answer, 400, "IllegalArgumentException")
    text = "Invalid view version: Cannot add multiple queries for dialect trino"
    assert answer.json["error"]["message"].lower() == text.lower(), answer


@reference_differs("answers 500")
def test_losing_a_dialect_is_refused(target):
    name = target.namespace()
    create_view(target, name, "v", ("spark", "SELECT 1"), ("trino", "SELECT 1"))
    updates = [{"action": "add-view-version",
                "view-version": view_version(("spark", "SELECT 2"), number=2)},
               {"action": "set-current-view-version", "view-version-id": -1}]
    answer = target.v1("POST", views(name, "v"), {"requirements": [], "updates": updates})
    assert_error(answer, 400, text="Cannot replace view due to loss of view dialects")


def test_tables_and_views_share_their_names(target):
    name = target.namespace()
    target.table(name, "tab")
    create_view(target, name, "view")
    assert_error(create_view(target, name, "tab"), 409, "AlreadyExistsException",
                 f"Table with same name already exists: {name}.tab")
    answer = target.v1("POST", tables(name), {"name": "view", "schema": SCHEMA})
    assert_error(answer, 409, "AlreadyExistsException",
                 f"View with same name already exists: {name}.view")
    assert_error(rename(target, name, "tab", "view"), 409, "AlreadyExistsException")
    assert_error(rename(target, name, "view", "tab", kind="views"), 409, "AlreadyExistsException")
    assert target.v1("HEAD", tables(name, "view")).status == 404
    assert target.v1("HEAD", views(name, "tab")).status == 404


def test_view_rename(target):
    name = target.namespace()
    create_view(target, name, "v")
    answer = rename(target, name, "v", "w", kind="views")
    assert (answer.status, answer.body) == (204, b""), answer
    assert target.v1("HEAD", views(name, "w")).status == 204
    assert_error(rename(target, name, "v", "x", kind="views"), 404, "NoSuchViewException")
    assert_error(create_view(target, name, "w"), 409, "AlreadyExistsException",
                 f"View already exists: {name}.w")


def test_register_view(target):
    if "POST /v1/{prefix}/namespaces/{namespace}/register-view" not in target.endpoints():
        raise Skip("the server does not have it")
    if target.reference:
        raise Skip("its JDBC catalog removes the metadata file of a dropped view")
    name = target.namespace()
    made = create_view(target, name, "v").json
    target.v1("DELETE", views(name, "v"))
    body = {"name": "r", "metadata-location": made["metadata-location"]}
    answer = target.v1("POST", f"/namespaces/{name}/register-view", body)
    assert answer.status == 200, answer
    assert answer.json["metadata"]["view-uuid"] == made["metadata"]["view-uuid"]
    assert_error(target.v1("POST", f"/namespaces/{name}/register-view", body), 409,
                 "AlreadyExistsException")


@reference_differs("answers 406")
def test_a_table_update_on_a_view_is_refused(target):
    name = target.namespace()
    create_view(target, name, "v")
    answer = target.v1("POST", views(name, "v"), {"updates": [
        {"action": "remove-snapshots", "snapshot-ids": [1]}]})
    assert_error(answer, 400)
