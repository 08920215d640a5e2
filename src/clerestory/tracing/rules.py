"""How spans are made: sampler and limits, one set in force for all.

settings -> [rules] -> spans
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from clerestory.tracing.remote.sampler import XraySampler
    from clerestory.tracing.samplers import Sampler

# Our own generator: a program that seeds the global one gets the ids it asked for elsewhere.
RANDOM: Final = random.Random()

if hasattr(os, "register_at_fork"):
    # A child would repeat its parent's ids.
    os.register_at_fork(after_in_child=RANDOM.seed)


def timed_trace_id() -> str:
    """Return a new trace id of 32 hex digits, the first 8 of them the seconds since 1970.

    >>> abs(int(timed_trace_id()[:8], 16) - time.time()) < 2
    True
    """
    return f"{int(time.time()) & 0xFFFFFFFF:08x}{RANDOM.getrandbits(96):024x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRules:
    """What holds for every span.

    Attributes:
        sampler: Decides which traces are recorded; None for all that no parent leaves out.
        attributes_max: Attributes of one span; further ones are counted in `span.dropped`.
        events_max: Events of one span.
        links_max: Links of one span.
        timed_ids: Whether the first 8 digits of a trace id are when it began, as X-Ray wants it.
        pending_s: A span that runs longer shows as pending, in seconds; 0 for never.
    """

    sampler: Sampler | XraySampler | None = None
    attributes_max: int = 128
    events_max: int = 128
    links_max: int = 128
    timed_ids: bool = False
    pending_s: float = 0.0


_in_force: list[SpanRules] = [SpanRules()]


def span_rules() -> SpanRules:
    """Return how spans are made now."""
    return _in_force[0]


def put_in_force(new: SpanRules) -> None:
    """Let spans be made in another way from now on."""
    _in_force[0] = new
