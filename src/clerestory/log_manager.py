"""One object for programs that want logging, counting, rotating and aggregating in one hand.

    LogManager.log -> get_logger(...).log -> process -> line -> spool
    [log_manager]  -> handlers of a logging.config dictionary, each in a thread of its own

Invariant: `log` never waits for a handler, a disk or a destination, and never raises, whatever is
logged.
"""

from __future__ import annotations

import asyncio
import logging
import logging.config
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

from clerestory.aggregation import LogAggregator
from clerestory.delivery.road import ROAD
from clerestory.integrations.background import BackgroundHandler, put_in_background
from clerestory.log_metrics import MetricsCollector
from clerestory.logger import get_logger, invalidate_all
from clerestory.model.errors import ConfigurationError
from clerestory.model.severity import is_known, number_surely
from clerestory.process.values import safe_str
from clerestory.storage.keys import unknown
from clerestory.storage.rotator import LogRotator

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from types import FrameType, TracebackType

    from clerestory.logger import Logger
    from clerestory.storage.destination import Sender

_LOGGING_KEYS: Final = (
    "version",
    "formatters",
    "filters",
    "handlers",
    "loggers",
    "root",
    "disable_existing_loggers",
    "incremental",
)
_METRICS_KEYS: Final = ("enabled", "collection_interval", "storage")
_METRICS_STORAGES: Final = ("memory", "log", "prometheus")
_SECTIONS: Final = ("metrics", "rotation", "aggregation")
_LOGGER_NAMES_MAX: Final = 1000
_DRAIN_S: Final = 2.0


