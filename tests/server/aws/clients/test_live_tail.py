"""StartLiveTail through AWS's own client: frames, filters, floods."""

import http.client
import json
import time
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import EventStreamError

from clerestory.server.aws.protocol.frames import event_frame, exception_frame
from tests.server.aws.conftest import client, now_ms, put
from tests.support.server import ServerProcess


def test_frames_are_read_by_aws_s_own_decoder():
    """Lengths, checksums and header types are easy to get nearly right."""
    buffer = EventStreamBuffer()
    buffer.add_data(event_frame("sessionUpdate", {"a": "é"}))
    buffer.add_data(exception_frame("SessionTimeoutException", "over"))

    frames: list[Any] = list(buffer)
    first, second = frames

    assert first.headers == {
        ":message-type": "event",
        ":event-type": "sessionUpdate",
        ":content-type": "application/json",
    }
    assert first.payload == '{"a":"é"}'.encode()
    assert second.headers[":exception-type"] == "SessionTimeoutException"
    assert second.payload == b'{"message":"over"}'


def watch(logs, groups, act, wanted, **given):
    """Open a tail, act once it has begun, and return results until there are enough."""
    answer = logs.start_live_tail(logGroupIdentifiers=groups, **given)
    results, metadata, deadline = [], [], time.monotonic() + 20
    with closing(answer["responseStream"]) as stream:
        for event in stream:
            if "sessionStart" in event:
                started = event["sessionStart"]
                act()
            elif "sessionUpdate" in event:
                results += event["sessionUpdate"]["sessionResults"]
                metadata.append(event["sessionUpdate"]["sessionMetadata"])
                if len(results) >= wanted:
                    break
            assert time.monotonic() < deadline
    return started, results, metadata


def test_a_tail_shows_what_matches_of_its_streams(logs, group):
    """All three conditions are asked at once: group, stream and pattern."""
    logs.create_log_stream(logGroupName=group, logStreamName="web-1")
    at = now_ms()

    def act():
        put(logs, group, "ERROR elsewhere")
        put(logs, group, "fine", "ERROR here", stream="web-1", at=at)

    started, (event,), _ = watch(
        logs, [group], act, 1, logStreamNamePrefixes=["web-"], logEventFilterPattern="ERROR"
    )

    assert started["logGroupIdentifiers"] == [group]
    assert started["logEventFilterPattern"] == "ERROR"
    assert event["message"] == "ERROR here"
    assert event["logStreamName"] == "web-1"
    assert event["logGroupIdentifier"] == f"000000000000:{group}"
    assert event["timestamp"] == at + 1
    assert event["ingestionTime"] >= at


def test_a_flood_is_sampled_and_told_so(logs, group):
    """Who watches must know that it is not everything."""
    _, results, metadata = watch(logs, [group], lambda: put(logs, group, *["x"] * 3000), 400)

    assert 400 <= len(results) <= 1000
    assert any(one["sampled"] for one in metadata)


def test_our_own_records_are_tailed_by_their_service(server, logs, service):
    """They have no raw text: it is rebuilt while they are matched."""
    send = {"resource": {"service.name": service}}
    server.send([{"message": "before"}], **send)

    def act():
        server.send([{"message": "now"}], **send)

    _, (event,), _ = watch(logs, [f"/clerestory/{service}"], act, 1)

    assert '"message":"now"' in event["message"]


def test_members_that_do_not_go_together_are_refused(logs, group):
    """AWS refuses them too, and a test that passes here must pass there."""
    other = f"{group}-other"
    logs.create_log_group(logGroupName=other)
    for given in (
        {"logGroupIdentifiers": [group, other], "logStreamNames": ["s"]},
        {"logGroupIdentifiers": [group], "logStreamNames": ["s"], "logStreamNamePrefixes": ["s"]},
        {"logGroupIdentifiers": [group], "logStreamNames": [f"s{i}" for i in range(11)]},
        {"logGroupIdentifiers": [group], "logEventFilterPattern": "{ $.a }"},
    ):
        with pytest.raises(logs.exceptions.InvalidParameterException):
            logs.start_live_tail(**given)
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.start_live_tail(logGroupIdentifiers=["nosuch"])


def test_a_server_that_stops_ends_its_tails(tmp_path):
    """It would wait ten seconds for them otherwise."""
    server = ServerProcess(tmp_path).start()
    logs = client(server.url)
    logs.create_log_group(logGroupName="g")
    with closing(logs.start_live_tail(logGroupIdentifiers=["g"])["responseStream"]) as tail:
        stream = iter(tail)
        assert "sessionStart" in next(stream)

        started = time.monotonic()
        assert server.stop() == 0

        assert time.monotonic() - started < 6
        with pytest.raises(EventStreamError):
            list(stream)


def test_a_tail_that_is_left_is_closed_at_the_server(server, logs, group):
    """Fifty may be open: those that stayed would count, and the next ones be refused."""
    address = urlsplit(server.url)
    body = json.dumps({"logGroupIdentifiers": [group]})
    headers = {"X-Amz-Target": "Logs_20140328.StartLiveTail"}

    def opened() -> int:
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
        with closing(connection):
            connection.request("POST", "/", body, headers)
            with connection.getresponse() as answer:
                return answer.status

    deadline = time.monotonic() + 20
    taken = 0
    while taken < 120:
        taken += opened() == 200
        assert time.monotonic() < deadline
