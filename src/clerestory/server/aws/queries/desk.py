"""What the page and the command line ask: queries, groups, fields, saved queries.

    api -> [desk] -> queries, catalog -> insights -> store

Invariant: a query of the page runs as one of StartQuery does, and a saved query is a query
definition of the endpoint.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clerestory.model.errors import LimitError, QueryError
from clerestory.server.aws.catalog.catalog import Catalog, Definition
from clerestory.server.aws.errors import AwsError
from clerestory.server.aws.queries import saved
from clerestory.server.aws.queries.fields import fields_of
from clerestory.server.aws.queries.kept import Queries, Query
from clerestory.server.aws.queries.parquet import parquet_of
from clerestory.server.store.embedded import EmbeddedStore

if TYPE_CHECKING:
    from concurrent.futures import Future

    from clerestory.server.insights import Program, Question, Result


class Desk:
    """Takes questions and gives answers without the forms of AWS."""

    def __init__(
        self,
        store: EmbeddedStore,
        catalog: Catalog,
        queries: Queries,
        *,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._queries = queries
        self._is_stopping = is_stopping

    def ask(self, question: "Question") -> "Asked":
        """Start a query.

        Raises:
            QueryError: The text is no query, or names a group that does not exist.
            LimitError: A group does not exist, too many queries are running, or the server stops.
        """
        if self._is_stopping():
            raise _stopping()
        self._check(question.groups or ())
        try:
            query = self._queries.ask(question)
        except AwsError as error:
            raise _placed(error, question.text) from error
        return Asked(self._queries, query, self._is_stopping)

    def check(self, text: str) -> "Program":
        """Return the program of a query without running it.

        Raises:
            QueryError: The text is no query, or names a group that does not exist.
        """
        try:
            return self._queries.runner.check(text)
        except AwsError as error:
            raise _placed(error, text) from error

    def groups(self, prefix: str = "") -> list[dict[str, Any]]:
        """Return the groups whose names begin so, with how many records each has."""
        return [
            {"name": name, "records": count}
            for name, count in sorted(self._queries.runner.groups().items())
            if name.startswith(prefix)
        ]

    def _check(self, groups: Sequence[str]) -> None:
        known = self._queries.runner.groups() if groups else {}
        for name in groups:
            if name not in known:
                raise LimitError(_unknown(name, known), code="unknown_group", status=404)

    def fields(
        self, groups: Sequence[str] | None, *, start_ms: int, end_ms: int
    ) -> list[dict[str, Any]]:
        """Return the fields of some groups' records, or of all, most common first.

        Raises:
            LimitError: A group does not exist.
        """
        self._check(groups or ())
        with self._store.querying() as connection:
            return fields_of(connection, groups, start_ms=start_ms, end_ms=end_ms)

    def parquet(self, columns: Sequence[tuple[str, str]], lines: Iterable[bytes]) -> bytes:
        """Return rows, each a JSON list, as a Parquet file; columns have a name and a type."""
        with (
            tempfile.TemporaryDirectory(prefix="clerestory-") as directory,
            self._store.querying() as connection,
        ):
            return parquet_of(connection, Path(directory), columns, lines)

    def saved(self) -> list[dict[str, Any]]:
        """Return the saved queries by name."""
        return [_shown(one) for one in saved.named(self._catalog)]

    def save(
        self, name: str, text: str, groups: Sequence[str], identity: str | None
    ) -> dict[str, Any]:
        """Save a query, or put it in the place of the one with this id; return the entry.

        Raises:
            LimitError: There is none with this id.
        """
        before = self._catalog.definitions.get(identity or "")
        content = {**(before.content if before else {}), "name": name, "queryString": text}
        content["logGroupNames"] = list(groups)
        try:
            return _shown(saved.put(self._catalog, content, identity=identity))
        except AwsError as error:
            raise _plain(error) from error

    def remove(self, identity: str) -> None:
        """Remove a saved query.

        Raises:
            LimitError: There is none with this id.
        """
        try:
            saved.remove(self._catalog, identity)
        except AwsError as error:
            raise _plain(error) from error


class Asked:
    """A query that was asked, until its answer is taken."""

    def __init__(self, queries: Queries, query: Query, is_stopping: Callable[[], bool]) -> None:
        self._queries = queries
        self._query = query
        self._is_stopping = is_stopping

    @property
    def done(self) -> "Future[None]":
        """Ends when the query does."""
        return self._query.done

    def result(self) -> "Result":
        """Return what it gave.

        Raises:
            ClerestoryError: Why it failed.
        """
        if self._query.error:
            raise self._query.error
        if self._query.found.result is None:
            raise LimitError("the query was cancelled", code="cancelled", status=503)
        return self._query.found.result

    def progress(self) -> tuple[int, int]:
        """Return how many rows and bytes the engine has read for it so far.

        Raises:
            LimitError: The server stops, and does not wait for it.
        """
        if self._is_stopping():
            raise _stopping()
        return self._query.prepared.progress() if self._query.status == "Running" else (0, 0)

    def close(self) -> None:
        """End the query, if it still runs, and keep nothing of it."""
        self._queries.stop(self._query)
        self._queries.forget(self._query)


def _shown(definition: Definition) -> dict[str, Any]:
    return {
        "id": definition.id,
        "name": definition.content["name"],
        "query": definition.content["queryString"],
        "groups": definition.content.get("logGroupNames", []),
        "modified": definition.modified,
    }


def _unknown(name: str, known: dict[str, int]) -> str:
    own = [one for one in known if one.endswith(f"/{name}")]
    hint = f"did you mean {own[0]}?" if own else "GET /api/v1/insights/groups lists them"
    return f"there is no log group {name[:512]!r}; {hint}"


def _stopping() -> LimitError:
    return LimitError("the server is stopping", code="stopping", status=503)


def _plain(error: AwsError) -> LimitError:
    statuses = {"ResourceNotFoundException": 404, "LimitExceededException": 429}
    codes = {404: "not_found", 429: "too_many_queries"}
    status = statuses.get(error.code, 400)
    return LimitError(str(error), code=codes.get(status, "bad_request"), status=status)


def _placed(error: AwsError, text: str) -> Exception:
    """Return the error of what a SOURCE names with its place in the query."""
    if error.code == "LimitExceededException":
        return _plain(error)
    from clerestory.server.insights.language.parser import parse

    sources = [step.at for step in parse(text).steps if step.command == "source"]
    start, end = sources[0] if sources else (0, len(text))
    return QueryError(str(error), position=start, length=end - start)
