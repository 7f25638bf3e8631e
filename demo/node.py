# SPDX-License-Identifier: Apache-2.0
"""One tarn node as a child process: start, wait until it serves, kill, start again.

The addresses are read from the kernel (the node's listening sockets) and told apart by what they
answer, so `port 0` works and nothing depends on the wording of a log line.
"""

import http.client
import os
import signal
import subprocess
import time

START_TIMEOUT_S = 30.0


class NodeError(Exception):
    """The node did not start, or ended by itself."""


def _socket_inodes(pid):
    inodes = set()
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return inodes
    for descriptor in descriptors:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes


def listening_ports(pid):
    """The TCP ports that process `pid` listens on."""
    inodes = _socket_inodes(pid)
    ports = set()
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as lines:
                rows = [line.split() for line in lines][1:]
        except OSError:
            continue
        ports.update(int(row[1].rsplit(":", 1)[1], 16) for row in rows
                     if row[3] == "0A" and row[9] in inodes)
    return sorted(ports)


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
                "--admin", self.admin, *self.arguments]

    def start(self, timeout_s=START_TIMEOUT_S):
        """Starts the node and returns the seconds until it answered a catalog request."""
        if not os.access(self.binary, os.X_OK):
            raise NodeError(f"there is no program at {self.binary}; build it with ./dev build")
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
        self.port = self.admin_port = None
        for port in listening_ports(self.process.pid):
            if http_status(port, "/v1/config") == 200:
                self.port = port
            elif http_status(port, "/readyz") == 200:
                self.admin_port = port
        return self.port is not None and self.admin_port is not None

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
