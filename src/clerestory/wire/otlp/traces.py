"""OTLP traces in protobuf, written by hand as `logs` writes records.

    batch -> [traces] -> exchange ~~> POST /v1/traces

Wire format: opentelemetry/proto/trace/v1 and collector/trace/v1.

Invariant: the bytes mean to OpenTelemetry's own classes what the line says; what it says in the
wrong form becomes an attribute, and is not lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as option
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.wire.otlp.export import Export, Scopes
from clerestory.wire.otlp.shape import (
    TIME_END,
    TIME_START,
    Shape,
    cut_id,
    cut_text,
    cut_value,
    fitting,
    shape_of,
)
from clerestory.wire.protobuf import MASK64, attribute, field, key_value, text, varint
from clerestory.wire.record import fields_of, hex_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SCOPE_DEFAULT: Final = "clerestory"
_KINDS: Final = {
    kind: b"\x30" + bytes([number])
    for number, kind in enumerate(("internal", "server", "client", "producer", "consumer"), 1)
}
_STATUSES: Final = {"ok": b"\x18\x01", "error": b"\x18\x02"}
_DROPPED: Final = {"attributes": b"\x50", "events": b"\x60", "links": b"\x70"}
_PENDING: Final = b'"span.pending":true'
_SPAN: Final = b'"kind":"span"'
_TIME: Final = b'{"timestamp":'
_HEAD_NAMES: Final = frozenset(("level", "logger", "kind", "span.kind", "span.status"))
_IDS: Final = {
    "trace_id": (b"\x0a\x10", 32),
    "span_id": (b"\x12\x08", 16),
    "parent_span_id": (b"\x22\x08", 16),
}
_PLACED: Final = frozenset(("message", "duration_ns", *_IDS))
_RARE: Final = frozenset(
    (
        *("trace_state", "span.status", "span.status_message", "span.kind", "level", "kind"),
        *("span.events", "span.links", "span.dropped", "logger", "timestamp"),
    )
)
_SIZES_MAX: Final = 1024
_SPAN_SIZES_MAX: Final = 4096
_SHAPES_MAX: Final = 3
_LEARN_EVERY: Final = 32
_NAMES_MAX: Final = 4096
_HEADS_MAX: Final = 1024

_decode = msgspec.json.Decoder().decode
_HEAD_BYTES: Final = 1024


def has_spans(lines: bytes) -> bool:
    """Say whether some of the lines may be those of spans."""
    return lines.rfind(_SPAN) >= 0


def is_span(line: bytes) -> bool:
    """Say whether a line is that of a span."""
    return line.find(_SPAN, 0, _HEAD_BYTES) > 0


def has_pending(lines: bytes) -> bool:
    """Say whether some of the lines may have been written while their spans ran."""
    return lines.rfind(_PENDING) >= 0


def is_ended(line: bytes) -> bool:
    """Say whether a line is that of a span that has ended: OTLP knows no others."""
    return is_span(line) and not (_PENDING in line and fields_of(line).get("span.pending") is True)


class _Texts(dict[int, bytes]):
    """What stands before the text of an attribute of one name, by the text's size in bytes."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def __missing__(self, size: int) -> bytes:
        # As for a log record, under the number that attributes have in a Span.
        found = b"\x4a" + attribute(self._name, "x" * size)[1 : -size or None]
        if len(self) < _SIZES_MAX:
            self[size] = found
        return found


_UIDS: Final = _Texts("log.record.uid")
_texts: dict[str, _Texts] = {}


def _texts_of(name: str) -> _Texts:
    found = _texts.get(name)
    if found is None:
        if len(_texts) >= _NAMES_MAX:
            _texts.clear()
        found = _texts[name] = _Texts(name)
    return found


class _Names(dict[int, bytes]):
    """What stands before the name of a span, by its size in bytes."""

    def __missing__(self, size: int) -> bytes:
        found = b"\x2a" + varint(size)
        if size < _SIZES_MAX:
            self[size] = found
        return found


class _Spans(dict[int, bytes]):
    """What stands before a Span, by its size."""

    def __missing__(self, size: int) -> bytes:
        found = b"\x12" + varint(size)
        if size < _SPAN_SIZES_MAX:
            self[size] = found
        return found


_SPANS: Final = _Spans()


class _Nothing(dict[bytes, bytes]):
    """What a duration becomes by itself: with the beginning, it is the end."""

    def __missing__(self, digits: bytes) -> bytes:
        return b""


_NAMES: Final = _Names()
_DURATION: Final = (False, rb"(0|[1-9]\d{0,17}+)", _Nothing())


