"""Many lines, a slice at a time, with the program let in between.

    spool -> reader -> [slices] -> masks, destinations

What is made of a slice stays in the processor's caches. And the interpreter runs one thread at a
time: a thread that works on a mebibyte at a stretch makes the program wait for 5 ms. So the lock
is let go between slices; while nobody wants it, that is tried ever less often. While the program
does want it, each return of the lock costs the program a stall, so the thread rests between two
slices for as long as whoever set its `patience` finds that what waits may wait.

Invariant: the slices, joined, are the lines.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

SLICE_BYTES: Final = 32_768
_WANTED_S: Final = 0.001
_STRIDE_MAX: Final = 8


def _impatient() -> float:
    return 0.0


class Turns(threading.local):
    """When the thread that works lets others work.

    Attributes:
        patience: Returns for how many seconds this thread may rest between two slices.
        wait: Rests for so many seconds, or until there is a reason not to.
    """

    def __init__(self) -> None:
        self.patience: Callable[[], float] = _impatient
        self.wait: Callable[[float], object] = time.sleep
        self._left = self._stride = 1
        self._wanted = False

    def end(self) -> None:
        """Let others have the interpreter, if it is time to."""
        self._left -= 1
        if self._left > 0:
            return
        rest_s = self.patience() if self._wanted else 0.0
        begin = time.monotonic()
        (self.wait if rest_s > 0 else time.sleep)(rest_s)
        # another thread kept the interpreter's lock when that was over
        self._wanted = time.monotonic() - begin - rest_s > _WANTED_S
        self._left = self._stride = 1 if self._wanted else min(2 * self._stride, _STRIDE_MAX)


TURNS: Final = Turns()


def slices(lines: bytes) -> Iterator[bytes]:
    r"""Yield whole lines, a slice at a time.

    >>> [len(part) for part in slices(b"x" * 40_000 + b"\ny\n")]
    [40001, 2]
    """
    start = 0
    while start < len(lines):
        stop = lines.find(b"\n", start + SLICE_BYTES) + 1 or len(lines)
        yield lines[start:stop]
        start = stop
        if start < len(lines):
            TURNS.end()
