"""A Flask program that sends to Honeycomb with OpenTelemetry's SDK, and the same one on ours."""

import signal
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cli.shell import SOURCE, Shell
from tests.contracts.case import wait_until
from tests.doubles.otlp import OtlpReceiver, attributes_of
from tests.web.programs import START_S, Program, started_plainly

BACKEND = Path(__file__).with_name("backend.py")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
# One of each kind in a request that the second service takes part in, and one that fails.
SPANS = 5


@dataclass
class Seen:
    """A span as it arrived, wherever that was."""

    service: str
    name: str
    scope: str
    kind: str
    status: str
    trace_id: str
    span_id: str
    parent_span_id: str
    attributes: dict[str, Any] = field(default_factory=dict)


def environment(whose, where, server, honeycomb, folder):
    """Return the variables, none of them in the program."""
    found = {
        "PYTHONPATH": str(SOURCE),
        "CLERESTORY_SPOOL_DIRECTORY": str(folder / "spool"),
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_EXPORTER_OTLP_ENDPOINT": honeycomb.url if where == "honeycomb" else server.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-honeycomb-team=the-key",
    }
    if whose == "ours":
        found["CLERESTORY_DESTINATIONS"] = "otlp" if where == "honeycomb" else "server"
        found["CLERESTORY_ENDPOINT"] = server.url
    return found


@pytest.fixture(scope="module")
def honeycomb():
    with OtlpReceiver(key="the-key") as one:
        yield one


@pytest.fixture(scope="module", autouse=True)
def told(server, honeycomb, tmp_path_factory):
    """Run the program on either, towards either, each with a second service behind it."""
    cases = [(whose, where) for whose in ("sdk", "ours") for where in ("server", "honeycomb")]
    with ExitStack() as stack:
        programs: dict[tuple[str, str, str], Program] = {}
        for whose, where in cases:
            folder = tmp_path_factory.mktemp("backend")
            environ = environment(whose, where, server, honeycomb, folder)
            command = [sys.executable, str(BACKEND), whose]
            for name in ("second", "first"):
                told = {"OTEL_SERVICE_NAME": f"{name}-{whose}"}
                if name == "first":
                    told["SECOND_URL"] = programs[whose, where, "second"].ready().url
                programs[whose, where, name] = stack.enter_context(
                    started_plainly(command, folder, **environ, **told)
                )
        for whose, where in cases:
            url = programs[whose, where, "first"].ready().url
            answer = requests.get(
                f"{url}/api/activities/home", headers={"traceparent": PARENT}, timeout=START_S
            )
            assert answer.json()["price"] == {"item": 7, "price": 4.2}
            assert requests.get(f"{url}/api/broken", timeout=START_S).status_code == 500
        # The SDK loses what it has not sent when it ends.
        wait_until(
            lambda: all(
                len(at_server(server, whose)) == len(at_honeycomb(honeycomb, whose)) == SPANS
                for whose in ("sdk", "ours")
            ),
            START_S,
        )
        for program in programs.values():
            program.process.send_signal(signal.SIGINT)
        for program in programs.values():
            program.stop(signal.SIGINT)


def at_honeycomb(honeycomb, whose):
    """Return what the double has; its requests do not say which resource a span belongs to."""
    names = {1: "internal", 2: "server", 3: "client"}
    statuses = {0: "unset", 1: "ok", 2: "error"}
    return [
        Seen(
            "",
            span.name,
            scope,
            names[span.kind],
            statuses[span.status.code],
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            attributes_of(span),
        )
        for scope, span in honeycomb.spans
        if ("log.record.uid" in attributes_of(span)) == (whose == "ours")
    ]


_TAKEN = ("service", "name", "scope", "kind", "status", "span_id", "parent_span_id")


def at_server(server, whose):
    found = []
    asked = {"q": f"service:first-{whose} or service:second-{whose}", "from": "-1d"}
    for one in server.get("/api/v1/traces", **asked)["traces"]:
        trace = server.get(f"/api/v1/traces/{one['trace_id']}", **{"from": "-1d"})
        found += [
            Seen(
                **{key: span[key] for key in _TAKEN},
                trace_id=one["trace_id"],
                attributes=span["attrs"],
            )
            for span in trace["spans"]
            if span["service"].endswith(f"-{whose}")
        ]
    return found


@pytest.fixture(params=["server", "honeycomb"])
def both(request, server, honeycomb):
    """What the SDK's program sent, and ours, to one backend."""

    def spans(whose):
        if request.param == "server":
            return at_server(server, whose)
        return at_honeycomb(honeycomb, whose)

    return spans("sdk"), spans("ours")


def place(one, spans):
    """Return the names from a span up to its root, and whether that has a remote parent."""
    by_id = {other.span_id: other for other in spans}
    path = []
    while one is not None:
        path.append((one.name, one.kind))
        last, one = one, by_id.get(one.parent_span_id)
    return tuple(path), last.parent_span_id


def comparable(attributes):
    """Return what does not differ from run to run."""
    return {
        key: value
        for key, value in attributes.items()
        if "port" not in key
        and key not in {"log.record.uid", "app.now"}
        and not (isinstance(value, str) and "127.0.0.1:" in value)
    }


def test_spans_attributes_and_parents_are_the_same(both):
    """Name, kind, status, scope, attributes, and the way up to the caller."""
    theirs, ours = ({place(one, spans)[0]: one for one in spans} for spans in both)

    assert sorted(ours) == sorted(theirs)
    for path, peer in theirs.items():
        one = ours[path]
        assert (one.status, one.scope) == (peer.status, peer.scope), path
        told, expected = comparable(one.attributes), comparable(peer.attributes)
        assert {key: told.get(key) for key in expected} == expected, path
        assert place(one, both[1])[1] == place(peer, both[0])[1], path


def test_the_second_service_is_in_the_callers_trace(both):
    """From the browser's header through both services."""
    for spans in both:
        trace = [one for one in spans if one.trace_id == PARENT[3:35]]
        paths = {place(one, spans)[0] for one in trace}
        home, price = (
            ("GET /api/activities/home", "server"),
            ("GET /api/price/<int:item>", "server"),
        )
        assert paths == {
            (home,),
            (("GET", "client"), home),
            (price, ("GET", "client"), home),
            (("home-activites-mock-data", "internal"), home),
        }
        (mock,) = [one for one in trace if one.kind == "internal"]
        assert mock.attributes["app.result_length"] == 2
        assert mock.scope == "home.activities"


def test_an_error_is_the_spans_status(both):
    """What Honeycomb shows in red."""
    for spans in both:
        (failed,) = [one for one in spans if one.trace_id != PARENT[3:35]]
        assert (failed.name, failed.status) == ("GET /api/broken", "error")


def test_the_console_shows_spans_beside_the_server(server, tmp_path):
    """OTEL_TRACES_EXPORTER=console, as with OpenTelemetry's own launcher."""
    code = "import clerestory\nwith clerestory.span('boil water', litres=2): pass"
    shell = Shell(tmp_path, server.url)

    done = shell.run(
        *("run", "--service", "kettle", "--", sys.executable, "-c", code),
        OTEL_TRACES_EXPORTER="console",
    )

    assert '"message":"boil water"' in done.stdout
    assert '"litres":2' in done.stdout
    wait_until(lambda: server.get("/api/v1/traces", q="service:kettle")["traces"])
