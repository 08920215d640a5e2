"""A line of the spool as Python values, for receivers that want another form than JSON lines.

    batch -> [record] -> otlp, syslog, services -> exchange

Invariant: a line that is no JSON object still comes out as a record, with its text as message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.wire.line import time_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_CAUSES_MAX: Final = 8
_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"

_decode = msgspec.json.Decoder().decode


def fields_of(line: bytes) -> dict[str, Any]:
    """Return the members of a line; `timestamp` is there, in nanoseconds, 0 if it is unknown.

    >>> fields_of(b'{"timestamp":1795314823428724290,"level":"INFO","logger":"a","message":"m"}')
    {'timestamp': 1795314823428724290, 'level': 'INFO', 'logger': 'a', 'message': 'm'}
    >>> fields_of(b"not JSON")["message"]
    'not JSON'
    """
    try:
        fields = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        fields = None
    if type(fields) is not dict:
        fields = {"message": line.decode("utf-8", "replace")}
    if type(fields.get("timestamp")) is not int:
        fields["timestamp"] = time_of(line)
    return fields


def hex_id(text: object, digits: int) -> str:
    """Return a trace or span id in lower case, empty if it has not so many hex digits.

    >>> hex_id("00F067AA0BA902B7", 16), hex_id("x", 16)
    ('00f067aa0ba902b7', '')
    """
    if type(text) is not str or len(text) != digits:
        return ""
    try:
        return bytes.fromhex(text).hex()
    except ValueError:
        return ""


def stacktrace(exception: object) -> str:
    """Return an exception's structured form as Python prints it, its causes first.

    >>> print(stacktrace({"type": "KeyError", "message": "'x'", "frames": [
    ...     {"file": "a.py", "line": 3, "function": "f", "code": "d['x']"}]}))
    Traceback (most recent call last):
      File "a.py", line 3, in f
        d['x']
    KeyError: 'x'
    """
    if not isinstance(exception, dict):
        return exception if isinstance(exception, str) else ""
    chain: list[str] = []
    while isinstance(exception, dict) and len(chain) <= _CAUSES_MAX:
        chain.append(_one(exception))
        exception = exception.get("cause")
    return _CAUSE.join(f"{text}\n" for text in reversed(chain)).rstrip("\n")


def _one(exception: Mapping[str, Any]) -> str:
    lines = ["Traceback (most recent call last):"]
    for frame in exception.get("frames") or ():
        place = (frame.get("file", "?"), frame.get("line", 0), frame.get("function", "?"))
        lines.append('  File "{}", line {}, in {}'.format(*place))
        if frame.get("code"):
            lines.append(f"    {frame['code']}")
    lines.append(f"{exception.get('type', 'Exception')}: {exception.get('message', '')}")
    lines.extend(str(note) for note in exception.get("notes") or ())
    return "\n".join(lines)
