"""What is open here: the segments and subsegments of this thread or task.

    recorder -> [stack] -> context

A thread that is handed the context of another, without having opened anything itself, is in the
segment that is in force there.

Invariant: what is open is never changed in place, so that tasks never see each other's.
"""

from __future__ import annotations

import logging
from collections import Counter
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from clerestory import context
from clerestory.tracing.spans import Span, in_force

if TYPE_CHECKING:
    from clerestory.integrations.xray.entities import Entity, Segment

MISUSES: Final[Counter[str]] = Counter()
_open: ContextVar[tuple[Entity, ...]] = ContextVar("clerestory_xray", default=())
_log: Final = logging.getLogger("clerestory.xray")


def note_misuse(kind: str, text: str) -> None:
    """Count something that a program did wrongly, and log the first of its kind.

    Args:
        kind: Short name of it.
        text: What was done, and what to do instead.
    """
    MISUSES[kind] += 1
    if MISUSES[kind] == 1:
        _log.warning("%s (told once; counted in xray_recorder.misuses[%r])", text, kind)


def opened() -> tuple[Entity, ...]:
    """Return what is open, the innermost last."""
    found = tuple(one for one in _open.get() if one.in_progress)
    if found:
        return found
    entity = getattr(context.get().span, "entity", None)
    return (entity,) if entity is not None and entity.in_progress else ()


def current() -> Entity | None:
    """Return the innermost that is open; None for none."""
    found = opened()
    return found[-1] if found else None


def segment_of(entity: Entity | None) -> Segment | None:
    """Return the segment that an entity is, or is inside of."""
    return None if entity is None else entity.parent_segment


def parent_span(entity: Entity | None) -> Span | None:
    """Return the span that something new is inside of: that of an entity, or one inside of it."""
    span = context.get().span
    is_other = isinstance(span, Span) and span.is_recording() and not hasattr(span, "entity")
    if is_other and (entity is None or span.trace_id == entity.span.trace_id):
        return span  # type: ignore[no-any-return]
    return None if entity is None else entity.span


def push(entity: Entity) -> None:
    """Let an entity be the innermost."""
    _open.set((*opened(), entity))


def put(entities: tuple[Entity, ...]) -> None:
    """Let these be open, and their last one in force."""
    _open.set(entities)
    put_in_force(entities[-1].span if entities else None)


def put_in_force(span: object) -> None:
    """Let a span be in force, with the fields as they are."""
    now = context.get()
    context.use(in_force(span, now, now.foreign))


def end(entity: Entity, end_time: float | None = None) -> None:
    """End an entity and what was opened inside of it here and never ended.

    Args:
        entity: What ends.
        end_time: When, in seconds since 1970; None for now.
    """
    listed = opened()
    if entity not in listed:
        entity.close(end_time)
        return
    at = listed.index(entity)
    for left in reversed(listed[at + 1 :]):
        note_misuse(
            "never_ended",
            f"{left.name!r} was still open when {entity.name!r} ended: end it, or use "
            "`with xray_recorder.in_subsegment(...)`",
        )
        left.close(end_time)
    entity.close(end_time)
    _open.set(listed[:at])
    put_in_force(listed[at - 1].span if at else entity.outer)
