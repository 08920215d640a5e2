"""Turn a filter pattern into a condition of the store.

    tree -> [sql] -> FilterLogEvents, Live Tail, metric filters

Invariant: true for exactly the events for which the predicate of the same tree is true. What was
typed travels as a parameter.
"""

from typing import Final

from clerestory.server.aws.groups import Condition
from clerestory.server.aws.patterns.predicate import WORDS
from clerestory.server.aws.patterns.tree import (
    And,
    Compare,
    Fields,
    Glob,
    Is,
    Json,
    Number,
    Operand,
    Or,
    Pattern,
    Regex,
    Selector,
    Terms,
    Test,
)

_NUMBERS: Final = "('Int64', 'UInt64', 'Double')"
_TEXTS: Final = "('String', 'Int64', 'UInt64', 'Bool')"
_SCALARS: Final = "('String', 'Int64', 'UInt64', 'Double', 'Bool')"
_IS_NUMBER: Final = "'\\\\A-?[0-9]+(?:\\\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\\\\z'"
_WORDS: Final = WORDS.replace("\\", "\\\\").replace("'", "\\'")


def pattern_sql(pattern: Pattern, event: str, made: Condition) -> str:
    """Return the condition that an event matches.

    Args:
        pattern: What was asked.
        event: SQL of the event's text.
        made: Takes the parameters.
    """
    if isinstance(pattern, Terms):
        return _terms(pattern, event, made)
    if isinstance(pattern, Fields):
        return _fields(pattern, event, made)
    return _json(pattern.test, event, made)


def value_sql(pattern: Pattern, source: str, event: str, made: Condition) -> str:
    """Return SQL of the number that a metric's value stands for, NULL if it is none.

    Args:
        pattern: The filter's pattern; names its fields.
        source: A number, `$.selector` or `$field`.
        event: SQL of the event's text.
        made: Takes the parameters.
    """
    from clerestory.server.aws.patterns.parser import NUMBER, parse_pattern

    if NUMBER.fullmatch(source):
        return made.number(float(source))
    if isinstance(pattern, Fields):
        number = pattern.names.index(source.removeprefix("$"))
        return f"toFloat64OrNull({_words(event)}[{_position(pattern.index(number))}])"
    compare = parse_pattern(f"{{ {source} = 1 }}")
    selector = compare.test.subject if isinstance(compare, Json) else None  # type: ignore[union-attr]
    if not isinstance(selector, Selector):
        return "NULL"
    kind, path = _kind(selector, event, made), _path(selector, event, made)
    return (
        f"multiIf(NOT ({_reachable(selector, event, made)}), NULL, {kind} IN {_NUMBERS}, "
        f"JSONExtractFloat({path}), {kind} = 'String', "
        f"toFloat64OrNull(JSONExtractString({path})), NULL)"
    )


def _terms(terms: Terms, event: str, made: Condition) -> str:
    parts = [_contains(event, term, made) for term in terms.required]
    parts += [f"NOT ({_contains(event, term, made)})" for term in terms.excluded]
    if terms.optional:
        any_of = " OR ".join(f"({_contains(event, term, made)})" for term in terms.optional)
        parts.append(f"({any_of})")
    return " AND ".join(parts) or "1"


def _contains(event: str, term: str | Regex, made: Condition) -> str:
    if isinstance(term, Regex):
        return f"match({event}, {made.text(term.re2)})"
    return f"position({event}, {made.text(term)}) > 0"


def _words(event: str) -> str:
    return (
        "arrayMap(w -> if(length(w) > 1 AND concat(left(w, 1), right(w, 1)) IN ('[]', '\"\"'), "
        f"substring(w, 2, length(w) - 2), w), extractAll({event}, '{_WORDS}'))"
    )


def _position(index: int) -> int:
    """Return the engine's index: from 1, or from the end."""
    return index + 1 if index >= 0 else index


def _fields(fields: Fields, event: str, made: Condition) -> str:
    sign = ">=" if fields.open else "="
    parts = [f"length(t) {sign} {len(fields.names)}"]
    if fields.test.parts:
        parts.append(_field_test(fields.test, made))
    return f"arrayExists(t -> {' AND '.join(parts)}, [{_words(event)}])"


