"""OTLP logs: the real exporter, both encodings, every kind of value, errors as the protocol says."""

# ruff: noqa: E501 - tables of cases read better in one line

import base64
import json
import time
import uuid

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}

TEXT = st.one_of(
    st.text(max_size=8), st.sampled_from(["42", "true", "null", '"q"', "[1]", "-", "é"])
)
SCALARS = st.one_of(
    st.none(),
    TEXT,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.binary(max_size=6),
)
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=5,
)
KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)


def fill(target, value):
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, bytes):
        target.bytes_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for one in value:
            fill(target.array_value.values.add(), one)
    elif isinstance(value, dict):
        target.kvlist_value.SetInParent()
        for key, one in value.items():
            pair = target.kvlist_value.values.add(key=key)
            fill(pair.value, one)


def request_of(service, records):
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    fill(group.resource.attributes.add(key="service.name").value, service)
    scope = group.scope_logs.add()
    scope.scope.name = "library"
    for attributes in records:
        log = scope.log_records.add(time_unix_nano=time.time_ns(), severity_number=13)
        log.body.string_value = "from otlp"
        for key, value in attributes.items():
            fill(log.attributes.add(key=key).value, value)
    return request


def expected(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [expected(one) for one in value]
    if isinstance(value, dict):
        return {key: expected(one) for key, one in value.items()}
    return value


def alike(got, wanted):
    """Equal; a large whole double may come back with the digits of an integer (same double)."""
    if isinstance(wanted, dict):
        return got.keys() == wanted.keys() and all(alike(got[k], wanted[k]) for k in wanted)
    if isinstance(wanted, list):
        return len(got) == len(wanted) and all(map(alike, got, wanted))
    return float(got) == wanted if isinstance(wanted, float) else got == wanted


def as_json(request):
    """OTLP/JSON: like protobuf's, but ids in hex."""
    return json.dumps(json_format.MessageToDict(request, use_integers_for_enums=True)).encode()


@pytest.mark.parametrize("values", [SCALARS, NESTED], ids=["scalars", "nested"])
@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_every_value_comes_back_whichever_way_it_was_decoded(server, values, encoding):
    """Two decoders, one meaning: which one ran must not show."""

    @settings(
        max_examples=12,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],
    )
    @given(st.lists(st.dictionaries(KEYS, values, max_size=6), min_size=1, max_size=6))
    def check(records):
        own = {"timestamp", "level", "logger", "message", "trace_id", "span_id"}
        records = [{k: v for k, v in one.items() if k not in own} for one in records]
        service = uuid.uuid4().hex
        request = request_of(service, records)
        if encoding == "protobuf":
            answer = server.call("POST", "/v1/logs", request.SerializeToString(), PROTOBUF)
        else:
            answer = server.call("POST", "/v1/logs", as_json(request), JSON)
        assert answer[0] == 200, answer

        rows = server.rows(f'service:"{service}"')

        rows.sort(key=lambda row: int(row["id"].split(":")[1]))
        assert alike([row["attrs"] for row in rows], [expected(one) for one in records])

    check()


def test_the_real_exporter_is_understood(server, service):
    """Hand-made bytes prove less than what people really run."""
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
    from opentelemetry.sdk.resources import Resource

    provider = LoggerProvider(resource=Resource({"service.name": service}))
    exporter = OTLPLogExporter(endpoint=f"{server.url}/v1/logs")
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    record = LogRecord(
        timestamp=time.time_ns(),
        severity_number=SeverityNumber.WARN,
        body="hello",
        attributes={"i": 1, "text": "1", "list": [1, 2]},
    )
    provider.get_logger("library").emit(record)
    provider.shutdown()

    (row,) = server.rows(f"service:{service}")

    assert row["attrs"] == {"i": 1, "text": "1", "list": [1, 2]}
    assert (row["level"], row["logger"], row["message"]) == ("WARNING", "library", "hello")


def test_what_is_missing_gets_its_documented_default(server):
    """Almost every field of OTLP may be absent."""
    event = uuid.uuid4().hex
    request = ExportLogsServiceRequest()
    log = request.resource_logs.add().scope_logs.add().log_records.add()
    log.observed_time_unix_nano = time.time_ns()
    log.event_name = event
    log.trace_id, log.span_id = b"\xab" * 16, b"\xcd" * 8
    body = request.SerializeToString()
    for encoded, headers in ((body, PROTOBUF), (body, PROTOBUF)):
        assert server.call("POST", "/v1/logs", encoded, headers)[0] == 200

    rows = server.rows(f"event.name:{event}")

    assert len({row["id"] for row in rows}) == 2
    assert rows[0]["service"] == "unknown_service"
    assert (rows[0]["level"], rows[0]["message"]) == ("INFO", "")
    assert (rows[0]["trace_id"], rows[0]["span_id"]) == ("ab" * 16, "cd" * 8)
    assert int(rows[0]["ts"]) == log.observed_time_unix_nano


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"garbage", PROTOBUF),
        (b"\x0a\x05abc", PROTOBUF),
        (b"\x0a\x02\x0a\x50", PROTOBUF),
        (b"{", JSON),
        (b"[]", JSON),
        (b'{"resourceLogs":5}', JSON),
        (b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"zz"}]}]}]}', JSON),
        (b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"intValue":"x"}}]}]}]}', JSON),
    ],
)
def test_a_malformed_request_is_a_400_in_its_own_encoding(server, body, headers):
    """An exporter that cannot read the refusal sends the same bytes for ever."""
    status, answer, got = server.call("POST", "/v1/logs", body, headers)

    assert status == 400
    assert got["content-type"] == headers["Content-Type"]
    assert answer


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=60), json_value=st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(
        ["resourceLogs", "scopeLogs", "logRecords", "body", "attributes", "stringValue", "key",
         "value", "arrayValue", "values", "resource", "timeUnixNano"]), inner, max_size=3)),
    max_leaves=12))  # fmt: skip
def test_no_body_makes_the_server_fail(server, body, json_value):
    """The port is open to every program on the machine."""
    assert server.call("POST", "/v1/logs", body, PROTOBUF)[0] in (200, 400)
    assert server.call("POST", "/v1/logs", json.dumps(json_value).encode(), JSON)[0] in (200, 400)
