"""A sampling rule: whom it is for, and whether it lets one more be recorded.

    Asked -> [rules] -> decision

The algorithm is that of AWS's SDKs. With a quota from the server so many are recorded a second;
without one, and if the rule has a reservoir, one a second is borrowed; of the rest a fixed share.

Invariant: what a rule counted is told to the server once; what could not be told is told later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from clerestory.tracing.remote.asked import matches

if TYPE_CHECKING:
    from clerestory.tracing.remote.asked import Asked

DEFAULT: Final = "Default"
REPORT_S: Final = 10.0
_REPORT_S_MAX: Final = 3600.0


@dataclass(slots=True)
class Reservoir:
    """Requests that are recorded each second whatever the rate.

    Attributes:
        quota: How many a second the server has granted; None before it has.
        ends_s: Until when, in seconds since 1970.
    """

    quota: int | None = None
    ends_s: float = 0.0
    _second: int = 0
    _taken: int = 0

    def take(self, now_s: float, *, may_borrow: bool) -> str:
        """Return `take` or `borrow` if one more is recorded in this second, else nothing."""
        if int(now_s) != self._second:
            self._second, self._taken = int(now_s), 0
        granted = self.quota is not None and self.ends_s >= now_s
        most = self.quota if granted and self.quota is not None else int(may_borrow)
        if self._taken >= most:
            return ""
        self._taken += 1
        return "take" if granted else "borrow"


@dataclass(slots=True)
class Counts:
    """What a rule decided since its last report."""

    asked: int = 0
    sampled: int = 0
    borrowed: int = 0

    def add(self, other: Counts) -> None:
        """Add what could not be told."""
        self.asked += other.asked
        self.sampled += other.sampled
        self.borrowed += other.borrowed


@dataclass(slots=True)
class Rule:
    """One rule.

    Attributes:
        name: Unique.
        priority: The lowest that matches counts.
        rate: Share that is recorded beyond the reservoir, 0 to 1.
        may_borrow: Whether one a second may be recorded before there is a quota.
        patterns: For service, type, host, method and path.
        reservoir: See there.
        counts: See there.
        report_s: How often it is reported, in seconds.
        due_s: When next, by the monotonic clock.
    """

    name: str
    priority: int
    rate: float
    may_borrow: bool
    patterns: tuple[str, str, str, str, str]
    reservoir: Reservoir = field(default_factory=Reservoir)
    counts: Counts = field(default_factory=Counts)
    report_s: float = REPORT_S
    due_s: float = 0.0

    @classmethod
    def of(cls, record: Any) -> Rule | None:
        """Return the rule of a record of GetSamplingRules; None if it is none that is understood.

        As AWS's SDKs: version 1, for every resource, without attributes.
        """
        told = record.get("SamplingRule") if type(record) is dict else None
        if type(told) is not dict or told.get("Version") != 1 or told.get("Attributes"):
            return None
        if told.get("ResourceARN") != "*" or not told.get("ServiceType"):
            return None
        try:
            return cls(
                name=str(told["RuleName"]),
                priority=int(told["Priority"]),
                rate=float(told["FixedRate"]),
                may_borrow=int(told["ReservoirSize"]) > 0,
                patterns=(
                    str(told["ServiceName"]),
                    str(told["ServiceType"]),
                    str(told["Host"]),
                    str(told["HTTPMethod"]),
                    str(told["URLPath"]),
                ),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def is_for(self, asked: Asked) -> bool:
        """Say whether the rule is for a request."""
        known = (asked.service, asked.service_type, asked.host, asked.method, asked.path)
        return self.name == DEFAULT or all(map(matches, self.patterns, known))

    def decides(self, now_s: float, unit: float) -> bool:
        """Say whether one more request is recorded, and count it.

        Args:
            now_s: The time, in seconds since 1970.
            unit: A random number from 0 to 1.
        """
        self.counts.asked += 1
        found = self.reservoir.take(now_s, may_borrow=self.may_borrow)
        if found == "borrow":
            self.counts.borrowed += 1
        elif found or unit < self.rate:
            self.counts.sampled += 1
        else:
            return False
        return True

    def continue_from(self, old: Rule) -> None:
        """Go on with what an older form of the rule has counted and been granted."""
        self.reservoir, self.counts = old.reservoir, old.counts
        self.report_s, self.due_s = old.report_s, old.due_s

    def take_target(self, told: Any) -> None:
        """Take what the server grants; what it says in the wrong form is as if it were not said."""
        quota, ends = told.get("ReservoirQuota"), told.get("ReservoirQuotaTTL")
        if type(quota) is int and quota >= 0:
            self.reservoir.quota = quota
        if type(ends) in (int, float):
            self.reservoir.ends_s = float(ends)
        rate, interval = told.get("FixedRate"), told.get("Interval")
        if type(rate) in (int, float) and 0 <= rate <= 1:
            self.rate = float(rate)
        if type(interval) is int:
            self.report_s = min(_REPORT_S_MAX, max(1.0, float(interval)))
