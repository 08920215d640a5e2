r"""Datagrams in: taken from the socket by one thread, read and stored by another.

    UDP ~~> socket -> [receiver: queue] -> segments, otlp_spans -> writer -> store

Nobody waits for an answer here, so what cannot be kept is counted with its reason, on /metrics.
The first thread looks at the header only: a burst must not overrun the socket while a document is
read. A subsegment whose segment is not known yet waits for it a little, because the X-Ray SDK sends
the parts of a long segment before the segment itself.

Invariant: every datagram that the kernel gave us is stored or counted; the queue is bounded.
"""

import base64
import binascii
import logging
import socket
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from clerestory.model.errors import ClerestoryError, LimitError
from clerestory.server.ingest import otlp_spans
from clerestory.server.store.batch import Batch, Kind
from clerestory.server.store.writer import Writer
from clerestory.server.xray.daemon.frames import (
    DATAGRAM_BYTES_MAX,
    Form,
    Frame,
    FrameError,
    frame_of,
    is_base64,
)
from clerestory.server.xray.segments import Segment, Services, batches_of, read
from clerestory.wire.xray.segment import SegmentError

QUEUE_BYTES_MAX: Final = 32 * 1024 * 1024
ROUND_FRAMES_MAX: Final = 512
DRAINED_MAX: Final = 20_000
HELD_MAX: Final = 5000
HELD_S: Final = 5.0
LOOK_S: Final = 0.25
BUSY_S: Final = 0.2
_OVERFLOWS: Final = 40  # SO_RXQ_OVFL, which Python does not name
_NOT_KEPT: Final = {Form.UNSAMPLED: "unsampled", Form.METRICS: "metrics"}

_log = logging.getLogger("clerestory.server.xray")


