"""Spans on their way to X-Ray, beside a double that enforces its limits, and by UDP to a daemon."""

import json
import os
import socket
import time

import boto3
import msgspec
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clerestory.delivery.port import Receipt
from clerestory.destinations.services.xray import Xray, XrayConfig
from clerestory.model.errors import ConfigurationError, HoldError, RefusedError, RetryError
from clerestory.spool.letters import DeadLetters
from clerestory.wire.xray.daemon import HEADER, address_of
from clerestory.wire.xray.fitting import DOCUMENT_BYTES_MAX, pieces
from clerestory.wire.xray.segment import spans_of
from tests.contracts.case import Road
from tests.doubles.receiver import Reply
from tests.doubles.xray import KEY, SECRET, XrayApi, error
from tests.support.batches import batch_of, line, span_line

DAY_S = 86_400
EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "150"))
KINDS = ("internal", "server", "client", "producer", "consumer")


@pytest.fixture
def double():
    with XrayApi() as one:
        yield one


def made(url="", **options):
    told = {"region": "eu-central-1", "aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
    return Xray(XrayConfig(**{**told, "endpoint_url": url or None, **options}))


def trace_of(seconds=0.0):
    return f"{int(time.time() + seconds):08x}{'0123456789ab' * 2}"


def span(number=1, age_s=0.0, **fields):
    fields.setdefault("at", time.time_ns())
    return span_line(trace_id=trace_of(-age_s), span_id=f"{number:016x}", **fields)


def send(double, *lines, **options):
    one = made(double.url, **options)
    try:
        return one.send(batch_of(*lines))
    finally:
        one.close()


# -- what X-Ray is sent --------------------------------------------------------------------------


def test_a_request_and_its_parts_become_segment_and_subsegments(double):
    """Each is a document of its own; X-Ray puts them together by their ids."""
    send(
        double,
        span(2, parent_span_id=f"{1:016x}", at=time.time_ns(), **{"db.system": "postgresql"}),
        span(1, **{"span.kind": "server", "http.response.status_code": 503}),
    )

    part, segment = (double.documents[f"{number:016x}"] for number in (2, 1))
    assert segment["name"] == "shop"
    assert segment["fault"] is True
    assert segment["http"]["response"]["status"] == 503
    assert (part["type"], part["parent_id"]) == ("subsegment", segment["id"])
    assert "parent_id" not in segment


def test_a_span_that_runs_is_told_and_replaced_by_its_end(double):
    """X-Ray shows it as in progress, and keeps one document by its id."""
    running = json.loads(span(1, **{"span.pending": True}))
    del running["duration_ns"]

    send(double, msgspec.json.encode(running))
    assert double.documents[f"{1:016x}"]["in_progress"] is True
    send(double, span(1))

    assert "end_time" in double.documents[f"{1:016x}"]


@pytest.mark.parametrize(("count", "puts"), [(50, [50]), (51, [50, 1]), (120, [50, 50, 20])])
def test_limit_of_50_documents_a_call(double, count, puts):
    """The double refuses a call with more."""
    receipt = send(double, *(span(number + 1) for number in range(count)))

    assert double.puts == puts
    assert receipt == Receipt(taken=count)


@pytest.mark.parametrize(("extra", "marked"), [(0, False), (1, True)])
def test_limit_of_65_536_bytes_a_document(double, extra, marked):
    """At the limit it is whole; a byte beyond it the longest text is cut, and says so."""
    send(double, span(1, text=""))
    room = DOCUMENT_BYTES_MAX - len(msgspec.json.encode(double.documents[f"{1:016x}"]))
    # Times are floats, whose texts differ by a few bytes.
    at = 1_000_000_000 * int(time.time()) + 123_456_000
    send(double, span(1, text="", at=at))
    room = DOCUMENT_BYTES_MAX - len(msgspec.json.encode(double.documents[f"{1:016x}"]))

    receipt = send(double, span(1, text="x" * (room + extra), at=at))

    document = double.documents[f"{1:016x}"]
    assert receipt.refused == ()
    assert ("clerestory" in document["metadata"]) == marked
    assert len(document["metadata"]["default"]["text"]) == room if not marked else True
    if marked:
        assert document["metadata"]["clerestory"]["truncated_bytes"] >= extra


def test_a_segment_that_is_too_large_sends_its_parts_on_their_own():
    """Nothing of it is cut as long as each part fits."""
    document = {
        "name": "big", "id": "1" * 16, "trace_id": "1-5759e988-bd862e3fe1be46a994272793",
        "start_time": 1.0, "end_time": 2.0, "subsegments": [
            {"name": f"part {n}", "id": f"{n + 2:016x}", "start_time": 1.0, "end_time": 2.0,
             "metadata": {"default": {"text": "x" * 30_000}}} for n in range(3)
        ],
    }  # fmt: skip

    whole = [json.loads(one) for one in pieces(document)]

    assert [one["name"] for one in whole] == ["big", "part 0", "part 1", "part 2"]
    assert {one.get("parent_id") for one in whole} == {None, "1" * 16}
    assert all("clerestory" not in one.get("metadata", {}) for one in whole)
    assert all(len(spans_of(one)) == 1 for one in whole)


@pytest.mark.parametrize(
    "more",
    [
        {"metadata": {"default": {"a": "é\n" * 40_000, "b": [["x" * 9] * 9000]}}},
        {"annotations": {f"key_{n}": "v" * 200 for n in range(2000)}},
        {"cause": {"exceptions": [{"id": "2" * 16, "message": "m" * 100_000}]}},
        {"metadata": {f"space{n}": n for n in range(20_000)}},
        {"sql": {"sanitized_query": "q" * 80_000}, "http": {"request": {"url": "u" * 80_000}}},
    ],
)
def test_whatever_is_too_long_is_shortened_and_marked(more):
    """It fits, it is a segment, and it says how much is missing."""
    document = {
        "name": "big", "id": "1" * 16, "trace_id": "1-5759e988-bd862e3fe1be46a994272793",
        "start_time": 1.0, "end_time": 2.0, **more,
    }  # fmt: skip
    size = len(msgspec.json.encode(document))

    (content,) = pieces(document)

    told = json.loads(content)
    assert len(content) <= DOCUMENT_BYTES_MAX
    assert spans_of(told)
    missing = told["metadata"]["clerestory"]["truncated_bytes"]
    assert 0 <= len(content) + missing - size <= 80


# -- what X-Ray does not take ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_s", "taken"),
    [(0, True), (28 * DAY_S - 60, True), (28 * DAY_S + 60, False), (-240, True), (-360, False)],
)
def test_a_trace_out_of_time_is_refused_with_its_reason(double, age_s, taken):
    """28 days back, 5 minutes ahead, by the id; the double has the same rule."""
    receipt = send(double, span(1, age_s=age_s))

    assert [one.index for one in receipt.refused] == ([] if taken else [0])
    assert bool(double.documents) == taken
    if not taken:
        assert "28 days" in receipt.refused[0].reason
        assert "trace.ids" in receipt.refused[0].reason


