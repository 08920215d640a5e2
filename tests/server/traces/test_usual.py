"""What is usual for the spans of a trace, and what a search for spans is offered."""

import pytest

from tests.server.traces.spans import MS, NOW_NS, send, span, trace_id

HOUR_NS = 3600 * 10**9
FAILED = {"span.status": "error"}


def usual(server, trace, **params):
    return server.get(f"/api/v1/traces/{trace}/usual", **params)


def test_alike_spans_of_the_hours_before_are_usual(server, service):
    """Same service, name and kind; the trace itself, what came later and other kinds are not."""
    alike = [
        span(trace_id(), 1, timestamp=NOW_NS - HOUR_NS, message="work", duration_ns=ms * MS, **more)
        for ms, more in ((25, {}), (50, FAILED), (75, {}), (100, FAILED))
    ]
    strangers = [
        span(trace_id(), 1, timestamp=NOW_NS - HOUR_NS, message="other"),
        span(trace_id(), 1, timestamp=NOW_NS - HOUR_NS, message="work", **{"span.kind": "server"}),
        span(trace_id(), 1, timestamp=NOW_NS + 10**9, message="work", duration_ns=10**12),
        span(trace_id(), 1, timestamp=NOW_NS - 30 * HOUR_NS, message="work", duration_ns=10**12),
        span(trace_id(), 1, timestamp=NOW_NS - HOUR_NS, message="work", **{"span.pending": True}),
    ]
    trace = trace_id()
    send(
        server,
        [*alike, *strangers, span(trace, 1, message="work", duration_ns=10**12)],
        service=service,
    )

    answer = usual(server, trace)

    (known,) = answer["usual"]
    assert (known["service"], known["name"], known["kind"]) == (service, "work", "internal")
    assert (known["count"], known["errors"]) == (4, 2)
    assert 25 * MS <= known["p50_ns"] <= 75 * MS
    assert 75 * MS <= known["p95_ns"] <= 100 * MS
    assert (answer["to_ms"] - answer["from_ms"], answer["to_ms"]) == (6 * 3600_000, NOW_NS // MS)
    assert usual(server, trace, hours=48)["usual"][0]["count"] == 5


def test_usual_is_asked_for_by_each_form_of_an_id(server, service):
    """A trace without anything alike has an empty list; an unknown trace is an error."""
    trace = trace_id()
    send(server, [span(trace, 1, message="only here")], service=service)

    assert usual(server, f"1-{trace[:8]}-{trace[8:]}")["usual"] == []
    assert usual(server, "00" * 16)["error"]["code"] == "not_found"
    assert "hours" in usual(server, trace, hours="x")["error"]["message"]


@pytest.mark.parametrize(
    ("field", "prefix", "offered"),
    [
        ("", "dur", ["duration"]),
        ("", "only.i", ["only.in.spans"]),
        ("kind", "", ["client", "server"]),
        ("status", "e", ["error"]),
        ("name", "get /", ["GET /a", "GET /b"]),
        ("error", "", ["true", "false"]),
        ("duration", "1", ["10ms", "100ms", "1s", "10s"]),
        ("only.in.spans", "", ["7", "yes"]),
        ("has", "only.", ["only.in.spans"]),
        ("nothing", "", []),
    ],
)
def test_a_search_for_spans_is_offered_what_spans_have(server, field, prefix, offered):
    """Fields of spans, words that have no values in the store, and values that are there."""
    trace = "ab" * 16
    server_kind = {"span.kind": "server", "message": "GET /a", "span.status": "error"}
    lines = [
        span(trace, 1, **server_kind, **{"only.in.spans": 7}),
        span(trace, 2, 1, message="GET /b", **{"span.kind": "client", "only.in.spans": "yes"}),
    ]
    send(server, lines, service="suggested")
    params = {"field": field, "prefix": prefix, "q": f"trace:{trace}", "from": "-1d"}

    found = [one["value"] for one in server.get("/api/v1/traces/suggest", **params)]

    assert sorted(found) == sorted(offered)
