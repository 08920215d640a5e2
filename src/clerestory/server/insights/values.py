"""Typed SQL: how a value of one kind becomes another, and how two values compare.

    tree -> builder, [values], functions -> program -> run

Kinds: `text`, `number` (Float64), `bool` (UInt8, never NULL), `time` (Int64, milliseconds) and
`any`: the store's text that keeps its JSON type (see server/store/decode). NULL is a missing value.

Invariant: every rule about missing fields, numbers and texts stands in this file.
"""

import math
import re
from dataclasses import dataclass
from typing import Final, Protocol

EXACT_MAX: Final = 9_007_199_254_740_992  # 2**53: above it a Float64 skips whole numbers
# 2**51: above it quotient times divisor is rounded, and with it the remainder
QUOTIENT_MAX: Final = 2_251_799_813_685_248
TIME_MS_MIN: Final = -2_208_988_800_000  # 1900
TIME_MS_MAX: Final = 10_413_791_999_999  # 2299

_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sql:
    """An SQL expression and its kind; `constant` is its value where the query spells it out."""

    kind: str
    text: str
    constant: str | float | bool | None = None


class Binder(Protocol):
    """What gives an expression a name, so that it is computed and written once."""

    def bind(self, text: str) -> str:
        """Return an identifier that stands for the expression."""

    def parameter(self, value: str) -> str:
        """Return SQL that stands for a text."""


NULL: Final = Sql("text", "CAST(NULL, 'Nullable(String)')")


def number_of(text: str) -> float | None:
    """Return the number that a text is, as the engine's toFloat64OrNull does.

    >>> number_of(" 1e3 "), number_of("12abc"), number_of("inf")
    (1000.0, None, None)
    """
    text = text.strip(" ")
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def text_of(binder: Binder, value: Sql) -> str:
    """Return SQL for a value's text; a map and a list have none."""
    if value.kind == "any":
        held = binder.bind(value.text)
        return (
            f"multiIf(ascii({held}) = 34, substring({held}, 2, length({held}) - 2), "
            f"ascii({held}) IN (91, 123), NULL, {held})"
        )
    return shown_of(binder, value)


def shown_of(binder: Binder, value: Sql) -> str:
    """Return SQL for a value as it is printed; a map and a list are JSON."""
    if value.kind == "text":
        return value.text
    held = value.text
    if value.kind == "any":
        held = binder.bind(held)
        return f"if(ascii({held}) = 34, substring({held}, 2, length({held}) - 2), {held})"
    if value.kind == "bool":
        return f"if({held}, 'true', 'false')"
    if value.kind == "time":
        return f"toString(fromUnixTimestamp64Milli({held}, 'UTC'))"
    held = binder.bind(held)
    return (
        f"if(trunc({held}) = {held} AND abs({held}) < 1e15, toString({whole(held)}), "
        f"toString({held}))"
    )


def whole(digits: str) -> str:
    """Return SQL for a whole number as an Int64; what is none is NULL and no error.

    The engine's toInt64 throws at inf and nan, also in a branch that is not taken.
    """
    return f"accurateCastOrNull({digits}, 'Int64')"


def number(binder: Binder, value: Sql) -> str:
    """Return SQL for a value's number; NULL where it is none."""
    if value.kind == "number":
        return value.text
    if value.kind == "bool":
        return f"toFloat64({value.text})"
    if value.kind == "time":
        return f"toFloat64({value.text})"
    if isinstance(value.constant, str):
        constant = number_of(value.constant)
        return "CAST(NULL, 'Nullable(Float64)')" if constant is None else repr(constant)
    return finite(binder, f"toFloat64OrNull(trimBoth({text_of(binder, value)}))")


def finite(binder: Binder, text: str) -> str:
    """Return SQL for a number that is NULL when it is not finite."""
    held = binder.bind(text)
    return f"if(isFinite({held}), {held}, NULL)"


def truth(binder: Binder, value: Sql) -> str:
    """Return SQL for whether a value counts as true; a missing one does not."""
    if value.kind == "bool":
        return value.text
    if value.kind in ("number", "time"):
        return f"ifNull({value.text} != 0, 0)"
    text = binder.bind(text_of(binder, value))
    as_number = number(binder, Sql("text", text))
    return f"(ifNull({text} = 'true', 0) OR ifNull({as_number} != 0, 0))"


