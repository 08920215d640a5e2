"""OTLP logs: check a request's frame, and decode what the engine cannot.

    OpenTelemetry SDK ~~> [otlp] -> store

The engine decodes requests in protobuf whose values are scalars. A request in JSON, or with lists
or maps as values, is decoded here into our own lines. Wire format:
https://opentelemetry.io/docs/specs/otlp/ and opentelemetry/proto/logs/v1/logs.proto.

Invariant: both ways give the same rows.
"""

import base64
import binascii
import math
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import msgspec

from clerestory.model.errors import LimitError
from clerestory.model.severity import from_otel
from clerestory.server.ingest.records import clean_lines
from clerestory.server.store.batch import Batch, Kind

DEPTH_MAX: Final = 64
INT64: Final = 2**63

_PROTO_KINDS: Final = {
    "string": 9, "bool": 8, "int64": 3, "double": 1, "bytes": 12, "fixed64": 6, "uint32": 13,
    "int32": 5,
}  # fmt: skip
VALUE_MESSAGES: Final = {
    "KeyValue": [("key", 1, "string"), ("value", 2, "AnyValue")],
    "AnyValue": [
        ("string_value", 1, "string"),
        ("bool_value", 2, "bool"),
        ("int_value", 3, "int64"),
        ("double_value", 4, "double"),
        ("array_value", 5, "ArrayValue"),
        ("kvlist_value", 6, "KeyValueList"),
        ("bytes_value", 7, "bytes"),
    ],
    "ArrayValue": [("values", 1, "*AnyValue")],
    "KeyValueList": [("values", 1, "*KeyValue")],
}
_MESSAGES: Final = {
    "Request": [("resource_logs", 1, "*ResourceLogs")],
    "ResourceLogs": [("resource", 1, "Resource"), ("scope_logs", 2, "*ScopeLogs")],
    "Resource": [("attributes", 1, "*KeyValue")],
    "ScopeLogs": [("scope", 1, "Scope"), ("log_records", 2, "*LogRecord")],
    "Scope": [("name", 1, "string")],
    "LogRecord": [
        ("time_unix_nano", 1, "fixed64"),
        ("severity_number", 2, "uint32"),
        ("body", 5, "AnyValue"),
        ("attributes", 6, "*KeyValue"),
        ("trace_id", 9, "bytes"),
        ("span_id", 10, "bytes"),
        ("observed_time_unix_nano", 11, "fixed64"),
        ("event_name", 12, "string"),
    ],
    **VALUE_MESSAGES,
}


def check_frame(body: bytes) -> None:
    """See that a protobuf request ends where its parts end.

    Requests are decoded several in a row; one that is cut off would swallow its neighbour.

    Raises:
        LimitError: It does not (`bad_protobuf`, 400).
    """
    parts_of(body)


def parts_of(body: bytes, what: str = "ExportLogsServiceRequest") -> list[tuple[int, int, int]]:
    """Return where each part of a request begins, where its content begins, and where it ends.

    Raises:
        LimitError: The request does not end where its parts end (`bad_protobuf`, 400).
    """
    parts: list[tuple[int, int, int]] = []
    end = 0
    while end < len(body):
        start = end
        tag, place = varint_at(body, start, what)
        if tag != 0x0A:
            raise bad_protobuf(f"unexpected field tag {tag} at byte {place}", what)
        length, place = varint_at(body, place, what)
        end = place + length
        parts.append((start, place, end))
    if end != len(body):
        raise bad_protobuf("it is cut off", what)
    return parts


