# SPDX-License-Identifier: Apache-2.0
"""PyIceberg as its users use it: namespaces, tables, schemas, partitions, snapshots, views."""

import os
import threading
import time
import urllib.parse

import pyarrow as pa
from pyiceberg.exceptions import (CommitFailedException, NamespaceAlreadyExistsError,
                                  NamespaceNotEmptyError, NoSuchNamespaceError, NoSuchTableError,
                                  NoSuchViewError, TableAlreadyExistsError, ValidationError)
from pyiceberg.expressions import EqualTo, GreaterThan, LessThan
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.sorting import NullOrder, SortDirection, SortField, SortOrder
from pyiceberg.table.statistics import BlobMetadata, StatisticsFile
from pyiceberg.transforms import IdentityTransform, VoidTransform
from pyiceberg.types import (DoubleType, IntegerType, ListType, LongType, MapType, NestedField,
                             StringType, StructType, TimestamptzType)
from pyiceberg.view.metadata import SQLViewRepresentation, ViewVersion

from harness import Skip, reference_differs

SIMPLE = pa.schema([pa.field("id", pa.int64(), nullable=False), ("name", pa.string()),
                    ("score", pa.int32())])

NUMBERED = Schema(NestedField(1, "id", LongType(), required=True),
                  NestedField(2, "name", StringType(), required=False),
                  NestedField(3, "score", IntegerType(), required=False))


def rows(*ids, score=1):
    return pa.Table.from_pylist([{"id": i, "name": f"n{i}", "score": score} for i in ids],
                                schema=SIMPLE)


def make(target, schema=SIMPLE, name="t", namespace=None, **more):
    """(catalog, table) with a table of its own."""
    catalog = target.catalog()
    namespace = namespace or target.namespace("py")
    return catalog, catalog.create_table((namespace, name), schema=schema, **more)


def ids(table, **scan):
    return sorted(table.scan(**scan).to_arrow()["id"].to_pylist())


def raises(kinds, function, *arguments, **more):
    try:
        function(*arguments, **more)
    except kinds as error:
        return error
    raise AssertionError(f"{kinds} was not raised")


def path_of(location):
    return urllib.parse.urlsplit(location).path


# --- namespaces ---

def test_namespaces(target):
    catalog, name = target.catalog(), target.name("py")
    catalog.create_namespace(name, {"owner": "ann"})
    assert catalog.namespace_exists(name) and not catalog.namespace_exists(name + "x")
    assert (name,) in catalog.list_namespaces()
    raises(NamespaceAlreadyExistsError, catalog.create_namespace, name)
    summary = catalog.update_namespace_properties(name, {"owner"}, {"team": "lake"})
    assert summary.removed == ["owner"] and summary.updated == ["team"], summary
    properties = catalog.load_namespace_properties(name)
    assert properties["team"] == "lake" and "owner" not in properties, properties
    catalog.create_table((name, "t"), schema=SIMPLE)
    raises(NamespaceNotEmptyError, catalog.drop_namespace, name)
    catalog.drop_table((name, "t"))
    catalog.drop_namespace(name)
    raises(NoSuchNamespaceError, catalog.drop_namespace, name)
    raises(NoSuchNamespaceError, catalog.list_tables, name)


def test_nested_namespaces(target):
    catalog, name = target.catalog(), target.name("py")
    for levels in ((name,), (name, "a"), (name, "a", "b"), (name, "c")):
        catalog.create_namespace(levels)
    assert sorted(catalog.list_namespaces((name,))) == [(name, "a"), (name, "c")]
    assert catalog.list_namespaces((name, "a")) == [(name, "a", "b")]
    table = catalog.create_table((name, "a", "b", "t"), schema=SIMPLE)
    table.append(rows(1, 2))
    assert ids(catalog.load_table((name, "a", "b", "t"))) == [1, 2]
    assert catalog.list_tables((name, "a", "b")) == [(name, "a", "b", "t")]
    assert catalog.list_tables((name, "a")) == []


