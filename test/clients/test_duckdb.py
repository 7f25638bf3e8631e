# SPDX-License-Identifier: Apache-2.0
"""DuckDB's Iceberg extension on the same catalog: its own writes, and PyIceberg's tables."""

import threading

import duckdb
import pyarrow as pa
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, StringType

from harness import Skip, reference_differs
from test_pyiceberg import SIMPLE, ids, make, raises, rows


def query(connection, sql):
    return connection.execute(sql).fetchall()


def small_table(target, connection, name="t", columns="a INTEGER, b VARCHAR"):
    """A table made by DuckDB in a namespace of its own; returns lake.ns.table."""
    namespace = target.name("duck")
    connection.execute(f"CREATE SCHEMA lake.{namespace}")
    connection.execute(f"CREATE TABLE lake.{namespace}.{name} ({columns})")
    return f"lake.{namespace}.{name}"


def identifier(table):
    return tuple(table.split(".")[1:])


def test_attach_and_list(target):
    namespace = target.namespace("duck")
    target.table(namespace)
    with target.duckdb() as connection:
        found = query(connection, "SELECT table_name FROM duckdb_tables() "
                                  f"WHERE schema_name = '{namespace}'")
        assert found == [("t",)], found
        assert query(connection, f"SELECT * FROM lake.{namespace}.t") == []


def test_schemas_and_tables(target):
    with target.duckdb() as connection:
        table = small_table(target, connection)
        namespace, _ = identifier(table)
        assert target.catalog().table_exists((namespace, "t"))
        connection.execute(f"DROP TABLE {table}")
        assert not target.catalog().table_exists((namespace, "t"))
        connection.execute(f"DROP SCHEMA lake.{namespace}")
        assert not target.catalog().namespace_exists(namespace)


def test_drop_of_a_schema_with_tables_is_refused(target):
    with target.duckdb() as connection:
        table = small_table(target, connection)
        namespace, _ = identifier(table)
        raises(duckdb.Error, connection.execute, f"DROP SCHEMA lake.{namespace}")
        assert target.catalog().table_exists((namespace, "t"))


def test_insert_update_delete_merge(target):
    with target.duckdb() as connection:
        table = small_table(target, connection)
        connection.execute(f"INSERT INTO {table} VALUES (1, 'x'), (2, 'y'), (3, 'z')")
        connection.execute(f"UPDATE {table} SET b = 'changed' WHERE a = 1")
        connection.execute(f"DELETE FROM {table} WHERE a = 2")
        connection.execute(f"MERGE INTO {table} USING (SELECT 3 AS a, 'm' AS b) s ON t.a = s.a "
                           "WHEN MATCHED THEN UPDATE SET b = s.b")
        wanted = [(1, "changed"), (3, "m")]
        assert query(connection, f"SELECT * FROM {table} ORDER BY a") == wanted
    with target.duckdb() as fresh:
        assert query(fresh, f"SELECT * FROM {table} ORDER BY a") == wanted
    arrow = target.catalog().load_table(identifier(table)).scan().to_arrow()
    assert sorted(zip(*arrow.to_pydict().values())) == wanted, arrow


def test_types_round_trip(target):
    values = ("1::TINYINT::INTEGER AS i, 9223372036854775807::BIGINT AS l, 1.5::FLOAT AS f, "
              "0.1::DOUBLE AS d, 12345.678::DECIMAL(18, 3) AS m, true AS b, "
              "DATE '2013-01-02' AS da, TIMESTAMP '2013-01-02 03:04:05.000006' AS ts, 'ü湖' AS s, "
              "'\\x00\\xFF'::BLOB AS bl, uuid '00000000-0000-0000-0000-0000000000ff' AS u, "
              "[1, NULL, 3] AS li, {'x': 1, 'y': 'z'} AS st")
    columns = ("i INTEGER, l BIGINT, f FLOAT, d DOUBLE, m DECIMAL(18, 3), b BOOLEAN, da DATE, "
               "ts TIMESTAMP, s VARCHAR, bl BLOB, u UUID, li INTEGER[], "
               "st STRUCT(x INTEGER, y VARCHAR)")
    with target.duckdb() as connection:
        table = small_table(target, connection, columns=columns)
        connection.execute(f"INSERT INTO {table} SELECT {values}")
        found = query(connection, f"SELECT * FROM {table}")
        assert found == query(connection, f"SELECT {values}"), found
    row, = target.catalog().load_table(identifier(table)).scan().to_arrow().to_pylist()
    assert row["l"] == 9223372036854775807 and row["s"] == "ü湖" and row["li"] == [1, None, 3], row
    assert row["st"] == {"x": 1, "y": "z"} and row["bl"] == b"\x00\xff", row


