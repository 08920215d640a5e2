"""A trace as X-Ray sees it: segments, what is inside each, and the calls between them.

    store -> [parts] -> predicate, summary, graph

A span that came as a segment is one. Of OpenTelemetry's spans, one of kind `server` or `consumer`
is, and so is every span whose parent is of another service or not there.

Invariant: every span of a trace is part of exactly one segment, even if parents form a ring.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import msgspec

from clerestory.wire.xray.members import ANNOTATION, ORIGINS, SEGMENT, SUBSEGMENT, TYPE

NS: Final = 10**9
CALLS: Final = frozenset(("client", "producer"))
_PART: Final = (
    "trace_id, span_id, parent_span_id, name, service, kind, status, status_message, "
    "toString(toUnixTimestamp64Nano(ts)), duration_ns, pending, {events}, {links}, peer, "
    "peer_kind, {attrs}, {resource}, {raw}, toUnixTimestamp64Milli(ingested), seq"
)
_OF_GRAPH: Final = (
    *(TYPE, "aws.xray.fault", "aws.xray.error", "aws.xray.throttle", "aws.xray.origin"),
    *("rpc.system", "http.response.status_code", "http.status_code"),
)
# All of a part; what decides on it and tells of it; what a graph is drawn of.
WHOLE: Final = _PART.format(
    events="events", links="links", attrs="attrs", resource="resource", raw="raw"
)
TOLD: Final = _PART.format(
    events="events", links="''", attrs="attrs", resource="resource", raw="''"
)
DRAWN: Final = _PART.format(
    events="''",
    links="''",
    attrs=f"mapFilter((k, v) -> k IN {_OF_GRAPH}, attrs)",
    resource="mapFilter((k, v) -> k = 'cloud.platform', resource)",
    raw="''",
)
_RAW_STARTS: Final = frozenset("-0123456789[{")
_WORDS: Final = frozenset(("true", "false", "null"))
_SEGMENT_KINDS: Final = frozenset(("server", "consumer"))
_decode = msgspec.json.decode


def value_of(text: str) -> Any:
    """Return the value that a stored text stands for."""
    if not text:
        return text
    if text[0] == '"':
        return text[1:-1]
    if text[0] not in _RAW_STARTS and text not in _WORDS:
        return text
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError):  # a number that no computer counts to
        return text


@dataclass(frozen=True, slots=True)
class Node:
    """What stands in a service graph.

    Attributes:
        name: Its name.
        type: Where it runs, or what it is; empty if nobody said.
        inferred: Whether it is known from calls only.
    """

    name: str
    type: str
    inferred: bool = False


def service_node(name: str, origin: str, platform: str) -> Node:
    """Return the node that a segment is shown as.

    Args:
        name: Of the document, else of the service.
        origin: The attribute `aws.xray.origin`, as stored.
        platform: `cloud.platform` of the program, as stored.
    """
    return Node(name, str(value_of(origin) or ORIGINS.get(str(value_of(platform))) or ""))


def called_node(name: str, *, is_database: bool, rpc_system: str = "") -> Node:
    """Return the node that a call leads to if no segment tells of it.

    Args:
        name: What is called.
        is_database: Whether that is a database.
        rpc_system: The attribute `rpc.system` of a document, as stored.
    """
    if value_of(rpc_system) == "aws-api":
        return Node(name, f"AWS::{name}", inferred=True)
    return Node(name, "Database::SQL" if is_database else "remote", inferred=True)


@dataclass(eq=False)
class Part:
    """One span, as a segment or a part of one.

    Attributes:
        children: What names it as its parent.
        segment: The segment that it is part of; a segment is part of itself.
    """

    row: list[Any]
    children: list["Part"] = field(default_factory=list)
    segment: "Part" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.id: str = self.row[1]
        self.parent_id: str = self.row[2]
        self.name: str = self.row[3]
        self.service: str = self.row[4]
        self.kind: str = self.row[5]
        self.start_ns = int(self.row[8])
        self.duration_ns = int(self.row[9])
        self.pending = bool(self.row[10])
        self.raw: str = self.row[17]
        self.version = (not self.pending, self.row[18], self.row[19])
        self._stored: dict[str, str] = self.row[15]

    @property
    def end_ns(self) -> int:
        """When it ended; if it runs, when it began."""
        return self.start_ns + self.duration_ns

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.duration_ns / NS

    def attribute(self, name: str) -> Any:
        """Return an attribute; None if it has none of this name."""
        text = self._stored.get(name)
        return None if text is None else value_of(text)

    def resource(self, name: str) -> str:
        """Return an attribute of the program, as text."""
        text = self.row[16].get(name)
        return "" if text is None else str(value_of(text))

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """All attributes."""
        return {name: value_of(text) for name, text in self._stored.items()}

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """Its annotations by their keys."""
        start = len(ANNOTATION)
        return {
            name[start:]: value_of(text)
            for name, text in self._stored.items()
            if name.startswith(ANNOTATION)
        }

    @property
    def came_as_document(self) -> bool:
        """Whether X-Ray's own programs sent it."""
        return self._stored.get(TYPE) in (SEGMENT, SUBSEGMENT)

    @cached_property
    def is_segment(self) -> bool:
        """Whether it is a segment by itself, whatever its parent is."""
        if self.came_as_document:
            return self._stored[TYPE] == SEGMENT
        return self.kind in _SEGMENT_KINDS

    @cached_property
    def status(self) -> int:
        """Status of its HTTP response; 0 if it has none."""
        told = self.attribute("http.response.status_code") or self.attribute("http.status_code")
        return told if type(told) is int else 0

    @cached_property
    def flags(self) -> tuple[bool, bool, bool]:
        """Whether it is a fault, an error, throttled."""
        if self.came_as_document:
            fault, error, throttle = (
                self.attribute(f"aws.xray.{flag}") is True
                for flag in ("fault", "error", "throttle")
            )
            return fault, error, throttle
        error = 400 <= self.status < 500
        fault = self.status >= 500 or (self.row[6] == "error" and not error)
        return fault, error, self.status == 429

    @property
    def outcome(self) -> str:
        """Fault, throttle, error or ok: the first of them that it is."""
        fault, error, throttle = self.flags
        if fault:
            return "fault"
        return "throttle" if throttle else "error" if error else "ok"

    @cached_property
    def exceptions(self) -> list[tuple[str, str]]:
        """Type and message of its exceptions."""
        text = self.row[11]
        try:
            events = _decode(text) if text else []
        except (msgspec.DecodeError, RecursionError):
            return []
        told = [
            one.get("attributes") or {}
            for one in events
            if isinstance(one, dict) and one.get("name") == "exception"
        ]
        return [
            (str(one.get("exception.type", "")), str(one.get("exception.message", "")))
            for one in told
            if isinstance(one, dict)
        ]

    @cached_property
    def node(self) -> Node:
        """The node that a segment is shown as."""
        name = self.name if self.came_as_document else self.service
        origin = self._stored.get("aws.xray.origin", "")
        return service_node(name, origin, self.row[16].get("cloud.platform", ""))

    @cached_property
    def called(self) -> Node:
        """The node that a call leads to if no segment tells of it."""
        is_database = self.row[14] == "database"
        if not self.came_as_document:
            return called_node(self.row[13] or self.name, is_database=is_database)
        rpc_system = self._stored.get("rpc.system", "")
        return called_node(self.name, is_database=is_database, rpc_system=rpc_system)


