"""Understand a query: commands between pipes.

    text -> lexer -> reader -> expressions -> [parser] -> tree -> program -> run

Invariant: whatever is typed gives a tree or a QueryError that points at the character.
"""

import re
from typing import Final

from clerestory.server.insights.language.expressions import ExpressionParser
from clerestory.server.insights.language.reader import Reader, wrong
from clerestory.server.insights.language.tree import Query, Step
from clerestory.server.insights.registry import Command, commands, nearest

STEPS_MAX: Final = 64

_QUOTED: Final = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
# comments, a word, and what follows it: no operator, as in the search `source:web`
_BEGIN: Final = re.compile(r"(?:\s|#[^\n]*\n)*([A-Za-z_]+)(?:\s+[^\s:=!<>]|[\"'`(@])")


class Parser(ExpressionParser):
    """What a command's own parser works with: expressions and the reader behind them."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader, lambda _reader: self.query())
        self.reader = reader

    def query(self) -> Query:
        """Return the commands up to the end or to the bracket that closes a subquery."""
        start = self.reader.token.start
        steps = [self._step()]
        while self.reader.accept("|"):
            steps.append(self._step())
            if len(steps) > STEPS_MAX:
                raise wrong(f"the query has more than {STEPS_MAX} commands", steps[-1].at)
        return Query(tuple(steps), (start, self.reader.end))

    def _step(self) -> Step:
        reader, token = self.reader, self.reader.token
        if token.kind != "name" or token.quoted:
            raise reader.unexpected("a command, such as fields, filter or stats", _hint(reader))
        reader.take()
        command = self._command(token.text, (token.start, token.end))
        details = command.parse(self) if command.parse else None
        if not reader.at_end():
            raise reader.unexpected(f"`|` or the end after {command.name}")
        return Step(command.name.lower(), details, (token.start, max(token.end, reader.end)))

    def _command(self, name: str, at: tuple[int, int]) -> Command:
        known = commands()
        command = known.get(name.lower())
        if command is None:
            close = nearest(name, known)
            names = sorted(one.name for one in known.values() if not one.refusal)
            hint = f"did you mean `{close}`?" if close else "known: " + ", ".join(names)
            raise wrong(f"there is no command `{name}`", at, hint)
        if command.refusal:
            raise wrong(f"the command `{command.name}` is not supported", at, command.refusal)
        return command


def _hint(reader: Reader) -> str | None:
    if reader.at("-"):
        return "a comment begins with #"
    return None


def is_query(text: str) -> bool:
    """Whether a text is meant as a query and not as words to search for.

    It is when it begins with a command that says more, or has a `|` outside of double quotes:
    every query begins with a command, and no search has a `|` there.

    >>> is_query("limit 3"), is_query("filtr a = 1 | limit 3"), is_query("limit"), is_query('"a|b"')
    (True, True, False, False)
    """
    begin = _BEGIN.match(text)
    return "|" in _QUOTED.sub("", text) or bool(begin and begin[1].lower() in commands())


def parse(text: str) -> Query:
    """Return what a query says.

    Raises:
        QueryError: The text is no query; the error tells where and, if known, the remedy.
    """
    reader = Reader(text)
    parser = Parser(reader)
    query = parser.query()
    if reader.token.kind != "end":
        raise reader.unexpected("`|` or the end of the query")
    return query
