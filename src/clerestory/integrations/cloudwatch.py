"""CloudWatch Logs as handlers of the standard library, under the names that programs know.

    logging.getLogger(...) -> [cloudwatch] -> a road of its own -> CloudWatch

Invariant: an event is the record as JSON, or, where the handler has a formatter, its text.
"""

from __future__ import annotations

import difflib
import json
import logging
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from clerestory.destinations.services.cloudwatch import CloudWatch, CloudWatchConfig
from clerestory.integrations.handlers import DestinationHandler
from clerestory.logger import get_logger
from clerestory.model.errors import ConfigurationError
from clerestory.process.lines import record_line
from clerestory.settings.options import build
from clerestory.wire.services.cloudwatch import TEXT_MARK

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerestory.delivery.road import Road
    from clerestory.logger import Logger

WATCHTOWER_STREAM: Final = "{machine_name}/{program_name}/{logger_name}/{process_id}"
_WATCHTOWER_HANDLERS: Final = frozenset(
    ("watchtower.CloudWatchLogHandler", "watchtower.handler.CloudWatchLogHandler")
)
_OWN_HANDLER: Final = "clerestory.cloud.CloudWatchLogHandler"
_RENAMED: Final = {
    "log_group_name": "log_group",
    "log_stream_name": "log_stream",
    "send_interval": "flush_interval",
    "max_batch_size": "batch_bytes",
    "max_batch_count": "batch_size",
    "max_message_size": "message_bytes",
    "use_queues": "async_upload",
    "boto3_profile_name": "profile",
    "log_group_retention_days": "retention_days",
    "log_group_tags": "log_group_tags",
    "create_log_group": "create_log_group",
    "create_log_stream": "create_log_stream",
}
_DEPRECATED: Final = {"log_group": "log_group_name", "stream_name": "log_stream_name"}
_DEFAULTS: Final = {
    "log_group_name": "watchtower",
    "log_stream_name": WATCHTOWER_STREAM,
    "send_interval": 60,
    "max_batch_count": 10_000,
}


class CloudWatchHandler(DestinationHandler):
    """Sends what reaches it to a log group.

    A message that is a mapping becomes the fields of the record. With a formatter, what it makes
    is the event.

    Args:
        config: The options.
        level: Lowest level.
        **options: In place of `config`, for dictConfig and YAML.

    Raises:
        ConfigurationError: An option is unknown or wrong.
    """

    def __init__(
        self,
        config: CloudWatchConfig | None = None,
        level: int | str = logging.NOTSET,
        **options: Any,
    ) -> None:
        if config is None:
            config = build(CloudWatchConfig, options, "CloudWatchHandler")
        elif options:
            raise ConfigurationError(
                f"CloudWatchHandler: give config or options, not both: {', '.join(options)}"
            )
        super().__init__(CloudWatch, config, level)
        self._default: Callable[[Any], Any] | None = None
        self._names_threads = "{thread_name" in (config.log_stream or "")

    def road_at(self, level: int) -> Road | None:
        """Return the road for lines that need no LogRecord; see `DestinationHandler`."""
        changes = self._names_threads or self._default is not None
        return None if changes else super().road_at(level)

    def line(self, record: logging.LogRecord) -> bytes | None:
        """Return the line of a record, as the formatter has it if there is one."""
        if self._names_threads:
            record = _copy(record, {"thread.name": record.threadName})
        if self._default is not None and isinstance(record.msg, Mapping):
            encoded = json.dumps(record.msg, default=self._default)
            record = _copy(record, {"msg": json.loads(encoded)})
        if self.formatter is None:
            return record_line(record)
        try:
            text = self.format(record)
        except Exception:  # a wall: a formatter of the program's; the record is kept without it
            return record_line(record)
        bare = dict.fromkeys(("args", "exc_info", "exc_text", "stack_info"))
        line = record_line(_copy(record, {"msg": text, **bare}))
        return line and line.removesuffix(b"}\n") + TEXT_MARK + b"\n"


def _copy(record: logging.LogRecord, changes: Mapping[str, Any]) -> logging.LogRecord:
    return logging.makeLogRecord({**record.__dict__, **changes})