class Trace:
    """All that is stored of one trace.

    Attributes:
        id: 32 hex digits.
        parts: Its spans, each once, by the time they began.
        segments: Those of them that are segments.
        root: The segment that it began with.
    """

    def __init__(self, trace_id: str, rows: Iterable[list[Any]]) -> None:
        self.id = trace_id
        newest: dict[str, Part] = {}
        for one in map(Part, rows):
            before = newest.get(one.id)
            if before is None or one.version > before.version:
                newest[one.id] = one
        self.by_id: Mapping[str, Part] = newest
        self.parts = sorted(newest.values(), key=lambda one: (one.start_ns, one.id))
        for one in self.parts:
            parent = newest.get(one.parent_id)
            if parent is not None and parent is not one:
                parent.children.append(one)
        self.segments: list[Part] = []
        for one in self.parts:
            self._place(one)
        self.segments = sorted(set(self.segments), key=lambda one: (one.start_ns, one.id))
        self.root = min(
            self.segments,
            key=lambda one: (one.parent_id in newest, one.parent_id != "", one.start_ns),
        )

    def _place(self, one: Part) -> None:
        """Find the segment of a part, and of all between; what has none is one."""
        passed: dict[str, Part] = {}
        while not hasattr(one, "segment"):
            passed[one.id] = one
            parent = self.by_id.get(one.parent_id)
            if (
                one.is_segment
                or parent is None
                or parent.id in passed
                or not (one.came_as_document or parent.service == one.service)
            ):
                one.segment = one
                self.segments.append(one)
                break
            one = parent
        for below in passed.values():
            below.segment = one.segment

    def parent(self, one: Part) -> Part | None:
        """Return the parent of a part, if it is stored."""
        found = self.by_id.get(one.parent_id)
        return None if found is one else found

    @cached_property
    def start_ns(self) -> int:
        """When its first span began."""
        return self.parts[0].start_ns

    @cached_property
    def end_ns(self) -> int:
        """When its last span ended."""
        return max(one.end_ns for one in self.parts)

    @property
    def seconds(self) -> float:
        """From the first beginning to the last end."""
        return (self.end_ns - self.start_ns) / NS

    @cached_property
    def inferred(self) -> list[Part]:
        """Calls that no segment tells of."""
        return [
            one
            for one in self.parts
            if one.kind in CALLS
            and not one.is_segment
            and not any(below.segment is below for below in one.children)
        ]

    @cached_property
    def nodes(self) -> list[Node]:
        """The nodes that it passes, each once."""
        found = [one.node for one in self.segments] + [one.called for one in self.inferred]
        return list(dict.fromkeys(found))

    @property
    def partial(self) -> bool:
        """Whether something in it still runs."""
        return any(one.pending for one in self.parts)
