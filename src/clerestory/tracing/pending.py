"""Spans that run for long are told while they run, so that a page can show them.

    span -> [pending] -> keeper -> road

Invariant: a span is told at most once before its end, and nothing here keeps one alive.
"""

from __future__ import annotations

import os
import time
import weakref
from typing import Any, Final

from clerestory.delivery.road import ROAD
from clerestory.tracing.rules import span_rules

# By span id, in the order of their start: a span whose block surely ends, or a weak reference.
OPEN: Final[dict[str, Any]] = {}
# Somebody who enters blocks and never leaves them must not fill the memory.
_OPEN_MAX: Final = 10_000
_EVERY_S: Final = 1.0
_told: set[str] = set()
_next_look: list[float] = [0.0]

if hasattr(os, "register_at_fork"):
    # The parent's spans end in the parent.
    os.register_at_fork(after_in_child=OPEN.clear)


def tell_pending() -> None:
    """Put a line on the road for each span that has become old; called a few times a second."""
    while len(OPEN) > _OPEN_MAX:
        OPEN.pop(next(iter(tuple(OPEN))), None)
    now = time.monotonic()
    pending_ns = span_rules().pending_s * 1e9
    if pending_ns <= 0 or now < _next_look[0]:
        return
    _next_look[0] = now + _EVERY_S
    _told.intersection_update(tuple(OPEN))
    for span_id, found in tuple(OPEN.items()):
        span = found() if isinstance(found, weakref.ref) else found
        if span is None:
            OPEN.pop(span_id, None)
            continue
        if span.running_ns() < pending_ns:
            break
        _tell(span_id, span)


def _tell(span_id: str, span: Any) -> None:
    if span_id in _told:
        return
    _told.add(span_id)
    line = span.pending_line()
    if line is not None:
        ROAD.put(line)
