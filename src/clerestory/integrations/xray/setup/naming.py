"""The name of the segment of a request: the host it was sent to, or the service.

request -> [naming] -> segment
"""

from __future__ import annotations

from clerestory.tracing.remote.asked import matches


class DynamicNaming:
    """Names a segment by its host, where that is as a pattern has it.

    Args:
        pattern: `*` is any number of characters, `?` is one.
        fallback: The name for any other host.

    >>> DynamicNaming("*shop.example*", "backend").get_name("www.shop.example:8080")
    'www.shop.example:8080'
    >>> DynamicNaming("*shop.example*", "backend").get_name("10.0.0.1")
    'backend'
    """

    def __init__(self, pattern: str, fallback: str | None) -> None:
        self._pattern = pattern
        self._fallback = fallback

    def get_name(self, host_name: str) -> str | None:
        """Return the name for a host."""
        return host_name if host_name and matches(self._pattern, host_name) else self._fallback
