"""Filter expressions: any text is read or refused, and the engine leaves out no trace that fits."""

import json
import os
import time

import pytest
from hypothesis import example, given, settings

from clerestory.model.errors import QueryError
from clerestory.server.store.embedded import EmbeddedStore
from clerestory.server.store.writer import Writer
from clerestory.server.xray.filters.parser import CHARACTERS_MAX, parse, shown
from clerestory.server.xray.filters.predicate import matches
from clerestory.server.xray.segments import Services, batches_of, read
from clerestory.server.xray.traces.graph import Graph
from clerestory.server.xray.traces.parts import Trace
from clerestory.server.xray.traces.selection import Asked, all_chosen, chosen
from clerestory.server.xray.traces.summary import summary_of
from tests.server.traces.spans import body_of, span, trace_id
from tests.server.xray.expressions import damaged, expressions
from tests.server.xray.segments import new_id, new_trace, part, segment

EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "300"))


def documents():
    """Return traces that differ in what expressions ask for."""
    faulty, edge = new_trace(), part("api", namespace="remote", fault=True)
    aws = part("DynamoDB", namespace="aws", aws={"operation": "GetItem"}, throttle=True, error=True)
    query = part("db@host", namespace="remote", sql={"database_type": "MySQL"})
    exceptions = [{"id": new_id(), "type": "OSError", "message": "gold"}]
    running = segment(new_trace(), "api", in_progress=True)
    del running["end_time"]
    start = int(time.time()) - 8
    request = {"method": "GET", "url": "http://web/a", "client_ip": "7"}
    return [
        segment(
            new_trace(), "web", user="ann", annotations={"tier": "gold", "count": 1},
            start_time=start, end_time=start + 3.5,
        ),
        segment(new_trace(), "web", annotations={"tier": "7", "count": 3.5, "new": True}),
        segment(new_trace(), "api", user="7", annotations={"tier": 7, "new": False}),
        segment(faulty, "web", fault=True, subsegments=[edge], http={"response": {"status": 502}}),
        segment(
            faulty, "api", parent_id=edge["id"], fault=True, subsegments=[query],
            cause={"exceptions": exceptions},
        ),
        segment(
            new_trace(), "web", http={"request": request, "response": {"status": 200}},
            subsegments=[aws], origin="AWS::EC2::Instance",
        ),
        running,
        segment(new_trace(), "alone", type="subsegment", parent_id=new_id(), error=True),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A connection to a store with some traces, and how to ask it for all or for some."""
    store = EmbeddedStore(tmp_path_factory.mktemp("filters") / "store")
    writer = Writer(store, line_bytes_max=2**20, fields_max=512)
    segments = [read(json.dumps(one).encode()) for one in documents()]
    otel = trace_id()
    lines = [
        span(otel, 1, **{"span.kind": "server", "http.response.status_code": 404}),
        span(otel, 2, 1, **{"span.kind": "client", "db.system": "db", "enduser.id": "ann"}),
        span(trace_id(), 3, **{"span.status": "error"}),
    ]
    batches = list(batches_of(segments, Services()))
    batches.append(type(batches[0])(kind=batches[0].kind, body=body_of(lines)))
    for batch in batches:
        writer.submit(batch)
    for batch in batches:
        batch.answer.result(20)
    with store.querying() as connection:
        yield connection
    writer.close()
    store.close()


def asked(expression=None):
    now = time.time_ns()
    told = {} if expression is None else {"expression": expression}
    return Asked(from_ns=now - 3600 * 10**9, to_ns=now + 10**9, **told)


@pytest.fixture(scope="module")
def traces(stored) -> list[Trace]:
    found = [trace for _, trace in chosen(stored, asked()) if trace]
    assert len(found) == 9
    return found


@settings(max_examples=EXAMPLES)
@given(expressions)
def test_any_expression_of_the_grammar_is_read_and_decided(traces, text):
    """Whatever is asked, every trace fulfils it or does not; negated, it is the other way."""
    if len(text) > CHARACTERS_MAX - 3:
        return
    found = parse(text)
    negated = parse(f"!({text})")

    for trace in traces:
        assert matches(found, trace) is not matches(negated, trace)


@settings(max_examples=EXAMPLES)
@given(damaged)
@example("#[")
@example("rootcause.json = #[" + "[" * 900)
@example("annotation[" * 150)
@example("(" * 1999)
@example("!" * 1999)
def test_any_text_is_read_or_refused_at_a_character(traces, text):
    """An error that points outside of the text, or none at all, would help nobody."""
    try:
        found = parse(text)
    except QueryError as error:
        assert 0 <= error.position <= len(text)
        assert shown(error)
        return

    assert [matches(found, trace) for trace in traces]


@settings(max_examples=min(EXAMPLES // 10, 2000))
@given(expressions)
def test_the_engine_finds_every_trace_that_fits(stored, traces, text):
    """What narrows the search in the store must leave out nothing."""
    found = parse(text[:CHARACTERS_MAX]) if len(text) <= CHARACTERS_MAX else None
    if found is None:
        return
    expected = {trace.id for trace in traces if matches(found, trace)}

    assert {trace.id for trace in all_chosen(stored, asked(found))} == expected


def row(number, parent, **changes):
    """Return a stored row of a span, as `parts` gives it."""
    told = {"kind": "server", "name": "n", "service": "s", **changes}
    return [
        "0" * 32, f"{number:016x}", parent and f"{parent:016x}", told["name"], told["service"],
        told["kind"], "unset", "", "1795314823000000000", 10**9, 0, "", "", "", "", {}, {}, "", 1,
        number,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "parents", [[2, 1], [1], [3, 1, 2], [0, 3, 2], [9, 1, 1], [0, 1, 2, 3, 4, 5]]
)
@pytest.mark.parametrize("kind", ["server", "internal", "client"])
def test_a_trace_whose_parents_form_a_ring_is_told_all_the_same(parents, kind):
    """Broken programs make such traces, and a page must not hang on them."""
    trace = Trace(
        "0" * 32, [row(number, parent, kind=kind) for number, parent in enumerate(parents, 1)]
    )

    assert all(one.segment in trace.segments for one in trace.parts)
    assert summary_of(trace)["Revision"] == len(parents)
    assert Graph([trace]).services()
    assert matches(parse("rootcause.responsetime.entity { coverage >= 0 }"), trace)
