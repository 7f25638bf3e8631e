#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the client tests: every function test_…(target) of every test_*.py beside this file.

The server is the one at TARN_URI (with TARN_WAREHOUSE), or the reference server with --reference,
or a node of build/tarn (TARN_BINARY) started here in a temporary directory. The last line is
`N passed, N failed`. Against the reference server, failures of tests that are marked as known
differences are listed apart and do not count.
"""

import argparse
import glob
import importlib
import logging
import os
import signal
import sys
import time
import traceback
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
import node as nodes  # noqa: E402

TEST_TIMEOUT_S = 90


class TestTimeout(Exception):
    """A test ran longer than TEST_TIMEOUT_S."""


def _on_alarm(_signal, _frame):
    raise TestTimeout(f"longer than {TEST_TIMEOUT_S} s")


def discover(patterns):
    """(name, function) of every test whose name holds one of the patterns (all without any)."""
    tests = []
    for path in sorted(glob.glob(os.path.join(harness.HERE, "test_*.py"))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        functions = [(key, value) for key, value in vars(module).items()
                     if key.startswith("test_") and callable(value)
                     and value.__module__ == module.__name__]
        tests += [(f"{module.__name__}::{key}", value) for key, value in functions]
    return [t for t in tests if not patterns or any(p in t[0] for p in patterns)]


def run_one(function, target):
    """(verdict, text): verdict is ok, not ok, skip or differs."""
    differs = getattr(function, "reference_differs", None) if target.reference else None
    if getattr(function, "needs_node", False) and target.node is None:
        return "skip", "needs a node of its own"
    signal.alarm(TEST_TIMEOUT_S)
    try:
        function(target)
        return "ok", ""
    except harness.Skip as reason:
        return "skip", str(reason)
    except Exception as error:
        if differs:
            said = " ".join(str(error)[:160].split())
            return "differs", f"{differs} ({type(error).__name__}: {said})"
        return "not ok", traceback.format_exc()
    finally:
        signal.alarm(0)


def revive(target):
    """Starts our own node again when it has ended by itself; returns what its log said, or None."""
    if target.node is None or target.node.process.poll() is None:
        return None
    said = f"the node ended with status {target.node.process.returncode}; its log:\n" + \
        nodes.tail(target.node.log, 40)
    target.start_again()
    return said


def run_all(tests, target):
    """Runs the tests, prints a line for each; returns the counts by verdict."""
    counts = {"ok": 0, "not ok": 0, "skip": 0, "differs": 0}
    for name, function in tests:
        begin = time.monotonic()
        verdict, text = run_one(function, target)
        ended = revive(target)
        if ended:
            verdict, text = "not ok", text + ended
        counts[verdict] += 1
        seconds = time.monotonic() - begin
        if verdict == "not ok":
            print(f"not ok {name} ({seconds:.2f} s)\n    " + text.rstrip().replace("\n", "\n    "))
        else:
            print(f"{verdict} {name} ({seconds:.2f} s)" + (f" # {text}" if text else ""))
        sys.stdout.flush()
    return counts


def start_server(options):
    """(server to stop or None, target)"""
    uri = os.environ.get("TARN_URI")
    if uri and not options.reference:
        return None, harness.Target(uri, os.environ.get("TARN_WAREHOUSE"),
                                    reference=bool(os.environ.get("TARN_IS_REFERENCE")))
    if options.reference:
        server = harness.ReferenceServer()
        return server, harness.Target(server.uri, reference=True)
    server = harness.OwnNode()
    return server, harness.Target(server.uri, "lake", node=server.node)


def main():
    """The exit status is 0 only when nothing failed and something ran."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("patterns", nargs="*", help="parts of test names, e.g. test_duckdb")
    parser.add_argument("--reference", action="store_true",
                        help="start and test the Iceberg reference server")
    parser.add_argument("--list", action="store_true", help="only list the tests")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("pyiceberg").setLevel(logging.ERROR)
    tests = discover(options.patterns)
    if options.list:
        print("\n".join(name for name, _ in tests))
        return 0
    signal.signal(signal.SIGALRM, _on_alarm)
    server, target = start_server(options)
    failed_stop = 0
    try:
        counts = run_all(tests, target)
    finally:
        if server:
            try:
                server.stop()
            except Exception as error:
                failed_stop = 1
                print(f"not ok the server at the end: {error}")
    apart = [f"{counts[v]} {word}" for v, word in
             (("skip", "skipped"), ("differs", "known differences of the reference server"))
             if counts[v]]
    if apart:
        print("# " + ", ".join(apart))
    failed = counts["not ok"] + failed_stop
    print(f"{counts['ok']} passed, {failed} failed")
    return 1 if failed or not counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
