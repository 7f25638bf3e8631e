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

import rounds  # noqa: E402

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


def main():
    """The exit status is 0 only when nothing failed and something ran."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=200, help="rounds of kill -9")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1000000 * 100)
    parser.add_argument("--jobs", type=int, default=2, help="episodes at the same time")
    parser.add_argument("--binary", default=os.environ.get("TARN_BINARY")
                        or os.path.join(ROOT, "build", "tarn"))
    options = parser.parse_args()
    base = tempfile.mkdtemp(prefix="tarn-crash-")
    passed, failed = kill_rounds(options, base)
    if not failed:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
