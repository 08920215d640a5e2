"""Handlers of the standard library that have a destination to themselves.

    logging.getLogger(...) -> [handlers] -> a road of its own -> destination

Each handler has its own spool and courier, so that what reaches it, and only that, goes to its
destination. The rest is as on the program's own road: in the spool before `emit` returns, one
spool a process, adoption after a kill, two seconds at exit.

Invariant: `emit` neither raises nor waits, except for the acknowledgement where `async_upload` is
off.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any, Final

from clerestory.delivery.road import ROADS, Road
from clerestory.integrations.stdlib import add_level_names
from clerestory.logger import invalidate_all
from clerestory.process.lines import record_line

if TYPE_CHECKING:
    import threading

    from clerestory.delivery.pipeline import Pipeline
    from clerestory.delivery.policy import DestinationConfig


_FLUSH_S_MAX: Final = 10.0


class QueueView:
    """How many records wait, under the name that the standard library's queue has for it."""

    def __init__(self, handler: DestinationHandler) -> None:
        self._handler = handler

    def qsize(self) -> int:
        """Return how many records wait for the destination."""
        return int(self._handler.stats()["queued_records"])

    def empty(self) -> bool:
        """Say whether none waits."""
        return self.qsize() == 0


class DestinationHandler(logging.Handler):
    """Puts records on a road of its own.

    Args:
        destination: A class with `Config`, as destinations are.
        config: Its options.
        level: Lowest level.

    Attributes:
        config: The options.
        queue: What waits: `queue.qsize()`.

    Raises:
        ConfigurationError: An option is wrong.
    """

    def __init__(
        self, destination: Any, config: DestinationConfig, level: int | str = logging.NOTSET
    ) -> None:
        super().__init__(level)
        add_level_names()
        self.config = config
        self.queue = QueueView(self)
        self._destination = destination
        destination(config).close()  # a wrong option is told here, not in the first record
        self._waits_for_answer = not getattr(config, "async_upload", True)
        self._road = Road(self._start)
        ROADS.append(self._road)

    def _start(self) -> None:
        # By name: the room that joins all others lies above this one.
        configuration = importlib.import_module("clerestory.configuration")
        configuration.start_road(self._road, self._destination, self.config)

    def createLock(self) -> None:  # noqa: N802  the library's name
        """Need no lock: the road takes lines from any thread."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Put the record on the road, unless a filter of this handler keeps it."""
        verdict: Any = self.filter(record)
        if verdict:
            self.emit(verdict if isinstance(verdict, logging.LogRecord) else record)
        return bool(verdict)

    def emit(self, record: logging.LogRecord) -> None:
        """Put the record on the road."""
        line = self.line(record)
        if line is None:
            return
        self._road.put(line)
        if self._waits_for_answer:
            self.flush()

    def road_at(self, level: int) -> Road | None:  # noqa: ARG002  others may tell levels apart
        """Return the road that a line may be put on without a LogRecord.

        Returns:
            None where the handler must see the record: it has a filter or a formatter, waits for
            the answer, or changes the record.
        """
        plain = not (self.filters or self.formatter or self._waits_for_answer)
        return self._road if plain else None

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802  the library's name
        """Let a formatter make the text of each record."""
        super().setFormatter(fmt)
        invalidate_all()

    def setLevel(self, level: int | str) -> None:  # noqa: N802  the library's name
        """Set the lowest level."""
        super().setLevel(level)
        invalidate_all()

    def addFilter(self, filter: Any) -> None:  # noqa: N802, A002  the library's names
        """Add a filter, as the standard library does."""
        super().addFilter(filter)
        invalidate_all()

    def removeFilter(self, filter: Any) -> None:  # noqa: N802, A002  the library's names
        """Remove a filter, as the standard library does."""
        super().removeFilter(filter)
        invalidate_all()

    def line(self, record: logging.LogRecord) -> bytes | None:
        """Return the line of a record; None where even its message could not be kept."""
        return record_line(record)

    def flush(self) -> None:
        """Wait until the destination has everything, at most ten seconds."""
        pipeline = self._road.pipeline
        if pipeline is not None:
            pipeline.flush(_FLUSH_S_MAX)

    def close(self) -> None:
        """Deliver what is there within two seconds and stop; the spool keeps the rest."""
        pipeline = self._road.pipeline
        if self._road in ROADS:
            ROADS.remove(self._road)
        self._road.reset()
        if pipeline is not None:
            pipeline.close(2.0)
        super().close()

    def stats(self) -> dict[str, Any]:
        """Return what was counted.

        Returns:
            `queued_records` and `queued_bytes`: what waits; `sent`; `retried`; `rejected` and
            `dropped` by reason; `last_error`; `oldest_age_s`; `worker_alive`; `hold`: whether the
            destination waits for somebody to act.
        """
        pipeline = self._road.pipeline
        if pipeline is None:
            return dict(_NOTHING)
        counts = pipeline.counts()
        [own] = counts["destinations"].values()
        settled = own["sent_records"] + own["dead_lettered"] + own["rejected"]
        dropped = sum(counts["dropped"].values())
        return {
            "queued_records": max(0, counts["spooled_records"] - settled - dropped),
            "queued_bytes": counts["backlog_bytes"],
            "sent": own["sent_records"],
            "retried": own["retries"],
            "rejected": {"dead_letter": own["dead_lettered"], "unnamed": own["rejected"]},
            "dropped": counts["dropped"],
            "last_error": own["last_error"],
            "oldest_age_s": own["oldest_age_s"],
            "worker_alive": own["worker_alive"],
            "hold": own["hold"],
        }

    @property
    def _worker_thread(self) -> threading.Thread | None:
        """The courier's thread, for programs that ask whether it is alive."""
        pipeline = self._started()
        return pipeline.couriers[0].thread if pipeline is not None else None

    def _started(self) -> Pipeline | None:
        return self._road.ensure()


_NOTHING = {
    "queued_records": 0,
    "queued_bytes": 0,
    "sent": 0,
    "retried": 0,
    "rejected": {},
    "dropped": {},
    "last_error": "",
    "oldest_age_s": 0.0,
    "worker_alive": False,
    "hold": False,
}