def varint_at(body: bytes, position: int, what: str) -> tuple[int, int]:
    """Return the number at a place, and where it ends.

    Raises:
        LimitError: There is none.
    """
    number = 0
    for shift in range(0, 70, 7):
        if position >= len(body):
            raise bad_protobuf("it is cut off", what)
        byte = body[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
    raise bad_protobuf(f"a number at byte {position} is too long", what)


def bad_protobuf(why: str, what: str = "ExportLogsServiceRequest") -> LimitError:
    """Return the refusal of a body that is no such request."""
    message = f"the body is no {what}: {why}"
    return LimitError(message, code="bad_protobuf", status=400)


def protobuf_batch(body: bytes) -> Batch:
    """Return the batch of a request in protobuf.

    Raises:
        LimitError: The body is cut off or no such request.
    """
    check_frame(body)
    return Batch(kind=Kind.OTLP, body=body, lines_of=lines_of_protobuf)


def json_batches(body: bytes) -> list[Batch]:
    """Return the batches of a request in OTLP/JSON, one a resource.

    Raises:
        LimitError: The body is no such request (`bad_json`, 400).
    """
    try:
        request = msgspec.json.decode(clean_lines(body))
        found = _request_lines(JsonReader(), request if isinstance(request, dict) else None)
    except (
        msgspec.DecodeError, ValueError, TypeError, AttributeError, RecursionError, binascii.Error
    ) as error:  # fmt: skip
        message = f"the body is no OTLP/JSON logs request: {error or type(error).__name__}"
        raise LimitError(message[:500], code="bad_json", status=400) from error
    return [Batch(kind=Kind.RECORDS, body=lines, resource=resource) for resource, lines in found]


def lines_of_protobuf(body: bytes) -> list[tuple[bytes, bytes]]:
    """Return `(resource JSON, lines)` for each resource of a request in protobuf.

    Raises:
        LimitError: The body is no such request.
    """
    from google.protobuf.message import DecodeError

    try:
        request = _logs_request_class().FromString(body)
        return _request_lines(ProtoReader(), request)
    except (DecodeError, RecursionError) as error:
        raise bad_protobuf(str(error)[:300]) from error


@cache
def _logs_request_class() -> Any:
    return message_class("logs", _MESSAGES)


def message_class(package: str, messages: Mapping[str, list[tuple[str, int, str]]]) -> Any:
    """Return the class of the message `Request`.

    Args:
        package: Name that no other set of messages has.
        messages: `(member, number, type)` of every message; a type with `*` is repeated.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name=f"clerestory_{package}.proto", package=f"clerestory.{package}", syntax="proto3"
    )
    for name, members in messages.items():
        message = file.message_type.add(name=name)
        if name == "AnyValue":
            message.oneof_decl.add(name="value")
        for member, number, kind in members:
            field: Any = message.field.add(name=member, number=number)
            field.label = 3 if kind.startswith("*") else 1
            field.type = _PROTO_KINDS.get(kind, 11)
            if field.type == 11:
                field.type_name = f".clerestory.{package}." + kind.lstrip("*")
            if name == "AnyValue":
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"clerestory.{package}.Request")
    )


class ProtoReader:
    """Reads the members of protobuf messages."""

    def get(self, message: Any, name: str) -> Any:
        """Return a member."""
        return getattr(message, name)

    def time(self, message: Any, name: str) -> int:
        """Return a member that is nanoseconds."""
        return int(getattr(message, name))

    def hexadecimal(self, message: Any, name: str) -> str:
        """Return a member that is an id, in hex."""
        return str(getattr(message, name).hex())

    def value(self, message: Any, depth: int = 0) -> Any:
        """Return an AnyValue as Python has it."""
        kind = message.WhichOneof("value")
        if kind is None:
            return None
        held = getattr(message, kind)
        if kind == "array_value":
            return [self.value(one, depth + 1) for one in held.values]
        if kind == "kvlist_value":
            return {one.key: self.value(one.value, depth + 1) for one in held.values}
        if kind == "bytes_value":
            return base64.b64encode(held).decode()
        return _finite(held) if kind == "double_value" else held


_ABSENT_IN_JSON: Final[dict[str, Any]] = {
    **dict.fromkeys(("resource_logs", "scope_logs", "log_records", "attributes"), ()),
    **dict.fromkeys(("resource_spans", "scope_spans", "spans", "events", "links"), ()),
    **{name: {} for name in ("resource", "scope", "status")},
    "severity_number": 0,
}


class JsonReader:
    """Reads the members of OTLP/JSON objects: lowerCamelCase, 64-bit numbers as text."""

    def get(self, message: Any, name: str) -> Any:
        """Return a member."""
        head, *rest = name.split("_")
        found = None if message is None else message.get(head + "".join(p.title() for p in rest))
        if found is not None:
            return found
        return _ABSENT_IN_JSON.get(name, "")

    def time(self, message: Any, name: str) -> int:
        """Return a member that is nanoseconds."""
        return int(self.get(message, name) or 0)

    def hexadecimal(self, message: Any, name: str) -> str:
        """Return a member that is an id, in hex."""
        text = self.get(message, name)
        return bytes.fromhex(text).hex()

    def value(self, message: Any, depth: int = 0) -> Any:
        """Return an AnyValue as Python has it."""
        if depth > DEPTH_MAX:
            raise ValueError(f"a value is nested deeper than {DEPTH_MAX}")
        for kind, held in (message or {}).items():
            if held is None:
                continue
            if kind == "intValue":
                return _int64(int(held))
            if kind == "doubleValue":
                return _finite(float(held))
            if kind == "arrayValue":
                return [self.value(one, depth + 1) for one in held.get("values") or []]
            if kind == "kvlistValue":
                pairs = held.get("values") or []
                return {
                    str(one.get("key") or ""): self.value(one.get("value"), depth + 1)
                    for one in pairs
                }
            if kind == "bytesValue":
                return base64.b64encode(base64.b64decode(held, validate=True)).decode()
            if kind == "stringValue" and isinstance(held, str):
                return held
            if kind == "boolValue" and isinstance(held, bool):
                return held
            raise ValueError(f"{kind[:40]} is not a value")
        return None


def _int64(number: int) -> int:
    if not -INT64 <= number < INT64:
        raise ValueError(f"{number} is no 64-bit number")
    return number


def _finite(number: float) -> float | str:
    if math.isfinite(number):
        return number
    return "nan" if math.isnan(number) else "inf" if number > 0 else "-inf"


def _request_lines(read: "ProtoReader | JsonReader", request: Any) -> list[tuple[bytes, bytes]]:
    if request is None:
        raise ValueError("it is not an object")
    found: list[tuple[bytes, bytes]] = []
    for group in read.get(request, "resource_logs"):
        resource = _attributes(read, read.get(group, "resource"))
        resource.setdefault("service.name", "unknown_service")
        lines = [
            msgspec.json.encode(
                _line(read, record, str(read.get(read.get(scope, "scope"), "name")))
            )
            for scope in read.get(group, "scope_logs")
            for record in read.get(scope, "log_records")
        ]
        found.append((msgspec.json.encode(resource), b"\n".join(lines)))
    return found


def _attributes(read: "ProtoReader | JsonReader", message: Any) -> dict[str, Any]:
    pairs = read.get(message, "attributes")
    return {str(read.get(one, "key")): read.value(read.get(one, "value")) for one in pairs}


def _line(read: "ProtoReader | JsonReader", record: Any, scope: str) -> dict[str, Any]:
    attributes = _attributes(read, record)
    event = read.get(record, "event_name")
    if event:
        attributes["event.name"] = event
    body = read.value(read.get(record, "body"))
    own: dict[str, Any] = {
        "level": from_otel(_severity(int(read.get(record, "severity_number") or 0))),
        "logger": scope,
        "message": "" if body is None else body,
        "trace_id": read.hexadecimal(record, "trace_id"),
        "span_id": read.hexadecimal(record, "span_id"),
    }
    at = read.time(record, "time_unix_nano") or read.time(record, "observed_time_unix_nano")
    if at:
        own["timestamp"] = at
    clashing = {f"attributes.{name}": attributes.pop(name) for name in OWN & attributes.keys()}
    return own | attributes | clashing


def _severity(number: int) -> int:
    return min(max(number, 0), 24)


OWN: Final = frozenset({"timestamp", "level", "logger", "message", "trace_id", "span_id"})
