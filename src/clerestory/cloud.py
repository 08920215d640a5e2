"""Cloud services as handlers of the standard library.

from clerestory.cloud import CloudWatchConfig, CloudWatchHandler, create_cloudwatch_logger
"""

from clerestory.destinations.services.azure import AzureMonitorConfig
from clerestory.destinations.services.cloudwatch import CloudWatchConfig
from clerestory.integrations.clouds import (
    AzureMonitorHandler,
    GoogleCloudConfig,
    GoogleCloudHandler,
    StackdriverConfig,
    StackdriverHandler,
    create_azure_monitor_logger,
    create_google_cloud_logger,
)
from clerestory.integrations.cloudwatch import (
    CloudWatchHandler,
    CloudWatchLogHandler,
    create_cloudwatch_logger,
)

__all__ = [
    "AzureMonitorConfig",
    "AzureMonitorHandler",
    "CloudWatchConfig",
    "CloudWatchHandler",
    "CloudWatchLogHandler",
    "GoogleCloudConfig",
    "GoogleCloudHandler",
    "StackdriverConfig",
    "StackdriverHandler",
    "create_azure_monitor_logger",
    "create_cloudwatch_logger",
    "create_google_cloud_logger",
]
