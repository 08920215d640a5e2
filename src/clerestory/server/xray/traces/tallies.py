"""The service graph of all traces of a time, added up in the store.

    GetServiceGraph -> [tallies] -> store -> graph

What `parts` and `graph` say of one trace stands here as SQL about all of them: a span is placed
below its parent, each that is no segment climbs to its segment, and segments, calls between
segments and calls that nobody tells of are counted by outcome and time. A climb doubles with each
round, so the deepest trace takes 14. 20,000 traces take 0.3 s, where reading each took 3.

Traces in which parents form a ring have no top to climb to; they are read one by one.

Invariant: the graph is that of `Graph` over the same traces.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was asked travels as parameters

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from clerestory.server.store.embedded import Connection, Parameter
from clerestory.server.xray.errors import invalid
from clerestory.server.xray.filters.narrowing import WIDE
from clerestory.server.xray.traces.graph import DIGITS, Graph, Tally
from clerestory.server.xray.traces.parts import DRAWN, Trace, called_node, service_node
from clerestory.server.xray.traces.selection import (
    ALL_CHUNK,
    ALL_S_MAX,
    DAY_NS,
    HOUR_NS,
    NS_MAX,
    Asked,
    load,
)

# So many are looked at together; each takes 600 bytes meanwhile.
SPANS_A_LOT: Final = 300_000


def _flag(sql: str) -> str:
    """Return SQL of a small number; of a column of few texts it would be one of few numbers."""
    return f"CAST({sql} AS UInt8)"


_TRACES, _PARTS, _PLACED, _STEPS = "graph_traces", "graph_parts", "graph_placed", "graph_steps"
_TABLES: Final = (_TRACES, _PARTS, _PLACED, f"{_STEPS}_0", f"{_STEPS}_1")
_OUTCOMES: Final = ("ok", "error", "throttle", "fault")
# What is no status, or as good as none, so that the older attribute is asked.
_NO_STATUS: Final = """('', '0', '0.0', '""', 'null', 'false', '[]', '{}')"""
_STATUS: Final = (
    f"if(attrs['http.response.status_code'] IN {_NO_STATUS}, attrs['http.status_code'], "
    "attrs['http.response.status_code'])"
)
_OUTCOME: Final = (
    "multiIf(is_document AND attrs['aws.xray.fault'] = 'true', 3, "
    "is_document AND attrs['aws.xray.throttle'] = 'true', 2, "
    "is_document AND attrs['aws.xray.error'] = 'true', 1, is_document, 0, "
    "code >= 500, 3, code = 429, 2, code >= 400, 1, status = 'error', 3, 0)"
)
_CHOSEN: Final = (
    "SELECT trace, first, intDiv(sum(spans) OVER (ORDER BY first ROWS UNBOUNDED PRECEDING), "
    f"{{lot:UInt64}}) AS lot FROM (SELECT cityHash64(trace_id) AS trace, "
    "min(toUnixTimestamp64Nano(ts)) AS first, count() AS spans FROM spans "
    f"WHERE {WIDE} AND trace_id != '' GROUP BY trace "
    "HAVING first >= {from_ns:Int64} AND first < {to_ns:Int64})"
)
# The finished one of a span that was told twice, else the one that came last.
_ONCE: Final = "ORDER BY pending, ingested DESC, seq DESC, ts, spool LIMIT 1 BY id_hash"
_TWICE: Final = f"SELECT 1 FROM spans WHERE {WIDE} GROUP BY id_hash HAVING count() > 1 LIMIT 1"
_READ: Final = f"""
WITH
  {_STATUS} AS told, if(toString(toInt64OrZero(told)) = told, toInt64OrZero(told), 0) AS code
SELECT id_hash AS id, cityHash64(trace_id) AS trace,
  if(parent_span_id = '', 0, cityHash64(trace_id, parent_span_id)) AS parent,
  service, toUnixTimestamp64Nano(ts) AS start, duration_ns AS took, pending,
  attrs['aws.xray.type'] IN ('segment', 'subsegment') AS is_document,
  {_flag("if(is_document, attrs['aws.xray.type'] = 'segment', kind IN ('server', 'consumer'))")}
    AS is_segment,
  {_flag("kind IN ('client', 'producer')")} AS is_call,
  {_flag(_OUTCOME)} AS outcome,
  tuple(if(is_document, name, service), toLowCardinality(attrs['aws.xray.origin']),
    toLowCardinality(resource['cloud.platform'])) AS node_told,
  tuple(if(is_document OR peer = '', name, peer), {_flag("peer_kind = 'database'")},
    toLowCardinality(if(is_document, attrs['rpc.system'], ''))) AS called_told,
  cityHash64(node_told) AS node, if(is_call, cityHash64(called_told), 0) AS called
