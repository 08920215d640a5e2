"""Pushes for Loki.

    batch -> [loki] -> exchange ~~> POST /loki/api/v1/push

https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs. Labels are few and have
few values: service, env and level; each further label value is a stream that Loki keeps open.
Everything else is structured metadata of the entry.

Invariant: the entries of a stream are in the order of their times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.wire.record import fields_of, stacktrace
from clerestory.wire.shorten import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TEXT_BYTES_MAX: Final = 256 * 1024
METADATA_BYTES_MAX: Final = 64 * 1024
METADATA_MAX: Final = 128
_ROOM: Final = 512
_SHORTENED_TO_MIN: Final = 1024
_NOT_IN_A_NAME: Final = re.compile(r"[^a-zA-Z0-9_]")
_PLACED: Final = frozenset(("timestamp", "level", "message", "exception", "stack"))
_LABELS: Final = {"service": "service.name", "env": "deployment.environment.name"}
_encode = msgspec.json.encode

# What Loki says about entries that it leaves out while it keeps the others of the push.
_IGNORED: Final = re.compile(r"entry with timestamp (\S+ \S+) \+0000 UTC ignored")
_TOO_OLD: Final = re.compile(r"oldest acceptable timestamp is: ([0-9TZ:.-]+)")
_TOO_NEW: Final = re.compile(r"has timestamp too new: ([0-9TZ:.-]+)")
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?")
_REASON_CHARS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A record as Loki keeps it.

    Attributes:
        index: Of its line in the batch.
        ns: Its time.
        level: In lower case.
        body: The encoded entry.
    """

    index: int
    ns: int
    level: str
    body: bytes


def name_of(name: str) -> str:
    """Return a name as Loki takes it.

    >>> name_of("http.status-code"), name_of("2nd")
    ('http_status_code', '_2nd')
    """
    found = _NOT_IN_A_NAME.sub("_", name)
    return found if found and not found[0].isdigit() else f"_{found}"


def entry(index: int, line: bytes, identity: str, resource: Mapping[str, Any]) -> Entry:
    """Return a record as an entry; one that is longer than Loki takes is shortened.

    Args:
        index: Of the line in its batch.
        line: As the spool keeps it.
        identity: Becomes the metadata `_cid`.
        resource: What the batch has in common, without what is a label.
    """
    text, metadata, fields = _parts(line, identity, resource)
    size = len(line)
    while size > _SHORTENED_TO_MIN and not _fits(text, metadata):
        size = max(_SHORTENED_TO_MIN, size - max(_excess(text, metadata), size // 8))
        text, metadata, fields = _parts(shorten(line, size), identity, resource)
    ns = fields["timestamp"]
    body = b'["%d",%b,%b]' % (ns, _encode(text), _encode(metadata))
    return Entry(index=index, ns=ns, level=str(fields.get("level", "INFO")).lower(), body=body)


def _parts(
    line: bytes, identity: str, resource: Mapping[str, Any]
) -> tuple[str, dict[str, str], dict[str, Any]]:
    fields = fields_of(line)
    text = str(fields.get("message", ""))
    trace = stacktrace(fields.get("exception")) or fields.get("stack")
    if trace:
        text = f"{text}\n{trace}"
    all_of_it = {name: one for name, one in fields.items() if name not in _PLACED}
    metadata = {
        name_of(name): value if type(value) is str else _encode(value).decode()
        for name, value in (*resource.items(), *all_of_it.items())
        if value is not None
    }
    if len(metadata) >= METADATA_MAX:
        kept = dict(list(metadata.items())[: METADATA_MAX - 2])
        rest = {name: value for name, value in metadata.items() if name not in kept}
        metadata = kept | {"_more": _encode(rest).decode()}
    metadata["_cid"] = identity
    return text, metadata, fields


def _fits(text: str, metadata: Mapping[str, str]) -> bool:
    return _excess(text, metadata) <= 0


def _excess(text: str, metadata: Mapping[str, str]) -> int:
    """Return by how many bytes the text or the metadata is too long."""
    # Loki counts names and values; the JSON form of both is never shorter.
    over = len(text.encode()) - (TEXT_BYTES_MAX - _ROOM)
    return max(over, len(_encode(metadata)) - (METADATA_BYTES_MAX - _ROOM))


def entries_of(
    records: Iterable[tuple[int, str, bytes]], resource: Mapping[str, Any]
) -> list[Entry]:
    """Return the entries of (index, identity, line)."""
    labels = _LABELS.values()
    rest = {name: value for name, value in resource.items() if name not in labels}
    return [entry(index, line, identity, rest) for index, identity, line in records]


def encode(
    entries: Sequence[Entry], resource: Mapping[str, Any], labels: Mapping[str, str]
) -> bytes:
    """Return a push: a stream for each level, entries in the order of their times.

    Args:
        entries: In the order of the batch.
        resource: What they have in common.
        labels: Labels beside service, env and level.
    """
    known = {label: str(resource.get(name, "")) for label, name in _LABELS.items()}
    common = {name: value for name, value in (known | dict(labels)).items() if value}
    streams: dict[str, list[Entry]] = {}
    for one in entries:
        streams.setdefault(one.level, []).append(one)
    parts = []
    for level, members in streams.items():
        members.sort(key=lambda one: one.ns)
        values = b",".join(one.body for one in members)
        parts.append(b'{"stream":%b,"values":[%b]}' % (_encode(common | {"level": level}), values))
    return b'{"streams":[%b]}' % b",".join(parts)


def refused_by(answer: str, entries: Sequence[Entry]) -> dict[int, str]:
    """Return the reason for each entry that an answer says was left out, by its index.

    Empty if the answer does not tell which they are.
    """
    reason = " ".join(answer[:_REASON_CHARS].split())
    moments = {_ns(moment) for moment in _IGNORED.findall(answer)}
    moments |= {_ns(moment) for moment in _TOO_NEW.findall(answer)}
    found = {one.index: reason for one in entries if one.ns in moments}
    if not _IGNORED.search(answer):
        for moment in _TOO_OLD.findall(answer):
            found |= {one.index: reason for one in entries if one.ns < _ns(moment)}
    return found


def _ns(moment: str) -> int:
    matched = _MOMENT.match(moment)
    if matched is None:
        return -1
    day, clock, fraction = matched.groups()
    seconds = int(datetime.fromisoformat(f"{day}T{clock}+00:00").timestamp())
    return seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))
