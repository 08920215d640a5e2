"""OTLP traces: the real SDK, both encodings, every kind of value, damage, errors."""

import json
import os
import random
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.server.test_fuzz import EXAMPLES, damaged, run_all
from tests.server.test_otlp import JSON, KEYS, NESTED, PROTOBUF, SCALARS, alike, expected, fill
from tests.server.traces.spans import one_trace

HEX_IDS = ("traceId", "spanId", "parentSpanId")


def request_of(service, trace, attributes_of_spans, *, events=(), links=()):
    """Return a request with a span for each map of attributes; events and links on the first."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    fill(group.resource.attributes.add(key="service.name").value, service)
    scope = group.scope_spans.add()
    scope.scope.name = "library"
    for number, attributes in enumerate(attributes_of_spans):
        start = time.time_ns()
        span = scope.spans.add(
            trace_id=trace, span_id=(number + 1).to_bytes(8, "big"), name="from otlp", kind=3,
            start_time_unix_nano=start, end_time_unix_nano=start + 1000 + number,
        )  # fmt: skip
        for key, value in attributes.items():
            fill(span.attributes.add(key=key).value, value)
    first = scope.spans[0]
    for attributes in events:
        event = first.events.add(name='an "event"', time_unix_nano=start)
        for key, value in attributes.items():
            fill(event.attributes.add(key=key).value, value)
    for attributes in links:
        link = first.links.add(trace_id=b"\xab" * 16, span_id=b"\xcd" * 8, trace_state="a=b")
        for key, value in attributes.items():
            fill(link.attributes.add(key=key).value, value)
    return request


def as_json(request):
    """OTLP/JSON: like protobuf's, but ids in hex."""

    def with_hex(told):
        if isinstance(told, list):
            return [with_hex(one) for one in told]
        if not isinstance(told, dict):
            return told
        from base64 import b64decode

        return {
            key: b64decode(one).hex() if key in HEX_IDS else with_hex(one)
            for key, one in told.items()
        }

    told = json_format.MessageToDict(request, use_integers_for_enums=True)
    return json.dumps(with_hex(told)).encode()


def post(server, request, encoding):
    if encoding == "protobuf":
        answer = server.call("POST", "/v1/traces", request.SerializeToString(), PROTOBUF)
    else:
        answer = server.call("POST", "/v1/traces", as_json(request), JSON)
    assert answer[0] == 200, answer


@pytest.mark.parametrize("values", [SCALARS, NESTED], ids=["scalars", "nested"])
@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_every_value_comes_back_whichever_way_it_was_decoded(server, values, encoding):
    """Attributes of spans, of events and of links, by the engine or by way of Python."""
    maps = st.dictionaries(KEYS, values, max_size=5)

    @settings(
        max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None,
        phases=[Phase.generate],
    )  # fmt: skip
    @given(st.lists(maps, min_size=1, max_size=4), st.lists(maps, max_size=2), maps)
    def check(spans, events, link):
        trace = uuid.uuid4().bytes
        post(server, request_of("values", trace, spans, events=events, links=[link]), encoding)

        found = one_trace(server, trace.hex())["spans"]

        assert alike([one["attrs"] for one in found], [expected(one) for one in spans])
        assert alike([one["attrs"] for one in found[0]["events"]], [expected(e) for e in events])
        assert alike(found[0]["links"][0]["attrs"], expected(link))
        assert [one["duration_ns"] for one in found] == [1000 + n for n in range(len(spans))]

    check()


