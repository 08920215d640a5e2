"""Segments and subsegments: what AWS's SDK lets a program tell, on one span each.

    recorder -> [entities] -> segment document -> span -> line -> spool

What is told is kept as the document has it; at the end the document becomes the attributes of the
span, by the rules of `wire/xray`, so that X-Ray is sent what AWS's SDK would have sent.

Invariant: no method raises into the program; what cannot be told is counted.
"""

from __future__ import annotations

import string
import time
import weakref
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from clerestory import context
from clerestory.integrations.xray import causes, stack
from clerestory.model.spans import SpanContext
from clerestory.tracing.pending import OPEN
from clerestory.tracing.rules import timed_trace_id
from clerestory.tracing.spans import Span
from clerestory.wire.xray.document import name_of
from clerestory.wire.xray.members import (
    DOCUMENT,
    LOGGER,
    NS,
    SUBSEGMENT,
    ns_of,
    shown_trace_id,
)
from clerestory.wire.xray.segment import take_members

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clerestory.integrations.xray.header import TraceHeader

_TIME_MAX: Final = 5_600_000_000
_KEY_LETTERS: Final = frozenset(string.ascii_letters + string.digits + "_")
_REQUEST: Final = frozenset(("url", "method", "user_agent", "client_ip", "x_forwarded_for"))
_RESPONSE: Final = frozenset(("status", "content_length"))
_name_of: Final = lru_cache(1024)(name_of)


