"""A span becomes a segment document, as X-Ray wants it.

    store, spool -> span line -> [document] -> JSON ~~> X-Ray

A span that came as a document (see `segment`) becomes what it was. Of any other span the rules are
those of OpenTelemetry's exporter for X-Ray:
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/awsxrayexporter

    span                                     document
    kind server, or without a parent         segment
    any other                                subsegment of its own
    the first of its service (aws.span.kind LOCAL_ROOT, or without a parent)
      of kind client or producer             segment of the service, the span as subsegment inside
      of any other kind                      segment
    http.*, url.*, db.*, rpc.*, aws.*        http, sql, aws
    status 4xx; 429; 5xx, or status error    error; error and throttle; fault
    events `exception`                       cause.exceptions, their stacks innermost first
    enduser.id                               user
    annotation.K, names in aws.xray.annotations   annotations
    aws.xray.metadata.N                      metadata.N
    every other attribute; the resource of a segment as otel.resource.K   metadata.default

Invariant: every document is one that `segment.spans_of` reads.
"""

from __future__ import annotations

import json
import re
import unicodedata
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from clerestory.wire.xray.members import (
    ANNOTATION,
    ANNOTATIONS,
    CAUSE,
    DOCUMENT,
    EXCEPTION,
    METADATA,
    NS,
    ORIGINS,
    SCALARS,
    SEGMENT,
    SUBSEGMENT,
    TYPE,
    fits,
    is_plain,
    shown_trace_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME_CHARACTERS_MAX: Final = 200
SPAN_KIND: Final = "aws.span.kind"
LOCAL_ROOT: Final = "LOCAL_ROOT"
_CALLS: Final = frozenset(("client", "producer", "consumer"))
_NOT_ATTRIBUTES: Final = frozenset(
    (
        *("timestamp", "level", "logger", "kind", "span.kind", "span.status", "message", "order"),
        *("span.status_message", "trace_id", "span_id", "duration_ns", "span.pending", "pid"),
        *("parent_span_id", "span.events", "span.links", "trace_state", "span.dropped"),
    )
)
_DERIVED: Final = frozenset(("rpc.system", "rpc.service", "db.name", "peer.service"))
# Older names of OpenTelemetry, and names that only its exporter knows, beside those of `members`.
_OTHER_NAMES: Final[tuple[tuple[tuple[str, ...], str, str], ...]] = (
    (("http", "request", "method"), "http.method", "text"),
    (("http", "request", "url"), "http.url", "text"),
    (("http", "request", "user_agent"), "http.user_agent", "text"),
    (("http", "request", "client_ip"), "http.client_ip", "text"),
    (("http", "request", "client_ip"), "net.peer.ip", "text"),
    (("http", "response", "status"), "http.status_code", "number"),
    (("http", "response", "content_length"), "http.response_content_length", "number"),
    (("aws", "account_id"), "aws.account_id", "text"),
    (("aws", "region"), "aws.region", "text"),
    (("aws", "operation"), "aws.operation", "text"),
    (("aws", "request_id"), "aws.requestId", "text"),
    (("aws", "queue_url"), "aws.queue_url", "text"),
    (("sql", "sanitized_query"), "db.statement", "text"),
    (("sql", "database_type"), "db.system.name", "text"),
)
_NAME_MARKS: Final = frozenset("_.:/%&#=+\\-@")
_NOT_KEY: Final = re.compile(r"[^A-Za-z0-9_.]")
_FRAME: Final = re.compile(r'^\s*File "([^"\n]*)", line (\d+), in (.*)$', re.MULTILINE)
FRAMES_MAX: Final = 100

Document = dict[str, Any]


def documents_of(line: Mapping[str, Any], resource: Mapping[str, Any]) -> list[Document]:
    """Return the documents of a span: one, or a segment with the span inside.

    Args:
        line: The span, with its attributes as they were.
        resource: What describes the program that it is of.
    """
    document = document_of(line, resource)
    is_first = "parent_id" not in document or line.get(SPAN_KIND) == LOCAL_ROOT
    came_so = line.get(TYPE) in (SEGMENT, SUBSEGMENT)
    if document.get("type") == SUBSEGMENT and is_first and not came_so:
        return [_around(document, resource)]
    return [document]


def _around(part: Document, resource: Mapping[str, Any]) -> Document:
    """Return a segment of the service with the call inside: a call alone has no segment."""
    seed = f"{part['trace_id']}{part['id']}".encode()
    segment: Document = {
        "name": name_of(str(resource.get("service.name") or "span")),
        "id": blake2b(seed, digest_size=8).hexdigest(),
        "trace_id": part["trace_id"],
    }
    shared = ("parent_id", "start_time", "end_time", "in_progress", "error", "fault", "throttle")
    segment |= {member: part[member] for member in shared if member in part}
    segment |= _of_resource(resource, {})
    gone = ("type", "trace_id", "parent_id")
    inner = {key: value for key, value in part.items() if key not in gone}
    return segment | {"subsegments": [inner]}


def nested(documents: Iterable[Document]) -> list[Document]:
    """Return documents with every subsegment inside its parent, where that is among them."""
    listed = list(documents)
    by_id = {document["id"]: document for document in listed}
    whole: list[Document] = []
    for document in listed:
        parent = by_id.get(document.get("parent_id", ""))
        if document.get("type") != SUBSEGMENT or parent is None or parent is document:
            whole.append(document)
            continue
        for member in ("type", "trace_id", "parent_id"):
            document.pop(member, None)
        parent.setdefault("subsegments", []).append(document)
    return whole


def document_of(line: Mapping[str, Any], resource: Mapping[str, Any]) -> Document:
    """Return the document of one span, without what is inside it.

    A call without a parent is a subsegment without `parent_id`, which X-Ray does not take alone:
    see `documents_of`.
    """
    attributes = {key: line[key] for key in line.keys() - _NOT_ATTRIBUTES}
    came_so = attributes.get(TYPE) in (SEGMENT, SUBSEGMENT)
    rest = attributes.pop(DOCUMENT, None) if came_so else None
    is_part = _is_part(line, attributes)
    document: Document = {
        "name": str(line["message"]) if came_so else _name(line, attributes, resource),
        "id": line["span_id"],
        "trace_id": shown_trace_id(line["trace_id"]),
        "start_time": line["timestamp"] / NS,
    }
    if "duration_ns" in line:
        document["end_time"] = (line["timestamp"] + line["duration_ns"]) / NS
    else:
        document["in_progress"] = True
    if line.get("parent_span_id"):
        document["parent_id"] = line["parent_span_id"]
    if is_part:
        document["type"] = SUBSEGMENT
        document |= _namespace(line, attributes)
    for own in (TYPE, SPAN_KIND):
        attributes.pop(own, None)
    if came_so:
        _bring_back(document, line, attributes, resource, is_part=is_part)
        return _overlaid(document, rest if type(rest) is dict else {})
    _translate(document, line, attributes, resource, is_part=is_part)
    return document


def _is_part(line: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    kind = line.get("span.kind", "internal")
    if attributes.get(TYPE) == SUBSEGMENT:
        return True
    if line.get("parent_span_id") and attributes.get(SPAN_KIND) != LOCAL_ROOT:
        return bool(kind != "server")
    return kind in ("client", "producer")


def _namespace(line: Mapping[str, Any], attributes: Mapping[str, Any]) -> Document:
    if attributes.get("rpc.system") == "aws-api":
        return {"namespace": "aws"}
    return {"namespace": "remote"} if line.get("span.kind") in _CALLS else {}


def _bring_back(
    document: Document,
    line: Mapping[str, Any],
    attributes: dict[str, Any],
    resource: Mapping[str, Any],
    *,
    is_part: bool,
) -> None:
    """Add what the document had, from the attributes that it became."""
    _take(document, attributes, SCALARS)
    if CAUSE in attributes:
        document["cause"] = attributes[CAUSE]
    _add_annotations(document, attributes, exact=True)
    _add_metadata(document, attributes, exact=True)
    _add_links(document, line)
    exceptions = [_exception_back(one) for one in _exceptions(line)]
    cause = document.setdefault("cause", {}) if exceptions else None
    if type(cause) is dict:
        cause["exceptions"] = exceptions
    if not is_part and "service.version" in resource:
        document["service"] = {"version": resource["service.version"]}


def _translate(
    document: Document,
    line: Mapping[str, Any],
    attributes: dict[str, Any],
    resource: Mapping[str, Any],
    *,
    is_part: bool,
) -> None:
    """Add what an exporter makes of a span."""
    _take(document, attributes, (*SCALARS, *_OTHER_NAMES))
    if "sql" in document and "url" not in document["sql"]:
        server = attributes.get("server.address", "localhost")
        spaced = attributes.get("db.namespace", attributes.get("db.name", ""))
        document["sql"]["url"] = f"{server}/{spaced}"
    _add_outcome(document, line)
    exceptions = [_exception_of(one, line) for one in _exceptions(line)]
    if not exceptions and line.get("span.status") == "error" and line.get("span.status_message"):
        exceptions = [{"message": str(line["span.status_message"])}]
    for number, exception in enumerate(exceptions):
        seed = f"{line['span_id']}{number}".encode()
        exception["id"] = blake2b(seed, digest_size=8).hexdigest()
    if exceptions:
        document.setdefault("cause", {})["exceptions"] = exceptions
    _add_annotations(document, attributes, exact=False)
    _add_metadata(document, attributes, exact=False)
    _add_links(document, line)
    left = {key: value for key, value in attributes.items() if key not in _DERIVED}
    if not is_part:
        document |= _of_resource(resource, left)
    if left:
        found = document.setdefault("metadata", {}).setdefault("default", {})
        document["metadata"]["default"] = {**found, **left} if type(found) is dict else left


def _of_resource(resource: Mapping[str, Any], left: dict[str, Any]) -> Document:
    """Return what a resource says of a segment; the rest of it joins what is left."""
    found: Document = {}
    origin = ORIGINS.get(str(resource.get("cloud.platform", "")))
    if origin:
        found["origin"] = origin
    if type(resource.get("service.version")) is str:
        found["service"] = {"version": resource["service.version"]}
    left |= {f"otel.resource.{key}": value for key, value in resource.items()}
    return found


def _take(
    document: Document,
    attributes: dict[str, Any],
    table: tuple[tuple[tuple[str, ...], str, str], ...],
) -> None:
    """Move attributes to their members; the first one for a member wins."""
    for path, attribute, kind in table:
        if attribute not in attributes or not fits(attributes[attribute], kind):
            continue
        holder = document
        for name in path[:-1]:
            inner = holder.setdefault(name, {})
            holder = inner if type(inner) is dict else {}
        value = attributes.pop(attribute)
        holder.setdefault(path[-1], value)


def _add_annotations(document: Document, attributes: dict[str, Any], *, exact: bool) -> None:
    named = attributes.pop(ANNOTATIONS, ())
    names = [*(named if type(named) is list else ())]
    names += [key for key in sorted(attributes) if key.startswith(ANNOTATION)]
    found: dict[str, Any] = {}
    for name in dict.fromkeys(str(one) for one in names):
        if name in attributes and is_plain(attributes[name]):
            key = name.removeprefix(ANNOTATION)
            found[key if exact else _NOT_KEY.sub("_", key)] = attributes.pop(name)
    if found:
        document["annotations"] = found


def _add_metadata(document: Document, attributes: dict[str, Any], *, exact: bool) -> None:
    names = [key for key in attributes if key.startswith(METADATA)]
    for name in names:
        value = attributes.pop(name)
        found = document.setdefault("metadata", {})
        found[name.removeprefix(METADATA)] = value if exact else _read(value)


def _read(value: Any) -> Any:
    """Return metadata that OpenTelemetry's programs give as JSON text."""
    if type(value) is not str or not value.startswith("{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _add_links(document: Document, line: Mapping[str, Any]) -> None:
    links = _objects(line.get("span.links"))
    if links:
        document["links"] = [
            {
                "trace_id": shown_trace_id(str(link.get("trace_id", ""))),
                "id": link.get("span_id", ""),
                **({"attributes": link["attributes"]} if link.get("attributes") else {}),
            }
            for link in links
        ]


def _exceptions(line: Mapping[str, Any]) -> list[dict[str, Any]]:
    events = [one for one in _objects(line.get("span.events")) if one.get("name") == "exception"]
    found = [one.get("attributes") for one in events]
    return [one if type(one) is dict else {} for one in found]


def _objects(told: Any) -> list[dict[str, Any]]:
    return [one for one in told if type(one) is dict] if type(told) is list else []


def _exception_back(attributes: Mapping[str, Any]) -> Document:
    found = dict(attributes.get(EXCEPTION) or {})
    for member in ("type", "message"):
        if f"exception.{member}" in attributes:
            found[member] = attributes[f"exception.{member}"]
    return found


def _exception_of(attributes: Mapping[str, Any], line: Mapping[str, Any]) -> Document:
    found: Document = {"message": str(attributes.get("exception.message", ""))}
    if attributes.get("exception.type"):
        found["type"] = str(attributes["exception.type"])
    if line.get("span.kind") == "client":
        found["remote"] = True
    frames = _FRAME.findall(str(attributes.get("exception.stacktrace", "")))
    if frames:
        found["stack"] = [
            {"path": path, "line": int(number[:9]), "label": label}
            for path, number, label in reversed(frames[-FRAMES_MAX:])
        ]
    return found


def _add_outcome(document: Document, line: Mapping[str, Any]) -> None:
    status = document.get("http", {}).get("response", {}).get("status", 0)
    if 400 <= status < 500:
        document["error"] = True
        if status == 429:
            document["throttle"] = True
    elif status >= 500 or (line.get("span.status") == "error" and "error" not in document):
        document["fault"] = True


def _name(
    line: Mapping[str, Any], attributes: Mapping[str, Any], resource: Mapping[str, Any]
) -> str:
    """Return the name of a span's document, by the first rule that gives one."""
    kind = line.get("span.kind", "internal")
    is_first = attributes.get(SPAN_KIND) == LOCAL_ROOT and kind in ("internal", "consumer")

    def told(key: str) -> str:
        return str(attributes.get(key) or "")

    is_call = kind in _CALLS and not is_first
    is_entry = kind == "server" or is_first
    database = told("db.namespace") or told("db.name")
    host = told("server.address") or told("net.peer.name")
    names = (
        "" if is_call else told("aws.local.service"),
        told("aws.remote.service").removeprefix("AWS.SDK.").removeprefix("AWS::")
        if is_call
        else "",
        told("peer.service"),
        told("aws.service") if told("rpc.system") == "aws-api" else "",
        f"{database}@{host}" if database and host else database,
        str(resource.get("service.name") or "") if is_entry else "",
        told("rpc.service"),
        told("http.host"),
        host if is_call else "",
        str(line["message"]),
    )
    return name_of(next((name for name in names if name), ""))


def name_of(text: str) -> str:
    r"""Return a text as X-Ray allows it for a name.

    >>> name_of("GET /käse?<b>"), name_of("\n")
    ('GET /käseb', 'span')
    """
    kept = (
        letter
        for letter in text
        if letter in _NAME_MARKS or letter == " " or unicodedata.category(letter)[0] in "LN"
    )
    return "".join(kept)[:NAME_CHARACTERS_MAX].strip() or "span"


def _overlaid(document: Document, rest: Mapping[str, Any]) -> Document:
    """Return a document with its remaining members, those inside of objects, too."""
    merged = dict(document)
    for key, value in rest.items():
        before = merged.get(key)
        if type(before) is dict and type(value) is dict:
            merged[key] = _overlaid(before, value)
        else:
            merged[key] = value
    return merged
