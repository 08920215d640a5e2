"""What every destination must hold, against a double that enforces its vendor's limits."""

import importlib
import pkgutil
import time
from collections import Counter

import pytest

from clerestory.delivery.adoption import Adopter
from clerestory.delivery.policy import Route
from clerestory.spool.letters import DeadLetters
from tests.contracts import cases
from tests.contracts.case import Road, line, wait_until
from tests.doubles.receiver import Reply

CASES = [
    importlib.import_module(f"{cases.__name__}.{module.name}").CASE
    for module in pkgutil.iter_modules(cases.__path__)
]
HOSTILE = [
    "a\tb\nc\r\x00d",
    "\x1b[31mred\u202e",
    'quotes " and \\ back',
    "emoji \U0001f600 and \u00e9 and \ufeff",
    "</script><b>&amp;",
    "x" * 5000,
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request):
    return request.param


@pytest.fixture
def receiver(case):
    with case.receiver() as one:
        yield one


@pytest.fixture
def road(case, receiver, tmp_path):
    destination = case.destination(receiver)
    with Road(tmp_path, destination) as one:
        yield one


def all_arrived(road, receiver, count):
    wait_until(lambda: set(road.ids(count)) <= set(receiver.accepted))


def extra(receiver):
    return len(receiver.accepted) - len(set(receiver.accepted))


def test_every_record_arrives_once_and_in_order(road, receiver):
    """More records than one request of any vendor takes."""
    road.put(*(line(number) for number in range(2500)))

    assert road.pipeline.flush(20)
    assert receiver.accepted == road.ids(2500)
    assert road.stats.sent_records == 2500
    assert road.stats.retries == 0, road.stats.last_error


def test_what_a_record_says_arrives_unchanged(case, road, receiver):
    """Control characters, quotes, direction marks, markup, length."""
    if case.messages is None:
        pytest.skip("the format does not keep messages whole")

    road.put(*(line(number, text) for number, text in enumerate(HOSTILE)))

    assert road.pipeline.flush(20), road.stats.last_error
    assert case.messages(receiver) == HOSTILE


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_status_that_means_later_is_tried_again(case, road, receiver, status):
    """No status of a receiver in trouble costs a record."""
    if status not in case.statuses:
        pytest.skip(f"{case.name} gives {status} another meaning")
    receiver.fail("status", times=3, reply=Reply(status=status))

    road.put(*(line(number) for number in range(100)))

    all_arrived(road, receiver, 100)
    assert extra(receiver) == 0
    assert road.stats.retries == 3


def test_throttling_in_the_vendors_words_is_waited_out(road, receiver):
    """As long as it takes."""
    receiver.fail("throttle", times=12)

    road.put(*(line(number) for number in range(100)))

    all_arrived(road, receiver, 100)
    assert extra(receiver) == 0
    assert road.stats.retries >= 12


@pytest.mark.parametrize("fault", ["reset", "hang", "cut_answer", "wrong_length", "drop_answer"])
def test_a_broken_connection_loses_nothing_and_doubles_one_batch_at_most(
    case, receiver, tmp_path, fault
):
    """Whether the request was taken before the connection broke, nobody can know."""
    with Road(tmp_path, case.destination(receiver, timeout=0.3)) as road:
        receiver.fail(fault, times=1, wait_s=5.0)

        road.put(*(line(number) for number in range(50)))

        all_arrived(road, receiver, 50)
    assert extra(receiver) <= (0 if case.idempotent else 50)
    assert max(Counter(receiver.accepted).values()) <= 2


def test_an_answer_that_trickles_is_given_up_in_time(case, receiver, tmp_path):
    """One byte a second would hold the courier for ever."""
    with Road(tmp_path, case.destination(receiver, timeout=0.2)) as road:
        receiver.fail("slow_answer", times=1, wait_s=0.1)

        road.put(*(line(number) for number in range(20)))

        all_arrived(road, receiver, 20)


def test_a_wrong_key_holds_the_records_and_says_so_once(case, road, receiver):
    """Somebody must act; until then nothing is lost, and the receiver is left in peace."""
    receiver.fail("status", times=4, reply=case.denied)

    road.put(*(line(number) for number in range(100)))
    wait_until(lambda: road.stats.hold)

    all_arrived(road, receiver, 100)
    wait_until(lambda: not road.stats.hold)
    levels = [level for level, _ in road.alarms]
    assert levels == ["ERROR", "NOTICE"]
    assert "wait in the spool" in road.alarms[0][1]


def test_a_redirect_is_not_followed_but_told(road, receiver):
    """A body full of records does not go where nobody said that it should."""
    receiver.fail("redirect", times=2)

    road.put(*(line(number) for number in range(10)))
    wait_until(lambda: bool(road.alarms))

    all_arrived(road, receiver, 10)
    assert "redirect" in road.alarms[0][1]


def test_poison_is_found_and_the_rest_delivered(case, road, receiver):
    """One record that is never taken costs no other."""
    if case.poison is None:
        pytest.skip(f"{case.name} refuses no single record")
    lines = [line(number) for number in range(200)]
    lines[77] = line(77, **case.poison)

    road.put(*lines)

    assert road.pipeline.flush(20), road.stats.last_error
    ids = road.ids(200)
    assert set(receiver.accepted) == set(ids) - {ids[77]}
    [letter] = DeadLetters(road.directory, road.route.destination.name).read()
    assert letter["record_id"] == ids[77]
    assert letter["reason"]
    assert road.stats.dead_lettered == 1
    assert len(receiver.requests) < 60


def test_a_receiver_that_refuses_gzip_gets_plain_bodies(case, road, receiver):
    """And is not asked again."""
    if not case.compresses:
        pytest.skip(f"{case.name} does not compress")
    receiver.fail("refuse_gzip", times=None)

    road.put(*(line(number) for number in range(200)))

    all_arrived(road, receiver, 200)
    assert extra(receiver) == 0


def test_what_cannot_be_delivered_at_exit_is_delivered_by_the_next_process(
    case, receiver, tmp_path
):
    """The exit does not wait, and the next process finds the spool under the same name."""
    receiver.fail("status", times=None, reply=Reply(status=503))
    road = Road(tmp_path, case.destination(receiver)).start()
    road.put(*(line(number) for number in range(300)))
    wait_until(lambda: road.stats.retries > 0)

    begin = time.monotonic()
    assert not road.pipeline.close(0.5)
    assert time.monotonic() - begin < 2

    # What is under way when the time is up may still arrive; here nothing may be.
    wait_until(lambda: not any(one.thread.is_alive() for one in road.pipeline.couriers))
    receiver.heal()
    later = Adopter(
        tmp_path, [Route(destination=case.destination(receiver), policy=road.route.policy)]
    )
    wait_until(lambda: later.run_once() == 0 and set(road.ids(300)) <= set(receiver.accepted))
    later.close()
    assert extra(receiver) == 0


def test_no_secret_shows(case, road, receiver):
    """Neither in the name, which is a file's name, nor in an error or a repr."""
    receiver.fail("status", times=1, reply=case.denied)
    road.put(line(0))
    wait_until(lambda: bool(road.alarms))

    destination = road.route.destination
    shown = f"{destination.name} {destination!r} {road.alarms} {vars(destination)!r}"
    config = getattr(destination, "_config", None)
    for secret in case.secrets:
        assert secret not in f"{destination.name} {destination!r} {road.alarms} {config!r}", shown
