# SPDX-License-Identifier: Apache-2.0
"""A client that changes tables without pause and never lets an answer go unexplained.

One request at a time. A request without an answer stays `pending` and is sent again with the same
key until the server says what became of it; what it says must agree with the model.
"""

import json
import threading
import time

from wire import Untrue, require, uuid7
from world import Shared, Table, version_of

SCHEMA = {"type": "struct", "schema-id": 0, "fields": [
    {"id": 1, "name": "id", "type": "long", "required": True},
    {"id": 2, "name": "note", "type": "string", "required": False}]}
SNAPSHOTS_MAX = 25
TABLES_MAX = 6
GIVE_UP_S = 60


class Request:
    """One change, from the first attempt to its answer."""

    def __init__(self, label, method, path, body, done, statuses=(200,)):
        self.label, self.method, self.path = label, method, path
        self.body = None if body is None else json.dumps(body).encode()
        self.done, self.statuses = done, statuses
        self.key = None
        self.attempts = 0
        self.status = None
        self.replayed = False
        self.answer_body = None

    def __repr__(self):
        return (f"{self.label}: {self.method} {self.path} key {self.key}, attempts {self.attempts},"
                f" body {(self.body or b'')[:700]!r}")


class Client:
    """One client in one warehouse, with a namespace of its own."""

    def __init__(self, number, warehouse, random, bulk_bytes=0):
        self.number, self.warehouse, self.random = number, warehouse, random
        self.bulk_bytes = bulk_bytes
        self.home = f"c{number}"
        self.spaces = {}   # namespace -> properties
        self.tables = []   # own tables and views
        self.pending = None
        self.history = []
        self.names = 0
        self.answered = self.retried = self.replayed = self.refused = 0
        self.answer_times = []
        self.failure = None
        self.abandons = True    # sometimes goes away without waiting for the answer
        self.disturbed = False  # the machine is being broken: any 5xx may come, none is an answer
        self.plan = [
            (30, self.append), (20, self.append_shared), (8, self.set_properties),
            (6, self.create), (4, self.create_staged), (5, self.rename), (4, self.drop),
            (8, self.transaction), (4, self.transaction_shared), (5, self.space_properties),
            (2, self.create_space), (2, self.drop_space), (3, self.create_view),
            (3, self.replace_view), (3, self.add_column), (3, self.create_again),
            (2, self.stale_commit), (2 if bulk_bytes else 0, self.bulk)]

    # --- sending ---

    def run(self, wire, stop):
        """Until `stop` is set or the connection breaks; what was in flight stays pending."""
        try:
            while not stop.is_set():
                if self.pending is None:
                    self.pending = self.next_request(wire)
                if self.pending is None:
                    if wire.is_broken:
                        return
                    continue
                # Some clients go away before the answer, and ask again on another connection.
                abandon = self.abandons and self.random.random() < 0.03
                if not self.attempt(wire, abandon) and not abandon:
                    return
        except Exception as error:  # handed to the thread that joins
            self.failure = error
        finally:
            wire.close()

    def attempt(self, wire, abandon=False):
        """Sends the pending request; True when it was answered."""
        request = self.pending
        if request.key is None:
            request.key = uuid7(self.random)
        request.attempts += 1
        begin = time.monotonic()
        answer = wire.send(request.method, request.path, request.body, request.key, abandon)
        if answer is None:
            return False
        if answer.surely_not_done or answer.unknown or self.is_disturbance(answer):
            self.refused += 1
            time.sleep(0.005)
            return True
        self.answer_times.append(time.monotonic() - begin)
        self.pending = None
        self.settle(request, answer)
        return True

    def is_disturbance(self, answer):
        """Too much at the moment, or a failure of a broken machine: it says nothing."""
        return answer.surely_not_done or (self.disturbed and answer.status >= 500)

    def settle(self, request, answer):
        """The answer is final: it must be one of those that the model allows."""
        require(answer.status in request.statuses,
                f"an answer that cannot be: {answer}", request)
        request.status, request.answer_body = answer.status, answer.body
        request.replayed = answer.headers.get("Idempotency-Replayed") == "true"
        self.answered += 1
        self.retried += request.attempts > 1
        self.replayed += request.replayed
        require(not request.replayed or request.attempts > 1, "a first attempt is a replay",
                request)
        try:
            request.done(answer)
        except Untrue as wrong:
            raise Untrue(f"{wrong}\n      request: {request}\n      answer: {answer}") from None
        self.history.append(request)
        del self.history[:-30]

    def finish(self, wire, until):
        """Sends the pending request until it is answered; False when the server went away."""
        while self.pending is not None:
            if time.monotonic() > until:
                raise Untrue(f"no final answer in {GIVE_UP_S} s", self.pending)
            if not self.attempt(wire):
                return False
        return True

    def next_request(self, wire):
        """A change that makes sense now, or None."""
        if self.home not in self.spaces:
            return self.create_space(self.home)
        if self.random.random() < 0.06 and self.history:
            return self.ask_again(wire)
        for table in self.tables:
            if table.metadata is None:
                self.load(wire, table)
                return None
            if len(table.snapshots) > SNAPSHOTS_MAX:
                return self.drop(table)
        shared = self.warehouse.current_shared(self.number)
        if shared is not None and shared.uuid is None:
            return self.create_shared(shared)
        weights = [weight for weight, _ in self.plan]
        make = self.random.choices([make for _, make in self.plan], weights)[0]
        if make in (self.append_shared, self.transaction_shared):
            return make(wire, shared)
        return make()

    def v1(self, rest):
        """The path of a route of this warehouse."""
        return self.warehouse.path(rest)

    def new_name(self, stem):
        """A name that this client has not used yet."""
        self.names += 1
        return f"{stem}{self.number}_{self.names}"

    def own(self, is_view=False):
        """One of the own tables, or None."""
        fitting = [t for t in self.tables if t.is_view == is_view]
        return self.random.choice(fitting) if fitting else None

    # --- what an answer says about a table ---

    def learn(self, table, body, created=False):
        """The body must describe the own table as the model has it."""
        require(set(body) >= {"metadata-location", "metadata"}, "a table without metadata", body)
        location, metadata = body["metadata-location"], body["metadata"]
        kind = "view-uuid" if table.is_view else "table-uuid"
        if created:
            table.uuid = metadata[kind]
        require(metadata[kind] == table.uuid, f"{table.path} is another table now")
        require(version_of(location) == table.version,
                f"{table.path} has version {version_of(location)}, not {table.version}")
        if not table.is_view:
            have = [s["snapshot-id"] for s in metadata.get("snapshots", [])]
            require(sorted(have) == sorted(table.snapshots), f"snapshots of {table.path}", have,
                    table.snapshots)
            last = table.snapshots[-1] if table.snapshots else None
            current = metadata.get("current-snapshot-id")
            require((None if current in (None, -1) else current) == last, "current snapshot",
                    current, last)
        have = {k: v for k, v in metadata.get("properties", {}).items() if k.startswith("p.")}
        require(have == table.properties, f"properties of {table.path}", have, table.properties)
        table.metadata, table.location = metadata, location
        if location not in table.files:
            table.files.append(location)
        self.warehouse.files.learn(location, metadata, self.warehouse.is_sync)
        if table.trims:
            named = {e["metadata-file"] for e in metadata.get("metadata-log", [])} | {location}
            self.warehouse.files.may_leave([f for f in table.files if f not in named])
            # The next commit, which may be applied before it is answered, gives up the oldest.
            self.warehouse.files.may_leave(
                [e["metadata-file"] for e in metadata.get("metadata-log", [])[:2]])

    def load(self, wire, table):
        """Reads an own table that was changed by a request whose answer does not show it."""
        answer = wire.send("GET", self.v1(table.path))
        if answer is None or self.is_disturbance(answer):
            return
        require(answer.status == 200, f"an own table cannot be read: {answer}", table.path)
        self.learn(table, answer.json)

    # --- own tables ---

    def create(self, stage=False):
        """Creates a table."""
        if len([t for t in self.tables if not t.is_view]) >= TABLES_MAX:
            return None
        table = Table(self.home, self.new_name("t"))
        table.properties = {"p.n": "0"}
        more = {}
        if self.random.random() < 0.2:
            table.trims = True
            more = {"write.metadata.previous-versions-max": "3",
                    "write.metadata.delete-after-commit.enabled": "true"}
        if self.random.random() < 0.2:
            more["write.metadata.compression-codec"] = "gzip"
        if self.random.random() < 0.3:
            more["format-version"] = self.random.choice(["1", "2", "3"])

        def done(answer):
            self.tables.append(table)
            self.learn(table, answer.json, created=True)
        return Request("create", "POST", self.v1(f"/namespaces/{self.home}/tables"),
                       {"name": table.name, "schema": SCHEMA,
                        "properties": {**table.properties, **more}}, done)

    def create_staged(self):
        """Creates a table by a commit with assert-create, as a staged create ends."""
        if len([t for t in self.tables if not t.is_view]) >= TABLES_MAX:
            return None
        table = Table(self.home, self.new_name("t"))
        table.properties = {"p.n": "0", "p.staged": "yes"}
        first = self.snapshot(table)
        updates = [{"action": "assign-uuid", "uuid": uuid7(self.random)},
                   {"action": "upgrade-format-version", "format-version": 2},
                   {"action": "add-schema", "schema": SCHEMA, "last-column-id": 2},
                   {"action": "set-current-schema", "schema-id": -1},
                   {"action": "add-spec", "spec": {"spec-id": 0, "fields": []}},
                   {"action": "set-default-spec", "spec-id": -1},
                   {"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}},
                   {"action": "set-default-sort-order", "sort-order-id": -1},
                   {"action": "set-location",
                    "location": f"file://{self.warehouse.root}/{self.home}/{table.name}"},
                   {"action": "set-properties", "updates": table.properties},
                   *self.append_updates(first)]
        table.snapshots = [first["snapshot-id"]]

        def done(answer):
            self.tables.append(table)
            self.learn(table, answer.json, created=True)
        return Request("create staged", "POST", self.v1(table.path),
                       {"requirements": [{"type": "assert-create"}], "updates": updates}, done)

    def snapshot(self, table, metadata=None):
        """The next snapshot of a table."""
        metadata = metadata or {}
        number = self.random.getrandbits(62) | 1
        current = metadata.get("current-snapshot-id")
        made = {"snapshot-id": number, "timestamp-ms": int(time.time() * 1000),
                "summary": {"operation": "append", "by": self.home},
                "manifest-list": f"file://{self.warehouse.root}/{table.name}/snap-{number}.avro",
                "schema-id": 0}
        if metadata.get("format-version", 2) > 1:
            made["sequence-number"] = metadata.get("last-sequence-number", 0) + 1
        if metadata.get("format-version", 2) > 2:
            made["first-row-id"] = metadata.get("next-row-id", 0)
            made["added-rows"] = 1
        if current not in (None, -1):
            made["parent-snapshot-id"] = current
        return made

    @staticmethod
    def append_updates(snapshot):
        """What an append sends."""
        return [{"action": "add-snapshot", "snapshot": snapshot},
                {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch",
                 "snapshot-id": snapshot["snapshot-id"]}]

    @staticmethod
    def is_at(metadata):
        """The requirements of an append."""
        current = metadata.get("current-snapshot-id")
        return [{"type": "assert-table-uuid", "uuid": metadata["table-uuid"]},
                {"type": "assert-ref-snapshot-id", "ref": "main",
                 "snapshot-id": None if current in (None, -1) else current}]

    def commit(self, label, table, requirements, updates, change):
        """A commit to an own table, which must succeed; `change` tells the model."""
        def done(answer):
            table.version += 1
            change()
            self.learn(table, answer.json)
        return Request(label, "POST", self.v1(table.path),
                       {"requirements": requirements, "updates": updates}, done)

    def append(self):
        """Appends a snapshot and counts it in a property."""
        table = self.own()
        if table is None:
            return self.create()
        made = self.snapshot(table, table.metadata)
        count = str(int(table.properties["p.n"]) + 1)

        def change():
            table.snapshots.append(made["snapshot-id"])
            table.properties["p.n"] = count
        updates = [*self.append_updates(made),
                   {"action": "set-properties", "updates": {"p.n": count}}]
        return self.commit("append", table, self.is_at(table.metadata), updates, change)

    def set_properties(self):
        """Sets and removes properties."""
        table = self.own(self.random.random() < 0.2)
        if table is None:
            return None
        value = str(self.random.getrandbits(32))
        gone = [k for k in table.properties if k not in ("p.n", "p.x")][:1]

        def change():
            table.properties["p.x"] = value
            for key in gone:
                del table.properties[key]
        updates = [{"action": "set-properties", "updates": {"p.x": value}}]
        if gone:
            updates.append({"action": "remove-properties", "removals": gone})
        return self.commit("properties", table, [], updates, change)

    def add_column(self):
        """Adds a column."""
        table = self.own()
        if table is None:
            return None
        last = table.metadata["last-column-id"]
        schema = next(s for s in table.metadata["schemas"]
                      if s["schema-id"] == table.metadata["current-schema-id"])
        wider = {**schema, "fields": [*schema["fields"], {
            "id": last + 1, "name": f"x{last + 1}", "type": "int", "required": False}]}
        updates = [{"action": "add-schema", "schema": wider, "last-column-id": last + 1},
                   {"action": "set-current-schema", "schema-id": -1}]
        return self.commit("column", table, [{"type": "assert-last-assigned-field-id",
                                              "last-assigned-field-id": last}], updates,
                           lambda: None)

    def rename(self):
        """Renames a table or view, sometimes into another own namespace."""
        table = self.own(self.random.random() < 0.3)
        if table is None:
            return None
        space = self.random.choice(sorted(self.spaces))
        name = self.new_name("r")

        def done(_answer):
            table.namespace, table.name = space, name
        kind = "views" if table.is_view else "tables"
        return Request("rename", "POST", self.v1(f"/{kind}/rename"), {
            "source": {"namespace": [table.namespace], "name": table.name},
            "destination": {"namespace": [space], "name": name}}, done, (204,))

    def drop(self, table=None):
        """Drops a table or view; some with their files."""
        table = table or self.own(self.random.random() < 0.3)
        if table is None:
            return None
        purges = not table.is_view and self.random.random() < 0.3
        files = self.warehouse.files
        if purges or table.trims:
            files.may_leave(table.files)

        def done(_answer):
            self.tables.remove(table)
            if purges:
                files.must_leave(table.files)
        return Request("purge" if purges else "drop", "DELETE",
                       self.v1(table.path) + ("?purgeRequested=true" if purges else ""), None, done,
                       (204,))

    # --- several tables ---

    def change_of(self, table):
        """One part of a transaction over own tables, with the change of the model."""
        made = self.snapshot(table, table.metadata)
        count = str(int(table.properties["p.n"]) + 1)

        def change():
            table.version += 1
            table.snapshots.append(made["snapshot-id"])
            table.properties["p.n"] = count
            table.metadata = None
        part = {"identifier": {"namespace": [table.namespace], "name": table.name},
                "requirements": self.is_at(table.metadata),
                "updates": [*self.append_updates(made),
                            {"action": "set-properties", "updates": {"p.n": count}}]}
        return part, change

    def transaction(self):
        """Appends to several own tables at once."""
        mine = [t for t in self.tables if not t.is_view]
        if len(mine) < 2:
            return self.create()
        chosen = self.random.sample(mine, self.random.randint(2, min(4, len(mine))))
        parts = [self.change_of(table) for table in chosen]

        def done(_answer):
            for _part, change in parts:
                change()
        return Request("transaction", "POST", self.v1("/transactions/commit"),
                       {"table-changes": [part for part, _ in parts]}, done, (204,))

    # --- shared tables ---

    def create_shared(self, shared):
        """Creates the shared table; only one client does."""
        def done(answer):
            self.warehouse.files.learn(answer.json["metadata-location"], answer.json["metadata"],
                                       False)
            shared.uuid = answer.json["metadata"]["table-uuid"]
        return Request("create shared", "POST", self.v1("/namespaces/shared/tables"), {
            "name": shared.name, "schema": SCHEMA,
            "properties": {"write.metadata.previous-versions-max": "1000"}}, done)

    def shared_part(self, wire, shared: Shared):
        """(requirements, updates, snapshot id, count) of an append to a shared table."""
        answer = wire.send("GET", self.v1(shared.path))
        if answer is None or self.is_disturbance(answer):
            return None
        require(answer.status == 200, f"a shared table cannot be read: {answer}")
        metadata = answer.json["metadata"]
        self.warehouse.files.learn(answer.json["metadata-location"], metadata, False)
        made = self.snapshot(shared, metadata)
        count = shared.counters.get(self.number, 0) + 1
        updates = [*self.append_updates(made), {
            "action": "set-properties", "updates": {f"p.c{self.number}": str(count)}}]
        return self.is_at(metadata), updates, made["snapshot-id"], count

    def outcome(self, shared, snapshot, count, success):
        """Notes what became of an append to a shared table."""
        with shared.lock:
            if success:
                shared.acknowledged.add(snapshot)
                shared.commits += 1
                shared.counters[self.number] = count
            else:
                shared.refused.add(snapshot)

    def append_shared(self, wire, shared):
        """Appends to a shared table: 200, or 409 when another client was faster."""
        part = None if shared is None else self.shared_part(wire, shared)
        if part is None:
            return None
        requirements, updates, snapshot, count = part

        def done(answer):
            self.outcome(shared, snapshot, count, answer.status == 200)
            if answer.status != 200:
                require(answer.kind == "CommitFailedException", "another kind of refusal")
                return
            metadata = answer.json["metadata"]
            replayed = answer.headers.get("Idempotency-Replayed") == "true"
            self.warehouse.files.learn(answer.json["metadata-location"], metadata,
                                       self.warehouse.is_sync and not replayed)
            require(metadata["table-uuid"] == shared.uuid, "another table")
            require(snapshot in [s["snapshot-id"] for s in metadata["snapshots"]],
                    "an acknowledged snapshot is not in its own answer")
            require(metadata["properties"].get(f"p.c{self.number}") == str(count), "the counter")
        return Request("append shared", "POST", self.v1(shared.path),
                       {"requirements": requirements, "updates": updates}, done, (200, 409))

    def transaction_shared(self, wire, shared):
        """Appends to an own and the shared table at once: both or none."""
        table = self.own()
        part = None if shared is None or table is None else self.shared_part(wire, shared)
        if part is None:
            return None
        requirements, updates, snapshot, count = part
        mine, change = self.change_of(table)

        def done(answer):
            self.outcome(shared, snapshot, count, answer.status == 204)
            if answer.status == 204:
                change()
            else:
                require(answer.kind == "CommitFailedException", "another kind of refusal")
                table.metadata = None
        theirs = {"identifier": {"namespace": ["shared"], "name": shared.name},
                  "requirements": requirements, "updates": updates}
        return Request("transaction shared", "POST", self.v1("/transactions/commit"),
                       {"table-changes": [mine, theirs]}, done, (204, 409))

    # --- views and namespaces ---

    def view_version(self, number):
        """A version of a view."""
        return {"version-id": number, "schema-id": 0, "timestamp-ms": int(time.time() * 1000),
                "summary": {"engine": self.home}, "default-namespace": [self.home],
                "representations": [{"type": "sql", "dialect": "spark",
                                     "sql": f"select {number}, {self.random.getrandbits(40)}"}]}

    def create_view(self):
        """Creates a view."""
        if len([t for t in self.tables if t.is_view]) >= 3:
            return None
        view = Table(self.home, self.new_name("v"), is_view=True)
        view.properties = {"p.v": "1"}

        def done(answer):
            self.tables.append(view)
            self.learn(view, answer.json, created=True)
        return Request("create view", "POST", self.v1(f"/namespaces/{self.home}/views"), {
            "name": view.name, "schema": SCHEMA, "view-version": self.view_version(1),
            "properties": view.properties}, done)

    def replace_view(self):
        """Gives a view a new version."""
        view = self.own(is_view=True)
        if view is None:
            return None
        number = view.metadata["current-version-id"] + 1
        updates = [{"action": "add-view-version", "view-version": self.view_version(number)},
                   {"action": "set-current-view-version", "view-version-id": -1},
                   {"action": "set-properties", "updates": {"p.v": str(number)}}]

        def change():
            view.properties["p.v"] = str(number)
        return self.commit("replace view", view,
                           [{"type": "assert-view-uuid", "uuid": view.uuid}], updates, change)

    def create_space(self, name=None):
        """Creates a namespace."""
        name = name or self.new_name("n")
        if len(self.spaces) > 3:
            return None
        properties = {"owner": self.home}

        def done(answer):
            self.spaces[name] = dict(answer.json["properties"])
            require(self.spaces[name].get("owner") == self.home, "namespace properties")
        return Request("create namespace", "POST", self.v1("/namespaces"),
                       {"namespace": [name], "properties": properties}, done)

    def drop_space(self):
        """Drops an empty namespace of its own, or is refused because it is not empty."""
        names = [name for name in self.spaces if name != self.home]
        if not names:
            return None
        name = self.random.choice(names)
        empty = all(table.namespace != name for table in self.tables)

        def done(_answer):
            if empty:
                del self.spaces[name]
        return Request("drop namespace", "DELETE", self.v1(f"/namespaces/{name}"), None, done,
                       (204,) if empty else (409,))

    def space_properties(self):
        """Sets and removes properties of a namespace."""
        name = self.random.choice(sorted(self.spaces))
        value = str(self.random.getrandbits(30))
        removals = [k for k in self.spaces[name] if k.startswith("k")][:1]
        key = f"k{self.random.randint(0, 9)}"
        removals = [k for k in removals if k != key]

        def done(answer):
            require(answer.json["updated"] == [key] and answer.json["removed"] == removals,
                    "what was changed")
            self.spaces[name][key] = value
            for gone in removals:
                del self.spaces[name][gone]
        return Request("namespace properties", "POST", self.v1(f"/namespaces/{name}/properties"),
                       {"updates": {key: value}, "removals": removals}, done)

    def bulk(self):
        """A large entry, so that the log moves on to its next segment."""
        value = f"{self.random.getrandbits(64):016x}" * (self.bulk_bytes // 16)

        def done(_answer):
            self.spaces[self.home]["bulk"] = value
        return Request("bulk", "POST", self.v1(f"/namespaces/{self.home}/properties"),
                       {"updates": {"bulk": value}}, done)

    # --- refusals and repetitions ---

    def create_again(self):
        """A create that must be refused, also when it is asked again."""
        table = self.own(self.random.random() < 0.2)
        if table is None or table.is_view:
            return None

        def done(answer):
            require(answer.kind == "AlreadyExistsException", "another kind of refusal")
        return Request("create again", "POST", self.v1(f"/namespaces/{table.namespace}/tables"),
                       {"name": table.name, "schema": SCHEMA}, done, (409,))

    def stale_commit(self):
        """A commit whose requirement does not hold."""
        table = self.own()
        if table is None:
            return None
        made = self.snapshot(table, table.metadata)
        requirements = [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 4711}]

        def done(answer):
            require(answer.kind == "CommitFailedException", "another kind of refusal")
        return Request("stale commit", "POST", self.v1(table.path),
                       {"requirements": requirements, "updates": self.append_updates(made)}, done,
                       (409,))

    def ask_again(self, wire):
        """Sends an answered request once more: the same answer, and nothing happens."""
        old = self.random.choice(self.history)
        answer = wire.send(old.method, old.path, old.body, old.key)
        if answer is None or answer.surely_not_done or self.is_disturbance(answer):
            return None
        require(answer.status == old.status, f"another answer than before ({old.status}): {answer}",
                old)
        if old.status < 300:
            require(answer.headers.get("Idempotency-Replayed") == "true",
                    "an answered request was done again", old, answer)
        if old.label.startswith("namespace"):
            require(answer.json == json.loads(old.answer_body), "another body", old, answer)
        if self.random.random() < 0.3:
            other = wire.send(old.method, old.path, b'{"other": true}', old.key)
            require(other is None or other.surely_not_done or self.is_disturbance(other)
                    or other.status == 400,
                    f"a key with another body: {other}", old)
        return None


def run_clients(clients, server):
    """Threads for all clients; returns (threads, stop)."""
    stop = threading.Event()
    threads = [threading.Thread(target=client.run, args=(server.wire(), stop), daemon=True)
               for client in clients]
    for thread in threads:
        thread.start()
    return threads, stop


def join(threads, clients):
    """Waits for the threads and passes on what they found."""
    for thread in threads:
        thread.join()
    for client in clients:
        if client.failure is not None:
            failure, client.failure = client.failure, None
            raise failure
