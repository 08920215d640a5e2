"""Spans that run for long are told while they run."""

import json
import os
import subprocess
import sys

import pytest

from clerestory import span
from clerestory.testing import capture
from clerestory.tracing import pending
from clerestory.tracing.rules import SpanRules, put_in_force, span_rules
from tests.contracts.case import wait_until

PENDING_S = 0.2


@pytest.fixture(autouse=True)
def at_once():
    before = span_rules()
    put_in_force(SpanRules(pending_s=PENDING_S))
    pending._next_look[0] = 0.0
    yield
    put_in_force(before)
    pending._next_look[0] = 0.0


def grow_old(one):
    wait_until(lambda: one.running_ns() > PENDING_S * 1e9)


def tell():
    pending._next_look[0] = 0.0
    pending.tell_pending()


def test_an_old_span_is_told_once_and_again_when_it_ends():
    """The same ids: who stores it replaces the first by the second."""
    with capture() as caught:
        with span("slow", order=7) as one:
            tell()
            assert caught.records == []
            grow_old(one)
            one.set_attribute("step", 2)
            tell()
            tell()
        tell()

    first, second = caught.records
    assert (first["span.pending"], first["order"], first["step"]) == (True, 7, 2)
    assert "duration_ns" not in first
    assert "span.pending" not in second
    assert second["duration_ns"] > PENDING_S * 1e9
    for key in ("timestamp", "trace_id", "span_id", "message"):
        assert first[key] == second[key]


def test_nothing_is_told_when_it_is_switched_off():
    """`trace.pending_after: 0`."""
    put_in_force(SpanRules(pending_s=0.0))
    with capture() as caught, span("slow") as one:
        grow_old(one)
        tell()
        assert caught.records == []


def test_a_killed_program_leaves_the_spans_that_it_was_in(tmp_path):
    """The one that hung is the one that is wanted."""
    program = (
        "import clerestory, os, time\n"
        "clerestory.configure()\n"
        "with clerestory.span('hangs', order=7):\n"
        "    while True: time.sleep(0.05)\n"
    )
    file = tmp_path / "out.jsonl"
    destination = {"type": "file", "path": str(file), "kinds": "span"}
    settings = {"destinations": [destination], "trace": {"pending_after": 0.1}}
    (tmp_path / "clerestory.yaml").write_text(json.dumps(settings))
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={
            **os.environ,
            "CLERESTORY_SPOOL_DIRECTORY": str(tmp_path / "spool"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    try:
        wait_until(lambda: file.exists() and file.read_text() != "")
    finally:
        child.kill()
        child.wait()

    record = json.loads(file.read_text())
    assert (record["message"], record["span.pending"], record["order"]) == ("hangs", True, 7)
