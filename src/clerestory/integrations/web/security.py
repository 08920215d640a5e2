"""Refused requests, and clients that fail again and again.

    exchange -> [security] -> the logger `clerestory.security` -> spool

A request that is answered 401, 403 or 429 is a record of its own. Beyond that, every answer from
400 to 499 is counted per client; one that passes the bound within a minute is told once in that
minute. IPv6 clients are counted by their network of 64 bits, since each has all of it.

Invariant: whoever asks, and from however many addresses, the memory for it is bounded.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from clerestory.logger import get_logger
from clerestory.model.severity import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

CLIENTS_MAX: Final = 4096
WINDOW_S: Final = 60.0
NAMES: Final = {
    401: ("security.unauthenticated", "request without valid credentials"),
    403: ("security.forbidden", "request that is not allowed"),
    429: ("security.rate_limited", "request beyond the rate limit"),
}


class FailureRates:
    """Counts failures of each client in windows of a minute.

    Args:
        clients_max: Clients that are remembered; the one not seen for longest goes.
        clock: Seconds that never go back.
    """

    def __init__(
        self, clients_max: int = CLIENTS_MAX, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clients_max = clients_max
        self._clock = clock
        self._seen: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._seen)

    def count(self, client: str, bound: int) -> int:
        """Count one failure; return how many there were, once, when the bound is reached.

        Returns:
            0 at all other times.
        """
        now = self._clock()
        # A thread that is killed in here is the program's end; nothing below can wait.
        with self._lock:
            entry = self._seen.get(client)
            if entry is None or now - entry[0] >= WINDOW_S:
                entry = self._seen[client] = [now, 0]
                while len(self._seen) > self._clients_max:
                    self._seen.popitem(last=False)
            self._seen.move_to_end(client)
            entry[1] += 1
            return int(entry[1]) if entry[1] == bound else 0

    def forget(self) -> None:
        """Begin anew."""
        self._lock = threading.Lock()
        self._seen.clear()


RATES: Final = FailureRates()
_WARNING: Final = LEVELS["WARNING"]
_log: Final = get_logger("clerestory.security")


def network_of(client: str) -> str:
    """Return what one client is counted by.

    >>> network_of("192.0.2.7"), network_of("2001:db8:1:2:3::4")
    ('192.0.2.7', '2001:db8:1:2::/64')
    """
    if ":" not in client:
        return client
    import ipaddress

    try:
        return str(ipaddress.ip_network(f"{client}/64", strict=False))
    except ValueError:
        return client


def warn(status: int, fields: dict[str, Any], place: FrameType | None, bound: int) -> None:
    """Make the security records of one request that failed.

    Args:
        status: What it was answered, 400 to 499.
        fields: What its record has.
        place: The function that answered; None if unknown.
        bound: Failures of a client in a minute that are told; 0 for none.
    """
    named = NAMES.get(status)
    if named is not None:
        name, text = named
        _log.tell(_WARNING, text, {"event.name": name, **fields}, place)
    client = network_of(str(fields.get("client.address", "")))
    count = RATES.count(client, bound) if bound else 0
    if count:
        told = {
            "event.name": "security.failure_rate",
            "client.address": fields.get("client.address", ""),
            "security.failures": count,
            "security.window_s": int(WINDOW_S),
            "user_agent.original": fields.get("user_agent.original", ""),
        }
        _log.tell(_WARNING, "client fails again and again", told, None)
