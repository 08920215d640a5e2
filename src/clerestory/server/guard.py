"""Who may speak to the server: the Host allow-list and the same-origin rule.

    socket -> [guard] -> app

A web page of another site can make a browser send requests to a local port. It cannot choose the
Host header (DNS rebinding is caught there) nor hide its Origin.

Invariant: no request that changes something, and no WebSocket, is served to a foreign origin.
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from clerestory.model.errors import LimitError
from clerestory.server.api.answers import error_response

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_READING: Final = frozenset({"GET", "HEAD"})


def host_name(header: str) -> str:
    """Return the name in a Host header, without port and brackets.

    >>> host_name("[::1]:4318"), host_name("LocalHost:80")
    ('::1', 'localhost')
    """
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


class Guard:
    """ASGI middleware that refuses strangers."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts | LOOPBACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.code})
        else:
            await error_response(refusal)(scope, receive, send)

    def _refusal(self, scope: Scope) -> LimitError | None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if host_name(host) not in self._hosts:
            message = (
                f"Host {host[:100]!r} is not served; add it to server.hosts_allowed "
                "if this server should answer to it"
            )
            return LimitError(message, code="host_not_allowed", status=403)
        if scope["type"] == "http" and scope["method"] in _READING:
            return None
        origin = headers.get(b"origin", b"").decode("latin-1")
        site = headers.get(b"sec-fetch-site", b"").decode("latin-1")
        if (origin and urlsplit_netloc(origin) != host.lower()) or site == "cross-site":
            message = f"Origin {origin[:100]!r} may not do this; open the server's own page"
            return LimitError(message, code="origin_not_allowed", status=403)
        return None


def urlsplit_netloc(origin: str) -> str:
    """Return host and port of an Origin header, in lower case."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
