"""Real HTTP traffic for the shop: a few threads that browse, fill carts and pay.

[shoppers] ~~HTTP over loopback~~> gunicorn
"""

import random
import threading
from http.client import HTTPConnection, HTTPException
from typing import Final

THREADS: Final = 3
PAUSE_S: Final = 0.04


class Shoppers:
    """Traffic from several threads until it is stopped.

    Attributes:
        answered: How many requests the shop answered.
    """

    def __init__(self, port: int) -> None:
        self.answered = 0
        self._port = port
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._shop, args=(f"user{number}",), daemon=True)
            for number in range(1, THREADS + 1)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the requests under way and end."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _shop(self, user: str) -> None:
        while not self._stopping.is_set():
            try:
                self._ask(user, *_next_request())
                self.answered += 1
            except (OSError, HTTPException):
                # The shop is still starting, or already stopping.
                self._stopping.wait(0.2)
            self._stopping.wait(random.uniform(0, 2 * PAUSE_S))

    def _ask(self, user: str, method: str, path: str) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request(method, path, headers={"X-User": user})
            connection.getresponse().read()
        finally:
            connection.close()


def _next_request() -> tuple[str, str]:
    chance = random.random()
    if chance < 0.3:
        return "GET", "/products"
    if chance < 0.6:
        return "GET", f"/products/{random.randint(1, 6)}"
    if chance < 0.85:
        return "POST", f"/cart/{random.randint(1, 5)}"
    return "POST", "/checkout"