def check_names(target, oddities):
    catalog = target.catalog()
    for odd in oddities:
        name = target.name("py") + odd
        catalog.create_namespace((name,), {"odd": odd})
        assert catalog.load_namespace_properties((name,))["odd"] == odd
        table = catalog.create_table((name, "t" + odd), schema=SIMPLE)
        table.append(rows(1))
        assert catalog.list_tables((name,)) == [(name, "t" + odd)], odd
        assert ids(catalog.load_table((name, "t" + odd))) == [1]
        catalog.rename_table((name, "t" + odd), (name, "u" + odd))
        assert catalog.table_exists((name, "u" + odd))
        catalog.drop_table((name, "u" + odd))
        catalog.drop_namespace((name,))


def test_names_with_spaces_and_unicode(target):
    check_names(target, (" with space", "-ünïcödé-湖-🏔", "'quote\"", "a&b=c"))


@reference_differs("its servlet container refuses encoded slashes, its separator is the dot")
def test_names_with_dots_and_slashes(target):
    check_names(target, (".with.dots", "/with/slash", "%2F", "a+b", "#x?y", "back\\slash"))


def test_pagination(target):
    catalog = target.catalog(**{"rest-page-size": "3"})
    name = target.namespace("py")
    for number in range(8):
        catalog.create_table((name, f"t{number}"), schema=SIMPLE)
        catalog.create_namespace((name, f"n{number}"))
    everything = [(name, f"t{number}") for number in range(8)]
    if not target.reference:  # PyIceberg starts without a token: by the rule it gets everything
        assert sorted(target.catalog().list_tables(name)) == everything
    assert sorted(catalog.list_tables(name)) == everything
    assert sorted(catalog.list_namespaces((name,))) == [(name, f"n{n}") for n in range(8)]


# --- tables ---

def test_create_append_scan(target):
    catalog, table = make(target, properties={"owner": "ann"})
    table.append(rows(1, 2, 3))
    table.append(rows(4))
    again = catalog.load_table(table.name())
    assert ids(again) == [1, 2, 3, 4] and again.properties["owner"] == "ann"
    assert again.scan(row_filter=GreaterThan("id", 2), selected_fields=("id",)).to_arrow()[
        "id"].to_pylist() in ([3, 4], [4, 3])
    assert again.scan().count() == 4 and len(again.snapshots()) == 2
    assert again.metadata.last_sequence_number == 2
    raises(TableAlreadyExistsError, catalog.create_table, table.name(), schema=SIMPLE)
    raises(NoSuchTableError, catalog.load_table, (table.name()[0], "missing"))


def test_format_versions(target):
    namespace = target.namespace("py")
    for version in ("1", "2"):
        _, table = make(target, name=f"v{version}", namespace=namespace,
                        properties={"format-version": version})
        table.append(rows(1, 2))
        assert table.metadata.format_version == int(version) and ids(table) == [1, 2]
    _, table = make(target, name="up", namespace=namespace, properties={"format-version": "1"})
    table.append(rows(1))
    with table.transaction() as transaction:
        transaction.upgrade_table_version(2)
    assert table.metadata.format_version == 2
    table.append(rows(2))
    assert ids(table) == [1, 2]


def test_create_if_not_exists_and_exists(target):
    catalog, table = make(target)
    assert catalog.create_table_if_not_exists(table.name(), SIMPLE).metadata.table_uuid == \
        table.metadata.table_uuid
    assert catalog.table_exists(table.name())
    assert not catalog.table_exists((table.name()[0], "missing"))


def test_create_in_a_transaction(target):
    catalog, name = target.catalog(), target.namespace("py")
    with catalog.create_table_transaction((name, "t"), schema=SIMPLE,
                                          properties={"a": "1"}) as transaction:
        transaction.append(rows(1, 2))
        assert not catalog.table_exists((name, "t")), "visible before its commit"
    table = catalog.load_table((name, "t"))
    assert ids(table) == [1, 2] and table.properties["a"] == "1"


