"""Keeps records in the program, for tests and for looking back.

spool -> courier -> [memory]
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from clerestory.process.encode import decode

if TYPE_CHECKING:
    from clerestory.delivery.port import Batch


class Memory:
    """The last records, decoded.

    Attributes:
        records: The newest ones, oldest first.
    """

    name = "memory"
    adopts = False

    def __init__(self, *, records_max: int = 100_000) -> None:
        self.records: deque[dict[str, Any]] = deque(maxlen=records_max)

    def send(self, batch: Batch) -> None:
        """Keep the batch's records."""
        self.records.extend(decode(line) for line in batch.lines.splitlines() if line)

    def close(self) -> None:
        """Do nothing: what was kept stays readable."""
