"""The plain HTTP ways in: HLC, lines, JSON, OTLP with a log group."""

import gzip
import json
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from tests.server.aws.conftest import found, now_ms

PROTOBUF = "application/x-protobuf"


def post(server, path, body, group=None, **headers):
    if group is not None:
        headers |= {"x-aws-log-group": group, "x-aws-log-stream": "s"}
    status, answer, _ = server.call("POST", path, body, headers)
    return status, answer


def test_hlc_takes_objects_that_follow_one_another(server, logs, group):
    """The command of the documentation, but for a time that is not in 1970."""
    at = now_ms() / 1000 - 5
    body = f'{{"event":"hi","time":{at}}}{{"event":{{"a":1}}}}[{{"event":2}}, {{"no":1}}]'.encode()
    path = f"/services/collector/event?logGroup={group}&logStream=s"

    status, answer = post(server, path, body, Authorization="Bearer ACWLx")

    assert (status, answer) == (200, b"{}")
    assert found(logs, group) == ["hi", '{"a":1}', "2"]
    first = logs.filter_log_events(logGroupName=group)["events"][0]
    assert abs(first["timestamp"] / 1000 - at) < 0.002


def test_hlc_keeps_what_an_object_says_besides_its_event(server, logs, group):
    """The host is often the only thing that tells events apart."""
    post(server, "/services/collector/event", b'{"event":"hi","host":"box"}', group)

    assert [json.loads(text) for text in found(logs, group)] == [{"event": "hi", "host": "box"}]


def test_events_that_are_out_of_time_are_counted(server, logs, group):
    """Nothing disappears silently, not even what AWS would drop."""
    body = b'{"event":"old","time":1.5}{"event":"new"}'

    status, answer = post(server, "/services/collector/event", body, group)

    assert status == 200
    assert json.loads(answer)["partialSuccess"] == {
        "rejectedLogRecords": 1,
        "errorMessage": "tooOld: 1, tooNew: 0, expired: 0",
    }
    assert found(logs, group) == ["new"]


def test_lines_are_events(server, logs, group):
    """Empty lines and Windows' line ends are no content."""
    status, _ = post(server, "/ingest/bulk", b'{"a":1}\r\n\nplain\n', group)

    assert status == 200
    assert found(logs, group) == ['{"a":1}', "plain"]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [(b' {"a": 1} ', ['{"a": 1}']), (b'[{"a": 1}, "x", 2]', ['{"a": 1}', '"x"', "2"])],
)
def test_json_is_one_event_or_a_list_of_them(server, logs, group, body, wanted):
    """Each keeps its bytes, spaces and all."""
    status, _ = post(server, "/ingest/json", body, group)

    assert status == 200
    assert found(logs, group) == wanted


def otlp_request(*times: int) -> Any:
    request: Any = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    attribute = group.resource.attributes.add()
    attribute.key, attribute.value.string_value = "service.name", "shop"
    for at in times:
        record = group.scope_logs.add().log_records.add()
        record.time_unix_nano = at
        record.severity_number = 17
        record.body.string_value = "it broke"
    return request


def test_otlp_with_a_log_group_lands_in_it(server, logs, group):
    """CloudWatch's OTLP endpoint has the same path as OpenTelemetry's."""
    body = gzip.compress(otlp_request(now_ms() * 1_000_000, 1_500_000_000).SerializeToString())
    headers = {"Content-Type": PROTOBUF, "Content-Encoding": "gzip"}

    status, answer = post(server, "/v1/logs", body, group, **headers)

    assert status == 200
    told = ExportLogsServiceResponse.FromString(answer).partial_success
    assert told.rejected_log_records == 1
    assert "tooOld: 1" in told.error_message
    (text,) = found(logs, group, filterPattern='{ $.level = "ERROR" }')
    assert json.loads(text)["resource"] == {"service.name": "shop"}


def test_otlp_in_json_with_a_log_group_lands_in_it(server, logs, group):
    """Both encodings of OTLP are in use."""
    record = {"timeUnixNano": str(now_ms() * 1_000_000), "body": {"stringValue": "hi"}}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()

    status, answer = post(server, "/v1/logs", body, group, **{"Content-Type": "application/json"})

    assert (status, answer) == (200, b"{}")
    assert [json.loads(text)["message"] for text in found(logs, group)] == ["hi"]


def test_otlp_without_a_log_group_goes_its_usual_way(server, logs, service):
    """The header alone decides; every other program must not notice."""
    request = otlp_request(now_ms() * 1_000_000)
    request.resource_logs[0].resource.attributes[0].value.string_value = service

    status, _ = post(server, "/v1/logs", request.SerializeToString(), **{"Content-Type": PROTOBUF})

    assert status == 200
    assert len(found(logs, f"/clerestory/{service}")) == 1


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/ingest/json", b"{", "InvalidParameterException"),
        ("/services/collector/event", b'{"event":1', "InvalidParameterException"),
        ("/services/collector/event", b'{"event":1,"time":"x"}', "InvalidParameterException"),
        ("/v1/logs", b"\xff", "InvalidRequestException"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_400(server, logs, group, path, body, code):
    """A 500 would make a shipper send it for ever."""
    status, answer = post(server, path, body, group)

    assert (status, json.loads(answer)["__type"]) == (400, code)
    assert found(logs, group) == []


def test_group_and_stream_must_be_named_and_exist(server, group):
    """As on AWS: these paths create nothing."""
    assert post(server, "/ingest/json", b"{}")[0] == 400
    status, answer = post(server, "/ingest/json", b"{}", "nosuch")
    assert (status, json.loads(answer)["message"]) == (
        400,
        "The specified log group does not exist.",
    )
