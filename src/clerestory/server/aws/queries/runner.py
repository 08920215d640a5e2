"""How queries are run: the port, and the engine of this server behind it.

    queries -> [runner] -> insights -> store

The language is loaded with the first query, not with the server.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from clerestory.server.aws.catalog.catalog import Catalog
from clerestory.server.aws.errors import invalid, missing
from clerestory.server.aws.groups import GROUP_SQL, MESSAGE_SQL, STREAM_SQL, is_own, scope_of
from clerestory.server.aws.names import ACCOUNT
from clerestory.server.store.embedded import EmbeddedStore
from clerestory.server.store.promotion import Promotion

if TYPE_CHECKING:
    from clerestory.server.insights import Program, Question, Result, Scope, Source

# names are made for the few groups and services, not for each record
_COUNTED: Final = (
    f"SELECT {GROUP_SQL} AS name, sum(n) FROM "  # noqa: S608
    "(SELECT log_group, service, count() AS n FROM logs GROUP BY log_group, service) GROUP BY name"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a query gave.

    Attributes:
        result: Its rows and what it took; None while it has given nothing.
        groups: How many groups it asked.
    """

    result: "Result | None" = None
    groups: int = 0

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.result.rows) if self.result else 0

    def fields(self, first: int, last: int) -> list[list[dict[str, str]]]:
        """Return some rows as GetQueryResults has them."""
        return self.result.fields(first, last) if self.result else []

    @property
    def statistics(self) -> dict[str, float]:
        """What it took, as GetQueryResults has it."""
        taken = self.result.statistics if self.result else None
        return {
            "recordsMatched": taken.records_matched if taken else 0.0,
            "recordsScanned": taken.records_scanned if taken else 0.0,
            "bytesScanned": taken.bytes_scanned if taken else 0.0,
            "estimatedRecordsSkipped": 0.0,
            "estimatedBytesSkipped": 0.0,
            "logGroupsScanned": float(self.groups),
            "resultCount": float(self.count),
        }


class Prepared(Protocol):
    """A query that can be run."""

    def run(self) -> Found:
        """Run it.

        Raises:
            ExecutionError: It took too long or too much memory, or was cancelled.
        """

    def cancel(self) -> None:
        """End it from another thread."""

    def progress(self) -> tuple[int, int]:
        """Return how many rows and bytes the engine has read for it so far."""


class QueryRunner(Protocol):
    """Runs queries over groups."""

    def prepare(self, question: "Question") -> Prepared:
        """Return a query that can be run.

        Raises:
            QueryError: The text is no query.
        """

    def check(self, query: str) -> "Program":
        """Compile a query over all groups, and run nothing.

        Raises:
            QueryError: The text is no query.
        """

    def groups(self) -> dict[str, int]:
        """Return every group and how many records it has."""


class InsightsRunner:
    """Runs queries on this server's store."""

    def __init__(self, store: EmbeddedStore, catalog: Catalog, promotion: Promotion) -> None:
        self._store = store
        self._promotion = promotion
        self._catalog = catalog

    def prepare(self, question: "Question") -> Prepared:
        """Compile a query and let the engine check its regular expressions.

        Raises:
            QueryError: The text is no query.
            AwsError: It names a group or an account that does not exist.
        """
        program, count = self._verified(question)
        return _Prepared(self._store, program, count, self._promotion)

    def check(self, query: str) -> "Program":
        """Compile a query over all groups, and run nothing.

        Raises:
            QueryError: The text is no query.
            AwsError: It names a group or an account that does not exist.
        """
        from clerestory.server.insights import Question

        now_ms = time.time_ns() // 1_000_000
        return self._verified(Question(text=query, groups=None, start_ms=now_ms, end_ms=now_ms))[0]

    def _verified(self, question: "Question") -> "tuple[Program, int]":
        """Return the program of a query, and how many groups it asks."""
        from clerestory.server.insights import compile_query, verify

        groups = question.groups
        chosen = _scope(groups) if groups else _everything() if groups is None else None
        scopes: list[Scope] = []

        def found(source: "Source") -> "Scope":
            scopes.append(_scope(self._named(source)))
            return scopes[-1]

        program = compile_query(
            question.text,
            start_ms=question.start_ms,
            end_ms=question.end_ms,
            now_ms=time.time_ns() // 1_000_000,
            scope=chosen,
            limit=question.limit,
            sources=None if groups else found,
            own_columns=self._promotion.columns,
        )
        with self._store.querying() as connection:
            verify(connection, program)
        asked = scopes or ([chosen] if chosen else [])
        return program, sum(scope.groups for scope in asked)

    def groups(self) -> dict[str, int]:
        """Return every group and how many records it has: those that were made, and our own."""
        with self._store.querying() as connection:
            rows = connection.rows(_COUNTED)
        made = dict.fromkeys(list(self._catalog.groups), 0)
        counted = {str(name): int(count) for name, count in rows}
        own = {name: count for name, count in counted.items() if is_own(name)}
        return {name: counted.get(name, 0) for name in made} | own

    def _named(self, source: "Source") -> list[str]:
        """Return the groups that a SOURCE command names.

        Raises:
            AwsError: One of them does not exist.
        """
        if any(account != ACCOUNT for account in source.accounts):
            raise invalid(f"There is no account but {ACCOUNT} on this server.")
        kinds = {group.name: group.kind for group in list(self._catalog.groups.values())}
        known = {name: kinds.get(name, "STANDARD") for name in self.groups()}
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


def _everything() -> "Scope":
    from clerestory.server.insights import Scope

    return Scope(group=GROUP_SQL, stream=STREAM_SQL, message=MESSAGE_SQL, groups=0)


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
    def __init__(
        self, store: EmbeddedStore, program: "Program", groups: int, promotion: Promotion
    ) -> None:
        from clerestory.server.insights import Cancellation

        self._store = store
        self._program = program
        self._groups = groups
        self._promotion = promotion
        self._cancellation = Cancellation()

    def run(self) -> Found:
        from clerestory.server.insights import execute

        with self._store.querying() as connection:
            result = execute(connection, self._program, cancellation=self._cancellation)
        self._promotion.note(self._program.attributes, result.statistics.seconds)
        return Found(result=result, groups=self._groups)

    def progress(self) -> tuple[int, int]:
        with self._store.querying() as connection:
            return self._cancellation.progress(connection)

    def cancel(self) -> None:
        self._cancellation.ask()
        with self._store.querying() as connection:
            self._cancellation.cancel(connection)
