"""Which traces have a span that matches, the newest, the failed or the slowest first.

    request -> scope -> [search] -> store

Invariant: a trace stands on one page only, at its newest (or slowest) matching span.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clerestory.model.errors import QueryError
from clerestory.server.api.logs import Scope, number_of
from clerestory.server.store.embedded import Connection, Parameter
from clerestory.server.traces.scope import RANGE, MembersOf, current, scope_of

LIMIT_MAX: Final = 500
FEW: Final = 20
AROUND_NS: Final = 86_400 * 10**9
_CURSOR: Final = re.compile(r"([01]):([0-9]{1,19}):(.+)", re.ASCII | re.DOTALL)
_KEYS: Final = {"newest": "toUnixTimestamp64Nano(ts)", "slowest": "toInt64(duration_ns)"}
_ORDER: Final = {"newest": "ts", "slowest": "duration_ns"}
_FAILED: Final = f"(SELECT trace_id FROM spans WHERE {RANGE} AND status = 'error')"


@dataclass(frozen=True, slots=True)
class _Found:
    trace_id: str
    key: int
    ns: int
    failed_first: bool


def search(
    connection: Connection, params: Mapping[str, str], members_of: MembersOf | None = None
) -> dict[str, Any]:
    """Answer `/api/v1/traces`."""
    started = time.monotonic()
    scope = scope_of(params, connection, members_of)
    limit = number_of(params, "limit", 50, most=LIMIT_MAX)
    sort = params.get("sort", "newest")
    if sort not in ("newest", "errors", "slowest"):
        message = f"sort must be newest, errors or slowest; got {sort[:40]!r}"
        raise QueryError(message, position=0)
    found = _found(connection, scope, sort, params.get("cursor", ""), limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return {
        "traces": _summaries(connection, found[:limit]),
        "next": last and f"{int(last.failed_first)}:{last.key}:{last.trace_id}",
        "elapsed_ms": round((time.monotonic() - started) * 1000, 2),
    }


def _found(
    connection: Connection, scope: Scope, sort: str, cursor: str, limit: int
) -> list[_Found]:
    failed, key, after = _split(cursor) if cursor else (True, 0, "")
    matching = f"{scope.where} AND trace_id != '' AND {current(connection, scope)}"
    if sort != "errors":
        return _page(connection, scope, matching, sort, (key, after), limit)
    found: list[_Found] = []
    if failed:
        where = f"{matching} AND trace_id IN {_FAILED}"
        found = _page(connection, scope, where, "newest", (key, after), limit, failed=True)
        key, after = 0, ""
    if len(found) < limit:
        where = f"{matching} AND trace_id NOT IN {_FAILED}"
        found += _page(connection, scope, where, "newest", (key, after), limit - len(found))
    return found


def _page(
    connection: Connection,
    scope: Scope,
    where: str,
    sort: str,
    after: tuple[int, str],
    limit: int,
    *,
    failed: bool = False,
) -> list[_Found]:
    parameters: dict[str, Parameter] = scope.parameters
    key, order = _KEYS[sort], _ORDER[sort]
    if after[1]:
        parameters |= {"c_key": after[0], "c_id": after[1]}
        place = "({c_key:Int64}, {c_id:String})"
        shown = f"SELECT trace_id FROM spans WHERE {where} AND ({key}, trace_id) >= {place}"
        where = f"{where} AND ({key}, trace_id) < {place} AND trace_id NOT IN ({shown})"
    listed = (
        f"SELECT trace_id, toString({key}), toString(toUnixTimestamp64Nano(ts)) FROM spans "
        f"WHERE {where} ORDER BY {order} DESC, trace_id DESC"
    )
    once = f"{listed} LIMIT 1 BY trace_id LIMIT {limit}"
    if sort == "newest" and scope.condition.sql == "1":
        # one thread stops at the limit; several read a million spans on, 40 ms instead of 5
        return _as_found(connection.rows(f"{once} SETTINGS max_threads = 1", parameters), failed)
    # this many are enough unless traces are long, and are found without sorting all
    some = connection.rows(f"{listed} LIMIT {limit * FEW}", parameters)
    first: dict[str, list[Any]] = {}
    for row in some:
        first.setdefault(row[0], row)
    if len(first) >= limit or len(some) < limit * FEW:
        return _as_found(list(first.values())[:limit], failed)
    return _as_found(connection.rows(once, parameters), failed)


def _as_found(rows: list[list[Any]], failed: bool) -> list[_Found]:
    return [_Found(trace, int(key), int(ns), failed) for trace, key, ns in rows]


def _split(cursor: str) -> tuple[bool, int, str]:
    found = _CURSOR.fullmatch(cursor)
    if found and int(found[2]) < 2**63:
        return found[1] == "1", int(found[2]), found[3]
    raise QueryError("this cursor is not one of ours", position=0, hint="start without a cursor")


def _summaries(connection: Connection, found: list[_Found]) -> list[dict[str, Any]]:
    if not found:
        return []
    parameters: dict[str, Parameter] = {
        "from_ns": max(0, min(one.ns for one in found) - AROUND_NS),
        "to_ns": max(one.ns for one in found) + AROUND_NS,
    }
    parameters |= {f"t{number}": one.trace_id for number, one in enumerate(found)}
    ids = ", ".join(f"{{t{number}:String}}" for number in range(len(found)))
    rows = connection.rows(
        "SELECT trace_id, argMin((name, service, kind, status, parent_span_id = ''), "
        "(parent_span_id != '', ts)), toString(toUnixTimestamp64Nano(min(ts))), "
        "max(toUnixTimestamp64Nano(ts) + toInt64(duration_ns)) - toUnixTimestamp64Nano(min(ts)), "
        "count(), countIf(status = 'error'), countIf(pending), "
        "sumMap([toString(service)], [toUInt64(1)], [toUInt64(status = 'error')]) "
        f"FROM (SELECT * FROM spans WHERE {RANGE} AND trace_id IN ({ids}) "
        "ORDER BY pending, ingested DESC, seq DESC LIMIT 1 BY trace_id, span_id) GROUP BY trace_id",
        parameters,
    )
    by_id = {row[0]: row for row in rows}
    return [_summary(by_id[one.trace_id]) for one in found if one.trace_id in by_id]


def _summary(row: list[Any]) -> dict[str, Any]:
    trace_id, (name, service, kind, status, rooted), ns, duration, spans, errors, pending = row[:7]
    services = zip(*row[7], strict=True)
    return {
        "trace_id": trace_id,
        "name": name,
        "service": service,
        "kind": kind,
        "status": status,
        "rooted": bool(rooted),
        "ts": ns,
        "duration_ns": duration,
        "spans": spans,
        "errors": errors,
        "pending": pending,
        "services": [
            {"name": one, "spans": count, "errors": failed} for one, count, failed in services
        ],
    }
