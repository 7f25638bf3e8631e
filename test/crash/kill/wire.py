# SPDX-License-Identifier: Apache-2.0
"""One client's connection to the server, and what an answer may be.

`None` stands for "no answer": the connection broke before a whole answer was read, so the outcome
is unknown and only a retry with the same Idempotency-Key can tell.
"""

import http.client
import json
import socket
import time
import uuid

ANSWER_TIMEOUT_S = 30


class Untrue(AssertionError):
    """The server said or kept something that is not so."""


def require(holds, text, *details):
    """Raises Untrue with the text and the details, shortened, unless it holds."""
    if not holds:
        raise Untrue(text + "".join(f"\n      {str(detail)[:1500]}" for detail in details))


def uuid7(random):
    """A UUIDv7 from the round's own randomness, as idempotency keys are."""
    value = (int(time.time() * 1000) << 80) | (7 << 76) | random.getrandbits(76)
    return str(uuid.UUID(int=(value & ~(3 << 62)) | (2 << 62)))


class Answer:
    """A whole HTTP answer."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        """The body as JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Untrue(f"a whole answer with status {self.status} is not JSON: "
                         f"{self.body[:300]!r}") from None

    @property
    def kind(self):
        """error.type of a failure."""
        return self.json["error"]["type"]

    @property
    def surely_not_done(self):
        """The server promises that nothing happened and asks to try again."""
        return self.status in (429, 503) and self.headers.get("Retry-After") is not None

    @property
    def unknown(self):
        """The server says that it does not know."""
        return self.status == 500 and b"CommitStateUnknownException" in self.body

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r}"


class Wire:
    """A keep-alive connection that is opened again when it broke."""

    def __init__(self, port):
        self.port = port
        self.connection = None
        self.is_broken = False  # the last request had no answer

    def _connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_TIMEOUT_S)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection

    def close(self):
        """Forgets the connection."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def send(self, method, path, body=None, key=None, abandon=False):
        """The answer, or None. With `abandon` the answer is not waited for."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        self.is_broken = False
        try:
            if self.connection is None:
                self._connect()
            self.connection.request(method, path, body=body, headers=headers)
            if abandon:
                self.close()
                return None
            answer = self.connection.getresponse()
            whole = answer.read()
            if answer.will_close:
                self.close()
            return Answer(answer.status, answer.headers, whole)
        except TimeoutError:
            self.close()
            raise Untrue(f"no answer to {method} {path} in {ANSWER_TIMEOUT_S} s") from None
        except (OSError, http.client.HTTPException):
            self.is_broken = True
            self.close()
            return None
