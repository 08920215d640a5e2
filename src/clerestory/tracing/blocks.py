"""A span around a block, and around each step of a generator.

    with span(...) -> [blocks] -> Span

Invariant: a block runs and raises as it would without the span around it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from clerestory import context
from clerestory.tracing.decoration import decorated
from clerestory.tracing.pending import OPEN
from clerestory.tracing.spans import Span, clock_ns

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from clerestory.context import Fields

_Function = TypeVar("_Function", bound="Callable[..., Any]")
_fields_in_force: Final = context.get
_use: Final = context.use
_reset: Final = context.reset
_getframe: Final = sys._getframe  # noqa: SLF001  the documented way to see the caller


class Block(Span):
    """A span that is in force until its block ends."""

    __slots__ = ()

    def __enter__(self) -> Self:
        around = _fields_in_force()
        self.token = _use(self.begin(around, self._parent_in(around)))
        if self.sampled:
            OPEN[self.span_id] = self
        return self

    def _parent_in(self, around: Fields) -> Any:
        """Return the span that this one is to be inside of."""
        details = self.details
        return around.span if details is None or details.parent is None else details.parent

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        duration_ns = clock_ns() - self._clock
        if error is not None:
            self._fail(error, _getframe(1))
        self._leave()
        self._finish(duration_ns)

    def _leave(self) -> None:
        """Put in force again what was before the block."""
        try:
            _reset(self.token)
        except ValueError:  # left in another context than it was entered, as by a generator
            self.token = None

    def __call__(self, function: _Function) -> _Function:
        """Return the function with such a span around each of its calls."""
        return decorated(self._again, function)  # type: ignore[return-value]

    def _again(self) -> Self:
        """Return a span like this one that has not begun."""
        again = type(self)()
        again.name, again.kind, again.scope = self.name, self.kind, self.scope
        again.attributes = dict(self.attributes)
        again._fields = None
        again.details = None if self.details is None else self.details.copy()
        return again

    def steps(self) -> Steps:
        """Return the span of something that runs step by step, such as a generator."""
        return Steps(self)


class Steps:
    """A span that is in force only while one of its steps runs.

    Args:
        one: A span that has not begun.
    """

    __slots__ = ("_fields", "_span")

    def __init__(self, one: Block) -> None:
        self._span = one
        self._fields: Fields | None = None

    def __enter__(self) -> Self:
        one = self._span
        one.__enter__()
        self._fields = context.get()
        context.reset(one.token)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        one = self._span
        assert self._fields is not None
        one.token = context.use(self._fields)  # for the record of the exception
        one.__exit__(kind, error, traceback)

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run one step."""
        assert self._fields is not None
        token = context.use(self._fields)
        try:
            return function(*args)
        finally:
            context.reset(token)

    async def run_async(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run one step of something asynchronous."""
        assert self._fields is not None
        token = context.use(self._fields)
        try:
            return await function(*args)
        finally:
            context.reset(token)
