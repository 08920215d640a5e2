"""Functions of JSON texts, maps and lists.

    tree -> calls -> [functions] -> builder -> program

Invariant: a text that is no JSON gives a missing value, never an error.
"""

from typing import Final

from clerestory.server.insights import values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.language.tree import Call
from clerestory.server.insights.registry import Function
from clerestory.server.insights.values import Sql

_GROUP: Final = "JSON"


def structure(builder: Builder, value: Sql) -> str:
    """Return SQL for the JSON of a map or a list, given as such or as text; else NULL."""
    shown = f"trimLeft({values.shown_of(builder, value)}, ' \\t\\r\\n')"
    return values.once(shown, "if(ascii(r) IN (91, 123) AND isValidJSON(r), r, NULL)")


def _parse(builder: Builder, _call: Call, value: Sql) -> Sql:
    return Sql("any", structure(builder, value))


def _stringify(builder: Builder, _call: Call, value: Sql) -> Sql:
    if value.kind != "any":
        return Sql("text", values.shown_of(builder, value))
    return Sql("text", structure(builder, value))


def elements(builder: Builder, value: Sql) -> str:
    """Return SQL for the raw elements of a list; empty where there is none."""
    found = "if(ascii(ifNull(r, '')) = 91, JSONExtractArrayRaw(ifNull(r, '[]')), [])"
    return values.once(structure(builder, value), found)


def _size(builder: Builder, _call: Call, value: Sql) -> Sql:
    size = "toFloat64(JSONLength(ifNull(r, '[]')))"
    found = f"if(ascii(ifNull(r, '')) = 91, {size}, NULL)"
    return Sql("number", values.once(structure(builder, value), found))


def _contains(builder: Builder, _call: Call, value: Sql, wanted: str) -> Sql:
    texts = f"arrayMap(x -> if(ascii(x) = 34, JSONExtractString(x), x), {elements(builder, value)})"
    found = f"ifNull(has({texts}, ifNull({wanted}, '')), 0)"
    return Sql("bool", f"({found} AND isNotNull({wanted}))")


FUNCTIONS: Final = (
    Function(
        name="jsonParse",
        group=_GROUP,
        parameters=("value",),
        returns="value",
        help="The map or list that a JSON text spells out; its parts are reached by `.name` and "
        "`[0]`.",
        example="jsonParse(@message)",
        build=_parse,
    ),
    Function(
        name="jsonStringify",
        group=_GROUP,
        parameters=("value",),
        returns="text",
        help="The JSON text of a map or a list.",
        example="jsonStringify(items)",
        build=_stringify,
    ),
    Function(
        name="jsonArraySize",
        group=_GROUP,
        parameters=("value",),
        returns="number",
        help="How many elements a JSON list has.",
        example="jsonArraySize(items)",
        build=_size,
    ),
    Function(
        name="jsonArrayContains",
        group=_GROUP,
        parameters=("value", "text"),
        returns="bool",
        help="Whether a JSON list has the value as an element; upper and lower case differ.",
        example="jsonArrayContains(roles, 'admin')",
        build=_contains,
    ),
)
