"""How long to wait before a failed batch is sent again.

    batch -> courier -> destination.send()  --fails-->  [retry]  -> courier

Waits grow by doubling and are jittered over their whole range, so that a thousand processes that
lost the same endpoint do not come back together. There is no limit of attempts: the spool holds
the batch, and only the spool's own bound gives records up.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Our own generator: a program that seeds the global one gets the numbers it asked for.
_RANDOM: Final = random.Random()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When to try again.

    Attributes:
        wait_s_first: Upper bound of the first wait, in seconds.
        wait_s_max: No wait is longer than this, in seconds.
        doubling: Whether the bound doubles with each failure.

    >>> policy = RetryPolicy(wait_s_first=1.0, wait_s_max=3.0)
    >>> waits = policy.waits_s(random_unit=lambda: 1.0)
    >>> [next(waits) for _ in range(4)]
    [1.0, 2.0, 3.0, 3.0]
    """

    wait_s_first: float = 0.1
    wait_s_max: float = 5.0
    doubling: bool = True

    def waits_s(self, random_unit: Callable[[], float] = _RANDOM.random) -> Iterator[float]:
        """Yield one wait after the other, without end."""
        bound = self.wait_s_first
        while True:
            yield random_unit() * min(bound, self.wait_s_max)
            if self.doubling:
                bound = min(bound * 2, self.wait_s_max)
