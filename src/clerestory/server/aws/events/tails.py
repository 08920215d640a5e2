"""Live tails: events as they are stored, a frame a second.

    writer -> [tails] -> frames ~~> StartLiveTail

Invariant: a session holds a bounded number of events; a client that is too slow, or a flood, gets
a sample and is told so.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import asyncio
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from clerestory.server.aws.errors import AwsError, invalid
from clerestory.server.aws.groups import GROUP_SQL, MESSAGE_SQL, STREAM_SQL, Condition, scope_of
from clerestory.server.aws.names import ACCOUNT, group_of
from clerestory.server.aws.patterns.parser import parse_pattern
from clerestory.server.aws.patterns.sql import pattern_sql
from clerestory.server.aws.protocol.frames import event_frame, exception_frame
from clerestory.server.aws.service import Call
from clerestory.server.store.embedded import Connection

UPDATE_S: Final = 1.0
UPDATE_EVENTS_MAX: Final = 500
WAITING_EVENTS_MAX: Final = 5000
SESSION_S_MAX: Final = 3 * 3600
SESSIONS_MAX: Final = 50
STREAMS_MAX: Final = 10

_log = logging.getLogger("clerestory.server.aws")


@dataclass(slots=True, kw_only=True)
class Session:
    """One live tail."""

    start: dict[str, Any]
    where: str
    made: Condition
    waiting: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=WAITING_EVENTS_MAX))
    sampled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def offer(self, events: list[dict[str, Any]], *, missed: bool) -> None:
        """Keep events for the next update; the oldest give way."""
        with self.lock:
            room = WAITING_EVENTS_MAX - len(self.waiting)
            self.sampled = self.sampled or missed or len(events) > room
            self.waiting.extend(events)

    def update(self) -> bytes:
        """Return the frame of what waits, at most 500 events, spread evenly."""
        with self.lock:
            events, sampled = list(self.waiting), self.sampled
            self.waiting.clear()
            self.sampled = False
        step = -(-len(events) // UPDATE_EVENTS_MAX) if events else 1
        content = {
            "sessionMetadata": {"sampled": sampled or step > 1},
            "sessionResults": events[::step],
        }
        return event_frame("sessionUpdate", content)


class Tails:
    """All live tails."""

    def __init__(self, is_stopping: Callable[[], bool]) -> None:
        self._sessions: list[Session] = []
        self._lock = threading.Lock()
        self._is_stopping = is_stopping

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, call: Call) -> AsyncIterator[bytes]:
        """Return the frames of a new session, which begins when they are read.

        Raises:
            AwsError: The request cannot be.
        """
        session = session_of(call)
        if len(self) >= SESSIONS_MAX:
            message = f"{SESSIONS_MAX} live tails are open, which is the limit; close one."
            raise AwsError("LimitExceededException", message)
        return self._frames(session)

    async def _frames(self, session: Session) -> AsyncIterator[bytes]:
        started = time.monotonic()
        with self._lock:
            self._sessions.append(session)
        try:
            yield event_frame("initial-response", {})
            yield event_frame("sessionStart", session.start)
            while time.monotonic() - started < SESSION_S_MAX:
                await asyncio.sleep(UPDATE_S)
                yield session.update()
                if self._is_stopping():
                    message = "The server is stopping; start another session."
                    yield exception_frame("SessionStreamingException", message)
                    return
            message = "The session has ended after three hours; start another."
            yield exception_frame("SessionTimeoutException", message)
        finally:
            with self._lock:
                self._sessions.remove(session)

    def after_commit(self, connection: Connection) -> None:
        """Match what was just stored, in the writer's thread."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            try:
                _match(connection, session)
            except Exception:  # the wall of a plug: the events are stored, whatever a tail does
                _log.exception("a live tail missed events")
                session.offer([], missed=True)


def session_of(call: Call) -> Session:
    """Return the session that a request asks for.

    Raises:
        AwsError: A group does not exist, or the members do not go together.
    """
    given = call.given
    groups = [group_of(one) for one in given["logGroupIdentifiers"]]
    names, prefixes = given.get("logStreamNames"), given.get("logStreamNamePrefixes")
    if names and prefixes:
        raise invalid("logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.")
    if (names or prefixes) and len(groups) != 1:
        raise invalid("Log streams can be specified only with exactly one log group.")
    if len(names or prefixes or ()) > STREAMS_MAX:
        raise invalid(f"At most {STREAMS_MAX} log streams or prefixes can be specified.")
    pattern = parse_pattern(given.get("logEventFilterPattern", ""))
    for group in groups:
        call.service.check_readable(group)
    sql, parameters = scope_of(groups)
    made = Condition(parameters=dict(parameters))
    where = f"reason = '' AND {sql} AND ({pattern_sql(pattern, MESSAGE_SQL, made)})"
    if names:
        where += f" AND {STREAM_SQL} IN {made.texts(names)}"
    if prefixes:
        parts = (f"startsWith({STREAM_SQL}, {made.text(one)})" for one in prefixes)
        where += f" AND ({' OR '.join(parts)})"
    start = {"requestId": call.request_id, "sessionId": str(uuid.uuid4())}
    told = ("logGroupIdentifiers", "logStreamNames", "logStreamNamePrefixes")
    shown = {name: given[name] for name in (*told, "logEventFilterPattern") if name in given}
    return Session(start=start | shown, where=where, made=made)


def _match(connection: Connection, session: Session) -> None:
    found = connection.rows(
        f"SELECT toUnixTimestamp64Milli(toDateTime64(ts, 3, 'UTC')), "
        f"toUnixTimestamp64Milli(ingested), {GROUP_SQL}, {STREAM_SQL}, {MESSAGE_SQL} FROM fresh "
        f"WHERE {session.where} ORDER BY ts LIMIT {UPDATE_EVENTS_MAX + 1}",
        session.made.parameters,
    )
    if not found:
        return
    events = [
        {
            "logStreamName": stream,
            "logGroupIdentifier": f"{ACCOUNT}:{group}",
            "message": text,
            "timestamp": at,
            "ingestionTime": taken,
        }
        for at, taken, group, stream, text in found[:UPDATE_EVENTS_MAX]
    ]
    session.offer(events, missed=len(found) > UPDATE_EVENTS_MAX)
