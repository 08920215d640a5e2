"""The destination splunk beside Splunk's own client."""

import json
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from splunk_logging.exceptions import HecBatchError
from splunk_logging.forwarders import HecForwarder

from clerestory.destinations.services.splunk import Splunk, SplunkConfig
from clerestory.model.errors import (
    ConfigurationError,
    HoldError,
    RefusedError,
    RetryError,
    TooLargeError,
)
from clerestory.wire.services import splunk as wire
from tests.doubles.receiver import Reply
from tests.doubles.splunk import SplunkReceiver
from tests.support.batches import EXCEPTION, RESOURCE, SPOOL, TIME, TRACE, batch_of, line


@pytest.fixture
def receiver():
    with SplunkReceiver() as one:
        yield one


@pytest.fixture
def destination(made, receiver):
    return made(Splunk, SplunkConfig(url=receiver.url, token="s3cr3t-token"))


def test_records_become_events(receiver, destination):
    """The event is the whole record; level, service and environment are indexed fields."""
    one = line(user=7, trace_id=TRACE, exception=EXCEPTION, level="ERROR")

    receipt = destination.send(batch_of(one, b"", line("b"), first=3))

    assert receipt.taken == 3
    assert receiver.accepted == [f"{SPOOL}:3", f"{SPOOL}:5"]
    first = receiver.events[0]
    wanted = json.loads(one) | {
        "timestamp": "2026-11-22T02:33:43.428724290Z",
        "_cid": f"{SPOOL}:3",
    }
    assert first == {
        "time": 1795314823.428724,
        "host": "web-1",
        "source": "shop",
        "sourcetype": "_json",
        "event": wanted,
        "fields": {
            "level": "ERROR", "service": "shop", "version": "1.2.3", "env": "test", "pid": "4242",
        },
    }  # fmt: skip


def client_of(receiver, token="s3cr3t-token"):
    """Return Splunk's own client, with what our destination takes from the resource."""
    host, _, port = receiver.url.removeprefix("http://").partition(":")
    about = {"default_host": "web-1", "default_source": "shop", "default_sourcetype": "_json"}
    return HecForwarder(host=host, port=int(port), token=token, use_ssl=False, **about)


def test_splunks_own_client_sends_the_same(receiver, destination):
    """Path, token, channel, and events one after the other; ours have indexed fields beside."""
    destination.send(batch_of(*[line(f"é {n}", user=n, at=TIME + n * 10**9) for n in range(20)]))
    ours, events = receiver.requests[-1], list(receiver.events)
    times = {one["event"]["_cid"]: one["time"] for one in events}

    with client_of(receiver) as client:
        client.forward_events(
            [one["event"] for one in events], eventtime=lambda event: times[event["_cid"]]
        )

    theirs = receiver.requests[-1]
    assert (theirs.method, theirs.path) == (ours.method, ours.path)
    for name in ("authorization", "content-type"):
        assert theirs.headers[name] == ours.headers[name]
    for one in (theirs, ours):
        assert uuid.UUID(one.headers["x-splunk-request-channel"])
    assert [one | {"time": float(one["time"])} for one in receiver.events[20:]] == [
        {name: value for name, value in one.items() if name != "fields"} for one in events
    ]


def test_splunks_own_client_understands_the_double(receiver):
    """Busy, a wrong event with its number: what we are tested with is what Splunk says."""
    receiver.fail("throttle")

    with client_of(receiver) as client:
        client.forward_event({"message": "after a while"})
        with pytest.raises(HecBatchError) as caught:
            client.forward_events([{"message": "a"}, {"message": "b"}, {"message": "poison"}])

    assert [one["event"]["message"] for one in receiver.events] == ["after a while"]
    assert caught.value.invalid_event_number == 2
    assert len(receiver.requests) == 3


