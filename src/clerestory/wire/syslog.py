"""Syslog messages: RFC 5424, and RFC 3164 for old receivers.

    batch -> [syslog] -> stream, datagrams ~~> receiver

Invariant: a message is at most as long as it may be, and whatever a record holds cannot end a
parameter, an element or a frame before its end.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from clerestory.model.severity import to_syslog
from clerestory.wire.line import iso_time
from clerestory.wire.record import fields_of, stacktrace
from clerestory.wire.shorten import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

FACILITIES: Final[dict[str, int]] = {
    "kern": 0,
    "user": 1,
    "mail": 2,
    "daemon": 3,
    "auth": 4,
    "syslog": 5,
    "lpr": 6,
    "news": 7,
    "uucp": 8,
    "cron": 9,
    "authpriv": 10,
    "ftp": 11,
    **{f"local{number}": 16 + number for number in range(8)},
}
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905  shorter
_BOM: Final = b"\xef\xbb\xbf"
_NUL: Final = "\N{SYMBOL FOR NULL}"
_NS: Final = 1_000_000_000
_LINE_BYTES_MIN: Final = 256
_PLACED: Final = frozenset(("timestamp", "level", "message", "exception", "stack"))
_NOT_PRINTED: Final = re.compile(r"[^\x21-\x7e]+")
_NOT_IN_A_NAME: Final = re.compile(r"[^\x21\x23-\x3c\x3e-\x5c\x5e-\x7e]+")
_NOT_IN_A_TAG: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_ESCAPED: Final = re.compile(r'(["\\\]])')


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How messages look.

    Attributes:
        format: Which of the two.
        facility: Number of the facility, 0 to 23.
        host: HOSTNAME.
        app: APP-NAME, or TAG.
        process: PROCID.
        element: SD-ID of the element that holds a record's fields.
        bom: Whether the text begins with a byte order mark, as RFC 5424 wants it of UTF-8.
        bytes_max: Longest message.
    """

    format: Literal["rfc5424", "rfc3164"] = "rfc5424"
    facility: int = 1
    host: str = "-"
    app: str = "-"
    process: str = "-"
    element: str = "clerestory@32473"
    bom: bool = False
    bytes_max: int = 8192


