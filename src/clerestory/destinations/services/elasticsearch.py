"""Sends records to Elasticsearch or OpenSearch.

    spool -> courier -> [elasticsearch] ~~> POST /<stream>/_bulk

Both products take the same bytes. A record's identity is its document's `_id`: what is sent twice
is stored once.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, quote, unquote

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits, Receipt, Refusal
from clerestory.model.errors import ConfigurationError, HoldError, RetryError
from clerestory.transport.answers import settle
from clerestory.transport.exchange import Exchange
from clerestory.wire.services import elasticsearch as wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerestory.delivery.port import Batch

# Only what is read: an answer that lists every document whole may be larger than the request.
_QUERY: Final = "?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
_ACTS: Final = frozenset((401, 403, 404))


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticsearchConfig(DestinationConfig):
    """Options of the destination `elasticsearch`, which is also that for OpenSearch.

    Attributes:
        url: Address of a node or of the balancer before them.
        api_key: Sent as `Authorization: ApiKey`; encoded as the product shows it.
        username: With `password`, sent as `Authorization: Basic`.
        password: See `username`.
        data_stream: Where records go; empty for `logs-<service>-<environment>`.
        index: An index or alias that is no data stream, instead of `data_stream`.
        compress: Whether bodies travel as gzip.
        ca_file: Certificates to trust in place of the system's.
    """

    url: str
    api_key: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    data_stream: str = ""
    index: str = ""
    compress: bool = True
    ca_file: str = ""


class Elasticsearch:
    """A cluster of Elasticsearch or OpenSearch.

    Raises:
        ConfigurationError: The address is not http or https, or two options exclude each other.
    """

    Config = ElasticsearchConfig
    adopts = True
    limits = BatchLimits(lines=2_000, size_bytes=2 * 1024 * 1024)

    def __init__(self, config: ElasticsearchConfig) -> None:
        if config.data_stream and config.index:
            raise ConfigurationError("elasticsearch: give either data_stream or index, not both")
        self._config = config
        self.exchange = Exchange(
            config.url,
            timeout_s=config.timeout,
            connect_timeout_s=config.connect_timeout,
            ca_file=config.ca_file,
            compress=config.compress,
        )
        self._headers = {"Content-Type": "application/x-ndjson", **_authorization(config)}
        where = f"{self.exchange.host}_{self.exchange.port}{self.exchange.path}"
        target = config.data_stream or config.index
        place = f"{where}-{target}" if target else where
        self.name = "elasticsearch-" + re.sub(r"[^A-Za-z0-9.-]", "_", place)

    @staticmethod
    def options(url: SplitResult) -> dict[str, Any]:
        """Return the options that `elasticsearch://user:password@host:9200/stream` stands for.

        `elasticsearchs` and `opensearchs` speak TLS.
        """
        scheme = "https" if url.scheme.endswith("searchs") else "http"
        options: dict[str, Any] = {"url": f"{scheme}://{url.netloc.rpartition('@')[2]}"}
        if url.username is not None:
            options["username"] = unquote(url.username)
            options["password"] = unquote(url.password or "")
        if url.path.strip("/"):
            options["data_stream"] = unquote(url.path.strip("/"))
        return options

    def send(self, batch: Batch) -> Receipt:
        """Post the batch; documents that can never be stored are named in the receipt.

        Raises:
            RetryError: Some documents met a node in trouble; those that were stored are known.
            HoldError: The stream may not be written, or does not exist.
        """
        records = batch.records()
        if not records:
            return Receipt(taken=batch.count)
        body = wire.encode(
            [(batch.record_id(index), line) for index, line in records],
            batch.resource,
            action="index" if self._config.index else "create",
        )
        into = self._config.index or self._config.data_stream or wire.stream_of(batch.resource)
        target = f"/{quote(into, safe='')}/_bulk{_QUERY}"
        answer = self.exchange.send(body, target=target, headers=self._headers)
        settle(answer, self.name)
        try:
            failed = wire.decode_answer(answer.body)
        except ValueError as error:
            raise RetryError(f"{self.name}: {error}: {answer.text()}") from error
        self._judge(failed)
        refused = tuple(Refusal(index=records[one.index][0], reason=one.reason) for one in failed)
        return Receipt(taken=batch.count, refused=refused)

    def _judge(self, failed: Sequence[wire.Item]) -> None:
        """Raise if some of the documents may be stored later."""
        for one in failed:
            if one.status == 429 or one.status >= 500:
                raise RetryError(f"{self.name}: a document got {one.status}: {one.reason}")
            if one.status in _ACTS:
                raise HoldError(
                    f"{self.name}: a document got {one.status}: {one.reason}; check what the key "
                    "or user may do, and that the stream or index exists or may be created"
                )

    def close(self) -> None:
        """Close the connection."""
        self.exchange.close()


def _authorization(config: ElasticsearchConfig) -> dict[str, str]:
    if config.api_key and config.username:
        raise ConfigurationError(
            "elasticsearch: give either api_key or username and password, not both"
        )
    if config.api_key:
        return {"Authorization": f"ApiKey {config.api_key}"}
    if config.username:
        pair = f"{config.username}:{config.password}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    return {}
