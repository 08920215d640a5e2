"""The bounded JSON form of any value that a program logs.

    call -> [values] -> line -> spool

The fast path is msgspec alone. Only what it cannot encode, or what came out too long, passes
through `bounded`, which never raises, whatever the value does.

Invariant: the result is always encodable, of bounded size and depth, without lone surrogates.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any, Final

_MODULES_WITH_ITEM: Final = ("numpy", "pandas", "torch")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLimits:
    """How large one value may become.

    Attributes:
        chars: Longest text, in characters; the rest is cut and counted in a marker.
        items: Most members of one list or mapping.
        depth: Deepest nesting.
    """

    chars: int = 32768
    items: int = 1000
    depth: int = 32


class _Guard(threading.local):
    """Says whether this thread runs user code on our behalf (`__repr__` and the like)."""

    busy = False


_guard = _Guard()


def _name(value: object) -> str:
    return type(value).__qualname__


def safe_repr(value: object, chars: int = 1024) -> str:
    """Return `repr(value)`, bounded; a marker when it raises or is entered again."""
    if _guard.busy:
        return f"<{_name(value)}>"
    _guard.busy = True
    try:
        text = repr(value)
        return text if len(text) <= chars else text[:chars] + "…"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return f"<unrepresentable {_name(value)}: {_name(error)}>"
    finally:
        _guard.busy = False


def safe_str(value: object, chars: int) -> str:
    """Return `str(value)`, bounded; a marker when it raises or is entered again."""
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if _guard.busy:
        return f"<{_name(value)}>"
    _guard.busy = True
    try:
        return str(value)[:chars]
    except Exception as error:
        return f"<unrepresentable {_name(value)}: {_name(error)}>"
    finally:
        _guard.busy = False


def encode_hook(value: Any) -> Any:
    """Return an encodable form of a value whose type msgspec does not know.

    numpy and torch scalars become numbers, arrays their shape and first members, data frames
    their shape and columns, exceptions `type: message`, paths text; anything else its `repr`.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, BaseException):
        return f"{_name(value)}: {safe_str(value, 1024)}"
    if hasattr(type(value), "__fspath__"):
        return safe_str(value, 4096)
    if type(value).__module__.partition(".")[0] in _MODULES_WITH_ITEM:
        return _array_form(value)
    return safe_repr(value)


def _array_form(value: Any) -> Any:
    try:
        shape = tuple(getattr(value, "shape", ()))
        if not shape and hasattr(value, "item"):
            return value.item()
        form: dict[str, Any] = {"type": _name(value), "shape": list(shape)}
        if hasattr(value, "columns"):
            form["columns"] = [str(column) for column in list(value.columns)[:50]]
        elif hasattr(value, "dtype"):
            form["dtype"] = str(value.dtype)
            flat = value.ravel() if hasattr(value, "ravel") else value.reshape(-1)
            form["head"] = flat[:8].tolist()
    except Exception:
        return safe_repr(value)
    return form


def bounded(
    value: Any, limits: ValueLimits, depth: int = 0, seen: frozenset[int] = frozenset()
) -> Any:
    """Return a copy of `value` that is certainly encodable and within the limits.

    Cycles become `<cycle>`, what is too deep `<depth>`, text that is too long is cut with the
    number of characters left out, infinities and NaN become None, lone surrogates escapes.
    """
    kind = type(value)
    if kind is str:
        return bounded_text(value, limits.chars)
    if value is None or kind is bool or kind is int:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if isinstance(value, dict | list | tuple | set | frozenset):
        if id(value) in seen:
            return "<cycle>"
        if depth >= limits.depth:
            return "<depth>"
        return _bounded_container(value, limits, depth + 1, seen | {id(value)})
    return _bounded_other(value, limits, depth, seen)


def _bounded_other(value: Any, limits: ValueLimits, depth: int, seen: frozenset[int]) -> Any:
    from clerestory.process.encode import encode

    try:
        encode(value)
    except Exception:
        return bounded_text(safe_repr(value), limits.chars)
    form = encode_hook(value)
    if isinstance(form, str):
        return bounded_text(form, limits.chars)
    if isinstance(form, dict | list):
        return bounded(form, limits, depth + 1, seen)
    return form if isinstance(form, int) else bounded_text(safe_repr(value), limits.chars)


def _bounded_container(value: Any, limits: ValueLimits, depth: int, seen: frozenset[int]) -> Any:
    try:
        if isinstance(value, dict):
            pairs = list(value.items())
            result: Any = {
                bounded_text(safe_str(key, 256), 256): bounded(member, limits, depth, seen)
                for key, member in pairs[: limits.items]
            }
            if len(pairs) > limits.items:
                result["…"] = f"{len(pairs) - limits.items} more"
            return result
        members = list(value)
        result = [bounded(member, limits, depth, seen) for member in members[: limits.items]]
        if len(members) > limits.items:
            result.append(f"… {len(members) - limits.items} more")
    except Exception as error:
        return f"<unrepresentable {_name(value)}: {_name(error)}>"
    return result


def bounded_text(text: str, chars: int) -> str:
    """Return text without lone surrogates, cut at `chars` with a count of what is missing."""
    if len(text) > chars:
        text = f"{text[:chars]}… [{len(text) - chars} characters cut]"
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "backslashreplace").decode()
    return text
