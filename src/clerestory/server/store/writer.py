r"""The one thread that stores: takes what waits, stores it together, then answers each.

    ingest -> queue -> [writer] -> fresh -> logs, rejected, spans
                                       \-> tails (api/live)

Invariant: an answer means stored. `fresh` is filled first; only when the insert into `logs` has
returned is a batch answered and its spool's watermark moved, so a resend is stored once. A commit
that is no single part is noted first (see intent), so it is stored whole or not at all.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import logging
import os
import queue
import secrets
import tempfile
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from clerestory.model.errors import ClerestoryError, LimitError
from clerestory.server.store import decode, spans
from clerestory.server.store.batch import Batch, Kind, Stored
from clerestory.server.store.embedded import Connection, EmbeddedStore, StoreError
from clerestory.server.store.intent import Intent
from clerestory.server.store.schema import FRESH_COLUMNS, FRESH_EVENT_COLUMNS, LOG_COLUMNS

QUEUE_BYTES_MAX: Final = 128 * 1024 * 1024
GROUP_BYTES_MAX: Final = 32 * 1024 * 1024
GROUP_BATCHES_MAX: Final = 512
BUSY_BYTES_MIN: Final = 256 * 1024
LINGER_S: Final = 0.025
LINGER_ARRIVING_S: Final = 0.2
PART_ROWS_MAX: Final = 250_000  # the engine cuts an insert at a million rows or 256 MB
PART_BYTES_MAX: Final = 32 * 1024 * 1024

_COLUMNS: Final = ", ".join(LOG_COLUMNS)
_DECODED: Final = ", ".join(FRESH_COLUMNS)
_STORE_LOGS: Final = f"INSERT INTO logs ({_COLUMNS}) SELECT {_COLUMNS} FROM fresh WHERE reason = ''"
_FRESH: Final = f"INSERT INTO fresh ({_DECODED})"
_FRESH_MIXED: Final = f"INSERT INTO fresh_mixed ({_DECODED})"
_FRESH_EVENTS: Final = f"INSERT INTO fresh ({', '.join(FRESH_EVENT_COLUMNS)})"
_EVENT_SELECTS: Final = {Kind.EVENTS: decode.events_select, Kind.TEXTS: decode.texts_select}
_FRESH_ALL: Final = (
    "(SELECT spool, seq, reason, ts, 0 AS span FROM fresh UNION ALL "
    "SELECT spool, seq, '' AS reason, ts, 1 AS span FROM fresh_spans)"
)
_log = logging.getLogger("clerestory.server.store")


class RefusedBatchError(ClerestoryError):
    """The batch cannot be decoded; the same bytes will never be taken."""


@dataclass(slots=True)
class Counters:
    """What the writer has done since it started."""

    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    commits: int = 0
    failed: int = 0
    commit_s: float = 0.0


@dataclass(slots=True)
class _Claim:
    """Part of a group: one batch's bytes after the lines already stored are cut off."""

    batch: Batch
    spool: str
    first: int
    after: int
    duplicate: int
    body: bytes


@dataclass(slots=True)
class _Tally:
    """What became of a claim's rows: their count, how many were refused, the first's number."""

    count: int = 0
    refused: int = 0
    first: int = 2**64

    def add(self, count: int, refused: int, first: int) -> None:
        self.count += count
        self.refused += refused
        self.first = min(self.first, first)


