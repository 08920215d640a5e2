"""Event streams: frames of application/vnd.amazon.eventstream.

    tails -> [frames] ~~> client

    u32 length | u32 length of headers | u32 CRC32 of these | headers | payload | u32 CRC32 of all
    header: u8 length, name, u8 7 (a text), u16 length, text; numbers are big-endian

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html
"""

import struct
import zlib
from typing import Any, Final

import msgspec

MEDIA_TYPE: Final = "application/vnd.amazon.eventstream"
_TEXT: Final = 7


def event_frame(kind: str, content: Any) -> bytes:
    """Return the frame of an event."""
    headers = {":message-type": "event", ":event-type": kind, ":content-type": "application/json"}
    return _frame(headers, msgspec.json.encode(content))


def exception_frame(kind: str, message: str) -> bytes:
    """Return the frame of an error that ends the stream."""
    headers = {
        ":message-type": "exception",
        ":exception-type": kind,
        ":content-type": "application/json",
    }
    return _frame(headers, msgspec.json.encode({"message": message}))


def _frame(headers: dict[str, str], payload: bytes) -> bytes:
    head = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", len(head) + len(payload) + 16, len(head))
    frame = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return frame + struct.pack(">I", zlib.crc32(frame))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return bytes([len(key)]) + key + struct.pack(">BH", _TEXT, len(text)) + text
