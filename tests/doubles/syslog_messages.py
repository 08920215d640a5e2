"""Syslog messages read as strictly as the RFCs have them, to judge what a sender wrote.

Nothing is repaired or guessed, as real receivers do: what breaks a rule is an error.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

PRIORITY_MAX = 191
FRAME_DIGITS_MAX = 6

_HEADER = re.compile(
    rb"<(0|[1-9]\d{0,2})>1 (\S+) ([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48}) "
    rb"([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32}) "
)
_MOMENT = re.compile(
    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
)
_NAME = rb"[!#-<>-\\^-~]{1,32}"
_PARAMETER = rb" (%b)=\"((?:[^\"\\\]]|\\[\"\\\]])*)\"" % _NAME
_PARAMETERS = re.compile(_PARAMETER)
_ELEMENT = re.compile(rb"\[(%b)((?:%b)*)\]" % (_NAME, _PARAMETER.replace(b"(", b"(?:", 2)))
_OWN_ELEMENT = re.compile(rb"[^@]+@\d+(\.\d+)*")
_REGISTERED = frozenset((b"timeQuality", b"origin", b"meta"))
_OLD = re.compile(
    rb"<(0|[1-9]\d{0,2})>((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 123]\d "
    rb"[012]\d:[0-5]\d:[0-5]\d) ([\x21-\x7e]+) ([A-Za-z0-9_.-]{1,32})(?:\[([!-Z^-~]+)\])?: (.*)",
    re.DOTALL,
)


class MalformedError(ValueError):
    """What arrived breaks a rule; the text says which."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message that kept every rule.

    Attributes:
        priority: Eight times the facility, and the severity.
        moment: TIMESTAMP as it stands there.
        head: HOSTNAME; APP-NAME or TAG; PROCID.
        data: Parameters of all elements; of RFC 3164 the identity alone.
        text: MSG.
    """

    priority: int
    moment: str
    head: tuple[str, str, str]
    data: dict[str, str]
    text: str


def parse_rfc5424(content: bytes) -> Message:
    """Read a message by the grammar of RFC 5424, section 6."""
    found = _HEADER.match(content)
    if found is None:
        raise MalformedError(f"no header of RFC 5424: {content[:80]!r}")
    _check_moment(found[2])
    data, end = _elements(content, found.end())
    rest = content[end:]
    if rest and not rest.startswith(b" "):
        raise MalformedError(f"no space before MSG: {rest[:40]!r}")
    return Message(
        priority=_priority(found[1]),
        moment=found[2].decode(),
        head=(found[3].decode(), found[4].decode(), found[5].decode()),
        data=data,
        text=_text(rest[1:].removeprefix(b"\xef\xbb\xbf")),
    )


def _check_moment(moment: bytes) -> None:
    if moment == b"-":
        return
    if not _MOMENT.fullmatch(moment):
        raise MalformedError(f"no TIMESTAMP: {moment!r}")
    datetime.fromisoformat(moment.decode())


def _elements(content: bytes, at: int) -> tuple[dict[str, str], int]:
    if content.startswith(b"-", at):
        return {}, at + 1
    names: list[bytes] = []
    data: dict[str, str] = {}
    while content.startswith(b"[", at):
        element = _ELEMENT.match(content, at)
        if element is None:
            raise MalformedError(f"an element has no end: {content[at : at + 200]!r}")
        names.append(element[1])
        for name, value in _PARAMETERS.findall(element[2]):
            data[name.decode()] = _text(re.sub(rb"\\([\"\\\]])", rb"\1", value))
        at = element.end()
    wrong = [one for one in names if one not in _REGISTERED and not _OWN_ELEMENT.fullmatch(one)]
    if wrong or not names or len(set(names)) < len(names):
        raise MalformedError(f"SD-ID unknown, missing or twice: {names}")
    return data, at


def _priority(digits: bytes) -> int:
    if int(digits) > PRIORITY_MAX:
        raise MalformedError(f"PRI is at most {PRIORITY_MAX}, got {int(digits)}")
    return int(digits)


def _text(octets: bytes) -> str:
    if b"\0" in octets:
        raise MalformedError("NUL ends a message in receivers that are written in C")
    return octets.decode()


def parse_rfc3164(content: bytes) -> Message:
    """Read a message as RFC 3164, section 4, has it: one line, with a printable header."""
    found = _OLD.fullmatch(content)
    if found is None or b"\n" in content:
        raise MalformedError(f"no message of RFC 3164: {content[:80]!r}")
    said, _, identity = _text(found[6]).rpartition(" _cid=")
    return Message(
        priority=_priority(found[1]),
        moment=found[2].decode(),
        head=(found[3].decode(), found[4].decode(), (found[5] or b"-").decode()),
        data={"_cid": identity},
        text=said,
    )


PARSERS: dict[str, Callable[[bytes], Message]] = {
    "rfc5424": parse_rfc5424,
    "rfc3164": parse_rfc3164,
}


def next_frame(octets: bytes, bytes_max: int) -> tuple[bytes, bytes] | None:
    """Return (message, rest) of a stream counted in octets; None if more must come.

    RFC 6587, section 3.4.1, and RFC 5425, section 4.3: MSG-LEN has no leading zero.
    """
    digits, space, rest = octets.partition(b" ")
    if len(digits) > FRAME_DIGITS_MAX or not (digits + b"0").isdigit() or digits.startswith(b"0"):
        raise MalformedError(f"no MSG-LEN: {octets[:20]!r}")
    if not space:
        return None
    size = int(digits)
    if size > bytes_max:
        raise MalformedError(f"a message of {size} bytes; {bytes_max} are taken")
    return (rest[:size], rest[size:]) if len(rest) >= size else None
