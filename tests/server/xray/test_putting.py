"""Segments in, by the API and by the daemon's protocol: what is stored, what is refused."""

import base64
import json
import socket
import time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clerestory.model.errors import ConfigurationError
from clerestory.server.store.embedded import EmbeddedStore
from clerestory.server.xray.daemon.address import listen, parse
from tests.server.xray.conftest import client
from tests.server.xray.segments import (
    HEADER,
    counted,
    datagram,
    new_id,
    new_trace,
    part,
    put,
    segment,
    send,
    spans_of,
    until,
)
from tests.support.server import ServerProcess


@pytest.fixture(scope="session")
def daemon(server):
    """Where the server plays the daemon."""
    return server.get("/api/v1/status")["xray_address"]


def test_a_segment_is_a_span_when_the_call_returns(server, xray):
    """An answer means stored; the page shows it as it shows every other trace."""
    trace = new_trace()
    inner = part("work", subsegments=[part("db@host", namespace="remote", sql={"url": "x"})])
    put(xray, segment(trace, annotations={"age": 7}, subsegments=[inner]))

    spans = list(spans_of(server, trace).values())

    assert [(one["name"], one["kind"], one["depth"]) for one in spans] == [
        ("backend-flask", "server", 0),
        ("work", "internal", 1),
        ("db@host", "client", 2),
    ]
    assert {one["service"] for one in spans} == {"backend-flask"}
    assert spans[0]["attrs"]["annotation.age"] == 7
    assert spans[0]["duration_ns"] == pytest.approx(100_000_000, abs=1000)


def test_the_final_document_takes_the_place_of_the_one_in_progress(server, xray):
    """The last one of a trace and id wins, in whatever order they came."""
    trace = new_trace()
    begun = segment(trace, in_progress=True)
    ended = dict(begun)
    del begun["end_time"], ended["in_progress"]

    put(xray, begun)
    assert [one["pending"] for one in spans_of(server, trace).values()] == [True]
    put(xray, ended | {"user": "first"})
    put(xray, begun)
    put(xray, ended | {"user": "last"})

    (found,) = spans_of(server, trace).values()
    assert not found["pending"]
    assert found["attrs"]["enduser.id"] == "last"


def test_a_bad_document_is_told_and_the_others_are_stored(server, xray):
    """Status 200, as on AWS: whoever sends has to look."""
    trace = new_trace()
    good = segment(trace)
    documents = [
        "no json",
        json.dumps(good | {"id": new_id(), "trace_id": "1-x"}),
        json.dumps(good),
        json.dumps(good | {"metadata": {"a": "x" * 65_536}}),
        "[]",
    ]

    told = xray.put_trace_segments(TraceSegmentDocuments=documents)["UnprocessedTraceSegments"]

    assert [one["ErrorCode"] for one in told] == [
        "ParseError", "InvalidTraceId", "DocumentTooLarge", "NotAnObject",
    ]  # fmt: skip
    assert told[1]["Id"] != good["id"]
    assert "65536" in told[2]["Message"]
    assert list(spans_of(server, trace)) == [good["id"]]


def test_a_subsegment_alone_is_of_the_service_of_its_parent(server, xray):
    """It does not say so itself; it may come with its parent, later, or never."""
    trace, parent = new_trace(), new_id()
    early = segment(trace, "early", type="subsegment", parent_id=parent)
    late = segment(trace, "late", type="subsegment", parent_id=early["id"])
    lost = segment(new_trace(), "lost", type="subsegment", parent_id=new_id())

    put(xray, early, segment(trace, "shop", id=parent))
    put(xray, late, lost)

    assert {one["service"] for one in spans_of(server, trace).values()} == {"shop"}
    (one,) = spans_of(server, lost["trace_id"]).values()
    assert one["service"] == "unknown_service"
    assert one["orphan"]


def test_a_datagram_is_stored(server, daemon):
    """What the X-Ray SDK sends to its daemon."""
    trace = new_trace()

    send(daemon, datagram(segment(trace, "by-udp")))

    (found,) = until(lambda: spans_of(server, trace)).values()
    assert found["service"] == "by-udp"


def test_parts_of_a_segment_that_come_before_it_wait_for_its_name(server, daemon):
    """The SDK streams the parts of a long segment before the segment itself."""
    trace, parent = new_trace(), new_id()
    parts = [segment(trace, f"p{n}", type="subsegment", parent_id=parent) for n in range(3)]

    send(daemon, *(datagram(one) for one in parts))
    until(lambda: counted(server, "clerestory_xray_datagrams_total", form="segment") >= 3)
    send(daemon, datagram(segment(trace, "shop", id=parent)))

    spans = until(lambda: len(found := spans_of(server, trace)) == 4 and found)
    assert {one["service"] for one in spans.values()} == {"shop"}


