"""What the language has: every command and every function, in one place.

    commands, functions -> vocabulary -> [registry] -> parser, program, manual, completion

Invariant: a name that is not here, or is here with a refusal, is an error that names it; it never
returns rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from clerestory.server.insights.builder import Builder
    from clerestory.server.insights.language.parser import Parser
    from clerestory.server.insights.language.tree import Call, Step
    from clerestory.server.insights.values import Sql

Parse: TypeAlias = Callable[["Parser"], Any]
Compile: TypeAlias = Callable[["Builder", "Step"], None]
Build: TypeAlias = Callable[..., "Sql"]

KINDS: Final = ("text", "number", "bool", "time", "value", "duration", "constant", "regex", "star")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command.

    Attributes:
        name: As the documentation spells it.
        syntax: How it is written.
        help: What it does, in one sentence or two.
        example: A query that uses it.
        parse: Reads what follows the name; its result is the step's `details`.
        compile: Adds the step to a program.
        refusal: Why there is no such command here; then nothing else is called.
    """

    name: str
    syntax: str
    help: str
    example: str
    parse: Parse | None = None
    compile: Compile | None = None
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function.

    Attributes:
        name: As the documentation spells it.
        group: The heading it stands under in the manual.
        parameters: Kind of each parameter, one of `KINDS`; with `?` it may be left out, with `*`
            it may be repeated, also no times.
        returns: Kind of its result, or `value` when that depends on the arguments.
        help: What it gives, in one sentence.
        example: A call and what it gives.
        build: Makes the SQL; called with the builder, the call and one value a parameter.
        aggregate: Whether it belongs into `stats`.
        refusal: Why there is no such function here.
    """

    name: str
    group: str
    parameters: tuple[str, ...]
    returns: str
    help: str
    example: str
    build: Build | None = None
    aggregate: bool = False
    refusal: str = ""

    @property
    def arity(self) -> tuple[int, int | None]:
        """Least and most arguments; None is any number."""
        least = sum(kind[-1] not in "?*" for kind in self.parameters)
        endless = any(kind.endswith("*") for kind in self.parameters)
        return least, None if endless else len(self.parameters)

    def kinds(self, count: int) -> list[str]:
        """Return the kind of each of `count` arguments."""
        kinds = [kind.rstrip("?*") for kind in self.parameters]
        return (kinds + kinds[-1:] * count)[:count]


def commands() -> Mapping[str, Command]:
    """Return every command under its name in lower case."""
    from clerestory.server.insights.vocabulary import COMMANDS

    return COMMANDS


def functions() -> Mapping[str, Function]:
    """Return every function under its name in lower case."""
    from clerestory.server.insights.vocabulary import FUNCTIONS

    return FUNCTIONS


# what other languages, and people, call it
_ELSEWHERE: Final = {
    "percentile": "pct",
    "p": "pct",
    "dc": "count_distinct",
    "distinct": "count_distinct",
    "mean": "avg",
    "first": "earliest",
    "last": "latest",
    "length": "strlen",
    "len": "strlen",
    "upper": "toupper",
    "lower": "tolower",
    "contains": "strcontains",
    "exists": "ispresent",
    "isnotnull": "ispresent",
    "select": "fields",
    "eval": "fields",
    "project": "fields",
    "search": "filter",
    "order": "sort",
    "orderby": "sort",
    "group": "stats",
    "summarize": "stats",
    "rex": "parse",
    "extract": "parse",
    "take": "limit",
}


def nearest(name: str, known: "Mapping[str, Command] | Mapping[str, Function]") -> str | None:
    """Return the spelling of the known name that was probably meant."""
    name = name.lower()
    meant = _ELSEWHERE.get(name, "")
    if meant in known:
        return known[meant].name
    usable = [one for one, entry in known.items() if not entry.refusal]
    found = get_close_matches(name, usable, n=1, cutoff=0.6)
    return known[found[0]].name if found else None


def describe_call(call: "Call", function: Function) -> str:
    """Return what is wrong with the number of a call's arguments, or nothing."""
    least, most = function.arity
    count = len(call.arguments)
    if count >= least and (most is None or count <= most):
        return ""
    if most == least:
        wanted = f"{least}"
    elif most is None:
        wanted = f"at least {least}"
    else:
        wanted = f"{least} to {most}"
    plural = "" if wanted.endswith(" 1") or wanted == "1" else "s"
    return f"{function.name} takes {wanted} argument{plural}; got {count}"
