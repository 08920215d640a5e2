"""Spans on the console."""

import io
import json
import sys

import pytest

from clerestory.destinations.console import Console, ConsoleConfig, duration_text
from tests.support.batches import TRACE, batch_of, line, span_line


@pytest.fixture
def shown(monkeypatch):
    def show(*lines, form="text"):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        Console(ConsoleConfig(format=form)).send(batch_of(*lines))
        return stream.getvalue()

    return show


def test_a_span_is_one_line_with_its_duration(shown):
    """For people: what, how long, its fields; not the machinery."""
    text = shown(span_line("checkout", order=7, parent_span_id="b" * 16, trace_state="a=1"))

    assert text.count("\n") == 1
    assert 'checkout took="1.5 ms"' in text
    assert f"trace_id={TRACE}" in text
    assert "order=7" in text
    assert "span.kind" not in text
    assert "duration_ns" not in text
    assert "trace_state" not in text


def test_an_error_says_what_went_wrong(shown):
    """Without a look into the page."""
    text = shown(
        span_line("checkout", level="ERROR", **{"span.status": "error",
                  "span.status_message": "no stock\x1b[2J"})
    )  # fmt: skip

    assert "ERROR" in text
    assert r"no stock\x1b[2J" in text
    assert "\x1b[2J" not in text


def test_pending_spans_are_not_shown(shown):
    """Their end is."""
    pending = span_line("checkout", **{"span.pending": True})

    assert shown(pending, line("log")).count("\n") == 1
    assert shown(pending, form="json") == ""
    said = line("log", said='"span.pending":true')
    assert json.loads(shown(said, form="json"))["message"] == "log"


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1500, "1.5 us"),
        (12_345_678, "12.3 ms"),
        (59_900_000_000, "59.9 s"),
        (4_000_000_000_000, "4000 s"),
    ],
)
def test_durations_are_short(ns, text):
    """Three digits are what a person reads."""
    assert duration_text(ns) == text
