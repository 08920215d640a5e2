"""AWS X-Ray: `X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=...;Sampled=1`.

request ~~> headers -> [xray] -> span -> headers ~~> request

Wire format: https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html. X-Ray's trace id
is the same 32 hex digits with two hyphens between.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from clerestory.model.spans import SpanContext

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER: Final = "x-amzn-trace-id"
_ROOT: Final = re.compile(r"1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})")
_PARENT: Final = re.compile(r"[0-9a-fA-F]{16}")


def extract(headers: Mapping[str, str]) -> SpanContext | None:
    """Return the span that the header names, None if it does not.

    `Sampled=?` leaves the decision to us, and is taken as not sampled, as OpenTelemetry takes it.

    Args:
        headers: By name in lower case.

    >>> extract({"x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793;"
    ...          "Parent=53995c3f42cd8ad8;Sampled=1"}).trace_id
    '5759e988bd862e3fe1be46a994272793'
    """
    pairs = (part.partition("=") for part in headers.get(_HEADER, "").split(";"))
    told = {name.strip().lower(): value.strip() for name, _, value in pairs}
    root = _ROOT.fullmatch(told.get("root", ""))
    parent = told.get("parent", "")
    if root is None or not _PARENT.fullmatch(parent) or not parent.strip("0"):
        return None
    trace_id = (root[1] + root[2]).lower()
    if not trace_id.strip("0"):
        return None
    return SpanContext(trace_id, parent.lower(), told.get("sampled") == "1")


def inject(span: Any) -> dict[str, str]:
    """Return the header that names a span."""
    root = f"1-{span.trace_id[:8]}-{span.trace_id[8:]}"
    value = f"Root={root};Parent={span.span_id};Sampled={int(span.sampled)}"
    return {"X-Amzn-Trace-Id": value}
