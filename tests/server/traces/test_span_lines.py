"""Spans among log lines: each goes to its table, once, whatever is killed in between."""

import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from urllib.parse import quote

import pytest

from tests.server.test_fuzz import EXAMPLES, damaged
from tests.server.traces.spans import MS, NOW_NS, body_of, one_trace, search, send, span, trace_id
from tests.support.server import SOURCE, ServerProcess

OLD_STORE = """
import sys
from pathlib import Path
from chdb.session import Session
from clerestory.server.store import schema

path = Path(sys.argv[1]) / "store"
path.mkdir(parents=True)
session = Session(str(path))
session.query("CREATE DATABASE clerestory ENGINE = Atomic")
session.query("USE clerestory")
session.query(schema._LOGS)
session.query(schema._REJECTED)
session.close()
"""


def test_spans_and_log_lines_of_one_batch_are_told_apart(server, service):
    """A batch of the spool holds both, in the order in which they ended."""
    trace = trace_id()
    log = {"timestamp": NOW_NS, "level": "INFO", "message": "between", "trace_id": trace}

    answer = send(server, [span(trace, 2, 1), log, span(trace, 1)], service=service)

    assert answer == {"stored": 3, "duplicate": 0, "rejected": 0}
    found = one_trace(server, trace)
    assert [(one["name"], one["depth"]) for one in found["spans"]] == [("span 1", 0), ("span 2", 1)]
    assert [row["message"] for row in found["logs"]] == ["between"]
    assert [row["message"] for row in server.rows(f"service:{service}")] == ["between"]


def test_a_record_with_a_field_called_kind_stays_a_record(server, service):
    """Only what has an id and a duration is a span; a user's field may say anything."""
    line = {"timestamp": NOW_NS, "message": "no span", "kind": "span", "span_id": "ab"}

    send(server, [line], service=service)

    (row,) = server.rows(f"service:{service}")
    assert row["attrs"] == {"kind": "span"}


def test_every_part_of_a_span_line_comes_back(server, service):
    """What the SDK wrote is what the page shows, with its types."""
    trace = trace_id()
    event = {"name": "exception", "timestamp": NOW_NS + 7, "attributes": {"n": 1, "t": "1"}}
    link = {"trace_id": "ab" * 16, "span_id": "cd" * 8, "attributes": {"why": [1, None]}}
    members = {
        "timestamp": NOW_NS + 5, "duration_ns": 1234567, "message": "GET /a", "logger": "shop",
        "span.kind": "client", "span.status": "error", "span.status_message": "42 is no answer",
        "trace_state": "k=v", "span.events": [event], "span.links": [link],
        "text": "42", "number": 42, "nothing": None, "list": [1, "x"], "db.system": "postgresql",
        "db.name": "orders", "span.dropped": {"attributes": 2, "events": 3},
    }  # fmt: skip

    send(server, [span(trace, 3, 2, **members)], service=service)

    (got,) = one_trace(server, trace)["spans"]
    assert got == {
        "span_id": f"{3:016x}", "parent_span_id": f"{2:016x}", "name": "GET /a",
        "service": service, "scope": "shop", "kind": "client", "status": "error",
        "status_message": "42 is no answer", "ts": str(NOW_NS + 5), "duration_ns": 1234567,
        "pending": False, "trace_state": "k=v", "peer": "postgresql/orders",
        "peer_kind": "database", "dropped": 5, "resource": 0, "orphan": True, "depth": 0,
        "events": [{"name": "exception", "ts": str(NOW_NS + 7), "attrs": {"n": 1, "t": "1"}}],
        "links": [{"trace_id": "ab" * 16, "span_id": "cd" * 8, "trace_state": "",
                   "attrs": {"why": [1, None]}}],
        "attrs": {"text": "42", "number": 42, "nothing": None, "list": [1, "x"],
                  "db.system": "postgresql", "db.name": "orders"},
    }  # fmt: skip


def test_a_batch_that_is_sent_again_is_stored_once(server, service):
    """The first answer may be lost on the way; line numbers count spans and records alike."""
    trace, spool = trace_id(), uuid.uuid4().hex
    log = {"timestamp": NOW_NS, "message": "one", "trace_id": trace}
    lines = [span(trace, 1), log, span(trace, 2, 1)]

    first = send(server, lines, service=service, spool=spool)
    again = send(server, [*lines, span(trace, 3, 1)], service=service, spool=spool)

    assert (first["stored"], again["stored"], again["duplicate"]) == (3, 1, 3)
    assert len(one_trace(server, trace)["spans"]) == 3
    assert len(one_trace(server, trace)["logs"]) == 1


def test_a_line_that_is_no_json_is_kept_beside_the_spans(server, service):
    """One bad line never refuses its batch."""
    body = body_of([span(trace_id(), 1)]) + b'\n{"kind":"span",'

    status, answer, _ = server.call("POST", "/v1/records", body)

    assert (status, answer) == (200, b'{"stored":1,"duplicate":0,"rejected":1}')


def test_a_finished_span_takes_the_place_of_its_pending_one(server, service):
    """While it runs it is shown as such; afterwards it is there once."""
    trace = trace_id()
    started = span(trace, 1, **{"span.pending": True})
    del started["duration_ns"]

    send(server, [started], service=service)
    before = one_trace(server, trace)
    send(server, [span(trace, 1, duration_ns=5 * MS)], service=service)
    after = one_trace(server, trace)

    assert [(one["pending"], one["duration_ns"]) for one in before["spans"]] == [(True, 0)]
    assert [(one["pending"], one["duration_ns"]) for one in after["spans"]] == [(False, 5 * MS)]
    asked = {"q": f"service:{service} pending:true", "from": "-1d"}
    assert server.get("/api/v1/traces", **asked)["traces"] == []


