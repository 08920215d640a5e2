"""Commands that choose rows and columns: fields, display, filter, sort, limit, dedup.

    parser -> [commands] -> builder -> program

Invariant: rows stand in a defined order at every step: newest first until `sort` says otherwise,
and ties are broken by time and order of arrival.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from dataclasses import dataclass
from typing import Final

from clerestory.server.insights import narrowing, values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.language.parser import Parser
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import Binary, Column, Name, Node, Step, Within
from clerestory.server.insights.registry import Command
from clerestory.server.insights.values import Sql

LIMIT_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Key:
    """What to sort by, and whether downwards."""

    node: Node
    descending: bool


def _parse_columns(parser: Parser) -> tuple[Column, ...]:
    return parser.columns()


def _fields(builder: Builder, step: Step) -> None:
    columns: tuple[Column, ...] = step.details
    for column in columns:
        builder.define(column.label, builder.value(column.node))
    builder.has_fields = True


def _display(builder: Builder, step: Step) -> None:
    columns: tuple[Column, ...] = step.details
    for column in columns:
        value = builder.value(column.node)
        builder.env[column.label] = builder.held(value)
    builder.display = tuple(dict.fromkeys(column.label for column in columns))


def _parse_filter(parser: Parser) -> Node:
    return parser.expression()


def _filter(builder: Builder, step: Step) -> None:
    condition = values.truth(builder, builder.value(step.details))
    narrowing.narrow(builder, step.details)
    builder.filter(condition)


def _parse_filter_index(parser: Parser) -> Node:
    node = parser.expression()
    is_test = (isinstance(node, Binary) and node.op == "=" and isinstance(node.left, Name)) or (
        isinstance(node, Within) and not node.negated and isinstance(node.operand, Name)
    )
    if not is_test:
        hint = 'as in filterIndex user_id = "u1" or filterIndex user_id in ["u1", "u2"]'
        raise wrong("filterIndex takes one field and its values", node.at, hint)
    return node


def _parse_sort(parser: Parser) -> tuple[Key, ...]:
    parser.reader.accept_word("by")
    keys = [_key(parser)]
    while parser.reader.accept(","):
        keys.append(_key(parser))
    return tuple(keys)


def _key(parser: Parser) -> Key:
    node = parser.expression()
    if parser.reader.accept_word("desc"):
        return Key(node, descending=True)
    parser.reader.accept_word("asc")
    return Key(node, descending=False)


def _sort(builder: Builder, step: Step) -> None:
    keys: tuple[Key, ...] = step.details
    if len(keys) == 1 and builder.is_event_time(keys[0].node):
        # the order that the store reads in, so that a limit ends the reading
        builder.order = builder.row_order(descending=keys[0].descending)
        return
    order: list[str] = []
    for key in keys:
        order += order_by(builder, builder.value(key.node), descending=key.descending)
    builder.order = list(dict.fromkeys([*order, *builder.order]))


def order_by(builder: Builder, value: Sql, *, descending: bool) -> list[str]:
    """Return the SQL of sorting by a value: numbers, then texts, then what is missing."""
    way = f"{'DESC' if descending else 'ASC'} NULLS LAST"
    if value.kind in ("number", "time", "bool"):
        return [f"{builder.bind(value.text)} {way}"]
    text = builder.bind(values.text_of(builder, value))
    number = builder.bind(values.number(builder, Sql("text", text)))
    return [f"{number} {way}", f"{text} {way}"]


@dataclass(frozen=True, slots=True)
class Limit:
    """How many rows, and whether any will do."""

    count: int
    anyhow: bool


def _parse_limit(parser: Parser) -> Limit:
    anyhow = parser.reader.accept_word("any")
    return Limit(parser.reader.integer("limit", least=1, most=LIMIT_MAX), anyhow)


def _limit(builder: Builder, step: Step) -> None:
    limit: Limit = step.details
    builder.settle()
    builder.stage(f"SELECT * FROM {{from}}{builder.ordered(limit.count)}")


def _parse_dedup(parser: Parser) -> tuple[Name, ...]:
    return parser.names()


def _dedup(builder: Builder, step: Step) -> None:
    names: tuple[Name, ...] = step.details
    fields = [builder.field(name) for name in names]
    keys = [builder.bind(values.shown_of(builder, field)) for field in fields]
    builder.settle()
    builder.flush()
    some_missing = " OR ".join(f"isNull({key})" for key in keys)
    alone = builder.bind(f"if({some_missing}, {builder.identity()}, '')")
    by = ", ".join([*keys, alone])
    builder.stage(f"SELECT * FROM {{from}}{builder.ordered()} LIMIT 1 BY {by}")


_LIMIT_HELP: Final = "keeps the first rows, at most 100000; without it a query gives 10000."

COMMANDS: Final = (
    Command(
        name="fields",
        syntax="fields expression [as name], ...",
        help="Adds columns to the result; several `fields` add up.",
        example='fields @timestamp, concat(method, " ", path) as request',
        parse=_parse_columns,
        compile=_fields,
    ),
    Command(
        name="display",
        syntax="display expression [as name], ...",
        help="Says which columns the result has; the last `display` holds.",
        example="fields @message | parse @message 'user=*' as user | display user",
        parse=_parse_columns,
        compile=_display,
    ),
    Command(
        name="filter",
        syntax="filter condition",
        help="Keeps the records for which the condition is true. A comparison with a missing "
        "field is false.",
        example='filter level = "ERROR" and status >= 500 and @message like /time(d )?out/',
        parse=_parse_filter,
        compile=_filter,
    ),
    Command(
        name="where",
        syntax="where condition",
        help="The same as filter.",
        example="where ispresent(errorCode)",
        parse=_parse_filter,
        compile=_filter,
    ),
    Command(
        name="filterIndex",
        syntax="filterIndex field = value | filterIndex field in [value, ...]",
        help="The same as filter; every field is indexed here.",
        example='filterIndex user_id = "u1"',
        parse=_parse_filter_index,
        compile=_filter,
    ),
    Command(
        name="sort",
        syntax="sort [by] expression [asc|desc], ...",
        help="Orders the rows: numbers before texts, missing values last; without a word upwards. "
        "Without `sort` the newest record comes first.",
        example="stats count(*) as n by path | sort n desc",
        parse=_parse_sort,
        compile=_sort,
    ),
    *(
        Command(
            name=name,
            syntax=f"{name} [any] number",
            help=text,
            example=f"sort @timestamp asc | {name} 20",
            parse=_parse_limit,
            compile=_limit,
        )
        for name, text in (
            ("limit", f"It {_LIMIT_HELP} `any` is accepted and changes nothing."),
            ("head", "An old spelling of limit."),
            ("tail", "An old spelling of limit: the order decides which rows these are."),
        )
    ),
    Command(
        name="dedup",
        syntax="dedup field, ...",
        help="Keeps the first row of each combination of values, in the order of `sort`; rows "
        "where one of them is missing all stay. Only `limit` may follow.",
        example="sort @timestamp desc | dedup user_id",
        parse=_parse_dedup,
        compile=_dedup,
    ),
)
