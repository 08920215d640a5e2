"""Whatever is typed is a program or a QueryError, at once: nothing else comes out of compiling."""

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clerestory.model.errors import QueryError
from clerestory.server.insights import Scope, compile_query
from clerestory.server.insights.registry import commands, functions
from tests.server.insights.queries import queries
from tests.server.insights.store import BASE_MS

TEXTS: Final = 500  # made of each example that hypothesis draws
# ten texts take as long as one of the other properties' inputs
EXAMPLES: Final = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "2000")) * 10 // TEXTS
SECONDS_MAX: Final = 0.05
CHARACTERS: Final = (
    "abz_@. \t\n\r\0\x1b09\"'`/\\|#()[]{}<>=!~+-*%^,:;?$&äß€\u2028\u00a0\ufeff\U0001f9ea\ud800"
)
WORDS: Final = (
    *(f" {one.name} " for one in commands().values()),
    *(f"{one.name}(" for one in functions().values()),
    " as ", " by ", " and ", " or ", " not ", " in ", " like ", " =~ ", " asc", " desc", " into ",
    " offset ", " with ", " for ", " true", " false", "|", " | ", "(", ")", "[", "]", ",", "*", "=",
    "!=", "<=", ">=", "<", ">", "+", "-", "/", "%", "^", "0", "1", "1.5", "1e3", "1e999", "5m",
    "99999999999999999999", "300s", "0h", "-3", '"', "'", "`", "\\", '"text"', "'*'", '"*=*"',
    "`a b`", "/a+/", "/(?<n>[0-9]+)/", "/(/", "@message", "@timestamp", "@ptr", "a", "a.b", "c.0",
    "items[0].x", "level", "# comment\n", "\n", "START=1", "END=2", "logGroups(", "namePrefix:",
    "{p1:String}", "p=1-2", "type=left", "left=a", "right=b", "where", "previousDay", "maxspan",
)  # fmt: skip
PIECES: Final[tuple[str, ...]] = (*WORDS, *CHARACTERS)
BEGINS: Final = ("", "fields ", "filter a = ", "stats ", "stats count(*) by ", "parse ", "sort ")


def _random(source: random.Random, _known: list[str]) -> str:
    return "".join(source.choices(CHARACTERS, k=source.randrange(80)))


def _soup(source: random.Random, _known: list[str]) -> str:
    return "".join([source.choice(BEGINS), *source.choices(WORDS, k=source.randrange(1, 40))])


def _mutated(source: random.Random, known: list[str]) -> str:
    text = source.choice(known)
    for _change in range(source.choice((1, 1, 1, 2, 3))):
        text = source.choice(MUTATIONS)(source, text, known)
    return text


def _slice(source: random.Random, text: str) -> tuple[int, int]:
    start = source.randrange(len(text) + 1)
    return start, min(len(text), start + source.choice((1, 1, 2, 5, 20)))


def _without(source: random.Random, text: str, _known: list[str]) -> str:
    start, end = _slice(source, text)
    return text[:start] + text[end:]


def _twice(source: random.Random, text: str, _known: list[str]) -> str:
    start, end = _slice(source, text)
    return text[:end] + text[start:end] * source.choice((1, 1, 30)) + text[end:]


def _inserted(source: random.Random, text: str, _known: list[str]) -> str:
    start, end = _slice(source, text)
    return text[:start] + source.choice(PIECES) + text[source.choice((start, end)) :]


def _spliced(source: random.Random, text: str, known: list[str]) -> str:
    other = source.choice(known)
    return text[: _slice(source, text)[0]] + other[_slice(source, other)[0] :]


def _nested(source: random.Random, text: str, _known: list[str]) -> str:
    start, end = _slice(source, text)
    depth = source.choice((1, 2, 60))
    opened, closed = source.choice((("(", ")"), ("not ", ""), ("-", ""), ("abs(", ")"), ("[", "]")))
    return text[:start] + opened * depth + text[start:end] + closed * depth + text[end:]


MUTATIONS: Final[list[Callable[[random.Random, str, list[str]], str]]] = [
    _without, _twice, _inserted, _inserted, _spliced, _nested,
]  # fmt: skip
KINDS: Final[tuple[Callable[[random.Random, list[str]], str], ...]] = (
    _random, _soup, _mutated, _mutated, _mutated,
)  # fmt: skip


def _texts(seed: int, known: list[str]) -> Iterator[str]:
    source = random.Random(seed)
    known = [*known, *(one.example for one in commands().values())]
    for number in range(TEXTS):
        yield KINDS[number % len(KINDS)](source, known)


def _compile(text: str) -> float:
    """Compile a text, check what comes out, and return how many seconds that took."""
    began = time.thread_time()
    try:
        program = compile_query(
            text,
            start_ms=BASE_MS,
            end_ms=BASE_MS + 10**9,
            now_ms=BASE_MS,
            scope=Scope(),
            sources=lambda _source: Scope(),
        )
    except QueryError as error:
        took = time.thread_time() - began
        assert 0 <= error.position <= len(text), (text, error.position)
        end = error.position + error.length
        assert end <= max(len(text), error.position + 1), (text, error.position, error.length)
        assert str(error)
        return took
    took = time.thread_time() - began
    for sql in (program.sql, program.matched_sql, program.scanned_sql):
        assert set(re.findall(r"\{(\w+):", sql)) <= program.parameters.keys(), text
    return took


@pytest.mark.timeout(120 + 10 * EXAMPLES)
@settings(
    max_examples=max(1, EXAMPLES),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(seed=st.integers(0, 2**64 - 1), known=st.lists(queries(), min_size=3, max_size=3))
def test_every_text_is_a_program_or_an_error_at_a_place_in_it(seed: int, known: list[str]):
    """An editor asks at every keystroke, and a stranger may ask anything."""
    for text in _texts(seed, known):
        took = _compile(text)
        if took > SECONDS_MAX:
            # once more: the first time may have paid for what other tests left to collect
            took = min(_compile(text) for _time in range(3))
        assert took <= SECONDS_MAX, (took, text)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_alone_and_a_thousand_of_it_are_answered_at_once(word: str):
    """Depth and length are bounded before they cost anything."""
    for count in (1, 10, 100, 1000):
        assert _compile(word * count) <= 4 * SECONDS_MAX
        assert _compile(f"fields a {word * count}") <= 4 * SECONDS_MAX
