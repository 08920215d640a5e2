"""`get_logger(name)`: the call.

    [call] -> process -> line -> spool

A logger is the standard library's own, so handlers, filters and levels keep their meaning, but
its level methods are closures made for the state it is in:

    off       the level is disabled: a function that does nothing
    fast      only roads listen, the program's and those of handlers that have one to themselves:
              one object, one encoding, an append each; no LogRecord
    gated     as fast, behind sampling, rate limits or folding
    handled   other handlers or filters listen: a LogRecord as usual, and our line beside it

Any change of level, handler, filter or configuration throws the closures away; the next call makes
new ones.

Invariant: a log call never raises into the program, and never waits for a destination.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from clerestory.delivery.road import ROAD, Fork, Road
from clerestory.model.severity import LEVELS
from clerestory.process.fast import fast
from clerestory.process.lines import (
    STANDARD,
    UNSAID,
    Emission,
    call_line,
    caller_of,
    emission,
    place_in,
    put_in_force,
    record_line,
    stack_text,
    take,
    take_message,
)
from clerestory.wire.line import rename

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from clerestory.process.gates import Gate

METHODS: Final = {name.lower(): value for name, value in LEVELS.items()}
_getframe: Final = sys._getframe  # noqa: SLF001  the documented way to see the caller


def use(new: Emission) -> None:
    """Let the calls of all loggers become lines in another way from now on."""
    put_in_force(new)
    invalidate_all()


def invalidate_all() -> None:
    """Let every logger find out anew which state it is in."""
    manager = logging.root.manager
    for logger in (logging.root, *tuple(manager.loggerDict.values())):
        if isinstance(logger, Logger):
            logger.invalidate()


def put(line: bytes | None, road: Road | Fork = ROAD) -> None:
    """Put a line on a road, the program's own unless another is named; None is nothing."""
    if line is not None:
        road.put(line)


def _off(message: object = None, /, *args: object, **fields: object) -> None:
    """Take a record of a disabled level, and nothing happens."""


def _gated(
    logger: logging.Logger, level: int, road: Road | Fork, gate: Gate
) -> Callable[..., None]:
    def emit(message: Any = UNSAID, /, *args: Any, **fields: Any) -> None:
        if gate.admits(logger.name, level, message if type(message) is str else ""):
            put(call_line(logger, level, message, args, fields, _getframe(1)), road)

    return emit


def _handled(logger: Logger, level: int) -> Callable[..., None]:
    def emit(message: Any = UNSAID, /, *args: Any, **fields: Any) -> None:
        logger.make_and_handle(level, message, args, fields, _getframe(1))

    return emit


class _LevelCache(dict[int, bool]):
    """The logger's cache of `isEnabledFor`; the standard library clears it on every change."""

    def __init__(self, owner: Logger) -> None:
        super().__init__()
        self._owner = owner

    def clear(self) -> None:
        super().clear()
        self._owner.invalidate()


