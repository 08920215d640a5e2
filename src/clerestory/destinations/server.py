"""Sends records to a clerestory server.

    spool -> courier -> [server] ~~> POST /v1/records

The lines go as they are. The batch says which spool it is from and the number of its first
line, so the server stores a batch that comes twice once.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, quote, unquote, urlunsplit

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits
from clerestory.delivery.selection import KINDS
from clerestory.transport.answers import settle
from clerestory.transport.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clerestory.delivery.port import Batch

_REPORT_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig(DestinationConfig):
    """Options of the destination `server`.

    Attributes:
        endpoint: Its address.
        token: Sent as `Authorization: Bearer` if not empty.
        ca_file: Certificates to trust in place of the system's.
    """

    flush_interval: float = 0.0
    retry_delay_max: float = field(default=5.0, metadata={"kind": "seconds"})
    endpoint: str = "http://127.0.0.1:4318"
    token: str = field(default="", repr=False)
    ca_file: str = ""


class Server:
    """A server's `/v1/records`.

    Raises:
        ConfigurationError: The endpoint is no http or https address.

    Attributes:
        report: Returns what the program counted; told to the server every few seconds.
    """

    Config = ServerConfig
    adopts = True
    limits = BatchLimits(lines=100_000)
    kinds = KINDS

    def __init__(self, config: ServerConfig) -> None:
        self.exchange = exchange = Exchange(
            config.endpoint,
            timeout_s=config.timeout,
            connect_timeout_s=config.connect_timeout,
            ca_file=config.ca_file,
        )
        # On this machine the bytes cost less than their compression.
        exchange.compress = exchange.host not in {"127.0.0.1", "::1"}
        where = f"{exchange.host}_{exchange.port}{exchange.path}"
        self.name = "server-" + re.sub(r"[^A-Za-z0-9.-]", "_", where)
        self.report: Callable[[], Mapping[str, Any]] | None = None
        self._reported_at = 0.0
        self._headers = {"Content-Type": "application/x-ndjson"}
        if config.token:
            self._headers["Authorization"] = f"Bearer {config.token}"

    @staticmethod
    def options(url: SplitResult) -> dict[str, Any]:
        """Return the options that an address `http://[:token@]host:port` stands for."""
        host = url.netloc.rpartition("@")[2]
        options = {"endpoint": urlunsplit((url.scheme, host, url.path, "", ""))}
        return options | ({"token": unquote(url.password)} if url.password else {})

    def send(self, batch: Batch) -> None:
        """Send the batch and wait until the server says that it is stored."""
        headers = {
            **self._headers,
            "Clerestory-Spool": batch.spool_id,
            "Clerestory-First": str(batch.first),
            "Clerestory-Resource": quote(json.dumps(batch.resource)),
        }
        now = time.monotonic()
        if self.report is not None and now - self._reported_at > _REPORT_S:
            self._reported_at = now
            headers["Clerestory-Stats"] = quote(json.dumps(self.report()))
        answer = self.exchange.send(batch.lines, target="/v1/records", headers=headers)
        settle(answer, self.name)

    def close(self) -> None:
        """Close the connection; the next batch opens another."""
        self.exchange.close()
