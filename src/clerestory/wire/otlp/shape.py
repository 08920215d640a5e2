"""Lines with the same members: read as rows, written column by column.

    batch -> encoder -> [shape] -> logs, traces

A row is decoded by a class made for its names, which takes half as long as a dictionary. A column
is encoded by few calls into C, whatever the number of its rows; what all of them have alike is
encoded once.

Invariant: a row that a shape reads is written as it would be alone.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from itertools import repeat
from operator import methodcaller
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import msgspec

from clerestory.wire.protobuf import INT64_MAX, attribute, integer_heads, prefixes_of, varint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

# What each row of a column becomes; bytes alone if it is the same for all.
Piece: TypeAlias = "bytes | list[bytes]"
# Kind and name.
Scope: TypeAlias = tuple[str, str]
# Records of one scope, with their numbers.
Group: TypeAlias = "tuple[Scope, Sequence[int], list[bytes]]"
# What stands before the last seven bits of an integer, these, and what stands behind them.
Integer: TypeAlias = tuple[bytes, list[bytes], bytes]
Column: TypeAlias = "Callable[[Sequence[Any]], list[Piece]]"

# What a value that is not as it should be raises where a column is encoded.
_FAULTS: Final = (ValueError, struct.error)
_FIELDS_MAX: Final = 64
_VALUES_MAX: Final = 1024
_LAST: Final = [bytes((bits,)) for bits in range(128)]
_MORE: Final = [bytes((bits | 128,)) for bits in range(128)]
_SCALARS: Final = frozenset((str, int, float, bool, type(None)))

_encode = methodcaller("encode")
_UNREADABLE = re.compile(r'["\\\x00-\x1f]').search


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """How one kind of records is written.

    Attributes:
        kind: `log` or `span`.
        types: What the members must be that have a place of their own.
        rare: Names of members that make a line one to be written alone.
        head_names: Names of the members that few call sites have alike.
        head: Returns the scope, and the head's encoded form, of these members.
        times: Takes the times out of the columns, and returns them encoded.
        column: Returns how the members of a name are encoded.
        alone: Returns the scope and the encoded form of a record by all its members.
        uids: What stands before the text of a record's identity, by its size.
    """

    kind: str
    types: Mapping[str, Any]
    rare: frozenset[str]
    head_names: frozenset[str]
    head: Callable[[Mapping[str, Any]], tuple[str, bytes]]
    times: Callable[[dict[str, Sequence[Any]]], list[Piece]]
    column: Callable[[str], Column]
    alone: Callable[[dict[str, Any]], tuple[str, bytes]]
    uids: Mapping[int, bytes]

    def identities(self, spool: bytes, numbers: Sequence[int]) -> list[Piece]:
        """Return the attribute `log.record.uid` of each record."""
        digits = [b"%d" % number for number in numbers]
        sizes = [len(spool) + len(one) for one in (digits[0], digits[-1])]
        if sizes[0] == sizes[1]:
            return [self.uids[sizes[0]] + spool, digits]
        return [[self.uids[len(spool) + len(one)] + spool for one in digits], digits]


class Shape:
    """The names of members, and how lines with them are read and written.

    Args:
        signal: What the lines are.
        names: Of their members.

    Attributes:
        decode: Returns the row of a line that has these members and no others.
        following: The shape of the line that came next the last time.
    """

    __slots__ = ("_columns", "_head_names", "_heads", "_names", "_signal", "decode", "following")

    def __init__(self, signal: Signal, names: tuple[str, ...]) -> None:
        fields = [(f"m{at}", signal.types.get(name, Any)) for at, name in enumerate(names)]
        row = msgspec.defstruct(
            "Row",
            fields,
            rename={field: name for (field, _), name in zip(fields, names, strict=True)},
            forbid_unknown_fields=True,
            gc=False,
        )
        self._signal = signal
        self.decode: Callable[[bytes], Any] = msgspec.json.Decoder(row).decode
        self.following: Shape | Alone = self
        self._names = names
        self._head_names = [name for name in names if name in signal.head_names]
        self._heads = _Heads(signal, self._head_names)
        self._columns = {name: signal.column(name) for name in names}

    def encode(self, spool: bytes, numbers: Sequence[int], rows: Sequence[Any]) -> list[Group]:
        """Return the records of lines, at least one, by their scopes.

        Args:
            spool: What their identities begin with.
            numbers: With what their identities end, rising.
            rows: What was decoded of each.
        """
        values = [msgspec.structs.astuple(row) for row in rows]
        try:
            columns = dict(zip(self._names, zip(*values, strict=True), strict=True))
            scope, pieces = self._pieces(columns)
        except _FAULTS:
            named = [dict(zip(self._names, one, strict=True)) for one in values]
            return Alone(self._signal).encode(spool, numbers, named)
        return _groups(scope, numbers, [*pieces, *self._signal.identities(spool, numbers)])

    def _pieces(self, columns: dict[str, Any]) -> tuple[Scope | list[Scope], list[Piece]]:
        scope, head = self._heads.of([columns.pop(name) for name in self._head_names])
        pieces = [*self._signal.times(columns), head]
        for name, column in columns.items():
            pieces += self._columns[name](column)
        return scope, pieces


class Alone:
    """Lines of no shape.

    Args:
        signal: What they are.
    """

    __slots__ = ("_signal", "following")

    def __init__(self, signal: Signal) -> None:
        self.following: Shape | Alone = self
        self._signal = signal

    def decode(self, _: bytes) -> Any:
        """Refuse any line."""
        raise msgspec.DecodeError

    def encode(
        self, spool: bytes, numbers: Sequence[int], rows: Sequence[dict[str, Any]]
    ) -> list[Group]:
        """Return the records of lines, given by their members, by their scopes."""
        made = [self._signal.alone(fields) for fields in rows]
        scopes = [(self._signal.kind, name) for name, _ in made]
        pieces = [[content for _, content in made], *self._signal.identities(spool, numbers)]
        return _groups(scopes, numbers, pieces)


def can_be_read(signal: Signal, names: Sequence[str]) -> bool:
    """Say whether lines with these members may have a shape."""
    return (
        len(names) <= _FIELDS_MAX
        and signal.rare.isdisjoint(names)
        and "timestamp" in names
        and not any(map(_UNREADABLE, names))
    )


class _Heads(dict[tuple[Any, ...], tuple[Scope, bytes]]):
    """Scopes and encoded heads by the values of their members."""

    __slots__ = ("_names", "_signal")

    def __init__(self, signal: Signal, names: Sequence[str]) -> None:
        super().__init__()
        self._signal = signal
        self._names = names

    def __missing__(self, key: tuple[Any, ...]) -> tuple[Scope, bytes]:
        scope, head = self._signal.head(dict(zip(self._names, key, strict=True)))
        found = (self._signal.kind, scope), head
        if len(self) < _VALUES_MAX:
            self[key] = found
        return found

    def of(self, columns: Sequence[Sequence[Any]]) -> tuple[Scope | list[Scope], Piece]:
        """Return the scope and the encoded head of each row, or of all."""
        for column in columns:
            if column.count(column[0]) != len(column):
                break
        else:
            return self[tuple([column[0] for column in columns])]
        found = [self[key] for key in zip(*columns, strict=True)]
        scopes = [scope for scope, _ in found]
        is_one = scopes.count(scopes[0]) == len(scopes)
        return scopes[0] if is_one else scopes, [head for _, head in found]


def _groups(
    scope: Scope | list[Scope], numbers: Sequence[int], pieces: Iterable[Piece]
) -> list[Group]:
    """Return records by their scopes, each in one piece."""
    contents = list(_joined(pieces))
    if not isinstance(scope, list):
        return [(scope, numbers, contents)]
    found: dict[Scope, tuple[list[int], list[bytes]]] = {}
    for one, number, content in zip(scope, numbers, contents, strict=True):
        group = found.setdefault(one, ([], []))
        group[0].append(number)
        group[1].append(content)
    return [(one, *group) for one, group in found.items()]


def _joined(pieces: Iterable[Piece]) -> Iterable[bytes]:
    """Return each row in one; at least one piece differs from row to row."""
    columns: list[Iterable[bytes]] = []
    same = b""
    for piece in pieces:
        if isinstance(piece, bytes):
            same += piece
            continue
        if same:
            columns.append(repeat(same))
            same = b""
        columns.append(piece)
    return map(b"".join, zip(*columns, repeat(same), strict=False))


class Texts(dict[int, bytes]):
    """A column of texts; by their size in bytes, what stands before them.

    Args:
        before: Returns that.
    """

    __slots__ = ("_before",)

    def __init__(self, before: Callable[[int], bytes]) -> None:
        super().__init__()
        self._before = before

    def __missing__(self, size: int) -> bytes:
        found = self._before(size)
        if len(self) < _VALUES_MAX:
            self[size] = found
        return found

    def __call__(self, values: Sequence[str]) -> list[Piece]:
        """Return the column."""
        if values.count(values[0]) == len(values):
            raw = values[0].encode()
            return [self[len(raw)] + raw]
        raws = list(map(_encode, values))
        return [list(map(self.__getitem__, map(len, raws))), raws]


class Attributes(dict[int, Integer]):
    """A column of values of one name; by all but their last seven bits, its integers.

    Args:
        tag: Of an attribute.
        name: Its name.
    """

    __slots__ = ("_float", "_integers", "_name", "_tag", "_texts")

    def __init__(self, tag: bytes, name: str) -> None:
        super().__init__()
        self._tag = tag
        self._name = name
        self._texts = texts(tag, name)
        self._integers = [tag + head[1:] for head in integer_heads(name)]
        head = self._one(0.0)[:-8]
        self._float = struct.Struct(f"<{len(head)}sd").pack, repeat(head)

    def __missing__(self, high: int) -> Integer:
        raw = varint(high) if high else b""
        found = self._integers[1 + len(raw)], _MORE if high else _LAST, raw
        if len(self) < _VALUES_MAX:
            self[high] = found
        return found

    def __call__(self, values: Sequence[Any]) -> list[Piece]:
        """Return the column."""
        kind, *others = set(map(type, values))
        if others or kind not in _SCALARS:
            return [list(map(self._one, values))]
        if kind is str:
            return self._texts(values)
        if kind is float:
            pack, head = self._float
            return [list(map(pack, head, values))]
        if values.count(values[0]) == len(values):
            return [self._one(values[0])]
        if kind is int and min(values) >= 0 and max(values) <= INT64_MAX:
            return [
                [
                    head + low[value & 127] + high
                    for value in values
                    for head, low, high in (self[value >> 7],)
                ]
            ]
        return [list(map(self._one, values))]

    def _one(self, value: Any) -> bytes:
        return self._tag + attribute(self._name, value)[1:]


def id_type(digits: int) -> Any:
    """Return the type of a member that is an id of so many digits."""
    return Annotated[str, msgspec.Meta(min_length=digits, max_length=digits)]


def texts(tag: bytes, name: str) -> Texts:
    """Return a column of texts that are attributes.

    Args:
        tag: Of an attribute.
        name: Its name.
    """
    prefixes = prefixes_of(name)
    return Texts(lambda size: tag + prefixes[size][1:])
