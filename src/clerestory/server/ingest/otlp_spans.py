"""OTLP traces: check a request's frame, and make plain what the engine cannot decode.

    OpenTelemetry SDK ~~> [otlp_spans] -> store

The engine decodes requests in protobuf whose values are scalars. In a request with lists or maps
they become JSON text (`raw_json`, see store/spans), and a request in JSON becomes protobuf, so all
are decoded by the same expressions. Wire format: https://opentelemetry.io/docs/specs/otlp/ and
opentelemetry/proto/trace/v1/trace.proto.

Invariant: whichever way a request takes, its rows are the same.
"""

import binascii
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

import msgspec

from clerestory.model.errors import LimitError
from clerestory.server.ingest.otlp import (
    VALUE_MESSAGES,
    JsonReader,
    ProtoReader,
    bad_protobuf,
    message_class,
    parts_of,
    varint_at,
)
from clerestory.server.ingest.records import clean_lines
from clerestory.server.store.batch import Batch, Kind
from clerestory.server.store.spans import RAW_JSON_FIELD
from clerestory.wire.protobuf import varint

REQUEST: Final = "ExportTraceServiceRequest"
KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
CODES: Final = ("UNSET", "OK", "ERROR")

_MESSAGES: Final = {
    "Request": [("resource_spans", 1, "*ResourceSpans")],
    "ResourceSpans": [("resource", 1, "Resource"), ("scope_spans", 2, "*ScopeSpans")],
    "Resource": [("attributes", 1, "*KeyValue")],
    "ScopeSpans": [("scope", 1, "Scope"), ("spans", 2, "*Span")],
    "Scope": [("name", 1, "string")],
    "Span": [
        ("trace_id", 1, "bytes"),
        ("span_id", 2, "bytes"),
        ("trace_state", 3, "string"),
        ("parent_span_id", 4, "bytes"),
        ("name", 5, "string"),
        ("kind", 6, "int32"),
        ("start_time_unix_nano", 7, "fixed64"),
        ("end_time_unix_nano", 8, "fixed64"),
        ("attributes", 9, "*KeyValue"),
        ("dropped_attributes_count", 10, "uint32"),
        ("events", 11, "*Event"),
        ("dropped_events_count", 12, "uint32"),
        ("links", 13, "*Link"),
        ("dropped_links_count", 14, "uint32"),
        ("status", 15, "Status"),
    ],
    "Event": [
        ("time_unix_nano", 1, "fixed64"),
        ("name", 2, "string"),
        ("attributes", 3, "*KeyValue"),
    ],
    "Link": [
        ("trace_id", 1, "bytes"),
        ("span_id", 2, "bytes"),
        ("trace_state", 3, "string"),
        ("attributes", 4, "*KeyValue"),
    ],
    "Status": [("message", 2, "string"), ("code", 3, "int32")],
    **VALUE_MESSAGES,
    "AnyValue": [*VALUE_MESSAGES["AnyValue"], ("raw_json", RAW_JSON_FIELD, "string")],
}
_NOT_PLAIN: Final = ("array_value", "kvlist_value", "bytes_value")
_NOT_PLAIN_TAGS: Final = (b"\x2a", b"\x32", b"\x3a")  # of their fields, in an AnyValue
_encode = msgspec.json.encode


@cache
def _request_class() -> Any:
    return message_class("traces", _MESSAGES)


def protobuf_batch(body: bytes) -> Batch:
    """Return the batch of a request in protobuf.

    Raises:
        LimitError: The body is cut off or no such request.
    """
    pieces: list[bytes] = []
    done = 0
    for start, content, end in parts_of(body, REQUEST):
        plain = _with_plain_resource(body[content:end])
        if plain is not None:
            pieces += [body[done:start], b"\x0a", varint(len(plain)), plain]
            done = end
    if pieces:
        body = b"".join([*pieces, body[done:]])
    return Batch(kind=Kind.SPANS, body=body, plain_of=plain_of)


def _with_plain_resource(part: bytes) -> bytes | None:
    """Return a resource's spans with its lists and maps as JSON; None if it has none.

    Resources are few, and many programs tell their command line as a list; so every request of
    theirs is spared the way of `plain_of`.
    """
    if part[:1] != b"\x0a":
        return None
    length, begin = varint_at(part, 1, REQUEST)
    told = part[begin : begin + length]
    if not any(tag in told for tag in _NOT_PLAIN_TAGS):
        return None
    from google.protobuf.message import DecodeError

    try:
        resource = type(_request_class()().resource_spans.add().resource).FromString(told)
    except DecodeError as error:
        raise bad_protobuf(str(error)[:300], REQUEST) from error
    values = [pair.value for pair in resource.attributes]
    if not _make_plain(values):
        return None
    made: bytes = resource.SerializeToString()
    return b"\x0a" + varint(len(made)) + made + part[begin + length :]


