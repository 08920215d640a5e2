"""OpenTelemetry's API and its instrumentations on our road, with its SDK as the peer."""

import gc
import json
import os
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager

import flask
import pytest
import requests
from opentelemetry import baggage, context, trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider as SdkProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from werkzeug.serving import make_server

from clerestory import get_logger, request_context, span
from clerestory.integrations.opentelemetry import share_context
from clerestory.integrations.opentelemetry.provider import TracerProvider
from clerestory.testing import capture
from clerestory.trace import current_span
from tests.contracts.case import wait_until

log = get_logger("otel")


@pytest.fixture(autouse=True)
def one_context():
    share_context()


@pytest.fixture
def tracer():
    return TracerProvider().get_tracer("library", "1.0")


def spans_of(caught):
    return {one["message"]: one for one in caught.records if one.get("kind") == "span"}


def use(provider):
    """Make the same spans through the API, whoever provides it."""
    tracer = provider.get_tracer("library", "1.0")
    with tracer.start_as_current_span("outer", kind=SpanKind.SERVER, attributes={"a": 1}) as outer:
        outer.set_attributes({"b": [1, 2], "c": "x"})
        outer.add_event("tick", {"n": 1}, timestamp=5)
        child = tracer.start_span("child", links=[trace.Link(outer.get_span_context(), {"why": 1})])
        with trace.use_span(child, end_on_exit=True):
            child.update_name("renamed")
            child.set_status(Status(StatusCode.ERROR, "no stock"))
        tracer.start_span("alone", context=context.Context(), start_time=7).end(end_time=9)
        with pytest.raises(ValueError, match="wrong"), tracer.start_as_current_span("failed"):
            raise ValueError("wrong")


def test_the_same_calls_make_the_same_spans_as_the_sdk():
    """Names, kinds, attributes, events, links, status, times and parents."""
    exporter = InMemorySpanExporter()
    sdk = SdkProvider()
    sdk.add_span_processor(SimpleSpanProcessor(exporter))
    use(sdk)

    with capture() as caught:
        use(TracerProvider())

    ours = spans_of(caught)
    theirs = {one.name: one for one in exporter.get_finished_spans()}
    assert sorted(ours) == sorted(theirs) == ["alone", "failed", "outer", "renamed"]
    names = {one.context.span_id: one.name for one in theirs.values()}
    our_names = {one["span_id"]: name for name, one in ours.items()}
    for name, peer in theirs.items():
        one = ours[name]
        assert one["logger"] == "library"
        assert one["span.kind"] == peer.kind.name.lower()
        assert one["span.status"] == peer.status.status_code.name.lower()
        assert one.get("span.status_message") == peer.status.description
        assert our_names.get(one.get("parent_span_id")) == (
            names[peer.parent.span_id] if peer.parent else None
        )
        assert [event["name"] for event in one.get("span.events", ())] == [
            event.name for event in peer.events
        ]
        assert len(one.get("span.links", ())) == len(peer.links)
    assert {key: ours["outer"][key] for key in "abc"} == {"a": 1, "b": [1, 2], "c": "x"}
    assert ours["outer"]["span.events"][0] == {
        "name": "tick", "timestamp": 5, "attributes": {"n": 1},
    }  # fmt: skip
    assert (ours["alone"]["timestamp"], ours["alone"]["duration_ns"]) == (7, 2)
    failed = ours["failed"]["span.events"][0]["attributes"]
    peer_failed = dict(theirs["failed"].events[0].attributes or {})
    assert failed["exception.type"] == peer_failed["exception.type"] == "ValueError"
    assert failed["exception.message"] == peer_failed["exception.message"] == "wrong"
    assert "wrong" in failed["exception.stacktrace"]


def test_spans_of_both_kinds_nest_in_each_other(tracer):
    """A library's span inside ours, and ours inside a library's; logs carry the innermost."""
    with capture() as caught, request_context(user="u1"), span("ours"):
        with tracer.start_as_current_span("theirs") as theirs:
            assert [trace.get_current_span(), current_span()] == [theirs, theirs]
            log.info("in theirs")
            with span("ours again"):
                shown = trace.get_current_span().get_span_context()
        log.info("in ours")

    spans = spans_of(caught)
    logs = {one["message"]: one for one in caught.records if "kind" not in one}
    assert spans["ours again"]["span_id"] == f"{shown.span_id:016x}"
    assert spans["theirs"]["parent_span_id"] == spans["ours"]["span_id"]
    assert spans["ours again"]["parent_span_id"] == spans["theirs"]["span_id"]
    assert logs["in theirs"]["span_id"] == spans["theirs"]["span_id"]
    assert logs["in ours"]["span_id"] == spans["ours"]["span_id"]
    assert {one["user"] for one in spans.values()} == {"u1"}


