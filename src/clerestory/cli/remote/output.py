"""How records look in a terminal.

    rows of the API -> [output] -> lines of text

Invariant: what a program logged cannot steer the terminal: control characters are shown, not
sent.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import click

# Level, from the lowest number up: colour and weight, as on the page.
_STYLES: Final[dict[str, dict[str, Any]]] = {
    "TRACE": {"fg": "bright_black"},
    "DEBUG": {"fg": "bright_black"},
    "VERBOSE": {"fg": "bright_black"},
    "INFO": {"fg": "blue"},
    "NOTICE": {"fg": "cyan"},
    "WARNING": {"fg": "yellow"},
    "ERROR": {"fg": "red"},
    "ALERT": {"fg": "magenta", "bold": True},
    "CRITICAL": {"fg": "red", "bold": True},
    "EMERGENCY": {"fg": "red", "bold": True, "reverse": True},
}
# C0 and C1 controls, and the characters that reorder text (https://trojansource.codes).
_HOSTILE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_ATTRIBUTE_CHARS_MAX: Final = 200


def wants_colour() -> bool:
    """Return whether standard output is a terminal that should get colours."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def safe(text: str) -> str:
    r"""Return text with control characters made visible.

    >>> safe("a\x1b[31mb\n")
    'a\\x1b[31mb\\n'
    """
    return _HOSTILE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def time_of(row: Mapping[str, Any]) -> str:
    """Return a row's local time with milliseconds."""
    moment = datetime.fromtimestamp(int(row["ts"]) // 1_000_000 / 1000).astimezone()
    return moment.isoformat(sep=" ", timespec="milliseconds")[:23]


def line_of(row: Mapping[str, Any], *, colour: bool) -> str:
    """Return one row of the API as one line of text."""
    level = str(row.get("level") or "")
    style = _STYLES.get(level, {}) if colour else {}
    quiet = {"fg": "bright_black"} if colour else {}
    words = [
        _styled(time_of(row), quiet),
        _styled(f"{safe(level):<8}", style),
        safe(str(row.get("service") or "-")),
        _styled(safe(str(row.get("logger") or "-")), quiet),
        safe(str(row.get("message") or "")),
    ]
    attributes = attributes_of(row)
    if attributes:
        words.append(_styled(attributes, quiet))
    return "  ".join(words)


def attributes_of(row: Mapping[str, Any]) -> str:
    """Return a row's attributes as `key=value` words, without those of the call site."""
    hidden = {"module", "funcName", "lineno", "log.record.template"}
    words = []
    for key, value in (row.get("attrs") or {}).items():
        if key not in hidden:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            words.append(f"{safe(str(key))}={safe(_short(text))}")
    return " ".join(words)


def _short(text: str) -> str:
    return text if len(text) <= _ATTRIBUTE_CHARS_MAX else text[: _ATTRIBUTE_CHARS_MAX - 1] + "…"


def _styled(text: str, style: Mapping[str, Any]) -> str:
    return click.style(text, **style) if style else text


def caret(query: str, position: int, length: int) -> str:
    """Return the query's wrong line with a line below that underlines the wrong part.

    >>> print(caret("level>>warn", 6, 1))
      level>>warn
            ^
    """
    start = query.rfind("\n", 0, position) + 1
    line, _, _ = query[start:].partition("\n")
    place = position - start
    length = max(1, min(length, len(line) - place))
    return f"  {safe(line)}\n  {' ' * len(safe(line[:place]))}{'^' * length}"
