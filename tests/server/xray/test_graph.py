"""The service graph of a time, counted in the store, is what each trace by itself would give."""

import json
import random
import secrets
import time

import pytest

from clerestory.server.aws.errors import AwsError
from clerestory.server.store.batch import Batch, Kind
from clerestory.server.store.embedded import Connection, EmbeddedStore
from clerestory.server.store.writer import Writer
from clerestory.server.xray.segments import Services, batches_of, read
from clerestory.server.xray.traces import tallies
from clerestory.server.xray.traces.graph import Graph
from clerestory.server.xray.traces.selection import Asked, all_chosen, load
from clerestory.server.xray.traces.tallies import counted_graph
from tests.server.xray.segments import new_id, part, segment

MINUTE_NS = 60 * 10**9
BEGIN_NS = (time.time_ns() // 10**9 - 4 * 3600) * 10**9
WINDOWS = 8
NAMES = ["web", "api", "db@host", "unknown_service"]
KINDS = ["server", "client", "internal", "internal", "producer", "consumer"]
STATUSES = [200, 204, 404, 429, 503, "404", True, -1, 404.0, "x", 0, 0.0, None, False, "", [], {}]
TOOK_NS = [0, 1, 7, 999, 1_005_000, 1_015_000, 99_950_000, 100_050_000, 123_456_789, 2_345_000_000]


def otel_trace(rng, at_ns):
    """Return lines by service: parents are any span, itself, nobody or one that is not stored."""
    trace, ids = f"{rng.getrandbits(128):032x}", [f"{rng.getrandbits(64):016x}" for _ in range(8)]
    lines = []
    for number, span_id in enumerate(ids[: rng.randint(1, 8)]):
        line = {
            "timestamp": at_ns + rng.choice([0, 1000, 10**6]) * number,
            "level": "INFO", "logger": "tests", "kind": "span", "message": f"op {number % 3}",
            "trace_id": trace, "span_id": span_id, "span.kind": rng.choice(KINDS),
            "span.status": rng.choice(["unset", "unset", "ok", "error"]),
            "duration_ns": rng.choice([*TOOK_NS, rng.randrange(10**10)]),
        }  # fmt: skip
        likely = ids[rng.randrange(number)] if number else ""
        parent = rng.choice([likely, likely, likely, "", rng.choice(ids), "f" * 16])
        line |= {"parent_span_id": parent} if parent else {}
        for name in ("http.response.status_code", "http.status_code"):
            line |= {name: rng.choice(STATUSES)} if rng.random() < 0.4 else {}
        if rng.random() < 0.5:
            line |= rng.choice([{"peer.service": "api"}, {"db.system": "mysql", "db.name": "shop"}])
        if rng.random() < 0.1:
            line |= {"aws.xray.origin": rng.choice(["AWS::Lambda::Function", "", 7])}
        lines.append((rng.choice(NAMES), line))
        if rng.random() < 0.1:  # told while it ran, or sent again
            again = dict(line, **{"span.kind": rng.choice(KINDS)})
            if rng.random() < 0.5:
                del again["duration_ns"]
                again["span.pending"] = True
            lines.append((lines[-1][0], again))
    return lines


def xray_trace(rng, at_ns):
    """Return documents: segments, what is inside them, and subsegments that come alone."""
    trace = f"1-{at_ns // 10**9:08x}-{rng.getrandbits(96):024x}"
    start = at_ns / 10**9
    documents = []
    parents = [new_id()]
    for _ in range(rng.randint(1, 3)):
        made = [inner(rng, start, 3) for _ in range(rng.randint(0, 2))]
        whole = segment(
            trace, rng.choice(NAMES), start_time=start, end_time=start + rng.choice([0.1, 0.12345]),
            subsegments=made, **flags(rng),
        )  # fmt: skip
        whole |= {"parent_id": rng.choice(parents)} if rng.random() < 0.6 else {}
        whole |= {"origin": "AWS::EC2::Instance"} if rng.random() < 0.5 else {}
        if rng.random() < 0.3:
            whole |= {"type": "subsegment", "parent_id": rng.choice(parents)}
        if rng.random() < 0.1:
            whole["in_progress"] = True
            del whole["end_time"]
        documents.append(whole)
        parents += [one["id"] for one in [whole, *made]]
    return documents


def inner(rng, start, depth):
    below = [inner(rng, start, depth - 1)] if depth and rng.random() < 0.5 else []
    shapes = [
        {}, {"namespace": "remote"}, {"namespace": "aws", "aws": {"operation": "GetItem"}},
        {"namespace": "remote", "sql": {"database_type": "PostgreSQL"}},
    ]  # fmt: skip
    found = part(rng.choice(NAMES), subsegments=below, **rng.choice(shapes), **flags(rng))
    return found | {"start_time": start, "end_time": start + rng.choice([0.0, 0.001, 0.07])}


def flags(rng):
    return {name: True for name in ("fault", "error", "throttle") if rng.random() < 0.2}


def chain(length, at_ns, first=-1, service="deep"):
    """Return a trace in which a call stands far below its segment, or below a ring.

    Args:
        length: Spans, each below the one before.
        at_ns: When it began.
        first: Which span the first stands below, counted from 0; below none if negative.
        service: Whose they are.
    """
    trace, ids = secrets.token_hex(16), [secrets.token_hex(8) for _ in range(length)]
    parents = ["" if first < 0 else ids[first], *ids]
    return [
        (
            service,
            {
                "timestamp": at_ns + number, "level": "INFO", "logger": "tests", "kind": "span",
                "message": f"op {number}", "trace_id": trace, "span_id": ids[number],
                "span.kind": "client" if number == length - 1 else "internal",
                "span.status": "unset", "duration_ns": length - number,
                **({"parent_span_id": parents[number]} if parents[number] else {}),
            },
        )
        for number in range(length)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A connection to a store with the traces of some windows of ten minutes each."""
    store = EmbeddedStore(tmp_path_factory.mktemp("graph") / "store")
    writer = Writer(store, line_bytes_max=2**20, fields_max=512)
    rng = random.Random(20261122)
    told, documents = chain(70, BEGIN_NS), []
    for window in range(WINDOWS):
        if window > 1:
            told += chain(6, BEGIN_NS + window * 10 * MINUTE_NS, rng.randint(1, 4), "ring")
        for number in range(60):
            at_ns = BEGIN_NS + (window * 10 + number / 60 * 5) * MINUTE_NS
            if number % 2:
                told += otel_trace(rng, int(at_ns))
            else:
                documents += xray_trace(rng, int(at_ns))
    rng.shuffle(documents)
    batches = list(batches_of([read(json.dumps(one).encode()) for one in documents], Services()))
    for name in {service for service, _ in told}:
        for platform in ("", "aws_ecs"):
            mine = [line for service, line in told if service == name]
            mine = [line for line in mine if (line["trace_id"][-1] in "02468") is bool(platform)]
            resource = {"service.name": name, "cloud.platform": platform}
            body = b"\n".join(json.dumps(one, separators=(",", ":")).encode() for one in mine)
            batches.append(
                Batch(kind=Kind.RECORDS, body=body, resource=json.dumps(resource).encode())
            )
    for batch in batches:
        writer.submit(batch)
    for batch in batches:
        assert batch.answer.result(20).rejected == 0
    with store.querying() as connection:
        yield connection
    writer.close()
    store.close()


def window(number):
    first = BEGIN_NS + number * 10 * MINUTE_NS
    return Asked(from_ns=first, to_ns=first + 4 * MINUTE_NS)


@pytest.mark.parametrize("number", range(WINDOWS))
def test_the_counted_graph_is_that_of_each_trace_by_itself(stored, number):
    """Rings, orphans, pending and repeated spans, documents and spans of OpenTelemetry."""
    expected = Graph(all_chosen(stored, window(number))).services()

    assert counted_graph(stored, window(number)).services() == expected
    assert len(expected) > 5


def test_the_graph_of_a_longer_time_has_all_of_it(stored):
    """Also what lies far below its segment."""
    whole = Asked(from_ns=BEGIN_NS, to_ns=BEGIN_NS + WINDOWS * 10 * MINUTE_NS)

    found = counted_graph(stored, whole).services()

    assert found == Graph(all_chosen(stored, whole)).services()
    (deep,) = [one for one in found if one["Name"] == "deep" and one.get("Type") != "client"]
    numbers = {one["ReferenceId"]: one["Name"] for one in found}
    assert [numbers[edge["ReferenceId"]] for edge in deep["Edges"]] == ["op 69"]


def test_no_span_is_read_out_for_a_graph(stored, monkeypatch):
    """What comes out of the store grows with the services, not with the traces."""
    rows_of, told = Connection.rows, []

    def counting(self, sql, parameters=None):
        rows = rows_of(self, sql, parameters)
        told.append(len(rows))
        return rows

    monkeypatch.setattr(Connection, "rows", counting)
    monkeypatch.setattr(tallies, "load", None)
    first = Asked(from_ns=BEGIN_NS, to_ns=BEGIN_NS + 1)

    services = counted_graph(stored, first).services()

    assert "op 69" in {one["Name"] for one in services}
    assert sum(told) < 70


def test_traces_with_a_ring_alone_are_read(stored, monkeypatch):
    """Nothing else has parts that never come to a segment."""
    names: list[set[str]] = []

    def loading(*given):
        found = load(*given)
        names.extend({one.service for one in trace.parts} for trace in found.values())
        return found

    monkeypatch.setattr(tallies, "load", loading)

    for number in range(WINDOWS):
        counted_graph(stored, window(number))

    assert names.count({"ring"}) == WINDOWS - 2
    assert len(names) < 2 * WINDOWS  # of 480 traces, of which chance made some more rings


def test_a_time_with_too_much_in_it_is_an_error_that_says_so(stored, monkeypatch):
    """And leaves nothing behind in the connection."""
    monkeypatch.setattr(tallies, "ALL_S_MAX", 0.0)

    with pytest.raises(AwsError, match=r"\d+ traces lie in this time, .* ask for a shorter time"):
        counted_graph(stored, window(0))


def test_traces_are_counted_lot_by_lot(stored, monkeypatch):
    """However many there are, no more of them are in memory than of one lot."""
    expected = counted_graph(stored, window(3)).services()
    run, made = Connection.run, []

    def noting(self, sql, parameters=None):
        made.append(sql)
        return run(self, sql, parameters)

    monkeypatch.setattr(tallies, "SPANS_A_LOT", 40)
    monkeypatch.setattr(Connection, "run", noting)

    found = counted_graph(stored, window(3)).services()

    assert found == expected
    assert sum("TABLE graph_placed" in sql for sql in made) > 3


def test_the_connection_has_no_table_left(stored):
    """It is lent to others."""
    counted_graph(stored, window(0))

    assert stored.rows("SELECT name FROM system.tables WHERE is_temporary") == []
