"""A sender keeps out of the way of a program that computes, for as long as that does no harm."""

import os
import time

import pytest

from clerestory.delivery.pipeline import Pipeline, PipelinePlan
from clerestory.delivery.policy import Route, RoutePolicy
from clerestory.spool.segment import Segment
from clerestory.spool.spool import SpoolLimits
from clerestory.wire.slices import TURNS
from tests.delivery.takers import Taker, line, put

AN_HOUR_NS = 3_600_000_000_000
SEGMENT_BYTES = 65_536


class Asking(Taker):
    """Asks, in the sender's thread, how long it might rest now."""

    def __init__(self):
        super().__init__()
        self.rests_s = []

    def send(self, batch):
        self.rests_s.append(TURNS.patience())
        return super().send(batch)


def planned(directory, *, poll_s=0.005, bytes_max=2**24):
    limits = SpoolLimits(segment_bytes=SEGMENT_BYTES, bytes_max=bytes_max, free_bytes_min=0)
    return PipelinePlan(directory=directory, resource={}, limits=limits, poll_s=poll_s)


def opened(directory, taker, *, bytes_max=2**24, **policy):
    plan = planned(directory, bytes_max=bytes_max)
    pipeline = Pipeline(plan, [Route(destination=taker, policy=RoutePolicy(**policy))])
    pipeline.start()
    return pipeline


def until(holds):
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it did not happen within 10 s"
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("fields", "low_s", "high_s"),
    [
        ({}, 0.05, 0.1),
        ({"timestamp": time.time_ns() - AN_HOUR_NS}, 0.0, 0.0),
    ],
    ids=["new records may wait", "old ones may not"],
)
def test_the_longer_a_record_waits_the_shorter_are_the_rests(tmp_path, fields, low_s, high_s):
    """A backlog is sent without a rest."""
    taker = Asking()
    pipeline = opened(tmp_path, taker)

    put(pipeline, line(1, **fields))
    until(lambda: taker.taken == [1])
    pipeline.close(5)

    assert low_s <= taker.rests_s[0] <= high_s


def test_an_error_is_sent_without_a_rest(tmp_path):
    """Somebody may be waiting for it."""
    taker = Asking()
    pipeline = opened(tmp_path, taker, linger_s=60.0)

    put(pipeline, line(1), line(2, level="ERROR"))
    until(lambda: taker.taken == [1, 2])
    pipeline.close(5)

    assert taker.rests_s == [0.0]


def test_a_spool_that_fills_is_emptied_without_a_rest():
    """In memory there is little room, and what does not fit is given up."""
    taker = Asking()
    pipeline = opened(None, taker, bytes_max=3 * SEGMENT_BYTES)

    put(pipeline, line(1, text="x" * (SEGMENT_BYTES - 1000)))
    until(lambda: taker.taken == [1])
    pipeline.close(5)

    assert taker.rests_s == [0.0]


def test_a_flush_is_waited_for_without_a_rest(tmp_path):
    """So is the end of the program."""
    taker = Asking()
    pipeline = opened(tmp_path, taker, linger_s=60.0)

    put(pipeline, line(1))
    assert pipeline.flush(10)
    put(pipeline, line(2))
    assert pipeline.close(10)

    assert taker.taken == [1, 2]
    assert taker.rests_s == [0.0, 0.0]


def test_a_full_segment_wakes_the_keeper(tmp_path):
    """However seldom it looks by itself, the next spare is made at once."""
    pipeline = Pipeline(planned(tmp_path, poll_s=600.0), [Route(destination=Taker())])
    folder = tmp_path / pipeline.spool.id
    pipeline.start()

    for number in range(3):
        put(pipeline, b"x" * (SEGMENT_BYTES - 10) + b"\n")
        until(lambda made=number + 2: len(list(folder.glob("*.seg"))) == made)
    pipeline.close(0.0)


def test_a_full_segment_is_forced_to_the_disk_once_more_and_then_left_alone(tmp_path, monkeypatch):
    """Until it is used again."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    segment = Segment(0, SEGMENT_BYTES, tmp_path / "one.seg")

    segment.append(b"x\n")
    segment.sync()
    segment.sync()
    segment.seal()
    segment.sync()
    segment.sync()
    assert len(synced) == 3

    segment.recycle(1, tmp_path / "two.seg")
    segment.sync()
    assert len(synced) == 4
    segment.close(unlink=True)
