"""Every parameter of watchtower's handler, with its effect."""

import datetime
import json
import logging
import os
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

from clerestory.cloud import CloudWatchLogHandler
from tests.contracts.case import wait_until
from tests.doubles.cloudwatch import KEY, SECRET
from tests.support.cloudwatch import endpoint_of_environment, environment, logger_with, records


@pytest.fixture
def double(monkeypatch, tmp_path):
    with endpoint_of_environment(monkeypatch, tmp_path) as one:
        yield one


@contextmanager
def watched(*arguments, **options):
    with logger_with(CloudWatchLogHandler(*arguments, **options)) as logger:
        yield logger


def test_watchtowers_default_stream_names_machine_program_logger_and_process(double):
    """`log_group_name`, `log_stream_name`."""
    with watched() as logger:
        logger.info("m")
        logger.handlers[0].flush()

    script = Path(sys.argv[0]).name
    stream = f"{os.uname().nodename}/{script}/{logger.name}/{os.getpid()}"
    assert list(double.groups["watchtower"].streams) == [stream]


def test_thread_name_and_strftime_are_filled_in(double):
    """`log_stream_name`: the thread that logged, not the one that sends."""
    with watched("g", "{thread_name}/{strftime:%Y}") as logger:
        thread = threading.Thread(target=logger.info, args=("m",), name="worker-7")
        thread.start()
        thread.join()
        logger.handlers[0].flush()

    year = datetime.datetime.now(tz=datetime.UTC).year
    assert list(double.groups["g"].streams) == [f"worker-7/{year}"]


@pytest.mark.parametrize("interval", [0.3, datetime.timedelta(milliseconds=300)])
def test_send_interval_is_how_long_a_record_waits(double, interval):
    """`send_interval`, in seconds or as a timedelta."""
    with watched("g", send_interval=interval) as logger:
        start = time.monotonic()
        logger.info("m")
        wait_until(lambda: len(records(double)) == 1)

    assert time.monotonic() - start > 0.25


def test_use_queues_off_sends_in_the_call(double):
    """`use_queues`."""
    with watched("g", use_queues=False) as logger:
        logger.info("m")
        found = len(records(double))

    assert found == 1


def test_max_batch_count_is_when_a_batch_goes(double):
    """`max_batch_count`."""
    with watched("g", max_batch_count=3) as logger:
        for _ in range(3):
            logger.info("m")
        wait_until(lambda: len(records(double)) == 3)


def test_max_batch_size_bounds_a_request(double):
    """`max_batch_size`."""
    with watched("g", max_batch_size=1500) as logger:
        for _ in range(6):
            logger.info("x" * 400)
        logger.handlers[0].flush()

    assert max(double.puts) < 6
    assert len(records(double)) == 6


def test_max_message_size_bounds_a_message_and_keeps_it_valid(double):
    """`max_message_size`; watchtower cuts in the middle of the JSON."""
    with watched("g", max_message_size=1000) as logger:
        logger.info("x" * 5000)
        logger.handlers[0].flush()

    (message,) = double.messages("g")
    assert len(message) <= 1000
    assert json.loads(message)["_truncated_bytes"] > 0


def test_boto3_client_gives_region_address_and_credentials(double, monkeypatch):
    """`boto3_client`."""
    for name in environment(""):
        monkeypatch.delenv(name)
    client = boto3.client(
        "logs",
        region_name="ap-east-1",
        endpoint_url=double.url,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
    with watched("g", boto3_client=client) as logger:
        logger.info("m")
        logger.handlers[0].flush()

    assert len(records(double)) == 1
    assert "/ap-east-1/logs/" in double.requests[0].headers["authorization"]


def test_boto3_profile_name_is_read_from_the_shared_files(double, monkeypatch, tmp_path):
    """`boto3_profile_name`."""
    shared = tmp_path / "credentials"
    shared.write_text("[shop]\naws_access_key_id = p\naws_secret_access_key = q\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    double.secrets = {"p": "q"}
    with watched("g", boto3_profile_name="shop", region="us-east-1") as logger:
        logger.info("m")
        logger.handlers[0].flush()

    assert len(records(double)) == 1


def test_log_group_retention_days_and_tags_are_the_groups(double):
    """`log_group_retention_days`, `log_group_tags`."""
    with watched("g", log_group_retention_days=7, log_group_tags={"a": "b"}) as logger:
        logger.info("m")
        logger.handlers[0].flush()

    assert (double.groups["g"].retention_days, double.groups["g"].tags) == (7, {"a": "b"})


def test_create_log_group_off_waits(double):
    """`create_log_group`: watchtower loses what is logged meanwhile."""
    with watched("g", create_log_group=False) as logger:
        logger.error("m")
        wait_until(lambda: logger.handlers[0].stats()["hold"])

    assert "g" not in double.groups


def test_create_log_stream_off_waits(double):
    """`create_log_stream`."""
    with watched("g", "s", create_log_stream=False) as logger:
        logger.error("m")
        wait_until(lambda: logger.handlers[0].stats()["hold"])

    assert double.groups["g"].streams == {}


def test_the_old_names_are_understood(double):
    """`log_group`, `stream_name`."""
    with watched(log_group="g", stream_name="s") as logger:
        logger.info("m")
        logger.handlers[0].flush()

    assert len(double.records("g", "s")) == 1


def test_a_mapping_becomes_the_fields_of_the_record(double):
    """As watchtower makes JSON of it; a name of the library's is kept."""
    with watched("g") as logger:
        logger.critical({"request": "hello", "metadata": {"size": 9000}, "name": "n"})
        logger.handlers[0].flush()

    (record,) = records(double)
    assert (record["request"], record["metadata"]) == ("hello", {"size": 9000})
    assert (record["name"], record["level"]) == ("n", "CRITICAL")


def test_json_serialize_default_encodes_what_json_does_not_know(double):
    """`json_serialize_default`."""
    with watched("g", json_serialize_default=lambda value: f"<{type(value).__name__}>") as logger:
        logger.info({"what": object()})
        logger.handlers[0].flush()

    assert records(double)[0]["what"] == "<object>"


def test_a_formatter_makes_the_event(double):
    """`formatter`, the traceback included."""
    with watched("g") as logger:
        (handler,) = logger.handlers
        handler.setFormatter(logging.Formatter("%(levelname)s|%(message)s"))
        try:
            raise ValueError("why")
        except ValueError:
            logger.exception("it %s", "failed")
        handler.flush()

    (message,) = double.messages("g")
    assert message.startswith("ERROR|it failed\nTraceback (most recent call last):")
    assert message.endswith("ValueError: why")


def test_a_formatter_that_fails_costs_no_record(double):
    """It goes as JSON."""
    with watched("g") as logger:
        (handler,) = logger.handlers
        handler.setFormatter(logging.Formatter("%(nothing)s"))
        logger.info("m")
        handler.flush()

    assert [record["message"] for record in records(double)] == ["m"]
