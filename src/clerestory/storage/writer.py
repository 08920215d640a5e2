"""Writes what many tasks hand in at once in few steps, in a thread beside the event loop.

    store() -> [writer] -> file, database, destination

Whoever comes first while nobody writes starts a thread; it takes what has gathered meanwhile, so
that a thousand entries at once cost a few writes and not a thousand.

Invariant: `put` returns when the entry was written, or raises; never in between.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from clerestory.model.errors import LimitError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_PENDING_MAX: Final = 10_000
_BATCH_MAX: Final = 1000
_POLL_S: Final = 0.005


class BatchWriter(Generic[T]):
    """Gathers entries and gives them to a function that writes.

    Args:
        write: Writes entries, in order; runs in a thread, never twice at the same time.
        pending_max: So many entries wait at most.
        wait_s_max: How long `put` waits for a place among them.
    """

    def __init__(
        self,
        write: Callable[[list[T]], None],
        *,
        pending_max: int = _PENDING_MAX,
        wait_s_max: float = 10.0,
    ) -> None:
        self._write = write
        self._pending_max = pending_max
        self._wait_s_max = wait_s_max
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._pending: deque[tuple[T, Future[None]]] = deque()
        self._is_writing = False

    async def put(self, entry: T) -> None:
        """Return when the entry was written.

        A task that is cancelled meanwhile gives up waiting, not the entry.

        Raises:
            LimitError: There was no place in the queue in time.
            Exception: What the function that writes raised.
        """
        if self._pid != os.getpid():  # what waits in a forked child is the parent's
            self._start_afresh()
        written: Future[None] = Future()
        deadline = time.monotonic() + self._wait_s_max
        while not self._offer(entry, written):
            if time.monotonic() > deadline:
                raise LimitError(
                    f"{self._pending_max} entries wait to be stored, and none was in "
                    f"{self._wait_s_max:g} s: store fewer at once, or look at the disk",
                    code="storage_queue_full",
                    status=503,
                )
            await asyncio.sleep(_POLL_S)
        await asyncio.wrap_future(written)

    def _offer(self, entry: T, written: Future[None]) -> bool:
        with self._lock:
            if len(self._pending) >= self._pending_max:
                return False
            self._pending.append((entry, written))
            starts, self._is_writing = not self._is_writing, True
        if starts:
            # Behind the tasks that are ready now, so that they come along.
            asyncio.get_running_loop().call_soon(self._start_writing)
        return True

    def _start_writing(self) -> None:
        try:
            asyncio.get_running_loop().run_in_executor(None, self._write_all)
        except RuntimeError:  # the loop is closing and takes no more work
            self._write_all()

    def _write_all(self) -> None:
        while batch := self._taken():
            waiting = [one for _, one in batch if one.set_running_or_notify_cancel()]
            try:
                self._write([entry for entry, _ in batch])
            except Exception as error:  # a wall: whoever waits must hear of it
                for one in waiting:
                    one.set_exception(error)
            else:
                for one in waiting:
                    one.set_result(None)

    def _taken(self) -> list[tuple[T, Future[None]]]:
        with self._lock:
            count = min(len(self._pending), _BATCH_MAX)
            if count == 0:
                self._is_writing = False
            return [self._pending.popleft() for _ in range(count)]
