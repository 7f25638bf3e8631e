#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills, power cuts, full disks and other misfortunes of a whole server: see docs/durability.md.

Each line is `ok NAME` or `not ok NAME` or `skip NAME # why`; the last is `N passed, N failed`. A
failure prints the seed that repeats its choices (not its timing) and keeps its folder.
"""

import argparse
import concurrent.futures
import os
import shutil
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import full  # noqa: E402
import limits  # noqa: E402
import power  # noqa: E402
import rounds  # noqa: E402
from disk import Skip  # noqa: E402
from wire import Untrue  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
EPISODE_ROUNDS = 20


def kill_episode(binary, base, seed, count):
    """One episode in a process of its own."""
    folder = os.path.join(base, f"kill-{seed}")
    try:
        done, failure, summary = rounds.run_episode(binary, folder, seed, count)
    except Exception:
        done, failure, summary = 0, traceback.format_exc(), ""
    if failure is None:
        shutil.rmtree(folder, ignore_errors=True)
    return seed, folder, done, failure, summary


def kill_rounds(options, base):
    """(passed, failed) rounds."""
    plan, left, seed = [], options.rounds, options.seed
    while left > 0:
        plan.append((seed, min(left, EPISODE_ROUNDS)))
        left -= EPISODE_ROUNDS
        seed += 1
    passed = failed = 0
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(kill_episode, options.binary, base, *item) for item in plan]
        for job in concurrent.futures.as_completed(jobs):
            seed, folder, done, failure, summary = job.result()
            passed += done
            if failure is None:
                print(f"ok kill seed {seed}: {done} rounds ({summary})", flush=True)
                continue
            failed += 1
            print(f"not ok kill seed {seed}: {failure}\n    {summary}\n    folder: {folder}",
                  flush=True)
    return passed, failed


def power_cuts(options, base):
    """(passed, failed) cuts."""
    folder = os.path.join(base, "power")
    try:
        done, failure, summary = power.run(options.binary, folder, options.seed, options.cuts)
    except Skip as reason:
        print(f"skip power cuts # {reason}", flush=True)
        return 0, 0
    if failure is None:
        print(f"ok power cuts seed {options.seed}: {done} cuts ({summary})", flush=True)
        return done, 0
    print(f"not ok power cuts seed {options.seed}: {failure}\n    {summary}\n"
          f"    folder: {folder}", flush=True)
    return done, 1


def single(tests, options, base):
    """(passed, failed) of tests that run once."""
    passed = failed = 0
    for test in tests:
        name = test.__name__.replace("_", " ")
        folder = os.path.join(base, test.__name__)
        os.makedirs(folder)
        begin = time.monotonic()
        try:
            summary = test(options.binary, folder, options.seed)
        except Skip as reason:
            print(f"skip {name} # {reason}", flush=True)
            continue
        except Exception as error:
            failed += 1
            text = str(error) if isinstance(error, Untrue) else traceback.format_exc()
            print(f"not ok {name} seed {options.seed}: {text}\n    folder: {folder}", flush=True)
            continue
        passed += 1
        shutil.rmtree(folder, ignore_errors=True)
        print(f"ok {name} ({time.monotonic() - begin:.1f} s; {summary})", flush=True)
    return passed, failed


PARTS = {
    "kill": kill_rounds,
    "power": power_cuts,
    "disk": lambda options, base: single(
        [full.node_disk, full.node_disk_to_the_last_byte, full.warehouse_disk], options, base),
    "limits": lambda options, base: single(
        [limits.drain, limits.pauses, limits.few_descriptors, limits.little_memory], options,
        base),
}


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=200, help="rounds of kill -9")
    parser.add_argument("--cuts", type=int, default=20, help="power cuts")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1000000 * 100)
    parser.add_argument("--jobs", type=int, default=2, help="episodes at the same time")
    parser.add_argument("--only", choices=sorted(PARTS), action="append", help="only this part")
    parser.add_argument("--binary", default=os.environ.get("TARN_BINARY")
                        or os.path.join(ROOT, "build", "tarn"))
    return parser.parse_args()


def main():
    """The exit status is 0 only when nothing failed and something ran."""
    options = arguments()
    base = tempfile.mkdtemp(prefix="tarn-crash-")
    passed = failed = 0
    for name, part in PARTS.items():
        if not options.only or name in options.only:
            more, wrong = part(options, base)
            passed, failed = passed + more, failed + wrong
    if not failed:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
