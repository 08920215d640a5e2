"""Segments, cursors, batches: what the spool promises, without threads or networks."""

import json
import os
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clerestory.delivery.adoption import Adopter
from clerestory.delivery.pipeline import Pipeline, PipelinePlan
from clerestory.delivery.policy import Route, RoutePolicy
from clerestory.delivery.port import BatchLimits
from clerestory.delivery.reader import Reader
from clerestory.delivery.retry import RetryPolicy
from clerestory.delivery.stats import RoadStats
from clerestory.model.errors import RefusedError, RetryError
from clerestory.spool.cursor import Cursor, Place
from clerestory.spool.letters import DeadLetters
from clerestory.spool.segment import ForeignSegment, Segment
from clerestory.spool.spool import Spool, SpoolLimits


def line(number, size=60):
    head = b'{"timestamp":1795314823428724290,"n":%d,"pad":"' % number
    return head + b"x" * max(0, size - len(head) - 3) + b'"}\n'


def numbers(lines):
    return [json.loads(one)["n"] for one in lines.splitlines()]


class Collector:
    """A destination that keeps what it is sent, and fails as told."""

    adopts = True
    limits = BatchLimits()

    def __init__(self, name="collector"):
        self.name = name
        self.batches = []
        self.failures = []
        self.poison = None

    @property
    def numbers(self):
        return [n for batch in self.batches for n in numbers(batch.lines)]

    def send(self, batch):
        if self.failures:
            raise self.failures.pop(0)
        if self.poison is not None and self.poison in numbers(batch.lines):
            raise RefusedError("poison")
        self.batches.append(batch)

    def close(self):
        pass


def make_spool(directory, *, segment_bytes=4096, bytes_max=64 * 4096, free_bytes_min=0):
    current: dict[str, Any] = {}
    stats = RoadStats()
    spool = Spool(
        directory,
        resource={"service.name": "test"},
        limits=SpoolLimits(
            segment_bytes=segment_bytes, bytes_max=bytes_max, free_bytes_min=free_bytes_min
        ),
        stats=stats,
        on_roll=lambda append: current.update(append=append),
    )

    def put(one):
        try:
            current["append"](one)
        except ValueError:
            spool.append_when_full(one)

    return spool, put, stats


def read_all(source, cursor, batch_bytes=1000):
    reader = Reader(source, cursor, limits=BatchLimits(size_bytes=batch_bytes))
    found = []
    while (batch := reader.next_batch()) is not None:
        found.append(batch)
        cursor.advance(reader.place_after(batch.count))
    return found


@pytest.mark.parametrize("in_memory", [False, True])
def test_lines_come_back_in_order_with_their_numbers(tmp_path, in_memory):
    """Across many segments and batches nothing is lost, doubled or renumbered."""
    spool, put, _ = make_spool(None if in_memory else tmp_path)
    cursor = spool.open_cursor("c")

    for number in range(500):
        put(line(number))
    batches = read_all(spool, cursor)

    assert [n for batch in batches for n in numbers(batch.lines)] == list(range(500))
    assert [batch.first for batch in batches] == [numbers(batch.lines)[0] for batch in batches]
    assert len(spool.segments) > 3


def test_delivered_segments_are_used_again(tmp_path):
    """With a destination that keeps up the spool needs no new disk space."""
    spool, put, _ = make_spool(tmp_path)
    cursor = spool.open_cursor("c")
    seen = []

    for number in range(2000):
        put(line(number))
        if number % 20 == 0:
            seen += [n for batch in read_all(spool, cursor) for n in numbers(batch.lines)]
            spool.maintain()
    assert spool.records == 2000
    seen += [n for batch in read_all(spool, cursor) for n in numbers(batch.lines)]

    assert seen == list(range(2000))
    assert spool.records == 2000
    assert len(list(spool.path.glob("*.seg"))) <= 3


