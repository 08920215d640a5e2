"""What every destination must hold, against a double that enforces its vendor's limits."""

import time

import pytest

from clerestory.delivery.adoption import Adopter
from clerestory.delivery.policy import Route
from tests.contracts.case import Road, all_arrived, extra, line, wait_until
from tests.contracts.conftest import CASES

pytestmark = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
HOSTILE = [
    "a\tb\nc\r\x00d",
    "\x1b[31mred\u202e",
    'quotes " and \\ back',
    "emoji \U0001f600 and \u00e9 and \ufeff",
    "</script><b>&amp;",
    "x" * 5000,
]


def test_every_record_arrives_once_and_in_order(road, receiver):
    """More records than one request of any vendor takes."""
    road.put(*(line(number) for number in range(2500)))

    assert road.pipeline.flush(20)
    all_arrived(road, receiver, 2500)
    assert receiver.accepted == road.ids(2500)
    assert road.stats.sent_records == 2500
    assert road.stats.retries == 0, road.stats.last_error


def test_what_a_record_says_arrives_unchanged(case, road, receiver):
    """Control characters, quotes, direction marks, markup, length."""
    if case.messages is None:
        pytest.skip("the format does not keep messages whole")

    road.put(*(line(number, text) for number, text in enumerate(HOSTILE)))

    assert road.pipeline.flush(20), road.stats.last_error
    all_arrived(road, receiver, len(HOSTILE))
    assert case.messages(receiver) == HOSTILE


def test_what_cannot_be_delivered_at_exit_is_delivered_by_the_next_process(
    case, receiver, tmp_path
):
    """The exit does not wait, and the next process finds the spool under the same name."""
    case.trouble(receiver)
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
