"""Keeps records in the program, for tests and for looking back.

spool -> courier -> [memory]
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits
from clerestory.delivery.selection import KINDS
from clerestory.process.encode import decode

if TYPE_CHECKING:
    from clerestory.delivery.port import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryConfig(DestinationConfig):
    """Options of the destination `memory`.

    Attributes:
        records_max: So many of the newest records are kept.
    """

    flush_interval: float = 0.0
    records_max: int = 100_000


class Memory:
    """The last records, decoded.

    Attributes:
        records: The newest ones, oldest first.
    """

    Config = MemoryConfig
    name = "memory"
    adopts = False
    limits = BatchLimits()
    kinds = KINDS

    def __init__(self, config: MemoryConfig) -> None:
        self.records: deque[dict[str, Any]] = deque(maxlen=config.records_max)

    def send(self, batch: Batch) -> None:
        """Keep the batch's records."""
        self.records.extend(decode(line) for line in batch.lines.splitlines() if line)

    def close(self) -> None:
        """Do nothing: what was kept stays readable."""