def test_what_the_api_keeps_beside_the_span_goes_on(tracer):
    """Baggage, and the keys that switch instrumentation off."""
    token = context.attach(baggage.set_baggage("tenant", "b"))
    try:
        with capture(), span("ours"):
            assert baggage.get_baggage("tenant") == "b"
            with tracer.start_as_current_span("theirs"):
                assert baggage.get_baggage("tenant") == "b"
    finally:
        context.detach(token)
    assert baggage.get_baggage("tenant") is None


def test_records_carry_the_ids_of_spans_of_the_sdk():
    """Who keeps the SDK still finds the logs of a trace."""
    provider = SdkProvider()
    with capture() as caught, provider.get_tracer("x").start_as_current_span("sdk") as one:
        log.info("in the SDK's span")
        with span("ours"):
            pass
    told = one.get_span_context()

    (record,) = [one for one in caught.records if "kind" not in one]
    assert record["trace_id"] == f"{told.trace_id:032x}"
    assert record["span_id"] == f"{told.span_id:016x}"
    assert spans_of(caught)["ours"]["parent_span_id"] == f"{told.span_id:016x}"


def test_a_span_that_is_dropped_without_an_end_is_forgotten(tracer):
    """A library's mistake costs no memory."""
    from clerestory.tracing.pending import OPEN

    with capture():
        one = tracer.start_span("lost")
        span_id = one.span_id
        is_known = OPEN[span_id]() is one
        del one
        gc.collect()

        assert is_known
        # A keeper that runs may have found it first.
        assert OPEN.pop(span_id, lambda: None)() is None


def test_a_function_is_decorated_by_a_tracer(tracer):
    """As the API's documents show it."""

    @tracer.start_as_current_span("work", attributes={"n": 1})
    def work():
        trace.get_current_span().set_attribute("m", 2)
        return "done"

    with capture() as caught:
        assert [work(), work()] == ["done", "done"]

    found = [(one["n"], one["m"]) for one in caught.records]
    assert found == [(1, 2), (1, 2)]


@contextmanager
def shop_of(provider):
    """Run a Flask program that is instrumented, and whose client is."""
    app = flask.Flask("shop")

    @app.get("/order/<number>")
    def order(number):
        log.info("order %s", number)
        if number == "0":
            raise LookupError("no such order")
        with span("load"):
            return number

    FlaskInstrumentor().instrument_app(app, tracer_provider=provider)
    RequestsInstrumentor().instrument(tracer_provider=provider)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        RequestsInstrumentor().uninstrument()
        FlaskInstrumentor().uninstrument_app(app)


@pytest.fixture
def shop():
    with shop_of(TracerProvider()) as url:
        yield url


def same_in_both(attributes):
    """Return what does not differ from run to run."""
    return {
        key: value
        for key, value in attributes.items()
        if "port" not in key and not (isinstance(value, str) and "127.0.0.1:" in value)
    }


def test_instrumentations_tell_our_spans_what_they_tell_the_sdks():
    """Seed 003's program on either: the same spans, attributes and status."""
    exporter = InMemorySpanExporter()
    sdk = SdkProvider()
    sdk.add_span_processor(SimpleSpanProcessor(exporter))
    with capture(), shop_of(sdk) as url:
        for number in (7, 0):
            requests.get(f"{url}/order/{number}", timeout=10)
        wait_until(lambda: len(exporter.get_finished_spans()) == 4)
    theirs = {
        (one.name, one.kind.name.lower(), one.status.status_code.name.lower()): same_in_both(
            one.attributes or {}
        )
        for one in exporter.get_finished_spans()
    }

    with capture() as caught, shop_of(TracerProvider()) as url:
        for number in (7, 0):
            requests.get(f"{url}/order/{number}", timeout=10)
        wait_until(lambda: len(caught.spans) == 5)
    ours = {
        (one["message"], one["span.kind"], one["span.status"]): one
        for one in caught.spans
        if one["message"] != "load"
    }

    assert sorted(ours) == sorted(theirs)
    for key, attributes in theirs.items():
        assert attributes == {name: ours[key].get(name) for name in attributes}
        assert ours[key]["logger"].startswith("opentelemetry.instrumentation.")


