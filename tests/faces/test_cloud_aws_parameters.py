"""Every parameter of CloudWatchConfig and its handlers, with its effect."""

import logging
import logging.config
import os
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from clerestory.cloud import (
    CloudWatchConfig,
    CloudWatchHandler,
    CloudWatchLogHandler,
    create_cloudwatch_logger,
)
from clerestory.model.errors import ConfigurationError
from tests.contracts.case import wait_until
from tests.doubles.receiver import Reply
from tests.support.cloudwatch import endpoint_of_environment, logger_with, records, run

CLIENT: Any = SimpleNamespace(
    meta=SimpleNamespace(region_name="r", endpoint_url="http://127.0.0.1:9"),
    _request_signer=SimpleNamespace(_credentials=None),
)


@pytest.fixture
def double(monkeypatch, tmp_path):
    with endpoint_of_environment(monkeypatch, tmp_path) as one:
        yield one


@contextmanager
def handled(**options):
    with logger_with(CloudWatchHandler(CloudWatchConfig(log_group="g", **options))) as logger:
        yield logger


def test_log_group_and_log_stream_say_where(double):
    """`log_group`, `log_stream`."""
    with handled(log_stream="s") as logger:
        logger.info("m")
        logger.handlers[0].flush()

    assert [record["message"] for record in double.records("g", "s")] == ["m"]


def test_without_log_stream_every_process_has_its_own(tmp_path, double):
    """`log_stream`: a forked worker must not mix with its parent."""
    code = """
        import logging, os
        from clerestory.cloud import create_cloudwatch_logger
        log = create_cloudwatch_logger("app", "g")
        log.info("parent")
        if os.fork() == 0:
            log.info("child")
            logging.shutdown()
            os._exit(0)
        os.wait()
        """
    run(tmp_path, double, code)
    wait_until(lambda: len(records(double)) == 2)

    streams = double.groups["g"].streams
    node = os.uname().nodename
    assert len(streams) == 2
    for stream in streams:
        host, day, clock, pid = stream.rsplit("_", 3)
        assert (host, len(day), len(clock)) == (node, 8, 6)
        assert pid.isdigit()


def test_region_is_signed_for(double):
    """`region`."""
    with handled(region="eu-south-2") as logger:
        logger.info("m")
        logger.handlers[0].flush()

    assert "/eu-south-2/logs/aws4_request" in double.requests[0].headers["authorization"]


@pytest.mark.parametrize("option", ["create_log_group", "create_log_stream"])
def test_what_may_not_be_created_is_waited_for(double, option):
    """`create_log_group`, `create_log_stream`: nothing is lost."""
    with handled(log_stream="s", **{option: False}) as logger:
        logger.info("m")
        logger.error("now")
        wait_until(lambda: logger.handlers[0].stats()["hold"])
        stats = logger.handlers[0].stats()

    assert stats["queued_records"] == 2
    assert "may not be created here" in stats["last_error"]
    assert double.accepted == []


def test_batch_size_is_when_a_batch_goes(double):
    """`batch_size`, before `flush_interval` has passed."""
    with handled(batch_size=10, flush_interval=3600) as logger:
        for number in range(9):
            logger.info("m %s", number)
        threading.Event().wait(0.3)
        before = len(records(double))
        logger.info("m 9")
        wait_until(lambda: len(records(double)) == 10)

    assert before == 0


def test_max_queue_size_is_when_a_batch_goes_at_the_latest(double):
    """`max_queue_size`, whatever `batch_size` says."""
    with handled(batch_size=100, max_queue_size=10, flush_interval=3600) as logger:
        for number in range(10):
            logger.info("m %s", number)
        wait_until(lambda: len(records(double)) == 10)


def test_flush_interval_is_how_long_a_record_waits(double):
    """`flush_interval`, and no longer."""
    with handled(flush_interval=0.4) as logger:
        start = time.monotonic()
        logger.info("m")
        wait_until(lambda: len(records(double)) == 1)
        took_s = time.monotonic() - start

    assert took_s > 0.35


def test_an_error_does_not_wait(double):
    """`flush_interval` is for what can wait."""
    with handled(flush_interval=3600) as logger:
        logger.info("before")
        logger.error("now")
        wait_until(lambda: len(records(double)) == 2)


@pytest.mark.parametrize("compress", [True, False])
def test_compress_logs_is_whether_bodies_are_gzip(double, compress):
    """`compress_logs`."""
    with handled(compress_logs=compress) as logger:
        logger.info("x" * 5000)
        logger.handlers[0].flush()

    last = double.requests[-1]
    assert (last.headers.get("content-encoding") == "gzip") is compress
    assert (len(last.raw) < 2000) is compress


def test_async_upload_off_waits_for_the_answer(double):
    """`async_upload`: for tests and for functions that are frozen."""
    with handled(async_upload=False, flush_interval=3600) as logger:
        logger.info("m")
        found = len(records(double))

    assert found == 1


def test_max_retries_is_when_an_alarm_is_raised_and_nothing_is_dropped(tmp_path, double):
    """`max_retries`."""
    double.fail("status", times=5, reply=Reply(status=503))
    output = run(
        tmp_path,
        double,
        """
        import time
        from clerestory.cloud import create_cloudwatch_logger
        log = create_cloudwatch_logger("app", "g", max_retries=3, retry_delay=0.01)
        log.error("m")
        log.handlers[0].flush()
        """,
        CLERESTORY_DESTINATIONS="console",
        CLERESTORY_CONSOLE_STREAM="stdout",
    )

    assert [record["message"] for record in records(double)] == ["m"]
    assert "does not take records, they wait in the spool" in output
    assert "takes records again" in output


