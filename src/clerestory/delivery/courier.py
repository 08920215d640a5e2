"""Brings one spool's records to one destination.

    spool -> reader -> [courier] -> destination

A courier sends one batch at a time and in order. A batch that cannot be taken now is sent again,
the very same bytes, after waits that grow. What is refused is cut in halves until the culprit
stands alone; the culprit goes to a dead-letter file. A destination that waits for somebody to act
is probed once a minute.

Invariant: the cursor moves only behind what the destination took or what is a dead letter.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from clerestory.delivery.linger import Linger
from clerestory.model.errors import HoldError, RefusedError, RetryError, TooLargeError
from clerestory.spool.letters import DeadLetter
from clerestory.wire.line import time_of
from clerestory.wire.shorten import shorten
from clerestory.wire.slices import TURNS

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerestory.delivery.policy import RoutePolicy
    from clerestory.delivery.port import Batch, Destination, Receipt
    from clerestory.delivery.reader import Reader
    from clerestory.delivery.stats import DestinationStats
    from clerestory.spool.cursor import Cursor
    from clerestory.spool.letters import DeadLetters

    Alarm = Callable[[str, str], None]

_REST_S_MAX: Final = 0.2
_LATE_S: Final = 5.0
_FILLED_MAX: Final = 0.25


class Courier:
    """Reads, sends, moves the cursor; in a thread of its own or step by step.

    Args:
        reader: Cuts the batches.
        cursor: Moves behind what was taken.
        destination: Takes them.
        policy: When to send, and when to send again.
        poll_s: How often an idle courier looks, in seconds.
        stats: Counts.
        letters: Where what is refused is kept; None drops it, counted.
        filled: Returns which part of its bound the spool has taken, from 0 to 1.
        alarm: Told a level's name and a text when the destination does not take records, and when
            it takes them again.

    Attributes:
        destination: Who takes the batches.
        thread: Runs since `start`; None before.
    """

    def __init__(
        self,
        reader: Reader,
        cursor: Cursor,
        destination: Destination,
        *,
        policy: RoutePolicy,
        poll_s: float,
        stats: DestinationStats,
        letters: DeadLetters | None,
        alarm: Alarm,
        filled: Callable[[], float] = float,
    ) -> None:
        self._reader = reader
        self._cursor = cursor
        self.destination = destination
        self._policy = policy
        self._poll_s = poll_s
        self._stats = stats
        self._letters = letters
        self._alarm = alarm
        self._filled = filled
        self._linger = Linger(reader, policy)
        self._stopping = threading.Event()
        self._hurried = threading.Event()
        self._abandoned = False
        self.thread: threading.Thread | None = None
        self._waits = policy.retry.waits_s()
        self._pending: Batch | None = None
        self._failures = 0
        self._alarmed = False
        self._next_try = 0.0
        self._suspects = 0

    # -- the thread -----------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to deliver, in a daemon thread."""
        name = f"clerestory-{self.destination.name}"
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Ask the thread to deliver what is there and then to end."""
        self._stopping.set()
        self._hurried.set()

    def abandon(self) -> None:
        """Ask the thread to end as it is; what it has not delivered stays in the spool."""
        self._abandoned = True
        self.stop()

    def hurry(self, *, now: bool) -> None:
        """Send without lingering from now on, or linger again."""
        (self._hurried.set if now else self._hurried.clear)()

    def join(self, deadline: float) -> bool:
        """Wait for the thread until a time of `time.monotonic`; say whether it ended."""
        if self.thread is not None:
            self.thread.join(max(0.0, deadline - time.monotonic()))
            return not self.thread.is_alive()
        return True

    def _run(self) -> None:
        TURNS.patience = self._patience_s
        TURNS.wait = self._hurried.wait
        try:
            self._send_until_stopped()
        finally:
            self.destination.close()

    def _send_until_stopped(self) -> None:
        while not self._abandoned:
            now = time.monotonic()
            if self.tick(now):
                continue
            stopping = self._stopping.is_set()
            if stopping and not self._failures:
                return
            wait_s = max(self._poll_s, self._next_try - now)
            if stopping:
                time.sleep(min(wait_s, 0.1))
            else:
                self._stopping.wait(wait_s)

    def _patience_s(self) -> float:
        """Return how long a rest may be: the more waits, and the longer, the shorter."""
        if self._stopping.is_set() or self._hurried.is_set() or self._linger.is_urgent:
            return 0.0
        pressure = max(self._oldest_age_s() / _LATE_S, self._filled() / _FILLED_MAX)
        return _REST_S_MAX * max(0.0, 1.0 - pressure)

    def _oldest_age_s(self) -> float:
        oldest = time_of(self._reader.oldest())
        return max(0.0, (time.time_ns() - oldest) / 1e9) if oldest else 0.0

    def tick(self, now: float) -> bool:
        """Send one batch if it is time to; say whether that went anywhere.

        Args:
            now: Time of `time.monotonic`.
        """
        waits = now < self._next_try and not self._stopping.is_set()
        return not waits and self._is_due() and self.step()

    def _is_due(self) -> bool:
        if self._failures or self._suspects:
            return True
        if self._stopping.is_set() or self._hurried.is_set():
            return True
        return self._linger.is_due(self._cursor.place)

    def counts(self) -> dict[str, Any]:
        """Return what was counted, and what waits."""
        return {
            **{key: getattr(self._stats, key) for key in self._stats.__slots__},
            "oldest_age_s": self._oldest_age_s(),
            "worker_alive": self.thread is not None and self.thread.is_alive(),
        }

    def is_done(self) -> bool:
        """Say whether nothing waits for the destination."""
        return not self._reader.oldest()

    def close(self) -> None:
        """Close the cursor of a spool that is not this process's own."""
        self._cursor.close()

    # -- one step -------------------------------------------------------------------------------

    def step(self) -> bool:
        """Send one batch if there is one; say whether that went anywhere."""
        try:
            batch = self._next_batch()
            if batch is None:
                self._failures = 0
                return False
            self._deliver(batch)
        except Exception as error:
            self._failed(error)
            return False
        self._succeeded()
        return True

    def _next_batch(self) -> Batch | None:
        pending, lines_max = self._pending, self._lines_max()
        if (
            pending is not None
            and pending.first == self._cursor.place.number
            and (lines_max is None or pending.count <= lines_max)
        ):
            return pending
        self._pending = None
        return self._reader.next_batch(lines_max=lines_max)

    def _lines_max(self) -> int | None:
        if self._suspects:
            return max(1, self._suspects // 2)
        probing = 0 < self._policy.probe_after <= self._failures
        return 1 if probing else None

    def _deliver(self, batch: Batch) -> None:
        try:
            receipt = self._send(batch)
        except RefusedError as error:
            self._pending = None
            if batch.count > 1:
                self._suspects = batch.count
                return
            self._bury(batch, {0: str(error)})
            receipt, taken = None, 1
        except BaseException:
            self._pending = batch
            raise
        else:
            taken = batch.count if receipt is None else receipt.taken
            self._count(batch, receipt, taken)
        self._pending = None
        self._suspects = max(0, self._suspects - taken)
        self._cursor.advance(self._reader.place_after(taken))

    def _send(self, batch: Batch) -> Receipt | None:
        if not batch.lines or batch.lines.isspace():
            return None  # the selection left nothing of it
        begin = time.perf_counter()
        try:
            return self.destination.send(batch)
        except TooLargeError:
            if batch.count > 1:
                raise
            shorter = shorten(batch.lines.rstrip(b"\n"), len(batch.lines) // 2) + b"\n"
            return self.destination.send(replace(batch, lines=shorter))
        finally:
            self._stats.request_s += time.perf_counter() - begin

    def _count(self, batch: Batch, receipt: Receipt | None, taken: int) -> None:
        refused = {} if receipt is None else {one.index: one.reason for one in receipt.refused}
        if refused:
            self._bury(batch, refused)
        if receipt is not None and receipt.lost:
            self._stats.rejected += receipt.lost
            self._tell("ERROR", f"did not keep {receipt.lost} records: {receipt.detail}")
        whole = taken == batch.count
        lines = batch.lines if whole else b"\n".join(batch.lines.split(b"\n", taken)[:taken])
        empty = _empty_lines(lines) if batch.sparse else 0
        lost = 0 if receipt is None else receipt.lost
        self._stats.sent_records += max(0, taken - empty - len(refused) - lost)
        self._stats.sent_bytes += len(lines)
        self._stats.batches += 1

    def _bury(self, batch: Batch, refused: dict[int, str]) -> None:
        self._stats.dead_lettered += len(refused)
        self._stats.last_error = next(iter(refused.values()))
        if self._letters is None:
            return
        lines = batch.lines.split(b"\n")
        self._stats.letters_dropped += self._letters.add(
            DeadLetter(
                record_id=batch.record_id(index),
                destination=self.destination.name,
                reason=reason,
                resource=batch.resource,
                line=lines[index],
            )
            for index, reason in refused.items()
        )

    # -- failures -------------------------------------------------------------------------------

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._stats.retries += 1
        self._stats.last_error = str(error) or type(error).__name__
        self._stats.hold = isinstance(error, HoldError)
        wait_s = self._policy.hold_s if self._stats.hold else next(self._waits)
        if isinstance(error, RetryError) and error.wait_s is not None:
            wait_s = max(wait_s, min(error.wait_s, self._policy.retry.wait_s_max))
        self._next_try = time.monotonic() + wait_s
        if self._alarmed or (not self._stats.hold and self._failures < self._policy.alarm_after):
            return
        self._alarmed = True
        level = "ERROR" if self._stats.hold else "WARNING"
        self._tell(level, f"does not take records, they wait in the spool: {error}")

    def _succeeded(self) -> None:
        if self._failures:
            self._failures = 0
            self._waits = self._policy.retry.waits_s()
        self._stats.hold = False
        if not self._suspects:
            self._stats.last_error = ""
        if self._alarmed:
            self._alarmed = False
            self._tell("NOTICE", "takes records again")

    def _tell(self, level: str, text: str) -> None:
        self._alarm(level, f"{self.destination.name} {text}")


def _empty_lines(lines: bytes) -> int:
    return sum(not line for line in lines.removesuffix(b"\n").split(b"\n"))
