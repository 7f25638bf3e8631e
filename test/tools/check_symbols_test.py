#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/check_symbols.py sees OS calls, upward calls and mutable variables in real objects."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_symbols  # noqa: E402

RANKS = {"base": 0, "raft": 1, "env": 2}
RULES = "allow memcpy XXH*\nallow malloc in src/base/alloc.c\nstate src/base/alloc.c heap\n"


class CheckSymbols(unittest.TestCase):
    def check(self, sources):
        with tempfile.TemporaryDirectory() as name:
            top = pathlib.Path(name)
            (top / "rules").write_text(RULES)
            objects = {}
            for number, (path, text) in enumerate(sources.items()):
                source, output = top / f"{number}.c", top / f"{number}.o"
                source.write_text(text)
                compiler = os.environ.get("CC", "cc")
                subprocess.run([compiler, "-O1", "-fPIE", "-c", source, "-o", output], check=True)
                objects[path] = check_symbols.read_object(output)
            rules = check_symbols.read_rules(top / "rules")
            return list(check_symbols.check_objects(objects, RANKS, *rules))

    def test_allowed_and_own_symbols_pass(self):
        text = "void *memcpy(void *, const void *, unsigned long);\n" \
               "int XXH64(void); int two(void);\n" \
               "int one(void *a, void *b, unsigned long n)\n" \
               "{ memcpy(a, b, n); return XXH64() + two(); }"
        lower = "int two(void) { return 2; }"
        self.assertEqual(self.check({"src/raft/a.c": text, "src/base/b.c": lower}), [])

    def test_clock_is_refused_in_a_pure_folder_only(self):
        text = "long time(long *); long now(void) { return time(0); }"
        self.assertIn("uses time", self.check({"src/raft/a.c": text})[0])
        self.assertEqual(self.check({"src/env/a.c": text}), [])

    def test_malloc_only_in_its_file(self):
        text = "void *malloc(unsigned long); void *get(void) { return malloc(1); }"
        self.assertEqual(self.check({"src/base/alloc.c": text}), [])
        self.assertIn("uses malloc", self.check({"src/base/arena.c": text})[0])

    def test_fortified_name_is_the_plain_one(self):
        rules = [("memcpy", None)]
        self.assertTrue(check_symbols.is_allowed("__memcpy_chk", "src/raft/a.c", rules))
        self.assertFalse(check_symbols.is_allowed("__read_chk", "src/raft/a.c", rules))

    def test_upward_call_is_refused(self):
        wrong = self.check({"src/base/a.c": "int up(void); int one(void) { return up(); }",
                            "src/raft/b.c": "int up(void) { return 1; }"})
        self.assertEqual(wrong, ["src/base/a.c: uses up of raft/, which is above it"])

    def test_mutable_variables_are_refused(self):
        text = "static int counter; int next(void) { return ++counter; }\n" \
               "_Thread_local int mine; int shared = 3; extern int x; int *moving = &shared;"
        names = sorted(line.split()[1] for line in self.check({"src/env/a.c": text}))
        self.assertEqual(names, ["counter", "mine", "moving", "shared"])

    def test_constant_tables_and_listed_state_pass(self):
        text = 'static const char *const names[] = {"a", "b"};\n' \
               "const char *name(int i) { return names[i]; }"
        self.assertEqual(self.check({"src/base/a.c": text}), [])
        text = "static int heap = 1; int *get(void) { return &heap; }"
        self.assertEqual(self.check({"src/base/alloc.c": text}), [])


if __name__ == "__main__":
    unittest.main()
