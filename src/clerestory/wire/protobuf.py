"""Protocol Buffers, the part that OTLP needs: values, attributes, and reading a message's fields.

    record -> [protobuf] -> otlp

Wire format: https://protobuf.dev/programming-guides/encoding/; AnyValue and KeyValue as in
opentelemetry/proto/common/v1/common.proto.

Invariant: the bytes mean to the generated classes what the value says.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

_double = Struct("<Bd").pack
INT64_MAX: Final = 2**63 - 1
MASK64: Final = 2**64 - 1
_INT64_MIN: Final = -(2**63)
_DEPTH_MAX: Final = 32
_NAMES_MAX: Final = 4096
_PREFIXES_MAX: Final = 1024
_SMALL: Final = [bytes([number]) for number in range(128)]
_INTEGERS: Final = [bytes([0x18, number]) for number in range(128)]
_ATTRIBUTES: Final = [bytes([0x32, size]) for size in range(128)]
_keys: dict[str, bytes] = {}


def varint(number: int) -> bytes:
    """Return a number that is not negative in groups of seven bits."""
    if number < 128:
        return _SMALL[number]
    if number < 16384:
        return bytes((number & 127 | 128, number >> 7))
    if number < 2097152:
        return bytes((number & 127 | 128, number >> 7 & 127 | 128, number >> 14))
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(tag: bytes, content: bytes) -> bytes:
    """Return a length-delimited field."""
    size = len(content)
    return tag + (_SMALL[size] if size < 128 else varint(size)) + content


def text(value: str) -> bytes:
    """Return a string's AnyValue, without its own length."""
    try:
        raw = value.encode()
    except UnicodeEncodeError:  # lone surrogates: a resource may hold them, a line never
        raw = value.encode("utf-8", "replace")
    return field(b"\x0a", raw)


def any_value(value: Any, depth: int = 0) -> bytes:
    """Return the content of an AnyValue.

    Args:
        value: What JSON knows, or bytes. Integers beyond 64 bits become text.
        depth: How deep it lies; below 32 levels a value becomes JSON text.
    """
    kind = type(value)
    if kind is str:
        return text(value)
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if kind is int:
        if value < _INT64_MIN or value > INT64_MAX:
            return text(str(value))
        return _INTEGERS[value] if 0 <= value < 128 else b"\x18" + varint(value & MASK64)
    if kind is float:
        return _double(0x21, value)
    if value is None:
        return b""
    if kind is bytes:
        return field(b"\x3a", value)
    if depth >= _DEPTH_MAX:
        return text(msgspec.json.encode(value).decode())
    if kind is dict:
        pairs = (field(b"\x0a", key_value(key, one, depth + 1)) for key, one in value.items())
        return field(b"\x32", b"".join(pairs))
    values = (field(b"\x0a", any_value(one, depth + 1)) for one in value)
    return field(b"\x2a", b"".join(values))


def _key(name: str) -> bytes:
    """Return the key of a KeyValue, and the tag of its value."""
    key = _keys.get(name)
    if key is None:
        if len(_keys) >= _NAMES_MAX:
            _keys.clear()
        key = _keys[name] = text(name) + b"\x12"
    return key


def key_value(name: str, value: Any, depth: int = 0) -> bytes:
    """Return the content of a KeyValue."""
    content = any_value(value, depth)
    return _key(name) + varint(len(content)) + content


def attribute(name: str, value: Any) -> bytes:
    """Return an attribute of a LogRecord, tag and length included."""
    key = _key(name)
    content = any_value(value)
    size = len(content)
    if size + len(key) < 127:
        return _ATTRIBUTES[size + len(key) + 1] + key + _SMALL[size] + content
    return field(b"\x32", key + varint(size) + content)


class Prefixes(dict[int, bytes]):
    """What stands before the text of a field, by the text's size in bytes."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __missing__(self, size: int) -> bytes:
        text = b"\x0a" + varint(size)
        content = varint(len(text) + size) + text
        if self._name == "message":
            found = b"\x2a" + content
        else:
            key = _key(self._name)
            found = b"\x32" + varint(len(key) + len(content) + size) + key + content
        if len(self) < _PREFIXES_MAX:
            self[size] = found
        return found


_prefixes: dict[str, Prefixes] = {}


def prefixes_of(name: str) -> Prefixes:
    """Return what stands before the text of a field of this name."""
    found = _prefixes.get(name)
    if found is None:
        if len(_prefixes) >= _NAMES_MAX:
            _prefixes.clear()
        found = _prefixes[name] = Prefixes(name)
    return found


def integer_heads(name: str) -> list[bytes]:
    """Return what stands before an integer of an attribute, by the integer's size in bytes."""
    key = _key(name)
    return [
        b"\x32" + varint(len(key) + size + 2) + key + varint(size + 1) + b"\x18"
        for size in range(11)
    ]


def members(body: bytes) -> Iterable[tuple[int, int | bytes]]:
    """Yield number and value of each field of a message; those of fixed size are bytes."""
    position = 0
    while position < len(body):
        tag, position = _varint_at(body, position)
        kind = tag & 7
        if kind == 0:
            value, position = _varint_at(body, position)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, position = _varint_at(body, position)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {position}")
        if position + size > len(body):
            raise ValueError("the message is cut off")
        yield tag >> 3, body[position : position + size]
        position += size


def _varint_at(body: bytes, position: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if position >= len(body):
            raise ValueError("the message is cut off")
        byte = body[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number & MASK64, position
    raise ValueError(f"a number at byte {position} is too long")
