"""Read tokens in order, with one token of foresight.

    text -> lexer -> [reader] -> expressions, parser -> tree

Invariant: reading never goes back, so a `/` is lexed once, as what the parser says it is.
"""

from typing import Final

from clerestory.model.errors import QueryError
from clerestory.server.insights.language.lexer import Lexer, Token

DEPTH_MAX: Final = 48


class Reader:
    """Where the parser stands in a query."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lexer = Lexer(text)
        self._token = self._lexer.token(0)
        self._end = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self._token

    @property
    def end(self) -> int:
        """Offset behind the token that was taken last."""
        return self._end

    def take(self) -> Token:
        """Return the next token and go on."""
        token = self._token
        self._end = token.end
        self._token = self._lexer.token(token.end)
        return token

    def take_regex(self) -> Token:
        """Return the regular expression that the next token, a `/`, begins."""
        token = self._lexer.regex(self._token.start)
        self._end = token.end
        self._token = self._lexer.token(token.end)
        return token

    def at(self, *operators: str) -> bool:
        """Whether the next token is one of these operators."""
        return self._token.kind == "op" and self._token.text in operators

    def at_word(self, *words: str) -> bool:
        """Whether the next token is one of these words, in any case and not in backticks."""
        token = self._token
        return token.kind == "name" and not token.quoted and token.text.lower() in words

    def at_end(self) -> bool:
        """Whether the command ends here."""
        return self._token.kind == "end" or self.at("|", ")")

    def accept(self, operator: str) -> bool:
        """Take the operator if it is next."""
        if self.at(operator):
            self.take()
            return True
        return False

    def accept_word(self, word: str) -> bool:
        """Take the word if it is next."""
        if self.at_word(word):
            self.take()
            return True
        return False

    def expect(self, operator: str, where: str) -> Token:
        """Take the operator that has to be next."""
        if not self.at(operator):
            raise self.unexpected(f"`{operator}` {where}")
        return self.take()

    def expect_word(self, word: str, where: str) -> Token:
        """Take the word that has to be next."""
        if not self.at_word(word):
            raise self.unexpected(f"`{word}` {where}")
        return self.take()

    def expect_name(self, what: str) -> Token:
        """Take the name that has to be next."""
        if self._token.kind != "name":
            raise self.unexpected(what)
        return self.take()

    def integer(self, what: str, *, least: int, most: int) -> int:
        """Take the whole number that has to be next."""
        token = self._token
        if token.kind != "number" or not token.text.isdigit():
            raise self.unexpected(f"{what}, a whole number")
        if not least <= int(token.text) <= most:
            message = f"{what} is {token.text}; it must be from {least} to {most}"
            raise QueryError(message, position=token.start, length=token.end - token.start)
        return int(self.take().text)

    def deeper(self) -> None:
        """Count a level of nesting."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            message = f"the query is nested deeper than {DEPTH_MAX} levels"
            raise QueryError(message, position=self._token.start)

    def shallower(self) -> None:
        """Leave a level of nesting."""
        self._depth -= 1

    def since(self, start: int) -> str:
        """Return what was read since an offset, runs of white space as one space."""
        return " ".join(self.text[start : self._end].split())

    def unexpected(self, expected: str, hint: str | None = None) -> QueryError:
        """Return the error that the next token is not what was expected."""
        token = self._token
        line = self.text.count("\n", 0, token.start) + 1
        column = token.start - (self.text.rfind("\n", 0, token.start) + 1) + 1
        found = self.text[token.start : token.end] or "end of the query"
        message = (
            f"unexpected symbol found '{found[:40]}' at line {line} and position {column}: "
            f"expected {expected}"
        )
        length = token.end - token.start
        return QueryError(message, position=token.start, length=max(1, length), hint=hint)


def wrong(message: str, at: tuple[int, int], hint: str | None = None) -> QueryError:
    """Return the error about a place in the query."""
    return QueryError(message, position=at[0], length=at[1] - at[0], hint=hint)
