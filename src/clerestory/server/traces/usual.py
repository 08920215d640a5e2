"""How long the spans of a trace usually take: what alike spans took in the hours before it.

    request -> [usual] -> store

Alike are spans of one service, name and kind. The hours end where the trace begins, so a trace is
never compared with itself.

Invariant: every answer is about finished spans that started before the trace.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was asked travels as parameters

from collections.abc import Mapping
from typing import Any, Final

from clerestory.model.errors import LimitError
from clerestory.server.api.logs import number_of
from clerestory.server.store.embedded import Connection, Parameter
from clerestory.server.traces.scope import RANGE
from clerestory.server.traces.trace import known_id

HOURS: Final = 6
HOURS_MAX: Final = 168
KINDS_OF_SPAN_MAX: Final = 1000
HOUR_NS: Final = 3600 * 10**9

_ALIKE: Final = "service, name, kind"


def usual_spans(connection: Connection, trace_id: str, params: Mapping[str, str]) -> dict[str, Any]:
    """Answer `/api/v1/traces/{trace_id}/usual`; `hours` says how far back is looked.

    Raises:
        LimitError: No span has this trace id (`not_found`, 404).
    """
    known = known_id(trace_id)
    hours = number_of(params, "hours", HOURS, most=HOURS_MAX)
    found = connection.rows(
        "SELECT toString(toUnixTimestamp64Nano(min(ts))), count() FROM spans "
        "WHERE trace_id = {trace:String}",
        {"trace": known},
    )
    start, spans = int(found[0][0]), found[0][1]
    if not spans:
        message = f"no span has the trace id {trace_id[:100]!r}"
        raise LimitError(message, code="not_found", status=404)
    bounds = {"from_ns": max(0, start - hours * HOUR_NS), "to_ns": start}
    return {
        "from_ms": bounds["from_ns"] // 1_000_000,
        "to_ms": start // 1_000_000,
        "usual": _usual(connection, known, bounds),
    }


def _usual(
    connection: Connection, trace_id: str, bounds: Mapping[str, Parameter]
) -> list[dict[str, Any]]:
    rows = connection.rows(
        f"SELECT {_ALIKE}, count() AS seen, countIf(status = 'error'), "
        "quantilesTDigest(0.5, 0.95)(duration_ns) "
        f"FROM spans WHERE {RANGE} AND NOT pending AND ({_ALIKE}) IN "
        f"(SELECT {_ALIKE} FROM spans WHERE trace_id = {{trace:String}}) "
        f"GROUP BY {_ALIKE} ORDER BY seen DESC, {_ALIKE} LIMIT {KINDS_OF_SPAN_MAX}",
        {**bounds, "trace": trace_id},
    )
    return [
        {
            "service": service,
            "name": name,
            "kind": kind,
            "count": count,
            "errors": errors,
            "p50_ns": round(p50),
            "p95_ns": round(p95),
        }
        for service, name, kind, count, errors, (p50, p95) in rows
    ]
