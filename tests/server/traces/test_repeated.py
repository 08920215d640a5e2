"""A request that an exporter repeats, since it got no answer, counts once wherever spans count."""

import time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clerestory.server.store.batch import Batch, Kind
from clerestory.server.store.embedded import EmbeddedStore
from clerestory.server.store.writer import Writer
from clerestory.server.traces import scope
from clerestory.server.traces.heat import heat_map
from clerestory.server.traces.services import service_map
from tests.server.test_otlp import PROTOBUF, fill
from tests.server.traces.spans import MS, NOW_NS, body_of, one_trace, span, trace_id

DAY = {"from": "-1d"}
QUESTIONS = [
    ("traces/histogram", {}),
    ("traces/histogram", {"of": "spans"}),
    ("services/map", {}),
]


def request_of(service, trace):
    """Return a trace of two services: asked, calling, called, and asking a database."""
    request = ExportTraceServiceRequest()
    shapes = [
        (service, 1, 0, 2, {}),
        (service, 2, 1, 3, {}),
        (f"{service}-api", 3, 2, 2, {}),
        (f"{service}-api", 4, 3, 3, {"db.system": "redis"}),
    ]
    for name, number, parent, kind, attributes in shapes:
        group = request.resource_spans.add()
        fill(group.resource.attributes.add(key="service.name").value, name)
        one = group.scope_spans.add().spans.add(
            trace_id=bytes.fromhex(trace), span_id=number.to_bytes(8, "big"), name=f"op {number}",
            parent_span_id=parent.to_bytes(8, "big") if parent else b"", kind=kind,
            start_time_unix_nano=NOW_NS + number, end_time_unix_nano=NOW_NS + number * 10 * MS,
        )  # fmt: skip
        one.status.code = 2 if number == 4 else 0  # type: ignore[assignment]
        for key, value in attributes.items():
            fill(one.attributes.add(key=key).value, value)
    return request.SerializeToString()


def post(server, body):
    assert server.call("POST", "/v1/traces", body, PROTOBUF)[0] == 200


def answers(server, q):
    """Return what the maps say, but for how long they took."""
    found = [server.get(f"/api/v1/{name}", q=q, **DAY, **more) for name, more in QUESTIONS]
    for one in found:
        one.pop("elapsed_ms", None)
        for moving in ("from_ms", "to_ms"):
            del one[moving]
    return found


def test_a_repeated_otlp_request_counts_once(server, service):
    """In the heat map of traces and of spans, and in the service map; a trace has it once, too."""
    trace, other = trace_id(), trace_id()
    body = request_of(service, trace)
    post(server, body)
    post(server, request_of(service, other))
    before = answers(server, f"service:{service}*")

    for _ in range(3):
        post(server, body)

    after = answers(server, f"service:{service}*")
    assert after == before
    heat, spans, services = after
    assert (heat["matched"], heat["errors"]) == (2, 2)
    assert (spans["matched"], spans["errors"]) == (8, 2)
    assert {edge["callee"]: edge["calls"] for edge in services["edges"]} == {
        f"{service}-api": 2,
        "redis": 2,
    }
    assert {one["name"]: one["spans"] for one in services["services"]} == {
        service: 4,
        f"{service}-api": 4,
    }
    assert len(one_trace(server, trace)["spans"]) == 4


def test_spans_that_share_an_id_in_other_traces_are_others(server, service):
    """Ids of spans are unique in their trace alone."""
    for _ in range(3):
        post(server, request_of(service, trace_id()))

    heat, spans, _ = answers(server, f"service:{service}*")

    assert (heat["matched"], spans["matched"]) == (3, 12)


@pytest.fixture
def stored(tmp_path):
    """A connection to a store in which a span is three times."""
    store = EmbeddedStore(tmp_path / "store")
    writer = Writer(store, line_bytes_max=2**20, fields_max=512)
    line = span(trace_id(), 1, timestamp=time.time_ns() - 10**9)
    batches = [Batch(kind=Kind.RECORDS, body=body_of([line])) for _ in range(3)]
    for batch in batches:
        writer.submit(batch)
    for batch in batches:
        batch.answer.result(20)
    with store.querying() as connection:
        yield connection
    writer.close()
    store.close()


def test_it_is_looked_for_up_to_a_bound_and_leaves_nothing_behind(stored, monkeypatch):
    """What it takes grows with the spans of the time."""
    assert heat_map(stored, {"of": "spans"})["matched"] == 1
    assert service_map(stored, {})["services"][0]["spans"] == 1
    assert stored.rows("SELECT name FROM system.tables WHERE is_temporary") == []

    monkeypatch.setattr(scope, "LOOKED_AT_MAX", 2)

    assert heat_map(stored, {"of": "spans"})["matched"] == 3
