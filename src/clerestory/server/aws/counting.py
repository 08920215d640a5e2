"""What metric filters count: events that match, as they are stored.

    writer -> [counting] -> catalog -> /metrics, /api/v1/metric-filters

Matching is asked of the engine, once for each filter of a group that a commit brought events of.

Invariant: every event of a commit is counted once by each filter that was there before it.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

import logging
from collections.abc import Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from clerestory.server.aws.catalog.catalog import Catalog, Filter
from clerestory.server.aws.groups import Condition
from clerestory.server.aws.patterns.parser import parse_pattern
from clerestory.server.aws.patterns.sql import pattern_sql, value_sql
from clerestory.server.store.embedded import Connection

_LABELS: Final = ("group", "filter", "namespace", "metric")
_log = logging.getLogger("clerestory.server.aws")


class Counting:
    """Counts for the filters of a catalog.

    Attributes:
        failures: Commits whose events could not be counted.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.failures = 0
        self._catalog = catalog

    def after_commit(self, connection: Connection) -> None:
        """Count what was just stored, in the writer's thread."""
        watched = {
            group.name: list(group.filters.values())
            for group in list(self._catalog.groups.values())
            if group.filters
        }
        if not watched:
            return
        try:
            self._count(connection, watched)
        except Exception:  # the wall of a plug: the events are stored, whatever counting does
            self.failures += 1
            _log.exception("metric filters could not be counted")

    def _count(self, connection: Connection, watched: dict[str, list[Filter]]) -> None:
        rows = connection.rows("SELECT DISTINCT log_group FROM fresh WHERE log_group != ''")
        brought = [str(row[0]) for row in rows if row[0] in watched]
        changed = [
            (name, one)
            for name in brought
            for one in watched[name]
            if _counted(connection, name, one)
        ]
        if changed:
            self._catalog.count(changed)

    def rows(self) -> list[dict[str, Any]]:
        """Return what every filter has counted."""
        return [
            {
                "group": group.name,
                "filter": one.name,
                "metric": one.transformation["metricName"],
                "namespace": one.transformation["metricNamespace"],
                "matched": one.matched,
                "points": one.points,
                "sum": one.total,
            }
            for group in list(self._catalog.groups.values())
            for one in list(group.filters.values())
        ]

    def metrics_text(self) -> bytes:
        """Return the counts in Prometheus' text format, version 0.0.4."""
        registry = CollectorRegistry()
        registry.register(_Counts(self.rows()))
        return generate_latest(registry)


class _Counts(Collector):
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def collect(self) -> Iterator[Metric]:
        matched = CounterMetricFamily(
            "clerestory_metric_filter_events",
            "Events that a metric filter matched.",
            labels=_LABELS,
        )
        values = GaugeMetricFamily(
            "clerestory_metric_filter_value_sum", "Sum of a filter's values.", labels=_LABELS
        )
        for row in self._rows:
            labels = [row[name] for name in _LABELS]
            matched.add_metric(labels, row["matched"])
            values.add_metric(labels, row["sum"])
        yield matched
        yield values


def _counted(connection: Connection, group: str, one: Filter) -> bool:
    """Count the new events of a group; return whether some matched."""
    made = Condition()
    pattern = parse_pattern(one.pattern)
    value = value_sql(pattern, one.transformation["metricValue"], "raw", made)
    matches = pattern_sql(pattern, "raw", made)
    where = f"log_group = {made.text(group)} AND ({matches})"
    found = connection.rows(
        f"SELECT count(), countIf(isFinite(value)), sumIf(value, isFinite(value)) "
        f"FROM (SELECT {value} AS value FROM fresh WHERE {where})",
        made.parameters,
    )
    matched, points, total = found[0]
    one.matched += int(matched)
    one.points += int(points)
    one.total += float(total or 0)
    return bool(matched)
