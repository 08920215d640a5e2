"""Traces out: summaries, documents, graphs.

endpoint -> [reading] -> selection -> store
"""

import time
from collections.abc import Callable
from typing import Any, Final

from clerestory.model.errors import QueryError
from clerestory.server.store.embedded import Connection
from clerestory.server.xray.errors import invalid
from clerestory.server.xray.filters.groups import expression_of, resolved
from clerestory.server.xray.filters.parser import parse, shown
from clerestory.server.xray.filters.tree import ALWAYS, Expression
from clerestory.server.xray.names import hex_trace_id
from clerestory.server.xray.service import Call
from clerestory.server.xray.traces.documents import documents_of_trace
from clerestory.server.xray.traces.graph import Graph
from clerestory.server.xray.traces.parts import NS
from clerestory.server.xray.traces.selection import (
    LOOK_S_MAX,
    NS_MAX,
    Asked,
    Place,
    all_chosen,
    chosen,
    load,
)
from clerestory.server.xray.traces.summary import summary_of
from clerestory.server.xray.traces.tallies import counted_graph

SUMMARIES_A_PAGE: Final = 100
LOOKED_AT_MAX: Final = 20_000
TRACES_MAX: Final = 5
GRAPHED_TRACES_MAX: Final = 100


def get_trace_summaries(call: Call) -> dict[str, Any]:
    """Answer GetTraceSummaries: the newest first."""
    strategy = call.given.get("SamplingStrategy") or {}
    if strategy.get("Name") == "FixedRate":
        raise invalid("SamplingStrategy FixedRate is not supported; every trace is looked at.")
    asked = _asked(call, _expression(call))
    position = call.position()
    after = None if position is None else (int(position[0]), str(position[1]))
    found: dict[str, Any] = _with_store(
        call, lambda connection: _summaries(call, connection, asked, after)
    )
    return found


def _summaries(
    call: Call, connection: Connection, asked: Asked, after: Place | None
) -> dict[str, Any]:
    started, looked_at = time.monotonic(), 0
    found: list[dict[str, Any]] = []
    answer: dict[str, Any] = {"TraceSummaries": found}
    for place, trace in chosen(connection, asked, after):
        is_enough = len(found) >= SUMMARIES_A_PAGE or looked_at >= LOOKED_AT_MAX
        if is_enough or (looked_at and time.monotonic() - started > LOOK_S_MAX):
            answer["NextToken"] = call.token(list(after or (0, "")))
            break
        looked_at += 1
        after = place
        if trace is not None:
            matched = {"MatchedEventTime": trace.end_ns / NS} if asked.by == "Event" else {}
            found.append(summary_of(trace) | matched)
    return answer | {"ApproximateTime": call.given["EndTime"], "TracesProcessedCount": looked_at}


def batch_get_traces(call: Call) -> dict[str, Any]:
    """Answer BatchGetTraces: what was sent, byte for byte, where it was sent as documents."""
    call.position()
    ids = call.given["TraceIds"]
    if len(ids) > TRACES_MAX:
        raise invalid(f"At most {TRACES_MAX} traces are given at once; got {len(ids)} TraceIds.")
    traces = _loaded(call, ids)
    found, missing = [], []
    for told in ids:
        trace = traces.get(hex_trace_id(told))
        if trace is None:
            missing.append(told)
            continue
        documents, limited = documents_of_trace(trace)
        found.append(
            {
                "Id": told,
                "Duration": round(trace.seconds, 6),
                "LimitExceeded": limited,
                "Segments": [{"Id": one, "Document": text} for one, text in documents],
            }
        )
    return {"Traces": found, "UnprocessedTraceIds": missing}


def get_service_graph(call: Call) -> dict[str, Any]:
    """Answer GetServiceGraph: of all traces of the time, or of those of a group."""
    call.position()
    expression: Expression = ALWAYS
    if "GroupName" in call.given or "GroupARN" in call.given:
        expression = expression_of(call.group())
    asked = _asked(call, expression)
    graph = _with_store(call, lambda connection: _graph(connection, asked))
    return {
        "StartTime": call.given["StartTime"],
        "EndTime": call.given["EndTime"],
        "Services": graph.services(),
        "ContainsOldGroupVersions": False,
    }


def _graph(connection: Connection, asked: Asked) -> Graph:
    if asked.expression == ALWAYS:
        return counted_graph(connection, asked)
    return Graph(all_chosen(connection, asked))  # an expression is about whole traces


def get_trace_graph(call: Call) -> dict[str, Any]:
    """Answer GetTraceGraph."""
    call.position()
    ids = call.given["TraceIds"]
    if len(ids) > GRAPHED_TRACES_MAX:
        raise invalid(f"A graph is made of at most {GRAPHED_TRACES_MAX} traces; got {len(ids)}.")
    return {"Services": Graph(_loaded(call, ids).values()).services()}


def _loaded(call: Call, ids: list[str]) -> dict[str, Any]:
    known = list(dict.fromkeys(hex_trace_id(one) for one in ids))
    if not known:
        return {}
    found: dict[str, Any] = _with_store(call, lambda connection: load(connection, known, 0, NS_MAX))
    return found


def _with_store(call: Call, work: Callable[[Connection], Any]) -> Any:
    return call.service.store.query(work)


def _expression(call: Call) -> Expression:
    text = call.given.get("FilterExpression", "")
    try:
        return resolved(parse(text), call.service.catalog.groups)
    except QueryError as error:
        raise invalid(shown(error)) from error


def _asked(call: Call, expression: Expression) -> Asked:
    """Return which traces are asked for.

    Raises:
        AwsError: The end is before the beginning.
    """
    first, last = call.given["StartTime"], call.given["EndTime"]
    if last < first:
        raise invalid("EndTime must not be before StartTime.")
    by = call.given.get("TimeRangeType") or "TraceId"
    # a whole second is meant to its end, as the seconds in trace ids are
    more = NS if last == int(min(last, NS_MAX / NS)) else 10**6
    return Asked(from_ns=_ns(first), to_ns=_ns(last) + more, expression=expression, by=by)


def _ns(seconds: float) -> int:
    return int(min(max(0.0, seconds), NS_MAX / NS - 1) * 1000) * 10**6
