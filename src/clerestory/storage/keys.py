"""What is said about a key that nobody knows.

[keys] -> ConfigurationError
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from clerestory.model.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable


def unknown(where: str, key: object, known: Iterable[str]) -> ConfigurationError:
    """Return an error that names an unknown key and the known one that is most like it.

    >>> print(unknown("rotation", "max_sise", ["max_size", "compression"]))
    rotation: unknown key 'max_sise'; did you mean 'max_size'? Known: compression, max_size
    """
    names = sorted(known)
    close = difflib.get_close_matches(str(key), names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return ConfigurationError(f"{where}: unknown key {key!r}; {hint}Known: {', '.join(names)}")
