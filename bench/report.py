#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts the results of `./dev bench NAME --json` into docs/benchmarks.md.

    ./dev bench commit --json > commit.json ... ; bench/report.py commit.json history.json ...

Everything between the markers of that page is replaced by tables made from the files, the machine
this runs on and the commit that is checked out. Nothing is typed by hand.
"""

import json
import os
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- results: begin.", "<!-- results: end -->"


def machine():
    """One line about where the numbers come from."""
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), "unknown processor")
    memory = int(open("/proc/meminfo").readline().split()[1]) // (1 << 20)
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
                            capture_output=True, text=True, check=True).stdout.strip()
    return (f"{os.cpu_count()} cores of {cpu}, {memory} GiB, Linux {platform.release()}, "
            f"commit {commit}")


def text_of(value):
    """Digits that mean something."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"


def tables(results):
    """A table for each bench: cases down, metrics across."""
    for bench in dict.fromkeys(row["bench"] for row in results):
        rows = [row for row in results if row["bench"] == bench]
        cases = list(dict.fromkeys(row["case"] for row in rows))
        metrics = list(dict.fromkeys((row["metric"], row["unit"]) for row in rows))
        values = {(row["case"], row["metric"]): row["value"] for row in rows}
        yield f"### {bench}\n"
        yield "| case | " + " | ".join(f"{name} ({unit})" for name, unit in metrics) + " |"
        yield "| --- |" + " ---: |" * len(metrics)
        for case in cases:
            cells = [values.get((case, name)) for name, _ in metrics]
            yield f"| {case} | " + " | ".join("" if c is None else text_of(c) for c in cells) + " |"
        yield ""


def main():
    """Reads the files and rewrites the page."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    results = [json.loads(line) for name in sys.argv[1:] for line in open(name)
               if line.startswith("{")]
    page = PAGE.read_text()
    head, rest = page.split(BEGIN, 1)
    marker, rest = rest.split("\n", 1)
    tail = rest.split(END, 1)[1]
    body = "\n".join(tables(results))
    PAGE.write_text(f"{head}{BEGIN}{marker}\n\n{machine()}.\n\n{body}\n{END}{tail}")


if __name__ == "__main__":
    main()
