"""When a file is rotated, and how long the old ones are kept; the policies that have names.

    settings -> [policy] -> file

Invariant: a policy that exists can be followed; anything else is an error that names the field.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from clerestory.model.errors import ConfigurationError

# What names the period that a moment lies in, by UTC; the texts of one period sort by time.
PERIODS: Final = {
    "hourly": "%Y-%m-%dT%H",
    "daily": "%Y-%m-%d",
    "weekly": "%G-W%V",
    "monthly": "%Y-%m",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPolicy:
    """When a file is rotated, and what becomes of the old ones.

    Attributes:
        bytes_max: A file that would grow beyond this is rotated first; 0 for never.
        rotate_every: `hourly`, `daily`, `weekly` (from Monday) or `monthly`, by UTC, or empty.
        keep_count: How many old files are kept; 0 for none, None for no limit.
        keep_days: Old files whose last line is older are removed; 0 or None for never.
        keep_bytes: The old files together hold at most this much, the newest stay; 0 or None
            for no limit.
        compress: Whether old files are compressed with gzip.

    Raises:
        ConfigurationError: A period is unknown, or a number is below 0.
    """

    bytes_max: int = 10_000_000
    rotate_every: str = ""
    keep_count: int | None = 5
    keep_days: float | None = 0
    keep_bytes: int | None = None
    compress: bool = False

    def __post_init__(self) -> None:
        if self.rotate_every and self.rotate_every not in PERIODS:
            raise ConfigurationError(
                f"file.rotate_every must be {', '.join(PERIODS)} or empty, "
                f"got {self.rotate_every!r}"
            )
        for name in ("bytes_max", "keep_count", "keep_days", "keep_bytes"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ConfigurationError(f"file.{name} must be at least 0, got {value}")


POLICIES: Final = {
    "main": RotationPolicy(bytes_max=0, rotate_every="daily", keep_count=None, keep_days=90),
    "audit": RotationPolicy(bytes_max=0, rotate_every="daily", keep_count=None, keep_days=2557),
}
_KINDS: Final = {
    "bytes_max": "bytes",
    "rotate_every": "text",
    "keep_count": "integer",
    "keep_days": "number",
    "keep_bytes": "bytes",
    "compress": "boolean",
}


def rotation_policy(name: str | None = None, **options: Any) -> RotationPolicy:
    """Return a policy by name, with single fields of it changed.

    Args:
        name: `main` (rotated daily, kept 90 days), `audit` (rotated daily, kept 7 years, 2557
            days, whatever their number), or None for the defaults of `RotationPolicy`.
        **options: Fields of `RotationPolicy`; sizes may be text, such as `bytes_max="10MB"`.

    Raises:
        ConfigurationError: The name or an option is unknown, or a value is wrong.

    >>> rotation_policy("audit", compress=True).keep_days
    2557
    """
    if name and name not in POLICIES:
        known = ", ".join(sorted(POLICIES))
        raise ConfigurationError(f"file.policy {name!r} is unknown: write one of {known}")
    policy = POLICIES[name] if name else RotationPolicy()
    fields = {key: _option(key, value) for key, value in options.items()}
    return RotationPolicy(**(asdict(policy) | fields))


def _option(key: str, value: Any) -> Any:
    from clerestory.settings.kinds import convert
    from clerestory.settings.setting import Setting

    kind: Any = _KINDS.get(key)
    if kind is None:
        raise ConfigurationError(f"file.{key} is unknown: write one of {', '.join(_KINDS)}")
    if value is None and key.startswith("keep_"):
        return None
    try:
        return convert(Setting(key=f"file.{key}", default=None, kind=kind, help=""), value)
    except ValueError as error:
        raise ConfigurationError(f"file.{key}: {error}, got {value!r}") from None
