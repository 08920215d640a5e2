"""What daemons say of themselves: summed, and shown beside our own counts.

PutTelemetryRecords -> [telemetry] -> /metrics
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

_COUNTS: Final = {
    "SegmentsReceivedCount": "received",
    "SegmentsSentCount": "sent",
    "SegmentsSpilloverCount": "spillover",
    "SegmentsRejectedCount": "rejected",
}
_ERRORS: Final = {
    "TimeoutCount": "timeout",
    "ConnectionRefusedCount": "connection_refused",
    "HTTPCode4XXCount": "http_4xx",
    "HTTPCode5XXCount": "http_5xx",
    "UnknownHostCount": "unknown_host",
    "OtherCount": "other",
}


class Telemetry:
    """Sums of what was reported since the server started.

    Attributes:
        segments: Segments by what became of them.
        errors: Failed connections of daemons by their cause.
    """

    def __init__(self) -> None:
        self.segments: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add records of PutTelemetryRecords."""
        with self._lock:
            for record in records:
                for name, told in _COUNTS.items():
                    self.segments[told] += record.get(name) or 0
                failed = record.get("BackendConnectionErrors") or {}
                for name, told in _ERRORS.items():
                    self.errors[told] += failed.get(name) or 0
