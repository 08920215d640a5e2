"""What a question about spans is about: a range of time and a search.

    request -> query -> [scope] -> search, heat, services -> store

The search language is that of logs, and `group` names a group of X-Ray. On spans `name`, `kind`,
`status`, `parent`, `peer`, `duration`, `root`, `pending` and `error` are the span's own; `message`
is its name.

Invariant: a pending span counts only while its finished one is not stored, and a span that came
twice, as an exporter that got no answer sends it, counts once.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from clerestory.model.errors import QueryError
from clerestory.server.api.logs import Scope
from clerestory.server.api.times import range_of
from clerestory.server.query.parser import parse
from clerestory.server.query.sql import Condition, any_of, compared_number, condition_of, keyword
from clerestory.server.query.tree import Term, Value
from clerestory.server.store.embedded import Connection, Parameter

RANGE: Final = (
    "ts >= fromUnixTimestamp64Nano({from_ns:Int64}, 'UTC') "
    "AND ts < fromUnixTimestamp64Nano({to_ns:Int64}, 'UTC')"
)
# Returns the ids of a group's traces: group, first and last nanosecond.
MembersOf = Callable[[Connection, str, int, int], list[str]]
_COLUMNS: Final = {"name": "name", "peer": "peer"}
_LOWER_COLUMNS: Final = {
    "kind": "kind",
    "status": "status",
    "parent": "parent_span_id",
    "parent_span_id": "parent_span_id",
}
_NS_OF: Final = {
    "duration": 10**9,
    "duration_s": 10**9,
    "duration_ms": 10**6,
    "duration_us": 10**3,
    "duration_ns": 1,
}
_FLAGS: Final = {"root": "parent_span_id = ''", "pending": "pending", "error": "status = 'error'"}
_ORDERS: Final = frozenset({">", ">=", "<", "<="})
_TWICE, _AGAIN = "spans_twice", "spans_again"
_PLACE: Final = "cityHash64(id_hash, seq, spool)"  # of a row; of all its columns it takes longer
_COPIES_MAX: Final = 2**32
LOOKED_AT_MAX: Final = 10_000_000


def scope_of(
    params: Mapping[str, str],
    connection: Connection | None = None,
    members_of: MembersOf | None = None,
) -> Scope:
    """Return the range and the search of a request.

    Args:
        params: Of the request.
        connection: To the store, for `members_of`.
        members_of: Finds the traces of a group.

    Raises:
        QueryError: The search or a time is malformed.
        LimitError: There is no such group (`not_found`, 404).
    """
    condition = condition_of(parse(params.get("q", "")), _own)
    first, last = range_of(params.get("from", ""), params.get("to", ""), now_ns=time.time_ns())
    group = params.get("group", "")
    if group and connection is not None and members_of is not None:
        ids = members_of(connection, group, first, last)
        # in hexadecimal, so that no id can end the list
        listed = ",".join(f"'{one.encode().hex()}'" for one in ids)
        condition.parameters["members"] = f"[{listed}]"
        condition.sql = (
            f"({condition.sql}) AND "
            "trace_id IN (SELECT unhex(arrayJoin({members:Array(String)})))"
        )
    return Scope(first, last, condition)


def _own(term: Term, made: Condition) -> str | None:
    name = term.field.lower()
    if name in _NS_OF:
        return _duration(term, _NS_OF[name], made)
    if name not in _FLAGS and name not in _COLUMNS and name not in _LOWER_COLUMNS:
        return None
    if term.op in _ORDERS:
        message = f"`{term.field}` has no order"
        raise QueryError(message, position=term.position, length=len(term.field))
    if name in _FLAGS:
        return any_of(term, [_flag(_FLAGS[name], value) for value in term.values])
    lower = name in _LOWER_COLUMNS
    column = _LOWER_COLUMNS[name] if lower else _COLUMNS[name]
    return any_of(term, [keyword(column, value, made, lower=lower) for value in term.values])


def _flag(sql: str, value: Value) -> str:
    if value.text.lower() in ("true", "false"):
        return sql if value.text.lower() == "true" else f"NOT ({sql})"
    message = f"`{value.text[:40]}` is neither true nor false"
    raise QueryError(message, position=value.position, length=max(1, len(value.text)))


def _duration(term: Term, unit_ns: int, made: Condition) -> str:
    if term.op not in _ORDERS:
        message = f"`{term.field}` is compared with > >= < or <="
        raise QueryError(message, position=term.position, length=len(term.field))
    for value in term.values:
        if term.field.lower() == "duration" and not value.text[-1:].isalpha():
            raise QueryError(
                "a duration needs its unit",
                position=value.position,
                length=max(1, len(value.text)),
                hint=f"as in duration{term.op}100ms or duration{term.op}1.5s",
            )
    bounds = [compared_number(term, value) * unit_ns for value in term.values]
    return any_of(term, [f"duration_ns {term.op} {made.number(bound)}" for bound in bounds])


def current(connection: Connection, scope: Scope) -> str:
    """Return SQL that leaves out pending spans whose finished ones are stored."""
    bounds = {"from_ns": scope.from_ns, "to_ns": scope.to_ns}
    if not connection.rows(f"SELECT 1 FROM spans WHERE {RANGE} AND pending LIMIT 1", bounds):
        return "1"
    finished = (
        f"SELECT id_hash FROM spans WHERE {RANGE} AND NOT pending AND id_hash IN "
        f"(SELECT id_hash FROM spans WHERE {RANGE} AND pending)"
    )
    return f"(NOT pending OR id_hash NOT IN ({finished}))"


@contextmanager
def each_once(connection: Connection, scope: Scope, which: str = "1") -> Iterator[str]:
    """Give SQL, for queries on this connection, that leaves out what was told before.

    To look for it takes 30 ms a million spans, and memory: in a time with more than
    `LOOKED_AT_MAX` it is not done. Where something is there, each query that leaves it out takes
    15 ms a million more.

    Args:
        connection: To the store.
        scope: Which time.
        which: SQL of the spans that are counted; they have to be finished.
    """
    told = f"{RANGE} AND NOT pending AND {which}"
    bounds: dict[str, Parameter] = {"from_ns": scope.from_ns, "to_ns": scope.to_ns}
    ((spans,),) = connection.rows(f"SELECT count() FROM spans WHERE {RANGE}", bounds)
    if spans > LOOKED_AT_MAX:
        yield "1"
        return
    make = "CREATE OR REPLACE TEMPORARY TABLE {} ENGINE = Memory AS SELECT"
    try:
        connection.run(
            f"{make.format(_TWICE)} id_hash FROM spans WHERE {told} GROUP BY id_hash "
            "HAVING count() > 1",
            bounds,
        )
        if not connection.rows(f"SELECT 1 FROM {_TWICE} LIMIT 1"):
            yield "1"
            return
        connection.run(
            f"{make.format(_AGAIN)} {_PLACE} AS place FROM spans WHERE {told} AND id_hash IN "
            f"{_TWICE} ORDER BY ingested, seq, spool LIMIT 1, {_COPIES_MAX} BY id_hash",
            bounds,
        )
        yield f"{_PLACE} NOT IN (SELECT place FROM {_AGAIN})"
    finally:
        for name in (_TWICE, _AGAIN):
            connection.run(f"DROP TEMPORARY TABLE IF EXISTS {name}")
