"""Build a query's SQL stage by stage: what columns there are, in what order rows stand.

    tree -> [builder], commands, functions -> program -> run

Each stage is one common table expression over the one before. Columns have generated names; what
the user calls them is known here alone. A field of the event is read by the scan when it is first
named, wherever that is.

Invariant: after `stats` only its outputs exist; a name that is none of them is an error.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from clerestory.server.insights import columns, values
from clerestory.server.insights.columns import Scope, Sources
from clerestory.server.insights.language.lexer import name_of
from clerestory.server.insights.language.reader import wrong
from clerestory.server.insights.language.tree import Name, Node, Place, Query, Step
from clerestory.server.insights.values import Sql

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS_MAX: Final = 1_000

_MADE: Final = re.compile(r"\b[a-z]\d+\b")


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What a query and its subqueries share.

    Attributes:
        text: The query.
        start_ms: First millisecond of its time.
        end_ms: Last millisecond of its time.
        now_ms: When it was started.
        sources: Finds the groups of a `SOURCE`; None: the command cannot be used.
        parameters: Value of each parameter of the SQL.
        regexes: Regular expressions to be checked by the engine: parameter, pattern, place.
        warnings: What the user should know, such as a capped `bin`.
        own_columns: The column of each attribute that has one of its own.
        attributes: The attributes that are read.
    """

    text: str
    start_ms: int
    end_ms: int
    now_ms: int
    sources: Sources | None = None
    parameters: dict[str, str | int | float] = field(default_factory=dict)
    regexes: list[tuple[str, str, Place]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    own_columns: Mapping[str, str] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    names: int = 0

    def name(self, letter: str) -> str:
        """Return an identifier that nothing else has."""
        self.names += 1
        return f"{letter}{self.names}"


class Builder:
    """The stages of one query or subquery.

    Attributes:
        around: What it shares with its subqueries.
        scope: Its groups.
        env: Columns that were made, by what the user calls them.
        open: Whether rows are still events, so that every field can be named.
        shown: What the result has: label and column; None until a command says so.
        order: SQL of the order that rows stand in.
        matched: Stage whose rows count as matched.
        keeps_all: Whether no command has left a record out so far.
    """

    def __init__(self, around: Surroundings, scope: Scope, start_ms: int, end_ms: int) -> None:
        self.around = around
        self.scope = scope
        self.start_ms = start_ms
        self.end_ms = end_ms
        self.env: dict[str, Sql] = {}
        self.open = True
        self.extra: dict[str, Sql] = {}
        self.display: tuple[str, ...] | None = None
        self.has_fields = False
        self.matched: str | None = None
        self.keeps_all = True
        self.matched_column: str | None = None
        self.before: list[Callable[[], str]] = []
        self.joined: dict[str, Builder | None] = {}
        self.history: list[Step] = []
        self.bin: tuple[str, int, tuple[str, ...]] | None = None
        self._stages: list[tuple[str, str]] = []
        self._pending: dict[str, str] = {}
        self._bound: dict[str, str] = {}
        self._scan: dict[str, str] = {}
        self._fields: dict[str, Sql] = {}
        self._conditions: list[str] = []
        self._condition = ""
        self.scan_name = around.name("s")
        self.relation = self.scan_name
        self.row = tuple(around.name("o") for _column in columns.ORDER)
        self.order = self.row_order(descending=True)
        self.places: list[str] = []

    def parameter(self, value: str) -> str:
        """Return SQL that stands for a text."""
        return f"{{{self._parameter(value)}:String}}"

    def attribute_column(self, name: str) -> str | None:
        """Return the column that an attribute has of its own; None: it is in the map alone."""
        self.around.attributes.add(name)
        return self.around.own_columns.get(name)

    def _parameter(self, value: str | float) -> str:
        name = self.around.name("p")
        self.around.parameters[name] = value
        return name

    def regex(self, pattern: str, at: Place) -> str:
        """Return SQL that stands for a regular expression, which the engine will check."""
        name = self._parameter("(?-s)" + pattern)
        self.around.regexes.append((name, pattern, at))
        return f"{{{name}:String}}"

    def bind(self, text: str) -> str:
        """Return an identifier for an expression; the same text is computed once."""
        if text.isidentifier():
            return text
        if text not in self._bound:
            name = self.around.name("v")
            self._bound[text] = name
            self._pending[name] = text
            if len(self._bound) > COLUMNS_MAX:
                raise wrong(f"the query computes more than {COLUMNS_MAX} columns", (0, 1))
        return self._bound[text]

    def held(self, value: Sql) -> Sql:
        """Return a value under an identifier of its own."""
        return Sql(value.kind, self.bind(value.text), value.constant)

    def stage(self, text: str) -> None:
        """Add a stage; `{from}` in its text is the relation so far."""
        self.flush()
        self.keeps_all = self.keeps_all and self.matched is not None
        self._push(text.replace("{from}", self.relation))

    def flush(self) -> None:
        """Compute what was bound since the last stage, so that the next can use it."""
        pending, self._pending = self._pending, {}
        for columns_of_level in _levels(pending):
            self._push(f"SELECT *, {', '.join(columns_of_level)} FROM {self.relation}")

    def _push(self, text: str) -> None:
        name = self.around.name("s")
        self._stages.append((name, text))
        self.relation = name

    def filter(self, condition: str) -> None:
        """Keep the rows for which a condition holds."""
        self.flush()
        self.keeps_all = self.keeps_all and self.matched is not None
        self._push(f"SELECT * FROM {self.relation} WHERE {condition}")

    def narrow(self, condition: str) -> None:
        """Let the scan skip rows that no later stage would keep."""
        self.keeps_all = False
        self._conditions.append(condition)

    def close(self, env: dict[str, Sql]) -> None:
        """Make these the only columns: rows are no events any more."""
        self.settle()
        self.env, self.open, self.extra = env, False, {}
        self.display, self.has_fields = None, False
        self._bound = {}

    def settle(self) -> None:
        """Say that the rows so far are the matched ones, if no command has said so."""
        if self.matched is None:
            self.flush()
            self.matched = self.relation

    def define(self, label: str, value: Sql) -> None:
        """Make a column that the result shows."""
        made = self.held(value)
        self.env[label] = made
        self.extra[label] = made

    def field(self, name: Name) -> Sql:
        """Return what a name stands for.

        Raises:
            QueryError: It is none of the columns that `stats` left.
        """
        if len(name.path) > 1 and name.path[0] in self.joined:
            return self._joined_field(name)
        if found := self._made(name):
            return found
        if not self.open:
            raise self._unknown(name)
        return self.event_field(name)

    def _joined_field(self, name: Name) -> Sql:
        """Return a field of one side of a join: `api.latency`."""
        rest = Name(name.path[1:], name_of(name.path[1:]), name.at)
        other = self.joined[str(name.path[0])]
        if other is None:
            return self.field(rest)
        found = other.held(other.field(rest))
        other.flush()
        return found

    def _made(self, name: Name) -> Sql | None:
        if name.text in self.env:
            return self.env[name.text]
        for length in range(len(name.path) - 1, 0, -1):
            made = self.env.get(name_of(name.path[:length]))
            if made and made.kind == "any":
                return self.held(Sql("any", values.part_of(self, made.text, name.path[length:])))
            if made and not self.open:
                return values.NULL
        return None

    def event_field(self, name: Name) -> Sql:
        """Return a field of the event, whatever columns were made since.

        Raises:
            QueryError: It is of what this server does not keep.
        """
        if name.path[0] == "@entity":
            raise wrong(f"`{name.text}` is not kept here", name.at, "entities of PutLogEvents")
        if name.text not in self._fields:
            scan = _Scan(self)
            found = columns.system_field(scan, self.scope, name.text)
            if found is None:
                joined = [name_of(name.path[: i + 1]) for i in range(len(name.path))]
                found = columns.event_field(scan, name.path, joined)
            self._fields[name.text] = Sql(found.kind, scan.bind(found.text))
        return self._fields[name.text]

    def scan_bind(self, text: str) -> str:
        """Return an identifier for something that the scan computes."""
        if text not in self._scan:
            self._scan[text] = self.around.name("c")
        return self._scan[text]

    def result(self, at: Place) -> Sql | None:
        """Return the result of `stats` that a place of the query names by its own text.

        So `sort count(*) desc` may follow `stats count(*)`.
        """
        label = " ".join(self.around.text[at[0] : at[1]].split())
        return None if self.open else self.env.get(label)

    def _unknown(self, name: Name) -> Exception:
        close = get_close_matches(name.text, list(self.env), n=1)
        hint = f"did you mean `{close[0]}`?" if close else "it gives " + ", ".join(self.env)
        return wrong(f"`{name.text}` is not among the results of stats", name.at, hint)

    def value(self, node: Node) -> Sql:
        """Return the SQL of an expression."""
        from clerestory.server.insights.calls import value_of

        return value_of(self, node)

    def run(self, query: Query) -> None:
        """Add every command of a query."""
        from clerestory.server.insights.program import compile_steps

        compile_steps(self, query)

    def subquery(self, query: Query) -> "Builder":
        """Return a builder that has compiled a subquery, of the groups that its SOURCE names."""
        from clerestory.server.insights.commands.combining import scope_of

        scope, start, end, rest = scope_of(self.around, query, self)
        inner = Builder(self.around, scope or self.scope, start, end)
        inner.run(rest)
        return inner

    def outputs(self) -> list[tuple[str, Sql]]:
        """Return the result's columns in order: label and value."""
        if self.display is not None:
            return [(label, self.env[label]) for label in self.display]
        if not self.open:
            return list(self.env.items())
        found: dict[str, Sql] = {}
        if not self.has_fields:
            for label in ("@timestamp", "@message"):
                found[label] = self.field(Name((label,), label, (0, 0)))
        return list({**found, **self.extra}.items())

    def identity(self) -> str:
        """Return SQL for a text that no two rows have in common."""
        if self.open:
            parts = [*self.row, *self.places]
        else:
            parts = [value.text for value in self.env.values()]
        return f"toString(tuple({', '.join(parts)}))"

    def row_order(self, *, descending: bool) -> list[str]:
        """Return the SQL of the order of events: by time, then by identity."""
        return [f"{column} {'DESC' if descending else 'ASC'}" for column in self.row]

    def is_event_time(self, node: Node) -> bool:
        """Return whether an expression is the time of the row's own event."""
        if not (self.open and isinstance(node, Name) and node.text == "@timestamp"):
            return False
        own = self.event_field(node)
        return self.env.get(node.text, own).text == own.text

    def ordered(self, limit: int | None = None) -> str:
        """Return the end of a SELECT: order and limit."""
        order = f" ORDER BY {', '.join(self.order)}" if self.order else ""
        return order + (f" LIMIT {limit}" if limit is not None else "")

    def tables(self, last: str | None = None) -> str:
        """Return the WITH of the stages up to `last`, the scan first."""
        found = [f"{self.scan_name} AS ({self._scan_sql()})"]
        for name, text in self._stages:
            if last == self.scan_name:
                break
            found.append(f"{name} AS ({text})")
            if name == last:
                break
        return "WITH " + ", ".join([*(table() for table in self.before), *found])

    def _scan_sql(self) -> str:
        row = [f"{column} AS {name}" for column, name in zip(columns.ORDER, self.row, strict=True)]
        where = " AND ".join([self._where(), *self._conditions])
        first, *rest = _levels({name: text for text, name in self._scan.items()}) or [[]]
        own = self.around.own_columns
        # `*` leaves out what the engine fills in
        every = ["*", *(own[name] for name in sorted(self.around.attributes) if name in own)]
        read = ", ".join([*(every if rest else []), *row, *first])
        text = f"SELECT {read} FROM {columns.TABLE} WHERE {where}"
        for level in rest:
            text = f"SELECT *, {', '.join(level)} FROM ({text})"
        return text

    def scanned_sql(self) -> str:
        """Return the statement that counts the records looked at, and the bytes of their texts."""
        start, end = self._time_parameters()
        return columns.volume(self._scope_condition(), start, end)

    def _where(self) -> str:
        if not self._condition:
            time = columns.window(*self._time_parameters())
            self._condition = f"{time} AND ({self._scope_condition()})"
        return self._condition

    def _time_parameters(self) -> tuple[str, str]:
        start, end = self._parameter(self.start_ms), self._parameter(self.end_ms)
        return f"{{{start}:Int64}}", f"{{{end}:Int64}}"

    def _scope_condition(self) -> str:
        """Return the groups' condition; parameters of two scopes may have the same names."""
        condition = self.scope.condition
        for name, value in self.scope.parameters.items():
            own = self._parameter(value)
            condition = condition.replace(f"{{{name}:", f"{{{own}:")
        return condition


def _levels(made: dict[str, str]) -> list[list[str]]:
    """Return columns so that each uses only those of the levels before.

    In one SELECT the engine writes a column out again wherever another uses it, so that a few
    columns over one another take seconds to plan.
    """
    level_of: dict[str, int] = {}
    levels: list[list[str]] = []
    for name, text in made.items():
        used = (level_of[word] + 1 for word in _MADE.findall(text) if word in level_of)
        level = level_of[name] = max(used, default=0)
        if level == len(levels):
            levels.append([])
        levels[level].append(f"{text} AS {name}")
    return levels


class _Scan:
    """Binds what the scan computes."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def bind(self, text: str) -> str:
        """Return an identifier for an expression of the scan."""
        return text if text.isidentifier() else self._builder.scan_bind(text)

    def parameter(self, value: str) -> str:
        """Return SQL that stands for a text."""
        return self._builder.parameter(value)

    def attribute_column(self, name: str) -> str | None:
        """Return the column that an attribute has of its own; None: it is in the map alone."""
        return self._builder.attribute_column(name)
