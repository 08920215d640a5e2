"""One stretch of the spool: lines in memory that is also a file.

    line -> [segment] -> courier -> destination

A segment is mapped and preallocated; what is not yet written is zero bytes. `append` is the
mapping's own `write`: one C call under the interpreter's lock that copies the line and moves the
position, so any number of threads and signal handlers append without a lock of ours. When the
line does not fit it raises `ValueError` and writes nothing.

Invariant: what lies in front of the first zero byte is whole lines; a line that a kill cut short
has no line feed and was not acknowledged to its caller.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SUFFIX: Final = ".seg"
_POPULATE_WRITE: Final = 23  # Linux; the module `mmap` has no name for it
_PART_BYTES: Final = 256 * 1024
_ZEROS: Final = bytes(1024 * 1024)


class Segment:
    """A preallocated mapping that lines are appended to until it is full.

    Attributes:
        index: Its place among the segments of its spool, from 0.
        path: Its file; None for memory.
        append: Takes a line; raises ValueError when it does not fit.
        is_present: Whether its pages were brought in, so that no caller waits for one.
    """

    __slots__ = (
        "_end",
        "_fd",
        "_is_resting",
        "_map",
        "_synced",
        "_tally",
        "append",
        "index",
        "is_present",
        "path",
        "size",
    )

    def __init__(self, index: int, size: int, path: Path | None) -> None:
        """Create the file and reserve its space now, so that a full disk shows here.

        Raises:
            OSError: The file cannot be created, or its space cannot be reserved.
        """
        self.index = index
        self.path = path
        self.size = size
        self.is_present = False
        self._end: int | None = None
        self._tally = (0, 0)
        self._is_resting = False
        self._synced = 0
        self._fd = -1
        if path is None:
            self._map = mmap.mmap(-1, size)
        else:
            self._fd = _create(path, size)
            self._map = mmap.mmap(self._fd, size)
        self.append: Callable[[bytes], int] = self._map.write

    def sync_each(self) -> None:
        """Bring each line to the disk before its `append` returns, for an audit trail."""
        write = self._map.write

        def append(line: bytes) -> int:
            size = write(line)
            if self._fd >= 0:
                os.fdatasync(self._fd)
            return size

        self.append = append

    def clear(self) -> None:
        """Write zeros everywhere, which also brings every page in before a caller needs it.

        They are written to the file, not to the mapping, which shows the same pages: other threads
        run meanwhile, and the kernel takes a quarter of the time.
        """
        whole, rest = divmod(self.size, len(_ZEROS))
        zeros = [_ZEROS] * whole + [_ZEROS[:rest]]
        at = os.pwritev(self._fd, zeros, 0) if self._fd >= 0 else 0
        for part in range(at, self.size, len(_ZEROS)):
            stop = min(part + len(_ZEROS), self.size)
            self._map[part:stop] = _ZEROS[: stop - part]
        self.bring_in()

    def bring_in(self) -> None:
        """Bring every page in that is not there; lines may be appended meanwhile.

        A part at a time, for the interpreter is not let go while the kernel works.
        """
        self.is_present = True
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # a kernel before 5.14
                for start in range(0, self.size, _PART_BYTES):
                    self._map.madvise(_POPULATE_WRITE, start, min(_PART_BYTES, self.size - start))

    def seal(self) -> None:
        """Let nothing more in. What other threads were about to append is refused."""
        self._map.seek(0, os.SEEK_END)

    @property
    def sealed(self) -> bool:
        """Whether nothing more can be appended."""
        return self._map.tell() >= self.size

    def end(self) -> int:
        """Return the offset behind the last whole line."""
        if self._end is not None:
            return self._end
        position = self._map.tell()
        if position < self.size:
            return position
        self._end = self._map.rfind(b"\n", 0, self.size) + 1
        return self._end

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop`."""
        return self._map[start:stop]

    def rest(self) -> None:
        """Give back the memory of a sealed segment; its file is read again when it is needed.

        The kernel keeps or writes the pages as it sees fit: a backlog takes no memory of the
        program.
        """
        if not self._is_resting:
            self._is_resting = True
            self._forget_pages(0, self.size)

    def _forget_pages(self, start: int, stop: int) -> None:
        """Give back the memory of a part, but for the page that it ends in."""
        start -= start % mmap.PAGESIZE
        size = stop - stop % mmap.PAGESIZE - start
        if size > 0 and self._fd >= 0 and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, start, size)

    def lines(self) -> int:
        """Return how many lines it has; each is counted once."""
        counted, lines = self._tally
        end = self.end()
        lines += self.read(counted, end).count(b"\n")
        self._tally = (end, lines)
        return lines

    def sync(self) -> None:
        """Bring the lines that are new to the disk; returns when they are there.

        As long as more may come, they are written once more, to the file and through to the disk.
        To force out the whole file takes the zeros behind them along, and then each page of these
        costs the caller that comes to it some microseconds: the kernel has to note that it is
        written again. The pages in front are given back before: from each that the program still
        has, the kernel takes the right to write, and interrupts the processor that runs it.
        """
        is_last, start, stop = self.sealed, self._synced, self.end()
        if self._fd < 0 or start == stop:
            return
        if is_last or not self._rewritten(start, stop):
            os.fdatasync(self._fd)
        self._synced = stop

    def _rewritten(self, start: int, stop: int) -> bool:
        """Write a part to the disk, if the system can do that."""
        if not hasattr(os, "RWF_DSYNC"):
            return False
        lines = self.read(start, stop)
        self._forget_pages(start, stop)
        try:
            done = os.pwritev(self._fd, [lines], start, os.RWF_DSYNC)
        except OSError:
            return False
        return done == stop - start

    def recycle(self, index: int, path: Path | None) -> None:
        """Empty the segment and let it serve as the one of another index.

        The zeros are written before the new name, so a kill in between leaves a segment whose
        records were all delivered.
        """
        self.clear()
        if path is not None and self.path is not None:
            self.path.rename(path)
        self.index = index
        self.path = path
        self._end = None
        self._tally = (0, 0)
        self._is_resting = False
        self._synced = 0
        self._map.seek(0)

    def close(self, *, unlink: bool) -> None:
        """Give the mapping back, and the file if `unlink`."""
        if unlink and self.path is not None:
            self.path.unlink(missing_ok=True)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class ForeignSegment:
    """A segment of another process, read only.

    Attributes:
        index: Its place among the segments of its spool.
        path: Its file.
        sealed: Whether nothing more comes.
    """

    __slots__ = ("_end", "_map", "index", "path", "sealed")

    def __init__(self, path: Path, *, sealed: bool = True) -> None:
        self.index = int(path.name.removesuffix(SUFFIX))
        self.path = path
        self.sealed = sealed
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            self._map = mmap.mmap(descriptor, size, prot=mmap.PROT_READ) if size else b""
        finally:
            os.close(descriptor)
        self._end = 0

    @property
    def is_begun(self) -> bool:
        """Whether it holds anything."""
        return self._map[:1] > b"\0"

    def end(self) -> int:
        """Return the offset behind the last whole line.

        While the owner lives, what it copies may be seen in any order; but a line that is not yet
        whole has a zero byte in it, so nothing behind the first zero byte is read. When nothing
        more comes, only the last line may be one that a kill cut short: zeros in front of it are
        damage, and lines go on behind.
        """
        if not self.sealed:
            zero = self._map.find(b"\0", self._end)
            whole = self._map.rfind(b"\n", self._end, zero if zero >= 0 else len(self._map)) + 1
            self._end = max(self._end, whole)
        elif self._end == 0:
            whole = self._map.rfind(b"\n") + 1
            begin = self._map.rfind(b"\n", 0, max(0, whole - 1)) + 1
            is_torn = self._map.find(b"\0", begin, whole) >= 0
            self._end = begin if is_torn else whole
        return self._end

    def damaged_bytes(self) -> int:
        """Return how many bytes in front of its end are zero: what stood there is lost."""
        end = self.end()
        return self._map[:end].count(0) if self._map.find(b"\0", 0, end) >= 0 else 0

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop`."""
        return self._map[start:stop]


def file_name(index: int) -> str:
    """Return the name of a segment's file.

    >>> file_name(7)
    '00000000000000000007.seg'
    """
    return f"{index:020d}{SUFFIX}"


def _create(path: Path, size: int) -> int:
    descriptor = os.open(
        path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.write(descriptor, bytes(size))
    except OSError:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise
    return descriptor
