"""Starts writers, counts what they were told was kept, and what the store has of it."""

import os
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from clerestory.delivery.adoption import Adopter
from clerestory.delivery.policy import Route
from clerestory.destinations.server import Server, ServerConfig
from tests.support.server import SOURCE, ServerProcess

WRITER = Path(__file__).with_name("writer.py")


class Writers:
    """Writer processes that share a spool directory and a server."""

    def __init__(self, folder: Path, url: str, spool: Path | None = None) -> None:
        self.folder = folder
        self.url = url
        self.spool = spool or folder / "spool"
        self.count = 0
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, *, pause_s: float = 0.002, limit: int | None = None, **environment: str) -> int:
        """Start one more writer and return its id, once it has logged something."""
        writer = self.count
        self.count += 1
        command = [sys.executable, str(WRITER), str(self._counter(writer)), str(writer)]
        command += [str(pause_s)] + ([str(limit)] if limit is not None else [])
        self._processes[writer] = subprocess.Popen(
            command,
            env={
                **os.environ,
                "PYTHONPATH": str(SOURCE),
                "CLERESTORY_ENDPOINT": self.url,
                "CLERESTORY_DESTINATIONS": "server",
                "CLERESTORY_SERVICE": "writer",
                "CLERESTORY_SPOOL_DIRECTORY": str(self.spool),
                **environment,
            },
        )
        wait_until(lambda: self.returned(writer) > 0, 20)
        return writer

    def kill(self, writer: int) -> None:
        """End a writer with SIGKILL."""
        self._processes[writer].send_signal(signal.SIGKILL)
        self._processes[writer].wait(10)

    def wait(self, writer: int, timeout_s: float = 60) -> int:
        """Wait for a writer's own end and return its exit code."""
        return self._processes[writer].wait(timeout_s)

    def kill_all(self) -> None:
        """End every writer that still runs."""
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                process.wait(10)

    def returned(self, writer: int) -> int:
        """Return how many log calls of a writer returned."""
        try:
            content = self._counter(writer).read_bytes()
        except FileNotFoundError:
            return 0
        return struct.unpack("<Q", content)[0] if len(content) == 8 else 0

    def _counter(self, writer: int) -> Path:
        return self.folder / f"counter-{writer}"

    def adopt(self) -> None:
        """Deliver what dead writers left, as the next process would."""
        destination = Server(ServerConfig(endpoint=self.url))
        adopter = Adopter(self.spool, [Route(destination=destination)])
        try:
            wait_until(lambda: adopter.run_once() == 0 and not spools(self.spool), 60)
        finally:
            destination.close()

    def account(self, server: ServerProcess) -> tuple[int, int, int]:
        """Return how many records were promised, and of these lost and stored twice."""
        stored = Counter(stored_numbers(server))
        promised = [(w, n) for w in range(self.count) for n in range(self.returned(w))]
        lost = sum(stored[key] == 0 for key in promised)
        doubled = sum(count > 1 for count in stored.values())
        return len(promised), lost, doubled


def spools(directory: Path) -> list[Path]:
    """Return the spools that are left in a directory."""
    return [folder for folder in directory.glob("*") if (folder / "lock").exists()]


def stored_numbers(server: ServerProcess) -> list[tuple[int, int]]:
    """Return (writer, number) of every record that the store has, by paging through all."""
    found: list[tuple[int, int]] = []
    cursor = None
    while True:
        params = {"q": "numbered", "from": "-1d", "limit": 1000, "order": "asc"}
        if cursor:
            params["cursor"] = cursor
        answer = server.get("/api/v1/logs", **params)
        found += [(row["attrs"]["writer"], row["attrs"]["n"]) for row in answer["rows"]]
        cursor = answer["next"]
        if cursor is None:
            return found


def wait_until(condition, timeout_s: float) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)
