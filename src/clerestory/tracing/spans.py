"""A span: from its start to its line.

    with span(...), tracer.start_span(...) -> [spans] -> line -> spool

One class serves our own `span()` and OpenTelemetry's API, whose methods it has; the API registers
it as one of its spans. Nothing of that package is imported before one of its types is asked for.

Invariant: a span that ends is one line on the road, or was not sampled; making it never raises
into the program.
"""

from __future__ import annotations

import time
import weakref
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from clerestory import context
from clerestory.context import Fields, carrying
from clerestory.delivery.road import ROAD
from clerestory.model.severity import LEVELS
from clerestory.model.spans import SpanContext
from clerestory.process.encode import Raw, encode, encode_lines
from clerestory.process.exceptions import type_name
from clerestory.process.lines import call_line, emission, site, span_line
from clerestory.process.values import safe_str
from clerestory.tracing.details import Details, reference
from clerestory.tracing.pending import OPEN
from clerestory.tracing.rules import RANDOM, span_rules, timed_trace_id
from clerestory.wire.record import stacktrace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

_HEADS_MAX: Final = 10_000
_MESSAGE_CHARS: Final = 8192
_ERROR: Final = LEVELS["ERROR"]
_RECORDED: Final = "__clerestory_recorded__"
_random_bits: Final = RANDOM.getrandbits
_time_ns: Final = time.time_ns
clock_ns: Final = time.perf_counter_ns
HEADS: Final[dict[tuple[str, str, str], Any]] = {}


class _Scope(NamedTuple):
    """What the record of an exception is logged in the name of."""

    name: str


def head_of(scope: str, kind: str, status: str = "unset") -> Any:
    """Return what is the same for all spans of a scope, encoded: level, logger, kind, status."""
    found = HEADS.get((scope, kind, status))
    if found is None:
        if len(HEADS) >= _HEADS_MAX:
            HEADS.clear()
        level = "ERROR" if status == "error" else "INFO"
        more = b',"kind":"span","span.kind":%b,"span.status":%b'
        found = Raw(bytes(site(level, scope, None)) + more % (encode(kind), encode(status)))
        HEADS[scope, kind, status] = found
    return found


def is_recorded(error: BaseException) -> bool:
    """Say whether an exception was logged on its way out of a span or request."""
    return hasattr(error, _RECORDED)


def note_recorded(error: BaseException, trace_id: str) -> None:
    """Remember on an exception in which trace it was logged."""
    try:
        setattr(error, _RECORDED, trace_id)
    except (AttributeError, TypeError):
        return


