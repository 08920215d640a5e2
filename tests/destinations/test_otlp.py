"""The destination otlp against a receiver that reads with OpenTelemetry's own classes."""

import time
from urllib.parse import urlsplit

import pytest

from clerestory.destinations.otlp import Otlp, OtlpConfig
from clerestory.model.errors import ConfigurationError, HoldError, RefusedError, RetryError
from tests.doubles.otlp import OtlpReceiver, attributes_of
from tests.doubles.receiver import Reply
from tests.support.batches import EXCEPTION, RESOURCE, SPOOL, TRACE, batch_of, line, span_line
from tests.support.certificates import make_certificate
from tests.support.server import ServerProcess


@pytest.fixture
def receiver():
    with OtlpReceiver() as one:
        yield one


@pytest.fixture
def destination(made, receiver):
    return made(Otlp, OtlpConfig(endpoint=receiver.url))


def test_what_is_sent_is_what_the_receiver_reads(receiver, destination):
    """Records, their fields and what they share, through compression and back."""
    receipt = destination.send(
        batch_of(line("a", user=7), b"", line("b", level="ERROR", exception=EXCEPTION), first=5)
    )

    assert (receipt.taken, receipt.refused, receipt.lost) == (3, (), 0)
    assert receiver.accepted == [f"{SPOOL}:5", f"{SPOOL}:7"]
    assert [one.body.string_value for one in receiver.records] == ["a", "b"]
    assert attributes_of(receiver.records[0])["user"] == 7
    assert receiver.resources == [RESOURCE]
    assert receiver.requests[0].headers["content-type"] == "application/x-protobuf"


def test_bodies_travel_as_gzip_unless_told_otherwise(receiver, made):
    """Compression is an option of every OpenTelemetry exporter."""
    batch = batch_of(*[line(f"m {n}") for n in range(50)])

    made(Otlp, OtlpConfig(endpoint=receiver.url)).send(batch)
    made(Otlp, OtlpConfig(endpoint=receiver.url, compression="none")).send(batch)

    assert receiver.requests[0].headers["content-encoding"] == "gzip"
    assert "content-encoding" not in receiver.requests[1].headers
    assert len(receiver.records) == 100


def test_a_batch_that_is_sent_again_is_the_same_bytes(receiver, destination):
    """A receiver that compares sees one batch, not two."""
    receiver.fail("drop_answer")
    batch = batch_of(line("a"), line("b"))

    with pytest.raises(RetryError):
        destination.send(batch)
    destination.send(batch)

    assert receiver.requests[0].raw == receiver.requests[1].raw
    assert receiver.accepted == [f"{SPOOL}:0", f"{SPOOL}:1"] * 2


def test_what_the_receiver_refuses_is_counted_and_not_sent_again(receiver, destination):
    """The specification: a partial success must not be retried."""
    receiver.unwanted = "long"

    receipt = destination.send(batch_of(line("a"), line("too long"), line("b")))

    assert (receipt.taken, receipt.lost) == (3, 1)
    assert receipt.detail == "attributes are too long"
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_receiver_in_trouble_gets_the_batch_later(receiver, destination, status):
    """500 and 408 too, where OpenTelemetry's exporters throw the batch away."""
    receiver.fail("status", reply=Reply(status=status, headers={"Retry-After": "7"}))

    with pytest.raises(RetryError) as error:
        destination.send(batch_of(line()))

    assert error.value.wait_s == 7


def test_an_error_is_shown_in_the_receivers_words(receiver, destination):
    """The body of an error is protobuf: its message is, not its bytes."""

    with pytest.raises(RefusedError, match=r"answered 400: a record is not valid$"):
        destination.send(batch_of(line("poison")))


@pytest.mark.parametrize(
    ("reply", "lost"),
    [
        (Reply(body=b"{}", headers={"Content-Type": "application/json"}), 0),
        (
            Reply(
                body=b'{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"no"}}',
                headers={"Content-Type": "application/json"},
            ),
            2,
        ),
        (Reply(body=b"OK", headers={"Content-Type": "text/plain"}), 0),
        (Reply(status=202), 0),
        (Reply(body=b"\x0a\x02\x08\x7f", headers={"Content-Type": "application/x-protobuf"}), 3),
    ],
)
def test_an_answer_in_another_form_is_still_an_answer(receiver, destination, reply, lost):
    """Receivers answer in JSON, in words or not at all; more than was sent cannot be lost."""
    receiver.fail("status", reply=reply)

    receipt = destination.send(batch_of(line("a"), line("b"), line("c")))

    assert (receipt.taken, receipt.lost) == (3, lost)


