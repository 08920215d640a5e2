"""OTLP logs in protobuf, written by hand: several times as fast as the generated classes.

    batch -> [logs] -> exchange ~~> POST /v1/logs

Wire format: opentelemetry/proto/{logs,common,resource}/v1 and collector/logs/v1. Names of
attributes are those of OpenTelemetry's semantic conventions.

Invariant: the bytes mean to OpenTelemetry's own classes what the record says.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as option
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.model.severity import to_otel
from clerestory.wire.otlp.export import Export, Scopes
from clerestory.wire.otlp.shape import TIME_END, TIME_START, Shape, fitting, shape_of
from clerestory.wire.protobuf import (
    MASK64,
    any_value,
    attribute,
    field,
    prefixes_of,
    varint,
)
from clerestory.wire.record import fields_of, stacktrace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SCOPE_DEFAULT: Final = "clerestory"
_TIME: Final = b'{"timestamp":'
_HEAD_BYTES_MAX: Final = 1024
_HEADS_MAX: Final = 1024
_SIZES_MAX: Final = 4096
_SHAPES_MAX: Final = 3
_LEARN_EVERY: Final = 32
_HEAD_NAMES: Final = frozenset(("level", "logger", "module", "funcName", "lineno"))
_PLACED: Final = frozenset(("trace_id", "span_id", "exception", "stack"))

_decode = msgspec.json.Decoder().decode


@dataclass(slots=True, kw_only=True)
class Head:
    """What all lines of one call have alike.

    Attributes:
        scope: Name of the scope.
        encoded: Severity and place of the call.
        shapes: How its lines go on, as far as that was learned.
        decoded: How many of its lines fitted none of them.
    """

    scope: str
    encoded: bytes
    shapes: list[Shape[Head]] = option(default_factory=list)
    decoded: int = 0


def _head(fields: Mapping[str, Any]) -> Head:
    level = str(fields.get("level", "INFO"))
    found = b"\x10%c" % to_otel(level) + field(b"\x1a", level.encode("utf-8", "replace"))
    module, function = fields.get("module"), fields.get("funcName")
    if function:
        found += attribute("code.function.name", f"{module}.{function}" if module else function)
    elif module:
        found += attribute("code.namespace", module)
    if fields.get("lineno"):
        found += attribute("code.line.number", fields["lineno"])
    return Head(scope=str(fields.get("logger") or _SCOPE_DEFAULT), encoded=found)


@lru_cache(maxsize=_HEADS_MAX)
def _known_head(text: bytes) -> Head | None:
    """Return the head by its bytes; None for what is more than a head."""
    try:
        fields = _decode(b"{" + text + b"}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return _head(fields) if _HEAD_NAMES.issuperset(fields) else None


def _placed(name: str, value: Any) -> bytes:
    """Return a member that is no attribute of its own name."""
    if name == "message":
        return field(b"\x2a", any_value(value))
    if name == "trace_id":
        return _hexadecimal(b"\x4a\x10", name, value, 32)
    if name == "span_id":
        return _hexadecimal(b"\x52\x08", name, value, 16)
    return attribute("code.stacktrace", value) if name == "stack" else _exception(value)


def _hexadecimal(tag: bytes, name: str, value: Any, digits: int) -> bytes:
    """Return an id as bytes; as an attribute if it is not of the size that OTLP wants."""
    if type(value) is str and len(value) == digits:
        try:
            return tag + bytes.fromhex(value)
        except ValueError:
            pass
    return b"" if value in (None, "") else attribute(name, value)


def _exception(exception: Any) -> bytes:
    """Return `exception.message` and `exception.stacktrace`; the type is a field already."""
    found = b""
    if isinstance(exception, dict) and exception.get("message") is not None:
        found = attribute("exception.message", exception["message"])
    text = stacktrace(exception)
    return found + attribute("exception.stacktrace", text) if text else found


def log_record(
    line: bytes, identity: bytes, before: Shape[Head] | None = None
) -> tuple[str, bytes, Shape[Head] | None]:
    """Return the name of its scope, the content of a LogRecord, and the shape of the line.

    The line is cut by the shape that followed the one before the last time, or else by one that
    was learned from earlier lines with its head, or else decoded.

    Args:
        line: As the spool keeps it.
        identity: UTF-8 of the attribute `log.record.uid`, at most 99 bytes.
        before: Shape of the line before; given back where this one has none.
    """
    shape = None if before is None else before.following
    found = shape.match(line) if shape is not None and line.isascii() else None
    if shape is None or found is None:
        end, head = _head_of(line)
        shape, found = fitting(line, () if head is None else head.shapes)
        if shape is None or found is None:
            return *_whole(line, end, head, identity), before
        if before is not None:
            before.following = shape
    digits, *values = found.groups()
    time = int(digits).to_bytes(8, "little")
    uid = _IDENTITY_HEADS[len(identity)]
    fields, start = shape.encoded(*values), shape.head.encoded
    content = b"".join((b"\x09", time, b"\x59", time, start, *fields, uid, identity))
    return shape.head.scope, content, shape


def _head_of(line: bytes) -> tuple[int, Head | None]:
    """Return where a line's head ends, and the head; None if it is to be decoded whole."""
    end = line.find(b',"message":', TIME_END, _HEAD_BYTES_MAX)
    if end < 0 or not line.startswith(_TIME) or not line[TIME_START : TIME_END - 1].isdigit():
        return end, None
    return end, _known_head(line[TIME_END:end])