def test_several_changes_in_one_transaction(target):
    catalog, table = make(target)
    versions = len(table.metadata.metadata_log)
    with table.transaction() as transaction:
        with transaction.update_schema() as update:
            update.add_column("extra", StringType())
        transaction.set_properties({"a": "1"})
        transaction.set_properties({"b": "2"})
        transaction.append(rows(1))
    table = catalog.load_table(table.name())
    assert len(table.metadata.metadata_log) == versions + 1, "one version for one transaction"
    assert ids(table) == [1] and table.properties["b"] == "2"


def test_overwrite_delete_upsert(target):
    _, table = make(target)
    table.append(rows(1, 2, 3, 4))
    table.overwrite(rows(2, score=9), overwrite_filter=EqualTo("id", 2))
    assert ids(table, row_filter=EqualTo("score", 9)) == [2]
    table.delete(LessThan("id", 2))
    assert ids(table) == [2, 3, 4]
    result = table.upsert(rows(3, 4, 5, score=7), join_cols=["id"])
    assert (result.rows_updated, result.rows_inserted) == (2, 1), result
    assert ids(table, row_filter=EqualTo("score", 7)) == [3, 4, 5]
    table.overwrite(rows(8))
    assert ids(table) == [8]


def test_properties(target):
    catalog, table = make(target)
    with table.transaction() as transaction:
        transaction.set_properties({"a": "1", "b": "2"})
    with table.transaction() as transaction:
        transaction.remove_properties("a")
    properties = catalog.load_table(table.name()).properties
    assert properties["b"] == "2" and "a" not in properties, properties


def test_rename(target):
    catalog, table = make(target)
    other = target.namespace("py")
    table.append(rows(1))
    catalog.rename_table(table.name(), (other, "u"))
    raises(NoSuchTableError, catalog.load_table, table.name())
    moved = catalog.load_table((other, "u"))
    moved.append(rows(2))
    assert ids(moved) == [1, 2]


def test_drop_and_register(target):
    catalog, table = make(target)
    table.append(rows(1, 2))
    location = table.metadata_location
    catalog.drop_table(table.name())
    assert not catalog.table_exists(table.name())
    back = catalog.register_table((table.name()[0], "back"), location)
    assert ids(back) == [1, 2] and back.metadata.table_uuid == table.metadata.table_uuid
    raises(TableAlreadyExistsError, catalog.register_table, back.name(), location)
    back.append(rows(3))
    assert ids(back) == [1, 2, 3]


def test_purge_removes_the_files(target):
    catalog, table = make(target)
    table.append(rows(1, 2))
    data = [path_of(task.file.file_path) for task in table.scan().plan_files()]
    assert data and all(os.path.exists(path) for path in data)
    catalog.purge_table(table.name())
    assert not catalog.table_exists(table.name())
    deadline = time.monotonic() + 10  # a catalog may remove the files after it has answered
    while any(os.path.exists(path) for path in data) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(os.path.exists(path) for path in data), data


def test_purge_leaves_a_renamed_neighbour_alone(target):
    catalog, table = make(target)
    table.append(rows(1, 2))
    name = table.name()[0]
    catalog.rename_table(table.name(), (name, "kept"))
    second = catalog.create_table((name, "t"), schema=SIMPLE)
    second.append(rows(9))
    catalog.purge_table(second.name())
    assert ids(catalog.load_table((name, "kept"))) == [1, 2]


# --- schemas ---

NESTED = Schema(
    NestedField(1, "id", LongType(), required=True),
    NestedField(2, "place", StructType(
        NestedField(3, "lat", DoubleType(), required=False),
        NestedField(4, "tags", ListType(5, StringType(), element_required=False),
                    required=False)), required=False),
    NestedField(6, "counts", MapType(7, StringType(), 8, IntegerType(), value_required=False),
                required=False))


