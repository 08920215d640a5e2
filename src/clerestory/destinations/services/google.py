"""Sends records to Google Cloud Logging.

    spool -> courier -> [google] ~~> POST /v2/entries:write

A record's identity is its entry's insertId: what is sent twice is kept once. Entries that the
service refuses are named by index; the others of their request are written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits, Receipt, Refusal
from clerestory.model.errors import HoldError, RetryError
from clerestory.transport.answers import settle
from clerestory.transport.exchange import Exchange
from clerestory.transport.google import GoogleIdentity
from clerestory.wire.services import google as wire

if TYPE_CHECKING:
    from clerestory.delivery.port import Batch
    from clerestory.transport.exchange import Answer

# Codes of google.rpc: deadline exceeded, resource exhausted, aborted, internal, unavailable.
_LATER: Final = frozenset((4, 8, 10, 13, 14))
_DENIED: Final = frozenset((7, 16))


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleCloudConfig(DestinationConfig):
    """Options of the destination `google`.

    Attributes:
        project_id: Project that the log belongs to; empty for that of the credentials.
        log_name: Name of the log.
        credentials_file: Key of a service account; empty for GOOGLE_APPLICATION_CREDENTIALS,
            gcloud's own file or the service account of the machine.
        resource_type: Type of the monitored resource.
        resource_labels: Its labels.
        labels: Labels of every entry, added to service, host and process.
        endpoint: Address of the service.
        compress: Whether bodies travel as gzip.
        ca_file: Certificates to trust in place of the system's.
    """

    project_id: str = ""
    log_name: str = "python"
    credentials_file: str = ""
    resource_type: str = "global"
    resource_labels: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    endpoint: str = "https://logging.googleapis.com"
    compress: bool = True
    ca_file: str = ""


class GoogleCloud:
    """A log of Google Cloud Logging.

    Raises:
        ConfigurationError: The endpoint is not http or https.
    """

    Config = GoogleCloudConfig
    adopts = True
    limits = BatchLimits()

    def __init__(self, config: GoogleCloudConfig) -> None:
        self._config = config
        self.exchange = Exchange(
            config.endpoint,
            timeout_s=config.timeout,
            connect_timeout_s=config.connect_timeout,
            ca_file=config.ca_file,
            compress=config.compress,
        )
        self._identity = GoogleIdentity(config.credentials_file, timeout_s=config.timeout)
        self._project = config.project_id
        place = f"{config.project_id}_{config.log_name}".strip("_")
        self.name = "google-" + re.sub(r"[^A-Za-z0-9.-]", "_", place)

    @staticmethod
    def options(url: SplitResult) -> dict[str, Any]:
        """Return the options that `google://project/log` stands for."""
        options: dict[str, Any] = {}
        if url.hostname:
            options["project_id"] = url.netloc
        if url.path.strip("/"):
            options["log_name"] = unquote(url.path.strip("/"))
        return options

    def send(self, batch: Batch) -> Receipt:
        """Post the batch; entries that can never be written are named in the receipt.

        Raises:
            RetryError: Some entries met trouble; those that were written are known by insertId.
            HoldError: The credentials are wrong, or may not write there.
        """
        records = batch.records()
        if not records:
            return Receipt(taken=batch.count)
        self._project = self._project or self._identity.project()
        body = wire.encode(
            [(batch.record_id(index), line) for index, line in records],
            batch.resource,
            project=self._project,
            log_name=self._config.log_name,
            monitored={
                "type": self._config.resource_type,
                "labels": dict(self._config.resource_labels),
            },
            labels=self._config.labels,
        )
        answer = self._post(body)
        errors = wire.decode_partial_errors(answer.body) if answer.status >= 400 else {}
        if not errors:
            settle(answer, self.name)
        self._judge(errors)
        refused = tuple(
            Refusal(index=records[index][0], reason=reason)
            for index, (_, reason) in sorted(errors.items())
            if index < len(records)
        )
        return Receipt(taken=batch.count, refused=refused)

    def _post(self, body: bytes) -> Answer:
        """Send with a token; with another one if the first is not taken."""
        for _ in range(2):
            headers = {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self._identity.token()}",
            }
            answer = self.exchange.send(body, target="/v2/entries:write", headers=headers)
            if answer.status != 401:
                break
            self._identity.token.forget()
        return answer

    def _judge(self, errors: Mapping[int, tuple[int, str]]) -> None:
        """Raise if some of the entries may be written later."""
        for code, reason in errors.values():
            if code in _LATER:
                raise RetryError(f"{self.name}: an entry got code {code}: {reason}")
            if code in _DENIED:
                raise HoldError(
                    f"{self.name}: an entry got code {code}: {reason}; "
                    "give the account the role roles/logging.logWriter"
                )

    def close(self) -> None:
        """Close the connection."""
        self.exchange.close()
