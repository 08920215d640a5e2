"""Which segments are recorded: what a program says, else X-Ray's rules.

recorder -> [sampling] -> remote sampler
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clerestory.tracing.remote.asked import Asked
from clerestory.tracing.remote.local import LocalRules
from clerestory.wire.xray import daemon

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clerestory.tracing.remote.sampler import XraySampler


class RuleSampler:
    """X-Ray's sampling rules, or those of a manifest as long as none have come.

    Attributes:
        service_type: Where the program runs, such as `AWS::EC2::Instance`.
    """

    def __init__(self) -> None:
        self.service_type = ""
        self._address = ""
        self._local = LocalRules()
        self._remote: XraySampler | None = None

    def should_trace(self, sampling_req: Mapping[str, Any] | None = None) -> str | bool:
        """Return the name of the rule that lets a request be recorded; True for a local rule.

        Args:
            sampling_req: Of `service`, `service_type`, `host`, `method` and `path` what is known.
        """
        given = sampling_req or {}
        names = ("service", "service_type", "host", "method", "path")
        told = {name: str(given.get(name) or "") for name in names}
        told["service_type"] = told["service_type"] or self.service_type
        sampled, rule = self._asked().decide(Asked(**told))
        return (rule or True) if sampled else False

    def load_local_rules(self, rules: Mapping[str, Any]) -> None:
        """Decide by a manifest as long as there are no rules of X-Ray's.

        Raises:
            ConfigurationError: It is none.
        """
        self._local = LocalRules(rules)
        if self._remote is not None:
            self._remote.local = self._local

    def ask_at(self, address: str) -> None:
        """Ask a daemon at `HOST:PORT` for rules; AWS_XRAY_DAEMON_ADDRESS goes before it.

        Raises:
            ConfigurationError: It is no address.
        """
        daemon.address_of(address)
        self._address = address
        if self._remote is not None:
            self._remote.close()
            self._remote = None

    def _asked(self) -> XraySampler:
        if self._remote is None:
            from clerestory.tracing.remote.sampler import XraySampler

            told = os.environ.get(daemon.VARIABLE) or self._address or daemon.DEFAULT
            self._remote = XraySampler(daemon.address_of(told).url)
            self._remote.local = self._local
        return self._remote

    def close(self) -> None:
        """Ask for no more rules."""
        if self._remote is not None:
            self._remote.close()


def manifest_of(given: Any) -> Mapping[str, Any]:
    """Return the manifest that a program gives as a mapping, or as the path of a file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no JSON.
    """
    if isinstance(given, str | Path):
        told: Mapping[str, Any] = json.loads(Path(given).read_text(encoding="utf-8"))
        return told
    content: Mapping[str, Any] = given
    return content
