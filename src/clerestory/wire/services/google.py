"""Log entries of Google Cloud Logging.

    batch -> [google] -> exchange ~~> POST /v2/entries:write

https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry. The service removes entries
with equal time and insertId, so that what is sent twice is kept once.

Invariant: an entry is at most 256 KB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from clerestory.wire.line import iso_time
from clerestory.wire.record import fields_of, hex_id, stacktrace
from clerestory.wire.shorten import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENTRY_BYTES_MAX: Final = 256 * 1024
# What an entry has beside the record's own line: names, ids, the log's name.
_ROOM: Final = 4 * 1024
_EXACT_MAX: Final = 2**53
_PARTIAL: Final = "WriteLogEntriesPartialErrors"
_SEVERITIES: Final = {
    "TRACE": "DEBUG",
    "DEBUG": "DEBUG",
    "VERBOSE": "DEBUG",
    "INFO": "INFO",
    "NOTICE": "NOTICE",
    "WARNING": "WARNING",
    "ERROR": "ERROR",
    "ALERT": "ALERT",
    "CRITICAL": "CRITICAL",
    "EMERGENCY": "EMERGENCY",
}
_PLACED: Final = frozenset(
    ("timestamp", "level", "module", "funcName", "lineno", "trace_id", "span_id", "exception")
)
_encode = msgspec.json.encode


def entry(
    line: bytes, identity: str, *, project: str, context: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a record as a LogEntry, without what all entries have in common.

    Args:
        line: As the spool keeps it.
        identity: Becomes `insertId`.
        project: Whose traces are meant.
        context: `serviceContext` of errors, for Error Reporting.
    """
    fields = fields_of(line)
    level = str(fields.get("level", "INFO"))
    payload = {name: _exact(value) for name, value in fields.items() if name not in _PLACED}
    found: dict[str, Any] = {
        "severity": _SEVERITIES.get(level, "DEFAULT"),
        "timestamp": iso_time(fields["timestamp"]),
        "insertId": identity,
        "jsonPayload": payload,
    }
    if "funcName" in fields or "module" in fields:
        found["sourceLocation"] = {
            "file": str(fields.get("module", "")),
            "line": str(fields.get("lineno", 0)),
            "function": str(fields.get("funcName", "")),
        }
    _add_trace(fields, found, project)
    if "exception" in fields:
        payload["stack_trace"] = stacktrace(fields["exception"])
        payload["serviceContext"] = context or {}
    return found


def _add_trace(fields: Mapping[str, Any], found: dict[str, Any], project: str) -> None:
    for name, digits in (("trace_id", 32), ("span_id", 16)):
        given = fields.get(name)
        if not given:
            continue
        text = hex_id(given, digits)
        if not text:
            found["jsonPayload"][name] = given
        elif name == "trace_id":
            found["trace"] = f"projects/{project}/traces/{text}"
        else:
            found["spanId"] = text


def _exact(value: Any) -> Any:
    """Return a number that a double cannot hold as text; Google keeps all numbers as doubles."""
    return str(value) if type(value) is int and abs(value) > _EXACT_MAX else value


def encode(
    records: Iterable[tuple[str, bytes]],
    resource: Mapping[str, Any],
    *,
    project: str,
    log_name: str,
    monitored: Mapping[str, Any],
    labels: Mapping[str, str],
) -> bytes:
    """Return the body of entries:write.

    Args:
        records: Identity and line of each; a line that is too long is shortened.
        resource: What they have in common; become labels.
        project: Project of log and traces.
        log_name: Name of the log, not yet encoded.
        monitored: `type` and `labels` of the monitored resource.
        labels: Further labels.
    """
    common = {
        "logName": f"projects/{project}/logs/{quote(log_name, safe='')}",
        "resource": monitored,
        "labels": {name: str(value) for name, value in (*resource.items(), *labels.items())},
        "partialSuccess": True,
    }
    context = {
        "service": str(resource.get("service.name", "unknown")),
        "version": str(resource.get("service.version", "")),
    }
    entries = [
        _fitting(line, identity, project=project, context=context) for identity, line in records
    ]
    return b'{"entries":[%b],%b' % (b",".join(entries), _encode(common)[1:])


def _fitting(line: bytes, identity: str, **more: Any) -> bytes:
    found = _encode(entry(line, identity, **more))
    size = len(line)
    while len(found) > ENTRY_BYTES_MAX - _ROOM:
        size -= len(found) - (ENTRY_BYTES_MAX - _ROOM) + 16
        found = _encode(entry(shorten(line, max(1024, size)), identity, **more))
        if size <= 1024:
            break
    return found


def decode_partial_errors(body: bytes) -> dict[int, tuple[int, str]]:
    """Return google.rpc code and message of each entry that was not written, by its index.

    Empty if the error is one of the whole request.
    """
    try:
        details = msgspec.json.decode(body)["error"].get("details", [])
        return {
            int(index): (int(status.get("code", 2)), str(status.get("message", ""))[:500])
            for detail in details
            if _PARTIAL in str(detail.get("@type", ""))
            for index, status in detail["logEntryErrors"].items()
        }
    except (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError):
        return {}
