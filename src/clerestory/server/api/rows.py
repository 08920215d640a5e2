"""Rows of the store as the page reads them.

    store -> [rows] -> logs, live

Invariant: a value that was sent as a JSON string, number, boolean, null, list or object is shown
as the same type, with the same digits.
"""

from typing import Any, Final

import msgspec

ROW_SQL: Final = (
    "toString(toUnixTimestamp64Nano(ts)), level, service, logger, message, trace_id, span_id, "
    "attrs, spool, toString(seq)"
)
ORDER_SQL: Final = "ts, spool, seq"

_RAW_STARTS: Final = frozenset("-0123456789[{")
_WORDS: Final = frozenset({"true", "false", "null"})
_encode = msgspec.json.encode


def typed(text: str) -> str | msgspec.Raw:
    """Return the JSON value that a stored text stands for.

    >>> typed("abc"), typed('"42"'), bytes(typed("42"))
    ('abc', '42', b'42')
    """
    if not text:
        return text
    if text[0] == '"':
        return text[1:-1]
    if text[0] in _RAW_STARTS or text in _WORDS:
        return msgspec.Raw(text.encode())
    return text


def display(text: str) -> str:
    """Return a stored text as it is shown: without the quotes that keep its type."""
    return text[1:-1] if text.startswith('"') else text


def typed_map(stored: dict[str, str]) -> dict[str, str | msgspec.Raw]:
    """Return a stored map with its values typed."""
    return {name: typed(text) for name, text in stored.items()}


def row_of(found: list[Any]) -> dict[str, Any]:
    """Return the row of one result of `SELECT {ROW_SQL}`."""
    ns, level, service, logger, message, trace_id, span_id, attrs, spool, seq = found[:10]
    return {
        "id": f"{spool}:{seq}",
        "ts": ns,
        "level": level,
        "service": service,
        "logger": logger,
        "message": message,
        "trace_id": trace_id,
        "span_id": span_id,
        "attrs": typed_map(attrs),
    }


def cursor_of(found: list[Any]) -> str:
    """Return where a list that ended with this row goes on."""
    return f"{found[0]}:{found[8]}:{found[9]}"


def encode(answer: Any) -> bytes:
    """Return an answer as JSON."""
    return _encode(answer)
