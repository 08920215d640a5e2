"""What answered a request: its route and its function, however the request ends."""

import asyncio
import contextlib
import logging
from typing import Any

import flask
import pytest
from flask.views import MethodView
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from clerestory.integrations.asgi import AsgiMiddleware
from clerestory.integrations.flask import instrument
from clerestory.integrations.opentelemetry import share_context
from clerestory.integrations.opentelemetry.provider import TracerProvider
from clerestory.integrations.wsgi import WsgiMiddleware
from clerestory.testing import capture
from tests.web.shop import about, ask, plain, server_spans, shop

HERE = "test_place"
ENVIRON: dict[str, Any] = {
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "HTTP_HOST": "localhost",
    "wsgi.url_scheme": "http",
}


def site(record):
    return record.get("module"), record.get("funcName"), record.get("lineno")


def begin_of(function):
    return HERE, function.__name__, function.__code__.co_firstlineno


@pytest.mark.parametrize("setting", ["TESTING", "PROPAGATE_EXCEPTIONS"])
def test_a_request_whose_exception_flask_passes_on_has_its_route(setting):
    """As one that Flask answers with 500."""
    app = instrument(shop())
    app.config[setting] = True

    with capture() as caught, pytest.raises(LookupError):
        app.test_client().get("/order/0")

    (record,), (one,) = about(caught), server_spans(caught)
    assert record["http.route"] == one["http.route"] == "/order/<int:number>"
    assert one["message"] == "GET /order/<int:number>"
    assert (site(record)[:2], record["error.type"]) == (("shop", "order"), "LookupError")


def test_a_request_that_fails_behind_the_framework_has_its_route():
    """Middleware between ours and Flask, which raises when Flask has answered."""
    app = shop()

    def after(environ, start_response):
        list(app(environ, lambda *_: None))
        raise LookupError("the answer cannot be sent")

    with capture() as caught, pytest.raises(LookupError):
        ask(WsgiMiddleware(after), "/order/7", **ENVIRON)

    (record,), (one,) = about(caught), server_spans(caught)
    assert record["http.route"] == one["http.route"] == "/order/<int:number>"


def test_an_application_below_another_has_its_route_and_its_function():
    """Which nothing outside can see: the environment is another."""
    below = instrument(shop())

    def copied(environ, start_response):
        return below(dict(environ), start_response)

    with capture() as caught:
        ask(
            WsgiMiddleware(DispatcherMiddleware(plain(), {"/v2": copied})),
            "/v2/order/7",
            **ENVIRON,
        )

    (record,) = about(caught)
    assert record["http.route"] == "/order/<int:number>"
    assert site(record)[:2] == ("shop", "order")


def decorated(function):
    import functools

    @functools.wraps(function)
    def around(*args, **kwargs):
        return function(*args, **kwargs)

    return around


def listed():
    return "all"


class Item(MethodView):
    def get(self, number):
        return str(number)

    def delete(self, number):
        flask.abort(403)


def catalogue():
    app = instrument(flask.Flask("catalogue"))
    app.add_url_rule("/items", view_func=decorated(listed))
    app.add_url_rule("/items/<int:number>", view_func=Item.as_view("item"))
    return app


@pytest.mark.parametrize(
    ("method", "path", "function"),
    [
        ("GET", "/items", listed),
        ("GET", "/items/7", Item.get),
        ("HEAD", "/items/7", Item.get),
        ("DELETE", "/items/7", Item.delete),
    ],
)
def test_records_of_a_request_name_flasks_view(method, path, function):
    """The function that a user wrote, below its decorators; the same on a security record."""
    with capture() as caught:
        catalogue().test_client().open(path, method=method, buffered=True)

    mine = [one for one in caught.records if one["logger"].startswith("clerestory.")]
    told = [one for one in mine if "kind" not in one]
    assert len(told) == (2 if method == "DELETE" else 1)
    assert {site(one) for one in told} == {begin_of(function)}


async def order(request):
    return PlainTextResponse("ok")


async def broken(request):
    raise LookupError("no such order")


class Stock(HTTPEndpoint):
    async def get(self, request):
        return PlainTextResponse("ok")