def _field_test(test: Test, made: Condition) -> str:
    if isinstance(test, And | Or):
        word = " AND " if isinstance(test, And) else " OR "
        return "(" + word.join(_field_test(part, made) for part in test.parts) + ")"
    if isinstance(test, Is) or isinstance(test.subject, Selector):
        return "0"
    word = f"t[{_position(test.subject)}]"
    if not isinstance(test.operand, Number):
        return _signed(test.op, _matches(word, test.operand, made))
    number = f"toFloat64OrZero({word})"
    value = made.number(test.operand.value)
    if test.op in ("=", "!="):
        is_number = f"match({word}, {_IS_NUMBER}) AND {number} = {value}"
        return _signed(test.op, f"{word} = {made.text(test.operand.text)} OR ({is_number})")
    return f"(match({word}, {_IS_NUMBER}) AND {number} {test.op} {value})"


def _signed(op: str, equal: str) -> str:
    return f"({equal})" if op == "=" else f"NOT ({equal})"


def _matches(text: str, operand: Operand, made: Condition) -> str:
    if isinstance(operand, Regex):
        return f"match({text}, {made.text(operand.re2)})"
    if isinstance(operand, Number):
        return f"{text} = {made.text(operand.text)}"
    wanted = made.text(operand.text)
    if operand.open_start and operand.open_end:
        return f"position({text}, {wanted}) > 0"
    if operand.open_start:
        return f"endsWith({text}, {wanted})"
    return f"startsWith({text}, {wanted})" if operand.open_end else f"{text} = {wanted}"


def _json(test: Test, event: str, made: Condition) -> str:
    if isinstance(test, And | Or):
        word = " AND " if isinstance(test, And) else " OR "
        return "(" + word.join(_json(part, event, made) for part in test.parts) + ")"
    selector = test.subject
    if not isinstance(selector, Selector):
        return "0"
    reachable = _reachable(selector, event, made)
    if isinstance(test, Compare):
        return f"({reachable} AND {_compare(test, selector, event, made)})"
    if test.what == "missing":
        return f"(JSONType({event}) IN ('Object', 'Array') AND NOT ({reachable}))"
    kind = _kind(selector, event, made)
    if test.what == "null":
        return f"({reachable} AND {kind} = 'Null')"
    raw = f"JSONExtractRaw({_path(selector, event, made)})"
    return f"({reachable} AND {kind} = 'Bool' AND {raw} = '{test.what}')"


def _path(selector: Selector, event: str, made: Condition) -> str:
    return ", ".join([event, *_steps(selector.steps, made)])


def _steps(steps: tuple[str | int, ...], made: Condition) -> list[str]:
    return [str(step + 1) if isinstance(step, int) else made.text(step) for step in steps]


def _kind(selector: Selector, event: str, made: Condition) -> str:
    return f"JSONType({_path(selector, event, made)})"


def _reachable(selector: Selector, event: str, made: Condition) -> str:
    """Return that the place exists; the engine's numbers count members of objects, too."""
    parts = [
        "JSONType("
        + ", ".join([event, *_steps(selector.steps[:depth], made)])
        + ") = "
        + ("'Array'" if isinstance(step, int) else "'Object'")
        for depth, step in enumerate(selector.steps)
        if isinstance(step, int) or depth == 0
    ]
    return " AND ".join([*parts, f"JSONHas({_path(selector, event, made)})"])


def _compare(test: Compare, selector: Selector, event: str, made: Condition) -> str:
    kind, path = _kind(selector, event, made), _path(selector, event, made)
    if isinstance(test.operand, Number):
        value = made.number(test.operand.value)
        number = f"{kind} IN {_NUMBERS} AND JSONExtractFloat({path}) {test.op} {value}"
        return f"(({number}) OR {kind} IN ('String', 'Bool'))" if test.op == "!=" else f"({number})"
    if isinstance(test.operand, Glob) and test.operand.is_any:
        return f"{kind} IN {_SCALARS}" if test.op == "=" else "0"
    text = f"if({kind} = 'String', JSONExtractString({path}), JSONExtractRaw({path}))"
    equal = f"{kind} IN {_TEXTS} AND ({_matches(text, test.operand, made)})"
    return f"({equal})" if test.op == "=" else f"({kind} IN {_SCALARS} AND NOT ({equal}))"
