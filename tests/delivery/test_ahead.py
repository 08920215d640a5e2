"""The batch behind is prepared while an answer to the one before is awaited."""

import json
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerestory.delivery.courier import Courier
from clerestory.delivery.policy import RoutePolicy
from clerestory.delivery.port import BatchLimits, Receipt
from clerestory.delivery.reader import Reader
from clerestory.delivery.retry import RetryPolicy
from clerestory.delivery.stats import DestinationStats, RoadStats
from clerestory.model.errors import RefusedError, RetryError
from clerestory.spool.cursor import Cursor
from clerestory.spool.spool import Spool, SpoolLimits
from clerestory.transport.exchange import Exchange
from tests.doubles.cloudwatch import CloudWatchLogs
from tests.doubles.receiver import Receiver, Reply
from tests.support.cloudwatch import GROUP, made

COUNT = 300
AT_ONCE = RoutePolicy(retry=RetryPolicy(wait_s_first=0.0, wait_s_max=0.0))


def filled(count=COUNT):
    """Return a spool in memory with numbered lines in several segments."""
    current: dict[str, Any] = {}
    spool = Spool(
        None,
        resource={"service.name": "test"},
        limits=SpoolLimits(segment_bytes=8192, free_bytes_min=0),
        stats=RoadStats(),
        on_roll=lambda append: current.update(append=append),
    )
    for number in range(count):
        line = b'{"timestamp":%d,"level":"INFO","logger":"a","message":"m","n":%d}\n' % (
            1795314823428724290 + number,
            number,
        )
        try:
            current["append"](line)
        except ValueError:
            spool.append_when_full(line)
    return spool


def courier_of(spool, destination, masks=None):
    cursor = Cursor(None)

    def mask(lines):
        if masks is not None:
            masks.append(lines)
        return lines

    return Courier(
        Reader(spool, cursor, limits=destination.limits, mask=mask),
        cursor,
        destination,
        policy=AT_ONCE,
        poll_s=0.01,
        stats=DestinationStats(),
        letters=None,
        alarm=lambda _level, _text: None,
    )


def drive(courier):
    """Step until nothing waits."""
    for _step in range(10 * COUNT):
        if courier.is_done():
            return
        courier.step()
    raise AssertionError("it does not come to an end")


class Looking:
    """A destination that looks ahead in each batch and does with it what a list says."""

    adopts = False
    name = "looking"

    def __init__(self, size_bytes, deeds):
        self.limits = BatchLimits(size_bytes=size_bytes)
        self.deeds = list(deeds)
        self.taken = []
        self.promised = None
        self.kept = 0

    def send(self, batch):
        deed = self.deeds.pop(0) if self.deeds else "take"
        if self.promised is not None and batch is self.promised:
            self.kept += 1
        taken = max(1, batch.count // 2) if deed == "half" else batch.count
        self.promised = batch.ahead(taken)
        if deed == "retry":
            raise RetryError("later")
        if deed == "refuse":
            raise RefusedError("never")
        found = [json.loads(line)["n"] for _index, line in batch.records()[:taken]]
        assert batch.first == found[0]
        self.taken += found
        return Receipt(taken=taken)

    def close(self):
        pass


@given(
    size_bytes=st.integers(70, 3000),
    deeds=st.lists(st.sampled_from(["take", "take", "half", "retry", "refuse"]), max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_looking_ahead_loses_and_doubles_nothing(size_bytes, deeds):
    """Whatever becomes of a batch, the next one begins where it ended."""
    destination = Looking(size_bytes, deeds)

    drive(courier_of(filled(), destination))

    refused = COUNT - len(destination.taken)
    assert destination.taken == sorted(set(destination.taken))
    assert refused <= deeds.count("refuse")


def test_what_was_promised_comes_next_and_is_read_and_masked_once():
    """Work that was done while waiting is not done again."""
    destination = Looking(1000, [])
    masks: list[bytes] = []

    drive(courier_of(filled(), destination, masks))

    assert destination.taken == list(range(COUNT))
    assert destination.kept >= 10
    assert sum(lines.count(b"\n") for lines in masks) == COUNT


def test_nothing_is_promised_that_more_lines_could_change():
    """A batch that is not full yet grows until it is sent."""
    spool = filled(3)
    reader = Reader(spool, Cursor(None), limits=BatchLimits(lines=2))

    batch = reader.next_batch()

    assert batch is not None
    assert batch.ahead(2) is None


class Gate(Receiver):
    """Answers only when a test says so."""

    def __init__(self):
        super().__init__()
        self.open = threading.Event()

    def answer(self, request):
        self.open.wait(10)
        return Reply(body=b"{}")


def test_the_wait_for_an_answer_is_used():
    """The request is on its way by then, and its answer need not be there."""
    with Gate() as gate:
        exchange = Exchange(gate.url)

        answer = exchange.send(b"{}", meanwhile=gate.open.set)
        exchange.close()

    assert answer.status == 200


def _go_wrong():
    raise ZeroDivisionError


def test_an_answer_that_nobody_read_is_not_taken_for_the_next_one():
    """What goes wrong while waiting ends the connection."""
    with Gate() as gate:
        gate.open.set()
        exchange = Exchange(gate.url)
        with pytest.raises(ZeroDivisionError):
            exchange.send(b'"first"', meanwhile=_go_wrong)
        answer = exchange.send(b'"second"')
        exchange.close()

    assert answer.status == 200
    assert {request.body for request in gate.requests} == {b'"first"', b'"second"'}


@pytest.mark.parametrize("fault", [None, "503", "throttle", "reset"])
def test_events_that_were_made_ahead_arrive_once_and_in_order(fault):
    """Through faults, too; the batch that failed comes first again."""
    spool = filled()
    with CloudWatchLogs() as double:
        destination = made(double.url, batch_bytes=4096)
        destination.limits = BatchLimits(size_bytes=1000)
        courier = courier_of(spool, destination)
        courier.step()
        if fault:
            double.fail(fault, times=2)
        drive(courier)
        destination.close()

        assert [one["n"] for one in double.records(GROUP)] == list(range(COUNT))
