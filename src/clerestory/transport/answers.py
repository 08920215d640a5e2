"""What a status means for the batch: taken, later, not before somebody acts, never.

    receiver ~~> exchange -> [answers] -> destination

Invariant: no answer loses a record. Only what is wrong with the records themselves is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clerestory.model.errors import HoldError, RefusedError, RetryError, TooLargeError

if TYPE_CHECKING:
    from clerestory.transport.exchange import Answer

_RETRIED: Final = frozenset((408, 425, 429))
_TODO: Final = {
    401: "check the key or token",
    403: "check the key, and what it is allowed to do",
    404: "check the address",
    405: "check the address",
    407: "check the proxy's user and password",
}


def settle(answer: Answer, who: str) -> None:
    """Return if the batch was taken, else raise what the courier should do.

    Args:
        answer: What came back.
        who: The destination, for messages.

    Raises:
        RetryError: Later: 408, 425, 429 and every 5xx, with the wait that the receiver asks for.
        HoldError: Not before somebody acts: 401, 403, 404, 405, 407 and redirects.
        TooLargeError: 413.
        RefusedError: Any other 4xx.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    text = f"{who} answered {status}: {answer.text()}".rstrip(": ")
    if status in _RETRIED or status >= 500:
        raise RetryError(text, wait_s=answer.retry_after_s())
    if status < 400:
        location = answer.headers.get("location", "nowhere")
        raise HoldError(f"{text}; it redirects to {location}: set its address to that")
    if status in _TODO:
        raise HoldError(f"{text}; {_TODO[status]}")
    if status == 413:
        raise TooLargeError(text)
    raise RefusedError(text)