class Span:
    """Something that takes time, with a name, attributes and a place in a trace.

    Attributes:
        name: What it does, the same for all of its kind.
        kind: `internal`, `server`, `client`, `producer` or `consumer`.
        scope: Name of what made it; the record's `logger`.
        attributes: Fields by name.
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        parent_span_id: That of the span around it; empty for a root.
        sampled: Whether it becomes a line.
        trace_state: As in W3C's `tracestate`.
        start_ns: When it began, in nanoseconds since 1970.
        details: Status, events and links; None for most spans.
        token: Puts in force again what was before the span.
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "_fields",
        "attributes",
        "details",
        "kind",
        "name",
        "parent_span_id",
        "sampled",
        "scope",
        "span_id",
        "start_ns",
        "token",
        "trace_id",
        "trace_state",
    )

    _clock: int
    details: Details | None
    _fields: Fields | None
    token: Any
    attributes: dict[str, Any]
    kind: str
    name: str
    parent_span_id: str
    sampled: bool
    scope: str
    span_id: str
    start_ns: int
    trace_id: str
    trace_state: str

    # -- start --------------------------------------------------------------------------------

    def begin(self, around: Fields, parent: Any) -> Fields:
        """Start now, inside what is in force; return what is in force inside the span."""
        if parent is None:
            if ROAD.pipeline is None:
                _prepare()
            rules = span_rules()
            if rules.timed_ids:
                trace_id = timed_trace_id()
            else:
                trace_id = _random_bits(128).to_bytes(16, "big").hex()
            self.trace_id = trace_id
            self.parent_span_id = self.trace_state = ""
            sampler = rules.sampler
            self.sampled = sampler is None or sampler.decides(trace_id, None, self)
        elif parent.__class__ is SpanContext:
            trace_id = self._continue(parent)
        else:
            self.trace_id = trace_id = parent.trace_id
            self.parent_span_id = parent.span_id
            self.sampled = parent.sampled
            self.trace_state = parent.trace_state
        self.span_id = span_id = _random_bits(64).to_bytes(8, "big").hex()
        self._fields = fields = Fields(around)
        fields["trace_id"] = trace_id
        fields["span_id"] = span_id
        fields.span = self
        fields.foreign = around.foreign
        fields.collides = around.collides
        self.start_ns = _time_ns()
        self._clock = clock_ns()
        return fields

    def _continue(self, parent: SpanContext) -> str:
        """Go on with a trace from elsewhere."""
        if ROAD.pipeline is None:
            _prepare()
        self.trace_id, self.parent_span_id, sampled, self.trace_state = parent
        sampler = span_rules().sampler
        self.sampled = sampled if sampler is None else sampler.decides(parent.trace_id, parent)
        return parent.trace_id

    def backdate(self, start_ns: int) -> None:
        """Have begun at another time."""
        self._clock -= self.start_ns - start_ns
        self.start_ns = start_ns

    # -- end ----------------------------------------------------------------------------------

    def _finish(self, duration_ns: int) -> None:
        """Become a line; once."""
        fields = self._fields
        if fields is None:
            return
        self._fields = None  # else the two would keep each other alive
        if not self.sampled:
            return
        OPEN.pop(self.span_id, None)
        rules = emission()
        attributes = self.attributes
        name = self.name
        if (
            self.details is None
            and name.__class__ is str
            and rules.span_names.clean.issuperset(attributes)
            and not fields.collides
        ):
            record = {
                "timestamp": self.start_ns,
                "level": HEADS.get((self.scope, self.kind, "unset"))
                or head_of(self.scope, self.kind),
                "message": name,
                **fields,
                "duration_ns": duration_ns,
                **attributes,
            }
            if self.parent_span_id:
                record["parent_span_id"] = self.parent_span_id
            if self.trace_state:
                record["trace_state"] = self.trace_state
            try:
                line = encode_lines([record])
            except Exception:
                line = b""
            if 0 < len(line) <= rules.limits.chars:
                try:
                    ROAD.write(line)
                except ValueError:
                    ROAD.when_full(line)
                return
        ROAD.put(self._full_line(fields, {"duration_ns": duration_ns}))

    def _full_line(self, fields: Fields, timing: dict[str, Any]) -> bytes:
        details = self.details
        status = "unset" if details is None else details.status
        own: dict[str, Any] = {
            "message": safe_str(self.name, _MESSAGE_CHARS),
            "parent_span_id": self.parent_span_id,
            **timing,
            "trace_state": self.trace_state,
        }
        if details is not None:
            own |= details.members()
        own = {key: value for key, value in own.items() if value not in ("", [])}
        attributes = {**fields, **self.attributes}
        # An attribute may have a name that the ids or the context have.
        for key in ("trace_id", "span_id"):
            if key in self.attributes:
                attributes[f"field.{key}"] = attributes[key]
            attributes[key] = fields[key]
        return span_line(head_of(self.scope, self.kind, status), own, attributes, self.start_ns)

    def pending_line(self) -> bytes | None:
        """Return a line for the span while it runs; None if it has ended."""
        fields = self._fields
        return None if fields is None else self._full_line(fields, {"span.pending": True})

    def running_ns(self) -> int:
        """Return for how long the span has been running, in nanoseconds."""
        return clock_ns() - self._clock

    def end(self, end_time: int | None = None) -> None:
        """End the span, now or at a time in nanoseconds since 1970; only the first call counts."""
        if end_time is None:
            self._finish(clock_ns() - self._clock)
        else:
            self._finish(max(0, end_time - self.start_ns))

    # -- what happens meanwhile -----------------------------------------------------------------

    def is_recording(self) -> bool:
        """Say whether what is told to the span is kept: it is sampled and has not ended."""
        return self.sampled and self._fields is not None

    def _detailed(self) -> Details:
        if self.details is None:
            self.details = Details()
        return self.details

    def set_attribute(self, key: str, value: Any) -> None:
        """Add a field, or change it."""
        attributes = self.attributes
        if self._fields is None:
            return
        if key not in attributes and len(attributes) >= span_rules().attributes_max:
            self._detailed().drop("attributes")
            return
        attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Add fields, or change them."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def update_name(self, name: str) -> None:
        """Give the span another name."""
        if self._fields is not None:
            self.name = name

    def set_status(self, status: Any, description: str | None = None) -> None:
        """Say how it went.

        Args:
            status: `"ok"` or `"error"`, or OpenTelemetry's `Status` or `StatusCode`.
            description: What went wrong.
        """
        if self._fields is not None:
            self._detailed().set_status(status, description)

    def add_event(
        self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None
    ) -> None:
        """Note that something happened, now or at a time in nanoseconds since 1970."""
        if self._fields is not None:
            self._detailed().add_event(name, attributes, timestamp or time.time_ns())

    def add_link(self, context: Any, attributes: Mapping[str, Any] | None = None) -> None:
        """Name another span that has to do with this one."""
        if self._fields is not None:
            self._detailed().add_link(context, attributes)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Note an exception as an event, as OpenTelemetry's API describes it."""
        from clerestory.process.exceptions import describe

        form = describe(exception, frames_max=emission().frames_max)
        told = {
            "exception.type": form["type"],
            "exception.message": form["message"],
            "exception.stacktrace": stacktrace(form),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", told | dict(attributes or {}), timestamp)

    def _fail(self, error: BaseException, frame: FrameType) -> None:
        """Take the error of an exception that leaves the span, and log it once on its way out."""
        if not isinstance(error, Exception) or self._fields is None:
            return  # the end of a generator, a task or the program is no error
        kind = type_name(error)
        text = f"{kind}: {safe_str(error, _MESSAGE_CHARS)}"
        self._detailed().set_status("error", text)
        self.attributes.setdefault("error.type", kind)
        if getattr(error, _RECORDED, "") == self.trace_id:
            return
        line = call_line(_Scope(self.scope), _ERROR, text, (), {"exc_info": error}, frame)
        if line is not None:
            ROAD.put(line)
        note_recorded(error, self.trace_id)

    # -- OpenTelemetry ----------------------------------------------------------------------------

    def get_span_context(self) -> Any:
        """Return OpenTelemetry's `SpanContext` of the span."""
        from opentelemetry.trace import SpanContext as Foreign
        from opentelemetry.trace import TraceFlags, TraceState

        state = TraceState.from_header([self.trace_state]) if self.trace_state else None
        return Foreign(
            int(self.trace_id, 16),
            int(self.span_id, 16),
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.SAMPLED if self.sampled else TraceFlags.DEFAULT),
            trace_state=state,
        )

    def __repr__(self) -> str:
        ids = f" {self.trace_id} {self.span_id}" if hasattr(self, "span_id") else ""
        return f"<{type(self).__name__} {self.name!r}{ids}>"