def test_random_ids_are_sent_where_they_are_wanted(double):
    """X-Ray itself says then what it thinks of them."""
    receipt = send(double, span_line(trace_id="f" * 32), check_trace_times=False)

    assert double.puts == [1]
    assert "InvalidTraceId" in receipt.refused[0].reason


def test_a_log_and_a_span_without_ids_are_refused_alone(double):
    """They are no spans that X-Ray could show."""
    receipt = send(double, line(), span(1), span_line(trace_id="x"), b"{}")

    assert {one.index: one.reason.partition(":")[0] for one in receipt.refused} == {
        0: "no_span", 2: "invalid_ids", 3: "no_span",
    }  # fmt: skip
    assert list(double.documents) == [f"{1:016x}"]


def test_a_document_that_is_not_processed_becomes_a_dead_letter(double, tmp_path):
    """The others of its call are kept."""
    bad = f"{3:016x}"
    double.unprocessed = lambda one: ("InvalidSegment", "no") if one["id"] == bad else None
    with Road(tmp_path, made(double.url)) as road:
        road.put(*(span(number) + b"\n" for number in range(1, 6)))
        assert road.pipeline.flush(10), road.stats.last_error

        (letter,) = DeadLetters(road.directory, road.route.destination.name).read()
    assert letter["reason"] == "InvalidSegment: no"
    assert len(double.documents) == 4
    assert double.puts == [5]


