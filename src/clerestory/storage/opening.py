"""Opens the storage that a configuration names.

    "file:PATH" | "database:PATH" | "elasticsearch" | an address | an object -> [opening] -> storage

Invariant: what is not understood is an error that lists what is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from clerestory.logger import get_logger
from clerestory.model.errors import ConfigurationError
from clerestory.model.severity import number_surely
from clerestory.storage import destination as destinations
from clerestory.storage.database import DatabaseLogStorage
from clerestory.storage.file import FileLogStorage
from clerestory.storage.keys import unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clerestory.storage.rotator import LogRotator

_ELASTIC: Final = "http://127.0.0.1:9200"


@runtime_checkable
class LogStorage(Protocol):
    """Anything that keeps log entries."""

    async def store(self, level: str, message: str, **kwargs: Any) -> None:
        """Keep one entry, or raise."""


class RoadStorage:
    """Puts entries on the same road as `get_logger()`."""

    async def store(self, level: str | int, message: str, **kwargs: Any) -> None:
        """Log one entry; `logger` among the fields names the logger."""
        name = str(kwargs.pop("logger", "storage"))
        get_logger(name).log(number_surely(level), message, extra=kwargs)


def open_storage(
    config: Any,
    *,
    rotator: LogRotator | None = None,
    open_destination: Callable[[Mapping[str, Any]], destinations.Sender] | None = None,
) -> LogStorage:
    """Return the storage that a configuration names.

    Args:
        config: `log` or None (the same road as every record), `file` or `file:PATH`, `database`
            or `database:PATH`, `elasticsearch` (on this machine, port 9200) or its http address;
            a mapping with a `type` and options; a path; an object with `store`; a destination.
        rotator: Rotates the file of `file`.
        open_destination: Opens what is neither a file nor a database.

    Raises:
        ConfigurationError: It is none of these, or an option is wrong.
    """
    if isinstance(config, LogStorage):
        return config
    if hasattr(config, "send"):
        return destinations.DestinationStorage(config)
    if isinstance(config, Path):
        return FileLogStorage(config, rotator=rotator)
    options = _options(config)
    kind = options.pop("type", "")
    if kind == "log":
        return RoadStorage()
    if kind == "file":
        return _file(options, rotator)
    if kind == "database":
        return _database(options)
    if kind == "elasticsearch":
        opener = open_destination or destinations.open_destination
        return destinations.DestinationStorage(opener({"type": kind, "url": _ELASTIC, **options}))
    raise ConfigurationError(
        f"storage {config!r} is not known: write log, file:PATH, database:PATH, elasticsearch, "
        "an http address, a mapping with a type, or give an object with store()"
    )


def _options(config: Any) -> dict[str, Any]:
    if config is None:
        return {"type": "log"}
    if isinstance(config, str):
        if config.startswith(("http://", "https://")):
            return {"type": "elasticsearch", "url": config}
        kind, _, rest = config.partition(":")
        key = "url" if kind == "elasticsearch" else "path"
        return {"type": kind, key: rest} if rest else {"type": kind}
    return dict(config) if hasattr(config, "keys") else {"type": ""}


def _file(options: dict[str, Any], rotator: LogRotator | None) -> FileLogStorage:
    has_policy = bool(options.keys() - {"path"})
    return FileLogStorage(options, rotator=None if has_policy else rotator)


def _database(options: dict[str, Any]) -> DatabaseLogStorage:
    for key in options:
        if key not in {"path", "retention_days"}:
            raise unknown("storage database", key, ("path", "retention_days"))
    return DatabaseLogStorage(**options)
