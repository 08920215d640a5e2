"""A span around each call of a function: plain, async, or a generator of either kind.

    @span("name") -> [decoration] -> Span

The span of a generator lasts from its first step to its end and is in force only while the
generator itself runs, not in whoever iterates over it.

Invariant: the decorated function is of the same kind, and gives and raises what it gave before.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def decorated(make: Callable[[], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with a span around each call.

    Args:
        make: Makes the span of one call; entering it puts it in force.
        function: What is called.
    """
    if inspect.isasyncgenfunction(function):
        return _around_async_generator(make, function)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            with make():
                return await function(*args, **kwargs)

        return awaited
    if inspect.isgeneratorfunction(function):
        return _around_generator(make, function)

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        with make():
            return function(*args, **kwargs)

    return called


def _around_generator(make: Callable[[], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def generated(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        take, given = inner.send, None
        with make().steps() as steps:
            while True:
                try:
                    found = steps.run(take, given)
                except StopIteration as stop:
                    return stop.value
                try:
                    take, given = inner.send, (yield found)
                except GeneratorExit:
                    steps.run(inner.close)
                    raise
                except BaseException as error:
                    take, given = inner.throw, error

    return generated


def _around_async_generator(
    make: Callable[[], Any], function: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(function)
    async def generated(*args: Any, **kwargs: Any) -> Any:
        inner = function(*args, **kwargs)
        take, given = inner.asend, None
        with make().steps() as steps:
            while True:
                try:
                    found = await steps.run_async(take, given)
                except StopAsyncIteration:
                    return
                try:
                    take, given = inner.asend, (yield found)
                except GeneratorExit:
                    await steps.run_async(inner.aclose)
                    raise
                except BaseException as error:
                    take, given = inner.athrow, error

    return generated
