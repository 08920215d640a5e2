"""Compile a query: text in, SQL and parameters out.

    text -> parser -> tree -> builder, commands -> [program] -> run

Invariant: a query that cannot be compiled is an error at a place in its text; nothing of it runs.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from clerestory.server.insights import columns, values
from clerestory.server.insights.builder import Builder, Surroundings
from clerestory.server.insights.columns import Scope, Sources
from clerestory.server.insights.commands.combining import scope_of
from clerestory.server.insights.commands.stats import Stats
from clerestory.server.insights.language.parser import parse
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import Place, Query
from clerestory.server.insights.registry import commands

ROWS_DEFAULT: Final = 10_000
ROWS_MAX: Final = 100_000
STATS_MAX: Final = 10

_AFTER_DEDUP: Final = frozenset({"limit", "head", "tail"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A query as it is asked.

    Attributes:
        text: The query.
        groups: Names of the groups; empty: the query has to name them; None: all, unless the query
            names some.
        start_ms: First millisecond that counts.
        end_ms: Last millisecond that counts.
        limit: Most rows, where the query names no smaller number.
    """

    text: str
    groups: tuple[str, ...] | None
    start_ms: int
    end_ms: int
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A query ready to run.

    Attributes:
        sql: Its SELECT: pointer, then one text a column; the last column is the number of
            matched records where `counts` is set. It gives one row more than `rows_max`, which
            tells that there are more.
        labels: What the columns are called.
        kinds: Kind of each column (see values).
        commands: Names of the commands, in their order.
        chart: What the result can be drawn as: `time`, `bar` or `none`.
        parameters: Value of each parameter.
        regexes: What the engine has to accept: parameter, pattern, place in the query.
        counts: Whether the result tells how many records matched.
        has_pointers: Whether its rows are events.
        matched_sql: Tells how many records matched, where the result does not.
        scanned_sql: Tells how many records and bytes the query looked at.
        rows_max: No result has more rows.
        filtered_only: Whether every matched record is a row of the result, up to the limit.
        matches_all: Whether every record that it looked at matched.
        attributes: The attributes that are read, from the map or from columns of their own.
        warnings: What the user should know.
    """

    sql: str
    labels: tuple[str, ...]
    kinds: tuple[str, ...]
    commands: tuple[str, ...]
    chart: str
    parameters: dict[str, str | int | float]
    regexes: tuple[tuple[str, str, Place], ...]
    counts: bool
    has_pointers: bool
    matched_sql: str
    scanned_sql: str
    rows_max: int
    filtered_only: bool
    matches_all: bool
    attributes: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = field(default=())


def compile_query(
    text: str,
    *,
    start_ms: int,
    end_ms: int,
    now_ms: int,
    scope: Scope | None = None,
    limit: int | None = None,
    sources: Sources | None = None,
    own_columns: Mapping[str, str] | None = None,
) -> Program:
    """Return the program of a query.

    Args:
        text: The query.
        start_ms: First millisecond that counts.
        end_ms: Last millisecond that counts.
        now_ms: What `now()` tells.
        scope: The groups it asks; a `SOURCE` command in the text takes their place.
        limit: Most rows, where the query names no smaller number.
        sources: Finds the groups that `SOURCE` names.
        own_columns: The column of each attribute that has one of its own.

    Raises:
        QueryError: The text is no query, or asks for what there is not.
    """
    query = parse(text)
    around = Surroundings(
        text=text,
        start_ms=start_ms,
        end_ms=end_ms,
        now_ms=now_ms,
        sources=sources,
        own_columns=own_columns or {},
    )
    named, start, end, rest = scope_of(around, query)
    groups = named or scope
    if groups is None:
        hint = 'begin it with SOURCE "group" |'
        raise wrong("the query names no log group", query.steps[0].at, hint)
    builder = Builder(around, groups, start, end)
    compile_steps(builder, rest)
    most = min(limit or ROWS_DEFAULT, ROWS_MAX)
    if limit is None and any(step.command in _AFTER_DEDUP for step in rest.steps):
        most = ROWS_MAX
    return _program(builder, query, most)


def compile_steps(builder: Builder, query: Query) -> None:
    """Add every command of a query to a builder."""
    known = commands()
    stats = 0
    deduplicated = False
    for step in query.steps:
        command = known[step.command]
        if deduplicated and step.command not in _AFTER_DEDUP:
            message = f"`{command.name}` cannot follow dedup"
            raise wrong(message, step.at, "only limit may follow dedup")
        stats += step.command == "stats"
        if stats > STATS_MAX:
            raise wrong(f"a query has at most {STATS_MAX} stats", step.at)
        assert command.compile is not None
        command.compile(builder, step)
        builder.history.append(step)
        deduplicated = deduplicated or step.command == "dedup"


def _program(builder: Builder, query: Query, most: int) -> Program:
    outputs = builder.outputs()
    texts = [values.shown_of(builder, value) for _label, value in outputs]
    builder.flush()
    filtered_only = builder.matched is None
    builder.settle()
    assert builder.matched is not None
    selected = [columns.POINTER.format(*builder.row) if builder.open else "''", *texts]
    if builder.matched_column:
        selected.append(builder.matched_column)
    sql = (
        f"{builder.tables()} SELECT {', '.join(selected)} FROM {builder.relation}"
        f"{builder.ordered(most + 1)}"
    )
    matched = f"{builder.tables(builder.matched)} SELECT count() FROM {builder.matched}"
    return Program(
        sql=sql,
        labels=tuple(label for label, _value in outputs),
        kinds=tuple(value.kind for _label, value in outputs),
        commands=tuple(commands()[step.command].name for step in query.steps),
        chart=_chart(query, {label: value.kind for label, value in outputs}),
        parameters=builder.around.parameters,
        regexes=tuple(builder.around.regexes),
        counts=builder.matched_column is not None,
        has_pointers=builder.open,
        matched_sql=matched,
        scanned_sql=builder.scanned_sql(),
        rows_max=most,
        filtered_only=filtered_only,
        matches_all=builder.keeps_all,
        attributes=frozenset(builder.around.attributes),
        warnings=tuple(dict.fromkeys(builder.around.warnings)),
    )


def _chart(query: Query, kinds: dict[str, str]) -> str:
    """Return what a result with these columns can be drawn as."""
    keys: tuple[str, ...] = ()
    for step in query.steps:
        if isinstance(step.details, Stats):
            keys = tuple(key.label for key in step.details.keys)
    keys = tuple(key for key in keys if key in kinds)
    if not keys or len(keys) == len(kinds):
        return "none"
    if any(kinds[key] == "time" for key in keys):
        return "time"
    return "bar" if len(keys) == 1 else "none"
