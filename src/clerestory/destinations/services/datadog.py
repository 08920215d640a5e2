"""Sends records to Datadog.

    spool -> courier -> [datadog] ~~> POST /api/v2/logs

Delivery is at least once: the attribute `_cid` tells a record that came twice. What Datadog would
take and throw away, because it is older than 18 hours, becomes a dead letter instead.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits, Receipt, Refusal
from clerestory.model.errors import ConfigurationError
from clerestory.transport.answers import settle
from clerestory.transport.exchange import Exchange
from clerestory.wire.line import time_of
from clerestory.wire.parts import count_fitting, taken_lines
from clerestory.wire.services import datadog as wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerestory.delivery.port import Batch

_SITE: Final = "datadoghq.com"
_NS: Final = 1_000_000_000
_OLD: Final = "too_old: Datadog throws away what is older than 18 hours"
_NEW: Final = "too_new: Datadog throws away what is more than 2 hours ahead"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatadogConfig(DestinationConfig):
    """Options of the destination `datadog`.

    Attributes:
        api_key: Key of the organisation; else DD_API_KEY.
        site: Such as `datadoghq.eu`; else DD_SITE, else `datadoghq.com`.
        url: Address of an intake in place of that of the site, such as a proxy's.
        service: In place of the service of the program.
        source: Says which pipeline of Datadog's the records pass.
        tags: Tags of every record, added to env, version and pid.
        compress: Whether bodies travel as gzip.
        ca_file: Certificates to trust in place of the system's.
    """

    api_key: str = field(default="", repr=False)
    site: str = ""
    url: str = ""
    service: str = ""
    source: str = "python"
    tags: Mapping[str, str] = field(default_factory=dict)
    compress: bool = True
    ca_file: str = ""


class Datadog:
    """The logs intake of a site of Datadog's.

    Args:
        config: Where and how to send.
        clock: Seconds since 1970, to tell what is too old.

    Raises:
        ConfigurationError: No key is given, or the address is not http or https.
    """

    Config = DatadogConfig
    adopts = True
    limits = BatchLimits(lines=wire.ITEMS_MAX, size_bytes=4 * 1024 * 1024)

    def __init__(self, config: DatadogConfig, *, clock: Callable[[], float] = time.time) -> None:
        key = config.api_key or os.environ.get("DD_API_KEY", "")
        if not key:
            raise ConfigurationError("datadog: no key: give api_key or set DD_API_KEY")
        site = config.site or os.environ.get("DD_SITE", "") or _SITE
        self._config = config
        self._clock = clock
        self.exchange = Exchange(
            config.url or f"https://http-intake.logs.{site}",
            timeout_s=config.timeout,
            connect_timeout_s=config.connect_timeout,
            ca_file=config.ca_file,
            compress=config.compress,
        )
        self._headers = {"Content-Type": "application/json", "DD-API-KEY": key}
        where = f"{self.exchange.host}_{self.exchange.port}" if config.url else site
        self.name = "datadog-" + re.sub(r"[^A-Za-z0-9.-]", "_", where)

    @staticmethod
    def options(url: SplitResult) -> dict[str, Any]:
        """Return the options that `datadog://KEY@datadoghq.eu` stands for."""
        options: dict[str, Any] = {}
        if url.username:
            options["api_key"] = unquote(url.username)
        if url.hostname:
            options["site"] = url.hostname
        return options

    def send(self, batch: Batch) -> Receipt:
        """Post as many records from the front as one request takes: 1000, or 5 MB."""
        refused = []
        records = []
        for index, line in batch.records():
            reason = self._unwanted(line)
            if reason:
                refused.append(Refusal(index=index, reason=reason))
            else:
                records.append((index, line))
        if not records:
            return Receipt(taken=batch.count, refused=tuple(refused))
        config = self._config
        common = wire.common_of(
            batch.resource, source=config.source, service=config.service, tags=config.tags
        )
        items = [wire.encode_item(line, batch.record_id(index), common) for index, line in records]
        sent = count_fitting(items, bytes_max=wire.BODY_BYTES_MAX - 2, count_max=wire.ITEMS_MAX)
        body = b"[" + b",".join(items[:sent]) + b"]"
        answer = self.exchange.send(body, target="/api/v2/logs", headers=self._headers)
        settle(answer, self.name)
        taken = taken_lines(records, sent, batch.count)
        return Receipt(taken=taken, refused=tuple(one for one in refused if one.index < taken))

    def _unwanted(self, line: bytes) -> str:
        ns = time_of(line)
        if not ns:
            return ""
        age_s = self._clock() - ns / _NS
        if age_s > wire.AGE_S_MAX:
            return _OLD
        return _NEW if age_s < -wire.AHEAD_S_MAX else ""

    def close(self) -> None:
        """Close the connection."""
        self.exchange.close()
