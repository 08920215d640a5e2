"""Queries that run or have run, and what they gave.

    operations -> [queries] -> runner

Invariant: what is kept is bounded in number, time and rows; the oldest ended queries go first.
"""

import logging
import threading
import time
import uuid
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from clerestory.model.errors import ClerestoryError
from clerestory.server.aws.catalog.catalog import now_ms
from clerestory.server.aws.errors import AwsError, missing
from clerestory.server.aws.queries.runner import Found, Prepared, QueryRunner

THREADS: Final = 2
KEPT_MAX: Final = 1000
KEPT_ROWS_MAX: Final = 500_000
KEPT_S_MAX: Final = 24 * 3600.0
RUNNING_MAX: Final = 100

_ENDED: Final = ("Complete", "Failed", "Cancelled", "Timeout")
_NONE: Final = {
    "recordsMatched": 0.0,
    "recordsScanned": 0.0,
    "bytesScanned": 0.0,
    "estimatedRecordsSkipped": 0.0,
    "estimatedBytesSkipped": 0.0,
    "logGroupsScanned": 0.0,
    "resultCount": 0.0,
}
_log = logging.getLogger("clerestory.server.aws")


@dataclass(slots=True, kw_only=True)
class Query:
    """One query.

    Attributes:
        shown: The text as DescribeQueries gives it.
        groups: The groups it was asked of.
        prepared: Runs it.
    """

    shown: str
    groups: tuple[str, ...]
    prepared: Prepared
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: int = field(default_factory=now_ms)
    status: str = "Scheduled"
    found: Found = field(default_factory=lambda: Found(rows=[], statistics=_NONE))
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

    def start(self, query: Query) -> None:
        """Run a query, as soon as a thread is free.

        Raises:
            AwsError: Too many are waiting.
        """
        with self._lock:
            running = sum(not one.is_ended for one in self._kept.values())
            if running >= RUNNING_MAX:
                raise AwsError("LimitExceededException", f"{running} queries are running.")
            self._kept[query.id] = query
            self._forget()
        self._pool.submit(self._run, query)

    def _forget(self) -> None:
        oldest = now_ms() - KEPT_S_MAX * 1000
        rows = sum(len(one.found.rows) for one in self._kept.values())
        for query in list(self._kept.values()):
            is_much = len(self._kept) > KEPT_MAX or rows > KEPT_ROWS_MAX
            if query.is_ended and (is_much or query.created < oldest):
                rows -= len(query.found.rows)
                del self._kept[query.id]

    def _run(self, query: Query) -> None:
        if query.is_ended:
            return
        query.status, began = "Running", time.monotonic()
        try:
            query.found = query.prepared.run()
            status = "Complete"
        except ClerestoryError as error:
            status = str(getattr(error, "status", "Failed"))
        except Exception:  # the wall of this thread: the query has failed
            _log.exception("a query failed")
            status = "Failed"
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
