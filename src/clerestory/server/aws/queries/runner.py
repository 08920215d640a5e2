"""How queries are run: the port, and the engine of this server behind it.

    queries -> [runner] -> insights -> store

The language is loaded with the first query, not with the server.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from clerestory.server.aws.catalog.catalog import Catalog
from clerestory.server.aws.errors import invalid, missing
from clerestory.server.aws.groups import GROUP_SQL, MESSAGE_SQL, STREAM_SQL, scope_of
from clerestory.server.aws.names import ACCOUNT
from clerestory.server.store.embedded import EmbeddedStore

if TYPE_CHECKING:
    from clerestory.server.insights import Program, Scope, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a query gave.

    Attributes:
        rows: Fields of each row, in order.
        statistics: As GetQueryResults has them.
    """

    rows: list[list[dict[str, str]]]
    statistics: dict[str, float]


class Prepared(Protocol):
    """A query that can be run."""

    def run(self) -> Found:
        """Run it.

        Raises:
            ExecutionError: It took too long or too much memory, or was cancelled.
        """

    def cancel(self) -> None:
        """End it from another thread."""


class QueryRunner(Protocol):
    """Runs queries over groups."""

    def prepare(
        self, groups: Sequence[str], query: str, *, start_ms: int, end_ms: int, limit: int | None
    ) -> Prepared:
        """Return a query that can be run.

        Args:
            groups: Names of the groups; empty: the query names them.
            query: The text.
            start_ms: First millisecond that counts.
            end_ms: Last millisecond that counts.
            limit: Most rows.

        Raises:
            QueryError: The text is no query.
        """


class InsightsRunner:
    """Runs queries on this server's store."""

    def __init__(self, store: EmbeddedStore, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    def prepare(
        self, groups: Sequence[str], query: str, *, start_ms: int, end_ms: int, limit: int | None
    ) -> Prepared:
        """Compile a query and let the engine check its regular expressions.

        Raises:
            QueryError: The text is no query.
            AwsError: It names a group or an account that does not exist.
        """
        from clerestory.server.insights import compile_query, verify

        scopes = [_scope(groups)] if groups else []

        def found(source: "Source") -> "Scope":
            scopes.append(_scope(self._named(source)))
            return scopes[-1]

        program = compile_query(
            query,
            start_ms=start_ms,
            end_ms=end_ms,
            now_ms=time.time_ns() // 1_000_000,
            scope=scopes[0] if groups else None,
            limit=limit,
            sources=None if groups else found,
        )
        with self._store.querying() as connection:
            verify(connection, program)
        return _Prepared(self._store, program, sum(scope.groups for scope in scopes))

    def _named(self, source: "Source") -> list[str]:
        """Return the groups that a SOURCE command names.

        Raises:
            AwsError: One of them does not exist.
        """
        if any(account != ACCOUNT for account in source.accounts):
            raise invalid(f"There is no account but {ACCOUNT} on this server.")
        known = {group.name: group.kind for group in list(self._catalog.groups.values())}
        known |= dict.fromkeys(self._own(), "STANDARD")
        for name in source.names:
            if name not in known:
                raise missing(f"Log group '{name}' does not exist for account ID '{ACCOUNT}'")
        if source.names:
            return list(source.names)
        return [
            name
            for name, kind in known.items()
            if (not source.prefixes or name.startswith(source.prefixes))
            and source.group_class in ("", kind)
        ]

    def _own(self) -> list[str]:
        with self._store.querying() as connection:
            rows = connection.rows(
                f"SELECT DISTINCT {GROUP_SQL} FROM logs WHERE log_group = ''"  # noqa: S608
            )
        return [str(row[0]) for row in rows]


def _scope(groups: Sequence[str]) -> "Scope":
    from clerestory.server.insights import Scope

    condition, parameters = scope_of(groups)
    return Scope(
        condition=condition,
        parameters=parameters,
        group=GROUP_SQL,
        stream=STREAM_SQL,
        message=MESSAGE_SQL,
        groups=len(groups),
    )


class _Prepared:
    def __init__(self, store: EmbeddedStore, program: "Program", groups: int) -> None:
        from clerestory.server.insights import Cancellation

        self._store = store
        self._program = program
        self._groups = groups
        self._cancellation = Cancellation()

    def run(self) -> Found:
        from clerestory.server.insights import execute

        with self._store.querying() as connection:
            result = execute(connection, self._program, cancellation=self._cancellation)
        taken = result.statistics
        statistics = {
            "recordsMatched": taken.records_matched,
            "recordsScanned": taken.records_scanned,
            "bytesScanned": taken.bytes_scanned,
            "estimatedRecordsSkipped": 0.0,
            "estimatedBytesSkipped": 0.0,
            "logGroupsScanned": float(self._groups),
            "resultCount": float(len(result.rows)),
        }
        return Found(rows=result.fields(), statistics=statistics)

    def cancel(self) -> None:
        with self._store.querying() as connection:
            self._cancellation.cancel(connection)
