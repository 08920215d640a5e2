"""B3 and X-Ray headers for OpenTelemetry's API, under the names that OTEL_PROPAGATORS gives them.

    request ~~> headers -> [propagators] -> context of the API -> headers ~~> request

Invariant: each reads and writes what `wire.propagation` reads and writes.
"""

from __future__ import annotations

import logging
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar, Final

from opentelemetry import trace
from opentelemetry.context.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator, default_getter, default_setter

from clerestory.integrations.opentelemetry.runtime import ours, theirs
from clerestory.wire import propagation

if TYPE_CHECKING:
    from collections.abc import Iterable

_GROUP: Final = "opentelemetry_propagator"


class _HeaderPropagator(TextMapPropagator):
    """Reads and writes one form of trace headers."""

    form: ClassVar[str]
    names: ClassVar[tuple[str, ...]]

    def extract(
        self, carrier: Any, context: Context | None = None, getter: Any = default_getter
    ) -> Context:
        """Return the context with the span that the headers name."""
        context = Context() if context is None else context
        headers = {}
        for name in self.names:
            values = getter.get(carrier, name)
            if values:
                headers[name] = values[0]
        found = propagation.extract(headers, [self.form])
        if found is None:
            return context
        return trace.set_span_in_context(trace.NonRecordingSpan(theirs(found)), context)

    def inject(
        self, carrier: Any, context: Context | None = None, setter: Any = default_setter
    ) -> None:
        """Add the headers that name the span in force."""
        span = ours(trace.get_current_span(context))
        if span is None:
            return
        headers: dict[str, str] = {}
        propagation.inject(span, headers, [self.form])
        for name, value in headers.items():
            setter.set(carrier, name, value)

    @property
    def fields(self) -> set[str]:
        """Names of the headers that it writes."""
        return set(self.names)


class B3Propagator(_HeaderPropagator):
    """Zipkin's headers: reads one or many, writes one."""

    form = "b3"
    names = ("b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags")


class B3MultiPropagator(_HeaderPropagator):
    """Zipkin's headers: reads one or many, writes many."""

    form = "b3multi"
    names = B3Propagator.names


class XRayPropagator(_HeaderPropagator):
    """AWS X-Ray's header."""

    form = "xray"
    names = ("X-Amzn-Trace-Id",)


_OURS: Final[dict[str, type[_HeaderPropagator]]] = {
    "b3": B3Propagator,
    "b3multi": B3MultiPropagator,
    "xray": XRayPropagator,
}


def add(form: str) -> None:
    """Let the API read and write one more of our forms, beside those that it has."""
    from opentelemetry.propagate import get_global_textmap, set_global_textmap

    now, more = get_global_textmap(), _OURS[form]()
    if not more.fields <= set(now.fields):
        set_global_textmap(CompositePropagator([now, more]))


def use(forms: Iterable[str]) -> None:
    """Let the API read and write these forms; one that nobody knows is told and left out."""
    # Not above: that module loads this one when OTEL_PROPAGATORS names one of ours.
    from opentelemetry.propagate import set_global_textmap

    found: list[TextMapPropagator] = []
    for form in forms:
        if form in _OURS:
            found.append(_OURS[form]())
            continue
        known = tuple(entry_points(group=_GROUP, name=form))
        if known:
            found.append(known[0].load()())
        elif form != "none":
            logging.getLogger("clerestory").warning("trace.propagators: %r is not known", form)
    set_global_textmap(CompositePropagator(found))