def test_schema_evolution(target):
    catalog, table = make(target)
    table.append(rows(1, 2))
    with table.update_schema() as update:
        update.add_column("note", StringType(), doc="a note")
        update.rename_column("name", "label")
        update.update_column("score", LongType())
        update.move_first("score")
    with table.update_schema() as update:
        update.delete_column("note")
        update.make_column_optional("id")
    table = catalog.load_table(table.name())
    assert [field.name for field in table.schema().fields] == ["score", "id", "label"]
    assert [field.field_id for field in table.schema().fields] == [3, 1, 2]
    assert table.metadata.last_column_id == 4 and len(table.schemas()) == 3
    found = sorted(table.scan().to_arrow().to_pylist(), key=lambda row: row["id"])
    assert found == [{"score": 1, "id": 1, "label": "n1"}, {"score": 1, "id": 2, "label": "n2"}]


def test_nested_schema_evolution(target):
    catalog, table = make(target, schema=NESTED)
    arrow = table.schema().as_arrow()
    table.append(pa.Table.from_pylist(
        [{"id": 1, "place": {"lat": 1.5, "tags": ["a", "b"]}, "counts": [("x", 1)]}],
        schema=arrow))
    with table.update_schema() as update:
        update.add_column(("place", "lon"), DoubleType())
        update.rename_column(("place", "lat"), "latitude")
        update.update_column(("counts", "value"), LongType())
        update.add_column("seen", TimestamptzType())
    table = catalog.load_table(table.name())
    assert table.schema().find_field("place.lon").field_id == 9
    row, = table.scan().to_arrow().to_pylist()
    assert row["place"] == {"latitude": 1.5, "tags": ["a", "b"], "lon": None}, row
    assert row["counts"] == [("x", 1)] and row["seen"] is None


def test_union_by_name_and_identifier_fields(target):
    catalog, table = make(target)
    wider = pa.schema([*SIMPLE, ("more", pa.float64())])
    with table.update_schema() as update:
        update.union_by_name(wider)
        update.set_identifier_fields("id")
    table = catalog.load_table(table.name())
    assert table.schema().identifier_field_ids == [1]
    assert table.schema().find_field("more").field_type == DoubleType()
    again = len(table.schemas())
    with table.update_schema() as update:
        update.union_by_name(wider)
    assert len(catalog.load_table(table.name()).schemas()) == again


# --- partitions and order ---

def test_partition_evolution(target):
    spec = PartitionSpec(PartitionField(3, 1000, IdentityTransform(), "score"))
    catalog, table = make(target, NUMBERED, partition_spec=spec)
    table.append(rows(1, 2, score=1))
    table.append(rows(3, score=2))
    assert len(list(table.scan(row_filter=EqualTo("score", 2)).plan_files())) == 1
    with table.update_spec() as update:
        update.add_field("name", IdentityTransform(), "by_name")
    with table.update_spec() as update:
        update.remove_field("score")
    table.append(rows(4, score=2))
    table = catalog.load_table(table.name())
    assert len(table.specs()) == 3 and table.metadata.last_partition_id == 1001
    assert ids(table, row_filter=EqualTo("score", 2)) == [3, 4]
    with table.update_spec() as update:
        update.rename_field("by_name", "renamed")
    assert catalog.load_table(table.name()).spec().fields[-1].name == "renamed"


def test_removing_a_partition_field_of_version_1_leaves_a_void(target):
    spec = PartitionSpec(PartitionField(3, 1000, IdentityTransform(), "score"))
    catalog, table = make(target, NUMBERED, partition_spec=spec, properties={"format-version": "1"})
    with table.update_spec() as update:
        update.remove_field("score")
    fields = catalog.load_table(table.name()).spec().fields
    assert [type(field.transform) for field in fields] == [VoidTransform], fields


def test_dynamic_partition_overwrite(target):
    spec = PartitionSpec(PartitionField(3, 1000, IdentityTransform(), "score"))
    _, table = make(target, NUMBERED, partition_spec=spec)
    table.append(pa.concat_tables([rows(1, 2, score=1), rows(3, score=2)]))
    table.dynamic_partition_overwrite(rows(9, score=2))
    assert ids(table) == [1, 2, 9]