def _make_plain(values: Iterable[Any]) -> bool:
    read, found = ProtoReader(), False
    for value in values:
        if value.WhichOneof("value") in _NOT_PLAIN:
            _fill_value(value, read.value(value))
            found = True
    return found


def plain_of(body: bytes) -> bytes:
    """Return a request in protobuf with its lists and maps as JSON text.

    Raises:
        LimitError: The body is no such request.
    """
    from google.protobuf.message import DecodeError

    try:
        request = _request_class().FromString(body)
        _make_plain(_all_values(request))
    except (DecodeError, RecursionError, ValueError) as error:
        raise bad_protobuf(str(error)[:300], REQUEST) from error
    plain: bytes = request.SerializeToString()
    return plain


def _all_values(request: Any) -> Iterator[Any]:
    for group in request.resource_spans:
        yield from (pair.value for pair in group.resource.attributes)
        spans = [span for scope in group.scope_spans for span in scope.spans]
        for span in spans:
            for holder in (span, *span.events, *span.links):
                yield from (pair.value for pair in holder.attributes)


def json_batch(body: bytes) -> Batch:
    """Return the batch of a request in OTLP/JSON.

    Raises:
        LimitError: The body is no such request (`bad_json`, 400).
    """
    try:
        told = msgspec.json.decode(clean_lines(body))
        if not isinstance(told, dict):
            raise TypeError("it is not an object")  # noqa: TRY301 - joins the refusals below
        request = _request_class()()
        _fill_request(request, told)
    except (
        msgspec.DecodeError, ValueError, TypeError, AttributeError, RecursionError, binascii.Error
    ) as error:  # fmt: skip
        message = f"the body is no OTLP/JSON traces request: {error or type(error).__name__}"
        raise LimitError(message[:500], code="bad_json", status=400) from error
    return Batch(kind=Kind.SPANS, body=request.SerializeToString())


_json = JsonReader()


def _fill_request(request: Any, told: Any) -> None:
    for told_group in _json.get(told, "resource_spans"):
        group = request.resource_spans.add()
        _fill_pairs(group.resource.attributes, _json.get(told_group, "resource"))
        for told_scope in _json.get(told_group, "scope_spans"):
            scope = group.scope_spans.add()
            scope.scope.name = _json.get(_json.get(told_scope, "scope"), "name")
            for told_span in _json.get(told_scope, "spans"):
                _fill_span(scope.spans.add(), told_span)


def _fill_span(span: Any, told: Any) -> None:
    for name in ("trace_id", "span_id", "parent_span_id"):
        setattr(span, name, bytes.fromhex(_json.get(told, name)))
    span.name, span.trace_state = _json.get(told, "name"), _json.get(told, "trace_state")
    span.kind = _numbered(_json.get(told, "kind"), "SPAN_KIND_", KINDS)
    for name in ("start_time_unix_nano", "end_time_unix_nano"):
        setattr(span, name, _json.time(told, name))
    for counted in ("attributes", "events", "links"):
        name = f"dropped_{counted}_count"
        setattr(span, name, int(_json.get(told, name) or 0))
    status = _json.get(told, "status")
    span.status.message = _json.get(status, "message")
    span.status.code = _numbered(_json.get(status, "code"), "STATUS_CODE_", CODES)
    _fill_pairs(span.attributes, told)
    for told_event in _json.get(told, "events"):
        event = span.events.add(
            name=_json.get(told_event, "name"),
            time_unix_nano=_json.time(told_event, "time_unix_nano"),
        )
        _fill_pairs(event.attributes, told_event)
    for told_link in _json.get(told, "links"):
        link = span.links.add(
            trace_id=bytes.fromhex(_json.get(told_link, "trace_id")),
            span_id=bytes.fromhex(_json.get(told_link, "span_id")),
            trace_state=_json.get(told_link, "trace_state"),
        )
        _fill_pairs(link.attributes, told_link)


def _numbered(told: Any, prefix: str, names: tuple[str, ...]) -> int:
    """Return an enumeration's number; names are taken, too, though OTLP has numbers only."""
    if isinstance(told, str) and told:
        return names.index(told.removeprefix(prefix))
    return int(told or 0)


def _fill_pairs(pairs: Any, told: Any) -> None:
    for one in _json.get(told, "attributes"):
        pair = pairs.add(key=_json.get(one, "key"))
        value = _json.value(_json.get(one, "value") or None)
        _fill_value(pair.value, value)


_MEMBER_OF: Final = {
    str: "string_value",
    bool: "bool_value",
    int: "int_value",
    float: "double_value",
}


def _fill_value(target: Any, value: Any) -> None:
    if value is None:
        return
    member = _MEMBER_OF.get(type(value))
    if member is None:
        target.raw_json = _encode(value).decode()
    else:
        setattr(target, member, value)
