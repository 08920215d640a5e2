"""Lets a handler of the standard library work in a thread of its own.

    logger -> [background] -> queue -> thread -> handler

Invariant: whoever logs waits for no handler; what a handler is too slow for is counted.
"""

from __future__ import annotations

import copy
import logging
import os
import queue
import threading
import time
from logging.handlers import QueueHandler
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_RECORDS_MAX: Final = 10_000
_EXIT_WAIT_S: Final = 2.0


class BackgroundHandler(QueueHandler):
    """Stands before a handler, and gives it records from a thread.

    At exit the handler gets up to 2 s for what is left. A forked child has a queue and a thread
    of its own.

    Args:
        target: The handler.

    Attributes:
        target: The handler.
        dropped: Records that found the queue full.
    """

    def __init__(self, target: logging.Handler) -> None:
        self._records: queue.Queue[logging.LogRecord] = queue.Queue(_RECORDS_MAX)
        super().__init__(self._records)
        self.setLevel(target.level)
        self.target = target
        self.dropped = 0
        self._pid = 0
        self._thread: threading.Thread | None = None

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the record as the handler gets it, its message made in the thread that logs."""
        kept = copy.copy(record)
        kept.msg = record.getMessage()
        kept.args = None
        return kept

    def enqueue(self, record: logging.LogRecord) -> None:
        """Give the record to the thread, unless too many wait."""
        if self._pid != os.getpid():
            self._start()
        try:
            self._records.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def _start(self) -> None:
        self._pid = os.getpid()
        self._records = queue.Queue(_RECORDS_MAX)
        self._thread = threading.Thread(
            target=self._work, args=(self._records,), name="clerestory-handler", daemon=True
        )
        self._thread.start()

    def _work(self, records: queue.Queue[logging.LogRecord]) -> None:
        while True:
            record = records.get()
            try:
                if record.levelno >= self.target.level:
                    self.target.handle(record)
            except Exception:  # a wall: the next record gets its chance
                self.target.handleError(record)
            finally:
                records.task_done()

    def drain(self, timeout_s: float) -> bool:
        """Wait until the handler has had every record; say whether it did in time."""
        if self._pid != os.getpid():
            return True
        deadline = time.monotonic() + timeout_s
        records = self._records
        with records.all_tasks_done:
            while records.unfinished_tasks:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not records.all_tasks_done.wait(left_s):
                    return False
        return True

    def flush(self) -> None:
        """Wait for the handler; `logging.shutdown` calls this at exit."""
        self.drain(_EXIT_WAIT_S)


def put_in_background(handlers: Iterable[logging.Handler]) -> list[BackgroundHandler]:
    """Put each handler behind a `BackgroundHandler`, wherever a logger has it."""
    made = []
    for handler in handlers:
        if hasattr(handler, "clerestory_road"):
            continue
        background = BackgroundHandler(handler)
        made.append(background)
        for logger in (logging.root, *tuple(logging.root.manager.loggerDict.values())):
            if isinstance(logger, logging.Logger) and handler in logger.handlers:
                logger.removeHandler(handler)
                logger.addHandler(background)
    return made
