"""Which records go to a destination: by level, by logger, by field.

    spool -> reader -> [selection] -> courier -> destination

Level and logger are read from the head of the line, where they always stand; a line is decoded
only when fields are asked for.

Invariant: a line that is not selected becomes an empty line, so the others keep their numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.model.severity import LEVELS, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clerestory.delivery.policy import DestinationConfig

_HEAD: Final = re.compile(rb'\{"timestamp":\d{19},"level":"([A-Z]+)","logger":("(?:[^"\\]|\\.)*")')
_decode: Final = msgspec.json.Decoder().decode


class Selection:
    """Decides line by line.

    Args:
        level: Lowest level; 0 for all.
        loggers: These and those below them; empty for all.
        fields: Values that fields must have; empty for all.
    """

    __slots__ = ("_fields", "_levels", "_loggers")

    def __init__(
        self, *, level: int = 0, loggers: tuple[str, ...] = (), fields: Mapping[str, Any]
    ) -> None:
        self._levels = {name.encode() for name, value in LEVELS.items() if value >= level}
        self._loggers = loggers
        self._fields = dict(fields)

    @classmethod
    def of(cls, config: DestinationConfig) -> Selection | None:
        """Return what a destination's options select; None for everything."""
        if config.level == "" and not config.loggers and not config.fields:
            return None
        level = number(config.level) if config.level != "" else 0
        return cls(level=level, loggers=tuple(config.loggers), fields=config.fields)

    def apply(self, lines: bytes) -> bytes:
        """Return the lines with those that are not selected emptied."""
        return b"\n".join(
            line if line and self._admits(line) else b"" for line in lines.split(b"\n")
        )

    def _admits(self, line: bytes) -> bool:
        head = _HEAD.match(line)
        if head is None:
            return True  # not one of ours; nobody may lose it
        if head[1] not in self._levels:
            return False
        if self._loggers and not self._is_below(_decode(head[2])):
            return False
        if not self._fields:
            return True
        record = _decode(line)
        return all(record.get(key) == value for key, value in self._fields.items())

    def _is_below(self, logger: str) -> bool:
        return any(logger == name or logger.startswith(name + ".") for name in self._loggers)
