"""Commands that make a row of every element of a list: unnest and expand.

    parser -> [commands] -> builder -> program

Invariant: elements keep their order; every other column repeats.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from dataclasses import dataclass
from typing import Final

from clerestory.server.insights import values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.functions.json import structure
from clerestory.server.insights.language.parser import Parser
from clerestory.server.insights.language.tree import Name, Step
from clerestory.server.insights.registry import Command
from clerestory.server.insights.values import Sql


@dataclass(frozen=True, slots=True)
class Unnest:
    """The list's field and the element's name."""

    field: Name
    alias: str


def _parse(parser: Parser) -> Unnest:
    field = parser.name("the field with the list")
    parser.reader.expect_word("into", "and a name for the element")
    return Unnest(field, parser.name("a name for the element").text)


def _parse_expand(parser: Parser) -> Unnest:
    field = parser.name("the field with the list")
    return Unnest(field, field.text)


def _unnest(builder: Builder, step: Step) -> None:
    unnest: Unnest = step.details
    value = builder.field(unnest.field)
    held = value.text if value.kind == "any" else values.shown_of(builder, value)
    _joined(builder, builder.bind(held), unnest.alias, lists=value.kind == "any")


def _expand(builder: Builder, step: Step) -> None:
    unnest: Unnest = step.details
    value = builder.field(unnest.field)
    held = builder.bind(structure(builder, value))
    otherwise = value.text if value.kind == "any" else values.shown_of(builder, value)
    _joined(builder, builder.bind(f"ifNull({held}, {otherwise})"), unnest.alias, lists=True)


def _joined(builder: Builder, held: str, alias: str, *, lists: bool) -> None:
    element = "multiIf(r = 'null', NULL, ascii(r) = 34 AND position(r, '\\\\') > 0, "
    element += "concat('\"', JSONExtractString(r), '\"'), r)"
    is_list = f"ascii(ifNull({held}, '')) = 91" if lists else "0"
    found = f"arrayMap(r -> {element}, JSONExtractArrayRaw(ifNull({held}, '[]')))"
    rows = builder.bind(f"if({is_list}, {found}, [toNullable({held})])")
    row, place = builder.around.name("e"), builder.around.name("i")
    builder.settle()
    builder.stage(
        f"SELECT *, {row}, {place} FROM {{from}} ARRAY JOIN {rows} AS {row}, "
        f"arrayEnumerate({rows}) AS {place}"
    )
    builder.order = [*builder.order, f"{place} ASC"]
    builder.places.append(place)
    builder.define(alias, Sql("any" if lists else "text", row))


COMMANDS: Final = (
    Command(
        name="unnest",
        syntax="unnest field into name",
        help="Makes a row of every element of a list; a value that is no list is one element, an "
        "empty list gives no row.",
        example="fields jsonParse(@message) as m | unnest m.items into item | display item.name",
        parse=_parse,
        compile=_unnest,
    ),
    Command(
        name="expand",
        syntax="expand field",
        help="The same for a field that holds a JSON list, also as text; the element takes the "
        "field's name.",
        example="expand items | stats count(*) by items",
        parse=_parse_expand,
        compile=_expand,
    ),
)