@reference_differs("does not make the folders of a staged table, which DuckDB needs on local disk")
def test_create_table_as(target):
    with target.duckdb() as connection:
        table = small_table(target, connection)
        copy = table[:-1] + "copied"
        connection.execute(f"CREATE TABLE {copy} AS SELECT range AS n FROM range(1000)")
    with target.duckdb() as fresh:
        assert query(fresh, f"SELECT count(*), sum(n)::BIGINT FROM {copy}") == [(1000, 499500)]


def test_alter_table(target):
    with target.duckdb() as connection:
        table = small_table(target, connection)
        connection.execute(f"INSERT INTO {table} VALUES (1, 'x')")
        connection.execute(f"ALTER TABLE {table} ADD COLUMN c BIGINT")
        connection.execute(f"INSERT INTO {table} VALUES (2, 'y', 5)")
        assert query(connection, f"SELECT * FROM {table} ORDER BY a") == [(1, "x", None),
                                                                          (2, "y", 5)]
    fields = target.catalog().load_table(identifier(table)).schema().fields
    assert [field.name for field in fields] == ["a", "b", "c"], fields


def test_transaction_over_two_tables(target):
    with target.duckdb() as connection:
        first = small_table(target, connection)
        second = first[:-1] + "u"
        connection.execute(f"CREATE TABLE {second} (a INTEGER)")
        connection.execute("BEGIN")
        connection.execute(f"INSERT INTO {first} VALUES (1, 'x')")
        connection.execute(f"INSERT INTO {second} VALUES (1)")
        with target.duckdb() as other:
            assert query(other, f"SELECT count(*) FROM {first}") == [(0,)]
        connection.execute("COMMIT")
        connection.execute("BEGIN")
        connection.execute(f"INSERT INTO {first} VALUES (2, 'y')")
        connection.execute("ROLLBACK")
    with target.duckdb() as other:
        assert query(other, f"SELECT (SELECT count(*) FROM {first}), "
                            f"(SELECT count(*) FROM {second})") == [(1, 1)]


def test_a_transaction_with_a_conflict_changes_no_table(target):
    with target.duckdb() as connection:
        first = small_table(target, connection)
        second = first[:-1] + "u"
        connection.execute(f"CREATE TABLE {second} (a INTEGER)")
        connection.execute("BEGIN")
        connection.execute(f"INSERT INTO {first} VALUES (1, 'x')")
        connection.execute(f"INSERT INTO {second} VALUES (1)")
        with target.duckdb() as other:
            other.execute(f"INSERT INTO {second} VALUES (7)")
        raises(duckdb.Error, connection.execute, "COMMIT")
    with target.duckdb() as other:
        assert query(other, f"SELECT count(*) FROM {first}") == [(0,)]
        assert query(other, f"SELECT a FROM {second}") == [(7,)]


