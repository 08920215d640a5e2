"""What the road counted about itself.

    made -> spooled -> sent | retried | dead-lettered | dropped

Invariant: a record that does not arrive is in one of these counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class DestinationStats:
    """Counts of one destination.

    Attributes:
        sent: Records it took.
        batches: Batches it took.
        sent_bytes: Bytes of the lines it took.
        retries: Sends that failed and were tried again.
        dead: Records it refused, kept as dead letters.
        last_error: Text of the last failure, empty if there was none since the last success.
    """

    sent: int = 0
    batches: int = 0
    sent_bytes: int = 0
    retries: int = 0
    dead: int = 0
    last_error: str = ""


@dataclass(slots=True)
class RoadStats:
    """Counts of a whole road.

    Attributes:
        dropped: Records that were given up, by reason.
        suppressed: Records that sampling, limits or folding left out on purpose, by reason.
        errors: Things that should not happen and were survived, by place.
        destinations: Counts by destination.
    """

    dropped: Counter[str] = field(default_factory=Counter)
    suppressed: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    destinations: dict[str, DestinationStats] = field(default_factory=dict)
