"""What a filter pattern says, as a tree.

text -> parser -> [tree] -> sql, predicate
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glob:
    """A text with `*` allowed at its ends only.

    Attributes:
        text: What lies between the stars.
        open_start: Anything may stand before it.
        open_end: Anything may stand behind it.
    """

    text: str
    open_start: bool = False
    open_end: bool = False

    @property
    def is_any(self) -> bool:
        """Whether it is a lone `*`: every value that there is."""
        return self.open_start and self.open_end and not self.text


@dataclass(frozen=True, slots=True)
class Number:
    """A number, and how it was written."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression of AWS's subset, written for Python and for RE2."""

    python: str
    re2: str


Operand = Glob | Number | Regex


@dataclass(frozen=True, slots=True)
class Terms:
    """Words that an event must, may and must not contain; `optional`: one of them is enough."""

    required: tuple[str | Regex, ...] = ()
    optional: tuple[str | Regex, ...] = ()
    excluded: tuple[str | Regex, ...] = ()


@dataclass(frozen=True, slots=True)
class Selector:
    """Where in a JSON event a value is: names of members, numbers of elements."""

    steps: tuple[str | int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of what lies at `subject`: a selector, or the number of a field."""

    subject: Selector | int
    op: str
    operand: Operand


@dataclass(frozen=True, slots=True)
class Is:
    """A test of what lies at a selector: `null`, `true`, `false` or `missing`."""

    subject: Selector
    what: str


@dataclass(frozen=True, slots=True)
class And:
    """All parts must hold."""

    parts: tuple["Test", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One part must hold."""

    parts: tuple["Test", ...]


Test = Compare | Is | And | Or


@dataclass(frozen=True, slots=True)
class Json:
    """An event that is JSON and passes a test."""

    test: Test


@dataclass(frozen=True, slots=True)
class Fields:
    """An event of words between spaces.

    Attributes:
        names: Name of each field; fields behind `...` are counted from the end.
        before: How many fields stand before `...`; all, if there is no `...`.
        open: Whether there is a `...`.
        test: What the fields must fulfil; a field is named by its index, from the end below 0.
    """

    names: tuple[str, ...]
    before: int
    open: bool
    test: And

    def index(self, number: int) -> int:
        """Return the index of a field in an event's words, below 0 if counted from the end."""
        return number if number < self.before else number - len(self.names)


Pattern = Terms | Json | Fields
EVERYTHING = Terms()
