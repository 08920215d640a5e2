"""One record and one server span of each request that a WSGI application answers."""

import io
import logging
import time

import pytest
import requests
from hypothesis import example, given, strategies
from werkzeug.serving import WSGIRequestHandler

from clerestory import get_logger
from clerestory.integrations.flask import instrument
from clerestory.integrations.web.rules import WebRules, put_in_force, web_rules
from clerestory.integrations.wsgi import WsgiMiddleware
from clerestory.testing import capture
from tests.contracts.case import wait_until
from tests.web.shop import PARENT, about, ask, plain, served, server_spans, shop


@pytest.fixture
def rules():
    """Let a test say what holds for requests."""
    before = web_rules()
    yield lambda **given: put_in_force(WebRules(**given))
    put_in_force(before)


def test_a_request_is_one_record_and_one_server_span_of_the_same_trace():
    """With the conventions' names, and the caller's trace."""
    with capture() as caught, served(instrument(shop())) as url:
        answer = requests.get(
            f"{url}/order/7?token=hidden",
            headers={"traceparent": PARENT, "X-Request-ID": "req-1", "User-Agent": "tester/1"},
            timeout=10,
        )
        wait_until(lambda: about(caught))

    (record,), (one,) = about(caught), server_spans(caught)
    assert answer.json() == {"order": 7}
    assert answer.headers["X-Request-ID"] == "req-1"
    assert record["message"] == "GET /order/7 200"
    for told in (record, one):
        assert told["http.request.method"] == "GET"
        assert told["url.path"] == "/order/7"
        assert told["url.scheme"] == "http"
        assert told["http.route"] == "/order/<int:number>"
        assert told["http.response.status_code"] == 200
        assert told["client.address"] == "127.0.0.1"
        assert told["server.address"] == "127.0.0.1"
        assert told["server.port"] == int(url.rpartition(":")[2])
        assert told["user_agent.original"] == "tester/1"
        assert told["request_id"] == "req-1"
        assert told["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
        assert "url.query" not in told
    assert record["duration_ms"] > 0
    assert record["http.response.body.size"] == len(answer.content)
    assert record["span_id"] == one["span_id"]
    assert (one["message"], one["parent_span_id"]) == ("GET /order/<int:number>", PARENT[36:52])
    asked = next(one for one in caught.records if one["message"] == "order asked")
    assert (asked["span_id"], asked["request_id"]) == (one["span_id"], "req-1")


def test_werkzeugs_access_line_of_the_request_is_not_recorded_and_others_are():
    """One line a request; whatever else a server says stays."""
    with capture() as caught, served(instrument(shop())) as url:
        requests.get(f"{url}/order/7", timeout=10)
        wait_until(lambda: about(caught))
    with capture() as bare, served(shop()) as url:
        requests.get(f"{url}/order/7", timeout=10)
        wait_until(lambda: [one for one in bare.records if one["logger"] == "werkzeug"])

    assert [one for one in caught.records if one["logger"] == "werkzeug"] == []
    assert about(bare) == []


def test_the_access_line_stays_where_it_is_wanted(rules):
    """The setting `web.access_lines`."""
    rules(keeps_access_lines=True)

    with capture() as caught, served(instrument(shop())) as url:
        requests.get(f"{url}/order/7", timeout=10)
        wait_until(lambda: about(caught))
        wait_until(lambda: [one for one in caught.records if one["logger"] == "werkzeug"])


class Printed:
    """What a server's own handler got."""

    def __init__(self):
        self.lines: list[str] = []
        self.handler = logging.Handler()
        self.handler.emit = lambda record: self.lines.append(record.getMessage())  # type: ignore[method-assign]


@pytest.mark.parametrize("has_console", [False, True])
def test_a_servers_own_handler_is_silent_only_where_our_console_shows_the_request(
    rules, has_console
):
    """`clerestory run` has no console of ours: the developer still sees Werkzeug's lines."""
    rules(has_console=has_console)
    printed = Printed()
    logger = logging.getLogger("werkzeug")
    logger.addHandler(printed.handler)
    try:
        with capture() as caught, served(instrument(shop())) as url:
            requests.get(f"{url}/order/7", timeout=10)
            wait_until(lambda: about(caught))
            if not has_console:
                wait_until(lambda: printed.lines)
    finally:
        logger.removeHandler(printed.handler)

    assert bool(printed.lines) is not has_console
    assert [one for one in caught.records if one["logger"] == "werkzeug"] == []


@pytest.mark.parametrize("number", [0, 1])
def test_an_exception_is_logged_once_and_marks_the_span(number):
    """By Flask, or by the innermost span that it left."""
    with capture() as caught, served(instrument(shop())) as url:
        assert requests.get(f"{url}/order/{number}", timeout=10).status_code == 500
        wait_until(lambda: about(caught))

    (record,), (one,) = about(caught), server_spans(caught)
    told = [one for one in caught.records if "exception" in one]
    assert len(told) == 1
    assert told[0]["trace_id"] == record["trace_id"]
    assert (record["level"], record["error.type"]) == ("ERROR", "500")
    assert (one["span.status"], one["error.type"]) == ("error", "500")


def test_an_exception_that_leaves_the_application_is_logged_once_and_raised():
    """The server that gets it reports it too; that is not recorded again."""

    def app(environ, start_response):
        raise LookupError("no such order")

    with capture() as caught, served(WsgiMiddleware(app)) as url:
        assert requests.get(url, timeout=10).status_code == 500
        wait_until(lambda: about(caught))

    (record,), (one,) = about(caught), server_spans(caught)
    told = [one for one in caught.records if "LookupError" in str(one) and "kind" not in one]
    assert [one["logger"] for one in told] == ["clerestory.web"] * 2
    assert [one["message"] for one in told] == ["LookupError: no such order", "GET / 500"]
    assert record["error.type"] == "LookupError"
    assert one["span.status"] == "error"


def test_a_stream_belongs_to_its_request_until_its_end():
    """Each part is made with the request in force; nothing is in force between."""
    app = instrument(shop())
    with capture() as caught:
        answer = app.test_client().get("/stream")
        before = about(caught)
        assert answer.data == b"0\n1\n2\n"

    (record,), (one,) = about(caught), server_spans(caught)
    parts = [one for one in caught.records if one["message"] == "part"]
    assert before == []
    assert record["http.response.body.size"] == 6
    assert {part["span_id"] for part in parts} == {one["span_id"]}
    assert len(parts) == 3


def test_a_client_that_goes_away_ends_the_request():
    """A server closes the body that it does not send to the end."""
    app = instrument(shop())
    with capture() as caught:
        answer = app.test_client().get("/stream", buffered=False)
        answer.close()

    assert [one["message"] for one in about(caught)] == ["GET /stream 200"]


def test_what_the_application_binds_is_on_the_record_of_the_request():
    """Who asked is known only inside."""
    with capture() as caught:
        assert instrument(shop()).test_client().get("/whoami").data == b"u1"
        get_logger("after").info("after")

    (record,) = about(caught)
    assert record["user_id"] == "u1"
    assert "user_id" not in caught.find("after")


@pytest.mark.parametrize(
    "given", ["", "a b", "x" * 129, "café", "a\nb", "<script>", '"quoted"', "-dash first"]
)
def test_a_request_id_that_is_not_fit_gets_another(given):
    """It goes into records and back into a header."""
    with capture() as caught:
        _, headers, _ = ask(WsgiMiddleware(plain()), HTTP_X_REQUEST_ID=given)

    (record,) = about(caught)
    assert record["request_id"] == headers["X-Request-Id"]
    assert len(record["request_id"]) == 32
    assert given not in {record["request_id"], ""} or given == ""


def test_an_id_that_the_application_sets_itself_stays():
    """One header, the application's."""
    app = WsgiMiddleware(plain(headers=[("x-request-id", "own")]))

    _, headers, _ = ask(app)

    assert [value for name, value in headers.items() if name.lower() == "x-request-id"] == ["own"]


def test_the_header_of_the_id_can_be_another_or_none(rules):
    """Some proxies name it otherwise."""
    rules(request_id_header="x-correlation-id")
    with capture() as caught:
        _, headers, _ = ask(WsgiMiddleware(plain()), HTTP_X_CORRELATION_ID="c-1")
    assert headers["X-Correlation-Id"] == about(caught)[0]["request_id"] == "c-1"

    rules(request_id_header="")
    with capture() as caught:
        _, headers, _ = ask(WsgiMiddleware(plain()), HTTP_X_REQUEST_ID="c-1")
    assert "request_id" not in about(caught)[0]
    assert list(headers) == ["Content-Type"]


def test_only_a_configured_proxy_is_believed(rules):
    """Anybody can write the header."""
    rules(trusts=lambda address: address in {"192.0.2.1", "192.0.2.2"})
    asked = {
        "believed": ("192.0.2.1", "198.51.100.7", "198.51.100.7"),
        "chain": ("192.0.2.1", "1.1.1.1, 198.51.100.7, 192.0.2.2", "198.51.100.7"),
        "forged": ("203.0.113.9", "198.51.100.7", "203.0.113.9"),
        "garbage": ("192.0.2.1", "evil, <x>", "192.0.2.1"),
        "v6": ("192.0.2.1", '"[2001:db8::1]:443"', "2001:db8::1"),
    }
    for name, (peer, header, client) in asked.items():
        with capture() as caught:
            ask(
                WsgiMiddleware(plain()),
                REMOTE_ADDR=peer,
                HTTP_X_FORWARDED_FOR=header,
                HTTP_X_FORWARDED_PROTO="https",
            )
        (record,) = about(caught)
        assert record["client.address"] == client, name
        assert record["url.scheme"] == ("http" if name == "forged" else "https"), name


def test_paths_that_are_passed_over_make_nothing(rules):
    """A health check each second is no news."""
    rules(exact=frozenset({"/health"}), prefixes=("/static/",))
    app = WsgiMiddleware(plain())

    with capture() as caught:
        for path in ("/health", "/static/a.css", "/healthy"):
            ask(app, path)

    assert [one["url.path"] for one in caught.records] == ["/healthy"] * 2


def test_a_query_is_recorded_only_where_it_is_wanted_and_masked(rules):
    """Queries hold tokens."""
    rules(query=True)
    with capture() as caught:
        ask(WsgiMiddleware(plain()), QUERY_STRING="page=2&next=https://u:secret-word@host/")

    (record,) = about(caught)
    assert record["url.query"].startswith("page=2&")
    assert "secret-word" not in record["url.query"]


def test_middleware_around_middleware_makes_one_record():
    """Ours by hand, below the one that `clerestory run` puts around."""
    with capture() as caught:
        ask(WsgiMiddleware(WsgiMiddleware(plain())))

    assert (len(about(caught)), len(server_spans(caught))) == (1, 1)


def test_a_file_and_a_list_go_to_the_server_as_they_are():
    """A server sends a file by a way of its own if it sees it."""

    class Wrapper:
        def __init__(self, file):
            self.file = file

        def __iter__(self):
            return iter(self.file)

    def app(environ, start_response):
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"x"))

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.file_wrapper": Wrapper}
    with capture() as caught:
        assert isinstance(WsgiMiddleware(app)(environ, lambda *_: None), Wrapper)

    assert len(about(caught)) == 1