class LogManager:
    """Logs on the same road as `get_logger()`, and keeps a rotator, an aggregator and counts.

    Args:
        config: A `logging.config` dictionary, whose handlers and formatters `initialize` sets
            up; or `metrics` (`enabled`, `collection_interval`, `storage`: `memory`, `log` or
            `prometheus`), `rotation` (see `LogRotator`) and `aggregation` (see `LogAggregator`);
            or both in one mapping.
        open_destination: Opens a storage `elasticsearch` of the aggregation.

    Attributes:
        config: As given.
        handlers: The handlers of the configuration by name, after `initialize`.
        formatters: Its formatters by name, after `initialize`.
        metrics_collector: Counts what `log` logged, rotations, and what you give it.
        rotator: Rotates files by the policy of `rotation`.
        aggregator: Counts what it is given, by the rules of `aggregation`.

    Raises:
        ConfigurationError: The configuration has an unknown key or a wrong value.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        open_destination: Callable[[Mapping[str, Any]], Sender] | None = None,
    ) -> None:
        self.config = dict(config or {})
        for key in self.config:
            if key not in _SECTIONS and key not in _LOGGING_KEYS:
                raise unknown("LogManager", key, (*_SECTIONS, *_LOGGING_KEYS))
        self._metrics = _Metrics(self.config.get("metrics"))
        self.handlers: dict[str, logging.Handler] = {}
        self.formatters: dict[str, logging.Formatter] = {}
        self.metrics_collector = MetricsCollector()
        self.rotator = LogRotator(
            self.config.get("rotation"), metrics_collector=self.metrics_collector
        )
        self.aggregator = LogAggregator(
            self.config.get("aggregation"),
            rotator=self.rotator,
            open_destination=open_destination,
        )
        self._is_set_up = False
        self._in_background: list[BackgroundHandler] = []
        self._given_names: set[str] = set()

    async def initialize(self) -> None:
        """Start the road, and set up the handlers and formatters of the configuration, once.

        Without it, `log` starts the road with its first record; handlers are not set up.

        Raises:
            ConfigurationError: The `logging.config` dictionary is not understood.
        """
        if not self._is_set_up:
            self._is_set_up = True
            await asyncio.to_thread(self._set_up)
        await self.metrics_collector.initialize()

    def log(self, level: str | int, message: str, **kwargs: Any) -> Coroutine[Any, Any, None]:
        """Log a record; it is in the spool when the call returns.

        Args:
            level: A member of `LogLevel`, a name in any case, or a number. A record of an unknown
                level becomes a WARNING and keeps what was given in `field.level`.
            message: What happened.
            **kwargs: Fields of any value. `exc_info`, `stack_info`, `stacklevel` and `extra` mean
                what they mean to the standard library. `logger` names the logger; without it,
                it is the module that calls.

        Returns:
            A coroutine to await; it has nothing left to wait for.
        """
        frame = sys._getframe(1)  # noqa: SLF001  the documented way to see the caller
        number = number_surely(level)
        fields, arguments = _parted(kwargs)
        if not is_known(level):
            fields["level"] = safe_str(level, 64)
        logger = self._logger(fields, frame)
        logger.log(number, message, extra=fields, **arguments)
        if self._metrics.enabled and logger.isEnabledFor(number):
            self.metrics_collector.count_log(number)
            self._log_counts()
        return _nothing_left()

    async def close(self) -> None:
        """Write what the aggregator holds, and let the handlers finish, for 2 s at most."""
        await self.aggregator.close()
        for handler in self._in_background:
            await asyncio.to_thread(handler.drain, _DRAIN_S)

    async def __aenter__(self) -> Self:
        await self.initialize()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def stats(self) -> dict[str, Any]:
        """Return what was logged, rotated, aggregated, and what handlers were too slow for."""
        return {
            "metrics": self.metrics_collector.snapshot(),
            "rotation": self.rotator.stats(),
            "aggregation": self.aggregator.stats(),
            "handlers_dropped": sum(handler.dropped for handler in self._in_background),
        }

    def _logger(self, fields: dict[str, Any], frame: FrameType) -> Logger:
        """Return the logger that the fields name, else that of the calling module."""
        given = fields.get("logger")
        names = self._given_names  # loggers are never forgotten, so their number has a limit
        if type(given) is str and given and (given in names or len(names) < _LOGGER_NAMES_MAX):
            names.add(given)
            del fields["logger"]
            return get_logger(given)
        return get_logger(str(frame.f_globals.get("__name__", "log_manager")))

    def _set_up(self) -> None:
        logging_part: dict[str, Any] = {
            key: self.config[key] for key in _LOGGING_KEYS if key in self.config
        }
        if not logging_part:
            ROAD.ensure()
            return
        configurator = _configured(logging_part)
        # The road must not print on the console what a handler of the dictionary prints, so it
        # starts when the handlers are there; the level of the root stays the dictionary's.
        level = logging.root.level
        ROAD.ensure()
        logging.root.setLevel(level)
        self.handlers = dict(configurator.config.get("handlers", {}))
        self.formatters = dict(configurator.config.get("formatters", {}))
        self._in_background = put_in_background(self.handlers.values())
        invalidate_all()

    def _log_counts(self) -> None:
        if self._metrics.is_due():
            counts = self.metrics_collector.snapshot()
            get_logger("clerestory.log_metrics").info("log metrics", extra=counts)


class _Metrics:
    """The section `metrics`."""

    def __init__(self, config: Mapping[str, Any] | None) -> None:
        from clerestory.settings.kinds import seconds

        options = dict(config or {})
        for key in options:
            if key not in _METRICS_KEYS:
                raise unknown("metrics", key, _METRICS_KEYS)
        self.enabled = bool(options.get("enabled", True))
        self.storage = options.get("storage", "memory")
        if self.storage not in _METRICS_STORAGES:
            raise ConfigurationError(
                f"metrics.storage must be one of {', '.join(_METRICS_STORAGES)}, "
                f"got {self.storage!r}"
            )
        given = options.get("collection_interval", 60)
        try:
            self.interval_s = seconds(given)
        except ValueError as error:
            raise ConfigurationError(f"metrics.collection_interval: {error}") from None
        self._next_s = time.monotonic() + self.interval_s

    def is_due(self) -> bool:
        """Say, once an interval, that the counts are to be logged."""
        now = time.monotonic()
        if self.storage != "log" or now < self._next_s:
            return False
        self._next_s = now + self.interval_s
        return True


def _configured(config: dict[str, Any]) -> Any:
    """Apply a `logging.config` dictionary; return the configurator, which knows what it made."""
    configurator = logging.config.DictConfigurator(config)
    try:
        configurator.configure()
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise ConfigurationError(f"LogManager: not understood: {error}{cause}") from error
    return configurator


def _parted(kwargs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the arguments of the standard library from the fields; what does not fit is a field."""
    arguments: dict[str, Any] = {"stacklevel": 2}
    fields = dict(kwargs)
    exc_info = fields.get("exc_info")
    if isinstance(exc_info, bool | BaseException) or _is_triple(exc_info):
        arguments["exc_info"] = fields.pop("exc_info")
    if isinstance(fields.get("stack_info"), bool):
        arguments["stack_info"] = fields.pop("stack_info")
    stacklevel = fields.get("stacklevel")
    if isinstance(stacklevel, int) and 1 <= stacklevel <= 1000:
        arguments["stacklevel"] = fields.pop("stacklevel") + 1
    if isinstance(fields.get("extra"), dict):
        extra = fields.pop("extra")
        fields = {safe_str(key, 256): value for key, value in extra.items()} | fields
    return fields, arguments


def _is_triple(exc_info: object) -> bool:
    return (
        isinstance(exc_info, tuple)
        and len(exc_info) == 3
        and (exc_info[1] is None or isinstance(exc_info[1], BaseException))
    )


async def _nothing_left() -> None:
    """End at once."""
