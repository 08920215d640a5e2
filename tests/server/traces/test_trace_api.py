"""Search, heat map and service map against values computed by hand."""

import math
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.traces.spans import MS, NOW_NS, one_trace, search, send, span, trace_id

DAY = {"from": "-1d", "to": "now"}


def shop(server, service, number, **root):
    """Store a trace of two services, `number` seconds after the first; return its id."""
    trace, start = trace_id(), NOW_NS + number * 10**9
    at = {"timestamp": start + MS}
    send(
        server,
        [
            span(trace, 2, 1, **at, **{"span.kind": "client", "server.address": "lb"}),
            span(trace, 1, **{"timestamp": start, "span.kind": "server", "message": "GET /",
                              "duration_ns": 100 * MS, **root}),
        ],
        service=service,
    )  # fmt: skip
    send(
        server,
        [
            span(trace, 3, 2, **at, **{"span.kind": "server", "duration_ns": 8 * MS}),
            span(trace, 4, 3, **at, **{"span.kind": "client", "db.system.name": "redis"}),
        ],
        service=f"{service}-api",
    )  # fmt: skip
    return trace


def ids(answer):
    return [one["trace_id"] for one in answer["traces"]]


def test_a_trace_is_summed_up_from_all_its_spans(server, service):
    """The search finds spans; what is listed is their whole trace."""
    trace = shop(server, service, 1, **{"span.status": "error"})

    (found,) = search(server, f"service:{service}-api db.system.name:redis")["traces"]

    assert found == {
        "trace_id": trace, "name": "GET /", "service": service, "kind": "server",
        "status": "error", "rooted": True, "ts": str(NOW_NS + 10**9), "duration_ns": 100 * MS,
        "spans": 4, "errors": 1, "pending": 0,
        "services": [
            {"name": service, "spans": 2, "errors": 1},
            {"name": f"{service}-api", "spans": 2, "errors": 0},
        ],
    }  # fmt: skip


def test_the_order_is_the_newest_the_failed_or_the_slowest_first(server, service):
    """Each is one question of somebody who looks for trouble."""
    slow = shop(server, service, 1, duration_ns=900 * MS)
    failed = shop(server, service, 2, **{"span.status": "error"})
    newest = shop(server, service, 3)
    q = f"service:{service}"

    assert ids(search(server, q)) == [newest, failed, slow]
    assert ids(search(server, q, sort="errors")) == [failed, newest, slow]
    assert ids(search(server, q, sort="slowest"))[0] == slow


@pytest.mark.parametrize("sort", ["newest", "errors", "slowest"])
def test_pages_hold_every_trace_once(server, service, sort):
    """A trace has spans on both sides of the border between two pages."""
    made = [
        shop(server, service, number, **{"span.status": "error" if number % 3 else "ok"})
        for number in range(7)
    ]
    whole = ids(search(server, f"service:{service}*", sort=sort))

    pages: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = search(server, f"service:{service}*", sort=sort, limit=2, cursor=cursor)
        pages += ids(answer)
        cursor = answer["next"]

    assert pages == whole
    assert sorted(pages) == sorted(made)


