"""What is in force in a thread or task: one mapping that each record starts with.

    with request_context(...), span(...) -> [fields] -> call -> line

One `ContextVar` holds one immutable-by-convention mapping: binding makes a copy, so that tasks
and threads never see each other's fields; reading it costs the caller a few nanoseconds. The
span in force hangs on the same mapping, so entering one costs one copy and not two.

Invariant: the mapping in force is never changed in place.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Final

from msgspec import Raw

from clerestory.model.spans import SpanContext
from clerestory.wire.line import RESERVED, SPAN_KEYS, rename

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# Kinds of values that every process can be sent; all bound values become one of these.
_TRAVELLING: Final = frozenset((str, int, float, bool, type(None), Raw))


class Fields(dict[str, Any]):
    """Fields by name, those of the span in force among them.

    Attributes:
        span: The span in force, or the remote one that is continued; None for none.
        foreign: What other packages keep beside it: OpenTelemetry's own context.
        collides: Whether a field has a name that a span's line needs itself.
    """

    __slots__ = ("collides", "foreign", "span")

    span: Any
    foreign: Any
    collides: bool

    def __reduce__(self) -> tuple[Any, ...]:
        span = self.span
        if span is not None:
            span = SpanContext(span.trace_id, span.span_id, span.sampled, span.trace_state)
        # What cannot travel must not keep a process from starting.
        members = {key: value for key, value in self.items() if type(value) in _TRAVELLING}
        return _restored, (members, span, self.collides)


def _restored(members: dict[str, Any], span: SpanContext | None, collides: bool) -> Fields:
    fields = Fields(members)
    fields.span = span
    fields.foreign = None
    fields.collides = collides
    return fields


_NOTHING: Final = _restored({}, None, collides=False)
_fields: ContextVar[Fields] = ContextVar("clerestory_context", default=_NOTHING)

get: Final[Callable[[], Fields]] = _fields.get
use: Final[Callable[[Fields], Token[Fields]]] = _fields.set
reset: Final[Callable[[Token[Fields]], None]] = _fields.reset
_prepare: list[Callable[[str, Any], Any]] = []
_before: list[Callable[[], None]] = []


def before_binding(action: Callable[[], None]) -> None:
    """Set what is done whenever fields are bound: the first time, threads learn to carry them."""
    _before[:] = [action]


def prepare_with(function: Callable[[str, Any], Any]) -> None:
    """Set what every bound value passes through once, at binding: masking and bounding."""
    _prepare[:] = [function]


def _copy(members: dict[str, Any], of: Fields) -> Fields:
    fields = Fields(members)
    fields.span = of.span
    fields.foreign = of.foreign
    fields.collides = not SPAN_KEYS.isdisjoint(members)
    return fields


def _merged(fields: dict[str, Any]) -> Fields:
    for action in _before:
        action()
    before = _fields.get()
    merged = dict(before)
    for key, value in fields.items():
        name = rename(key) if key in RESERVED and key not in {"trace_id", "span_id"} else key
        merged[name] = _prepare[0](name, value) if _prepare else value
    return _copy(merged, before)


@contextmanager
def request_context(**fields: Any) -> Iterator[None]:
    """Add fields to every record logged inside the `with` block, in this thread or task.

    Threads, executors and processes that the block starts have them too. Blocks nest; an inner
    field wins over an outer one of the same name. A name that is reserved in a record is kept as
    `field.<name>`.

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
    """Add fields to every later record of this thread or task.

    They hold until the block of `request_context` or `span` around the call ends, else until the
    thread or task does.
    """
    _fields.set(_merged(fields))


def unbind(*names: str) -> None:
    """Remove fields that were bound before; names that are not bound are ignored."""
    before = _fields.get()
    _fields.set(_copy({key: value for key, value in before.items() if key not in names}, before))
