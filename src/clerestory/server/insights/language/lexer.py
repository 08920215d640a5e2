"""Cut a query into tokens, each with its place, one at a time.

    text -> [lexer] -> expressions, parser -> tree -> program -> run

A `/` begins a regular expression in some places and divides in others; only the parser knows, so
it asks with `regex()`.

Invariant: every token knows where it began and ended, so every error can point.
"""

import re
from dataclasses import dataclass
from typing import Final

from clerestory.model.errors import QueryError

TEXT_CHARACTERS_MAX: Final = 10_000

_BLANK: Final = re.compile(r"(?:\s|#[^\n]*)+")
_NAME: Final = re.compile(r"[A-Za-z_@][A-Za-z0-9_@]*")
_SEGMENT: Final = re.compile(r"\.(?:([A-Za-z0-9_@]+)|`([^`\n]+)`)|\[(\d{1,9})\]")
_NUMBER: Final = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+(?![A-Za-z0-9_]))?")
_UNIT: Final = re.compile(r"[A-Za-z]+")
_OPERATOR: Final = re.compile(r"!=|<=|>=|=~|[-=<>+*/%^()\[\],|:]")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}
# words after which a bracket begins a list and is no index
_WORDS: Final = frozenset({"in", "and", "or", "not", "like", "by", "as", "asc", "desc"})
_WRONG: Final = {
    "&": "write `and`",
    "!": "write `not`, or `!=` between two values",
    ";": "commands are separated by |",
    "$": 'a name that holds other characters than letters, digits, "_", "@" and "." '
    "stands in backticks",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        kind: `name`, `number`, `duration`, `string`, `regex`, `op` or `end`.
        text: The name, operator, string without quotes, or the digits.
        start: Offset of its first character.
        end: Offset behind its last character.
        path: Of a name its parts; an index in brackets is an int.
        unit: Of a duration its unit.
        quoted: Whether a name's first part stood in backticks.
    """

    kind: str
    text: str
    start: int
    end: int
    path: tuple[str | int, ...] = ()
    unit: str = ""
    quoted: bool = False


class Lexer:
    """The tokens of one query."""

    def __init__(self, text: str) -> None:
        if len(text) > TEXT_CHARACTERS_MAX:
            message = f"the query has {len(text)} characters; the limit is {TEXT_CHARACTERS_MAX}"
            raise QueryError(message, position=TEXT_CHARACTERS_MAX, hint="make it shorter")
        self.text = text

    def token(self, position: int) -> Token:
        """Return the token at or after a position; the last one is `end`.

        Raises:
            QueryError: A string or a backtick is not closed, or a character belongs nowhere.
        """
        blank = _BLANK.match(self.text, position)
        start = blank.end() if blank else position
        if start >= len(self.text):
            return Token("end", "", len(self.text), len(self.text))
        character = self.text[start]
        if character in "\"'":
            return self._string(start, character)
        if character == "`" or _NAME.match(self.text, start):
            return self._name(start)
        if number := _NUMBER.match(self.text, start):
            return self._number(number, start)
        if operator := _OPERATOR.match(self.text, start):
            return Token("op", operator.group(), start, operator.end())
        hint = _WRONG.get(character, "text stands in quotes, other names in backticks")
        raise QueryError(f"unexpected character `{character}`", position=start, hint=hint)

    def regex(self, start: int) -> Token:
        """Return the regular expression that begins with the `/` at `start`.

        Raises:
            QueryError: There is no closing `/`.
        """
        position = start + 1
        while position < len(self.text) and self.text[position] != "/":
            position += 2 if self.text[position] == "\\" else 1
        if position >= len(self.text):
            message = "this regular expression is not closed"
            hint = r"end it with a /; inside it a / is written \/"
            raise QueryError(message, position=start, hint=hint)
        inside = self.text[start + 1 : position].replace("\\/", "/")
        return Token("regex", inside, start, position + 1)

    def _string(self, start: int, quote: str) -> Token:
        characters: list[str] = []
        position = start + 1
        while position < len(self.text):
            character = self.text[position]
            if character == quote:
                return Token("string", "".join(characters), start, position + 1)
            if character == "\\" and position + 1 < len(self.text):
                position += 1
                character = _unescaped(self.text[position])
            characters.append(character)
            position += 1
        message = "this text is not closed"
        raise QueryError(message, position=start, hint=f"end it with another {quote}")

    def _name(self, start: int) -> Token:
        quoted = self.text[start] == "`"
        if quoted:
            end = self.text.find("`", start + 1)
            if end < 0:
                raise QueryError("this backtick is not closed", position=start)
            if end == start + 1:
                message = "a name in backticks has at least one character"
                raise QueryError(message, position=start, length=2)
            first, position = self.text[start + 1 : end], end + 1
        else:
            found = _NAME.match(self.text, start)
            first = found.group() if found else ""
            position = start + len(first)
        path: list[str | int] = [first]
        is_word = not quoted and first.lower() in _WORDS
        while not is_word and (segment := _SEGMENT.match(self.text, position)):
            path.append(int(segment[3]) if segment[3] else segment[1] or segment[2])
            position = segment.end()
        return Token("name", name_of(path), start, position, path=tuple(path), quoted=quoted)

    def _number(self, found: "re.Match[str]", start: int) -> Token:
        if unit := _UNIT.match(self.text, found.end()):
            return Token("duration", found.group(), start, unit.end(), unit=unit.group().lower())
        return Token("number", found.group(), start, found.end())


def _unescaped(character: str) -> str:
    if character in "\\\"'`":
        return character
    return _ESCAPES.get(character, "\\" + character)


def name_of(path: "list[str | int] | tuple[str | int, ...]") -> str:
    """Return a path as it is written, without backticks.

    >>> name_of(["users", 0, "id"])
    'users[0].id'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
