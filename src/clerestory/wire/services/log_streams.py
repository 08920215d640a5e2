"""What the log stream of an event is called.

    batch -> [log_streams] -> PutLogEvents

A name follows from the record and from the process that made it, not from the one that sends it:
what a killed process left goes to that process's own stream.

Invariant: a name is one that CloudWatch takes: 1 to 512 characters, no colon, no asterisk.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.model.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clerestory.wire.services.cloudwatch import Events

NAME_CHARS_MAX: Final = 512
_ILLEGAL: Final = re.compile(r"[:*\x00-\x1f]")
_PLACEHOLDERS: Final = (
    "machine_name",
    "program_name",
    "logger_name",
    "process_id",
    "thread_name",
    "strftime",
)
_OF_RECORD: Final = re.compile(r"\{(?:logger_name|thread_name|strftime)\b")
_LOGGER: Final = re.compile(rb'"logger":("(?:[^"\\]|\\.)*")')
_THREAD: Final = re.compile(rb'"thread\.name":("(?:[^"\\]|\\.)*")')


class StreamNames:
    """Names streams after a template; None for one stream a process.

    Raises:
        ConfigurationError: The template has a placeholder that is not known.
    """

    def __init__(self, template: str | None) -> None:
        self._template = template
        self._of_record = bool(template and _OF_RECORD.search(template))
        if template is not None:
            self._check(template)

    def _check(self, template: str) -> None:
        try:
            self._filled(b"{}", 0, {"host.name": "host"})
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            known = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
            raise ConfigurationError(
                f"log_stream {template!r} cannot be filled in ({error}); known are {known}"
            ) from error
        fixed = re.sub(r"\{[^{}]*\}", "", template)
        if not template or _ILLEGAL.search(fixed) or len(fixed) > NAME_CHARS_MAX:
            raise ConfigurationError(
                f"log_stream {template!r} must have 1 to 512 characters, no colon and no asterisk"
            )

    def sort_out(
        self, events: Events, lines: bytes, resource: Mapping[str, Any]
    ) -> Iterator[tuple[str, Events]]:
        """Yield each stream and the events of it, in the order of their lines."""
        if self._template is None:
            yield own_stream(resource), events
            return
        if not self._of_record:
            yield self._filled(b"", 0, resource), events
            return
        rows = lines.split(b"\n")
        named = [
            self._filled(rows[index], int(moment), resource)
            for index, moment in zip(events.indices, events.times, strict=True)
        ]
        for name in dict.fromkeys(named):
            yield name, events.where([name == other for other in named])

    def _filled(self, row: bytes, ms: int, resource: Mapping[str, Any]) -> str:
        assert self._template is not None
        filled = self._template.format(
            machine_name=resource.get("host.name", ""),
            program_name=_program_name(resource),
            process_id=resource.get("process.pid", ""),
            logger_name=_text(_LOGGER, row) or "root",
            thread_name=_text(_THREAD, row) or "MainThread",
            strftime=datetime.fromtimestamp(ms / 1000, tz=UTC),
        )
        return clean(filled)


def _program_name(resource: Mapping[str, Any]) -> str:
    """Return the program's name: the resource's where it says one, else this process's."""
    return str(resource.get("process.executable.name") or Path(sys.argv[0]).name)


def _text(pattern: re.Pattern[bytes], row: bytes) -> str:
    found = pattern.search(row)
    try:
        return msgspec.json.decode(found[1], type=str) if found else ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def clean(name: str) -> str:
    """Return the name without what CloudWatch does not take.

    >>> clean("web:1*")
    'web-1-'
    """
    return _ILLEGAL.sub("-", name)[:NAME_CHARS_MAX] or "-"


def own_stream(resource: Mapping[str, Any]) -> str:
    """Return the stream that a process has for itself.

    >>> own_stream({"host.name": "api-1", "process.pid": 7,
    ...     "process.creation.time": "2025-06-28T12:34:56.5Z"})
    'api-1_20250628_123456_7'
    """
    digits = re.sub(r"\D", "", str(resource.get("process.creation.time", "")))[:14]
    began = f"{digits[:8]}_{digits[8:]}" if len(digits) == 14 else ""
    parts = (resource.get("host.name") or "host", began, resource.get("process.pid"))
    return clean("_".join(str(part) for part in parts if part not in {None, ""}))
