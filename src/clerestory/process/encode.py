"""The one encoder: a mapping in, a line of bytes out.

    call -> [encode] -> spool

Invariant: what `encode` refuses, `encode_surely` encodes; it never raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.process.values import ValueLimits, bounded, bounded_text, encode_hook, safe_str

if TYPE_CHECKING:
    from collections.abc import Callable

_encoder: Final = msgspec.json.Encoder(enc_hook=encode_hook)
encode: Final[Callable[[Any], bytes]] = _encoder.encode
encode_lines: Final[Callable[[Any], bytes]] = _encoder.encode_lines
decode: Final[Callable[[bytes], Any]] = msgspec.json.decode
Raw = msgspec.Raw


def encode_surely(fields: dict[str, Any], limits: ValueLimits, line_bytes_max: int) -> bytes:
    """Return one line for the fields, whatever they hold.

    First every value is bounded; if the line is still longer than `line_bytes_max` the longest
    values are cut further, and `truncated_bytes` says by how much the line shrank.
    """
    try:
        safe = {
            bounded_text(safe_str(key, 256), 256): value
            if type(value) is Raw
            else bounded(value, limits)
            for key, value in fields.items()
        }
        line = encode_lines([safe])
        if len(line) > line_bytes_max:
            line = _shrunk(safe, len(line), line_bytes_max)
    except Exception as error:
        names = bounded_text(", ".join(safe_str(key, 64) for key in fields), 1024)
        head = {key: fields[key] for key in ("timestamp", "level") if key in fields}
        message = bounded_text(safe_str(fields.get("message", ""), 1024), 1024)
        note = {"message": message, "encode_error": type(error).__name__, "fields": names}
        return encode_lines([head | note])
    return line


def _shrunk(fields: dict[str, Any], size: int, line_bytes_max: int) -> bytes:
    original = size
    line = b""
    for chars in (8192, 1024, 128):
        tight = ValueLimits(chars=chars, items=chars // 16, depth=8)
        fields = {
            key: value if type(value) is Raw else bounded(value, tight)
            for key, value in fields.items()
        }
        line = encode_lines([fields | {"truncated_bytes": original}])
        if len(line) <= line_bytes_max:
            return line
    kept = dict(list(fields.items())[:64])
    return encode_lines([kept | {"truncated_bytes": original}])
