# SPDX-License-Identifier: Apache-2.0
"""What the clients know for sure: the model that the server is compared with.

A table that one client owns is known exactly: nobody else changes it, and every request to it is
repeated with its key until it is answered. Of a shared table it is known which snapshots were
acknowledged and which were refused, and how many commits there were.
"""

import json
import re
import threading

from wire import require

VERSION = re.compile(r"/metadata/(\d{5,})-[0-9a-f-]{36}\.(?:gz\.)?metadata\.json$")


def version_of(location):
    """The version number in the name of a metadata file."""
    found = VERSION.search(location)
    require(found, f"the name of a metadata file has another form: {location}")
    return int(found.group(1))


class Table:
    """A table or view of one client."""

    def __init__(self, namespace, name, is_view=False):
        self.namespace, self.name, self.is_view = namespace, name, is_view
        self.uuid = None
        self.version = 0
        self.metadata = None  # None: has to be loaded
        self.location = None
        self.snapshots = []
        self.properties = {}
        self.fields = 2
        self.files = []
        self.trims = False  # deletes old metadata files

    @property
    def path(self):
        """The route of the table."""
        kind = "views" if self.is_view else "tables"
        return f"/namespaces/{self.namespace}/{kind}/{self.name}"


class Shared:
    """A table that every client appends to."""

    def __init__(self, name):
        self.name = name
        self.lock = threading.Lock()
        self.uuid = None
        self.acknowledged, self.refused = set(), set()
        self.commits = 0
        self.counters = {}
        self.properties_of = {}

    @property
    def path(self):
        """The route of the table."""
        return f"/namespaces/shared/tables/{self.name}"


class Files:
    """Every metadata file that some answer named, with what it must hold."""

    def __init__(self):
        self.lock = threading.Lock()
        self.expected = {}    # location -> metadata as answered
        self.unchecked = set()
        self.visible = set()  # answered with publish=sync since the last kill
        self.leaving = set()  # may be deleted, or is already
        self.purged = set()   # must be deleted in the end

    def learn(self, location, metadata, visible):
        """An answer named this file; it must always mean the same content."""
        with self.lock:
            before = self.expected.get(location)
            if before is None:
                self.expected[location] = metadata
                self.unchecked.add(location)
            if visible and location not in self.leaving:
                self.visible.add(location)
        require(before is None or before == metadata, f"{location} has two contents",
                json.dumps(before), json.dumps(metadata))

    def may_leave(self, locations):
        """From now on these files may be deleted."""
        with self.lock:
            self.leaving.update(locations)
            self.visible.difference_update(locations)
            self.unchecked.difference_update(locations)

    def must_leave(self, locations):
        """These files are to be deleted in the background."""
        with self.lock:
            self.purged.update(locations)


class Warehouse:
    """What is true of one warehouse."""

    def __init__(self, name, is_sync, root):
        self.name, self.is_sync, self.root = name, is_sync, root
        self.files = Files()
        self.shared = []
        self.lock = threading.Lock()

    def path(self, rest):
        """The route below the warehouse's prefix."""
        return f"/v1/{self.name}{rest}"

    def current_shared(self, client, limit=40):
        """The shared table that is not full yet; the first caller for a name creates it."""
        with self.lock:
            if not self.shared or len(self.shared[-1].acknowledged) >= limit:
                self.shared.append(Shared(f"s{len(self.shared)}"))
            table = self.shared[-1]
            if table.uuid is None and table.properties_of.setdefault("creator", client) != client:
                return self.shared[-2] if len(self.shared) > 1 else None
            return table
