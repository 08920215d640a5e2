"""One record as one line of JSON, as the spool keeps it and destinations send it.

    call -> process -> [line] -> spool -> worker -> destination

The spool's form begins with the time as an integer of nanoseconds, always 19 digits, so that a
destination can put in the ISO text by cutting at fixed offsets, without parsing:

    {"timestamp":1795314823428724290,"level":"INFO","logger":"shop",...}

Invariant: a line holds no raw line feed and no NUL byte, and ends with one line feed.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

RESERVED: Final = frozenset(
    (
        "timestamp",
        "level",
        "logger",
        "message",
        "module",
        "funcName",
        "lineno",
        "trace_id",
        "span_id",
        "kind",
        "exception",
        "exception.type",
        "stack",
        "log.record.template",
    )
)
# What a span's line needs besides.
SPAN_KEYS: Final = frozenset(
    (
        "parent_span_id",
        "duration_ns",
        "trace_state",
        "span.kind",
        "span.status",
        "span.status_message",
        "span.events",
        "span.links",
        "span.pending",
        "span.dropped",
    )
)

_HEAD: Final = b'{"timestamp":'
_DIGITS_START: Final = len(_HEAD)
_DIGITS_END: Final = _DIGITS_START + 19
_NS: Final = 1_000_000_000


def rename(key: str) -> str:
    """Return the key under which a field that collides with a reserved one is kept.

    >>> rename("level")
    'field.level'
    """
    return f"field.{key}"


@lru_cache(maxsize=8)
def _second_text(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def iso_time(ns: int) -> str:
    """Return ISO 8601 text in UTC with nanoseconds.

    >>> iso_time(1795314823428724290)
    '2026-11-22T02:33:43.428724290Z'
    """
    second, rest = divmod(ns, _NS)
    return f"{_second_text(second)}.{rest:09d}Z"


def with_iso_time(line: bytes) -> bytes:
    """Return the line with its time as ISO text, as files and clouds want it.

    A line that does not begin with our time is returned as it is.
    """
    if not line.startswith(_HEAD):
        return line
    digits = line[_DIGITS_START:_DIGITS_END]
    if not digits.isdigit():
        return line
    return b'%b"%b"%b' % (_HEAD, iso_time(int(digits)).encode(), line[_DIGITS_END:])


def with_members(line: bytes, members: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the line, an object without a line feed, with further members at its end.

    Args:
        line: A JSON object.
        members: Encoded key and encoded value; a key that the line already has is left as it is.

    >>> with_members(b'{"a":1}', [(b'"b"', b'2'), (b'"a"', b'3')])
    b'{"a":1,"b":2}'
    """
    added = b"".join(b",%b:%b" % (key, value) for key, value in members if key + b":" not in line)
    if line == b"{}":
        added = added[1:]
    return line[:-1] + added + b"}" if added else line


def time_of(line: bytes) -> int:
    """Return the time of a line in nanoseconds, 0 if it does not begin with our time."""
    digits = line[_DIGITS_START:_DIGITS_END]
    return int(digits) if line.startswith(_HEAD) and digits.isdigit() else 0


def local_time(ns: int) -> str:
    """Return local time of day with milliseconds, as people read it on a console."""
    moment = datetime.fromtimestamp(ns / _NS, tz=UTC).astimezone()
    return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