def test_the_bound_gives_up_the_oldest_and_says_so(tmp_path):
    """Beyond its bound the spool drops whole segments, counts them, and makes a gap record."""
    spool, put, stats = make_spool(tmp_path, bytes_max=4 * 4096)
    cursor = spool.open_cursor("c")

    for number in range(1000):
        put(line(number))
        spool.maintain()
    records = [json.loads(one) for b in read_all(spool, cursor) for one in b.lines.splitlines()]

    kept = [record["n"] for record in records if "n" in record]
    gaps = [record for record in records if record.get("kind") == "gap"]
    assert kept == sorted(kept)
    assert kept[-1] == 999
    assert stats.dropped["spool_bound"] + len(kept) + len(gaps) >= 1000
    assert gaps
    assert len(list(spool.path.glob("*.seg"))) <= 5


def test_numbers_go_on_behind_what_was_given_up(tmp_path):
    """A record is never given the number of one that was dropped: it might have been stored."""
    spool, put, _ = make_spool(tmp_path, bytes_max=4 * 4096)
    cursor = spool.open_cursor("c")

    for number in range(1000):
        put(line(number))
        spool.maintain()
    batches = read_all(spool, cursor)

    for batch in batches:
        if "gap" not in batch.lines.decode():
            assert batch.first >= numbers(batch.lines)[0]
    firsts = [batch.first for batch in batches]
    assert firsts == sorted(set(firsts))


@given(cuts=st.lists(st.integers(61, 5000), min_size=2, max_size=2))
@settings(max_examples=30, deadline=None)
def test_numbers_do_not_depend_on_how_batches_are_cut(cuts):
    """An adopter with another batch size gives every line the number the owner gave it."""
    spool, put, _ = make_spool(None)
    for number in range(200):
        put(line(number))

    numbered = []
    for batch_bytes in cuts:
        cursor = Cursor(None)
        batches = read_all(spool, cursor, batch_bytes)
        numbered.append(
            {batch.first + i: n for batch in batches for i, n in enumerate(numbers(batch.lines))}
        )

    assert numbered[0] == numbered[1] == {i: i for i in range(200)}


@given(keep=st.integers(0, 8192), data=st.data())
@settings(max_examples=50, deadline=None)
def test_row_18_a_torn_tail_costs_the_torn_line_alone(tmp_path_factory, keep, data):
    """Cut anywhere, a segment gives every line that is whole in front of the cut."""
    path = tmp_path_factory.mktemp("torn") / "00000000000000000000.seg"
    segment = Segment(0, 8192, path)
    lines = [line(n, data.draw(st.integers(60, 200))) for n in range(40)]
    for one in lines:
        segment.append(one)
    os.truncate(path, keep)

    found = ForeignSegment(path)

    whole = b"".join(lines)[:keep]
    assert found.read(0, found.end()) == whole[: whole.rfind(b"\n") + 1]


def test_a_torn_cursor_leaves_the_older_place(tmp_path):
    """A slot with a wrong checksum does not count."""
    path = tmp_path / "cursor.x"
    cursor = Cursor(path)
    cursor.advance(Place(0, 10, 1))
    cursor.advance(Place(1, 20, 2))
    cursor.close()
    content = bytearray(path.read_bytes())
    newest = 28 if content[:8] == b"\0" * 8 else 0

    content[newest + 3] ^= 1
    path.write_bytes(content)

    assert Cursor(path).place == Place(0, 10, 1)


def test_a_cursor_never_moves_back(tmp_path):
    """An older place changes nothing, and the newest survives closing."""
    cursor = Cursor(tmp_path / "c")
    cursor.advance(Place(2, 5, 9))
    cursor.advance(Place(1, 99, 3))
    cursor.close()

    assert Cursor(tmp_path / "c").place == Place(2, 5, 9)