class Logger(logging.Logger):
    """The standard library's logger, whose level methods take fields and cost little.

    >>> get_logger("shop").info("order placed", order=88417)  # doctest: +SKIP
    """

    # -- state --------------------------------------------------------------------------------

    def __init__(self, name: str, level: int = logging.NOTSET) -> None:
        super().__init__(name, level)
        self.__dict__["_cache"] = _LevelCache(self)

    def invalidate(self) -> None:
        """Throw the closures away."""
        for name in METHODS:
            self.__dict__.pop(name, None)

    def _install(self) -> None:
        """Make the closures for the state that this logger is in."""
        gate = emission().gate
        for name, level in METHODS.items():
            method: Callable[..., None]
            road = self.road_at(level)
            if not self.isEnabledFor(level):
                method = _off
            elif road is None:
                method = _handled(self, level)
            elif gate is not None and level < logging.WARNING:
                method = _gated(self, level, road, gate)
            else:
                method = fast(self, level, road)
            self.__dict__[name] = method

    def road_at(self, level: int) -> Road | Fork | None:
        """Return where lines of this level go; None if somebody wants a LogRecord of them."""
        if self.filters or logging.getLogRecordFactory() is not logging.LogRecord:
            return None
        roads = [ROAD]
        for handler in self._foreign_handlers():
            if not hasattr(handler, "road_at"):
                return None
            if level >= handler.level:
                road = handler.road_at(level)
                if road is None:
                    return None
                roads.append(road)
        return ROAD if len(roads) == 1 else Fork(roads)

    def _foreign_handlers(self) -> Iterator[logging.Handler]:
        """Yield the handlers that get what is logged here, but for those that are our road."""
        at: logging.Logger | None = self
        while at is not None:
            for handler in at.handlers:
                if not hasattr(handler, "clerestory_road"):
                    yield handler
            at = at.parent if at.propagate else None

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        if name in {"propagate", "disabled", "handlers", "filters", "parent"}:
            invalidate_all()

    def addHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802  the library's name
        """Add a handler, as the standard library does."""
        super().addHandler(hdlr)
        invalidate_all()

    def removeHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802  the library's name
        """Remove a handler, as the standard library does."""
        super().removeHandler(hdlr)
        invalidate_all()

    def addFilter(self, filter: Any) -> None:  # noqa: N802, A002  the library's names
        """Add a filter, as the standard library does."""
        super().addFilter(filter)
        self.invalidate()

    def removeFilter(self, filter: Any) -> None:  # noqa: N802, A002  the library's names
        """Remove a filter, as the standard library does."""
        super().removeFilter(filter)
        self.invalidate()

    # -- calls --------------------------------------------------------------------------------

    def tell(
        self, level: int, message: str, fields: dict[str, Any], frame: FrameType | None
    ) -> None:
        """Log as a call in a frame would.

        Args:
            level: Number.
            message: Text.
            fields: As a call's.
            frame: Where; None for a record without a call site.
        """
        self._first(level, message, (), fields, frame)

    def _first(
        self,
        level: int,
        message: Any,
        args: tuple[Any, ...],
        fields: dict[str, Any],
        frame: FrameType | None,
    ) -> None:
        """Log when there are no closures yet, and make them."""
        try:
            configuring = "info" not in self.__dict__ and ROAD.ensure() is None
            if configuring:
                # By this very thread; the level in force is not known yet.
                if level >= logging.INFO:
                    put(call_line(self, level, message, args, fields, frame))
                return
            if "info" not in self.__dict__:
                self._install()
            if not self.isEnabledFor(level):
                return
        except Exception:
            emission().errors += 1
            return
        road = self.road_at(level)
        if road is None:
            self.make_and_handle(level, message, args, fields, frame)
            return
        gate = emission().gate
        text = message if type(message) is str else ""
        if gate is None or gate.admits(self.name, level, text):
            put(call_line(self, level, message, args, fields, frame), road)

    def make_and_handle(
        self,
        level: int,
        message: Any,
        args: tuple[Any, ...],
        fields: dict[str, Any],
        frame: FrameType | None,
    ) -> None:
        """Make a LogRecord for the handlers that listen; `handle` puts our line beside it."""
        exc_info = fields.pop("exc_info", None)
        extra = take(fields, "extra", Mapping, {})
        stack_info = fields.pop("stack_info", False)
        caller = caller_of(frame, take(fields, "stacklevel", int, 1))
        file, number, function = place_in(caller)
        if isinstance(exc_info, BaseException):
            exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
        elif exc_info and not isinstance(exc_info, tuple):
            exc_info = sys.exc_info()
        if message is UNSAID:
            message = take_message(fields)
        merged = {**extra, **fields}
        record = self.makeRecord(
            self.name,
            level,
            file,
            number,
            message,
            args,
            exc_info or None,
            function,
            {rename(k) if k in STANDARD else k: v for k, v in merged.items()},
            f"Stack (most recent call last):\n{stack_text(caller)}" if stack_info else None,
        )
        self.handle(record)

    def handle(self, record: logging.LogRecord) -> None:
        """Put a line on the road for the record, and call the handlers that listen."""
        if self.disabled:
            return
        verdict: Any = self.filter(record)
        if not verdict:
            return
        if isinstance(verdict, logging.LogRecord):  # 3.12: a filter may return another record
            record = verdict
        gate = emission().gate
        if gate is None or gate.admits(self.name, record.levelno, str(record.msg)):
            put(record_line(record))
        if any(self._foreign_handlers()):
            self.callHandlers(record)

    def log(
        self, level: Any = UNSAID, msg: object = UNSAID, /, *args: object, **fields: Any
    ) -> None:
        """Log at a level given by number, INFO if there is none."""
        if level is UNSAID:
            level = fields.pop("level", logging.INFO)
        if self.isEnabledFor(level) or ROAD.pipeline is None:
            self._first(level, msg, args, fields, _getframe(1))

    def exception(
        self, msg: object = UNSAID, /, *args: object, exc_info: Any = True, **fields: Any
    ) -> None:
        """Log at ERROR with the exception that is being handled."""
        self._first(40, msg, args, {"exc_info": exc_info, **fields}, _getframe(1))

    def trace(self, msg: object = UNSAID, /, *args: object, **fields: Any) -> None:
        """Log at TRACE, 5: finer than debugging."""
        self._first(5, msg, args, fields, _getframe(1))

    def debug(self, msg: object = UNSAID, /, *args: object, **fields: Any) -> None:
        """Log at DEBUG, 10."""
        self._first(10, msg, args, fields, _getframe(1))

    def verbose(self, msg: object = UNSAID, /, *args: object, **fields: Any) -> None:
        """Log at VERBOSE, 15: more than INFO, for those who asked."""
        self._first(15, msg, args, fields, _getframe(1))

    def info(self, msg: object = UNSAID, /, *args: object, **fields: Any) -> None:
        """Log at INFO, 20."""
        self._first(20, msg, args, fields, _getframe(1))

    def notice(self, msg: object = UNSAID, /, *args: object, **fields: Any) -> None:
        """Log at NOTICE, 25: normal but worth seeing."""
        self._first(25, msg, args, fields, _getframe(1))

    def warning(self, msg: object = UNSAID, /, *args: object, **fields: Any) -> None:
        """Log at WARNING, 30."""
        self._first(30, msg, args, fields, _getframe(1))

    def error(self, msg: object = UNSAID, /, *args: object, **fields: Any) -> None:
        """Log at ERROR, 40."""
        self._first(40, msg, args, fields, _getframe(1))

    def alert(self, msg: object = UNSAID, /, *args: object, **fields: Any) -> None:
        """Log at ALERT, 45: somebody must act at once."""
        self._first(45, msg, args, fields, _getframe(1))

    def critical(self, msg: object = UNSAID, /, *args: object, **fields: Any) -> None:
        """Log at CRITICAL, 50."""
        self._first(50, msg, args, fields, _getframe(1))

    def emergency(self, msg: object = UNSAID, /, *args: object, **fields: Any) -> None:
        """Log at EMERGENCY, 55: the system cannot be used."""
        self._first(55, msg, args, fields, _getframe(1))

    def warn(self, msg: object = UNSAID, /, *args: object, **fields: Any) -> None:
        """Log at WARNING; an old name of `warning`."""
        self._first(30, msg, args, fields, _getframe(1))

    fatal = critical

    def bind(self, **fields: Any) -> BoundLogger:
        """Return this logger with fields that each of its records carries."""
        return BoundLogger(self, fields)


