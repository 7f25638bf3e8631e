#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every REST operation that the server offers is called, and all that was said is validated.

A recording proxy stands before the server. First each operation is called with valid requests
(exercise.py); request and answer must both satisfy the OpenAPI file. Then PyIceberg, DuckDB and the
raw protocol tests run through the same proxy; their answers must satisfy it as well, and what those
clients send is only reported. The server is chosen as in test/clients/run.py; the last line is
`N passed, N failed`.
"""

import argparse
import collections
import contextlib
import io
import logging
import os
import signal
import sys
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "clients")]

import contract as contracts  # noqa: E402
import exercise  # noqa: E402
import harness  # noqa: E402
import proxy as proxies  # noqa: E402
import run as clients  # noqa: E402

CLIENTS = ("test_pyiceberg", "test_duckdb", "test_protocol_tables")
SHOWN = 12


class Record:
    """What was seen of one operation."""

    def __init__(self):
        self.statuses = collections.Counter()
        self.problems = collections.Counter()


def say(exchange, operation, sentence):
    """A problem with where it happened; names of test namespaces are left out to count alike."""
    return f"{operation.id} {exchange.status}: {sentence}"


def judge(contract, exchanges, records, requests_too):
    """Validates exchanges into the records; returns what is wrong with the clients' requests."""
    remarks = collections.Counter()
    for exchange in exchanges:
        operation = contract.match(exchange)
        if operation is None:
            continue
        record = records[operation.id]
        record.statuses[exchange.status] += 1
        record.problems.update(say(exchange, operation, problem)
                               for problem in contract.answer_problems(operation, exchange))
        sent = [say(exchange, operation, problem)
                for problem in contract.request_problems(operation, exchange)]
        (record.problems if requests_too else remarks).update(sent)
    return remarks


def run_exercise(target):
    """Calls everything; an exception in one group is a failure of its operations."""
    broken = {}
    for call, operations in exercise.CALLS.items():
        try:
            call(target)
        except Exception as error:
            text = f"{call.__name__}: {type(error).__name__}: {str(error)[:200]}"
            broken.update({operation: text for operation in operations})
    return broken


def run_clients(target, pattern):
    """Runs client tests through the proxy; their own verdicts belong to the clients' suite."""
    with contextlib.redirect_stdout(io.StringIO()):
        return clients.run_all(clients.discover([pattern]), target)


def verdicts(contract, offered, records, broken):
    """[(operation, offered, verdict, reason)] for the table."""
    rows = []
    for operation in contract.operations:
        record = records[operation.id]
        wanted = operation.name in offered or operation.id == "getConfig"
        success = any(status < 300 for status in record.statuses)
        reason = ""
        if wanted and not record.statuses:
            reason = broken.get(operation.id, "offered and never called")
        elif wanted and not success and operation.id not in exercise.NEVER_SUCCEED:
            reason = "offered and never answered with success"
        elif wanted and record.problems:
            reason = f"{sum(record.problems.values())} violations"
        rows.append((operation, wanted, "not ok" if reason else "ok" if wanted else "-", reason))
    return rows


def print_table(rows, records):
    """operationId, offered, called, statuses."""
    print(f"{'operation':24} {'offered':8} {'called':8} statuses")
    for operation, wanted, verdict, reason in rows:
        statuses = records[operation.id].statuses
        seen = " ".join(f"{status}x{count}" for status, count in sorted(statuses.items()))
        print(f"{operation.id:24} {'yes' if wanted else 'no':8} {'yes' if statuses else 'no':8} "
              f"{seen}{'   <- ' + reason if reason else ''}")


def print_counted(title, counted):
    """The most frequent sentences of a counter."""
    if counted:
        print(f"# {title}")
    for sentence, count in counted.most_common(SHOWN):
        print(f"#   {count}x {sentence}")
    if len(counted) > SHOWN:
        print(f"#   and {len(counted) - SHOWN} more")


def report_group(name, exchanges, counted):
    """One line for a group of exchanges; True when its answers hold."""
    print(f"{'not ok' if counted else 'ok'} {name}: {len(exchanges)} exchanges")
    print_counted("violations", counted)
    return not counted


def check(contract, target, proxy, with_clients):
    """Runs everything; returns (passed, failed)."""
    records = collections.defaultdict(Record)
    target.send("GET", "/v1/config")  # the target has read its configuration before the proxy
    broken = run_exercise(target)
    judge(contract, proxy.exchanges, records, requests_too=True)
    rows = verdicts(contract, target.endpoints(), records, broken)
    groups = []
    for pattern in CLIENTS if with_clients else ():
        start, mine = len(proxy.exchanges), collections.defaultdict(Record)
        run_clients(target, pattern)
        said = proxy.exchanges[start:]
        remarks = judge(contract, said, mine, requests_too=False)
        groups.append((pattern, said, remarks,
                       sum((r.problems for r in mine.values()), collections.Counter())))
        for operation, record in mine.items():
            records[operation].statuses.update(record.statuses)
    print_table(rows, records)
    for operation, _, verdict, reason in rows:
        if verdict == "not ok":
            print(f"not ok {operation.id}: {reason}")
            print_counted("violations", records[operation.id].problems)
    passed = sum(row[2] == "ok" for row in rows)
    failed = sum(row[2] == "not ok" for row in rows)
    for pattern, said, remarks, counted in groups:
        holds = report_group(f"answers to {pattern}", said, counted)
        passed, failed = passed + holds, failed + (not holds)
        if pattern != "test_protocol_tables":  # that one sends wrong requests on purpose
            print_counted(f"what {pattern} sends beside the file (for information)", remarks)
    unknown = target.endpoints() - {operation.name for operation in contract.operations}
    if unknown:
        print(f"not ok the server offers operations that are not in the file: {sorted(unknown)}")
        failed += 1
    return passed, failed


def main():
    """The exit status is 0 only when every offered operation and every answer holds."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--reference", action="store_true",
                        help="start and check the Iceberg reference server")
    parser.add_argument("--no-clients", action="store_true", help="only the exercise")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("pyiceberg").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGALRM, clients._on_alarm)
    contract = contracts.Contract()
    server, direct = clients.start_server(options)
    proxy = proxies.Proxy(direct.uri)
    try:
        target = harness.Target(proxy.uri, direct.warehouse, reference=direct.reference)
        passed, failed = check(contract, target, proxy, not options.no_clients)
    finally:
        proxy.stop()
        if server:
            server.stop()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
