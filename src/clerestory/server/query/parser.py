"""Understand a search: tokens to tree.

    text -> lexer -> [parser] -> tree -> sql, match

    query = or ;            or   = and { "or" and } ;      and = not { ["and"] not } ;
    not   = ["-" | "not"] atom ;
    atom  = "(" or ")" | field op value { "," value } | word | phrase ;

Invariant: whatever is typed gives a tree or a QueryError that points at the character.
"""

from typing import Final

from clerestory.model.errors import QueryError
from clerestory.server.query.lexer import Token, tokens_of
from clerestory.server.query.tree import And, Node, Not, Or, Term, Value, Word

DEPTH_MAX: Final = 32
VALUES_MAX: Final = 100

_STARTERS: Final = frozenset({"(", "-", "not", "field", "bare", "phrase"})
_EXPECTED: Final = {
    ")": "this bracket closes nothing",
    ",": "a comma belongs between two values of one field, as in level:warn,error",
    "or": "`or` needs something on both sides",
    "and": "`and` needs something on both sides",
    "end": "the search ends where a word or a field should follow",
}
_QUOTE_HINT: Final = "to search for the text itself, put it in quotes"


def parse(text: str) -> Node:
    """Return what a search means; an empty text means every record.

    Raises:
        QueryError: The text is not a search; the error tells where and, if known, the remedy.
    """
    return _Parser(tokens_of(text)).query()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def query(self) -> Node:
        if self._peek().kind == "end":
            return And(())
        node = self._either()
        if self._peek().kind != "end":
            raise self._unexpected(self._peek())
        return node

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _either(self) -> Node:
        parts = [self._all()]
        while self._peek().kind == "or":
            self._take()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Node:
        parts = [self._signed()]
        while self._peek().kind == "and" or self._peek().kind in _STARTERS:
            if self._peek().kind == "and":
                self._take()
            parts.append(self._signed())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _signed(self) -> Node:
        if self._peek().kind not in ("-", "not"):
            return self._atom()
        self._take()
        again = self._peek()
        if again.kind in ("-", "not"):
            raise QueryError(
                "a second `not` directly after the first",
                position=again.position,
                length=again.length,
                hint=_QUOTE_HINT,
            )
        return Not(self._atom())

    def _atom(self) -> Node:
        token = self._peek()
        if token.kind == "(":
            return self._group()
        if token.kind == "field":
            return self._term()
        if token.kind in ("bare", "phrase"):
            self._take()
            return Word(_value_of(token))
        raise self._unexpected(token)

    def _group(self) -> Node:
        opening = self._take()
        self._depth += 1
        if self._depth > DEPTH_MAX:
            message = f"brackets are nested deeper than {DEPTH_MAX}"
            raise QueryError(message, position=opening.position)
        node = self._either()
        if self._peek().kind == "end":
            message = "this bracket is not closed"
            raise QueryError(message, position=opening.position, hint="add a ) at the end")
        if self._peek().kind != ")":
            raise self._unexpected(self._peek())
        self._take()
        self._depth -= 1
        return node

    def _term(self) -> Term:
        head = self._take()
        values = [self._value(head)]
        while self._peek().kind == ",":
            comma = self._take()
            values.append(self._value(comma))
            if len(values) > VALUES_MAX:
                message = f"a field takes at most {VALUES_MAX} values"
                raise QueryError(message, position=comma.position)
        return Term(head.text, head.op, tuple(values), head.position)

    def _value(self, before: Token) -> Value:
        token = self._peek()
        end = before.position + before.length
        if token.kind not in ("bare", "phrase") or token.position != end:
            asked = f"`{before.text}{before.op}`" if before.kind == "field" else "the comma"
            raise QueryError(
                f"{asked} needs a value directly after it",
                position=end,
                hint='write it without a space; "" is the empty text',
            )
        self._take()
        return _value_of(token)

    def _unexpected(self, token: Token) -> QueryError:
        message = _EXPECTED.get(token.kind, f"`{token.text}` does not belong here")
        return QueryError(message, position=token.position, length=token.length, hint=_QUOTE_HINT)


def _value_of(token: Token) -> Value:
    return Value(token.text, token.kind == "phrase", token.position)
