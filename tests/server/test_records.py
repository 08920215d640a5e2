"""Records come in over HTTP and are found again, once, with their types."""

# ruff: noqa: E501 - tables of cases read better in one line

import gzip
import json
import signal
import time
import uuid

import pytest
import zstandard

from tests.support.server import ServerProcess

VALUES = {
    "text": "plain",
    "empty": "",
    "digits": "42",
    "quoted": '"42"',
    "escaped": 'a\\b\n"c"/é\u2028',
    "true_text": "true",
    "null_text": "null",
    "list_text": "[1]",
    "dash": "-",
    "nul": "a\0b",
    "number": 42,
    "negative": -1,
    "float": 0.25,
    "large": 2**63,
    "true": True,
    "null": None,
    "list": [1, "x", [2, {"y": None}]],
    "object": {"a": {"b": ["é", '"']}},
}


def named(service):
    return {"service.name": service}


def line(number, /, **fields):
    return {"timestamp": time.time_ns(), "level": "INFO", "message": f"line {number}", **fields}


def messages(rows):
    return sorted(row["message"] for row in rows)


def test_every_json_type_comes_back_as_it_was_sent(server, service):
    """42 and “42” are different answers to why a request failed."""
    server.send([line(1, **VALUES)], resource=named(service))

    (row,) = server.rows(f"service:{service}")

    assert row["attrs"] == VALUES
    assert [type(row["attrs"][key]) for key in VALUES] == [type(one) for one in VALUES.values()]


def test_a_record_is_shown_with_resource_and_neighbours(server, service):
    """The line before the error often tells the cause."""
    spool = uuid.uuid4().hex
    resource = named(service) | {"process.pid": 7}
    server.send([line(n) for n in range(9)], spool=spool, first=100, resource=resource)

    answer = server.get(f"/api/v1/logs/{spool}:104", context=2)

    assert answer["record"]["resource"] == resource
    assert [row["id"] for row in answer["before"]] == [f"{spool}:102", f"{spool}:103"]
    assert [row["id"] for row in answer["after"]] == [f"{spool}:105", f"{spool}:106"]


def test_times_are_exact_or_the_time_of_arrival(server, service):
    """A record with a bad clock is still a record."""
    now = time.time_ns()
    lines = [
        line(1, timestamp=now - 1),
        line(2, timestamp="2026-11-22T01:00:00.123456789+01:00"),
        line(3, timestamp="yesterday"),
        line(4, timestamp=10**30),
    ]
    server.send(lines, resource=named(service))

    rows = server.rows(f"service:{service}", **{"from": 0})
    found = {row["message"][-1]: int(row["ts"]) for row in rows}

    assert found["1"] == now - 1
    assert found["2"] == 1_795_305_600_123_456_789
    assert abs(found["3"] - time.time_ns()) < 60e9
    assert abs(found["4"] - time.time_ns()) < 60e9


def test_bad_lines_are_counted_and_do_not_refuse_their_neighbours(server, service):
    """One broken line must not cost a batch of good ones."""
    deep = b'{"message":"deep","x":' + b"[" * 5000 + b"]" * 5000 + b"}"
    bad = [b"not json", b"[1]", b'"text"', b'{"a":1', deep]
    good = [line(1), b"", b'{"message":"lone \\ud800 surrogate"}', b'{"message":"raw \xff byte"}']
    huge = line(2, big="x" * 1_000_000)
    too_long = line(3, big="x" * 1_100_000)

    answer = server.send([*bad, *good, huge, too_long], resource=named(service))

    assert answer == {"stored": 4, "duplicate": 0, "rejected": 6}
    found = messages(server.rows(f"service:{service}"))
    assert found == ["line 1", "line 2", "lone \ufffd surrogate", "raw \ufffd byte"]


def test_a_resend_is_stored_once_even_when_cut_differently(server, service):
    """A sender that saw no answer sends again; nobody wants doubles."""
    spool = uuid.uuid4().hex
    lines = [line(n) for n in range(10)]
    resource = named(service)

    answers = [
        server.send(lines[:6], spool=spool, first=0, resource=resource),
        server.send(lines[:6], spool=spool, first=0, resource=resource),
        server.send(lines[4:10], spool=spool, first=4, resource=resource),
    ]

    assert [one["stored"] for one in answers] == [6, 0, 4]
    assert [one["duplicate"] for one in answers] == [0, 6, 2]
    assert len(server.rows(f"service:{service}")) == 10


