"""The cheat sheet as it is published: every query of it runs and gives rows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from clerestory.server.insights import Scope, Source, run
from clerestory.server.insights.registry import commands, functions
from clerestory.server.store.embedded import Connection
from tests.server.insights.store import BASE_MS, Filled

SHEET: Final = Path(__file__).parents[3] / "docs/how-to/insights-cheat-sheet.md"
TEXT: Final = SHEET.read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"```text\n(.*?)\n```", TEXT, re.DOTALL)
CELLS: Final = [
    cell.replace("\\|", "|")
    for cell in re.findall(r"^\| `.*\| `((?:fields|stats) .*)` \|$", TEXT, re.MULTILINE)
]

TRACE: Final = "4efaaf4d1e874efaaf4d1e874efaaf4d"
WEB: Final[list[dict[str, Any]]] = [
    {
        "level": "ERROR",
        "message": "timeout: no answer in time",
        "trace_id": TRACE,
        "method": "GET",
        "path": "/api/orders/12",
        "status": 503,
        "errorCode": "E5",
        "error_code": "E5",
        "user_id": "u1",
        "latency": 1250.5,
        "duration": 1250.5,
        "bytes": 120,
        "a": 3,
        "b": 4,
        "id": "77",
        "price": "9.99",
        "group": "smoke_test",
        "start": BASE_MS,
        "day": "2023-11-14",
        "items": [{"name": "pen"}, {"name": "ink"}],
        "roles": ["admin"],
        "srcAddr": "10.1.2.3",
        "name": "ann",
        "host": "h1",
        "requests_total": 10,
        "requestId": "r1",
    },
    {
        "level": "INFO",
        "message": "done",
        "method": "POST",
        "path": "/app.js",
        "status": 200,
        "user_id": "u2",
        "latency": 20,
        "duration": 20,
        "bytes": 900,
        "a": 1,
        "b": 2,
        "host": "h2",
        "name": "bob",
        "requests_total": 30,
        "requestId": "r2",
    },
]
PLAIN: Final = ["user=ann, time:12", "user=bob, time:7"]


@pytest.fixture(scope="module")
def connection(filled: Filled) -> Iterator[Connection]:
    """The groups that the sheet speaks of."""
    filled.clear()
    filled.sent([(n * 1000, json.dumps(one)) for n, one in enumerate(WEB)], group="/app/web")
    filled.sent([(n * 1000, text) for n, text in enumerate(PLAIN)], group="/app/text")
    answer = json.dumps({"requestId": "r1", "duration": 800})
    filled.sent([(0, answer)], group="/aws/lambda/fn")
    found = filled.querying()
    yield found
    found.close()


def _scope(*groups: str) -> Scope:
    parameters: dict[str, str | int | float] = {f"g{n}": one for n, one in enumerate(groups)}
    names = ", ".join(f"{{{name}:String}}" for name in parameters)
    return Scope(condition=f"log_group IN ({names})", parameters=parameters)


def _sources(source: Source) -> Scope:
    return _scope(*source.names)


def _rows(connection: Connection, query: str) -> list[dict[str, str]]:
    return run(
        connection,
        query,
        start_ms=BASE_MS,
        end_ms=BASE_MS + 299_999,
        scope=_scope("/app/web", "/app/text"),
        sources=_sources,
    ).rows


@pytest.mark.parametrize("query", BLOCKS)
def test_every_query_of_the_sheet_gives_rows(connection: Connection, query: str):
    """Who copies one from a sheet learns the language from it."""
    assert _rows(connection, query)


@pytest.mark.parametrize("query", CELLS)
def test_every_function_of_the_sheet_gives_a_value(connection: Connection, query: str):
    """A row whose column is missing would say nothing."""
    rows = _rows(connection, query)

    assert any("x" in row for row in rows)


def test_the_sheet_has_every_command_and_every_function():
    """What is not on it is not found."""
    words = {query.split()[0] for query in BLOCKS} | set(re.findall(r"\| (\w+)", " ".join(BLOCKS)))
    called = {re.split(r"[ (]", query)[1].lower() for query in CELLS}

    assert {one.name for one in commands().values() if not one.refusal} <= words
    assert {name for name, one in functions().items() if not one.refusal} == called