def _cutter(name: str, value: Any) -> Any:
    """Return how a member of a span's line is cut."""
    if name in _IDS:
        return cut_id(*_IDS[name])
    if name == "duration_ns":
        return _DURATION
    if type(value) is str:
        return cut_text(_NAMES if name == "message" else _texts_of(name))
    return cut_value(name, value, b"\x4a")


@dataclass(slots=True, kw_only=True)
class Head:
    """What all spans of a scope and kind have alike.

    Attributes:
        scope: Name of the scope.
        encoded: The kind, and the tag of the beginning.
        shapes: How their lines go on, as far as that was learned.
        decoded: How many of them fitted none.
    """

    scope: str
    encoded: bytes
    shapes: list[Shape[Head]] = option(default_factory=list)
    decoded: int = 0


@lru_cache(maxsize=_HEADS_MAX)
def _known_head(text: bytes) -> Head | None:
    """Return the head by its bytes; None if it holds more."""
    try:
        fields = _decode(b"{" + text + b"}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not _HEAD_NAMES.issuperset(fields) or fields.get("span.status", "unset") != "unset":
        return None
    kind = _KINDS.get(str(fields.get("span.kind", "internal")), _KINDS["internal"])
    # The tag of the time that follows it is the same as well.
    return Head(scope=str(fields.get("logger") or _SCOPE_DEFAULT), encoded=kind + b"\x39")


def span(
    line: bytes, identity: bytes, before: Shape[Head] | None = None
) -> tuple[str, bytes, Shape[Head] | None]:
    """Return the name of its scope, the content of a Span, and the shape of the line.

    The line is cut by the shape that followed the one before the last time, or else by one that
    was learned from earlier spans with its head, or else decoded. A span with status, events or
    links is decoded whole.

    Args:
        line: As the spool keeps it.
        identity: UTF-8 of the attribute `log.record.uid`.
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
    start = int(digits)
    ended = start + int(values[shape.names.index("duration_ns")]) & MASK64
    content = b"".join(
        (
            *(shape.head.encoded, start.to_bytes(8, "little")),
            *(b"\x41", ended.to_bytes(8, "little")),
            *(*shape.encoded(*values), _UIDS[len(identity)], identity),
        )
    )
    return shape.head.scope, content, shape


def _head_of(line: bytes) -> tuple[int, Head | None]:
    """Return where a line's head ends, and the head; None if it is to be decoded whole."""
    end = line.find(b',"message":', TIME_END, _HEAD_BYTES)
    if end < 0 or not line.startswith(_TIME) or not line[TIME_START : TIME_END - 1].isdigit():
        return end, None
    return end, _known_head(line[TIME_END:end])


def _whole(line: bytes, end: int, head: Head | None, identity: bytes) -> tuple[str, bytes]:
    """Decode a line that has no known shape, and now and then learn from it."""
    if head is None:
        return _decoded(line, identity)
    start = int(line[TIME_START : TIME_END - 1])
    parts = [head.encoded, start.to_bytes(8, "little"), b"\x41", b""]
    duration = _tail(line, end + 1, head, parts)
    if duration < 0:
        return _decoded(line, identity)
    parts[3] = (start + duration & MASK64).to_bytes(8, "little")
    parts += (_UIDS[len(identity)], identity)
    return head.scope, b"".join(parts)


def _tail(line: bytes, at: int, head: Head, parts: list[bytes]) -> int:
    """Add what follows the head, encoded; return the duration, -1 if the line needs more care."""
    begin = len(parts)
    try:
        rest = _decode(b"{" + line[at:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return -1
    duration = rest.get("duration_ns")
    if type(duration) is not int or duration < 0 or not _RARE.isdisjoint(rest):
        return -1
    for name, value in rest.items():
        if name in _PLACED:
            found = _placed(name, value)
            if found is None:
                return -1
            parts.append(found)
        elif type(value) is str:
            raw = value.encode()
            parts += (_texts_of(name)[len(raw)], raw)
        else:
            parts.append(b"\x4a" + attribute(name, value)[1:])
    head.decoded += 1
    if head.decoded % _LEARN_EVERY == 0 and len(head.shapes) < _SHAPES_MAX:
        learned = shape_of(head, line, at, rest, b"".join(parts[begin:]), _cutter)
        head.shapes += [learned] if learned else []
    return duration


def _placed(name: str, value: Any) -> bytes | None:
    """Return a member that is no attribute; None if it has not the form that it should have."""
    if name == "duration_ns":
        return b""
    if type(value) is not str:
        return None
    if name == "message":
        return _text(b"\x2a", value)
    tag, digits = _IDS[name]
    if len(value) != digits:
        return None
    try:
        return tag + bytes.fromhex(value)
    except ValueError:
        return None


def _decoded(line: bytes, identity: bytes) -> tuple[str, bytes]:
    """Return scope and Span of a line of any form."""
    fields = fields_of(line)
    scope = fields.pop("logger", None) or _SCOPE_DEFAULT
    start = fields.pop("timestamp") & MASK64
    duration = fields.pop("duration_ns", 0)
    if type(duration) is not int or duration < 0:
        fields["field.duration_ns"], duration = duration, 0
    parts = [_id(tag, name, fields, digits) for name, (tag, digits) in _IDS.items()]
    parts += [
        *(_text(b"\x1a", fields.pop("trace_state", "")), _text(b"\x2a", fields.pop("message", ""))),
        _KINDS.get(str(fields.pop("span.kind", "internal")), _KINDS["internal"]),
        *(b"\x39", start.to_bytes(8, "little")),
        *(b"\x41", (start + duration & MASK64).to_bytes(8, "little")),
    ]
    events, links = fields.pop("span.events", ()), fields.pop("span.links", ())
    dropped = fields.pop("span.dropped", None)
    status = _status(fields)
    for key in ("level", "kind"):
        fields.pop(key, None)
    fields["log.record.uid"] = identity.decode()
    parts += [field(b"\x4a", key_value(key, value)) for key, value in fields.items()]
    parts += [_event(one) for one in _objects(events)]
    parts += [_link(one) for one in _objects(links)]
    parts += [*_dropped(dropped), status]
    return str(scope), b"".join(parts)


def _objects(given: Any) -> list[dict[str, Any]]:
    return [one for one in given if type(one) is dict] if type(given) is list else []


def _text(tag: bytes, value: Any) -> bytes:
    """Return a field of text; nothing if it is empty."""
    return tag + text(str(value))[1:] if value else b""


def _id(tag: bytes, name: str, fields: dict[str, Any], digits: int) -> bytes:
    """Return an id as bytes, taken out of the fields; it stays there if it is none."""
    found = hex_id(fields.get(name), digits)
    if not found:
        return b""
    del fields[name]
    return tag + bytes.fromhex(found)


def _status(fields: dict[str, Any]) -> bytes:
    message = _text(b"\x12", fields.pop("span.status_message", ""))
    code = _STATUSES.get(str(fields.pop("span.status", "")), b"")
    return field(b"\x7a", message + code) if message or code else b""


def _event(event: Mapping[str, Any]) -> bytes:
    time = event.get("timestamp")
    moment = (time if type(time) is int else 0) & MASK64
    parts = [b"\x09", moment.to_bytes(8, "little"), _text(b"\x12", event.get("name", ""))]
    return field(b"\x5a", b"".join(parts + _attributes(b"\x1a", event)))


def _link(link: Mapping[str, Any]) -> bytes:
    rest = dict(link)
    parts = [_id(b"\x0a\x10", "trace_id", rest, 32), _id(b"\x12\x08", "span_id", rest, 16)]
    parts.append(_text(b"\x1a", rest.get("trace_state", "")))
    return field(b"\x6a", b"".join(parts + _attributes(b"\x22", link)))


def _attributes(tag: bytes, owner: Mapping[str, Any]) -> list[bytes]:
    given = owner.get("attributes")
    pairs = given.items() if type(given) is dict else ()
    return [field(tag, key_value(key, value)) for key, value in pairs]


def _dropped(counts: Any) -> list[bytes]:
    if type(counts) is not dict:
        return []
    found = [(tag, counts.get(what, 0)) for what, tag in _DROPPED.items()]
    return [
        tag + varint(min(count, 2**32 - 1))
        for tag, count in found
        if type(count) is int and count > 0
    ]


def encode(groups: Iterable[Iterable[tuple[str, bytes]]], resource: Mapping[str, Any]) -> Export:
    """Return an ExportTraceServiceRequest: one resource, a scope for each logger.

    Args:
        groups: Identity and line of each record, some hundred at a time.
        resource: What they have in common.
    """
    scopes = Scopes()
    shape: Shape[Head] | None = None
    for records in groups:
        for identity, line in records:
            scope, content, shape = span(line, identity.encode(), shape)
            scopes[scope] += (_SPANS[len(content)], content)
        scopes.join()
    return scopes.export(resource)
