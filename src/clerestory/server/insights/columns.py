"""What a query's fields are in the store, and which records a query is about.

    store -> [columns] -> builder -> program -> run

A record is one of two things.

*Ours*: a line of `/v1/records` or an OTLP record. `message`, `level`, `logger`, `service`,
`trace_id` and `span_id` are columns, every other member is in `attrs`; `@message` is the record as
one JSON line again, and a name with a dot may also be one of `resource`, such as `host.name`.

*Sent*: an event of PutLogEvents. `log_group` and `log_stream` say where it was put (a group is
what marks it), `raw` is its text as it came, `ingested` when, and `attrs` holds the members of a
JSON text under their names. The members that are called like our columns are read from the text
itself. A member that begins with `@` is found with a second `@` before it. Fields of Lambda, VPC
and Route 53 lines are read from the text as well (see discovery).

A list or a map stays JSON in `attrs`; `a.b[0]` is read from it, or from an attribute that is
called `a.b[0]`.

Invariant: no other file of this room but discovery names a column of the store.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from clerestory.server.insights import discovery
from clerestory.server.insights.language.tree import Place
from clerestory.server.insights.values import Binder, Sql, part_of, stored_of_raw

TABLE: Final = "logs"

SEVERITY: Final = "severity"
ORDER: Final = ("ts", "spool", "seq")
POINTER: Final = "concat(toString(toUnixTimestamp64Nano({0})), ':', {1}, ':', toString({2}))"

_SENT: Final = "log_group != ''"
_OWN: Final = ("level", "logger", "message", "service", "trace_id", "span_id")
_OPTIONAL: Final = ("logger", "service", "trace_id", "span_id")


def _json(stored: str) -> str:
    """Return SQL for the JSON of a stored value (see server/store/decode)."""
    return (
        f"multiIf(ascii({stored}) = 34, toJSONString(substring({stored}, 2, length({stored}) - 2)),"
        f" ascii({stored}) IN (45,48,49,50,51,52,53,54,55,56,57,91,123) "
        f"OR {stored} IN ('true', 'false', 'null'), {stored}, toJSONString({stored}))"
    )


def _member(name: str) -> str:
    return f"if({name} = '', '', concat(',\"{name}\":', toJSONString(toString({name}))))"


_LINE: Final = (
    'concat(\'{"timestamp":"\', '
    "replaceOne(toString(toDateTime64(ts, 6, 'UTC')), ' ', 'T'), "
    '\'Z","level":\', toJSONString(toString(level)), '
    f"{_member('logger')}, ',\"message\":', toJSONString(message), "
    f"{_member('trace_id')}, {_member('span_id')}, "
    "arrayStringConcat(arrayMap((k, v) -> concat(',', toJSONString(toString(k)), ':', "
    f"{_json('v')}), mapKeys(attrs), mapValues(attrs))), '}}')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The log groups of a query, as a condition on the store.

    Attributes:
        condition: SQL that is true for their records; it may name `parameters`.
        parameters: Value of each `{name:Type}` in the condition.
        account: The account in `@log`.
        group: SQL for a record's group.
        stream: SQL for a record's stream.
        message: SQL for a record's text.
        groups: How many groups these are, for the statistics.
    """

    condition: str = "1"
    parameters: dict[str, str | int | float] = field(default_factory=dict)
    account: str = "000000000000"
    group: str = f"if({_SENT}, toString(log_group), concat('/clerestory/', toString(service)))"
    stream: str = f"if({_SENT}, toString(log_stream), toString(spool))"
    message: str = f"if({_SENT}, raw, {_LINE})"
    groups: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a `SOURCE` command asks for."""

    names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    group_class: str = ""
    start_ms: int | None = None
    end_ms: int | None = None
    at: Place = (0, 0)


Sources = Callable[[Source], Scope]


class Reader(Binder, Protocol):
    """What reads fields for a query."""

    def attribute_column(self, name: str) -> str | None:
        """Return the column that an attribute has of its own; None: it is in the map alone."""


def window(start: str, end: str) -> str:
    """Return SQL that is true from one time to another, both in ms and both included."""
    return (
        f"ts >= fromUnixTimestamp64Milli({start}, 'UTC') "
        f"AND ts < fromUnixTimestamp64Milli({end} + 1, 'UTC')"
    )


_MINUTE_MS: Final = 60_000


def volume(condition: str, start: str, end: str) -> str:
    """Return the statement that counts records of a time, and the bytes of their texts.

    The store keeps these sums for whole minutes (see store/schema); only the first and the last
    minute are read. A length that the engine reads from a column of its own would not be found
    among the sums.
    """
    first = f"(intDiv({start} + {_MINUTE_MS - 1}, {_MINUTE_MS}) * {_MINUTE_MS})"
    last = f"greatest({first}, intDiv({end} + 1, {_MINUTE_MS}) * {_MINUTE_MS})"
    minute = "toStartOfMinute(ts)"
    whole = f"{minute} >= {_second(first)} AND {minute} < {_second(last)}"
    parts = [
        "SELECT log_group, count() AS records, sum(length(message)) AS own, "
        f"sum(length(raw)) AS sent FROM {TABLE} WHERE {time} AND ({condition}) GROUP BY log_group "
        "SETTINGS optimize_functions_to_subcolumns = 0"
        for time in (window(start, f"least({end}, {first} - 1)"), whole, window(last, end))
    ]
    return (
        "SELECT sum(records), sum(if(log_group = '', own, sent)) "
        f"FROM ({' UNION ALL '.join(parts)})"
    )


def _second(ms: str) -> str:
    return f"toDateTime(intDiv({ms}, 1000), 'UTC')"


def system_field(binder: Binder, scope: Scope, name: str) -> Sql | None:
    """Return one of the fields that every record has, or None."""
    if name == "@timestamp":
        return Sql("time", "toUnixTimestamp64Milli(ts)")
    if name == "@ingestionTime":
        return Sql("time", "toUnixTimestamp64Milli(ingested)")
    if name == "@message":
        return Sql("text", scope.message)
    if name == "@logStream":
        return Sql("text", scope.stream)
    if name == "@log":
        return Sql("text", f"concat({binder.parameter(scope.account)}, ':', {scope.group})")
    return None


def event_field(binder: Reader, path: tuple[str | int, ...], joined: list[str]) -> Sql:
    """Return a field of the event: attribute, column, or a part of one that holds JSON.

    Args:
        binder: Gives names to what is used twice.
        path: The name's parts.
        joined: The name of the first part, of the first two, and so on.
    """
    whole = joined[-1]
    found = _attribute(binder, whole, _column(binder, whole))
    for length in range(len(path) - 1, 0, -1):
        head = binder.bind(
            _attribute(binder, joined[length - 1], _column(binder, joined[length - 1]))
        )
        rest = part_of(binder, held=head, path=path[length:])
        found = f"coalesce({found}, {rest})"
    return Sql("any", found)


def _attribute(binder: Reader, name: str, otherwise: str) -> str:
    if column := binder.attribute_column(name):
        return column if otherwise == "NULL" else f"ifNull({column}, {otherwise})"
    key = binder.parameter(name)
    held = f"attrs[{key}]"
    there = f"mapContains(attrs, {key}) AND {held} != 'null'"
    return f"if({there}, {held}, {otherwise})"


def _column(binder: Reader, name: str) -> str:
    if name in _OWN:
        own = f"toString({name})"
        own = f"if(ascii({own}) IN (34, 91, 123), concat('\"', {own}, '\"'), {own})"
        if name in _OPTIONAL:
            own = f"nullIf({own}, '')"
        sent = stored_of_raw(f"if({_SENT}, JSONExtractRaw(raw, '{name}'), '')")
        return f"if({_SENT}, {sent}, {own})"
    if found := discovery.field(name):
        return f"if({_SENT}, {found}, NULL)"
    if name.startswith("@@"):
        return _attribute(binder, name[1:], "NULL")
    if "." in name:
        key = binder.parameter(name)
        return f"if(mapContains(resource, {key}), resource[{key}], NULL)"
    return "NULL"


def one_of(binder: Reader, name: str, forms: str) -> str:
    """Return SQL that is true for every record whose field is one of some stored texts.

    It may be true for others as well; it is empty where nothing can be said.
    """
    if "." in name:
        return ""
    held = f"attrs[{binder.parameter(name)}] IN ({forms})"
    if column := binder.attribute_column(name):
        # the map's index leaves out blocks, and the map itself is not read
        held = f"(indexHint({held}) AND ifNull({column} IN ({forms}), 0))"
    if name in _OWN:
        return f"({held} OR {name} IN ({forms}) OR {_SENT})"
    if discovery.field(name):
        return f"({held} OR {_SENT})"
    return held
