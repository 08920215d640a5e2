"""A record made to fit where it is too long, by cutting its longest fields.

    line -> [shorten] -> destination

Invariant: what comes out is a JSON object that says in `_truncated_bytes` how much is missing.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

import msgspec

_KEPT: Final = frozenset(("timestamp", "level", "logger", "_truncated_bytes"))
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_encode: Final = msgspec.json.encode
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def shorten(line: bytes, bytes_max: int) -> bytes:
    """Return the record in at most so many bytes.

    The largest text is cut first, then the next; what is no text is cut as the JSON text that it
    is. Time, level and logger stay whole.

    Args:
        line: A JSON object, with or without a line feed at its end.
        bytes_max: At least some 200.

    >>> shorten(b'{"level":"INFO","message":"' + b'x' * 100 + b'"}', 60)
    b'{"level":"INFO","message":"xxxxxxxx","_truncated_bytes":92}'
    """
    if len(line) <= bytes_max:
        return line
    end = b"\n" if line.endswith(b"\n") else b""
    content = line.removesuffix(b"\n")
    room = bytes_max - len(end)
    try:
        members = _members(content)
    except _UNREADABLE:
        members = {"message": msgspec.Raw(_encode(content.decode("utf-8", "replace")))}
    texts = sorted(members.keys() - _KEPT, key=lambda name: len(bytes(members[name])), reverse=True)
    for name in texts:
        members["_truncated_bytes"] = msgspec.Raw(b"%d" % len(content))
        excess = len(_encode(members)) - room
        if excess <= 0:
            break
        value = bytes(members[name])
        members[name] = msgspec.Raw(cut(value, len(value) - excess))
    missing = len(content) - len(_encode(members)) + len(b',"_truncated_bytes":%d' % len(content))
    members["_truncated_bytes"] = msgspec.Raw(b"%d" % missing)
    return _encode(members) + end


def cut(value: bytes, bytes_max: int) -> bytes:
    """Return an encoded text with the beginning of a value, in so many bytes if that can be."""
    try:
        text = msgspec.json.decode(value, type=str)
    except _UNREADABLE:
        text = value.decode("utf-8", "replace")
    chars = bisect_right(range(len(text) + 1), bytes_max, key=lambda n: len(_encode(text[:n])))
    return _encode(text[: max(0, chars - 1)])