@pytest.mark.parametrize(("exponential", "bound_s"), [(True, 6.3), (False, 0.6)])
def test_retry_delay_and_exponential_backoff_bound_the_waits(double, exponential, bound_s):
    """Waits are random parts of their bounds: 0.1 s each, or 0.1, 0.2, 0.4 ... 3.2 s."""
    double.fail("status", times=6, reply=Reply(status=503))
    with handled(retry_delay=0.1, exponential_backoff=exponential) as logger:
        start = time.monotonic()
        logger.error("m")
        wait_until(lambda: len(records(double)) == 1)
        took_s = time.monotonic() - start
        retried = logger.handlers[0].stats()["retried"]

    assert retried == 6
    assert took_s < bound_s + 1


def test_explicit_credentials_sign(double):
    """`aws_access_key_id`, `aws_secret_access_key`, `aws_session_token`."""
    double.secrets = {"other": "pair"}
    double.token = "tok"
    with handled(
        aws_access_key_id="other", aws_secret_access_key="pair", aws_session_token="tok"
    ) as logger:
        logger.info("m")
        logger.handlers[0].flush()

    assert len(records(double)) == 1


def test_profile_is_read_from_the_shared_files(double, monkeypatch, tmp_path):
    """`profile`, though the environment holds other keys."""
    shared = tmp_path / "credentials"
    shared.write_text("[shop]\naws_access_key_id = p\naws_secret_access_key = q\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    double.secrets = {"p": "q"}
    with handled(profile="shop", region="us-east-1") as logger:
        logger.info("m")
        logger.handlers[0].flush()

    assert len(records(double)) == 1


def test_endpoint_url_wins_over_the_environment(double, monkeypatch):
    """`endpoint_url`."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://127.0.0.1:9")
    with handled(endpoint_url=double.url) as logger:
        logger.info("m")
        logger.handlers[0].flush()

    assert len(records(double)) == 1


def test_retention_days_and_log_group_tags_are_the_groups(double):
    """`retention_days`, `log_group_tags`."""
    with handled(retention_days=14, log_group_tags={"team": "a"}) as logger:
        logger.info("m")
        logger.handlers[0].flush()

    assert double.groups["g"].retention_days == 14
    assert double.groups["g"].tags == {"team": "a"}


def test_message_bytes_and_batch_bytes_bound_events_and_requests(double):
    """`message_bytes`, `batch_bytes`."""
    with handled(message_bytes=1000, batch_bytes=3000, flush_interval=3600) as logger:
        for _ in range(6):
            logger.info("x" * 5000)
        logger.handlers[0].flush()

    assert all(len(message) <= 1000 for message in double.messages("g"))
    assert all(record["_truncated_bytes"] > 0 for record in records(double))
    assert double.puts == [2, 2, 2]


def test_message_format_text_sends_the_message_alone(double):
    """`message_format`."""
    with handled(message_format="text") as logger:
        logger.info("plain %s", "text")
        logger.handlers[0].flush()

    assert double.messages("g") == ["plain text"]


def test_add_origin_is_whether_events_say_their_host(double):
    """`add_origin`."""
    for add_origin in (True, False):
        with handled(add_origin=add_origin) as logger:
            logger.info("m")
            logger.handlers[0].flush()

    assert [("host" in record) for record in records(double)] == [True, False]


def test_level_is_the_lowest_that_goes(double):
    """`level`, as with any handler."""
    handler = CloudWatchHandler(CloudWatchConfig(log_group="g"), level=logging.WARNING)
    with logger_with(handler) as logger:
        logger.info("no")
        logger.warning("yes")
        handler.flush()

    assert [record["message"] for record in records(double)] == ["yes"]


def test_a_handler_takes_its_options_from_a_dictionary(double):
    """All are scalars, so YAML files can hold them."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {
                "cw": {
                    "class": "clerestory.cloud.CloudWatchHandler",
                    "level": "INFO",
                    "log_group": "g",
                    "flush_interval": "2s",
                    "retention_days": 3,
                }
            },
            "loggers": {"faces.dict": {"handlers": ["cw"], "propagate": False, "level": "INFO"}},
        }
    )
    logger = logging.getLogger("faces.dict")
    (handler,) = logger.handlers
    logger.info("m")
    handler.flush()
    handler.close()
    logger.removeHandler(handler)

    assert len(records(double)) == 1


def test_create_cloudwatch_logger_adds_one_handler(double):
    """A module that is imported twice must not double its records."""
    one = create_cloudwatch_logger("faces.once", "g")
    same = create_cloudwatch_logger("faces.once", "g")
    (handler,) = one.handlers
    one.removeHandler(handler)
    handler.close()

    assert one is same


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: CloudWatchHandler(log_gruop="g"), "did you mean 'log_group'"),
        (CloudWatchHandler, "needs log_group"),
        (
            lambda: CloudWatchHandler(CloudWatchConfig(log_group="g"), region="r"),
            "config or options, not both: region",
        ),
        (lambda: create_cloudwatch_logger("faces.x", "g", batchsize=1), "'batch_size'"),
        (lambda: CloudWatchLogHandler("g", send_intervall=1), "did you mean 'send_interval'"),
        (lambda: CloudWatchLogHandler("g", log_group="h"), "not both"),
        (
            lambda: CloudWatchLogHandler("g", boto3_profile_name="p", boto3_client=CLIENT),
            "not both",
        ),
    ],
)
def test_a_wrong_argument_is_named_with_the_nearest(make, text):
    """One clear error, when the handler is made."""
    with pytest.raises(ConfigurationError, match=text):
        make()
