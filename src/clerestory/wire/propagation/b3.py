"""B3, Zipkin's headers: `b3` in one, or `X-B3-*` in many.

request ~~> headers -> [b3] -> span -> headers ~~> request

Wire format: https://github.com/openzipkin/b3-propagation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from clerestory.model.spans import SpanContext

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{16}")
_SPAN_ID: Final = re.compile(r"[0-9a-fA-F]{16}")
_YES: Final = frozenset(("1", "true", "d"))


def extract(headers: Mapping[str, str]) -> SpanContext | None:
    """Return the span that the headers name, the single one first; None if they do not.

    Args:
        headers: By name in lower case.

    >>> extract({"b3": "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1"}).span_id
    'e457b5a2e4d86bd1'
    """
    parts = headers.get("b3", "").strip().split("-")
    if len(parts) in {2, 3, 4}:
        decision = parts[2].lower() if len(parts) > 2 else "1"
        found = _context(parts[0], parts[1], decision)
        if found is not None:
            return found
    decision = headers.get("x-b3-sampled", "1").strip().lower()
    if headers.get("x-b3-flags", "").strip() == "1":
        decision = "d"
    trace_id = headers.get("x-b3-traceid", "").strip()
    return _context(trace_id, headers.get("x-b3-spanid", "").strip(), decision)


def _context(trace_id: str, span_id: str, decision: str) -> SpanContext | None:
    if not _TRACE_ID.fullmatch(trace_id) or not _SPAN_ID.fullmatch(span_id):
        return None
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return SpanContext(trace_id.lower().rjust(32, "0"), span_id.lower(), decision in _YES)


def inject(span: Any) -> dict[str, str]:
    """Return the one header that names a span."""
    parent = getattr(span, "parent_span_id", "")
    parts = [span.trace_id, span.span_id, str(int(span.sampled)), *([parent] if parent else [])]
    return {"b3": "-".join(parts)}


def inject_multi(span: Any) -> dict[str, str]:
    """Return the many headers that name a span."""
    headers = {
        "x-b3-traceid": span.trace_id,
        "x-b3-spanid": span.span_id,
        "x-b3-sampled": str(int(span.sampled)),
    }
    parent = getattr(span, "parent_span_id", "")
    return headers | ({"x-b3-parentspanid": parent} if parent else {})
