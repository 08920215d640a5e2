"""What a destination makes of answers, for those whose receivers answer."""

from collections import Counter

import pytest

from clerestory.spool.letters import DeadLetters
from tests.contracts.case import Road, all_arrived, extra, line, wait_until
from tests.contracts.conftest import ANSWERING
from tests.doubles.receiver import Reply

pytestmark = pytest.mark.parametrize("case", ANSWERING, ids=lambda case: case.name)


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
