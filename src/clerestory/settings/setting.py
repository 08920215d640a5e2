"""What a setting is: key, default, kind, unit and what it does.

[setting] -> table -> load -> Settings
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "text",
    "integer",
    "number",
    "boolean",
    "bytes",
    "seconds",
    "list",
    "map",
    "path",
    "path_or_map",
    "level",
]
Default = object | Callable[[Mapping[str, str]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting.

    Attributes:
        key: Dotted name, as it stands in a file.
        default: The value when nobody says otherwise, or a function of the environment.
        kind: What values it takes; `load` converts to the Python type of the kind.
        help: One sentence for people.
        unit: Unit of a number, for people; empty where there is none.
        example: A value as one would write it, where the default does not show the form.
        items: Kind of the values in a list or map; `any` leaves them as they are.
        choices: The texts that are allowed; empty allows all.
        low: Smallest number allowed.
        high: Largest number allowed.
        default_words: What a computed default is, in words.
    """

    key: str
    default: Default
    kind: Kind
    help: str
    unit: str = ""
    example: str = ""
    items: Kind | Literal["any"] = "any"
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    default_words: str = ""

    @property
    def section(self) -> str:
        """The part of the key before the first dot; `general` if there is none."""
        head, dot, _ = self.key.partition(".")
        return head if dot else "general"

    def default_value(self, environ: Mapping[str, str]) -> object:
        """Return the default, computed if it depends on the environment."""
        return self.default(environ) if callable(self.default) else self.default


def environment_name(key: str) -> str:
    """Return the name of the environment variable of a setting.

    >>> environment_name("spool.bytes_max")
    'CLERESTORY_SPOOL_BYTES_MAX'
    """
    return "CLERESTORY_" + key.upper().replace(".", "_")
