"""Damaged and hostile calls: an answer in the protocol's form, never a 500."""

import json
import os
import random
from typing import Any

import pytest

from clerestory.server.aws.protocol.shapes import TABLES
from tests.server.aws.conftest import now_ms

EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "600"))
VALUES: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 2**64, 10**40, 1.5, 1e308,
    "", "x", "\x00", "é", "\ud800", "x" * 600, "s", "{ $.a = 1 }", "%(%", "{w0:String}",
    "'; DROP TABLE logs; --", "arn:aws:logs:us-east-1:000000000000:log-group:x:*",
    [], ["x"], [None], [[]], {}, {"a": "b"}, {"timestamp": 1, "message": "x"},
    [{"timestamp": 2**63, "message": "x"}],
    [{"metricName": "m", "metricNamespace": "n", "metricValue": "$.a"}],
]  # fmt: skip


def call(server, operation, body):
    status, answer, headers = server.call(
        "POST", "/", body, {"X-Amz-Target": f"Logs_20140328.{operation}"}
    )
    assert status != 500, (operation, body, answer)
    if status != 200:
        told = json.loads(answer)
        assert told["__type"] == headers["x-amzn-errortype"]
        assert told["message"]
    return status


@pytest.mark.parametrize(
    "operation", [name for name in TABLES["operations"] if name != "StartLiveTail"]
)
def test_no_call_makes_the_server_fail(server, logs, group, operation):
    """Members of every kind in every place."""
    chosen = random.Random(operation)
    shape = TABLES["shapes"][TABLES["operations"][operation]["input"]]
    for _ in range(EXAMPLES // 30):
        members = chosen.sample(sorted(shape["members"]), chosen.randint(0, len(shape["members"])))
        given = {name: chosen.choice(VALUES) for name in members}
        if "logGroupName" in shape["members"] and chosen.random() < 0.7:
            given["logGroupName"] = group
        call(server, operation, json.dumps(given).encode())

    assert logs.describe_log_groups(limit=1)["logGroups"]


def test_no_damaged_body_makes_the_server_fail(server, logs, group):
    """Bytes that are changed, lost and added."""
    whole = json.dumps(
        {
            "logGroupName": group,
            "logStreamName": "s",
            "logEvents": [{"timestamp": now_ms(), "message": '{"a": "\\u00e9"}'}] * 3,
        }
    ).encode()
    chosen = random.Random(7)
    for number in range(EXAMPLES):
        body = bytearray(whole)
        for _ in range(chosen.randint(1, 4)):
            at = chosen.randrange(len(body))
            body[at : at + chosen.randint(0, 3)] = bytes(
                chosen.choices(range(256), k=chosen.randint(0, 3))
            )
        operation = "PutLogEvents" if number % 2 else "FilterLogEvents"
        call(server, operation, bytes(body))

    assert logs.describe_log_groups(limit=1)["logGroups"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"1",
        b"{" * 100_000,
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"a":',
        b"{}x",
        b"\x00",
    ],
)
@pytest.mark.parametrize("operation", ["PutLogEvents", "DescribeLogGroups", "CreateLogGroup"])
def test_a_body_that_is_no_object_is_told_of(server, operation, body):
    """Depth and emptiness are the usual ways to break a decoder."""
    status = call(server, operation, body)

    assert (status == 200) == (operation == "DescribeLogGroups" and body == b"")


def test_a_lone_surrogate_in_a_message_becomes_the_replacement_character(server, logs, group):
    """It would be an error of the store, and every other event of the batch would be lost."""
    body = json.dumps(
        {
            "logGroupName": group,
            "logStreamName": "s",
            "logEvents": [{"timestamp": now_ms(), "message": "a\ud800b"}],
        }
    ).encode()

    assert call(server, "PutLogEvents", body) == 200
    assert logs.filter_log_events(logGroupName=group)["events"][0]["message"] == "a\ufffdb"


def test_a_body_beyond_the_limit_is_refused(server):
    """Before it is decoded."""
    status, answer, _ = server.call(
        "POST", "/", b"x" * (17 * 1024 * 1024), {"X-Amz-Target": "Logs_20140328.PutLogEvents"}
    )

    assert (status, json.loads(answer)["__type"]) == (413, "RequestEntityTooLargeException")


def test_a_page_of_another_site_cannot_call(server):
    """A browser would send it along without asking."""
    headers = {"X-Amz-Target": "Logs_20140328.DescribeLogGroups", "Origin": "http://evil.example"}

    assert server.call("POST", "/", b"{}", headers)[0] == 403
