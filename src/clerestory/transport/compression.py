"""A body as gzip, when that makes it smaller.

    body -> [compression] -> exchange

Invariant: what comes out is what went in, or its gzip form.
"""

from __future__ import annotations

import zlib
from typing import Final

GZIP_FROM_BYTES: Final = 1024
_LEVEL: Final = 1
_GZIP: Final = 31


def gzip(body: bytes) -> bytes:
    """Return the body as gzip at the fastest level.

    ISA-L does it five times as fast as zlib, where the package `isal` is installed.
    """
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.compress(body, _LEVEL, wbits=_GZIP)
    return bytes(isal_zlib.compress(body, _LEVEL, wbits=_GZIP))
