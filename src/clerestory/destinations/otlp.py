"""Sends records to any OpenTelemetry receiver, Honeycomb among them.

    spool -> courier -> [otlp] ~~> POST /v1/logs

OTLP over HTTP in protobuf: https://opentelemetry.io/docs/specs/otlp/. Without an address the
OTEL_EXPORTER_OTLP_* variables say where to send. Delivery is at least once: `log.record.uid`
tells a record that came twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import SplitResult, unquote

import msgspec

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits, Receipt
from clerestory.model.errors import ConfigurationError
from clerestory.transport.answers import settle
from clerestory.transport.exchange import Answer, Exchange
from clerestory.wire import otlp

if TYPE_CHECKING:
    from clerestory.delivery.port import Batch

_PATH: Final = "/v1/logs"
_DEFAULT: Final = "http://localhost:4318"
_HONEYCOMB: Final = "api.honeycomb.io"
_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpConfig(DestinationConfig):
    """Options of the destination `otlp`.

    The OTEL_EXPORTER_OTLP_* variables of the environment are read when neither `endpoint` nor
    `logs_endpoint` is given: keys meant for one receiver never go to another.

    Attributes:
        endpoint: Address of the receiver; `/v1/logs` is added to its path.
        logs_endpoint: Address for logs as it is, nothing is added; instead of `endpoint`.
        headers: Further headers, such as keys.
        dataset: Sent as `x-honeycomb-dataset`; Honeycomb wants it with classic keys.
        compression: `gzip` or `none`.
        ca_file: Certificates to trust in place of the system's.
    """

    endpoint: str = ""
    logs_endpoint: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    dataset: str = ""
    compression: Literal["gzip", "none"] = "gzip"
    ca_file: str = ""


class Otlp:
    """An OpenTelemetry receiver.

    Args:
        config: Where and how to send.
        environment: Where OTEL_EXPORTER_OTLP_* are looked up; None for the process's own.

    Raises:
        ConfigurationError: An address is not http or https, or a variable is not understood.
    """

    Config = OtlpConfig
    adopts = True
    limits = BatchLimits()

    def __init__(self, config: OtlpConfig, *, environment: Mapping[str, str] | None = None) -> None:
        if not config.endpoint and not config.logs_endpoint:
            config = from_environment(config, os.environ if environment is None else environment)
        self._config = config
        self.exchange = Exchange(
            config.logs_endpoint or f"{config.endpoint.rstrip('/')}{_PATH}",
            timeout_s=config.timeout,
            connect_timeout_s=config.connect_timeout,
            ca_file=config.ca_file,
            compress=config.compression == "gzip",
        )
        self._headers = {"Content-Type": "application/x-protobuf", **config.headers}
        if config.dataset:
            self._headers["x-honeycomb-dataset"] = config.dataset
        where = f"{self.exchange.host}_{self.exchange.port}{self.exchange.path}"
        self.name = "otlp-" + re.sub(r"[^A-Za-z0-9.-]", "_", where.removesuffix(_PATH))

    @staticmethod
    def options(url: SplitResult) -> dict[str, Any]:
        """Return the options that `otlp://host:4318` or `honeycomb://KEY@host` stands for."""
        host = url.netloc.rpartition("@")[2]
        if url.scheme == "honeycomb":
            return _honeycomb(url, host or _HONEYCOMB)
        if not host:
            return {}
        scheme = "https" if url.scheme == "otlps" else "http"
        return {"endpoint": f"{scheme}://{host}{url.path}"}

    def send(self, batch: Batch) -> Receipt:
        """Post the batch; what the receiver says that it refuses is counted, not sent again."""
        records = batch.records()
        if not records:
            return Receipt(taken=batch.count)
        body = otlp.encode(
            [(batch.record_id(index), line) for index, line in records], batch.resource
        )
        answer = self.exchange.send(body, headers=self._headers)
        if answer.status >= 400:
            answer = _readable(answer)
        settle(answer, self.name)
        lost, detail = _partial_success(answer)
        return Receipt(taken=batch.count, lost=min(lost, len(records)), detail=detail)

    def close(self) -> None:
        """Close the connection."""
        self.exchange.close()


def _honeycomb(url: SplitResult, host: str) -> dict[str, Any]:
    headers = {"x-honeycomb-team": unquote(url.username or "")}
    if not headers["x-honeycomb-team"]:
        raise ConfigurationError(
            "honeycomb: the address holds no key: write honeycomb://KEY@api.honeycomb.io"
        )
    return {"endpoint": f"https://{host}{url.path}", "headers": headers}


def from_environment(config: OtlpConfig, environment: Mapping[str, str]) -> OtlpConfig:
    """Return the options completed by the OTEL_EXPORTER_OTLP_* variables.

    A variable for logs goes before the one for all signals; an option that was given goes before
    both. https://opentelemetry.io/docs/specs/otel/protocol/exporter/

    Raises:
        ConfigurationError: A variable asks for what is not spoken, or is not understood.
    """

    def found(name: str) -> str:
        for signal in ("LOGS_", ""):
            value = environment.get(f"OTEL_EXPORTER_OTLP_{signal}{name}", "").strip()
            if value:
                return value
        return ""

    protocol = found("PROTOCOL") or "http/protobuf"
    if protocol != "http/protobuf":
        raise ConfigurationError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}: only http/protobuf is sent; set it to "
            "that, with the receiver's HTTP port, usually 4318"
        )
    compression = found("COMPRESSION") or config.compression
    if compression not in {"gzip", "none"}:
        raise ConfigurationError(
            f"OTEL_EXPORTER_OTLP_COMPRESSION is {compression!r}: expected gzip or none"
        )
    for_logs = environment.get("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "").strip()
    for_all = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    return replace(
        config,
        endpoint=for_all or _DEFAULT,
        logs_endpoint=for_logs,
        headers={**_headers(found("HEADERS")), **config.headers},
        compression="gzip" if compression == "gzip" else "none",
        ca_file=config.ca_file or found("CERTIFICATE"),
        timeout=_timeout_s(found("TIMEOUT"), config.timeout),
    )


def _headers(text: str) -> dict[str, str]:
    """Return the headers of `k=v,k2=v2`; values are percent-encoded.

    >>> _headers("api-key=a%20b, x=1=2")
    {'api-key': 'a b', 'x': '1=2'}
    """
    headers = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ConfigurationError(
                "OTEL_EXPORTER_OTLP_HEADERS is not understood: expected name=value,name=value "
                "with values percent-encoded"
            )
        headers[unquote(name.strip()).lower()] = unquote(value.strip())
    return headers


def _timeout_s(text: str, given_s: float) -> float:
    if not text or given_s != _TIMEOUT_S:
        return given_s
    if not text.isdigit() or not int(text):
        raise ConfigurationError(
            f"OTEL_EXPORTER_OTLP_TIMEOUT is {text!r}: expected milliseconds, such as 10000"
        )
    return int(text) / 1000


def _readable(answer: Answer) -> Answer:
    """Return the answer with its message in place of the protobuf around it."""
    if "protobuf" not in answer.headers.get("content-type", ""):
        return answer
    try:
        return replace(answer, body=otlp.decode_status(answer.body).encode())
    except ValueError:
        return answer


def _partial_success(answer: Answer) -> tuple[int, str]:
    """Return how many records were refused, and why; an answer in another form says nothing."""
    try:
        if "json" in answer.headers.get("content-type", ""):
            said = msgspec.json.decode(answer.body)["partialSuccess"]
            return int(said.get("rejectedLogRecords", 0)), str(said.get("errorMessage", ""))
        return otlp.decode_response(answer.body)
    except (ValueError, LookupError, TypeError, AttributeError, msgspec.DecodeError):
        return 0, ""
