"""PutLogEvents: a request's events become one batch of the writer.

    endpoint -> [putting] -> writer -> store

The body is decoded once, by its types; what that decoder refuses goes through the model's checks,
which tell in AWS's words what is wrong.

Invariant: an answer means stored.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from clerestory.server.aws.catalog.catalog import Group, now_ms
from clerestory.server.aws.errors import invalid
from clerestory.server.aws.protocol import shapes
from clerestory.server.aws.service import Service
from clerestory.server.ingest.records import clean_lines
from clerestory.server.store.batch import Batch, Kind

EVENT_OVERHEAD_BYTES: Final = 26
BATCH_BYTES_MAX: Final = 1_048_576
DAY_MS: Final = 86_400_000
OLD_MS_MAX: Final = 14 * DAY_MS
NEW_MS_MAX: Final = 2 * 3_600_000
NO_END_DAYS: Final = 36_500
_OBJECT_STARTS: Final = "{ \t\r\n"
TIME_MAX: Final = 2**62


class Event(Struct, gc=False):
    """One event of a request."""

    timestamp: Annotated[int, Meta(ge=0, le=TIME_MAX)]
    message: Annotated[str, Meta(min_length=1)]


class Put(Struct, forbid_unknown_fields=True):
    """The body of PutLogEvents."""

    logGroupName: Annotated[str, Meta(max_length=512, pattern=r"^[.\-_/#A-Za-z0-9]+\Z")]  # noqa: N815 - the protocol's name
    logStreamName: Annotated[str, Meta(max_length=512, pattern=r"^[^:*]+\Z")]  # noqa: N815 - the protocol's name
    logEvents: Annotated[list[Event], Meta(min_length=1, max_length=10_000)]  # noqa: N815 - the protocol's name
    sequenceToken: Annotated[str, Meta(min_length=1)] | None = None  # noqa: N815 - the protocol's name
    entity: dict[str, Any] | None = None


_decode_put: Final = msgspec.json.Decoder(Put).decode


def decode_fast(body: bytes) -> Put | None:
    """Return a request that keeps the model's rules; None if it may not."""
    try:
        return _decode_put(clean_lines(body))
    except (msgspec.DecodeError, RecursionError):
        return None


def put_of(given: dict[str, Any]) -> Put:
    """Return a request that went through the model's checks."""
    events = [Event(one["timestamp"], one["message"]) for one in given["logEvents"]]
    return Put(given["logGroupName"], given["logStreamName"], events, None, given.get("entity"))


def queue_events(service: Service, put: Put) -> tuple[Batch | None, dict[str, Any]]:
    """Queue a request's events; return their batch, if any is kept, and the answer.

    Raises:
        AwsError: The request cannot be taken.
        LimitError: The writer is busy or stopping.
    """
    group = service.writable(put.logGroupName)
    service.catalog.check(put.logGroupName, put.logStreamName)
    times = [event.timestamp for event in put.logEvents]
    messages = [event.message for event in put.logEvents]
    _check_batch(times, messages)
    first, last, rejected = _kept(times, now_ms(), _retention_days(service, group))
    answer: dict[str, Any] = {"nextSequenceToken": f"{now_ms():056d}"}
    if rejected:
        answer["rejectedLogEventsInfo"] = rejected
    if put.entity is not None and not shapes.fits("Entity", put.entity):
        answer["rejectedEntityInfo"] = {"errorType": "InvalidEntity"}
    if first >= last:
        return None, answer
    batch = batch_of(put.logGroupName, put.logStreamName, times[first:last], messages[first:last])
    with service.catalog.arriving:
        service.catalog.check(put.logGroupName, put.logStreamName)
        service.writer.submit(batch)
    return batch, answer


def batch_of(group: str, stream: str, times: list[int], messages: list[str]) -> Batch:
    """Return the batch of some events, of the times in ms."""
    encode = msgspec.msgpack.encode
    body = b"".join((encode(group), encode(stream), encode(times), encode(messages)))
    has_objects = not {text[0] for text in messages}.isdisjoint(_OBJECT_STARTS)
    return Batch(kind=Kind.EVENTS if has_objects else Kind.TEXTS, body=body)


def _check_batch(times: list[int], messages: list[str]) -> None:
    size = len("".join(messages).encode()) + EVENT_OVERHEAD_BYTES * len(messages)
    if size > BATCH_BYTES_MAX:
        raise invalid(f"Upload too large: {size} bytes exceeds limit of {BATCH_BYTES_MAX}")
    if sorted(times) != times:
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
    if times[-1] - times[0] > DAY_MS:
        raise invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than "
            "24 hours."
        )


def _retention_days(service: Service, group: Group) -> int:
    """Return after how many days an event would be deleted; what is older is not taken."""
    known = (group.retention_days, service.retention_days)
    return min((days for days in known if days), default=NO_END_DAYS)


def _kept(times: list[int], now: int, retention_days: int) -> tuple[int, int, dict[str, int]]:
    """Return which events are kept, first and behind the last, and what is told of the others."""
    rejected: dict[str, int] = {}
    oldest = now - OLD_MS_MAX
    expired = now - retention_days * DAY_MS
    first = 0
    for name, limit in (("tooOldLogEventEndIndex", oldest), ("expiredLogEventEndIndex", expired)):
        count = sum(1 for at in times if at < limit) if times[0] < limit else 0
        if count:
            rejected[name] = count
            first = max(first, count)
    last = len(times)
    if times[-1] > now + NEW_MS_MAX:
        last = sum(1 for at in times if at <= now + NEW_MS_MAX)
        rejected["tooNewLogEventStartIndex"] = last
    return first, last, rejected
