"""A batch as OTLP has it: its logs and its spans, in one pass.

    batch -> [encoder] -> exchange

A program has lines of few shapes, and mostly does again what it did before: the shape that
followed a line's the last time is tried first. The lines of a slice are gathered by their shapes,
encoded together, and put in order again.

Invariant: records of one scope stay in their order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from clerestory.wire.otlp.export import Export, Scopes
from clerestory.wire.otlp.logs import LOGS
from clerestory.wire.otlp.shape import Alone, Shape, can_be_read
from clerestory.wire.otlp.traces import SPANS, is_span, kind_of
from clerestory.wire.record import fields_of
from clerestory.wire.slices import slices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerestory.delivery.port import Batch
    from clerestory.wire.otlp.shape import Scope

_SIGNALS: Final = {"log": LOGS, "span": SPANS}
_SHAPES_MAX: Final = 256
_SEEN_MAX: Final = 1024
_SEEN_OFTEN: Final = 4
_KEYS_MAX: Final = 1024
_KNOWN_MAX: Final = 4
_TOGETHER: Final = 256  # lines; fewer are dearer, more keep the program waiting
_TIME_END: Final = len(b'{"timestamp":') + 20  # behind the comma
_KEY_BYTES: Final = 1024
_NOT_READ: Final = (msgspec.DecodeError, UnicodeDecodeError)

# Records with their numbers, in order.
Numbered: TypeAlias = "tuple[Sequence[int], list[bytes]]"
# Numbers and rows of lines by their shapes.
Found: TypeAlias = "dict[Shape | Alone, tuple[list[int], list[Any]]]"


class Encoder:
    """Encodes batches, one after the other, and learns the shapes of their lines.

    A line that does not have the expected shape is tried as what had the same place or name, and
    decoded as a whole where that fails too: only so it is seen which members it has.
    """

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, ...]] = Counter()
        self._shapes: dict[tuple[str, ...], Shape] = {}
        self._alone = {kind: Alone(signal) for kind, signal in _SIGNALS.items()}
        self._first = self._alone["log"]
        self._known: dict[bytes, tuple[Shape, ...]] = {}

    def encode(self, batch: Batch, start: int = 0) -> tuple[Export, Export]:
        """Return the requests with the logs and with the spans of a batch that have ended.

        Args:
            batch: It.
            start: Index of the first line whose log is wanted.
        """
        scopes = Scopes()
        found: Found = {}
        first = done = batch.first
        for piece in slices(batch.lines):
            lines = piece.removesuffix(b"\n").split(b"\n")
            self._gather(lines, first, found)
            first += len(lines)
            if first - done >= _TOGETHER:
                _write(found, batch, start, scopes)
                done = first
        _write(found, batch, start, scopes)
        return scopes.export("log", batch.resource), scopes.export("span", batch.resource)

    def _gather(self, lines: list[bytes], first: int, found: Found) -> None:
        """Add the numbers and the rows of the lines of a slice to those of their shapes."""
        before: Shape | Alone = self._first
        for number, line in enumerate(lines, first):
            if not line:
                continue
            shape = before.following
            try:
                row = shape.decode(line)
            except _NOT_READ:
                shape, row = self._read(line, shape)
                if row is None:
                    continue
                if type(shape) is Shape:
                    before.following = shape
                    before = shape
            else:
                before = shape
            group = found.get(shape)
            if group is None:
                group = found[shape] = [], []
            group[0].append(number)
            group[1].append(row)

    def _read(self, line: bytes, expected: Shape | Alone) -> tuple[Shape | Alone, Any]:
        """Return the shape of a line that has not the expected one, and what it reads.

        Nothing is read of a line that was written while its span ran: OTLP knows no such spans.
        """
        key = _key_of(line)
        known = self._known.get(key, ())
        for shape in known:
            if shape is not expected:
                try:
                    return shape, shape.decode(line)
                except _NOT_READ:
                    continue
        fields = fields_of(line)
        kind = kind_of(line, fields)
        if kind == "pending":
            return self._first, None
        found = self._shape_of(kind, tuple(fields))
        if found is None or found is expected or found in known:
            return self._alone[kind], fields
        try:
            row = found.decode(line)
        except _NOT_READ:
            return self._alone[kind], fields
        if len(self._known) >= _KEYS_MAX:
            self._known.clear()
        self._known[key] = (found, *known[: _KNOWN_MAX - 1])
        return found, row

    def _shape_of(self, kind: str, names: tuple[str, ...]) -> Shape | None:
        """Return the shape of lines with these members; None if they have none, or none yet."""
        signal, key = _SIGNALS[kind], (kind, *names)
        if not can_be_read(signal, names):
            return None
        if key in self._shapes:
            return self._shapes[key]
        self._seen[key] += 1
        if self._seen[key] < _SEEN_OFTEN:
            if len(self._seen) > _SEEN_MAX:
                self._seen.clear()
            return None
        if len(self._shapes) >= _SHAPES_MAX:
            self._shapes.clear()
        found = self._shapes[key] = Shape(signal, names)
        return found


def _key_of(line: bytes) -> bytes:
    """Return what lines of one shape often have alike: where a log, and how a span is called."""
    end = line.find(b',"message":"', _TIME_END, _KEY_BYTES)
    if end > 0 and is_span(line):
        end = line.find(b'",', end + 12, _KEY_BYTES)
    return line[_TIME_END:end] if end > 0 else b""


def _write(found: Found, batch: Batch, start: int, scopes: Scopes) -> None:
    """Encode what was gathered."""
    spool = f"{batch.spool_id}:".encode()
    by_scope: defaultdict[Scope, list[Numbered]] = defaultdict(list)
    for shape, (numbers, rows) in found.items():
        for scope, some, contents in shape.encode(spool, numbers, rows):
            by_scope[scope].append((some, contents))
    found.clear()
    for scope, groups in by_scope.items():
        first = batch.first + start if scope[0] == "log" else 0
        scopes.add(scope, _in_order(groups, first))


def _in_order(groups: Sequence[Numbered], first: int) -> list[bytes]:
    """Return the records of one scope from a number on, each group of which is in order."""
    numbers, contents = groups[0]
    if len(groups) == 1 and numbers[0] >= first:
        return contents
    found = {number: content for group in groups for number, content in zip(*group, strict=True)}
    return [found[number] for number in sorted(found) if number >= first]


def is_ended(line: bytes) -> bool:
    """Say whether a line is that of a span that has ended."""
    return kind_of(line, fields_of(line)) == "span"
