"""Posts records as JSON to any address.

    spool -> courier -> [http] ~~> POST

Delivery is at least once: `_cid` tells a record that came twice.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import SplitResult, unquote

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits, Receipt
from clerestory.model.errors import ConfigurationError
from clerestory.transport.answers import settle
from clerestory.transport.exchange import Exchange
from clerestory.wire import ndjson

if TYPE_CHECKING:
    from clerestory.delivery.port import Batch

_TYPES: Final = {"ndjson": "application/x-ndjson", "json": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig(DestinationConfig):
    """Options of the destination `http`.

    Attributes:
        url: Where records are posted.
        format: `ndjson`: one JSON object a line. `json`: one array.
        token: Sent as `Authorization: Bearer`.
        username: With `password`, sent as `Authorization: Basic`.
        password: See `username`.
        api_key: Sent in the header that `api_key_header` names.
        api_key_header: See `api_key`.
        headers: Further headers.
        compress: Whether bodies travel as gzip.
        ca_file: Certificates to trust in place of the system's.
        client_certificate: File of the certificate that says who we are, in PEM.
        client_key: File of its key; without one it is in the same file.
    """

    url: str
    format: Literal["ndjson", "json"] = "ndjson"
    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    api_key_header: str = "X-API-Key"
    headers: Mapping[str, str] = field(default_factory=dict)
    compress: bool = True
    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""


class Http:
    """An address that takes JSON.

    Raises:
        ConfigurationError: The address is not http or https, or two ways to log in are given.
    """

    Config = HttpConfig
    adopts = True
    limits = BatchLimits()

    def __init__(self, config: HttpConfig) -> None:
        self._config = config
        self.exchange = Exchange(
            config.url,
            timeout_s=config.timeout,
            connect_timeout_s=config.connect_timeout,
            ca_file=config.ca_file,
            client=(config.client_certificate, config.client_key),
            compress=config.compress,
        )
        self._headers = {"Content-Type": _TYPES[config.format], **_authorization(config)}
        self._headers.update(config.headers)
        where = f"{self.exchange.host}_{self.exchange.port}{self.exchange.path}"
        self.name = "http-" + re.sub(r"[^A-Za-z0-9.-]", "_", where)

    @staticmethod
    def options(url: SplitResult) -> dict[str, Any]:
        """Return the options that an address `http+json://user:password@host/path` stands for."""
        scheme = "https" if url.scheme.startswith("https") else "http"
        host = url.netloc.rpartition("@")[2]
        options: dict[str, Any] = {"url": f"{scheme}://{host}{url.path}"}
        if url.username is not None:
            options["username"] = unquote(url.username)
            options["password"] = unquote(url.password or "")
        return options

    def send(self, batch: Batch) -> Receipt:
        """Post the batch and wait for the answer."""
        records = batch.records()
        objects = ndjson.encode(
            ((batch.record_id(index), line) for index, line in records), batch.resource
        )
        if objects:
            if self._config.format == "json":
                body = b"[" + b",".join(objects) + b"]"
            else:
                body = b"\n".join(objects) + b"\n"
            settle(self.exchange.send(body, headers=self._headers), self.name)
        return Receipt(taken=batch.count)

    def close(self) -> None:
        """Close the connection."""
        self.exchange.close()


def _authorization(config: HttpConfig) -> dict[str, str]:
    headers = {}
    if config.token:
        headers["Authorization"] = f"Bearer {config.token}"
    if config.username:
        pair = f"{config.username}:{config.password}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    if config.token and config.username:
        raise ConfigurationError("http: give either token or username and password, not both")
    if config.api_key:
        headers[config.api_key_header] = config.api_key
    return headers
