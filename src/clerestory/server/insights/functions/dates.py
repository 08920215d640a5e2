"""Functions of times, and what a period is.

    tree -> calls -> [functions] -> builder -> program

Milliseconds to days are counted from 1970, weeks begin on Monday, months to years are those of the
calendar in UTC.

Invariant: a period is capped as CloudWatch caps it (1000ms, 60s, 60m, 24h), and then there is a
warning.
"""

from typing import Final
from zoneinfo import ZoneInfo

from clerestory.server.insights import values
from clerestory.server.insights.builder import Builder
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import Call, Duration, Literal, Name
from clerestory.server.insights.registry import Build, Function
from clerestory.server.insights.values import Sql

_GROUP: Final = "Times"
_UNITS: Final = {
    "ms": ("millisecond", "milliseconds", "msec", "msecs"),
    "s": ("second", "seconds", "sec", "secs"),
    "m": ("minute", "minutes", "min", "mins"),
    "h": ("hour", "hours", "hr", "hrs"),
    "d": ("day", "days"),
    "w": ("week", "weeks"),
    "mo": ("month", "months", "mon", "mons", "mos"),
    "q": ("quarter", "quarters", "qtr", "qtrs"),
    "y": ("year", "years", "yr", "yrs"),
}
_UNIT_OF: Final = {name: unit for unit, names in _UNITS.items() for name in (unit, *names)}
_CAPS: Final = {"ms": 1000, "s": 60, "m": 60, "h": 24}
_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MONTHS: Final = {"mo": 1, "q": 3, "y": 12}
_MONDAY_MS: Final = 3 * 86_400_000  # the week that held 1970-01-01 began three days before
COUNT_MAX: Final = 100_000

# what strftime says, and what the engine's formatDateTime calls it
_STRFTIME: Final = {
    "Y": "%Y",
    "y": "%y",
    "m": "%m",
    "d": "%d",
    "e": "%e",
    "H": "%H",
    "I": "%I",
    "M": "%i",
    "S": "%S",
    "p": "%p",
    "j": "%j",
    "a": "%a",
    "A": "%W",
    "b": "%b",
    "B": "%M",
    "F": "%Y-%m-%d",
    "T": "%H:%i:%S",
    "D": "%m/%d/%y",
    "R": "%H:%i",
    "u": "%u",
    "w": "%w",
    "%": "%%",
    "n": "\n",
    "t": "\t",
}
_JAVA: Final = frozenset("yMdHhmsSaE")


def unit_of(period: Duration) -> str:
    """Return the short name of a period's unit.

    Raises:
        QueryError: It is no unit of time, or the count is no whole number from 1 up.
    """
    unit = _UNIT_OF.get(period.unit)
    if unit is None:
        hint = "units are ms, s, m, h, d, w, mo, q and y"
        raise wrong(f"`{period.unit}` is no unit of time", period.at, hint)
    if not 1 <= period.count <= COUNT_MAX or not period.count.is_integer():
        raise wrong(f"a period counts from 1 to {COUNT_MAX} whole units", period.at)
    return unit


def length_ms(period: Duration) -> int:
    """Return how long a period is; months and longer have no fixed length.

    Raises:
        QueryError: The period has no fixed length.
    """
    unit = unit_of(period)
    if unit not in _MS:
        raise wrong("a month, a quarter or a year has no fixed length here", period.at, "use days")
    return int(period.count) * _MS[unit]


def width_ms(period: Duration) -> int:
    """Return how long the bins of a period are: as long as it is, up to its unit's cap."""
    unit = unit_of(period)
    return min(int(period.count), _CAPS.get(unit, COUNT_MAX)) * _MS[unit]


