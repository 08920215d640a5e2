"""One request and its answer: a server span, a record, the id that both carry.

    wsgi, asgi -> [exchange] -> span, record, security record -> spool

Names of attributes are OpenTelemetry's: https://opentelemetry.io/docs/specs/semconv/http/.

Invariant: one request is one record and one server span, however many of us see it; where an
instrumentation of OpenTelemetry makes the span, its ids are on the record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from clerestory import context
from clerestory.integrations.web import security
from clerestory.integrations.web.access import note_served, watch_servers
from clerestory.integrations.web.place import raised_at
from clerestory.integrations.web.rules import WebRules, web_rules
from clerestory.logger import get_logger
from clerestory.model.severity import LEVELS
from clerestory.process.exceptions import type_name
from clerestory.process.lines import emission, prepared
from clerestory.process.values import safe_str
from clerestory.tracing.pending import OPEN
from clerestory.tracing.rules import RANDOM
from clerestory.tracing.spans import Span, clock_ns, in_force, is_recorded, note_recorded
from clerestory.wire.propagation import extract

if TYPE_CHECKING:
    from types import FrameType

    from clerestory.context import Fields

SCOPE: Final = "clerestory.web"
KEY: Final = "clerestory.exchange"
# Under these names a server has the headers that may name a trace.
TRACE_HEADERS: Final = (
    *("traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"),
    *("x-b3-flags", "x-amzn-trace-id"),
)
_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "QUERY")
)
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+=@-]{0,127}")
_MARK: Final = "_is_instrumented_by_opentelemetry"
# Set by `XRayMiddleware`, whose segment is the server span.
XRAY_MARK: Final = "_clerestory_xray"
_LAYERS_MAX: Final = 8
_PATH_CHARS: Final = 2048
_HEADER_CHARS: Final = 512
_INFO, _WARNING, _ERROR = (LEVELS[name] for name in ("INFO", "WARNING", "ERROR"))
_log: Final = get_logger(SCOPE)


@dataclass(slots=True, kw_only=True)
class Asked:
    """What a server knows of a request.

    Attributes:
        method: `GET` and such.
        path: Without the query.
        scheme: `http`, `https`, `ws`, `wss`.
        query: What stands behind the `?`.
        host: The header `Host`.
        peer: Address of who is connected.
        agent: The header `User-Agent`.
        version: Of the protocol, such as `1.1`.
        request_id: As a header has it.
        forwarded_for: The header `X-Forwarded-For`.
        forwarded_proto: The header `X-Forwarded-Proto`.
        trace: Headers that name a trace.
    """

    method: str
    path: str
    scheme: str = "http"
    query: str = ""
    host: str = ""
    peer: str = ""
    agent: str = ""
    version: str = ""
    request_id: str = ""
    forwarded_for: str = ""
    forwarded_proto: str = ""
    trace: dict[str, str] = field(default_factory=dict)


class Exchange:
    """One request, from its arrival until the last byte of its answer.

    Args:
        asked: What the server knows.
        has_span_elsewhere: Whether an instrumentation inside makes the server span.

    Attributes:
        fields: What the record has, by name.
        place: The function that answers; None if unknown.
        request_id: Of this request, ours if the header had none that is fit.
        route: Pattern of the path that the framework found; empty if unknown.
        status: What was answered; 0 before.
        sent_bytes: Of the body, so far.
    """

    __slots__ = (
        "_begun",
        "_inside",
        "_is_finished",
        "_rules",
        "_span",
        "_token",
        "_told",
        "fields",
        "place",
        "request_id",
        "route",
        "sent_bytes",
        "status",
    )

    def __init__(self, asked: Asked, *, has_span_elsewhere: bool = False) -> None:
        self._begun = clock_ns()
        self._rules = rules = web_rules()
        self._is_finished = False
        self.route, self.status, self.sent_bytes = "", 0, 0
        self._told: dict[str, str] | None = None
        self.place: FrameType | None = None
        given = asked.request_id
        is_fit = _REQUEST_ID.fullmatch(given) is not None
        self.request_id = given if is_fit else RANDOM.getrandbits(128).to_bytes(16, "big").hex()
        self.fields = _fields_of(asked, rules)
        self._span: Span | None = None
        around = context.get()
        if has_span_elsewhere or _is_served(around):
            self._inside = in_force(around.span, around, around.foreign)
        else:
            self._span = span = _server_span(asked, dict(self.fields))
            caller = extract(asked.trace) if asked.trace else None
            self._inside = span.begin(around, caller or around.span)
            if span.sampled:
                OPEN[span.span_id] = span
        if rules.request_id_header:
            self._inside["request_id"] = _shown(self.request_id)

    # -- what is in force -----------------------------------------------------------------------

    def enter(self) -> None:
        """Put the request's fields in force."""
        self._token = context.use(self._inside)

    def leave(self) -> None:
        """Put in force what was before; what the application bound comes back with `enter`."""
        self._inside = context.get()
        try:
            context.reset(self._token)
        except ValueError:  # left in another context than it was entered, by a server's choice
            return

    # -- the answer -----------------------------------------------------------------------------

    def answer(self, status: int) -> None:
        """Take the status of the answer, and the ids of a span that somebody else made."""
        self.status = status
        if self._span is None:
            now = context.get()
            self._told = {key: now[key] for key in ("trace_id", "span_id") if key in now}

    def finish(self, error: BaseException | None = None) -> None:
        """Make span and record of it; only the first call counts, with the fields in force.

        Args:
            error: What left the application in place of an answer.
        """
        if self._is_finished:
            return
        self._is_finished = True
        duration_ns = clock_ns() - self._begun
        fields = self.fields
        if self.route:
            fields["http.route"] = self.route
        if isinstance(error, Exception) and not self.status:
            self.status = 500
        if self.status:
            fields["http.response.status_code"] = self.status
        if error is not None:
            fields["error.type"] = type_name(error)
        elif self.status >= 500:
            fields["error.type"] = str(self.status)
        if self._span is not None:
            self._finish_span(self._span, duration_ns, error)
        elif isinstance(error, Exception) and not is_recorded(error):
            text = f"{type_name(error)}: {safe_str(error, 8192)}"
            _log.tell(_ERROR, text, {"exc_info": error}, raised_at(error))
            note_recorded(error, str(context.get().get("trace_id", "")))
        self._tell(duration_ns)

    def _finish_span(self, span: Span, duration_ns: int, error: BaseException | None) -> None:
        span.attributes.update(self.fields)
        if self.route:
            span.name = f"{span.name} {self.route}"
        if error is not None:
            span._fail(error, raised_at(error))  # noqa: SLF001  a span of our own making
        if self.status >= 500:
            span.set_status("error")
        span._finish(duration_ns)  # noqa: SLF001

    def _tell(self, duration_ns: int) -> None:
        """Make the record, and the security records."""
        now = context.get()
        # Not those of a span inside, in which the last part of the answer may have been sent.
        exact = in_force(now.span if self._span is None else self._span, now, now.foreign)
        if self._told is not None:
            exact.update(self._told)
        token = context.use(exact)
        try:
            rules = self._rules
            if rules.security and 400 <= self.status < 500:
                security.warn(self.status, self.fields, self.place, rules.failures_per_minute)
            if rules.records:
                self._record(duration_ns)
        finally:
            context.reset(token)

    def _record(self, duration_ns: int) -> None:
        fields, status = self.fields, self.status
        fields["duration_ms"] = round(duration_ns / 1e6, 3)
        if self.sent_bytes:
            fields["http.response.body.size"] = self.sent_bytes
        outcome = str(status) if status else "aborted"
        text = f"{fields['http.request.method']} {fields['url.path']} {outcome}"
        level = _ERROR if status >= 500 else _INFO if status else _WARNING
        _log.tell(level, text, fields, self.place)


