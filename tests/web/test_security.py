"""Refused requests, and clients that fail again and again, are records of their own."""

import pytest

from clerestory.integrations.web import security
from clerestory.integrations.web.rules import WebRules, put_in_force, web_rules
from clerestory.integrations.wsgi import WsgiMiddleware
from clerestory.testing import capture


@pytest.fixture(autouse=True)
def few():
    before = web_rules()
    put_in_force(WebRules(failures_per_minute=5))
    security.RATES.forget()
    yield
    put_in_force(before)
    security.RATES.forget()


def app(environ, start_response):
    start_response(f"{environ['PATH_INFO'].strip('/')} Status", [])
    return [b""]


def ask(status, client="192.0.2.1"):
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/{status}",
        "REMOTE_ADDR": client,
        "HTTP_USER_AGENT": "tester/1",
    }
    WsgiMiddleware(app)(environ, lambda *_: None)


def told(caught):
    return [one for one in caught.records if one["logger"] == "clerestory.security"]


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (401, "security.unauthenticated"),
        (403, "security.forbidden"),
        (429, "security.rate_limited"),
    ],
)
def test_a_refusal_is_a_record_of_its_own(status, name):
    """With who asked what, in the trace of the request."""
    with capture() as caught:
        ask(status)

    (record,) = told(caught)
    assert (record["event.name"], record["level"]) == (name, "WARNING")
    assert record["client.address"] == "192.0.2.1"
    assert record["http.request.method"] == "POST"
    assert record["url.path"] == f"/{status}"
    assert record["http.response.status_code"] == status
    assert record["user_agent.original"] == "tester/1"
    assert record["trace_id"] == caught.spans[0]["trace_id"]


@pytest.mark.parametrize("status", [200, 302, 404, 500])
def test_another_answer_is_none(status):
    """A page that is not there is no refusal."""
    with capture() as caught:
        ask(status)

    assert told(caught) == []


def test_a_client_that_fails_again_and_again_is_told_once():
    """Somebody looks for a way in; one record, not one for each attempt."""
    with capture() as caught:
        for _ in range(12):
            ask(404)
        for _ in range(4):
            ask(404, "192.0.2.2")

    (record,) = told(caught)
    assert record["event.name"] == "security.failure_rate"
    assert record["client.address"] == "192.0.2.1"
    assert (record["security.failures"], record["security.window_s"]) == (5, 60)


def test_a_minute_later_it_is_told_again():
    """The window begins anew."""
    now = [0.0]
    rates = security.FailureRates(clock=lambda: now[0])

    first = [rates.count("a", 3) for _ in range(5)]
    now[0] = 61.0
    second = [rates.count("a", 3) for _ in range(5)]

    assert first == second == [0, 0, 3, 0, 0]


def test_clients_of_one_network_of_ipv6_are_counted_together():
    """Each has 2^64 addresses to fail from."""
    with capture() as caught:
        for number in range(5):
            ask(404, f"2001:db8::{number:x}")
        for number in range(4):
            ask(404, f"2001:db8:0:{number + 1:x}::1")

    assert [one["event.name"] for one in told(caught)] == ["security.failure_rate"]


def test_many_clients_do_not_fill_the_memory():
    """Whoever forges addresses by the million."""
    rates = security.FailureRates(clients_max=100)

    for number in range(10_000):
        rates.count(f"client-{number}", 5)
        rates.count("the one", 20_000)

    assert len(rates) == 100
    assert rates.count("the one", 10_001) == 10_001


def test_it_can_be_switched_off():
    """The settings `web.security_records` and `web.failures_per_minute`."""
    put_in_force(WebRules(security=False))
    with capture() as caught:
        for _ in range(30):
            ask(401)
    assert told(caught) == []

    put_in_force(WebRules(failures_per_minute=0))
    with capture() as caught:
        for _ in range(30):
            ask(404)
    assert told(caught) == []


def test_requests_themselves_can_do_without_a_record():
    """The setting `web.records`: spans and security records are left."""
    put_in_force(WebRules(records=False))
    with capture() as caught:
        ask(200)
        ask(403)

    kinds = [(one["logger"], one.get("kind")) for one in caught.records]
    assert kinds == [
        ("clerestory.web", "span"),
        ("clerestory.web", "span"),
        ("clerestory.security", None),
    ]
