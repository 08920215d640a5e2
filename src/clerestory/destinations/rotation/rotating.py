"""Appends records to a file that rotates, safely for several processes.

    spool -> courier -> [file] -> app.log, app.log.1.gz, ... or app.log.2026-11-21.gz, ...

Two locks of the operating system keep the order. Who appends holds the file itself, and looks
whether it is still the one at the path. Who rotates, compresses or removes holds `app.log.lock`
for all of it, and the file only while it is renamed: nobody waits for a compression but the next
rotation.

What a killed process leaves is mended by the next one: a torn last line, a gap in the numbers, a
half-written `.gz.new`, an old file that is there both plain and compressed.

Invariant: a rotation renames, it never copies or truncates; no whole line is torn or lost by it.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clerestory.delivery.port import BatchLimits
from clerestory.destinations.rotation.old import (
    OldFile,
    compress,
    leftovers,
    old_files,
    rename_up,
)
from clerestory.destinations.rotation.policy import PERIODS, RotationPolicy, rotation_policy
from clerestory.model.errors import RetryError
from clerestory.process.encode import decode
from clerestory.wire.line import with_iso_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clerestory.delivery.port import Batch

__all__ = ["FileStats", "RotatingFile", "RotationPolicy", "rotation_policy"]

_DAY_S: Final = 86_400
_LINE_BYTES_MAX: Final = 64 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class FileStats:
    """What one process did to a file.

    Attributes:
        written_bytes: Appended.
        rotations: Renames of the file.
        compressed: Old files compressed.
        removed: Old files removed.
        removed_bytes: Their sizes.
        mended: Torn last lines and leftovers of killed processes that were put right.
    """

    written_bytes: int = 0
    rotations: int = 0
    compressed: int = 0
    removed: int = 0
    removed_bytes: int = 0
    mended: int = 0


class RotatingFile:
    """One file of JSON lines, shared by any number of processes.

    Rotated by size alone, old files are `app.log.1`, the newest, `app.log.2`, ... Rotated by time
    they bear the name of their period and are never renamed: `app.log.2026-11-21`, then
    `app.log.2026-11-21.1` if there are several. Compressed ones end in `.gz`.

    Args:
        path: The file; its folder is created.
        policy: When to rotate, what to keep.
        now: The clock, seconds since the epoch.
    """

    adopts = True
    limits = BatchLimits()

    def __init__(
        self,
        path: str | Path,
        *,
        policy: RotationPolicy | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path).absolute()
        self.name = "file-" + "".join(
            char if char.isalnum() or char in ".-" else "_" for char in str(self.path)[-100:]
        )
        self.policy = policy or RotationPolicy()
        self._counts = FileStats()
        self._now = now
        self._is_tidy = False

    @property
    def rotations(self) -> int:
        """How often this process rotated the file."""
        return self._counts.rotations

    def stats(self) -> dict[str, int]:
        """Return what this process did to the file; the keys are those of `FileStats`."""
        return asdict(self._counts)

    # -- appending -----------------------------------------------------------------------------

    def send(self, batch: Batch) -> None:
        """Append the batch's lines with ISO times.

        Raises:
            RetryError: The file cannot be written; nothing of the batch is in it.
        """
        text = b"".join(with_iso_time(line) + b"\n" for line in batch.lines.splitlines() if line)
        try:
            self.append(text)
        except OSError as error:
            reason = error.strerror or str(error)
            raise RetryError(f"{self.path} cannot be written: {reason}") from error

    def append(self, text: bytes) -> None:
        """Append whole lines, rotating first where the policy says so.

        Raises:
            OSError: The file cannot be written; nothing of the text is in it.
        """
        if not self._is_tidy:
            self._tidy_after_others()
        while not self._appended(text):
            self._rotate(len(text))

    def _appended(self, text: bytes) -> bool:
        """Append unless a rotation is due first; say whether it was done."""
        with self._opened() as file:
            facts = os.fstat(file)
            if self._is_due(facts, len(text)):
                return False
            end = self._mended(file, facts.st_size)
            try:
                view = memoryview(text)
                while view:
                    view = view[os.write(file, view) :]
            except OSError:
                os.ftruncate(file, end)
                raise
        self._counts.written_bytes += len(text)
        return True

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open and lock the file that is at the path while the lock is held."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                if _is_at(file, self.path):
                    yield file
                    return
            finally:
                os.close(file)

    def _mended(self, file: int, size: int) -> int:
        """End or cut away a last line without a line feed; return the file's size."""
        if size == 0 or os.pread(file, 1, size - 1) == b"\n":
            return size
        self._counts.mended += 1
        start = _last_line_start(file, size)
        if _is_torn(os.pread(file, min(size - start, _LINE_BYTES_MAX), start)):
            os.ftruncate(file, start)
            return start
        os.write(file, b"\n")
        return size + 1

    def _is_due(self, facts: os.stat_result, size: int) -> bool:
        if facts.st_size == 0:
            return False
        if 0 < self.policy.bytes_max < facts.st_size + size:
            return True
        if not self.policy.rotate_every:
            return False
        return self._period(facts.st_mtime) < self._period(self._now())

    def _period(self, moment_s: float) -> str:
        return time.strftime(PERIODS[self.policy.rotate_every], time.gmtime(moment_s))

    def close(self) -> None:
        """Do nothing: the file is open only while it is written."""

    # -- rotating ------------------------------------------------------------------------------

    def rotate(self) -> Path | None:
        """Rotate now, unless the file is missing or empty.

        Returns:
            The old file as it is now; None if there is none or the policy keeps none.
        """
        return self._rotate(None)

    def rotate_if_due(self) -> Path | None:
        """Rotate if the policy says so; return as `rotate` does."""
        return self._rotate(0)

    def cleanup(self) -> int:
        """Compress and remove what the policy says; return how many old files were removed."""
        before = self._counts.removed
        with self._alone():
            self._retain()
        return self._counts.removed - before

    def _rotate(self, size: int | None) -> Path | None:
        """Rotate if it is still due for so many bytes more; None rotates in any case."""
        with self._alone():
            renamed = self._renamed(size)
            if renamed is None:
                return None
            self._retain()
            compressed = renamed.with_name(f"{renamed.name}.gz")
            return next((path for path in (compressed, renamed) if path.exists()), None)

    @contextmanager
    def _alone(self, *, wait: bool = True) -> Iterator[bool]:
        """Keep other rotations out; yield whether that was possible."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with Path(f"{self.path}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            for leftover in leftovers(self.path):
                leftover.unlink(missing_ok=True)
                self._counts.mended += 1
            yield True

    def _renamed(self, size: int | None) -> Path | None:
        try:
            file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX)  # nobody is in the middle of appending
            facts = os.fstat(file)
            due = facts.st_size > 0 if size is None else self._is_due(facts, size)
            if not due or not _is_at(file, self.path) or not self._mended(file, facts.st_size):
                return None
            target = self._target(facts.st_mtime)
            self.path.rename(target)
        finally:
            os.close(file)
        self._counts.rotations += 1
        return target

    def _target(self, last_write_s: float) -> Path:
        """Return a name that is free for the file."""
        old = old_files(self.path)
        if not self.policy.rotate_every:
            rename_up(self.path, old)
            return Path(f"{self.path}.1")
        period = self._period(last_write_s)
        parts = [one.part for one in old if one.period == period]
        return Path(f"{self.path}.{period}" + (f".{max(parts) + 1}" if parts else ""))

    # -- old files -----------------------------------------------------------------------------

    def _tidy_after_others(self) -> None:
        """Finish, once in a process, what a killed one began; leave it to one that is at it."""
        with self._alone(wait=False) as alone:
            if alone:
                self._retain()
        self._is_tidy = True

    def _retain(self) -> None:
        """Remove and compress what the policy says."""
        self._remove(self._too_many_or_too_old())
        if self.policy.compress:
            self._compress_all()
        self._remove(self._too_large())

    def _too_many_or_too_old(self) -> list[OldFile]:
        policy = self.policy
        oldest_s = self._now() - (policy.keep_days or 0) * _DAY_S
        return [
            one
            for index, one in enumerate(old_files(self.path))
            if (policy.keep_count is not None and index >= policy.keep_count)
            or (policy.keep_days and one.time_s < oldest_s)
        ]

    def _too_large(self) -> list[OldFile]:
        if not self.policy.keep_bytes:
            return []
        old = old_files(self.path)
        kept = 0
        for index, one in enumerate(old):
            kept += one.size
            if kept > self.policy.keep_bytes:
                return old[index:]
        return []

    def _remove(self, surplus: list[OldFile]) -> None:
        for one in reversed(surplus):  # the oldest first: killed on the way, no gap is left
            one.path.unlink(missing_ok=True)
            self._counts.removed += 1
            self._counts.removed_bytes += one.size

    def _compress_all(self) -> None:
        for one in reversed(old_files(self.path)):
            if not one.gz:
                compress(one.path)
                self._counts.compressed += 1


def _is_at(file: int, path: Path) -> bool:
    """Say whether an open file is the one at the path."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _last_line_start(file: int, size: int) -> int:
    at = size
    while at > 0:
        start = max(0, at - 65_536)
        found = os.pread(file, at - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        at = start
    return 0


def _is_torn(line: bytes) -> bool:
    """Say whether a last line is a JSON object that a killed process did not finish."""
    if not line.startswith(b"{"):
        return False
    try:
        decode(line)
    except ValueError:
        return True
    return False
