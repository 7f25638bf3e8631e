#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Refuses an include in src/ that points the wrong way.

tools/layers.txt lists the folders, lowest first.  A file may include headers of its own folder and
of lower ones, never another folder's `*_internal.h`, and an outside library's headers only from the
folders that own it.  Files directly in src/ (main.c) stand above all folders.
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def read_layers(path):
    """Returns (folder -> rank, outside header prefix -> set of folders)."""
    ranks, owners = {}, {}
    for line in path.read_text().splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "folder" and len(words) == 2:
            ranks[words[1]] = len(ranks)
        elif words[0] == "header" and len(words) >= 4 and words[2] == ":":
            owners[words[1]] = set(words[3:])
        else:
            raise SystemExit(f"{path}: cannot read: {line}")
    return ranks, owners


def check_quoted(folder, target, ranks):
    """What is wrong with `#include "target"` in a file of folder (None: stands above all)."""
    other, _, name = target.partition("/")
    if not name:
        return f'include by folder: "{folder or "folder"}/{target}"'
    if other not in ranks:
        return f"{other}/ is not in tools/layers.txt"
    if folder is None:
        return None
    if ranks[other] > ranks[folder]:
        return f"{folder}/ may not include {other}/, which is above it"
    if other != folder and name.endswith("_internal.h"):
        return f"{target} is private to {other}/"
    return None


def check_outside(folder, target, owners):
    """What is wrong with `#include <target>` in a file of folder."""
    for prefix, folders in owners.items():
        if target.startswith(prefix) and folder not in folders:
            return f"<{target}> belongs to {', '.join(sorted(folders))}"
    return None


def check_tree(src, ranks, owners):
    """Yields one message for each wrong include under src."""
    for path in sorted(src.rglob("*.[ch]")):
        parts = path.relative_to(src).parts
        folder = parts[0] if len(parts) > 1 else None
        where = path.relative_to(src.parent)
        if folder is not None and folder not in ranks:
            yield f"{where}: {folder}/ is not in tools/layers.txt"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            if found[1]:
                wrong = check_quoted(folder, found[1], ranks)
            else:
                wrong = check_outside(folder, found[2], owners)
            if wrong:
                yield f"{where}:{number}: {wrong}"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    ranks, owners = read_layers(root / "tools/layers.txt")
    wrong = list(check_tree(root / "src", ranks, owners))
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
