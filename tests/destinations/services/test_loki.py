"""The destination loki beside a handler of others, with a double that has Loki's limits."""

import json
import logging
import re
import time
from typing import Any

import pytest
from logging_loki import LokiHandler

from clerestory.destinations.services.loki import Loki, LokiConfig
from clerestory.model.errors import ConfigurationError, HoldError, RefusedError
from tests.doubles.loki import LokiReceiver
from tests.doubles.receiver import Reply
from tests.support.batches import EXCEPTION, SPOOL, TRACE, batch_of, line


@pytest.fixture
def receiver():
    with LokiReceiver() as one:
        yield one


@pytest.fixture
def destination(made, receiver):
    return made(Loki, LokiConfig(url=receiver.url))


def now_ns(ahead_s=0):
    return time.time_ns() + int(ahead_s * 1e9)


def test_records_become_entries_of_few_streams(receiver, destination):
    """Labels: service, env, level. Everything else is structured metadata."""
    at = now_ns()

    receipt = destination.send(
        batch_of(
            line("a", at=at, user=7, trace_id=TRACE, tags=["x"]),
            line("b", at=at, level="ERROR", exception=EXCEPTION),
            first=3,
        )
    )

    assert receipt.taken == 2
    info, error = (
        (("env", "test"), ("level", level), ("service", "shop")) for level in ("info", "error")
    )
    assert set(receiver.streams) == {info, error}
    assert receiver.streams[info] == [
        (
            at,
            "a",
            {
                "service_version": "1.2.3",
                "host_name": "web-1",
                "process_pid": "4242",
                "logger": "shop.orders",
                "module": "main",
                "funcName": "order",
                "lineno": "42",
                "user": "7",
                "trace_id": TRACE,
                "tags": '["x"]',
                "_cid": f"{SPOOL}:3",
            },
        )
    ]
    assert receiver.streams[error][0][1].endswith("ValueError: no such order")


def test_a_handler_of_others_sends_the_same(receiver, made):
    """Path, credentials, labels, times as texts; our third member is structured metadata."""
    receiver.authorization = "Basic dTpw"
    config = LokiConfig(url=receiver.url, username="u", password="p", compress=False)
    made(Loki, config).send(
        batch_of(*[line(f"é {n}", at=now_ns(), level="WARNING") for n in range(5)])
    )
    (ours,) = receiver.requests
    tags = {"service": "shop", "env": "test"}
    handler = LokiHandler(
        f"{receiver.url}/loki/api/v1/push",
        tags=tags, auth=("u", "p"), level_tag="level", logger_tag=None,
    )  # fmt: skip

    for n in range(5):
        handler.emit(logging.LogRecord("a", logging.WARNING, "a.py", 1, f"é {n}", None, None))
    handler.close()

    theirs = receiver.requests[1:]
    assert {(one.method, one.path) for one in theirs} == {(ours.method, ours.path)}
    for name in ("authorization", "content-type"):
        assert {one.headers[name] for one in theirs} == {ours.headers[name]}
    (stream,) = json.loads(ours.body)["streams"]
    pushed = [json.loads(one.body)["streams"] for one in theirs]
    assert [one["stream"] for (one,) in pushed] == [stream["stream"]] * 5
    values = [value for (one,) in pushed for value in one["values"]]
    assert [text for _, text in values] == [text for _, text, _ in stream["values"]]
    moments = [one[0] for one in (*values, *stream["values"])]
    assert all(re.fullmatch(r"\d{19}", one) for one in moments)
    assert [len(entries) for entries in receiver.streams.values()] == [10]


def test_a_handler_of_others_understands_the_double(receiver, caplog):
    """It takes 204 alone as success, and tells of every other status."""
    handler = LokiHandler(f"{receiver.url}/loki/api/v1/push", tags={"service": "shop"})
    record = logging.LogRecord("a", logging.INFO, "a.py", 1, "m", None, None)

    handler.emit(record)
    assert caplog.text == ""
    receiver.fail("throttle")
    handler.emit(record)
    handler.close()

    assert "429" in caplog.text
    assert len(receiver.accepted) == 1


