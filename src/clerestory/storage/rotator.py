"""Rotates log files when it is told to, or when they are due.

    LogManager, FileLogStorage -> [rotator] -> RotatingFile

Invariant: the event loop never waits for a disk.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from clerestory.destinations.rotation.rotating import RotatingFile, RotationPolicy, rotation_policy
from clerestory.log_metrics import MetricsCollector
from clerestory.model.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SEED_NAMES: Final = {
    "max_size": "bytes_max",
    "backup_count": "keep_count",
    "compression": "compress",
}
_NAMES: Final = (
    "bytes_max",
    "rotate_every",
    "keep_count",
    "keep_days",
    "keep_bytes",
    "compress",
)
_FILES_MAX: Final = 1000


def policy_of(config: Mapping[str, Any] | RotationPolicy | None) -> RotationPolicy:
    """Return the policy that a configuration describes.

    Args:
        config: `max_size`, `backup_count`, `compression`; any field of `RotationPolicy`; and
            `policy`, the name of one that they change. Nothing is the default policy.

    Raises:
        ConfigurationError: A key is unknown, or a value is wrong.

    >>> policy_of({"max_size": "10MB", "backup_count": 5, "compression": True}).bytes_max
    10000000
    """
    if isinstance(config, RotationPolicy):
        return config
    options = dict(config or {})
    name = options.pop("policy", None)
    for key in options:
        if key not in _SEED_NAMES and key not in _NAMES:
            from clerestory.storage.keys import unknown

            raise unknown("rotation", key, ("policy", *_SEED_NAMES, *_NAMES))
    fields = {_SEED_NAMES.get(key, key): value for key, value in options.items()}
    if len(fields) < len(options):
        raise ConfigurationError("rotation: the same field is given under two names")
    return rotation_policy(name, **fields)


class LogRotator:
    """Rotates any number of log files by one policy.

    A file that another program holds open goes on growing under its old name when it is renamed;
    rotate only files whose writers open them anew, as ours and this house's storages do.

    Args:
        config: As for `policy_of`; the default rotates at 10 MB and keeps 5 old files.

    Attributes:
        policy: When a file is due, and what becomes of old ones.
        metrics_collector: Counts the rotations.

    Raises:
        ConfigurationError: The configuration has an unknown key or a wrong value.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | RotationPolicy | None = None,
        *,
        metrics_collector: MetricsCollector | None = None,
    ) -> None:
        self.policy = policy_of(config)
        self.metrics_collector = metrics_collector or MetricsCollector()
        self._files: dict[str, RotatingFile] = {}

    def file(self, path: str | Path) -> RotatingFile:
        """Return the rotating file at a path, the same object each time."""
        key = str(path)
        if key not in self._files:
            while len(self._files) >= _FILES_MAX:
                del self._files[next(iter(self._files))]
            self._files[key] = RotatingFile(path, policy=self.policy)
        return self._files[key]

    async def rotate(self, log_file: str | Path) -> Path | None:
        """Rotate a file now.

        Returns:
            The old file; None if there was nothing to rotate, or the policy keeps none.
        """
        return await self._counted(self.file(log_file), self.file(log_file).rotate)

    async def check_rotation(self, log_file: str | Path | None = None) -> bool:
        """Rotate a file if it is due, all that this rotator knows without a path.

        Returns:
            Whether one was rotated.
        """
        files = list(self._files.values()) if log_file is None else [self.file(log_file)]
        before = [file.rotations for file in files]
        for file in files:
            await self._counted(file, file.rotate_if_due)
        return before != [file.rotations for file in files]

    async def cleanup(self, log_file: str | Path | None = None) -> int:
        """Compress and remove old files as the policy says; return how many were removed."""
        files = list(self._files.values()) if log_file is None else [self.file(log_file)]
        return sum([await asyncio.to_thread(file.cleanup) for file in files])

    def stats(self) -> dict[str, int]:
        """Return the sums of what `RotatingFile.stats` says of each file."""
        total: dict[str, int] = {"files": len(self._files)}
        for file in self._files.values():
            for key, value in file.stats().items():
                total[key] = total.get(key, 0) + value
        return total

    async def _counted(self, file: RotatingFile, rotate: Any) -> Path | None:
        before = file.rotations
        old: Path | None = await asyncio.to_thread(rotate)
        for _ in range(file.rotations - before):
            await self.metrics_collector.record_rotation()
        return old
