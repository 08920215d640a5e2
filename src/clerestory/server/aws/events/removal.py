"""Events that go: those of deleted groups and streams, and those past a group's retention.

    operations, jobs -> [removal] -> store

Invariant: a deletion is noted on disk before its first event goes and struck out after its last,
so one that was interrupted is finished at the next start.
"""

import logging
import time
from typing import Final

from clerestory.server.aws.catalog.catalog import Catalog
from clerestory.server.aws.service import Service
from clerestory.server.store.batch import Batch, Kind
from clerestory.server.store.embedded import EmbeddedStore, Parameter
from clerestory.server.store.writer import Writer

RETENTION_S: Final = 6 * 3600.0  # every turn rewrites the day that it cuts
DAY_MS: Final = 86_400_000

_log = logging.getLogger("clerestory.server.aws")


def remove_events(service: Service, group: str, stream: str = "") -> None:
    """Take the events of a removed group or stream out of the store.

    Raises:
        StoreError: The engine refused; the deletion is tried again at the next start.
    """
    _wait_for_queue(service.writer)
    _finish(service.store, service.catalog, group, stream)


def finish_deletions(store: EmbeddedStore, catalog: Catalog) -> None:
    """Finish what an earlier run did not."""
    for group, stream in catalog.deletions():
        _finish(store, catalog, group, stream)


def _wait_for_queue(writer: Writer) -> None:
    """Wait until every event that was queued before is stored: batches are stored in order."""
    last = Batch(kind=Kind.RECORDS, body=b"")
    writer.submit(last)
    last.answer.result()


def _finish(store: EmbeddedStore, catalog: Catalog, group: str, stream: str) -> None:
    where = "log_group = {group:String}"
    parameters: dict[str, Parameter] = {"group": group}
    if stream:
        where += " AND log_stream = {stream:String}"
        parameters["stream"] = stream
    _delete(store, where, parameters)
    catalog.strike(group, stream)


def _delete(store: EmbeddedStore, where: str, parameters: dict[str, Parameter]) -> bool:
    """Delete rows; return whether there were any. Parts without such rows are not rewritten."""
    with store.querying() as connection:
        if not connection.rows(f"SELECT 1 FROM logs WHERE {where} LIMIT 1", parameters):  # noqa: S608
            return False
        connection.run(
            f"ALTER TABLE logs DELETE WHERE {where} "
            "SETTINGS mutations_sync = 1, max_execution_time = 0",
            parameters,
        )
    return True


class Retention:
    """Keeps every group's retention, as the jobs' clock tells it to."""

    def __init__(self, store: EmbeddedStore, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        self._next_s = 0.0
        self._known: dict[str, int] = {}

    def turn(self) -> None:
        """Delete what is too old, if it is time or a retention has changed."""
        asked = {
            group.name: group.retention_days
            for group in list(self._catalog.groups.values())
            if group.retention_days is not None
        }
        if asked == self._known and time.monotonic() < self._next_s:
            return
        self._known, self._next_s = asked, time.monotonic() + RETENTION_S
        for name, days in asked.items():
            oldest = time.time_ns() // 1_000_000 - days * DAY_MS
            where = (
                "log_group = {group:String} "
                "AND ts < fromUnixTimestamp64Milli({oldest:Int64}, 'UTC')"
            )
            if _delete(self._store, where, {"group": name, "oldest": oldest}):
                _log.info("events of %s older than %d days were deleted", name, days)