FROM spans PREWHERE {WIDE} AND cityHash64(trace_id) IN
  (SELECT trace FROM {_TRACES} WHERE lot = {{lot:UInt64}})
"""
_SEEN: Final = ("start", "took", "pending", "outcome")
_ABOVE: Final = ", ".join(f"{name} AS above_{name}" for name in ("id", "service", *_SEEN))
# A call counts as its caller saw it.
_PLACE: Final = f"""
SELECT id, trace, parent, start, took, pending, outcome, is_segment, is_call, node, called,
  if(above_id = id, 0, above_id) AS above,
  {_flag("is_segment OR above = 0 OR NOT (is_document OR above_service = service)")} AS is_top,
  {", ".join(f"if(above_calls, above_{name}, {name}) AS seen_{name}" for name in _SEEN)}
FROM {_PARTS} AS below
LEFT ANY JOIN (SELECT {_ABOVE}, is_call AS above_calls FROM {_PARTS}) AS higher
ON below.parent = higher.above_id
"""
_CLIMB: Final = (
    "SELECT step, if(reached = 0, top, reached) AS top FROM "
    "(SELECT step, top FROM {steps}) AS low LEFT ANY JOIN "
    "(SELECT step AS at, top AS reached FROM {steps}) AS high ON low.top = high.at"
)
_ON_THE_WAY: Final = "top IN (SELECT step FROM {steps})"


def counted_graph(connection: Connection, asked: Asked) -> Graph:
    """Return the graph of all traces that began in a time.

    Raises:
        AwsError: There are more than can be looked at in one call.
    """
    started = time.monotonic()
    parameters: dict[str, Parameter] = {
        "from_ns": asked.from_ns,
        "to_ns": asked.to_ns,
        "wide_from": max(0, asked.from_ns - HOUR_NS),
        "wide_to": min(asked.to_ns + DAY_NS, NS_MAX),
    }
    once = _ONCE if connection.rows(_TWICE, parameters) else ""
    graph = Graph()
    with _tables(connection):
        _make(connection, _TRACES, _CHOSEN, parameters | {"lot": SPANS_A_LOT})
        lots = connection.rows(
            f"SELECT lot, min(first), count() FROM {_TRACES} GROUP BY lot ORDER BY lot"
        )
        for lot, first, _ in lots:
            if time.monotonic() - started > ALL_S_MAX:
                message = (
                    f"{sum(traces for _, _, traces in lots)} traces lie in this time, which is "
                    "more than one call looks at; ask for a shorter time"
                )
                raise invalid(message)
            _add(connection, graph, parameters | {"lot": lot, "wide_from": first}, once)
    return graph


@contextmanager
def _tables(connection: Connection) -> Iterator[None]:
    """Take away the tables of this connection that were made meanwhile."""
    try:
        yield
    finally:
        for name in _TABLES:
            connection.run(f"DROP TEMPORARY TABLE IF EXISTS {name}")


def _make(
    connection: Connection, name: str, sql: str, parameters: dict[str, Parameter] | None = None
) -> None:
    connection.run(f"CREATE OR REPLACE TEMPORARY TABLE {name} ENGINE = Memory AS {sql}", parameters)


def _add(connection: Connection, graph: Graph, parameters: dict[str, Parameter], once: str) -> None:
    """Add a lot of traces to a graph; each is in one, by the time that it began."""
    _make(connection, _PARTS, f"{_READ} {once}", parameters)
    _make(connection, _PLACED, _PLACE)
    steps, has_rings = _climbed(connection)
    whole = ""
    if has_rings:
        rings = f"SELECT trace FROM {_PLACED} WHERE id IN (SELECT step FROM {steps} WHERE "
        rings += f"{_ON_THE_WAY.format(steps=steps)})"
        whole = f" AND trace NOT IN ({rings})"
        for trace in _ringed(connection, rings, parameters):
            graph.add(trace)
    _count(connection, graph, steps, whole)


def _climbed(connection: Connection) -> tuple[str, bool]:
    """Let every part climb to its segment.

    Returns:
        The table of where each has come, and whether some never arrive.
    """
    here, there = f"{_STEPS}_0", f"{_STEPS}_1"
    _make(connection, here, f"SELECT id AS step, above AS top FROM {_PLACED} WHERE NOT is_top")
    before, left = -1, _climbing(connection, here)
    while left not in (0, before):
        _make(connection, there, _CLIMB.format(steps=here))
        here, there = there, here
        before, left = left, _climbing(connection, here)
    return here, left > 0


def _climbing(connection: Connection, steps: str) -> int:
    rows = connection.rows(f"SELECT count() FROM {steps} WHERE {_ON_THE_WAY.format(steps=steps)}")
    return int(rows[0][0])


def _ringed(
    connection: Connection, rings: str, parameters: dict[str, Parameter]
) -> Iterator[Trace]:
    found = connection.rows(
        f"SELECT DISTINCT trace_id FROM spans WHERE {WIDE} AND cityHash64(trace_id) IN ({rings})",
        parameters,
    )
    ids = [row[0] for row in found]
    first, last = int(parameters["wide_from"]), int(parameters["wide_to"])
    for start in range(0, len(ids), ALL_CHUNK):
        yield from load(connection, ids[start : start + ALL_CHUNK], first, last, DRAWN).values()


def _tally_of(seen: str = "") -> str:
    """Return the columns of tallies, grouped so that a histogram loses no digit that it shows."""
    took = f"{seen}took"
    # exact where it lies between two classes: how that is rounded is not the engine's to say
    unit = f"toUInt64(intExp10(greatest(length(toString({took})), {DIGITS}) - {DIGITS}))"
    rest = f"{took} % {unit}"
    shown = (
        f"toUInt64({took} + multiIf(2 * ({rest}) < {unit}, -toInt64({rest}), "
        f"2 * ({rest}) > {unit}, toInt64({unit}) - toInt64({rest}), 0))"
    )
    return (
        f"{seen}pending AS running, {seen}outcome AS went, {shown} AS class, count(), "
        f"sum({took}), min({seen}start), max({seen}start + {took})"
    )


def _tally(row: list[Any]) -> Tally:
    running, went, took_ns, count, total_ns, start_ns, end_ns = row
    return Tally(
        pending=bool(running),
        outcome=_OUTCOMES[went],
        took_ns=took_ns,
        count=count,
        total_ns=total_ns,
        start_ns=start_ns,
        end_ns=end_ns,
    )


def _count(connection: Connection, graph: Graph, steps: str, whole: str) -> None:
    """Add what is counted to a graph."""
    nodes = {
        key: service_node(*told)
        for key, told in connection.rows(
            f"SELECT DISTINCT node, node_told FROM {_PARTS} "
            f"WHERE node IN (SELECT node FROM {_PLACED} WHERE is_top)"
        )
    }
    nodes |= {
        key: called_node(name, is_database=bool(is_database), rpc_system=rpc_system)
        for key, (name, is_database, rpc_system) in connection.rows(
            f"SELECT DISTINCT called, called_told FROM {_PARTS} WHERE called != 0"
        )
    }
    segments = f"FROM {_PLACED} WHERE is_top{whole}"
    for node, begins, *row in connection.rows(
        f"SELECT node, parent = 0 AS begins, {_tally_of()} {segments} GROUP BY ALL"
    ):
        graph.add_segments(nodes[node], _tally(row), begins=bool(begins))
    between = f"SELECT above AS caller_part, node AS callee, * {segments} AND above != 0"
    alone = (
        f"SELECT id AS caller_part, called AS callee, * FROM {_PLACED} "
        f"WHERE is_call AND NOT is_segment{whole} "
        f"AND id NOT IN (SELECT above FROM {_PLACED} WHERE is_top)"
    )
    for calls, seen in ((between, "seen_"), (alone, "")):
        for caller, callee, *row in connection.rows(
            f"SELECT caller, callee, {_tally_of(seen)} FROM "
            f"(SELECT *, if(at = 0, caller_part, reached) AS segment FROM ({calls}) AS made "
            f"LEFT ANY JOIN (SELECT step AS at, top AS reached FROM {steps}) AS climbed "
            "ON made.caller_part = climbed.at) AS call "
            f"LEFT ANY JOIN (SELECT id AS segment_id, node AS caller FROM {_PLACED} WHERE is_top) "
            "AS callers ON call.segment = callers.segment_id GROUP BY ALL"
        ):
            graph.add_calls(nodes[caller], nodes[callee], _tally(row))