def test_acknowledged_records_survive_a_kill_and_a_resend_is_still_stored_once(tmp_path):
    """Acknowledged means stored: the one promise of the server."""
    running = ServerProcess(tmp_path).start()
    spool = uuid.uuid4().hex
    lines = [line(n) for n in range(10)]
    running.send(lines[:7], spool=spool, first=5)
    running.stop(signal.SIGKILL)

    with ServerProcess(tmp_path) as again:
        answer = again.send(lines[3:], spool=spool, first=8)
        rows = again.rows()

    assert answer == {"stored": 3, "duplicate": 4, "rejected": 0}
    assert messages(rows) == messages([{"message": f"line {n}"} for n in range(10)])


def test_a_second_server_on_the_directory_is_told_who_has_it(server):
    """The engine itself would only say that it cannot start."""
    second = ServerProcess(server.data_dir)

    with pytest.raises(AssertionError, match="did not start"):
        second.start()

    assert second.stop() == 1


def test_a_stopped_server_exits_with_zero_and_leaves_no_address(tmp_path):
    """A stale address sends clients to a port that is somebody else's."""
    running = ServerProcess(tmp_path).start()
    assert (tmp_path / "address").read_text().strip() == running.url

    assert running.stop(signal.SIGTERM) == 0
    assert not (tmp_path / "address").exists()


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_bodies_are_taken(server, service, encoding):
    """Exporters compress unless told otherwise."""
    body = b"\n".join(json.dumps(line(n, padding="x" * 100)).encode() for n in range(2000))
    packed = gzip.compress(body) if encoding == "gzip" else zstandard.compress(body)
    headers = {"Content-Encoding": encoding}

    status, answer, _ = server.call("POST", "/v1/records", packed, headers)

    assert (status, json.loads(answer)["stored"]) == (200, 2000)


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (gzip.compress(b"\n" * 80_000_000, mtime=0), {"Content-Encoding": "gzip"}, 413, "inflated_too_large"),
        (zstandard.compress(b" " * 80_000_000), {"Content-Encoding": "zstd"}, 413, "inflated_too_large"),
        (b" " * 17_000_000, {}, 413, "body_too_large"),
        (b"x", {"Content-Encoding": "br"}, 415, "unknown_encoding"),
        (b"not gzip", {"Content-Encoding": "gzip"}, 400, "bad_compression"),
        (gzip.compress(b"{}" * 99, mtime=0)[:-12], {"Content-Encoding": "gzip"}, 400, "bad_compression"),
        (b"not zstd", {"Content-Encoding": "zstd"}, 400, "bad_compression"),
        (b"{}", {"Clerestory-First": "-1"}, 400, "bad_header"),
        (b"{}", {"Clerestory-Spool": "../x"}, 400, "bad_header"),
        (b"{}", {"Clerestory-Resource": "[]"}, 400, "bad_header"),
        (b"{}", {"Host": "evil.example"}, 403, "host_not_allowed"),
        (b"{}", {"Origin": "http://evil.example"}, 403, "origin_not_allowed"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_with_a_reason(server, body, headers, status, code):
    """The status decides whether a sender retries or gives up."""
    got, answer, _ = server.call("POST", "/v1/records", body, headers)

    assert (got, json.loads(answer)["error"]["code"]) == (status, code)


def test_a_full_disk_refuses_records_and_keeps_answering(tmp_path):
    """A full disk is when people need to search."""
    with ServerProcess(tmp_path, "--disk-free-bytes-min", str(2**60)) as full:
        status, answer, headers = full.call("POST", "/v1/records", b"{}")

        assert (status, json.loads(answer)["error"]["code"]) == (503, "disk_full")
        assert headers["retry-after"] == "1"
        assert full.rows() == []
        assert full.get("/api/v1/status")["refused"] == {"disk_full": 1}
