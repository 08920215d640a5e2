"""What the lines of one call look like: cut by a pattern in place of being decoded.

    batch -> logs, traces -> [shape]

The lines of one call mostly have the same fields in the same order. A pattern made from one of
them takes the values out of the next ones as they stand: a text without escapes has the same bytes
in JSON and in protobuf. Measured: a third of what decoding and encoding cost. And a program mostly
does again what it did before, so the shape that followed a line's the last time is tried first.

Invariant: what a shape cuts is what decoding would give. A line that is in any way different does
not fit, and is decoded.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from clerestory.wire.protobuf import MASK64, attribute, integer_heads, prefixes_of, varint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    # Whether it is text; its pattern; what gives its encoded form.
    Cut = tuple[bool, bytes, Any]
    Cutter = Callable[[str, Any], Cut]

H = TypeVar("H")
TIME_START: Final = len(b'{"timestamp":')
TIME_END: Final = TIME_START + 20  # behind the comma

_VALUES_MAX: Final = 1024
_FIELDS_MAX: Final = 40
_PATTERNS: Final = {
    str: rb'"([^"\\\x00-\x1f]*+)"',
    int: rb"(-?+(?:0|[1-9]\d{0,17}+))",
    float: rb"(-?+\d{1,17}+\.\d{1,17}+)",
    bool: rb"(true|false)",
    type(None): rb"(null)",
}
# Tag of the id in a LogRecord, with its size, and how many digits it has.
_IDS: Final = {"trace_id": (b"\x4a\x10", 32), "span_id": (b"\x52\x08", 16)}
_PLACE: Final = ("module", "funcName", "lineno")
_NOT_CUT: Final = frozenset(("exception", "stack"))
_decode = msgspec.json.Decoder().decode


class _Attributes(dict[bytes, bytes]):
    """Attributes of one name, encoded, by the JSON text of their value."""

    __slots__ = ("_name", "_tag")

    def __init__(self, name: str, tag: bytes) -> None:
        super().__init__()
        self._name = name
        self._tag = tag

    def __missing__(self, text: bytes) -> bytes:
        found = self._tag + attribute(self._name, _decode(text))[1:]
        if len(self) < _VALUES_MAX:
            self[text] = found
        return found


class _Integers(dict[bytes, bytes]):
    """Integers of one name, encoded, by their digits; the small ones are kept."""

    __slots__ = ("_head_of_3", "_heads")

    def __init__(self, name: str, tag: bytes) -> None:
        super().__init__()
        self._heads = [tag + head[1:] for head in integer_heads(name)]
        self._head_of_3 = self._heads[3]

    def __missing__(self, digits: bytes) -> bytes:
        number = int(digits)
        if 16383 < number < 2097152:  # most of those that are not kept
            low, middle = number & 127 | 128, number >> 7 & 127 | 128
            return self._head_of_3 + bytes((low, middle, number >> 14))
        raw = varint(number & MASK64)
        found = self._heads[len(raw)] + raw
        if len(digits) < 5:
            self[digits] = found
        return found


class _Ids(dict[bytes, bytes]):
    """Ids, encoded, by their digits; never kept, since each is another."""

    __slots__ = ("_tag",)

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self._tag = tag

    def __missing__(self, digits: bytes) -> bytes:
        return self._tag + unhexlify(digits)


class Shape(Generic[H]):
    """A line: its head, and the names, the order and the kinds of the values behind it.

    Args:
        head: What its lines have alike.
        text: The same as it stands behind the time.
        fields: Members of a line behind its head, `message` first.
        cutter: Returns how one of them is cut.

    Attributes:
        head: See above.
        match: Matches such a line: the digits of its time, and the texts of its fields. Not to be
            asked about other bytes than ASCII, which might be no UTF-8; decoding finds that out.
        encoded: Returns the fields, encoded, of their texts.
        names: Of the fields.
        following: The shape of the line that came next the last time.
    """

    __slots__ = ("encoded", "following", "head", "match", "names")

    def __init__(self, head: H, text: bytes, fields: Mapping[str, Any], cutter: Cutter) -> None:
        patterns, tables, of_texts = [], [], []
        rest = dict(fields)
        while rest:
            if tuple(rest)[: len(_PLACE)] == _PLACE:
                place = {name: rest.pop(name) for name in _PLACE}
                is_text, pattern, table = _cut_place(place, cutter)
                patterns.append(pattern)
            else:
                name = next(iter(rest))
                is_text, pattern, table = cutter(name, rest.pop(name))
                patterns.append(re.escape(msgspec.json.encode(name)) + b":" + pattern)
            tables.append(table)
            of_texts.append(is_text)
        begin = rb'\{"timestamp":(\d{19}),' + re.escape(text)
        self.head = head
        self.names = tuple(fields)
        self.match = re.compile(b",".join([begin, *patterns]) + rb"\}").fullmatch
        self.encoded = _encoder_of(tuple(of_texts))(*tables)
        self.following: Shape[H] = self


@lru_cache(maxsize=256)
def _encoder_of(of_texts: tuple[bool, ...]) -> Callable[..., Callable[..., tuple[bytes, ...]]]:
    """Return what makes, of the tables of fields, a function of their texts.

    It is written out for so many fields, as a named tuple's constructor is: a loop over them costs
    twice as much. Its source is made of numbers alone.
    """
    tables = ", ".join(f"t{at}" for at in range(len(of_texts)))
    texts = ", ".join(f"r{at}" for at in range(len(of_texts)))
    pieces = "".join(
        f"t{at}[len(r{at})], r{at}, " if is_text else f"t{at}[r{at}], "
        for at, is_text in enumerate(of_texts)
    )
    made: Callable[..., Any] = eval(f"lambda {tables}: lambda {texts}: ({pieces})")  # noqa: S307
    return made


class _Places(dict[bytes, bytes]):
    """Where calls are in the program, encoded, by how they stand in a line."""

    __slots__ = ("_cuts", "_match")

    def __init__(self, pattern: bytes, cuts: Sequence[Cut]) -> None:
        super().__init__()
        self._match = re.compile(pattern).fullmatch
        self._cuts = cuts

    def __missing__(self, text: bytes) -> bytes:
        found = self._match(text)
        assert found is not None  # the line's own pattern holds this one
        parts = [
            table[len(value)] + value if is_text else table[value]
            for (is_text, _, table), value in zip(self._cuts, found.groups(), strict=True)
        ]
        encoded = b"".join(parts)
        if len(self) < _VALUES_MAX:
            self[text] = encoded
        return encoded


def _cut_place(place: Mapping[str, Any], cutter: Cutter) -> Cut:
    """Return how the fields are cut together that say where a call is: they are few."""
    cuts = [cutter(name, value) for name, value in place.items()]
    named = [(b'"%b":' % name.encode(), cut) for name, cut in zip(place, cuts, strict=True)]
    inner = b",".join(name + pattern for name, (_, pattern, _) in named)
    whole = b",".join(name + pattern.replace(b"(", b"(?:", 1) for name, (_, pattern, _) in named)
    return False, b"(" + whole + b")", _Places(inner, cuts)


def cut_id(tag: bytes, digits: int) -> Cut:
    """Return how an id is cut that becomes bytes.

    Args:
        tag: Its tag and size.
        digits: How many hex digits it has.
    """
    return False, rb'"([0-9a-f]{%d})"' % digits, _Ids(tag)


def cut_text(table: Mapping[int, bytes]) -> Cut:
    """Return how a text is cut; the table gives what stands before it, by its size."""
    return True, _PATTERNS[str], table


def cut_value(name: str, value: Any, tag: bytes) -> Cut:
    """Return how a value that is no text is cut; it becomes an attribute.

    Args:
        name: Its name.
        value: One like it.
        tag: What attributes have where it is put.
    """
    table = _Integers(name, tag) if type(value) is int else _Attributes(name, tag)
    return False, _PATTERNS[type(value)], table


def cut_log(name: str, value: Any) -> Cut:
    """Return how a field of a log record is cut."""
    if name in _IDS:
        return cut_id(*_IDS[name])
    if type(value) is str:
        return cut_text(prefixes_of(name))
    return cut_value(name, value, b"\x32")


def fitting(
    line: bytes, shapes: Iterable[Shape[H]]
) -> tuple[Shape[H], re.Match[bytes]] | tuple[None, None]:
    """Return the one of the shapes that a line has, and its texts; None if it has none."""
    if line.isascii():
        for shape in shapes:
            if found := shape.match(line):
                return shape, found
    return None, None


def shape_of(
    head: H,
    line: bytes,
    start: int,
    fields: Mapping[str, Any],
    encoded: bytes,
    cutter: Cutter = cut_log,
) -> Shape[H] | None:
    """Return the shape of a line; None if it has none that can be cut.

    Args:
        head: What its lines have alike.
        line: As the spool keeps it.
        start: Where its first field begins.
        fields: Its decoded members from there on.
        encoded: What they were encoded to: the shape must give the same.
        cutter: Returns how one of them is cut.
    """
    possible = len(fields) <= _FIELDS_MAX and all(
        type(value) in _PATTERNS and name not in _NOT_CUT for name, value in fields.items()
    )
    if not possible or type(fields.get("message")) is not str:
        return None
    shape = Shape(head, line[TIME_END : start - 1], fields, cutter)
    found = shape.match(line) if line.isascii() else None
    if found is None:
        return None
    _, *values = found.groups()
    return shape if b"".join(shape.encoded(*values)) == encoded else None
