"""Secrets are masked by the name of their field and by what they look like.

    call -> [names of fields] -> line -> spool -> [look of values] -> worker -> destination

Names of top-level fields are judged in the call, once per name: the fast path asks one set.
Nested names and the looks of values are judged on whole batches as they leave the spool, where a
search for a few literals in a mebibyte costs far less than a search per record.

Invariant: a marker names the rule and never repeats any part of the secret.
"""

from __future__ import annotations

import itertools
import re
import string
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from clerestory.process.encode import decode, encode
from clerestory.wire.line import RESERVED, SPAN_KEYS
from clerestory.wire.record import hex_id
from clerestory.wire.slices import slices

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECRET_WORDS: Final = frozenset(
    (
        *("password", "passwd", "pwd", "passphrase", "secret", "secrets", "token", "apikey"),
        *("authorization", "cookie", "cookies", "credential", "credentials", "cvv", "cvc"),
        *("privatekey", "accesskey", "bearer"),
    )
)
_SECRET_PAIRS: Final = frozenset(
    (
        ("api", "key"),
        ("private", "key"),
        ("access", "key"),
        ("secret", "key"),
        ("card", "number"),
        ("session", "key"),
        ("auth", "header"),
    )
)
_HARMLESS_ENDS: Final = frozenset(
    (
        *("count", "counts", "length", "len", "limit", "max", "min", "type", "kind", "name"),
        *("usage", "used", "ttl", "expiry", "expires", "valid", "policy", "present", "id", "ids"),
        *("budget", "per", "second", "rate"),
    )
)
_WORD_CHARS: Final = string.ascii_letters + string.digits + "_-"
_WORDS: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_NAME_MAX: Final = 4096


def marker(rule: str) -> str:
    """Return what stands in place of a secret.

    >>> marker("password")
    '[redacted:password]'
    """
    return f"[redacted:{rule}]"


def secret_word(name: str) -> str | None:
    """Return the word that makes a field's name that of a secret, None if it is harmless.

    >>> secret_word("db_password"), secret_word("X-Api-Key"), secret_word("token_count")
    ('password', 'api-key', None)
    """
    words = [word.lower() for word in _WORDS.findall(name[:256])]
    if not words or words[-1] in _HARMLESS_ENDS:
        return None
    for word in words:
        if word in _SECRET_WORDS:
            return str(word)
    for pair in itertools.pairwise(words):
        if pair in _SECRET_PAIRS:
            return "-".join(pair)
    return None


# What a call says by these names is no field; only one that comes in another way is.
CALL_WORDS: Final = frozenset(("exc_info", "extra", "stack_info", "stacklevel"))


@dataclass(slots=True)
class NameRules:
    """Which names of fields are clean, reserved or secret; each name is judged once.

    Attributes:
        reserved: Names that a line needs itself.
        clean: Names known to need nothing; the fast path asks this set alone.
    """

    enabled: bool = True
    patterns: tuple[re.Pattern[str], ...] = ()
    allowed: frozenset[str] = frozenset()
    reserved: frozenset[str] = RESERVED
    clean: set[str] = field(default_factory=set)

    @classmethod
    def build(cls, *, enabled: bool, keys: Iterable[str], allowed: Iterable[str]) -> NameRules:
        """Return rules with the user's own patterns, which are matched without case."""
        patterns = tuple(re.compile(key, re.IGNORECASE) for key in keys)
        return cls(enabled=enabled, patterns=patterns, allowed=frozenset(allowed))

    def for_spans(self) -> NameRules:
        """Return the same rules for the attributes of spans, whose lines need more names."""
        return replace(self, reserved=RESERVED | SPAN_KEYS, clean=set())

    def rule_for(self, name: str) -> str | None:
        """Return the rule that masks a field of this name, None if there is none."""
        if not self.enabled or name in self.allowed:
            return None
        for pattern in self.patterns:
            if pattern.search(name):
                return "key"
        return secret_word(name)

    def learn(self, name: str) -> str | None:
        """Judge a name, remember it when it is clean, and return the rule that masks it."""
        rule = self.rule_for(name)
        needs_care = rule is not None or name in self.reserved or name in CALL_WORDS
        if not needs_care and len(self.clean) < _NAME_MAX:
            self.clean.add(name)
        return rule


