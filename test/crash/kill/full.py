# SPDX-License-Identifier: Apache-2.0
"""Full disks: of the node, and of a warehouse. Refusing is fine, lying and dying are not."""

import contextlib
import os
import time

from client import join, run_clients
from disk import Disk
from rounds import Episode
from wire import require

MEGABYTE = 1 << 20
SETTLE_S = 5


def fill(disk, free_megabytes):
    """Leaves so much; returns the path of the file that takes the space."""
    path = os.path.join(disk.path, "ballast")
    with open(path, "ab") as file:
        size = disk.free_bytes() - max(1, free_megabytes) * MEGABYTE
        if size > 0:
            os.posix_fallocate(file.fileno(), 0, size)
    if free_megabytes == 0:
        with contextlib.suppress(OSError), open(path, "ab", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
    return path


def wait_ready(server, ready):
    """/readyz has this answer within a few seconds; returns its text."""
    until = time.monotonic() + SETTLE_S
    while True:
        answer = server.admin("/readyz")
        if (answer.status == 200) == ready:
            return answer.body.decode()
        require(time.monotonic() < until, f"/readyz should be {'ok' if ready else 'failing'}",
                answer)
        time.sleep(0.05)


def one_write(server, warehouse, name):
    """A create namespace without a key."""
    wire = server.wire()
    answer = wire.send("POST", warehouse.path("/namespaces"),
                       b'{"namespace":["%s"]}' % name.encode())
    wire.close()
    require(answer is not None, "no answer to a write")
    return answer


def work(episode, seconds):
    """Clients work for a while and stop between two requests, or with one that was refused."""
    threads, stop = run_clients(episode.clients, episode.server)
    time.sleep(seconds)
    stop.set()
    join(threads, episode.clients)
    episode.server.expect_alive()


def node_disk(binary, folder, seed):
    """The node's disk fills up: writes are refused, reads go on, freeing it is enough."""
    disk = Disk(folder, 320)
    episode = Episode(binary, folder, seed, data=disk.path,
                      arguments=["--limits.disk-reserve", "32MiB"])
    server, warehouse = episode.server, episode.warehouses[1]
    try:
        episode.open()
        work(episode, 0.5)
        ballast = fill(disk, 24)
        require("[FAIL] disk" in wait_ready(server, False), "/readyz does not name the disk")
        require(server.admin("/livez").status == 200, "a full disk is no reason for a restart")
        refused = one_write(server, warehouse, "no")
        require(refused.surely_not_done and b"disk" in refused.body, "a write on a full disk",
                refused)
        episode.picture()
        work(episode, 0.3)
        episode.kill()
        server.start()  # reading must be possible after a restart, too
        episode.picture()
        require(one_write(server, warehouse, "no").surely_not_done, "a write on a full disk")
        os.remove(ballast)
        wait_ready(server, True)  # without any write that would look at the disk
        work(episode, 0.3)
        episode.settle()
        episode.compare(all_files=True)
        episode.close()
    finally:
        server.end()
        disk.remove()
    return episode.summary()


def node_disk_to_the_last_byte(binary, folder, seed):
    """Without a reserve and with nothing left: the server may stop, but loses nothing."""
    disk = Disk(folder, 320)
    episode = Episode(binary, folder, seed, data=disk.path,
                      arguments=["--limits.disk-reserve", "1B"])
    server = episode.server
    try:
        episode.open()
        for _ in range(3):
            episode.load(0.2, lambda: None)
            ballast = fill(disk, 0)
            for client in episode.clients:
                client.disturbed = True
            threads, stop = run_clients(episode.clients, server)
            time.sleep(1.5)
            stop.set()
            os.remove(ballast)
            join(threads, episode.clients)
            for client in episode.clients:
                client.disturbed = False
            server.end()
            server.start()
            episode.settle()
            episode.compare(all_files=True)
        episode.close()
    finally:
        server.end()
        disk.remove()
    return episode.summary()


def warehouse_disk(binary, folder, seed):
    """A warehouse's disk is full: its answers come late, the other's do not; then it catches up."""
    disk = Disk(folder, 48)
    episode = Episode(binary, folder, seed, data=folder, clients=4)
    server = episode.server
    root = os.path.join(disk.path, "lake")
    lake, later = episode.warehouses
    lake.root = root
    server.arguments[1] = f"lake={root}"
    try:
        episode.open()
        work(episode, 0.3)
        ballast = fill(disk, 0)
        begin = time.monotonic()
        answer = one_write(server, lake, "late")  # has no file
        require(answer.status == 200, "a namespace needs no file", answer)
        threads, stop = run_clients(episode.clients, server)
        time.sleep(1)
        slow = [c for c in episode.clients if c.warehouse is lake]
        quick = [c for c in episode.clients if c.warehouse is later]
        done = sum(c.answered for c in quick)
        time.sleep(2)
        more = sum(c.answered for c in quick) - done
        require(more > 20, f"the other warehouse made only {more} changes in 2 s")
        stop.set()
        join(threads, episode.clients)
        require(time.monotonic() - begin < 25, "answers took longer than the wait for a file")
        server.expect_alive()
        require(server.metric("tarn_publish_pending") > 0, "nothing is pending on a full disk")
        episode.kill()
        server.start()
        for client in slow:
            client.warehouse.files.visible.clear()
        os.remove(ballast)
        server.wire().send("DELETE", lake.path("/namespaces/late"))
        episode.settle()
        episode.compare(all_files=True)
        episode.close()
    finally:
        server.end()
        disk.remove()
    return episode.summary()