def _prepare() -> None:
    """Configure if nobody did: the sampler must be known before the first span."""
    carrying.install()
    ROAD.try_to_ensure()


def put_started(span: Span, parent: Any, start_ns: int | None) -> None:
    """Start a span that is not in force; whoever asked for it ends it, or forgets it.

    Args:
        span: With name, scope, kind, attributes and details.
        parent: The span around it, or a `SpanContext`; None for a root.
        start_ns: When it began; None for now.
    """
    span.token = None
    span.begin(context.get(), parent)
    if start_ns is not None:
        span.backdate(start_ns)
    if span.sampled:
        OPEN[span.span_id] = weakref.ref(span)


def in_force(span: Any, around: Fields, foreign: Any) -> Fields:
    """Return what is in force inside a span that runs already.

    Args:
        span: One of ours, a `SpanContext`, or None.
        around: What is in force around it.
        foreign: What another package keeps beside it.
    """
    fields = Fields(around)
    if around.span is not None:
        for key in ("trace_id", "span_id"):
            fields.pop(key, None)
    if span is not None:
        fields["trace_id"] = span.trace_id
        fields["span_id"] = span.span_id
    fields.span = span
    fields.foreign = foreign
    fields.collides = around.collides
    return fields


def current_span() -> Span | None:
    """Return the span that is in force here, to add attributes or events; None for none."""
    span = context.get().span
    return span if isinstance(span, Span) else None


def parent_context() -> SpanContext | None:
    """Return what names the span in force here, for other processes; None for none."""
    span = context.get().span
    return None if span is None else reference(span)
