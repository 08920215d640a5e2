"""The fields that every record of a request or task carries, and the span it is in.

    with request_context(...), span(...) -> [context] -> call -> line

Invariant: what is in force is never changed in place.
"""

from clerestory.context import carrying
from clerestory.context.fields import (
    Fields,
    bind,
    get,
    prepare_with,
    request_context,
    reset,
    unbind,
    use,
)

__all__ = [
    "Fields",
    "bind",
    "carrying",
    "get",
    "prepare_with",
    "request_context",
    "reset",
    "unbind",
    "use",
]
