#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/check_layers.py refuses each kind of wrong include and no right one."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_layers  # noqa: E402

LAYERS = """
folder base   # lowest
folder raft
folder storage
header lmdb.h : storage
header curl/ : storage
"""


class CheckLayers(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as name:
            top = pathlib.Path(name)
            (top / "layers.txt").write_text(LAYERS)
            for path, text in files.items():
                (top / "src" / path).parent.mkdir(parents=True, exist_ok=True)
                (top / "src" / path).write_text(text)
            ranks, owners = check_layers.read_layers(top / "layers.txt")
            return list(check_layers.check_tree(top / "src", ranks, owners))

    def test_own_and_lower_folders_are_allowed(self):
        text = '#include "raft/log.h"\n#include "raft/raft_internal.h"\n#include "base/str.h"\n'
        self.assertEqual(self.check({"raft/log.c": text}), [])

    def test_upward_include_is_refused(self):
        wrong = self.check({"base/str.c": '\n#  include "raft/log.h"\n'})
        self.assertEqual(len(wrong), 1)
        self.assertIn("str.c:2: base/ may not include raft/, which is above it", wrong[0])

    def test_private_header_is_refused(self):
        wrong = self.check({"storage/wal.h": '#include "raft/raft_internal.h"\n'})
        self.assertIn("is private to raft/", wrong[0])

    def test_include_without_folder_is_refused(self):
        wrong = self.check({"raft/a.c": '#include "log.h"'})
        self.assertIn('include by folder: "raft/log.h"', wrong[0])

    def test_outside_library_has_owners(self):
        text = "#include <lmdb.h>\n#include <curl/curl.h>\n"
        self.assertEqual(self.check({"storage/a.c": text}), [])
        self.assertEqual(len(self.check({"raft/a.c": text})), 2)

    def test_unknown_folder_is_refused(self):
        self.assertIn("not in tools/layers.txt", self.check({"misc/a.c": ""})[0])

    def test_main_stands_above_all(self):
        self.assertEqual(self.check({"main.c": '#include "storage/wal.h"\n'}), [])
        self.assertIn("not in", self.check({"main.c": '#include "misc/wal.h"\n'})[0])


if __name__ == "__main__":
    unittest.main()
