"""What the server refuses, forgets and undoes, and that it says so."""

import json
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from clerestory.model.errors import LimitError
from clerestory.server.api.answers import error_of
from clerestory.server.store.batch import Batch, Kind
from clerestory.server.store.writer import QUEUE_BYTES_MAX, Writer
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from clerestory.server.store.embedded import EmbeddedStore

DAY_NS = 86_400 * 10**9


class SlowStore:
    """A store whose engine stands still until it is let go."""

    def __init__(self, path):
        self.path = path
        self.going = threading.Event()
        self.going.set()

    def inserting(self):
        return self

    def rows(self, _sql, _parameters=None):
        return []

    def run(self, _sql, _parameters=None):
        assert self.going.wait(30)
        return b""

    def close(self):
        self.going.set()


def line(number, **fields):
    return {"timestamp": time.time_ns(), "level": "INFO", "message": f"line {number}", **fields}


def nested(depth):
    return b'{"message":"deep","inner":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


def within(seconds, holds):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_full_queue_answers_429_and_says_when_to_come_back(tmp_path):
    """Memory stays bounded when the disk is slower than the senders, and none gives up."""
    store = SlowStore(tmp_path)
    writer = Writer(cast("EmbeddedStore", store), line_bytes_max=1024, fields_max=16)
    store.going.clear()
    taken = [Batch(kind=Kind.RECORDS, body=bytes(QUEUE_BYTES_MAX // 4)) for _ in range(4)]
    for batch in taken:
        writer.submit(batch)

    with pytest.raises(LimitError) as caught:
        writer.submit(Batch(kind=Kind.RECORDS, body=b"{}"))

    status, told, headers = error_of(caught.value)
    assert (status, told["code"], headers) == (429, "busy", {"Retry-After": "1"})
    assert str(QUEUE_BYTES_MAX) in told["message"]
    store.going.set()
    writer.close()
    assert all(batch.answer.done() for batch in taken)


def test_retention_drops_whole_days_and_nothing_younger(tmp_path):
    """A full disk is the commonest way for a log server to die."""
    now = time.time_ns()
    with ServerProcess(tmp_path, "--retention-days", "0") as server:
        server.send([line(1, timestamp=now - 3 * DAY_NS), line(2, timestamp=now - DAY_NS // 2)])
        assert len(server.rows(**{"from": "-7d"})) == 2

    with ServerProcess(tmp_path, "--retention-days", "2") as server:
        within(10, lambda: len(server.rows(**{"from": "-7d"})) == 1)

        assert [row["message"] for row in server.rows(**{"from": "-7d"})] == ["line 2"]


def test_a_line_nested_500_deep_is_stored_whole(server, service):
    """Senders other than our SDK do not cut at 32 levels."""
    sent = nested(500)

    answer = server.send([sent], resource={"service.name": service})

    assert answer == {"stored": 1, "duplicate": 0, "rejected": 0}
    (row,) = server.rows(f"service:{service}")
    assert row["attrs"] == {"inner": json.loads(sent)["inner"]}


def test_a_line_deeper_than_the_engine_reads_is_kept_and_counted(server, service):
    """One hostile line costs neither its neighbours nor the record of its existence."""
    before = server.get("/api/v1/status")["rejected"]

    answer = server.send([nested(5000), line(1)], resource={"service.name": service})

    assert answer == {"stored": 1, "duplicate": 0, "rejected": 1}
    assert len(server.rows(f"service:{service}")) == 1
    assert server.get("/api/v1/status")["rejected"] == before + 1


def test_a_rejected_line_is_not_rejected_again_after_a_restart(tmp_path):
    """A resend after a crash counts every line once, also the last one when it was no record."""
    spool = uuid.uuid4().hex
    with ServerProcess(tmp_path) as server:
        server.send([line(1), b"no record"], spool=spool)

    with ServerProcess(tmp_path) as server:
        answer = server.send([line(1), b"no record", line(2)], spool=spool)

        assert answer == {"stored": 1, "duplicate": 2, "rejected": 0}
        assert server.get("/api/v1/status")["rejected"] == 1


def test_a_commit_that_was_cut_between_two_days_is_undone_and_taken_again(tmp_path):
    """Else the watermark, one number a spool, would hide the day that was not stored."""
    spool, now = uuid.uuid4().hex, time.time_ns()
    lines = [line(n, timestamp=now - n % 2 * DAY_NS) for n in range(6)]
    with ServerProcess(tmp_path) as server:
        server.send(lines[:2], spool=spool)
        server.send(lines[2:5], spool=spool, first=2)
        assert not Path(tmp_path, "store", "commit.json").exists()
    Path(tmp_path, "store", "commit.json").write_text(json.dumps({spool: 2}))

    with ServerProcess(tmp_path) as server:
        assert len(server.rows(**{"from": "-3d"})) == 2
        answer = server.send(lines, spool=spool)

        assert answer == {"stored": 4, "duplicate": 2, "rejected": 0}
        assert len(server.rows(**{"from": "-3d"})) == 6


def test_every_server_setting_is_shown_with_its_origin(tmp_path, monkeypatch):
    """Whoever asks why a limit is what it is finds where it was said."""
    monkeypatch.setenv("CLERESTORY_SERVER_FIELDS_MAX", "77")
    with ServerProcess(tmp_path, "--retention-days", "9") as server:
        rows = {row["key"]: row for row in server.get("/api/v1/settings")["settings"]}

    shown = {key: (rows[key]["value"], rows[key]["origin"]) for key in rows}
    assert shown["server.retention_days"] == (9, "argument")
    assert shown["server.fields_max"] == (77, "environment CLERESTORY_SERVER_FIELDS_MAX")
    assert shown["server.depth_max"] == (64, "default")
    assert rows["server.retention_days"]["default"] == 30
    assert rows["server.retention_days"]["unit"] == "days"
    assert all(row["help"] for row in rows.values())
