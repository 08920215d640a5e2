"""One server span of a request, whoever makes it: ours joins that of an instrumentation."""

from typing import Any

import pytest
import requests
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider as SdkProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from werkzeug.debug import DebuggedApplication
from werkzeug.middleware.proxy_fix import ProxyFix

from clerestory import request_context, span
from clerestory.integrations.flask import instrument
from clerestory.integrations.opentelemetry import share_context
from clerestory.integrations.opentelemetry.provider import TracerProvider
from clerestory.integrations.wsgi import WsgiMiddleware
from clerestory.testing import capture
from tests.contracts.case import wait_until
from tests.web.shop import PARENT, about, ask, plain, served, server_spans, shop


@pytest.mark.parametrize("whose", ["ours", "sdk"])
def test_an_instrumentation_that_makes_the_server_span_is_joined(whose):
    """FlaskInstrumentor is inside of ours; two server spans would be one too many."""
    share_context()
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    if whose == "sdk":
        provider = SdkProvider()  # type: ignore[assignment]
        provider.add_span_processor(SimpleSpanProcessor(exporter))  # type: ignore[attr-defined]
    app = instrument(shop())
    FlaskInstrumentor().instrument_app(app, tracer_provider=provider)
    try:
        with capture() as caught, served(app) as url:
            requests.get(f"{url}/order/7", headers={"traceparent": PARENT}, timeout=10)
            wait_until(lambda: about(caught))
    finally:
        FlaskInstrumentor().uninstrument_app(app)

    (record,) = about(caught)
    if whose == "ours":
        (one,) = caught.spans
        assert one["parent_span_id"] == PARENT[36:52]
        ids = one["trace_id"], one["span_id"]
    else:
        assert caught.spans == []
        (theirs,) = exporter.get_finished_spans()
        ids = f"{theirs.context.trace_id:032x}", f"{theirs.context.span_id:016x}"
    assert (record["trace_id"], record["span_id"]) == ids


@pytest.mark.parametrize("layer", ["proxy", "debugger"])
def test_an_instrumentation_is_found_below_other_middleware(layer):
    """What stands between a server and the application, as `flask run` puts it."""
    app = shop()
    FlaskInstrumentor().instrument_app(app, tracer_provider=TracerProvider())
    around: Any = {
        "proxy": lambda: ProxyFix(app),
        "debugger": lambda: DebuggedApplication(app),
    }[layer]()
    share_context()
    try:
        with capture() as caught:
            ask(
                WsgiMiddleware(around), "/order/7", SERVER_NAME="localhost", SERVER_PORT="80",
                HTTP_HOST="localhost", **{"wsgi.url_scheme": "http"},
            )  # fmt: skip
    finally:
        FlaskInstrumentor().uninstrument_app(app)

    assert len(about(caught)) == len(server_spans(caught)) == 1


def test_a_server_span_that_is_around_already_is_joined():
    """An instrumentation outside of ours has made it."""
    with (
        capture() as caught,
        TracerProvider().get_tracer("otel").start_as_current_span("GET /", kind=SpanKind.SERVER),
    ):
        ask(WsgiMiddleware(plain()))

    (one,) = caught.spans
    assert one["message"] == "GET /"
    assert about(caught)[0]["span_id"] == one["span_id"]


def test_a_request_without_headers_inside_a_span_is_its_child():
    """As a test client's, or that of an application that calls itself."""
    with capture() as caught, request_context(job="j1"), span("job") as job:
        ask(WsgiMiddleware(plain()))

    (one,) = server_spans(caught)
    assert one["parent_span_id"] == job.span_id
    assert one["job"] == "j1"
