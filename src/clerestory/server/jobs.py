"""The clock work: old days are dropped, the disk is watched, the rate is measured.

    store <- [jobs] -> app

Invariant: a job that fails is counted and tried again at its next turn; it never stops the server.
"""

import asyncio
import logging
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from clerestory.server.limits import ServerOptions
from clerestory.server.store.embedded import EmbeddedStore
from clerestory.server.store.retention import drop_days_before
from clerestory.server.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

TICK_S: Final = 1.0
RETENTION_S: Final = 600.0
RATE_TICKS: Final = 10
DAY_S: Final = 86_400

_log = logging.getLogger("clerestory.server.jobs")


@dataclass(slots=True)
class Vitals:
    """What the jobs found last.

    Attributes:
        disk_free_bytes: Free space where the data is.
        records_per_s: Records stored a second, over the last ten seconds.
        failures: Turns of jobs that failed.
        days_dropped: Days that retention deleted since the start.
    """

    disk_free_bytes: int = 0
    records_per_s: float = 0.0
    failures: int = 0
    days_dropped: int = 0
    counts: list[tuple[float, int]] = field(default_factory=list)


class Jobs:
    """Runs the jobs while the server runs.

    Attributes:
        on_turn: A further job, called every second; it decides itself what is due.
    """

    def __init__(self, options: ServerOptions, store: EmbeddedStore, writer: Writer) -> None:
        self.vitals = Vitals()
        self.on_turn: Callable[[], None] | None = None
        self._options = options
        self._store = store
        self._writer = writer
        self._retention_next = 0.0
        self.watch()

    @property
    def disk_full(self) -> bool:
        """Whether there is too little space to take records."""
        return self.vitals.disk_free_bytes < self._options.disk_free_bytes_min

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.turn)
            except Exception:  # the wall of this loop: counted, logged, tried again
                self.vitals.failures += 1
                _log.exception("a job failed; it is tried again")
            await asyncio.sleep(TICK_S)

    def turn(self) -> None:
        """Do what is due."""
        self.watch()
        if time.monotonic() >= self._retention_next:
            self._retention_next = time.monotonic() + RETENTION_S
            self.vitals.days_dropped += self._retain()
        if self.on_turn is not None:
            self.on_turn()

    def watch(self) -> None:
        """Measure disk and rate."""
        self.vitals.disk_free_bytes = shutil.disk_usage(self._options.data_dir).free
        counts = self.vitals.counts
        counts.append((time.monotonic(), self._writer.counters.stored))
        del counts[: -RATE_TICKS - 1]
        seconds = counts[-1][0] - counts[0][0]
        if seconds > 0:
            self.vitals.records_per_s = round((counts[-1][1] - counts[0][1]) / seconds, 1)

    def _retain(self) -> int:
        if self._options.retention_days <= 0:
            return 0
        oldest_s = int(time.time()) - self._options.retention_days * DAY_S
        with self._store.querying() as connection:
            return drop_days_before(connection, oldest_s)
