#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The style rules that no compiler or formatter checks.

usage: tidy.py [FILE…]        (default: every file git knows or would add)

 all text    no trailing blanks, tabs, carriage returns; newline at the end; no forbidden words
 code        SPDX line first (after #!; a meson.build may go without), 100 columns
             (.def tables: 200)
 C           a comment that introduces the file; functions up to 70 lines; files up to 1,000 lines
             (a warning) and 1,500 (an error)
 src/        banned calls by folder, no mutable statics, a README with its five headings per folder
"""

import pathlib
import re
import subprocess
import sys

COLUMNS = 100
FUNCTION_LINES = 70
FILE_LINES_WARN, FILE_LINES_MAX = 1000, 1500
TEXT = {".c", ".h", ".def", ".py", ".sh", ".md", ".build", ".txt", ".yml", ".yaml", ".supp"}
# Text that others wrote, or that a tool wrote: not ours to reformat.
FOREIGN = re.compile(r"(^|/)(LICENSE|corpus/|testdata/|expected/|spec/|openapi/)")
HEADINGS = ["Purpose", "Model", "Life of", "Files", "Tests"]
# Spelled in halves, so that this file passes its own check.
WORDS = re.compile("|".join([r"\bTO" r"DO\b", r"\bFIX" r"ME\b", r"\bXX" r"X\b", r"\bHA" r"CK\b"]))


def calls(*names):
    """A pattern for calls of plain functions: not of members, declarators or longer names."""
    return re.compile(r"(?<![\w.>*])(" + "|".join(names) + r")\s*\(")


# (what, pattern, instead, folders and files where it is allowed)
BANNED = [
    ("heap", calls("malloc", "calloc", "realloc", "free", "strdup", "strndup", "asprintf"),
     "an arena or base/alloc.h", ["base/alloc.c"]),
    ("unsafe text", calls("strcpy", "strcat", "strncpy", "strncat", "sprintf", "vsprintf", "strtok",
                          "gets", "atoi", "atol", "atoll", "atof", "strtol", "strtoul", "strtoll",
                          "strtoull", "sscanf"),
     "base/str.h and base/buf.h", []),
    ("process state", calls("setlocale", "setenv", "putenv", "srand", "rand", "random", "srandom",
                            "gmtime", "localtime", "ctime", "asctime", "strerror", "tmpnam",
                            "mktemp", "usleep", "alloca"),
     "the reentrant or env/ way", []),
    ("assert", calls("assert"), "ASSERT", []),
    ("standard output", calls("printf", "puts", "putchar", "vprintf"),
     "LOG, or an output stream that is handed down", ["cli", "bench", "main.c"]),
    ("clock and chance", calls("time", "clock_gettime", "gettimeofday", "nanosleep", "sleep",
                               "getrandom", "getentropy", "RAND_bytes"),
     "env/", ["env"]),
    ("files and sockets", calls("open", "openat", "read", "write", "pread", "pwrite", "pwritev",
                                "fsync", "fdatasync", "fopen", "mmap", "rename", "unlink", "socket",
                                "connect", "bind", "listen", "accept", "send", "recv", "poll",
                                "epoll_wait"),
     "env/", ["env", "storage", "net", "node", "object", "cli", "bench", "main.c"]),
    ("threads", re.compile(r"(?<![\w.>])(pthread_\w+|thrd_create|uv_thread_create)\s*\("),
     "env/", ["env", "storage", "net", "node", "object", "worker", "api", "cli",
              "bench"]),
]

CODE_NOISE = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.DOTALL)


def blank_noise(text):
    """The C text with comments and literals blanked out, lines kept."""
    def blank(found):
        body = found[0]
        if body[0] == '"':
            return '""'
        if body[0] == "'":
            return "0"
        return " " + "\n" * body.count("\n")
    return CODE_NOISE.sub(blank, text)


def check_text(text):
    """Yields (line, message) for any text file."""
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            yield number, "trailing blanks"
        if "\t" in line:
            yield number, "tab"
        word = WORDS.search(line)
        if word:
            yield number, f"{word[0]}: finish it, or open an issue"
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end"


def check_code(text, columns, licensed):
    """Yields (line, message) for any source file."""
    lines = text.split("\n")
    first = 1 if lines[0].startswith("#!") else 0
    named = first < len(lines) and "SPDX-License-Identifier: Apache-2.0" in lines[first]
    if licensed and not named:
        yield first + 1, "no SPDX-License-Identifier line"
    for number, line in enumerate(lines, 1):
        if len(line) > columns:
            yield number, f"{len(line)} columns, {columns} are allowed"


def check_header_comment(text):
    """Yields a message if no comment after the SPDX line introduces the C file."""
    lines = [line for line in text.split("\n")[1:] if line.strip() and line != "#pragma once"]
    if not lines or not lines[0].lstrip().startswith("/*"):
        yield 2, "no comment that introduces the file"


def check_functions(text):
    """Yields (line, message) for long functions; relies on clang-format's braces at column 0."""
    name, began = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if line == "{":
            began = number
        elif line.startswith("}") and began:
            length = number - began - 1
            if length > FUNCTION_LINES:
                yield began, f"{name} has {length} lines, {FUNCTION_LINES} are allowed"
            began = 0
        elif not began:
            found = re.match(r"[A-Za-z_].*?(\w+)\(", line)
            name = found[1] if found else name


def check_static(code):
    """Yields (line, message) for static variables that can change."""
    for number, line in enumerate(code.split("\n"), 1):
        found = re.match(r"\s*static\s+(?!inline\b)([^(=;]*?)(\[.*?)?\s*(=|;)", line)
        if not found or re.search(r"_Static_assert", line):
            continue
        kind = found[1]
        constant = "*" not in kind and re.search(r"\bconst\b", kind)
        constant = constant or re.search(r"\*\s*const\b[^*]*$", kind)
        if not constant:
            yield number, f"mutable static: {kind.split()[-1]}"


def check_banned(code, place):
    """Yields (line, message) for calls that the file at place (below src/) may not make."""
    for what, pattern, instead, allowed in BANNED:
        if place in allowed or place.split("/")[0] in allowed:
            continue
        for number, line in enumerate(code.split("\n"), 1):
            found = pattern.search(line)
            if found:
                yield number, f"{found[1]}: {what}; use {instead}"


def check_file(path, text):
    """Yields (line, message) for the file at path, relative to the root of the project."""
    yield from check_text(text)
    suffix = pathlib.PurePath(path).suffix
    if suffix in {".md", ".txt", ".yml", ".yaml", ".supp"}:
        return
    # A .def file is a table: a row is a line, however wide.
    yield from check_code(text, 200 if suffix == ".def" else COLUMNS, suffix != ".build")
    if suffix not in {".c", ".h"}:
        return
    yield from check_header_comment(text)
    yield from check_functions(text)
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        yield lines, f"{lines} lines, {FILE_LINES_MAX} are allowed"
    elif lines > FILE_LINES_WARN:
        print(f"{path}: warning: {lines} lines; {FILE_LINES_WARN} are plenty", file=sys.stderr)
    if path.startswith("src/"):
        code = blank_noise(text)
        yield from check_banned(code, path[len("src/"):])
        if path != "src/base/alloc.c":  # its one table is argued for in tools/symbols.txt
            yield from check_static(code)


def check_readme(folder):
    """Yields messages about the README of a folder of src/."""
    readme = folder / "README.md"
    if not readme.exists():
        yield 1, "no README.md"
        return
    headings = re.findall(r"^#+\s+(.*)$", readme.read_text(), re.MULTILINE)
    for wanted in HEADINGS:
        if not any(heading.startswith(wanted) for heading in headings):
            yield 1, f'no heading that starts with "{wanted}"'


def is_checked(path):
    if FOREIGN.search(path):
        return False
    return pathlib.PurePath(path).suffix in TEXT or path in ("dev", ".ci/run")


def project_files(root):
    """Every file git knows or would add; in a copy without git, all but what the build made."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        return sorted(set(listing.stdout.splitlines()))
    except (OSError, subprocess.CalledProcessError):
        files = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        return sorted(str(path) for path in files
                      if not re.match(r"build(-[^/]*)?/|\.(?!ci/)", str(path)))


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    found = 0
    files = sys.argv[1:] or project_files(root)
    for path in files:
        if not is_checked(path) or not (root / path).is_file():
            continue
        for number, message in check_file(path, (root / path).read_text()):
            print(f"{path}:{number}: {message}")
            found += 1
    if not sys.argv[1:] and (root / "src").is_dir():
        for folder in sorted(p for p in (root / "src").iterdir() if any(p.glob("*.c"))):
            for number, message in check_readme(folder):
                print(f"{folder.relative_to(root)}/README.md:{number}: {message}")
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