def message(line: bytes, identity: str, form: Form) -> bytes:
    """Return a record as a message, without a frame.

    Args:
        line: As the spool keeps it.
        identity: Becomes the parameter `_cid`.
        form: How it shall look.
    """
    size = len(line)
    parts = _parts(fields_of(line), identity, form)
    while parts.size > form.bytes_max and size > _LINE_BYTES_MIN:
        size = max(_LINE_BYTES_MIN, size - (parts.size - form.bytes_max))
        parts = _parts(fields_of(shorten(line, size)), identity, form)
    if parts.size > form.bytes_max:
        fields = _with_fewer(fields_of(shorten(line, size)), len(line), identity, form)
        parts = _parts(fields, identity, form)
    return parts.joined(form.bytes_max)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A message in three parts; only the text, in the middle, may be cut."""

    before: bytes
    text: bytes
    after: bytes = b""

    @property
    def size(self) -> int:
        return len(self.before) + len(self.text) + len(self.after)

    def joined(self, bytes_max: int) -> bytes:
        text = self.text
        if self.size > bytes_max:
            room = max(0, bytes_max - len(self.before) - len(self.after))
            text = text[:room].decode("utf-8", "ignore").encode()
        return self.before + text + self.after


def _parts(fields: Mapping[str, Any], identity: str, form: Form) -> _Parts:
    make = _rfc5424 if form.format == "rfc5424" else _rfc3164
    return make(fields, identity, form)


def _with_fewer(
    fields: Mapping[str, Any], bytes_before: int, identity: str, form: Form
) -> dict[str, Any]:
    """Return the record with as many fields as there is room for.

    Shortening leaves every name, so that a record with many of them is still too long.
    """
    pair = _parameter if form.format == "rfc5424" else _pair
    kept = {name: one for name, one in fields.items() if name in _PLACED}
    kept["_truncated_bytes"] = bytes_before
    room = form.bytes_max - _parts(kept, identity, form).size
    for name, value in fields.items():
        size = 0 if name in kept else len(_octets(pair(name, value))) + 1
        if 0 < size <= room:
            kept[name] = value
            room -= size
    missing = bytes_before - len(msgspec.json.encode(kept))
    return kept | {"_truncated_bytes": max(1, missing)}


def frame(content: bytes) -> bytes:
    """Return a message counted in octets, as it travels in a stream (RFC 6587, section 3.4.1).

    >>> frame(b"<14>1 - - - - - - x")
    b'19 <14>1 - - - - - - x'
    """
    return b"%d %b" % (len(content), content)


def header_text(text: object, chars_max: int) -> str:
    """Return a text as a field of the header may be: printable ASCII without spaces.

    >>> header_text("my shop é", 48), header_text("", 48)
    ('my_shop_', '-')
    """
    return _NOT_PRINTED.sub("_", str(text))[:chars_max] or "-"


def _rfc5424(fields: Mapping[str, Any], identity: str, form: Form) -> _Parts:
    moment = iso_time(fields["timestamp"])[:26] + "Z"
    priority = form.facility * 8 + to_syslog(str(fields.get("level")))
    head = f"<{priority}>1 {moment} {form.host} {form.app} {form.process} - "
    parameters = [
        _parameter(name, value)
        for name, value in (*fields.items(), ("_cid", identity))
        if name not in _PLACED
    ]
    data = f"[{form.element} {' '.join(parameters)}] "
    bom = _BOM if form.bom else b""
    return _Parts(_octets(head + data) + bom, _octets(_with_trace(fields)))


def _parameter(name: str, value: Any) -> str:
    return f'{_name(name)}="{_value(value)}"'


@lru_cache(maxsize=4096)
def _name(name: str) -> str:
    """Return a PARAM-NAME: at most 32 printable characters, no quote, bracket or `=`."""
    return _NOT_IN_A_NAME.sub("_", name)[:32] or "_"


def _value(value: Any) -> str:
    """Return a PARAM-VALUE with what would end it escaped (RFC 5424, section 6.3.3)."""
    return _ESCAPED.sub(r"\\\1", _plain(value))


def _plain(value: Any) -> str:
    return value if type(value) is str else msgspec.json.encode(value).decode()


def _with_trace(fields: Mapping[str, Any]) -> str:
    trace = stacktrace(fields.get("exception")) or fields.get("stack")
    said = str(fields.get("message", ""))
    return f"{said}\n{trace}" if trace else said


def _rfc3164(fields: Mapping[str, Any], identity: str, form: Form) -> _Parts:
    at = time.localtime(fields["timestamp"] // _NS)
    clock = f"{_MONTHS[at.tm_mon - 1]} {at.tm_mday:2d} {time.strftime('%H:%M:%S', at)}"
    priority = form.facility * 8 + to_syslog(str(fields.get("level")))
    tag = _NOT_IN_A_TAG.sub("_", form.app)[:32] or "python"
    process = "" if form.process == "-" else f"[{form.process}]"
    pairs = " ".join(
        _pair(name, value)
        for name, value in (*fields.items(), ("_cid", identity))
        if name not in _PLACED
    )
    head = f"<{priority}>{clock} {form.host} {tag}{process}: "
    return _Parts(_octets(head), _octets(_one_line(_with_trace(fields))), _octets(f" {pairs}"))


def _pair(name: str, value: Any) -> str:
    return f"{_one_line(name)}={_one_line(_quoted(value))}"


def _one_line(text: str) -> str:
    return text.replace("\\n", "\\\\n").replace("\n", "\\n")


def _octets(text: str) -> bytes:
    # A NUL ends the message in receivers that are written in C.
    return text.replace("\0", _NUL).encode("utf-8", "replace")


def _quoted(value: Any) -> str:
    text = _plain(value)
    return msgspec.json.encode(text).decode() if " " in text or '"' in text else text
