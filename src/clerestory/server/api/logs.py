"""Questions about records: list, one with its neighbours, histogram, facets, suggestions.

    request -> search text -> condition -> store -> [logs] -> page

Invariant: every query is bounded in time range, rows, seconds and memory.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from clerestory.model.errors import LimitError, QueryError
from clerestory.server.api.rows import ORDER_SQL, ROW_SQL, cursor_of, display, row_of, typed_map
from clerestory.server.api.times import range_of
from clerestory.server.query.parser import parse
from clerestory.server.query.sql import Condition, condition_of
from clerestory.server.store.embedded import Connection, Parameter

LIMIT_MAX: Final = 1000
BUCKETS_MAX: Final = 2000
FACET_VALUES: Final = 10
FACET_FIELDS_MAX: Final = 20
SUGGESTIONS: Final = 20
SAMPLE_ROWS: Final = 20_000
# counting four attributes of this many records takes 200 ms; counts are exact or not shown
FACET_ROWS_MAX: Final = 400_000
FACET_ATTRIBUTES: Final = 4
# Where a program said something, not what: asked for by name, never offered.
ORIGIN_FIELDS: Final = (
    "module",
    "funcName",
    "lineno",
    "log.record.template",
    "code.file.path",
    "code.function.name",
    "code.line.number",
)
_ORIGIN_SQL: Final = ", ".join(f"'{name}'" for name in ORIGIN_FIELDS)
NEIGHBOUR_NS: Final = 3_600_000_000_000
CLASSES: Final = ("fatal", "error", "warn", "info", "debug")

_STEPS_MS: Final = tuple(
    [1, 2, 5, 10, 20, 50, 100, 200, 500]
    + [1000 * s for s in (1, 2, 5, 10, 15, 30)]
    + [60_000 * m for m in (1, 2, 5, 10, 15, 30)]
    + [3_600_000 * h for h in (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672)]
)
_RANGE: Final = (
    "ts >= fromUnixTimestamp64Nano({from_ns:Int64}, 'UTC') "
    "AND ts < fromUnixTimestamp64Nano({to_ns:Int64}, 'UTC')"
)
_COLUMNS: Final = ("level", "service", "logger", "message", "trace_id", "span_id")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a question is about: a range of time and a search."""

    from_ns: int
    to_ns: int
    condition: Condition

    @property
    def where(self) -> str:
        """SQL of the range and the search."""
        return f"{_RANGE} AND ({self.condition.sql})"

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters that `where` names."""
        return {"from_ns": self.from_ns, "to_ns": self.to_ns, **self.condition.parameters}


def scope_of(params: Mapping[str, str]) -> Scope:
    """Return the range and the search of a request.

    Raises:
        QueryError: The search or a time is malformed.
    """
    condition = condition_of(parse(params.get("q", "")))
    first, last = range_of(params.get("from", ""), params.get("to", ""), now_ns=time.time_ns())
    return Scope(first, last, condition)


def number_of(params: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    """Return a whole number of a request, at least 1 and at most `most`.

    Raises:
        QueryError: It is no number.
    """
    text = params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise QueryError(f"{name} must be a number; got {text[:40]!r}", position=0)
    return min(max(1, int(text)), most)


def list_rows(connection: Connection, params: Mapping[str, str]) -> dict[str, Any]:
    """Answer `/api/v1/logs`."""
    started = time.monotonic()
    scope = scope_of(params)
    limit = number_of(params, "limit", 200, most=LIMIT_MAX)
    descending = params.get("order", "desc") != "asc"
    direction, after = ("DESC", "<") if descending else ("ASC", ">")
    where, parameters = scope.where, scope.parameters
    if params.get("cursor"):
        ns, spool, seq = split_cursor(params["cursor"])
        parameters |= {"c_ns": ns, "c_spool": spool, "c_seq": seq}
        at = "fromUnixTimestamp64Nano({c_ns:Int64}, 'UTC')"
        where += (
            f" AND ts {after}= {at} AND (ts {after} {at} OR "
            f"(spool, seq) {after} ({{c_spool:String}}, {{c_seq:UInt64}}))"
        )
    order = ", ".join(f"{name} {direction}" for name in ORDER_SQL.split(", "))
    # one statement: the engine itself fetches the wide columns only for the rows that remain
    found = connection.rows(
        f"SELECT {ROW_SQL} FROM logs WHERE {where} ORDER BY {order} LIMIT {limit + 1}", parameters
    )
    following = cursor_of(found[limit - 1]) if len(found) > limit else None
    return {
        "rows": [row_of(row) for row in found[:limit]],
        "next": following,
        "elapsed_ms": round((time.monotonic() - started) * 1000, 2),
    }


def split_cursor(cursor: str) -> tuple[int, str, int]:
    """Return the time, spool and number that a cursor names.

    Raises:
        QueryError: It is none of ours.
    """
    parts = cursor.split(":")
    if len(parts) == 3 and _is_number(parts[0]) and _is_number(parts[2]):
        return int(parts[0]), parts[1], int(parts[2])
    raise QueryError("this cursor is not one of ours", position=0, hint="start without a cursor")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63


def one_row(connection: Connection, row_id: str, params: Mapping[str, str]) -> dict[str, Any]:
    """Answer `/api/v1/logs/{id}`: a record, its resource and the records around it.

    Raises:
        LimitError: There is no such record (`not_found`, 404).
    """
    context = number_of(params, "context", 3, most=50)
    spool, _, seq = row_id.rpartition(":")
    if not _is_number(seq):
        raise LimitError(f"no record has the id {row_id[:100]!r}", code="not_found", status=404)
    key: dict[str, Parameter] = {"spool": spool, "seq": int(seq)}
    found = connection.rows(
        f"SELECT {ROW_SQL}, resource FROM logs "
        "WHERE spool = {spool:String} AND seq = {seq:UInt64} LIMIT 1",
        key,
    )
    if not found:
        raise LimitError(f"no record has the id {row_id[:100]!r}", code="not_found", status=404)
    record = row_of(found[0]) | {"resource": typed_map(found[0][10])}
    at = int(found[0][0])
    key |= {"from_ns": max(0, at - NEIGHBOUR_NS), "to_ns": at + NEIGHBOUR_NS}

    def beside(sign: str, direction: str) -> list[dict[str, Any]]:
        rows = connection.rows(
            f"SELECT {ROW_SQL} FROM logs WHERE {_RANGE} AND spool = {{spool:String}} "
            f"AND seq {sign} {{seq:UInt64}} ORDER BY seq {direction} LIMIT {context}",
            key,
        )
        return [row_of(row) for row in rows]

    return {"record": record, "before": beside("<", "DESC")[::-1], "after": beside(">", "ASC")}


def step_ms(from_ms: int, to_ms: int, buckets: int) -> int:
    """Return the shortest round step that makes at most `buckets` of a range.

    >>> step_ms(0, 900_000, 120)
    10000
    """
    wanted = (to_ms - from_ms) / max(1, buckets - 1)
    for step in _STEPS_MS:
        if step >= wanted:
            return step
    longest = _STEPS_MS[-1]
    return longest * int(wanted / longest + 1)


def histogram(connection: Connection, params: Mapping[str, str]) -> dict[str, Any]:
    """Answer `/api/v1/histogram`."""
    scope = scope_of(params)
    count = number_of(params, "buckets", 120, most=BUCKETS_MAX)
    from_ms, to_ms = scope.from_ns // 1_000_000, -(-scope.to_ns // 1_000_000)
    step = step_ms(from_ms, to_ms, count)
    found = connection.rows(
        "SELECT intDiv(toUnixTimestamp64Nano(ts), {step:Int64}) AS slot, "
        "countIf(severity >= 45), countIf(severity >= 40 AND severity < 45), "
        "countIf(severity >= 30 AND severity < 40), countIf(severity >= 20 AND severity < 30), "
        f"countIf(severity < 20) FROM logs WHERE {scope.where} GROUP BY slot",
        scope.parameters | {"step": step * 1_000_000},
    )
    counted = {int(slot): counts for slot, *counts in found}
    matched = sum(sum(counts) for counts in counted.values())
    total = matched
    if params.get("q", "").strip():
        bounds: dict[str, Parameter] = {"from_ns": scope.from_ns, "to_ns": scope.to_ns}
        total = connection.rows(f"SELECT count() FROM logs WHERE {_RANGE}", bounds)[0][0]
    oldest = connection.rows("SELECT count(), toUnixTimestamp64Milli(min(ts)) FROM logs")[0]
    slots = range(from_ms // step, max(from_ms // step, (to_ms - 1) // step) + 1)
    return {
        "from_ms": from_ms,
        "to_ms": to_ms,
        "step_ms": step,
        "classes": CLASSES,
        "buckets": [[slot * step, *counted.get(slot, (0, 0, 0, 0, 0))] for slot in slots],
        "matched": matched,
        "total": total,
        "oldest_ms": oldest[1] if oldest[0] else None,
    }


def facets(connection: Connection, params: Mapping[str, str]) -> dict[str, Any]:
    """Answer `/api/v1/facets`."""
    scope = scope_of(params)
    asked = [name for name in params.get("fields", "").split(",") if name][:FACET_FIELDS_MAX]
    if asked:
        return {"facets": [_facet(connection, scope, name) for name in asked]}
    shown = [_facet(connection, scope, name) for name in ("level", "service", "logger")]
    matched = connection.rows(f"SELECT count() FROM logs WHERE {scope.where}", scope.parameters)
    if matched[0][0] <= FACET_ROWS_MAX:
        shown += _attribute_facets(connection, scope)
    return {"facets": shown}


def _attribute_facets(connection: Connection, scope: Scope) -> list[dict[str, Any]]:
    """Return the facets of the attributes that are worth it, counted in one pass."""
    names = _usual_fields(connection, scope)
    if not names:
        return []
    parameters = {f"f{number}": name for number, name in enumerate(names)}
    keys = ", ".join(f"{{{parameter}:String}}" for parameter in parameters)
    found = connection.rows(
        "SELECT name, held, used, count() OVER (PARTITION BY name) FROM ("
        f"SELECT arrayJoin([{keys}]) AS name, attrs[name] AS held, count() AS used, "
        f"mapContains(attrs, name) AS present FROM logs WHERE {scope.where} "
        "GROUP BY name, held, present HAVING present) "
        f"ORDER BY used DESC, held LIMIT {FACET_VALUES} BY name",
        scope.parameters | parameters,
    )
    facets: dict[str, dict[str, Any]] = {
        name: {"field": name, "distinct": 0, "values": []} for name in names
    }
    for name, held, used, distinct in found:
        facets[name]["distinct"] = distinct
        facets[name]["values"].append({"value": display(held), "count": used})
    return list(facets.values())


def _usual_fields(connection: Connection, scope: Scope) -> list[str]:
    """Return the attributes of recent records that are worth counting, few values first."""
    found = connection.rows(
        "SELECT pair.1 AS name, count() AS used, uniq(pair.2) AS distinct FROM ("
        f"SELECT arrayJoin(attrs) AS pair FROM (SELECT attrs FROM logs WHERE {scope.where} "
        f"ORDER BY ts DESC LIMIT {SAMPLE_ROWS})) GROUP BY name "
        f"HAVING distinct <= 100 AND name NOT IN ({_ORIGIN_SQL}) "
        f"ORDER BY distinct = 1, distinct > 50, used DESC, name LIMIT {FACET_ATTRIBUTES}",
        scope.parameters,
    )
    return [str(name) for name, *_ in found]


def _field_sql(name: str) -> tuple[str, str, dict[str, Parameter]]:
    """Return SQL of a field's text, SQL of its presence, and their parameters."""
    column = {"trace": "trace_id", "span": "span_id"}.get(name, name)
    if column in _COLUMNS:
        return column, "1" if name == "level" else f"{column} != ''", {}
    return "attrs[{field:String}]", "mapContains(attrs, {field:String})", {"field": name}


