# SPDX-License-Identifier: Apache-2.0
"""The process under test: start, kill at a bad moment, start again."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import time

from wire import Untrue, Wire

START_TIMEOUT_S = 30


class Server:
    """A `tarn serve` over one data folder; the object outlives its processes."""

    def __init__(self, binary, data, log, arguments=(), limits=()):
        self.binary, self.data, self.log = binary, data, log
        self.arguments, self.limits = list(arguments), list(limits)
        self.address_file = log + ".address"
        self.process = None
        self.port = self.admin_port = 0

    def _apply_limits(self):
        for what, value in self.limits:
            resource.setrlimit(what, (value, value))

    def launch(self):
        """Starts the process and returns at once."""
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.address_file)
        command = [self.binary, "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--admin",
                   "127.0.0.1:0", "--address-file", self.address_file, "--log-format", "json",
                   *self.arguments]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=self._apply_limits if self.limits else None)

    def start(self):
        """Starts the process and returns when it serves."""
        self.launch()
        begin = time.monotonic()
        while not self._has_address():
            code = self.process.poll()
            if code is not None:
                raise Untrue(f"the server did not start: status {code}\n{self.log_tail()}")
            if time.monotonic() - begin > START_TIMEOUT_S:
                self.kill()
                raise Untrue(f"the server did not start in {START_TIMEOUT_S} s\n{self.log_tail()}")
            time.sleep(0.003)
        return time.monotonic() - begin

    def _has_address(self):
        try:
            with open(self.address_file, encoding="utf-8") as text:
                addresses = json.load(text)
        except (OSError, ValueError):
            return False
        if addresses["pid"] != self.process.pid:
            return False
        self.port = int(addresses["api"].rsplit(":", 1)[1])
        self.admin_port = int(addresses["admin"].rsplit(":", 1)[1])
        return True

    def log_tail(self, lines=15):
        """The last lines that the process said."""
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return "".join(text.readlines()[-lines:])

    def expect_alive(self):
        """The server must not have ended by itself."""
        code = self.process.poll()
        if code is not None:
            raise Untrue(f"the server ended by itself with status {code}\n{self.log_tail()}")

    def kill(self):
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout_s=30):
        """SIGTERM; it must end with status 0."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise Untrue(f"the server did not stop within {timeout_s} s of SIGTERM") from None
        if code != 0:
            raise Untrue(f"the server stopped with status {code}\n{self.log_tail()}")

    def end(self):
        """Whatever state it is in: no process stays."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def signal(self, number):
        """Sends a signal."""
        self.process.send_signal(number)

    def wire(self):
        """A new connection to the catalog."""
        return Wire(self.port)

    def admin(self, path):
        """An answer of the admin port."""
        answer = Wire(self.admin_port).send("GET", path)
        if answer is None:
            raise Untrue(f"the admin port does not answer {path}")
        return answer

    def metric(self, name):
        """The value of a metric without labels."""
        for line in self.admin("/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise Untrue(f"there is no metric {name}")

    def another_boot(self):
        """Makes the state file look as another boot of the machine left it: the mark beside it
        names a boot that is not this one, as after every power cut."""
        mark = os.path.join(self.data, "state", "mark")
        try:
            with open(mark, encoding="utf-8") as text:
                lines = text.read().split("\n")
        except FileNotFoundError:
            return
        lines = ["boot 00000000-0000-4000-8000-000000000000" if line.startswith("boot ") else line
                 for line in lines]
        with open(mark, "w", encoding="utf-8") as text:
            text.write("\n".join(lines))
