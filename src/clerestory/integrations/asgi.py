r"""Requests of an ASGI application: Starlette, FastAPI, Litestar, anything under uvicorn.

    server ~~> scope -> [asgi] -> application -> send ~~> server
                           \-> Exchange -> record, span

Wire format: https://asgi.readthedocs.io/en/latest/specs/www.html.

Invariant: the application gets and gives what it would without the middleware, but for the one
header with the request's id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clerestory.integrations.web.exchange import KEY, TRACE_HEADERS, Asked, Exchange, begin
from clerestory.integrations.web.place import place_of
from clerestory.integrations.web.rules import web_rules

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Message = dict[str, Any]
    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["AsgiMiddleware", "answer"]

_KINDS: Final = frozenset(("http", "websocket"))
_TRACE: Final = frozenset(name.encode() for name in TRACE_HEADERS)


class AsgiMiddleware:
    """An ASGI application around another, with a record and a server span of each request.

    A websocket is one request, which ends when it is closed.

    Args:
        app: What answers.

    >>> app.add_middleware(AsgiMiddleware)  # doctest: +SKIP
    """

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or take part in the server's start and end."""
        await answer(self.app, scope.get("app", self.app), scope, receive, send)

    def __getattr__(self, name: str) -> Any:
        if name == "app":
            raise AttributeError(name)
        return getattr(self.app, name)


async def answer(
    app: Application, owner: object, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer a request with a record and a server span of it, unless somebody makes them already.

    Args:
        app: What answers.
        owner: The application that it belongs to.
        scope: As ASGI says.
        receive: As ASGI says.
        send: As ASGI says.
    """
    exchange = None
    if scope["type"] in _KINDS and KEY not in scope:
        exchange = begin(_asked(scope), owner)
    if exchange is None:
        await app(scope, receive, send)
        return
    scope[KEY] = exchange
    watch = _Watch(exchange, scope, receive, send)
    exchange.enter()
    try:
        await app(scope, watch.receive, watch.send)
    except BaseException as error:
        watch.finish(error)
        raise
    finally:
        watch.finish()
        exchange.leave()


def _asked(scope: Scope) -> Asked:
    wanted = web_rules().request_id_header.encode()
    found: dict[bytes, bytes] = {}
    trace: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name in _TRACE:
            trace[name.decode()] = value.decode("latin-1")
        elif name == b"x-forwarded-for" and name in found:
            found[name] += b"," + value
        else:
            found[name] = value

    def header(name: bytes) -> str:
        return found.get(name, b"").decode("latin-1")

    client = scope.get("client")
    return Asked(
        method=scope.get("method", "GET"),
        path=scope["path"] or "/",
        scheme=scope.get("scheme", "http"),
        query=scope.get("query_string", b"").decode("latin-1"),
        host=header(b"host"),
        peer=str(client[0] or "") if client else "",
        agent=header(b"user-agent"),
        version=scope.get("http_version", ""),
        request_id=header(wanted) if wanted else "",
        forwarded_for=header(b"x-forwarded-for"),
        forwarded_proto=header(b"x-forwarded-proto"),
        trace=trace,
    )


class _Watch:
    """What goes between application and server, as it passes by."""

    __slots__ = ("_exchange", "_name", "_receive", "_root_path", "_scope", "_send")

    def __init__(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        self._exchange = exchange
        self._scope = scope
        self._receive = receive
        self._send = send
        self._name = web_rules().request_id_header.encode()
        self._root_path = scope.get("root_path", "")

    async def receive(self) -> Message:
        """Hand a message to the application."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._exchange.fields["websocket.close_code"] = message.get("code", 1005)
        return message

    async def send(self, message: Message) -> None:
        """Hand a message to the server."""
        exchange = self._exchange
        kind = message["type"]
        if kind in {"http.response.start", "websocket.http.response.start"}:
            exchange.answer(message["status"])
            message = self._with_id(message)
        elif kind == "websocket.accept":
            exchange.answer(101)
            message = self._with_id(message)
        elif kind == "websocket.close":
            exchange.fields["websocket.close_code"] = message.get("code", 1000)
            if not exchange.status:
                exchange.answer(403)
        elif kind == "http.response.body":
            exchange.sent_bytes += len(message.get("body", b""))
        await self._send(message)
        # The answer is complete; what the application still does is not the client's matter. An
        # error may yet be raised by who has answered it.
        is_last = kind == "http.response.body" and not message.get("more_body", False)
        if is_last and exchange.status < 500:
            self.finish()

    def _with_id(self, message: Message) -> Message:
        headers = list(message.get("headers") or ())
        if not self._name or any(name.lower() == self._name for name, _ in headers):
            return message
        own = (self._name, self._exchange.request_id.encode())
        return {**message, "headers": [*headers, own]}

    def finish(self, error: BaseException | None = None) -> None:
        """End the exchange, with its fields in force."""
        scope = self._scope
        route = getattr(scope.get("route"), "path", "")
        if route:
            mounted = scope.get("root_path", "").removeprefix(self._root_path)
            self._exchange.route = mounted + route
        self._exchange.place = place_of(scope.get("endpoint"), scope.get("method", ""))
        self._exchange.finish(error)
