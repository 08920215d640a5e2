"""What a sampling rule is asked about, and what its patterns match.

    span, segment -> [asked] -> rules

Invariant: matching takes at most as many steps as pattern and text have characters multiplied,
whatever the pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

_CHARS_MAX: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that may be recorded; what is empty is not known, and matches every pattern.

    Attributes:
        service: Name of the service.
        service_type: Such as `AWS::EC2::Instance`.
        host: The header `Host`.
        method: `GET` and such.
        path: Of the URL.
    """

    service: str = ""
    service_type: str = ""
    host: str = ""
    method: str = ""
    path: str = ""

    @classmethod
    def of(cls, span: Any, service: str, service_type: str = "") -> Asked:
        """Return what the attributes of a span say at its start.

        Args:
            span: One of ours; None for nothing known.
            service: Name of the program.
            service_type: Where it runs.
        """
        if span is None or span.kind != "server":
            return cls(service=service, service_type=service_type)
        get = span.attributes.get
        host = get("server.address") or get("http.host") or ""
        return cls(
            service=service,
            service_type=service_type,
            host=str(host),
            method=str(get("http.request.method") or get("http.method") or ""),
            path=str(get("url.path") or get("http.target") or "").partition("?")[0],
        )


def matches(pattern: str, text: str) -> bool:
    """Say whether a text is as a pattern has it, in any case of letters.

    Args:
        pattern: `*` is any number of characters, `?` is one.
        text: What is compared; empty for what is not known, which every pattern matches.

    >>> matches("/api/*", "/API/x"), matches("a?c", "abc"), matches("a?c", "ac")
    (True, True, False)
    """
    if pattern == "*" or not text:
        return True
    wanted, given = pattern.lower(), text[:_CHARS_MAX].lower()
    at = found = 0
    star, after_star = -1, 0
    while found < len(given):
        if at < len(wanted) and wanted[at] == "*":
            star, after_star = at, found
            at += 1
        elif at < len(wanted) and wanted[at] in ("?", given[found]):
            at += 1
            found += 1
        elif star >= 0:
            after_star += 1
            at, found = star + 1, after_star
        else:
            return False
    return not wanted[at:].strip("*")