@pytest.mark.parametrize(
    ("q", "matches"),
    [
        ("duration>100ms", {3}),
        ("duration>=100ms", {2, 3}),
        ("duration<0.05s", {1}),
        ("duration_ms>=100 duration_ms<200", {2}),
        ("name:GET*", {1, 2, 3}),
        ("name=POST", set()),
        ("GET", {1, 2, 3}),
        ("kind:server root:true", {1, 2, 3}),
        ("kind:client", set()),
        ("status:error", {3}),
        ("error:true", {3}),
        ("status!=error", {1, 2}),
        ("level>=error", {3}),
        ("-status:error duration>60ms", {2}),
        ("http.status>=500", {3}),
        ("user:anna", {1}),
        ("has:user", {1}),
        ("peer:x", set()),
    ],
)
def test_the_search_language_knows_spans(server, q, matches):
    """The grammar of logs, with what only spans have."""
    made = {}
    for number, ms in ((1, 10), (2, 100), (3, 1000)):
        trace = trace_id()
        members = {
            "message": f"GET /{number}", "span.kind": "server", "duration_ns": ms * MS,
            "span.status": "error" if number == 3 else "ok", "http.status": 150 * number + 50,
        }  # fmt: skip
        send(server, [span(trace, 1, **members, **({"user": "anna"} if number == 1 else {}))],
             service="language")  # fmt: skip
        made[trace] = number
    of_this = f"service:language ({' or '.join(f'trace:{trace}' for trace in made)})"

    assert {made[one] for one in ids(search(server, f"{of_this} {q}"))} == matches


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"q": "duration>100"}, "a duration needs its unit"),
        ({"q": "duration:5ms"}, "`duration` is compared with > >= < or <="),
        ({"q": "kind>server"}, "`kind` has no order"),
        ({"q": "root:maybe"}, "`maybe` is neither true nor false"),
        ({"q": "(x"}, "this bracket is not closed"),
        ({"sort": "best"}, "sort must be newest, errors or slowest; got 'best'"),
        ({"cursor": "x"}, "this cursor is not one of ours"),
        ({"cursor": "1:9999999999999999999:x"}, "this cursor is not one of ours"),
        ({"cursor": "1:5²:x"}, "this cursor is not one of ours"),
    ],
)
def test_what_cannot_be_searched_is_an_error_with_words(server, params, message):
    """Rows that do not match are worse than none."""
    error = server.get("/api/v1/traces", **params)["error"]

    assert error["message"] == message


PIECES = [
    "duration", "duration_ms", "kind", "status", "root", "error", "peer", "name", "level", "has",
    "trace", "x", ">", ">=", "<", ":", "=", "!=", "100ms", "1e999s", "-1", "true", "error", "a*b",
    "*", ",", "(", ")", "-", " or ", " ", '"', "\\", "'", "{x:String}", "é", "\0", "1" * 40,
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    q=st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    asked=st.sampled_from(["traces", "traces/histogram", "services/map"]),
    sort=st.sampled_from(["newest", "errors", "slowest"]),
    cursor=st.one_of(st.just(""), st.text(max_size=9), st.just("1:5:'"), st.just("0:9:\\")),
)
def test_whatever_is_typed_is_answered_or_refused_with_words(server, q, asked, sort, cursor):
    """What was typed never becomes part of the engine's text."""
    query = urlencode({"q": q, "sort": sort, "cursor": cursor, "from": "-1d"})

    status, answer, _ = server.call("GET", f"/api/v1/{asked}?{query}")

    assert status in (200, 400), (q, answer)


def test_spans_stand_in_the_order_of_the_tree(server, service):
    """Children follow their parent by their start; an orphan and a ring are shown, too."""
    trace = trace_id()
    places = [(1, 0, 0), (2, 1, 5), (3, 1, 2), (4, 3, 9), (5, 99, 1), (6, 7, 1), (7, 6, 1)]
    lines = [span(trace, n, p, timestamp=NOW_NS + at * MS) for n, p, at in places]
    send(server, lines[::-1], service=service)

    spans = one_trace(server, trace)["spans"]

    shown = [(int(one["span_id"], 16), one["depth"], one["orphan"]) for one in spans]
    assert shown[:5] == [
        (1, 0, False), (3, 1, False), (4, 2, False), (2, 1, False), (5, 0, True),
    ]  # fmt: skip
    assert {one[0] for one in shown[5:]} == {6, 7}


def test_a_trace_is_found_by_its_id_in_each_form(server, service):
    """X-Ray writes the same digits with hyphens."""
    trace = shop(server, service, 1)

    for written in (trace, trace.upper(), f"1-{trace[:8]}-{trace[8:]}"):
        answer = one_trace(server, written)
        assert answer["trace_id"] == trace
        assert answer["duration_ns"] == 100 * MS
        assert answer["resources"] == [
            {"service.name": service}, {"service.name": f"{service}-api"},
        ]  # fmt: skip

    assert one_trace(server, "00" * 16)["error"]["code"] == "not_found"


def test_a_trace_of_which_only_records_are_here_is_shown(server, service):
    """A key leads from a record to its trace; it must lead somewhere."""
    trace = trace_id()
    send(server, [{"timestamp": NOW_NS, "message": "alone", "trace_id": trace}], service=service)

    answer = one_trace(server, trace)

    assert answer["spans"] == []
    assert [row["message"] for row in answer["logs"]] == ["alone"]


