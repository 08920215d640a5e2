"""The command stats: groups, aggregates, and arithmetic over them.

    parser -> [commands] -> builder -> program

Invariant: the result's order is that of the group keys, times newest first, unless `sort` follows.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from clerestory.server.insights import calls, values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.commands.rows import order_by
from clerestory.server.insights.functions.dates import length_ms, unit_of, width_ms
from clerestory.server.insights.language.parser import Parser
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import (
    Binary,
    Call,
    Column,
    Duration,
    Name,
    Node,
    Step,
    Unary,
    Within,
    walk,
)
from clerestory.server.insights.registry import Command, functions
from clerestory.server.insights.values import Sql

STATS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Stats:
    """Aggregates, group keys, and how far the bins are shifted."""

    results: tuple[Column, ...]
    keys: tuple[Column, ...]
    offset: Duration | None


def _parse(parser: Parser) -> Stats:
    results = parser.columns()
    keys: tuple[Column, ...] = ()
    if parser.reader.accept_word("by"):
        keys = parser.columns()
    offset = None
    if parser.reader.accept_word("offset"):
        token = parser.reader.token
        node = parser.expression()
        if not isinstance(node, Duration):
            raise wrong("offset wants a period, such as 1h", (token.start, token.end))
        offset = node
    return Stats(results, keys, offset)


def _stats(builder: Builder, step: Step) -> None:
    stats: Stats = step.details
    for key in stats.keys:
        if aggregate := next(_aggregates(key.node), None):
            raise wrong("an aggregate cannot stand behind `by`", aggregate.at)
    keys = {key.label: _key(builder, key, stats.offset) for key in stats.keys}
    found: dict[Call, Sql] = {}
    for column in stats.results:
        for call in _aggregates(column.node):
            if call not in found:
                found[call] = calls.built(builder, call, calls.function_of(call))
    env = _grouped(builder, keys, found)
    made = {call: env.pop(_hidden(index)) for index, call in enumerate(found)}
    builder.env.update(env)
    for column in stats.results:
        node = _replaced(column.node, {call: _hidden(i) for i, call in enumerate(made)})
        builder.env.update({_hidden(i): value for i, value in enumerate(made.values())})
        _check(builder, node)
        value = builder.held(builder.value(node))
        for index in range(len(made)):
            builder.env.pop(_hidden(index), None)
        builder.env[column.label] = value
    builder.bin = _bin_of(stats)
    builder.order = [
        order
        for label in keys
        for order in order_by(builder, env[label], descending=env[label].kind == "time")
    ]


def _bin_of(stats: Stats) -> tuple[str, int, tuple[str, ...]] | None:
    """Return label and width of the key that is a bin, and the other keys."""
    for key in stats.keys:
        if isinstance(key.node, Call) and key.node.name == "bin":
            period = key.node.arguments[0]
            others = tuple(one.label for one in stats.keys if one is not key)
            if isinstance(period, Duration) and unit_of(period) not in ("mo", "q", "y", "w"):
                return key.label, width_ms(period), others
    return None


def _hidden(index: int) -> str:
    return f"\0{index}"


def _key(builder: Builder, column: Column, offset: Duration | None) -> Sql:
    value = builder.value(column.node)
    if offset and value.kind == "time":
        value = Sql("time", f"({value.text} + {length_ms(offset)})")
    if value.kind == "any":
        value = Sql("text", values.shown_of(builder, value))
    return builder.held(value)


def _aggregates(node: Node) -> Iterator[Call]:
    known = functions()
    for part in walk(node):
        if isinstance(part, Call) and part.name in known and known[part.name].aggregate:
            yield part


def _grouped(builder: Builder, keys: dict[str, Sql], found: dict[Call, Sql]) -> dict[str, Sql]:
    """Add the stage that groups; return the columns it leaves."""
    first = builder.matched is None
    builder.settle()
    builder.flush()
    env: dict[str, Sql] = {}
    columns: list[str] = []
    for label, key in keys.items():
        name = builder.around.name("k")
        columns.append(f"{key.text} AS {name}")
        env[label] = Sql(key.kind, name)
    grouping = ", ".join(env[label].text for label in keys)
    for index, value in enumerate(found.values()):
        name = builder.around.name("a")
        columns.append(f"{value.text} AS {name}")
        env[_hidden(index)] = Sql(value.kind, name)
    counted = builder.around.name("m")
    columns.append(f"count() AS {counted}")
    by = f" GROUP BY {grouping}" if grouping else ""
    builder.stage(f"SELECT {', '.join(columns)} FROM {{from}}{by} HAVING {counted} > 0")
    builder.close({})
    if first:
        total = builder.around.name("m")
        builder.stage(f"SELECT *, sum({counted}) OVER () AS {total} FROM {{from}}")
        builder.matched_column = total
    else:
        builder.matched_column = None
    for label, value in env.items():
        if value.kind == "number":
            env[label] = Sql("number", builder.bind(values.finite(builder, value.text)))
    return env


def _check(builder: Builder, node: Node) -> None:
    """Refuse a function that there is not, and a field that is neither aggregated nor a key."""
    for part in walk(node):
        if isinstance(part, Call):
            calls.function_of(part)
        if isinstance(part, Name) and part.text not in builder.env:
            label = part.text
            if not any(name.startswith(f"{label}.") for name in builder.env):
                hint = f"as in max({label}), or put it behind `by`"
                raise wrong(f"`{label}` is neither aggregated nor a group key", part.at, hint)


def _replaced(node: Node, names: dict[Call, str]) -> Node:
    """Return an expression with each aggregate replaced by the name of its column."""
    if isinstance(node, Call) and node in names:
        return Name((names[node],), names[node], node.at)
    if isinstance(node, Call):
        return replace(node, arguments=tuple(_replaced(part, names) for part in node.arguments))
    if isinstance(node, Unary):
        return replace(node, operand=_replaced(node.operand, names))
    if isinstance(node, Binary):
        left, right = _replaced(node.left, names), _replaced(node.right, names)
        return replace(node, left=left, right=right)
    if isinstance(node, Within) and isinstance(node.items, tuple):
        items = tuple(_replaced(part, names) for part in node.items)
        return replace(node, operand=_replaced(node.operand, names), items=items)
    return node


def _parse_frequent(parser: Parser) -> Stats:
    names = parser.names()
    counted = Call("count", (), names[0].at)
    keys = tuple(Column(name, name.text) for name in names)
    return Stats((Column(counted, "_approxcount"),), keys, None)


def _frequent(builder: Builder, step: Step) -> None:
    _stats(builder, step)
    counted = builder.env["_approxcount"]
    builder.order = [*order_by(builder, counted, descending=True), *builder.order]


COMMANDS: Final = (
    Command(
        name="stats",
        syntax="stats aggregate [as name], ... [by expression [as name], ...] [offset period]",
        help="Gives one row for each combination of the values behind `by`; without `by` one row "
        "for all. Afterwards only its results exist. `offset` shifts the bins by a period.",
        example="stats count(*) as n, avg(latency), pct(latency, 99) by path, bin(5m)",
        parse=_parse,
        compile=_stats,
    ),
    *(
        Command(
            name=name,
            syntax=f"{name} field, ...",
            help=text,
            example=f"{name} path, status | limit 10",
            parse=_parse_frequent,
            compile=_frequent,
        )
        for name, text in (
            (
                "countFrequent",
                "Counts each combination of values exactly, the most frequent first.",
            ),
            ("count_frequent", "The same as countFrequent."),
        )
    ),
)
