"""Applications and servers that the program imports, with our middleware around them.

    after_import("flask.app", ...) -> [hooks] -> wsgi, asgi -> Exchange

The outermost of them makes the record; those inside see that it is made. Flask tells by a signal
which of its functions answers: when a request has failed, it does not know any more.

Invariant: a framework of another shape is left as it is.
"""

from __future__ import annotations

import functools
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from clerestory.context.late import after_import
from clerestory.process.lines import ELSEWHERE
from clerestory.tracing.spans import is_recorded

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

_MARK: Final = "clerestory_wrapped"


def install() -> None:
    """Wrap what is imported, and what will be; once."""
    for name, wrap in _WRAPPERS.items():
        after_import(name, wrap)
    watch_flask()


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put another function in the place of one, once."""
    before = getattr(owner, name, None)
    if before is None or hasattr(before, _MARK):
        return
    after = functools.wraps(before)(make(before))
    setattr(after, _MARK, True)
    setattr(owner, name, after)


def _wrap_flask(module: Any) -> None:
    def called(call: Any) -> Any:
        def answered(self: Any, environ: Any, start_response: Any) -> Any:
            from clerestory.integrations.wsgi import answer

            return answer(functools.partial(call, self), self, environ, start_response)

        return answered

    _replace(module.Flask, "__call__", called)
    _replace(module.Flask, "log_exception", _told_once)


def _told_once(log: Any) -> Any:
    """Return Flask's `log_exception`; what a span has logged goes to its handlers alone."""

    def log_exception(self: Any, exc_info: Any, *more: Any) -> None:
        if exc_info[1] is None or not is_recorded(exc_info[1]):
            log(self, exc_info, *more)
            return
        logger = self.logger

        def mark(record: logging.LogRecord) -> bool:
            if record.exc_info and record.exc_info[1] is exc_info[1]:
                record.__dict__[ELSEWHERE] = True
            return True

        logger.addFilter(mark)
        try:
            log(self, exc_info, *more)
        finally:
            logger.removeFilter(mark)

    return log_exception


def tell_once(app: Any) -> None:
    """Let one Flask application log an exception once."""
    _replace(type(app), "log_exception", _told_once)


def watch_flask() -> None:
    """Let Flask tell which of its functions answers a request, also of one that then fails."""
    after_import("flask.signals", _connect)


def _connect(module: Any) -> None:
    with suppress(RuntimeError):  # before 2.3 it had signals only where blinker was installed
        module.request_started.connect(_note_view)


def _note_view(app: Any, **_more: Any) -> None:
    from flask.globals import request

    from clerestory.integrations.web.exchange import KEY
    from clerestory.integrations.web.place import place_of

    exchange, rule = request.environ.get(KEY), request.url_rule
    if exchange is not None and rule is not None:
        exchange.route = str(rule.rule)
        exchange.place = place_of(app.view_functions.get(rule.endpoint), request.method)


def _wrap_starlette(module: Any) -> None:
    def called(call: Any) -> Any:
        async def answered(self: Any, scope: Any, receive: Any, send: Any) -> None:
            from clerestory.integrations.asgi import answer

            await answer(functools.partial(call, self), self, scope, receive, send)

        return answered

    _replace(module.Starlette, "__call__", called)


def _wrap_gunicorn(module: Any) -> None:
    def loaded(load: Any) -> Any:
        def load_wsgi(self: Any) -> None:
            from clerestory.integrations.wsgi import WsgiMiddleware

            load(self)
            self.wsgi = WsgiMiddleware(self.wsgi)

        return load_wsgi

    _replace(module.Worker, "load_wsgi", loaded)


def _wrap_gunicorn_asgi(module: Any) -> None:
    def loaded(load: Any) -> Any:
        def load_wsgi(self: Any) -> None:
            from clerestory.integrations.asgi import AsgiMiddleware

            load(self)
            self.asgi = AsgiMiddleware(self.asgi)

        return load_wsgi

    _replace(module.ASGIWorker, "load_wsgi", loaded)


def _wrap_uvicorn(module: Any) -> None:
    def loaded(load: Any) -> Any:
        def load_app(self: Any) -> None:
            from clerestory.integrations.asgi import AsgiMiddleware

            load(self)
            self.loaded_app = AsgiMiddleware(self.loaded_app)

        return load_app

    _replace(module.Config, "load", loaded)


def _wrap_werkzeug(module: Any) -> None:
    def made(make: Any) -> Any:
        def make_server(self: Any, *args: Any, **kwargs: Any) -> None:
            from clerestory.integrations.wsgi import WsgiMiddleware

            make(self, *args, **kwargs)
            self.app = WsgiMiddleware(self.app)

        return make_server

    _replace(module.BaseWSGIServer, "__init__", made)


_WRAPPERS: Final[dict[str, Callable[[Any], None]]] = {
    "flask.app": _wrap_flask,
    "starlette.applications": _wrap_starlette,
    "gunicorn.workers.base": _wrap_gunicorn,
    "gunicorn.workers.gasgi": _wrap_gunicorn_asgi,
    "uvicorn.config": _wrap_uvicorn,
    "werkzeug.serving": _wrap_werkzeug,
}
