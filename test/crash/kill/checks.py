# SPDX-License-Identifier: Apache-2.0
"""Compares a running server and its files with everything that the clients were told."""

import gzip
import json
import os
import time
import urllib.parse

from wire import Untrue, require
from world import version_of

SETTLE_S = 20


def get(wire, path, status=200):
    """The JSON answer of a GET that must work."""
    answer = wire.send("GET", path)
    require(answer is not None, f"no answer to GET {path}")
    require(answer.status == status, f"GET {path}: {answer}")
    return answer.json


def file_path(location):
    """The path of a file:// location."""
    return urllib.parse.unquote(urllib.parse.urlsplit(location).path)


def read_metadata(location):
    """The content of a metadata file, or None when it is not there."""
    try:
        with open(file_path(location), "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return None
    try:
        return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except (ValueError, EOFError, OSError) as error:
        raise Untrue(f"{location} is not whole: {error}; {len(data)} bytes") from None


def visible_files(warehouse):
    """Before the restart: every file that a publish=sync answer promised is there."""
    files = warehouse.files
    for location in files.visible:
        require(os.path.exists(file_path(location)),
                f"an answer with publish=sync came before its file: {location}")
    files.visible.clear()


def settled_files(warehouse, everything=False, settle_s=SETTLE_S):
    """Every version that an answer named has its file, with the content of that version."""
    files = warehouse.files
    until = time.monotonic() + settle_s
    wanted = [f for f in files.expected if f not in files.leaving] if everything \
        else list(files.unchecked)
    for location in wanted:
        content = read_metadata(location)
        while content is None:
            require(time.monotonic() < until,
                    f"a committed version has no file after {settle_s} s: {location}")
            time.sleep(0.01)
            content = read_metadata(location)
        require(content == files.expected[location], f"{location} differs from its answer",
                json.dumps(content), json.dumps(files.expected[location]))
    files.unchecked.difference_update(wanted)
    return len(wanted)


def purged_files(warehouse):
    """What was dropped with purge is deleted in the end."""
    until = time.monotonic() + SETTLE_S
    for location in warehouse.files.purged:
        while os.path.exists(file_path(location)):
            require(time.monotonic() < until, f"a purged file is still there: {location}")
            time.sleep(0.05)


def log_of(metadata, location, what):
    """The metadata log: consecutive versions up to the one before the current."""
    named = [version_of(entry["metadata-file"]) for entry in metadata.get("metadata-log", [])]
    last = version_of(location)
    require(named == list(range(last - len(named), last)), f"metadata-log of {what}", named, last)
    until = time.monotonic() + SETTLE_S
    for entry in metadata.get("metadata-log", []):
        while read_metadata(entry["metadata-file"]) is None:
            require(time.monotonic() < until,
                    f"metadata-log of {what} names a missing file: {entry['metadata-file']}")
            time.sleep(0.02)


def shared_table(wire, warehouse, shared):
    """Acknowledged snapshots are there, once; refused ones are not; nothing else is."""
    if shared.uuid is None:
        return
    body = get(wire, warehouse.path(shared.path))
    metadata, location = body["metadata"], body["metadata-location"]
    snapshots = metadata.get("snapshots", [])
    have = [s["snapshot-id"] for s in snapshots]
    what = f"{warehouse.name}.{shared.name}"
    require(len(have) == len(set(have)), f"a snapshot is in {what} twice")
    require(shared.acknowledged <= set(have), f"acknowledged commits of {what} are lost",
            shared.acknowledged - set(have))
    require(set(have) <= shared.acknowledged, f"{what} has commits that were refused or unknown",
            set(have) - shared.acknowledged, "refused: ", set(have) & shared.refused)
    parent = None
    for number, snapshot in enumerate(sorted(snapshots, key=lambda s: s["sequence-number"]), 1):
        require(snapshot["sequence-number"] == number and
                snapshot.get("parent-snapshot-id") == parent, f"the chain of {what}", snapshot)
        parent = snapshot["snapshot-id"]
    require(version_of(location) == shared.commits,
            f"{what} has version {version_of(location)} after {shared.commits} commits")
    counters = {int(k[3:]): int(v) for k, v in metadata["properties"].items()
                if k.startswith("p.c")}
    require(counters == shared.counters, f"counters of {what}", counters, shared.counters)
    log_of(metadata, location, what)


def client_state(wire, warehouse, client):
    """The client's namespaces, tables and views are what it was told."""
    for table in client.tables:
        body = get(wire, warehouse.path(table.path))
        client.learn(table, body)
        if not table.is_view:
            log_of(table.metadata, table.location, table.path)
    for name, properties in client.spaces.items():
        body = get(wire, warehouse.path(f"/namespaces/{name}"))
        require({**body["properties"], "location": 0} == {**properties, "location": 0},
                f"properties of namespace {name}", body, properties)
        for kind, is_view in (("tables", False), ("views", True)):
            body = get(wire, warehouse.path(f"/namespaces/{name}/{kind}"))
            listed = sorted(i["name"] for i in body["identifiers"])
            known = sorted(t.name for t in client.tables
                           if t.namespace == name and t.is_view == is_view)
            require(listed == known, f"{kind} of namespace {name}", listed, known)


def everything(wire, warehouse, clients):
    """The whole warehouse equals the model."""
    mine = [client for client in clients if client.warehouse is warehouse]
    for client in mine:
        client_state(wire, warehouse, client)
    for shared in warehouse.shared:
        shared_table(wire, warehouse, shared)
    listed = sorted(n[0] for n in get(wire, warehouse.path("/namespaces"))["namespaces"])
    known = sorted(["shared"] + [name for client in mine for name in client.spaces])
    require(listed == known, f"namespaces of {warehouse.name}", listed, known)
    return settled_files(warehouse)


def picture(wire, warehouses):
    """All answers to GET, to be compared with themselves after a restart."""
    seen = {}

    def look(path):
        answer = wire.send("GET", path)
        require(answer is not None and answer.status == 200, f"GET {path}: {answer}")
        seen[path] = (answer.headers.get("ETag"), answer.json)
        return answer.json
    for warehouse in warehouses:
        look(f"/v1/config?warehouse={warehouse.name}")
        for (name,) in look(warehouse.path("/namespaces"))["namespaces"]:
            look(warehouse.path(f"/namespaces/{name}"))
            for kind in ("tables", "views"):
                for item in look(warehouse.path(f"/namespaces/{name}/{kind}"))["identifiers"]:
                    look(warehouse.path(f"/namespaces/{name}/{kind}/{item['name']}"))
    return seen


def same_picture(before, after):
    """Nothing may differ."""
    require(set(before) == set(after), "other things are listed after a restart",
            set(before) ^ set(after))
    for path, seen in before.items():
        require(after[path] == seen, f"GET {path} differs after a restart", seen, after[path])
