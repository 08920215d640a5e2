r"""Requests of a WSGI application: Flask, Django, Bottle, anything under gunicorn or Werkzeug.

    server ~~> environ -> [wsgi] -> application -> body ~~> server
                             \-> Exchange -> record, span

Wire format: PEP 3333.

Invariant: the application gets and gives what it would without the middleware, but for the one
header with the request's id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clerestory.integrations.web.exchange import KEY, TRACE_HEADERS, Asked, Exchange, begin
from clerestory.integrations.web.hooks import watch_flask
from clerestory.integrations.web.rules import web_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Environ = dict[str, Any]
    Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

__all__ = ["WsgiMiddleware", "answer"]

_TRACE_KEYS: Final = tuple(
    ("HTTP_" + name.upper().replace("-", "_"), name) for name in TRACE_HEADERS
)


class WsgiMiddleware:
    """A WSGI application around another, with a record and a server span of each request.

    Args:
        app: What answers.

    >>> app.wsgi_app = WsgiMiddleware(app.wsgi_app)  # doctest: +SKIP
    """

    def __init__(self, app: Application) -> None:
        watch_flask()
        self.app = app
        # `app.wsgi_app` is a method of the application that an instrumentation marks.
        self._owner = getattr(app, "__self__", app)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, as PEP 3333 says."""
        return answer(self.app, self._owner, environ, start_response)

    def __getattr__(self, name: str) -> Any:
        if name == "app":
            raise AttributeError(name)
        return getattr(self.app, name)


def answer(
    app: Application, owner: object, environ: Environ, start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Answer a request with a record and a server span of it, unless somebody makes them already.

    Args:
        app: What answers.
        owner: The application that it belongs to.
        environ: As PEP 3333 says.
        start_response: As PEP 3333 says.
    """
    exchange = None if KEY in environ else begin(_asked(environ), owner)
    if exchange is None:
        return app(environ, start_response)
    environ[KEY] = exchange
    name = web_rules().request_id_header.title()

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        code = status[:3]
        exchange.answer(int(code) if code.isascii() and code.isdigit() else 0)
        if name and not any(key.title() == name for key, _ in headers):
            headers = [*headers, (name, exchange.request_id)]
        return start_response(status, headers, *more)

    exchange.enter()
    try:
        body = app(environ, start)
    except BaseException as error:
        exchange.finish(error)
        exchange.leave()
        raise
    if isinstance(body, list | tuple) or _is_file(body, environ):
        exchange.sent_bytes = sum(map(len, body)) if isinstance(body, list | tuple) else 0
        exchange.finish()
        exchange.leave()
        return body
    exchange.leave()
    return _Body(body, exchange)


def _asked(environ: Environ) -> Asked:
    get = environ.get
    path = get("SCRIPT_NAME", "") + get("PATH_INFO", "")
    if not path.isascii():
        path = path.encode("latin-1", "replace").decode("utf-8", "replace")
    header = web_rules().request_id_header
    key = "HTTP_" + header.upper().replace("-", "_") if header else ""
    return Asked(
        method=get("REQUEST_METHOD", "GET"),
        path=path or "/",
        scheme=get("wsgi.url_scheme", "http"),
        query=get("QUERY_STRING", ""),
        host=get("HTTP_HOST", ""),
        peer=get("REMOTE_ADDR") or "",
        agent=get("HTTP_USER_AGENT", ""),
        version=get("SERVER_PROTOCOL", "").removeprefix("HTTP/"),
        request_id=get(key, ""),
        forwarded_for=get("HTTP_X_FORWARDED_FOR", ""),
        forwarded_proto=get("HTTP_X_FORWARDED_PROTO", ""),
        trace={name: environ[key] for key, name in _TRACE_KEYS if key in environ},
    )


def _is_file(body: object, environ: Environ) -> bool:
    """Say whether a server may send the body by a way of its own, which a wrapper would hide."""
    kind = environ.get("wsgi.file_wrapper")
    return isinstance(kind, type) and isinstance(body, kind)


class _Body:
    """A body that ends its exchange: each of its parts is made with the request in force."""

    def __init__(self, body: Iterable[bytes], exchange: Exchange) -> None:
        self._body = body
        self._next = iter(body).__next__
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        exchange = self._exchange
        exchange.enter()
        try:
            part = self._next()
        except StopIteration:
            exchange.finish()
            raise
        except BaseException as error:
            exchange.finish(error)
            raise
        finally:
            exchange.leave()
        exchange.sent_bytes += len(part)
        return part

    def close(self) -> None:
        """Tell the application that the answer was sent, or that nobody waits for it."""
        exchange = self._exchange
        exchange.enter()
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            exchange.finish()
            exchange.leave()
