"""Handlers for Google Cloud Logging and Azure Monitor: what the manual announced, working."""

import logging
import logging.config
from contextlib import contextmanager

import pytest

from clerestory.configuration import program
from clerestory.context import request_context
from clerestory.integrations.clouds import (
    AzureMonitorConfig,
    AzureMonitorHandler,
    GoogleCloudConfig,
    GoogleCloudHandler,
    StackdriverConfig,
    StackdriverHandler,
    create_azure_monitor_logger,
    create_google_cloud_logger,
)
from clerestory.model.errors import ConfigurationError
from tests.doubles.azure import RULE, AzureReceiver
from tests.doubles.google import GoogleReceiver


@pytest.fixture(autouse=True)
def spools(monkeypatch, tmp_path):
    """The spools of a test are its own."""
    monkeypatch.setattr(program._State, "settings", None)
    monkeypatch.setenv("CLERESTORY_SPOOL_DIRECTORY", str(tmp_path / "spool"))


@pytest.fixture
def google():
    with GoogleReceiver() as one:
        yield one


@pytest.fixture
def azure():
    with AzureReceiver() as one:
        yield one


def azure_options(azure):
    return {
        "dcr_endpoint": azure.url,
        "rule_id": RULE,
        "log_type": "App",
        "tenant_id": "t",
        "client_id": "c",
        "client_secret": "s3cr3t",
        "authority": azure.url,
    }


@contextmanager
def listening(logger):
    """Let only a logger's own handlers have its records; close them at the end."""
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    try:
        yield logger
    finally:
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()


def test_the_announced_example_for_google_works(google, tmp_path):
    """Seed 001, "Coming Soon": the same names and parameters, and a handler that delivers."""
    config = StackdriverConfig(
        project_id="my-project",
        log_name="my-app",
        endpoint=google.url,
        credentials_file=google.key_file(tmp_path),
    )
    handler = StackdriverHandler(config)
    logger = logging.getLogger("faces.google")
    logger.addHandler(handler)

    with listening(logger), request_context(user_id="user123"):
        logger.info("Processing request")
        handler.flush()

    (one,) = google.entries.values()
    assert one["logName"] == "projects/my-project/logs/my-app"
    assert one["jsonPayload"]["message"] == "Processing request"
    assert one["jsonPayload"]["user_id"] == "user123"


def test_the_announced_example_for_azure_says_what_became_of_it():
    """Seed 001, "Coming Soon": the key belongs to an interface that is gone."""
    with pytest.raises(ConfigurationError, match="dcr_endpoint"):
        AzureMonitorConfig(instrumentation_key="your-key", log_type="ApplicationLogs")


def test_azure_gets_what_reaches_its_handler(azure):
    """And only that: the level is the handler's."""
    handler = AzureMonitorHandler(AzureMonitorConfig(**azure_options(azure)), logging.WARNING)
    logger = logging.getLogger("faces.azure")
    logger.addHandler(handler)

    with listening(logger):
        logger.info("not this")
        logger.warning("this", extra={"order": 7})
        handler.flush()
        assert handler.stats()["sent"] == 1

    assert [row["Message"] for row in azure.rows] == ["this"]
    assert azure.rows[0]["Properties"]["order"] == 7


def test_a_logger_is_made_once(google, azure, tmp_path):
    """A module that is imported twice must not send everything twice."""
    more = {"endpoint": google.url, "credentials_file": google.key_file(tmp_path)}
    with (
        listening(create_google_cloud_logger("faces.g", "my-project", **more)) as one,
        listening(create_azure_monitor_logger("faces.a", **azure_options(azure))) as two,
    ):
        again = create_google_cloud_logger("faces.g", "my-project", **more)
        create_azure_monitor_logger("faces.a", **azure_options(azure))
        one.info("to google", order=7)
        two.info("to azure")
        for handler in (*one.handlers, *two.handlers):
            handler.flush()

        assert again is one
        assert (len(one.handlers), len(two.handlers)) == (1, 1)

    (entry,) = google.entries.values()
    assert entry["logName"] == "projects/my-project/logs/faces.g"
    assert entry["jsonPayload"]["order"] == 7
    assert [row["Message"] for row in azure.rows] == ["to azure"]


def test_handlers_are_made_by_dictionaries_too(google, tmp_path):
    """Every option is plain, so that it works in dictConfig and YAML."""
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "cloud": {
                "class": "clerestory.integrations.clouds.GoogleCloudHandler",
                "level": "INFO",
                "project_id": "p",
                "endpoint": google.url,
                "credentials_file": google.key_file(tmp_path),
                "labels": {"team": "shop"},
            }
        },
        "loggers": {"faces.dict": {"handlers": ["cloud"], "level": "INFO"}},
    }

    logging.config.dictConfig(config)
    logger = logging.getLogger("faces.dict")
    with listening(logger):
        logger.info("hello")
        logger.handlers[0].flush()

    (entry,) = google.entries.values()
    assert entry["labels"]["team"] == "shop"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GoogleCloudHandler(projectid="p"), "unknown option 'projectid'"),
        (lambda: GoogleCloudHandler(GoogleCloudConfig(), log_name="a"), "not both: log_name"),
        (lambda: AzureMonitorHandler(log_type="App"), "dcr_endpoint, rule_id"),
        (lambda: create_azure_monitor_logger("faces.x", log_tipe="a"), "log_tipe"),
    ],
)
def test_a_wrong_option_is_told_where_the_handler_is_made(make, words):
    """Not in the first record, where nobody would see it."""
    with pytest.raises(ConfigurationError, match=words):
        make()
