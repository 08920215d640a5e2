"""W3C Trace Context: `traceparent` and `tracestate`.

request ~~> headers -> [w3c] -> span -> headers ~~> request

Wire format: https://www.w3.org/TR/trace-context/.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from clerestory.model.spans import SpanContext

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE_CHARS_MAX: Final = 512
_STATE_MEMBERS_MAX: Final = 32
_MEMBER: Final = re.compile(
    r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)


def extract(headers: Mapping[str, str]) -> SpanContext | None:
    """Return the span that the headers name, None if they do not.

    Args:
        headers: By name in lower case.

    >>> extract({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    ... # doctest: +NORMALIZE_WHITESPACE
    SpanContext(trace_id='0af7651916cd43dd8448eb211c80319c', span_id='b7ad6b7169203331',
                sampled=True, trace_state='')
    """
    found = _PARENT.fullmatch(headers.get("traceparent", "").strip(" \t"))
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if (
        version == "ff"
        or (version == "00" and more)
        or not (trace_id.strip("0") and span_id.strip("0"))
    ):
        return None
    sampled = bool(int(flags, 16) & 1)
    return SpanContext(trace_id, span_id, sampled, _state(headers.get("tracestate", "")))


def _state(text: str) -> str:
    """Return a `tracestate` without empty members; empty if one of them is not valid."""
    members = [member.strip(" \t") for member in text.split(",")]
    members = [member for member in members if member]
    if len(members) > _STATE_MEMBERS_MAX or not all(map(_MEMBER.fullmatch, members)):
        return ""
    names = {member.partition("=")[0] for member in members}
    state = ",".join(members)
    return state if len(names) == len(members) and len(state) <= _STATE_CHARS_MAX else ""


def inject(span: Any) -> dict[str, str]:
    """Return the headers that name a span."""
    headers = {"traceparent": f"00-{span.trace_id}-{span.span_id}-{int(span.sampled):02x}"}
    if span.trace_state:
        headers["tracestate"] = span.trace_state
    return headers
