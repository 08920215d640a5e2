"""What came by X-Ray's protocols and what was refused, in Prometheus' text format.

receiver, endpoint, telemetry -> [counting] -> /metrics
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

_PREFIX: Final = "clerestory_xray_"


@dataclass(frozen=True, slots=True)
class Counted:
    """One family of counters.

    Attributes:
        name: Its name, without what stands before and behind all of them.
        help: What is counted.
        label: What tells its counters apart; empty: there is only one.
        values: Counters by the label's value.
    """

    name: str
    help: str
    label: str
    values: Mapping[str, int]


class _Families(Collector):
    def __init__(self, families: list[Counted]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for one in self._families:
            labels = [one.label] if one.label else []
            family = CounterMetricFamily(f"{_PREFIX}{one.name}", one.help, labels=labels)
            for value, count in sorted(one.values.items()):
                family.add_metric([value] if one.label else [], count)
            yield family


def metrics_text(families: list[Counted]) -> bytes:
    """Return counters in Prometheus' text format, version 0.0.4."""
    registry = CollectorRegistry()
    registry.register(_Families(families))
    return generate_latest(registry)