def floor_to(builder: Builder, time: str, period: Duration) -> str:
    """Return SQL for the begin of the period that a time lies in."""
    unit, count = unit_of(period), int(period.count)
    cap = _CAPS.get(unit, count)
    if count > cap:
        builder.around.warnings.append(f"a period of {count}{unit} is taken as {cap}{unit}")
        count = cap
    if unit in _MONTHS:
        held = builder.bind(time)
        moment = f"fromUnixTimestamp64Milli({held}, 'UTC')"
        months = f"((toYear({moment}) - 1970) * 12 + toMonth({moment}) - 1)"
        step = count * _MONTHS[unit]
        begin = (
            f"addMonths(toDateTime64('1970-01-01', 3, 'UTC'), intDiv({months}, {step}) * {step})"
        )
        return f"toUnixTimestamp64Milli({begin})"
    shift = _MONDAY_MS if unit == "w" else 0
    width = count * _MS[unit]
    if shift:
        return f"(intDiv({time} + {shift}, {width}) * {width} - {shift})"
    return f"(intDiv({time}, {width}) * {width})"


def _bin(builder: Builder, call: Call, period: Duration) -> Sql:
    time = builder.field(Name(("@timestamp",), "@timestamp", call.at))
    return Sql("time", floor_to(builder, values.time_of(builder, time), period))


def _floor(builder: Builder, _call: Call, time: str, period: Duration) -> Sql:
    return Sql("time", floor_to(builder, time, period))


def _ceil(builder: Builder, _call: Call, time: str, period: Duration) -> Sql:
    held = builder.bind(time)
    begin = builder.bind(floor_to(builder, held, period))
    if unit_of(period) in _MONTHS:
        step = int(period.count) * _MONTHS[unit_of(period)]
        after = (
            f"toUnixTimestamp64Milli(addMonths(fromUnixTimestamp64Milli({begin}, 'UTC'), {step}))"
        )
    else:
        count = min(int(period.count), _CAPS.get(unit_of(period), COUNT_MAX))
        after = f"{begin} + {count * _MS[unit_of(period)]}"
    return Sql("time", f"if({begin} = {held}, {held}, {after})")


def _from_millis(builder: Builder, _call: Call, value: Sql) -> Sql:
    return Sql("time", values.time_of(builder, value))


def _to_millis(_builder: Builder, _call: Call, time: str) -> Sql:
    return Sql("number", f"toFloat64({time})")


