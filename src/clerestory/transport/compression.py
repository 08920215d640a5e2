"""A body as gzip, when that makes it smaller.

    body -> [compression] -> exchange

Invariant: what comes out is what went in, or its gzip form.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

GZIP_FROM_BYTES: Final = 1024
_LEVEL: Final = 1
_GZIP: Final = 31


def gzip(parts: Iterable[bytes]) -> bytes:
    """Return a body, given in parts, as gzip at the fastest level.

    ISA-L does it five times as fast as zlib, where the package `isal` is installed.
    """
    try:
        from isal import isal_zlib
    except ImportError:
        packer: Any = zlib.compressobj(_LEVEL, wbits=_GZIP)
    else:
        packer = isal_zlib.compressobj(_LEVEL, wbits=_GZIP)
    return b"".join([*map(packer.compress, parts), packer.flush()])
