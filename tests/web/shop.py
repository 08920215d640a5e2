"""A shop on WSGI, a server for it, and what was recorded of its requests."""

import threading
from contextlib import contextmanager
from typing import Any

import flask
from werkzeug.serving import make_server

from clerestory import bind, get_logger, span

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
log = get_logger("shop")


def shop():
    app = flask.Flask("shop")

    @app.get("/order/<int:number>")
    def order(number):
        log.info("order asked", order=number)
        if number == 0:
            raise LookupError("no such order")
        if number == 1:
            with span("load"):
                raise LookupError("no such order")
        return {"order": number}

    @app.get("/stream")
    def stream():
        def parts():
            for number in range(3):
                log.info("part", number=number)
                yield f"{number}\n"

        return flask.Response(parts(), mimetype="text/plain")

    @app.get("/whoami")
    def whoami():
        bind(user_id="u1")
        return "u1"

    return app


@contextmanager
def served(app):
    """Serve an application with Werkzeug's server, one thread a request."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def about(caught):
    """Return the records of requests, without spans."""
    return [one for one in caught.records if "duration_ms" in one]


def server_spans(caught):
    return [one for one in caught.spans if one["span.kind"] == "server"]


def plain(status="200 OK", body=(b"ok",), headers=()):
    """Return an application that answers always the same."""

    def app(environ, start_response):
        start_response(status, [("Content-Type", "text/plain"), *headers])
        return list(body)

    return app


def ask(app, path="/", **environ):
    """Call an application as a server does; return status, headers and body."""
    told: dict[str, Any] = {}

    def start(status, headers, exc_info=None):
        told.update(status=status, headers=dict(headers))

    given = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "REMOTE_ADDR": "192.0.2.1", **environ}
    body = app(given, start)
    content = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return told["status"], told["headers"], content
