"""How records come to a destination: selection, lingering, holding, probing, agents, durability."""

import os
import time

import msgspec
import pytest

from clerestory.configuration.destinations import routes_of
from clerestory.delivery.policy import DestinationConfig, RoutePolicy
from clerestory.delivery.port import BatchLimits, Receipt, Refusal
from clerestory.delivery.retry import RetryPolicy
from clerestory.destinations.http import Http
from clerestory.model.errors import (
    ConfigurationError,
    HoldError,
    RefusedError,
    RetryError,
    TooLargeError,
)
from clerestory.settings import load
from clerestory.spool.letters import DeadLetter, DeadLetters
from tests.contracts.case import wait_until
from tests.delivery.takers import Taker, line, put


def selecting(**options):
    config = DestinationConfig(flush_interval=0.0, **options)
    return RoutePolicy.of(config, BatchLimits(), hold_s=1, probe_after=0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"level": "WARNING"}, [1, 3]),
        ({"loggers": ("shop.cart",)}, [2, 3]),
        ({"fields": {"tenant": "b"}}, [4]),
        ({"level": "INFO", "loggers": ("shop",)}, [1, 3, 4]),
    ],
)
def test_a_destination_gets_what_its_options_select(road, options, expected):
    """By level, by logger and those below it, by field; the others keep their numbers."""
    taker = Taker()
    pipeline = road(taker, policy=selecting(**options))

    put(
        pipeline,
        line(1, "ERROR"),
        line(2, "DEBUG", "shop.cart"),
        line(3, "CRITICAL", "shop.cart.items"),
        line(4, "INFO", "shop", tenant="b"),
        line(5, "DEBUG", "shopping"),
    )

    assert pipeline.flush(5)
    assert taker.taken == expected
    numbers = [batch.first + at for batch in taker.batches for at, _ in batch.records()]
    assert numbers == [n - 1 for n in expected]


@pytest.mark.parametrize(("option", "value"), [("level", "LOUD"), ("kinds", "spam")])
def test_a_wrong_level_or_kind_is_told(option, value):
    """Not found out when the first record is missing."""
    with pytest.raises(ConfigurationError, match=value):
        routes_of(load({}), [{"type": "http", "url": "http://127.0.0.1:1", option: value}])


@pytest.mark.parametrize(
    ("options", "taken", "expected"),
    [
        ({}, ("log",), [1, 3]),
        ({}, ("log", "span"), [1, 2, 3]),
        ({"kinds": ("span",)}, ("log",), [2]),
        ({"kinds": ("log", "span")}, ("log",), [1, 2, 3]),
        ({"level": "ERROR"}, ("log", "span"), [3]),
    ],
)
def test_spans_go_where_they_are_taken_or_asked_for(road, options, taken, expected):
    """A receiver of logs does not pay for spans unless somebody wants them there."""
    taker = Taker()
    config = DestinationConfig(flush_interval=0.0, **options)
    policy = RoutePolicy.of(config, BatchLimits(), hold_s=1, probe_after=0, kinds=taken)
    pipeline = road(taker, policy=policy)
    span = line(2).replace(b'"logger":"shop"', b'"logger":"shop","kind":"span"')
    assert b'"kind":"span"' in span

    put(pipeline, line(1), span, line(3, "ERROR", said='"kind":"span"'))

    assert pipeline.flush(5)
    assert taker.taken == expected


def test_what_each_type_takes_is_documented():
    """The five that take spans; a new one that does is a line in the docs."""
    from clerestory.configuration.destinations import TYPES, find

    takes = {kind for kind in TYPES if "span" in getattr(find(kind), "kinds", ())}

    assert takes | {"otlp"} == {"console", "memory", "otlp", "server", "xray"}


def test_few_records_wait_for_more_and_many_do_not(road):
    """`batch_size` and `flush_interval`: one request for what comes together."""
    taker = Taker()
    pipeline = road(taker, policy=RoutePolicy(linger_lines=50, linger_s=30))

    put(pipeline, *(line(n) for n in range(30)))
    wait_until(lambda: pipeline.spool.records == 30)
    assert taker.batches == []
    put(pipeline, *(line(n) for n in range(30, 60)))

    wait_until(lambda: len(taker.taken) == 60)
    assert len(taker.batches) == 1


