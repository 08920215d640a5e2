"""Every command of the documentation: what it does, by hand, or the error that names it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from clerestory.model.errors import QueryError
from clerestory.server.insights import Scope, Source, compile_query, run
from clerestory.server.insights.vocabulary import COMMANDS
from clerestory.server.store.embedded import Connection
from tests.server.insights.store import BASE_MS, Filled

RECORDS = [
    {"at": 0, "n": 1, "who": "ann", "message": "took 5 ms", "tags": ["x", "y"], "host": "h1"},
    {"at": 1000, "n": 2, "who": "bob", "message": "took 7 ms", "tags": []},
    {"at": 70_000, "n": 4, "who": "ann", "message": "slept", "level": "ERROR"},
    {"at": 200_000, "n": 8, "message": "took 9 ms", "list": '["p", "q"]'},
]
EVENTS = [(500, 'level=warn msg="two words" n=16'), (600, 'a,"b ""c"", d",e')]


@pytest.fixture(scope="module")
def connection(filled: Filled) -> Iterator[Connection]:
    filled.clear()
    filled.own(RECORDS)
    filled.sent(EVENTS, group="/lines")
    found = filled.querying()
    yield found
    found.close()


def sources(source: Source) -> Scope:
    """Find groups by name or prefix."""
    names = {"/lines": "log_group = {g0:String}", "/clerestory/shop": "log_group = ''"}
    found = [
        condition
        for name, condition in names.items()
        if name in source.names or any(name.startswith(prefix) for prefix in source.prefixes)
    ]
    return Scope(condition=" OR ".join(found) or "0", parameters={"g0": "/lines"})


OWN = Scope(condition="log_group = {g0:String}", parameters={"g0": ""})


def _rows(connection: Connection, query: str, scope: Scope | None = OWN) -> list[dict[str, str]]:
    result = run(
        connection,
        query,
        start_ms=BASE_MS,
        end_ms=BASE_MS + 239_999,
        scope=scope,
        sources=sources,
    )
    return [{k: v for k, v in row.items() if k != "@ptr"} for row in result.rows]


def _minute(minute: int) -> str:
    return f"2023-11-14 22:{13 + minute}:00.000"


CASES: list[tuple[str, list[dict[str, str]]]] = [
    ("fields n", [{"n": "8"}, {"n": "4"}, {"n": "2"}, {"n": "1"}]),
    (
        "fields n * 2 as d | fields who | sort n | limit 2",
        [{"d": "2", "who": "ann"}, {"d": "4", "who": "bob"}],
    ),
    ("fields n | display who | sort n desc | limit 3", [{}, {"who": "ann"}, {"who": "bob"}]),
    ("fields n as x | display x, who | display x | limit 1", [{"x": "8"}]),
    ('filter level = "ERROR" | display n', [{"n": "4"}]),
    ("where n > 2 and n < 8 | display n", [{"n": "4"}]),
    ('filterIndex who in ["bob", "eve"] | display n', [{"n": "2"}]),
    ("display n | sort n asc | limit 1", [{"n": "1"}]),
    ("display n | sort by who desc, n | limit any 2", [{"n": "2"}, {"n": "1"}]),
    ("display n | sort @timestamp | head 1", [{"n": "1"}]),
    ("display n | sort @timestamp desc | tail 1", [{"n": "8"}]),
    ("sort @timestamp asc | dedup who", [{"n": "1"}, {"n": "2"}, {"n": "8"}]),
    ("dedup who | limit 2", [{"n": "8"}, {"n": "4"}]),
    (
        "stats count(*) as c, sum(n) by who",
        [
            {"who": "ann", "c": "2", "sum(n)": "5"},
            {"who": "bob", "c": "1", "sum(n)": "2"},
            {"c": "1", "sum(n)": "8"},
        ],
    ),
    (
        "stats max(n) as a, min(n) as b, a - b as d by bin(1m)",
        [
            {"bin(1m)": _minute(3), "a": "8", "b": "8", "d": "0"},
            {"bin(1m)": _minute(1), "a": "4", "b": "4", "d": "0"},
            {"bin(1m)": _minute(0), "a": "2", "b": "1", "d": "1"},
        ],
    ),
    ("stats sum(n) as s by who | stats avg(s) as m, count(*)", [{"m": "5", "count(*)": "3"}]),
    (
        "stats count(*) by bin(1m) offset 1h | limit 1",
        [{"bin(1m)": "2023-11-14 23:16:00.000", "count(*)": "1"}],
    ),
    ("filter n > 100 | stats count(*)", []),
    ("stats count(*) by who | sort `count(*)` desc | limit 1", [{"who": "ann", "count(*)": "2"}]),
    ("stats count(*) by bin(1m) | sort count(*) desc, bin(1m) | display count(*) | limit 1",
     [{"count(*)": "2"}]),
    (
        "countFrequent who | limit 1",
        [{"who": "ann", "_approxcount": "2"}],
    ),
    ("count_frequent who | limit 1", [{"who": "ann", "_approxcount": "2"}]),
    (
        'parse message "took * ms" as ms | display ms | sort ms desc',
        [{"ms": "9"}, {"ms": "7"}, {"ms": "5"}, {}],
    ),
    ("parse message /took (?<ms>[0-9]+)/ | stats sum(ms)", [{"sum(ms)": "21"}]),
    ("parse message /(to+)k ([0-9])/ as word, ms | stats max(ms) by word | limit 1",
     [{"word": "too", "max(ms)": "9"}]),
    ("filter n = 1 | parse message /(?<l>[a-z])/ multi | display l | limit 3",
     [{"l": "t"}, {"l": "o"}, {"l": "o"}]),
    (
        (
        'SOURCE "/lines" | parse logfmt as lf | filter ispresent(lf.level) '
        "| display lf.level, lf.msg, lf.n + 1 as m"
        ),
        [{"lf.level": "warn", "lf.msg": "two words", "m": "17"}],
    ),
    (
        (
        'SOURCE logGroups(namePrefix: ["/lin"]) START=0 END=1900000000000 '
        "| filter @message like 'c' | parse @message csv as a, b, c, d | display a, b, c, d"
        ),
        [{"a": "a", "b": 'b "c", d', "c": "e"}],
    ),
    ("sort n | unnest tags into tag | display n, tag | limit 4",
     [{"n": "1", "tag": "x"}, {"n": "1", "tag": "y"}, {"n": "4"}, {"n": "8"}]),
    ("expand list | filter ispresent(list) | display list", [{"list": "p"}, {"list": "q"}]),
    (
        "pattern message",
        [
            {"@pattern": "took <*> ms", "@sampleCount": "3", "@ratio": "0.75",
             "@severityLabel": "INFO"},
            {"@pattern": "slept", "@sampleCount": "1", "@ratio": "0.25",
             "@severityLabel": "ERROR"},
        ],
    ),
    (
        "pattern message | diff previousDay | display @pattern, @difference",
        [{"@pattern": "took <*> ms", "@difference": "3"},
         {"@pattern": "slept", "@difference": "1"}],
    ),
    (
        (
        "filter n <= 2 | join left=a right=b where a.who = b.who (filter n = 4) "
        "| display a.n, b.n"
        ),
        [{"a.n": "1", "b.n": "4"}],
    ),
    (
        (
        "filter n <= 2 | join type=left left=a right=b where a.who = b.name "
        "(stats count(*) as times by who as name) | display a.n, b.times"
        ),
        [{"a.n": "2", "b.times": "1"}, {"a.n": "1", "b.times": "2"}],
    ),
    ("filter who in (filter n = 4 | display who) | display n", [{"n": "4"}, {"n": "1"}]),
    ("sort n | accum n as total | display total",
     [{"total": "1"}, {"total": "3"}, {"total": "7"}, {"total": "15"}]),
    ("fields n | sort n | autoregress n p=1-2 | limit 3",
     [{"n": "1"}, {"n": "2", "n_p1": "1"}, {"n": "4", "n_p1": "2", "n_p2": "1"}]),
    ("fields n, host | sort n | filldown ho* | limit 2",
     [{"n": "1", "host": "h1"}, {"n": "2", "host": "h1"}]),
    (
        "stats sum(n) as s by bin(1m) as t | fillmissing with 0 for s",
        [
            {"t": _minute(4), "s": "0"},
            {"t": _minute(3), "s": "8"},
            {"t": _minute(2), "s": "0"},
            {"t": _minute(1), "s": "4"},
            {"t": _minute(0), "s": "3"},
        ],
    ),
    ("sessionize who maxspan 1m as s | sort n | display s | limit 3",
     [{"s": "ann-1"}, {"s": "bob-1"}, {"s": "ann-2"}]),
    ("stats sum(n) as a, count(*) as b | addtotals fieldname=all",
     [{"a": "15", "b": "4", "all": "19"}]),
    (
        "fields n # a comment\n| # another\n filter n = 8 # the last",
        [{"n": "8"}],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), CASES)
def test_a_command_does_what_the_documentation_says(
    connection: Connection, query: str, expected: list[dict[str, str]]
):
    """Each result was worked out by hand."""
    rows = _rows(connection, query)
    if "dedup" in query:
        rows = [{"n": _number_of(row)} for row in rows]

    assert rows == expected


def _number_of(row: dict[str, str]) -> str:
    """Return the `n` of a record's JSON line; `dedup` lets nothing but limit follow."""
    found: Any = json.loads(row["@message"])["n"]
    return str(found)