def test_flask_and_requests_are_one_trace(shop):
    """Seed 003's two packages, without the SDK: client, server, our own span, logs."""
    with capture() as caught:
        with span("root"):
            assert requests.get(f"{shop}/order/7", timeout=10).text == "7"
            assert requests.get(f"{shop}/order/0", timeout=10).status_code == 500
        wait_until(
            lambda: len([one for one in caught.records if one.get("span.kind") == "server"]) == 2
        )

    spans = [one for one in caught.records if one.get("kind") == "span"]
    by_id = {one["span_id"]: one for one in spans}
    (root,) = [one for one in spans if one["message"] == "root"]
    servers = [one for one in spans if one["span.kind"] == "server"]
    (load,) = [one for one in spans if one["message"] == "load"]
    logs = [one for one in caught.records if one["logger"] == "otel"]
    assert {one["trace_id"] for one in spans} == {root["trace_id"]}
    assert [one["message"] for one in servers] == ["GET /order/<number>"] * 2
    assert [one["span.status"] for one in servers] == ["unset", "error"]
    for one in servers:
        client = by_id[one["parent_span_id"]]
        assert (client["span.kind"], client["parent_span_id"]) == ("client", root["span_id"])
    assert load["parent_span_id"] == servers[0]["span_id"]
    assert [one["span_id"] for one in logs] == [one["span_id"] for one in servers]


PROGRAMS = {
    "api first": ("from opentelemetry import trace", "", True),
    "late": ("", "from opentelemetry import trace", False),
    "late and on": ("", "from opentelemetry import trace", True),
    "sdk": ("import opentelemetry.sdk.trace; from opentelemetry import trace", "", False),
    "off": ("from opentelemetry import trace", "", False),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_whose_provider_is_in_force(name, tmp_path):
    """Ours where nobody else's is to be expected, or where it is asked for."""
    before, after, ours = PROGRAMS[name]
    mode = {"off": "off", "late and on": "on"}.get(name, "auto")
    program = textwrap.dedent(f"""
        {before}
        import clerestory
        clerestory.configure(
            trace_opentelemetry={mode!r}, spool_mode="memory", destinations=["memory"]
        )
        {after}
        print(type(trace.get_tracer_provider()).__module__.startswith("clerestory"))
        from opentelemetry import context
        print(type(context._RUNTIME_CONTEXT).__module__.startswith("clerestory"))
    """)

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert done.stdout.split() == [str(ours), str(mode != "off")]


@pytest.mark.parametrize("form", ["b3", "b3multi", "xray", "tracecontext"])
def test_propagators_are_set_by_name(form, tmp_path):
    """OTEL_PROPAGATORS and the setting, for the API and for our own functions."""
    program = textwrap.dedent("""
        import json
        from opentelemetry import propagate, trace
        import clerestory
        clerestory.configure(spool_mode="memory", destinations=["memory"])
        from clerestory.trace import extract, inject, span
        with span("a") as one:
            api, own = {}, {}
            propagate.inject(api)
            inject(one, own)
            back = trace.get_current_span(propagate.extract(api)).get_span_context()
            print(json.dumps([api, own, back.span_id == int(one.span_id, 16),
                              extract(api).span_id == one.span_id]))
    """)

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "OTEL_PROPAGATORS": form,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    api, own, back, extracted = json.loads(done.stdout)
    assert {key.lower(): value for key, value in api.items()} == {
        key.lower(): value for key, value in own.items()
    }
    assert back
    assert extracted


def test_spans_of_the_sdk_are_children_of_ours(tmp_path):
    """In a program that uses both, and headers name the innermost, whoever made it."""
    program = textwrap.dedent("""
        from opentelemetry import propagate, trace
        from opentelemetry.sdk.trace import TracerProvider
        import clerestory
        trace.set_tracer_provider(TracerProvider())
        clerestory.configure(spool_mode="memory", destinations=["memory"])
        with clerestory.span("ours") as ours:
            headers = {}
            propagate.inject(headers)
            with trace.get_tracer("x").start_as_current_span("theirs") as theirs:
                print(theirs.parent.span_id == int(ours.span_id, 16))
                print(theirs.get_span_context().trace_id == int(ours.trace_id, 16))
        print(ours.span_id in headers["traceparent"])
    """)

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert done.stdout.split() == ["True"] * 3


@pytest.mark.parametrize("form", ["b3", "b3multi", "xray"])
def test_the_setting_needs_no_package_of_propagators(form, tmp_path):
    """They are here."""
    program = textwrap.dedent("""
        from opentelemetry import propagate
        import clerestory
        clerestory.configure(spool_mode="memory", destinations=["memory"])
        (one,) = propagate.get_global_textmap()._propagators
        print(type(one).__module__)
    """)

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "CLERESTORY_TRACE_PROPAGATORS": form,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert done.stdout.strip() == "clerestory.integrations.opentelemetry.propagators"
