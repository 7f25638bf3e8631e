#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks at the compiled objects of src/ for what the sources must not contain.

usage: check_symbols.py BUILD_FOLDER

 1. Pure folders (before env in tools/layers.txt) use nothing from outside but tools/symbols.txt.
 2. No folder uses a function of a folder above it, not even through its own declaration.
 3. No folder has mutable variables: several servers live in one test process.
"""

import json
import pathlib
import re
import subprocess
import sys

import check_layers

MUTABLE = re.compile(r"\.(data(?!\.rel\.ro)|bss|tdata|tbss)|\*COM\*")
FORTIFIED = re.compile(r"__(\w+)_chk$")  # memcpy compiled with _FORTIFY_SOURCE is __memcpy_chk
RENAMED = re.compile(r"__isoc\d\d_(\w+)$")


def read_rules(path):
    """Returns ([(symbol pattern, source or None)], {(source, symbol)} that may be mutable)."""
    allowed, state = [], set()
    for line in path.read_text().splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "allow":
            source = words[words.index("in") + 1] if "in" in words else None
            names = words[1 : words.index("in")] if "in" in words else words[1:]
            allowed += [(name, source) for name in names]
        elif words[0] == "state" and len(words) == 3:
            state.add((words[1], words[2]))
        else:
            raise SystemExit(f"{path}: cannot read: {line}")
    return allowed, state


def read_object(path):
    """Returns (undefined, defined global, [(mutable variable, section)]) of an object file."""
    listing = subprocess.run(["nm", "--format=sysv", path], capture_output=True, text=True,
                             check=True)
    undefined, defined, mutable = set(), set(), []
    for line in listing.stdout.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 7 or fields[0] == "Name":
            continue
        name, kind, section = fields[0], fields[2], fields[6]
        if kind in "Uwv":
            undefined.add(name)
            continue
        if kind.isupper():
            defined.add(name)
        if MUTABLE.match(section) and not name.startswith("."):
            mutable.append((name.split(".")[0], section))
    return undefined, defined, mutable


def is_allowed(symbol, source, allowed):
    """Whether tools/symbols.txt lets this source file use this outside symbol."""
    for pattern in (FORTIFIED, RENAMED):
        found = pattern.match(symbol)
        symbol = found[1] if found else symbol
    for name, only in allowed:
        same = symbol.startswith(name[:-1]) if name.endswith("*") else symbol == name
        if same and only in (None, source):
            return True
    return False


def check_objects(objects, ranks, allowed, state):
    """objects: source path -> read_object().  Yields one message for each finding."""
    pure_below = ranks.get("env", len(ranks))
    home = {}
    for source, (_, defined, _) in objects.items():
        for symbol in defined:
            home[symbol] = source.split("/")[1]
    for source, (undefined, _, mutable) in sorted(objects.items()):
        rank = ranks.get(source.split("/")[1], len(ranks))
        for symbol in sorted(undefined):
            if symbol in home:
                if ranks.get(home[symbol], len(ranks)) > rank:
                    yield f"{source}: uses {symbol} of {home[symbol]}/, which is above it"
            elif rank < pure_below and not is_allowed(symbol, source, allowed):
                yield f"{source}: uses {symbol}, which a pure folder may not (tools/symbols.txt)"
        for symbol, section in mutable:
            if (source, symbol) not in state:
                yield f"{source}: {symbol} is a mutable variable (in {section})"


def built_objects(root, build):
    """source path -> object path of what is compiled from src/."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        output = pathlib.Path(entry["directory"]) / entry["output"]
        if (root / "src") in source.parents and output.exists():
            found[str(source.relative_to(root))] = output
    return found


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    root = pathlib.Path(__file__).resolve().parent.parent
    ranks, _ = check_layers.read_layers(root / "tools/layers.txt")
    allowed, state = read_rules(root / "tools/symbols.txt")
    found = built_objects(root, pathlib.Path(sys.argv[1]).resolve())
    if not found:
        raise SystemExit(f"nothing of src/ is compiled in {sys.argv[1]}")
    objects = {source: read_object(path) for source, path in found.items()}
    wrong = list(check_objects(objects, ranks, allowed, state))
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
