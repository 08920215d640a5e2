"""Run a query and give its rows as the API prints them.

    text -> program -> [run] -> api

Invariant: a query that is cut short by time, memory or the user is an error, never a shorter
result.
"""

import base64
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from clerestory.model.errors import ClerestoryError, QueryError
from clerestory.server.insights.columns import Scope, Sources
from clerestory.server.insights.program import Program, compile_query
from clerestory.server.store.embedded import Connection, StoreError

SECONDS_MAX: Final = 60.0
MEMORY_BYTES_MAX: Final = 2_000_000_000

_TIMEOUT: Final = "Code: 159."
_CANCELLED: Final = "Code: 394."
_REGEX: Final = "Code: 427."
_OF_MARK: Final = "query LIKE {pattern:String} AND query NOT LIKE 'KILL%'"
_OPTIONS: Final = (
    "join_use_nulls = 1, max_query_size = 10000000, max_expanded_ast_elements = 5000000"
)


class ExecutionError(ClerestoryError):
    """A query was understood but did not run to its end.

    Attributes:
        status: `Timeout`, `Cancelled` or `Failed`, as GetQueryResults says it.
    """

    def __init__(self, message: str, *, status: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a query may take.

    Attributes:
        seconds: How long each of its statements may run.
        memory_bytes: Memory of the engine.
    """

    seconds: float = SECONDS_MAX
    memory_bytes: int = MEMORY_BYTES_MAX


class Cancellation:
    """A way to end a query from another thread."""

    def __init__(self) -> None:
        self._mark = f"insights-{secrets.token_hex(8)}"
        self._asked = threading.Event()

    @property
    def mark(self) -> str:
        """What the statements of the query carry, so that they can be found."""
        return self._mark

    @property
    def asked(self) -> bool:
        """Whether the query is to end."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Let no further statement of the query begin."""
        self._asked.set()

    def cancel(self, connection: Connection) -> None:
        """End the query; `connection` is another one than the query's own."""
        self.ask()
        connection.run(f"KILL QUERY WHERE {_OF_MARK} ASYNC", {"pattern": self._pattern})

    def progress(self, connection: Connection) -> tuple[int, int]:
        """Return how many rows and bytes the statement that runs now has read.

        These are rows that the engine read: more than the query is about where a block holds other
        records as well, and less where an index leaves blocks out.
        """
        found = connection.rows(
            f"SELECT sum(read_rows), sum(read_bytes) FROM system.processes WHERE {_OF_MARK}",  # noqa: S608
            {"pattern": self._pattern},
        )
        return int(found[0][0]), int(found[0][1])

    @property
    def _pattern(self) -> str:
        return f"%log_comment = '{self._mark}'%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What a query took.

    Attributes:
        records_matched: Records that its filters kept.
        records_scanned: Records of its groups and its time.
        bytes_scanned: Bytes of their texts.
        seconds: How long it ran.
    """

    records_matched: float
    records_scanned: float
    bytes_scanned: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a query gives.

    Attributes:
        columns: Labels of its columns; without `@ptr`.
        kinds: Kind of each column (see values).
        rows: Each row's values by label; a missing value is left out. Rows that are events also
            have `@ptr`.
        statistics: What it took.
        limit: Most rows that it could give.
        limited: Whether there were more.
        warnings: What the user should know.
    """

    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    rows: list[dict[str, str]]
    statistics: Statistics
    limit: int
    limited: bool
    warnings: tuple[str, ...] = field(default=())

    def fields(self, first: int = 0, last: int | None = None) -> list[list[dict[str, str]]]:
        """Return some rows as GetQueryResults has them."""
        return [
            [{"field": name, "value": value} for name, value in row.items()]
            for row in self.rows[first:last]
        ]


def run(
    connection: Connection,
    query: str,
    *,
    start_ms: int,
    end_ms: int,
    scope: Scope | None = None,
    limit: int | None = None,
    sources: Sources | None = None,
    bounds: Bounds | None = None,
    cancellation: Cancellation | None = None,
    own_columns: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
) -> Result:
    """Run a query.

    Args:
        connection: To the engine; used by this thread alone.
        query: The text.
        start_ms: First millisecond that counts.
        end_ms: Last millisecond that counts.
        scope: The groups it asks; without any it needs a `SOURCE`.
        limit: Most rows; the query may name a smaller number.
        sources: Finds the groups that `SOURCE` names.
        bounds: What it may take.
        cancellation: A way to end it from another thread.
        own_columns: The column of each attribute that has one of its own.
        clock: The time, in seconds since 1970.

    Raises:
        QueryError: The text is no query; nothing ran.
        ExecutionError: It took too long or too much memory, or was cancelled.
    """
    now_ms = int(clock() * 1000)
    program = compile_query(
        query,
        start_ms=start_ms,
        end_ms=end_ms,
        now_ms=now_ms,
        scope=scope,
        limit=limit,
        sources=sources,
        own_columns=own_columns,
    )
    return execute(connection, program, bounds=bounds, cancellation=cancellation)


def execute(
    connection: Connection,
    program: Program,
    *,
    bounds: Bounds | None = None,
    cancellation: Cancellation | None = None,
    statistics: bool = True,
) -> Result:
    """Run a program; without statistics these are all 0.

    Raises:
        QueryError: A regular expression is none that the engine knows.
        ExecutionError: It took too long or too much memory, or was cancelled.
    """
    began = time.monotonic()
    statement = _Statement(connection, program, bounds or Bounds(), cancellation)
    verify(connection, program)
    found = statement.rows(program.sql)
    rows = [_row(program, one) for one in found[: program.rows_max]]
    matched, scanned, scanned_bytes = 0.0, "0", "0"
    if statistics:
        scanned, scanned_bytes = (one or "0" for one in statement.rows(program.scanned_sql)[0])
        all_matched = program.matches_all
        matched = float(scanned) if all_matched else _matched(statement, program, found)
    return Result(
        columns=program.labels,
        kinds=program.kinds,
        rows=rows,
        statistics=Statistics(
            records_matched=float(matched),
            records_scanned=float(scanned),
            bytes_scanned=float(scanned_bytes),
            seconds=time.monotonic() - began,
        ),
        limit=program.rows_max,
        limited=len(found) > program.rows_max,
        warnings=program.warnings,
    )


def verify(connection: Connection, program: Program) -> None:
    """Let the engine check the regular expressions of a program.

    Raises:
        QueryError: One is none that the engine knows (RE2): look-around, back references.
    """
    for name, pattern, at in program.regexes:
        try:
            text = program.parameters[name]
            connection.run("SELECT match('', {pattern:String})", {"pattern": text})
        except StoreError as error:
            message = f"the regular expression /{pattern[:60]}/ is not valid: {_reason(error)}"
            hint = "RE2 has no look-around and no back references"
            raise QueryError(message, position=at[0], length=at[1] - at[0], hint=hint) from error


def _reason(error: StoreError) -> str:
    text = str(error)
    found = text.rfind("error: ")
    return text[found + 7 :].split("\n", maxsplit=1)[0][:200] if found >= 0 else "RE2 refuses it"


class _Statement:
    """Runs the statements of one query within its bounds."""

    def __init__(
        self,
        connection: Connection,
        program: Program,
        bounds: Bounds,
        cancellation: Cancellation | None,
    ) -> None:
        self._connection = connection
        self._program = program
        self._cancellation = cancellation
        mark = f", log_comment = '{cancellation.mark}'" if cancellation else ""
        self._settings = (
            f" SETTINGS max_execution_time = {bounds.seconds}, "
            f"max_memory_usage = {bounds.memory_bytes}, timeout_overflow_mode = 'throw', "
            f"{_OPTIONS}{mark}"
        )

    def rows(self, sql: str) -> list[list[str | None]]:
        if self._cancellation and self._cancellation.asked:
            raise ExecutionError("the query was cancelled", status="Cancelled")
        try:
            return self._connection.rows(sql + self._settings, self._program.parameters)
        except StoreError as error:
            raise self._failure(str(error)) from error

    def _failure(self, text: str) -> ExecutionError:
        asked = self._cancellation is not None and self._cancellation.asked
        if asked or _CANCELLED in text:
            return ExecutionError("the query was cancelled", status="Cancelled")
        if _TIMEOUT in text:
            message = "the query took longer than it may; choose fewer groups or a shorter time"
            return ExecutionError(message, status="Timeout")
        return ExecutionError(f"the query failed: {text[:500]}", status="Failed")


def _row(program: Program, found: list[str | None]) -> dict[str, str]:
    row = {
        label: value
        for label, value in zip(program.labels, found[1:], strict=False)
        if value is not None
    }
    if program.has_pointers and found[0]:
        row["@ptr"] = pointer_of(found[0])
    return row


def _matched(statement: _Statement, program: Program, found: list[list[str | None]]) -> float:
    if program.counts and found:
        return max(float(row[-1] or 0) for row in found)
    if program.filtered_only and len(found) <= program.rows_max:
        return len(found)
    return float(statement.rows(program.matched_sql)[0][0] or 0)


def pointer_of(place: str) -> str:
    """Return the opaque pointer to a record."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def place_of(pointer: str) -> tuple[int, str, int]:
    """Return time in nanoseconds, spool and number of the record that a pointer names.

    Raises:
        ValueError: It is no pointer.
    """
    padded = pointer + "=" * (-len(pointer) % 4)
    ns, spool, number = base64.b64decode(padded, b"-_", validate=True).decode().split(":")
    return int(ns), spool, int(number)
