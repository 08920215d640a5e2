"""OTLP logs in protobuf, written by hand: several times as fast as the generated classes.

    batch -> encoder -> [logs] -> exchange ~~> POST /v1/logs

Wire format: opentelemetry/proto/{logs,common,resource}/v1 and collector/logs/v1. Names of
attributes are those of OpenTelemetry's semantic conventions.

Invariant: the bytes mean to OpenTelemetry's own classes what the record says.
"""

from __future__ import annotations

from binascii import unhexlify
from functools import lru_cache
from itertools import repeat
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from clerestory.model.severity import to_otel
from clerestory.wire.otlp.shape import Attributes, Column, Piece, Signal, Texts, id_type, texts
from clerestory.wire.protobuf import MASK64, any_value, attribute, field, prefixes_of
from clerestory.wire.record import stacktrace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SCOPE_DEFAULT: Final = "clerestory"
_HEAD_NAMES: Final = frozenset(("level", "logger", "module", "funcName", "lineno"))
_IDS: Final = {"trace_id": (b"\x4a\x10", 32), "span_id": (b"\x52\x08", 16)}
_PLACED: Final = frozenset(("message", "exception", "stack", *_IDS))
_NO_ATTRIBUTES: Final = _PLACED | _HEAD_NAMES
_HEADS_MAX: Final = 1024
_ATTRIBUTE: Final = b"\x32"
_times = Struct("<cQcQ").pack


def _head(fields: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the scope, severity and place of a call."""
    level = str(fields.get("level", "INFO"))
    values = [fields.get(name) for name in ("logger", "module", "funcName", "lineno")]
    try:
        return _known_head(level, *values)
    except TypeError:  # a list or an object, in a line of another program
        return _known_head.__wrapped__(level, *values)


@lru_cache(maxsize=_HEADS_MAX, typed=True)
def _known_head(
    level: str, logger: Any, module: Any, function: Any, number: Any
) -> tuple[str, bytes]:
    found = b"\x10%c" % to_otel(level) + field(b"\x1a", level.encode("utf-8", "replace"))
    if function:
        found += attribute("code.function.name", f"{module}.{function}" if module else function)
    elif module:
        found += attribute("code.namespace", module)
    if number:
        found += attribute("code.line.number", number)
    return str(logger or _SCOPE_DEFAULT), found


def _take_times(columns: dict[str, Sequence[Any]]) -> list[Piece]:
    times = columns.pop("timestamp")
    return [list(map(_times, repeat(b"\x09"), times, repeat(b"\x59"), times))]


def _column(name: str) -> Column:
    """Return how the members of a name are encoded."""
    if name == "message":
        return Texts(prefixes_of(name).__getitem__)
    if name in _IDS:
        tag = _IDS[name][0]
        return lambda values: [tag, list(map(unhexlify, values))]
    if name in _PLACED:
        return lambda values: [[_placed(name, value) for value in values]]
    return Attributes(_ATTRIBUTE, name)


def _placed(name: str, value: Any) -> bytes:
    """Return a member that is no attribute of its own name."""
    if name == "message":
        return field(b"\x2a", any_value(value))
    if name in _IDS:
        return _hexadecimal(name, value)
    return attribute("code.stacktrace", value) if name == "stack" else _exception(value)


def _hexadecimal(name: str, value: Any) -> bytes:
    """Return an id as bytes; as an attribute if it is not of the size that OTLP wants."""
    tag, digits = _IDS[name]
    if type(value) is str and len(value) == digits:
        try:
            return tag + unhexlify(value)
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


def _alone(fields: dict[str, Any]) -> tuple[str, bytes]:
    """Return scope and LogRecord of a line of any form."""
    scope, head = _head(fields)
    time = (fields.pop("timestamp") & MASK64).to_bytes(8, "little")
    parts = [b"\x09", time, b"\x59", time, head]
    for name, value in fields.items():
        if type(value) is str and name not in _NO_ATTRIBUTES:
            raw = value.encode()
            parts += (prefixes_of(name)[len(raw)], raw)
        elif name in _PLACED:
            parts.append(_placed(name, value))
        elif name not in _HEAD_NAMES:
            parts.append(attribute(name, value))
    return scope, b"".join(parts)


LOGS: Final = Signal(
    kind="log",
    types={
        **dict.fromkeys(("level", "logger", "module", "funcName", "message"), str),
        **dict.fromkeys(("timestamp", "lineno"), int),
        **{name: id_type(digits) for name, (_, digits) in _IDS.items()},
    },
    rare=frozenset(("kind",)),
    head_names=_HEAD_NAMES,
    head=_head,
    times=_take_times,
    column=_column,
    alone=_alone,
    uids=texts(_ATTRIBUTE, "log.record.uid"),
)
