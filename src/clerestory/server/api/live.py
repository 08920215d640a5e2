"""The live tail: rows as they are stored, to everyone who watches.

    writer -> [live] ~~> page, `clerestory tail`

After each commit the rows in `fresh` are matched once for every distinct search and encoded once;
all clients of a search get the same bytes.

Invariant: a slow client costs a bounded queue; what it misses is counted in `skipped`.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import asyncio
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from clerestory.server.api.logs import split_cursor
from clerestory.server.api.rows import ROW_SQL, encode, row_of
from clerestory.server.query.parser import parse
from clerestory.server.query.sql import Condition, condition_of
from clerestory.server.store.embedded import Connection

FRAME_S: Final = 0.05
HEARTBEAT_S: Final = 15.0
COMMIT_ROWS_MAX: Final = 500
CLIENT_ROWS_MAX: Final = 2000
CLIENTS_MAX: Final = 200
GAP_ROWS_MAX: Final = 1000
GAP_OVERLAP_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one commit that match one search, encoded."""

    rows: bytes
    count: int
    skipped: int
    newest_ns: int


@dataclass(eq=False, slots=True)
class Client:
    """One who watches."""

    q: str
    condition: Condition
    cursor_ns: int
    waiting: deque[Chunk] = field(default_factory=deque)
    waiting_rows: int = 0
    skipped: int = 0
    paused: bool = False
    closed: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, chunk: Chunk) -> None:
        """Queue a chunk; the oldest ones give way."""
        self.waiting.append(chunk)
        self.waiting_rows += chunk.count
        self.skipped += chunk.skipped
        while self.waiting_rows > CLIENT_ROWS_MAX and len(self.waiting) > 1:
            dropped = self.waiting.popleft()
            self.waiting_rows -= dropped.count
            self.skipped += dropped.count
        self.wake.set()

    def frame(self) -> bytes:
        """Return everything that waits as one frame, and forget it."""
        chunks, skipped = list(self.waiting), self.skipped
        self.waiting.clear()
        self.waiting_rows = self.skipped = 0
        self.wake.clear()
        self.cursor_ns = max([self.cursor_ns, *(chunk.newest_ns for chunk in chunks)])
        rows = b",".join(chunk.rows for chunk in chunks if chunk.rows)
        return f'{{"cursor":"{self.cursor_ns}","skipped":{skipped},"rows":['.encode() + rows + b"]}"


class Hub:
    """All who watch, and the searches they share."""

    def __init__(self) -> None:
        self._clients: set[Client] = set()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.closed = False

    def __len__(self) -> int:
        return len(self._clients)

    def join(self, q: str, *, since: str = "") -> Client:
        """Add a client, in the event loop.

        Raises:
            QueryError: The search is malformed.
        """
        condition = condition_of(parse(q))
        client = Client(q, condition, _cursor_ns(since) if since else time.time_ns())
        with self._lock:
            self._loop = asyncio.get_running_loop()
            self._clients.add(client)
        return client

    def change(self, client: Client, q: str) -> None:
        """Give a client another search.

        Raises:
            QueryError: The search is malformed; the old one stays.
        """
        condition = condition_of(parse(q))
        with self._lock:
            client.q, client.condition = q, condition
        client.waiting.clear()
        client.waiting_rows = 0

    def leave(self, client: Client) -> None:
        """Remove a client."""
        with self._lock:
            self._clients.discard(client)

    def stop(self) -> None:
        """End every tail, in the event loop."""
        self.closed = True
        for client in list(self._clients):
            client.closed = True
            client.wake.set()

    def after_commit(self, connection: Connection) -> None:
        """Match what was just stored, in the writer's thread."""
        if not self._clients:
            return
        with self._lock:
            by_search: dict[str, list[Client]] = {}
            for client in self._clients:
                by_search.setdefault(client.q, []).append(client)
            loop = self._loop
        if loop is None or loop.is_closed():
            return
        for clients in by_search.values():
            chunk = _matching(connection, clients[0].condition)
            if chunk is not None:
                loop.call_soon_threadsafe(_offer, clients, chunk)


def _offer(clients: list[Client], chunk: Chunk) -> None:
    for client in clients:
        if not client.paused:
            client.offer(chunk)


def _matching(connection: Connection, condition: Condition) -> Chunk | None:
    where = f"reason = '' AND ({condition.sql})"
    found = connection.rows(
        f"SELECT {ROW_SQL}, count() OVER () FROM fresh WHERE {where} "
        f"ORDER BY ts DESC, spool DESC, seq DESC LIMIT {COMMIT_ROWS_MAX}",
        condition.parameters,
    )
    if not found:
        return None
    total = int(found[0][10])
    return _chunk(found[::-1], total - len(found))


def _chunk(found: list[list[Any]], skipped: int) -> Chunk:
    rows = b",".join(encode(row_of(row)) for row in found)
    newest = max((int(row[0]) for row in found), default=0)
    return Chunk(rows, len(found), skipped, newest)


def gap(connection: Connection, condition: Condition, since: str) -> Chunk | None:
    """Return what was stored since a cursor, at most the newest 1000 rows.

    It begins a little before the cursor, because records arrive out of order; clients know rows
    by their id.
    """
    at = "fromUnixTimestamp64Nano({since:Int64}, 'UTC')"
    where = f"ts > {at} AND ({condition.sql})"
    parameters = {**condition.parameters, "since": max(0, _cursor_ns(since) - GAP_OVERLAP_NS)}
    found = connection.rows(
        f"SELECT {ROW_SQL} FROM logs WHERE {where} "
        f"ORDER BY ts DESC, spool DESC, seq DESC LIMIT {GAP_ROWS_MAX}",
        parameters,
    )
    if not found:
        return None
    total = len(found)
    if total == GAP_ROWS_MAX:
        total = connection.rows(f"SELECT count() FROM logs WHERE {where}", parameters)[0][0]
    return _chunk(found[::-1], int(total) - len(found))


def _cursor_ns(since: str) -> int:
    return split_cursor(f"{since}:x:0" if ":" not in since else since)[0]