def test_honeycomb_gets_its_key_and_a_wrong_key_holds(receiver, made):
    """A revoked key keeps the records until somebody mends it."""
    receiver.key = "right"
    config = OtlpConfig(endpoint=receiver.url, headers={"x-honeycomb-team": "wrong"})

    with pytest.raises(HoldError, match="unknown API key"):
        made(Otlp, config).send(batch_of(line()))
    made(Otlp, OtlpConfig(endpoint=receiver.url, headers={"x-honeycomb-team": "right"})).send(
        batch_of(line())
    )

    assert len(receiver.records) == 1
    assert "wrong" not in repr(config)


def test_an_address_of_honeycomb_without_a_key_says_what_to_write():
    """Every request would be a 401."""
    with pytest.raises(ConfigurationError, match="honeycomb://KEY@"):
        Otlp.options(urlsplit("honeycomb://api.honeycomb.io"))


def test_the_variables_of_opentelemetry_are_enough(receiver, made):
    """Seed 004: OTEL_* and a header are picked up with no code; the values are percent-decoded."""
    receiver.key = "a key,=1"
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-honeycomb-team=a%20key%2C%3D1, x-other = 2",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
    }

    made(Otlp, OtlpConfig(), environment=environment).send(batch_of(line("x" * 5000)))

    assert len(receiver.records) == 1
    assert receiver.requests[0].headers["x-other"] == "2"
    assert "content-encoding" not in receiver.requests[0].headers


def test_the_path_is_added_to_the_common_address_and_not_to_that_for_logs(receiver, made):
    """https://opentelemetry.io/docs/specs/otel/protocol/exporter/#endpoint-urls-for-otlphttp"""
    receiver.path = "/mine"
    for_logs = {
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{receiver.url}/mine",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "a=logs",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=all",
    }
    made(Otlp, OtlpConfig(), environment=for_logs).send(batch_of(line()))
    receiver.path = "/base/v1/logs"
    for_all = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{receiver.url}/base/"}
    made(Otlp, OtlpConfig(), environment=for_all).send(batch_of(line()))

    assert len(receiver.records) == 2
    assert receiver.requests[0].headers["a"] == "logs"


def test_the_variables_say_nothing_to_an_address_that_was_given(receiver, made):
    """A key that is meant for one receiver must not reach another."""
    environment = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret"}

    made(Otlp, OtlpConfig(endpoint=receiver.url), environment=environment).send(batch_of(line()))

    assert "authorization" not in receiver.requests[0].headers


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "only http/protobuf is sent"),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "zstd", "expected gzip or none"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "expected milliseconds"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret-key", "expected name=value"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "must begin with http"),
    ],
)
def test_a_variable_that_is_not_understood_is_named(made, name, value, words):
    """And its value is not shown where it may be a key."""
    with pytest.raises(ConfigurationError, match=words) as error:
        Otlp(OtlpConfig(), environment={name: value})

    assert "secret-key" not in str(error.value)


def test_the_name_is_the_same_in_every_run_and_holds_no_secret(receiver, made):
    """Under this name a restarted program finds what it left."""
    options = Otlp.options(urlsplit("honeycomb://SECRET@api.honeycomb.io"))

    assert made(Otlp, OtlpConfig(**options)).name == "otlp-api.honeycomb.io_443"
    assert made(Otlp, OtlpConfig(endpoint="http://c:1/a")).name == "otlp-c_1_a"


def test_our_own_server_stores_what_is_sent(made):
    """The other side of the protocol, as an OpenTelemetry program would use it."""
    with ServerProcess() as server:
        made(Otlp, OtlpConfig(endpoint=server.url)).send(
            batch_of(
                line(
                    "order placed",
                    at=time.time_ns(),
                    user="7",
                    trace_id=TRACE,
                    ratio=0.5,
                    tags=["a", "b"],
                )
            )
        )

        (row,) = server.rows("message:placed")

    assert (row["level"], row["logger"], row["message"]) == ("INFO", "shop.orders", "order placed")
    assert row["trace_id"] == TRACE
    attributes = row["attrs"]
    assert attributes["user"] == "7"
    assert attributes["ratio"] == 0.5
    assert attributes["tags"] == ["a", "b"]


def test_spans_and_logs_of_a_batch_go_each_to_their_path(receiver, destination):
    """One batch, two requests; together they are all of it."""
    receipt = destination.send(batch_of(line("a"), span_line("b"), b"", line("c"), span_line("d")))

    assert (receipt.taken, receipt.lost) == (5, 0)
    assert [one.path for one in receiver.requests] == ["/v1/logs", "/v1/traces"]
    assert receiver.accepted == [f"{SPOOL}:{n}" for n in (0, 3, 1, 4)]
    assert [(scope, span.name) for scope, span in receiver.spans] == [
        ("shop.orders", "b"),
        ("shop.orders", "d"),
    ]