def time_of(binder: Binder, value: Sql) -> str:
    """Return SQL for a value's time in milliseconds; a number counts milliseconds since 1970."""
    if value.kind == "time":
        return value.text
    held = binder.bind(number(binder, value))
    return f"if({held} BETWEEN {TIME_MS_MIN} AND {TIME_MS_MAX}, {whole(f'trunc({held})')}, NULL)"


def present(value: Sql) -> str:
    """Return SQL for whether a value is there."""
    return f"isNotNull({value.text})"


def compare(binder: Binder, op: str, left: Sql, right: Sql) -> Sql:
    """Return a comparison: false when a side is missing, a map or a list.

    A number makes the comparison one of numbers. Two texts are compared as numbers when both are
    numbers, else as texts; they are also equal when they are the same text, so that ids with more
    digits than a number has stay apart.
    """
    if op == "!=":
        same = compare(binder, "=", left, right).text
        return Sql("bool", f"({_both(binder, left, right)} AND NOT {same})")
    if "number" in (left.kind, right.kind):
        return _truth_of(f"{number(binder, left)} {op} {number(binder, right)}")
    if "bool" in (left.kind, right.kind) or not _may_be_numbers(left, right):
        return _truth_of(f"{text_of(binder, left)} {op} {text_of(binder, right)}")
    texts = binder.bind(text_of(binder, left)), binder.bind(text_of(binder, right))
    numbers = (
        binder.bind(number(binder, _texted(left, texts[0]))),
        binder.bind(number(binder, _texted(right, texts[1]))),
    )
    by_text = f"{texts[0]} {op} {texts[1]}"
    by_number = f"{numbers[0]} {op} {numbers[1]}"
    if op == "=":
        exact = f"abs({numbers[0]}) < {EXACT_MAX}"
        return Sql("bool", f"(ifNull({by_text}, 0) OR ifNull({by_number} AND {exact}, 0))")
    both = f"isNotNull({numbers[0]}) AND isNotNull({numbers[1]})"
    return _truth_of(f"if({both}, {by_number}, {by_text})")


def _texted(value: Sql, text: str) -> Sql:
    return value if value.kind == "time" else Sql("text", text, value.constant)


def _may_be_numbers(left: Sql, right: Sql) -> bool:
    return not any(
        isinstance(side.constant, str) and number_of(side.constant) is None
        for side in (left, right)
    )


def _both(binder: Binder, left: Sql, right: Sql) -> str:
    """Return SQL for whether both sides can be compared at all."""
    as_numbers = "number" in (left.kind, right.kind)
    of = number if as_numbers else text_of
    certain = (float, bool) if as_numbers else (float, bool, str)
    sides = [of(binder, side) for side in (left, right) if not isinstance(side.constant, certain)]
    return " AND ".join(f"isNotNull({side})" for side in sides) or "1"


def _truth_of(condition: str) -> Sql:
    return Sql("bool", f"ifNull({condition}, 0)")


def stored_of_raw(raw: str) -> str:
    """Return SQL for the stored form of a raw JSON value; '' and null are missing."""
    return once(
        raw,
        "multiIf(r IN ('', 'null'), NULL, ascii(r) != 34 OR position(r, '\\\\') = 0, r, "
        "concat('\"', JSONExtractString(r), '\"'))",
    )


def once(text: str, body: str) -> str:
    """Return SQL that computes an expression of `r` for one `r`.

    A lambda is one step to the engine's planner, which otherwise writes `r` out at each of its
    uses: a filter on some paths took seconds to plan.
    """
    return f"arrayMap(r -> {body}, [{text}])[1]"


def part_of(binder: Binder, held: str, path: tuple[str | int, ...]) -> str:
    """Return SQL for what stands at a path inside a stored value, in stored form."""
    raw = f"ifNull({held}, '')"
    names: list[str] = []
    for part in path:
        if isinstance(part, str) and not (part.isascii() and part.isdigit()):
            names.append(binder.parameter(part))
            continue
        if names:
            raw, names = f"JSONExtractRaw({raw}, {', '.join(names)})", []
        inside = f"JSONExtractRaw(r, {binder.parameter(str(part))})"
        raw = once(raw, f"if(ascii(r) = 91, JSONExtractRaw(r, {int(part) + 1}), {inside})")
    if names:
        raw = f"JSONExtractRaw({raw}, {', '.join(names)})"
    return stored_of_raw(raw)
