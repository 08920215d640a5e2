"""A sender keeps out of the way of a program that computes, for as long as that does no harm."""

import contextlib
import mmap
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from clerestory.delivery.pipeline import Pipeline, PipelinePlan
from clerestory.delivery.policy import Route, RoutePolicy
from clerestory.delivery.stats import RoadStats
from clerestory.spool.segment import Segment
from clerestory.spool.spool import Spool, SpoolLimits
from clerestory.wire.slices import TURNS, slices
from tests.contracts.case import wait_until
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


@pytest.mark.parametrize(
    ("fields", "low_s", "high_s"),
    [
        ({}, 0.1, 0.2),
        ({"timestamp": time.time_ns() - AN_HOUR_NS}, 0.0, 0.0),
    ],
    ids=["new records may wait", "old ones may not"],
)
def test_the_longer_a_record_waits_the_shorter_are_the_rests(tmp_path, fields, low_s, high_s):
    """A backlog is sent without a rest."""
    taker = Asking()
    pipeline = opened(tmp_path, taker)

    put(pipeline, line(1, **fields))
    wait_until(lambda: taker.taken == [1])
    pipeline.close(5)

    assert low_s <= taker.rests_s[0] <= high_s


def test_an_error_is_sent_without_a_rest(tmp_path):
    """Somebody may be waiting for it."""
    taker = Asking()
    pipeline = opened(tmp_path, taker, linger_s=60.0)

    put(pipeline, line(1), line(2, level="ERROR"))
    wait_until(lambda: taker.taken == [1, 2])
    pipeline.close(5)

    assert taker.rests_s == [0.0]


def test_a_spool_that_fills_is_emptied_without_a_rest():
    """In memory there is little room, and what does not fit is given up."""
    taker = Asking()
    pipeline = opened(None, taker, bytes_max=3 * SEGMENT_BYTES)

    put(pipeline, line(1, text="x" * (SEGMENT_BYTES - 1000)))
    wait_until(lambda: taker.taken == [1])
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


class Slicing(Taker):
    """Handles a batch as destinations do, and says when it has begun to rest."""

    def __init__(self):
        super().__init__()
        self.rests = threading.Event()

    def send(self, batch):
        waits = TURNS.wait

        def wait(seconds):
            self.rests.set()
            return waits(seconds)

        TURNS.wait = wait
        for _ in slices(batch.lines):
            pass
        TURNS.wait = waits
        return super().send(batch)


@pytest.mark.parametrize("ends", [False, True])
def test_a_rest_ends_when_somebody_waits(tmp_path, monkeypatch, ends):
    """It was begun when nobody did, by a sender that finds the interpreter wanted each time."""
    monkeypatch.setattr("clerestory.delivery.courier._REST_S_MAX", 60.0)
    monkeypatch.setattr("clerestory.wire.slices._WANTED_S", float("-inf"))
    taker = Slicing()
    pipeline = opened(tmp_path, taker)

    put(pipeline, *(line(n, text="x" * 1000) for n in range(600)))
    assert taker.rests.wait(20)
    assert pipeline.close(20) if ends else pipeline.flush(20)
    pipeline.close(20)

    assert taker.taken == list(range(600))


def test_a_full_segment_wakes_the_keeper(tmp_path):
    """However seldom it looks by itself, the next spare is made at once."""
    pipeline = Pipeline(planned(tmp_path, poll_s=600.0), [Route(destination=Taker())])
    folder = tmp_path / pipeline.spool.id
    pipeline.start()

    for number in range(3):
        put(pipeline, b"x" * (SEGMENT_BYTES - 10) + b"\n")
        wait_until(lambda made=number + 2: len(list(folder.glob("*.seg"))) == made)
    pipeline.close(0.0)


@pytest.fixture
def written(monkeypatch):
    """What was written through to the disk: offset and bytes."""
    found: list[tuple[int, bytes]] = []
    write = os.pwritev

    def note(file, parts, offset, flags=0):
        if flags == os.RWF_DSYNC:
            found.append((offset, b"".join(parts)))
        return write(file, parts, offset, flags)

    monkeypatch.setattr(os, "pwritev", note)
    return found


def test_lines_are_forced_to_the_disk_once(tmp_path, written):
    """No zeros with them, and nothing where nothing is new."""
    segment = Segment(0, SEGMENT_BYTES, tmp_path / "one.seg")

    segment.append(b"one\n")
    segment.sync()
    segment.sync()
    segment.append(b"two\n")
    segment.sync()
    segment.recycle(1, tmp_path / "two.seg")
    segment.append(b"three\n")
    segment.sync()

    assert written == [(0, b"one\n"), (4, b"two\n"), (0, b"three\n")]
    assert segment.read(0, segment.end()) == b"three\n"
    segment.close(unlink=True)