def test_the_oldest_record_waits_no_longer_than_the_interval(road):
    """Even when nothing follows it."""
    taker = Taker()
    pipeline = road(taker, policy=RoutePolicy(linger_lines=1000, linger_s=0.2))

    begin = time.monotonic()
    put(pipeline, line(1))
    wait_until(lambda: taker.taken == [1])

    assert 0.15 < time.monotonic() - begin < 5


def test_an_error_does_not_wait(road):
    """Nor what was made before it."""
    taker = Taker()
    pipeline = road(taker, policy=RoutePolicy(linger_lines=1000, linger_s=30))

    put(pipeline, line(1), line(2, "ERROR"))

    wait_until(lambda: taker.taken == [1, 2], 5)


def test_a_flush_does_not_wait_either(road):
    """Whoever asks for it wants it now."""
    taker = Taker()
    pipeline = road(taker, policy=RoutePolicy(linger_lines=1000, linger_s=30))

    put(pipeline, line(1))

    assert pipeline.flush(5)
    assert taker.taken == [1]


def test_a_destination_may_take_a_part_from_the_front(road):
    """The rest comes again, and what it names as refused becomes dead letters."""
    receipt = Receipt(taken=4, refused=(Refusal(index=1, reason="too old"),))
    taker = Taker(script=[receipt])
    pipeline = road(taker, policy=RoutePolicy(linger_lines=10, linger_s=5))

    put(pipeline, *(line(n) for n in range(10)))

    assert pipeline.flush(5)
    assert taker.taken == list(range(10))
    assert [batch.first for batch in taker.batches] == [0, 4]
    [letter] = DeadLetters(pipeline.plan.directory, "taker").read()
    assert letter["record_id"].endswith(":1")
    assert letter["reason"] == "too old"
    counts = pipeline.counts()["destinations"]["taker"]
    assert (counts["sent_records"], counts["dead_lettered"]) == (9, 1)


def test_what_a_destination_loses_without_saying_which_is_counted_and_told(road):
    """It is not sent again: nobody knows what to send."""
    alarms: list[tuple[str, str]] = []
    taker = Taker(script=[Receipt(taken=5, lost=2, detail="bad attributes")])
    pipeline = road(taker, alarms=alarms, policy=RoutePolicy(linger_lines=5, linger_s=5))

    put(pipeline, *(line(n) for n in range(5)))

    assert pipeline.flush(5)
    assert len(taker.batches) == 1
    assert pipeline.counts()["destinations"]["taker"]["rejected"] == 2
    assert alarms == [("ERROR", "taker did not keep 2 records: bad attributes")]


def test_a_failed_batch_comes_again_the_very_same(road):
    """Although more records have been made since."""
    taker = Taker(script=[RetryError("busy"), RetryError("busy")])
    pipeline = road(taker)

    put(pipeline, line(1))
    wait_until(lambda: len(taker.batches) >= 1)
    put(pipeline, line(2))

    assert pipeline.flush(5)
    assert taker.batches[0].lines == taker.batches[1].lines == taker.batches[2].lines
    assert taker.taken == [1, 2]


def test_a_destination_that_fails_on_is_probed_with_one_record(road):
    """A megabyte a try does not help an endpoint in trouble."""
    taker = Taker(script=[RetryError("busy")] * 6)
    policy = RoutePolicy(
        retry=RetryPolicy(wait_s_first=0.01, wait_s_max=0.02),
        probe_after=3,
        linger_lines=100,
        linger_s=5,
    )
    pipeline = road(taker, policy=policy)

    put(pipeline, *(line(n) for n in range(100)))

    assert pipeline.flush(5)
    assert [batch.count for batch in taker.batches][:7] == [100, 100, 100, 1, 1, 1, 1]
    assert taker.taken == list(range(100))


def test_a_held_destination_is_probed_rarely_and_alarmed_once(road):
    """Somebody has to act; the records wait."""
    alarms: list[tuple[str, str]] = []
    taker = Taker(script=[HoldError("no permission; add it")] * 3)
    pipeline = road(taker, alarms=alarms, policy=RoutePolicy(hold_s=0.05))

    put(pipeline, line(1))
    wait_until(lambda: pipeline.counts()["destinations"]["taker"]["hold"])

    assert pipeline.flush(5)
    assert [level for level, _ in alarms] == ["ERROR", "NOTICE"]
    assert "no permission; add it" in alarms[0][1]


def test_a_record_that_is_too_large_is_shortened_once(road):
    """Rather than lost; it says how much is missing."""
    taker = Taker(script=[TooLargeError("1000 bytes are the limit")])
    pipeline = road(taker)

    put(pipeline, line(1, message="x" * 5000))

    assert pipeline.flush(5)
    assert taker.taken == [1]
    [(_, kept)] = taker.batches[-1].records()
    assert len(kept) < 3000
    assert msgspec.json.decode(kept)["_truncated_bytes"] > 2000


