"""Spans for the tests: as our own lines, and sent in either way."""

import json
import time
import urllib.parse
import uuid

NOW_NS = time.time_ns() // 10**9 * 10**9 - 60 * 10**9
MS = 10**6


def trace_id():
    return uuid.uuid4().hex


def span(trace, number, parent=0, /, **members):
    """Return a span line; `service` says who made it, numbers become ids."""
    line = {
        "timestamp": NOW_NS,
        "level": "ERROR" if members.get("span.status") == "error" else "INFO",
        "logger": "tests",
        "kind": "span",
        "message": f"span {number}",
        "trace_id": trace,
        "span_id": f"{number:016x}",
        "parent_span_id": f"{parent:016x}",
        "span.kind": "internal",
        "duration_ns": 10 * MS,
        "span.status": "unset",
        **members,
    }
    if not parent:
        del line["parent_span_id"]
    return line


def body_of(lines):
    return b"\n".join(json.dumps(line, separators=(",", ":")).encode() for line in lines)


def send(server, lines, *, service, spool="", first=0):
    """Send lines of one service and return the answer."""
    resource = urllib.parse.quote(json.dumps({"service.name": service}))
    headers = {"Clerestory-Resource": resource}
    if spool:
        headers |= {"Clerestory-Spool": spool, "Clerestory-First": str(first)}
    status, answer, _ = server.call("POST", "/v1/records", body_of(lines), headers)
    assert status == 200, answer
    return json.loads(answer)


def one_trace(server, trace, **params):
    return server.get(f"/api/v1/traces/{trace}", **params)


def search(server, q="", **params):
    answer = server.get("/api/v1/traces", **{"q": q, "from": "-1d", **params})
    assert "traces" in answer, answer
    return answer
