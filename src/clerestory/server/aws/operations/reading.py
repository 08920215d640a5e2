"""GetLogEvents, FilterLogEvents, GetLogRecord, GetLogGroupFields: events read back.

endpoint -> [reading] -> pages -> store
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import time
from typing import Any, Final

from clerestory.server.aws.errors import invalid, missing
from clerestory.server.aws.events.pages import Page, Place, read_page
from clerestory.server.aws.groups import (
    GROUP_SQL,
    MESSAGE_SQL,
    STREAM_SQL,
    Condition,
    event_column,
    is_own,
    scope_of,
    stream_column,
)
from clerestory.server.aws.names import ACCOUNT, one_group
from clerestory.server.aws.patterns.parser import parse_pattern
from clerestory.server.aws.patterns.sql import pattern_sql
from clerestory.server.aws.protocol.pointers import event_id, position_of
from clerestory.server.aws.protocol.tokens import INVALID
from clerestory.server.aws.service import Call

EVENTS_MAX: Final = 10_000
MS_MAX: Final = 5_600_000_000_000
MINUTE_S: Final = 60


def get_log_events(call: Call) -> dict[str, Any]:
    """Answer GetLogEvents."""
    given = call.given
    group, stream = one_group(given), given["logStreamName"]
    call.service.check_readable(group)
    made, where = _scope(group)
    where += f" AND {stream_column(group)} = {made.text(stream)}{_times(given, made)}"
    if "endTime" in given:
        where += f" AND ts < {_instant(given['endTime'], made)}"
    if not is_own(group):
        call.service.catalog.check(group, stream)
    bound = {"group": group, "stream": stream}
    token = given.get("nextToken", "")
    head, place = _place_of(call, token, bound)
    limit = given.get("limit", EVENTS_MAX)
    page = _read(call, group, where, made, place, limit=limit, descending=not head)
    rows = page.rows if head else page.rows[::-1]
    start = Place.start() if place is None else place
    before = rows[0].place(inclusive=False) if rows else start
    after = rows[-1].place(inclusive=False) if rows else start
    forward = "f/" + call.token(after.key(inclusive=not rows and not head), bound)
    backward = "b/" + call.token(before.key(inclusive=not rows and head), bound)
    if not rows and token:
        forward, backward = (token, backward) if head else (forward, token)
    return {
        "events": [
            {"timestamp": row.time_ms, "message": row.message, "ingestionTime": row.ingested_ms}
            for row in rows
        ],
        "nextForwardToken": forward,
        "nextBackwardToken": backward,
    }


def _place_of(call: Call, token: str, bound: dict[str, Any]) -> tuple[bool, Place | None]:
    """Return whether the page goes forward, and from where."""
    if not token:
        return call.given.get("startFromHead", False), None
    if token[:2] not in ("f/", "b/"):
        raise invalid(INVALID)
    position = call.service.tokens.read(token[2:], call.operation, bound)
    return token[0] == "f", Place.of(position)


def filter_log_events(call: Call) -> dict[str, Any]:
    """Answer FilterLogEvents."""
    given = call.given
    group = one_group(given)
    names, prefix = given.get("logStreamNames"), given.get("logStreamNamePrefix")
    if names is not None and prefix is not None:
        raise invalid("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")
    pattern = parse_pattern(given.get("filterPattern", ""))
    call.service.check_readable(group)
    made, where = _scope(group)
    column = stream_column(group)
    if names is not None:
        for name in names if not is_own(group) else ():
            call.service.catalog.check(group, name)
        where += f" AND {column} IN {made.texts(names)}"
    if prefix is not None:
        where += f" AND startsWith({column}, {made.text(prefix)})"
    where += _times(given, made)
    if "endTime" in given:
        where += f" AND ts < {_instant(given['endTime'] + 1, made)}"
    where += f" AND ({pattern_sql(pattern, event_column(group), made)})"
    bound = {name: value for name, value in given.items() if name != "startFromHead"}
    position = call.position(bound)
    head = position[0] if position else given.get("startFromHead", True)
    place = Place.of(position[1:]) if position else None
    limit = given.get("limit", EVENTS_MAX)
    page = _read(call, group, where, made, place, limit=limit, descending=not head)
    answer: dict[str, Any] = {
        "events": [
            {
                "logStreamName": row.stream,
                "timestamp": row.time_ms,
                "message": row.message,
                "ingestionTime": row.ingested_ms,
                "eventId": event_id(row.time_ms, row.spool, row.seq),
            }
            for row in page.rows
        ],
        "searchedLogStreams": [],
    }
    if page.more:
        key = page.rows[-1].place(inclusive=False).key(inclusive=False)
        answer["nextToken"] = call.token([head, *key], bound)
    return answer


def _scope(group: str) -> tuple[Condition, str]:
    sql, parameters = scope_of([group])
    return Condition(parameters=dict(parameters)), sql


def _times(given: dict[str, Any], made: Condition) -> str:
    start = given.get("startTime")
    if start is not None and given.get("endTime", start) < start:
        raise invalid("The specified time range is invalid: startTime is after endTime.")
    return f" AND ts >= {_instant(start, made)}" if start is not None else ""


def _instant(at_ms: int, made: Condition) -> str:
    return f"fromUnixTimestamp64Milli({made.integer(min(at_ms, MS_MAX))}, 'UTC')"


def _read(
    call: Call,
    group: str,
    where: str,
    made: Condition,
    place: Place | None,
    *,
    limit: int,
    descending: bool,
) -> Page:
    def work(connection: Any) -> Page:
        columns = (stream_column(group), event_column(group))
        return read_page(
            connection, columns, where, made, place=place, limit=limit, descending=descending
        )

    page: Page = call.service.store.query(work)
    return page


def get_log_record(call: Call) -> dict[str, Any]:
    """Answer GetLogRecord."""
    position = position_of(call.given["logRecordPointer"])
    if position is None:
        raise invalid("The specified logRecordPointer is invalid.")
    ns, spool, seq = position
    found = call.service.store.query(
        lambda connection: connection.rows(
            "SELECT toString(toDateTime64(ts, 3, 'UTC')), toString(ingested), "
            f"{GROUP_SQL}, {STREAM_SQL}, {MESSAGE_SQL}, attrs, level, logger, message, trace_id, "
            "span_id FROM logs WHERE ts = fromUnixTimestamp64Nano({ns:Int64}, 'UTC') "
            "AND spool = {spool:String} AND seq = {seq:UInt64} LIMIT 1",
            {"ns": ns, "spool": spool, "seq": seq},
        )
    )
    if not found:
        raise missing("The specified log record does not exist.")
    at, taken, group, stream, text, attrs, *columns = found[0]
    names = ("level", "logger", "message", "trace_id", "span_id")
    record = {name: value for name, value in zip(names, columns, strict=True) if value}
    record |= {name: _shown(value) for name, value in attrs.items()}
    record |= {
        "@timestamp": at,
        "@ingestionTime": taken,
        "@message": text,
        "@logStream": stream,
        "@log": f"{ACCOUNT}:{group}",
        "@ptr": call.given["logRecordPointer"],
    }
    return {"logRecord": record}


def _shown(stored: str) -> str:
    return stored[1:-1] if stored.startswith('"') else stored


def get_log_group_fields(call: Call) -> dict[str, Any]:
    """Answer GetLogGroupFields."""
    group = one_group(call.given)
    call.service.check_readable(group)
    now = int(time.time())
    first, last = now - 15 * MINUTE_S, now + 1
    if "time" in call.given:
        first, last = call.given["time"] - 8 * MINUTE_S, call.given["time"] + 8 * MINUTE_S
    made, where = _scope(group)
    where += f" AND ts >= {_instant(max(0, first) * 1000, made)}"
    where += f" AND ts < {_instant(last * 1000, made)}"
    found = call.service.store.query(lambda connection: _fields(connection, where, made))
    return {"logGroupFields": found}


def _fields(connection: Any, where: str, made: Condition) -> list[dict[str, Any]]:
    own = ", ".join(f"countIf({name} != '')" for name in ("logger", "trace_id", "span_id"))
    counts = connection.rows(f"SELECT count(), {own} FROM logs WHERE {where}", made.parameters)[0]
    total = int(counts[0])
    if not total:
        return []
    names = connection.rows(
        "SELECT arrayJoin(mapKeys(attrs)) AS name, count() AS used FROM logs "
        f"WHERE {where} GROUP BY name ORDER BY used DESC, name LIMIT 1000",
        made.parameters,
    )
    system = ("@timestamp", "@ingestionTime", "@message", "@logStream", "@log", "@ptr")
    known = dict.fromkeys(system, total)
    known |= {"level": total, "message": total}
    known |= {
        name: int(count)
        for name, count in zip(("logger", "trace_id", "span_id"), counts[1:], strict=True)
        if count
    }
    known |= {str(name): int(used) for name, used in names}
    ranked = sorted(known.items(), key=lambda one: (-one[1], one[0]))
    return [{"name": name, "percent": used * 100 // total} for name, used in ranked]
