"""Queries that run or have run, and what they gave.

    operations -> [queries] -> runner

Invariant: what is kept is bounded in number, time and rows; the oldest ended queries go first.
"""

import logging
import threading
import time
import uuid
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from clerestory.model.errors import ClerestoryError
from clerestory.server.aws.catalog.catalog import now_ms
from clerestory.server.aws.errors import AwsError, missing
from clerestory.server.aws.queries.runner import Found, Prepared, QueryRunner

if TYPE_CHECKING:
    from clerestory.server.insights import Question

THREADS: Final = 2
KEPT_MAX: Final = 1000
KEPT_ROWS_MAX: Final = 500_000
KEPT_S_MAX: Final = 24 * 3600.0
RUNNING_MAX: Final = 100

_ENDED: Final = ("Complete", "Failed", "Cancelled", "Timeout")
_log = logging.getLogger("clerestory.server.aws")


@dataclass(slots=True, kw_only=True)
class Query:
    """One query.

    Attributes:
        shown: The text as DescribeQueries gives it.
        groups: The groups it was asked of.
        prepared: Runs it.
        error: Why it failed.
        done: Ends when the query does.
    """

    shown: str
    groups: tuple[str, ...]
    prepared: Prepared
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: int = field(default_factory=now_ms)
    status: str = "Scheduled"
    found: Found = field(default_factory=Found)
    error: Exception | None = None
    done: "Future[None]" = field(default_factory=Future)
    duration_ms: int = 0

    @property
    def is_ended(self) -> bool:
        """Whether it will not change any more."""
        return self.status in _ENDED


class Queries:
    """All queries of a server.

    Attributes:
        runner: Runs them.
    """

    def __init__(self, runner: QueryRunner) -> None:
        self.runner = runner
        self._kept: OrderedDict[str, Query] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="clerestory-query")

    def close(self) -> None:
        """End every query."""
        for query in self.all():
            if not query.is_ended:
                query.status = "Cancelled"
                query.prepared.cancel()
        self._pool.shutdown(cancel_futures=True)

    def ask(self, question: "Question") -> Query:
        """Compile a query and run it, as soon as a thread is free.

        Raises:
            QueryError: The text is no query.
            AwsError: Too many are waiting, or the query names a group that does not exist.
        """
        prepared, groups, shown = self.runner.prepare(question), question.groups, question.text
        if groups:
            sources = ", ".join(f'"{group}"' for group in groups)
            times = f"START={question.start_ms} END={question.end_ms}"
            shown = f"SOURCE {sources} {times} | {shown}"
        query = Query(shown=shown, groups=groups or (), prepared=prepared)
        self._start(query)
        return query

    def _start(self, query: Query) -> None:
        with self._lock:
            running = sum(not one.is_ended for one in self._kept.values())
            if running >= RUNNING_MAX:
                raise AwsError("LimitExceededException", f"{running} queries are running.")
            self._kept[query.id] = query
            self._forget()
        self._pool.submit(self._run, query).add_done_callback(lambda _task: _end(query))

    def forget(self, query: Query) -> None:
        """Keep a query no longer; nobody will ask for its rows again."""
        with self._lock:
            self._kept.pop(query.id, None)

    def _forget(self) -> None:
        oldest = now_ms() - KEPT_S_MAX * 1000
        rows = sum(one.found.count for one in self._kept.values())
        for query in list(self._kept.values()):
            is_much = len(self._kept) > KEPT_MAX or rows > KEPT_ROWS_MAX
            if query.is_ended and (is_much or query.created < oldest):
                rows -= query.found.count
                del self._kept[query.id]

    def _run(self, query: Query) -> None:
        if query.is_ended:
            return
        query.status, began = "Running", time.monotonic()
        try:
            query.found = query.prepared.run()
            status = "Complete"
        except ClerestoryError as error:
            status, query.error = str(getattr(error, "status", "Failed")), error
        except Exception as error:  # the wall of this thread: the query has failed
            _log.exception("a query failed")
            status, query.error = "Failed", error
        query.duration_ms = int((time.monotonic() - began) * 1000)
        if query.status == "Running":
            query.status = status

    def stop(self, query: Query) -> bool:
        """End a query; return whether it was running."""
        if query.is_ended:
            return False
        was_running, query.status = query.status == "Running", "Cancelled"
        if was_running:
            query.prepared.cancel()
        return True

    def get(self, identity: str) -> Query:
        """Return a query.

        Raises:
            AwsError: There is none.
        """
        found = self._kept.get(identity)
        if found is None:
            raise missing(f"Query {identity} does not exist.")
        return found

    def all(self) -> list[Query]:
        """Return all queries, the newest first."""
        with self._lock:
            return list(self._kept.values())[::-1]


def _end(query: Query) -> None:
    if not query.done.done():
        query.done.set_result(None)
