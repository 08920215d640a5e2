"""Brings one spool's records to one destination.

    spool -> reader -> [courier] -> destination

A courier sends one batch at a time and in order, waits as retry.py says when the destination
cannot take it, and halves a batch that is refused until the culprit stands alone; the culprit
goes to a dead-letter file.

Invariant: the cursor moves only behind what the destination took or what is a dead letter.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from clerestory.model.errors import RefusedError, RetryError

if TYPE_CHECKING:
    from pathlib import Path

    from clerestory.delivery.cursor import Cursor
    from clerestory.delivery.port import Batch, Destination
    from clerestory.delivery.reader import Reader
    from clerestory.delivery.retry import RetryPolicy
    from clerestory.delivery.stats import DestinationStats

_DEAD_BYTES_MAX: Final = 64 * 1024 * 1024


class Courier:
    """Reads, sends, moves the cursor; in a thread of its own or step by step."""

    def __init__(
        self,
        reader: Reader,
        cursor: Cursor,
        destination: Destination,
        *,
        policy: RetryPolicy,
        poll_s: float,
        stats: DestinationStats,
        dead_letters: Path | None,
    ) -> None:
        self._reader = reader
        self._cursor = cursor
        self.destination = destination
        self._policy = policy
        self._poll_s = poll_s
        self._stats = stats
        self._dead_letters = dead_letters
        self._stopping = threading.Event()
        self._idle = threading.Event()
        self._thread: threading.Thread | None = None
        self._waits = policy.waits_s()
        self._failing = False

    def start(self) -> None:
        """Begin to deliver, in a daemon thread."""
        name = f"clerestory-{self.destination.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to deliver what is there and then to end."""
        self._stopping.set()

    def join(self, deadline: float) -> bool:
        """Wait for the thread until a time of `time.monotonic`; say whether it ended."""
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
            return not self._thread.is_alive()
        return True

    def _run(self) -> None:
        while True:
            sent = self.step()
            if sent:
                continue
            if self._stopping.is_set() and not self._failing:
                return
            wait_s = next(self._waits) if self._failing else self._poll_s
            if self._stopping.is_set():
                time.sleep(min(wait_s, 0.1))
            else:
                self._stopping.wait(wait_s)

    def step(self) -> bool:
        """Deliver one batch if there is one; say whether one was delivered."""
        try:
            batch = self._reader.next_batch()
            if batch is None:
                self._failing = False
                return False
            self._deliver(batch)
        except RetryError as error:
            self._failed(error)
            if error.wait_s is not None:
                self._stopping.wait(min(error.wait_s, self._policy.wait_s_max))
            return False
        except Exception as error:
            self._failed(error)
            return False
        if self._failing:
            self._failing = False
            self._waits = self._policy.waits_s()
        self._stats.last_error = ""
        return True

    def _failed(self, error: Exception) -> None:
        self._failing = True
        self._stats.retries += 1
        self._stats.last_error = f"{type(error).__name__}: {error}"

    def _deliver(self, batch: Batch) -> None:
        try:
            self.destination.send(batch)
        except RefusedError as error:
            if batch.count <= 1:
                self._bury(batch, error)
            else:
                for half in _halves(batch):
                    self._deliver(half)
        else:
            self._stats.sent += batch.count
            self._stats.batches += 1
            self._stats.sent_bytes += len(batch.lines)
        self._cursor.advance(batch.after)

    def _bury(self, batch: Batch, error: RefusedError) -> None:
        self._stats.dead += batch.count
        self._stats.last_error = str(error)
        path = self._dead_letters
        if path is None:
            return
        if path.exists() and path.stat().st_size > _DEAD_BYTES_MAX:
            path.replace(path.with_suffix(".old"))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"# %b %b\n" % (batch.key.encode(), str(error).encode()))
            file.write(batch.lines)


def _halves(batch: Batch) -> tuple[Batch, Batch]:
    """Cut a batch of several lines in two; the place behind the first is that of its start.

    Masking may have changed lengths, so the place in the middle is not known in bytes: the
    cursor moves when the second half is done.
    """
    lines = batch.lines.splitlines(keepends=True)
    middle = len(lines) // 2
    start = replace(batch.after, offset=0, number=0, segment=0)
    first = replace(batch, count=middle, lines=b"".join(lines[:middle]), after=start)
    second = replace(
        batch,
        first=batch.first + middle,
        count=batch.count - middle,
        lines=b"".join(lines[middle:]),
    )
    return first, second
