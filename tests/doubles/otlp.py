"""A double of an OpenTelemetry receiver; with a key, of Honeycomb.

It reads requests with OpenTelemetry's own classes. What the specification and Honeycomb's
documents say: 415 for another content type, 400 with a google.rpc.Status for a body that is no
request, 401 with `{"error": "unknown API key ..."}` for a wrong key, 413 beyond 15 MB, 200 with an
ExportLogsServiceResponse.
"""

from typing import Any

from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.doubles.receiver import Receiver, Reply, Request

BYTES_MAX = 15 * 1000 * 1000
PROTOBUF = {"Content-Type": "application/x-protobuf"}


class OtlpReceiver(Receiver):
    """Takes logs and spans.

    Attributes:
        records: Every LogRecord that was kept.
        spans: Every Span that was kept, with the name of its scope.
        resources: The resource of every request, as a dict of texts and numbers.
        poison: A record whose message has this text makes the whole request a 400.
        unwanted: A record whose message has this text is refused in partial_success.
        key: What `x-honeycomb-team` must be; empty for none.
        path: Where it takes logs.
        traces_path: Where it takes spans.
        traces_reply: What it answers to spans instead of taking them.
    """

    def __init__(
        self,
        *,
        key: str = "",
        path: str = "/v1/logs",
        certificate: str = "",
        clients: str = "",
    ) -> None:
        self.records: list[Any] = []
        self.spans: list[tuple[str, Any]] = []
        self.resources: list[dict[str, Any]] = []
        self.poison = "poison"
        self.unwanted = ""
        self.key = key
        self.path = path
        self.traces_path = "/v1/traces"
        self.traces_reply: Reply | None = None
        super().__init__(certificate=certificate, clients=clients)

    def answer(self, request: Request) -> Reply:
        if request.method != "POST" or request.path not in {
            self.path,
            self.traces_path,
        }:
            return Reply(status=404, body=b"404 page not found")
        if self.key and request.headers.get("x-honeycomb-team") != self.key:
            return Reply(
                status=401,
                body=b'{"error":"unknown API key - check your credentials"}',
                headers={"Content-Type": "application/json"},
            )
        if request.headers.get("content-type") != "application/x-protobuf":
            return Reply(status=415, body=b"unsupported content type")
        if len(request.body) > BYTES_MAX:
            return _error(413, 8, "request body too large")
        if request.path == self.traces_path:
            return self.traces_reply or self._keep_spans(request.body)
        try:
            export = ExportLogsServiceRequest.FromString(request.body)
        except DecodeError:
            return _error(400, 3, "proto: cannot parse invalid wire-format data")
        return self._keep(export)

    def _keep_spans(self, body: bytes) -> Reply:
        try:
            export = ExportTraceServiceRequest.FromString(body)
        except DecodeError:
            return _error(400, 3, "proto: cannot parse invalid wire-format data")
        answer = ExportTraceServiceResponse()
        for group in export.resource_spans:
            self.resources.append({one.key: plain(one.value) for one in group.resource.attributes})
            for scope in group.scope_spans:
                for span in scope.spans:
                    if self.unwanted and self.unwanted in span.name:
                        answer.partial_success.rejected_spans += 1
                        answer.partial_success.error_message = "attributes are too long"
                        continue
                    self.spans.append((scope.scope.name, span))
                    # OpenTelemetry's own exporters give a span no such identity.
                    uid = attributes_of(span).get("log.record.uid", span.span_id.hex())
                    self.accepted.append(uid)
        return Reply(body=answer.SerializeToString(), headers=PROTOBUF)

    def _keep(self, export) -> Reply:
        found = [
            record
            for group in export.resource_logs
            for scope in group.scope_logs
            for record in scope.log_records
        ]
        if self.poison and any(self.poison in one.body.string_value for one in found):
            return _error(400, 3, "a record is not valid")
        refused = [one for one in found if self.unwanted and self.unwanted in one.body.string_value]
        for group in export.resource_logs:
            self.resources.append({one.key: plain(one.value) for one in group.resource.attributes})
        for record in found:
            if record not in refused:
                self.records.append(record)
                self.accepted.append(attributes_of(record)["log.record.uid"])
        answer = ExportLogsServiceResponse()
        if refused:
            answer.partial_success.rejected_log_records = len(refused)
            answer.partial_success.error_message = "attributes are too long"
        return Reply(body=answer.SerializeToString(), headers=PROTOBUF)


def plain(value):
    """Return the Python value of an AnyValue."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    held = getattr(value, kind)
    if kind == "array_value":
        return [plain(one) for one in held.values]
    if kind == "kvlist_value":
        return {one.key: plain(one.value) for one in held.values}
    return held


def attributes_of(record):
    """Return the attributes of a LogRecord, a Span or an Event as a dict."""
    return {one.key: plain(one.value) for one in record.attributes}


def _error(status: int, code: int, message: str) -> Reply:
    body = Status(code=code, message=message).SerializeToString()
    return Reply(status=status, body=body, headers=PROTOBUF)