@dataclass(frozen=True, slots=True)
class _Detector:
    """One look of a secret: literals that must occur, and the pattern that decides."""

    rule: str
    literals: tuple[bytes, ...]
    pattern: re.Pattern[str]
    replacement: str


def _detector(rule: str, literals: str, pattern: str, replacement: str = "") -> _Detector:
    found = tuple(literal.encode() for literal in literals.split("␣"))
    return _Detector(rule, found, re.compile(pattern), replacement or marker(rule))


_DETECTORS: Final = (
    _detector(
        "url-password",
        "://",
        r"(?P<head>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@\"']*):[^\s/@\"']+@",
        r"\g<head>:" + marker("url-password") + "@",
    ),
    _detector("aws-access-key", "akia␣asia", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    _detector(
        "github-token",
        "ghp_␣gho_␣ghs_␣ghu_␣ghr_␣github_pat_",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
    ),
    _detector("jwt", "eyj", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"),
    _detector(
        "private-key",
        "private key-----",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    ),
    _detector("bearer", "bearer ␣basic ", r"(?i)\b(?:bearer|basic) +[A-Za-z0-9._~+/=-]{16,}"),
    _detector("slack-token", "xox", r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    _detector("stripe-key", "sk_live_␣rk_live_", r"\b[sr]k_live_[A-Za-z0-9]{16,}"),
    _detector("api-key", "sk-", r"\bsk-[A-Za-z0-9_-]{20,}"),
    _detector(
        "password",
        "password=␣passwd=␣pwd=␣password: ",
        r"(?i)\b(?P<head>password|passwd|pwd)(?P<sep>=|: )(?!\[redacted)[^\s&,;\"'}]+",
        r"\g<head>\g<sep>" + marker("password"),
    ),
)
_NESTED: Final = (
    b"password passwd pwd passphrase secret token authorization cookie credential cvv cvc "
    b"apikey api_key api-key private_key access_key accesskey privatekey card_number"
).split()

# What makes a batch worth a closer look. A translation and a search for a run of equal bytes
# skip through a text many times faster than a search for each literal would.
_TOKEN_MAP: Final = bytes(97 if chr(byte) in _WORD_CHARS else 46 for byte in range(256))
_TOKEN_RUN: Final = b"a" * 20
_NESTING: Final = (b":{", b"[{", b", {")
# Digits read as 0, what stands around a JSON number as n, what parts the digits of a card as s, all
# else as a dot: so a run of digits inside a text is found without stopping at the time that begins
# every line.
_DIGIT_MAP: Final = bytes(
    48 if 48 <= byte <= 57 else 110 if byte in b":,[" else 115 if byte in b" -" else 46
    for byte in range(256)
)
_CARD_RUNS: Final = (
    b"." + b"0" * 13,
    b"s" + b"0" * 13,
    b"n" + b"0" * 15 + b".",
    b"n" + b"0" * 16 + b".",
    b"0000s0000s0000s",
)
# The same at a glance: a run of digits and of what may part them. The time that begins every line
# is one such run; a piece with no more runs than lines holds no card.
_RUN_MAP: Final = bytes(48 if byte in b"0123456789 -" else 46 for byte in range(256))
_RUN: Final = b"0" * 13
_ZEROED: Final = bytes(48 if 48 <= byte <= 57 else byte for byte in range(256))
_ID_DIGITS: Final = {"trace_id": 32, "span_id": 16, "parent_span_id": 16}
# Ids that stand side by side are found at once; a parent is not beside those of the first span.
_ID_RUNS: Final = (("trace_id", "span_id"), *((name,) for name in _ID_DIGITS))
_HEX_MAP: Final = bytes(48 if chr(byte) in "0123456789abcdef" else byte for byte in range(256))


class _Ids:
    """Ids that stand side by side in a line.

    Args:
        names: Of their members.
    """

    def __init__(self, *names: str) -> None:
        members = [(name.encode(), _ID_DIGITS[name]) for name in names]
        self._pattern = re.compile(b",".join(b'"%b":"[0-9a-f]{%d}"' % one for one in members))
        self._dots = b",".join(b'"%b":"%b"' % (name, b"." * size) for name, size in members)
        self._literal = b'"%b":"' % members[0][0]
        self._seen = self._dots[len(self._literal) :].replace(b".", b"0").translate(_HEX_MAP)

    def are_in(self, sample: bytes) -> bool:
        """Say whether a line has them."""
        return self._pattern.search(sample) is not None

    def hide(self, piece: bytes, *, repeats: bool = True) -> bytes:
        """Return the lines with dots in their places.

        Args:
            piece: The lines.
            repeats: Whether all are wanted, or one of those suffices that are alike by then.
        """
        # To split takes half as long as to search for the pattern; that is for what is odd.
        first, *rest = piece.split(self._literal)
        size = len(self._seen)
        if b"".join([part[:size] for part in rest]).translate(_HEX_MAP) != self._seen * len(rest):
            return self._pattern.sub(self._dots, piece)
        ends = [part[size:] for part in rest]
        if not repeats and ends[:-1].count(ends[0]) == len(ends) - 1:
            # What ends a line and begins the next is the same throughout: two of it hold all.
            ends[2:-1] = []
        return self._dots.join([first, *ends])


_IDS: Final = tuple(_Ids(*names) for names in _ID_RUNS)
_VARIED_PIECES: Final = 30
_FEW_LINES: Final = 8
_CARD_BYTES: Final = re.compile(rb"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.,}\]])")
_TIME_BYTES: Final = 33
_URL_LOOK: Final = re.compile(rb"://[^\s/:@\"']*:[^\s/@\"']+@")
_PASSWORD_LITERALS: Final = next(one.literals for one in _DETECTORS if one.rule == "password")
_TOKEN_LITERALS: Final = tuple(
    literal
    for one in _DETECTORS
    if one.rule not in {"password", "url-password"}
    for literal in one.literals
)
_CARD: Final = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])")


def _luhn(digits: str) -> bool:
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _mask_card(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match.group())
    is_card = digits[0] in "3456" and len(set(digits)) > 1 and _luhn(digits)
    return marker("card-number") if is_card else match.group()


@dataclass(slots=True)
class ValueRules:
    """Masks secrets in lines that leave the spool.

    Attributes:
        masked: How often each rule masked something.
    """

    names: NameRules
    enabled: bool = True
    masked: Counter[str] = field(default_factory=Counter)
    _varied: int = field(default=0, repr=False)

    def text(self, value: str) -> str:
        """Return the text with every secret in it replaced by its rule's marker."""
        for detector in _DETECTORS:
            value, count = detector.pattern.subn(detector.replacement, value)
            if count:
                self.masked[detector.rule] += count
        masked = _CARD.sub(_mask_card, value)
        if masked != value:
            self.masked["card-number"] += 1
        return masked

    def value(self, value: Any, name: str = "") -> Any:
        """Return any decoded JSON value with the secrets in it masked, at every depth."""
        rule = self.names.rule_for(name) if name else None
        if rule is not None and value is not None and not isinstance(value, bool):
            if not (isinstance(value, str) and value.startswith("[redacted:")):
                self.masked[rule] += 1
            return marker(rule)
        if isinstance(value, str):
            # One id in a thousand has a run of digits that could be the number of a card.
            return value if hex_id(value, _ID_DIGITS.get(name, -1)) else self.text(value)
        if isinstance(value, dict):
            return {key: self.value(member, key) for key, member in value.items()}
        if isinstance(value, list):
            return [self.value(member) for member in value]
        return value

    def lines(self, chunk: bytes) -> bytes:
        """Return whole lines with the secrets in them masked; their number stays the same."""
        if not self.enabled:
            return chunk
        masked = False
        parts = []
        for piece in slices(chunk):
            part = self._piece(piece)
            masked = masked or part is not piece
            parts.append(part)
        return b"".join(parts) if masked else chunk

    def _piece(self, piece: bytes) -> bytes:
        kinds = self._kinds(piece)
        if kinds is not None and not _secret_lines(b"\n".join(kinds) + b"\n", len(kinds)):
            return piece
        looked = _without_ids(piece)
        starts = _secret_lines(looked, len(list(filter(None, looked.split(b"\n")))))
        if not starts:
            return piece
        parts: list[bytes] = []
        done = 0
        for start in sorted(starts):
            end = _line_end(piece, start)
            parts += (piece[done:start], self._line(piece[start:end]))
            done = end
        parts.append(piece[done:])
        return b"".join(parts)

    def _kinds(self, piece: bytes) -> set[bytes] | None:
        """Return one line of each kind that differs in more than digits; None for too many kinds.

        Every hint and every look reads all digits alike, so what holds for one line of a kind
        holds for the others. Where most lines differ, it is not tried again for a while.
        """
        if self._varied > 0:
            self._varied -= 1
            return None
        rows = _without_ids(piece.translate(_ZEROED), repeats=False).split(b"\n")
        lines = len(rows) - rows.count(b"")
        first = rows[0]
        # most often all are alike, and to compare them is cheaper than to hash them
        alike = first != b"" and rows.count(first) == lines
        others = () if alike else (row for row in rows if row != first)
        kinds = {first, *others}
        kinds.discard(b"")
        if 2 * len(kinds) > max(lines, _FEW_LINES):
            self._varied = _VARIED_PIECES
            return None
        return kinds

    def _line(self, line: bytes) -> bytes:
        try:
            fields = decode(line)
        except ValueError:
            return line
        head = {key: fields[key] for key in ("timestamp", "level", "logger") if key in fields}
        return encode(head | self.value({k: v for k, v in fields.items() if k not in head}))


def _without_ids(piece: bytes, *, repeats: bool = True) -> bytes:
    """Return the lines with dots for the ids of traces and spans, each where it was.

    They are no secrets, look like tokens to a hint, and would make every line a kind of its own.
    Which ids to look for is seen from the first line and the last; one that is overlooked means
    more work and no other result.
    """
    sample = piece[: piece.find(b"\n") + 1] + piece[piece.rfind(b"\n", 0, -1) + 1 :]
    for ids in _IDS:
        if ids.are_in(sample):
            piece, sample = ids.hide(piece, repeats=repeats), ids.hide(sample)
    return piece


def _line_end(piece: bytes, start: int) -> int:
    end = piece.find(b"\n", start)
    return len(piece) if end < 0 else end


def _secret_lines(piece: bytes, lines: int) -> set[int]:
    """Return the starts of the lines that hold what looks like a secret.

    Args:
        piece: Lines, each with its time at its beginning; empty ones between them.
        lines: How many are not empty.

    A hint, cheap to find in the whole piece, says which lines to look at; the look, dear, decides.
    """
    found: set[int] = set()
    for hinted, look in (
        (_hinted(piece, b"://"), _looks_like_url),
        (_hinted(piece.lower(), b"assw", b"pwd"), _looks_like_password),
        (_nested(piece), _has_secret_name),
        (_hinted(piece.translate(_TOKEN_MAP), _TOKEN_RUN, source=piece), _looks_like_token),
        (_with_digits(piece, lines), _looks_like_card),
    ):
        found.update(start for start in hinted if look(piece[start : _line_end(piece, start)]))
    return found


def _with_digits(piece: bytes, lines: int) -> set[int]:
    if piece.translate(_RUN_MAP).count(_RUN) <= lines:
        return set()
    return _hinted(piece.translate(_DIGIT_MAP), *_CARD_RUNS, source=piece)


def _nested(piece: bytes) -> set[int]:
    if piece.count(b"{") == piece.count(b"\n"):  # no brace but the one that begins each line
        return set()
    return _hinted(piece, *_NESTING)


def _looks_like_url(line: bytes) -> bool:
    return _URL_LOOK.search(line) is not None


def _looks_like_password(line: bytes) -> bool:
    lower = line.lower()
    return _contains(lower, _PASSWORD_LITERALS) or _has_secret_name(line)


def _has_secret_name(line: bytes) -> bool:
    return _contains(line.lower(), _NESTED) and _contains(line, _NESTING)


def _looks_like_token(line: bytes) -> bool:
    return _contains(line.lower(), _TOKEN_LITERALS)


def _looks_like_card(line: bytes) -> bool:
    return _CARD_BYTES.search(line, _TIME_BYTES) is not None


def _contains(text: bytes, literals: Iterable[bytes]) -> bool:
    for literal in literals:  # noqa: SIM110  a generator would cost as much as the search
        if literal in text:
            return True
    return False


def _hinted(text: bytes, *hints: bytes, source: bytes = b"") -> set[int]:
    """Return the starts of the lines that hold one of the hints."""
    source = source or text
    starts: set[int] = set()
    for hint in hints:
        at = text.find(hint)
        while at >= 0:
            starts.add(source.rfind(b"\n", 0, at) + 1)
            end = source.find(b"\n", at)
            at = text.find(hint, end) if end >= 0 else -1
    return starts
