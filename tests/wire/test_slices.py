"""Between slices the program has its turn."""

import threading

import pytest

from clerestory.wire.slices import SLICE_BYTES, TURNS, slices
from tests.contracts.case import wait_until

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


def asked_by_a_walk(patience):
    """Walk over all slices; return how often somebody asked meanwhile."""
    before = patience.asked
    assert b"".join(slices(LINES)) == LINES
    return patience.asked - before


def test_a_rest_is_taken_while_the_program_computes(patience, busy):
    """Each slice makes a program that computes wait, so each is followed by a rest."""
    wait_until(lambda: asked_by_a_walk(patience) >= COUNT // 2)


def test_nobody_rests_while_the_program_waits(patience, busy):
    """Without anybody who wants the interpreter the slices follow each other at once."""
    busy.set()
    wait_until(lambda: asked_by_a_walk(patience) == 0)


def test_each_thread_has_its_own_patience(patience):
    """What one sender may do says nothing about another."""
    found = []

    thread = threading.Thread(target=lambda: found.append(TURNS.patience()))
    thread.start()
    thread.join()

    assert found == [0.0]
    assert patience.asked == 0
