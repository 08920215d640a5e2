"""Cuts a spool into batches, for one destination.

    spool -> [reader] -> courier -> destination

Invariant: the same place gives lines with the same numbers, whoever reads and however the
batches are cut; so a line that is sent twice can be told by its number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from clerestory.delivery.cursor import Place
from clerestory.delivery.port import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clerestory.delivery.cursor import Cursor


class Readable(Protocol):
    """A segment, of this process or left by another."""

    @property
    def sealed(self) -> bool:
        """Whether nothing more comes."""

    def end(self) -> int:
        """Return the offset behind the last whole line."""

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` to `stop`."""


class Source(Protocol):
    """A spool, of this process or left by another."""

    @property
    def id(self) -> str:
        """32 hex digits."""

    @property
    def resource(self) -> Mapping[str, Any]:
        """What the lines have in common."""

    @property
    def segments(self) -> Mapping[int, Readable]:
        """The segments by index."""


class Reader:
    """Reads on from where a cursor stands."""

    __slots__ = ("_batch_bytes", "_cursor", "_mask", "_source")

    def __init__(
        self, source: Source, cursor: Cursor, *, batch_bytes: int, mask: Callable[[bytes], bytes]
    ) -> None:
        self._source = source
        self._cursor = cursor
        self._batch_bytes = batch_bytes
        self._mask = mask

    def next_batch(self) -> Batch | None:
        """Return the lines behind the cursor, at most one batch; None if there are none."""
        place = self._cursor.place
        for index in sorted(self._source.segments):
            segment = self._source.segments.get(index)
            if segment is None or index < place.segment:
                continue
            start = place.offset if index == place.segment else 0
            end = segment.end()
            if start < end:
                return self._cut(segment, Place(index, start, place.number), end)
            if not segment.sealed:
                return None
        return None

    def _cut(self, segment: Readable, place: Place, end: int) -> Batch:
        stop = min(end, place.offset + self._batch_bytes)
        chunk = segment.read(place.offset, stop)
        if stop < end:
            whole = chunk.rfind(b"\n") + 1
            if whole == 0:
                chunk = segment.read(place.offset, end)
                whole = chunk.find(b"\n") + 1
            chunk = chunk[:whole]
        count = chunk.count(b"\n")
        after = Place(place.segment, place.offset + len(chunk), place.number + count)
        return Batch(
            spool_id=self._source.id,
            first=place.number,
            count=count,
            lines=self._mask(chunk),
            resource=self._source.resource,
            after=after,
        )
