"""The hand-written spans mean to OpenTelemetry's own classes what their lines say."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from clerestory.delivery.port import Batch
from clerestory.wire.otlp.encoder import Encoder
from tests.doubles.otlp import attributes_of
from tests.support.batches import RESOURCE, SPAN, TIME, TRACE, span_line
from tests.wire.otlp.test_logs import JSON_VALUES

OWN = frozenset(
    (
        *("timestamp", "level", "logger", "kind", "message", "trace_id", "span_id"),
        *("parent_span_id", "duration_ns", "trace_state", "span.kind", "span.status"),
        *("span.status_message", "span.events", "span.links", "span.dropped", "log.record.uid"),
    )
)
NAMES = st.text(max_size=130).filter(lambda name: name not in OWN)
ATTRIBUTES = st.dictionaries(NAMES, JSON_VALUES, max_size=6)
TRACES = st.binary(min_size=16, max_size=16).map(bytes.hex)
IDS = st.binary(min_size=8, max_size=8).map(bytes.hex)
TIMES = st.integers(10**18, 2**62)


def encoded(*lines):
    text = b"".join(one + b"\n" for one in lines)
    batch = Batch(spool_id="s", first=0, count=len(lines), lines=text, resource=RESOURCE)
    return Encoder().encode(batch)[1]


def decoded(*lines):
    body = encoded(*lines).body
    (group,) = ExportTraceServiceRequest.FromString(body).resource_spans
    return group


def span_of(one):
    (scope,) = decoded(one).scope_spans
    (span,) = scope.spans
    return span


@settings(deadline=None)
@given(TIMES, st.integers(0, 2**61), st.text(max_size=300), ATTRIBUTES, TRACES, IDS, IDS)
def test_every_span_comes_out_as_it_went_in(at, duration, name, attributes, trace, own, parent):
    """Times, name, ids and every attribute, whatever their names, sizes and values."""
    fields = {"trace_id": trace, "span_id": own, "parent_span_id": parent, "duration_ns": duration}
    span = span_of(span_line(name, at=at, **fields, **attributes))

    found = attributes_of(span)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (at, at + duration)
    assert span.name == name
    assert (span.trace_id.hex(), span.span_id.hex()) == (trace, own)
    assert span.parent_span_id.hex() == parent
    assert found.pop("log.record.uid") == "s:0"
    assert found == attributes


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=200), TIMES, ATTRIBUTES), max_size=4),
    st.lists(st.tuples(TRACES, IDS, ATTRIBUTES), max_size=4),
    st.integers(0, 2**40),
)
def test_events_and_links_come_out_as_they_went_in(events, links, dropped):
    """Each with its attributes, and what was too much with its counts."""
    fields: dict[str, Any] = {
        "span.events": [
            {"name": name, "timestamp": at, "attributes": attributes}
            for name, at, attributes in events
        ],
        "span.links": [
            {"trace_id": trace, "span_id": own, "attributes": attributes}
            for trace, own, attributes in links
        ],
        "span.dropped": {"events": dropped, "links": 1, "attributes": 2},
    }
    span = span_of(span_line(**fields))

    assert [(one.name, one.time_unix_nano, attributes_of(one)) for one in span.events] == events
    assert [
        (one.trace_id.hex(), one.span_id.hex(), attributes_of(one)) for one in span.links
    ] == links
    counts = (span.dropped_events_count, span.dropped_links_count, span.dropped_attributes_count)
    assert counts == (min(dropped, 2**32 - 1), 1, 2)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("internal", Span.SPAN_KIND_INTERNAL),
        ("server", Span.SPAN_KIND_SERVER),
        ("client", Span.SPAN_KIND_CLIENT),
        ("producer", Span.SPAN_KIND_PRODUCER),
        ("consumer", Span.SPAN_KIND_CONSUMER),
        ("nonsense", Span.SPAN_KIND_INTERNAL),
    ],
)
def test_kinds_have_opentelemetrys_numbers(kind, number):
    """A service map is drawn from them."""
    assert span_of(span_line(**{"span.kind": kind})).kind == number


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("unset", Status.STATUS_CODE_UNSET),
        ("ok", Status.STATUS_CODE_OK),
        ("error", Status.STATUS_CODE_ERROR),
    ],
)
def test_a_status_keeps_its_code_and_message(status, code):
    """What is searched for first."""
    span = span_of(span_line(**{"span.status": status, "span.status_message": "no stock"}))

    assert (span.status.code, span.status.message) == (code, "no stock")
    assert "span.status" not in attributes_of(span)


def test_what_is_in_the_wrong_form_is_not_lost():
    """Other programs write lines too."""
    span = span_of(
        span_line(trace_id="mine", span_id=7, parent_span_id="", duration_ns="long", trace_state="")
    )

    found = attributes_of(span)
    assert (span.trace_id, span.span_id) == (b"", b"")
    assert (found["trace_id"], found["span_id"], found["field.duration_ns"]) == ("mine", 7, "long")
    assert span.end_time_unix_nano == span.start_time_unix_nano == TIME


def test_spans_are_grouped_by_scope():
    """The logger of a line is the scope of its span; the resource comes once."""
    other = json.dumps(json.loads(span_line("c")) | {"logger": "other"}).encode()
    group = decoded(span_line("a"), other, span_line("b"))

    assert [(one.scope.name, [span.name for span in one.spans]) for one in group.scope_spans] == [
        ("shop.orders", ["a", "b"]),
        ("other", ["c"]),
    ]
    assert attributes_of(group.resource) == RESOURCE


def test_a_span_is_these_bytes():
    """Golden bytes: a change of the encoding shows here, whoever wrote the decoder."""
    one = (
        b'{"timestamp":1795314823428724290,"level":"ERROR","logger":"a","kind":"span",'
        b'"span.kind":"client","span.status":"error","message":"m","trace_id":"' + TRACE.encode() +
        b'","span_id":"' + SPAN.encode() + b'","duration_ns":1,"n":-1}'
    )  # fmt: skip

    body = encoded(one).body

    expected = (
        "0a10" + TRACE + "1208" + SPAN + "2a016d" + "3003" + "7a021802"
        + "39" + (1795314823428724290).to_bytes(8, "little").hex()
        + "41" + (1795314823428724291).to_bytes(8, "little").hex()
        + "4a10" + "0a016e" + "120b18ffffffffffffffffff01"
        + "4a17" + "0a0e" + b"log.record.uid".hex() + "1205" + "0a03" + b"s:0".hex()
    )  # fmt: skip
    size = len(expected) // 2
    assert body[-size - 2 :].hex() == f"12{size:02x}{expected}"
