"""Shows records where the program runs: one coloured line for people, JSON for pipes.

    spool -> courier -> [console] -> terminal

Invariant: no control character of a record reaches a terminal; each is shown as an escape.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits
from clerestory.delivery.selection import KINDS
from clerestory.process.encode import decode, encode
from clerestory.wire.line import local_time, time_of, with_iso_time

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from clerestory.delivery.port import Batch

_COLOURS: Final = {
    "TRACE": "90",
    "DEBUG": "90",
    "VERBOSE": "90",
    "INFO": "34",
    "NOTICE": "36",
    "WARNING": "33",
    "ERROR": "31",
    "ALERT": "35",
    "CRITICAL": "1;31",
    "EMERGENCY": "1;31",
}
_NOT_SHOWN: Final = frozenset(
    (
        "timestamp",
        "level",
        "logger",
        "message",
        "module",
        "funcName",
        "lineno",
        "exception",
        "exception.type",
        "stack",
        "log.record.template",
    )
)
_SPAN_NOT_SHOWN: Final = _NOT_SHOWN | {
    "kind",
    "duration_ns",
    "parent_span_id",
    "span.kind",
    "span.status",
    "span.status_message",
    "span.links",
    "trace_state",
}
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def visible(text: str) -> str:
    r"""Return text with control and direction characters as visible escapes.

    >>> visible("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleConfig(DestinationConfig):
    """Options of the destination `console`.

    Attributes:
        stream: `stderr` or `stdout`; looked up anew for each batch, so that redirections hold.
        format: `text`, `json`, or `auto`: text on a terminal, else JSON.
        colour: `always`, `never`, or `auto`: on a terminal, unless NO_COLOR is set.
    """

    flush_interval: float = 0.0
    stream: Literal["stderr", "stdout"] = "stderr"
    format: Literal["auto", "text", "json"] = "auto"
    colour: Literal["auto", "always", "never"] = "auto"


class Console:
    """Writes to a stream of the program."""

    Config = ConsoleConfig
    name = "console"
    adopts = False
    limits = BatchLimits()
    kinds = KINDS

    def __init__(self, config: ConsoleConfig) -> None:
        self._config = config

    @staticmethod
    def options(_url: SplitResult) -> dict[str, Any]:
        """Return the options that `console://` stands for: those of its query alone."""
        return {}

    def send(self, batch: Batch) -> None:
        """Write the batch; a stream that is closed takes nothing."""
        config = self._config
        stream: TextIO | None = getattr(sys, config.stream, None)
        if stream is None or stream.closed:
            return
        terminal = stream.isatty()
        as_text = config.format == "text" or (config.format == "auto" and terminal)
        coloured = config.colour == "always" or (
            config.colour == "auto" and terminal and not os.environ.get("NO_COLOR")
        )
        lines = [line for line in batch.lines.splitlines() if not _is_pending(line)]
        if as_text:
            text = "".join(text_line(line, coloured=coloured) for line in lines if line)
        else:
            text = b"".join(with_iso_time(line) + b"\n" for line in lines if line).decode(
                "utf-8", "replace"
            )
        try:
            stream.write(text)
            stream.flush()
        except (BrokenPipeError, ValueError):
            return  # nobody reads any more
        except UnicodeEncodeError:
            stream.write(text.encode("ascii", "backslashreplace").decode())

    def close(self) -> None:
        """Do nothing: the stream is the program's."""


def text_line(line: bytes, *, coloured: bool) -> str:
    """Return a record as people read it, its exception below it."""
    fields: dict[str, Any] = decode(line)
    if fields.get("kind") == "span":
        fields = _took(fields)
    level = str(fields.get("level", ""))
    rest = " ".join(
        f"{visible(key)}={_shown(value)}" for key, value in fields.items() if key not in _NOT_SHOWN
    )
    if coloured:
        level_text = f"\x1b[{_COLOURS.get(level, '0')}m{level:<9}\x1b[0m"
        rest = f"\x1b[90m{rest}\x1b[0m" if rest else ""
    else:
        level_text = f"{level:<9}"
    parts = (
        local_time(time_of(line)),
        level_text,
        visible(str(fields.get("logger", ""))),
        visible(str(fields.get("message", ""))),
        rest,
    )
    text = " ".join(part for part in parts if part) + "\n"
    exception = fields.get("exception")
    return text + _traceback(exception) if isinstance(exception, dict) else text


def _is_pending(line: bytes) -> bool:
    """Say whether a line tells of a span that is still running: its end is shown."""
    return b'"span.pending":true' in line and decode(line).get("span.pending") is True


def _took(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what a person wants to know of a span first, and its fields without its machinery."""
    shown = {key: value for key, value in fields.items() if key not in _SPAN_NOT_SHOWN}
    status = fields.get("span.status_message") or fields.get("span.status")
    took = {"took": duration_text(fields.get("duration_ns", 0))}
    if fields.get("span.status") in {"ok", "error"}:
        took["status"] = str(status)
    return {**{key: fields[key] for key in _NOT_SHOWN if key in fields}, **took, **shown}


def duration_text(ns: int) -> str:
    """Return a duration as people read it.

    >>> duration_text(1_234_567), duration_text(2_500), duration_text(61_000_000_000)
    ('1.23 ms', '2.5 us', '61 s')
    """
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}" if ns < 1000 * size else f"{ns / size:.0f} {unit}"
    return f"{ns} ns"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        plain = visible(value)
        return plain if plain and " " not in plain else f'"{plain}"'
    return encode(value).decode()


def _traceback(form: dict[str, Any]) -> str:
    cause = form.get("cause")
    above = _traceback(cause) if isinstance(cause, dict) else ""
    frames = "".join(
        f"    {visible(str(frame.get('file')))}:{frame.get('line')} in "
        f"{visible(str(frame.get('function')))}\n        {visible(str(frame.get('code', '')))}\n"
        for frame in form.get("frames", ())
    )
    head = f"{form.get('type')}: {form.get('message')}"
    return f"{above}{frames}    {visible(head)}\n"
