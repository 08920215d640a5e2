"""Trace headers: W3C, B3 in one header and in many, X-Ray.

    request ~~> headers -> [propagation] -> span -> [propagation] -> headers ~~> request

Invariant: a header that is not understood is as if it were not there; it raises nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

    from clerestory.model.spans import SpanContext

# By their names in OTEL_PROPAGATORS.
FORMS: Final = {
    "tracecontext": ("w3c", "extract", "inject"),
    "b3": ("b3", "extract", "inject"),
    "b3multi": ("b3", "extract", "inject_multi"),
    "xray": ("xray", "extract", "inject"),
}
_in_force: list[tuple[str, ...]] = [("tracecontext",)]


def use_forms(names: Iterable[str]) -> None:
    """Let `extract` and `inject` read and write these forms from now on; others are passed over."""
    _in_force[0] = tuple(name for name in names if name in FORMS)


def add_form(name: str) -> None:
    """Let `inject` write one more form, and `extract` read it where no other is found."""
    if name not in _in_force[0]:
        _in_force[0] = (*_in_force[0], name)


def _function(form: str, index: int) -> Any:
    place = FORMS[form]
    return getattr(import_module(f"{__name__}.{place[0]}"), place[index])


def extract(headers: Mapping[str, str], forms: Iterable[str] | None = None) -> SpanContext | None:
    """Return the span that a request came from, None if its headers name none.

    Args:
        headers: By name, in any case of letters.
        forms: `tracecontext`, `b3`, `b3multi`, `xray`; the setting `trace.propagators` if None.
            The first that is found counts.
    """
    lower = {str(name).lower(): str(value) for name, value in headers.items()}
    for form in _in_force[0] if forms is None else forms:
        found: SpanContext | None = _function(form, 1)(lower)
        if found is not None:
            return found
    return None


def inject(
    span: Any, headers: MutableMapping[str, str], forms: Iterable[str] | None = None
) -> None:
    """Add the headers that name a span.

    Args:
        span: A span or a `SpanContext`.
        headers: Where they are added.
        forms: As for `extract`; each is written.
    """
    for form in _in_force[0] if forms is None else forms:
        headers.update(_function(form, 2)(span))
