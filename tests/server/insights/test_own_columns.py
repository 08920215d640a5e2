"""Attributes that slow queries read get columns of their own, and no answer changes."""

import time
from collections.abc import Iterator

import pytest

from clerestory.server.insights import Scope, run
from clerestory.server.store import promotion
from clerestory.server.store.embedded import Connection
from clerestory.server.store.promotion import READINGS, SLOW_S, Promotion, column_of
from tests.server.insights.store import BASE_MS, Filled

VALUES = (
    "plain", "", " spaced ", '"quoted"', "null", "12", 12, 1.5, -3, True, None, [1, "a"],
    {"b": "inner"}, {"b": None}, "[1]", '{"b":2}', "Äö€", "back\\slash", "it's", "{p1:String}",
)  # fmt: skip
QUERIES = (
    "fields route, route.b, route[0], latency | sort @timestamp desc",
    "stats count(*) as n, max(route), min(latency) by route | sort n desc, route",
    'filter route = "plain" | stats count(*)',
    'filter route in ["plain", "12", ""] | stats count(*) by route',
    "filter route = 12 | stats count(*)",
    'filter route like "in" | stats count(*) by latency',
    "filter ispresent(route) | stats pct(latency, 99) by bin(1m)",
    "filter not ispresent(route) | stats count(*)",
    'filter level = "ERROR" and route != "plain" | stats count_distinct(route)',
)


def promoted(filled: Filled, names: tuple[str, ...], columns_max: int = 16) -> Promotion:
    """Return a promotion that has seen enough slow queries for these names."""
    made = Promotion(filled.store, columns_max, is_full=lambda: False)
    settle(made, names)
    return made


def settle(made: Promotion, names: tuple[str, ...]) -> None:
    for _query in range(READINGS):
        made.note(names, SLOW_S)
    deadline = time.monotonic() + 30
    while due(made) and time.monotonic() < deadline:
        made.turn()
        time.sleep(0.01)


def due(made: Promotion) -> bool:
    return any(count >= READINGS for count in made._readings.values())


@pytest.fixture
def bare(filled: Filled) -> Iterator[Filled]:
    """The store, empty, and without such columns before and after."""
    filled.clear()
    yield filled
    made = Promotion(filled.store, 0, is_full=lambda: False)
    with filled.store.querying() as connection:
        for column in made.columns.values():
            connection.run(f"ALTER TABLE logs DROP COLUMN {column} SETTINGS mutations_sync = 1")


def fill(filled: Filled) -> None:
    filled.own(
        {"at": at, "level": "ERROR" if at % 3 else "INFO", "message": "m", "latency": at}
        | ({"route": VALUES[at % len(VALUES)]} if at % 7 else {})
        for at in range(60)
    )
    filled.sent([(at, f'{{"route":"sent {at % 4}","latency":{at}}}') for at in range(20)])


def answers(connection: Connection, columns: dict[str, str]) -> list[list[dict[str, str]]]:
    found = []
    for query in QUERIES:
        rows = run(
            connection,
            query,
            start_ms=BASE_MS,
            end_ms=BASE_MS + 10**6,
            scope=Scope(),
            own_columns=columns,
        ).rows
        found.append([{k: v for k, v in row.items() if k != "@ptr"} for row in rows])
    return found


@pytest.mark.parametrize("distinct", [0, 2000], ids=["few values", "many values"])
def test_queries_give_the_same_rows_with_columns_of_their_own(bare: Filled, distinct: int):
    """Of records stored before, which the engine fills in behind, and of those stored after."""
    bare.own(
        {"at": 10**7, "level": "INFO", "message": "", "route": f"r{n}"} for n in range(distinct)
    )
    fill(bare)
    connection = bare.querying()
    before = answers(connection, {})

    made = promoted(bare, ("route", "latency", "route.b"))
    after = answers(connection, dict(made.columns))
    bare.clear()
    fill(bare)
    later = answers(connection, dict(made.columns))
    connection.close()

    assert set(made.columns) == {"route", "latency", "route.b"}
    assert after == before
    assert later == before


def test_a_query_reads_the_column_and_not_the_map(bare: Filled):
    """Or all of it would be for nothing."""
    fill(bare)
    made = promoted(bare, ("route",))
    with bare.store.querying() as connection:
        plan = connection.run(
            "EXPLAIN PLAN header = 1 SELECT count() FROM logs "
            f"WHERE indexHint(attrs['route'] IN ('x')) AND {made.columns['route']} IN ('x')"
        ).decode()

    assert "attr:route" in plan
    assert "attrs" not in plan.replace("indexHint(in(arrayElement(attrs", "")


def test_a_server_that_starts_again_knows_its_columns(bare: Filled):
    """They are read from the store itself."""
    made = promoted(bare, ("route", "http.route"))

    again = Promotion(bare.store, 16, is_full=lambda: False)

    assert again.columns == made.columns == {n: column_of(n) for n in ("route", "http.route")}


def test_quick_queries_and_odd_names_make_no_columns(bare: Filled):
    """A column is worth its while only where reading the map took long."""
    made = Promotion(bare.store, 16, is_full=lambda: False)
    for _query in range(READINGS):
        made.note(["route"], SLOW_S / 2)
        made.note(["a`b", "it's", "ö", "", "x" * 101, "a b"], SLOW_S)
    made.turn()

    assert made.columns == {}


def test_a_full_disk_makes_no_columns(bare: Filled):
    """They need space."""
    made = Promotion(bare.store, 16, is_full=lambda: True)
    for _query in range(READINGS):
        made.note(["route"], SLOW_S)
    made.turn()

    assert made.columns == {}


def test_at_most_so_many_attributes_have_one_and_an_unused_one_goes_first(
    bare: Filled, monkeypatch: pytest.MonkeyPatch
):
    """A column in use is never taken away for another."""
    made = promoted(bare, ("one", "two"), columns_max=2)
    settle(made, ("three",))
    assert set(made.columns) == {"one", "two"}

    monkeypatch.setattr(promotion, "UNUSED_S", 0.0)
    made.note(["one"], 0.0)
    settle(made, ("three",))

    assert set(made.columns) == {"one", "three"}
    assert Promotion(bare.store, 2, is_full=lambda: False).columns == made.columns
