"""The ten levels, and what they are called elsewhere.

Names and numbers extend the standard library's; the right-hand columns are OpenTelemetry's
severity number (https://opentelemetry.io/docs/specs/otel/logs/data-model/#severity-fields)
and syslog's severity (RFC 5424, section 6.2.1).
"""

from enum import IntEnum
from typing import Final

LEVELS: Final[dict[str, int]] = {
    "TRACE": 5,
    "DEBUG": 10,
    "VERBOSE": 15,
    "INFO": 20,
    "NOTICE": 25,
    "WARNING": 30,
    "ERROR": 40,
    "ALERT": 45,
    "CRITICAL": 50,
    "EMERGENCY": 55,
}
ALIASES: Final[dict[str, str]] = {"WARN": "WARNING", "FATAL": "CRITICAL"}
NAMES: Final[dict[int, str]] = {value: name for name, value in LEVELS.items()}

_OTEL: Final[dict[str, int]] = {
    "TRACE": 1,
    "DEBUG": 5,
    "VERBOSE": 8,
    "INFO": 9,
    "NOTICE": 10,
    "WARNING": 13,
    "ERROR": 17,
    "ALERT": 19,
    "CRITICAL": 21,
    "EMERGENCY": 24,
}
_SYSLOG: Final[dict[str, int]] = {
    "TRACE": 7,
    "DEBUG": 7,
    "VERBOSE": 7,
    "INFO": 6,
    "NOTICE": 5,
    "WARNING": 4,
    "ERROR": 3,
    "ALERT": 1,
    "CRITICAL": 2,
    "EMERGENCY": 0,
}


class LogLevel(IntEnum):
    """The ten levels as members; each is its number.

    >>> LogLevel.NOTICE > LogLevel.INFO, LogLevel["ERROR"] == 40
    (True, True)
    """

    TRACE = 5
    DEBUG = 10
    VERBOSE = 15
    INFO = 20
    NOTICE = 25
    WARNING = 30
    ERROR = 40
    ALERT = 45
    CRITICAL = 50
    EMERGENCY = 55


class CustomLogLevel(IntEnum):
    """The five levels that the standard library does not have."""

    TRACE = 5
    VERBOSE = 15
    NOTICE = 25
    ALERT = 45
    EMERGENCY = 55


def number(level: str | int) -> int:
    """Return the number of a level given by name, alias or number.

    Raises:
        ValueError: The name is none of the ten and no alias.

    >>> number("warn"), number("EMERGENCY"), number(17)
    (30, 55, 17)
    """
    if isinstance(level, int):
        return level
    name = level.strip().upper()
    name = ALIASES.get(name, name)
    if name in LEVELS:
        return LEVELS[name]
    if name.isdigit():
        return int(name)
    known = ", ".join(LEVELS)
    raise ValueError(f"unknown level {level!r}: expected one of {known}, or a number")


def number_surely(level: object) -> int:
    """Return the number of any level; WARNING for one that is not known, so that it is seen.

    >>> number_surely("notice"), number_surely("loud"), number_surely(None)
    (25, 30, 30)
    """
    try:
        if isinstance(level, int):
            return int.__int__(level)
        return number(str.__str__(level)) if isinstance(level, str) else LEVELS["WARNING"]
    except ValueError:
        return LEVELS["WARNING"]


def is_known(level: object) -> bool:
    """Say whether a level is a number, one of the ten names or an alias, in any case."""
    if not isinstance(level, str):
        return isinstance(level, int)
    name = str.__str__(level).strip().upper()
    return name in LEVELS or name in ALIASES or name.isdigit()


def name_of(level: int) -> str:
    """Return the name of the highest of the ten levels that is not above `level`.

    >>> name_of(20), name_of(33), name_of(1)
    ('INFO', 'WARNING', 'TRACE')
    """
    exact = NAMES.get(level)
    if exact is not None:
        return exact
    below = [value for value in NAMES if value <= level]
    return NAMES[max(below)] if below else "TRACE"


def to_otel(name: str) -> int:
    """Return OpenTelemetry's severity number, 1 to 24, of a level's name."""
    return _OTEL.get(name, 9)


def from_otel(severity_number: int) -> str:
    """Return our level's name for OpenTelemetry's severity number.

    >>> from_otel(9), from_otel(14), from_otel(0)
    ('INFO', 'WARNING', 'INFO')
    """
    if severity_number <= 0:
        return "INFO"
    at_most = [name for name, value in _OTEL.items() if value <= severity_number]
    return max(at_most, key=_OTEL.__getitem__)


def to_syslog(name: str) -> int:
    """Return syslog's severity, 0 (emergency) to 7 (debug), of a level's name."""
    return _SYSLOG.get(name, 6)


def band_class(level: int) -> str:
    """Return the class that the histogram counts a level in.

    >>> [band_class(value) for value in (50, 45, 40, 30, 25, 15)]
    ['fatal', 'fatal', 'error', 'warn', 'info', 'debug']
    """
    for name, bound in (("fatal", 45), ("error", 40), ("warn", 30), ("info", 20)):
        if level >= bound:
            return name
    return "debug"
