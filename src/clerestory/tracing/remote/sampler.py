"""Which requests are recorded, by X-Ray's rules.

    span, segment -> [sampler] -> decision
    server ~~> poller -> [sampler]

Invariant: a decision never waits for the network; before rules have come, and when none came for an
hour, the local ones decide.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

from clerestory.tracing.remote.asked import Asked
from clerestory.tracing.remote.local import LocalRules
from clerestory.tracing.remote.poller import Poller
from clerestory.tracing.remote.rules import Counts
from clerestory.tracing.rules import RANDOM

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clerestory.model.spans import SpanContext
    from clerestory.tracing.remote.rules import Rule

RULES_KEPT_S: Final = 3600.0
POLLING_S: Final = 300.0
_living: Final[weakref.WeakSet[XraySampler]] = weakref.WeakSet()


class XraySampler:
    """Decides by rules from a server, as AWS's SDKs do.

    Args:
        url: Where GetSamplingRules is answered: X-Ray's daemon, our server.
        polling_s: How often rules are asked for, in seconds.
        service: Name of the program.
        service_type: Where it runs, such as `AWS::EC2::Instance`.

    Attributes:
        local: Rules for as long as there are no others.
        service_type: See above.
    """

    def __init__(
        self, url: str, *, polling_s: float = POLLING_S, service: str = "", service_type: str = ""
    ) -> None:
        self.local = LocalRules()
        self.service_type = service_type
        self._service = service
        self._rules: list[Rule] = []
        self._rules_at = 0.0
        # One that the same thread may take again: a span may begin in a signal handler.
        self._lock = threading.RLock()
        self._poller = Poller(self, url, polling_s)
        _living.add(self)

    def decides(self, trace_id: str, parent: SpanContext | None, span: Any = None) -> bool:  # noqa: ARG002
        """Say whether the spans of a trace are recorded; the one that is continued decides.

        Args:
            trace_id: 32 hex digits.
            parent: The span that is continued; None for a root.
            span: The root, with the attributes that it begins with.
        """
        if parent is not None:
            return parent.sampled
        return self.decide(Asked.of(span, self._service, self.service_type))[0]

    def decide(self, asked: Asked) -> tuple[bool, str]:
        """Return whether a request is recorded, and the name of the rule; empty for a local one."""
        self._poller.ensure()
        now_s, unit = time.time(), RANDOM.random()
        with self._lock:
            rule = self._rule_for(asked, now_s)
            if rule is None:
                return self.local.decides(asked, now_s, unit), ""
            return rule.decides(now_s, unit), rule.name

    def _rule_for(self, asked: Asked, now_s: float) -> Rule | None:
        if not self._rules or now_s > self._rules_at + RULES_KEPT_S:
            return None
        return next((rule for rule in self._rules if rule.is_for(asked)), None)

    # -- the poller's side --------------------------------------------------------------------

    @property
    def rule_names(self) -> list[str]:
        """Names of the rules in force, the first that counts first."""
        return [rule.name for rule in self._rules]

    def take_rules(self, rules: Iterable[Rule]) -> None:
        """Decide by these rules from now on."""
        ordered = sorted(rules, key=lambda rule: (rule.priority, rule.name))
        with self._lock:
            old = {rule.name: rule for rule in self._rules}
            for rule in ordered:
                if rule.name in old:
                    rule.continue_from(old[rule.name])
            self._rules, self._rules_at = ordered, time.time()

    @property
    def rules_at_s(self) -> float:
        """When the rules came, in seconds since 1970."""
        return self._rules_at

    def take_counts(self, now_s: float, most: int) -> list[tuple[Rule, Counts]]:
        """Return what is due to be reported; it is told, or given back to `give_back`.

        Args:
            now_s: By the monotonic clock.
            most: Of so many rules.
        """
        with self._lock:
            due = [one for one in self._rules if one.counts.asked and one.due_s <= now_s][:most]
            found = [(one, one.counts) for one in due]
            for one in due:
                one.counts, one.due_s = Counts(), now_s + one.report_s
            return found

    def give_back(self, counted: Iterable[tuple[Rule, Counts]]) -> None:
        """Count again what could not be told."""
        with self._lock:
            for rule, counts in counted:
                rule.counts.add(counts)

    def take_targets(self, listed: Iterable[Any]) -> None:
        """Take what the server grants to each rule."""
        told = {one.get("RuleName"): one for one in listed if type(one) is dict}
        with self._lock:
            for rule in self._rules:
                if rule.name in told:
                    rule.take_target(told[rule.name])

    def close(self) -> None:
        """Ask for no more rules."""
        self._poller.close()

    def _begin_in_child(self) -> None:
        """Have a thread and counts of its own: the parent tells what it has counted."""
        self._lock = threading.RLock()
        for rule in self._rules:
            rule.counts = type(rule.counts)()
        self._poller.forget()


_made: Final[dict[tuple[str, float, str], XraySampler]] = {}


def remote_sampler(url: str, polling_s: float, service: str) -> XraySampler:
    """Return the sampler that asks there: the same one for the same place, others end.

    Args:
        url: See `XraySampler`.
        polling_s: See `XraySampler`.
        service: See `XraySampler`.

    Raises:
        ConfigurationError: The address is not http or https.
    """
    key = (url, polling_s, service)
    if key not in _made:
        found = XraySampler(url, polling_s=polling_s, service=service)
        for old in _made.values():
            old.close()
        _made.clear()
        _made[key] = found
    return _made[key]


def _after_fork() -> None:
    for sampler in tuple(_living):
        sampler._begin_in_child()  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
