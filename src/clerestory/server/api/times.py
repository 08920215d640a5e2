"""Understand `from` and `to`: `-15m`, `now`, ISO 8601 or milliseconds since the epoch.

request -> [times] -> logs, live
"""

import re
from datetime import UTC, datetime
from typing import Final

from clerestory.model.errors import QueryError

NS_A_SECOND: Final = 1_000_000_000
NS_MAX: Final = 5_600_000_000_000_000_000
DEFAULT_FROM: Final = "-15m"

_RELATIVE: Final = re.compile(r"(?:now)?-(\d{1,9})(ms|s|m|h|d|w)", re.ASCII)
_UNITS_NS: Final = {
    "ms": 10**6,
    "s": NS_A_SECOND,
    "m": 60 * NS_A_SECOND,
    "h": 3600 * NS_A_SECOND,
    "d": 86_400 * NS_A_SECOND,
    "w": 7 * 86_400 * NS_A_SECOND,
}


def instant_of(text: str, *, now_ns: int, name: str) -> int:
    """Return nanoseconds since the epoch.

    Raises:
        QueryError: The text is none of the four forms.

    >>> instant_of("-15m", now_ns=10**18, name="from") == 10**18 - 900 * 10**9
    True
    """
    relative = _RELATIVE.fullmatch(text)
    if text == "now":
        return now_ns
    if relative:
        return max(0, now_ns - int(relative[1]) * _UNITS_NS[relative[2]])
    if text.isascii() and text.isdigit() and len(text) <= 16:
        return min(int(text) * 1_000_000, NS_MAX)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise QueryError(
            f"{name} is not a time: {text[:60]!r}",
            position=0,
            hint="write -15m, now, 2026-11-21T12:00:00Z or milliseconds since the epoch",
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds
    return min(max(0, microseconds * 1000), NS_MAX)


def range_of(start: str, end: str, *, now_ns: int) -> tuple[int, int]:
    """Return the half-open range of nanoseconds `[from, to)` that a request asks for.

    Raises:
        QueryError: A time is malformed, or `from` is later than `to`.
    """
    first = instant_of(start or DEFAULT_FROM, now_ns=now_ns, name="from")
    last = instant_of(end or "now", now_ns=now_ns, name="to")
    if end in ("", "now"):
        last += NS_A_SECOND  # the clocks of senders run a little ahead
    if first > last:
        raise QueryError("from is later than to", position=0, hint="exchange them")
    return first, last