class RootLogger(Logger):
    """The root of all loggers."""

    def __init__(self, level: int) -> None:
        super().__init__("root", level)


class BoundLogger:
    """A logger with fields of its own; made by `Logger.bind`."""

    __slots__ = ("_fields", "_logger")

    def __init__(self, logger: Logger, fields: dict[str, Any]) -> None:
        self._logger = logger
        self._fields = fields

    def bind(self, **fields: Any) -> BoundLogger:
        """Return this logger with more fields."""
        return BoundLogger(self._logger, {**self._fields, **fields})

    def __getattr__(self, name: str) -> Any:
        level = 40 if name == "exception" else METHODS.get(name)
        if level is None:
            return getattr(self._logger, name)
        logger, bound = self._logger, self._fields
        if name == "exception":
            bound = {"exc_info": True, **bound}

        def emit(message: Any = UNSAID, /, *args: Any, **fields: Any) -> None:
            logger._first(level, message, args, {**bound, **fields}, _getframe(1))  # noqa: SLF001

        return emit


def take_over(logger: logging.Logger) -> None:
    """Make an existing logger one of ours, with all that it has."""
    kind = type(logger)
    if kind is logging.Logger:
        logger.__class__ = Logger
    elif kind is logging.RootLogger:
        logger.__class__ = RootLogger
    elif not isinstance(logger, Logger):
        logger.__class__ = type(kind.__name__, (Logger, kind), {"__init__": kind.__init__})
    else:
        return
    logger.__dict__["_cache"] = _LevelCache(logger)  # type: ignore[arg-type]


def get_logger(name: str | None = None) -> Logger:
    """Return the logger of a name, the same object each time and the same as the library's.

    Args:
        name: Dotted name, as `__name__`; the root logger if None.
    """
    if logging.getLoggerClass() is not Logger and name not in logging.root.manager.loggerDict:
        previous = logging.getLoggerClass()
        logging.setLoggerClass(Logger)
        try:
            logger = logging.getLogger(name)
        finally:
            logging.setLoggerClass(previous)
    else:
        logger = logging.getLogger(name)
    take_over(logger)
    assert isinstance(logger, Logger)
    return logger
