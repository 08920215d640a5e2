"""Ask a filter pattern of one event, in Python.

    tree -> [predicate] -> TestMetricFilter

Invariant: true for exactly the events for which the SQL of the same tree is true.
"""

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final

from clerestory.server.aws.patterns.parser import NUMBER
from clerestory.server.aws.patterns.tree import (
    And,
    Compare,
    Fields,
    Glob,
    Is,
    Number,
    Operand,
    Or,
    Pattern,
    Regex,
    Selector,
    Terms,
    Test,
)

WORDS: Final = r'\[[^\]]*\]|"[^"]*"|[^ \t\n\f\r]+'
_WORDS: Final = re.compile(WORDS)
_MISSING: Final = object()
_NO_JSON: Final = object()
_INT_MIN: Final = -(2**63)
_INT_END: Final = 2**64
_ORDER: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def extract(pattern: Pattern, event: str) -> dict[str, str] | None:
    """Return what a pattern takes out of an event that it matches; None if it does not match."""
    if isinstance(pattern, Terms):
        return {} if _has_terms(pattern, event) else None
    if isinstance(pattern, Fields):
        words = words_of(event)
        if not _fits(pattern, words):
            return None
        numbered = enumerate(pattern.names, 1)
        return {f"${name or number}": words[pattern.index(number - 1)] for number, name in numbered}
    found = _parsed(event)
    if found is _NO_JSON or not _holds(pattern.test, found):
        return None
    return {
        selector.text: _shown(value)
        for selector in _selectors(pattern.test)
        if (value := _at(found, selector)) is not _MISSING
    }


def matches(pattern: Pattern, event: str) -> bool:
    """Return whether an event matches."""
    return extract(pattern, event) is not None


def words_of(event: str) -> list[str]:
    """Return the fields of an event: words, `[..]` and `".."`, without the signs around them."""
    return [_bare(word) for word in _WORDS.findall(event)]


def _bare(word: str) -> str:
    is_around = len(word) > 1 and word[0] + word[-1] in ("[]", '""')
    return word[1:-1] if is_around else word


def _has_terms(terms: Terms, event: str) -> bool:
    if terms.optional and not any(_contains(event, term) for term in terms.optional):
        return False
    wanted = all(_contains(event, term) for term in terms.required)
    return wanted and not any(_contains(event, term) for term in terms.excluded)


def _contains(event: str, term: str | Regex) -> bool:
    if isinstance(term, Regex):
        return re.search(term.python, event) is not None
    return term in event


def _fits(fields: Fields, words: list[str]) -> bool:
    count = len(fields.names)
    if len(words) < count or (len(words) > count and not fields.open):
        return False
    return _holds(fields.test, words)


def _holds(test: Test, event: Any) -> bool:
    if isinstance(test, And):
        return all(_holds(part, event) for part in test.parts)
    if isinstance(test, Or):
        return any(_holds(part, event) for part in test.parts)
    if isinstance(test, Is):
        value = _at(event, test.subject)
        known = {"null": None, "true": True, "false": False, "missing": _MISSING}
        return value is known[test.what]
    if isinstance(test.subject, int):
        return _compares_word(event[test.subject], test.op, test.operand)
    return _compares(_at(event, test.subject), test)


def _compares_word(word: str, op: str, operand: Operand) -> bool:
    if not isinstance(operand, Number):
        return _matches(word, operand) == (op == "=")
    is_number = NUMBER.fullmatch(word) is not None
    if op in ("=", "!="):
        is_equal = word == operand.text or (is_number and float(word) == operand.value)
        return is_equal == (op == "=")
    return is_number and _ORDER[op](float(word), operand.value)


def _compares(value: Any, test: Compare) -> bool:
    if value is _MISSING or value is None or isinstance(value, dict | list):
        return False
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(test.operand, Number):
        if not is_number:
            return test.op == "!="
        return _ORDER[test.op](float(value), test.operand.value)
    if isinstance(value, float):
        is_equal = isinstance(test.operand, Glob) and test.operand.is_any
    else:
        is_equal = _matches(_shown(value), test.operand)
    return is_equal == (test.op == "=")


def _matches(text: str, operand: Operand) -> bool:
    if isinstance(operand, Regex):
        return re.search(operand.python, text) is not None
    if isinstance(operand, Number):
        return text == operand.text
    return _globs(text, operand)


def _globs(text: str, glob: Glob) -> bool:
    if glob.open_start and glob.open_end:
        return glob.text in text
    if glob.open_start:
        return text.endswith(glob.text)
    return text.startswith(glob.text) if glob.open_end else text == glob.text


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _selectors(test: Test) -> list[Selector]:
    if isinstance(test, And | Or):
        return [one for part in test.parts for one in _selectors(part)]
    return [test.subject] if isinstance(test.subject, Selector) else []


def _at(event: Any, selector: Selector) -> Any:
    for step in selector.steps:
        if isinstance(step, int):
            if not isinstance(event, list) or step >= len(event):
                return _MISSING
        elif not isinstance(event, dict) or step not in event:
            return _MISSING
        event = event[step]
    return event


def _parsed(event: str) -> Any:
    """Return an event's object or list, read as the engine reads it."""
    try:
        found = json.loads(
            event.removeprefix("\ufeff"),
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_refused,
            object_pairs_hook=_first_of_each,
        )
        event.encode()
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return _NO_JSON
    return found if isinstance(found, dict | list) else _NO_JSON


def _integer(text: str) -> int | str:
    """Return a whole number; what no 64 bits hold stays text."""
    number = int(text)
    return number if _INT_MIN <= number < _INT_END else str(number)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _refused(text: str) -> Any:
    raise ValueError(text)


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))
