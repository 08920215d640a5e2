"""Names of single events: `@ptr` and eventId.

store -> [pointers] ~~> client ~~> GetLogRecord
"""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Final

_POINTER: Final = re.compile(r"(\d{1,19}):([0-9a-zA-Z_-]{1,64}):(\d{1,19})", re.ASCII)
_HEX_SPOOL: Final = re.compile(r"[0-9a-f]{32}")


def pointer(ns: int, spool: str, seq: int) -> str:
    """Return the pointer of a row.

    >>> position_of(pointer(5, "ab", 7))
    (5, 'ab', 7)
    """
    return urlsafe_b64encode(f"{ns}:{spool}:{seq}".encode()).decode().rstrip("=")


def position_of(text: str) -> tuple[int, str, int] | None:
    """Return time in ns, spool and number of a pointer; None if it is none."""
    try:
        plain = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    found = _POINTER.fullmatch(plain)
    if not found or int(found[1]) >= 2**63 or int(found[3]) >= 2**63:
        return None
    return int(found[1]), found[2], int(found[3])


def event_id(time_ms: int, spool: str, seq: int) -> str:
    """Return the id of an event: 56 digits, as AWS's.

    >>> len(event_id(1_700_000_000_000, "ab", 7))
    56
    """
    is_hex = _HEX_SPOOL.fullmatch(spool)
    half = spool[:16] if is_hex else blake2b(spool.encode(), digest_size=8).hexdigest()
    return f"{time_ms:016d}{int(half, 16):020d}{seq:020d}"
