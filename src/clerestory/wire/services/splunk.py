"""Events for Splunk's HTTP Event Collector.

    batch -> [splunk] -> exchange ~~> POST /services/collector/event

https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector: JSON
objects one after the other, no array. The event is the line of the spool as it is, so that
nothing is decoded.

Invariant: the event is what the program said; what the batch has in common stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.model.severity import LEVELS
from clerestory.wire.line import time_of, with_iso_time, with_members
from clerestory.wire.record import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NS: Final = 1_000_000_000
_LEVEL_HEAD: Final = b'"level":"'
_LEVEL_START: Final = len(b'{"timestamp":1795314823428724290,"level":"')
_LEVEL_END: Final = _LEVEL_START + 16
_LEVELS: Final = frozenset(b'"%b"' % name.encode() for name in LEVELS)
_INDEXED: Final = {
    "service": "service.name",
    "version": "service.version",
    "env": "deployment.environment.name",
    "pid": "process.pid",
}
_encode = msgspec.json.encode


def encode(
    records: Iterable[tuple[str, bytes]],
    resource: Mapping[str, Any],
    *,
    source: str,
    sourcetype: str,
    index: str,
) -> list[bytes]:
    """Return an event for each record.

    Args:
        records: Identity and line of each.
        resource: What they have in common: `host`, and indexed fields.
        source: Empty for the service.
        sourcetype: How Splunk reads the event.
        index: Empty for that of the token.
    """
    about = {
        "host": str(resource.get("host.name", "")),
        "source": source or str(resource.get("service.name", "")),
        "sourcetype": sourcetype,
        "index": index,
    }
    told = {name: value for name, value in about.items() if value}
    head = _encode(told)[1:-1] + b"," if told else b""
    indexed = {name: resource[key] for name, key in _INDEXED.items() if resource.get(key)}
    tail = _encode({name: str(value) for name, value in indexed.items()})[1:]
    comma = b"," if indexed else b""
    return [
        b'{"time":%b,%b"event":%b,"fields":{"level":%b%b%b}'
        % (_time(line), head, _event(line, identity), _level(line), comma, tail)
        for identity, line in records
    ]


def _time(line: bytes) -> bytes:
    """Return seconds with six digits behind the point; Splunk keeps no more."""
    ns = time_of(line) or fields_of(line)["timestamp"]
    return b"%d.%06d" % (ns // _NS, ns % _NS // 1000)


def _event(line: bytes, identity: str) -> bytes:
    if line == b"{}" or not (line.startswith(b"{") and line.endswith(b"}")):
        line = _encode({"message": line.decode("utf-8", "replace")})
    return with_members(with_iso_time(line), [(b'"_cid"', _encode(identity))])


def _level(line: bytes) -> bytes:
    """Return the level as JSON, cut from where the spool's lines have it."""
    end = line.find(b'"', _LEVEL_START, _LEVEL_END)
    found = line[_LEVEL_START - 1 : end + 1]
    if found in _LEVELS and line.startswith(_LEVEL_HEAD, _LEVEL_START - len(_LEVEL_HEAD)):
        return found
    return _encode(str(fields_of(line).get("level", "INFO")))


def decode_answer(body: bytes) -> tuple[int, str, int]:
    """Return code, text and number of the wrong event, -1 where the answer says none.

    An answer in another form has code -1.
    """
    try:
        said = msgspec.json.decode(body)
        number = said.get("invalid-event-number", -1)
        return int(said["code"]), str(said.get("text", "")), int(number)
    except (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError):
        return -1, "", -1
