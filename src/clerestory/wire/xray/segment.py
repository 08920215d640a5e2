"""A segment document becomes spans: one for itself, one for each subsegment inside it.

    X-Ray SDK ~~> bytes -> [segment] -> span lines -> store

https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html. A segment is a span
of kind `server`; a subsegment with a namespace is one of kind `client`, any other is `internal`.
The attributes stand in `members`.

Invariant: `document.document_of` gives a document back from its spans as it was, but for members of
a subsegment that its place inside another says already (`type`, `trace_id`, `parent_id`).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

from clerestory.model.errors import ClerestoryError
from clerestory.wire.xray.members import (
    ANNOTATION,
    ANNOTATIONS,
    CAUSE,
    DOCUMENT,
    EXCEPTION,
    LOGGER,
    METADATA,
    NS,
    SCALARS,
    SEGMENT,
    SUBSEGMENT,
    TEXT,
    TYPE,
    fits,
    is_plain,
    ns_of,
    shown_trace_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME_CHARACTERS_MAX: Final = 200
SUBSEGMENTS_MAX: Final = 2000
DEPTH_MAX: Final = 64
ANNOTATIONS_MAX: Final = 250
NAMESPACES_MAX: Final = 100
UNKNOWN_SERVICE: Final = "unknown_service"
_SECONDS_MAX: Final = 5_600_000_000  # 2147: later days are no partition of the store
_SPAN_ID: Final = re.compile(r"[0-9a-fA-F]{16}")
_TRACE_ID: Final = re.compile(r"1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})|([0-9a-fA-F]{32})")
_OWN: Final = frozenset(
    ("name", "id", "trace_id", "parent_id", "start_time", "end_time", "in_progress", "subsegments")
)
_OF_PLACE: Final = frozenset(("type", "trace_id", "parent_id"))
_NAMESPACES: Final = frozenset(("aws", "remote"))

Line = dict[str, Any]


class SegmentError(ClerestoryError):
    """A document is no segment.

    Attributes:
        code: Which member is wrong, such as `invalid_trace_id`.
        id: The document's id, as far as it has one.
    """

    def __init__(self, code: str, message: str, identity: object = "") -> None:
        super().__init__(message)
        self.code = code
        self.id = identity if type(identity) is str else ""


def spans_of(document: Any) -> list[Line]:
    """Return the lines of a document: its own first, then those of its subsegments.

    Raises:
        SegmentError: It is no segment document; says which member is wrong.
    """
    if type(document) is not dict:
        raise SegmentError("not_an_object", "The document is no JSON object.")
    trace_id = _trace_id(document)
    is_part = document.get("type") == SUBSEGMENT
    if is_part and "parent_id" not in document:
        raise _wrong(document, "parent_id", "a subsegment of its own needs a parent_id")
    lines = [_line(document, trace_id, _parent_of(document), is_part=is_part)]
    waiting = [(document, 1)]
    while waiting:
        parent, depth = waiting.pop()
        for part in _parts(parent, depth):
            part_line = _line(part, trace_id, str(parent["id"]).lower(), is_part=True, inside=True)
            lines.append(part_line)
            waiting.append((part, depth + 1))
        if len(lines) > SUBSEGMENTS_MAX:
            message = f"there are more than {SUBSEGMENTS_MAX} subsegments"
            raise _wrong(document, "subsegments", message)
    return lines


def resource_of(document: Mapping[str, Any], service: str = "") -> dict[str, Any]:
    """Return what describes the program that sent a document.

    Args:
        document: A segment, or a subsegment of its own.
        service: The name of its segment, where that is known.
    """
    if document.get("type") == SUBSEGMENT:
        return {"service.name": service or UNKNOWN_SERVICE}
    told = document.get("service")
    version = told.get("version") if type(told) is dict else None
    named = {"service.name": document["name"]}
    return named | ({"service.version": version} if type(version) is str else {})


def _wrong(document: Mapping[str, Any], member: str, message: str) -> SegmentError:
    return SegmentError(f"invalid_{member}", f"{member}: {message}", document.get("id"))


def _trace_id(document: Mapping[str, Any]) -> str:
    told = document.get("trace_id")
    found = _TRACE_ID.fullmatch(told) if type(told) is str else None
    if found is None:
        message = f"must be 1-8 hex digits-24 hex digits; got {str(told)[:60]!r}"
        raise _wrong(document, "trace_id", message)
    return (found[3] or found[1] + found[2]).lower()


def _span_id(document: Mapping[str, Any], member: str) -> str:
    told = document.get(member)
    if type(told) is not str or not _SPAN_ID.fullmatch(told):
        raise _wrong(document, member, f"must be 16 hex digits; got {str(told)[:40]!r}")
    return told.lower()


def _parent_of(document: Mapping[str, Any]) -> str:
    return _span_id(document, "parent_id") if document.get("parent_id") is not None else ""


def _parts(document: Mapping[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    parts = document.get("subsegments")
    if parts is None:
        return
    if type(parts) is not list or not all(type(part) is dict for part in parts):
        raise _wrong(document, "subsegments", "must be a list of objects")
    if parts and depth > DEPTH_MAX:
        raise _wrong(document, "subsegments", f"are nested more than {DEPTH_MAX} deep")
    yield from parts


def _seconds(document: Mapping[str, Any], member: str) -> int:
    told = document.get(member)
    if type(told) not in (int, float) or not 0 < told < _SECONDS_MAX or not math.isfinite(told):  # type: ignore[operator,arg-type]
        message = f"must be seconds since the epoch as a number; got {str(told)[:40]!r}"
        raise _wrong(document, member, message)
    return ns_of(told)  # type: ignore[arg-type]


def _line(
    document: dict[str, Any], trace_id: str, parent: str, *, is_part: bool, inside: bool = False
) -> Line:
    """Return the line of a document or of a subsegment, without what is inside it."""
    name = document.get("name")
    if type(name) is not str or not 0 < len(name) <= NAME_CHARACTERS_MAX:
        message = f"must be text of 1 to {NAME_CHARACTERS_MAX} characters; got {str(name)[:40]!r}"
        raise _wrong(document, "name", message)
    span_id, start = _span_id(document, "id"), _seconds(document, "start_time")
    pending = document.get("in_progress") is True
    duration = None if pending else _seconds(document, "end_time") - start
    rest = {key: value for key, value in document.items() if key not in _OWN}
    for member in _OF_PLACE if inside else ("type",) if is_part else ():
        rest.pop(member, None)
    kind, failed, attributes, events = take_members(
        rest, name, is_part=is_part, at=start + (duration or 0)
    )
    line: Line = {
        "timestamp": start, "level": "ERROR" if failed else "INFO", "logger": LOGGER,
        "kind": "span", "span.kind": kind, "span.status": "error" if failed else "unset",
    }  # fmt: skip
    if failed and events:
        line["span.status_message"] = events[0]["attributes"].get("exception.message", "")
    line |= {"message": name, "trace_id": trace_id, "span_id": span_id}
    line |= {"span.pending": True} if pending else {"duration_ns": max(0, duration or 0)}
    line |= {"parent_span_id": parent} if parent else {}
    line |= {"span.events": events} if events else {}
    line |= _links(rest)
    line |= attributes
    _keep_unlike(document, rest, line, inside=inside)
    return line | ({DOCUMENT: rest} if rest else {})


def take_members(
    rest: dict[str, Any], name: str, *, is_part: bool, at: int
) -> tuple[str, bool, dict[str, Any], list[dict[str, Any]]]:
    """Take out of a document what spans have names for.

    Args:
        rest: A document without what names it, its times and what is inside of it; what is left
            belongs into the attribute `aws.xray.document`.
        name: Of the document.
        is_part: Whether it is a subsegment.
        at: When it ended, in nanoseconds since 1970.

    Returns:
        Kind of the span, whether it failed, its attributes, its events.
    """
    attributes = _attributes(rest)
    namespace = rest.get("namespace") if is_part else None
    kind = "internal" if is_part else "server"
    if type(namespace) is str and namespace in _NAMESPACES:
        kind = "client"
        attributes |= _derived(rest.pop("namespace"), name, attributes)
    if not is_part:
        _take(rest, _OF_RESOURCE, {})
    events = _events(rest, at)
    attributes[TYPE] = SUBSEGMENT if is_part else SEGMENT
    return kind, _failed(attributes), attributes, events


def _keep_unlike(
    document: Mapping[str, Any], rest: dict[str, Any], line: Line, *, inside: bool
) -> None:
    """Leave in the rest what the line tells in another form."""
    shown: dict[str, Any] = {"id": line["span_id"], "start_time": line["timestamp"] / NS}
    if "duration_ns" in line:
        shown["end_time"] = (line["timestamp"] + line["duration_ns"]) / NS
    else:
        shown["in_progress"] = True
    if not inside:
        shown["trace_id"] = shown_trace_id(line["trace_id"])
        shown |= {"parent_id": line["parent_span_id"]} if "parent_span_id" in line else {}
    own = _OWN - {"name", "subsegments"} - (_OF_PLACE if inside else frozenset())
    for member in own & document.keys():
        if member not in shown or shown[member] != document[member]:
            rest[member] = document[member]
    if document.get("subsegments", ()) in ([], None):
        rest["subsegments"] = document["subsegments"]


def _tree() -> dict[str, Any]:
    """Return the table of members as the objects that they stand in."""
    root: dict[str, Any] = {}
    for path, attribute, kind in SCALARS:
        holder = root
        for name in path[:-1]:
            holder = holder.setdefault(name, {})
        holder[path[-1]] = (attribute, kind)
    return root


_TREE: Final = _tree()
# What the resource of the program tells.
_OF_RESOURCE: Final = {"service": {"version": ("service.version", TEXT)}}


def _take(rest: dict[str, Any], tree: Mapping[str, Any], found: dict[str, Any]) -> None:
    """Take members of the wanted types out of the rest.

    An object that becomes empty goes, too: the members that left it bring it back.
    """
    for key in [name for name in rest if name in tree]:
        wanted, value = tree[key], rest[key]
        if type(wanted) is tuple:
            if fits(value, wanted[1]):
                found[wanted[0]] = rest.pop(key)
        elif type(value) is dict and not wanted.keys().isdisjoint(value):
            rest[key] = inner = dict(value)
            _take(inner, wanted, found)
            if not inner:
                del rest[key]


def _attributes(rest: dict[str, Any]) -> dict[str, Any]:
    """Take the members that have an attribute of their own out of the rest."""
    found: dict[str, Any] = {}
    _take(rest, _TREE, found)
    if type(rest.get("cause")) is str:
        found[CAUSE] = rest.pop("cause")
    annotations = _members(rest, "annotations", ANNOTATIONS_MAX, plain=True)
    if annotations:
        found[ANNOTATIONS] = [ANNOTATION + key for key in annotations]
        found |= {ANNOTATION + key: value for key, value in annotations.items()}
    metadata = _members(rest, "metadata", NAMESPACES_MAX, plain=False)
    return found | {METADATA + key: value for key, value in metadata.items()}


def _members(rest: dict[str, Any], name: str, most: int, *, plain: bool) -> dict[str, Any]:
    told = rest.get(name)
    if type(told) is not dict:
        return {}
    good = [
        key
        for key, value in told.items()
        if key and (is_plain(value) if plain else value is not None)
    ][:most]
    taken = {key: told[key] for key in good}
    left = {key: value for key, value in told.items() if key not in taken}
    if left or not taken:
        rest[name] = left
    else:
        del rest[name]
    return taken


def _derived(namespace: str, name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a call is by OpenTelemetry's names; the document says it by other members."""
    if namespace == "aws":
        return {"rpc.system": "aws-api", "rpc.service": name}
    if "db.system" in attributes:
        return {"db.name": name.partition("@")[0]}
    return {"peer.service": name}


