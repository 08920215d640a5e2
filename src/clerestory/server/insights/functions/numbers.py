"""Functions of numbers.

    tree -> calls -> [functions] -> builder -> program

Invariant: what is no number gives a missing value, and so does a result that is not finite.
"""

from typing import Final

from clerestory.server.insights import values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.language.tree import Call
from clerestory.server.insights.registry import Build, Function
from clerestory.server.insights.values import Sql

EARTH_RADIUS_KM: Final = 6371.0

_GROUP: Final = "Numbers"


def _plain(template: str) -> Build:
    def build(builder: Builder, _call: Call, *given: str) -> Sql:
        return Sql("number", values.finite(builder, template.format(*given)))

    return build


def _extreme(name: str) -> Build:
    def build(_builder: Builder, _call: Call, *given: str) -> Sql:
        # a missing value among them is passed over
        made = f"{name}(arrayFilter(x -> isNotNull(x), [{', '.join(given)}]))"
        there = " OR ".join(f"isNotNull({one})" for one in given)
        return Sql("number", f"if({there}, {made}, NULL)")

    return build


def _round(builder: Builder, _call: Call, number: str, digits: str = "0.0") -> Sql:
    held = builder.bind(number)
    scale = builder.bind(f"pow(10, least(greatest(trunc({digits}), -15), 15))")
    rounded = f"if({held} < 0, -1, 1) * floor(abs({held}) * {scale} + 0.5) / {scale}"
    return Sql("number", values.finite(builder, rounded))


def _haversine(builder: Builder, _call: Call, *given: str) -> Sql:
    lat1, lon1, lat2, lon2 = (builder.bind(f"radians({one})") for one in given)
    inside = (
        f"pow(sin(({lat2} - {lat1}) / 2), 2) "
        f"+ cos({lat1}) * cos({lat2}) * pow(sin(({lon2} - {lon1}) / 2), 2)"
    )
    made = f"2 * {EARTH_RADIUS_KM} * asin(sqrt(least(1.0, {inside})))"
    return Sql("number", values.finite(builder, made))


def _whole(bits: int) -> Build:
    def build(builder: Builder, _call: Call, number: str) -> Sql:
        held = builder.bind(f"trunc({number})")
        least, most = repr(-(2.0 ** (bits - 1))), repr(2.0 ** (bits - 1))
        return Sql("number", f"if({held} >= {least} AND {held} < {most}, {held}, NULL)")

    return build


def _number(_builder: Builder, _call: Call, number: str) -> Sql:
    return Sql("number", number)


FUNCTIONS: Final = (
    Function(
        name="abs",
        group=_GROUP,
        parameters=("number",),
        returns="number",
        help="The number without its sign.",
        example="abs(-3)",
        build=_plain("abs({0})"),
    ),
    Function(
        name="ceil",
        group=_GROUP,
        parameters=("number",),
        returns="number",
        help="The smallest whole number that is not less.",
        example="ceil(1.2)",
        build=_plain("ceil({0})"),
    ),
    Function(
        name="floor",
        group=_GROUP,
        parameters=("number",),
        returns="number",
        help="The largest whole number that is not greater.",
        example="floor(1.8)",
        build=_plain("floor({0})"),
    ),
    Function(
        name="greatest",
        group=_GROUP,
        parameters=("number", "number*"),
        returns="number",
        help="The largest of the numbers; what is missing is passed over.",
        example="greatest(a, b, 0)",
        build=_extreme("arrayMax"),
    ),
    Function(
        name="least",
        group=_GROUP,
        parameters=("number", "number*"),
        returns="number",
        help="The smallest of the numbers; what is missing is passed over.",
        example="least(a, b, 100)",
        build=_extreme("arrayMin"),
    ),
    Function(
        name="log",
        group=_GROUP,
        parameters=("number",),
        returns="number",
        help="The natural logarithm.",
        example="log(bytes)",
        build=_plain("log({0})"),
    ),
    Function(
        name="round",
        group=_GROUP,
        parameters=("number", "number?"),
        returns="number",
        help="The nearest whole number, or the nearest with so many decimals; a half goes away "
        "from zero.",
        example="round(2.345, 2)",
        build=_round,
    ),
    Function(
        name="sqrt",
        group=_GROUP,
        parameters=("number",),
        returns="number",
        help="The square root.",
        example="sqrt(16)",
        build=_plain("sqrt({0})"),
    ),
    Function(
        name="haversine",
        group=_GROUP,
        parameters=("number", "number", "number", "number"),
        returns="number",
        help="Kilometres between two places on earth, given as latitude and longitude in degrees.",
        example="haversine(52.52, 13.40, 48.85, 2.35)",
        build=_haversine,
    ),
    Function(
        name="toNumber",
        group=_GROUP,
        parameters=("number",),
        returns="number",
        help="The value as a number.",
        example="toNumber(status)",
        build=_number,
    ),
    Function(
        name="toInt",
        group=_GROUP,
        parameters=("number",),
        returns="number",
        help="The value as a whole number of 32 bits; decimals are cut off.",
        example="toInt('5.7')",
        build=_whole(32),
    ),
    Function(
        name="toLong",
        group=_GROUP,
        parameters=("number",),
        returns="number",
        help="The value as a whole number of 64 bits; decimals are cut off.",
        example="toLong(id)",
        build=_whole(64),
    ),
    Function(
        name="toDouble",
        group=_GROUP,
        parameters=("number",),
        returns="number",
        help="The value as a number with decimals.",
        example="toDouble(price)",
        build=_number,
    ),
)