def test_the_entries_of_a_stream_are_in_order(receiver, destination):
    """Threads put lines into a spool a little out of order; Loki before 2.4 refuses that."""
    at = now_ns()

    destination.send(batch_of(line("b", at=at + 2), line("a", at=at + 1), line("c", at=at + 3)))

    assert receiver.orders == [True]
    assert receiver.accepted == [f"{SPOOL}:1", f"{SPOOL}:0", f"{SPOOL}:2"]


def test_what_is_too_old_is_refused_and_the_rest_kept_once(receiver, destination):
    """After a long outage; Loki names the oldest time that it takes."""
    old = now_ns(-8 * 86400)

    receipt = destination.send(
        batch_of(line("old", at=old), b"", line("new", at=now_ns()), line("older", at=old - 5))
    )

    assert [one.index for one in receipt.refused] == [0, 3]
    assert "too old" in receipt.refused[0].reason
    assert (receipt.taken, receiver.accepted) == (4, [f"{SPOOL}:2"])
    assert len(receiver.requests) == 2


def test_what_is_too_far_behind_its_stream_is_refused(receiver, destination):
    """Loki names the times of the entries that it ignored."""
    receiver.behind = "behind"
    at = now_ns()

    receipt = destination.send(
        batch_of(line("a", at=at), line("behind", at=at - 5), line("b", at=at + 1))
    )

    assert [one.index for one in receipt.refused] == [1]
    assert "too far behind" in receipt.refused[0].reason
    assert receiver.accepted == [f"{SPOOL}:0", f"{SPOOL}:2"]


def test_an_answer_that_names_nothing_is_found_out_by_halves(receiver, destination):
    """Words that we do not know lose no record."""
    receiver.fail("status", reply=Reply(status=400, body=b"something else"))

    with pytest.raises(RefusedError, match="something else"):
        destination.send(batch_of(line(at=now_ns())))


@pytest.mark.parametrize("fields", [{"message": "x" * 400_000}, {"big": "é" * 60_000}])
def test_an_entry_beyond_the_limits_is_shortened_and_says_so(receiver, destination, fields):
    """256 KB of text, 64 KB of structured metadata."""
    text = fields.pop("message", "m")

    receipt = destination.send(batch_of(line(text, at=now_ns(), **fields)))

    ((_, said, metadata),) = next(iter(receiver.streams.values()))
    assert receipt.refused == ()
    assert int(metadata["_truncated_bytes"]) > 0
    assert len(said) > 150_000 or len(metadata["big"]) > 15_000


def test_more_fields_than_loki_takes_are_put_together(receiver, destination):
    """128 names of structured metadata; none is lost."""
    fields: dict[str, Any] = {f"field_{n}": n for n in range(200)}

    destination.send(batch_of(line(at=now_ns(), **fields)))

    ((_, _, metadata),) = next(iter(receiver.streams.values()))
    more = json.loads(metadata["_more"])
    assert {name: int(metadata.get(name, more.get(name))) for name in fields} == fields


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"username": "u", "password": "p"}, {"authorization": "Basic dTpw"}),
        ({"token": "t"}, {"authorization": "Bearer t"}),
        ({"tenant": "shop"}, {"tenant": "shop"}),
    ],
)
def test_credentials_and_tenant_reach_loki(receiver, made, options, wanted):
    """A wrong one holds."""
    for name, value in wanted.items():
        setattr(receiver, name, value)

    made(Loki, LokiConfig(url=receiver.url, **options)).send(batch_of(line(at=now_ns())))
    with pytest.raises(HoldError):
        made(Loki, LokiConfig(url=receiver.url)).send(batch_of(line(at=now_ns())))

    assert len(receiver.accepted) == 1


def test_further_labels_are_set_and_checked(receiver, made):
    """A label that Loki refuses is told before the first record."""
    made(Loki, LokiConfig(url=receiver.url, labels={"team": "a"})).send(batch_of(line(at=now_ns())))

    assert ("team", "a") in next(iter(receiver.streams))
    for labels in ({"a-b": "x"}, {f"l{n}": "x" for n in range(11)}):
        with pytest.raises(ConfigurationError, match="label"):
            Loki(LokiConfig(url=receiver.url, labels=labels))
