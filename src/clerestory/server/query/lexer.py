"""Cut a search text into tokens, each with its place.

    text -> [lexer] -> parser -> tree -> sql, match

Invariant: every token knows where it began and how long it is, so every error can point.
"""

import re
from dataclasses import dataclass
from typing import Final

from clerestory.model.errors import QueryError

TEXT_CHARACTERS_MAX: Final = 8_192
TOKENS_MAX: Final = 512

_FIELD: Final = re.compile(r"([^\W\d][\w-]*(?:\.[\w-]+)*)(!=|>=|<=|:|=|>|<)")
_BARE: Final = re.compile(r'[^\s()",]+')
_LONELY_OPERATOR: Final = re.compile(r"!=|>=|<=|:|=|>|<")
_PIPE_HINT: Final = (
    "a pipe belongs to the query page (`… | stats count() by bin(5m)`); "
    "to search for the character itself, put the text in quotes"
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        kind: `(`, `)`, `,`, `-`, `or`, `and`, `not`, `field`, `bare`, `phrase` or `end`.
        text: The field's name, the bare text or the phrase without quotes.
        op: The operator, of a field.
        position: Offset of its first character.
        length: How many characters it takes, quotes and operator included.
    """

    kind: str
    text: str
    position: int
    length: int
    op: str = ""


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a search; the last one is always `end`.

    Raises:
        QueryError: A quote is not closed, a pipe stands outside quotes, an operator has no
            field before it, or the text is too long.
    """
    if len(text) > TEXT_CHARACTERS_MAX:
        message = f"the search has {len(text)} characters; the limit is {TEXT_CHARACTERS_MAX}"
        raise QueryError(message, position=TEXT_CHARACTERS_MAX, hint="make it shorter")
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        token = _token_at(text, position, tokens)
        tokens.append(token)
        position += token.length
        if len(tokens) > TOKENS_MAX:
            message = f"the search has more than {TOKENS_MAX} parts"
            raise QueryError(message, position=token.position, hint="make it shorter")
    tokens.append(Token("end", "", len(text), 1))
    return tokens


def _token_at(text: str, position: int, before: list[Token]) -> Token:
    character = text[position]
    if character in "(),":
        return Token(character, character, position, 1)
    if character == '"':
        return _phrase_at(text, position)
    found = _BARE.match(text, position)
    run = found.group() if found else character
    if _wants_value(before):
        return _bare_at(run, position)
    return _head_at(text, run, position)


def _wants_value(before: list[Token]) -> bool:
    return bool(before) and before[-1].kind in ("field", ",")


def _head_at(text: str, run: str, position: int) -> Token:
    """Return the token of a run that begins a term: a sign, a keyword, a field or a word."""
    after = text[position + len(run) : position + len(run) + 1]
    if run[0] == "-" and (len(run) > 1 or after in ("(", '"')):
        return Token("-", "-", position, 1)
    if run in ("or", "and", "not"):
        return Token(run, run, position, len(run))
    field = _FIELD.match(run)
    if field:
        return Token("field", field[1], position, field.end(), op=field[2])
    operator = _LONELY_OPERATOR.match(run)
    if operator:
        raise QueryError(
            f"`{operator.group()}` has no field before it",
            position=position,
            length=len(operator.group()),
            hint="write field and value without spaces, as in level>=warn",
        )
    return _bare_at(run, position)


def _bare_at(run: str, position: int) -> Token:
    pipe = run.find("|")
    if pipe >= 0:
        message = "`|` is not part of the search language"
        raise QueryError(message, position=position + pipe, hint=_PIPE_HINT)
    return Token("bare", run, position, len(run))


def _phrase_at(text: str, start: int) -> Token:
    characters: list[str] = []
    position = start + 1
    while position < len(text):
        character = text[position]
        if character == '"':
            return Token("phrase", "".join(characters), start, position + 1 - start)
        if character == "\\" and text[position + 1 : position + 2] in ('"', "\\"):
            position += 1
            character = text[position]
        characters.append(character)
        position += 1
    raise QueryError(
        "this quote is not closed", position=start, hint='end the phrase with another "'
    )
