"""Log items for Datadog.

    batch -> [datadog] -> exchange ~~> POST /api/v2/logs

https://docs.datadoghq.com/api/latest/logs/#send-logs; names are Datadog's standard attributes.
Limits: 5 MB a request uncompressed, 1000 items, 1 MB an item; items older than 18 hours or more
than 2 hours ahead are taken and then thrown away without a word.

Invariant: an item is at most 1 MB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.wire.line import rename
from clerestory.wire.record import fields_of, hex_id, stacktrace
from clerestory.wire.shorten import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

BODY_BYTES_MAX: Final = 5_000_000
ITEMS_MAX: Final = 1000
ITEM_BYTES_MAX: Final = 1_000_000
AGE_S_MAX: Final = 18 * 3600
AHEAD_S_MAX: Final = 2 * 3600
_ROOM: Final = 2048
_STATUSES: Final = {
    "TRACE": "debug",
    "DEBUG": "debug",
    "VERBOSE": "debug",
    "INFO": "info",
    "NOTICE": "notice",
    "WARNING": "warn",
    "ERROR": "error",
    "ALERT": "alert",
    "CRITICAL": "critical",
    "EMERGENCY": "emergency",
}
# Datadog gives these a meaning of its own, wherever they come from.
_RESERVED: Final = frozenset(
    ("date", "dd", "ddsource", "ddtags", "error", "host", "hostname", "service", "source", "status")
)
_PLACED: Final = frozenset(
    (
        "timestamp",
        "level",
        "logger",
        "module",
        "funcName",
        "lineno",
        "exception",
        "exception.type",
        "stack",
        "trace_id",
        "span_id",
    )
)
_encode = msgspec.json.encode


def item(line: bytes, identity: str) -> dict[str, Any]:
    """Return a record as a log item, without what all items have in common.

    Args:
        line: As the spool keeps it.
        identity: Becomes the attribute `_cid`.
    """
    fields = fields_of(line)
    logger = {
        "name": fields.get("logger", ""),
        "method_name": fields.get("funcName", ""),
        "file_name": fields.get("module", ""),
        "line": fields.get("lineno", 0),
    }
    found = {
        "status": _STATUSES.get(str(fields.get("level")), "info"),
        "logger": {name: value for name, value in logger.items() if value},
    }
    if fields["timestamp"]:
        found["timestamp"] = fields["timestamp"] // 1_000_000
    for name, value in fields.items():
        if name not in _PLACED:
            found[rename(name) if name in _RESERVED else name] = value
    _add_trace(fields, found)
    _add_error(fields, found)
    found["_cid"] = identity
    return found


def _add_trace(fields: Mapping[str, Any], found: dict[str, Any]) -> None:
    trace, span = hex_id(fields.get("trace_id"), 32), hex_id(fields.get("span_id"), 16)
    if trace:
        found["dd.trace_id"] = trace
    elif fields.get("trace_id"):
        found["trace_id"] = fields["trace_id"]
    if span:
        found["dd.span_id"] = str(int(span, 16))
    elif fields.get("span_id"):
        found["span_id"] = fields["span_id"]


def _add_error(fields: Mapping[str, Any], found: dict[str, Any]) -> None:
    exception = fields.get("exception")
    error = {"kind": fields.get("exception.type"), "stack": stacktrace(exception)}
    if isinstance(exception, dict):
        error["message"] = exception.get("message")
    if not error["stack"] and fields.get("stack"):
        error["stack"] = fields["stack"]
    error = {name: value for name, value in error.items() if value}
    if error:
        found["error"] = error


def common_of(
    resource: Mapping[str, Any], *, source: str, service: str, tags: Mapping[str, str]
) -> bytes:
    """Return the members that all items of a batch have: service, host, source and tags.

    Args:
        resource: What the batch has in common.
        source: `ddsource`.
        service: In place of the resource's; empty for that.
        tags: Further tags.
    """
    known = {
        "env": resource.get("deployment.environment.name"),
        "version": resource.get("service.version"),
        "pid": resource.get("process.pid"),
    }
    pairs = {name: value for name, value in known.items() if value} | dict(tags)
    members = {
        "ddsource": source,
        "ddtags": ",".join(f"{name}:{value}" for name, value in pairs.items()),
        "hostname": str(resource.get("host.name", "")),
        "service": service or str(resource.get("service.name", "")),
    }
    return _encode({name: value for name, value in members.items() if value})


def encode_item(line: bytes, identity: str, common: bytes) -> bytes:
    """Return an item as JSON; one beyond 1 MB is shortened."""
    found = _encode(item(line, identity))
    room = ITEM_BYTES_MAX - _ROOM - len(common)
    size = len(line)
    while len(found) > room and size > _ROOM:
        size -= len(found) - room + 16
        found = _encode(item(shorten(line, max(_ROOM, size)), identity))
    return found[:-1] + b"," + common[1:]