def test_documents_that_are_throttled_alone_come_again_alone(double):
    """X-Ray may take a part of a call; what it took is not sent twice."""
    busy = {f"{2:016x}": 1, f"{3:016x}": 2}

    def throttled(document):
        left = busy.get(document["id"], 0)
        busy[document["id"]] = left - 1
        return ("ThrottledException", "slow down") if left > 0 else None

    double.unprocessed = throttled
    one, batch = made(double.url), batch_of(*(span(number) for number in range(1, 5)))

    for _ in range(2):
        with pytest.raises(RetryError, match="not processed"):
            one.send(batch)
    receipt = one.send(batch)

    one.close()
    assert double.puts == [4, 2, 1]
    assert receipt == Receipt(taken=4)
    assert len(double.documents) == 4


def test_a_refusal_without_an_id_is_narrowed_down(double, tmp_path):
    """Of a document that it cannot parse X-Ray does not say which one it is."""
    answer = {"UnprocessedTraceSegments": [{"ErrorCode": "ParseError", "Message": "no"}]}
    double.fail("status", times=1, reply=Reply(body=json.dumps(answer).encode()))

    with pytest.raises(RefusedError, match="ParseError"):
        send(double, span(1), span(2))


@pytest.mark.parametrize(
    ("code", "status", "what"),
    [
        ("ThrottledException", 429, RetryError),
        ("InternalFailure", 500, RetryError),
        ("AccessDeniedException", 403, HoldError),
        ("InvalidSignatureException", 403, HoldError),
        ("UnknownOperationException", 404, HoldError),
        ("InvalidRequestException", 400, RefusedError),
    ],
)
def test_errors_of_the_call_mean_what_aws_says(double, code, status, what):
    """Later; not before somebody acts; never."""
    double.fail("status", times=2, reply=error(code, "m", status))

    with pytest.raises(what, match=code):
        send(double, span(1))


def test_a_wrong_secret_is_found_out(double):
    """Else the signature could be anything."""
    with pytest.raises(HoldError, match="InvalidSignatureException"):
        send(double, span(1), aws_secret_access_key="other")


