# SPDX-License-Identifier: Apache-2.0
"""What the client tests share: the server under test, raw HTTP, and the marks of a test.

A test is a function `test_…(target)`. It works in namespaces of its own (target.namespace()), so
that tests do not see each other and can run against a server that holds other things.
"""

import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.parse
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "demo"))

import engines  # noqa: E402
import node as nodes  # noqa: E402

JSON = "application/json"


class Skip(Exception):
    """Raised by a test that does not apply to this server."""


def reference_differs(why):
    """Marks a test whose expectation the Iceberg reference server is known not to meet."""
    def mark(function):
        function.reference_differs = why
        return function
    return mark


def needs_node(function):
    """Marks a test that must start, kill or configure a node itself."""
    function.needs_node = True
    return function


class Response:
    """A whole HTTP answer."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        """The body as JSON; an empty or broken body is an error of the test."""
        return json.loads(self.body)

    @property
    def etag(self):
        """The ETag header, or None."""
        return self.headers.get("ETag")

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


def exchange(address, method, path, body=None, headers=None, timeout_s=30):
    """One request with the path sent byte for byte as given."""
    connection = http.client.HTTPConnection(address, timeout=timeout_s)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class Target:
    """The server under test."""

    _numbers = itertools.count(1)

    def __init__(self, uri, warehouse=None, reference=False, node=None):
        self.uri = uri.rstrip("/")
        self.warehouse, self.reference, self.node = warehouse, reference, node
        self.address = urllib.parse.urlsplit(self.uri).netloc
        self.root = urllib.parse.urlsplit(self.uri).path
        config = self.send("GET", "/v1/config" + self._warehouse_query()).json
        self.config = config
        prefix = {**config["defaults"], **config["overrides"]}.get("prefix")
        self.prefix = f"/{prefix}" if prefix else ""

    def _warehouse_query(self):
        if not self.warehouse:
            return ""
        return "?warehouse=" + urllib.parse.quote(self.warehouse, safe="")

    def send(self, method, path, body=None, headers=None, timeout_s=30):
        """A request to a path below the root; a body that is not bytes is sent as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", JSON)
        return exchange(self.address, method, self.root + path, body, headers, timeout_s)

    def v1(self, method, path, body=None, headers=None, **more):
        """A request to a path below /v1/{prefix}."""
        return self.send(method, f"/v1{self.prefix}{path}", body, headers, **more)

    def joined(self, *levels):
        """Namespace levels as one path segment, with the separator that the server asks for."""
        separator = {**self.config["defaults"],
                     **self.config["overrides"]}.get("namespace-separator", "%1F")
        return separator.join(urllib.parse.quote(level, safe="") for level in levels)

    def endpoints(self):
        """The operations that the server says it has."""
        return set(self.config.get("endpoints") or ())

    def restart(self, kill=False):
        """Stops our own node (or kills it with signal 9) and starts it on the same addresses."""
        if kill:
            self.node.kill()
        else:
            assert self.node.stop() == 0, "the node did not stop cleanly"
        self.start_again()

    def start_again(self):
        """Starts our own node, which has ended, on the addresses that it had."""
        self.node.listen = f"127.0.0.1:{self.node.port}"
        self.node.admin = f"127.0.0.1:{self.node.admin_port}"
        self.node.start()

    def name(self, stem="ns"):
        """A name that nothing else uses."""
        return f"{stem}_{next(self._numbers)}_{uuid.uuid4().hex[:8]}"

    def namespace(self, stem="ns"):
        """Creates a namespace of this test's own and returns its name."""
        name = self.name(stem)
        answer = self.v1("POST", "/namespaces", {"namespace": [name], "properties": {}})
        assert answer.status == 200, answer
        return name

    def table(self, namespace, name="t", **more):
        """Creates a small table over raw HTTP; returns the LoadTableResult."""
        body = {"name": name, "schema": SCHEMA, **more}
        answer = self.v1("POST", f"/namespaces/{namespace}/tables", body)
        assert answer.status == 200, answer
        return answer.json

    def catalog(self, **properties):
        """A PyIceberg catalog on this server."""
        return engines.pyiceberg_catalog(self.uri, self.warehouse, **properties)

    def duckdb(self, alias="lake"):
        """A DuckDB connection with this server attached."""
        return engines.duckdb_connection(self.uri, self.warehouse, alias)


SCHEMA = {"type": "struct", "schema-id": 0, "fields": [
    {"id": 1, "name": "id", "type": "long", "required": True},
    {"id": 2, "name": "name", "type": "string", "required": False, "doc": "a name"},
]}


def set_properties(**properties):
    """The update that sets table properties."""
    return {"action": "set-properties", "updates": properties}


def snapshot(number, sequence, parent=None, location="file:///tmp"):
    """A snapshot as a writer sends it; its manifest list is never opened by a catalog."""
    made = {"snapshot-id": number, "sequence-number": sequence, "timestamp-ms": now_ms(),
            "manifest-list": f"{location}/metadata/snap-{number}.avro",
            "summary": {"operation": "append"}, "schema-id": 0}
    if parent is not None:
        made["parent-snapshot-id"] = parent
    return made


def now_ms():
    """The wall clock in milliseconds."""
    import time
    return int(time.time() * 1000)


def uuid7():
    """A UUIDv7, as idempotency keys are."""
    value = (now_ms() << 80) | (7 << 76) | (uuid.uuid4().int & ((1 << 76) - 1))
    value = (value & ~(3 << 62)) | (2 << 62)
    return str(uuid.UUID(int=value))


def assert_error(answer, status, kind=None, text=None):
    """The answer has this status and the error body of the protocol."""
    assert answer.status == status, f"wanted {status}, got {answer}"
    body = answer.json
    assert set(body) == {"error"}, f"the error wrapper has other members: {body}"
    error = body["error"]
    assert error["code"] == status, f"code in the body: {error}"
    assert isinstance(error["message"], str) and isinstance(error["type"], str), error
    assert set(error) <= {"message", "type", "code", "stack"}, error
    if kind is not None:
        kinds = (kind,) if isinstance(kind, str) else kind
        assert error["type"] in kinds, f"wanted type {kind}: {error['type']} {error['message']}"
    if text is not None:
        assert text in error["message"], f"wanted '{text}' in: {error['message']}"


# --- servers ---

class ReferenceServer:
    """The Iceberg project's reference server as a child process."""

    def __init__(self):
        script = os.path.join(ROOT, "bench", "reference", "run")
        self.process = subprocess.Popen([script, "--port", "0"], stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)
        line = self.process.stdout.readline().split()
        if len(line) != 2 or line[0] != "ready":
            raise RuntimeError("the reference server did not start")
        self.uri = line[1]

    def stop(self):
        """Ends the server and removes its files."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


class OwnNode:
    """A tarn node in a temporary directory."""

    def __init__(self, binary=None, arguments=()):
        binary = binary or os.environ.get("TARN_BINARY") or os.path.join(ROOT, "build", "tarn")
        self.folder = tempfile.TemporaryDirectory(prefix="tarn-clients-")
        self.node = nodes.Node(binary, os.path.join(self.folder.name, "data"),
                               log=os.path.join(self.folder.name, "node.log"),
                               arguments=arguments)
        self.node.start()
        self.uri = self.node.uri

    def stop(self):
        """Ends the node and removes its files; a node that died by itself is an error."""
        status = self.node.process.poll()
        if status is not None:
            log = nodes.tail(self.node.log)
            self.folder.cleanup()
            raise RuntimeError(f"the node ended by itself with status {status}:\n{log}")
        self.node.stop()
        self.folder.cleanup()
