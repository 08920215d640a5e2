"""How the lines of one call go on: cut by a pattern in place of being decoded.

    batch -> otlp -> [shape]

The lines of one call mostly have the same fields in the same order. A pattern made from one of
them takes the values out of the next ones as they stand: a text without escapes has the same bytes
in JSON and in protobuf. Measured: a third of what decoding and encoding cost.

Invariant: what a shape cuts is what decoding would give. A line that is in any way different does
not fit, and is decoded.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.wire.protobuf import MASK64, attribute, integer_heads, prefixes_of, varint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # Whether it is text; its pattern; what gives its encoded form.
    Cut = tuple[bool, bytes, Any]
    Cutter = Callable[[str, Any], Cut]

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

    __slots__ = ("_heads",)

    def __init__(self, name: str, tag: bytes) -> None:
        super().__init__()
        self._heads = [tag + head[1:] for head in integer_heads(name)]

    def __missing__(self, digits: bytes) -> bytes:
        raw = varint(int(digits) & MASK64)
        found = self._heads[len(raw)] + raw
        if len(digits) < 3:
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


class Shape:
    """The fields of a line behind its head: their names, their order, the kinds of their values.

    Args:
        fields: Members of a line, `message` first.
        cutter: Returns how one of them is cut.

    Attributes:
        names: Of the fields.
    """

    __slots__ = ("_encoded", "_match", "names")

    def __init__(self, fields: Mapping[str, Any], cutter: Cutter) -> None:
        patterns, tables, of_texts = [], [], []
        for name, value in fields.items():
            is_text, pattern, table = cutter(name, value)
            patterns.append(re.escape(msgspec.json.encode(name)) + b":" + pattern)
            tables.append(table)
            of_texts.append(is_text)
        self.names = tuple(fields)
        self._match = re.compile(b",".join(patterns) + rb"\}").fullmatch
        self._encoded = _encoder_of(tuple(of_texts))(*tables)

    def cut(self, line: bytes, start: int, parts: list[bytes]) -> tuple[bytes, ...]:
        """Add the encoded fields of a line to `parts`.

        Args:
            line: As the spool keeps it, in ASCII.
            start: Where its first field begins.
            parts: Left as it is if the line has another shape.

        Returns:
            The fields as they stand in the line; none if it has another shape.
        """
        # Other bytes than ASCII might be no UTF-8; decoding finds that out.
        found = self._match(line, start) if line.isascii() else None
        if found is None:
            return ()
        values = found.groups()
        parts += self._encoded(*values)
        return values


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


def shape_of(
    line: bytes,
    start: int,
    fields: Mapping[str, Any],
    encoded: bytes,
    cutter: Cutter = cut_log,
) -> Shape | None:
    """Return the shape of a line; None if it has none that can be cut.

    Args:
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
    shape = Shape(fields, cutter)
    parts: list[bytes] = []
    return shape if shape.cut(line, start, parts) and b"".join(parts) == encoded else None
