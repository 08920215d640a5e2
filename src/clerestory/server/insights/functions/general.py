"""General functions: presence, choice, and what the query itself is.

tree -> calls -> [functions] -> builder -> program
"""

from typing import Final

from clerestory.server.insights import values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import Call
from clerestory.server.insights.registry import Function
from clerestory.server.insights.values import Sql

BRANCHES_MAX: Final = 10


def _ispresent(_builder: Builder, _call: Call, value: Sql) -> Sql:
    return Sql("bool", values.present(value))


def _unmask(_builder: Builder, _call: Call, value: Sql) -> Sql:
    return value


def _unified(builder: Builder, found: list[Sql]) -> tuple[str, list[str]]:
    """Return one kind for several values, and their SQL as that kind."""
    kinds = {value.kind for value in found}
    if len(kinds) == 1 and "any" not in kinds:
        return found[0].kind, [value.text for value in found]
    if kinds == {"any"}:
        return "any", [value.text for value in found]
    return "text", [values.shown_of(builder, value) for value in found]


def _coalesce(builder: Builder, _call: Call, *found: Sql) -> Sql:
    kind, texts = _unified(builder, list(found))
    return Sql(kind, f"coalesce({', '.join(texts)})")


def _if(builder: Builder, _call: Call, condition: Sql, then: Sql, otherwise: Sql) -> Sql:
    kind, texts = _unified(builder, [then, otherwise])
    return Sql(kind, f"if({values.truth(builder, condition)}, {texts[0]}, {texts[1]})")


def _case(builder: Builder, call: Call, *found: Sql) -> Sql:
    branches = len(found) // 2
    if branches > BRANCHES_MAX:
        raise wrong(f"case has {branches} branches; the limit is {BRANCHES_MAX}", call.at)
    conditions = [values.truth(builder, found[2 * i]) for i in range(branches)]
    results = [found[2 * i + 1] for i in range(branches)]
    default = found[-1] if len(found) % 2 else values.NULL
    if len(found) % 2:
        results.append(default)
    kind, texts = _unified(builder, results)
    if len(found) % 2 == 0:
        kind, texts = ("number", texts) if kind == "bool" else (kind, texts)
        texts.append("NULL")
    pairs = ", ".join(f"{c}, {t}" for c, t in zip(conditions, texts, strict=False))
    return Sql(kind, f"multiIf({pairs}, {texts[-1]})")


def _is_numeric(builder: Builder, _call: Call, value: Sql) -> Sql:
    return Sql("bool", f"isNotNull({values.number(builder, value)})")


def _message_size(_builder: Builder, _call: Call, text: str) -> Sql:
    return Sql("number", f"toFloat64(length({text}))")


def _start(builder: Builder, _call: Call) -> Sql:
    return Sql("number", repr(float(builder.start_ms)))


def _end(builder: Builder, _call: Call) -> Sql:
    return Sql("number", repr(float(builder.end_ms)))


def _range(builder: Builder, _call: Call) -> Sql:
    return Sql("number", repr(float(builder.end_ms - builder.start_ms)))


FUNCTIONS: Final = (
    Function(
        name="ispresent",
        group="General",
        parameters=("value",),
        returns="bool",
        help="Whether the field is there.",
        example="ispresent(errorCode)",
        build=_ispresent,
    ),
    Function(
        name="coalesce",
        group="General",
        parameters=("value", "value*"),
        returns="value",
        help="The first of the values that is there.",
        example="coalesce(user_id, userId, 'unknown')",
        build=_coalesce,
    ),
    Function(
        name="case",
        group="General",
        parameters=("value", "value", "value*"),
        returns="value",
        help="The value behind the first condition that is true, else the last one, if any; at "
        "most 10 conditions.",
        example="case(status >= 500, 'bad', status >= 400, 'client', 'good')",
        build=_case,
    ),
    Function(
        name="if",
        group="General",
        parameters=("value", "value", "value"),
        returns="value",
        help="The second value if the condition is true, else the third.",
        example="if(duration > 1000, 'slow', 'fast')",
        build=_if,
    ),
    Function(
        name="isNumeric",
        group="General",
        parameters=("value",),
        returns="bool",
        help="Whether the value can be read as a number.",
        example="isNumeric(duration)",
        build=_is_numeric,
    ),
    Function(
        name="messageSize",
        group="General",
        parameters=("text",),
        returns="number",
        help="How many bytes the text takes.",
        example="messageSize(@message)",
        build=_message_size,
    ),
    Function(
        name="queryStartTime",
        group="General",
        parameters=(),
        returns="number",
        help="Begin of the query's time, in milliseconds since 1970.",
        example="queryStartTime()",
        build=_start,
    ),
    Function(
        name="queryEndTime",
        group="General",
        parameters=(),
        returns="number",
        help="End of the query's time, in milliseconds since 1970.",
        example="queryEndTime()",
        build=_end,
    ),
    Function(
        name="queryTimeRange",
        group="General",
        parameters=(),
        returns="number",
        help="Length of the query's time, in milliseconds.",
        example="queryTimeRange()",
        build=_range,
    ),
    Function(
        name="unmask",
        group="General",
        parameters=("value",),
        returns="value",
        help="The value itself: what is masked was masked before it was sent.",
        example="unmask(@message)",
        build=_unmask,
    ),
)
