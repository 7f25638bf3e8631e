# SPDX-License-Identifier: Apache-2.0
"""Power cuts of a whole server on a real file system.

The file system is shut down under load without flushing its journal, the process is killed, the
file system is mounted again. The machine's boot id does not change by that, so the state file is
made to look as another boot left it: the server must rebuild it from snapshots and log.
"""

import os
import time

from disk import Disk
from rounds import Episode
from wire import Untrue

DISK_MEGABYTES = 400


class Cuts(Episode):
    """An episode on a disk whose power is cut."""

    def __init__(self, binary, folder, seed):
        self.disk = Disk(folder, DISK_MEGABYTES)
        super().__init__(binary, folder, seed, data=self.disk.path)

    def cut(self):
        """The power goes; the process sees only errors for a while, and must not lie about them."""
        for client in self.clients:
            client.disturbed = True
        self.disk.cut_power()
        time.sleep(self.random.random() * 0.05)
        self.server.kill()
        self.kills += 1

    def boot(self):
        """The power is back."""
        self.disk.unmount()
        self.disk.mount()
        for client in self.clients:
            client.disturbed = False
        self.server.another_boot()

    def round(self):
        """Load, cut, boot, perhaps cut again while it recovers, compare."""
        self.load(0.03 + self.random.random() * 0.3, self.cut)
        for warehouse in self.warehouses:
            warehouse.files.visible.clear()  # visible is not yet durable; the outbox knows
        self.boot()
        while self.random.random() < 0.25:
            self.server.launch()
            time.sleep(self.random.random() * 0.15)
            self.disk.cut_power()
            self.server.kill()
            self.kills += 1
            self.boot()
        self.boots.append(self.server.start())
        self.settle()
        self.compare(all_files=True)


def run(binary, folder, seed, rounds):
    """(cuts survived, failure text or None, summary); raises Skip."""
    os.makedirs(folder, exist_ok=True)
    episode = Cuts(binary, folder, seed)
    done = 0
    failure = None
    try:
        episode.open()
        for done in range(rounds):
            episode.round()
        done = rounds
        episode.close()
    except Untrue as wrong:
        failure = f"cut {done}: {wrong}"
    finally:
        episode.server.end()
        if failure is None:
            episode.disk.remove()
        elif episode.disk.is_mounted:
            episode.disk.unmount()
    return done, failure, episode.summary()
