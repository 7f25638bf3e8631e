#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/tidy.py finds each fault once and leaves good code alone."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import tidy  # noqa: E402

HEAD = "/* SPDX-License-Identifier: Apache-2.0 */\n/*\n * a.c - an example.\n */\n"


class Tidy(unittest.TestCase):
    def check(self, body, path="src/raft/a.c", head=HEAD):
        return [message for _, message in tidy.check_file(path, head + body)]

    def test_good_code_passes(self):
        body = "static const int table[] = {1};\n\nint get(int i)\n{\n    return table[i];\n}\n"
        self.assertEqual(self.check(body), [])

    def test_text_faults(self):
        self.assertEqual(self.check("int a; \n"), ["trailing blanks"])
        self.assertEqual(self.check("\tint a;\n"), ["tab"])
        self.assertEqual(self.check("int a;"), ["no newline at the end"])
        self.assertEqual(len(self.check("/* TO" "DO */\n")), 1)

    def test_width_is_counted_in_characters(self):
        self.assertEqual(self.check("/* " + "…" * 94 + " */\n"), [])
        self.assertIn("101 columns", self.check("/* " + "x" * 95 + " */\n")[0])

    def test_missing_spdx_and_introduction(self):
        self.assertEqual(len(self.check("int a;\n", head="")), 2)
        self.assertEqual(len(self.check("int a;\n", head=HEAD.split("\n")[0] + "\n")), 1)

    def test_function_length(self):
        def function(lines):
            return "void long_one(void)\n{\n" + "    step();\n" * lines + "}\n"
        self.assertEqual(self.check(function(70)), [])
        self.assertEqual(self.check(function(71)), ["long_one has 71 lines, 70 are allowed"])

    def test_file_length(self):
        self.assertIn("1,500".replace(",", ""), self.check("\n" * 1600)[0])

    def test_mutable_static(self):
        self.assertEqual(self.check("static int calls;\n"), ["mutable static: calls"])
        self.assertEqual(len(self.check("static const char *name = 0;\n")), 1)
        self.assertEqual(self.check("static const char *const name = 0;\n"), [])
        self.assertEqual(self.check("static int call(int a);\n"), [])

    def test_banned_calls_depend_on_the_folder(self):
        self.assertIn("malloc", self.check("void *p = malloc(1);\n")[0])
        self.assertEqual(self.check("void *p = malloc(1);\n", path="src/base/alloc.c"), [])
        self.assertIn("env/", self.check("int n = read(fd, b, 1);\n")[0])
        self.assertEqual(self.check("int n = read(fd, b, 1);\n", path="src/storage/a.c"), [])
        self.assertEqual(self.check("int n = pthread_join(t, 0);\n", path="test/unit/a.c"), [])

    def test_members_comments_and_strings_are_not_calls(self):
        self.assertEqual(self.check("int n = env->disk.read(b) + env->time(e);\n"), [])
        self.assertEqual(self.check('/* free(p) */ const char *s = "malloc(1)";\n'), [])
        self.assertEqual(self.check("int my_free(int a);\n"), [])

    def test_readme_headings(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            self.assertEqual(len(list(tidy.check_readme(folder))), 1)
            good = "# x\n## Purpose\n## Model and invariants\n## Life of a request\n" \
                   "## Files in reading order\n## Tests\n"
            (folder / "README.md").write_text(good)
            self.assertEqual(list(tidy.check_readme(folder)), [])
            (folder / "README.md").write_text(good.replace("Tests", "Other"))
            self.assertEqual(len(list(tidy.check_readme(folder))), 1)


if __name__ == "__main__":
    unittest.main()
