"""Settings in force: argument before environment before file before default.

    arguments, environment, clerestory.yaml -> [load] -> Settings

Invariant: every value has passed `kinds.convert`, and its origin is known.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from clerestory.model.errors import ConfigurationError
from clerestory.settings.kinds import convert
from clerestory.settings.table import BY_KEY, SETTINGS, environment_name

FILE_NAME: Final = "clerestory.yaml"
FILE_VARIABLE: Final = "CLERESTORY_CONFIG"
# Read elsewhere: by `clerestory run`, by the build of the page, by the tests.
VARIABLES_BESIDE: Final = frozenset(
    {
        FILE_VARIABLE,
        "CLERESTORY_AUTOSTART",
        "CLERESTORY_SKIP_WEB",
        "CLERESTORY_FORCE_WEB",
        "CLERESTORY_REQUIRE_WEB",
    }
)
_ALIASES: Final = {key.replace(".", "_"): key for key in BY_KEY}
_SHOWN_CHARS_MAX: Final = 80


class Settings(Mapping[str, Any]):
    """All settings, read-only, each with its origin.

    >>> settings = load({"spool_bytes_max": "1MiB"}, environ={"CLERESTORY_LEVEL": "debug"})
    >>> settings["spool.bytes_max"], settings.origin("spool.bytes_max")
    (1048576, 'argument')
    >>> settings["level"], settings.origin("level")
    (10, 'environment CLERESTORY_LEVEL')
    """

    __slots__ = ("_origins", "_values")

    def __init__(self, values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
        self._values = dict(values)
        self._origins = dict(origins)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def origin(self, key: str) -> str:
        """Return where the value came from: default, file, environment or argument."""
        return self._origins[key]


def load(
    arguments: Mapping[str, object] | None = None,
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return every setting, converted to its kind.

    Args:
        arguments: Values by key, `spool.directory` or `spool_directory`; None means not given.
        file: The YAML file to read. Without it, the one that `CLERESTORY_CONFIG` names, else
            `clerestory.yaml` in the working directory if there is one.
        environ: The environment, `os.environ` unless given.

    Raises:
        ConfigurationError: An unknown key or a value of the wrong kind; names the place, what
            was got and what is expected.
    """
    environment = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for key, value, origin in _given(arguments or {}, file, environment):
        values[key] = _converted(key, value, origin)
        origins[key] = origin
    for setting in SETTINGS:
        if setting.key not in values:
            default = setting.default_value(environment)
            values[setting.key] = _converted(setting.key, default, "default")
            origins[setting.key] = "default"
    return Settings(
        {setting.key: values[setting.key] for setting in SETTINGS},
        {setting.key: origins[setting.key] for setting in SETTINGS},
    )


def ignored_environment(environ: Mapping[str, str]) -> list[str]:
    """Return the names that begin with `CLERESTORY_` and that nothing reads."""
    known = {environment_name(key) for key in BY_KEY} | VARIABLES_BESIDE
    return sorted(name for name in environ if name.startswith("CLERESTORY_") and name not in known)


def find_file(environ: Mapping[str, str]) -> Path | None:
    """Return the settings file that `load` reads when it is not told one."""
    named = environ.get(FILE_VARIABLE)
    if named:
        return Path(named).expanduser()
    here = Path(FILE_NAME)
    return here.absolute() if here.is_file() else None


def _given(
    arguments: Mapping[str, object], file: Path | None, environ: Mapping[str, str]
) -> Iterator[tuple[str, object, str]]:
    """Yield what was given, the weakest origin first, so that the last one wins."""
    path = file or find_file(environ)
    if path is not None:
        from clerestory.settings.file import read

        for entry in read(path, environ):
            yield entry.key, entry.value, f"file {path}:{entry.line}"
    for key in BY_KEY:
        name = environment_name(key)
        if name in environ:
            yield key, environ[name], f"environment {name}"
    for key, value in _flat(arguments):
        if value is not None:
            yield key, value, "argument"


def _flat(arguments: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in arguments.items():
        key = prefix + name
        known = key if key in BY_KEY else _ALIASES.get(key.replace(".", "_"))
        if known is not None:
            yield known, value
        elif isinstance(value, Mapping) and any(k.startswith(key + ".") for k in BY_KEY):
            yield from _flat(value, key + ".")
        else:
            from clerestory.settings.file import nearest

            raise ConfigurationError(f"unknown setting {key!r} (argument); {nearest(key)}")


def _converted(key: str, value: object, origin: str) -> object:
    try:
        return convert(BY_KEY[key], value)
    except ValueError as error:
        shown = "(not shown)" if key == "token" else repr(value)[:_SHOWN_CHARS_MAX]
        raise ConfigurationError(f"setting {key!r} ({origin}): {error}, got {shown}") from None
