"""Who samples by a rule, and what each of them may sample in a second.

    GetSamplingTargets -> [sampling] -> quotas

A reservoir is shared among the samplers that reported in the last half minute; what does not go
into equal parts goes to the first in the order of their ids.

Invariant: the quotas of all living samplers of a rule add up to its reservoir.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

LIVING_S: Final = 30.0
CLIENTS_MAX: Final = 10_000


class Clients:
    """The samplers by rule, and when each was heard of last.

    >>> clients = Clients(clock=lambda: 0.0)
    >>> clients.quota("r", "b", 5), clients.quota("r", "a", 5), clients.quota("r", "b", 5)
    (5, 3, 2)
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, dict[str, float]] = {}
        self._lock = threading.Lock()

    def quota(self, rule: str, client: str, reservoir: int) -> int:
        """Return what a sampler may take of a reservoir each second; note that it lives."""
        with self._lock:
            now = self._clock()
            heard = self._seen.get(rule, {})
            living = {one: at for one, at in heard.items() if now - at <= LIVING_S}
            if client in living or len(living) < CLIENTS_MAX:
                living[client] = now
            self._seen[rule] = living
        place = sum(one < client for one in living)
        return reservoir // len(living) + (place < reservoir % len(living))

    def forget(self, rule: str) -> None:
        """Forget the samplers of a rule that is gone."""
        with self._lock:
            self._seen.pop(rule, None)
