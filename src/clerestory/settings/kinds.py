"""From what somebody wrote to a value of the setting's kind, or a reason why not.

    arguments, environment, file -> [kinds] -> Settings

Invariant: a value that is returned is of the documented Python type and within its bounds;
anything else is a ValueError whose text begins with what was expected.
"""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

from clerestory.model.severity import name_of, number
from clerestory.settings.table import Setting

_T = TypeVar("_T")
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
_BYTES: Final[dict[str, int]] = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
}
_SECONDS: Final[dict[str, float]] = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
}
_QUANTITY: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


def convert(setting: Setting, value: object) -> object:
    """Return `value` as the setting's kind.

    Text is parsed, so that the environment, a file and an argument may all say `"512MB"`.

    Returns:
        text: str; integer, bytes and level: int; number and seconds: float; boolean: bool;
        list: list; map: dict; path: Path, or None for empty text; path_or_map: either.

    Raises:
        ValueError: The value is not of the kind, or out of bounds; says what is expected.
    """
    if setting.kind == "list":
        return [_item(setting, item) for item in _as_list(value)]
    if setting.kind == "map":
        return {key: _item(setting, item) for key, item in _as_map(value).items()}
    if setting.kind == "path_or_map" and isinstance(value, Mapping):
        return dict(value)
    return _bounded(setting, _scalar(setting.kind, value))


def show(setting: Setting, value: object) -> str:
    """Return a value as one would write it in the environment.

    >>> from clerestory.settings.table import BY_KEY
    >>> show(BY_KEY["level"], 20), show(BY_KEY["spool.bytes_max"], 512_000_000)
    ('INFO', '512MB')
    """
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if setting.kind == "level" and isinstance(value, int):
        name = name_of(value)
        return name if number(name) == value else str(value)
    if setting.kind == "bytes" and isinstance(value, int):
        return show_bytes(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        levels = setting.items == "level"
        shown = {key: name_of(item) if levels else item for key, item in value.items()}
        return ",".join(f"{key}={item}" for key, item in shown.items())
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value)


def seconds(text: object) -> float:
    """Return the seconds of a text such as `50ms`, `30s` or `2m`.

    Raises:
        ValueError: It is no time.
    """
    return float(_as_quantity(text, _SECONDS, "a time such as 50ms, 1.5s or 2m"))


def show_bytes(size: int) -> str:
    """Return a size in the largest unit that divides it.

    >>> show_bytes(4194304), show_bytes(10_000_000), show_bytes(1001)
    ('4MiB', '10MB', '1001')
    """
    for unit in ("GiB", "GB", "MiB", "MB", "KiB", "kB"):
        factor = _BYTES[unit.lower()]
        if size >= factor and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)


def _item(setting: Setting, value: object) -> object:
    if setting.items == "any":
        return value
    return _bounded(setting, _scalar(setting.items, value))


def _scalar(kind: str, value: object) -> object:
    if kind == "text":
        return _as_text(value)
    if kind in {"path", "path_or_map"}:
        return _as_path(value)
    if kind == "boolean":
        return _as_boolean(value)
    if kind == "integer":
        return _as_integer(value)
    if kind == "number":
        return _as_number(value)
    if kind == "bytes":
        return int(_as_quantity(value, _BYTES, "a size such as 4MiB, 512MB or 1000"))
    if kind == "seconds":
        return seconds(value)
    return _as_level(value)


def _bounded(setting: Setting, value: object) -> object:
    if setting.choices and value not in setting.choices:
        allowed = ", ".join(choice or "(empty)" for choice in setting.choices)
        raise ValueError(f"expected one of {allowed}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if setting.low is not None and value < setting.low:
        raise ValueError(f"expected at least {setting.low:g}")
    if setting.high is not None and value > setting.high:
        raise ValueError(f"expected at most {setting.high:g}")
    return value


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | Path):
        return str(value)
    raise ValueError("expected text")


def _as_path(value: object) -> Path | None:
    if isinstance(value, Path):
        return value.expanduser()
    if isinstance(value, str):
        return Path(value).expanduser() if value else None
    raise ValueError("expected a path")


def _as_boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("expected true or false")


def _as_integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value.strip())
        except ValueError:
            pass
    raise ValueError("expected a whole number")


def _as_number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if isinstance(value, str):
        try:
            parsed = float(value)
        except ValueError:
            parsed = math.nan
        if math.isfinite(parsed):
            return parsed
    raise ValueError("expected a number")


def _as_quantity(value: object, units: Mapping[str, float], expected: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    factor = units.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError(f"expected {expected}")
    return float(match[1]) * factor


def _as_level(value: object) -> int:
    if isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return number(value)
        except ValueError as error:
            raise ValueError(str(error).partition(": ")[2]) from None
    raise ValueError("expected a level's name or number")


def _as_list(value: object) -> list[object]:
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            return list(_from_json(value, list, "a JSON list"))
        return [part.strip() for part in value.split(",") if part.strip()]
    raise ValueError("expected a list, or text with commas")


def _as_map(value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return {str(key): item for key, item in value.items()}
    if isinstance(value, str):
        if value.lstrip().startswith("{"):
            return dict(_from_json(value, dict, "a JSON object"))
        return dict(_pairs(value))
    raise ValueError("expected a mapping, or text such as a=1,b=2")


def _pairs(text: str) -> list[tuple[str, object]]:
    pairs: list[tuple[str, object]] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, sign, item = part.partition("=")
        if not sign or not key.strip():
            raise ValueError("expected text such as a=1,b=2")
        pairs.append((key.strip(), item.strip()))
    return pairs


def _from_json(text: str, kind: type[_T], expected: str) -> _T:
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, kind):
        raise ValueError(f"expected {expected}")  # noqa: TRY004 one error type for callers
    return parsed
