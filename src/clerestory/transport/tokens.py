"""Access tokens that expire: fetched when they are needed, renewed before they end.

    identity service ~~> [tokens] -> exchange

Invariant: no failure to get a token loses a record: it is a RetryError or a HoldError.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.model.errors import DeliveryError, HoldError, RetryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerestory.transport.exchange import Answer

_EARLY_S: Final = 300.0
_LATER: Final = frozenset((408, 425, 429))


class TokenCache:
    """One access token, kept until five minutes before it ends.

    Args:
        fetch: Returns a token and how many seconds it is good for.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        fetch: Callable[[], tuple[str, float]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._token = ""
        self._renew_at = 0.0
        self._ends_at = 0.0

    def __call__(self) -> str:
        """Return a token that is good now.

        Raises:
            RetryError: The identity service is away, and there is no token that is still good.
            HoldError: It does not know us.
        """
        now = self._clock()
        if self._token and now < self._renew_at:
            return self._token
        try:
            token, good_s = self._fetch()
        except DeliveryError:
            if self._token and now < self._ends_at:
                return self._token
            raise
        self._token = token
        self._ends_at = now + good_s
        self._renew_at = max(self._ends_at - _EARLY_S, now + good_s / 2)
        return token

    def forget(self) -> None:
        """Fetch another at the next call: this one was not taken."""
        self._token = ""


def read_token(answer: Answer, who: str, todo: str) -> tuple[str, float]:
    """Return the token and its seconds from an OAuth 2.0 token response (RFC 6749, section 5).

    Args:
        answer: What the identity service said.
        who: The service, for messages.
        todo: What somebody should check when it does not know us.

    Raises:
        RetryError: 408, 425, 429, 5xx, or a body that is no token response.
        HoldError: Any other error.
    """
    if answer.status in _LATER or answer.status >= 500:
        raise RetryError(
            f"{who} answered {answer.status}: {answer.text()}", wait_s=answer.retry_after_s()
        )
    if answer.status != 200:
        raise HoldError(f"{who} answered {answer.status}: {answer.text()}; {todo}")
    try:
        content: dict[str, Any] = msgspec.json.decode(answer.body, type=dict)
        return str(content["access_token"]), float(content.get("expires_in", 3600))
    except (msgspec.DecodeError, LookupError, ValueError, TypeError) as error:
        # The body may hold a token: it is not shown.
        raise RetryError(f"{who} sent no token response: {type(error).__name__}") from error
