"""Which traces of a time fulfil a filter expression, the newest first.

    operations, group= -> [selection] -> narrowing -> store -> predicate

The time of a trace is that of its first span.

Invariant: a trace is looked at once, in the order of pages, however many pages there are.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from clerestory.server.query.sql import Condition
from clerestory.server.store.embedded import Connection, Parameter
from clerestory.server.xray.errors import invalid
from clerestory.server.xray.filters.narrowing import WIDE, narrowed
from clerestory.server.xray.filters.predicate import matches
from clerestory.server.xray.filters.tree import ALWAYS, Expression
from clerestory.server.xray.traces.parts import DRAWN, TOLD, WHOLE, Trace

HOUR_NS: Final = 3600 * 10**9
DAY_NS: Final = 24 * HOUR_NS
NS_MAX: Final = 5_600_000_000_000_000_000
SPANS_A_TRACE_MAX: Final = 10_000
CHUNK: Final = 200
ALL_CHUNK: Final = 1000
FOUND_MAX: Final = 20_000
LOOK_S_MAX: Final = 10.0
ALL_S_MAX: Final = 20.0

Place = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which traces are asked for.

    Attributes:
        from_ns: Beginning of the range.
        to_ns: End of the range, which is not part of it.
        expression: What they have to fulfil.
        by: What has to lie in the range: `TraceId`, the trace's first span; `Event`, the arrival
            of one of its spans; `Service`, any time of one of its spans.
    """

    from_ns: int
    to_ns: int
    expression: Expression = ALWAYS
    by: str = "TraceId"


_FIRST: Final = "min(toUnixTimestamp64Nano(ts))"
_MS: Final = "fromUnixTimestamp64Milli(intDiv({{{}:Int64}}, 1000000), 'UTC')"
_ARRIVED: Final = f"ingested >= {_MS.format('from_ns')} AND ingested < {_MS.format('to_ns')}"
_WENT_ON: Final = (
    "toUnixTimestamp64Nano(ts) < {to_ns:Int64} "
    "AND toUnixTimestamp64Nano(ts) + toInt64(duration_ns) >= {from_ns:Int64}"
)
_IN: Final = {
    "TraceId": ("1", f"{_FIRST} >= {{from_ns:Int64}} AND {_FIRST} < {{to_ns:Int64}}"),
    "Event": (_ARRIVED, "1"),
    "Service": (_WENT_ON, "1"),
}


def candidates(
    connection: Connection, asked: Asked, after: Place | None, limit: int
) -> list[tuple[str, int]]:
    """Return ids and times of traces that may be meant, the newest first."""
    made = Condition()
    narrow = narrowed(asked.expression, made)
    of_span, of_trace = _IN[asked.by]
    parameters: dict[str, Parameter] = {
        **made.parameters,
        "from_ns": asked.from_ns,
        "to_ns": asked.to_ns,
        "wide_from": max(0, asked.from_ns - (HOUR_NS if asked.by == "TraceId" else DAY_NS)),
        "wide_to": min(asked.to_ns + DAY_NS, NS_MAX),
    }
    if after is not None:
        parameters |= {"c_ns": after[0], "c_id": after[1]}
        of_trace += f" AND ({_FIRST}, trace_id) < ({{c_ns:Int64}}, {{c_id:String}})"
    rows = connection.rows(
        f"SELECT trace_id, toString({_FIRST}) AS first FROM spans "
        f"WHERE {WIDE} AND trace_id != '' AND {of_span} AND {narrow or '1'} GROUP BY trace_id "
        f"HAVING {of_trace} ORDER BY {_FIRST} DESC, trace_id DESC LIMIT {limit}",
        parameters,
    )
    return [(trace_id, int(first)) for trace_id, first in rows]


def load(
    connection: Connection, ids: list[str], from_ns: int, to_ns: int, columns: str = WHOLE
) -> dict[str, Trace]:
    """Return traces by their ids; those of which nothing is stored are missing.

    Args:
        connection: To the store.
        ids: Of the traces.
        from_ns: No span of them is older.
        to_ns: No span of them is newer.
        columns: What is wanted of each span.
    """
    parameters: dict[str, Parameter] = {f"t{number}": one for number, one in enumerate(ids)}
    parameters |= {"wide_from": max(0, from_ns), "wide_to": min(to_ns, NS_MAX)}
    listed = ", ".join(f"{{t{number}:String}}" for number in range(len(ids)))
    rows = connection.rows(
        f"SELECT {columns} FROM spans WHERE {WIDE} AND trace_id IN ({listed}) "
        f"ORDER BY trace_id, ts, spool, seq LIMIT {SPANS_A_TRACE_MAX} BY trace_id",
        parameters,
    )
    by_id: dict[str, list[list[object]]] = {}
    for row in rows:
        by_id.setdefault(row[0], []).append(row)
    return {trace_id: Trace(trace_id, found) for trace_id, found in by_id.items()}


def chosen(
    connection: Connection,
    asked: Asked,
    after: Place | None = None,
    *,
    columns: str = TOLD,
    chunk: int = CHUNK,
) -> Iterator[tuple[Place, Trace | None]]:
    """Yield the traces from a place on: each place, and the trace if it is one that is meant."""
    while found := candidates(connection, asked, after, FOUND_MAX):
        for start in range(0, len(found), chunk):
            part = found[start : start + chunk]
            times = [ns for _, ns in part]
            ids = [trace_id for trace_id, _ in part]
            traces = load(connection, ids, min(times), max(times) + DAY_NS, columns)
            for trace_id, ns in part:
                trace = traces.get(trace_id)
                is_meant = trace is not None and matches(asked.expression, trace)
                yield (ns, trace_id), trace if is_meant else None
        if len(found) < FOUND_MAX:
            return
        after = (found[-1][1], found[-1][0])


def all_chosen(connection: Connection, asked: Asked) -> Iterator[Trace]:
    """Yield every trace that is meant, with what a graph is drawn of.

    Raises:
        AwsError: There are more than can be looked at in one call.
    """
    started = time.monotonic()
    columns = DRAWN if asked.expression == ALWAYS else TOLD
    looked_at = chosen(connection, asked, columns=columns, chunk=ALL_CHUNK)
    for number, (_, trace) in enumerate(looked_at):
        if time.monotonic() - started > ALL_S_MAX:
            message = (
                f"more than {number} traces lie in this time, which is more than one call looks "
                "at; ask for a shorter time"
            )
            raise invalid(message)
        if trace is not None:
            yield trace
