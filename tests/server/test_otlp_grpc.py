"""OTLP over gRPC, with OpenTelemetry's own exporters and a bare channel."""

import logging
import socket
import subprocess
import sys
import time

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind

from clerestory.server.ingest.otlp_grpc import SERVICES, Door, Refusal, details
from tests.support.server import ServerProcess

ADDRESS = ("--otlp-grpc-address", "127.0.0.1:0")
TRACES = f"/{SERVICES['traces']}/Export"


@pytest.fixture(scope="module")
def grpc_server():
    with ServerProcess(None, *ADDRESS) as running:
        yield running


@pytest.fixture(scope="module")
def address(grpc_server):
    found: str = grpc_server.get("/api/v1/status")["otlp_grpc_address"]
    return found


@pytest.fixture
def export(address):
    """Call a method with bytes, as a client of any language does."""
    with grpc.insecure_channel(address) as channel:
        yield lambda body, method=TRACES: channel.unary_unary(method)(body, timeout=20)


def refused(call, *arguments):
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments)
    error = caught.value
    told = dict(error.trailing_metadata()).get("grpc-status-details-bin")
    return error.code(), error.details(), told


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_spans_of_the_sdk_are_stored(grpc_server, address, compression):
    """With the protocol that the SDK takes by default."""
    service = f"grpc-{compression}"
    exporter = OTLPSpanExporter(
        endpoint=f"http://{address}",
        insecure=True,
        compression=grpc.Compression.Gzip if compression == "gzip" else None,
    )
    provider = TracerProvider(resource=Resource({"service.name": service}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("library")
    with (
        tracer.start_as_current_span("outer", kind=SpanKind.SERVER, attributes={"a": [1, 2]}),
        tracer.start_as_current_span("inner") as inner,
    ):
        inner.add_event("tick", {"n": 1})
    provider.shutdown()

    (trace,) = grpc_server.get("/api/v1/traces", q=f"service:{service}")["traces"]
    outer, inner_row = grpc_server.get(f"/api/v1/traces/{trace['trace_id']}")["spans"]
    assert (outer["name"], outer["kind"], outer["attrs"]["a"]) == ("outer", "server", [1, 2])
    assert inner_row["parent_span_id"] == outer["span_id"]
    assert inner_row["events"][0]["name"] == "tick"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_logs_of_the_sdk_are_stored(grpc_server, address):
    """The second of its signals."""
    provider = LoggerProvider(resource=Resource({"service.name": "grpc-logs"}))
    exporter = OTLPLogExporter(endpoint=f"http://{address}", insecure=True)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = logging.Logger("library")
    logger.addHandler(LoggingHandler(logger_provider=provider))
    logger.warning("disk is filling", extra={"used": 0.93})
    provider.shutdown()

    (row,) = grpc_server.rows("service=grpc-logs")
    assert (row["message"], row["level"], row["attrs"]["used"]) == (
        "disk is filling",
        "WARNING",
        0.93,
    )


def test_an_empty_request_is_taken(export):
    """Exporters may send one."""
    assert export(b"") == b""
    assert export(ExportTraceServiceRequest().SerializeToString()) == b""


def test_a_body_that_is_not_understood_is_not_to_be_sent_again(export):
    """INVALID_ARGUMENT, without RetryInfo."""
    code, text, told = refused(export, b"\xff\xff\xff")

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text
    assert told is None


def test_what_the_server_does_not_have_is_unimplemented(export):
    """As over HTTP it is 404."""
    method = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"

    code, _, _ = refused(export, b"", method)

    assert code is grpc.StatusCode.UNIMPLEMENTED


def test_a_message_that_is_too_large_is_refused(export):
    """By the limit of a body over HTTP, after decompression."""
    code, _, _ = refused(export, bytes(17 * 1024 * 1024))

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_server_that_cannot_store_says_when_to_send_again():
    """UNAVAILABLE with RetryInfo; the exporter obeys it."""
    with ServerProcess(None, *ADDRESS, "--disk-free-bytes-min", str(2**60)) as full:
        address = full.get("/api/v1/status")["otlp_grpc_address"]
        with grpc.insecure_channel(address) as channel:
            call = channel.unary_unary(TRACES)
            deadline = time.monotonic() + 20
            found = None
            while found is None and time.monotonic() < deadline:
                try:
                    call(b"\x0a\x00", timeout=20)
                except grpc.RpcError as error:
                    found = error
        assert full.get("/api/v1/status")["refused"]["disk_full"] >= 1

    assert found is not None
    told = Status.FromString(dict(found.trailing_metadata())["grpc-status-details-bin"])
    assert found.code() is grpc.StatusCode.UNAVAILABLE
    retry = RetryInfo()
    assert told.details[0].Unpack(retry)
    assert (told.code, retry.retry_delay.seconds) == (14, 1)


@pytest.mark.parametrize(
    ("status", "code"), [(400, 3), (413, 3), (429, 8), (503, 14), (500, 13), (401, 16)]
)
def test_statuses_mean_over_grpc_what_they_mean_over_http(status, code):
    """Which of them let an exporter send again is OTLP's rule."""
    from clerestory.server.ingest import otlp_grpc

    assert otlp_grpc._CODES.get(status, otlp_grpc._INTERNAL) == code


def test_details_are_what_googles_classes_read():
    """Whatever the language of the exporter."""
    told = Status.FromString(details(8, Refusal(429, "busy é", 7)))
    retry = RetryInfo()

    assert told.details[0].Unpack(retry)
    assert (told.code, told.message, retry.retry_delay.seconds) == (8, "busy é", 7)


@pytest.fixture
def taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield f"127.0.0.1:{other.getsockname()[1]}"


def door():
    return Door({}, lambda error: Refusal(500, str(error), 0), 1024)


def test_a_default_address_that_is_taken_is_remembered(taken):
    """Another collector runs here; ours goes on without, and the start says so."""
    one = door()

    one.open(taken, must=False)

    assert (one.address, taken in one.why) == ("", True)


def test_two_servers_do_not_share_a_port():
    """Linux would let them, and give each half of the requests."""
    first, second = door(), door()
    first.open("127.0.0.1:0", must=False)
    try:
        second.open(first.address, must=False)
        assert second.address == ""
    finally:
        first.close()


def test_an_address_that_was_asked_for_and_is_taken_ends_the_server(taken, tmp_path):
    """Whoever set it counts on it."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "clerestory.server", "--data-dir", str(tmp_path)),
            *("--port", "0", "--otlp-grpc-address", taken),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert f"cannot listen on {taken} for OTLP over gRPC" in done.stderr


def test_without_grpcio_the_server_goes_on_and_says_so(monkeypatch):
    """It is an extra; only somebody who asked for the address is refused."""
    from clerestory.model.errors import ConfigurationError
    from clerestory.server.ingest import otlp_grpc

    monkeypatch.setattr(otlp_grpc, "find_spec", lambda _name: None)
    one = door()

    one.open("127.0.0.1:0", must=False)

    assert "clerestory[grpc]" in one.why
    with pytest.raises(ConfigurationError, match=r"clerestory\[grpc\]"):
        one.open("127.0.0.1:0", must=True)


@pytest.mark.parametrize("text", ["4317", "host", "127.0.0.1:x", "127.0.0.1:70000", ":1"])
def test_an_address_that_is_none_is_an_error(text):
    """With what was got."""
    from clerestory.model.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="HOST:PORT or off"):
        door().open(text, must=True)


def test_it_can_be_turned_off():
    """And the status says why nothing listens."""
    one = door()

    one.open("off", must=True)

    assert one.why == "server.otlp_grpc_address is off"
