"""Understand expressions: a Pratt parser over the reader's tokens.

    text -> lexer -> reader -> [expressions] -> parser -> tree

From tight to loose: `^`, unary minus, `* / %`, `+ -`, comparisons with `like`, `=~` and `in`,
`not`, `and`, `or`. All group to the left but `^`.

Invariant: whatever is read gives a node or a QueryError that points at the character.
"""

from collections.abc import Callable
from typing import Final

from clerestory.server.insights.language.reader import Reader, wrong
from clerestory.server.insights.language.tree import (
    Binary,
    Call,
    Column,
    Duration,
    Literal,
    Name,
    Node,
    Query,
    Regex,
    Star,
    Unary,
    Within,
)

ITEMS_MAX: Final = 1_000
OPERATORS_MAX: Final = 200

_BINDING: Final = {
    "or": 1,
    "and": 2,
    "=": 4,
    "!=": 4,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "=~": 4,
    "like": 4,
    "in": 4,
    "not": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "%": 6,
    "^": 8,
}
_NOT_BINDS: Final = 3
_MINUS_BINDS: Final = 7
_WORDS: Final = frozenset({"or", "and", "like", "in", "not"})
_RESERVED: Final = frozenset({"and", "or", "like", "in", "as", "by", "asc", "desc"})

Subquery = Callable[[Reader], Query]


class ExpressionParser:
    """Parses expressions; `subquery` parses what stands in the brackets of `in ( .. )`."""

    def __init__(self, reader: Reader, subquery: Subquery) -> None:
        self._reader = reader
        self._subquery = subquery
        self._depth = 0
        self._operators = 0

    def expression(self, least: int = 0) -> Node:
        """Return the expression that comes next.

        Raises:
            QueryError: There is none, or it breaks off.
        """
        reader = self._reader
        reader.deeper()
        if not self._depth:
            self._operators = 0
        self._depth += 1
        left = self._prefix()
        while (op := self._operator()) and _BINDING[op] > least:
            left = self._infix(left, op)
        self._depth -= 1
        reader.shallower()
        return left

    def column(self) -> Column:
        """Return an expression with its label: `as` what, or its own text."""
        start = self._reader.token.start
        node = self.expression()
        label = node.text if isinstance(node, Name) else self._reader.since(start)
        if self._reader.accept_word("as"):
            label = self._reader.expect_name("the name after `as`").text
        return Column(node, label)

    def columns(self) -> tuple[Column, ...]:
        """Return expressions between commas."""
        found = [self.column()]
        while self._reader.accept(","):
            found.append(self.column())
        return tuple(found)

    def name(self, what: str = "a field") -> Name:
        """Return the name that has to be next."""
        token = self._reader.expect_name(what)
        return Name(token.path, token.text, (token.start, token.end))

    def names(self, what: str = "a field") -> tuple[Name, ...]:
        """Return names between commas."""
        found = [self.name(what)]
        while self._reader.accept(","):
            found.append(self.name(what))
        return tuple(found)

    def _operator(self) -> str:
        token = self._reader.token
        if token.kind == "op" and token.text in _BINDING:
            return token.text
        if token.kind == "name" and not token.quoted and token.text.lower() in _WORDS:
            return token.text.lower()
        return ""

    def _infix(self, left: Node, op: str) -> Node:
        reader = self._reader
        self._operators += 1
        if self._operators > OPERATORS_MAX:
            at = (reader.token.start, reader.token.end)
            raise wrong(f"an expression has at most {OPERATORS_MAX} operators", at)
        reader.take()
        if op == "not":
            return self._negated(left)
        if op == "in":
            return self._within(left, negated=False)
        if op in ("like", "=~"):
            return self._pattern(left, op)
        right = self.expression(_BINDING[op] - (1 if op == "^" else 0))
        return Binary(op, left, right, (left.at[0], right.at[1]))

    def _negated(self, left: Node) -> Node:
        if self._reader.accept_word("in"):
            return self._within(left, negated=True)
        if self._reader.accept_word("like"):
            return self._pattern(left, "not like")
        raise self._reader.unexpected("`like` or `in` after `not`")

    def _pattern(self, left: Node, op: str) -> Node:
        if self._reader.at("/"):
            right: Node = self.regex()
        elif op == "=~":
            raise self._reader.unexpected("a regular expression between slashes after `=~`")
        else:
            right = self.expression(_BINDING["like"])
        return Binary(op, left, right, (left.at[0], right.at[1]))

    def _within(self, left: Node, *, negated: bool) -> Node:
        reader = self._reader
        if reader.accept("("):
            reader.deeper()
            depth, operators, self._depth = self._depth, self._operators, 0
            query = self._subquery(reader)
            self._depth, self._operators = depth, operators
            reader.shallower()
            reader.expect(")", "after the subquery")
            return Within(left, query, negated, (left.at[0], reader.end))
        reader.expect("[", "with the values after `in`, as in `in [1, 2]`")
        items = [self.expression()]
        while reader.accept(","):
            items.append(self.expression())
        reader.expect("]", "after the values of `in`")
        if len(items) > ITEMS_MAX:
            raise wrong(f"`in` has {len(items)} values; the limit is {ITEMS_MAX}", left.at)
        return Within(left, tuple(items), negated, (left.at[0], reader.end))

    def regex(self) -> Regex:
        """Return the regular expression that has to be next."""
        token = self._reader.take_regex()
        return Regex(token.text, (token.start, token.end))

    def _prefix(self) -> Node:
        reader, token = self._reader, self._reader.token
        if reader.at("-"):
            reader.take()
            operand = self.expression(_MINUS_BINDS)
            return Unary("-", operand, (token.start, operand.at[1]))
        if reader.at_word("not"):
            reader.take()
            operand = self.expression(_NOT_BINDS)
            return Unary("not", operand, (token.start, operand.at[1]))
        if reader.accept("("):
            inside = self.expression()
            reader.expect(")", "after the expression in brackets")
            return inside
        return self._atom()

    def _atom(self) -> Node:
        reader, token = self._reader, self._reader.token
        at = (token.start, token.end)
        if token.kind == "string":
            return Literal(reader.take().text, at)
        if token.kind == "number":
            return Literal(float(reader.take().text), at)
        if token.kind == "duration":
            reader.take()
            return Duration(float(token.text), token.unit, at)
        if token.kind != "name" or (not token.quoted and token.text.lower() in _RESERVED):
            raise reader.unexpected("a field, a value or a function")
        reader.take()
        if reader.at("(") and not token.quoted:
            return self._call(token.text, token.start)
        if not token.quoted and token.text.lower() in ("true", "false"):
            return Literal(token.text.lower() == "true", at)
        return Name(token.path, token.text, at)

    def _call(self, name: str, start: int) -> Node:
        reader = self._reader
        reader.take()
        arguments: list[Node] = []
        while not reader.at(")"):
            if arguments:
                reader.expect(",", f"or `)` in {name}(..)")
            arguments.append(self._argument())
        reader.expect(")", f"to end {name}(..)")
        return Call(name.lower(), tuple(arguments), (start, reader.end))

    def _argument(self) -> Node:
        reader = self._reader
        if reader.at("*"):
            token = reader.take()
            return Star((token.start, token.end))
        return self.regex() if reader.at("/") else self.expression()
