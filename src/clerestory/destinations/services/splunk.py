"""Sends records to Splunk, by its HTTP Event Collector.

    spool -> courier -> [splunk] ~~> POST /services/collector/event

Delivery is at least once: `_cid` tells a record that came twice.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits, Receipt, Refusal
from clerestory.model.errors import ConfigurationError, HoldError, RefusedError, RetryError
from clerestory.transport.answers import settle
from clerestory.transport.exchange import Exchange
from clerestory.wire.services import splunk as wire

if TYPE_CHECKING:
    from clerestory.delivery.port import Batch
    from clerestory.transport.exchange import Answer

_TARGET: Final = "/services/collector/event"
# Splunk names one wrong event a request.
_REQUESTS_MAX: Final = 5
# Codes of the collector: what is wrong with the token or the set-up, and what passes.
_HELD: Final = {
    1: "enable the token",
    2: "give a token",
    3: "give a token",
    4: "check the token",
    7: "allow the index for the token, or name another one",
    10: "the token wants a channel",
    14: "enable acknowledgement for the token, or disable it on both sides",
}
_LATER: Final = frozenset((8, 9, 23, 24, 25, 26, 27))
_EVENT_FAULTS: Final = frozenset((6, 12, 13, 15))


@dataclass(frozen=True, slots=True, kw_only=True)
class SplunkConfig(DestinationConfig):
    """Options of the destination `splunk`.

    Attributes:
        url: Address of the collector, such as `https://splunk:8088`.
        token: Of the collector.
        index: Index; empty for that of the token.
        source: Source; empty for the service of the program.
        sourcetype: How Splunk reads an event.
        compress: Whether bodies travel as gzip.
        ca_file: Certificates to trust in place of the system's.
    """

    url: str
    token: str = field(default="", repr=False)
    index: str = ""
    source: str = ""
    sourcetype: str = "_json"
    compress: bool = True
    ca_file: str = ""


class Splunk:
    """An HTTP Event Collector.

    Raises:
        ConfigurationError: No token is given, or the address is not http or https.
    """

    Config = SplunkConfig
    adopts = True
    limits = BatchLimits()

    def __init__(self, config: SplunkConfig) -> None:
        if not config.token:
            raise ConfigurationError("splunk: give the token of an HTTP Event Collector")
        self._config = config
        self.exchange = Exchange(
            config.url,
            timeout_s=config.timeout,
            connect_timeout_s=config.connect_timeout,
            ca_file=config.ca_file,
            compress=config.compress,
        )
        where = f"{self.exchange.host}_{self.exchange.port}{self.exchange.path}"
        place = f"{where}-{config.index}" if config.index else where
        self.name = "splunk-" + re.sub(r"[^A-Za-z0-9.-]", "_", place)
        self._headers = {
            "Content-Type": "application/json",
            "Authorization": f"Splunk {config.token}",
            # Tokens with acknowledgement want one; the same in every run.
            "X-Splunk-Request-Channel": str(uuid.uuid5(uuid.NAMESPACE_URL, self.name)),
        }

    @staticmethod
    def options(url: SplitResult) -> dict[str, Any]:
        """Return the options that `splunk://TOKEN@host:8088` stands for.

        Over TLS, unless the scheme is `splunk+http`.
        """
        scheme = "http" if url.scheme.endswith("+http") else "https"
        host = url.netloc.rpartition("@")[2]
        options: dict[str, Any] = {"url": f"{scheme}://{host}{url.path.rstrip('/')}"}
        if url.username:
            options["token"] = unquote(url.username)
        return options

    def send(self, batch: Batch) -> Receipt:
        """Post the batch; an event that Splunk names as wrong is refused, the others come again.

        Raises:
            RefusedError: Events are wrong, and Splunk does not say which.
        """
        records = batch.records()
        config = self._config
        events = wire.encode(
            ((batch.record_id(index), line) for index, line in records),
            batch.resource,
            source=config.source,
            sourcetype=config.sourcetype,
            index=config.index,
        )
        left = list(zip((index for index, _ in records), events, strict=True))
        refused = []
        for _ in range(_REQUESTS_MAX):
            if not left:
                break
            wrong = self._post(b"".join(event for _, event in left), len(left))
            if wrong is None:
                break
            number, reason = wrong
            refused.append(Refusal(index=left.pop(number)[0], reason=reason))
        else:
            raise RefusedError(f"{self.name} refuses more than {_REQUESTS_MAX} events of a batch")
        return Receipt(taken=batch.count, refused=tuple(refused))

    def _post(self, body: bytes, count: int) -> tuple[int, str] | None:
        """Send events; return number and reason of one that is wrong, None if all were taken."""
        answer = self.exchange.send(body, target=_TARGET, headers=self._headers)
        code, text, number = wire.decode_answer(answer.body)
        if code in _EVENT_FAULTS and 0 <= number < count and answer.status == 400:
            return number, f"code {code}: {text}"
        self._judge(answer, code)
        return None

    def _judge(self, answer: Answer, code: int) -> None:
        said = f"{self.name} answered {answer.status}: {answer.text()}"
        if code in _HELD:
            raise HoldError(f"{said}; {_HELD[code]}")
        if code in _LATER:
            raise RetryError(said, wait_s=answer.retry_after_s())
        settle(answer, self.name)
        if code != 0:
            raise RetryError(f"{said}: this is no answer of a collector")

    def close(self) -> None:
        """Close the connection."""
        self.exchange.close()
