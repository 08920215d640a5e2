"""Between slices the program has its turn."""

import threading

import pytest

from clerestory.wire.slices import SLICE_BYTES, TURNS, slices

COUNT = 12
LINES = (b"x" * SLICE_BYTES + b"\n") * COUNT


class Patience:
    """How often somebody asked how long to rest, and what was answered."""

    def __init__(self, rest_s):
        self.asked = 0
        self.rest_s = rest_s

    def __call__(self):
        self.asked += 1
        return self.rest_s


@pytest.fixture
def patience(monkeypatch):
    found = Patience(rest_s=0.002)
    monkeypatch.setattr(TURNS, "patience", found)
    return found


def test_a_rest_is_taken_while_the_program_computes(patience, busy):
    """Each slice makes a program that computes wait, so each is followed by a rest."""
    found = [b"".join(slices(LINES)) for _ in range(5)]

    assert found == [LINES] * 5
    assert patience.asked >= 2 * COUNT


def test_nobody_rests_while_the_program_waits(patience, busy):
    """Without anybody who wants the interpreter the slices follow each other at once."""
    busy.set()
    asked = [0]
    for _ in range(5):
        assert b"".join(slices(LINES)) == LINES
        asked.append(patience.asked)

    assert asked[-1] == asked[-2]


def test_each_thread_has_its_own_patience(patience):
    """What one sender may do says nothing about another."""
    found = []

    thread = threading.Thread(target=lambda: found.append(TURNS.patience()))
    thread.start()
    thread.join()

    assert found == [0.0]
    assert patience.asked == 0
