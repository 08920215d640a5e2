"""Spans and records that the pages of traces are tested with, and what those pages show."""

import json
import time
import urllib.parse
import uuid
from typing import Any

from playwright.sync_api import Page

from tests.support.server import ServerProcess

MS = 10**6
# The trace that has everything a waterfall must show.
STORY = "5b8efff798038103d269b633813fc60c"


class Telling:
    """One trace that is made up span by span, and sent a service at a time."""

    def __init__(self, start_ns: int, trace_id: str = "") -> None:
        self.trace_id = trace_id or uuid.uuid4().hex
        self.start_ns = start_ns
        self._count = 0
        self._lines: dict[str, list[dict[str, Any]]] = {}

    def span(
        self, service: str, name: str, at_ms: float, ms: float, parent: str = "", **more: Any
    ) -> str:
        """Tell one span and return its id."""
        self._count += 1
        span_id = f"{self._count:016x}"
        line = {
            "timestamp": self.start_ns + int(at_ms * MS),
            "level": "ERROR" if more.get("span.status") == "error" else "INFO",
            "logger": f"{service}.app",
            "kind": "span",
            "message": name,
            "trace_id": self.trace_id,
            "span_id": span_id,
            "span.kind": "internal",
            "span.status": "unset",
            "duration_ns": int(ms * MS),
            **({"parent_span_id": parent} if parent else {}),
            **more,
        }
        self._lines.setdefault(service, []).append(line)
        return span_id

    def log(self, service: str, span_id: str, at_ms: float, level: str, message: str) -> None:
        """Tell one record of a span."""
        line = {
            "timestamp": self.start_ns + int(at_ms * MS),
            "level": level,
            "logger": f"{service}.app",
            "message": message,
            "trace_id": self.trace_id,
            "span_id": span_id,
        }
        self._lines.setdefault(service, []).append(line)

    def lines(self) -> dict[str, list[dict[str, Any]]]:
        """Return the lines of each service."""
        return self._lines


def tell(server: ServerProcess, *told: Telling) -> None:
    """Send traces, all lines of a service at once."""
    by_service: dict[str, list[dict[str, Any]]] = {}
    for one in told:
        for service, lines in one.lines().items():
            by_service.setdefault(service, []).extend(lines)
    for service, lines in by_service.items():
        resource = urllib.parse.quote(json.dumps({"service.name": service, "host.name": "box-3"}))
        body = b"\n".join(json.dumps(line, separators=(",", ":")).encode() for line in lines)
        status, answer, _ = server.call(
            "POST", "/v1/records", body, {"Clerestory-Resource": resource}
        )
        assert status == 200, answer


def tell_star(server: ServerProcess, count: int) -> None:
    """Send one request to a service that calls so many others, in OTLP's JSON."""
    start, trace_id = time.time_ns() - 10**9, uuid.uuid4().hex

    def of(service: str, number: int, parent: str) -> dict[str, Any]:
        span = {
            "traceId": trace_id,
            "spanId": f"{number + 1:016x}",
            "parentSpanId": parent,
            "name": "do",
            "kind": 2,
            "startTimeUnixNano": str(start + number * MS),
            "endTimeUnixNano": str(start + (number + 10) * MS),
        }
        attribute = {"key": "service.name", "value": {"stringValue": service}}
        return {"resource": {"attributes": [attribute]}, "scopeSpans": [{"spans": [span]}]}

    parts = [of(f"part-{n:03}", n, f"{1:016x}") for n in range(1, count + 1)]
    body = json.dumps({"resourceSpans": [of("hub", 0, ""), *parts]}).encode()
    status, answer, _ = server.call(
        "POST", "/v1/traces", body, {"Content-Type": "application/json"}
    )
    assert status == 200, answer


def request(number: int, *, age_s: float, ms: float, failed: bool = False) -> Telling:
    """Return a request that runs through three services and a database."""
    one = Telling(time.time_ns() - int(age_s * 1e9))
    status = {"span.status": "error"} if failed else {}
    root = one.span("shop-web", f"GET /{number % 3}", 0, ms, **{"span.kind": "server"}, **status)
    order = one.span(
        "checkout", "order", ms * 0.1, ms * 0.8, root, **{"span.kind": "server"}, **status
    )
    one.span(
        "checkout", "SELECT cart", ms * 0.2, ms * 0.2, order,
        **{"span.kind": "client", "db.system.name": "postgresql", "db.namespace": "shop"},
    )  # fmt: skip
    one.span("payments", "capture", ms * 0.5, ms * 0.3, order, **{"span.kind": "server"}, **status)
    one.log("checkout", order, ms * 0.4, "ERROR" if failed else "INFO", f"order {number} priced")
    return one


def story(age_s: float = 30) -> Telling:
    """Return the trace that has an error, records, clocks that differ, an orphan and a link."""
    one = Telling(time.time_ns() - int(age_s * 1e9), STORY)
    failed = {"span.status": "error"}
    root = one.span("shop-web", "POST /checkout", 0, 2840, **{"span.kind": "server"}, **failed)
    order = one.span("checkout", "order", 22, 2813, root, **{"span.kind": "server"}, **failed)
    one.span("checkout", "SELECT cart", 26, 88, order, **{"span.kind": "client"})
    trace = (
        'Traceback (most recent call last):\n  File "gateway.py", line 71, in post\nGatewayTimeout'
    )
    event = {
        "exception.type": "GatewayTimeout",
        "exception.message": "no answer, attempt 3 of 3",
        "exception.stacktrace": trace,
    }
    capture = one.span(
        "payments", "capture", 406, 2428, order, order=88417, currency="EUR", **failed,
        **{
            "span.kind": "server",
            "span.events": [
                {"name": "exception", "timestamp": one.start_ns + 2834 * MS, "attributes": event}
            ],
            "span.links": [
                {"trace_id": "ab" * 16, "span_id": "cd" * 8, "attributes": {"why": "batch"}}
            ],
        },
    )  # fmt: skip
    one.span("card-gateway", "POST /v2/captures", 424, 800, capture, **failed)
    one.span("card-gateway", "POST /v2/captures", 1230, 800, capture, **failed)
    late = one.span("worker", "mail", 2800, 20, order)
    one.span("worker", "smtp", 2792, 12, late)
    one.span("audit", "lost child", 100, 50, "00000000000000ff")
    one.log("payments", capture, 1224, "WARNING", "gateway slow, attempt 1 of 3")
    one.log("payments", capture, 2030, "WARNING", "gateway slow, attempt 2 of 3")
    one.log("payments", capture, 2834, "ERROR", "capture failed")
    one.log("checkout", order, 24, "INFO", "order begun")
    return one


def lines(page: Page) -> list[str]:
    """Return what the lines of the waterfall on screen say, top to bottom."""
    found: list[str] = page.evaluate(
        """[...document.querySelectorAll('.span-line')]
        .sort((a, b) => a.dataset.index - b.dataset.index)
        .map(line => line.querySelector('.cut').textContent)"""
    )
    return found


def params(page: Page) -> dict[str, str]:
    """Return the parameters of the address."""
    found: dict[str, str] = page.evaluate(
        "Object.fromEntries(new URLSearchParams(location.search))"
    )
    return found


def path(page: Page) -> str:
    """Return the path of the address."""
    return str(page.evaluate("location.pathname"))


def listed(page: Page) -> list[str]:
    """Return the trace ids of the list, top to bottom."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.traces-table tbody tr')].map(row => row.id.slice(6))"
    )
    return found
