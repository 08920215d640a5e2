"""The spool of this process: where a record is before the call returns.

    call -> line -> [spool] -> courier -> destination

    <directory>/<spool id>/      mode 0700
        lock                     held with flock while the owner lives
        agent                    only where an agent ships: held with flock by the one that does
        resource.json            what the lines have in common
        cursor.<destination>     see cursor.py
        00000000000000000000.seg see segment.py

The caller appends to the current segment and never waits: rolling to the next one takes a spare
that the keeper made ready. All that may take time, creating, syncing, retiring and giving up
segments, is `maintain`, which the keeper thread calls.

Invariant: an appended line is in the page cache; a line that is given up is counted, and a gap
record says so.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clerestory.model.errors import ConfigurationError
from clerestory.spool.cursor import PREFIX, Cursor, Place
from clerestory.spool.segment import Segment, file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from clerestory.delivery.stats import RoadStats

LOCK_NAME: Final = "lock"
RESOURCE_NAME: Final = "resource.json"
AGENT_NAME: Final = "agent"
_SPIN_S_MAX: Final = 0.05
_OVERFLOW_BYTES_MAX: Final = 8 * 1024 * 1024
_MUCH_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """The bounds of one spool.

    Attributes:
        segment_bytes: Size of one segment.
        bytes_max: All segments together are no larger.
        free_bytes_min: The disk keeps at least so much free.
        sync_each: Whether each line is on the disk before its call returns.
    """

    segment_bytes: int = 4 * 1024 * 1024
    bytes_max: int = 512 * 1024 * 1024
    free_bytes_min: int = 1024 * 1024 * 1024
    sync_each: bool = False


class Spool:
    """Takes lines from every thread and keeps them until all destinations have them.

    Attributes:
        id: 32 hex digits.
        path: Its folder; None when it lies in memory.
        resource: What its lines have in common.
        segments: Those in use, by index.
        spare: The one that comes next; None while there is none.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        resource: Mapping[str, Any],
        limits: SpoolLimits,
        stats: RoadStats,
        on_roll: Callable[[Callable[[bytes], int]], None],
        spool_id: str | None = None,
        ships: bool = True,
    ) -> None:
        """Create the spool's folder and its first segments.

        Args:
            directory: Where the folders of all spools are; None for memory.
            resource: What the lines have in common.
            limits: The bounds.
            stats: Where given-up records are counted.
            on_roll: Told the `append` of the segment that is current from now on.
            spool_id: Name; a new random one if None.
            ships: Whether this process delivers the lines; if not, an agent does.

        Raises:
            OSError: The folder or its segments cannot be created.
            ConfigurationError: The directory belongs to somebody else.
        """
        self.id = spool_id or uuid.uuid4().hex
        self.resource = dict(resource)
        self.path = None if directory is None else _create_folder(directory, self.id)
        self._limits = limits
        self._stats = stats
        self._on_roll = on_roll
        self._lock_fd = -1 if self.path is None else _lock_folder(self.path, self.resource)
        self._ships = ships
        if not ships and self.path is not None:
            (self.path / AGENT_NAME).touch(mode=0o600)
        self._roll_lock = threading.RLock()
        self._rolling = False
        self._overflow: deque[bytes] = deque()
        self._overflow_bytes = 0
        self._retired_lines = 0
        self._cursors: list[Cursor] = []
        self.segments: dict[int, Segment] = {}
        self._indices = itertools.count()
        self._current = self._new_segment()
        self.segments[self._current.index] = self._current
        self.spare: Segment | None = self._new_segment()
        on_roll(self._current.append)

    # -- the caller's side ----------------------------------------------------------------

    def append_when_full(self, line: bytes) -> None:
        """Append a line that the current segment had no room for."""
        deadline = 0.0
        while not self._roll_lock.acquire(blocking=False):
            now = time.monotonic()
            deadline = deadline or now + _SPIN_S_MAX
            if now > deadline:
                self._overflow_append(line)
                return
            time.sleep(0)
        try:
            if self._rolling:  # a signal handler, on top of this very thread's own rolling
                self._overflow_append(line)
                return
            self._rolling = True
            try:
                self._append_rolling(line)
            finally:
                self._rolling = False
        finally:
            self._roll_lock.release()

    def _append_rolling(self, line: bytes) -> None:
        try:
            self._current.append(line)
        except ValueError:
            if not self._roll():
                self._overflow_append(line)
                return
            while self._overflow and self._append_overflow():
                pass
            self._append_or_keep(line)

    def _append_or_keep(self, line: bytes) -> None:
        try:
            self._current.append(line)
        except ValueError:
            self._overflow_append(line)

    def _append_overflow(self) -> bool:
        line = self._overflow[0]
        try:
            self._current.append(line)
        except ValueError:
            return False
        self._overflow.popleft()
        self._overflow_bytes -= len(line)
        return True

    def _overflow_append(self, line: bytes) -> None:
        if self._overflow_bytes + len(line) > _OVERFLOW_BYTES_MAX:
            self._stats.dropped["spool_full"] += 1
            return
        self._overflow_bytes += len(line)
        self._overflow.append(line)

    def _roll(self) -> bool:
        """Make the spare the current segment; say whether there was one."""
        fresh = self.spare
        if fresh is None:
            try:
                fresh = self._new_segment()
            except OSError:
                return False
        self.spare = None
        self._current.seal()
        self.segments[fresh.index] = fresh
        self._current = fresh
        self._on_roll(fresh.append)
        return True

    # -- the keeper's side ----------------------------------------------------------------

    def maintain(self) -> None:
        """Retire what all destinations have, keep a spare ready, keep within the bounds."""
        if not self._ships:
            for cursor in self._cursors:
                cursor.refresh()
        self._retire()
        for segment in list(self.segments.values()):
            if segment is not self._current:
                segment.rest()
        if self.spare is None:
            self._make_spare()
        self._bring_in()
        if self._overflow:
            with self._roll_lock:
                self._rolling = True
                try:
                    self._drain_overflow()
                finally:
                    self._rolling = False

    def _drain_overflow(self) -> None:
        while self._overflow:
            if not self._append_overflow() and not self._roll():
                return

    def _retire(self) -> None:
        for index in sorted(self.segments):
            segment = self.segments[index]
            if segment is self._current:
                return
            if not all(self._has_taken(cursor, segment) for cursor in self._cursors):
                return
            del self.segments[index]
            self._let_go(segment)

    @staticmethod
    def _has_taken(cursor: Cursor, segment: Segment) -> bool:
        place = cursor.place
        if place.segment != segment.index:
            return place.segment > segment.index
        return segment.sealed and place.offset >= segment.end()

    def _let_go(self, segment: Segment) -> None:
        if not self._cursors:
            self._retired_lines += segment.lines()
        if self.spare is not None or not self._ships:  # an agent may still read it
            segment.close(unlink=True)
            return
        index = next(self._indices)
        try:
            segment.recycle(index, self._segment_path(index))
        except OSError:
            segment.close(unlink=True)
        else:
            self._offer_spare(segment)

    def _make_spare(self) -> None:
        room = self._bytes() + self._limits.segment_bytes <= self._limits.bytes_max
        if room and self._disk_has_room():
            try:
                self._offer_spare(self._new_segment())
            except OSError:
                self._stats.errors["segment_create"] += 1
            else:
                return
        self._give_up_oldest()

    def _bring_in(self) -> None:
        """Bring pages in before a caller needs them, of a program that logs more than a little."""
        used = self._current.end()
        if used >= _MUCH_BYTES and not self._current.is_present and self.path is not None:
            self._current.bring_in()
        if used < self._limits.segment_bytes // 4:
            return
        with self._roll_lock:
            spare = self.spare
            if spare is None or spare.is_present:
                return
            self.spare = None  # a caller that wants one meanwhile makes it
        try:
            spare.clear()
        except OSError:
            self._stats.errors["segment_create"] += 1
            spare.close(unlink=True)
        else:
            self._offer_spare(spare)

    def _offer_spare(self, segment: Segment) -> None:
        """Set the spare, unless a caller made the next segment itself in the meantime."""
        with self._roll_lock:
            if self.spare is None and segment.index > self._current.index:
                self.spare = segment
                return
        segment.close(unlink=True)

    def _give_up_oldest(self) -> None:
        """Give up the oldest segment, once the current one is nearly full."""
        oldest = min(self.segments)
        segment = self.segments[oldest]
        nearly_full = self._current.end() > self._limits.segment_bytes * 3 // 4
        if segment is self._current or not (nearly_full or self._overflow):
            return
        lost = 0
        for cursor in self._cursors:
            untaken = self._untaken(cursor, segment)
            cursor.advance(Place(segment.index, segment.end(), cursor.place.number + untaken))
            lost = max(lost, untaken)
        del self.segments[oldest]
        if lost:
            self._stats.dropped["spool_bound"] += lost
            self._overflow_append(_gap_record(lost, self._bytes()))
        self._let_go(segment)

    @staticmethod
    def _untaken(cursor: Cursor, segment: Segment) -> int:
        place = cursor.place
        start = place.offset if place.segment == segment.index else 0
        if place.segment > segment.index:
            return 0
        return segment.read(start, segment.end()).count(b"\n")

    def sync(self) -> None:
        """Bring every line to the disk."""
        for segment in list(self.segments.values()):
            try:
                segment.sync()
            except OSError:
                self._stats.errors["sync"] += 1

    # -- files ----------------------------------------------------------------------------

    def open_cursor(self, name: str) -> Cursor:
        """Return the cursor of a destination; the spool keeps what it has not passed."""
        cursor = Cursor(None if self.path is None else self.path / f"{PREFIX}{name}")
        self._cursors.append(cursor)
        return cursor

    @property
    def backlog_bytes(self) -> int:
        """Bytes appended that some destination has not taken."""
        segments = list(self.segments.values())
        return max((self._behind(cursor, segments) for cursor in self._cursors), default=0)

    @property
    def records(self) -> int:
        """Lines appended so far."""
        segments = list(self.segments.values())
        if not self._cursors:
            return self._retired_lines + sum(one.lines() for one in segments)
        cursor = max(self._cursors, key=lambda one: one.place)
        return cursor.place.number + sum(self._untaken(cursor, one) for one in segments)

    def _behind(self, cursor: Cursor, segments: list[Segment]) -> int:
        return sum(segment.end() - self._taken(cursor, segment) for segment in segments)

    @staticmethod
    def _taken(cursor: Cursor, segment: Segment) -> int:
        place = cursor.place
        if place.segment == segment.index:
            return place.offset
        return segment.end() if place.segment > segment.index else 0

    def forget_in_child(self) -> None:
        """Let go of the lock in a forked child, so that it does not outlive the parent."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def close(self) -> None:
        """Let nothing more in and close the files; remove the folder if all was delivered."""
        self._current.seal()
        empty = not self._overflow and self.backlog_bytes == 0
        for cursor in self._cursors:
            cursor.close()
        if self.path is not None and empty:
            shutil.rmtree(self.path, ignore_errors=True)
        self.forget_in_child()

    def _bytes(self) -> int:
        return len(self.segments) * self._limits.segment_bytes

    def _disk_has_room(self) -> bool:
        if self.path is None:
            return True
        disk = shutil.disk_usage(self.path)
        return disk.free >= min(self._limits.free_bytes_min, disk.total // 20)

    def _segment_path(self, index: int) -> Path | None:
        return None if self.path is None else self.path / file_name(index)

    def _new_segment(self) -> Segment:
        index = next(self._indices)
        segment = Segment(index, self._limits.segment_bytes, self._segment_path(index))
        if self._limits.sync_each:
            segment.sync_each()
        return segment


def _gap_record(lost: int, bytes_max: int) -> bytes:
    fields = {
        "timestamp": time.time_ns(),
        "level": "WARNING",
        "logger": "clerestory",
        "message": f"{lost} records were given up: the spool is at its bound of {bytes_max} bytes",
        "kind": "gap",
        "gap.count": lost,
        "gap.reason": "spool_bound",
    }
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _create_folder(directory: Path, spool_id: str) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = directory.stat().st_uid
    if owner != os.geteuid():
        raise ConfigurationError(
            f"spool.directory {directory} belongs to user {owner}, not to {os.geteuid()}: "
            "set spool.directory to a directory of your own"
        )
    folder = directory / spool_id
    folder.mkdir(mode=0o700)
    return folder


def _lock_folder(folder: Path, resource: Mapping[str, Any]) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    # Under its name the lock is there only when it is held: a process that adopts would take a
    # spool that nobody holds for one of a dead process, and remove it.
    unheld = folder / f"{LOCK_NAME}.new"
    descriptor = os.open(unheld, flags, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unheld.rename(folder / LOCK_NAME)
    temporary = folder / f"{RESOURCE_NAME}.new"
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(resource))
    temporary.rename(folder / RESOURCE_NAME)
    return descriptor
