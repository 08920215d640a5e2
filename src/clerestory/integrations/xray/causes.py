"""An exception as a segment document tells it.

    exception -> [causes] -> cause of a segment

Invariant: an exception is told once in a trace: who meets it again tells the id of the first.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clerestory.process.values import safe_str
from clerestory.tracing.rules import RANDOM

if TYPE_CHECKING:
    from collections.abc import Iterable

_CAUSE_ID: Final = "__clerestory_xray_cause__"
_MESSAGE_CHARS: Final = 8192
_OWN: Final = str(Path(__file__).parent)


def known_cause(exception: BaseException) -> str:
    """Return the id under which an exception was told already; empty if it was not."""
    return str(getattr(exception, _CAUSE_ID, ""))


def described(exception: BaseException, stack: Iterable[Any] | None, *, remote: bool) -> Any:
    """Return the form of an exception in a document, and remember its id on it.

    Args:
        exception: What was raised.
        stack: As `traceback.extract_tb` returns it.
        remote: Whether another service is to blame.
    """
    identity = f"{RANDOM.getrandbits(64):016x}"
    told: dict[str, Any] = {
        "id": identity,
        "message": safe_str(exception, _MESSAGE_CHARS),
        "type": type(exception).__name__,
        "remote": remote,
    }
    frames = [_frame(one) for one in stack or () if _OWN not in str(one[0])]
    if frames:
        told["stack"] = frames
    try:
        setattr(exception, _CAUSE_ID, identity)
    except (AttributeError, TypeError):
        return told
    return told


def _frame(entry: Any) -> dict[str, Any]:
    path, line, label = entry[0], entry[1], entry[2]
    return {"path": Path(str(path)).name, "line": line, "label": str(label).strip()}


def working_directory() -> str:
    """Return the folder that the program works in; empty if it is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def stack_of(error: BaseException, limit: int) -> list[Any]:
    """Return the frames that an exception has passed, at most so many from where it was caught."""
    return list(traceback.extract_tb(error.__traceback__, limit=limit))


def whole_stack(error: BaseException | None, limit: int) -> list[Any]:
    """Return the innermost frames of caller and exception together, at most so many."""
    if limit == 0:
        return []
    caller = list(traceback.extract_stack(sys._getframe(1)))  # noqa: SLF001
    found = caller + ([] if error is None else list(traceback.extract_tb(error.__traceback__)))
    return [one for one in found if _OWN not in one.filename][-limit:]
