r"""Where a destination has got to in a spool, kept through kills.

    spool -> courier -> destination
               \-> [cursor]

Two slots are overwritten in turn; the one with the higher record number and a right checksum
wins, so that a torn write leaves the older place. The file has its full size from the start:
acknowledging never needs disk space.

    slot: u64 segment, u64 offset, u64 record number, u32 crc32 of the 24 bytes before

Invariant: a cursor never moves back, and never in front of what its destination took.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_PLACE: Final = struct.Struct("<QQQ")
_CHECK: Final = struct.Struct("<I")
_SLOT_BYTES: Final = _PLACE.size + _CHECK.size
PREFIX: Final = "cursor."


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a spool: so many records lie before it."""

    segment: int = 0
    offset: int = 0
    number: int = 0


class Cursor:
    """The place of one destination in one spool, in a file or in memory.

    Attributes:
        place: The place up to which everything was taken.
    """

    __slots__ = ("_fd", "_lock", "_slot", "place")

    def __init__(self, path: Path | None) -> None:
        """Open or create the file.

        Raises:
            OSError: It cannot be opened or created.
        """
        self._fd = -1
        self._slot = 0
        self._lock = threading.Lock()
        self.place = Place()
        if path is None:
            return
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if os.fstat(self._fd).st_size < 2 * _SLOT_BYTES:
            os.pwrite(self._fd, _packed(Place()) * 2, 0)
        self.refresh()

    def refresh(self) -> None:
        """Take over what another process wrote: an agent that ships this spool."""
        with self._lock:
            if self._fd < 0:
                return
            content = os.pread(self._fd, 2 * _SLOT_BYTES, 0)
            places = [_unpacked(content[:_SLOT_BYTES]), _unpacked(content[_SLOT_BYTES:])]
            newest = max((place for place in places if place is not None), default=Place())
            if newest >= self.place:
                self.place = newest
                self._slot = 0 if places[1] == newest else 1

    def advance(self, place: Place) -> None:
        """Move to a later place; an earlier one changes nothing."""
        with self._lock:
            if place <= self.place:
                return
            self.place = place
            if self._fd >= 0:
                os.pwrite(self._fd, _packed(place), self._slot * _SLOT_BYTES)
                self._slot = 1 - self._slot

    def close(self) -> None:
        """Close the file; a later `advance` is remembered but no longer written."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


def _packed(place: Place) -> bytes:
    body = _PLACE.pack(place.segment, place.offset, place.number)
    return body + _CHECK.pack(zlib.crc32(body))


def _unpacked(slot: bytes) -> Place | None:
    body, check = slot[: _PLACE.size], slot[_PLACE.size :]
    if _CHECK.unpack(check)[0] != zlib.crc32(body):
        return None
    return Place(*_PLACE.unpack(body))
