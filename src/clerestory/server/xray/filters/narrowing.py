"""Which traces could fulfil a filter expression: a condition for the engine.

    tree -> [narrowing] -> SQL -> selection -> predicate

The engine finds the few traces that have what an expression asks for; the predicate then decides.
What cannot be said of a single span narrows nothing.

Invariant: a trace that fulfils the expression fulfils the condition.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from collections.abc import Sequence
from typing import Final

from clerestory.server.query.sql import Condition
from clerestory.server.xray.filters import tree
from clerestory.server.xray.filters.tree import Expression, Selector
from clerestory.wire.xray.members import ANNOTATION

# Where the spans of a trace may be that began in the range that is asked for.
WIDE: Final = (
    "ts >= fromUnixTimestamp64Nano({wide_from:Int64}, 'UTC') "
    "AND ts < fromUnixTimestamp64Nano({wide_to:Int64}, 'UTC')"
)
_FLAGS: Final = {
    "fault": (
        "(attrs['aws.xray.fault'] = 'true' OR (NOT mapContains(attrs, 'aws.xray.type') AND "
        "(status = 'error' OR mapContains(attrs, 'http.response.status_code') "
        "OR mapContains(attrs, 'http.status_code'))))"
    ),
    "error": (
        "(attrs['aws.xray.error'] = 'true' OR mapContains(attrs, 'http.response.status_code') "
        "OR mapContains(attrs, 'http.status_code'))"
    ),
    "throttle": (
        "(attrs['aws.xray.throttle'] = 'true' OR attrs['http.response.status_code'] = '429' "
        "OR attrs['http.status_code'] = '429')"
    ),
    "partial": "pending",
}


def narrowed(expression: Expression, made: Condition) -> str:
    """Return SQL of the traces that can fulfil an expression; empty if all can."""
    if isinstance(expression, tree.Every):
        return _joined("AND", [narrowed(part, made) for part in expression.parts])
    if isinstance(expression, tree.Some):
        parts = [narrowed(part, made) for part in expression.parts]
        return _joined("OR", parts) if all(parts) else ""
    of_span = _of_span(expression, made)
    if not of_span:
        return _lasting(expression, made)
    return f"trace_id IN (SELECT trace_id FROM spans WHERE {WIDE} AND {of_span})"


def _joined(word: str, parts: Sequence[str]) -> str:
    known = [part for part in parts if part]
    return f"({f' {word} '.join(known)})" if known else ""


def _of_span(expression: Expression, made: Condition) -> str:
    match expression:
        case tree.Annotated(key, op, value):
            held = f"mapContains(attrs, {made.text(ANNOTATION + key)})"
            if op == "=" and isinstance(value, str) and value[:1].isalpha():
                stored = f"attrs[{made.text(ANNOTATION + key)}]"
                return f"({held} AND {stored} IN ({made.text(value)}, {made.text(_quoted(value))}))"
            return held
        case tree.Service(selector, _):
            return _named(selector, made)
        case tree.Edge(caller, callee, _):
            return _named(callee, made) or _named(caller, made)
        case tree.Compared("responsetime", ">" | ">=", float(value)) if value > 0:
            return f"duration_ns >= {made.number(_ns_below(value))}"
        case tree.Compared("http.status", "=", float(value)) if value in range(100, 1000):
            status = made.text(str(int(value)))
            names = ("http.response.status_code", "http.status_code")
            told = [f"attrs['{name}'] = {status}" for name in names]
            return f"({' OR '.join(told)})"
        case tree.Compared(keyword, "=", value):
            if keyword in _FLAGS and value is True:
                return _FLAGS[keyword]
            if keyword == "user" and isinstance(value, str) and value[:1].isalpha():
                texts = f"({made.text(value)}, {made.text(_quoted(value))})"
                return f"attrs['enduser.id'] IN {texts}"
    return ""


def _lasting(expression: Expression, made: Condition) -> str:
    """Return SQL of the traces that take as long as an expression wants."""
    match expression:
        case tree.Compared("duration", ">" | ">=", float(value)) if value > 0:
            # of a span that was told twice both ends count, so the time may be found too long
            start = "toUnixTimestamp64Nano(ts)"
            took = f"max({start} + toInt64(duration_ns)) - min({start})"
            return (
                f"trace_id IN (SELECT trace_id FROM spans WHERE {WIDE} GROUP BY trace_id "
                f"HAVING {took} >= {made.number(_ns_below(value))})"
            )
    return ""


def _ns_below(seconds: float) -> float:
    """Return nanoseconds, a little less than seconds are: floats are compared on both sides."""
    return min(seconds, 1e9) * 1e9 * (1 - 1e-12) - 1


def _quoted(value: str) -> str:
    """Return the stored form of a text that could be read as something else."""
    return f'"{value}"'


def _named(selector: Selector, made: Condition) -> str:
    if selector.name is None:
        return ""
    name = made.text(selector.name)
    return f"(service = {name} OR name = {name} OR peer = {name})"
