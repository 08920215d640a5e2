"""Sends records to Loki, or to Grafana Cloud.

    spool -> courier -> [loki] ~~> POST /loki/api/v1/push

Loki drops an entry that it has already, with equal labels, time and text. Of a push with entries
that are too old it keeps the others: those are named in the receipt, as far as Loki names them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits, Receipt, Refusal
from clerestory.model.errors import ConfigurationError, RefusedError
from clerestory.transport.answers import settle
from clerestory.transport.exchange import Exchange
from clerestory.wire.services import loki as wire

if TYPE_CHECKING:
    from clerestory.delivery.port import Batch

_TARGET: Final = "/loki/api/v1/push"
# Loki tells of one kind of fault a push.
_PUSHES_MAX: Final = 5
_LABELS_MAX: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class LokiConfig(DestinationConfig):
    """Options of the destination `loki`.

    Attributes:
        url: Address of Loki, without `/loki/api/v1/push`.
        username: With `password`, sent as `Authorization: Basic`; the instance's number in
            Grafana Cloud.
        password: See `username`; the access policy's token in Grafana Cloud.
        token: Sent as `Authorization: Bearer`.
        tenant: Sent as `X-Scope-OrgID`.
        labels: At most ten labels beside service, env and level. Each should have few values.
        compress: Whether bodies travel as gzip.
        ca_file: Certificates to trust in place of the system's.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    tenant: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    compress: bool = True
    ca_file: str = ""


class Loki:
    """A Loki.

    Raises:
        ConfigurationError: The address is not http or https, a label is not possible, or two
            ways to log in are given.
    """

    Config = LokiConfig
    adopts = True
    limits = BatchLimits()

    def __init__(self, config: LokiConfig) -> None:
        _check_labels(config.labels)
        self._config = config
        self.exchange = Exchange(
            config.url,
            timeout_s=config.timeout,
            connect_timeout_s=config.connect_timeout,
            ca_file=config.ca_file,
            compress=config.compress,
        )
        self._headers = {"Content-Type": "application/json", **_authorization(config)}
        where = f"{self.exchange.host}_{self.exchange.port}{self.exchange.path}"
        place = f"{where}-{config.tenant}" if config.tenant else where
        self.name = "loki-" + re.sub(r"[^A-Za-z0-9.-]", "_", place)

    @staticmethod
    def options(url: SplitResult) -> dict[str, Any]:
        """Return the options that `loki://user:token@host:3100` stands for; `lokis` for TLS."""
        scheme = "https" if url.scheme == "lokis" else "http"
        options: dict[str, Any] = {
            "url": f"{scheme}://{url.netloc.rpartition('@')[2]}{url.path.rstrip('/')}"
        }
        if url.username is not None:
            options["username"] = unquote(url.username)
            options["password"] = unquote(url.password or "")
        return options

    def send(self, batch: Batch) -> Receipt:
        """Push the batch; entries that Loki names as left out are refused.

        Raises:
            RefusedError: Entries were left out, and Loki does not say which.
        """
        left = wire.entries_of(
            [(index, batch.record_id(index), line) for index, line in batch.records()],
            batch.resource,
        )
        refused: dict[int, str] = {}
        for _ in range(_PUSHES_MAX):
            if not left:
                break
            body = wire.encode(left, batch.resource, self._config.labels)
            answer = self.exchange.send(body, target=_TARGET, headers=self._headers)
            found = {}
            if answer.status == 400:
                found = wire.refused_by(answer.body.decode("utf-8", "replace"), left)
            if not found:
                settle(answer, self.name)
                break
            refused |= found
            left = [one for one in left if one.index not in refused]
        else:
            raise RefusedError(f"{self.name} still refuses entries after {_PUSHES_MAX} pushes")
        return Receipt(
            taken=batch.count,
            refused=tuple(
                Refusal(index=index, reason=reason) for index, reason in sorted(refused.items())
            ),
        )

    def close(self) -> None:
        """Close the connection."""
        self.exchange.close()


def _check_labels(labels: Mapping[str, str]) -> None:
    if len(labels) > _LABELS_MAX:
        raise ConfigurationError(
            f"loki: at most {_LABELS_MAX} labels are possible, got {len(labels)}; everything "
            "else is structured metadata"
        )
    for name in labels:
        if name != wire.name_of(name):
            raise ConfigurationError(
                f"loki: {name!r} is no label name: letters, digits and _, no digit first"
            )


def _authorization(config: LokiConfig) -> dict[str, str]:
    if config.token and config.username:
        raise ConfigurationError("loki: give either token or username and password, not both")
    headers = {"X-Scope-OrgID": config.tenant} if config.tenant else {}
    if config.token:
        headers["Authorization"] = f"Bearer {config.token}"
    if config.username:
        pair = f"{config.username}:{config.password}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return headers