def _now(builder: Builder, _call: Call) -> Sql:
    return Sql("number", repr(float(builder.around.now_ms // 1000)))


def _zone(node: Literal | None) -> str:
    if node is None:
        return "UTC"
    try:
        return str(ZoneInfo(str(node.value)))
    except (ValueError, OSError, KeyError):
        message = f"there is no time zone `{str(node.value)[:40]}`"
        raise wrong(message, node.at, "as in UTC or Europe/Berlin") from None


def _format(
    builder: Builder, _call: Call, time: str, form: Literal, zone: Literal | None = None
) -> Sql:
    name = _zone(zone)
    pieces: list[str] = []
    letters = iter(str(form.value))
    for letter in letters:
        if letter != "%":
            pieces.append(letter)
            continue
        wanted = next(letters, "")
        if wanted not in _STRFTIME and wanted not in ("f", "L", "Z", "z", "s"):
            hint = "known: " + " ".join(f"%{one}" for one in [*_STRFTIME, "f", "L", "z", "Z", "s"])
            raise wrong(f"formatDate does not know `%{wanted}`", form.at, hint.replace("\n", ""))
        pieces.append("\0" + wanted if wanted not in _STRFTIME else _STRFTIME[wanted])
    return Sql("text", _formatted(builder, builder.bind(time), "".join(pieces), name))


def _formatted(builder: Builder, time: str, form: str, zone: str) -> str:
    """Return SQL for a time in a format; letters behind NUL are computed apart."""
    moment = f"fromUnixTimestamp64Milli({time}, {builder.parameter(zone)})"
    parts: list[str] = []
    for index, piece in enumerate(form.split("\0")):
        rest = piece
        if index:
            parts.append(_special(piece[0], time, moment, zone))
            rest = piece[1:]
        if rest:
            parts.append(f"formatDateTime({moment}, {builder.parameter(rest)})")
    return "concat(" + ", ".join([*parts, "''"]) + ")"


def _special(letter: str, time: str, moment: str, zone: str) -> str:
    if letter == "s":
        return f"toString(intDiv({time}, 1000))"
    if letter == "Z":
        return f"'{zone}'"
    if letter in "fL":
        digits = f"leftPad(toString(toUInt16(modulo({time}, 1000))), 3, '0')"
        return f"concat({digits}, '000')" if letter == "f" else digits
    offset = f"timezoneOffset({moment})"
    sign = f"if({offset} < 0, '-', '+')"
    hours = f"leftPad(toString(intDiv(abs({offset}), 3600)), 2, '0')"
    minutes = f"leftPad(toString(intDiv(modulo(abs({offset}), 3600), 60)), 2, '0')"
    return f"concat({sign}, {hours}, {minutes})"


def _parse(
    builder: Builder, _call: Call, text: str, form: Literal, zone: Literal | None = None
) -> Sql:
    pattern, quoted = str(form.value), False
    for letter in pattern:
        quoted = quoted != (letter == "'")
        if not quoted and letter.isalpha() and letter not in _JAVA:
            hint = "known letters: y M d H h m s S a E, others stand in single quotes"
            raise wrong(f"parseDate does not know the letter `{letter}`", form.at, hint)
    name = builder.parameter(_zone(zone))
    made = f"parseDateTime64InJodaSyntaxOrNull({text}, {builder.parameter(pattern)}, {name})"
    return Sql("number", f"toFloat64(toUnixTimestamp64Milli(toDateTime64({made}, 3)))")


def _function(
    name: str, parameters: tuple[str, ...], returns: str, about: tuple[str, str], build: Build
) -> Function:
    return Function(
        name=name,
        group=_GROUP,
        parameters=parameters,
        returns=returns,
        help=about[0],
        example=about[1],
        build=build,
    )


_FORMAT: Final = ("time", "constant", "constant?")

FUNCTIONS: Final = (
    _function(
        "bin",
        ("duration",),
        "time",
        ("The begin of the period that @timestamp lies in.", "bin(5m)"),
        _bin,
    ),
    _function(
        "datefloor",
        ("time", "duration"),
        "time",
        ("The begin of the period that the time lies in.", "datefloor(@timestamp, 1h)"),
        _floor,
    ),
    _function(
        "dateceil",
        ("time", "duration"),
        "time",
        ("The end of the period that the time lies in.", "dateceil(@timestamp, 1h)"),
        _ceil,
    ),
    _function(
        "fromMillis",
        ("value",),
        "time",
        ("The time that is so many milliseconds after 1970.", "fromMillis(start)"),
        _from_millis,
    ),
    _function(
        "toMillis",
        ("time",),
        "number",
        ("Milliseconds from 1970 to the time.", "toMillis(@timestamp)"),
        _to_millis,
    ),
    _function(
        "now",
        (),
        "number",
        ("When the query was started, in seconds since 1970.", "now()"),
        _now,
    ),
    _function(
        "parseDate",
        ("text", "constant", "constant?"),
        "number",
        (
            "The milliseconds since 1970 of a text in a format of Java's DateTimeFormatter.",
            "parseDate(day, 'yyyy-MM-dd', 'UTC')",
        ),
        _parse,
    ),
    _function(
        "formatDate",
        _FORMAT,
        "text",
        ("The time in a format of strftime.", "formatDate(@timestamp, '%Y-%m-%d', 'UTC')"),
        _format,
    ),
    _function(
        "strftime",
        _FORMAT,
        "text",
        ("The same as formatDate.", "strftime(@timestamp, '%H:%M')"),
        _format,
    ),
)
