"""Records as the events of CloudWatch Logs' PutLogEvents.

    batch -> [cloudwatch] -> AwsService

Each message is the record with its time as ISO text, the service and the host it is from, and its
identity `_cid`, by which an event that came twice can be told. Records are cut at fixed places, not
parsed.

Limits: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html

Invariant: where a batch is cut follows from its lines alone.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, compress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.wire.line import with_iso_time, with_members
from clerestory.wire.shorten import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EVENTS_MAX: Final = 10_000
BATCH_BYTES_MAX: Final = 1_048_576
EVENT_BYTES: Final = 26
MESSAGE_BYTES_MAX: Final = BATCH_BYTES_MAX - EVENT_BYTES
SPAN_MS_MAX: Final = 24 * 3600 * 1000
# AWS refuses what is older than 14 days or more than 2 hours ahead, by its own clock.
OLD_MS_MAX: Final = (14 * 24 * 60 - 5) * 60 * 1000
AHEAD_MS_MAX: Final = (2 * 60 - 1) * 60 * 1000

# At the end of a line whose message is the whole event, as a formatter made it.
TEXT_MARK: Final = b',"_clerestory.text":true}'
_HEAD: Final = b'{"timestamp":'
_MS_MAX: Final = 9_999_999_999_999  # 13 digits: times are compared as text
_COMMON: Final = (("service", "service.name"), ("host", "host.name"))
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_encode: Final = msgspec.json.encode
_time_only: Final = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events in the order of their lines, or in that of their times.

    Attributes:
        indices: Of each event's line in its batch.
        times: Milliseconds since 1970, 13 digits each.
        messages: What the events say.
    """

    indices: Sequence[int]
    times: Sequence[str]
    messages: Sequence[str]

    def where(self, chosen: Sequence[bool]) -> Events:
        """Return only those events for which `chosen` holds."""
        return Events(
            indices=list(compress(self.indices, chosen)),
            times=list(compress(self.times, chosen)),
            messages=list(compress(self.messages, chosen)),
        )

    def by_time(self) -> Events:
        """Return the events as PutLogEvents wants them: by time, then by number."""
        ordered = sorted(self.times)
        if ordered == self.times:
            return self
        order = sorted(range(len(self.times)), key=self.times.__getitem__)
        return Events(
            indices=[self.indices[at] for at in order],
            times=ordered,
            messages=[self.messages[at] for at in order],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What every message of a spool has at its end.

    Attributes:
        spool_id: First half of the identity.
        common: Encoded keys and values.
        text: Whether a message is the record's `message` alone.
        message_bytes: Longer messages are shortened.
        batch_bytes: Most bytes of a request as AWS counts them.
    """

    spool_id: str
    common: tuple[tuple[bytes, bytes], ...] = ()
    text: bool = False
    message_bytes: int = MESSAGE_BYTES_MAX
    batch_bytes: int = BATCH_BYTES_MAX

    @property
    def names(self) -> tuple[bytes, ...]:
        """How the keys in `common` stand in a line that has them itself."""
        return tuple(name + b":" for name, _ in self.common)


def origin(resource: Mapping[str, Any]) -> tuple[tuple[bytes, bytes], ...]:
    """Return, encoded, what each message says of the service and the host it is from."""
    return tuple(
        (_encode(name), _encode(resource[key])) for name, key in _COMMON if resource.get(key)
    )


class _Heads(dict[str, str]):
    """The beginning of a message by the second of its time."""

    def __missing__(self, second: str) -> str:
        if len(self) > 1000:
            self.clear()
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(second)))
        self[second] = head = f'{_HEAD.decode()}"{text}.'
        return head


_heads: Final = _Heads()


def cut(lines: bytes, first: int, form: Form) -> tuple[int, Events]:
    """Return how many lines from the front fit one request, and their events.

    Args:
        lines: Each ends with a line feed; an empty one is no record.
        first: Number of the first in its spool.
        form: What the messages have at their end.
    """
    plain = _cut_plain(lines, first, form)
    if plain is not None:
        return plain
    rows = lines.split(b"\n")
    rows.pop()
    indices = [index for index, row in enumerate(rows) if row]
    records = [rows[index] for index in indices]
    times = _times(records)
    messages = [
        _message(record, f"{form.spool_id}:{first + index}", form).decode("utf-8", "replace")
        for record, index in zip(records, indices, strict=True)
    ]
    count = _fitting(times, [len(message.encode()) for message in messages], form.batch_bytes)
    events = Events(indices=indices[:count], times=times[:count], messages=messages[:count])
    return (indices[count] if count < len(records) else len(rows)), events


def _cut_plain(lines: bytes, first: int, form: Form) -> tuple[int, Events] | None:
    """Cut lines at fixed places; None where one of them needs more care."""
    if form.text or not lines.isascii() or any(name in lines for name in (b',"_', *form.names)):
        return None
    if not lines.startswith(_HEAD) or lines.count(b"\n" + _HEAD) != lines.count(b"\n") - 1:
        return None
    rows = lines.decode().split("\n")
    rows.pop()
    times = [row[13:26] for row in rows]
    tail = "".join(f",{key.decode()}:{value.decode()}" for key, value in form.common)
    tail += f',"_cid":"{form.spool_id}:'
    # ISO text is 13 bytes longer than the digits; the brace is there already.
    added = 13 + len(tail.encode()) + len(f'{first + len(rows)}"')
    sizes = [len(row) + added for row in rows]
    if not "".join(times).isdigit() or max(sizes) > form.message_bytes:
        return None
    count = _fitting(times, sizes, form.batch_bytes)
    messages = [
        f'{_heads[row[13:23]]}{row[23:32]}Z"{row[32:-1]}{tail}{number}"}}'
        for number, row in enumerate(rows[:count], first)
    ]
    return count, Events(indices=range(count), times=times[:count], messages=messages)


def _fitting(times: Sequence[str], sizes: Sequence[int], bytes_max: int) -> int:
    """Return how many events from the front one request may hold."""
    count = min(len(sizes), EVENTS_MAX)
    if sum(sizes[:count]) + count * EVENT_BYTES > bytes_max:
        totals = list(accumulate(size + EVENT_BYTES for size in sizes[:count]))
        count = max(1, bisect_right(totals, bytes_max))
    within = times[:count]
    if within and int(max(within)) - int(min(within)) > SPAN_MS_MAX:
        count = _within_a_day(within)
    return count


def _within_a_day(times: Sequence[str]) -> int:
    low = high = int(times[0])
    for count, text in enumerate(times):
        moment = int(text)
        low, high = min(low, moment), max(high, moment)
        if high - low > SPAN_MS_MAX:
            return count
    return len(times)


def _times(records: Iterable[bytes]) -> list[str]:
    """Return the times of lines of any form; one without a time has that of the line before."""
    times: list[str] = []
    for record in records:
        ns = _time_ns(record)
        if ns is None:
            times.append(times[-1] if times else f"{now_ms():013d}")
        else:
            times.append(f"{min(max(0, ns // 1_000_000), _MS_MAX):013d}")
    return times


def _time_ns(record: bytes) -> int | None:
    digits = record[13:32]
    if record.startswith(_HEAD) and digits.isdigit():
        return int(digits)
    try:
        found = _time_only(record).get("timestamp")
    except _UNREADABLE:
        return None
    return found if isinstance(found, int) else None


def _message(record: bytes, identity: str, form: Form) -> bytes:
    if form.text or record.endswith(TEXT_MARK):
        return _text(record, form.message_bytes)
    own = [*form.common, (b'"_cid"', _encode(identity))]
    message = with_members(with_iso_time(record), own)
    if len(message) <= form.message_bytes:
        return message
    room = form.message_bytes - (len(message) - len(record))
    return with_members(with_iso_time(shorten(record, room)), own)


def _text(record: bytes, bytes_max: int) -> bytes:
    """Return what the record says, without its fields."""
    try:
        said = _time_only(record).get("message", "")
    except _UNREADABLE:
        return record[:bytes_max]
    text = said.encode() if isinstance(said, str) else _encode(said)
    if len(text) > bytes_max:
        note = b" [%d bytes in all]" % len(text)
        kept = text[: bytes_max - len(note)]
        text = kept.decode("utf-8", "ignore").encode() + note
    return text or b" "  # an event may not be empty


def now_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def set_aside(events: Events, now_ms: int) -> tuple[Events, list[tuple[int, str]]]:
    """Return the events that CloudWatch takes, and index and reason of those it does not."""
    oldest = f"{max(0, now_ms - OLD_MS_MAX):013d}"
    newest = f"{now_ms + AHEAD_MS_MAX:013d}"
    if not events.times or (min(events.times) >= oldest and max(events.times) <= newest):
        return events, []
    aside = [
        (index, "too_old" if moment < oldest else "too_new")
        for index, moment in zip(events.indices, events.times, strict=True)
        if not oldest <= moment <= newest
    ]
    return events.where([oldest <= moment <= newest for moment in events.times]), aside


class _Event(msgspec.Struct, gc=False):
    timestamp: int
    message: str


class _Request(msgspec.Struct, rename="camel"):
    log_group_name: str
    log_stream_name: str
    log_events: list[_Event]


def body(group: str, stream: str, events: Events) -> bytes:
    """Return the body of PutLogEvents; the events are in the order of their times."""
    pairs = zip(events.times, events.messages, strict=True)
    sent = [_Event(int(moment), message) for moment, message in pairs]
    return _encode(_Request(group, stream, sent))


def refusals(answer: bytes, events: Events) -> list[tuple[int, str]]:
    """Return index and reason of each event that an answer says was not taken.

    The answer names ranges of the events as they were sent: those before an index are too old or
    beyond the group's retention, those from an index on are too new.
    """
    if b"rejectedLogEventsInfo" not in answer:
        return []
    info = msgspec.json.decode(answer).get("rejectedLogEventsInfo") or {}
    count = len(events.times)
    ranges = (
        ("expired", 0, info.get("expiredLogEventEndIndex", 0)),
        ("too_old", 0, info.get("tooOldLogEventEndIndex", 0)),
        ("too_new", info.get("tooNewLogEventStartIndex", count), count),
    )
    reasons: dict[int, str] = {}
    for reason, start, stop in ranges:
        for at in range(start, min(stop, count)):
            reasons[events.indices[at]] = reason
    return sorted(reasons.items())
