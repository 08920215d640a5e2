"""Many lines, a slice at a time, with the program let in between.

    spool -> reader -> [slices] -> masks, destinations

What is made of a slice stays in the processor's caches. And the interpreter runs one thread at a
time: a thread that works on a mebibyte at a stretch makes the program wait for 5 ms. So the lock
is let go between slices; while nobody wants it, that is tried ever less often.

Invariant: the slices, joined, are the lines.
"""

import time
from collections.abc import Iterator
from typing import Final

SLICE_BYTES: Final = 32_768
_WANTED_S: Final = 0.001
_STRIDE_MAX: Final = 8


def slices(lines: bytes) -> Iterator[bytes]:
    r"""Yield whole lines, a slice at a time.

    >>> [len(part) for part in slices(b"x" * 40_000 + b"\ny\n")]
    [40001, 2]
    """
    start = 0
    left = stride = 1
    while start < len(lines):
        stop = lines.find(b"\n", start + SLICE_BYTES) + 1 or len(lines)
        yield lines[start:stop]
        start = stop
        left -= 1
        if left == 0 and start < len(lines):
            left = stride = 1 if _somebody_ran() else min(2 * stride, _STRIDE_MAX)


def _somebody_ran() -> bool:
    """Let go of the interpreter's lock, and say whether another thread took it."""
    begin = time.monotonic()
    time.sleep(0)
    return time.monotonic() - begin > _WANTED_S
