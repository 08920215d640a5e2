"""OpenTelemetry's TracerProvider, Tracer and Span on our road.

    tracer.start_as_current_span(...) -> [provider] -> Span -> line -> spool

https://opentelemetry.io/docs/specs/otel/trace/api/

Invariant: what an instrumentation tells a span of the API is in the span's line.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry import trace

from clerestory import context as fields
from clerestory.integrations.opentelemetry.runtime import ours
from clerestory.process.exceptions import type_name
from clerestory.process.values import safe_str
from clerestory.tracing.blocks import Block
from clerestory.tracing.details import Details
from clerestory.tracing.rules import span_rules
from clerestory.tracing.spans import Span, put_started

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from opentelemetry.context.context import Context

_MESSAGE_CHARS: Final = 8192


def _note_exception(span: Span, error: BaseException | None, records: bool, sets: bool) -> None:
    """Tell the span of an exception that leaves it, as the API wants it told."""
    if not isinstance(error, Exception) or not span.is_recording():
        return
    if records:
        span.record_exception(error, escaped=True)
    if sets:
        text = f"{type_name(error)}: {safe_str(error, _MESSAGE_CHARS)}"
        span.set_status("error", text)


class StartedSpan(Span):
    """A span that runs from its making on and that whoever made it ends."""

    __slots__ = ("records", "sets")

    records: bool
    sets: bool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _note_exception(self, error, self.records, self.sets)
        self.end()


class CurrentSpan(Block):
    """A span that is in force while its block runs."""

    __slots__ = ("around", "ends", "records", "sets", "start_time")

    around: Context | None
    ends: bool
    records: bool
    sets: bool
    start_time: int | None

    def _parent_in(self, around: fields.Fields) -> Any:
        return around.span if self.around is None else _parent(self.around)

    def __enter__(self) -> Self:
        super().__enter__()
        if self.start_time is not None:
            self.backdate(self.start_time)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _note_exception(self, error, self.records, self.sets)
        self._leave()
        if self.ends:
            self.end()

    def _again(self) -> Self:
        again = super()._again()
        again.around, again.ends, again.start_time = self.around, self.ends, self.start_time
        again.records, again.sets = self.records, self.sets
        return again


def _parent(context: Context | None) -> Any:
    """Return the span that a new one is to be inside of."""
    if context is None:
        return fields.get().span
    return ours(trace.get_current_span(context))


def _kind(kind: Any) -> str:
    return str(getattr(kind, "name", "internal")).lower()


def _links(links: Iterable[Any] | None) -> Details | None:
    if not links:
        return None
    details = Details()
    for link in links:
        details.add_link(link.context, link.attributes)
    return details


class Tracer(trace.Tracer):
    """Makes spans in the name of a library.

    Args:
        scope: Name of the library.
    """

    def __init__(self, scope: str) -> None:
        self._scope = scope

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Iterable[trace.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Any:
        """Return a span that runs; it is not in force."""
        span = StartedSpan()
        span.records, span.sets = record_exception, set_status_on_exception
        span.name, span.scope, span.kind = name, self._scope, _kind(kind)
        span.attributes = {} if attributes is None else dict(attributes)
        span.details = _links(links)
        put_started(span, _parent(context), start_time)
        if attributes and len(attributes) > span_rules().attributes_max:
            span.attributes = {}
            span.set_attributes(attributes)
        return span

    def start_as_current_span(  # type: ignore[override]  # ours is no generator
        self,
        name: str,
        context: Context | None = None,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        attributes: Mapping[str, Any] | None = None,
        links: Iterable[trace.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> CurrentSpan:
        """Return a span for a block, or as a decorator for each call of a function."""
        span = CurrentSpan()
        span.around, span.start_time, span.ends = context, start_time, end_on_exit
        span.records, span.sets = record_exception, set_status_on_exception
        span.name, span.scope, span.kind = name, self._scope, _kind(kind)
        span.attributes = {} if attributes is None else dict(attributes)
        span.details, span._fields = _links(links), None
        return span


class TracerProvider(trace.TracerProvider):
    """Gives tracers whose spans go where the program's records go."""

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,  # noqa: ARG002  the API's parameters
        schema_url: str | None = None,  # noqa: ARG002
        attributes: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Tracer:
        """Return the tracer of a library."""
        return Tracer(instrumenting_module_name)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until every span that has ended was taken by every destination."""
        configuration = importlib.import_module("clerestory.configuration")
        return bool(configuration.flush(timeout_millis / 1000))
