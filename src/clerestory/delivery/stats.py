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
        sent_records: Records it took.
        sent_bytes: Bytes of the lines it took.
        batches: Batches it took.
        retries: Sends that failed and were tried again.
        dead_lettered: Records it refused, kept as dead letters.
        letters_dropped: Dead letters that went because there were too many.
        rejected: Records that it says it did not keep, without saying which.
        request_s: Time that sends took, all together, in seconds.
        hold: Whether it waits for somebody to act.
        last_error: Text of the last failure, empty if there was none since the last success.
    """

    sent_records: int = 0
    sent_bytes: int = 0
    batches: int = 0
    retries: int = 0
    dead_lettered: int = 0
    letters_dropped: int = 0
    rejected: int = 0
    request_s: float = 0.0
    hold: bool = False
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
