r"""A spool with its couriers and its keeper: all that stands behind the call.

    call -> line -> [spool -> reader -> courier -> destination]  x destinations
                      \-> keeper: spares, sync, bounds, adoption

Invariant: closing takes no longer than its deadline; what is not delivered by then stays in the
spool for the next process.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from clerestory.delivery.adoption import Adopter
from clerestory.delivery.courier import Courier
from clerestory.delivery.reader import Reader
from clerestory.delivery.stats import DestinationStats, RoadStats
from clerestory.spool.letters import DeadLetters
from clerestory.spool.spool import Spool, SpoolLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from clerestory.delivery.policy import Route
    from clerestory.delivery.road import Road

_POLLS_A_LOOK: Final = 5


def _silent(_level: str, _text: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinePlan:
    """What a pipeline is made of.

    Attributes:
        directory: Where spools lie; None for memory.
        resource: What all records have in common.
        limits: The spool's bounds.
        poll_s: How often an idle courier looks, in seconds.
        sync_s: How often lines are brought to the disk, in seconds; 0 for never.
        ships: Whether this process delivers; if not, an agent does, from the same directory.
        adopt_s: How often spools of dead processes are looked for, in seconds; 0 for never.
        alarm: Told a level's name and a text when a destination fails, and when it recovers.
        mask: What lines pass through as they leave the spool.
        ticks: Called by the keeper a few times a second.
    """

    directory: Path | None
    resource: Mapping[str, Any]
    limits: SpoolLimits = field(default_factory=SpoolLimits)
    poll_s: float = 0.05
    sync_s: float = 1.0
    ships: bool = True
    adopt_s: float = 3.0
    alarm: Callable[[str, str], None] = _silent
    mask: Callable[[bytes], bytes] = bytes
    ticks: tuple[Callable[[], None], ...] = ()


class Pipeline:
    """Keeps what the program tells and brings it to its destinations.

    Attributes:
        stats: What was counted on the way.
        spool: The spool of this process.
        append: The current segment's own `append`.
        road: Where lines for it come from.
        couriers: One a destination.
    """

    def __init__(
        self,
        plan: PipelinePlan,
        routes: Sequence[Route],
        adopters: Sequence[Route] = (),
    ) -> None:
        """Create the spool; nothing runs before `start`.

        Args:
            plan: What the pipeline is made of.
            routes: Where this program's records go.
            adopters: Where the records of killed processes go; with destinations of their own,
                since a thread of its own uses them while the couriers use the others.

        Raises:
            OSError: The spool cannot be created.
        """
        self.plan = plan
        self.stats = RoadStats()
        self.road: Road | None = None
        self.append: Callable[[bytes], object] = _refuse
        self._stopping = threading.Event()
        self._rolls = threading.Lock()
        self.spool = Spool(
            plan.directory,
            resource=plan.resource,
            limits=plan.limits,
            stats=self.stats,
            on_roll=self._rolled,
            ships=plan.ships,
        )
        self.couriers = [self._courier(route) for route in routes]
        self._threads = [threading.Thread(target=self._keep, name="clerestory-keeper", daemon=True)]
        if plan.ships and plan.directory is not None and adopters and plan.adopt_s > 0:
            adopter = Adopter(
                plan.directory, adopters, mask=plan.mask, alarm=plan.alarm, is_heard=False
            )
            self._threads.append(
                threading.Thread(
                    target=self._adopt, args=(adopter,), name="clerestory-adopter", daemon=True
                )
            )
        self._next_sync = 0.0

    def _rolled(self, append: Callable[[bytes], object]) -> None:
        self.append = append
        if self.road is not None and self.road.pipeline is self:
            self.road.write = append
        self._wake_keeper()

    def _wake_keeper(self) -> None:
        """Let the keeper look now; as it may be a signal handler that rolls, nothing waits."""
        with contextlib.suppress(RuntimeError):
            self._rolls.release()

    def append_when_full(self, line: bytes) -> None:
        """Append a line that the current segment had no room for."""
        self.spool.append_when_full(line)

    def _courier(self, route: Route) -> Courier:
        name = route.destination.name
        cursor = self.spool.open_cursor(name)
        stats = self.stats.destinations.setdefault(name, DestinationStats())
        policy = route.policy
        reader = Reader(
            self.spool,
            cursor,
            limits=policy.limits,
            mask=self.plan.mask,
            selection=policy.selection,
        )
        directory = self.plan.directory
        return Courier(
            reader,
            cursor,
            route.destination,
            policy=policy,
            poll_s=self.plan.poll_s,
            stats=stats,
            letters=None if directory is None else DeadLetters(directory, name),
            alarm=self.plan.alarm,
            filled=self._filled,
        )

    def _filled(self) -> float:
        return self.spool.backlog_bytes / self.plan.limits.bytes_max

    # -- running --------------------------------------------------------------------------

    def start(self) -> None:
        """Start the keeper, the adopter and the couriers, each a daemon thread."""
        for thread in self._threads:
            thread.start()
        if self.plan.ships:
            for courier in self.couriers:
                courier.start()

    def _keep(self) -> None:
        while True:
            self._rolls.acquire(timeout=self.plan.poll_s * _POLLS_A_LOOK)
            if self._stopping.is_set():
                return
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

    def _adopt(self, adopter: Adopter) -> None:
        while not self._stopping.is_set():
            try:
                adopter.run_once(self._stopping)
            except Exception:
                self.stats.errors["adopter"] += 1
            self._stopping.wait(self.plan.adopt_s)
        adopter.close()

    def flush(self, timeout_s: float) -> bool:
        """Wait until every record made so far was taken by every destination.

        Returns:
            Whether that happened within `timeout_s` seconds.
        """
        deadline = time.monotonic() + timeout_s
        self._hurry(now=True)
        try:
            while self.spool.backlog_bytes > 0:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(min(0.01, self.plan.poll_s))
        finally:
            self._hurry(now=False)
        return True

    def _hurry(self, *, now: bool) -> None:
        for courier in self.couriers:
            courier.hurry(now=now)

    def stop(self) -> None:
        """Ask the couriers to deliver what is there and then to end."""
        for courier in self.couriers:
            courier.stop()

    def close(self, timeout_s: float) -> bool:
        """Deliver what is there within `timeout_s` seconds, then let go of everything.

        Returns:
            Whether everything was delivered; if not, the spool keeps the rest.
        """
        deadline = time.monotonic() + timeout_s
        self.stop()
        ended = [courier.join(deadline) for courier in self.couriers]
        self._stopping.set()
        self._wake_keeper()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.05, deadline - time.monotonic()))
        delivered = all(ended) and self.spool.backlog_bytes == 0
        for courier in self.couriers:
            courier.abandon()
        self.spool.close()
        return delivered

    def counts(self) -> dict[str, Any]:
        """Return what was counted, for people and for `/metrics`."""
        counts = self.stats
        return {
            "spool_id": self.spool.id,
            "spooled_records": self.spool.records,
            "backlog_bytes": self.spool.backlog_bytes,
            "dropped": dict(counts.dropped),
            "suppressed": dict(counts.suppressed),
            "errors": dict(counts.errors),
            "destinations": {
                courier.destination.name: courier.counts() for courier in self.couriers
            },
        }

    def forget_in_child(self) -> None:
        """Let go, in a forked child, of what belongs to the parent."""
        self.spool.forget_in_child()


def _refuse(_line: bytes) -> None:
    raise ValueError("no segment yet")
