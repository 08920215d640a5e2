r"""A spool with its couriers and its keeper: all that stands behind the call.

    call -> line -> [spool -> reader -> courier -> destination]  x destinations
                      \-> keeper: spares, sync, bounds, adoption

Invariant: closing takes no longer than its deadline; what is not delivered by then stays in the
spool for the next process.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clerestory.delivery.adoption import Adopter
from clerestory.delivery.courier import Courier
from clerestory.delivery.reader import Reader
from clerestory.delivery.retry import RetryPolicy
from clerestory.delivery.road import ROAD
from clerestory.delivery.spool import Spool, SpoolLimits
from clerestory.delivery.stats import DestinationStats, RoadStats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from clerestory.delivery.port import Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinePlan:
    """What a pipeline is made of.

    Attributes:
        directory: Where spools lie; None for memory.
        resource: What all records have in common.
        limits: The spool's bounds.
        batch_bytes: Largest batch.
        poll_s: How often an idle courier looks, in seconds.
        sync_s: How often lines are brought to the disk, in seconds; 0 for never.
        adopt_s: How often spools of dead processes are looked for, in seconds; 0 for never.
        policy: When a failed batch is sent again.
        mask: What lines pass through as they leave the spool.
        ticks: Called by the keeper a few times a second.
    """

    directory: Path | None
    resource: Mapping[str, Any]
    limits: SpoolLimits = field(default_factory=SpoolLimits)
    batch_bytes: int = 1024 * 1024
    poll_s: float = 0.05
    sync_s: float = 1.0
    adopt_s: float = 3.0
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    mask: Callable[[bytes], bytes] = bytes
    ticks: tuple[Callable[[], None], ...] = ()


class Pipeline:
    """Keeps what the program tells and brings it to its destinations.

    Attributes:
        stats: What was counted on the way.
        spool: The spool of this process.
        append: The current segment's own `append`.
    """

    def __init__(
        self,
        plan: PipelinePlan,
        destinations: Sequence[Destination],
        adopters: Sequence[Destination] = (),
    ) -> None:
        """Create the spool; nothing runs before `start`.

        Args:
            plan: What the pipeline is made of.
            destinations: Where this program's records go.
            adopters: Where the records of killed processes go; instances of their own, since
                the keeper uses them while the couriers use the others.

        Raises:
            OSError: The spool cannot be created.
        """
        self.plan = plan
        self.stats = RoadStats()
        self.append: Callable[[bytes], object] = _refuse
        self.spool = Spool(
            plan.directory,
            resource=plan.resource,
            limits=plan.limits,
            stats=self.stats,
            on_roll=self._rolled,
        )
        self.couriers = [self._courier(destination) for destination in destinations]
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="clerestory-keeper", daemon=True)
        self._adopter = self._make_adopter(adopters)
        self._next_sync = 0.0
        self._next_adoption = 0.0

    def _rolled(self, append: Callable[[bytes], object]) -> None:
        self.append = append
        if ROAD.pipeline is self:
            ROAD.write = append

    def append_when_full(self, line: bytes) -> None:
        """Append a line that the current segment had no room for."""
        self.spool.append_when_full(line)

    def _courier(self, destination: Destination) -> Courier:
        cursor = self.spool.open_cursor(destination.name)
        stats = self.stats.destinations.setdefault(destination.name, DestinationStats())
        reader = Reader(self.spool, cursor, batch_bytes=self.plan.batch_bytes, mask=self.plan.mask)
        directory = self.plan.directory
        return Courier(
            reader,
            cursor,
            destination,
            policy=self.plan.policy,
            poll_s=self.plan.poll_s,
            stats=stats,
            dead_letters=directory and directory / "dead-letters" / f"{destination.name}.ndjson",
        )

    def _make_adopter(self, adopters: Sequence[Destination]) -> Adopter | None:
        if self.plan.directory is None or not adopters or self.plan.adopt_s <= 0:
            return None
        return Adopter(
            self.plan.directory, adopters, batch_bytes=self.plan.batch_bytes, mask=self.plan.mask
        )

    # -- running --------------------------------------------------------------------------

    def start(self) -> None:
        """Start the keeper and the couriers, each a daemon thread."""
        self._keeper.start()
        for courier in self.couriers:
            courier.start()

    def _keep(self) -> None:
        while not self._stopping.wait(self.plan.poll_s / 2):
            try:
                self._keep_once(time.monotonic())
            except Exception:
                self.stats.errors["keeper"] += 1

    def _keep_once(self, now: float) -> None:
        self.spool.maintain()
        for tick in self.plan.ticks:
            tick()
        if self.plan.sync_s > 0 and now >= self._next_sync:
            self._next_sync = now + self.plan.sync_s
            self.spool.sync()
        if self._adopter is not None and now >= self._next_adoption:
            self._next_adoption = now + self.plan.adopt_s
            self._adopter.run_once(self._stopping)

    def flush(self, timeout_s: float) -> bool:
        """Wait until every record made so far was taken by every destination.

        Returns:
            Whether that happened within `timeout_s` seconds.
        """
        deadline = time.monotonic() + timeout_s
        while self.spool.backlog_bytes > 0:
            if time.monotonic() >= deadline:
                return False
            time.sleep(min(0.01, self.plan.poll_s))
        return True

    def close(self, timeout_s: float) -> bool:
        """Deliver what is there within `timeout_s` seconds, then let go of everything.

        Returns:
            Whether everything was delivered; if not, the spool keeps the rest.
        """
        deadline = time.monotonic() + timeout_s
        for courier in self.couriers:
            courier.stop()
        ended = [courier.join(deadline) for courier in self.couriers]
        self._stopping.set()
        self._keeper.join(max(0.05, deadline - time.monotonic()))
        delivered = all(ended) and self.spool.backlog_bytes == 0
        if all(ended):
            for courier in self.couriers:
                courier.destination.close()
        self.spool.close()
        return delivered

    def forget_in_child(self) -> None:
        """Let go, in a forked child, of what belongs to the parent."""
        self.spool.forget_in_child()


def _refuse(_line: bytes) -> None:
    raise ValueError("no segment yet")