def resident_bytes(path):
    """Return how much of a mapped file is in this process's memory."""
    maps = Path("/proc/self/smaps").read_text()
    return 1024 * int(maps.partition(f" {path}\n")[2].partition("\nRss:")[2].split()[0])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_pages_that_were_forced_out_are_given_back(tmp_path):
    """The kernel would interrupt the program for each that it still has; what they hold stays."""
    path = tmp_path / "one.seg"
    segment = Segment(0, SEGMENT_BYTES, path)
    lines = b"".join(b"%019d\n" % number for number in range(2000))

    segment.append(lines)
    before = resident_bytes(path)
    segment.sync()
    after = resident_bytes(path)
    segment.append(b"more\n")
    segment.sync()

    assert before >= len(lines)
    assert after <= 2 * mmap.PAGESIZE
    assert segment.read(0, segment.end()) == lines + b"more\n"
    segment.close(unlink=True)


def can_populate():
    """Say whether the kernel brings pages in: Linux since 5.14."""
    with contextlib.suppress(OSError):
        mmap.mmap(-1, mmap.PAGESIZE).madvise(23)
        return sys.platform == "linux"
    return False


@pytest.mark.skipif(not can_populate(), reason="the kernel cannot do that")
def test_the_segment_in_use_is_brought_in_while_lines_are_appended(tmp_path):
    """Of a program that logs more than a little: the others need not pay for it."""
    limits = SpoolLimits(segment_bytes=2**22, bytes_max=2**24, free_bytes_min=0)
    spool = Spool(tmp_path, resource={}, limits=limits, stats=RoadStats(), on_roll=lambda _: None)
    (segment,) = spool.segments.values()
    stopping = threading.Event()
    appended: list[bytes] = []

    def append():
        while not stopping.is_set():
            appended.append(b"%019d\n" % len(appended))
            spool.append_when_full(appended[-1])

    spool.maintain()
    was_present = segment.is_present
    thread = threading.Thread(target=append)
    thread.start()
    wait_until(lambda: segment.end() >= 2**17)
    spool.maintain()
    stopping.set()
    thread.join()

    assert not was_present
    assert segment.is_present
    assert resident_bytes(segment.path) == 2**22
    found = b"".join(one.read(0, one.end()) for one in spool.segments.values())
    assert found == b"".join(appended)
    spool.close()


def refuse(*_arguments):
    raise OSError(95, "Operation not supported")


@pytest.mark.parametrize("has_flag", [False, True])
def test_where_a_part_cannot_be_forced_out_the_file_is(tmp_path, monkeypatch, has_flag):
    """An older system, or a file system that does not know how."""
    synced: list[int] = []
    segment = Segment(0, SEGMENT_BYTES, tmp_path / "one.seg")
    monkeypatch.setattr(os, "fdatasync", synced.append)
    if has_flag:
        monkeypatch.setattr(os, "pwritev", refuse)
    else:
        monkeypatch.delattr(os, "RWF_DSYNC")

    segment.append(b"one\n")
    segment.sync()
    segment.sync()

    assert len(synced) == 1
    segment.close(unlink=True)


def test_a_full_segment_is_forced_out_whole(tmp_path, monkeypatch, written):
    """Once: by then its memory is given back, and to read it again would be for nothing."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    segment = Segment(0, SEGMENT_BYTES, tmp_path / "one.seg")

    segment.append(b"one\n")
    segment.seal()
    segment.sync()
    segment.sync()

    assert (len(synced), written) == (1, [])
    segment.close(unlink=True)


def test_what_a_disk_refused_is_tried_again(tmp_path, monkeypatch, written):
    """The line stays in the cache of the system meanwhile."""
    segment = Segment(0, SEGMENT_BYTES, tmp_path / "one.seg")
    segment.append(b"one\n")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwritev", refuse)
        broken.setattr(os, "fdatasync", refuse)
        with pytest.raises(OSError, match="not supported"):
            segment.sync()
    segment.sync()

    assert written == [(0, b"one\n")]
    segment.close(unlink=True)


def test_a_spare_is_brought_in_once_it_will_be_wanted(tmp_path):
    """Its pages are there then; before, most programs would have them written for nothing."""
    pipeline = opened(tmp_path, Taker())
    spare = pipeline.spool.spare
    assert spare is not None

    put(pipeline, b"x" * (SEGMENT_BYTES // 8) + b"\n")
    pipeline.spool.maintain()
    early = spare.is_present
    put(pipeline, b"x" * (SEGMENT_BYTES // 4) + b"\n")
    wait_until(lambda: spare.is_present)
    pipeline.close(0.0)

    assert not early