def test_the_variables_of_aws_name_the_address(double, monkeypatch):
    """AWS_ENDPOINT_URL_XRAY goes before AWS_ENDPOINT_URL."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_XRAY", double.url)

    one = made()
    one.send(batch_of(span(1)))
    one.close()

    assert double.puts == [1]


def test_half_of_the_credentials_is_an_error():
    """At the start, not at the first span."""
    with pytest.raises(ConfigurationError, match="aws_secret_access_key"):
        Xray(XrayConfig(aws_access_key_id="k"))


# -- the double ------------------------------------------------------------------------------------


def test_awss_client_and_ours_are_answered_alike(double):
    """The same documents, put by boto3: what it may not, we may not."""
    client = boto3.client(
        "xray", region_name="eu-central-1", endpoint_url=double.url, aws_access_key_id=KEY,
        aws_secret_access_key=SECRET, config=Config(retries={"max_attempts": 1}),
    )  # fmt: skip
    send(double, span(1, **{"span.kind": "server"}))
    ours = double.documents.pop(f"{1:016x}")

    put = client.put_trace_segments(
        TraceSegmentDocuments=[json.dumps(ours), "{", json.dumps(ours | {"id": "x"})]
    )

    theirs, mine = double.requests[-1], double.requests[-2]
    assert double.documents[f"{1:016x}"] == ours
    assert [one["ErrorCode"] for one in put["UnprocessedTraceSegments"]] == [
        "ParseError", "InvalidId",
    ]  # fmt: skip
    assert (theirs.method, theirs.path) == (mine.method, mine.path)
    scopes = [
        one.headers["authorization"].partition("/")[2].partition(",")[0] for one in (theirs, mine)
    ]
    assert scopes[0] == scopes[1]


# -- by a daemon -----------------------------------------------------------------------------------


@pytest.fixture
def daemon():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def by_daemon(sock, **options):
    host, port = sock.getsockname()
    return made(via="daemon", daemon_address=f"{host}:{port}", **options)


def test_a_daemon_is_sent_a_datagram_for_each_document(daemon):
    """A header line, and the document."""
    one = by_daemon(daemon)

    one.send(batch_of(span(1), span(2)))

    one.close()
    found = [daemon.recv(65_535) for _ in range(2)]
    assert all(datagram.startswith(HEADER) for datagram in found)
    assert [json.loads(one[len(HEADER) :])["id"] for one in found] == [f"{n:016x}" for n in (1, 2)]


def test_a_document_fits_into_a_datagram(daemon):
    """65,507 bytes are the most that UDP takes; the SDK of AWS sends nothing then."""
    one = by_daemon(daemon)

    one.send(batch_of(span(1, text="x" * 70_000)))

    one.close()
    datagram = daemon.recv(65_535)
    assert len(datagram) <= 65_507
    assert json.loads(datagram[len(HEADER) :])["metadata"]["clerestory"]["truncated_bytes"] > 4000


def test_a_daemon_that_is_away_costs_no_span(daemon):
    """On this machine the kernel says that nobody listens."""
    host, port = daemon.getsockname()
    one = by_daemon(daemon)
    daemon.close()

    with pytest.raises(RetryError, match=f"{host}:{port}"):
        one.send(batch_of(span(1)))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind((host, port))
        again.settimeout(5)
        assert one.send(batch_of(span(1))) == Receipt(taken=1)
        assert again.recv(65_535)
    one.close()


def test_a_machine_with_smaller_datagrams_is_learned_from(daemon, monkeypatch):
    """macOS sends 9,216 bytes at most unless it is told otherwise."""
    one = by_daemon(daemon)
    real = socket.socket.send

    def send_small(self, data, *more):
        if len(data) > 9216:
            raise OSError(90, "Message too long")
        return real(self, data, *more)

    monkeypatch.setattr(socket.socket, "send", send_small)
    monkeypatch.setattr("errno.EMSGSIZE", 90)
    batch = batch_of(span(1, text="x" * 40_000))
    for _ in range(3):
        with pytest.raises(RetryError):
            one.send(batch)
    one.send(batch)

    one.close()
    assert len(daemon.recv(65_535)) <= 9216


def test_the_address_of_the_daemon_is_awss_variable(daemon, monkeypatch):
    """In both of its forms."""
    host, port = daemon.getsockname()
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"tcp:127.0.0.1:9 udp:{host}:{port}")

    one = made(via="daemon")
    one.send(batch_of(span(1)))
    one.close()

    assert daemon.recv(65_535)
    assert one.exchange is None


@pytest.mark.parametrize("text", ["", "host", "host:x", "tcp:h:1", "tcp:h:1 tcp:h:2", "h:70000"])
def test_an_address_that_is_none_is_an_error(text):
    """Told at the start."""
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        address_of(text)


# -- anything --------------------------------------------------------------------------------------

_plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False)
_values = st.recursive(
    _plain | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
_names = st.sampled_from(
    [
        *(
            "http.request.method",
            "http.response.status_code",
            "url.full",
            "db.system",
            "rpc.system",
        ),
        *("span.kind", "duration_ns", "span.pending", "span.status_message", "trace_state"),
        *("annotation.a", "annotation.ä b", "aws.xray.annotations", "aws.xray.metadata.x", "user"),
        *("aws.xray.type", "aws.xray.document", "exception.type", "peer.service", "enduser.id"),
        *(
            "span.status",
            "span.events",
            "span.links",
            "parent_span_id",
            "aws.xray.fault",
            "message",
        ),
    ]
)


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(_names | st.text(max_size=12), _values, max_size=6), st.sampled_from(KINDS))
def test_whatever_a_span_says_x_ray_takes_it_or_it_is_refused(double, told, kind):
    """Attributes of any name and type: nothing raises, and the rest of a batch is delivered."""
    kept = {"kind", "timestamp", "level", "logger", "at"}
    told = {name: value for name, value in told.items() if name not in kept}
    odd = json.loads(span(1)) | {"span.kind": kind} | told
    one = made(double.url)

    receipt = one.send(batch_of(msgspec.json.encode(odd), span(2)))

    one.close()
    assert receipt.taken == 2
    assert [refusal.index for refusal in receipt.refused] in ([], [0])
    assert f"{2:016x}" in double.documents
    double.documents.clear()