@settings(deadline=None)
@given(
    st.sampled_from(["TRACE", "INFO", "EMERGENCY", 'odd "name"', "x" * 40, ""]),
    st.dictionaries(st.text(max_size=9), st.text(max_size=9) | st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=2),
)
def test_cut_bytes_are_the_same_json_as_encoded_values(level, fields, resource):
    """Nothing is decoded on the way; what comes out must be JSON all the same."""
    kept = {name: value for name, value in fields.items() if name not in {"message", "at", "level"}}
    one = line("m", level=level, **kept)
    names = {"service.name": "s", **resource}

    (found,) = wire.encode([("s:1", one)], names, source="", sourcetype="j", index="")

    event = json.loads(found)
    assert event["fields"]["level"] == level
    assert event["event"] | {"timestamp": 0} == json.loads(one) | {"_cid": "s:1", "timestamp": 0}


def test_what_is_not_known_is_left_out():
    """No host, no service, no source type: still one JSON object."""
    (found,) = wire.encode([("s:1", line("m"))], {}, source="", sourcetype="", index="")

    assert json.loads(found).keys() == {"time", "event", "fields"}


@pytest.mark.parametrize("odd", [b"not JSON", b"[1]", b'{"message":"m"}'])
def test_a_line_of_another_form_still_becomes_an_event(odd):
    """Nothing that was in the spool disappears on the way out."""
    (found,) = wire.encode([("s:1", odd)], RESOURCE, source="", sourcetype="j", index="")

    event = json.loads(found)
    assert event["event"]["_cid"] == "s:1"
    assert event["fields"]["level"] == "INFO"


def test_only_the_events_that_are_wrong_are_refused(receiver, destination):
    """Splunk names the first one and takes nothing; the others come again at once."""
    receipt = destination.send(
        batch_of(line("a"), b"", line("poison 1"), line("b"), line("poison 2"))
    )

    assert [(one.index, one.reason) for one in receipt.refused] == [
        (2, "code 6: Invalid data format"), (4, "code 6: Invalid data format"),
    ]  # fmt: skip
    assert receiver.accepted == [f"{SPOOL}:0", f"{SPOOL}:3"]


def test_many_wrong_events_are_found_by_halves(receiver, destination):
    """A request for each would be too many."""
    with pytest.raises(RefusedError, match="more than 5"):
        destination.send(batch_of(*[line("poison")] * 9))


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Reply(status=403, body=b'{"text":"Invalid token","code":4}'), HoldError, "the token"),
        (Reply(status=403, body=b'{"text":"Token disabled","code":1}'), HoldError, "enable"),
        (Reply(status=400, body=b'{"text":"Data channel missing","code":10}'), HoldError, "chan"),
        (Reply(status=503, body=b'{"text":"Server is busy","code":9}'), RetryError, "busy"),
        (Reply(status=500, body=b'{"text":"Internal server error","code":8}'), RetryError, "Int"),
        (Reply(status=200, body=b"<html>hello</html>"), RetryError, "no answer of a collector"),
        (Reply(status=413, body=b"too large"), TooLargeError, "413"),
        (Reply(status=400, body=b'{"text":"Invalid data","code":6}'), RefusedError, "data"),
    ],
)  # fmt: skip
def test_each_code_has_its_meaning(receiver, destination, reply, error, words):
    """Of the token, of the set-up, of the moment, of the events."""
    receiver.fail("status", reply=reply)

    with pytest.raises(error, match=words):
        destination.send(batch_of(line()))


def test_an_index_that_the_token_may_not_use_holds(receiver, made):
    """It is the set-up that is wrong, not the record."""
    config = SplunkConfig(url=receiver.url, token="s3cr3t-token", index="secret")

    with pytest.raises(HoldError, match="allow the index"):
        made(Splunk, config).send(batch_of(line()))


def test_a_token_must_be_given_and_does_not_show(receiver):
    """Before the first record."""
    with pytest.raises(ConfigurationError, match="token"):
        Splunk(SplunkConfig(url=receiver.url))

    assert "abc" not in repr(SplunkConfig(url=receiver.url, token="abc"))
