"""Segments and subsegments around a block or a function, plain or async.

    with recorder.in_subsegment(...), @recorder.capture(...) -> [blocks] -> entity

Invariant: block and function give and raise what they would without.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from clerestory.integrations.xray import stack
from clerestory.integrations.xray.causes import stack_of, whole_stack

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from clerestory.integrations.xray.entities import Entity
    from clerestory.integrations.xray.recorder import XRayRecorder

_Function = TypeVar("_Function", bound="Callable[..., Any]")


class InEntity:
    """A segment or subsegment for as long as a block runs.

    Args:
        recorder: Whose it is.
        begin: Begins it.
    """

    def __init__(self, recorder: XRayRecorder, begin: Callable[[], Entity]) -> None:
        self._recorder = recorder
        self._begin = begin
        self._entity: Entity | None = None

    def __enter__(self) -> Entity:
        self._entity = entity = self._begin()
        entity.is_sure = True
        return entity

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        entity = self._entity
        if entity is None or not entity.in_progress:
            return
        if error is not None:
            entity.add_exception(error, stack_of(error, self._recorder.max_trace_back))
        stack.end(entity)

    async def __aenter__(self) -> Entity:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)


class InSubsegment(InEntity):
    """A subsegment for as long as a block runs, or around each call of a function.

    Args:
        recorder: Whose it is.
        name: Of the subsegment; None for that of the function.
        namespace: See `Subsegment`.
    """

    def __init__(self, recorder: XRayRecorder, name: str | None, namespace: str = "local") -> None:
        super().__init__(recorder, lambda: recorder.begin_subsegment(name or "", namespace))
        self._name = name

    def __call__(self, function: _Function) -> _Function:
        """Return the function with a subsegment around each of its calls."""
        recorder, name = self._recorder, self._name or function.__name__
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with _Call(recorder, name):
                    return await function(*args, **kwargs)

            return awaited  # type: ignore[return-value]

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with _Call(recorder, name):
                return function(*args, **kwargs)

        return called  # type: ignore[return-value]


class _Call(InEntity):
    """The subsegment of one call; the frames of its exception are those of its caller, too."""

    def __init__(self, recorder: XRayRecorder, name: str) -> None:
        super().__init__(recorder, lambda: recorder.begin_subsegment(name))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception) and self._entity is not None and self._entity.in_progress:
            frames = whole_stack(error, self._recorder.max_trace_back)
            self._entity.add_exception(error, frames)
        super().__exit__(kind, None, traceback)
