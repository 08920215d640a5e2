"""How long things took, over time: counts by time and by doubling of the duration.

    request -> scope -> [heat] -> store

Invariant: the cells add up to `matched`, and their errors to `errors`; a span counts once, however
often it was sent.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from collections.abc import Mapping
from typing import Any, Final

from clerestory.model.errors import QueryError
from clerestory.server.api.logs import Scope, number_of, step_ms
from clerestory.server.store.embedded import Connection, Parameter
from clerestory.server.traces.scope import RANGE, MembersOf, current, each_once, scope_of

BUCKETS_MAX: Final = 500
FINENESS_MAX: Final = 8
_ROOT: Final = "parent_span_id = ''"
_FAILED: Final = f"trace_id IN (SELECT trace_id FROM spans WHERE {RANGE} AND status = 'error')"


def heat_map(
    connection: Connection, params: Mapping[str, str], members_of: MembersOf | None = None
) -> dict[str, Any]:
    """Answer `/api/v1/traces/histogram`.

    Of traces (the default) the root spans are counted, with an error where any span of the trace
    has one; with `of=spans` every span that matches.
    """
    scope = scope_of(params, connection, members_of)
    of = params.get("of", "traces")
    if of not in ("traces", "spans"):
        raise QueryError(f"of must be traces or spans; got {of[:40]!r}", position=0)
    count = number_of(params, "buckets", 120, most=BUCKETS_MAX)
    fineness = number_of(params, "per_doubling", 1, most=FINENESS_MAX)
    from_ms, to_ms = scope.from_ns // 1_000_000, -(-scope.to_ns // 1_000_000)
    step = step_ms(from_ms, to_ms, count)
    parameters: dict[str, Parameter] = {
        **scope.parameters, "step": step * 1_000_000, "fineness": fineness,
    }  # fmt: skip
    with each_once(connection, scope, _ROOT if of == "traces" else "1") as once:
        where, failed = _where(connection, scope, params, once)
        cells = connection.rows(
            "SELECT intDiv(toUnixTimestamp64Nano(ts), {step:Int64}) AS slot, "
            "toUInt16(floor(log2(greatest(duration_ns, 1)) * {fineness:UInt8})) AS bucket, "
            f"count(), countIf({failed}) FROM spans WHERE {where} "
            "GROUP BY slot, bucket ORDER BY slot, bucket",
            parameters,
        )
        quantiles = connection.rows(
            "SELECT arrayMap(q -> toUInt64(if(isNaN(q), 0, q)), "
            f"quantilesTDigest(0.5, 0.95, 0.99)(duration_ns)) FROM spans WHERE {where}",
            scope.parameters,
        )[0][0]
    return {
        "from_ms": from_ms,
        "to_ms": to_ms,
        "step_ms": step,
        "per_doubling": fineness,
        "cells": [[slot * step, *rest] for slot, *rest in cells],
        "matched": sum(cell[2] for cell in cells),
        "errors": sum(cell[3] for cell in cells),
        "p50_ns": quantiles[0],
        "p95_ns": quantiles[1],
        "p99_ns": quantiles[2],
    }


def _where(
    connection: Connection, scope: Scope, params: Mapping[str, str], once: str
) -> tuple[str, str]:
    """Return SQL of the spans that are counted, and of those that failed."""
    if params.get("of") == "spans":
        return f"{scope.where} AND NOT pending AND {once}", "status = 'error'"
    roots = f"{RANGE} AND NOT pending AND {_ROOT} AND {once}"
    if scope.condition.sql != "1":
        live = current(connection, scope)
        roots += f" AND trace_id IN (SELECT trace_id FROM spans WHERE {scope.where} AND {live})"
    return roots, _FAILED
