"""Google Cloud Logging and Azure Monitor as handlers of the standard library.

    logging.getLogger(...) -> [clouds] -> a road of its own -> google, azure

Invariant: a wrong option is an error where the handler is made, never in a log call.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from clerestory.destinations.services.azure import AzureMonitor, AzureMonitorConfig
from clerestory.destinations.services.google import GoogleCloud, GoogleCloudConfig
from clerestory.integrations.handlers import DestinationHandler
from clerestory.logger import get_logger
from clerestory.model.errors import ConfigurationError
from clerestory.settings.options import build

if TYPE_CHECKING:
    from clerestory.delivery.policy import DestinationConfig
    from clerestory.logger import Logger


class _ServiceHandler(DestinationHandler):
    """A handler that takes a configuration or, for dictConfig and YAML, its options."""

    service: ClassVar[Any]

    def __init__(
        self,
        config: DestinationConfig | None = None,
        level: int | str = logging.NOTSET,
        **options: Any,
    ) -> None:
        who = type(self).__name__
        if config is None:
            config = build(self.service.Config, options, who)
        elif options:
            raise ConfigurationError(
                f"{who}: give config or options, not both: {', '.join(options)}"
            )
        super().__init__(self.service, config, level)


class GoogleCloudHandler(_ServiceHandler):
    """Sends what reaches it to a log of Google Cloud Logging.

    Args:
        config: A `GoogleCloudConfig`.
        level: Lowest level.
        **options: In place of `config`, for dictConfig and YAML.

    Raises:
        ConfigurationError: An option is unknown or wrong.
    """

    service = GoogleCloud


class AzureMonitorHandler(_ServiceHandler):
    """Sends what reaches it to a table of Azure Monitor.

    Args:
        config: An `AzureMonitorConfig`.
        level: Lowest level.
        **options: In place of `config`, for dictConfig and YAML.

    Raises:
        ConfigurationError: An option is unknown, missing or wrong.
    """

    service = AzureMonitor


# Google Cloud Logging was called Stackdriver until 2020.
StackdriverConfig = GoogleCloudConfig
StackdriverHandler = GoogleCloudHandler


def create_google_cloud_logger(
    name: str, project_id: str = "", log_name: str | None = None, **config: Any
) -> Logger:
    """Return a logger whose records go to a log of Google Cloud Logging.

    Called again with the same arguments, it adds no second handler.

    Args:
        name: Of the logger.
        project_id: Project of the log; empty for that of the credentials.
        log_name: Name of the log; None for the name of the logger.
        **config: Further options of `GoogleCloudConfig`.

    Raises:
        ConfigurationError: An option is unknown or wrong.
    """
    given = {"project_id": project_id, "log_name": log_name or name, **config}
    return _with_handler(name, GoogleCloudHandler, given, "create_google_cloud_logger")


def create_azure_monitor_logger(
    name: str, dcr_endpoint: str = "", rule_id: str = "", log_type: str = "", **config: Any
) -> Logger:
    """Return a logger whose records go to a table of Azure Monitor.

    Called again with the same arguments, it adds no second handler.

    Args:
        name: Of the logger.
        dcr_endpoint: Logs ingestion endpoint of the data collection rule.
        rule_id: Immutable id of the rule.
        log_type: Name of the table without its `_CL`.
        **config: Further options of `AzureMonitorConfig`.

    Raises:
        ConfigurationError: An option is unknown, missing or wrong.
    """
    given = {"dcr_endpoint": dcr_endpoint, "rule_id": rule_id, "log_type": log_type, **config}
    return _with_handler(name, AzureMonitorHandler, given, "create_azure_monitor_logger")


def _with_handler(
    name: str, kind: type[_ServiceHandler], given: dict[str, Any], where: str
) -> Logger:
    options = build(kind.service.Config, given, where)
    logger = get_logger(name)
    if not any(isinstance(one, kind) and one.config == options for one in logger.handlers):
        logger.addHandler(kind(options))
    return logger


__all__ = [
    "AzureMonitorConfig",
    "AzureMonitorHandler",
    "GoogleCloudConfig",
    "GoogleCloudHandler",
    "StackdriverConfig",
    "StackdriverHandler",
    "create_azure_monitor_logger",
    "create_google_cloud_logger",
]
