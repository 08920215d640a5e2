"""Roads, and the function that puts a line on one.

    call -> line -> [road.write] -> spool

`road.write` is the current segment's own `append`. Before anything is configured it is a function
that starts the road first; after a fork one that opens a spool for the child; after shutdown one
that keeps late records in a small spool for the next process. `ROAD` is the program's own; a
handler that has a destination to itself has a road to itself.

A fork waits until no thread is starting a road: the child would find the lock taken for ever by a
thread that it does not have.

Invariant: a line given to `road.write`, or to `road.when_full` after a ValueError, is kept or
counted; neither raises into the program.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clerestory.delivery.pipeline import Pipeline


_EARLY_MAX: Final = 10_000
_FORK_WAIT_S: Final = 5.0


class Road:
    """Where lines are put.

    Args:
        start: Makes a pipeline and calls `lead_to`; called with the first line.

    Attributes:
        write: Takes a line; raises ValueError when the current segment is full.
        when_full: Takes the line that `write` refused.
        pipeline: What is behind it; None before the first record and in a forked child.
        unwritten: Lines that found no spool at all.
    """

    __slots__ = (
        "_early",
        "_is_starting",
        "_make",
        "_starting",
        "pipeline",
        "unwritten",
        "when_full",
        "write",
    )

    def __init__(self, start: Callable[[], None]) -> None:
        self._make = start
        self.pipeline: Pipeline | None = None
        self.unwritten = 0
        self._is_starting = False
        self._early: deque[bytes] = deque()
        self._starting = threading.RLock()
        self.write: Callable[[bytes], object] = self._start_and_write
        self.when_full: Callable[[bytes], None] = self._start_and_write

    def lead_to(self, pipeline: Pipeline) -> None:
        """Put the lines from now on to this pipeline."""
        self.pipeline = pipeline
        pipeline.road = self
        self.when_full = pipeline.append_when_full
        self.write = pipeline.append
        while self._early:
            pipeline.append_when_full(self._early.popleft())

    def reset(self) -> None:
        """Forget the pipeline: the next line configures again."""
        self._starting = threading.RLock()
        self._is_starting = False
        self.write = self._start_and_write
        self.when_full = self._start_and_write
        self.pipeline = None

    def ensure(self) -> Pipeline | None:
        """Return the pipeline in force, with the defaults if nothing was configured.

        Returns:
            None only while this very thread is already configuring.
        """
        if self.pipeline is None:
            _guard_forks()
            with self._starting:
                if self.pipeline is None and not self._is_starting:
                    self._start()
        return self.pipeline

    def hold(self) -> bool:
        """Wait, but not for ever, until nobody is starting, and let nobody start; say if so."""
        return self._starting.acquire(timeout=_FORK_WAIT_S)

    def let_go(self) -> None:
        """Let threads start again."""
        self._starting.release()

    def _start(self) -> None:
        self._is_starting = True
        try:
            self._make()
        finally:
            self._is_starting = False

    def try_to_ensure(self) -> Pipeline | None:
        """Do as `ensure`, but raise nothing: None if there is no pipeline, for whatever reason."""
        try:
            return self.ensure()
        except Exception:
            return None

    def _start_and_write(self, line: bytes) -> None:
        pipeline = self.try_to_ensure()
        if pipeline is not None:
            pipeline.append_when_full(line)
        elif self._is_starting and len(self._early) < _EARLY_MAX:
            self._early.append(line)  # this thread is configuring: a signal handler, a library
        else:
            self.unwritten += 1

    def put(self, line: bytes) -> None:
        """Take a line; never raises."""
        try:
            self.write(line)
        except ValueError:
            self.when_full(line)


class Fork:
    """Several roads that take the same lines, to be used as one.

    Args:
        roads: Each takes every line.
    """

    __slots__ = ("_roads",)

    def __init__(self, roads: Sequence[Road]) -> None:
        self._roads = tuple(roads)

    def write(self, line: bytes) -> None:
        """Take a line; never raises."""
        for road in self._roads:
            road.put(line)

    when_full = put = write


def _start_defaults() -> None:
    # By name: the room that joins all others lies above this one.
    importlib.import_module("clerestory.configuration").start_defaults()


ROAD: Final = Road(_start_defaults)
ROADS: Final = [ROAD]
_held: Final[list[Road]] = []
_guarded: Final[list[bool]] = []


def _before_fork() -> None:
    _held.extend(road for road in ROADS if road.hold())


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().let_go()


def _after_fork_in_child() -> None:
    _held.clear()
    for road in ROADS:
        if road.pipeline is None:
            road.reset()


def _guard_forks() -> None:
    """Let forks wait for a start, from the first start on.

    `logging` takes its lock before a fork as well, and starting needs that lock: so ours must be
    taken first, which is what the one that was registered last does.
    """
    if _guarded or not hasattr(os, "register_at_fork"):
        return
    _guarded.append(True)
    importlib.import_module("logging")
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
