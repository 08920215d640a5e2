"""Stores log entries in anything that takes batches: the destinations of the road.

    store(level, message, ...) -> line -> writer -> [destination] -> send(batch)

Invariant: `store` returns when the destination took the entry, or raises.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, Final, Protocol

from clerestory.delivery.port import Batch, BatchLimits
from clerestory.log_metrics import MetricsCollector
from clerestory.model.errors import ClerestoryError, RefusedError, RetryError
from clerestory.storage.line import stored_line
from clerestory.storage.writer import BatchWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clerestory.delivery.port import Receipt

_WAITS_S: Final = (0.1, 0.4)


class Sender(Protocol):
    """The part of a destination that a storage needs."""

    def send(self, batch: Batch) -> Receipt | None:
        """Take a batch, or a part from its front; see `clerestory.delivery.port`."""


def open_destination(entry: str | Mapping[str, Any]) -> Sender:
    """Return the destination that an entry of the setting `destinations` describes.

    Raises:
        ConfigurationError: Its type is unknown, or an option is wrong.
    """
    from clerestory.configuration.destinations import routes_of
    from clerestory.configuration.program import settings_in_force

    return routes_of(settings_in_force(), [entry])[0].destination


def resource_in_force() -> dict[str, Any]:
    """Return what all records of this process have in common."""
    from clerestory.configuration.pipelines import resource_of
    from clerestory.configuration.program import settings_in_force

    return resource_of(settings_in_force())


class DestinationStorage:
    """Stores log entries by sending them to a destination, many at once where many come.

    Args:
        destination: Anything with `send(batch)`.
        resource: What the entries have in common; None for what the settings in force say.

    Attributes:
        metrics_collector: Counts entries stored and failed.
    """

    def __init__(
        self,
        destination: Sender,
        *,
        resource: Mapping[str, Any] | None = None,
        metrics_collector: MetricsCollector | None = None,
    ) -> None:
        self.destination = destination
        self.metrics_collector = metrics_collector or MetricsCollector()
        self._resource = resource
        self._spool_id = uuid.uuid4().hex
        self._sent = 0
        self._writer: BatchWriter[bytes] = BatchWriter(self._send_all)

    async def store(self, level: str | int, message: str, **kwargs: Any) -> None:
        """Store one entry.

        Raises:
            DeliveryError: The destination did not take it.
            LimitError: Too many entries wait already.
        """
        await self._writer.put(stored_line(level, message, kwargs))

    def _send_all(self, lines: list[bytes]) -> None:
        try:
            while lines:
                lines = lines[self._send(lines) :]
        except ClerestoryError:
            self.metrics_collector.count("failed", len(lines))
            raise

    def _send(self, lines: list[bytes]) -> int:
        """Send as many lines from the front as the destination takes; return their number."""
        if self._resource is None:
            self._resource = resource_in_force()
        count = self._fitting(lines)
        batch = Batch(
            spool_id=self._spool_id,
            first=self._sent,
            count=count,
            lines=b"".join(lines[:count]),
            resource=self._resource,
        )
        taken = 0
        try:
            receipt = self._attempt(batch)
            taken = count if receipt is None else receipt.taken
        finally:
            # A number is never used again for another entry: a part may have been stored.
            self._sent += taken or count
        refused = receipt.refused if receipt is not None else ()
        self.metrics_collector.count("stored", taken - len(refused))
        if refused:
            raise RefusedError(f"{len(refused)} entries were refused: {refused[0].reason}")
        return taken

    def _attempt(self, batch: Batch) -> Receipt | None:
        """Send the very same batch a few times, so that what was stored is known again."""
        for wait_s in _WAITS_S:
            try:
                return self.destination.send(batch)
            except RetryError as error:
                time.sleep(min(error.wait_s or wait_s, _WAITS_S[-1]))
        return self.destination.send(batch)

    def _fitting(self, lines: list[bytes]) -> int:
        """Return how many lines from the front make a batch that the destination wants."""
        limits = getattr(self.destination, "limits", BatchLimits())
        size = 0
        for count, line in enumerate(lines[: limits.lines]):
            size += len(line)
            if size > limits.size_bytes and count:
                return count
        return min(len(lines), limits.lines)
