"""Sends records to any OpenTelemetry receiver, Honeycomb among them.

    spool -> courier -> [otlp] ~~> POST /v1/logs, POST /v1/traces

OTLP over HTTP in protobuf: https://opentelemetry.io/docs/specs/otlp/. Without an address the
OTEL_EXPORTER_OTLP_* variables say where to send. Delivery is at least once: `log.record.uid`
tells a record that came twice.

Invariant: logs that a receiver took are not sent again because the spans of their batch failed.
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
from clerestory.delivery.port import BatchLimits, Receipt, Refusal
from clerestory.model.errors import ConfigurationError, HoldError
from clerestory.transport.answers import settle
from clerestory.transport.aws import (
    AwsOptions,
    CredentialChain,
    SignedExchange,
    endpoint_of,
    error_code,
    named_region,
    region_in,
)
from clerestory.transport.aws_errors import FORBIDDEN, WHO
from clerestory.transport.exchange import Answer, Exchange
from clerestory.transport.sigv4 import Scope
from clerestory.wire.otlp import export
from clerestory.wire.otlp.encoder import Encoder, is_ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerestory.delivery.port import Batch
    from clerestory.wire.otlp.export import Export

_PATHS: Final = {"LOGS": "/v1/logs", "TRACES": "/v1/traces"}
_DEFAULT: Final = "http://localhost:4318"
_HONEYCOMB: Final = "api.honeycomb.io"
_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpConfig(DestinationConfig):
    """Options of the destination `otlp`.

    The OTEL_EXPORTER_OTLP_* variables of the environment are read when no address is given: keys
    meant for one receiver never go to another.

    Attributes:
        endpoint: Address of the receiver; `/v1/logs` and `/v1/traces` are added to its path.
        logs_endpoint: Address for logs as it is, nothing is added; instead of `endpoint`. Given
            alone, spans go nowhere.
        traces_endpoint: Address for spans as it is, nothing is added; instead of `endpoint`.
        headers: Further headers, such as keys.
        dataset: Sent as `x-honeycomb-dataset`; Honeycomb wants it with classic keys.
        compression: `gzip` or `none`.
        ca_file: Certificates to trust in place of the system's.
        client_certificate: File of the certificate that says who we are, in PEM.
        client_key: File of its key; without one it is in the same file.
        sign: `xray` or `logs`: requests are signed for AWS, by the credentials of the environment,
            the shared files, the container's or machine's role. Without an address spans go to
            X-Ray, or logs to CloudWatch Logs, in `region`; the latter wants the headers
            x-aws-log-group and x-aws-log-stream.
        region: Of AWS, such as `eu-central-1`; else that of the address, AWS_REGION,
            AWS_DEFAULT_REGION.
        profile: Of the shared AWS files.
    """

    endpoint: str = ""
    logs_endpoint: str = ""
    traces_endpoint: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    dataset: str = ""
    compression: Literal["gzip", "none"] = "gzip"
    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""
    sign: Literal["none", "xray", "logs"] = "none"
    region: str = ""
    profile: str = ""


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
        given = os.environ if environment is None else environment
        config = _at_aws(config)
        self._config = config
        self._logs = _signal(config, given, "LOGS")
        self._traces = _signal(config, given, "TRACES")
        self.kinds = frozenset(
            kind for kind, signal in (("log", self._logs), ("span", self._traces)) if signal
        )
        first = self._logs or self._traces
        assert first is not None
        self.exchange = first.exchange
        where = f"{self.exchange.host}_{self.exchange.port}{self.exchange.path}"
        path = _PATHS["LOGS" if self._logs else "TRACES"]
        self.name = "otlp-" + re.sub(r"[^A-Za-z0-9.-]", "_", where.removesuffix(path))
        self._encoder = Encoder()
        # Spool, and number of its first line whose log record may not have been taken.
        self._untaken = ("", 0)

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
        spool, number = self._untaken
        start = number - batch.first if spool == batch.spool_id else 0
        logs, spans = self._encoder.encode(batch, start)
        lost, details = self._send_logs(batch, logs)
        refused, more_lost, more_details = self._send_spans(batch, spans)
        return Receipt(
            taken=batch.count,
            refused=refused,
            lost=lost + more_lost,
            detail="; ".join(filter(None, (details, more_details))),
        )

    def _send_logs(self, batch: Batch, made: Export) -> tuple[int, str]:
        """Post the log records that were not taken yet; return how many were lost, and why."""
        if self._logs is None or not made.count:
            return 0, ""
        answer = self._logs.send(made.body, self.name)
        self._untaken = (batch.spool_id, batch.first + batch.count)
        lost, detail = _partial_success(answer, "rejectedLogRecords")
        return min(lost, made.count), detail

    def _send_spans(self, batch: Batch, made: Export) -> tuple[tuple[Refusal, ...], int, str]:
        """Post the spans that have ended; return what was refused or lost, and why."""
        if self._traces is None or not made.count:
            return (), 0, ""
        try:
            answer = self._traces.send(made.body, self.name)
        except HoldError as error:
            if not self._traces.is_guessed or not _is_missing(error):
                raise
            # A receiver of logs alone: its logs must not wait for spans that it never takes.
            reason = f"{error}; set traces_endpoint, or kinds to log"
            ended = (index for index, line in batch.records() if is_ended(line))
            return tuple(Refusal(index=index, reason=reason) for index in ended), 0, ""
        lost, detail = _partial_success(answer, "rejectedSpans")
        return (), min(lost, made.count), detail

    def close(self) -> None:
        """Close the connections."""
        for signal in (self._logs, self._traces):
            if signal is not None:
                signal.exchange.close()


class _Signal:
    """Where logs or spans are posted.

    Args:
        url: Address.
        config: How to send.
        is_guessed: Whether the address is that of the receiver with the usual path.
    """

    def __init__(self, url: str, config: OtlpConfig, *, is_guessed: bool) -> None:
        self.exchange = Exchange(
            url,
            timeout_s=config.timeout,
            connect_timeout_s=config.connect_timeout,
            ca_file=config.ca_file,
            client=(config.client_certificate, config.client_key),
            compress=config.compression == "gzip",
        )
        self._send: Callable[..., Answer] = self.exchange.send
        self._signed = config.sign != "none"
        if self._signed:
            scope = Scope(region=_region(config, url), service=config.sign)
            credentials = CredentialChain(AwsOptions(profile=config.profile))
            self._send = SignedExchange(self.exchange, scope, credentials).send
        self.is_guessed = is_guessed
        self._headers = {"Content-Type": "application/x-protobuf", **config.headers}
        if config.dataset:
            self._headers["x-honeycomb-dataset"] = config.dataset

    def send(self, body: bytes, who: str) -> Answer:
        """Post a body and return the answer of a receiver that took it; raise as `settle` does."""
        answer = self._send(body, headers=self._headers)
        if answer.status >= 400:
            if self._signed and error_code(answer) in WHO | FORBIDDEN:
                raise HoldError(
                    f"{who} answered {answer.status}: {answer.text()}; check the AWS credentials, "
                    "the clock of this machine and the IAM policy"
                )
            answer = _readable(answer)
        settle(answer, who)
        return answer


def _at_aws(config: OtlpConfig) -> OtlpConfig:
    """Return the options with the address of AWS, if they ask for AWS and name none.

    Raises:
        ConfigurationError: Nothing says in which region.
    """
    named = config.endpoint or config.logs_endpoint or config.traces_endpoint
    if config.sign == "none" or named:
        return config
    url = endpoint_of(config.sign, _region(config))
    if config.sign == "xray":
        return replace(config, traces_endpoint=f"{url}{_PATHS['TRACES']}")
    return replace(config, logs_endpoint=f"{url}{_PATHS['LOGS']}")


def _region(config: OtlpConfig, url: str = "") -> str:
    found = config.region or region_in(url) or named_region(AwsOptions())
    if not found:
        raise ConfigurationError(
            f"otlp: sign {config.sign} needs a region: give region, or set AWS_REGION, such as "
            "eu-central-1"
        )
    return found


def _signal(config: OtlpConfig, environment: Mapping[str, str], name: str) -> _Signal | None:
    """Return where the records of a signal are posted; None if only the other has an address."""
    if not config.endpoint and not config.logs_endpoint and not config.traces_endpoint:
        config = from_environment(config, environment, name)
    own = config.logs_endpoint if name == "LOGS" else config.traces_endpoint
    if own:
        return _Signal(own, config, is_guessed=False)
    if not config.endpoint:
        return None
    return _Signal(f"{config.endpoint.rstrip('/')}{_PATHS[name]}", config, is_guessed=True)


def _is_missing(error: HoldError) -> bool:
    """Say whether a receiver has no such path."""
    return re.search(r" answered 40[45]\b", str(error)) is not None


def _honeycomb(url: SplitResult, host: str) -> dict[str, Any]:
    headers = {"x-honeycomb-team": unquote(url.username or "")}
    if not headers["x-honeycomb-team"]:
        raise ConfigurationError(
            "honeycomb: the address holds no key: write honeycomb://KEY@api.honeycomb.io"
        )
    return {"endpoint": f"https://{host}{url.path}", "headers": headers}


def from_environment(
    config: OtlpConfig, environment: Mapping[str, str], name: str = "LOGS"
) -> OtlpConfig:
    """Return the options completed by the OTEL_EXPORTER_OTLP_* variables.

    A variable for the signal goes before the one for all signals; an option that was given goes
    before both. https://opentelemetry.io/docs/specs/otel/protocol/exporter/

    Args:
        config: The options.
        environment: Where the variables are.
        name: `LOGS` or `TRACES`.

    Raises:
        ConfigurationError: A variable asks for what is not spoken, or is not understood.
    """

    def found(what: str) -> str:
        for signal in (f"{name}_", ""):
            value = environment.get(f"OTEL_EXPORTER_OTLP_{signal}{what}", "").strip()
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
    for_signal = environment.get(f"OTEL_EXPORTER_OTLP_{name}_ENDPOINT", "").strip()
    for_all = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    return replace(
        config,
        endpoint=for_all or _DEFAULT,
        logs_endpoint=for_signal if name == "LOGS" else "",
        traces_endpoint=for_signal if name == "TRACES" else "",
        headers={**_headers(found("HEADERS")), **config.headers},
        compression="gzip" if compression == "gzip" else "none",
        ca_file=config.ca_file or found("CERTIFICATE"),
        client_certificate=config.client_certificate or found("CLIENT_CERTIFICATE"),
        client_key=config.client_key or found("CLIENT_KEY"),
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
        return replace(answer, body=export.decode_status(answer.body).encode())
    except ValueError:
        return answer


def _partial_success(answer: Answer, name: str) -> tuple[int, str]:
    """Return how many records were refused, and why; an answer in another form says nothing."""
    try:
        if "json" in answer.headers.get("content-type", ""):
            said = msgspec.json.decode(answer.body)["partialSuccess"]
            return int(said.get(name, 0)), str(said.get("errorMessage", ""))
        return export.decode_response(answer.body)
    except (ValueError, LookupError, TypeError, AttributeError, msgspec.DecodeError):
        return 0, ""