def test_one_culprit_among_ten_thousand_is_found_in_few_requests(road):
    """Twice the logarithm, not each one alone."""

    class Picky(Taker):
        def send(self, batch):
            self.batches.append(batch)
            numbers = [msgspec.json.decode(one)["n"] for _, one in batch.records()]
            if 7777 in numbers:
                raise RefusedError("7777 is not taken")
            self.taken += numbers
            return Receipt(taken=batch.count)

    taker = Picky()
    taker.script = []
    pipeline = road(taker, policy=RoutePolicy(limits=BatchLimits(size_bytes=2**20)))
    put(pipeline, *(line(n) for n in range(10_000)))

    assert pipeline.flush(20)
    assert taker.taken == [n for n in range(10_000) if n != 7777]
    assert len(taker.batches) < 80


def test_a_dead_destination_delays_no_other(road):
    """Each has its own cursor in the one spool."""
    dead = Taker("dead", [RetryError("away")] * 10_000)
    alive = Taker("alive")
    pipeline = road(dead, alive)

    put(pipeline, *(line(n) for n in range(100)))

    wait_until(lambda: alive.taken == list(range(100)), 5)
    assert dead.taken == []


def test_dead_letters_have_a_bound(tmp_path):
    """The oldest go, and it is said how many."""
    letters = DeadLetters(tmp_path, "d", bytes_max=4000)

    def letter(number):
        return DeadLetter(
            record_id=f"s:{number}", destination="d", reason="r", resource={}, line=b"{}"
        )

    gone = sum(letters.add([letter(number)]) for number in range(200))

    left = [entry["record_id"] for entry in letters.read()]
    assert left == [f"s:{number}" for number in range(200 - len(left), 200)]
    assert gone == 200 - len(left) > 100


# -- durability ----------------------------------------------------------------------------------


def test_durability_record_is_on_the_disk_before_the_call_returns(road, monkeypatch):
    """What an audit trail needs: each line is synced once, in its own call."""
    synced: list[int] = []
    real = os.fdatasync

    def fdatasync(descriptor):
        synced.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    pipeline = road(Taker(), sync_each=True, sync_s=0)

    put(pipeline, *(line(n) for n in range(5)))

    assert len(synced) == 5


def test_options_of_a_destination_come_from_a_url_or_a_mapping():
    """The same destination, written twice."""
    settings = load({})
    url = "http+json://user:p%40ss@127.0.0.1:8080/in?format=json&level=ERROR&batch_size=7"
    mapping = {
        "type": "http",
        "url": "http://127.0.0.1:8080/in",
        "username": "user",
        "password": "p@ss",
        "format": "json",
        "level": "ERROR",
        "batch_size": "7",
    }

    by_url, by_mapping = (routes_of(settings, [entry])[0] for entry in (url, mapping))

    assert isinstance(by_url.destination, Http)
    assert isinstance(by_mapping.destination, Http)
    assert by_url.destination._config == by_mapping.destination._config
    assert by_url.policy.linger_lines == by_mapping.policy.linger_lines == 7


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("cloudwach", "did you mean 'cloudwatch'"),
        ({"type": "http", "url": "http://h", "tokn": "x"}, "did you mean 'token'"),
        ({"type": "http"}, "needs url"),
        ({"type": "http", "url": "ftp://h"}, "http:// or https://"),
        ({"type": "http", "url": "http://h", "timeout": "soon"}, "timeout: expected a time"),
        ({"type": "http", "url": "http://h", "format": "xml"}, "expected one of ndjson, json"),
        ({"url": "http://h"}, "needs a `type`"),
        ("gopher://h", "'gopher' is not known"),
    ],
)
def test_a_wrong_destination_is_told_with_what_to_write(entry, message):
    """Which destination, which option, what was got, what is meant."""
    with pytest.raises(ConfigurationError) as error:
        routes_of(load({}), [entry])

    assert message in str(error.value)


def test_a_secret_option_is_not_echoed():
    """Though it is of the wrong kind."""
    entry = {"type": "http", "url": "http://h", "token": ["s3cr3t"]}

    with pytest.raises(ConfigurationError) as error:
        routes_of(load({}), [entry])

    assert "s3cr3t" not in str(error.value)
