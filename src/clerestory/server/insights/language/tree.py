"""What a query says: expressions and commands, each with its place in the text.

    text -> lexer -> expressions, parser -> [tree] -> program -> run

Invariant: a tree holds no SQL; two texts that differ in white space give the same tree but for
the places.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Place: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a number, true or false."""

    value: str | float | bool
    at: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A field or an alias: `@message`, `a.b`, `list[0].x`."""

    path: tuple[str | int, ...]
    text: str
    at: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression between slashes."""

    pattern: str
    at: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Duration:
    """A number with a unit of time, such as `5m`."""

    count: float
    unit: str
    at: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Star:
    """The `*` of `count(*)`."""

    at: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments; `name` is in lower case."""

    name: str
    arguments: tuple["Node", ...]
    at: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`not x` or `-x`."""

    op: str
    operand: "Node"
    at: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands: arithmetic, comparison, `and`, `or`, `like`, `not like`, `=~`."""

    op: str
    left: "Node"
    right: "Node"
    at: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Within:
    """`x in [..]`, `x in (subquery)` and their negations."""

    operand: "Node"
    items: "tuple[Node, ...] | Query"
    negated: bool
    at: Place = field(compare=False)


Node: TypeAlias = Literal | Name | Regex | Duration | Star | Call | Unary | Binary | Within


@dataclass(frozen=True, slots=True)
class Column:
    """An expression and what its column is called."""

    node: Node
    label: str


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a query.

    Attributes:
        command: Its name in lower case; the registry knows it.
        details: What the command's own parser made of its text.
        at: Its place.
    """

    command: str
    details: Any
    at: Place = field(compare=False)


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query or a subquery."""

    steps: tuple[Step, ...]
    at: Place = field(compare=False)


def children(node: Node) -> tuple[Node, ...]:
    """Return the direct parts of an expression; a subquery is no part."""
    if isinstance(node, Call):
        return node.arguments
    if isinstance(node, Unary):
        return (node.operand,)
    if isinstance(node, Binary):
        return (node.left, node.right)
    if isinstance(node, Within):
        items = () if isinstance(node.items, Query) else node.items
        return (node.operand, *items)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything below it."""
    yield node
    for child in children(node):
        yield from walk(child)
