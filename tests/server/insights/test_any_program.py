"""Whatever compiles runs: every function over every other, on values of every kind."""

import os
import random
import re
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clerestory.server.insights import Scope, compile_query, execute
from clerestory.server.insights.registry import Function, functions
from clerestory.server.store.embedded import Connection
from tests.server.insights.store import BASE_MS, Filled

QUERIES: Final = 20
EXAMPLES: Final = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "2000")) // 400
ATOMS: Final = (
    "a", "b", "c", "n", "l", "m", "t", "nope", "c.x", "l[0]", "level", "message", "@message",
    "@timestamp", "@log", "'text'", "'12'", "''", "'2023-11-14'", "3", "-2.5", "0", "1e300", "true",
)  # fmt: skip
OPERATORS: Final = (*"+-*/%^=<", "!=", ">=", "and", "or", "like", "not like")
# a field of an example, which any expression can stand for; texts and regexes stay
FIELD: Final = re.compile(r"'[^']*'|/[^/]*/|\b(?:true|false)\b|@?\b[A-Za-z_][\w.]*\b(?!\()")
SCALARS: Final = [one for one in functions().values() if not one.aggregate and not one.refusal]
AGGREGATES: Final = [one for one in functions().values() if one.aggregate and not one.refusal]
RECORDS: Final = [
    {"a": 1, "b": "x", "c": {"x": 1.5}, "n": -3, "l": ["p", 2], "m": '{"k": [1]}', "t": True},
    {"at": 1, "a": "12", "b": "", "c": "10.0.0.1", "n": 2.5e30, "l": [], "m": "[1,2]", "t": None},
    {"at": 61_000, "level": "ERROR", "message": "a=1 b=2", "b": "\u00e4\U0001f9ea", "n": 2**53 + 1},
]


def _called(source: random.Random, function: Function, depth: int) -> str:
    """Return the call of a function's example with other expressions for its fields."""
    head, _, rest = function.example.partition("(")

    def other(found: "re.Match[str]") -> str:
        is_field = found[0][0] not in "'/" and found[0] not in ("true", "false")
        return _expression(source, depth - 1) if is_field else found[0]

    return f"{head}({FIELD.sub(other, rest)}"


def _expression(source: random.Random, depth: int) -> str:
    form = source.random()
    if depth <= 0 or form < 0.3:
        return source.choice(ATOMS)
    if form < 0.45:
        sides = [_expression(source, depth - 1) for _side in range(2)]
        return f"({sides[0]} {source.choice(OPERATORS)} {sides[1]})"
    if form < 0.5:
        return f"({source.choice(('not ', '-'))}{_expression(source, depth - 1)})"
    return _called(source, source.choice(SCALARS), depth)


def _query(source: random.Random) -> str:
    first, second = _expression(source, 3), _expression(source, 2)
    aggregate = _called(source, source.choice(AGGREGATES), 2)
    return source.choice(
        (
            f"fields {first} as x | display x",
            f"filter {first} | display a",
            f"sort {first} desc, {second} | display a",
            f"stats {aggregate} as y, max({second}) as z by {first} as k | sort y, k",
            f"fields {first} as x, x = {second} as y | filter y or x | stats count(*) by x",
            f"fields {first} as x | dedup x",
            f"fields {first} as x | unnest x into y | display y",
        )
    )


@pytest.fixture(scope="module")
def connection(filled: Filled) -> Iterator[Connection]:
    """Records of both kinds."""
    filled.clear()
    filled.own(RECORDS)
    filled.sent([(0, '{"a": 7, "l": [1]}'), (5, "plain text")])
    found = filled.querying()
    # machine code is made for expressions that come back; these do not
    for setting in ("compile_expressions", "compile_aggregate_expressions"):
        found.run(f"SET {setting} = 0")
    yield found
    found.close()


@pytest.mark.timeout(120 + 120 * EXAMPLES)
@settings(
    max_examples=max(1, EXAMPLES),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(seed=st.integers(0, 2**64 - 1))
def test_every_query_that_compiles_runs(connection: Connection, seed: int):
    """A query that only the engine refuses would fail after it was taken."""
    source = random.Random(seed)
    for _number in range(QUERIES):
        text = _query(source)
        program = compile_query(
            text, start_ms=BASE_MS, end_ms=BASE_MS + 10**6, now_ms=BASE_MS, scope=Scope()
        )
        try:
            execute(connection, program)
        except Exception as error:
            error.add_note(text)
            raise