class Writer:
    """Stores batches, several in one insert.

    Attributes:
        counters: What it has done so far.
        on_commit: Called in the writer's thread after each commit, while `fresh` holds its rows.
    """

    def __init__(self, store: EmbeddedStore, *, line_bytes_max: int, fields_max: int) -> None:
        self.counters = Counters()
        self.on_commit: Callable[[Connection], None] | None = None
        self._limits = (line_bytes_max, fields_max)
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._closing = False
        self._busy = False
        self._arriving = 0
        self._connection = store.inserting()
        self._proto = str(store.path / spans.PROTO_FILE)
        self._own_spools = {kind: secrets.token_hex(16) for kind in Kind}
        # one numbering, so that events of one time keep the order of their requests
        self._own_spools[Kind.TEXTS] = self._own_spools[Kind.EVENTS]
        self._intent = Intent(store.path)
        self._intent.undo(self._connection)
        self._watermarks = self._recovered()
        self._thread = threading.Thread(target=self._work, name="clerestory-writer", daemon=True)
        self._thread.start()

    def _recovered(self) -> dict[str, int]:
        rows = self._connection.rows(
            "SELECT spool, max(last) + 1 FROM ("
            "SELECT spool, max(seq) AS last FROM logs GROUP BY spool UNION ALL "
            "SELECT spool, max(seq) AS last FROM spans GROUP BY spool UNION ALL "
            "SELECT spool, max(seq) AS last FROM rejected GROUP BY spool) GROUP BY spool"
        )
        return {str(spool): int(following) for spool, following in rows}

    def submit(self, batch: Batch) -> None:
        """Queue a batch; its `answer` completes when it is stored.

        Raises:
            LimitError: The queue is full (`busy`, 429) or the writer stops (`stopping`, 503).
        """
        size = len(batch.body)
        with self._lock:
            if self._closing:
                raise LimitError("the server is stopping; send again", code="stopping", status=503)
            if self._waiting_bytes and self._waiting_bytes + size > QUEUE_BYTES_MAX:
                message = (
                    f"{self._waiting_bytes} bytes wait to be stored and the limit is "
                    f"{QUEUE_BYTES_MAX}; send again after the time in Retry-After"
                )
                raise LimitError(message, code="busy", status=429)
            self._waiting_bytes += size
            self._queue.put(batch)

    def close(self) -> None:
        """Store what waits, then stop the thread."""
        with self._lock:
            already, self._closing = self._closing, True
        if not already:
            self._queue.put(None)
            self._thread.join()
            self._connection.close()

    def _work(self) -> None:
        while True:
            group, last = self._next_group()
            if group:
                started = time.monotonic()
                size = sum(len(batch.body) for batch in group)
                self._commit_group(group)
                self.counters.commit_s += time.monotonic() - started
                with self._lock:
                    self._waiting_bytes -= size
            if last:
                return

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """Tell that a request's body is on its way; used in the event loop alone."""
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    def _next_group(self) -> tuple[list[Batch], bool]:
        """Return what waits, and whether it is the last.

        A commit costs some 40 ms before its first record, and every part is merged later. So
        after a large one the next group waits a moment for the senders that were just answered,
        and longer while their bodies are arriving.
        """
        group: list[Batch] = []
        size = 0
        started = 0.0
        while size < GROUP_BYTES_MAX and len(group) < GROUP_BATCHES_MAX:
            wait_s = self._patience_s(started) if group else None
            try:
                batch = self._queue.get(timeout=wait_s)
            except queue.Empty:
                if self._patience_s(started) > 0:
                    continue
                break
            if batch is None:
                return group, True
            started = started or time.monotonic()
            group.append(batch)
            size += len(batch.body)
        self._busy = size >= BUSY_BYTES_MIN
        return group, False

    def _patience_s(self, started: float) -> float:
        if not self._busy:
            return 0.0
        limit_s = LINGER_ARRIVING_S if self._arriving else LINGER_S
        return max(0.0, started + limit_s - time.monotonic())

    def _commit_group(self, group: list[Batch]) -> None:
        try:
            self._commit(group)
        except Exception as error:  # the wall of this thread: every batch gets an answer
            plain = self._made_plain(group)
            if plain:
                self._commit_group(plain)
            elif len(group) > 1:
                for batch in group:
                    self._commit_group([batch])
            elif not group[0].answer.done():
                self._commit_alone(group[0], error)

    def _made_plain(self, group: list[Batch]) -> list[Batch]:
        """Return the group with its traces as the engine can decode them; nothing if they are."""
        if all(batch.plain_of is None for batch in group):
            return []
        plain = [batch for batch in group if batch.plain_of is None]
        for batch in group:
            if batch.plain_of is not None:
                convert, batch.plain_of = batch.plain_of, None
                try:
                    batch.body = convert(batch.body)
                    plain.append(batch)
                except ClerestoryError as refusal:
                    self.counters.failed += 1
                    batch.answer.set_exception(refusal)
        return plain

    def _commit_alone(self, batch: Batch, error: Exception) -> None:
        """Store an OTLP body by way of lines, or tell the sender that it cannot be stored."""
        try:
            if batch.kind is not Kind.OTLP or batch.lines_of is None:
                raise error  # noqa: TRY301
            parts = [
                Batch(kind=Kind.RECORDS, body=lines, resource=resource)
                for resource, lines in batch.lines_of(batch.body)
            ]
            self._commit(parts)
            done = [part.answer.result() for part in parts]
            batch.answer.set_result(
                Stored(sum(part.stored for part in done), 0, sum(part.rejected for part in done))
            )
        except Exception as failure:  # the wall of this thread: the sender hears of it
            self.counters.failed += 1
            if not isinstance(failure, ClerestoryError):
                _log.exception("a batch failed")
            batch.answer.set_exception(failure)

    def _commit(self, group: list[Batch]) -> None:
        self._intent.undo(self._connection)  # a note that could not be struck out before
        marks = dict[str, int]()
        claims = [self._claim(batch, marks) for batch in group]
        self._connection.run("TRUNCATE TABLE fresh")
        arrival = time.time_ns()
        records = [c for c in claims if c.batch.kind is Kind.RECORDS and c.body]
        # rfind reads a body without it twice as fast as `in` does
        mixed = {id(c) for c in records if c.body.rfind(spans.MARK) >= 0}
        traces = [c for c in claims if c.batch.kind is Kind.SPANS]
        self._decode(_FRESH, [c for c in records if id(c) not in mixed], arrival)
        self._decode_otlp([c for c in claims if c.batch.kind is Kind.OTLP], arrival)
        for kind, select in _EVENT_SELECTS.items():
            self._decode_events([c for c in claims if c.batch.kind is kind], select, arrival)
        with_spans = bool(mixed or traces)
        if with_spans:
            self._decode_spans([c for c in records if id(c) in mixed], traces, arrival)
        tallies, inserts, in_parts = self._decoded(claims, with_spans=with_spans)
        if in_parts or sum(len(claim.body) for claim in claims) > PART_BYTES_MAX:
            self._insert_noted(claims, inserts, arrival)
        else:
            self._insert(inserts)
        self._watermarks.update(marks)
        self.counters.commits += 1
        self._answer(claims, tallies)
        if self.on_commit is not None:
            self.on_commit(self._connection)

    def _decoded(
        self, claims: list[_Claim], *, with_spans: bool
    ) -> tuple[list[_Tally], list[str], bool]:
        """Return what became of each claim, what stores it, and whether that takes several parts.

        Requests that were decoded together are counted together, with the first. Rejected lines
        and spans go to tables of their own, so a commit with some and others takes several parts.
        """
        counted: dict[str, list[tuple[int, _Tally]]] = {}
        tallies = [_Tally() for _ in claims]
        for claim, tally in zip(claims, tallies, strict=True):
            of_spool = counted.setdefault(claim.spool, [])
            if claim.body and (claim.batch.kind is Kind.RECORDS or not of_spool):
                of_spool.append((claim.first, tally))
        starts = sorted({first for of_spool in counted.values() for first, _ in of_spool})
        spanned, source = ("sum(span)", _FRESH_ALL) if with_spans else ("0", "fresh")
        rows = self._connection.rows(
            f"SELECT spool, count(), countIf(reason != ''), min(seq), {spanned}, "
            f"toString(toDate(min(ts))), toString(toDate(max(ts))) FROM {source} "
            f"GROUP BY spool, roundDown(seq, CAST({starts or [0]}, 'Array(UInt64)'))"
        )
        for spool, count, refused, first, *_ in rows:
            of_spool = counted[spool]
            place = bisect_right(of_spool, int(first), key=lambda one: one[0])
            of_spool[max(place, 1) - 1][1].add(int(count), int(refused), int(first))
        days = {day for row in rows for day in row[5:]}
        refused = sum(tally.refused for tally in tallies)
        count = sum(tally.count for tally in tallies)
        of_spans = sum(int(row[4]) for row in rows)
        inserts = [_STORE_LOGS] if not of_spans or count > of_spans + refused else []
        inserts += [spans.STORE_SPANS] if of_spans else []
        in_parts = len(days) > 1 or refused > 0 or count > PART_ROWS_MAX or len(inserts) > 1
        return tallies, inserts, in_parts

    def _insert(self, inserts: list[str]) -> None:
        for statement in inserts:
            self._connection.run(statement)

    def _insert_noted(self, claims: list[_Claim], inserts: list[str], arrival: int) -> None:
        firsts = dict[str, int]()
        for claim in claims:
            firsts[claim.spool] = min(firsts.get(claim.spool, claim.first), claim.first)
        self._intent.note(firsts)
        try:
            self._keep_rejected(arrival)
            self._insert(inserts)
        except StoreError:
            self._intent.undo(self._connection)
            raise
        self._intent.strike()

    def _claim(self, batch: Batch, marks: dict[str, int]) -> _Claim:
        spool = batch.spool or self._own_spools[batch.kind]
        mark = marks.get(spool, self._watermarks.get(spool, 0))
        if batch.kind is not Kind.RECORDS or not batch.spool:
            # a number for every byte is more than enough, and nothing has to be counted
            after = mark + len(batch.body) + 1
            marks[spool] = after
            return _Claim(batch, spool, mark, after, 0, batch.body)
        lines = batch.body.count(b"\n") + (not batch.body.endswith(b"\n") and bool(batch.body))
        after = batch.first + lines
        skip = min(max(mark - batch.first, 0), lines)
        marks[spool] = max(mark, after)
        body = _without_lines(batch.body, skip)
        return _Claim(batch, spool, batch.first + skip, after, skip, body)

    def _decode(self, into: str, claims: list[_Claim], arrival: int) -> None:
        if not claims:
            return
        rows = (
            part
            for claim in claims
            for part in (
                _binary(claim.batch.resource) + _binary(claim.spool.encode()),
                claim.first.to_bytes(8, "little") + _varint(len(claim.body)),
                claim.body,
            )
        )
        line_bytes_max, fields_max = self._limits
        with _file_of(rows) as path:
            select = decode.records_select(
                path, line_bytes_max=line_bytes_max, fields_max=fields_max
            )
            self._connection.run(f"{into} {select}", {"arrival": arrival})

    def _decode_spans(self, mixed: list[_Claim], traces: list[_Claim], arrival: int) -> None:
        """Decode lines of which some are spans, and OTLP traces."""
        self._connection.run("TRUNCATE TABLE fresh_spans")
        if mixed:
            self._connection.run("TRUNCATE TABLE fresh_mixed")
            self._decode(_FRESH_MIXED, mixed, arrival)
            self._connection.run(
                f"{_FRESH} SELECT {_DECODED} FROM fresh_mixed WHERE NOT {spans.IS_SPAN}"
            )
            self._connection.run(f"{spans.FRESH_SPANS} {spans.lines_select()}")
        self._decode_requests(
            traces,
            lambda path: f"{spans.FRESH_SPANS} {spans.otlp_select(path, self._proto)}",
            arrival,
        )

    def _decode_otlp(self, claims: list[_Claim], arrival: int) -> None:
        self._decode_requests(claims, lambda path: f"{_FRESH} {decode.otlp_select(path)}", arrival)

    def _decode_requests(
        self, claims: list[_Claim], insert: Callable[[str], str], arrival: int
    ) -> None:
        if not claims:
            return
        spool = claims[0].spool.encode()
        identity = b"\xc0\x3e" + _varint(claims[0].first) + b"\xca\x3e" + _binary(spool)
        with _file_of([identity, *(claim.body for claim in claims)]) as path:
            try:
                self._connection.run(insert(path), {"arrival": arrival})
            except StoreError as error:
                raise RefusedBatchError(f"the request cannot be decoded: {error}") from error

    def _decode_events(
        self, claims: list[_Claim], select: Callable[..., str], arrival: int
    ) -> None:
        if not claims:
            return
        encode = msgspec.msgpack.encode
        rows = (
            part
            for claim in claims
            for part in (encode(claim.spool) + encode(claim.first), claim.body)
        )
        with _file_of(rows) as path:
            sql = select(path, fields_max=self._limits[1])
            self._connection.run(f"{_FRESH_EVENTS} {sql}", {"arrival": arrival})

    def _keep_rejected(self, arrival: int) -> None:
        self._connection.run(
            "INSERT INTO rejected SELECT fromUnixTimestamp64Milli({at:Int64}, 'UTC'), "
            "spool, seq, reason, line FROM fresh WHERE reason != ''",
            {"at": arrival // 1_000_000},
        )

    def _answer(self, claims: list[_Claim], tallies: list[_Tally]) -> None:
        for claim, tally in zip(claims, tallies, strict=True):
            first_id = f"{claim.spool}:{tally.first}" if tally.count else ""
            stored = tally.count - tally.refused
            self._complete(claim, Stored(stored, claim.duplicate, tally.refused, first_id))

    def _complete(self, claim: _Claim, stored: Stored) -> None:
        self.counters.stored += stored.stored
        self.counters.duplicate += stored.duplicate
        self.counters.rejected += stored.rejected
        claim.batch.answer.set_result(stored)


def _without_lines(body: bytes, count: int) -> bytes:
    position = 0
    for _ in range(count):
        following = body.find(b"\n", position)
        if following < 0:
            return b""
        position = following + 1
    return body[position:] if position else body


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _binary(content: bytes) -> bytes:
    return _varint(len(content)) + content


@contextmanager
def _file_of(parts: Iterable[bytes]) -> Iterator[str]:
    """Lend the path of a file of `parts`, in memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("clerestory")
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp(prefix="clerestory-")
    try:
        for part in parts:
            view = memoryview(part)
            while view:
                view = view[os.write(descriptor, view) :]
        yield path
    finally:
        os.close(descriptor)
        if not path.startswith("/proc/"):
            Path(path).unlink(missing_ok=True)