def _facet(connection: Connection, scope: Scope, name: str) -> dict[str, Any]:
    held, present, parameters = _field_sql(name)
    found = connection.rows(
        f"SELECT held, used, count() OVER () FROM (SELECT {held} AS held, count() AS used "
        f"FROM logs WHERE {scope.where} AND {present} GROUP BY held) "
        f"ORDER BY used DESC, held LIMIT {FACET_VALUES}",
        scope.parameters | parameters,
    )
    values = [{"value": display(held), "count": used} for held, used, _ in found]
    return {"field": name, "distinct": found[0][2] if found else 0, "values": values}


def fields(connection: Connection, params: Mapping[str, str]) -> dict[str, Any]:
    """Answer `/api/v1/fields`."""
    return {"fields": _field_counts(connection, scope_of(params), prefix="", most=500)}


def _field_counts(
    connection: Connection, scope: Scope, *, prefix: str, most: int
) -> list[dict[str, Any]]:
    found = connection.rows(
        "SELECT arrayJoin(mapKeys(attrs)) AS name, count() AS used FROM logs "
        f"WHERE {scope.where} GROUP BY name HAVING startsWith(lower(name), {{prefix:String}}) "
        f"ORDER BY used DESC, name LIMIT {most}",
        scope.parameters | {"prefix": prefix.lower()},
    )
    return [{"name": name, "count": used} for name, used in found]


def suggest(connection: Connection, params: Mapping[str, str]) -> list[dict[str, Any]]:
    """Answer `/api/v1/suggest`: values of a field, or names of fields, with counts."""
    scope = scope_of(params)
    prefix = params.get("prefix", "")
    name = params.get("field", "")
    if not name or name == "has":
        counted = _field_counts(connection, scope, prefix=prefix, most=SUGGESTIONS)
        own = ("level", "service", "logger", "message", "trace", "span")
        first = [{"value": word, "count": 0} for word in own if word.startswith(prefix.lower())]
        rest = [{"value": one["name"], "count": one["count"]} for one in counted]
        return [*first, *rest][:SUGGESTIONS]
    held, present, parameters = _field_sql(name)
    found = connection.rows(
        f"SELECT {held} AS held, count() AS used FROM logs WHERE {scope.where} AND {present} "
        "GROUP BY held HAVING startsWith(lower(if(ascii(held) = 34, substring(held, 2), held)), "
        f"{{prefix:String}}) ORDER BY used DESC, held LIMIT {SUGGESTIONS}",
        scope.parameters | parameters | {"prefix": prefix.lower()},
    )
    return [{"value": display(held), "count": used} for held, used in found]