def test_a_long_trace_is_cut_and_says_so(server, service):
    """A page can draw only so much."""
    trace = trace_id()
    send(server, [span(trace, n, n - 1) for n in range(1, 31)], service=service)

    answer = one_trace(server, trace, limit=20)

    assert (len(answer["spans"]), answer["limited"]) == (20, True)
    assert (len(one_trace(server, trace, limit=30)["spans"]), answer["logs_limited"]) == (30, False)


def test_the_heat_map_counts_by_time_and_doubling(server, service):
    """Its cells are what a hand would count."""
    for number, ms in ((0, 1), (0, 1), (0, 3), (20, 1000)):
        shop(server, service, number, duration_ns=ms * MS)
    shop(server, service, 20, duration_ns=1000 * MS, **{"span.status": "error"})
    asked = {"q": f"service:{service}", **DAY}

    answer = server.get("/api/v1/traces/histogram", **asked)

    counted: dict[int, tuple[int, int]] = {}
    for _, bucket, count, errors in answer["cells"]:
        before = counted.get(bucket, (0, 0))
        counted[bucket] = (before[0] + count, before[1] + errors)
    assert counted == {
        int(math.log2(1 * MS)): (2, 0), int(math.log2(3 * MS)): (1, 0),
        int(math.log2(1000 * MS)): (2, 1),
    }  # fmt: skip
    assert (answer["matched"], answer["errors"]) == (5, 1)
    assert answer["p50_ns"] == 3 * MS
    step = answer["step_ms"]
    assert {cell[0] for cell in answer["cells"]} == {
        (NOW_NS // MS + at) // step * step for at in (0, 20_000)
    }
    of_spans = server.get("/api/v1/traces/histogram", of="spans", **asked)
    assert (of_spans["matched"], of_spans["errors"]) == (10, 1)


def test_the_service_map_draws_calls_and_what_clients_called(server, service):
    """A call that the called service tells of is not drawn a second time to its address."""
    shop(server, service, 1)
    shop(server, service, 2, **{"span.status": "error"})
    q = f"service:{service}*"

    answer = server.get("/api/v1/services/map", q=q, **DAY)

    api = f"{service}-api"
    assert sorted(answer["edges"], key=lambda edge: edge["callee"]) == sorted([
        {"caller": service, "callee": api, "kind": "service", "calls": 2, "errors": 0,
         "p50_ns": 8 * MS, "p95_ns": 8 * MS},
        {"caller": api, "callee": "redis", "kind": "database", "calls": 2, "errors": 0,
         "p50_ns": 10 * MS, "p95_ns": 10 * MS},
    ], key=lambda edge: edge["callee"])  # fmt: skip
    assert sorted(answer["services"], key=lambda one: one["name"]) == [
        {"name": service, "spans": 4, "requests": 2, "errors": 1, "p50_ns": 100 * MS,
         "p95_ns": 100 * MS},
        {"name": api, "spans": 4, "requests": 2, "errors": 0, "p50_ns": 8 * MS, "p95_ns": 8 * MS},
    ]  # fmt: skip


def test_every_child_of_another_service_is_a_call(server, service):
    """One message reaches two consumers; a span may have any kind; a child of the same service
    that came later hides no address, and a pending caller is a caller."""
    trace, other = trace_id(), f"{service}-b"
    queue = {"span.kind": "producer", "messaging.system": "kafka"}
    send(server, [span(trace, 1, **queue), span(trace, 2, **queue)], service=service)
    send(server, [span(trace, 5, 2)], service=service)
    running = span(trace, 6, **{"span.pending": True})
    send(server, [running], service=service)
    send(server, [span(trace, 3, 1), span(trace, 4, 1), span(trace, 7, 6)], service=other)

    edges = server.get("/api/v1/services/map", q=f"trace:{trace}", **DAY)["edges"]

    assert [(one["caller"], one["callee"], one["kind"], one["calls"]) for one in edges] == [
        (service, other, "service", 3), (service, "kafka", "messaging", 1),
    ]  # fmt: skip
