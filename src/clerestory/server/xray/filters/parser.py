"""Read a filter expression.

    CreateGroup, GetTraceSummaries -> [parser] -> tree

    expression := all (OR all)*
    all        := one ((AND)? one)*                 what stands side by side is AND
    one        := "!"? term
    term       := "(" expression ")" | keyword (op value)? | annotation (op value)?
                | service "(" node? ")" block? | edge "(" node "," node ")" block?
                | rootcause.(fault|error|responsetime).(service|entity|exception) block?
                | rootcause.json "=" "#[" JSON "]"
    annotation := annotation.KEY | annotation[KEY]
    node       := TEXT | id "(" (name|type|account.id) ":" TEXT ("," ...)* ")"
    block      := "{" expression "}"
    op         := = | != | < | <= | > | >= | CONTAINS | BEGINSWITH | ENDSWITH

Invariant: every text gives a tree or a QueryError that points at the character; none takes more
than linear time.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from clerestory.model.errors import QueryError
from clerestory.server.xray.filters import tree
from clerestory.server.xray.filters.tree import Expression, Selector, Value

CHARACTERS_MAX: Final = 2000
DEPTH_MAX: Final = 32
_TOKEN: Final = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<annotation>annotation\s*\[\s*(?:\"(?P<quoted>[^\"\]]{1,500})\""
    r"|(?P<key>[^\"\]\s]{1,500}))\s*\])"
    r"|(?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))"
    r"|(?P<word>[^\W\d][\w.]*)"
    r"|\"(?P<text>(?:[^\"\\]|\\.)*)\""
    r"|(?P<json>\#\[)"
    r"|(?P<op>!=|<=|>=|<|>|=)"
    r"|(?P<mark>[(){},:!])",
    re.IGNORECASE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_CAUSE_KINDS: Final = ("fault", "error", "responsetime")
_CAUSE_PARTS: Final = ("service", "entity", "exception")
_NODE_PARTS: Final = {"name": "name", "type": "type", "account.id": "account"}
_END: Final = "end"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int
    length: int
    value: Any = None


def parse(text: str) -> Expression:
    """Return the tree of an expression; an empty one is always true.

    Raises:
        QueryError: It cannot be understood; points at the character.

    >>> parse('service("web") { fault } AND duration > 3').parts[1]
    Compared(keyword='duration', op='>', value=3.0)
    """
    if len(text) > CHARACTERS_MAX:
        message = f"the expression has {len(text)} characters and the limit is {CHARACTERS_MAX}"
        raise QueryError(message, position=CHARACTERS_MAX, length=len(text) - CHARACTERS_MAX)
    if not text.strip():
        return tree.ALWAYS
    return _Reader(_tokens(text)).whole()


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        kind = str(match.lastgroup)
        if kind in ("key", "quoted", "annotation"):
            key = match["key"] or match["quoted"]
            found.append(_Token("annotation", match[0], at, len(match[0]), key))
        elif kind == "text":
            plain = _ESCAPE.sub(r"\1", match["text"])
            found.append(_Token("text", match[0], at, len(match[0]), plain))
        elif kind == "json":
            found.append(_json(text, at))
        elif kind != "space":
            found.append(_Token(kind, match[0], at, len(match[0])))
        at = found[-1].position + found[-1].length if kind != "space" else match.end()
    found.append(_Token(_END, "", len(text), 1))
    return found


def _unreadable(text: str, at: int) -> QueryError:
    if text[at] == '"':
        return QueryError("this text has no closing quote", position=at, length=len(text) - at)
    hint = 'text stands between double quotes: "..."' if text[at] == "'" else None
    message = f"the character {text[at]!r} means nothing here"
    return QueryError(message, position=at, hint=hint)


def _json(text: str, at: int) -> _Token:
    try:
        value, end = json.JSONDecoder().raw_decode(text, at + 1)
    except (ValueError, RecursionError) as error:
        raise QueryError("what follows # is no JSON list", position=at, length=2) from error
    return _Token("json", text[at:end], at, end - at, value)


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._in_block = False

    def whole(self) -> Expression:
        found = self._expression()
        if self._now.kind != _END:
            raise self._wrong(f"`{self._now.text[:40]}` does not fit here")
        return found

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._now
        self._at += 1
        return token

    def _is(self, text: str) -> bool:
        return self._now.kind in ("word", "mark", "op") and self._now.text.lower() == text

    def _skip(self, text: str) -> bool:
        found = self._is(text)
        self._at += found
        return found

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            raise self._wrong(f"`{text}` is missing here")

    def _wrong(self, message: str, hint: str | None = None) -> QueryError:
        return QueryError(message, position=self._now.position, length=self._now.length, hint=hint)

    def _expression(self) -> Expression:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._wrong(f"brackets are nested more than {DEPTH_MAX} deep")
        parts = [self._all()]
        while self._skip("or"):
            parts.append(self._all())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else tree.Some(tuple(parts))

    def _all(self) -> Expression:
        parts = [self._one()]
        while self._skip("and") or self._begins():
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else tree.Every(tuple(parts))

    def _begins(self) -> bool:
        if self._now.kind == "word":
            return not self._is("or")
        return self._now.kind == "annotation" or self._is("(") or self._is("!")

    def _one(self) -> Expression:
        negated = False
        while self._skip("!"):
            negated = not negated
        found = self._term()
        return tree.Not(found) if negated else found

    def _term(self) -> Expression:
        if self._skip("("):
            found = self._expression()
            self._expect(")")
            return found
        token = self._now
        if token.kind == "annotation":
            return self._annotation(self._next(), str(token.value))
        if token.kind != "word":
            raise self._wrong("a keyword is missing here" if token.kind == _END else _stray(token))
        word = token.text.lower()
        if word.startswith("annotation."):
            return self._annotation(self._next(), token.text[len("annotation.") :])
        if word in ("service", "edge"):
            return self._node(word)
        if word.startswith("rootcause."):
            return self._root_cause(word)
        return self._keyword(word)

    def _keyword(self, word: str) -> Expression:
        if word in tree.BOOLEANS:
            self._next()
            op, value = self._comparison(("=", "!="), bool) or ("=", True)
            return tree.Compared(word, op, value)
        for words, ops, kind in (
            (tree.NUMBERS, ("=", "!=", *tree.ORDERS), float),
            (tree.TEXTS, ("=", "!=", *tree.PARTS), str),
            (tree.GROUPS, ("=", "!="), str),
        ):
            if word in words:
                return self._compared(word, ops, kind)
        raise self._wrong(f"`{self._now.text[:40]}` is no keyword", _similar(word))

    def _compared(self, word: str, ops: tuple[str, ...], kind: type) -> Expression:
        if word in tree.GROUPS and self._in_block:
            raise self._wrong(f"`{word}` is not allowed inside a block")
        self._next()
        found = self._comparison(ops, kind)
        if found is None:
            raise self._wrong(
                f"`{word}` needs a comparison", f"one of {' '.join(sorted(ops)).upper()}"
            )
        return tree.Compared(word, *found)

    def _annotation(self, token: _Token, key: str) -> Expression:
        if self._in_block or not key:
            message = "annotations are not allowed inside a block" if key else "a key is missing"
            raise QueryError(message, position=token.position, length=token.length)
        found = self._comparison(("=", "!=", *tree.ORDERS, *tree.PARTS), object)
        if found is None:
            return tree.Annotated(key)
        op, value = found
        fits = isinstance(value, str) if op in tree.PARTS else not isinstance(value, bool | str)
        if op in tree.PARTS | tree.ORDERS and not fits:
            self._at -= 1
            raise self._wrong(f"{op.upper()} needs {'text' if op in tree.PARTS else 'a number'}")
        return tree.Annotated(key, op, value)

    def _comparison(self, ops: tuple[str, ...], kind: type) -> tuple[str, Value] | None:
        op = self._now.text.lower()
        if self._now.kind != "op" and not (self._now.kind == "word" and op in tree.PARTS):
            return None
        if op not in ops:
            raise self._wrong(
                f"{op.upper()} does not fit here", f"one of {' '.join(sorted(ops)).upper()}"
            )
        self._next()
        value = self._value()
        wanted = {bool: "true or false", float: "a number", str: 'text, as in "..."'}
        if kind in wanted and type(value) is not kind:
            raise self._wrong(f"this must be {wanted[kind]}")
        self._next()
        return op, value

    def _value(self) -> Value:
        token = self._now
        if token.kind == "text":
            return str(token.value)
        if token.kind == "number":
            return float(token.text)
        if token.kind == "word" and token.text.lower() in ("true", "false"):
            return token.text.lower() == "true"
        raise self._wrong(
            "a value is missing here", "a number, true, false, or text in double quotes"
        )

    def _node(self, word: str) -> Expression:
        if self._in_block:
            raise self._wrong(f"`{word}` is not allowed inside a block")
        self._next()
        self._expect("(")
        if word == "service":
            selector = Selector() if self._is(")") else self._selector()
            self._expect(")")
            return tree.Service(selector, self._block())
        caller = self._selector()
        self._expect(",")
        callee = self._selector()
        self._expect(")")
        return tree.Edge(caller, callee, self._block())

    def _selector(self) -> Selector:
        if self._now.kind == "text":
            return Selector(name=str(self._next().value))
        if not self._skip("id"):
            raise self._wrong(
                "the name of a service is missing here", 'as in "web" or id(name: "web")'
            )
        self._expect("(")
        told: dict[str, str] = {}
        while True:
            part = _NODE_PARTS.get(self._now.text.lower())
            if self._now.kind != "word" or part is None:
                raise self._wrong("this must be name, type or account.id")
            self._next()
            self._expect(":")
            if self._now.kind != "text":
                raise self._wrong('this must be text, as in "..."')
            told[part] = str(self._next().value)
            if not self._skip(","):
                break
        self._expect(")")
        return Selector(**told)

    def _block(self) -> Expression | None:
        if not self._skip("{"):
            return None
        self._in_block = True
        found = self._expression()
        self._in_block = False
        self._expect("}")
        return found

    def _root_cause(self, word: str) -> Expression:
        _, kind, *rest = word.split(".")
        if self._in_block:
            raise self._wrong("root causes are not allowed inside a block")
        if word == "rootcause.json":
            self._next()
            self._expect("=")
            if self._now.kind != "json":
                raise self._wrong("a list is missing here", "as in #[{...}]")
            return tree.RootCausePath(tuple(self._next().value))
        if kind not in _CAUSE_KINDS or len(rest) != 1 or rest[0] not in _CAUSE_PARTS:
            raise self._wrong(
                f"`{word[:60]}` is no root cause",
                f"rootcause.({'|'.join(_CAUSE_KINDS)}).({'|'.join(_CAUSE_PARTS)})",
            )
        self._next()
        return tree.RootCause(kind, rest[0], self._block())


def _stray(token: _Token) -> str:
    return f"`{token.text[:40]}` does not begin a condition"


def _similar(word: str) -> str | None:
    import difflib

    known = sorted(tree.BOOLEANS | tree.NUMBERS | tree.TEXTS | tree.GROUPS | {"service", "edge"})
    close = difflib.get_close_matches(word, [*known, "annotation"], 1)
    return f"did you mean {close[0]}?" if close else None


def shown(error: QueryError) -> str:
    """Return an error of an expression as one line of text, for the API's messages."""
    hint = f"; {error.hint}" if error.hint else ""
    place = f"character {error.position + 1}"
    return f"Invalid filter expression at {place}: {error}{hint}"