DOCUMENTED = {
    *("addtotals", "anomaly", "display", "fields", "filter", "filterIndex", "SOURCE", "pattern"),
    *("diff", "parse", "relevantfields", "expand", "sort", "stats", "limit", "dedup", "unmask"),
    *("unnest", "lookup", "join", "autoregress", "logcompare", "filldown", "fillmissing"),
    *("cidrlookup", "outlier", "accum", "appendcols", "sessionize", "countFrequent"),
    *("count_frequent", "where", "head", "tail"),
}


def test_every_documented_command_has_a_case_here_or_is_refused_by_name():
    """So a gap between the documentation and us cannot stay unseen."""
    used = " | ".join(query for query, _rows in CASES).lower()

    assert {name.lower() for name in DOCUMENTED} == set(COMMANDS)
    for name, command in COMMANDS.items():
        assert command.refusal or f"{name} " in used, name


@pytest.mark.parametrize("name", [name for name, one in COMMANDS.items() if one.refusal])
def test_a_refused_command_is_an_error_that_names_it(name: str):
    """It must never return rows that do not mean what was asked."""
    query = f"fields a | {name} x"

    with pytest.raises(QueryError, match=COMMANDS[name].name) as caught:
        compile_query(query, start_ms=0, end_ms=1, now_ms=0, scope=Scope())

    assert caught.value.position == query.index(name)
    assert caught.value.hint


def test_a_source_in_a_subquery_has_its_own_groups_and_its_own_parameters(connection: Connection):
    """Two scopes whose parameters have the same names must not mix."""
    query = 'filter n > 0 | join left=a right=b where a.x = b.x (SOURCE "/lines") | stats count(*)'
    both = "filter who in (SOURCE '/lines' | parse @message 'level=*' as l | display l)"

    assert _rows(connection, query) == []
    assert _rows(connection, both) == []
    assert len(_rows(connection, "fields n")) == 4
    assert len(_rows(connection, "SOURCE '/lines' | fields n", None)) == 2
