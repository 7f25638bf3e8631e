# SPDX-License-Identifier: Apache-2.0
"""One tarn node as a child process: start, wait until it serves, kill, start again.

The addresses come from the file that `--address-file` names: the node writes it when it is ready,
so port 0 works and nothing depends on the wording of a log line.
"""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
import urllib.parse

START_TIMEOUT_S = 30.0


class NodeError(Exception):
    """The node did not start, or ended by itself."""


def http_status(port, path, timeout_s=5.0):
    """The status of GET `path` on 127.0.0.1:`port`, or None when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def tail(path, lines=20):
    """The last lines of a text file, for an error message."""
    try:
        with open(path, encoding="utf-8", errors="replace") as text:
            return "".join(text.readlines()[-lines:])
    except OSError:
        return ""


class Node:
    """A `tarn serve` process over one data directory; the object outlives the process."""

    def __init__(self, binary, data, listen="127.0.0.1:0", admin="127.0.0.1:0", log=None,
                 arguments=()):
        self.binary = os.path.abspath(binary)
        self.data = os.path.abspath(data)
        self.listen, self.admin = listen, admin
        self.log = log or self.data + ".log"
        self.address_file = self.data + ".address"
        self.arguments = list(arguments)
        self.process = None
        self.port = self.admin_port = None

    @property
    def uri(self):
        """The root of the REST catalog."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_uri(self):
        """The root of the health and metrics service."""
        return f"http://127.0.0.1:{self.admin_port}"

    def command(self):
        """The command line that start() runs."""
        return [self.binary, "serve", "--data", self.data, "--listen", self.listen,
                "--admin", self.admin, "--address-file", self.address_file, *self.arguments]

    def start(self, timeout_s=START_TIMEOUT_S):
        """Starts the node and returns the seconds until it answered a catalog request."""
        if not os.access(self.binary, os.X_OK):
            raise NodeError(f"there is no program at {self.binary}; build it with ./dev build")
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.address_file)
        begin = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        while not self._is_serving():
            if self.process.poll() is not None:
                raise NodeError(f"the node ended with status {self.process.returncode}:\n"
                                + tail(self.log))
            if time.monotonic() - begin > timeout_s:
                self.kill()
                raise NodeError(f"the node did not serve within {timeout_s:.0f} s:\n"
                                + tail(self.log))
            time.sleep(0.005)
        return time.monotonic() - begin

    def _is_serving(self):
        try:
            with open(self.address_file, encoding="utf-8") as text:
                addresses = json.load(text)
        except (OSError, ValueError):  # not there yet, or half written
            return False
        if addresses["pid"] != self.process.pid:
            return False
        self.port = urllib.parse.urlsplit(addresses["api"]).port
        self.admin_port = urllib.parse.urlsplit(addresses["admin"]).port
        return http_status(self.port, "/v1/config") == 200 and \
            http_status(self.admin_port, "/readyz") == 200

    def kill(self):
        """kill -9: no chance to flush anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout_s=20.0):
        """SIGTERM and wait; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NodeError(f"the node did not stop within {timeout_s:.0f} s of SIGTERM") from None
