"""The fields that every record of a request or task carries.

    with request_context(...) -> [context] -> call -> line

One `ContextVar` holds one immutable-by-convention dict: binding makes a copy, so that tasks
and threads never see each other's fields; reading it costs the caller a few nanoseconds.

Invariant: the dict in force is never changed in place.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from clerestory.wire.line import RESERVED, rename

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NOTHING: Final[dict[str, Any]] = {}
_fields: ContextVar[dict[str, Any]] = ContextVar("clerestory_context", default=_NOTHING)

get: Final[Callable[[], dict[str, Any]]] = _fields.get
_prepare: list[Callable[[str, Any], Any]] = []


def prepare_with(function: Callable[[str, Any], Any]) -> None:
    """Set what every bound value passes through once, at binding: masking and bounding."""
    _prepare[:] = [function]


def _merged(fields: dict[str, Any]) -> dict[str, Any]:
    merged = dict(_fields.get())
    for key, value in fields.items():
        name = rename(key) if key in RESERVED and key not in {"trace_id", "span_id"} else key
        merged[name] = _prepare[0](name, value) if _prepare else value
    return merged


@contextmanager
def request_context(**fields: Any) -> Iterator[None]:
    """Add fields to every record logged inside the `with` block, in this thread or task.

    Blocks nest; an inner field wins over an outer one of the same name. A name that is reserved
    in a record is kept as `field.<name>`.

    Args:
        **fields: Any values; they take the documented bounded form once, here.

    >>> with request_context(user_id="user123"):
    ...     get()
    {'user_id': 'user123'}
    """
    token = _fields.set(_merged(fields))
    try:
        yield
    finally:
        _fields.reset(token)


def bind(**fields: Any) -> None:
    """Add fields to every later record of this thread or task, until it ends."""
    _fields.set(_merged(fields))


def unbind(*names: str) -> None:
    """Remove fields that were bound before; names that are not bound are ignored."""
    _fields.set({key: value for key, value in _fields.get().items() if key not in names})
