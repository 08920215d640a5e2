"""The standard library's logging: existing loggers captured, files and dictionaries understood.

    logging.getLogger(...) -> [stdlib] -> the same closures as get_logger()

Invariant: other people's handlers print what they printed before.
"""

from __future__ import annotations

import logging
import logging.config
from typing import TYPE_CHECKING, Any

from clerestory.logger import Logger, invalidate_all, put, take_over
from clerestory.model.errors import ConfigurationError
from clerestory.model.severity import LEVELS
from clerestory.process.lines import record_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def add_level_names() -> None:
    """Teach the standard library the five levels that it does not have."""
    for name, value in LEVELS.items():
        if logging.getLevelName(value) == f"Level {value}":
            logging.addLevelName(value, name)


def capture() -> None:
    """Make every logger, existing and to come, one of ours."""
    add_level_names()
    logging.setLoggerClass(Logger)
    take_over(logging.root)
    for logger in tuple(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            take_over(logger)
    _watch_record_factory()
    invalidate_all()


def set_levels(level: int, levels: Mapping[str, int]) -> None:
    """Set the root's level and those of single loggers.

    Handlers of the root that let everything through keep printing what they printed: they take
    over the root's old level.
    """
    root = logging.root
    for handler in root.handlers:
        if handler.level == logging.NOTSET and level < root.level:
            handler.setLevel(root.level)
    root.setLevel(level)
    for name, value in levels.items():
        logging.getLogger(name).setLevel(value)


def _watch_record_factory() -> None:
    """Let loggers notice when somebody sets another LogRecord factory."""
    original = logging.setLogRecordFactory
    if hasattr(original, "clerestory_watch"):
        return

    def set_factory(factory: Any) -> None:
        original(factory)
        invalidate_all()

    set_factory.clerestory_watch = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory = set_factory


def apply_logging_config(config: str | Path | Mapping[str, Any]) -> None:
    """Apply a `logging.config` dictionary, or a YAML or JSON file that holds one.

    Raises:
        ConfigurationError: The file cannot be read, or the dictionary is not understood.
    """
    if isinstance(config, dict):
        content: Any = config
        source = "logging_config"
    else:
        source = f"logging_config file {config}"
        content = _read(str(config), source)
    if "watchtower." in repr(content):
        from clerestory.integrations.cloudwatch import with_own_handlers

        content = with_own_handlers(content)
    try:
        logging.config.dictConfig(content)
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        raise ConfigurationError(f"{source} is not understood: {error}{cause}") from error
    invalidate_all()


def _read(path: str, source: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  str or Path alike
            text = file.read()
    except OSError as error:
        raise ConfigurationError(f"{source} cannot be read: {error.strerror}") from error
    if path.endswith(".json"):
        import json

        return json.loads(text)
    try:
        import yaml
    except ImportError as error:
        raise ConfigurationError(f"{source} needs PyYAML: install clerestory[yaml]") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{source} is no YAML: {error}") from error


class Handler(logging.Handler):
    """A handler for `addHandler` and dictConfig that puts records on the road.

    In a dictionary or YAML file: `class: clerestory.integrations.stdlib.Handler`.
    Only what reaches the handler is recorded; other loggers are left as they are.

    Args:
        level: Lowest level.
        **settings: As for `clerestory.configure`.
    """

    clerestory_road = True

    def __init__(self, level: int | str = logging.NOTSET, **settings: Any) -> None:
        super().__init__(level)
        from clerestory.delivery.road import ROAD

        add_level_names()
        if settings or ROAD.pipeline is None:
            import importlib

            configuration = importlib.import_module("clerestory.configuration")
            configuration.configure(capture_logging=False, **settings)

    def createLock(self) -> None:  # noqa: N802  the library's name
        """Need no lock: the road takes lines from any thread."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Put the record on the road, unless its logger did."""
        verdict = self.filter(record)
        if verdict and not isinstance(logging.getLogger(record.name), Logger):
            put(record_line(record))
        return bool(verdict)

    def emit(self, record: logging.LogRecord) -> None:
        """Put the record on the road."""
        put(record_line(record))
