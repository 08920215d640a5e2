"""From a mapping that somebody wrote to the options of one thing, such as a destination.

    destinations=[{"type": "cloudwatch", "log_group": "shop"}] -> [options] -> CloudWatchConfig

The options are the fields of a frozen dataclass; what a field's annotation says decides how text
is read, as for settings: `"10MB"`, `"5s"`, `"true"`, `"a=1,b=2"`.

Invariant: an option that the dataclass does not have is an error which names the nearest.
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

from clerestory.model.errors import ConfigurationError
from clerestory.settings.kinds import convert
from clerestory.settings.setting import Kind, Setting

_T = TypeVar("_T")
_KINDS: Final[dict[Any, Kind]] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "boolean",
    tuple: "list",
    list: "list",
    Mapping: "map",
    dict: "map",
}
_SHOWN_CHARS_MAX: Final = 80


def build(config: type[_T], given: Mapping[str, Any], where: str) -> _T:
    """Return the dataclass with these options.

    Args:
        config: A dataclass.
        given: Options by name; None means not given.
        where: What they belong to, for messages.

    Raises:
        ConfigurationError: An option is unknown, missing, or of the wrong kind.
    """
    fields = {field.name: field for field in dataclasses.fields(config)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(config)
    options = {}
    for name, value in given.items():
        if name not in fields:
            raise ConfigurationError(f"{where}: unknown option {name!r}; {_nearest(name, fields)}")
        if value is not None:
            options[name] = _converted(fields[name], hints[name], value, where)
    missing = [name for name, field in fields.items() if _is_required(field, options)]
    if missing:
        raise ConfigurationError(f"{where}: needs {' and '.join(missing)}")
    return config(**options)


def _nearest(name: str, fields: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, fields, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(fields))}"


def _is_required(field: "dataclasses.Field[Any]", options: Mapping[str, Any]) -> bool:
    has_default = (
        field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
    )
    return field.name not in options and not has_default


def _converted(field: "dataclasses.Field[Any]", hint: Any, value: object, where: str) -> object:
    kind, choices = _kind(field, hint)
    if kind is None:
        return value
    setting = Setting(key=field.name, default=None, kind=kind, help="", choices=choices)
    try:
        converted = convert(setting, value)
    except ValueError as error:
        shown = repr(value)[:_SHOWN_CHARS_MAX] if field.repr else "(not shown)"
        raise ConfigurationError(f"{where}: {field.name}: {error}, got {shown}") from None
    return tuple(converted) if isinstance(converted, list) else converted


def _kind(field: "dataclasses.Field[Any]", hint: Any) -> tuple[Kind | None, tuple[str, ...]]:
    """Return the kind of a field, and the texts that it allows."""
    if "kind" in field.metadata:
        return field.metadata["kind"], ()
    origin = typing.get_origin(hint)
    if origin is Literal:
        return "text", typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        members = [member for member in typing.get_args(hint) if member is not type(None)]
        return _kind(field, members[0]) if len(members) == 1 else (None, ())
    return _KINDS.get(origin or hint), ()
