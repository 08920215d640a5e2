"""Trace headers: read and written as the specifications say, beside OpenTelemetry's own classes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from clerestory.model.spans import SpanContext
from clerestory.wire.propagation import FORMS, extract, inject, w3c

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PEERS: dict[str, Any] = {
    "tracecontext": TraceContextTextMapPropagator,
    "b3": B3SingleFormat,
    "b3multi": B3MultiFormat,
    "xray": AwsXRayPropagator,
}
CONTEXTS = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1).map("{:032x}".format),
    st.integers(1, 2**64 - 1).map("{:016x}".format),
    st.booleans(),
    st.just(""),
)
HEADERS = st.sampled_from(
    ["traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-amzn-trace-id"]
)


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None)
@given(context=CONTEXTS)
def test_what_is_written_is_read_by_opentelemetry_and_by_us(form, context):
    """The other end of a request is somebody else's."""
    headers: dict[str, str] = {}
    inject(context, headers, [form])

    theirs = PEERS[form]().extract(headers)
    told = trace.get_current_span(theirs).get_span_context()
    assert f"{told.trace_id:032x}" == context.trace_id
    assert f"{told.span_id:016x}" == context.span_id
    assert bool(told.trace_flags & 1) == context.sampled
    assert extract(headers, [form]) == context


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None)
@given(context=CONTEXTS)
def test_what_opentelemetry_writes_is_read(form, context):
    """And so is ours."""
    theirs = trace.NonRecordingSpan(
        trace.SpanContext(
            int(context.trace_id, 16),
            int(context.span_id, 16),
            is_remote=True,
            trace_flags=trace.TraceFlags(int(context.sampled)),
        )
    )
    headers: dict[str, str] = {}
    PEERS[form]().inject(headers, trace.set_span_in_context(theirs))

    assert extract(headers, [form]) == context


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0",
        f"00-{TRACE}-{SPAN}-xy",
    ],
)
def test_a_traceparent_that_is_not_valid_is_passed_over(header):
    """https://www.w3.org/TR/trace-context/#traceparent-header"""
    assert extract({"traceparent": header}) is None


def test_a_later_version_may_say_more():
    """https://www.w3.org/TR/trace-context/#versioning-of-traceparent"""
    assert extract({"traceparent": f"01-{TRACE}-{SPAN}-01-more"}) == (TRACE, SPAN, True, "")


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        ("a=1,b=2", "a=1,b=2"),
        (" a=1 , ,b=2\t", "a=1,b=2"),
        ("tenant@system=x", "tenant@system=x"),
        ("a=1,a=2", ""),
        ("A=1", ""),
        ("a=1=2", ""),
        ("a", ""),
        (",".join(f"k{n}=1" for n in range(33)), ""),
        (f"a={'x' * 600}", ""),
    ],
)
def test_a_tracestate_is_kept_if_it_is_valid(state, kept):
    """https://www.w3.org/TR/trace-context/#tracestate-header"""
    found = extract({"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": state})

    assert found == (TRACE, SPAN, True, kept)
    assert w3c.inject(found).get("tracestate", "") == kept


@pytest.mark.parametrize(
    ("headers", "sampled"),
    [
        ({"b3": f"{TRACE}-{SPAN}-d"}, True),
        ({"b3": f"{TRACE}-{SPAN}-0-{SPAN}"}, False),
        ({"b3": f"{TRACE}-{SPAN}"}, True),
        ({"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN, "X-B3-Sampled": "true"}, True),
        ({"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN, "X-B3-Flags": "1"}, True),
        ({"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN, "X-B3-Sampled": "0"}, False),
    ],
)
def test_b3_says_in_many_ways_whether_a_trace_is_recorded(headers, sampled):
    """https://github.com/openzipkin/b3-propagation"""
    assert extract(headers, ["b3"]) == (TRACE, SPAN, sampled, "")


def test_a_short_b3_trace_id_is_filled_up():
    """64 bits are allowed there."""
    found = extract({"b3": f"{SPAN}-{SPAN}-1"}, ["b3"])

    assert found is not None
    assert found.trace_id == "0" * 16 + SPAN


def test_the_first_form_that_is_found_counts():
    """As the setting orders them."""
    names = ["xray", "tracecontext"]
    headers: dict[str, str] = {}
    inject(SpanContext(TRACE, SPAN), headers, ["xray"])
    inject(SpanContext(TRACE[::-1], SPAN), headers, ["tracecontext"])

    first, second = (extract(headers, order) for order in (names, reversed(names)))
    assert first is not None
    assert second is not None
    assert (first.trace_id, second.trace_id) == (TRACE, TRACE[::-1])


@settings(deadline=None)
@given(st.dictionaries(HEADERS, st.text(max_size=120)))
def test_any_headers_are_read_without_an_error(headers):
    """They come from anybody."""
    for form in FORMS:
        found = extract(headers, [form])
        assert found is None or (len(found.trace_id), len(found.span_id)) == (32, 16)