def ask_api(path):
    """Ask an application on ASGI, as a server does; what it raises is the server's matter."""
    routes = [
        Route("/order/{number:int}", order),
        Route("/stock", Stock),
        Route("/broken", broken),
        Mount("/v2", routes=[Route("/order/{number:int}", order)]),
    ]
    application: Any = Starlette(routes=routes)
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        pass

    with contextlib.suppress(LookupError):
        asyncio.run(AsgiMiddleware(application)(scope, receive, send))


@pytest.mark.parametrize(
    ("path", "function"),
    [
        ("/order/7", order),
        ("/v2/order/7", order),
        ("/stock", Stock.get),
        ("/broken", broken),
    ],
)
def test_the_record_of_a_request_names_the_endpoint_of_the_scope(path, function):
    """Of Starlette, and of what is built on it."""
    with capture() as caught:
        ask_api(path)

    (record,) = about(caught)
    assert site(record) == begin_of(function)


def test_an_exception_is_told_where_it_was_raised():
    """Its record names neither us nor the server."""

    def find():
        raise LookupError("no such order")

    def app(environ, start_response):
        return find()

    with capture() as caught, pytest.raises(LookupError):
        ask(WsgiMiddleware(app))

    (told,) = [one for one in caught.records if "exception" in one]
    assert site(told) == (HERE, "find", find.__code__.co_firstlineno + 1)


def test_an_exception_below_somebody_elses_span_is_told_where_it_was_raised():
    """The server span is not ours, so the exception is logged by itself."""
    app = instrument(shop())
    app.testing = True
    FlaskInstrumentor().instrument_app(app, tracer_provider=TracerProvider())
    share_context()
    try:
        with capture() as caught, pytest.raises(LookupError):
            app.test_client().get("/order/0")
    finally:
        FlaskInstrumentor().uninstrument_app(app)

    (record,) = about(caught)
    (told,) = [one for one in caught.records if "exception" in one]
    assert told["exception"]["type"] == "LookupError"
    assert site(told)[:2] == ("shop", "order")
    assert told["lineno"] > record["lineno"]
    assert record["http.route"] == "/order/<int:number>"


def test_an_application_that_cannot_be_called_is_told_at_its_caller():
    """There is no other place that is not ours."""
    broken_app: Any = None

    with capture() as caught, pytest.raises(TypeError):
        ask(WsgiMiddleware(broken_app))

    (told,) = [one for one in caught.records if "exception" in one]
    assert site(told)[:2] == ("shop", "ask")


class Handled(logging.Handler):
    """Keeps what a handler of somebody else gets."""

    def __init__(self):
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record):
        self.records.append(record)


@pytest.mark.parametrize("is_listened_to", [False, True])
@pytest.mark.parametrize("path", ["/nothing", "/order/7"])
def test_where_no_function_is_known_a_record_has_no_call_site(path, is_listened_to):
    """Whether or not a handler wants a LogRecord; it gets one, with what `logging` says then."""
    handler, root = Handled(), logging.getLogger()
    before = root.handlers[:]
    root.handlers = [handler] if is_listened_to else []
    try:
        with capture() as caught:
            ask(WsgiMiddleware(shop()), path, **ENVIRON)
    finally:
        root.handlers = before

    (record,) = about(caught)
    is_known = path != "/nothing"
    assert is_known == ("lineno" in record) == ("module" in record) == ("funcName" in record)
    handled = [one for one in handler.records if one.name == "clerestory.web"]
    assert len(handled) == is_listened_to
    if is_listened_to:
        assert handled[0].funcName == ("order" if is_known else "(unknown function)")
        assert handled[0].getMessage() == record["message"]


def test_a_secret_name_is_masked_where_no_function_is_known():
    """The settings say which names are secret, those of requests among them."""
    from clerestory import logger
    from clerestory.process.lines import Emission, emission
    from clerestory.process.redaction import NameRules

    before = emission()
    secret = NameRules.build(enabled=True, keys=["user_agent"], allowed=())
    logger.use(Emission(names=secret))
    try:
        with capture() as caught:
            ask(WsgiMiddleware(plain()), HTTP_USER_AGENT="tester/1")
    finally:
        logger.use(before)

    (record,) = about(caught)
    assert record["user_agent.original"] == "[redacted:key]"