def test_a_request_costs_little():
    """The benchmark's figure with room for a busy machine."""
    app, bare = WsgiMiddleware(plain()), plain()

    def cost_us(what, count=2000):
        begin = time.thread_time_ns()
        for _ in range(count):
            ask(what)
        return (time.thread_time_ns() - begin) / count / 1000

    with capture():
        cost_us(app, 100)
        added = min(cost_us(app) for _ in range(3)) - min(cost_us(bare) for _ in range(3))

    assert added < 150, added


def test_the_handler_of_werkzeug_is_the_one_whose_lines_are_known():
    """Its format is what the filter looks for."""
    told = []

    class Handler(WSGIRequestHandler):
        def __init__(self):
            self.requestline, self.path = "GET / HTTP/1.1", "/"

        def address_string(self):
            return "127.0.0.1"

    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.msg)  # type: ignore[method-assign]
    logger = logging.getLogger("werkzeug")
    logger.addHandler(handler)
    try:
        Handler().log_request(200)
    finally:
        logger.removeHandler(handler)

    assert told[0].endswith('] "%s" %s %s')


LATIN = strategies.text(strategies.characters(max_codepoint=255), max_size=300)
HEADERS = ("HOST", "USER_AGENT", "X_FORWARDED_FOR", "X_REQUEST_ID", "TRACEPARENT", "B3")


@given(
    headers=strategies.fixed_dictionaries({f"HTTP_{name}": LATIN for name in HEADERS}),
    path=LATIN,
    peer=strategies.sampled_from(["", "192.0.2.1", "::1", "fe80::1%eth0", "unix:"]),
)
@example(headers={"HTTP_HOST": "a:\xb2"}, path="\xff", peer="192.0.2.1")
def test_whatever_a_client_sends_is_answered_and_recorded_once(headers, path, peer):
    """A header that is not understood is no error of the application."""
    before = web_rules()
    put_in_force(WebRules(trusts=lambda _address: True, query=True, failures_per_minute=2))
    try:
        with capture() as caught:
            status, _, _ = ask(WsgiMiddleware(plain("404 No")), path, REMOTE_ADDR=peer, **headers)
    finally:
        put_in_force(before)

    assert status == "404 No"
    assert len(about(caught)) == len(server_spans(caught)) == 1
