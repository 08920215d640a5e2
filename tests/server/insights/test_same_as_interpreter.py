"""The SQL road and the plain interpreter give the same rows for random data and queries."""

import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clerestory.server.insights.columns import Scope
from clerestory.server.insights.program import compile_query
from clerestory.server.insights.run import execute
from clerestory.server.store.embedded import Connection
from tests.server.insights.interpreter import Interpreter
from tests.server.insights.meaning import own_event, sent_event
from tests.server.insights.queries import datasets, queries
from tests.server.insights.store import BASE_MS, Filled
from tests.server.insights.test_own_columns import promoted

QUERIES = 40
EXAMPLES = int(os.environ.get("CLERESTORY_FUZZ_EXAMPLES", "2000")) // QUERIES


def _same(left: str | None, right: str | None) -> bool:
    if left == right:
        return True
    try:
        return math.isclose(float(left or ""), float(right or ""), rel_tol=1e-9, abs_tol=1e-9)
    except ValueError:
        return False


def _alike(left: list[dict[str, str]], right: list[dict[str, str]]) -> bool:
    return len(left) == len(right) and all(
        a.keys() == b.keys() and all(_same(a[name], b[name]) for name in a)
        for a, b in zip(left, right, strict=True)
    )


def _load(filled: Filled, data: tuple[list[Any], list[Any]]) -> Interpreter:
    records, events = data
    filled.clear()
    spool = filled.own(records)
    found = [
        (own_event(record, BASE_MS, "shop"), (BASE_MS + record["at"], spool, number))
        for number, record in enumerate(records, 1)
    ]
    if events:
        spool = filled.sent(events)
        found += [
            (sent_event(at, text, BASE_MS), (BASE_MS + at, spool, number))
            for number, (at, text) in enumerate(events, 1)
        ]
    return Interpreter(found)


# Half of the queries read these from columns of their own.
OWN_COLUMNS = ("a", "n", "a.b", "level")

# Machine code is made for expressions that come back; these do not. The second connection plans
# plainly as well: rows must not depend on the engine's optimizer.
SETTINGS = (
    ("compile_expressions = 0", "compile_aggregate_expressions = 0"),
    (
        "compile_expressions = 0",
        "compile_aggregate_expressions = 0",
        "query_plan_enable_optimizations = 0",
        "max_threads = 1",
    ),
)


@pytest.fixture(scope="module")
def connections(filled: Filled) -> Iterator[list[Connection]]:
    """One connection a core: the engine plans each query with one thread."""
    found = [filled.querying() for _thread in SETTINGS]
    for connection, settings_of_it in zip(found, SETTINGS, strict=True):
        for setting in settings_of_it:
            connection.run(f"SET {setting}")
    yield found
    for connection in found:
        connection.close()


@pytest.fixture(scope="module")
def own_columns(filled: Filled) -> list[Mapping[str, str]]:
    """The columns that each connection's queries may read."""
    return [{}, promoted(filled, OWN_COLUMNS).columns]


def _check(
    connection: Connection,
    columns: Mapping[str, str],
    interpreter: Interpreter,
    texts: list[str],
) -> None:
    for text in texts:
        program = compile_query(
            text,
            start_ms=BASE_MS,
            end_ms=BASE_MS + 10**9,
            now_ms=BASE_MS,
            scope=Scope(),
            own_columns=columns,
        )
        rows = execute(connection, program, statistics=False).rows
        for row in rows:
            row.pop("@ptr", None)
        expected = interpreter.run(text)
        assert _alike(rows, expected), f"{text}\n got {rows}\nwant {expected}\n{program.sql}"


@pytest.mark.timeout(120 + 4 * EXAMPLES)
@settings(
    max_examples=max(1, EXAMPLES),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(data=datasets, texts=st.lists(queries(), min_size=QUERIES, max_size=QUERIES))
def test_every_query_gives_the_rows_that_the_interpreter_gives(
    filled: Filled,
    connections: list[Connection],
    own_columns: list[Mapping[str, str]],
    data: tuple[list[Any], list[Any]],
    texts: list[str],
):
    """Two roads written apart agree, so neither has a mistake of its own."""
    interpreter = _load(filled, data)

    with ThreadPoolExecutor(len(connections)) as threads:
        parts = [texts[index :: len(connections)] for index in range(len(connections))]
        interpreters = [interpreter] * len(parts)
        list(threads.map(_check, connections, own_columns, interpreters, parts))
