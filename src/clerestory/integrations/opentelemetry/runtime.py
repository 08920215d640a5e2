"""OpenTelemetry's context and ours as one: whoever enters a span, records carry its ids.

    opentelemetry.context.attach -> [runtime] -> fields in force -> line

Invariant: what the API attached is what the API gets back.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context.context import Context, _RuntimeContext
from opentelemetry.trace.propagation import _SPAN_KEY

from clerestory import context as fields
from clerestory.model.spans import SpanContext
from clerestory.tracing.details import reference
from clerestory.tracing.spans import Span, in_force

_NOTHING: Final = Context()

trace.Span.register(Span)


class RuntimeContext(_RuntimeContext):
    """Where the API keeps its context: beside our fields.

    Args:
        before: What kept it before; its current context goes on.
    """

    def __init__(self, before: _RuntimeContext) -> None:
        current = before.get_current()
        if current:
            self.attach(current)

    def attach(self, context: Context) -> Any:
        """Put a context in force, and its span with it."""
        around = fields.get()
        return fields.use(in_force(ours(context.get(_SPAN_KEY), around.span), around, context))

    def get_current(self) -> Context:
        """Return the context in force; a span of ours that was entered since is in it."""
        around = fields.get()
        foreign, span = around.foreign, around.span
        if foreign is not None and (not isinstance(span, Span) or foreign.get(_SPAN_KEY) is span):
            return foreign  # type: ignore[no-any-return]
        if span is None:
            return _NOTHING
        shown = trace.NonRecordingSpan(theirs(span)) if isinstance(span, SpanContext) else span
        around.foreign = Context({**(foreign or {}), _SPAN_KEY: shown})
        return around.foreign  # type: ignore[no-any-return]

    def detach(self, token: Any) -> None:
        """Put the context in force again that was before an `attach`."""
        fields.reset(token)


def ours(span: Any, known: Any = None) -> Any:
    """Return a span of the API as we know it: one of ours, a `SpanContext`, or None.

    Args:
        span: What the API holds, of any provider.
        known: What is in force: the same again if it means the same span.
    """
    if span is None or isinstance(span, Span):
        return span
    told = span.get_span_context()
    if not told.is_valid:
        return None
    found = reference(told)
    return known if known == found else found


def theirs(span: SpanContext) -> trace.SpanContext:
    """Return the API's form of a span elsewhere."""
    state = trace.TraceState.from_header([span.trace_state]) if span.trace_state else None
    flags = trace.TraceFlags.SAMPLED if span.sampled else trace.TraceFlags.DEFAULT
    return trace.SpanContext(
        int(span.trace_id, 16),
        int(span.span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(flags),
        trace_state=state,
    )