def test_the_real_sdk_is_understood(server, service):
    """Hand-made bytes prove less than what people really run."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": service, "tags": ["a", "b"]}))
    exporter = OTLPSpanExporter(endpoint=f"{server.url}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("library")
    with tracer.start_as_current_span("GET /a", kind=trace.SpanKind.SERVER) as root:
        other = trace.Link(root.get_span_context(), {"n": 1})
        with pytest.raises(ZeroDivisionError), tracer.start_as_current_span(
            "SELECT", kind=trace.SpanKind.CLIENT, links=[other],
            attributes={"db.system.name": "postgresql", "rows": 3, "list": [1, 2]},
        ):  # fmt: skip
            1 / 0  # noqa: B018 - it raises
    provider.shutdown()
    trace_id = f"{root.get_span_context().trace_id:032x}"

    answer = one_trace(server, trace_id)

    parent, child = answer["spans"]
    assert answer["resources"][0]["tags"] == ["a", "b"]
    assert (parent["name"], parent["kind"], parent["status"]) == ("GET /a", "server", "unset")
    assert (parent["service"], parent["scope"], parent["depth"]) == (service, "library", 0)
    assert child["parent_span_id"] == parent["span_id"]
    assert (child["kind"], child["status"], child["peer"]) == ("client", "error", "postgresql")
    assert child["status_message"] == "ZeroDivisionError: division by zero"
    assert child["attrs"] == {"db.system.name": "postgresql", "rows": 3, "list": [1, 2]}
    assert child["events"][0]["attrs"]["exception.type"] == "ZeroDivisionError"
    assert child["links"][0]["span_id"] == parent["span_id"]
    assert int(parent["ts"]) <= int(child["ts"])
    assert child["duration_ns"] == child_duration(root, child)


def child_duration(root, child):
    """Return the duration that the child told; it lies within that of its parent."""
    assert 0 < child["duration_ns"] <= root.end_time - root.start_time
    return child["duration_ns"]


def test_what_is_missing_gets_its_documented_default(server):
    """Almost every field of OTLP may be absent; a span without an end is still running."""
    trace = uuid.uuid4().bytes
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    start = time.time_ns()
    scope.spans.add(trace_id=trace, span_id=b"\1" * 8, start_time_unix_nano=start)
    scope.spans.add(
        trace_id=trace, span_id=b"\2" * 8, start_time_unix_nano=start, end_time_unix_nano=start - 5,
        dropped_attributes_count=1, dropped_events_count=2, dropped_links_count=4,
    )  # fmt: skip
    for encoding in ("protobuf", "json"):
        post(server, request, encoding)

    running, ended = one_trace(server, trace.hex())["spans"]

    assert (running["service"], running["name"], running["kind"]) == (
        "unknown_service", "", "internal",
    )  # fmt: skip
    assert (running["pending"], running["events"], running["attrs"]) == (True, [], {})
    assert (ended["pending"], ended["duration_ns"], ended["dropped"]) == (False, 0, 7)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"garbage", PROTOBUF),
        (b"\x0a\x05abc", PROTOBUF),
        (b"\x0a\x02\x0a\x50", PROTOBUF),
        (b"{", JSON),
        (b"[]", JSON),
        (b'{"resourceSpans":5}', JSON),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}', JSON),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"NO"}]}]}]}', JSON),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":-1}]}]}]}', JSON),
    ],
)
def test_a_malformed_request_is_a_400_in_its_own_encoding(server, body, headers):
    """An exporter that cannot read the refusal sends the same bytes for ever."""
    status, answer, got = server.call("POST", "/v1/traces", body, headers)

    assert status == 400
    assert got["content-type"] == headers["Content-Type"]
    assert answer


def test_a_request_that_needs_python_holds_up_no_other(server):
    """Requests are decoded together; one with a list must not cost its neighbours theirs."""
    traces = [uuid.uuid4().bytes for _ in range(12)]
    requests = [
        request_of("together", trace, [{"n": [number, None]} if number % 3 else {"n": number}])
        for number, trace in enumerate(traces)
    ]
    for number, request in enumerate(requests):
        fill(request.resource_spans[0].resource.attributes.add(key="args").value, ["a", number])
    bodies = [request.SerializeToString() for request in requests] + [b"\x0a\x02\x0a\x50"] * 3

    with ThreadPoolExecutor(15) as pool:
        answers = list(
            pool.map(lambda body: server.call("POST", "/v1/traces", body, PROTOBUF)[0], bodies)
        )

    assert answers == [200] * 12 + [400] * 3
    for number, trace in enumerate(traces):
        found = one_trace(server, trace.hex())
        assert [one["attrs"]["n"] for one in found["spans"]] == [
            [number, None] if number % 3 else number
        ]
        assert found["resources"] == [{"service.name": "together", "args": ["a", number]}]


def test_text_that_only_claims_to_be_json_is_not_believed(server):
    """The member that carries lists to the engine is ours; a stranger may send it, too."""
    from clerestory.server.ingest.otlp_spans import _request_class

    trace = uuid.uuid4().bytes
    request = request_of("claims", trace, [{"a": 1}])
    foreign = _request_class().FromString(request.SerializeToString())
    pair = foreign.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="b")
    pair.value.raw_json = '1},"evil":{'

    status, _, _ = server.call("POST", "/v1/traces", foreign.SerializeToString(), PROTOBUF)

    assert status == 200
    assert one_trace(server, trace.hex())["spans"][0]["attrs"] == {"a": 1, "b": None}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=60), json_value=st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(
        ["resourceSpans", "scopeSpans", "spans", "events", "links", "status", "code", "kind",
         "attributes", "stringValue", "key", "value", "arrayValue", "values", "resource",
         "startTimeUnixNano", "name", "droppedEventsCount"]), inner, max_size=3)),
    max_leaves=12))  # fmt: skip
def test_no_body_makes_the_server_fail(server, body, json_value):
    """The port is open to every program on the machine."""
    assert server.call("POST", "/v1/traces", body, PROTOBUF)[0] in (200, 400)
    assert server.call("POST", "/v1/traces", json.dumps(json_value).encode(), JSON)[0] in (200, 400)


SEED = request_of("fuzz", b"\7" * 16, [{"n": 1, "list": [1.5, None]}], events=[{"a": "b"}])


@pytest.mark.timeout(0 if EXAMPLES > 10_000 else 120)
@pytest.mark.parametrize(
    ("seed", "kind"),
    [
        (SEED.SerializeToString(), PROTOBUF["Content-Type"]),
        (as_json(SEED), JSON["Content-Type"]),
    ],
    ids=["protobuf", "json"],
)
def test_damaged_requests_are_taken_or_refused_with_words(server, seed, kind):
    """A damaged export request is a 400 that says why, or what it still says is stored."""
    chance = random.Random(int(os.environ.get("CLERESTORY_FUZZ_SEED", "3")))
    bodies = [damaged(chance, seed) for _ in range(EXAMPLES // 2)]

    statuses = run_all(server, "/v1/traces", kind, bodies)

    assert statuses.count(400) > EXAMPLES // 20
    assert server.get("/api/v1/traces", **{"from": "0", "to": "now"})["traces"] is not None
