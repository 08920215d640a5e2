"""Sends records to a table of Azure Monitor.

    spool -> courier -> [azure] ~~> POST .../dataCollectionRules/<rule>/streams/<stream>

The Logs Ingestion API. Delivery is at least once: the column `RecordId` tells a record that came
twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, quote, unquote

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits, Receipt
from clerestory.model.errors import ConfigurationError
from clerestory.transport.answers import settle
from clerestory.transport.azure import AzureIdentity, AzureOptions
from clerestory.transport.exchange import Exchange
from clerestory.wire.parts import count_fitting, taken_lines
from clerestory.wire.services import azure as wire

if TYPE_CHECKING:
    from clerestory.delivery.port import Batch
    from clerestory.transport.exchange import Answer

_VERSION: Final = "2023-01-01"
_RETIRED: Final = (
    "azure: instrumentation_key cannot be used: the HTTP Data Collector API that it belonged to "
    "lost its support on 2026-09-14. The Logs Ingestion API takes its place: pass dcr_endpoint "
    "(https://<name>.<region>.ingest.monitor.azure.com), rule_id (dcr-<32 hex digits>) and "
    "log_type or stream, and tenant_id, client_id and client_secret or a managed identity"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureMonitorConfig(DestinationConfig):
    """Options of the destination `azure`.

    Attributes:
        dcr_endpoint: Logs ingestion endpoint of the data collection rule, or of a data
            collection endpoint.
        rule_id: Immutable id of the data collection rule: `dcr-` and 32 hex digits.
        stream: Stream of the rule; empty for `Custom-<log_type>_CL`.
        log_type: Name of the table without its `_CL`.
        tenant_id: Directory of the application; else AZURE_TENANT_ID.
        client_id: Of the application, or of a managed identity; else AZURE_CLIENT_ID.
        client_secret: Of the application; else AZURE_CLIENT_SECRET; without one, the managed
            identity of the machine is asked.
        authority: Address of Entra in national clouds; else AZURE_AUTHORITY_HOST.
        audience: Whom the token is for; another one in national clouds.
        instrumentation_key: Not possible any more; the error says what to pass.
        compress: Whether bodies travel as gzip.
        ca_file: Certificates to trust in place of the system's.

    Raises:
        ConfigurationError: `instrumentation_key` is given.
    """

    dcr_endpoint: str = ""
    rule_id: str = ""
    stream: str = ""
    log_type: str = ""
    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    authority: str = ""
    audience: str = "https://monitor.azure.com"
    instrumentation_key: str = field(default="", repr=False)
    compress: bool = True
    ca_file: str = ""

    def __post_init__(self) -> None:
        if self.instrumentation_key:
            raise ConfigurationError(_RETIRED)


class AzureMonitor:
    """A stream of a data collection rule.

    Raises:
        ConfigurationError: Endpoint, rule or stream is missing.
    """

    Config = AzureMonitorConfig
    adopts = True
    limits = BatchLimits()

    def __init__(self, config: AzureMonitorConfig) -> None:
        stream = config.stream or (f"Custom-{config.log_type}_CL" if config.log_type else "")
        given = {
            "dcr_endpoint": config.dcr_endpoint,
            "rule_id": config.rule_id,
            "log_type or stream": stream,
        }
        missing = [name for name, value in given.items() if not value]
        if missing:
            raise ConfigurationError(f"azure: {', '.join(missing)} must be given")
        self._config = config
        self.exchange = Exchange(
            config.dcr_endpoint,
            timeout_s=config.timeout,
            connect_timeout_s=config.connect_timeout,
            ca_file=config.ca_file,
            compress=config.compress,
        )
        self._identity = AzureIdentity(
            AzureOptions(
                tenant_id=config.tenant_id,
                client_id=config.client_id,
                client_secret=config.client_secret,
                authority=config.authority,
                audience=config.audience,
                timeout_s=config.timeout,
            )
        )
        rule, name = quote(config.rule_id, safe=""), quote(stream, safe="")
        self._target = f"/dataCollectionRules/{rule}/streams/{name}?api-version={_VERSION}"
        self.name = "azure-" + re.sub(r"[^A-Za-z0-9.-]", "_", f"{config.rule_id}-{stream}")

    @staticmethod
    def options(url: SplitResult) -> dict[str, Any]:
        """Return the options that `azure://endpoint/rule/table` stands for.

        The table is a `log_type`, or a stream when it begins with `Custom-` or `Microsoft-`.
        """
        options: dict[str, Any] = {"dcr_endpoint": f"https://{url.netloc}"}
        rule, _, table = unquote(url.path.strip("/")).partition("/")
        is_stream = table.startswith(("Custom-", "Microsoft-"))
        options |= {"rule_id": rule, "stream" if is_stream else "log_type": table}
        return {name: value for name, value in options.items() if value}

    def send(self, batch: Batch) -> Receipt:
        """Post as many records from the front as one call takes: 1 MiB."""
        records = batch.records()
        if not records:
            return Receipt(taken=batch.count)
        rows = [
            wire.encode_row(line, batch.record_id(index), batch.resource) for index, line in records
        ]
        sent = count_fitting(rows, bytes_max=wire.BODY_BYTES_MAX - 2, count_max=len(rows))
        settle(self._post(b"[" + b",".join(rows[:sent]) + b"]"), self.name)
        return Receipt(taken=taken_lines(records, sent, batch.count))

    def _post(self, body: bytes) -> Answer:
        """Send with a token; with another one if the first is not taken."""
        for _ in range(2):
            headers = {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self._identity.token()}",
            }
            answer = self.exchange.send(body, target=self._target, headers=headers)
            if answer.status != 401:
                break
            self._identity.token.forget()
        return answer

    def close(self) -> None:
        """Close the connection."""
        self.exchange.close()