def test_reads_what_pyiceberg_wrote(target):
    catalog, table = make(target)
    table.append(rows(1, 2, 3))
    first = table.current_snapshot().snapshot_id
    with table.update_schema() as update:
        update.rename_column("name", "label")
        update.add_column("note", StringType())
        update.update_column("score", LongType())
    with table.update_spec() as update:
        update.add_field("label", IdentityTransform(), "label")
    table.append(pa.Table.from_pylist([{"id": 4, "label": "p", "score": 5_000_000_000}],
                                      schema=table.schema().as_arrow()))
    table.delete("id == 2")
    where = ".".join(("lake", *table.name()))
    with target.duckdb() as connection:
        found = query(connection, f"SELECT * FROM {where} ORDER BY id")
        assert found == [(1, "n1", 1, None), (3, "n3", 1, None), (4, "p", 5_000_000_000, None)]
        assert query(connection, f"SELECT id FROM {where} AT (VERSION => {first}) ORDER BY id") == \
            [(1,), (2,), (3,)]
        assert len(query(connection, f"SELECT * FROM iceberg_snapshots({where})")) == \
            len(table.snapshots())


def test_pyiceberg_reads_what_duckdb_wrote(target):
    with target.duckdb() as connection:
        table = small_table(target, connection)
        connection.execute(f"INSERT INTO {table} SELECT range::INTEGER, 'r' || range "
                           "FROM range(1000)")
    loaded = target.catalog().load_table(identifier(table))
    arrow = loaded.scan().to_arrow()
    assert arrow.num_rows == 1000 and sum(arrow["a"].to_pylist()) == 499500
    loaded.append(pa.Table.from_pylist([{"a": -1, "b": "py"}], schema=loaded.schema().as_arrow()))
    with target.duckdb() as connection:
        assert query(connection, f"SELECT count(*), min(a) FROM {table}") == [(1001, -1)]


def test_engines_write_in_turns(target):
    catalog, table = make(target)
    where = ".".join(("lake", *table.name()))
    for number in range(3):
        table = catalog.load_table(table.name())
        table.append(rows(number * 2))
        with target.duckdb() as connection:
            connection.execute(f"INSERT INTO {where} VALUES ({number * 2 + 1}, 'd', 1)")
    assert ids(catalog.load_table(table.name())) == [0, 1, 2, 3, 4, 5]


@reference_differs("its transactions lose updates: they are checked and applied in two steps")
def test_concurrent_inserts_are_all_there_or_refused(target):
    with target.duckdb() as connection:
        table = small_table(target, connection)
    landed = []

    def write(writer):
        with target.duckdb() as mine:
            for number in range(5):
                try:
                    mine.execute(f"INSERT INTO {table} VALUES ({writer * 100 + number}, 'w')")
                    landed.append(writer * 100 + number)
                except duckdb.Error:  # a conflict; DuckDB leaves the retry to its user
                    pass
    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with target.duckdb() as connection:
        found = [row[0] for row in query(connection, f"SELECT a FROM {table} ORDER BY a")]
    assert landed and found == sorted(landed), (found, sorted(landed))


def test_odd_names(target):
    catalog, name = target.catalog(), target.name("duck") + " x-ü"
    catalog.create_namespace((name,))
    table = catalog.create_table((name, "t y-湖"), schema=SIMPLE)
    table.append(rows(1, 2))
    with target.duckdb() as connection:
        assert query(connection, f'SELECT count(*) FROM lake."{name}"."t y-湖"') == [(2,)]


@reference_differs("its servlet container refuses encoded control characters")
def test_nested_namespaces(target):
    catalog, name = target.catalog(), target.namespace("duck")
    catalog.create_namespace((name, "inner"))
    table = catalog.create_table((name, "inner", "t"), schema=SIMPLE)
    table.append(rows(1, 2))
    with target.duckdb() as connection:
        assert query(connection, f'SELECT count(*) FROM lake."{name}.inner".t') == [(2,)]


def test_everything_survives_kill_and_restart(target):
    if target.node is None:
        raise Skip("needs a node of its own")
    with target.duckdb() as connection:
        table = small_table(target, connection)
        for number in range(5):
            connection.execute(f"INSERT INTO {table} VALUES ({number}, 'x')")
    target.restart(kill=True)
    with target.duckdb() as connection:
        assert query(connection, f"SELECT a FROM {table} ORDER BY a") == [(n,) for n in range(5)]
        connection.execute(f"INSERT INTO {table} VALUES (5, 'y')")
        assert query(connection, f"SELECT count(*) FROM {table}") == [(6,)]
