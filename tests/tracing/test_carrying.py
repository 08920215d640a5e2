"""Work that a program starts anywhere belongs to the request and trace that started it."""

import contextvars
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clerestory import context, get_logger, request_context, span
from clerestory.context import carrying
from clerestory.testing import capture
from clerestory.tracing import pending

PROGRAM = Path(__file__).with_name("carried.py")
WAYS = [
    *("thread", "timer", "thread subclass", "pool imap", "pool map", "pool apply"),
    *("executor", "executor map", "task", "to_thread", "run_in_executor"),
    *("fork process", "fork executor", "fork pool"),
    *("spawn process", "spawn executor", "spawn pool"),
    *("forkserver process", "forkserver executor", "forkserver pool"),
    *("process subclass", "os.fork"),
]
OUTSIDE = ["later executor", "later process executor"]


def run(folder, **environment):
    """Run the program; return its outer span and its records by message."""
    file = folder / "out.jsonl"
    destination = {"type": "file", "path": str(file), "kinds": ["log", "span"]}
    (folder / "clerestory.yaml").write_text(json.dumps({"destinations": [destination]}))
    done = subprocess.run(
        [sys.executable, PROGRAM],
        cwd=folder,
        env={
            **os.environ,
            "CLERESTORY_SPOOL_DIRECTORY": str(folder / "spool"),
            "PYTHONPATH": os.pathsep.join(sys.path),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    records = {}
    for line in file.read_text().splitlines():
        record = json.loads(line)
        records[record["message"]] = record
    return json.loads(done.stdout.splitlines()[-1]), records


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return run(tmp_path_factory.mktemp("carried"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("whose", ["log", "plain"])
def test_a_log_record_carries_trace_and_fields(ran, whose, way):
    """However the work was started, through our logger or the standard library's."""
    outer, records = ran
    record = records[f"{whose} in {way}"]

    assert (record["trace_id"], record["user"]) == (outer["trace_id"], "u1")


@pytest.mark.parametrize("way", WAYS)
def test_a_span_is_a_child_of_the_one_that_started_the_work(ran, way):
    """However the work was started, and with an id of its own."""
    outer, records = ran
    record = records[f"span in {way}"]

    assert (record["trace_id"], record["parent_span_id"]) == (outer["trace_id"], outer["span_id"])
    assert record["user"] == "u1"


def test_no_two_spans_have_the_same_id(ran):
    """A forked child must not repeat the ids of its parent."""
    _, records = ran
    ids = [one["span_id"] for name, one in records.items() if name.startswith("span in")]

    assert len(set(ids)) == len(WAYS) + len(OUTSIDE)


@pytest.mark.parametrize("way", OUTSIDE)
def test_a_pool_does_not_remember_the_block_that_started_it(ran, way):
    """Its workers outlive the request that happened to come first."""
    outer, records = ran

    assert "trace_id" not in records[f"log in {way}"]
    assert "parent_span_id" not in records[f"span in {way}"]
    assert records[f"span in {way}"]["trace_id"] != outer["trace_id"]


@pytest.fixture
def not_carried():
    carrying.allow(enabled=False)
    yield
    carrying.allow(enabled=True)


def test_the_setting_leaves_threads_alone(not_carried):
    """For programs whose threads outlive what started them."""
    log = get_logger("carried")
    with capture() as caught, request_context(user="u1"), span("outer"):
        thread = threading.Thread(target=log.info, args=("in thread",))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(log.info, "in pool").result()

    found = {one["message"]: one for one in caught.records}
    assert "user" not in found["in thread"]
    assert "trace_id" not in found["in pool"]


def test_our_own_threads_carry_nothing():
    """They serve every request, not the one whose record was the first."""
    seen = []
    with request_context(user="u1"):
        thread = threading.Thread(target=lambda: seen.append(context.get()), name="clerestory-test")
        thread.start()
        thread.join()

    assert seen == [{}]


def test_a_thread_is_freed_when_it_ends():
    """What is carried does not keep the thread alive."""
    import gc
    import weakref

    gc.disable()
    try:
        with request_context(user="u1"):
            thread = threading.Thread(target=time.time)
            thread.start()
            thread.join()
        reference = weakref.ref(thread)
        del thread
        assert reference() is None
    finally:
        gc.enable()


def test_a_thread_that_cannot_start_says_so_as_before():
    """The wrapper is not seen."""
    with request_context(user="u1"):
        thread = threading.Thread(target=time.time)
        thread.start()
        with pytest.raises(RuntimeError, match="once"):
            thread.start()
        thread.join()


def test_a_value_that_cannot_travel_keeps_no_process_from_starting():
    """What is carried is a help, not a condition."""
    fields = context.Fields({"lock": threading.Lock(), "user": "u1"})
    fields.span, fields.foreign, fields.collides = None, object(), False

    found = pickle.loads(pickle.dumps(fields))

    assert found == {"user": "u1"}
    assert (found.span, found.foreign) == (None, None)


def _enter_blocks(count):
    for _ in range(count):
        span("entered").__enter__()


def test_blocks_that_are_never_left_do_not_fill_the_memory():
    """A bound, though somebody forgets to leave them."""
    with capture():
        contextvars.Context().run(_enter_blocks, 10_050)
        pending.tell_pending()
        bound = len(pending.OPEN)
        pending.OPEN.clear()

    assert bound <= 10_000
