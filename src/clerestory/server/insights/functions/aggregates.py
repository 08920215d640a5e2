"""Functions of many records, for `stats`.

    tree -> commands/stats -> [functions] -> builder -> program

Invariant: what is missing, and for numbers what is none, is passed over; of nothing the result is
missing, only a count is 0.
"""

from typing import Final

from clerestory.server.insights import values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.functions.dates import length_ms
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import Call, Duration, Literal
from clerestory.server.insights.registry import Build, Function
from clerestory.server.insights.values import Sql

_GROUP: Final = "Aggregates"


def _number(name: str) -> Build:
    def build(_builder: Builder, _call: Call, number: str) -> Sql:
        return Sql("number", f"{name}({number})")

    return build


def _count(_builder: Builder, _call: Call, value: Sql | None = None) -> Sql:
    return Sql("number", f"toFloat64(count({'' if value is None else value.text}))")


def _count_distinct(builder: Builder, _call: Call, value: Sql) -> Sql:
    return Sql("number", f"toFloat64(uniqExact({values.shown_of(builder, value)}))")


def _extreme(name: str) -> Build:
    def build(builder: Builder, _call: Call, value: Sql) -> Sql:
        if value.kind in ("number", "time"):
            return Sql(value.kind, f"{name}({value.text})")
        text = builder.bind(values.text_of(builder, value))
        number = builder.bind(values.number(builder, Sql("text", text)))
        shown = values.shown_of(_Plain(builder), Sql("number", f"{name}({number})"))
        return Sql("text", f"ifNull({shown}, {name}({text}))")

    return build


class _Plain:
    """Writes an expression out again instead of naming it: an aggregate cannot be computed before.

    The engine computes the same aggregate once.
    """

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def bind(self, text: str) -> str:
        """Return the expression itself."""
        return text

    def parameter(self, value: str) -> str:
        """Return SQL that stands for a text."""
        return self._builder.parameter(value)


def _percentile(builder: Builder, call: Call, number: str, level: Literal) -> Sql:
    del builder, call
    if not isinstance(level.value, float) or not 0 <= level.value <= 100:
        raise wrong("a percentile is a number from 0 to 100", level.at, "as in pct(latency, 99)")
    return Sql("number", f"quantileExactInclusive({level.value / 100!r})({number})")


def _by_time(name: str) -> Build:
    def build(builder: Builder, call: Call, value: Sql) -> Sql:
        if not builder.open:
            raise wrong(f"{call.name} needs log events; after stats there are none", call.at)
        return Sql(value.kind, f"{name}({value.text}, ({', '.join(builder.row)}))")

    return build


def _by_text(name: str) -> Build:
    def build(builder: Builder, _call: Call, value: Sql) -> Sql:
        return Sql("text", f"{name}({values.text_of(builder, value)})")

    return build


def _rate(builder: Builder, call: Call, number: str, period: Duration) -> Sql:
    if not builder.open:
        raise wrong(f"{call.name} needs log events; after stats there are none", call.at)
    order = f"({', '.join(builder.row)})"
    there = f"isNotNull({number})"
    change = f"argMax({number}, {order}) - argMin({number}, {order})"
    moment = f"toUnixTimestamp64Milli({builder.row[0]})"
    span = f"maxIf({moment}, {there}) - minIf({moment}, {there})"
    return Sql("number", f"if({span} > 0, ({change}) / ({span}) * {length_ms(period)}, NULL)")


def _function(
    name: str,
    parameters: tuple[str, ...],
    about: tuple[str, str],
    build: Build | None,
    *,
    returns: str = "number",
    refusal: str = "",
) -> Function:
    return Function(
        name=name,
        group=_GROUP,
        parameters=parameters,
        returns=returns,
        help=about[0],
        example=about[1],
        build=build,
        aggregate=True,
        refusal=refusal,
    )


FUNCTIONS: Final = (
    _function(
        "count",
        ("star?",),
        ("How many records, or how many that have the field.", "count(*)"),
        _count,
    ),
    _function(
        "count_distinct",
        ("value",),
        ("How many different values the field has.", "count_distinct(user_id)"),
        _count_distinct,
    ),
    _function("avg", ("number",), ("The mean of the numbers.", "avg(latency)"), _number("avg")),
    _function("sum", ("number",), ("The sum of the numbers.", "sum(bytes)"), _number("sum")),
    _function(
        "min",
        ("value",),
        ("The smallest number, or the first text where there is no number.", "min(latency)"),
        _extreme("min"),
        returns="value",
    ),
    _function(
        "max",
        ("value",),
        ("The largest number, or the last text where there is no number.", "max(latency)"),
        _extreme("max"),
        returns="value",
    ),
    _function(
        "pct",
        ("number", "constant"),
        (
            "The number that so many per cent do not exceed, interpolated between two numbers.",
            "pct(latency, 99)",
        ),
        _percentile,
    ),
    _function(
        "median",
        ("number",),
        ("The number in the middle: pct(x, 50).", "median(latency)"),
        _number("quantileExactInclusive(0.5)"),
    ),
    _function(
        "stddev",
        ("number",),
        (
            "The standard deviation of a sample; of a single number it is missing.",
            "stddev(latency)",
        ),
        _number("stddevSamp"),
    ),
    _function(
        "earliest",
        ("value",),
        ("The value in the earliest record that has the field.", "earliest(status)"),
        _by_time("argMin"),
        returns="value",
    ),
    _function(
        "latest",
        ("value",),
        ("The value in the latest record that has the field.", "latest(status)"),
        _by_time("argMax"),
        returns="value",
    ),
    _function(
        "sortsFirst",
        ("value",),
        ("The value that comes first when the values are sorted as texts.", "sortsFirst(name)"),
        _by_text("min"),
        returns="text",
    ),
    _function(
        "sortsLast",
        ("value",),
        ("The value that comes last when the values are sorted as texts.", "sortsLast(name)"),
        _by_text("max"),
        returns="text",
    ),
    _function(
        "rate",
        ("number", "duration"),
        (
            "How much the number changes in a period, from the earliest to the latest record.",
            "rate(requests_total, 1m)",
        ),
        _rate,
    ),
    _function(
        "count_over_time",
        ("value",),
        ("How many records have the field; for `by bin(5m)`.", "count_over_time(status)"),
        _count,
    ),
    _function(
        "sum_over_time",
        ("number",),
        ("The sum of the numbers; for `by bin(5m)`.", "sum_over_time(bytes)"),
        _number("sum"),
    ),
    _function(
        "histogram",
        ("number", "constant"),
        ("How many numbers lie in each of so many ranges.", "histogram(latency, 10)"),
        None,
        returns="value",
        refusal="group by a rounded number: stats count(*) by floor(latency / 100) * 100",
    ),
    _function(
        "topk",
        ("value", "constant"),
        ("The most frequent values.", "topk(path, 10)"),
        None,
        returns="value",
        refusal="use stats count(*) as n by path | sort n desc | limit 10",
    ),
)
