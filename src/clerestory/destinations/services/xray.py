"""Sends spans to AWS X-Ray, as segment documents.

    spool -> courier -> [xray] ~~> PutTraceSegments, or UDP to an X-Ray daemon

Each span is a document of its own: a segment, or a subsegment that names its parent. Delivery is at
least once, and what comes twice is kept once, by its id.

Invariant: a document that X-Ray does not take costs no other; what it may take later comes again.
"""

from __future__ import annotations

import errno
import os
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import SplitResult, unquote

import msgspec

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits, Receipt, Refusal
from clerestory.model.errors import ConfigurationError, HoldError, RefusedError, RetryError
from clerestory.transport.answers import settle
from clerestory.transport.aws import AwsOptions, AwsService, error_code
from clerestory.transport.aws_errors import ELSEWHERE, FORBIDDEN, LATER, TOO_LARGE, WHO
from clerestory.transport.stream import Datagrams
from clerestory.wire.otlp.traces import is_span
from clerestory.wire.record import fields_of, hex_id
from clerestory.wire.xray import daemon
from clerestory.wire.xray.document import documents_of
from clerestory.wire.xray.fitting import DOCUMENT_BYTES_MAX, pieces, time_trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clerestory.delivery.port import Batch
    from clerestory.transport.exchange import Answer, Exchange

DOCUMENTS_MAX: Final = 50
_DATAGRAM_BYTES_MIN: Final = 2048
_PATH: Final = "/TraceSegments"
_TYPE: Final = "application/json"
_LATER_WORDS: Final = re.compile(
    "throttl|internal|unavailable|timeout|limit|toomany", re.IGNORECASE
)
_NO_SPAN: Final = "no_span: X-Ray takes spans alone; leave `log` out of kinds"
_NO_IDS: Final = "invalid_ids: the span has no trace id of 32 or span id of 16 hex digits"
# What a line may raise whose members are of other types than those of a span.
_UNREADABLE: Final = (TypeError, ValueError, LookupError, AttributeError, RecursionError)
_decode: Final = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True, kw_only=True)
class XrayConfig(DestinationConfig):
    """Options of the destination `xray`.

    Attributes:
        region: Such as `eu-central-1`; else AWS_REGION, AWS_DEFAULT_REGION, the profile's, the
            machine's.
        via: `api`: to AWS. `daemon`: by UDP to an X-Ray daemon, which never answers: what it does
            not take is lost, so that it should run on the same machine.
        daemon_address: `HOST:PORT` of the daemon; else AWS_XRAY_DAEMON_ADDRESS, else
            127.0.0.1:2000.
        check_trace_times: Whether a span is refused whose trace id does not begin with a time of
            the last 28 days: X-Ray would not show it under the time when it was. Ids as W3C has
            them are random and are taken by X-Ray only where Transaction Search is on.
        aws_access_key_id: Explicit credentials, with `aws_secret_access_key`; else those of the
            environment, the shared files, the container's or machine's role.
        aws_secret_access_key: See `aws_access_key_id`.
        aws_session_token: Of temporary explicit credentials.
        profile: Of the shared AWS files.
        endpoint_url: In place of AWS's own; else AWS_ENDPOINT_URL_XRAY, AWS_ENDPOINT_URL.
        credentials: In place of all these, an object of boto3's that has
            `get_frozen_credentials()`; for programs.
        compress: Whether bodies travel as gzip.
    """

    region: str | None = None
    via: Literal["api", "daemon"] = "api"
    daemon_address: str | None = None
    check_trace_times: bool = True
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = field(default=None, repr=False)
    aws_session_token: str | None = field(default=None, repr=False)
    profile: str | None = None
    endpoint_url: str | None = None
    credentials: Any = field(default=None, repr=False)
    compress: bool = True


@dataclass(frozen=True, slots=True)
class _Document:
    """One document, and the line that it is of."""

    index: int
    id: str
    content: bytes


@dataclass(slots=True)
class _Begun:
    """A batch of which X-Ray has a part; when it comes again that is not sent again."""

    key: tuple[str, int]
    settled: set[tuple[int, str]] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)


