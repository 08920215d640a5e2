"""`span("name", key=value)`: something that takes time, and what happened inside it.

    with span(...) -> [trace] -> line -> spool

A span is in force until its block ends: every record that is logged meanwhile, here and in the
threads, tasks and processes that the block starts, carries its `trace_id` and `span_id`, and
spans inside become its children.

Invariant: a block runs and raises as it would without the span around it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from clerestory.model.spans import SpanContext
from clerestory.tracing.blocks import Block
from clerestory.tracing.details import Details
from clerestory.tracing.spans import Span, current_span
from clerestory.wire.propagation import extract, inject

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Span", "SpanContext", "current_span", "extract", "inject", "span"]

_getframe: Final = sys._getframe  # noqa: SLF001  the documented way to see the caller
_new: Final = Block.__new__


def _options(block: Block, attributes: dict[str, Any]) -> None:
    block.kind = attributes.pop("kind", "internal")
    parent, links = attributes.pop("parent", None), attributes.pop("links", ())
    if parent is not None or links:
        block.details = details = Details(parent)
        for one in links:
            details.add_link(one, None)


if TYPE_CHECKING:

    def span(  # noqa: D103  below
        name: str,
        /,
        *,
        kind: str = "internal",
        parent: SpanContext | Span | None = None,
        links: Iterable[SpanContext | Span] = (),
        **attributes: Any,
    ) -> Block: ...

else:
    # Keywords with defaults and a class's own call would cost each span 200 ns.
    def span(name, /, **attributes):  # noqa: ANN001, ANN003, ANN201  above
        """Return a span for a block, or as a decorator for each call of a function.

        Args:
            name: What it does, the same for all of its kind; what differs goes into attributes.
            kind: `internal`, or `server`, `client`, `producer`, `consumer`: how it talks to others.
            parent: What `extract` found in the headers of a request, to go on with its trace; the
                span in force if not given.
            links: Spans that have to do with this one without being around it.
            **attributes: Fields by name, of any values, in the same form as those of a record.

        An exception that leaves the block makes the status `error` and is logged once, at ERROR
        with its frames, in the innermost span that it leaves.

        >>> with span("checkout", order=88417) as checkout:
        ...     checkout.set_attribute("items", 3)

        >>> @span("charge card", provider="acme")
        ... async def charge(amount): ...
        """
        block = _new(Block)
        block.name = name
        block.kind = "internal"
        block.attributes = attributes
        block.scope = _getframe(1).f_globals.get("__name__", "")
        block.details = block._fields = None
        if "kind" in attributes or "parent" in attributes or "links" in attributes:
            _options(block, attributes)
        return block
