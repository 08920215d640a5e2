"""Read filter patterns.

    text -> [parser] -> tree -> sql, predicate

Four forms: words, `{ $.selector = value }`, `[field, field = value, ...]`, and `%regex%` in each.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html

Invariant: what cannot be read is an error; a pattern never matches more or less than it says.
"""

import math
import re
from typing import Final

from clerestory.server.aws.errors import AwsError, invalid
from clerestory.server.aws.patterns.regex import regex_of, wrong_character
from clerestory.server.aws.patterns.tree import (
    EVERYTHING,
    And,
    Compare,
    Fields,
    Glob,
    Is,
    Json,
    Number,
    Operand,
    Or,
    Pattern,
    Regex,
    Selector,
    Terms,
    Test,
)

REGEX_MAX: Final = 2
DEPTH_MAX: Final = 50
NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD: Final = re.compile(r"[^\W]+")
_SPACE: Final = " \t\r\n"
_OPS: Final = ("!=", "<=", ">=", "=", "<", ">")
_NAME: Final = re.compile(r"[^\s.\[\]=!<>()&|{}\"']+")
_FIELD: Final = re.compile(r"[\w.$-]+")


def parse_pattern(text: str) -> Pattern:
    """Return the tree of a filter pattern.

    Raises:
        AwsError: The pattern cannot be read.
    """
    bare = text.strip(_SPACE)
    if bare in ("", '""', '" "'):
        return EVERYTHING
    reader = _Reader(bare)
    if bare[0] == "{":
        return reader.json()
    if bare[0] == "[":
        return reader.fields()
    return reader.terms()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._regexes = 0
        self._depth = 0

    def _refuse(self, why: str) -> AwsError:
        return invalid(f"Invalid filter pattern: {why} at character {self._at + 1}")

    def _skip(self) -> None:
        while self._peek() and self._peek() in _SPACE:
            self._at += 1

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _takes(self, wanted: str) -> bool:
        """Step over a text, if it stands here behind spaces."""
        self._skip()
        if self._text.startswith(wanted, self._at):
            self._at += len(wanted)
            return True
        return False

    def _expect(self, wanted: str) -> None:
        if not self._takes(wanted):
            raise self._refuse(f"expected {wanted}")

    def _end(self) -> None:
        self._skip()
        if self._at < len(self._text):
            raise self._refuse("nothing may follow")

    def _quoted(self) -> str:
        """Read up to the closing quote; the opening one is behind us."""
        made: list[str] = []
        while (character := self._peek()) != '"':
            if not character:
                raise self._refuse('expected "')
            if character == "\\" and self._text[self._at + 1 : self._at + 2] in ('"', "\\"):
                self._at += 1
                character = self._peek()
            made.append(character)
            self._at += 1
        self._at += 1
        return "".join(made)

    def _regex(self) -> Regex:
        """Read up to the closing `%`; the opening one is behind us."""
        start = self._at
        while self._peek() != "%":
            if not self._peek():
                raise self._refuse("expected %")
            self._at += 2 if self._peek() == "\\" else 1
        self._regexes += 1
        if self._regexes > REGEX_MAX:
            raise invalid(f"A filter pattern may hold at most {REGEX_MAX} regular expressions.")
        self._at += 1
        return regex_of(self._text[start : self._at - 1])

    # -- words

    def terms(self) -> Terms:
        found: dict[str, list[str | Regex]] = {"": [], "?": [], "-": []}
        while self._at < len(self._text):
            kind = self._peek() if self._peek() in "?-" else ""
            self._at += len(kind)
            found[kind].append(self._term())
            if self._peek() and self._peek() not in _SPACE:
                raise self._refuse("expected a space")
            self._skip()
        # `?` beside other terms has no effect, as on AWS
        optional = () if found[""] or found["-"] else tuple(found["?"])
        return Terms(tuple(found[""]), optional, tuple(found["-"]))

    def _term(self) -> str | Regex:
        if self._takes('"'):
            return self._quoted()
        if self._takes("%"):
            return self._regex()
        start = self._at
        while self._peek() and self._peek() not in _SPACE:
            self._at += 1
        word = self._text[start : self._at]
        if not word:
            raise self._refuse("expected a term")
        if not _WORD.fullmatch(word):
            wrong = next(character for character in word if not _WORD.fullmatch(character))
            raise wrong_character(wrong, "put the term between double quotes")
        return word

    # -- operands

    def _operand(self, stops: str) -> Operand:
        self._skip()
        if self._takes('"'):
            return _glob(self._quoted())
        if self._takes("%"):
            return self._regex()
        start = self._at
        while self._peek() and self._peek() not in stops + _SPACE:
            self._at += 1
        word = self._text[start : self._at]
        if not word:
            raise self._refuse("expected a value")
        if NUMBER.fullmatch(word):
            return self._number(word)
        made = _glob(word)
        if "*" in made.text:
            raise self._refuse("* may stand at the beginning and at the end only")
        return made

    def _number(self, word: str) -> Number:
        value = float(word)
        if not math.isfinite(value):
            raise self._refuse("the number is too large")
        return Number(value, word)

    def _comparison(self, subject: Selector | int, stops: str) -> Compare:
        op = next((op for op in _OPS if self._takes(op)), "")
        if not op:
            raise self._refuse("expected = != < <= > or >=")
        operand = self._operand(stops)
        if op not in ("=", "!=") and not isinstance(operand, Number):
            raise self._refuse(f"{op} needs a number")
        return Compare(subject, op, operand)

    # -- JSON

    def json(self) -> Json:
        self._expect("{")
        test = self._either()
        self._expect("}")
        self._end()
        return Json(test)

    def _either(self) -> Test:
        parts = [self._both()]
        while self._takes("||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self) -> Test:
        parts = [self._primary()]
        while self._takes("&&"):
            parts.append(self._primary())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _primary(self) -> Test:
        if not self._takes("("):
            return self._test()
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._refuse(f"more than {DEPTH_MAX} parentheses are open")
        test = self._either()
        self._expect(")")
        self._depth -= 1
        return test

    def _test(self) -> Test:
        selector = self._selector()
        self._skip()
        rest = self._text[self._at :]
        if found := re.match(r"IS\s+(NULL|TRUE|FALSE)\b", rest, re.IGNORECASE):
            self._at += found.end()
            return Is(selector, found[1].lower())
        if found := re.match(r"NOT\s+EXISTS\b", rest, re.IGNORECASE):
            self._at += found.end()
            return Is(selector, "missing")
        return self._comparison(selector, '(){}&|"')

    def _selector(self) -> Selector:
        self._skip()
        start = self._at
        self._expect("$")
        steps: list[str | int] = []
        while self._peek() in (".", "["):
            steps.append(self._step(self._peek()))
        if not steps:
            raise self._refuse("expected . or [ after $")
        return Selector(tuple(steps), self._text[start : self._at])

    def _step(self, opening: str) -> str | int:
        self._at += 1
        if opening == ".":
            found = _NAME.match(self._text, self._at)
        else:
            found = re.compile(r"([0-9]{1,6})\]|'([^']+)'\]|\"([^\"]+)\"\]").match(
                self._text, self._at
            )
        if not found:
            wrong = self._peek()
            if opening == "." and wrong not in ("", *_SPACE):
                raise wrong_character(wrong, "name the member as $['name']")
            raise self._refuse("expected a name" if opening == "." else "expected an index and ]")
        self._at = found.end()
        if opening == ".":
            return found[0]
        return int(found[1]) if found[1] else found[2] or found[3]

    # -- fields between brackets

    def fields(self) -> Fields:
        self._expect("[")
        names: list[str] = []
        tests: list[tuple[int, Test]] = []
        before = -1
        while True:
            if self._takes("..."):
                if before >= 0:
                    raise self._refuse("... may stand once")
                before = len(names)
            else:
                self._field(names, tests)
            if not self._takes(","):
                break
        self._expect("]")
        self._end()
        made = Fields(tuple(names), len(names) if before < 0 else before, before >= 0, And(()))
        placed = tuple(_placed(test, made.index(number)) for number, test in tests)
        return Fields(made.names, made.before, made.open, And(placed))

    def _field(self, names: list[str], tests: list[tuple[int, Test]]) -> None:
        self._skip()
        found = _FIELD.match(self._text, self._at)
        name = found[0] if found else ""
        self._at += len(name)
        if name and name in names:
            raise self._refuse(f"the field {name} stands twice")
        names.append(name)
        self._skip()
        if self._peek() in ("=", "!", "<", ">"):
            tests.append((len(names) - 1, self._field_either(name)))

    def _field_either(self, name: str) -> Test:
        parts = [self._field_both(name)]
        while self._takes("||"):
            parts.append(self._field_both(name))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _field_both(self, name: str) -> Test:
        parts = [self._field_test(name)]
        while self._takes("&&"):
            parts.append(self._field_test(name))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _field_test(self, name: str) -> Test:
        self._skip()
        if name and self._text.startswith(name, self._at):
            self._at += len(name)
        return self._comparison(0, ',]&|"')


def _glob(text: str) -> Glob:
    if text == "*":
        return Glob("", open_start=True, open_end=True)
    start, end = text.startswith("*"), text.endswith("*") and len(text) > 1
    return Glob(text[start : len(text) - end], start, end)


def _placed(test: Test, index: int) -> Test:
    """Return a field's test with the field's index in it."""
    if isinstance(test, Compare):
        return Compare(index, test.op, test.operand)
    if isinstance(test, Is):
        return test
    return type(test)(tuple(_placed(part, index) for part in test.parts))
