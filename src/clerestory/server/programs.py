"""What programs say about their own delivery, with the batches that they send here.

    POST /v1/records, header Clerestory-Stats -> [programs] -> /api/v1/programs, /metrics

Invariant: a program that has gone silent is forgotten after a day; their number has a bound.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import msgspec

PROGRAMS_MAX: Final = 1000
SILENT_S_MAX: Final = 86_400.0
HEADER_CHARACTERS_MAX: Final = 32_768
# What a destination counts: name in the report, name of the metric, help.
COUNTED: Final = (
    ("sent_records", "sent_records", "Records that a destination took."),
    ("sent_bytes", "sent_bytes", "Bytes of lines that a destination took."),
    ("batches", "batches", "Batches that a destination took."),
    ("retries", "retries", "Sends that failed and were tried again."),
    ("dead_lettered", "dead_lettered_records", "Records that a destination refused."),
    ("rejected", "rejected_records", "Records not kept, without word of which."),
    ("request_s", "request_seconds", "Time that sends took, all together."),
)
MEASURED: Final = (
    ("oldest_age_s", "oldest_age_seconds", "Age of the oldest record that waits."),
    ("hold", "hold", "1 while somebody has to act before records are taken."),
    ("worker_alive", "worker_alive", "1 while the sending thread runs."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one program said last."""

    resource: Mapping[str, Any]
    counts: Mapping[str, Any]
    at: float


class Programs:
    """The last report of each program, by its spool."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._reports: OrderedDict[str, Report] = OrderedDict()

    def take(self, spool: str, resource: bytes, header: str) -> None:
        """Keep a report; what is no report is left aside: it may not cost a record."""
        if not spool or not header or len(header) > HEADER_CHARACTERS_MAX:
            return
        try:
            counts = msgspec.json.decode(unquote(header))
            known = msgspec.json.decode(resource)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            return
        if not isinstance(counts, dict) or not isinstance(known, dict):
            return
        self._reports[spool] = Report(resource=known, counts=counts, at=self._now())
        self._reports.move_to_end(spool)
        while len(self._reports) > PROGRAMS_MAX:
            self._reports.popitem(last=False)

    def _recent(self) -> Iterator[tuple[str, Report]]:
        oldest = self._now() - SILENT_S_MAX
        for spool, report in list(self._reports.items()):
            if report.at < oldest:
                del self._reports[spool]
            else:
                yield spool, report

    def rows(self) -> list[dict[str, Any]]:
        """Return the programs for the page, those that spoke last first."""
        rows = [
            {
                "spool": spool,
                "service": str(report.resource.get("service.name", "")),
                "host": str(report.resource.get("host.name", "")),
                "pid": report.resource.get("process.pid"),
                "seen_s_ago": max(0.0, self._now() - report.at),
                "counts": report.counts,
            }
            for spool, report in self._recent()
        ]
        return rows[::-1]

    def samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Yield (metric, labels, value) of every count."""
        for _spool, report in self._recent():
            labels = {
                "service": str(report.resource.get("service.name", "")),
                "host": str(report.resource.get("host.name", "")),
                "pid": str(report.resource.get("process.pid", "")),
            }
            counts = report.counts
            for name in ("made_records", "spooled_records", "backlog_bytes"):
                yield name, labels, _number(counts.get(name))
            for group in ("dropped", "suppressed", "masked"):
                for reason, value in _mapping(counts.get(group)).items():
                    yield f"{group}_records", labels | {"reason": str(reason)}, _number(value)
            for name, own in _mapping(counts.get("destinations")).items():
                more = labels | {"destination": str(name)}
                for key, metric, _help in (*COUNTED, *MEASURED):
                    yield metric, more, _number(_mapping(own).get(key))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
