#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/count_tests.py counts cases, and lets no kind of failure pass for a success."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from count_tests import count_program  # noqa: E402


def entry(result="OK", stdout="", returncode=0):
    return {"name": "t", "result": result, "stdout": stdout, "returncode": returncode}


class CountTests(unittest.TestCase):
    def test_cases_are_counted(self):
        self.assertEqual(count_program(entry(stdout="1..2\nok 1 - a\nok 2 - b\n")), (2, 0, []))

    def test_a_failed_case(self):
        text = "1..2\nok 1 - a\nnot ok 2 - b\n# b.c:1: error\n"
        self.assertEqual(count_program(entry("FAIL", text, 1)), (1, 1, ["t: b"]))

    def test_a_program_without_tap_is_one(self):
        self.assertEqual(count_program(entry(stdout="fine\n")), (1, 0, []))
        self.assertEqual(count_program(entry("TIMEOUT"))[:2], (0, 1))

    def test_a_crash_after_good_cases_fails(self):
        self.assertEqual(count_program(entry("ERROR", "1..1\nok 1 - a\n", -6))[:2], (1, 1))
        self.assertEqual(count_program(entry("OK", "1..3\nok 1 - a\n"))[:2], (1, 1))

    def test_several_groups_in_one_program(self):
        text = "1..1\nok 1 - a\n1..1\nok 1 - b\n"
        self.assertEqual(count_program(entry(stdout=text)), (2, 0, []))

    def test_skipped_counts_as_neither(self):
        self.assertEqual(count_program(entry(stdout="1..1\nok 1 # SKIP no disk\n")), (0, 0, []))
        self.assertEqual(count_program(entry("SKIP", returncode=77)), (0, 0, []))


if __name__ == "__main__":
    unittest.main()
