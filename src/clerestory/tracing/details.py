"""What most spans do not have: status, events, links, and counts of what was too much.

span -> [details] -> line
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clerestory.model.spans import SpanContext
from clerestory.process.values import safe_str
from clerestory.tracing.rules import span_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME_CHARS: Final = 8192
_STATUSES: Final = frozenset(("unset", "ok", "error"))


def reference(given: Any) -> SpanContext:
    """Return what names a span, be it ours, a `SpanContext`, or OpenTelemetry's `SpanContext`."""
    trace_id, span_id = given.trace_id, given.span_id
    if isinstance(trace_id, int):
        state = given.trace_state.to_header() if given.trace_state else ""
        sampled = bool(given.trace_flags & 1)
        return SpanContext(f"{trace_id:032x}", f"{span_id:016x}", sampled, state)
    return SpanContext(trace_id, span_id, given.sampled, given.trace_state)


class Details:
    """Status, events and links of one span.

    Args:
        parent: The span that is to be around it; None for the one in force.

    Attributes:
        parent: See above.
        status: `unset`, `ok` or `error`.
    """

    __slots__ = ("_dropped", "_events", "_links", "_message", "parent", "status")

    def __init__(self, parent: Any = None) -> None:
        self.parent = parent
        self.status = "unset"
        self._message = ""
        self._events: list[dict[str, Any]] = []
        self._links: list[dict[str, Any]] = []
        self._dropped: dict[str, int] = {}

    def drop(self, what: str) -> None:
        """Count something that was too much."""
        self._dropped[what] = self._dropped.get(what, 0) + 1

    def set_status(self, status: Any, description: str | None) -> None:
        """Take a status; `ok` is final, and `unset` says nothing."""
        code = getattr(status, "status_code", status)
        name = str(getattr(code, "name", code)).lower()
        if self.status == "ok" or name == "unset" or name not in _STATUSES:
            return
        self.status = name
        text = description or getattr(status, "description", None) or ""
        self._message = safe_str(text, _NAME_CHARS) if name == "error" else ""

    def add_event(self, name: str, attributes: Mapping[str, Any] | None, time_ns: int) -> None:
        """Take an event."""
        if len(self._events) >= span_rules().events_max:
            self.drop("events")
            return
        event: dict[str, Any] = {"name": safe_str(name, _NAME_CHARS), "timestamp": time_ns}
        if attributes:
            event["attributes"] = dict(attributes)
        self._events.append(event)

    def add_link(self, given: Any, attributes: Mapping[str, Any] | None) -> None:
        """Take a link to another span."""
        if len(self._links) >= span_rules().links_max:
            self.drop("links")
            return
        other = reference(given)
        link: dict[str, Any] = {"trace_id": other.trace_id, "span_id": other.span_id}
        if other.trace_state:
            link["trace_state"] = other.trace_state
        if attributes:
            link["attributes"] = dict(attributes)
        self._links.append(link)

    def copy(self) -> Details:
        """Return the same again, for another span."""
        again = Details(self.parent)
        again.status, again._message = self.status, self._message
        again._events, again._links = list(self._events), list(self._links)
        return again

    def members(self) -> dict[str, Any]:
        """Return the line's members, empty ones included."""
        found: dict[str, Any] = {"span.status_message": self._message}
        found["span.events"] = list(self._events)
        found["span.links"] = list(self._links)
        if self._dropped:
            found["span.dropped"] = dict(self._dropped)
        return found
