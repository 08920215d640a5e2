"""Records that a destination will never take, kept with the reason.

    courier -> [letters] -> <spool directory>/dead-letters/<destination>.ndjson

One JSON object a line: `record_id`, `at` (ISO time), `destination`, `reason`, `resource`, and
`record`, the line as text. `clerestory letters` lists, sends again and removes them.

Invariant: letters have a bound; when it is reached the older half goes, and the count is returned.
"""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.wire.line import iso_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

FOLDER: Final = "dead-letters"
LOCK_NAME: Final = "writers"
_BYTES_MAX: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One refused record.

    Attributes:
        record_id: Spool id and number.
        destination: Who refused it.
        reason: In the destination's words.
        resource: What the record had in common with the others of its spool.
        line: The record.
    """

    record_id: str
    destination: str
    reason: str
    resource: Mapping[str, Any]
    line: bytes


class DeadLetters:
    """The file of one destination, shared by all processes of a spool directory.

    Args:
        directory: The spool directory.
        destination: Name of the destination.
        bytes_max: Most bytes of its two files: when the newer reaches half, it becomes `.old`.
    """

    def __init__(self, directory: Path, destination: str, *, bytes_max: int = _BYTES_MAX) -> None:
        self.path = directory / FOLDER / f"{destination}.ndjson"
        self._bytes_max = bytes_max

    def add(self, letters: Iterable[DeadLetter]) -> int:
        """Append letters.

        Returns:
            How many old letters went to make room.

        Raises:
            OSError: The disk does not take them; the courier tries again.
        """
        at = iso_time(time.time_ns())
        lines = b"".join(_packed(letter, at) for letter in letters)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.path.parent / LOCK_NAME).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            gone = self._make_room(len(lines))
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self.path, flags, 0o600)
            with os.fdopen(descriptor, "ab", buffering=0) as file:
                file.write(lines)
        return gone

    def _make_room(self, size: int) -> int:
        if not self.path.exists() or self.path.stat().st_size + size <= self._bytes_max // 2:
            return 0
        old = self.path.with_suffix(".old")
        gone = old.read_bytes().count(b"\n") if old.exists() else 0
        self.path.replace(old)
        return gone

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the letters, oldest first."""
        for path in (self.path.with_suffix(".old"), self.path):
            if path.exists():
                for line in path.read_bytes().splitlines():
                    yield msgspec.json.decode(line)

    def replace(self, letters: Iterable[dict[str, Any]]) -> None:
        """Keep these letters and no other."""
        with (self.path.parent / LOCK_NAME).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = b"".join(msgspec.json.encode(letter) + b"\n" for letter in letters)
            self.path.with_suffix(".old").unlink(missing_ok=True)
            if content:
                self.path.write_bytes(content)
            else:
                self.path.unlink(missing_ok=True)


def _packed(letter: DeadLetter, at: str) -> bytes:
    return (
        msgspec.json.encode(
            {
                "record_id": letter.record_id,
                "at": at,
                "destination": letter.destination,
                "reason": letter.reason,
                "resource": letter.resource,
                "record": letter.line.decode("utf-8", "replace"),
            }
        )
        + b"\n"
    )