def _shown(request_id: str) -> Any:
    """Return an id as records carry it; what it is made of needs no care, its name might."""
    names = emission().names
    if "request_id" in names.clean or names.learn("request_id") is None:
        return request_id
    return prepared("request_id", request_id)


_watching: list[bool] = []


def begin(asked: Asked, owner: Any) -> Exchange | None:
    """Return the exchange of a request; None if it is one that is passed over.

    Args:
        asked: What the server knows.
        owner: The application; an instrumentation of OpenTelemetry leaves its mark there.
    """
    if not _watching:
        _watching.append(True)
        watch_servers()
    # Now, since some servers write their line with the first byte of the answer.
    note_served()
    if web_rules().ignores(asked.path):
        return None
    return Exchange(asked, has_span_elsewhere=_is_instrumented(owner))


def _is_instrumented(owner: Any) -> bool:
    """Say whether an instrumentation of OpenTelemetry sits inside an application."""
    first = owner
    for _ in range(_LAYERS_MAX):
        if owner.__class__.__module__.startswith("opentelemetry.instrumentation."):
            return True
        members = getattr(owner, "__dict__", {})
        if _MARK in members or XRAY_MARK in members:
            return bool(members.get(_MARK) or members.get(XRAY_MARK))
        # Middleware and servers' loaders keep the application that they are around so.
        owner = members.get("app") or members.get("_app") or members.get("wsgi_app")
        owner = getattr(owner, "__self__", owner)
        if owner is None or owner is first:  # Flask's middleware has a method of its Flask
            return False
    return False


def _is_served(around: Fields) -> bool:
    """Say whether a server span is in force already, of ours or of another provider."""
    span = around.span
    if isinstance(span, Span):
        return span.kind == "server" and span.is_recording()
    return any(
        getattr(getattr(held, "kind", None), "name", "") == "SERVER"
        for held in (around.foreign or {}).values()
    )


def _server_span(asked: Asked, attributes: dict[str, Any]) -> Span:
    span = Span()
    span.name = asked.method if asked.method in _METHODS else "HTTP"
    span.kind, span.scope = "server", SCOPE
    span.attributes = attributes
    span.details = span.token = None
    return span


def _fields_of(asked: Asked, rules: WebRules) -> dict[str, Any]:
    scheme, peer = asked.scheme, asked.peer
    client = peer
    if asked.forwarded_for or asked.forwarded_proto:
        client = rules.client_of(peer, asked.forwarded_for)
        proto = asked.forwarded_proto.strip().lower()
        if proto in {"http", "https"} and rules.trusts(peer):
            scheme = proto
    fields: dict[str, Any] = {
        "http.request.method": asked.method[:32],
        "url.path": asked.path[:_PATH_CHARS],
        "url.scheme": scheme,
    }
    if asked.query and rules.query:
        fields["url.query"] = asked.query[:_PATH_CHARS]
    if asked.host:
        name, colon, port = asked.host[:_HEADER_CHARS].rpartition(":")
        is_port = bool(colon) and port.isascii() and port.isdigit()
        fields["server.address"] = name if is_port else asked.host[:_HEADER_CHARS]
        if is_port:
            fields["server.port"] = int(port[:5])
    if client:
        fields["client.address"] = client
    if asked.agent:
        fields["user_agent.original"] = asked.agent[:_HEADER_CHARS]
    if asked.version:
        fields["network.protocol.version"] = asked.version
    return fields