def test_of_two_finished_spans_the_last_counts(server, service):
    """X-Ray's documents may be sent again with more in them; a sender may repeat itself."""
    trace = trace_id()
    for word in ("first", "second"):
        send(server, [span(trace, 1, word=word)], service=service)

    (found,) = one_trace(server, trace)["spans"]

    assert found["attrs"] == {"word": "second"}
    assert search(server, f"service:{service}")["traces"][0]["spans"] == 1


def test_days_that_are_over_go_with_their_spans(tmp_path):
    """Retention is one promise for everything that is kept."""
    old, new = trace_id(), trace_id()
    with ServerProcess(tmp_path) as server:
        long_ago = {"timestamp": NOW_NS - 5 * 86_400 * 10**9}
        send(server, [span(old, 1, **long_ago), span(new, 1)], service="s")
        assert len(one_trace(server, old)["spans"]) == 1

    with ServerProcess(tmp_path, "--retention-days", "2") as server:
        deadline = time.monotonic() + 10
        while "spans" in one_trace(server, old):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert len(one_trace(server, new)["spans"]) == 1


def test_the_watermark_of_spans_outlives_a_kill(tmp_path):
    """A spool whose last line was a span is known again from the table of spans."""
    trace, spool = trace_id(), uuid.uuid4().hex
    server = ServerProcess(tmp_path).start()
    lines = [{"timestamp": NOW_NS, "message": "log"}, span(trace, 1), span(trace, 2, 1)]
    send(server, lines, service="s", spool=spool)

    server.stop(signal.SIGKILL)

    with ServerProcess(tmp_path) as again:
        assert send(again, lines, service="s", spool=spool)["duplicate"] == 3
        assert len(one_trace(again, trace)["spans"]) == 2


def test_a_kill_during_ingest_loses_no_acknowledged_span_and_doubles_none(tmp_path):
    """Three senders, three kills; each sends a batch again until it has an answer."""
    trace, spools = trace_id(), [uuid.uuid4().hex for _ in range(3)]
    running = {"server": ServerProcess(tmp_path).start()}
    stop, lock = threading.Event(), threading.Lock()
    acknowledged = dict.fromkeys(range(3), 0)

    def keep_sending(sender):
        first = 0
        while not stop.is_set():
            numbers = range(sender * 10**6 + first + 1, sender * 10**6 + first + 11)
            lines = [span(trace, number) for number in numbers]
            lines.append({"timestamp": NOW_NS, "message": "log", "trace_id": trace})
            try:
                send(running["server"], lines, service="s", spool=spools[sender], first=first)
            except OSError:
                continue
            first += len(lines)
            with lock:
                acknowledged[sender] = first

    threads = [threading.Thread(target=keep_sending, args=(sender,)) for sender in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        least = sum(acknowledged.values()) + 60
        deadline = time.monotonic() + 20
        while sum(acknowledged.values()) < least:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        running["server"].stop(signal.SIGKILL)
        running["server"] = ServerProcess(tmp_path).start()
    stop.set()
    for thread in threads:
        thread.join()

    found = one_trace(running["server"], trace, limit=10_000, logs=10_000)
    counted = running["server"].get(
        "/api/v1/traces/histogram", q=f"trace:{trace}", of="spans", **{"from": "-1d"}
    )
    running["server"].stop()
    promised = sum(acknowledged.values())
    ids = [one["span_id"] for one in found["spans"]]
    assert len(ids) == counted["matched"] >= promised // 11 * 10
    assert len(found["logs"]) >= promised // 11
    assert len(ids) == 10 * len(found["logs"]), "a batch was stored in part"


def test_a_directory_of_an_earlier_release_gets_the_table(tmp_path):
    """Nothing has to be migrated by hand."""
    script = [sys.executable, "-c", OLD_STORE, str(tmp_path)]
    subprocess.run(script, cwd=SOURCE, check=True)
    trace = trace_id()

    with ServerProcess(tmp_path) as server:
        send(server, [span(trace, 1)], service="s")

        assert len(one_trace(server, trace)["spans"]) == 1


@pytest.mark.timeout(0 if EXAMPLES > 10_000 else 120)
def test_damaged_span_lines_are_stored_or_kept_as_rejected(server):
    """Every line is accounted for, as a span, as a record or as it came; all can be shown."""
    chance = random.Random(4)
    event = {"name": "e", "timestamp": NOW_NS, "attributes": {"a": [1]}}
    link = {"trace_id": "ab", "span_id": "cd", "attributes": {}}
    members = {"text": "é", "span.events": [event], "span.links": [link], "db.system": "redis"}
    seed = body_of([span("f" * 32, 1, 2, **members)])
    before = server.get("/api/v1/status")
    lines = [damaged(chance, seed).replace(b"\n", b" ") for _ in range(EXAMPLES)]

    for start in range(0, len(lines), 100):
        body = b"\n".join([seed, *lines[start : start + 100]])
        assert server.call("POST", "/v1/records", body)[0] == 200

    after = server.get("/api/v1/status")
    kept = ("total_records", "total_spans", "rejected")
    assert sum(after[name] - before[name] for name in kept) == len(lines) + -(-len(lines) // 100)
    assert after["total_spans"] - before["total_spans"] > len(lines) // 10
    for found in search(server, "text:*", limit=500)["traces"]:
        assert one_trace(server, quote(found["trace_id"], safe=""))["spans"]