def _whole(line: bytes, end: int, head: Head | None, identity: bytes) -> tuple[str, bytes]:
    """Decode a line that has no known shape, and now and then learn from it."""
    uid = (_IDENTITY_HEADS[len(identity)], identity)
    if head is None:
        return _decoded(line, uid)
    try:
        rest = _decode(b"{" + line[end + 1 :])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decoded(line, uid)
    tail = _members_of(rest)
    head.decoded += 1
    if head.decoded % _LEARN_EVERY == 0 and len(head.shapes) < _SHAPES_MAX:
        learned = shape_of(head, line, end + 1, rest, b"".join(tail))
        head.shapes += [learned] if learned else []
    time = int(line[TIME_START : TIME_END - 1]).to_bytes(8, "little")
    return head.scope, b"".join([b"\x09", time, b"\x59", time, head.encoded, *tail, *uid])


def _decoded(line: bytes, uid: Iterable[bytes]) -> tuple[str, bytes]:
    """Return the LogRecord of a line that is not in the spool's order."""
    fields = fields_of(line)
    head = _head(fields)
    time = (fields.pop("timestamp") & MASK64).to_bytes(8, "little")
    rest = {name: value for name, value in fields.items() if name not in _HEAD_NAMES}
    parts = [b"\x09", time, b"\x59", time, head.encoded, *_members_of(rest), *uid]
    return head.scope, b"".join(parts)


def _members_of(rest: Mapping[str, Any]) -> list[bytes]:
    """Return body, ids and attributes, encoded."""
    parts: list[bytes] = []
    for name, value in rest.items():
        if type(value) is str and name not in _PLACED:
            # As `attribute` does it; texts are most of the work.
            raw = value.encode()
            parts += (prefixes_of(name)[len(raw)], raw)
        elif name in _PLACED or name == "message":
            parts.append(_placed(name, value))
        else:
            parts.append(attribute(name, value))
    return parts


def _identity_head(size: int) -> bytes:
    """Return what stands before the text of an attribute `log.record.uid` of so many bytes."""
    return attribute("log.record.uid", "x" * size)[: -size or None]


_IDENTITY_HEADS: Final = [_identity_head(size) for size in range(100)]


class _RecordPrefixes(dict[int, bytes]):
    """What stands before a LogRecord, by its size."""

    def __missing__(self, size: int) -> bytes:
        found = b"\x12" + varint(size)
        if size < _SIZES_MAX:
            self[size] = found
        return found


_RECORDS: Final = _RecordPrefixes()


def encode(groups: Iterable[Iterable[tuple[str, bytes]]], resource: Mapping[str, Any]) -> Export:
    """Return an ExportLogsServiceRequest: one resource, a scope for each logger.

    Args:
        groups: Identity (at most 99 bytes) and line of each record, some hundred at a time.
        resource: What they have in common.
    """
    scopes = Scopes()
    shape: Shape[Head] | None = None
    for records in groups:
        for identity, line in records:
            scope, content, shape = log_record(line, identity.encode(), shape)
            scopes[scope] += (_RECORDS[len(content)], content)
        scopes.join()
    return scopes.export(resource)
