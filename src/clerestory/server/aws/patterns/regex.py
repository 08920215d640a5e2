r"""Regular expressions of filter patterns: AWS's subset, with one meaning in Python and in RE2.

    parser -> [regex] -> sql, predicate

Without groups, look-around and modifiers; `\d \s \w` are ASCII, `.` is all but a line end.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from typing import Final

from clerestory.server.aws.errors import AwsError, invalid
from clerestory.server.aws.patterns.tree import Regex

REPEAT_MAX: Final = 1000
_SETS: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\\t\\n\\f\\r "}
_OTHERS: Final = {
    "D": "\\x00-/:-{end}",
    "W": "\\x00-/:-@\\[-\\^`\\{{-{end}",
    "S": "\\x00-\\x08\\x0b\\x0e-\\x1f!-{end}",
}
# Signs that mean something, and those that stand for themselves.
_SIGNS: Final = "^$?[]{}|\\*+._:#=@/;,-"
_PYTHON_END: Final = "\\U0010ffff"
_RE2_END: Final = "\\x{10ffff}"


def regex_of(text: str) -> Regex:
    """Return the expression that stands between two `%`.

    Raises:
        AwsError: It is outside of the subset that AWS takes.
    """
    return _Scanner(text).whole()


def wrong_character(character: str, advice: str) -> AwsError:
    """Return the error of a character that a term may not hold as it is."""
    return invalid(f"Invalid character(s) in term '{character}' ({advice})")


def _literal(character: str) -> str:
    is_plain = character.isalnum() or character == "_" or not character.isascii()
    is_control = character.isascii() and not character.isprintable()
    return character if is_plain or is_control or character == " " else f"\\{character}"


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._python: list[str] = []
        self._re2: list[str] = []
        self._repeatable = False

    def _refuse(self, why: str) -> Exception:
        return invalid(f"Invalid regular expression %{self._text[:200]}%: {why}")

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise self._refuse("it ends too early")
        self._at += 1
        return self._text[self._at - 1]

    def _emit(self, python: str, re2: str | None = None, *, repeatable: bool = True) -> None:
        self._python.append(python)
        self._re2.append(python if re2 is None else re2)
        self._repeatable = repeatable

    def whole(self) -> Regex:
        if not self._text:
            raise self._refuse("it is empty")
        while self._at < len(self._text):
            self._one(self._next())
        return Regex("".join(self._python), "".join(self._re2))

    def _one(self, character: str) -> None:
        if character.isascii() and not character.isalnum() and character not in _SIGNS:
            advice = "write \\s" if character == " " else "escape it; groups are not supported"
            raise wrong_character(character, advice)
        if character in "]}":
            raise self._refuse(f"{character} has no beginning; escape it")
        if character == "^":
            self._emit("\\A", repeatable=False)
        elif character == "$":
            self._emit("\\Z", "\\z", repeatable=False)
        elif character == "|":
            self._emit("|", repeatable=False)
        elif character == ".":
            self._emit("[^\\n]")
        elif character in "*+?{":
            self._repeat(character)
        elif character == "[":
            self._class()
        elif character == "\\":
            self._escape()
        else:
            self._emit(_literal(character))

    def _repeat(self, character: str) -> None:
        if not self._repeatable:
            raise self._refuse(f"nothing stands before {character}")
        if character != "{":
            self._emit(character, repeatable=False)
            return
        end = self._text.find("}", self._at)
        bounds = self._text[self._at : end].split(",") if end >= 0 else []
        is_number = [part.isascii() and part.isdigit() and len(part) < 5 for part in bounds]
        if not 1 <= len(bounds) <= 2 or not is_number[0] or not (is_number[-1] or not bounds[-1]):
            raise self._refuse("{ needs one or two numbers and }; escape it otherwise")
        numbers = [int(part) for part in bounds if part]
        if max(numbers) > REPEAT_MAX or numbers != sorted(numbers):
            raise self._refuse(f"a repetition goes from small to large, up to {REPEAT_MAX}")
        self._at = end + 1
        self._emit("{" + ",".join(bounds) + "}", repeatable=False)

    def _escape(self) -> None:
        character = self._next()
        if character in _SETS:
            self._emit(f"[{_SETS[character]}]")
        elif character.lower() in _SETS:
            self._emit(f"[^{_SETS[character.lower()]}]")
        else:
            self._emit(_literal(self._escaped(character)))

    def _escaped(self, character: str) -> str:
        if character == "x":
            digits = self._text[self._at : self._at + 2]
            try:
                code = int(digits, 16) if len(digits) == 2 and digits.isalnum() else -1
            except ValueError:
                code = -1
            if not 0 < code < 128:
                raise self._refuse("\\x needs two hexadecimal digits, 01 to 7f")
            self._at += 2
            return chr(code)
        if character.isalnum():
            raise self._refuse(f"\\{character} is not supported")
        return character

    def _class(self) -> None:
        start = "["
        if self._text[self._at : self._at + 1] == "^":
            start, self._at = "[^", self._at + 1
        python, re2 = [start], [start]
        while (character := self._next()) != "]":
            one, other = self._member(character)
            python.append(one)
            re2.append(other)
        if len(python) == 1:
            raise self._refuse("[] is empty")
        self._emit("".join([*python, "]"]), "".join([*re2, "]"]))

    def _member(self, character: str) -> tuple[str, str]:
        """Return a member of a class, for Python and for RE2."""
        if character == "[":
            raise self._refuse("[ in a class must be escaped")
        if character == "\\":
            named = self._next()
            if named in _SETS:
                return _SETS[named], _SETS[named]
            if named in _OTHERS:
                both = _OTHERS[named]
                return both.format(end=_PYTHON_END), both.format(end=_RE2_END)
            character = self._escaped(named)
        first = character
        ahead = self._text[self._at : self._at + 2]
        if len(ahead) < 2 or ahead[0] != "-" or ahead[1] == "]":
            return _literal(first), _literal(first)
        self._at += 1
        last = self._next()
        if last == "\\":
            last = self._escaped(self._next())
        if last < first:
            raise self._refuse(f"the range {first}-{last} goes backwards")
        both = f"{_literal(first)}-{_literal(last)}"
        return both, both