class Xray:
    """AWS X-Ray in one region, or a daemon that passes segments on to it.

    Args:
        config: Where and how to send.
        clock: Seconds since 1970, to tell what is too old.

    Raises:
        ConfigurationError: The daemon's address is none, or one half of the credentials is missing.
    """

    Config = XrayConfig
    adopts = True
    kinds = frozenset(("span",))
    limits = BatchLimits(lines=DOCUMENTS_MAX, size_bytes=4 * 1024 * 1024)

    def __init__(self, config: XrayConfig, *, clock: Callable[[], float] = time.time) -> None:
        if bool(config.aws_access_key_id) != bool(config.aws_secret_access_key):
            raise ConfigurationError(
                "xray: give both aws_access_key_id and aws_secret_access_key, or neither"
            )
        self._config = config
        self._clock = clock
        self._begun = _Begun(("", 0))
        self._service = AwsService("xray", "XRAY", AwsOptions.of(config, compress=config.compress))
        self._daemon: Datagrams | None = None
        self._datagram_bytes = daemon.DATAGRAM_BYTES_MAX
        where = (config.endpoint_url or "").partition("//")[2]
        if config.via == "daemon":
            told = config.daemon_address or os.environ.get(daemon.VARIABLE) or daemon.DEFAULT
            host, port = daemon.address_of(told).udp
            self._daemon = Datagrams(host, port)
            where = f"daemon-{host}_{port}"
        whole = "-".join(part for part in ("xray", where, config.region) if part)
        self.name = re.sub(r"[^A-Za-z0-9.-]+", "_", whole)[:120]

    @staticmethod
    def options(url: SplitResult) -> dict[str, Any]:
        """Return the options of `xray://REGION`, or of `xray+daemon://HOST:PORT`."""
        place = unquote(url.netloc)
        if url.scheme == "xray+daemon":
            return {"via": "daemon"} | ({"daemon_address": place} if place else {})
        return {"region": place} if place else {}

    def send(self, batch: Batch) -> Receipt:
        """Put the documents of the batch, but for those that X-Ray has."""
        begun = self._begun
        if begun.key != (batch.spool_id, batch.first):
            begun = self._begun = _Begun((batch.spool_id, batch.first))
        documents = [one for one in self._documents(batch, begun) if _key(one) not in begun.settled]
        if self._daemon is not None:
            self._send_datagrams(self._daemon, documents)
        else:
            for start in range(0, len(documents), DOCUMENTS_MAX):
                self._put(documents[start : start + DOCUMENTS_MAX], begun)
        self._begun = _Begun(("", 0))
        refused = (
            Refusal(index=index, reason=begun.refused[index]) for index in sorted(begun.refused)
        )
        return Receipt(taken=batch.count, refused=tuple(refused))

    def _documents(self, batch: Batch, begun: _Begun) -> Iterable[_Document]:
        bytes_max = DOCUMENT_BYTES_MAX
        if self._daemon is not None:
            bytes_max = self._datagram_bytes - len(daemon.HEADER)
        now_s = self._clock()
        for index, line in batch.records():
            reason, fields = self._checked(line, now_s)
            if reason:
                begun.refused[index] = reason
                continue
            try:
                documents = documents_of(fields, batch.resource)
                contents = [piece for one in documents for piece in pieces(one, bytes_max)]
            except _UNREADABLE as error:
                begun.refused[index] = f"unreadable: {type(error).__name__}: {error}"
                continue
            for content in contents:
                yield _Document(index, str(_decode(content)["id"]), content)

    def _checked(self, line: bytes, now_s: float) -> tuple[str, dict[str, Any]]:
        """Return why a line cannot be sent, and its members."""
        if not is_span(line):
            return _NO_SPAN, {}
        fields = fields_of(line)
        trace_id = hex_id(fields.get("trace_id"), 32)
        if not trace_id or not hex_id(fields.get("span_id"), 16) or not fields["timestamp"]:
            return _NO_IDS, {}
        _make_plain(fields)
        if not self._config.check_trace_times:
            return "", fields
        return time_trouble(trace_id, now_s), fields

    # -- to AWS -------------------------------------------------------------------------------

    def _put(self, documents: list[_Document], begun: _Begun) -> None:
        texts = [one.content.decode() for one in documents]
        body = msgspec.json.encode({"TraceSegmentDocuments": texts})
        answer = self._service.call("", body, _TYPE, path=_PATH)
        self._settle(answer)
        told = _unprocessed(answer)
        again = [code for _, code, _ in told if _LATER_WORDS.search(code)]
        reasons = {one: f"{code}: {text}" for one, code, text in told}
        if not reasons.keys() <= {one.id for one in documents}:
            # Of a document that it could not read X-Ray says no id: halves find it.
            raise RefusedError("X-Ray: PutTraceSegments: " + "; ".join(reasons.values())[:500])
        later = {one for one, code, _ in told if _LATER_WORDS.search(code)}
        for one in documents:
            if one.id in later:
                continue
            begun.settled.add(_key(one))
            if one.id in reasons:
                begun.refused[one.index] = reasons[one.id]
        if again:
            raise RetryError(f"X-Ray: {len(again)} segments were not processed: {again[0]}")

    def _settle(self, answer: Answer) -> None:
        """Return if the call succeeded, else raise what the courier should do."""
        code = error_code(answer)
        text = f"X-Ray: PutTraceSegments answered {answer.status} {code}: {answer.text()}"
        if answer.status >= 500 or answer.status == 429 or code in LATER:
            raise RetryError(text, wait_s=answer.retry_after_s())
        if code in FORBIDDEN:
            raise HoldError(f"{text}; allow xray:PutTraceSegments in the IAM policy")
        if code in WHO:
            raise HoldError(f"{text}; check the AWS credentials and the clock of this machine")
        if code in ELSEWHERE:
            raise HoldError(f"{text}; check endpoint_url: this is not X-Ray")
        if answer.status >= 400 and code and code not in TOO_LARGE:
            raise RefusedError(text)
        settle(answer, "X-Ray: PutTraceSegments")

    # -- to a daemon --------------------------------------------------------------------------

    def _send_datagrams(self, place: Datagrams, documents: list[_Document]) -> None:
        """Send each document by itself."""
        try:
            place.send([daemon.HEADER + one.content for one in documents])
        except RetryError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno == errno.EMSGSIZE:
                self._shrink(documents, error)
            raise

    def _shrink(self, documents: list[_Document], error: RetryError) -> None:
        """Make smaller documents next time: this machine sends no datagram as large as these."""
        longest = max(len(one.content) for one in documents) + len(daemon.HEADER)
        if longest <= _DATAGRAM_BYTES_MIN:
            raise RefusedError(f"X-Ray: {error}: {longest} bytes are too many") from error
        self._datagram_bytes = max(_DATAGRAM_BYTES_MIN, longest // 2)

    @property
    def exchange(self) -> Exchange | None:
        """The connection; see `AwsService`. None for a daemon, which is never asked."""
        return None if self._daemon is not None else self._service.exchange

    def close(self) -> None:
        """Close the connection."""
        self._service.close()
        if self._daemon is not None:
            self._daemon.close()


def _make_plain(fields: dict[str, Any]) -> None:
    """Let what a span has by itself be of its type; attributes may be of any."""
    for name in ("message", "span.kind", "span.status"):
        if type(fields.get(name)) is not str:
            fields[name] = "internal" if name == "span.kind" else ""
    parent = hex_id(fields.get("parent_span_id"), 16)
    fields["parent_span_id"] = parent
    fields["span_id"], fields["trace_id"] = fields["span_id"].lower(), fields["trace_id"].lower()
    if "duration_ns" in fields and type(fields["duration_ns"]) is not int:
        fields["duration_ns"] = 0


def _key(one: _Document) -> tuple[int, str]:
    return one.index, one.id


def _unprocessed(answer: Answer) -> list[tuple[str, str, str]]:
    """Return id, error code and message of each segment that X-Ray did not take.

    Raises:
        RetryError: The answer is none of X-Ray's.
    """
    try:
        told = _decode(answer.body or b"{}")
        listed = told.get("UnprocessedTraceSegments") or ()
        return [
            (
                str(one.get("Id") or ""),
                str(one.get("ErrorCode") or ""),
                str(one.get("Message") or ""),
            )
            for one in listed
        ]
    except (msgspec.DecodeError, AttributeError, TypeError) as error:
        raise RetryError(f"X-Ray: the answer is not understood: {answer.text()}") from error
