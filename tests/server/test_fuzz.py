"""Damaged bodies at every door: an answer that says what is wrong, and a server that goes on."""

import concurrent.futures
import http.client
import json
import os
import random
import threading
from urllib.parse import urlsplit

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.support.server import ServerProcess

EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "600"))
LINES_EACH = 50
_local = threading.local()

LINE = (
    b'{"timestamp":1795314823428724290,"level":"INFO","logger":"x","message":"m \\u00e9",'
    b'"n":1.5e3,"deep":{"a":[1,{"b":null}]},"t":true,"trace_id":"0af7"}'
)


def otlp_request():
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    attribute = resource.resource.attributes.add()
    attribute.key, attribute.value.string_value = "service.name", "fuzz"
    record = resource.scope_logs.add().log_records.add()
    record.time_unix_nano = 1795314823428724290
    record.body.string_value = "hello"
    number = record.attributes.add()
    number.key, number.value.int_value = "n", 7
    listed = record.attributes.add()
    listed.key = "list"
    listed.value.array_value.values.add().double_value = 1.5
    return request.SerializeToString()


OTLP_JSON = json.dumps(
    {
        "resourceLogs": [
            {
                "scopeLogs": [
                    {
                        "logRecords": [
                            {
                                "timeUnixNano": "1795314823428724290",
                                "body": {"stringValue": "hello"},
                                "attributes": [{"key": "n", "value": {"intValue": "7"}}],
                            }
                        ]
                    }
                ]
            }
        ]
    }
).encode()


def damaged(chance, seed):
    """Return the seed with some bytes flipped, cut out, doubled or put in."""
    body = bytearray(seed)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(body) + 1)
        kind = chance.randrange(5)
        if kind == 0 and at < len(body):
            body[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del body[at : at + chance.randrange(1, 9)]
        elif kind == 2:
            body[at:at] = body[at : at + 20]
        elif kind == 3:
            body[at:at] = chance.choice(
                [b"\0", b'"', b"{", b"]", b"\\ud800", b"\xff\xfe", b"1e999"]
            )
        else:
            del body[at:]
        body = body or bytearray(b"x")
    return bytes(body)


def post(url, path, body, kind):
    """Post over this thread's kept-alive connection; return the status and the body."""
    connection = getattr(_local, "connection", None)
    port = urlsplit(url).port
    if connection is None or connection.port != port:
        connection = _local.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.fixture(scope="module")
def server():
    with ServerProcess() as running:
        yield running


def run_all(server, path, kind, bodies):
    def one(body):
        status, answer = post(server.url, path, body, kind)
        assert status in {200, 400, 413, 429}, (status, answer, body)
        if status == 400:
            assert len(answer) > 2
        return status

    def work(part):
        try:
            return [one(body) for body in part]
        finally:
            _local.connection.close()
            _local.connection = None

    parts = [bodies[start::8] for start in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = [status for part in pool.map(work, parts) for status in part]
    assert server.get("/health") == {"status": "ok"}
    return statuses


@pytest.mark.timeout(0 if EXAMPLES > 10_000 else 120)
def test_damaged_record_lines_are_stored_or_kept_as_rejected(server):
    """Every line is accounted for: stored or rejected, none refuses its batch."""
    chance = random.Random(1)
    before = server.get("/api/v1/status")
    bodies = []
    lines = 0
    for _ in range(max(1, EXAMPLES // LINES_EACH)):
        made = [damaged(chance, LINE).replace(b"\n", b" ") for _ in range(LINES_EACH)]
        lines += sum(bool(one) for one in made)
        bodies.append(b"\n".join(made))

    statuses = run_all(server, "/v1/records", "application/x-ndjson", bodies)

    after = server.get("/api/v1/status")
    kept = sum(after[name] - before[name] for name in ("total_records", "rejected"))
    assert set(statuses) == {200}
    assert kept == lines


@pytest.mark.timeout(0 if EXAMPLES > 10_000 else 120)
@pytest.mark.parametrize(
    ("seed", "kind"),
    [(otlp_request(), "application/x-protobuf"), (OTLP_JSON, "application/json")],
    ids=["protobuf", "json"],
)
def test_damaged_otlp_is_taken_or_refused_with_words(server, seed, kind):
    """A damaged export request is a 400 that says why, or what it still says is stored."""
    chance = random.Random(2)

    statuses = run_all(server, "/v1/logs", kind, [damaged(chance, seed) for _ in range(EXAMPLES)])

    assert statuses.count(400) > EXAMPLES // 10
