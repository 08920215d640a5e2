"""Asks for sampling rules and reports what they decided, in a thread of its own.

    sampler -> [poller] ~~> GetSamplingRules, SamplingTargets

Nothing is signed: X-Ray's daemon does that for whoever asks it, and our server on this machine
wants no signature.

Invariant: a server that is away, or answers anything, changes nothing but what is not known.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.model.errors import DeliveryError
from clerestory.tracing.remote.rules import REPORT_S, Rule
from clerestory.tracing.rules import RANDOM
from clerestory.transport.exchange import Exchange

if TYPE_CHECKING:
    from clerestory.tracing.remote.sampler import XraySampler

REPORTS_MAX: Final = 25
_PAGES_MAX: Final = 20
_RETRY_S_FIRST: Final = 2.0
_RULES_JITTER_S: Final = 5.0
_REPORT_JITTER_S: Final = 0.1
_TIMEOUT_S: Final = 5.0
_HEADERS: Final = {"Content-Type": "application/json"}
_decode: Final = msgspec.json.Decoder().decode
_TROUBLES: Final = (DeliveryError, msgspec.DecodeError, ValueError, TypeError, AttributeError)


class Poller:
    """The thread behind a sampler; it begins with the first decision and never keeps a program up.

    Args:
        sampler: Takes the rules; whoever lets go of it ends the thread.
        url: Where to ask.
        polling_s: How often, in seconds.

    Raises:
        ConfigurationError: The address is not http or https.

    Attributes:
        failures: How often in a row the server could not be asked.
        last_error: What was wrong the last time.
    """

    def __init__(self, sampler: XraySampler, url: str, polling_s: float) -> None:
        self._sampler = sampler
        self._polling_s = polling_s
        self._exchange = Exchange(
            url, timeout_s=_TIMEOUT_S, connect_timeout_s=_TIMEOUT_S, compress=False
        )
        self._client = os.urandom(12).hex()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self.failures = 0
        self.last_error = ""

    def ensure(self) -> None:
        """Begin to ask, if that has not begun."""
        if self._thread is None and not self._closing.is_set():
            self._thread = thread = threading.Thread(
                target=self._work, name="clerestory-xray-sampling", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # the interpreter ends: nothing will be asked any more
                self._closing.set()

    def close(self) -> None:
        """Ask no more; the thread ends by itself."""
        self._closing.set()
        if self._thread is None:
            self._exchange.close()

    def forget(self) -> None:
        """Be as one that has not begun: the thread stayed in the parent."""
        self._thread = None
        self._closing = threading.Event()
        self._client = os.urandom(12).hex()
        self._exchange = Exchange(
            self._exchange.url,
            timeout_s=_TIMEOUT_S,
            connect_timeout_s=_TIMEOUT_S,
            compress=False,
        )

    def _work(self) -> None:
        rules_due = report_due = 0.0
        while not self._closing.is_set():
            now = time.monotonic()
            if now >= rules_due:
                rules_due = time.monotonic() + self._wait_s(fetched=self.fetch())
                report_due = report_due or time.monotonic() + self._report_wait_s()
            if now >= report_due:
                if self.report():
                    rules_due = 0.0
                report_due = time.monotonic() + self._report_wait_s()
            wait_s = min(rules_due, report_due) - time.monotonic()
            self._closing.wait(max(0.05, wait_s))
        self._exchange.close()

    def _wait_s(self, *, fetched: bool) -> float:
        if fetched:
            return self._polling_s + RANDOM.random() * min(_RULES_JITTER_S, self._polling_s / 10)
        return min(self._polling_s, _RETRY_S_FIRST * 2.0 ** min(self.failures, 10))

    def _report_wait_s(self) -> float:
        return min(REPORT_S, self._polling_s) + RANDOM.random() * _REPORT_JITTER_S

    def fetch(self) -> bool:
        """Ask for the rules; return whether they came."""
        records: list[Any] = []
        token = ""
        try:
            for _ in range(_PAGES_MAX):
                told = self._asked("/GetSamplingRules", {"NextToken": token} if token else {})
                records += told.get("SamplingRuleRecords") or ()
                token = str(told.get("NextToken") or "")
                if not token:
                    break
        except _TROUBLES as error:
            return self._failed(error)
        self.failures = 0
        rules = [rule for rule in map(Rule.of, records) if rule is not None]
        if rules:
            self._sampler.take_rules(rules)
        return True

    def report(self) -> bool:
        """Tell what rules decided and take what is granted; return whether rules have changed."""
        counted = self._sampler.take_counts(time.monotonic(), REPORTS_MAX)
        if not counted:
            return False
        now_s = int(time.time())
        documents = [
            {
                "RuleName": rule.name,
                "ClientID": self._client,
                "Timestamp": now_s,
                "RequestCount": counts.asked,
                "SampledCount": counts.sampled,
                "BorrowCount": counts.borrowed,
            }
            for rule, counts in counted
        ]
        try:
            told = self._asked("/SamplingTargets", {"SamplingStatisticsDocuments": documents})
            self._sampler.take_targets(told.get("SamplingTargetDocuments") or ())
            changed_s = float(told.get("LastRuleModification") or 0)
        except _TROUBLES as error:
            self._sampler.give_back(counted)
            return self._failed(error)
        # The server tells whole seconds.
        return changed_s >= int(self._sampler.rules_at_s)

    def _asked(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        answer = self._exchange.send(msgspec.json.encode(content), target=path, headers=_HEADERS)
        if answer.status != 200:
            raise ValueError(f"{path} answered {answer.status}: {answer.text()}")
        told = _decode(answer.body)
        if type(told) is not dict:
            raise ValueError(f"{path} answered no object: {answer.text()}")
        return told

    def _failed(self, error: BaseException) -> bool:
        self.failures += 1
        self.last_error = f"{type(error).__name__}: {error}"
        return False
