"""Rows for a table of Azure Monitor.

    batch -> [azure] -> exchange ~~> POST .../streams/Custom-<Table>_CL

https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview. Columns are
defined by the table: those here, and one, `Properties`, of type dynamic for all other fields.

Invariant: every row has the same columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.wire.line import iso_time
from clerestory.wire.record import fields_of, stacktrace
from clerestory.wire.shorten import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

BODY_BYTES_MAX: Final = 1024 * 1024
_ROOM: Final = 2048
_COLUMNS: Final = {
    "Level": "level",
    "Message": "message",
    "Logger": "logger",
    "Module": "module",
    "Function": "funcName",
    "Line": "lineno",
    "TraceId": "trace_id",
    "SpanId": "span_id",
    "ExceptionType": "exception.type",
}
_RESOURCE: Final = {
    "Service": "service.name",
    "ServiceVersion": "service.version",
    "Environment": "deployment.environment.name",
    "Host": "host.name",
    "ProcessId": "process.pid",
}
_encode = msgspec.json.encode


def row(line: bytes, identity: str, resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as a row.

    Args:
        line: As the spool keeps it.
        identity: Becomes the column `RecordId`.
        resource: What all rows have in common.
    """
    fields = fields_of(line)
    found = {
        "TimeGenerated": iso_time(fields.pop("timestamp")),
        **{column: fields.pop(name, None) for column, name in _COLUMNS.items()},
        "Exception": stacktrace(fields.pop("exception", None)) or None,
        **{column: resource.get(name) for column, name in _RESOURCE.items()},
        "RecordId": identity,
    }
    shared = _RESOURCE.values()
    rest = {name: value for name, value in resource.items() if name not in shared}
    found["Properties"] = rest | fields
    return found


def encode_row(line: bytes, identity: str, resource: Mapping[str, Any]) -> bytes:
    """Return a row as JSON; one that is longer than a request may be is shortened."""
    found = _encode(row(line, identity, resource))
    size = len(line)
    while len(found) > BODY_BYTES_MAX - _ROOM and size > _ROOM:
        size -= len(found) - (BODY_BYTES_MAX - _ROOM) + 16
        found = _encode(row(shorten(line, max(_ROOM, size)), identity, resource))
    return found
