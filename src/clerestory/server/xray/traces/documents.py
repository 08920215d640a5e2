"""A stored trace as segment documents.

    trace -> [documents] -> BatchGetTraces

What came as a document is given back as it came. OpenTelemetry's spans become documents by the
rules of `wire/xray/document`, parts inside their segments.

Invariant: every span of the trace is in one document.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from clerestory.server.xray.traces.parts import Part, Trace, value_of
from clerestory.server.xray.traces.selection import SPANS_A_TRACE_MAX
from clerestory.wire.xray.document import LOCAL_ROOT, SPAN_KIND, documents_of, nested

_encode = msgspec.json.Encoder().encode


def documents_of_trace(trace: Trace) -> tuple[list[tuple[str, str]], bool]:
    """Return ids and texts of a trace's documents, and whether some of them are missing."""
    found = [(one.id, one.raw) for one in trace.parts if one.raw]
    inside = _ids_inside(text for _, text in found)
    others = [one for one in trace.parts if not one.raw and one.id not in inside]
    made = nested(
        document for one in others for document in documents_of(line_of(one), _resource(one))
    )
    found += [(str(one["id"]), _encode(one).decode()) for one in made]
    return found, len(trace.parts) >= SPANS_A_TRACE_MAX


def _ids_inside(texts: Iterable[str]) -> set[str]:
    """Return the ids of documents that are inside of others, which tell them already."""
    found: set[str] = set()
    waiting: list[Any] = [msgspec.json.decode(text) for text in texts]
    while waiting:
        inner = waiting.pop().get("subsegments") or ()
        found |= {str(one["id"]).lower() for one in inner}
        waiting += inner
    return found


def line_of(one: Part) -> dict[str, Any]:
    """Return a stored span as the line that it may have come as."""
    line: dict[str, Any] = {
        "timestamp": one.start_ns,
        "message": one.name,
        "trace_id": one.row[0],
        "span_id": one.id,
        "span.kind": one.kind,
        "span.status": one.row[6],
        "span.status_message": one.row[7],
        **one.attributes,
    }
    if one.parent_id:
        line["parent_span_id"] = one.parent_id
    if one.segment is one and one.kind != "server":
        line[SPAN_KIND] = LOCAL_ROOT
    line |= {"span.pending": True} if one.pending else {"duration_ns": one.duration_ns}
    for name, text in (("span.events", one.row[11]), ("span.links", one.row[12])):
        listed = _listed(text)
        line |= {name: listed} if listed else {}
    return line


def _listed(text: str) -> list[Any]:
    try:
        found = msgspec.json.decode(text) if text else []
    except (msgspec.DecodeError, RecursionError):
        return []
    return found if isinstance(found, list) else []


def _resource(one: Part) -> dict[str, Any]:
    return {name: value_of(text) for name, text in one.row[16].items()}
