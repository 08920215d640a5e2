"""OTLP traces in protobuf, written by hand as `logs` writes records.

    batch -> encoder -> [traces] -> exchange ~~> POST /v1/traces

Wire format: opentelemetry/proto/trace/v1 and collector/trace/v1.

Invariant: the bytes mean to OpenTelemetry's own classes what the line says; what it says in the
wrong form becomes an attribute, and is not lost.
"""

from __future__ import annotations

from binascii import unhexlify
from itertools import repeat
from operator import add
from struct import Struct
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from clerestory.wire.otlp.shape import Attributes, Column, Piece, Signal, Texts, id_type, texts
from clerestory.wire.protobuf import MASK64, field, key_value, text, varint
from clerestory.wire.record import hex_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SCOPE_DEFAULT: Final = "clerestory"
_KINDS: Final = {
    kind: b"\x30" + bytes([number])
    for number, kind in enumerate(("internal", "server", "client", "producer", "consumer"), 1)
}
_STATUSES: Final = {"ok": b"\x18\x01", "error": b"\x18\x02"}
_DROPPED: Final = {"attributes": b"\x50", "events": b"\x60", "links": b"\x70"}
_SPAN: Final = b'"kind":"span"'
_HEAD_BYTES: Final = 1024
_HEAD_NAMES: Final = frozenset(("level", "logger", "kind", "span.kind", "span.status"))
_IDS: Final = {
    "trace_id": (b"\x0a\x10", 32),
    "span_id": (b"\x12\x08", 16),
    "parent_span_id": (b"\x22\x08", 16),
}
_RARE: Final = frozenset(
    (
        *("trace_state", "span.status_message", "span.events", "span.links", "span.dropped"),
        *("span.pending", "log.record.uid"),
    )
)
_ATTRIBUTE: Final = b"\x4a"
_times = Struct("<cQcQ").pack


def is_span(line: bytes) -> bool:
    """Say whether a line is that of a span, by its beginning."""
    return line.find(_SPAN, 0, _HEAD_BYTES) > 0


def kind_of(line: bytes, fields: Mapping[str, Any]) -> str:
    """Return what a line is: `log`, `span`, or `pending` for one whose span still ran.

    Args:
        line: As the spool keeps it.
        fields: Its members; its text as message, if it is damaged and has none.
    """
    if fields.get("kind") == "span":
        return "pending" if fields.get("span.pending") is True else "span"
    is_damaged = is_span(line) and fields.get("message") == line.decode("utf-8", "replace")
    return "span" if is_damaged else "log"


def _head(fields: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the scope, and kind and status, of few members."""
    kind = _KINDS.get(str(fields.get("span.kind", "internal")), _KINDS["internal"])
    return str(fields.get("logger") or _SCOPE_DEFAULT), kind + _status(fields)


def _take_times(columns: dict[str, Sequence[Any]]) -> list[Piece]:
    starts = columns.pop("timestamp")
    ends = list(map(add, starts, columns.pop("duration_ns", repeat(0))))
    return [list(map(_times, repeat(b"\x39"), starts, repeat(b"\x41"), ends))]


def _column(name: str) -> Column:
    """Return how the members of a name are encoded."""
    if name == "message":
        return Texts(lambda size: b"\x2a" + varint(size))
    if name in _IDS:
        tag = _IDS[name][0]
        return lambda values: [tag, list(map(unhexlify, values))]
    return Attributes(_ATTRIBUTE, name)


def _alone(fields: dict[str, Any]) -> tuple[str, bytes]:
    """Return scope and Span of a line of any form."""
    scope, head = _head(fields)
    rest = {name: value for name, value in fields.items() if name not in _HEAD_NAMES}
    start = rest.pop("timestamp") & MASK64
    duration = rest.pop("duration_ns", 0)
    if type(duration) is not int or duration < 0:
        rest["field.duration_ns"], duration = duration, 0
    parts = [_id(tag, name, rest, digits) for name, (tag, digits) in _IDS.items()]
    parts += [
        *(_text(b"\x1a", rest.pop("trace_state", "")), _text(b"\x2a", rest.pop("message", ""))),
        *(head, b"\x39", start.to_bytes(8, "little")),
        *(b"\x41", (start + duration & MASK64).to_bytes(8, "little")),
        *(_event(one) for one in _objects(rest.pop("span.events", ()))),
        *(_link(one) for one in _objects(rest.pop("span.links", ()))),
        *_dropped(rest.pop("span.dropped", None)),
    ]
    for name in ("span.status_message", "log.record.uid"):
        rest.pop(name, None)
    parts += [field(_ATTRIBUTE, key_value(name, value)) for name, value in rest.items()]
    return scope, b"".join(parts)


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


def _status(fields: Mapping[str, Any]) -> bytes:
    message = _text(b"\x12", fields.get("span.status_message", ""))
    code = _STATUSES.get(str(fields.get("span.status", "")), b"")
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


SPANS: Final = Signal(
    kind="span",
    types={
        **dict.fromkeys(("level", "logger", "span.kind", "span.status", "message"), str),
        "timestamp": int,
        "kind": Literal["span"],
        "duration_ns": Annotated[int, msgspec.Meta(ge=0)],
        **{name: id_type(digits) for name, (_, digits) in _IDS.items()},
    },
    rare=_RARE,
    head_names=_HEAD_NAMES,
    head=_head,
    times=_take_times,
    column=_column,
    alone=_alone,
    uids=texts(_ATTRIBUTE, "log.record.uid"),
)
