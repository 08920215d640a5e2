"""Keeps log entries in a SQLite file that can be asked.

    store(level, message, ...) -> line -> writer -> [database] -> logs.db

The file is in WAL mode: readers and one writer at a time, of any process, do not disturb each
other. Entries that come together share a transaction.

Invariant: `store` returns when the entry's transaction was committed, or raises.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clerestory.log_metrics import MetricsCollector
from clerestory.model.errors import ClerestoryError, ConfigurationError, DeliveryError
from clerestory.model.severity import number, number_surely
from clerestory.process.encode import decode
from clerestory.storage.line import stored_line
from clerestory.storage.writer import BatchWriter
from clerestory.wire.line import iso_time, time_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS logs (
    id INTEGER PRIMARY KEY,
    timestamp INTEGER NOT NULL,  -- nanoseconds since the epoch, UTC
    level INTEGER NOT NULL,
    logger TEXT NOT NULL,
    message TEXT NOT NULL,
    line TEXT NOT NULL           -- the whole record as JSON
);
CREATE INDEX IF NOT EXISTS logs_by_time ON logs (timestamp);
CREATE INDEX IF NOT EXISTS logs_by_level ON logs (level, timestamp);
"""
_INSERT: Final = "INSERT INTO logs (timestamp, level, logger, message, line) VALUES (?, ?, ?, ?, ?)"
_REMOVE: Final = (
    "DELETE FROM logs WHERE id IN (SELECT id FROM logs WHERE timestamp < ? LIMIT 10000)"
)
_QUERY: Final = (
    "SELECT line FROM logs WHERE level >= ? AND timestamp >= ? "
    "ORDER BY timestamp DESC, id DESC LIMIT ?"
)
_BUSY_S: Final = 10.0
_DAY_NS: Final = 86_400 * 1_000_000_000
_CLEANUP_EVERY_S: Final = 3600.0
QUERY_ROWS_MAX: Final = 100_000

_Row = tuple[int, int, str, str, str]


