"""What a destination must fulfil, and what it is given.

    spool -> courier -> [port] -> destination

Invariant: what `send` says it took is kept by the destination, or named as refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def nothing_ahead(taken: int) -> Batch | None:  # noqa: ARG001
    """Return no batch: nothing is known of what follows."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Whole lines of one spool, in order.

    Attributes:
        spool_id: 32 hex digits.
        first: Number of the first line in its spool, from 0.
        count: How many lines, the empty ones included.
        lines: Each ends with a line feed; secrets are masked. A line that a filter keeps from
            this destination is empty, so that the others keep their numbers.
        resource: What the lines have in common: service, host, process; named as OpenTelemetry
            names them.
        sparse: Whether lines were left out.
        ahead: Returns the batch that will follow when so many lines of this one are taken, if
            that is certain by now: a destination may prepare it while it waits for an answer. It
            is given that same object later, if all goes well.
    """

    spool_id: str
    first: int
    count: int
    lines: bytes
    resource: Mapping[str, Any]
    sparse: bool = False
    ahead: Callable[[int], Batch | None] = nothing_ahead

    @property
    def key(self) -> str:
        """Name of this batch: the same whenever it is sent again."""
        return f"{self.spool_id}:{self.first}-{self.first + self.count}"

    def record_id(self, index: int) -> str:
        """Return the identity of one line, the same whenever and wherever it is sent."""
        return f"{self.spool_id}:{self.first + index}"

    def records(self) -> list[tuple[int, bytes]]:
        r"""Return (index in the batch, line without its line feed) of the lines that are not empty.

        >>> Batch(spool_id="a", first=7, count=3, lines=b"x\n\ny\n", resource={}).records()
        [(0, b'x'), (2, b'y')]
        """
        lines = self.lines.split(b"\n")
        return [(index, line) for index, line in enumerate(lines) if line]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A line that the destination will never take.

    Attributes:
        index: Of the line in its batch, from 0.
        reason: In the destination's words; ends up beside the line among the dead letters.
    """

    index: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a destination did with a batch.

    Attributes:
        taken: How many lines from the front are settled, empty and refused ones included: at
            least 1. The rest of the batch comes again with the next one.
        refused: The lines among them that the destination will never take.
        lost: Records that the destination says it did not keep, without saying which.
        detail: What it said about them.
    """

    taken: int
    refused: tuple[Refusal, ...] = ()
    lost: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """The largest batch that a destination wants to be given; it may take less of it.

    Attributes:
        lines: Most lines.
        size_bytes: Most bytes of lines.
    """

    lines: int = 10_000
    size_bytes: int = 1024 * 1024


class Destination(Protocol):
    """Where records go.

    Attributes:
        name: Unique among the destinations of a program, fit for a file name, the same in every
            run of the program: what a killed process left is found again under this name.
        adopts: Whether it also takes what killed processes left in their spools.
        limits: The largest batch it wants.

    One with `kinds`, such as `frozenset(("log", "span"))`, is given these; without, logs alone: a
    receiver of logs has no use for spans unless somebody asks for them.

    One with an `exchange`, as those over HTTP have, is tried by `clerestory doctor` step by step.
    """

    name: str
    adopts: bool
    limits: BatchLimits

    def send(self, batch: Batch) -> Receipt | None:
        """Take a batch, or a part from its front; None says all of it.

        Cuts are a function of the batch alone, so that a batch that comes again is cut again in
        the same places.

        Raises:
            RetryError: Not now; the same lines will come again.
            HoldError: Not before somebody acts; the same lines will come again, more slowly.
            RefusedError: Never as a whole; halves of it will come until the culprit stands alone.
        """

    def close(self) -> None:
        """Let go of connections and files; nothing is sent afterwards."""
