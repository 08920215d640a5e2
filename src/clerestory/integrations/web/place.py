"""Where the records of a request stand: at the function that answered it.

    the framework's view -> [place] -> call -> line

Nobody has called a logger there, so the place stands for the frame that a logger looks at.

Invariant: no record of a request names a line of ours; where no function is known, it names none.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from types import FrameType

_LAYERS_MAX: Final = 32
_OURS: Final = str(Path(__file__).parent.parent)


@dataclass(frozen=True, slots=True)
class _Place:
    """A line of a function, in the shape of a frame.

    Attributes:
        f_code: Of the function.
        f_lineno: The line.
        f_back: Nothing is around it.
    """

    f_code: CodeType
    f_lineno: int
    f_back: FrameType | None = None


def _at(code: CodeType, line: int) -> FrameType:
    return cast("FrameType", _Place(code, line))


def place_of(endpoint: Any, method: str = "") -> FrameType | None:
    """Return where a function begins; None for what is not a function of Python.

    Args:
        endpoint: A function, however decorated, or a class with a method for each HTTP method.
        method: `GET` and such.
    """
    for _ in range(_LAYERS_MAX):
        # Flask keeps the class so, of which a view is one function for all methods.
        endpoint = getattr(endpoint, "view_class", endpoint)
        if isinstance(endpoint, type):
            endpoint = _method_of(endpoint, method)
        is_partial = isinstance(endpoint, functools.partial)
        inner = endpoint.func if is_partial else getattr(endpoint, "__wrapped__", None)
        if inner is None:
            break
        endpoint = inner
    if isinstance(endpoint, MethodType):
        endpoint = endpoint.__func__
    if not isinstance(endpoint, FunctionType):
        return None
    return _at(endpoint.__code__, endpoint.__code__.co_firstlineno)


def _method_of(view: type, method: str) -> Any:
    names = (method.lower(), "get" if method == "HEAD" else "", "dispatch_request")
    return next((getattr(view, name) for name in names if name and hasattr(view, name)), None)


def raised_at(error: BaseException) -> FrameType:
    """Return where an exception was raised; who asked us, if that was not in the application."""
    found: FrameType | None = None
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if not code.co_filename.startswith(_OURS):
            found = _at(code, step.tb_lineno)
        step = step.tb_next
    if found is not None:
        return found
    frame = sys._getframe()  # noqa: SLF001  the documented way to see the caller
    while frame.f_code.co_filename.startswith(_OURS) and frame.f_back is not None:
        frame = frame.f_back
    return _at(frame.f_code, frame.f_lineno)
