"""What a filter expression is made of.

    text -> parser -> [tree] -> predicate, narrowing

https://docs.aws.amazon.com/xray/latest/devguide/xray-console-filters.html

Invariant: a tree is complete and typed; whoever walks it meets no wrong value.
"""

from dataclasses import dataclass
from typing import Any, Final

BOOLEANS: Final = frozenset(
    "ok error throttle fault partial inferred first last remote root".split()  # noqa: SIM905
)
NUMBERS: Final = frozenset(("responsetime", "duration", "http.status", "index", "coverage"))
TEXTS: Final = frozenset(
    (
        *("http.url", "http.method", "http.useragent", "http.clientip", "user", "name", "type"),
        *("message", "availabilityzone", "instance.id", "resource.arn"),
    )
)
GROUPS: Final = frozenset(("group.name", "group.arn"))
ORDERS: Final = frozenset(("<", "<=", ">", ">="))
PARTS: Final = frozenset(("contains", "beginswith", "endswith"))

Value = str | float | bool


@dataclass(frozen=True, slots=True)
class Every:
    """All parts are true; without parts it is always true."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part is true."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part is not true."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Compared:
    """A keyword beside a value; `op` is in lower case."""

    keyword: str
    op: str
    value: Value


@dataclass(frozen=True, slots=True)
class Annotated:
    """An annotation beside a value; without an operator: it exists."""

    key: str
    op: str = ""
    value: Value = ""


@dataclass(frozen=True, slots=True)
class Selector:
    """Which nodes are meant; what is None is not asked for."""

    name: str | None = None
    type: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A node of the trace for which the block is true."""

    selector: Selector
    block: "Expression | None"


@dataclass(frozen=True, slots=True)
class Edge:
    """A call between two nodes for which the block is true."""

    caller: Selector
    callee: Selector
    block: "Expression | None"


@dataclass(frozen=True, slots=True)
class RootCause:
    """A service, an entity or an exception of a root cause for which the block is true.

    Attributes:
        kind: `fault`, `error` or `responsetime`.
        what: `service`, `entity` or `exception`.
        block: The condition.
    """

    kind: str
    what: str
    block: "Expression | None"


@dataclass(frozen=True, slots=True, eq=False)
class RootCausePath:
    """A root cause that runs through these services and entities."""

    causes: tuple[Any, ...]


Expression = Every | Some | Not | Compared | Annotated | Service | Edge | RootCause | RootCausePath

ALWAYS: Final = Every(())


def names_group(expression: Expression) -> bool:
    """Return whether an expression asks for a group."""
    if isinstance(expression, Every | Some):
        return any(names_group(part) for part in expression.parts)
    if isinstance(expression, Not):
        return names_group(expression.part)
    return isinstance(expression, Compared) and expression.keyword in GROUPS
