"""What may be left out: sampling, rate limits, repeats. Never a WARNING or above.

    call -> [gates] -> line

Invariant: whatever a gate keeps back is counted, and a record says so afterwards.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clerestory.model.severity import LEVELS, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Our own generator: a program that seeds the global one gets the numbers it asked for.
_RANDOM: Final = random.Random()
_KEYS_MAX: Final = 10_000
_ALWAYS_FROM: Final = LEVELS["WARNING"]


@dataclass(frozen=True, slots=True)
class Held:
    """What a gate kept back since it last said so."""

    logger: str
    level: int
    reason: str
    message: str
    count: int


class Gate:
    """Decides whether a record below WARNING is made.

    Args:
        sample_rate: Share of the records that are made, 0 to 1.
        sample_levels: Share by level, in place of `sample_rate`.
        per_second: Most records of one logger and level in a second; 0 for no limit.
        fold: Whether the same message of a logger is made once a window.
        window_s: How long a window is, in seconds.
        now: The clock.
        random_unit: Gives numbers from 0 to 1.
    """

    def __init__(
        self,
        *,
        sample_rate: float = 1.0,
        sample_levels: Mapping[str, float] | None = None,
        per_second: float = 0.0,
        fold: bool = False,
        window_s: float = 5.0,
        now: Callable[[], float] = time.monotonic,
        random_unit: Callable[[], float] = _RANDOM.random,
    ) -> None:
        self._rate = sample_rate
        self._rates = {number(name): rate for name, rate in (sample_levels or {}).items()}
        self._per_second = per_second
        self._fold = fold
        self._window_s = window_s
        self._now = now
        self._random = random_unit
        self._made: Counter[tuple[str, int, int]] = Counter()
        self._seen: dict[tuple[str, int, str], float] = {}
        self._held: Counter[tuple[str, int, str, str]] = Counter()
        self._told_at = now()

    def is_open_for_all(self) -> bool:
        """Say whether this gate never keeps anything back."""
        sampled = self._rate < 1.0 or any(rate < 1.0 for rate in self._rates.values())
        return not (sampled or self._per_second > 0 or self._fold)

    def admits(self, logger: str, level: int, message: str) -> bool:
        """Say whether a record is made; count it if not."""
        if level >= _ALWAYS_FROM:
            return True
        rate = self._rates.get(level, self._rate)
        if rate < 1.0 and self._random() >= rate:
            return self._hold(logger, level, "sampled", "")
        if self._per_second > 0 and not self._within_rate(logger, level):
            return self._hold(logger, level, "rate_limited", "")
        if self._fold and not self._is_new(logger, level, message):
            return self._hold(logger, level, "repeated", message)
        return True

    def _within_rate(self, logger: str, level: int) -> bool:
        second = int(self._now())
        key = (logger, level, second)
        if len(self._made) > _KEYS_MAX:
            self._made.clear()
        self._made[key] += 1
        return self._made[key] <= self._per_second

    def _is_new(self, logger: str, level: int, message: str) -> bool:
        key = (logger, level, message)
        now = self._now()
        last = self._seen.get(key)
        if last is not None and now - last < self._window_s:
            return False
        if len(self._seen) > _KEYS_MAX:
            self._seen.clear()
        self._seen[key] = now
        return True

    def _hold(self, logger: str, level: int, reason: str, message: str) -> bool:
        self._held[logger, level, reason, message] += 1
        return False

    def take_held(self, *, at_once: bool = False) -> list[Held]:
        """Return what was kept back, once a window has passed or `at_once`."""
        now = self._now()
        if not self._held or (now - self._told_at < self._window_s and not at_once):
            return []
        self._told_at = now
        held, self._held = self._held, Counter()
        return [Held(*key[:3], key[3], count) for key, count in held.items()]