class CloudWatchLogHandler(CloudWatchHandler):
    """Takes the keyword arguments of `watchtower.CloudWatchLogHandler`.

    Without a formatter an event is the whole record as JSON; watchtower sends the message alone.

    Args:
        log_group_name: Log group.
        log_stream_name: Log stream; watchtower's placeholders are filled in.
        *arguments: watchtower's further parameters in its order.
        level: Lowest level.
        **options: watchtower's parameters and the options of `CloudWatchConfig`.

    Raises:
        ConfigurationError: An option is unknown or wrong.
    """

    def __init__(
        self,
        log_group_name: str | None = None,
        log_stream_name: str | None = None,
        *arguments: Any,
        level: int | str = logging.NOTSET,
        **options: Any,
    ) -> None:
        positions = (*("use_queues", "send_interval", "max_batch_size", "max_batch_count"),
                     *("boto3_client", "boto3_profile_name", "create_log_group", "log_group_tags"),
                     *("json_serialize_default", "log_group_retention_days", "create_log_stream"),
                     *("max_message_size", "log_group", "stream_name"))  # fmt: skip
        given = dict(zip(positions, arguments, strict=False)) | options
        if log_group_name is not None:
            given["log_group_name"] = log_group_name
        if log_stream_name is not None:
            given["log_stream_name"] = log_stream_name
        default = given.pop("json_serialize_default", None)
        super().__init__(_from_watchtower(given), level)
        self._default = default


def _from_watchtower(given: dict[str, Any]) -> CloudWatchConfig:
    """Return the options that watchtower's stand for."""
    who = "CloudWatchLogHandler"
    for old, new in _DEPRECATED.items():
        if given.get(old) is not None:
            if given.get(new) is not None:
                raise ConfigurationError(f"{who}: give {new} or {old}, not both")
            given[new] = given[old]
        given.pop(old, None)
    client = given.pop("boto3_client", None)
    own = {field.name for field in fields(CloudWatchConfig)}
    for name in given:
        if name not in own and name not in _RENAMED:
            near = difflib.get_close_matches(name, [*_RENAMED, *sorted(own)], n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else "it has no such argument"
            raise ConfigurationError(f"{who}: unknown argument {name!r}; {hint}")
    options = {_RENAMED.get(name, name): value for name, value in (_DEFAULTS | given).items()}
    if isinstance(options["flush_interval"], timedelta):
        options["flush_interval"] = options["flush_interval"].total_seconds()
    if client is not None:
        if options.get("profile"):
            raise ConfigurationError(f"{who}: give boto3_client or boto3_profile_name, not both")
        options |= _from_client(client)
    return build(CloudWatchConfig, options, who)


def _from_client(client: Any) -> dict[str, Any]:
    """Return region, address and credentials of a client of boto3's."""
    return {
        "region": client.meta.region_name,
        "endpoint_url": client.meta.endpoint_url,
        "credentials": client._request_signer._credentials,  # noqa: SLF001  no public way to them
    }


def with_own_handlers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `logging.config` dictionary in which watchtower's handlers are ours.

    Args:
        config: As it is in a file of a program that uses watchtower; it is not changed.
    """
    found = dict(config)
    handlers = found.get("handlers")
    if isinstance(handlers, Mapping):
        found["handlers"] = {name: _own(handler) for name, handler in handlers.items()}
    return found


def _own(handler: Any) -> Any:
    if not isinstance(handler, Mapping):
        return handler
    replaced = {
        key: _OWN_HANDLER if key in {"class", "()"} and value in _WATCHTOWER_HANDLERS else value
        for key, value in handler.items()
    }
    return replaced if replaced != handler else handler


def create_cloudwatch_logger(
    name: str, log_group: str, region: str | None = None, **config: Any
) -> Logger:
    """Return a logger whose records go to a log group.

    Called again with the same arguments, it adds no second handler.

    Args:
        name: Of the logger.
        log_group: Where its records go.
        region: Such as `eu-central-1`; else as AWS's own tools find it.
        **config: Further options of `CloudWatchConfig`.

    Raises:
        ConfigurationError: An option is unknown or wrong.
    """
    given = {"log_group": log_group, "region": region, **config}
    options = build(CloudWatchConfig, given, "create_cloudwatch_logger")
    logger = get_logger(name)
    if not any(
        isinstance(handler, CloudWatchHandler) and handler.config == options
        for handler in logger.handlers
    ):
        logger.addHandler(CloudWatchHandler(options))
    return logger
