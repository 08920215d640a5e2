"""From the many ways to write a time to nanoseconds since the epoch.

    text at the head of a line -> [times] -> `timestamp` of a record

Invariant: a text that is not wholly a time gives None, never a wrong time.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

_MONTHS: Final = {
    name: index
    for index, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_CLOCK = r"(?P<H>\d{2}):(?P<M>\d{2}):(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?"
_ZONE = r"(?:\s?(?P<z>Z|UTC|[+-]\d{2}:?\d{2}))?"
_SHAPES: Final = tuple(
    re.compile(shape)
    for shape in (
        # 2015-07-29T17:41:44,747+02:00   2024/01/02 03:04:05
        rf"(?P<Y>\d{{4}})[-/](?P<m>\d{{2}})[-/](?P<d>\d{{2}})[T ]{_CLOCK}{_ZONE}",
        # 2005-06-03-15.42.50.675872
        r"(?P<Y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)-(?P<H>\d\d)\.(?P<M>\d\d)\.(?P<S>\d\d)(?:\.(?P<f>\d+))?",
        # 04/Dec/2005:04:47:44 +0000
        rf"(?P<d>\d{{1,2}})/(?P<b>[A-Z][a-z]{{2}})/(?P<Y>\d{{4}}):{_CLOCK}{_ZONE}",
        # Sun Dec 04 04:47:44 2005
        rf"(?:[A-Z][a-z]{{2}} )?(?P<b>[A-Z][a-z]{{2}}) +(?P<d>\d{{1,2}}) {_CLOCK} (?P<Y>\d{{4}})\b",
        # Jun 14 15:16:01
        rf"(?P<b>[A-Z][a-z]{{2}}) +(?P<d>\d{{1,2}}) {_CLOCK}",
        # 17/06/09 20:10:40
        rf"(?P<y>\d{{2}})/(?P<m>\d{{2}})/(?P<d>\d{{2}}) {_CLOCK}",
        # 081109 203615
        r"(?P<y>\d{2})(?P<m>\d{2})(?P<d>\d{2}) (?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})\b",
        # 03-17 16:13:38.811
        rf"(?P<m>\d{{2}})-(?P<d>\d{{2}}) {_CLOCK}",
        # 0317 16:13:38.811 (glog)
        rf"(?P<m>\d{{2}})(?P<d>\d{{2}}) {_CLOCK}",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What a time that leaves something out is measured against.

    Attributes:
        zone: Zone of times that name none; None is this machine's.
        now_s: Returns the seconds since the epoch.
    """

    zone: tzinfo | None = None
    now_s: Callable[[], float] = field(default=time.time)


def leading_time(line: str, clock: Clock) -> tuple[int, int] | None:
    """Return (nanoseconds, end) of the time that a line begins with, or None.

    >>> leading_time("2024-01-02 03:04:05,5 INFO x", Clock(zone=UTC))
    (1704164645500000000, 21)
    """
    for shape in _SHAPES:
        match = shape.match(line)
        if match is not None:
            found = _nanoseconds(match.groupdict(), clock)
            return None if found is None else (found, match.end())
    return None


def any_time(value: object, clock: Clock) -> int | None:
    """Return nanoseconds of a text or a number of seconds, ms, us or ns, or None.

    >>> any_time(1704164645.5, Clock()), any_time("1704164645500", Clock())
    (1704164645500000000, 1704164645500000000)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _epoch(value)
    if not isinstance(value, str):
        return None
    found = leading_time(value.strip(), clock)
    if found is not None and found[1] == len(value.strip()):
        return found[0]
    try:
        return _epoch(float(value) if "." in value else int(value))
    except ValueError:
        return None


def _epoch(value: float) -> int | None:
    """Return nanoseconds of a number since the epoch; its size tells the unit."""
    for bound, factor in ((1e8, 0), (1e11, 10**9), (1e14, 10**6), (1e17, 10**3), (1e19, 1)):
        if 0 <= value < bound:
            whole = int(value)
            return whole * factor + round((value - whole) * factor) if factor else None
    return None


def _nanoseconds(parts: dict[str, str | None], clock: Clock) -> int | None:
    month = _MONTHS.get((parts.get("b") or "").lower()) or int(parts.get("m") or 0)
    year = int(parts["Y"] or 0) if parts.get("Y") else _full_year(parts.get("y"))
    moment = _moment(parts, year or _year_now(clock), month, _zone(parts.get("z"), clock))
    if moment is None:
        return None
    if year is None and moment.timestamp() > clock.now_s() + 86_400:
        # Without a year, December read in January is last year's.
        moment = moment.replace(year=moment.year - 1)
    fraction = (parts.get("f") or "").ljust(9, "0")
    return int(moment.timestamp()) * 10**9 + int(fraction)


def _moment(
    parts: dict[str, str | None], year: int, month: int, zone: tzinfo | None
) -> datetime | None:
    day, hour, minute, second = (int(parts[name] or 0) for name in ("d", "H", "M", "S"))
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    except ValueError:
        return None
    return moment if zone is not None else moment.astimezone()


def _full_year(short: str | None) -> int | None:
    return None if short is None else 2000 + int(short)


def _year_now(clock: Clock) -> int:
    return datetime.fromtimestamp(clock.now_s(), clock.zone).year


def _zone(text: str | None, clock: Clock) -> tzinfo | None:
    if text is None:
        return clock.zone
    if text in {"Z", "UTC"}:
        return UTC
    sign = -1 if text[0] == "-" else 1
    digits = text[1:].replace(":", "")
    return timezone(sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:])))
