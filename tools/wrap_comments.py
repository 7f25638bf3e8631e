#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the lines of block comments that are longer than 100 columns.

usage: wrap_comments.py FILE…

clang-format would re-flow whole comments and glue lists and tables together.  This only moves the
words that stick out: to the start of the next line if that continues the same paragraph, else to a
line of their own.  A line with aligned columns (two spaces in a row) is left for a person.
"""

import pathlib
import re
import sys

COLUMNS = 100
OPENS = re.compile(r"^(\s*)/\*+ ?")
BODY = re.compile(r"^(\s*\*) ?( *)(.*)$")
ITEM = re.compile(r"^([A-Z]\d+|[-*]|\d+[.)])\s+")
ALIGNED = re.compile(r"\S {2,}\S")


def split_line(line):
    """Returns (prefix of the line, prefix of its continuation, text), or None outside comments."""
    opened = OPENS.match(line)
    if opened:
        text = line[opened.end():]
        prefix, follow = opened[0], opened[1] + " * "
    else:
        body = BODY.match(line)
        if not body or body[3].startswith("/"):
            return None
        text = body[3]
        prefix = follow = body[1] + " " + body[2]
    item = ITEM.match(text)
    if item:
        follow += " " * len(item[0])
    return prefix, follow, text


def break_text(prefix, text, closer):
    """Returns (what fits after prefix, the rest); the closer must fit where the text ends."""
    if len(prefix) + len(text) + len(closer) <= COLUMNS:
        return text, ""
    cut = text.rfind(" ", 0, COLUMNS - len(prefix) + 1)
    if cut <= 0:
        return text, ""
    return text[:cut].rstrip(), text[cut + 1:]


def continues(line, follow):
    """Whether the line is a further line of the paragraph that has this continuation prefix."""
    parts = split_line(line)
    if parts is None or OPENS.match(line) or not parts[2] or ITEM.match(parts[2]):
        return False
    return parts[0] == follow and not ALIGNED.search(parts[2])


def wrap(text):
    """Returns the C source with long comment lines broken."""
    pending = text.split("\n")
    done, inside = [], False
    while pending:
        line = pending.pop(0)
        starts = OPENS.match(line) is not None
        inside_here = inside or starts
        inside = inside_here and "*/" not in line
        parts = split_line(line) if inside_here else None
        item = ITEM.match(parts[2]) if parts else None
        after_item = parts[2][item.end():] if item else parts[2] if parts else ""
        if len(line) <= COLUMNS or parts is None or ALIGNED.search(after_item):
            done.append(line)
            continue
        prefix, follow, words = parts
        closer = ""
        if words.endswith("*/"):
            words, closer = words[:-2].rstrip(), " */"
        elif "*/" in words:  # code follows the comment
            done.append(line)
            continue
        fits, rest = break_text(prefix, words, closer)
        if not rest:
            done.append(line)
            continue
        done.append(prefix + fits)
        if not closer and pending and continues(pending[0], follow):
            rest += " " + pending.pop(0)[len(follow):]
            closer = ""
        pending.insert(0, follow + rest + closer)
        inside = True
    return "\n".join(done)


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        before = path.read_text()
        after = wrap(before)
        if after != before:
            path.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
