"""Documents in the size that X-Ray takes.

    document -> [fitting] -> JSON ~~> PutTraceSegments, UDP

What is inside of a segment that is too large is sent off on its own. What is still too large alone
loses the ends of its longest metadata, then whole members, and says so: `metadata.clerestory` has
`truncated_bytes`.

Invariant: nothing is left out for its size; what is shortened says by how much.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from clerestory.wire.shorten import cut
from clerestory.wire.xray.members import SUBSEGMENT

DOCUMENT_BYTES_MAX: Final = 65_536
MARK: Final = "clerestory"
_MARK_BYTES: Final = 64
_SHORT_BYTES: Final = 16
_OLD_S_MAX: Final = 28 * 86_400
_AHEAD_S_MAX: Final = 300
_NEEDED: Final = frozenset(
    (
        *("name", "id", "trace_id", "parent_id", "start_time", "end_time", "in_progress", "type"),
        *("namespace", "error", "fault", "throttle", "user", "metadata"),
    )
)
_encode: Final = msgspec.json.encode


def pieces(document: dict[str, Any], bytes_max: int = DOCUMENT_BYTES_MAX) -> list[bytes]:
    """Return a document as JSON, in as many documents as it takes.

    Args:
        document: A segment, or a subsegment of its own.
        bytes_max: Largest document, at least some 500.
    """
    whole = _encode(document)
    if len(whole) <= bytes_max:
        return [whole]
    rest = dict(document)
    found = []
    for part in rest.pop("subsegments", ()):
        own = {"trace_id": document["trace_id"], "parent_id": document["id"], "type": SUBSEGMENT}
        found += pieces(part | own, bytes_max)
    return [_shortened(rest, bytes_max), *found]


def _shortened(document: dict[str, Any], bytes_max: int) -> bytes:
    whole = _encode(document)
    if len(whole) <= bytes_max:
        return whole
    room = bytes_max - _MARK_BYTES
    document["metadata"] = metadata = _spaces(document)
    _cut_metadata(document, metadata, room)
    left = sorted(document.keys() - _NEEDED, key=lambda name: -len(_encode(document[name])))
    for name in left:
        if len(_encode(document)) <= room:
            break
        del document[name]
    if len(_encode(document)) > room:
        metadata.clear()
    missing = len(whole) - len(_encode(document))
    metadata[MARK] = {"truncated_bytes": missing}
    return _encode(document)


def _spaces(document: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a document to be cut: what is no object is one of one member."""
    return {
        space: dict(content) if isinstance(content, dict) else {"value": content}
        for space, content in document.get("metadata", {}).items()
    }


def _cut_metadata(document: dict[str, Any], metadata: dict[str, Any], room: int) -> None:
    """Cut the longest values until the document fits, or none is left that is long."""
    sized = [
        (len(_encode(value)), space, key)
        for space, content in metadata.items()
        for key, value in content.items()
    ]
    excess = len(_encode(document)) - room
    for size, space, key in sorted(sized, reverse=True):
        if excess <= 0 or size <= _SHORT_BYTES:
            return
        short = cut(_encode(metadata[space][key]), max(2, size - excess))
        metadata[space][key] = msgspec.Raw(short)
        excess -= size - len(short)


def time_trouble(trace_id: str, now_s: float) -> str:
    """Return why X-Ray would not take a trace for its time; empty if it would.

    The first eight digits of a trace id are when it began, in seconds since 1970; X-Ray takes what
    is up to 28 days old, and up to 5 minutes ahead.

    Args:
        trace_id: 32 hex digits.
        now_s: The time, in seconds since 1970.

    >>> time_trouble("5759e988bd862e3fe1be46a994272793", 0x5759E988 + 60.0)
    ''
    """
    began = int(trace_id[:8], 16)
    if now_s - _OLD_S_MAX <= began <= now_s + _AHEAD_S_MAX:
        return ""
    return (
        f"invalid_trace_id: the first 8 digits of trace id {trace_id} must be a time from 28 days "
        "ago to 5 minutes ahead, in seconds since 1970, for X-Ray: make such ids with trace.ids: "
        "xray in every program that begins traces, or set check_trace_times to false"
    )
