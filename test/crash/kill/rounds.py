# SPDX-License-Identifier: Apache-2.0
"""Rounds of kill -9 under load.

An episode is one data folder with its clients over many rounds. A round: load, kill at a random
moment, restart (perhaps killed again while it recovers, perhaps with a state file that must not be
trusted), every client has its open request answered, everything is compared.
"""

import os
import random
import threading
import time

import checks
from client import GIVE_UP_S, Client, join, run_clients
from server import Server
from wire import Untrue, require
from world import Warehouse

CLIENTS = 8


class Episode:
    """One data folder and its clients."""

    def __init__(self, binary, folder, seed, clients=CLIENTS, arguments=(), bulk_bytes=0,
                 data=None):
        self.random = random.Random(seed)
        self.folder, self.seed = folder, seed
        data = data or folder
        roots = {"lake": os.path.join(data, "lake"), "later": os.path.join(data, "later")}
        self.warehouses = [Warehouse("lake", True, roots["lake"]),
                           Warehouse("later", False, roots["later"])]
        self.server = Server(binary, os.path.join(data, "data"),
                             os.path.join(folder, "server.log"), [
            "--warehouse", f"lake={roots['lake']}",
            "--warehouse", f"later={roots['later']},publish=async",
            "--snapshot-after", "64KiB", "--limits.disk-reserve", "1MiB", *arguments])
        self.clients = [Client(i, self.warehouses[i % 2], random.Random(self.random.random()),
                               bulk_bytes if i == 0 else 0) for i in range(clients)]
        self.files = self.kills = 0
        self.boots = []

    def open(self):
        """The first start, and the shared namespaces."""
        self.server.start()
        wire = self.server.wire()
        for warehouse in self.warehouses:
            answer = wire.send("POST", warehouse.path("/namespaces"), b'{"namespace":["shared"]}')
            require(answer is not None and answer.status == 200, f"no namespace: {answer}")
        wire.close()

    def load(self, seconds, on_end):
        """Clients work for `seconds`, then `on_end` ends the server while they do."""
        threads, stop = run_clients(self.clients, self.server)
        self.wait_for_moment(seconds)
        self.server.expect_alive()
        on_end()
        stop.set()
        join(threads, self.clients)

    def wait_for_moment(self, seconds):
        """Most ends come at any time; some while a snapshot is being made."""
        until = time.monotonic() + seconds
        folder = os.path.join(self.server.data, "snapshots")
        hunting = self.random.random() < 0.25
        while time.monotonic() < until:
            if hunting and any(not name.endswith(".json") and "tmp" in name
                               for name in os.listdir(folder)):
                return
            time.sleep(0.001 if hunting else max(0, until - time.monotonic()))

    def recover(self):
        """Starts the server again, which may be killed several times while it recovers."""
        if self.random.random() < 0.3:
            self.server.another_boot()
        while self.random.random() < 0.4:
            self.server.launch()
            time.sleep(self.random.random() * 0.06)
            self.server.expect_alive()
            self.server.kill()
            self.kills += 1
        self.boots.append(self.server.start())

    def settle(self):
        """Every open request is answered; false when the server was killed in between."""
        results = []

        def finish(client):
            wire = self.server.wire()
            try:
                results.append(client.finish(wire, time.monotonic() + GIVE_UP_S))
            except Exception as error:
                client.failure = error
            finally:
                wire.close()
        threads = [threading.Thread(target=finish, args=(client,)) for client in self.clients]
        for thread in threads:
            thread.start()
        join(threads, self.clients)
        require(all(results), "a request stays without an answer", self.server.log_tail())

    def compare(self, all_files=False):
        """The server against the model; the files since the last look, or all of them."""
        wire = self.server.wire()
        try:
            for warehouse in self.warehouses:
                self.files += checks.everything(wire, warehouse, self.clients)
                if all_files:
                    checks.settled_files(warehouse, everything=True)
        finally:
            wire.close()

    def picture(self):
        """All answers to GET."""
        wire = self.server.wire()
        try:
            return checks.picture(wire, self.warehouses)
        finally:
            wire.close()

    def kill(self):
        """kill -9; what publish=sync promised is looked at before anything repairs it."""
        self.server.kill()
        self.kills += 1

    def round(self):
        """Load, kill, restart, compare; sometimes an idle restart that must change nothing."""
        self.load(0.03 + self.random.random() * 0.25, self.kill)
        for warehouse in self.warehouses:
            checks.visible_files(warehouse)
        self.recover()
        if self.random.random() < 0.2:  # killed while requests are repeated
            self.repeat_and_kill()
        self.settle()
        self.compare()
        if self.random.random() < 0.3:
            self.idle_restart()

    def repeat_and_kill(self):
        """The repeated requests are cut off, too."""
        timer = threading.Timer(self.random.random() * 0.02, self.server.kill)
        timer.start()
        for client in self.clients:
            wire = self.server.wire()
            client.finish(wire, time.monotonic() + GIVE_UP_S)
            wire.close()
        timer.join()
        self.kills += 1
        self.server.start()

    def idle_restart(self):
        """Without load: the same answers before and after, however the server ended."""
        before = self.picture()
        if self.random.random() < 0.5:
            self.kill()
        else:
            self.server.stop()
        if self.random.random() < 0.5:
            self.server.another_boot()
        self.server.start()
        checks.same_picture(before, self.picture())

    def close(self):
        """The last look at everything."""
        self.settle()
        self.compare()
        for warehouse in self.warehouses:
            checks.settled_files(warehouse, everything=True)
            checks.purged_files(warehouse)
        self.server.stop()

    def summary(self):
        """What happened, in a line."""
        clients = self.clients
        times = sorted(t for c in clients for t in c.answer_times) or [0]
        boot_ms = sorted(self.boots)[len(self.boots) // 2] * 1000 if self.boots else 0
        return (f"{self.kills} kills, {sum(c.answered for c in clients)} answers, "
                f"{sum(c.retried for c in clients)} after retries, "
                f"{sum(c.replayed for c in clients)} replayed, {self.files} files, "
                f"start p50 {boot_ms:.0f} ms, "
                f"answer max {times[-1] * 1000:.0f} ms")


def run_episode(binary, folder, seed, rounds):
    """(rounds done, failure text or None, summary)"""
    os.makedirs(folder, exist_ok=True)
    episode = Episode(binary, folder, seed, bulk_bytes=65536 if seed % 3 == 0 else 0)
    done = 0
    try:
        episode.open()
        for done in range(rounds):
            episode.round()
        done = rounds
        episode.close()
        return done, None, episode.summary()
    except Untrue as wrong:
        return done, f"round {done}: {wrong}", episode.summary()
    finally:
        episode.server.end()
