"""clerestory: the logs of a Python program, crash-safe and searchable.

    from clerestory import get_logger

    log = get_logger("shop")
    log.info("order placed", order=88417, amount=59.90)

This is the front door: names are imported when they are first used, nothing else happens here.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clerestory.aggregation import LogAggregator
    from clerestory.configuration import configure, flush, shutdown, stats
    from clerestory.context import bind, request_context, unbind
    from clerestory.log_manager import LogManager
    from clerestory.logger import get_logger
    from clerestory.model.errors import ClerestoryError, ConfigurationError
    from clerestory.model.severity import CustomLogLevel, LogLevel
    from clerestory.storage.database import DatabaseLogStorage
    from clerestory.storage.file import FileLogStorage
    from clerestory.storage.rotator import LogRotator
    from clerestory.trace import span

__version__ = "0.1.0"

__all__ = [
    "ClerestoryError",
    "ConfigurationError",
    "CustomLogLevel",
    "DatabaseLogStorage",
    "FileLogStorage",
    "LogAggregator",
    "LogLevel",
    "LogManager",
    "LogRotator",
    "bind",
    "configure",
    "flush",
    "get_logger",
    "request_context",
    "shutdown",
    "span",
    "stats",
    "unbind",
]

_ROOMS = {
    "ClerestoryError": "clerestory.model.errors",
    "ConfigurationError": "clerestory.model.errors",
    "CustomLogLevel": "clerestory.model.severity",
    "DatabaseLogStorage": "clerestory.storage.database",
    "FileLogStorage": "clerestory.storage.file",
    "LogAggregator": "clerestory.aggregation",
    "LogLevel": "clerestory.model.severity",
    "LogManager": "clerestory.log_manager",
    "LogRotator": "clerestory.storage.rotator",
    "bind": "clerestory.context",
    "configure": "clerestory.configuration",
    "flush": "clerestory.configuration",
    "get_logger": "clerestory.logger",
    "request_context": "clerestory.context",
    "shutdown": "clerestory.configuration",
    "span": "clerestory.trace",
    "stats": "clerestory.configuration",
    "unbind": "clerestory.context",
}


def __getattr__(name: str) -> Any:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module 'clerestory' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(room), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
