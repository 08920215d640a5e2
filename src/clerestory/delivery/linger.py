"""When a batch is worth a request.

    reader -> [linger] -> courier

Invariant: no line waits longer than the policy says; one of level ERROR or above does not wait.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerestory.delivery.policy import RoutePolicy
    from clerestory.delivery.reader import Reader
    from clerestory.spool.cursor import Place

_URGENT: Final = re.compile(rb'"level":"(?:ERROR|ALERT|CRITICAL|EMERGENCY)"')


class Linger:
    """Looks at what waits, each time only at what it has not seen yet.

    Attributes:
        is_urgent: Whether a line of level ERROR or above is among what was seen.
    """

    __slots__ = ("_lines", "_now", "_policy", "_reader", "_seen", "_since", "_start", "is_urgent")

    def __init__(
        self, reader: Reader, policy: RoutePolicy, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader = reader
        self._policy = policy
        self._now = now
        self._start: Place | None = None
        self._forget()

    def _forget(self) -> None:
        self._seen: Place | None = None
        self._since = 0.0
        self._lines = 0
        self.is_urgent = False

    def is_due(self, place: Place) -> bool:
        """Say whether what waits behind a place should be sent now."""
        if self._policy.linger_s <= 0:
            return True
        if place != self._start:
            self._start = place
            self._forget()
        after, shown, more = self._reader.waiting_after(self._seen or place)
        if not shown and not self._lines:
            return False
        if not self._since:
            self._since = self._now()
        self._seen = after
        self._lines += shown.count(b"\n")
        self.is_urgent = self.is_urgent or _URGENT.search(shown) is not None
        return (
            self.is_urgent
            or more
            or self._lines >= self._policy.linger_lines
            or self._now() - self._since >= self._policy.linger_s
        )
