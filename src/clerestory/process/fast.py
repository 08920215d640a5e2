"""The level method of a logger that only roads listen to.

    call -> [fast] -> spool

A place in a program gives its records the same fields each time. So the first call from there has
a class made with these names, one for all places that have them; later calls make an instance of
it and encode that. It takes exactly its names, which settles at once that none is reserved or
secret, and it costs less than a dict. A place whose names change has a dict made by each call.

Invariant: what is not plain goes the long way, `call_line`, and becomes the same line.
"""

from __future__ import annotations

import sys
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory import context
from clerestory.model.severity import name_of
from clerestory.process.encode import encode_lines
from clerestory.process.lines import LOGGING_FILE, UNSAID, call_line, emission, formatted, site

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from clerestory.process.lines import Named

_PLACES_MAX: Final = 10_000
_SHAPES_MAX: Final = 1_000
_getframe: Final = sys._getframe  # noqa: SLF001  the documented way to see the caller


@lru_cache(maxsize=_SHAPES_MAX)
def _shape(names: tuple[str, ...]) -> Any:
    """Return a class whose instances are encoded as records with fields of these names.

    Returns:
        None if there can be none: a name that is no attribute's, or one that is there twice.
    """
    if not all(name.isidentifier() and not name.startswith("_") for name in names):
        return None
    try:
        return msgspec.defstruct("Line", ("timestamp", "level", "message", *names), gc=False)
    except (TypeError, ValueError):
        return None


class _Places:
    """The places that call one level method, and what their lines have in common.

    Attributes:
        known: Place and shape by the address of the calling instruction; the shape is None where
            a dict is made.
        clean: Says whether all of some names are known to need nothing.
    """

    __slots__ = ("_alive", "_anywhere", "_names", "clean", "known")

    def __init__(self, level: int, logger: Named) -> None:
        rules = emission()
        self.known: dict[int, tuple[Any, Any]] = {}
        self.clean = rules.names.clean.issuperset
        self._names = (name_of(level), logger.name)
        self._alive: list[Any] = []  # the code objects whose addresses are keys of `known`
        self._anywhere = None if rules.call_site else site(*self._names, None)

    def learn(self, frame: FrameType, names: tuple[str, ...]) -> None:
        """Note a place that is new, or one that had other names before."""
        code = frame.f_code
        key = id(code) + frame.f_lasti
        if key in self.known:
            self.known[key] = (self.known[key][0], None)
        elif code.co_filename != LOGGING_FILE and len(self.known) < _PLACES_MAX:
            self._alive.append(code)
            place = self._anywhere or site(*self._names, frame)
            shape = _shape((*context.get(), *names)) if self.clean(names) else None
            self.known[key] = (place, shape)


def fast(logger: Named, level: int, road: Any) -> Callable[..., None]:
    """Return the level method of a logger that only roads listen to.

    Args:
        logger: In whose name.
        level: Number.
        road: Takes the lines: by `write`, by `when_full` what `write` refuses with ValueError.
    """
    places = _Places(level, logger)
    known = places.known
    clean = places.clean
    line_max = emission().limits.chars
    bound_context = context.get
    getframe, time_ns = _getframe, time.time_ns

    def by_dict(place: Any, message: Any, args: tuple[Any, ...], fields: dict[str, Any]) -> bytes:
        if args or message.__class__ is not str or not clean(fields):
            plain = _plain(message, args, fields, clean)
            if plain is None:
                return b""
            message, fields = plain
        record = {
            "timestamp": time_ns(),
            "level": place,
            "message": message,
            **bound_context(),
            **fields,
        }
        return encode_lines([record])

    def go_long(
        frame: FrameType, message: Any, args: tuple[Any, ...], fields: dict[str, Any]
    ) -> None:
        names = tuple(fields)
        line = call_line(logger, level, message, args, fields, frame)
        if line is not None:
            road.put(line)
        places.learn(frame, names)

    def emit(message: Any = UNSAID, /, *args: Any, **fields: Any) -> None:
        frame = getframe(1)
        try:
            # The address of the calling instruction: one addition, where hashing a code object
            # would cost more than looking the names up.
            place, shape = known[id(frame.f_code) + frame.f_lasti]
            if shape is None or args or message.__class__ is not str:
                line = by_dict(place, message, args, fields)
            else:
                line = encode_lines([shape(time_ns(), place, message, **bound_context(), **fields)])
        except Exception:
            line = b""  # a new place, other names than before, a value that needs care
        if not line or len(line) > line_max:
            go_long(frame, message, args, fields)
            return
        write = road.write
        try:
            write(line)
        except ValueError:
            road.when_full(line)

    return emit


def _plain(
    message: Any, args: tuple[Any, ...], fields: dict[str, Any], clean: Callable[[Any], bool]
) -> tuple[str, dict[str, Any]] | None:
    """Return message and fields of a call with %-args or `extra=`, None if it needs more care."""
    if message.__class__ is not str:
        return None
    extra = fields.get("extra")
    if extra is not None:
        if len(fields) != 1 or extra.__class__ is not dict or not clean(extra):
            return None
        fields = extra
    elif not clean(fields):
        return None
    if not args:
        return message, fields
    return formatted(message, args), {"log.record.template": message, **fields}
