# SPDX-License-Identifier: Apache-2.0
"""Few descriptors, little memory, signals: the server refuses, waits or stops, and stays honest."""

import resource
import signal
import socket
import threading
import time

from client import join, run_clients
from full import work
from rounds import Episode
from wire import Wire, require


def few_descriptors(binary, folder, seed):
    """More connections than descriptors: some wait, none kills the server, and it recovers."""
    episode = Episode(binary, folder, seed)
    server = episode.server
    server.limits = [(resource.RLIMIT_NOFILE, 192)]
    try:
        episode.open()
        for _ in range(2):
            crowd = []
            for _ in range(400):
                crowd.append(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            threads, stop = run_clients(episode.clients, server)
            time.sleep(0.5)
            server.expect_alive()
            for connection in crowd:
                connection.close()
            time.sleep(0.5)
            stop.set()
            join(threads, episode.clients)
            server.expect_alive()
            episode.settle()
            work(episode, 0.5)
            require(server.admin("/readyz").status == 200, "not ready after the crowd")
        episode.compare(all_files=True)
        episode.close()
    finally:
        server.end()
    return episode.summary()


def little_memory(binary, folder, seed):
    """Address space for a few large requests only: the others are refused."""
    episode = Episode(binary, folder, seed, arguments=["--limits.body", "32MiB"])
    server = episode.server
    try:
        episode.open()
        work(episode, 0.3)
        with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as text:
            size = int(text.read().split()[0]) * resource.getpagesize()
        resource.prlimit(server.process.pid, resource.RLIMIT_AS, (size + (96 << 20),) * 2)
        body = b'{"updates":{"x":"' + b"y" * (24 << 20) + b'"},"removals":[]}'
        seen = []

        def send():
            wire = Wire(server.port)
            answer = wire.send("POST", "/v1/lake/namespaces/shared/properties", body)
            seen.append(None if answer is None else answer.status)
            wire.close()
        crowd = [threading.Thread(target=send) for _ in range(12)]
        for thread in crowd:
            thread.start()
        work(episode, 1)
        for thread in crowd:
            thread.join()
        require(set(seen) <= {200, 413, 429, 503, None}, f"answers to large requests: {seen}")
        require(503 in seen or 429 in seen or None in seen, f"nothing was refused: {seen}")
        server.expect_alive()
        episode.settle()
        episode.compare(all_files=True)
        episode.close()
    finally:
        server.end()
    return f"{episode.summary()}; large requests: {sorted(map(str, seen))}"


def drain(binary, folder, seed):
    """SIGTERM under load: what was accepted is answered; what was not answered did not happen."""
    episode = Episode(binary, folder, seed)
    lost = 0
    try:
        episode.open()
        for client in episode.clients:
            client.abandons = False
        for _ in range(10):
            episode.load(0.05 + episode.random.random() * 0.2, episode.server.stop)
            waiting = [c.pending for c in episode.clients if c.pending is not None]
            episode.server.start()
            episode.settle()
            done = [request for request in waiting if request.replayed]
            require(not done, "a request was carried out but not answered before the end", *done)
            lost += len(waiting)
            episode.compare(all_files=True)
        episode.close()
    finally:
        episode.server.end()
    return f"{episode.summary()}; {lost} requests were not accepted at the end"


def pauses(binary, folder, seed):
    """The process stands still for a while and goes on."""
    episode = Episode(binary, folder, seed)
    server = episode.server
    try:
        episode.open()
        threads, stop = run_clients(episode.clients, server)
        for _ in range(4):
            time.sleep(0.2)
            server.signal(signal.SIGSTOP)
            time.sleep(0.5)
            server.signal(signal.SIGCONT)
        time.sleep(0.2)
        stop.set()
        join(threads, episode.clients)
        server.expect_alive()
        episode.settle()
        episode.compare(all_files=True)
        episode.close()
    finally:
        server.end()
    return episode.summary()
