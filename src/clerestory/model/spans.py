"""What names a span, in this process or another.

[span context] -> context, tracing, propagation
"""

from __future__ import annotations

from typing import NamedTuple


class SpanContext(NamedTuple):
    """A span as its children and other processes know it.

    Attributes:
        trace_id: 32 hex digits, lower case.
        span_id: 16 hex digits, lower case.
        sampled: Whether the trace is recorded.
        trace_state: What tracing systems tell each other, as in W3C's `tracestate`.
    """

    trace_id: str
    span_id: str
    sampled: bool = True
    trace_state: str = ""
