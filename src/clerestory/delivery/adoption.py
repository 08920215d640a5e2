"""Delivers what other processes have in their spools: killed ones, and living ones that ask for it.

    spool of another process -> [adoption] -> courier -> destination

A free lock says that the owner is dead; its spool is taken over, sent on from where each cursor
stands, and removed when its destinations have everything. A living process whose records an agent
ships has a file `agent` in its spool; whoever holds that file's lock ships.

Invariant: a spool has one sender at a time; a folder is removed only when nothing is left in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from typing import TYPE_CHECKING, Any, Final

from clerestory.delivery.courier import Courier
from clerestory.delivery.reader import Reader
from clerestory.delivery.stats import DestinationStats
from clerestory.spool.cursor import PREFIX, Cursor
from clerestory.spool.letters import DeadLetters
from clerestory.spool.segment import SUFFIX, ForeignSegment
from clerestory.spool.spool import AGENT_NAME, LOCK_NAME, RESOURCE_NAME

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from clerestory.delivery.policy import Route

_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_STEPS_MAX: Final = 64


class ForeignSpool:
    """The spool of another process.

    Attributes:
        id: 32 hex digits.
        path: Its folder.
        resource: What its lines have in common.
        segments: What is there, by index.
    """

    def __init__(self, path: Path) -> None:
        self.id = path.name
        self.path = path
        self.resource = _read_resource(path / RESOURCE_NAME)
        self.segments: Mapping[int, ForeignSegment] = {}

    def refresh(self, *, dead: bool) -> None:
        """See the segments that are there now.

        Args:
            dead: Whether nothing more comes; else the last one that is begun may still grow.
        """
        found = {}
        sealed = dead
        for file in sorted(self.path.glob(f"*{SUFFIX}"), reverse=True):
            try:
                segment = ForeignSegment(file, sealed=sealed)
            except FileNotFoundError:
                continue  # delivered, and removed by its owner, since the folder was listed
            found[segment.index] = segment
            sealed = sealed or segment.is_begun
        self.segments = found

    def damaged_bytes(self) -> int:
        """Return how many bytes are zero where lines were."""
        return sum(segment.damaged_bytes() for segment in self.segments.values())

    def wanted_by(self) -> set[str]:
        """Return the names of the destinations that its process has or had."""
        return {file.name.removeprefix(PREFIX) for file in self.path.glob(f"{PREFIX}*")}


class Adopter:
    """Looks for spools in a directory and delivers them.

    Args:
        directory: Where spools lie.
        routes: Who takes records, and how.
        mask: What lines pass through as they leave.
        ships_living: Whether spools of living processes that ask for an agent are shipped too.
        alarm: Told a level's name and a text when a spool turns out to be damaged.
        is_heard: Whether `alarm` is told as well when a destination fails, and when it recovers;
            not where the couriers of the process itself say so.

    Attributes:
        stats: Counts by destination.
    """

    def __init__(
        self,
        directory: Path,
        routes: Sequence[Route],
        *,
        mask: Callable[[bytes], bytes] = bytes,
        ships_living: bool = False,
        alarm: Callable[[str, str], None] | None = None,
        is_heard: bool = True,
    ) -> None:
        self._directory = directory
        self._routes = {route.destination.name: route for route in routes}
        self._mask = mask
        self._ships_living = ships_living
        self._alarm = alarm or _silent
        self._heard = self._alarm if is_heard else _silent
        self._shipments: dict[Path, _Shipment] = {}
        self.stats: dict[str, DestinationStats] = {}

    @property
    def destinations(self) -> list[str]:
        """Names of those who take records."""
        return list(self._routes)

    @property
    def delivered(self) -> int:
        """Records delivered so far."""
        return sum(stats.sent_records for stats in self.stats.values())

    def run_once(self, stopping: threading.Event | None = None) -> int:
        """Take over every spool that is free now, and send a stretch of each.

        Returns:
            How many records were delivered.
        """
        before = self.delivered
        for folder in sorted(self._directory.glob("*")):
            if folder not in self._shipments and (folder / LOCK_NAME).exists():
                self._take(folder)
        for shipment in list(self._shipments.values()):
            if stopping is not None and stopping.is_set():
                break
            if shipment.send(stopping):
                self._shipments.pop(shipment.folder).release()
                self._tell_damage(shipment)
        return self.delivered - before

    def _tell_damage(self, shipment: _Shipment) -> None:
        if shipment.damaged_bytes:
            self._alarm(
                "ERROR",
                f"spool {shipment.spool.id} was damaged: {shipment.damaged_bytes} bytes were zero "
                "where records had been, those are lost; check the disk",
            )

    def close(self) -> None:
        """Let go of every spool and connection; what is not delivered stays."""
        for shipment in self._shipments.values():
            shipment.release()
        self._shipments.clear()
        for route in self._routes.values():
            route.destination.close()

    def _take(self, folder: Path) -> None:
        locks = _locks(folder, living=self._ships_living)
        if locks is None:
            return
        shipment = _Shipment(folder, locks)
        self._shipments[folder] = shipment
        for name in sorted(shipment.spool.wanted_by()):
            if name in self._routes:
                shipment.couriers.append(self._courier(shipment.spool, name))

    def _courier(self, spool: ForeignSpool, name: str) -> Courier:
        route = self._routes[name]
        cursor = Cursor(spool.path / f"{PREFIX}{name}")
        policy = route.policy
        reader = Reader(
            spool, cursor, limits=policy.limits, mask=self._mask, selection=policy.selection
        )
        return Courier(
            reader,
            cursor,
            route.destination,
            policy=policy,
            poll_s=0.0,
            stats=self.stats.setdefault(name, DestinationStats()),
            letters=DeadLetters(self._directory, name),
            alarm=self._heard,
        )


class _Shipment:
    """A spool that is held, and its couriers.

    Attributes:
        spool: See above.
        couriers: One a destination.
        damaged_bytes: How many bytes of it were lost, once it was sent.
    """

    def __init__(self, folder: Path, locks: list[int]) -> None:
        self.folder = folder
        self.spool = ForeignSpool(folder)
        self.couriers: list[Courier] = []
        self.damaged_bytes = 0
        self._locks = locks

    def send(self, stopping: threading.Event | None) -> bool:
        """Send a stretch; say whether the spool is done with or is not ours to finish."""
        dead = self._owner_is_dead()
        self.spool.refresh(dead=dead)
        waits = False
        for courier in self.couriers:
            courier.hurry(now=dead)
            for _ in range(_STEPS_MAX):
                if (stopping is not None and stopping.is_set()) or not courier.tick(
                    time.monotonic()
                ):
                    break
            waits = waits or not courier.is_done()
        if not dead or waits:
            return False
        self.damaged_bytes = self.spool.damaged_bytes()
        known = {courier.destination.name for courier in self.couriers}
        if all(name in known or _is_transient(name) for name in self.spool.wanted_by()):
            shutil.rmtree(self.folder, ignore_errors=True)
        return True

    def _owner_is_dead(self) -> bool:
        if len(self._locks) == 1 and (self.folder / AGENT_NAME).exists():
            owner = _lock(self.folder / LOCK_NAME)
            if owner is not None:
                self._locks.append(owner)
        return len(self._locks) > 1 or not (self.folder / AGENT_NAME).exists()

    def release(self) -> None:
        """Let others have it."""
        for courier in self.couriers:
            courier.close()
        for lock in self._locks:
            os.close(lock)


def _locks(folder: Path, *, living: bool) -> list[int] | None:
    """Take the locks that make this process the sender of a spool; None if it cannot be."""
    if not (folder / AGENT_NAME).exists():
        owner = _lock(folder / LOCK_NAME)
        return None if owner is None else [owner]
    agent = _lock(folder / AGENT_NAME)
    if agent is None:
        return None
    owner = _lock(folder / LOCK_NAME)
    if owner is not None:
        return [agent, owner]
    if living:
        return [agent]
    os.close(agent)
    return None


def _lock(path: Path) -> int | None:
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # its owner lives, or another adopter was first
        os.close(descriptor)
        return None
    if not path.exists():  # delivered and removed by another adopter in between
        os.close(descriptor)
        return None
    return descriptor


def _silent(_level: str, _text: str) -> None:
    """Tell nobody."""


def _is_transient(name: str) -> bool:
    """Say whether a destination's records are worth nothing once its process is gone."""
    return name.startswith(("console", "memory"))


def _read_resource(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
