"""Records as the events of CloudWatch Logs' PutLogEvents.

    batch -> [cloudwatch] -> AwsService

Each message is the record with its time as ISO text, the service and the host it is from, and its
identity `_cid`, by which an event that came twice can be told. Records are not parsed: a batch is
escaped as one string and then cut at fixed places.

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
from clerestory.wire.slices import slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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
# The same in a JSON string, and what stands there between two lines; no text of a record can hold
# it, since its line feeds and quotes are escaped twice.
_HEAD_ESCAPED: Final = '"{\\"timestamp\\":'
_BETWEEN: Final = '}\\n{\\"timestamp\\":'
_END_ESCAPED: Final = '}\\n"'
_SECOND_MIN: Final = "1000000000"  # a number has no zero in front
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
        parts: The events as JSON with commas between them, many in each part.
    """

    indices: Sequence[int]
    times: Sequence[str]
    parts: Sequence[bytes]

    def each(self) -> list[bytes]:
        """Return the JSON of each event."""
        # no message can hold this, for a quote is escaped in it
        inner = b",".join(self.parts)[len(_HEAD) : -1].split(b"}," + _HEAD)
        return [b"%b%b}" % (_HEAD, one) for one in inner] if self.times else []

    def picked(self, places: Sequence[int]) -> Events:
        """Return the events at these places, in this order."""
        if places == range(len(self.times)):
            return self
        each = self.each()
        return Events(
            indices=[self.indices[at] for at in places],
            times=[self.times[at] for at in places],
            parts=[b",".join([each[at] for at in places])] if places else [],
        )

    def where(self, chosen: Sequence[bool]) -> Events:
        """Return only those events for which `chosen` holds."""
        if all(chosen):
            return self
        return self.picked(list(compress(range(len(chosen)), chosen)))

    def by_time(self) -> Events:
        """Return the events as PutLogEvents wants them: by time, then by number."""
        if sorted(self.times) == self.times:
            return self
        return self.picked(sorted(range(len(self.times)), key=self.times.__getitem__))


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


