"""An exception as structured data: type, message, frames, causes. No local variables by default.

    call -> [exceptions] -> line

Invariant: local variables leave the program only if `exceptions.locals` was set.
"""

from __future__ import annotations

import linecache
import sys
from typing import TYPE_CHECKING, Any, Final

from clerestory.process.values import safe_repr, safe_str

if TYPE_CHECKING:
    from types import TracebackType

_CAUSES_MAX: Final = 8
_MESSAGE_CHARS: Final = 8192


def type_name(error: BaseException) -> str:
    """Return the qualified name of an exception's type; builtins without their module.

    >>> type_name(KeyError("x"))
    'KeyError'
    """
    kind = type(error)
    if kind.__module__ in {"builtins", "__main__"}:
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def resolve(exc_info: Any) -> BaseException | None:
    """Return the exception that the standard library's `exc_info` argument means."""
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1] if len(exc_info) > 1 else None
    elif exc_info and not isinstance(exc_info, BaseException):
        exc_info = sys.exc_info()[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def describe(
    error: BaseException, *, frames_max: int = 50, with_locals: bool = False, depth: int = 0
) -> dict[str, Any]:
    """Return the structured form of an exception.

    Args:
        error: The exception.
        frames_max: At most so many frames, the innermost ones.
        with_locals: Whether each frame carries the `repr` of its local variables.
        depth: How many causes were followed so far.

    Returns:
        `type`, `message`, `frames` (outermost first; `file`, `line`, `function`, `code`), and,
        where they exist, `notes`, `cause` and `exceptions` (of a group), each of the same form.
    """
    form: dict[str, Any] = {
        "type": type_name(error),
        "message": safe_str(error, _MESSAGE_CHARS),
        "frames": _frames(error.__traceback__, frames_max, with_locals=with_locals),
    }
    notes = getattr(error, "__notes__", None)
    if notes:
        form["notes"] = [safe_str(note, 1024) for note in list(notes)[:8]]
    if depth >= _CAUSES_MAX:
        return form
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and cause is not error:
        form["cause"] = describe(
            cause, frames_max=frames_max, with_locals=with_locals, depth=depth + 1
        )
    if isinstance(error, BaseExceptionGroup):
        form["exceptions"] = [
            describe(member, frames_max=frames_max, with_locals=with_locals, depth=depth + 1)
            for member in error.exceptions[:10]
        ]
    return form


def _frames(
    traceback: TracebackType | None, frames_max: int, *, with_locals: bool
) -> list[dict[str, Any]]:
    steps = []
    while traceback is not None:
        steps.append(traceback)
        traceback = traceback.tb_next
    return [_frame(step, with_locals=with_locals) for step in steps[-frames_max:]]


def _frame(step: TracebackType, *, with_locals: bool) -> dict[str, Any]:
    code = step.tb_frame.f_code
    form: dict[str, Any] = {
        "file": code.co_filename,
        "line": step.tb_lineno,
        "function": code.co_qualname,
        "code": linecache.getline(code.co_filename, step.tb_lineno).strip()[:200],
    }
    if with_locals:
        items = list(step.tb_frame.f_locals.items())[:32]
        form["locals"] = {name: safe_repr(value, 256) for name, value in items}
    return form
