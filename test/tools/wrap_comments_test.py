#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/wrap_comments.py moves only the words that stick out."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
from wrap_comments import COLUMNS, wrap  # noqa: E402

LONG = " ".join(["word"] * 19)  # 94 columns


class WrapComments(unittest.TestCase):
    def test_short_lines_and_code_stay(self):
        text = "/*\n * a\n * b\n */\nint " + "x" * 120 + ";\n"
        self.assertEqual(wrap(text), text)

    def test_overflow_joins_the_same_paragraph(self):
        text = f"/*\n * {LONG} last one\n * next.\n */\n"
        self.assertEqual(wrap(text), f"/*\n * {LONG}\n * last one next.\n */\n")

    def test_overflow_does_not_join_a_list_or_the_end(self):
        text = f"/*\n * {LONG} last one\n * I2  next.\n */\n"
        self.assertEqual(wrap(text), f"/*\n * {LONG}\n * last one\n * I2  next.\n */\n")
        text = f"/*\n * {LONG} last one\n */\n"
        self.assertEqual(wrap(text), f"/*\n * {LONG}\n * last one\n */\n")

    def test_list_items_hang(self):
        text = f"/*\n * I1  {LONG} last\n *     next\n */\n"
        self.assertEqual(wrap(text), f"/*\n * I1  {LONG[:-5]}\n *     word last next\n */\n")

    def test_one_line_comment_becomes_two(self):
        self.assertEqual(wrap(f"/* {LONG} last */\n"), f"/* {LONG}\n * last */\n")
        self.assertEqual(wrap(f"    /* {LONG} */\n"), f"    /* {LONG[:-5]}\n     * word */\n")

    def test_closer_moves_with_the_last_word(self):
        text = "/* " + "a" * 90 + " bb cc */\n"
        self.assertEqual(wrap(text), "/* " + "a" * 90 + " bb\n * cc */\n")

    def test_overflow_cascades(self):
        out = wrap(f"/*\n * {LONG} three more words\n * {LONG}\n * end\n */\n")
        self.assertTrue(all(len(line) <= COLUMNS for line in out.split("\n")))
        self.assertEqual(out.split(), f"/* * {LONG} * three more words {LONG[:-15]} "
                                      "* word word word end */".split())

    def test_tables_and_trailing_comments_stay(self):
        for text in (f"/*\n * key   {LONG} last\n */\n", f"int a; /* {LONG} last */\n"):
            self.assertEqual(wrap(text), text)

    def test_wrapping_twice_changes_nothing(self):
        once = wrap(f"/*\n * - {LONG} last\n * {LONG} last\n */\n")
        self.assertEqual(wrap(once), once)


if __name__ == "__main__":
    unittest.main()
