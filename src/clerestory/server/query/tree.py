"""What a search means: a tree of tests on one record.

    text -> lexer -> parser -> [tree] -> sql, match

Invariant: a tree holds no SQL and no position-free error; both the store's SQL and the live
tail's predicate are made from it, so the two can never disagree about what was typed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Value:
    """One typed value: its text, whether it stood in quotes, and where."""

    text: str
    quoted: bool
    position: int

    @property
    def wildcard(self) -> bool:
        """Whether a `*` in it stands for any characters."""
        return not self.quoted and "*" in self.text


@dataclass(frozen=True, slots=True)
class Word:
    """A word or a phrase looked for in the message."""

    value: Value


@dataclass(frozen=True, slots=True)
class Term:
    """A field, an operator and the values of which any may match."""

    field: str
    op: str
    values: tuple[Value, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Not:
    """The records that the part does not match."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class And:
    """The records that every part matches; without parts: all records."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """The records that at least one part matches."""

    parts: tuple["Node", ...]


Node: TypeAlias = Word | Term | Not | And | Or


def terms(node: Node, *, negated: bool = False) -> Iterator[list[str]]:
    """Yield the leaves in order, as the page shows them: `[field, operator, value, ...]`.

    A word's field is empty and its operator `word` or `phrase`; a leaf directly under a `not`
    has a `-` before its field.
    """
    sign = "-" if negated else ""
    if isinstance(node, Word):
        yield [sign, "phrase" if node.value.quoted else "word", node.value.text]
    elif isinstance(node, Term):
        yield [sign + node.field, node.op, *(value.text for value in node.values)]
    elif isinstance(node, Not):
        yield from terms(node.part, negated=True)
    else:
        for part in node.parts:
            yield from terms(part)


def shape(node: Node) -> str:
    """Return the tree as one line of text, for tests and messages.

    >>> shape(And((Word(Value("a", False, 0)), Not(Word(Value("b", True, 3))))))
    'and(a, not("b"))'
    """
    if isinstance(node, Word):
        return _quoted(node.value)
    if isinstance(node, Term):
        return node.field + node.op + ",".join(_quoted(value) for value in node.values)
    if isinstance(node, Not):
        return f"not({shape(node.part)})"
    name = "and" if isinstance(node, And) else "or"
    return f"{name}({', '.join(shape(part) for part in node.parts)})"


def _quoted(value: Value) -> str:
    if not value.quoted:
        return value.text
    return '"' + value.text.replace("\\", "\\\\").replace('"', '\\"') + '"'
