"""Which records go to a destination: by kind, by level, by logger, by field.

    spool -> reader -> [selection] -> courier -> destination

Level, logger and kind are read from the head of the line, where they always stand; a line is
decoded only when fields are asked for.

Invariant: a line that is not selected becomes an empty line, so the others keep their numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.model.severity import LEVELS, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clerestory.delivery.policy import DestinationConfig

_HEAD: Final = re.compile(
    rb'\{"timestamp":\d{19},"level":"([A-Z]+)","logger":("(?:[^"\\]|\\.)*")(,"kind":"span")?'
)
_SPAN: Final = b'"kind":"span"'
KINDS: Final = frozenset(("log", "span"))
_decode: Final = msgspec.json.Decoder().decode


class Selection:
    """Decides line by line.

    Args:
        level: Lowest level; 0 for all.
        loggers: These and those below them; empty for all.
        fields: Values that fields must have; empty for all.
        kinds: `log`, `span` or both. A record of any other kind counts as `log`.
    """

    __slots__ = ("_by_kind_alone", "_fields", "_kinds", "_levels", "_loggers")

    def __init__(
        self,
        *,
        level: int = 0,
        loggers: tuple[str, ...] = (),
        fields: Mapping[str, Any],
        kinds: Iterable[str] = KINDS,
    ) -> None:
        self._kinds = frozenset(kinds)
        self._by_kind_alone = level == 0 and not loggers and not fields
        self._levels = {name.encode() for name, value in LEVELS.items() if value >= level}
        self._loggers = loggers
        self._fields = dict(fields)

    @classmethod
    def of(cls, config: DestinationConfig, kinds: Iterable[str] = KINDS) -> Selection | None:
        """Return what a destination's options select; None for everything.

        Args:
            config: The options.
            kinds: What the destination takes if its options do not say.

        Raises:
            ValueError: The level or a kind is not known.
        """
        unknown = set(config.kinds) - KINDS
        if unknown:
            raise ValueError(f"kinds: expected log or span, got {', '.join(sorted(unknown))}")
        taken = frozenset(config.kinds or kinds)
        if config.level == "" and not config.loggers and not config.fields and taken == KINDS:
            return None
        level = number(config.level) if config.level != "" else 0
        return cls(level=level, loggers=tuple(config.loggers), fields=config.fields, kinds=taken)

    def apply(self, lines: bytes) -> bytes:
        """Return the lines with those that are not selected emptied."""
        if self._by_kind_alone and "log" in self._kinds and lines.rfind(_SPAN) < 0:
            return lines
        return b"\n".join(
            line if line and self._admits(line) else b"" for line in lines.split(b"\n")
        )

    def _admits(self, line: bytes) -> bool:
        head = _HEAD.match(line)
        if head is None:
            return True  # not one of ours; nobody may lose it
        if ("span" if head[3] else "log") not in self._kinds:
            return False
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
