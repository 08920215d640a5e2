"""What a destination must fulfil, and what it is given.

    spool -> courier -> [port] -> destination

Invariant: `send` returns only when the destination has taken the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clerestory.delivery.cursor import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Whole lines of one spool, in order.

    Attributes:
        spool_id: 32 hex digits.
        first: Number of the first line in its spool, from 0.
        count: How many lines.
        lines: Each ends with a line feed; secrets are masked.
        resource: What the lines have in common: service, host, process.
        after: The place behind the last line.
    """

    spool_id: str
    first: int
    count: int
    lines: bytes
    resource: Mapping[str, Any]
    after: Place

    @property
    def key(self) -> str:
        """Name of this batch: the same whenever it is sent again."""
        return f"{self.spool_id}:{self.first}-{self.first + self.count}"


class Destination(Protocol):
    """Where records go.

    Attributes:
        name: Unique among the destinations of a program, fit for a file name.
        adopts: Whether it also takes what killed processes left in their spools.
    """

    name: str
    adopts: bool

    def send(self, batch: Batch) -> None:
        """Take a batch, all of it.

        Raises:
            RetryError: Not now; the same batch will come again.
            RefusedError: Never; the batch is halved until the culprit stands alone.
        """

    def close(self) -> None:
        """Let go of connections and files; nothing is sent afterwards."""
