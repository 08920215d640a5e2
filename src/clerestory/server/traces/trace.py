"""One trace: its spans in the order of the tree, and the log records that belong to it.

    request -> [trace] -> store

Invariant: a span is shown once, the finished one before the pending one, and every span of the
trace is shown, even if its parent is not stored or the parents form a ring.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was asked travels as parameters

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from clerestory.model.errors import LimitError
from clerestory.server.api.logs import number_of
from clerestory.server.api.rows import ORDER_SQL, ROW_SQL, row_of, typed_map
from clerestory.server.store.embedded import Connection, Parameter
from clerestory.server.traces.scope import RANGE

SPANS_MAX: Final = 10_000
LOGS_MAX: Final = 10_000
AROUND_NS: Final = 86_400 * 10**9
NS_MAX: Final = 5_600_000_000_000_000_000

_XRAY_ID: Final = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_SPAN_SQL: Final = (
    "span_id, parent_span_id, name, service, logger, kind, status, status_message, "
    "toString(toUnixTimestamp64Nano(ts)), duration_ns, pending, trace_state, peer, peer_kind, "
    "dropped, events, links, attrs, resource, toUnixTimestamp64Milli(ingested)"
)
_decode = msgspec.json.Decoder(list[dict[str, Any]]).decode


def known_id(trace_id: str) -> str:
    """Return a trace id as it is stored; X-Ray's form of it is understood, too.

    >>> known_id("1-0af76519-16CD43dd8448eb211c80319c")
    '0af7651916cd43dd8448eb211c80319c'
    """
    found = _XRAY_ID.fullmatch(trace_id.lower())
    return found[1] + found[2] if found else trace_id.lower()


def one_trace(connection: Connection, trace_id: str, params: Mapping[str, str]) -> dict[str, Any]:
    """Answer `/api/v1/traces/{trace_id}`; X-Ray's form of the id is understood, too.

    Raises:
        LimitError: Neither a span nor a record has this id (`not_found`, 404).
    """
    known = known_id(trace_id)
    limit = number_of(params, "limit", 2000, most=SPANS_MAX)
    logs_limit = number_of(params, "logs", 1000, most=LOGS_MAX)
    rows = connection.rows(
        f"SELECT {_SPAN_SQL} FROM spans WHERE trace_id = {{trace:String}} "
        f"ORDER BY ts, spool, seq LIMIT {limit + 1}",
        {"trace": known},
    )
    limited, rows = len(rows) > limit, _once(rows[:limit])
    logs = _logs(connection, known, rows, logs_limit + 1)
    if not known or not (rows or logs):
        message = f"no span and no record has the trace id {trace_id[:100]!r}"
        raise LimitError(message, code="not_found", status=404)
    resources = _Resources()
    spans = list(_in_order([_span(row, resources) for row in rows]))
    return {
        "trace_id": known,
        **_figures(spans),
        "spans": spans,
        "resources": resources.listed,
        "limited": limited,
        "logs": [row_of(row) for row in logs[:logs_limit]],
        "logs_limited": len(logs) > logs_limit,
    }


def _once(rows: list[list[Any]]) -> list[list[Any]]:
    """Return each span once: the finished one before the pending one, else what came last."""
    by_id: dict[str, list[Any]] = {}
    for row in rows:
        before = by_id.setdefault(row[0], row)
        if (not row[10], row[19]) >= (not before[10], before[19]):
            by_id[row[0]] = row
    return sorted(by_id.values(), key=lambda row: int(row[8]))


def _logs(
    connection: Connection, trace_id: str, spans: list[list[Any]], limit: int
) -> list[list[Any]]:
    starts = [int(row[8]) for row in spans]
    ends = [int(row[8]) + int(row[9]) for row in spans]
    bounds: dict[str, Parameter] = {
        "from_ns": max(0, min(starts, default=0) - AROUND_NS),
        "to_ns": min(max(ends, default=NS_MAX) + AROUND_NS, NS_MAX),
        "trace": trace_id,
    }
    return connection.rows(
        f"SELECT {ROW_SQL} FROM logs WHERE {RANGE} AND trace_id = {{trace:String}} "
        f"ORDER BY {ORDER_SQL} LIMIT {limit}",
        bounds,
    )


class _Resources:
    """The distinct resources of a trace; spans name them by their place."""

    def __init__(self) -> None:
        self.listed: list[dict[str, Any]] = []
        self._places: dict[tuple[tuple[str, str], ...], int] = {}

    def place(self, resource: dict[str, str]) -> int:
        key = tuple(sorted(resource.items()))
        if key not in self._places:
            self._places[key] = len(self.listed)
            self.listed.append(typed_map(resource))
        return self._places[key]


def _span(row: list[Any], resources: _Resources) -> dict[str, Any]:
    names = (
        "span_id", "parent_span_id", "name", "service", "scope", "kind", "status",
        "status_message", "ts", "duration_ns", "pending", "trace_state", "peer", "peer_kind",
        "dropped",
    )  # fmt: skip
    span = dict(zip(names, row, strict=False))
    span["pending"] = bool(span["pending"])
    span["events"] = [_event(one) for one in _listed(row[15])]
    span["links"] = [_link(one) for one in _listed(row[16])]
    span["attrs"] = typed_map(row[17])
    span["resource"] = resources.place(row[18])
    return span


def _listed(text: str) -> list[dict[str, Any]]:
    if not text:
        return []
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError):
        return [{"name": "unreadable", "attributes": {"text": text[:10_000]}}]


def _event(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": told.get("name", ""),
        "ts": str(told.get("timestamp", "")),
        "attrs": told.get("attributes", {}),
    }


def _link(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "trace_id": told.get("trace_id", ""),
        "span_id": told.get("span_id", ""),
        "trace_state": told.get("trace_state", ""),
        "attrs": told.get("attributes", {}),
    }


def _in_order(spans: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield parents before children, brothers by their start; `depth` tells how deep."""
    known = {span["span_id"] for span in spans}
    children: dict[str, list[dict[str, Any]]] = {}
    roots: list[dict[str, Any]] = []
    for span in spans:
        parent = span["parent_span_id"]
        span["orphan"] = bool(parent) and parent not in known
        if parent in known and parent != span["span_id"]:
            children.setdefault(parent, []).append(span)
        else:
            roots.append(span)
    seen = set[str]()
    for first in [*roots, *spans]:  # what is left after the roots hangs on a ring
        waiting = [(first, 0)]
        while waiting:
            span, depth = waiting.pop()
            if span["span_id"] in seen:
                continue
            seen.add(span["span_id"])
            span["depth"] = depth
            yield span
            below = children.get(span["span_id"], [])
            waiting += [(child, depth + 1) for child in reversed(below)]


def _figures(spans: list[dict[str, Any]]) -> dict[str, Any]:
    if not spans:
        return {"name": "", "service": "", "ts": "", "duration_ns": 0, "errors": 0, "services": []}
    start = min(int(span["ts"]) for span in spans)
    end = max(int(span["ts"]) + span["duration_ns"] for span in spans)
    services: dict[str, dict[str, Any]] = {}
    for span in spans:
        one = services.setdefault(
            span["service"], {"name": span["service"], "spans": 0, "errors": 0}
        )
        one["spans"] += 1
        one["errors"] += span["status"] == "error"
    root = min(spans, key=lambda span: (span["parent_span_id"] != "", int(span["ts"])))
    return {
        "name": root["name"],
        "service": root["service"],
        "ts": str(start),
        "duration_ns": end - start,
        "errors": sum(one["errors"] for one in services.values()),
        "services": sorted(services.values(), key=lambda one: str(one["name"])),
    }
