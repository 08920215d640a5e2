"""Flask in one call: a record, a server span and an id of each request.

    instrument(app) -> [flask] -> wsgi -> Exchange

Invariant: an application that is instrumented twice makes one record of a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clerestory.integrations.web.hooks import tell_once
from clerestory.integrations.wsgi import WsgiMiddleware

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["instrument"]


def instrument(app: Flask) -> Flask:
    """Make one record and one server span of each request, and return the application.

    An exception is logged once, in the innermost span that it leaves, else by Flask.

    Args:
        app: A Flask application.

    >>> app = instrument(Flask("shop"))  # doctest: +SKIP
    """
    if not isinstance(app.wsgi_app, WsgiMiddleware):
        app.wsgi_app = WsgiMiddleware(app.wsgi_app)  # type: ignore[method-assign]
        tell_once(app)
    return app