def _whole_number(value: object) -> int | None:
    """Return a status or a length, be it text; None if it is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    return value if isinstance(value, int) and abs(value) < 1 << 60 else None


class EntitySpan(Span):
    """A span that tells what an entity was told."""

    __slots__ = ("entity",)

    entity: Entity

    def pending_line(self) -> bytes | None:
        """Return a line for the span while it runs; None if it has ended."""
        self.entity.tell()
        return super().pending_line()


class Entity:
    """What segments and subsegments have in common.

    Args:
        name: What characters AWS does not allow are left out.
        parent: The span that it is inside of, or what names it.
        sampled: Whether it is recorded; None for as its parent is.

    Attributes:
        name: Can be changed until the end.
        span: The span that it is.
        outer: What was in force when it began.
        is_sure: Whether something surely ends it, as a `with` does.
        id: 16 hex digits.
        parent_id: Of what it is inside of; None for nothing.
        trace_id: As X-Ray has it, `1-` and 8 and 24 hex digits.
        in_progress: Whether it has not ended.
        sampled: Whether it is recorded.
        http: What `put_http_meta` was told; the next ones likewise.
    """

    kind = "internal"

    def __init__(self, name: str, parent: Any, *, sampled: bool | None = None) -> None:
        self.name = str(name)
        self.in_progress = True
        self.is_sure = False
        self.end_time: float | None = None
        self.parent_segment: Segment | None = None
        self.http: dict[str, dict[str, Any]] = {}
        self.annotations: dict[str, Any] = {}
        self.metadata: dict[str, dict[str, Any]] = {}
        self.aws: dict[str, Any] = {}
        self.cause: dict[str, Any] | str = {}
        self.flags: dict[str, bool] = {}
        self._header: TraceHeader | None = None
        self.span = span = EntitySpan()
        span.entity = self
        span.name, span.kind, span.scope = self.name, self.kind, LOGGER
        span.attributes, span.details, span.token = {}, None, None
        around = context.get()
        self.outer = around.span
        self._inside = span.begin(around, parent)
        if sampled is not None:
            span.sampled = sampled
        self.id, self.parent_id = span.span_id, span.parent_span_id or None
        self.trace_id = shown_trace_id(span.trace_id)

    def put_in_force(self) -> None:
        """Let everything that is told from now on be inside of it."""
        context.use(self._inside)
        if self.span.sampled:
            OPEN[self.span.span_id] = weakref.ref(self.span)

    @property
    def sampled(self) -> bool:
        """Whether it is recorded."""
        return self.span.sampled

    @property
    def start_time(self) -> float:
        """When it began, in seconds since 1970; can be changed."""
        return self.span.start_ns / NS

    @start_time.setter
    def start_time(self, seconds: float) -> None:
        if isinstance(seconds, int | float) and 0 < seconds < _TIME_MAX:
            self.span.backdate(ns_of(float(seconds)))
        else:
            stack.note_misuse("start_time", f"{seconds!r} is no time in seconds since 1970")

    def _takes(self) -> bool:
        """Say whether what is told is kept; that of an entity that has ended is counted."""
        if not self.in_progress:
            stack.note_misuse("told_after_end", f"{self.name!r} was told something after its end")
        return self.in_progress and self.span.sampled

    # -- what is told -------------------------------------------------------------------------

    def put_annotation(self, key: str, value: Any) -> None:
        """Add an annotation, by which X-Ray finds the trace: text, a number, true or false."""
        if not self._takes():
            return
        is_key = isinstance(key, str) and key and _KEY_LETTERS.issuperset(key)
        if not is_key or not isinstance(value, str | int | float):
            text = f"annotation {key!r} is left out: the key must be of A-Z a-z 0-9 _, the value"
            stack.note_misuse("annotation", f"{text} text, a number, true or false")
            return
        self.annotations[key] = value

    def put_metadata(self, key: str, value: Any, namespace: str = "default") -> None:
        """Add metadata: anything, which X-Ray shows and does not search."""
        if not self._takes():
            return
        if not isinstance(namespace, str) or namespace.startswith("AWS."):
            stack.note_misuse("metadata", f"metadata {namespace!r} is left out: AWS. is reserved")
            return
        self.metadata.setdefault(namespace, {})[str(key)] = value

    def put_http_meta(self, key: str, value: Any) -> None:
        """Add what is known of a request: url, method, user_agent, client_ip, status and such."""
        if value is None or not self._takes():
            return
        if key in _REQUEST:
            self.http.setdefault("request", {})[key] = value
            return
        number = _whole_number(value) if key in _RESPONSE else None
        if number is None:
            stack.note_misuse("http_meta", f"http meta {key!r} is not known, or no whole number")
            return
        self.http.setdefault("response", {})[key] = number
        if key == "status":
            self.apply_status_code(number)

    def apply_status_code(self, status_code: int | None) -> None:
        """Set error, throttle or fault as the status of an answer says."""
        number = _whole_number(status_code) or 0
        if not self._takes():
            return
        if number >= 500:
            self.add_fault_flag()
        elif number >= 400:
            self.add_error_flag()
            if number == 429:
                self.add_throttle_flag()

    def add_throttle_flag(self) -> None:
        """Say that it was refused for too many requests."""
        self.flags["throttle"] = True

    def add_fault_flag(self) -> None:
        """Say that it failed."""
        self.flags["fault"] = True

    def add_error_flag(self) -> None:
        """Say that who asked was wrong."""
        self.flags["error"] = True

    def add_exception(
        self, exception: BaseException, stack: Iterable[Any] | None = None, remote: bool = False
    ) -> None:
        """Add an exception, with its frames as `traceback.extract_tb` returns them."""
        if not self._takes():
            return
        self.add_fault_flag()
        known = causes.known_cause(exception)
        if known:
            self.cause = known
            return
        if isinstance(self.cause, str):
            self.cause = {}
        told = causes.described(exception, stack, remote=remote)
        self.cause.setdefault("exceptions", []).append(told)
        self.cause["working_directory"] = causes.working_directory()

    def set_aws(self, aws_meta: Mapping[str, Any]) -> None:
        """Say what is known of AWS."""
        self._keep("aws", aws_meta)

    def _keep(self, member: str, told: object) -> None:
        """Keep a mapping as a member of the document."""
        if not self._takes():
            return
        if isinstance(told, Mapping):
            setattr(self, member, dict(told))
        else:
            stack.note_misuse("members", f"{member} of {self.name!r} must be a mapping")

    def save_origin_trace_header(self, trace_header: TraceHeader) -> None:
        """Keep the header of the request, for the answer."""
        self._header = trace_header

    def get_origin_trace_header(self) -> TraceHeader | None:
        """Return the header of the request."""
        return self._header

    # -- the end ------------------------------------------------------------------------------

    def close(self, end_time: float | None = None) -> None:
        """End, now or at a time in seconds since 1970; only the first call counts."""
        if not self.in_progress:
            stack.note_misuse("ended_twice", f"{self.name!r} was ended before")
            return
        given = end_time if isinstance(end_time, int | float) and 0 < end_time < _TIME_MAX else None
        if end_time and given is None:
            stack.note_misuse("end_time", f"{end_time!r} is no time in seconds since 1970")
        self.end_time = float(given or time.time())
        self.in_progress = False
        self.tell()
        self.span.end(ns_of(self.end_time) if given else None)

    def to_dict(self) -> dict[str, Any]:
        """Return the document of the entity, without what is inside of it."""
        document: dict[str, Any] = {
            "name": _name_of(str(self.name)),
            "id": self.id,
            "trace_id": self.trace_id,
            "start_time": self.start_time,
        }
        document |= {"in_progress": True} if self.in_progress else {"end_time": self.end_time}
        document |= {"parent_id": self.parent_id} if self.parent_id else {}
        return document | self._members()

    def _members(self) -> dict[str, Any]:
        """Return what the entity was told, as the document has it."""
        more = {
            "http": self.http,
            "annotations": self.annotations,
            "metadata": self.metadata,
            "aws": self.aws,
            "cause": self.cause,
        }
        return {key: value for key, value in more.items() if value} | self.flags

    def tell(self) -> None:
        """Put what was told so far onto the span."""
        span = self.span
        if not span.is_recording():
            return
        rest, name = self._members(), _name_of(str(self.name))
        at = ns_of(self.end_time or time.time())
        is_part = self.kind != "server"
        kind, failed, attributes, events = take_members(rest, name, is_part=is_part, at=at)
        span.name, span.kind, span.attributes = name, kind, attributes
        if rest:
            attributes[DOCUMENT] = rest
        span.details = None
        for event in events:
            span.add_event(event["name"], event["attributes"], event["timestamp"])
        if failed:
            first = events[0]["attributes"] if events else {}
            span.set_status("error", first.get("exception.message"))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.trace_id} {self.id}>"


class Segment(Entity):
    """What one service does for one request.

    Args:
        name: Of the service.
        trace_id: To go on with; None for a new one.
        parent_id: Of what asked; None for nobody.
        sampled: Whether it is recorded.
    """

    kind = "server"

    def __init__(
        self, name: str, trace_id: str | None, parent_id: str | None, *, sampled: bool
    ) -> None:
        known = trace_id.replace("-", "")[1:] if trace_id else timed_trace_id()
        super().__init__(name, SpanContext(known, parent_id or "", sampled), sampled=sampled)
        self.parent_segment = self
        self.user: str | None = None
        self.origin: str | None = None
        self.service: dict[str, Any] = {}

    def set_user(self, user: str) -> None:
        """Say on whose behalf."""
        if self._takes():
            self.user = str(user)

    def set_service(self, service_info: Mapping[str, Any]) -> None:
        """Say what the program runs on."""
        self._keep("service", service_info)

    def set_rule_name(self, rule_name: str) -> None:
        """Say which sampling rule chose it."""
        self.aws = self.aws | {"xray": self.aws.get("xray", {}) | {"sampling_rule_name": rule_name}}

    def _members(self) -> dict[str, Any]:
        more = {"user": self.user, "origin": self.origin, "service": self.service}
        return super()._members() | {key: value for key, value in more.items() if value}


class Subsegment(Entity):
    """A part of what a service does.

    Args:
        name: What it does.
        namespace: `local`, or `remote` or `aws` for a call.
        segment: What it is inside of; None if that is no segment of this recorder.
        parent: The span that it is inside of; None for nothing: then it is not recorded.
        sampled: Whether it is recorded; None for as its parent is.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        segment: Segment | None,
        parent: Any,
        *,
        sampled: bool | None = None,
    ) -> None:
        super().__init__(name, parent, sampled=sampled)
        self.type = SUBSEGMENT
        self.namespace = namespace
        self.parent_segment = segment
        self.sql: dict[str, Any] = {}

    def set_sql(self, sql: Mapping[str, Any]) -> None:
        """Say what a database was asked."""
        self._keep("sql", sql)

    def to_dict(self) -> dict[str, Any]:
        """Return the document of the subsegment, without what is inside of it."""
        return super().to_dict() | {"type": self.type}

    def _members(self) -> dict[str, Any]:
        told = super()._members() | {"namespace": self.namespace}
        return told | ({"sql": self.sql} if self.sql else {})
