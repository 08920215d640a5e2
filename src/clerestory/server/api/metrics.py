"""`/metrics` for Prometheus: the server's own counts, and those of the programs that send here.

    writer, jobs, intake, programs -> [metrics] -> Prometheus

Names follow Prometheus' rules (https://prometheus.io/docs/practices/naming/).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from clerestory.server.programs import COUNTED, MEASURED

Sample = tuple[str, dict[str, str], float]

_HELP: Final = {
    "records_stored_total": "Records stored since the server started.",
    "records_duplicate_total": "Lines that had been stored by an earlier batch.",
    "records_rejected_total": "Lines that are no records; kept raw.",
    "commits_total": "Inserts into the store.",
    "batches_failed_total": "Batches that could not be stored.",
    "commit_seconds_total": "Seconds spent storing.",
    "tails_open": "Live tails that are open.",
    "disk_free_bytes": "Free space where the data is.",
    "job_failures_total": "Turns of background jobs that failed.",
}
_PROGRAM: Final = {
    "made_records": "Records that calls of the program made.",
    "spooled_records": "Records that reached the spool.",
    "backlog_bytes": "Bytes in the spool that some destination has not taken.",
    "dropped_records": "Records that were given up.",
    "suppressed_records": "Records left out on purpose: sampling, rate limits, repeats.",
    "masked_records": "Secrets that were masked.",
    **{metric: text for _, metric, text in (*COUNTED, *MEASURED)},
}
_GAUGES: Final = frozenset(("backlog_bytes", *(metric for _, metric, _ in MEASURED)))


class _Counts(Collector):
    def __init__(
        self, own: Mapping[str, float], refused: Mapping[str, int], programs: Iterable[Sample]
    ) -> None:
        self._own = own
        self._refused = refused
        self._programs = programs

    def collect(self) -> Iterator[Metric]:
        for name, value in self._own.items():
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield kind(f"clerestory_{name}", _HELP.get(name, name), value=value)
        refused = CounterMetricFamily(
            "clerestory_requests_refused", "Requests with records not taken.", labels=["reason"]
        )
        for reason, count in sorted(self._refused.items()):
            refused.add_metric([reason], count)
        yield refused
        yield from _families(self._programs)


def _families(samples: Iterable[Sample]) -> Iterator[Metric]:
    families: dict[str, Metric] = {}
    for name, labels, value in samples:
        family = families.get(name)
        if family is None:
            kind = GaugeMetricFamily if name in _GAUGES else CounterMetricFamily
            family = families[name] = kind(f"clerestory_program_{name}", _PROGRAM[name])
        suffix = "" if name in _GAUGES else "_total"
        family.add_sample(family.name + suffix, labels, value)
    yield from families.values()


def metrics_text(
    own: Mapping[str, float], refused: Mapping[str, int], programs: Iterable[Sample]
) -> bytes:
    """Return all counts in Prometheus' text format, version 0.0.4."""
    registry = CollectorRegistry()
    registry.register(_Counts(own, refused, list(programs)))
    return generate_latest(registry)
