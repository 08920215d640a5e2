"""What a search must find, written as plainly as possible: the reference for the SQL."""

import fnmatch
import re

from clerestory.model.severity import ALIASES, LEVELS
from clerestory.server.query.tree import And, Not, Or, Term, Word


def words(text):
    return re.findall(r"[0-9A-Za-z\u0080-\U0010ffff]+", text)


def lower(text):
    return re.sub("[A-Z]", lambda found: found[0].lower(), text)


def like(text, pattern):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def in_message(value, message):
    if value.wildcard:
        return like(lower(message), f"*{lower(value.text)}*")
    wanted, held = words(lower(value.text)), words(lower(message))
    if not wanted:
        return lower(value.text) in lower(message)
    return any(held[i : i + len(wanted)] == wanted for i in range(len(held)))


def shown(value):
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def equal(held, value):
    if value.wildcard:
        return bool(held) and like(held, value.text)
    if held == value.text:
        return True
    try:
        return float(held) == float(value.text) and "." in (held + value.text)
    except ValueError:
        return False


def matches(node, record):
    if isinstance(node, Word):
        return in_message(node.value, record["message"])
    if isinstance(node, Not):
        return not matches(node.part, record)
    if isinstance(node, And):
        return all(matches(part, record) for part in node.parts)
    if isinstance(node, Or):
        return any(matches(part, record) for part in node.parts)
    assert isinstance(node, Term)
    found = any(matches_value(node, value, record) for value in node.values)
    return not found if node.op == "!=" else found


def matches_value(term, value, record):
    compare = {
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
    }.get(term.op)
    if term.field == "has":
        return value.text in record["attrs"]
    if term.field == "level":
        name = ALIASES.get(value.text.upper(), value.text.upper())
        if compare:
            return compare(LEVELS[record["level"]], LEVELS[name])
        return fnmatch.fnmatchcase(record["level"], name)
    if term.field == "message":
        if term.op == ":":
            return in_message(value, record["message"])
        return (
            like(record["message"], value.text)
            if value.wildcard
            else (record["message"] == value.text)
        )
    if term.field not in record["attrs"]:
        return False
    held = record["attrs"][term.field]
    if compare:
        if isinstance(held, (int, float)) and not isinstance(held, bool):
            return compare(held, float(value.text))
        return False
    return equal(shown(held), value)