def test_logs_are_not_sent_again_because_their_spans_failed(receiver, destination):
    """The batch comes again, longer than before or cut; what was taken stays taken."""
    receiver.traces_reply = Reply(status=503)

    with pytest.raises(RetryError):
        destination.send(batch_of(line("a"), span_line("b")))
    receiver.traces_reply = None
    destination.send(batch_of(line("a")))
    destination.send(batch_of(line("a"), span_line("b"), line("c")))

    assert receiver.accepted == [f"{SPOOL}:{n}" for n in (0, 2, 1)]


def test_a_receiver_of_logs_alone_keeps_getting_them(receiver, destination):
    """The spans wait among the dead letters, with what to do."""
    receiver.traces_path = ""
    about = line("a", about={"kind": "span"})

    receipt = destination.send(
        batch_of(span_line("b"), about, span_line("c", **{"span.pending": True}))
    )

    assert receiver.accepted == [f"{SPOOL}:1"]
    assert [one.index for one in receipt.refused] == [0]
    assert "set traces_endpoint, or kinds to log" in receipt.refused[0].reason


def test_spans_that_still_run_are_not_sent(receiver, destination):
    """OTLP knows none; their end comes by itself."""
    receipt = destination.send(batch_of(span_line("a", **{"span.pending": True}), span_line("b")))

    assert receipt.taken == 2
    assert [span.name for _, span in receiver.spans] == ["b"]


def test_what_the_receiver_refuses_of_spans_is_counted(receiver, destination):
    """As with logs."""
    receiver.unwanted = "long"

    receipt = destination.send(batch_of(span_line("a"), span_line("too long")))

    assert (receipt.taken, receipt.lost) == (2, 1)
    assert receipt.detail == "attributes are too long"


def test_the_variables_for_traces_go_before_those_for_all(receiver, made):
    """Spans may have a receiver of their own."""
    receiver.traces_path = "/mine"
    environment = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.url}/mine",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a=traces",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=all",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
    }

    made(Otlp, OtlpConfig(), environment=environment).send(batch_of(span_line(), line()))

    assert [(one.path, one.headers["a"]) for one in receiver.requests] == [
        ("/v1/logs", "all"),
        ("/mine", "traces"),
    ]


def test_an_address_for_one_signal_alone_takes_that_signal(made):
    """The other is not sent to a guess."""
    logs = made(Otlp, OtlpConfig(logs_endpoint="http://c:1/v1/logs"))
    traces = made(Otlp, OtlpConfig(traces_endpoint="http://c:1/v1/traces"))

    assert (logs.kinds, traces.kinds) == ({"log"}, {"span"})
    assert logs.name == traces.name == "otlp-c_1"


@pytest.fixture
def mutual(tmp_path):
    """A receiver that wants to see a certificate, its own and that of its one client."""
    (tmp_path / "client").mkdir()
    own, theirs = make_certificate(tmp_path), make_certificate(tmp_path / "client")
    with OtlpReceiver(certificate=own, clients=theirs) as one:
        yield one, own, theirs


def test_a_receiver_that_wants_a_certificate_gets_it(mutual, made):
    """From the options, or from OpenTelemetry's variables."""
    one, own, theirs = mutual
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": one.url,
        "OTEL_EXPORTER_OTLP_CERTIFICATE": own,
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": theirs,
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": theirs,
    }
    given = {"endpoint": one.url, "ca_file": own, "client_certificate": theirs}

    made(Otlp, OtlpConfig(**given)).send(batch_of(line("by option")))
    made(Otlp, OtlpConfig(), environment=variables).send(batch_of(line("by variable")))

    assert len(one.records) == 2


def test_without_a_certificate_records_wait(mutual, made):
    """They are not lost, and the receiver's refusal is shown."""
    one, own, _ = mutual
    destination = made(Otlp, OtlpConfig(endpoint=one.url, ca_file=own))

    with pytest.raises(RetryError, match=r"(?i)certificate|reset|closed|EOF"):
        destination.send(batch_of(line("m")))
    assert one.records == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"client_certificate": "/nowhere.pem"}, "client_certificate: there is no file"),
        ({"client_key": "/nowhere.pem"}, "client_key is given without client_certificate"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(options, words):
    """At the start, not when the first record is to be sent."""
    with pytest.raises(ConfigurationError, match=words):
        Otlp(OtlpConfig(endpoint="https://127.0.0.1:1", **options))
