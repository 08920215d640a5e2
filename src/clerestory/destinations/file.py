"""Appends records to a file that rotates, safely for several processes.

    spool -> courier -> [file] -> app.log, app.log.1.gz, ...

All processes that write to one file hold its `.lock` while they append and rotate. Retention is by
count and by age.

Invariant: a rotation renames, it never copies or truncates; no line is torn or lost by it.
"""

from __future__ import annotations

import fcntl
import gzip
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clerestory.model.errors import ConfigurationError
from clerestory.wire.line import with_iso_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerestory.delivery.port import Batch

_PERIODS_S: Final = {"hourly": 3600, "daily": 86400}


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPolicy:
    """When a file is rotated, and what becomes of the old ones.

    Attributes:
        bytes_max: A file that would grow beyond this is rotated first; 0 for never.
        rotate_every: `hourly` or `daily` (by UTC), or empty.
        keep_count: How many old files are kept.
        keep_days: Older files are removed; 0 for never.
        compress: Whether old files are compressed with gzip.
    """

    bytes_max: int = 10_000_000
    rotate_every: str = ""
    keep_count: int = 5
    keep_days: float = 0
    compress: bool = False

    def __post_init__(self) -> None:
        if self.rotate_every and self.rotate_every not in _PERIODS_S:
            raise ConfigurationError(
                f"file.rotate_every must be hourly, daily or empty, got {self.rotate_every!r}"
            )


class RotatingFile:
    """One file of JSON lines, shared by any number of processes.

    Args:
        path: The file; its folder is created.
        policy: When to rotate, what to keep.
        now: The clock, seconds since the epoch.

    Attributes:
        rotations: How often this process rotated the file.
    """

    adopts = True

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
        self.rotations = 0
        self._now = now

    def send(self, batch: Batch) -> None:
        """Append the batch's lines with ISO times."""
        text = b"".join(with_iso_time(line) + b"\n" for line in batch.lines.splitlines() if line)
        self.append(text)

    def append(self, text: bytes) -> None:
        """Append whole lines, rotating first where the policy says so."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with Path(f"{self.path}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_due(len(text)):
                self.rotate()
            with self.path.open("ab", buffering=0) as file:
                view = memoryview(text)
                while view:
                    view = view[file.write(view) :]

    def _is_due(self, size: int) -> bool:
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            return False
        if facts.st_size == 0:
            return False
        if 0 < self.policy.bytes_max < facts.st_size + size:
            return True
        period_s = _PERIODS_S.get(self.policy.rotate_every)
        return period_s is not None and facts.st_mtime // period_s < self._now() // period_s

    def rotate(self) -> None:
        """Rename the file to `.1`, the older ones up by one, and remove what is too many."""
        self.rotations += 1
        for number in sorted(self._old_files(), reverse=True):
            old = self._old_files()[number]
            old.rename(old.with_name(_renumbered(old.name, self.path.name, number + 1)))
        first = Path(f"{self.path}.1")
        self.path.rename(first)
        if self.policy.compress:
            _compress(first)
        self._remove_surplus()

    def _old_files(self) -> dict[int, Path]:
        files = {}
        for file in self.path.parent.glob(f"{self.path.name}.*"):
            number = file.name.removeprefix(f"{self.path.name}.").removesuffix(".gz")
            if number.isdigit():
                files[int(number)] = file
        return files

    def _remove_surplus(self) -> None:
        oldest_s = self._now() - self.policy.keep_days * 86400
        for number, file in self._old_files().items():
            too_old = self.policy.keep_days > 0 and file.stat().st_mtime < oldest_s
            if number > self.policy.keep_count or too_old:
                file.unlink(missing_ok=True)

    def close(self) -> None:
        """Do nothing: the file is open only while it is written."""


def _compress(path: Path) -> None:
    target = Path(f"{path}.gz")
    temporary = Path(f"{path}.gz.new")
    facts = path.stat()
    with path.open("rb") as source, gzip.open(temporary, "wb", compresslevel=6) as sink:
        shutil.copyfileobj(source, sink)
    os.utime(temporary, (facts.st_atime, facts.st_mtime))
    temporary.rename(target)
    path.unlink()


def _renumbered(name: str, stem: str, number: int) -> str:
    suffix = ".gz" if name.endswith(".gz") else ""
    return f"{stem}.{number}{suffix}"