def test_sort_order(target):
    order = SortOrder(SortField(1, IdentityTransform(), SortDirection.DESC, NullOrder.NULLS_LAST))
    catalog, table = make(target, NUMBERED, sort_order=order)
    assert table.sort_order().fields[0].direction == SortDirection.DESC
    with table.update_sort_order() as update:
        update.asc("name", IdentityTransform(), NullOrder.NULLS_FIRST)
    table = catalog.load_table(table.name())
    assert len(table.sort_orders()) == 2 and table.sort_order().order_id == 2, table.sort_orders()
    table.append(rows(2, 1))
    assert ids(table) == [1, 2]


# --- snapshots ---

def test_tags_branches_and_time_travel(target):
    catalog, table = make(target)
    table.append(rows(1))
    first = table.current_snapshot().snapshot_id
    table.manage_snapshots().create_tag(first, "v1", max_ref_age_ms=10 ** 12).create_branch(
        first, "work", min_snapshots_to_keep=2).commit()
    table.append(rows(2))
    table.append(rows(7), branch="work")
    table = catalog.load_table(table.name())
    assert ids(table) == [1, 2]
    assert ids(table, snapshot_id=first) == [1]
    assert ids(table, snapshot_id=table.snapshot_by_name("v1").snapshot_id) == [1]
    assert sorted(table.scan().use_ref("work").to_arrow()["id"].to_pylist()) == [1, 7]
    assert table.refs()["v1"].max_ref_age_ms == 10 ** 12
    table.manage_snapshots().remove_tag("v1").remove_branch("work").commit()
    assert set(catalog.load_table(table.name()).refs()) == {"main"}


def test_rollback(target):
    catalog, table = make(target)
    table.append(rows(1))
    first = table.current_snapshot()
    table.append(rows(2))
    table.manage_snapshots().rollback_to_snapshot(first.snapshot_id).commit()
    table = catalog.load_table(table.name())
    assert ids(table) == [1] and len(table.snapshots()) == 2 and len(table.history()) == 3
    table.append(rows(3))
    assert ids(table) == [1, 3], "the rolled back rows came again"
    raises((ValidationError, ValueError, CommitFailedException),
           lambda: table.manage_snapshots().rollback_to_snapshot(12345).commit())


def test_expire_snapshots(target):
    catalog, table = make(target)
    for number in range(4):
        table.append(rows(number))
    old = [snapshot.snapshot_id for snapshot in table.snapshots()][:3]
    table.maintenance.expire_snapshots().by_ids(old).commit()
    table = catalog.load_table(table.name())
    assert len(table.snapshots()) == 1 and ids(table) == [0, 1, 2, 3]
    assert [entry.snapshot_id for entry in table.history()] == [
        table.current_snapshot().snapshot_id]


def test_statistics(target):
    catalog, table = make(target)
    table.append(rows(1))
    number = table.current_snapshot().snapshot_id
    file = StatisticsFile(
        snapshot_id=number, statistics_path=table.location() + "/metadata/x.puffin",
        file_size_in_bytes=10, file_footer_size_in_bytes=5, blob_metadata=[BlobMetadata(
            type="apache-datasketches-theta-v1", snapshot_id=number, sequence_number=1, fields=[1],
            properties={"ndv": "1"})])
    with table.update_statistics() as update:
        update.set_statistics(file)
    assert catalog.load_table(table.name()).metadata.statistics == [file]
    with table.update_statistics() as update:
        update.remove_statistics(number)
    assert catalog.load_table(table.name()).metadata.statistics == []


def test_inspection_tables(target):
    _, table = make(target)
    table.append(rows(1))
    table.append(rows(2))
    assert table.inspect.snapshots().num_rows == 2
    assert table.inspect.files().num_rows == 2
    assert table.inspect.history().num_rows == 2
    assert table.inspect.refs().num_rows == 1
    assert table.inspect.metadata_log_entries().num_rows == 3