def test_spans_of_aws_s_opentelemetry_are_taken(server, daemon):
    """It sends OTLP in Base64 behind the header, sampled and not sampled, and metrics."""
    trace = new_trace()
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="by-adot", kind=2)
    span.trace_id = bytes.fromhex(trace.replace("-", "")[1:])
    span.span_id = bytes.fromhex(new_id())
    span.start_time_unix_nano = time.time_ns()
    span.end_time_unix_nano = span.start_time_unix_nano + 10**6
    content = base64.b64encode(request.SerializeToString())
    before = counted(server, "clerestory_xray_rejected_total", reason="metrics")

    send(daemon, HEADER + b"T1U" + content, HEADER + b"M1" + content, HEADER + b"T1S" + content)

    (found,) = until(lambda: spans_of(server, trace)).values()
    assert found["name"] == "by-adot"
    assert counted(server, "clerestory_xray_rejected_total", reason="metrics") == before + 1
    assert counted(server, "clerestory_xray_rejected_total", reason="unsampled") >= 1


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"nothing", "no_header"),
        (b'{"format":"xml","version":1}\n{}', "unknown_format"),
        (b'{"format":"JSON","version":2}\n{}', "unknown_version"),
        (b"[]\n{}", "bad_header"),
        (b"\n", "bad_header"),
        (HEADER, "empty"),
        (HEADER + b"{", "parse_error"),
        (HEADER + b"{}", "invalid_trace_id"),
        (HEADER + b"T1S%%%", "bad_otlp"),
        (HEADER + b"T1S" + base64.b64encode(b"\xff" * 20), "bad_otlp"),
    ],
)
def test_what_is_no_segment_is_counted_with_its_reason(server, daemon, payload, reason):
    """Nobody answers a datagram, so /metrics has to say it."""
    before = counted(server, "clerestory_xray_rejected_total", reason=reason)

    send(daemon, payload)

    until(lambda: counted(server, "clerestory_xray_rejected_total", reason=reason) == before + 1)


def test_a_burst_of_datagrams_is_stored_or_counted(server, daemon):
    """None of 2,000 disappears silently."""
    trace = new_trace()
    name = "clerestory_xray_overflowed_total"
    before = counted(server, name)

    send(daemon, *(datagram(segment(trace)) for _ in range(2000)))

    def settled():
        send(daemon, b"the kernel tells what it dropped before with the next one")
        told = server.get(f"/api/v1/traces/{trace}", limit=5000)
        return len(told.get("spans", [])) + counted(server, name) - before >= 2000

    assert until(settled)


def test_the_api_answers_at_the_daemon_s_address(daemon):
    """The SDK asks for sampling rules where it sends its segments."""
    xray = client(f"http://{daemon}")

    assert xray.get_sampling_rules()["SamplingRuleRecords"]


def test_what_came_by_udp_is_stored_before_the_server_ends(tmp_path):
    """A stop loses nothing that the kernel has handed over."""
    trace = new_trace()
    lonely = [segment(trace, type="subsegment", parent_id=new_id()) for _ in range(50)]
    with ServerProcess(tmp_path) as server:
        send(server.get("/api/v1/status")["xray_address"], *map(datagram, lonely))

    with ServerProcess(tmp_path) as server:
        assert spans_of(server, trace).keys() == {one["id"] for one in lonely}


def taken_port():
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


def test_an_address_that_was_asked_for_and_is_taken_is_an_error(tmp_path, capfd):
    """Who sets it wants it."""
    with taken_port() as sock:
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        server = ServerProcess(tmp_path, "--xray-address", address)
        with pytest.raises(AssertionError, match="did not start"):
            server.start()
        assert server.stop() == 1

    assert f"cannot listen on {address} for X-Ray" in capfd.readouterr().err


def test_an_address_that_is_taken_is_told_and_off_is_off():
    """With the address, and what to do; what becomes of it is for the server to say."""
    with taken_port() as sock:
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=f"cannot listen on {address} for X-Ray"):
            listen(address)

    assert listen("off") is None


@pytest.mark.parametrize("text", ["2000", "host", "host:", "host:x", "host:70000", ":2000"])
def test_an_address_that_is_none_is_named(text):
    """A typing error must not turn the daemon off in silence."""
    with pytest.raises(ConfigurationError, match=r"HOST:PORT or off"):
        parse(text)


def test_a_directory_of_before_gets_the_column_of_documents(tmp_path):
    """Nobody has to start anew for it."""
    store = EmbeddedStore(tmp_path / "store")
    with store.querying() as connection:
        connection.run("ALTER TABLE spans DROP COLUMN raw")
    store.close()
    trace = new_trace()

    with ServerProcess(tmp_path) as server:
        put(client(server.url), segment(trace))

        assert len(spans_of(server, trace)) == 1
