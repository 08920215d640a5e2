"""The destination `file`: a rotating file with options.

spool -> courier -> [file] -> app.log
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clerestory.delivery.policy import DestinationConfig
from clerestory.destinations.rotation.rotating import RotatingFile, rotation_policy
from clerestory.model.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class FileConfig(DestinationConfig):
    """Options of the destination `file`.

    Attributes:
        path: The file; its folder is created.
        policy: `main` (rotated daily, kept 90 days), `audit` (rotated daily, kept 7 years), or
            empty; the options below change single points of it.
        bytes_max: The file is rotated when it would grow beyond this; 0 is never.
        rotate_every: `hourly`, `daily`, `weekly` or `monthly`, by UTC.
        keep_count: Rotated files that are kept.
        keep_days: Rotated files whose last record is older are deleted.
        keep_bytes: Rotated files together hold at most this much; the oldest go first.
        compress: Whether rotated files are compressed with gzip.
    """

    flush_interval: float = 0.0
    path: str | Path = ""
    policy: str = ""
    bytes_max: int | str | None = None
    rotate_every: str | None = None
    keep_count: int | None = None
    keep_days: float | None = None
    keep_bytes: int | str | None = None
    compress: bool | None = None


class File(RotatingFile):
    """A rotating file.

    Raises:
        ConfigurationError: The path is missing, or the policy is wrong.
    """

    Config = FileConfig

    def __init__(self, config: FileConfig) -> None:
        if not config.path:
            raise ConfigurationError("destinations: file needs file.path, or write file:PATH")
        names = ("bytes_max", "rotate_every", "keep_count", "keep_days", "keep_bytes", "compress")
        given: dict[str, Any] = {name: getattr(config, name) for name in names}
        given = {name: value for name, value in given.items() if value is not None}
        super().__init__(config.path, policy=rotation_policy(config.policy or None, **given))