def _iso_second(second: str) -> str:
    """Return the ISO text of a second since 1970, up to the fraction."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(int(second)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """The events of a few lines.

    Attributes:
        lines: How many lines these are, the empty ones included.
        events: Their events.
        size: Bytes of the messages together.
        sizes: Tells the bytes of each message.
    """

    lines: int
    events: Events
    size: int
    sizes: Callable[[], list[int]]

    def fitting(self, bytes_max: int, events_max: int) -> int:
        """Return how many events from the front fit into what is left of a request."""
        count = len(self.events.times)
        if count <= events_max and self.size + count * EVENT_BYTES <= bytes_max:
            return count
        totals = list(accumulate(size + EVENT_BYTES for size in self.sizes()))
        return min(events_max, bisect_right(totals, bytes_max))


def cut(lines: bytes, first: int, form: Form) -> tuple[int, Events]:
    """Return how many lines from the front fit one request, and their events.

    Args:
        lines: Each ends with a line feed; an empty one is no record.
        first: Number of the first in its spool.
        form: What the messages have at their end.
    """
    indices: list[int] = []
    times: list[str] = []
    parts: list[bytes] = []
    done = 0
    room = form.batch_bytes
    for piece in slices(lines):
        part = _plain(piece, done, first, form) or _careful(piece, done, first, form, times)
        count = len(part.events.times)
        fits = part.fitting(room, EVENTS_MAX - len(times))
        fits = fits if times else max(fits, min(1, count))
        events = part.events.picked(range(fits))
        indices += events.indices
        times += events.times
        parts += events.parts
        if fits < count:
            done = part.events.indices[fits]
            break
        done += part.lines
        room -= part.size + fits * EVENT_BYTES
    within = _within_a_day(times)
    if within < len(times):
        done = indices[within]
    return done, Events(indices=indices, times=times, parts=parts).picked(range(within))


def _plain(piece: bytes, done: int, first: int, form: Form) -> _Slice | None:
    """Cut lines of one second at fixed places; None where one of them needs more care."""
    second, rows = _plain_rows(piece, form)
    fractions = [row[:9] for row in rows]
    digits = second + "".join(fractions)
    if len(digits) != 10 + 9 * len(rows) or not (digits.isdigit() and digits.isascii()):
        return None
    times = [second + fraction[:3] for fraction in fractions]
    tail = b"".join(b",%b:%b" % member for member in form.common)
    tail += b',"_cid":"%b:' % form.spool_id.encode()
    # ISO text is 13 bytes longer than the digits; the brace is there already, the line feed goes.
    added = 13 + len(tail) + len(f'{first + done + len(rows)}"') - 1
    if len(piece) + added > form.message_bytes:
        return None
    end = _encode(tail.decode())[1:-1].decode()
    begin = f',"message":"{{\\"timestamp\\":\\"{_iso_second(second)}'
    numbers = range(first + done, first + done + len(rows))
    encoded = [
        f'{{"timestamp":{moment}{begin}{fraction}Z\\"{row[9:]}{end}{number}\\"}}"}}'
        for moment, fraction, row, number in zip(times, fractions, rows, numbers, strict=True)
    ]
    return _Slice(
        lines=len(rows),
        events=Events(
            indices=range(done, done + len(rows)), times=times, parts=[",".join(encoded).encode()]
        ),
        size=len(piece) + len(rows) * added,
        sizes=lambda: [len(line) + added for line in piece.splitlines(keepends=True)],
    )


def _plain_rows(piece: bytes, form: Form) -> tuple[str, list[str]]:
    """Return the second of all lines, and these as they stand in a JSON string, from there on.

    What all end with is left out. There is no row where a line needs more care.
    """
    nothing: tuple[str, list[str]] = ("", [])
    # rfind reads a text without such a key twice as fast as `in` does
    if form.text or piece.rfind(b',"_') >= 0 or any(name in piece for name in form.names):
        return nothing
    try:
        escaped = _encode(piece.decode()).decode()
    except UnicodeDecodeError:
        return nothing
    if not escaped.startswith(_HEAD_ESCAPED) or not escaped.endswith(_END_ESCAPED):
        return nothing
    begin = len(_HEAD_ESCAPED)
    second = escaped[begin : begin + 10]
    if second < _SECOND_MIN:
        return nothing
    rows = escaped[begin + 10 : -len(_END_ESCAPED)].split(_BETWEEN + second)
    return (second, rows) if len(rows) == piece.count(b"\n") else nothing


def _careful(piece: bytes, done: int, first: int, form: Form, before: Sequence[str]) -> _Slice:
    """Make the events of lines of any form; one without a time has that of the line before."""
    rows = piece.split(b"\n")
    rows.pop()
    indices = [index for index, row in enumerate(rows, done) if row]
    records = [row for row in rows if row]
    times = _times(records, before)
    messages = [
        _message(record, f"{form.spool_id}:{first + index}", form).decode("utf-8", "replace")
        for record, index in zip(records, indices, strict=True)
    ]
    encoded = [
        b'{"timestamp":%d,"message":%b}' % (int(moment), _encode(message))
        for moment, message in zip(times, messages, strict=True)
    ]
    sizes = [len(message.encode()) for message in messages]
    return _Slice(
        lines=len(rows),
        events=Events(indices=indices, times=times, parts=[b",".join(encoded)] if encoded else []),
        size=sum(sizes),
        sizes=lambda: sizes,
    )


def _within_a_day(times: Sequence[str]) -> int:
    """Return how many events from the front lie within one day."""
    if not times or int(max(times)) - int(min(times)) <= SPAN_MS_MAX:
        return len(times)
    low = high = int(times[0])
    for count, text in enumerate(times):
        moment = int(text)
        low, high = min(low, moment), max(high, moment)
        if high - low > SPAN_MS_MAX:
            return count
    return len(times)


def _times(records: Iterable[bytes], before: Sequence[str]) -> list[str]:
    times: list[str] = []
    last = before[-1] if before else ""
    for record in records:
        ns = _time_ns(record)
        if ns is not None:
            last = f"{min(max(0, ns // 1_000_000), _MS_MAX):013d}"
        times.append(last := last or f"{now_ms():013d}")
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


def body(group: str, stream: str, events: Events) -> list[bytes]:
    """Return the body of PutLogEvents in parts; the events are in the order of their times."""
    place = b'{"logGroupName":%b,"logStreamName":%b' % (_encode(group), _encode(stream))
    parts = [place, b',"logEvents":[']
    for part in events.parts:
        parts += (part, b",")
    parts[-1] = b"]}" if events.parts else b',"logEvents":[]}'
    return parts


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
