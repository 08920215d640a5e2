"""AWS's own client, pointed at a server of ours."""

import itertools
import time

import boto3
import pytest
from botocore.config import Config

_numbers = itertools.count()
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def client(url, **options):
    """Return a client of CloudWatch Logs that asks a server and does not try again."""
    config = Config(retries={"max_attempts": 1}, inject_host_prefix=False, **options)
    return boto3.client(
        "logs",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=config,
    )


def now_ms():
    return time.time_ns() // 1_000_000


def put(logs, group, *messages, stream="s", at=None):
    """Put events of one millisecond each; the last one is now."""
    first = now_ms() - len(messages) + 1 if at is None else at
    events = [{"timestamp": first + i, "message": text} for i, text in enumerate(messages)]
    return logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def found(logs, group, **given):
    """Return the messages that FilterLogEvents finds, page by page."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **given)
    return [event["message"] for page in pages for event in page["events"]]


@pytest.fixture(scope="session")
def logs(server):
    return client(server.url)


@pytest.fixture
def group(logs):
    """A group with the stream `s`."""
    name = f"/test/group-{next(_numbers)}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    return name
