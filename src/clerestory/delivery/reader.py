"""Cuts a spool into batches, for one destination.

    spool -> [reader] -> courier -> destination

Invariant: the same place gives lines with the same numbers, whoever reads and however the
batches are cut; so a line that is sent twice can be told by its number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from clerestory.delivery.port import Batch
from clerestory.spool.cursor import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clerestory.delivery.port import BatchLimits
    from clerestory.delivery.selection import Selection
    from clerestory.spool.cursor import Cursor


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """Whole lines as they are in the spool.

    Attributes:
        place: Where the first begins.
        lines: They.
        count: How many.
    """

    place: Place
    lines: bytes
    count: int

    def place_after(self, count: int) -> Place:
        size = len(self.lines) if count >= self.count else _bytes_of_lines(self.lines, count)
        place = self.place
        return Place(place.segment, place.offset + size, place.number + count)


class Reader:
    """Reads on from where a cursor stands.

    Args:
        source: The spool.
        cursor: Where its destination has got to.
        limits: The largest batch.
        mask: What lines pass through on their way out; keeps their number.
        selection: Which lines go out; None for all.
    """

    def __init__(
        self,
        source: Source,
        cursor: Cursor,
        *,
        limits: BatchLimits,
        mask: Callable[[bytes], bytes] = bytes,
        selection: Selection | None = None,
    ) -> None:
        self._source = source
        self._cursor = cursor
        self._limits = limits
        self._mask = mask
        self._selection = selection
        self._cut = _Cut(place=cursor.place, lines=b"", count=0)
        self._ahead: tuple[_Cut, Batch] | None = None

    def next_batch(self, *, lines_max: int | None = None) -> Batch | None:
        """Return the lines behind the cursor, at most one batch; None if there are none.

        Args:
            lines_max: Fewer lines than the limit.
        """
        found = self._unread(self._cursor.place)
        if found is None:
            return None
        place, segment = found
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0].place == place and lines_max is None:
            self._cut, batch = ahead
            return batch
        self._cut = self._chunk(segment, place, lines_max or self._limits.lines)
        return self._batch(self._cut)

    def _batch(self, cut: _Cut) -> Batch:
        lines = cut.lines if b"\0" not in cut.lines else cut.lines.replace(b"\0", b"")
        chosen = lines if self._selection is None else self._selection.apply(lines)
        return Batch(
            spool_id=self._source.id,
            first=cut.place.number,
            count=cut.count,
            lines=self._mask(chosen),
            resource=self._source.resource,
            sparse=chosen is not lines,
            ahead=lambda taken: self._behind(cut, taken),
        )

    def _behind(self, cut: _Cut, taken: int) -> Batch | None:
        """Return the batch behind so many lines of a cut, if more lines cannot change it."""
        found = self._unread(cut.place_after(taken))
        if found is None:
            return None
        place, segment = found
        if segment.end() - place.offset <= self._limits.size_bytes and not segment.sealed:
            return None
        following = self._chunk(segment, place, self._limits.lines)
        batch = self._batch(following)
        self._ahead = (following, batch)
        return batch

    def place_after(self, count: int) -> Place:
        """Return the place behind so many lines of the batch that was cut last."""
        return self._cut.place_after(count)

    def waiting_after(self, place: Place) -> tuple[Place, bytes, bool]:
        """Look at what waits behind a place, without taking it.

        Returns:
            The place behind what is shown; the lines, at most as many bytes as a batch has;
            whether there is more behind them.
        """
        found = self._unread(max(place, self._cursor.place))
        if found is None:
            return place, b"", False
        start, segment = found
        end = segment.end()
        stop = min(end, start.offset + self._limits.size_bytes)
        shown = segment.read(start.offset, stop)
        after = Place(start.segment, stop, start.number)
        return after, shown, stop < end or segment.sealed

    def oldest(self) -> bytes:
        """Return the beginning of the first line behind the cursor; empty if there is none."""
        found = self._unread(self._cursor.place)
        if found is None:
            return b""
        place, segment = found
        return segment.read(place.offset, min(segment.end(), place.offset + 64))

    def _unread(self, place: Place) -> tuple[Place, Readable] | None:
        """Return where the first line behind a place begins, and the segment that holds it."""
        for index in sorted(self._source.segments):
            segment = self._source.segments.get(index)
            if segment is None or index < place.segment:
                continue
            start = place.offset if index == place.segment else 0
            if start < segment.end():
                return Place(index, start, place.number), segment
            if not segment.sealed:
                return None
        return None

    def _chunk(self, segment: Readable, place: Place, lines_max: int) -> _Cut:
        """Return whole lines."""
        end = segment.end()
        stop = min(end, place.offset + self._limits.size_bytes)
        chunk = segment.read(place.offset, stop)
        if stop < end:
            whole = chunk.rfind(b"\n") + 1
            if whole == 0:
                chunk = segment.read(place.offset, end)
                whole = chunk.find(b"\n") + 1
            chunk = chunk[:whole]
        count = chunk.count(b"\n")
        if count <= lines_max:
            return _Cut(place=place, lines=chunk, count=count)
        lines = chunk[: _bytes_of_lines(chunk, lines_max)]
        return _Cut(place=place, lines=lines, count=lines_max)


def _bytes_of_lines(chunk: bytes, count: int) -> int:
    r"""Return how many bytes the first lines have; there are more than `count`.

    >>> _bytes_of_lines(b"a\nbb\nc\n", 2)
    5
    """
    return len(chunk) - len(chunk.split(b"\n", count)[count])