# --- concurrency ---

def test_a_stale_schema_change_is_refused(target):
    catalog, table = make(target)
    stale = catalog.load_table(table.name())
    with table.update_schema() as update:
        update.add_column("a", StringType())

    def change():
        with stale.update_schema() as update:
            update.add_column("b", StringType())
    raises(CommitFailedException, change)
    names = [field.name for field in catalog.load_table(table.name()).schema().fields]
    assert names == ["id", "name", "score", "a"], names


def race(target, table, writers, each):
    """`writers` threads append `each` rows one by one, with PyIceberg's own retries."""
    errors = []

    def write(writer):
        try:
            mine = target.catalog().load_table(table.name())
            for number in range(each):
                mine.append(rows(writer * 1000 + number))
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


RETRIES = {"commit.retry.num-retries": "50", "commit.retry.min-wait-ms": "5",
           "commit.retry.max-wait-ms": "200"}


def test_two_concurrent_writers(target):
    catalog, table = make(target, properties=RETRIES)
    errors = race(target, table, 2, 8)
    assert not errors, errors
    table = catalog.load_table(table.name())
    assert ids(table) == sorted(w * 1000 + n for w in range(2) for n in range(8))
    numbers = [snapshot.sequence_number for snapshot in table.snapshots()]
    assert numbers == list(range(1, 17)), numbers
    parents = [snapshot.parent_snapshot_id for snapshot in table.snapshots()]
    made = [snapshot.snapshot_id for snapshot in table.snapshots()]
    assert parents == [None, *made[:-1]], "the history is not one line"


def test_writers_on_different_tables_do_not_meet(target):
    namespace = target.namespace("py")
    made = [make(target, name=f"t{n}", namespace=namespace,
                 properties={"commit.retry.num-retries": "0"})[1] for n in range(4)]
    errors = []

    def write(table):
        try:
            for number in range(5):
                table.append(rows(number))
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=write, args=(table,)) for table in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    assert all(ids(table.refresh()) == [0, 1, 2, 3, 4] for table in made)


# --- views ---

def test_views(target):
    catalog, name = target.catalog(), target.namespace("py")
    schema = Schema(NestedField(1, "x", IntegerType(), required=False))
    version = ViewVersion(**{
        "version-id": 1, "timestamp-ms": 1700000000000, "schema-id": 0, "summary": {},
        "representations": [SQLViewRepresentation(type="sql", sql="SELECT 1 AS x",
                                                  dialect="spark")],
        "default-namespace": [name]})
    view = catalog.create_view((name, "v"), schema, version, properties={"comment": "one"})
    assert catalog.view_exists((name, "v")) and catalog.list_views(name) == [(name, "v")]
    loaded = catalog.load_view((name, "v"))
    assert loaded.sql_for("spark").sql == "SELECT 1 AS x" and loaded.uuid() == view.uuid()
    assert loaded.properties["comment"] == "one"
    catalog.drop_view((name, "v"))
    assert not catalog.view_exists((name, "v"))
    raises(NoSuchViewError, catalog.load_view, (name, "v"))


# --- through a crash ---

def test_everything_survives_kill_and_restart(target):
    if target.node is None:
        raise Skip("needs a node of its own")
    catalog, table = make(target)
    for number in range(5):
        table.append(rows(number))
    table.manage_snapshots().create_tag(table.current_snapshot().snapshot_id, "end").commit()
    before = table.refresh().metadata
    for kill in (True, False):
        target.restart(kill=kill)
        again = target.catalog().load_table(table.name())
        assert again.metadata == before and ids(again) == [0, 1, 2, 3, 4]
        assert os.path.exists(path_of(again.metadata_location))
    again.append(rows(9))
    assert ids(catalog.load_table(table.name())) == [0, 1, 2, 3, 4, 9]