class DatabaseLogStorage:
    """Stores log entries in a SQLite file, safely beside other processes that do the same.

    Args:
        path: The file; it and its folder are made, readable by this user only.
        retention_days: Older entries are removed, at most once an hour; 0 or None for never.
        now: The clock, seconds since the epoch.

    Attributes:
        path: The file.
        metrics_collector: Counts entries stored, failed and removed.

    Raises:
        ConfigurationError: `retention_days` is negative.
    """

    def __init__(
        self,
        path: str | Path = "logs.db",
        *,
        retention_days: float | None = 90,
        metrics_collector: MetricsCollector | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        if retention_days is not None and retention_days < 0:
            raise ConfigurationError(f"retention_days must be at least 0, got {retention_days}")
        self.path = Path(path).absolute()
        self.metrics_collector = metrics_collector or MetricsCollector()
        self._retention_days = retention_days or 0
        self._now = now
        self._writer: BatchWriter[bytes] = BatchWriter(self._insert)
        self._pid = 0
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inherited: list[sqlite3.Connection] = []
        self._cleaned_s = float("-inf")

    async def store(self, level: str | int, message: str, **kwargs: Any) -> None:
        """Store one entry.

        Args:
            level: A member, a name or a number.
            message: What happened.
            **kwargs: Fields of any value; `logger` names the logger.

        Raises:
            DeliveryError: The file cannot be written; the entry is not in it.
            LimitError: Too many entries wait already.
        """
        await self._writer.put(stored_line(level, message, kwargs))

    async def query(
        self,
        *,
        level: str | int | None = None,
        since: datetime | timedelta | float | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Return stored entries, the newest first.

        Args:
            level: Entries of this level and above; all if None.
            since: Entries from this moment on: a datetime (local if it has no zone), seconds
                since the epoch, or how long ago as a timedelta.
            limit: Most entries, 1 to 100,000.

        Returns:
            Each entry as it was stored: `timestamp` (ISO text), `level`, `logger`, `message` and
            its fields.

        Raises:
            ConfigurationError: The level is unknown or the limit is out of bounds.
            DeliveryError: The file cannot be read.
        """
        if not 1 <= limit <= QUERY_ROWS_MAX:
            raise ConfigurationError(f"limit must be 1 to {QUERY_ROWS_MAX}, got {limit}")
        try:
            lowest = 0 if level is None else number(level)
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        first_ns = 0 if since is None else int(self._moment_s(since) * 1e9)
        return await asyncio.to_thread(self._select, (lowest, first_ns, limit))

    async def cleanup_old_logs(self) -> int:
        """Remove the entries that are older than the retention; return how many.

        Raises:
            DeliveryError: The file cannot be written.
        """
        return await asyncio.to_thread(self._cleanup)

    async def close(self) -> None:
        """Let go of the file; the next entry opens it again."""
        await asyncio.to_thread(self._close)

    def stats(self) -> dict[str, int]:
        """Return how many entries were stored, not stored and removed by this object."""
        counts = self.metrics_collector.snapshot()
        return {
            "stored": counts["storage_count"],
            "failed": counts["failure_count"],
            "removed": counts.get("removed", 0),
        }

    # -- in a thread ---------------------------------------------------------------------------

    def _insert(self, lines: list[bytes]) -> None:
        rows = [_row(line) for line in lines]
        try:
            with self._writing() as connection:
                connection.executemany(_INSERT, rows)
        except ClerestoryError:
            self.metrics_collector.count("failed", len(rows))
            raise
        self.metrics_collector.count("stored", len(rows))
        if self._retention_days and self._now() - self._cleaned_s >= _CLEANUP_EVERY_S:
            try:
                self._cleanup()
            except DeliveryError:  # the entries are stored; the next hour tries again
                self.metrics_collector.count("cleanup_failed")

    def _cleanup(self) -> int:
        self._cleaned_s = self._now()
        if not self._retention_days:
            return 0
        oldest_ns = int(self._now() * 1e9 - self._retention_days * _DAY_NS)
        removed = 0
        count = 1
        while count > 0:  # in portions, so that other writers are not kept waiting
            with self._writing() as connection:
                count = connection.execute(_REMOVE, (oldest_ns,)).rowcount
            removed += count
        if removed:
            self.metrics_collector.count("removed", removed)
            with self._lock_of_this_process():
                if self._connection is not None:
                    self._connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()
        return removed

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection inside a transaction; errors of the file become our own."""
        with self._lock_of_this_process():
            try:
                with _transaction(self._opened()) as connection:
                    yield connection
            except (sqlite3.Error, OSError) as error:
                self._let_go()
                raise DeliveryError(f"{self.path}: entries not stored: {error}") from error

    def _lock_of_this_process(self) -> threading.Lock:
        """Return the lock; a forked child leaves its parent's connection alone."""
        if self._pid != os.getpid():
            self._pid, self._lock = os.getpid(), threading.Lock()
            if self._connection is not None:  # closing it would disturb the parent's locks
                self._inherited.append(self._connection)
                self._connection = None
        return self._lock

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self.path.exists():
            return self._connection
        self._let_go()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = _connect(self.path)
        try:
            _prepare(connection, self.path)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _select(self, bounds: tuple[int, int, int]) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        try:
            with closing(_connect(self.path)) as connection:
                _prepare(connection, self.path)
                rows = connection.execute(_QUERY, bounds).fetchall()
        except sqlite3.Error as error:
            raise DeliveryError(f"{self.path} cannot be read: {error}") from error
        return [_record(row[0]) for row in rows]

    def _close(self) -> None:
        with self._lock_of_this_process():
            self._let_go()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _moment_s(self, since: datetime | timedelta | float) -> float:
        if isinstance(since, timedelta):
            return self._now() - since.total_seconds()
        return since.timestamp() if isinstance(since, datetime) else float(since)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Set the file up; several processes may do so at once."""
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            # Changing the mode does not wait for others as every other statement does.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    connection.execute("PRAGMA synchronous = NORMAL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version={_VERSION};COMMIT;")
    elif version != _VERSION:
        raise ConfigurationError(
            f"{path}: schema {version}, this version of clerestory reads {_VERSION}: "
            "give another path"
        )


def _row(line: bytes) -> _Row:
    record = decode(line)
    return (
        time_of(line),
        number_surely(record.get("level")),
        str(record.get("logger", "")),
        str(record.get("message", "")),
        line.rstrip(b"\n").decode(),
    )


def _record(line: str) -> dict[str, Any]:
    record: dict[str, Any] = decode(line.encode())
    record["timestamp"] = iso_time(record["timestamp"])
    return record
