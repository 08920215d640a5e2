"""What was logged, rotated and stored, counted for whoever asks.

    log manager, rotator, storages -> [log_metrics] -> snapshot, Prometheus text

Invariant: a count never goes back, whatever thread or task counts.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from clerestory.model.errors import ConfigurationError
from clerestory.model.severity import name_of, number, number_surely

if TYPE_CHECKING:
    from collections.abc import Iterator

_ERROR = 40


class MetricsCollector:
    """Counts of one log manager, rotator or storage; its methods may be called from any thread.

    The `record_` methods are awaitable, and done when they are called from a task: they never
    wait for anything.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._levels: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()

    async def initialize(self) -> None:
        """Do nothing: counting needs no preparation."""

    async def record_log(self, level: str | int) -> None:
        """Count a log entry of a level given by member, name or number."""
        self.count_log(level)

    async def record_rotation(self) -> None:
        """Count a rotation of a log file."""
        self.count("rotations")

    async def record_storage(self, entries: int = 1) -> None:
        """Count entries that a storage took."""
        self.count("stored", entries)

    def count_log(self, level: str | int) -> None:
        """Count a log entry; one of an unknown level counts as WARNING."""
        name = name_of(number_surely(level))
        with self._lock:
            self._levels[name] += 1

    def count(self, name: str, amount: int = 1) -> None:
        """Count something else, under a name such as `rotations`."""
        with self._lock:
            self._counts[name] += amount

    def snapshot(self) -> dict[str, Any]:
        """Return the counts: `log_count`, `error_count` (ERROR and above), `levels`, and others.

        >>> MetricsCollector().snapshot()["log_count"]
        0
        """
        with self._lock:
            levels, counts = dict(self._levels), dict(self._counts)
        return {
            "log_count": sum(levels.values()),
            "error_count": sum(n for name, n in levels.items() if number(name) >= _ERROR),
            "rotation_count": counts.pop("rotations", 0),
            "storage_count": counts.pop("stored", 0),
            "failure_count": counts.pop("failed", 0),
            "levels": levels,
            **counts,
        }

    def exposition(self) -> str:
        """Return the counts as Prometheus reads them, text format 0.0.4.

        Raises:
            ConfigurationError: prometheus_client is not installed.
        """
        client = _prometheus()
        registry = client.CollectorRegistry()
        registry.register(_Families(client, self.snapshot()))
        text: bytes = client.generate_latest(registry)
        return text.decode()


class _Families:
    """The snapshot in the form that prometheus_client collects."""

    def __init__(self, client: Any, counts: dict[str, Any]) -> None:
        self._family = client.core.CounterMetricFamily
        self._counts = counts

    def collect(self) -> Iterator[Any]:
        records = self._family(
            "clerestory_log_records", "Log records handled, by level.", labels=["level"]
        )
        for level, count in sorted(self._counts["levels"].items()):
            records.add_metric([level], count)
        yield records
        for name, text, key in (
            ("clerestory_rotations", "Rotations of log files.", "rotation_count"),
            ("clerestory_stored_records", "Entries that storages took.", "storage_count"),
            ("clerestory_storage_failures", "Entries that storages did not take.", "failure_count"),
        ):
            yield self._family(name, text, value=self._counts[key])


def _prometheus() -> Any:
    try:
        import prometheus_client
        import prometheus_client.core
    except ImportError:
        raise ConfigurationError(
            "metrics for Prometheus need prometheus_client; "
            "install it with: pip install 'clerestory[prometheus]'"
        ) from None
    return prometheus_client