def _failed(attributes: Mapping[str, Any]) -> bool:
    return any(attributes.get(f"aws.xray.{flag}") for flag in ("error", "fault", "throttle"))


def _events(rest: dict[str, Any], at: int) -> list[dict[str, Any]]:
    """Take exceptions out of the rest, as events."""
    cause = rest.get("cause")
    if type(cause) is not dict:
        return []
    told = cause.get("exceptions")
    if type(told) is not list or not told or not all(type(one) is dict for one in told):
        return []
    left = {key: value for key, value in cause.items() if key != "exceptions"}
    if left:
        rest["cause"] = left
    else:
        del rest["cause"]
    return [{"name": "exception", "timestamp": at, "attributes": _exception(one)} for one in told]


def _exception(told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    left = dict(told)
    for member in ("type", "message"):
        if type(left.get(member)) is str:
            found[f"exception.{member}"] = left.pop(member)
    stack = left.get("stack")
    if type(stack) is list and stack:
        found["exception.stacktrace"] = "\n".join(_frame(frame) for frame in stack)
    return found | {EXCEPTION: left}


def _frame(frame: Any) -> str:
    if type(frame) is not dict:
        return str(frame)
    path, line, label = (frame.get(name, "") for name in ("path", "line", "label"))
    return f'  File "{path}", line {line}, in {label}'


def _links(rest: dict[str, Any]) -> dict[str, Any]:
    told = rest.get("links")
    if type(told) is not list or not told:
        return {}
    links = [_link(one) for one in told]
    if any(link is None for link in links):
        return {}
    del rest["links"]
    return {"span.links": links}


def _link(told: Any) -> dict[str, Any] | None:
    """Return a link; None if it could not be brought back."""
    if type(told) is not dict or not {"trace_id", "id"} <= told.keys() <= {
        "trace_id", "id", "attributes"
    }:  # fmt: skip
        return None
    found = _TRACE_ID.fullmatch(told["trace_id"]) if type(told["trace_id"]) is str else None
    if found is None or found[3] or type(told["id"]) is not str:
        return None
    trace_id, attributes = found[1] + found[2], told.get("attributes", {})
    if trace_id + told["id"] != (trace_id + told["id"]).lower() or type(attributes) is not dict:
        return None
    if ("attributes" in told) != bool(attributes):
        return None
    return {"trace_id": trace_id, "span_id": told["id"], "attributes": attributes}