def test_many_threads_lose_and_tear_nothing(tmp_path):
    """Fifty threads append through rolls; every line is there once and whole."""
    spool, put, stats = make_spool(tmp_path, segment_bytes=65536, bytes_max=2**30)
    cursor = spool.open_cursor("c")
    stop = threading.Event()
    keeper = threading.Thread(
        target=lambda: [spool.maintain() for _ in iter(lambda: stop.wait(0.001), True)]
    )
    keeper.start()

    def work(start):
        for number in range(start, start + 400):
            put(line(number))

    threads = [threading.Thread(target=work, args=(i * 400,)) for i in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    keeper.join()
    spool.maintain()
    found = [n for batch in read_all(spool, cursor, 65536) for n in numbers(batch.lines)]

    assert sorted(found) == list(range(20_000))
    assert not stats.dropped


FAST = RoutePolicy(retry=RetryPolicy(wait_s_first=0.01, wait_s_max=0.05))


def run_pipeline(directory, collector, count, **plan):
    pipeline = Pipeline(
        PipelinePlan(
            directory=directory,
            resource={},
            limits=SpoolLimits(segment_bytes=65536, bytes_max=2**24, free_bytes_min=0),
            poll_s=0.005,
            **plan,
        ),
        [Route(destination=collector, policy=FAST)],
    )
    pipeline.start()
    for number in range(count):
        try:
            pipeline.append(line(number))
        except ValueError:
            pipeline.append_when_full(line(number))
    return pipeline


def test_row_15_poison_is_found_and_the_rest_delivered(tmp_path):
    """One record that a destination refuses becomes a dead letter; its batch arrives."""
    collector = Collector()
    collector.poison = 77

    pipeline = run_pipeline(tmp_path, collector, 200)
    pipeline.flush(5)
    pipeline.close(5)

    assert sorted(collector.numbers) == [n for n in range(200) if n != 77]
    [letter] = DeadLetters(tmp_path, "collector").read()
    assert letter["record"].encode() + b"\n" == line(77)
    assert letter["reason"] == "poison"
    assert letter["record_id"] == f"{pipeline.spool.id}:77"
    assert pipeline.stats.destinations["collector"].dead_lettered == 1


def test_failures_are_tried_again_until_they_pass(tmp_path):
    """Whatever a destination raises, the batch comes again, the same."""
    collector = Collector()
    collector.failures = [RetryError("busy"), OSError("net"), ValueError("bug"), RetryError("x")]

    pipeline = run_pipeline(tmp_path, collector, 100)
    flushed = pipeline.flush(10)
    pipeline.close(5)

    assert flushed
    assert collector.numbers == list(range(100))
    assert pipeline.stats.destinations["collector"].retries == 4


def test_what_a_close_could_not_deliver_is_adopted(tmp_path):
    """A destination that is away at exit gets the rest from the next process."""
    away = Collector()
    away.failures = [RetryError("away") for _ in range(10_000)]
    pipeline = run_pipeline(tmp_path, away, 300)
    delivered = pipeline.close(0.2)

    back = Collector()
    adopted = Adopter(tmp_path, [Route(destination=back)]).run_once()

    assert not delivered
    assert adopted == 300
    assert back.numbers == list(range(300))
    assert back.batches[0].spool_id == pipeline.spool.id
    assert not (tmp_path / pipeline.spool.id).exists()


def test_a_living_spool_is_not_adopted(tmp_path):
    """The lock of a living owner keeps adopters away."""
    spool, put, _ = make_spool(tmp_path)
    spool.open_cursor("collector")
    put(line(1))
    collector = Collector()

    assert Adopter(tmp_path, [Route(destination=collector)]).run_once() == 0
    assert collector.batches == []


def test_row_08_a_full_disk_never_raises_and_acknowledging_goes_on(tmp_path, monkeypatch):
    """Without room for a new segment the delivered ones are used again."""
    spool, put, stats = make_spool(tmp_path)
    cursor = spool.open_cursor("c")

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    seen = []
    for number in range(1000):
        put(line(number))
        if number % 20 == 0:
            seen += [n for batch in read_all(spool, cursor) for n in numbers(batch.lines)]
            spool.maintain()
    spool.maintain()
    seen += [n for batch in read_all(spool, cursor) for n in numbers(batch.lines)]

    assert seen == list(range(1000))
    assert not stats.dropped
