"""Delivers what killed processes left in their spools.

    spool of a dead process -> [adoption] -> courier -> destination

A free lock says that the owner is dead. The adopter takes the lock, sends on from where each
cursor stands, and removes the folder when its destinations have everything.

Invariant: a spool has one sender at a time; a folder is removed only when nothing is left in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from clerestory.delivery.courier import Courier
from clerestory.delivery.cursor import PREFIX, Cursor
from clerestory.delivery.reader import Reader
from clerestory.delivery.retry import RetryPolicy
from clerestory.delivery.segment import SUFFIX, SealedFile
from clerestory.delivery.spool import LOCK_NAME, RESOURCE_NAME
from clerestory.delivery.stats import DestinationStats

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from clerestory.delivery.port import Destination


class Orphan:
    """A spool whose process is gone, held by us.

    Attributes:
        id: 32 hex digits.
        path: Its folder.
        resource: What its lines have in common.
        segments: What its process left, by index.
    """

    def __init__(self, path: Path) -> None:
        self.id = path.name
        self.path = path
        self.resource = _read_resource(path / RESOURCE_NAME)
        files = (SealedFile(file) for file in sorted(path.glob(f"*{SUFFIX}")))
        self.segments: dict[int, SealedFile] = {file.index: file for file in files}

    def wanted_by(self) -> set[str]:
        """Return the names of the destinations that its process had."""
        return {file.name.removeprefix(PREFIX) for file in self.path.glob(f"{PREFIX}*")}


class Adopter:
    """Looks for orphans in a directory and delivers them.

    Attributes:
        delivered: Records delivered so far.
    """

    def __init__(
        self,
        directory: Path,
        destinations: Sequence[Destination],
        *,
        batch_bytes: int = 1024 * 1024,
        mask: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._directory = directory
        self._destinations = {destination.name: destination for destination in destinations}
        self._batch_bytes = batch_bytes
        self._mask = mask
        self.delivered = 0

    def run_once(self, stopping: threading.Event | None = None) -> int:
        """Adopt every orphan that is there now.

        Returns:
            How many records were delivered.
        """
        before = self.delivered
        for folder in sorted(self._directory.glob("*")):
            if stopping is not None and stopping.is_set():
                break
            if (folder / LOCK_NAME).exists():
                self._adopt_if_dead(folder)
        return self.delivered - before

    def _adopt_if_dead(self, folder: Path) -> None:
        try:
            descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (folder / LOCK_NAME).exists() and self._deliver(Orphan(folder)):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            return  # its owner lives, or another adopter was first
        finally:
            os.close(descriptor)

    def _deliver(self, orphan: Orphan) -> bool:
        """Send what is left; say whether nothing is left for anybody."""
        complete = True
        for name in sorted(orphan.wanted_by()):
            destination = self._destinations.get(name)
            if destination is None:
                complete = complete and _is_transient(name)
            else:
                complete = self._deliver_to(destination, orphan) and complete
        return complete

    def _deliver_to(self, destination: Destination, orphan: Orphan) -> bool:
        cursor = Cursor(orphan.path / f"{PREFIX}{destination.name}")
        reader = Reader(orphan, cursor, batch_bytes=self._batch_bytes, mask=self._mask)
        stats = DestinationStats()
        courier = Courier(
            reader,
            cursor,
            destination,
            policy=RetryPolicy(),
            poll_s=0.0,
            stats=stats,
            dead_letters=orphan.path.parent / "dead-letters" / f"{destination.name}.ndjson",
        )
        try:
            while courier.step():
                pass
            self.delivered += stats.sent
            return reader.next_batch() is None
        finally:
            cursor.close()


def _is_transient(name: str) -> bool:
    """Say whether a destination's records are worth nothing once its process is gone."""
    return name.startswith(("console", "memory"))


def _read_resource(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
