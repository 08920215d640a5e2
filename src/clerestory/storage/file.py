"""Keeps log entries as JSON lines in a file that rotates.

    store(level, message, ...) -> line -> writer -> [file] -> logs.jsonl, logs.jsonl.1, ...

Invariant: `store` returns when the line is in the file, or raises.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clerestory.log_metrics import MetricsCollector
from clerestory.model.errors import DeliveryError
from clerestory.storage.line import stored_line
from clerestory.storage.rotator import LogRotator
from clerestory.storage.writer import BatchWriter
from clerestory.wire.line import with_iso_time

if TYPE_CHECKING:
    from collections.abc import Mapping


class FileLogStorage:
    """Stores log entries in a file, safely beside other processes that do the same.

    Args:
        config: The path, or a mapping with `path` and the keys of a rotation (see `LogRotator`).
        rotator: Rotates the file; without it one is made from the configuration.

    Attributes:
        path: The file.
        rotator: What rotates it.
        metrics_collector: Counts entries stored and failed, and rotations.

    Raises:
        ConfigurationError: The configuration has an unknown key or a wrong value.
    """

    def __init__(
        self,
        config: str | Path | Mapping[str, Any] = "logs.jsonl",
        *,
        rotator: LogRotator | None = None,
        metrics_collector: MetricsCollector | None = None,
    ) -> None:
        options = {"path": config} if isinstance(config, str | Path) else dict(config)
        self.path = Path(options.pop("path", "logs.jsonl")).absolute()
        self.metrics_collector = metrics_collector or MetricsCollector()
        self.rotator = rotator or LogRotator(options, metrics_collector=self.metrics_collector)
        self._file = self.rotator.file(self.path)
        self._writer: BatchWriter[bytes] = BatchWriter(self._append)

    async def store(self, level: str | int, message: str, **kwargs: Any) -> None:
        """Store one entry.

        Args:
            level: A member, a name or a number.
            message: What happened.
            **kwargs: Fields of any value; `logger` names the logger.

        Raises:
            DeliveryError: The file cannot be written; the entry is not in it.
            LimitError: Too many entries wait already.
        """
        await self._writer.put(with_iso_time(stored_line(level, message, kwargs)))

    def _append(self, lines: list[bytes]) -> None:
        before = self._file.rotations
        try:
            self._file.append(b"".join(lines))
        except OSError as error:
            self.metrics_collector.count("failed", len(lines))
            reason = error.strerror or str(error)
            raise DeliveryError(f"{self.path}: entries not stored: {reason}") from error
        self.metrics_collector.count("stored", len(lines))
        self.metrics_collector.count("rotations", self._file.rotations - before)

    def stats(self) -> dict[str, int]:
        """Return what was stored, and what rotation did to the file."""
        counts = self.metrics_collector.snapshot()
        return {
            "stored": counts["storage_count"],
            "failed": counts["failure_count"],
            **self._file.stats(),
        }
