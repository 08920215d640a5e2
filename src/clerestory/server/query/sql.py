"""Turn a search's tree into a condition on the table `logs`, or one of its shape.

    text -> lexer -> parser -> tree -> [sql]

Invariant: whatever was typed travels as a parameter; the SQL text is made of our words alone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from clerestory.model.errors import QueryError
from clerestory.model.severity import ALIASES, LEVELS
from clerestory.server.query.tree import And, Node, Not, Term, Value, Word

_COLUMNS: Final = {"service": "service", "logger": "logger"}
_IDS: Final = {"trace": "trace_id", "trace_id": "trace_id", "span": "span_id", "span_id": "span_id"}
_ORDER: Final = {">": ">", ">=": ">=", "<": "<", "<=": "<="}
_TOKEN: Final = re.compile(r"[0-9a-z\u0080-\U0010ffff]+")
_NUMBER: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([A-Za-zµ]*)", re.ASCII)

_DURATIONS_S: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_SIZES: Final = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_FIELD_UNITS_S: Final = {
    "ns": 1e-9,
    "nanoseconds": 1e-9,
    "us": 1e-6,
    "microseconds": 1e-6,
    "ms": 1e-3,
    "millis": 1e-3,
    "milliseconds": 1e-3,
    "min": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hours": 3600.0,
}


@dataclass(slots=True)
class Condition:
    """SQL that is true for matching records, and the parameters it names.

    Attributes:
        sql: The condition.
        parameters: Value of each `{name:Type}` in it.
        own: Returns the SQL of a term that the table has a meaning of its own for, or None.
    """

    sql: str = "1"
    parameters: dict[str, str | int | float] = field(default_factory=dict)
    own: "OwnTerm | None" = None

    def text(self, value: str) -> str:
        """Return SQL that stands for a text."""
        return self._add(value, "String")

    def number(self, value: float) -> str:
        """Return SQL that stands for a number."""
        return self._add(value, "Float64")

    def _add(self, value: str | float, kind: str) -> str:
        name = f"q{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{kind}}}"


OwnTerm: TypeAlias = Callable[[Term, Condition], str | None]


def condition_of(node: Node, own: OwnTerm | None = None) -> Condition:
    """Return the condition of a search.

    Args:
        node: What was typed.
        own: Terms that mean something else than on `logs`.

    Raises:
        QueryError: A value does not fit its field, such as `level>=blue` or `size>big`.
    """
    condition = Condition(own=own)
    condition.sql = _sql(node, condition)
    return condition


def _sql(node: Node, made: Condition) -> str:
    if isinstance(node, Word):
        return _message(node.value, made)
    if isinstance(node, Term):
        return _term(node, made)
    if isinstance(node, Not):
        return f"NOT ({_sql(node.part, made)})"
    word = " AND " if isinstance(node, And) else " OR "
    parts = [f"({_sql(part, made)})" for part in node.parts]
    return word.join(parts) or "1"


def _term(term: Term, made: Condition) -> str:
    told = made.own(term, made) if made.own else None
    if told is not None:
        return told
    name = term.field.lower()
    if name == "has":
        return _has(term, made)
    if name == "level":
        return _level(term, made)
    if term.op in _ORDER:
        return _ordered(term, made)
    if name == "message":
        return any_of(term, [_message_term(term, value, made) for value in term.values])
    if name in _IDS:
        column = _IDS[name]
        return any_of(term, [keyword(column, v, made, lower=True) for v in term.values])
    if name in _COLUMNS:
        column = _COLUMNS[name]
        return any_of(term, [keyword(column, value, made) for value in term.values])
    return _attribute(term, made)


def any_of(term: Term, parts: list[str]) -> str:
    """Return SQL that is true where a part is, or with `!=` where none is."""
    joined = " OR ".join(f"({part})" for part in parts)
    return f"NOT ({joined})" if term.op == "!=" else joined


def _like(text: str) -> str:
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    return re.sub(r"\*+", "%", escaped)


def keyword(column: str, value: Value, made: Condition, *, lower: bool = False) -> str:
    """Return SQL that compares a column with a value as a whole."""
    text = value.text.lower() if lower else value.text
    if value.wildcard:
        return f"{column} LIKE {made.text(_like(text))}"
    return f"{column} = {made.text(text)}"


def tokens_of(text: str) -> list[str]:
    """Return the words of a text as the message index knows them: ASCII lower case.

    >>> tokens_of("Smtp-Timeout ÄB 5")
    ['smtp', 'timeout', 'ÄB'.replace('B', 'b'), '5']
    """
    return _TOKEN.findall(ascii_lower(text))


def ascii_lower(text: str) -> str:
    """Return the text with A to Z in lower case, and nothing else changed."""
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def _message(value: Value, made: Condition) -> str:
    if value.wildcard:
        return f"lower(message) LIKE {made.text('%' + _like(ascii_lower(value.text)) + '%')}"
    words = tokens_of(value.text)
    if not words:
        return f"position(lower(message), {made.text(ascii_lower(value.text))}) > 0"
    if len(words) == 1:
        return f"hasAllTokens(lower(message), {made.text(words[0])})"
    return f"hasPhrase(lower(message), {made.text(' '.join(words))})"


def _message_term(term: Term, value: Value, made: Condition) -> str:
    if term.op == ":":
        return _message(value, made)
    if value.wildcard:
        return f"message LIKE {made.text(_like(value.text))}"
    return f"message = {made.text(value.text)}"


def _attribute(term: Term, made: Condition) -> str:
    held = f"attrs[{made.text(term.field)}]"
    parts: list[str] = []
    for value in term.values:
        if value.wildcard:
            bare = f"if(ascii({held}) = 34, substring({held}, 2, length({held}) - 2), {held})"
            parts.append(f"{held} != '' AND {bare} LIKE {made.text(_like(value.text))}")
        elif not value.text:
            parts.append(f"mapContains(attrs, {made.text(term.field)}) AND length({held}) = 0")
        else:
            forms = [f"{held} = {made.text(form)}" for form in stored_forms(value.text)]
            parts.append(" OR ".join(forms))
    return any_of(term, parts)


def stored_forms(text: str) -> list[str]:
    """Return the texts that a value equal to `text` may be stored as (see store/decode).

    >>> stored_forms("api"), stored_forms("42"), stored_forms("1.0")
    (['api'], ['42', '"42"', '42.0'], ['1.0', '"1.0"', '1'])
    """
    if text[0] not in '"-0123456789[{' and text not in ("true", "false", "null"):
        return [text]
    forms = [text, f'"{text}"']
    number = _NUMBER.fullmatch(text)
    if number and not number[2] and abs(float(text)) < 1e15 and float(text).is_integer():
        forms += [form for form in (str(int(float(text))), f"{int(float(text))}.0") if form != text]
    return forms


def _has(term: Term, made: Condition) -> str:
    if term.op not in (":", "="):
        message = f"`has` takes `:` and a field's name, not `{term.op}`"
        raise QueryError(message, position=term.position, length=3, hint="as in has:exception")
    return any_of(term, [_present(value, made) for value in term.values])


def _present(value: Value, made: Condition) -> str:
    name = value.text.lower()
    if value.wildcard:
        pattern = made.text(_like(value.text))
        return f"arrayExists(k -> k LIKE {pattern}, mapKeys(attrs))"
    if name in _IDS or name in _COLUMNS or name == "message":
        return f"{_IDS.get(name) or _COLUMNS.get(name) or 'message'} != ''"
    if name == "level":
        return "1"
    return f"mapContains(attrs, {made.text(value.text)})"


def _level(term: Term, made: Condition) -> str:
    if term.op in _ORDER:
        bounds = [_severity(term, value) for value in term.values]
        return any_of(term, [f"severity {term.op} {bound}" for bound in bounds])
    parts: list[str] = []
    for value in term.values:
        name = value.text.upper()
        if value.text.isascii() and value.text.isdigit():
            parts.append(f"severity = {made.number(int(value.text[:9]))}")
        elif value.wildcard:
            parts.append(f"level LIKE {made.text(_like(name))}")
        else:
            parts.append(f"level = {made.text(ALIASES.get(name, name))}")
    return any_of(term, parts)


def _severity(term: Term, value: Value) -> int:
    name = ALIASES.get(value.text.upper(), value.text.upper())
    if name in LEVELS:
        return LEVELS[name]
    if value.text.isascii() and value.text.isdigit() and len(value.text) < 4:
        return int(value.text)
    raise QueryError(
        f"`{value.text[:40]}` is no level that {term.op} could compare",
        position=value.position,
        length=len(value.text),
        hint="one of " + ", ".join(LEVELS).lower() + ", or a number",
    )


def _ordered(term: Term, made: Condition) -> str:
    name = term.field.lower()
    if name in _COLUMNS or name in _IDS or name == "message":
        message = f"`{term.field}` is text and has no order"
        hint = f"use {term.field}: or {term.field}="
        raise QueryError(message, position=term.position, length=len(term.field), hint=hint)
    held = f"toFloat64OrNull(attrs[{made.text(term.field)}])"
    bounds = [compared_number(term, value) for value in term.values]
    parts = [f"ifNull({held} {term.op} {made.number(bound)}, 0)" for bound in bounds]
    return any_of(term, parts)


def compared_number(term: Term, value: Value) -> float:
    """Return a number; a duration is in the unit that the field's name ends in, else seconds."""
    found = _NUMBER.fullmatch(value.text)
    unit = found[2] if found else ""
    if found and not unit:
        return _finite(float(found[1]), value)
    if found and unit.lower() in _SIZES:
        return _finite(float(found[1]) * _SIZES[unit.lower()], value)
    if found and unit in _DURATIONS_S:
        ending = re.split(r"[._-]", term.field.lower())[-1]
        seconds = float(found[1]) * _DURATIONS_S[unit]
        return _finite(seconds / _FIELD_UNITS_S.get(ending, 1.0), value)
    raise QueryError(
        f"`{value.text[:40]}` is not a number that `{term.op}` could compare",
        position=value.position,
        length=max(1, len(value.text)),
        hint="a number, a duration such as 250ms, 1.5s or 2m, or a size such as 10kb or 4MiB",
    )


def _finite(number: float, value: Value) -> float:
    if number in (float("inf"), float("-inf")):
        message = "the number is too large"
        raise QueryError(message, position=value.position, length=len(value.text))
    return number