class Receiver:
    """The daemon's side of a UDP socket.

    Attributes:
        received: Frames by their form.
        rejected: Datagrams and documents that were not kept, by the reason.
        overflowed: Datagrams that the kernel dropped because nobody read them in time.
    """

    def __init__(
        self, sock: socket.socket, writer: Writer, services: Services, is_full: Callable[[], bool]
    ) -> None:
        self.received: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.overflowed = 0
        self._socket = sock
        self._writer = writer
        self._services = services
        self._is_full = is_full
        self._frames: deque[Frame] = deque()
        self._waiting_bytes = 0
        self._held: deque[tuple[float, Segment]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        if sys.platform == "linux":
            sock.setsockopt(socket.SOL_SOCKET, _OVERFLOWS, 1)
        sock.settimeout(LOOK_S)
        self._threads = [
            threading.Thread(target=work, name=f"clerestory-xray-{name}", daemon=True)
            for name, work in (("udp", self._receive), ("store", self._work))
        ]

    def start(self) -> None:
        """Begin to receive."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop receiving, store what waits, and close the socket."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._socket.close()

    def _receive(self) -> None:
        while not self._closing:
            self._receive_one()
        # what has come by now was sent while we still listened
        self._socket.settimeout(0)
        for _ in range(DRAINED_MAX):
            if not self._receive_one():
                return

    def _receive_one(self) -> bool:
        """Take a datagram off the socket; return whether there was one."""
        try:
            datagram, told, _, _ = self._socket.recvmsg(DATAGRAM_BYTES_MAX, 64)
        except (TimeoutError, BlockingIOError):
            return False
        except OSError:
            self.rejected["socket_error"] += 1
            time.sleep(LOOK_S)
            return False
        for level, kind, data in told:
            if (level, kind) == (socket.SOL_SOCKET, _OVERFLOWS):
                self.overflowed = int.from_bytes(data[:4], "little")
        self._walled(partial(self.take, datagram), "unreadable", 1)
        return True

    def _walled(self, work: Callable[[], None], reason: str, count: int) -> None:
        """Do what must not end a thread."""
        try:
            work()
        except Exception:  # the wall of both threads: counted, logged, and on with the next
            self.rejected[reason] += count
            _log.exception("%d datagrams of X-Ray are lost: %s", count, reason)

    def take(self, datagram: bytes) -> None:
        """Queue a datagram, or count why not."""
        try:
            frame = frame_of(datagram)
        except FrameError as error:
            self.rejected[str(error)] += 1
            return
        self.received[frame.form.value] += 1
        size = len(frame.content)
        if frame.form in _NOT_KEPT:
            self.rejected[_NOT_KEPT[frame.form]] += 1
        elif self._waiting_bytes + size > QUEUE_BYTES_MAX:
            self.rejected["queue_full"] += 1
        else:
            with self._changed:
                self._frames.append(frame)
                self._waiting_bytes += size
                self._changed.notify_all()

    def _work(self) -> None:
        while True:
            is_last = self._closing and not self._threads[0].is_alive()
            frames = self._next()
            self._walled(partial(self._store, frames), "failed", len(frames))
            if is_last and not frames and not self._held:
                return

    def _next(self) -> list[Frame]:
        with self._changed:
            if not self._frames and not self._closing:
                self._changed.wait(LOOK_S)
            elif not self._frames:
                self._changed.wait(LOOK_S / 10)
            count = min(len(self._frames), ROUND_FRAMES_MAX)
            frames = [self._frames.popleft() for _ in range(count)]
            self._waiting_bytes -= sum(len(frame.content) for frame in frames)
            return frames

    def _store(self, frames: list[Frame]) -> None:
        segments: list[Segment] = []
        batches: list[Batch] = []
        for frame in frames:
            try:
                if frame.form is Form.SEGMENT:
                    segments.append(read(frame.content))
                else:
                    batches.append(_batch_of(frame.content))
            except SegmentError as error:
                self.rejected[error.code] += 1
            except (ClerestoryError, binascii.Error):
                self.rejected["bad_otlp"] += 1
        batches += batches_of(self._settled(segments), self._services)
        self._keep(batches)

    def _settled(self, segments: list[Segment]) -> Iterable[Segment]:
        """Return what can be stored: what is new, less what has to wait, and what waited enough."""
        now = time.monotonic()
        places = {
            (line["trace_id"], line["span_id"])
            for one in segments
            if not one.is_part
            for line in one.lines
        }
        ready: list[Segment] = []
        fresh = deque((now + HELD_S, one) for one in segments)
        held, self._held = self._held, deque()
        for deadline, one in (*held, *fresh):
            knows = not one.is_part or one.parent in places or self._services.of(one.parent)
            late = self._closing or now >= deadline or len(self._held) >= HELD_MAX
            if knows or late:
                ready.append(one)
                places |= {(line["trace_id"], line["span_id"]) for line in one.lines}
            else:
                self._held.append((deadline, one))
        return ready

    def _keep(self, batches: list[Batch]) -> None:
        for batch in batches:
            self._submit(batch)
        for batch in batches:
            if batch.answer.done() and batch.answer.cancelled():
                continue
            try:
                refused = batch.answer.result().rejected
            except ClerestoryError as error:
                _log.warning("spans of X-Ray could not be stored: %s", error)
                refused = _count(batch)
            if refused:
                self.rejected["not_stored"] += refused

    def _submit(self, batch: Batch) -> None:
        """Queue a batch for the store; wait while the store is busy."""
        while True:
            if self._is_full():
                self.rejected["disk_full"] += _count(batch)
                batch.answer.cancel()
                return
            try:
                self._writer.submit(batch)
            except LimitError as error:
                if error.status != 429:
                    self.rejected[error.code] += _count(batch)
                    batch.answer.cancel()
                    return
                time.sleep(BUSY_S)
            else:
                return


def _count(batch: Batch) -> int:
    """Return how many spans a batch brings; one of OTLP counts once."""
    return batch.body.count(b"\n") + 1 if batch.kind is Kind.RECORDS else 1


def _batch_of(content: bytes) -> Batch:
    """Return the batch of an OTLP form.

    Raises:
        binascii.Error: It is no Base64.
        LimitError: It is no OTLP.
    """
    if not is_base64(content):
        raise binascii.Error("not Base64")
    return otlp_spans.protobuf_batch(base64.b64decode(content))
