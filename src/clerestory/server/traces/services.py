"""Who calls whom: services and the calls between them.

    request -> scope -> [services] -> store

A call between services is a span whose parent is of another service. A client span that has no
such child calls what its attributes name (`peer`, see store/spans): a database, a queue, a host.

Invariant: a call is counted once: by the called service if it told of it, else by the caller,
however often it was sent.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import time
from collections.abc import Mapping
from typing import Any, Final

from clerestory.server.api.logs import Scope
from clerestory.server.store.embedded import Connection, Parameter
from clerestory.server.traces.scope import RANGE, MembersOf, each_once, scope_of

EDGES_MAX: Final = 2000
PARENT_BEFORE_NS: Final = 3600 * 10**9  # how long a caller may have waited before it called
CLOCKS_NS: Final = 60 * 10**9  # how far clocks of two machines may be apart

_FIGURES: Final = (
    "count() AS calls, countIf(failed), "
    "arrayMap(q -> toUInt64(if(isNaN(q), 0, q)), quantilesTDigest(0.5, 0.95)(took))"
)
_PARENTS: Final = (
    "ts >= fromUnixTimestamp64Nano({parents_from:Int64}, 'UTC') "
    "AND ts < fromUnixTimestamp64Nano({parents_to:Int64}, 'UTC')"
)
# the join is spread over the threads; what was asked for is one pass over each side
_SETTINGS: Final = " SETTINGS join_algorithm = 'parallel_hash'"


def service_map(
    connection: Connection, params: Mapping[str, str], members_of: MembersOf | None = None
) -> dict[str, Any]:
    """Answer `/api/v1/services/map`."""
    started = time.monotonic()
    scope = scope_of(params, connection, members_of)
    parameters: dict[str, Parameter] = {
        **scope.parameters,
        "parents_from": max(0, scope.from_ns - PARENT_BEFORE_NS),
        "parents_to": scope.to_ns + CLOCKS_NS,
    }
    with each_once(connection, scope) as once:
        finished = f"{RANGE} AND NOT pending{_of_matching(scope)}"
        counted = f"{finished} AND {once}"
        edges = _calls(connection, counted, parameters)
        edges += _peers(connection, finished, counted, parameters)
        services = _services(connection, counted, parameters)
    edges.sort(key=lambda edge: (-edge["calls"], edge["caller"], edge["callee"]))
    return {
        "from_ms": scope.from_ns // 1_000_000,
        "to_ms": -(-scope.to_ns // 1_000_000),
        "services": services,
        "edges": edges[:EDGES_MAX],
        "limited": len(edges) > EDGES_MAX,
        "elapsed_ms": round((time.monotonic() - started) * 1000, 2),
    }


def _of_matching(scope: Scope) -> str:
    if scope.condition.sql == "1":
        return ""
    return f" AND trace_id IN (SELECT trace_id FROM spans WHERE {scope.where})"


def _calls(
    connection: Connection, counted: str, parameters: dict[str, Parameter]
) -> list[dict[str, Any]]:
    rows = connection.rows(
        f"SELECT caller, callee, 'service', {_FIGURES} FROM "
        "(SELECT caller_hash, service AS callee, duration_ns AS took, status = 'error' AS failed "
        f"FROM spans WHERE {counted} AND caller_hash != 0) AS child SEMI LEFT JOIN "
        f"(SELECT id_hash, service AS caller FROM spans WHERE {_PARENTS}) AS parent "
        "ON child.caller_hash = parent.id_hash WHERE caller != callee "
        f"GROUP BY caller, callee ORDER BY calls DESC LIMIT {EDGES_MAX + 1}{_SETTINGS}",
        parameters,
    )
    return [_edge(row) for row in rows]


def _peers(
    connection: Connection, finished: str, counted: str, parameters: dict[str, Parameter]
) -> list[dict[str, Any]]:
    # a child of the same service, as a retry below a call, does not tell what was called
    rows = connection.rows(
        f"SELECT service AS caller, peer AS callee, peer_kind, {_FIGURES} FROM ("
        "SELECT service, peer, peer_kind, duration_ns AS took, status = 'error' AS failed "
        f"FROM spans WHERE {counted} AND peer_kind != '' AND id_hash NOT IN ("
        "SELECT child.caller_hash FROM "
        f"(SELECT caller_hash, service FROM spans WHERE {finished} AND caller_hash != 0) AS child "
        "SEMI LEFT JOIN "
        f"(SELECT id_hash, service FROM spans WHERE {finished} AND peer_kind != '') AS parent "
        "ON child.caller_hash = parent.id_hash WHERE child.service != parent.service)) "
        f"GROUP BY caller, callee, peer_kind ORDER BY calls DESC LIMIT {EDGES_MAX + 1}{_SETTINGS}",
        parameters,
    )
    return [_edge(row) for row in rows]


def _edge(row: list[Any]) -> dict[str, Any]:
    caller, callee, kind, calls, errors, (p50, p95) = row
    return {
        "caller": caller,
        "callee": callee,
        "kind": kind,
        "calls": calls,
        "errors": errors,
        "p50_ns": p50,
        "p95_ns": p95,
    }


def _services(
    connection: Connection, counted: str, parameters: dict[str, Parameter]
) -> list[dict[str, Any]]:
    """Return what each service was asked: its entry spans, and how many spans it made."""
    entry = "(kind IN ('server', 'consumer') OR parent_span_id = '')"
    rows = connection.rows(
        f"SELECT service, count() AS spans, countIf({entry}), "
        f"countIf({entry} AND status = 'error'), arrayMap(q -> toUInt64(if(isNaN(q), 0, q)), "
        f"quantilesTDigestIf(0.5, 0.95)(duration_ns, {entry})) "
        f"FROM spans WHERE {counted} GROUP BY service ORDER BY spans DESC LIMIT {EDGES_MAX}",
        parameters,
    )
    return [
        {
            "name": service,
            "spans": spans,
            "requests": requests,
            "errors": errors,
            "p50_ns": p50,
            "p95_ns": p95,
        }
        for service, spans, requests, errors, (p50, p95) in rows
    ]
