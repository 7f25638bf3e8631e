#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts the cases in a meson test log (meson-logs/testlog.json) and prints `N passed, N failed`.

A program that printed TAP (cmocka does when CMOCKA_MESSAGE_OUTPUT=TAP) counts by its cases; any
other counts as one.  A program that failed in another way than by a case (a crash, a sanitizer's
report at exit, a timeout, fewer cases than it planned) is one more failure.
"""

import json
import pathlib
import re
import sys

CASE = re.compile(r"^(not )?ok\b(?:\s+\d+)?(?:\s*-)?\s*(.*)$", re.MULTILINE)
PLAN = re.compile(r"^1\.\.(\d+)", re.MULTILINE)
SKIPPED = re.compile(r"#\s*skip", re.IGNORECASE)


def count_program(entry):
    """Returns (passed, failed, [names of failures]) for one line of the log."""
    name, output = entry["name"], entry.get("stdout") or ""
    good = entry["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
    passed, failures = 0, []
    for bad, case in CASE.findall(output):
        if bad:
            failures.append(f"{name}: {case}")
        elif not SKIPPED.search(case):
            passed += 1
    planned = sum(int(number) for number in PLAN.findall(output))
    seen = len(CASE.findall(output))
    if seen == 0 and planned == 0 and entry["result"] == "SKIP":
        return 0, 0, []
    if seen == 0 and planned == 0:
        return (1, 0, []) if good else (0, 1, [f"{name}: {entry['result']}"])
    if planned != seen:
        failures.append(f"{name}: planned {planned} cases, ran {seen}")
    if not good and not failures:
        failures.append(f"{name}: {entry['result']}, exit status {entry.get('returncode')}")
    return passed, len(failures), failures


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    log = pathlib.Path(sys.argv[1])
    if not log.exists():
        raise SystemExit(f"no test ran: there is no {log}")
    passed = failed = 0
    for line in log.read_text().splitlines():
        more_passed, more_failed, failures = count_program(json.loads(line))
        passed, failed = passed + more_passed, failed + more_failed
        for failure in failures:
            print(f"FAILED {failure}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
