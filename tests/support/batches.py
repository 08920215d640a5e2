"""Batches as a courier hands them to a destination, for tests."""

import json
from typing import Any

from clerestory.delivery.port import Batch

SPOOL = "0123456789abcdef0123456789abcdef"
TIME = 1795314823428724290
RESOURCE = {
    "service.name": "shop",
    "service.version": "1.2.3",
    "deployment.environment.name": "test",
    "host.name": "web-1",
    "process.pid": 4242,
}
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
EXCEPTION = {
    "type": "ValueError",
    "message": "no such order",
    "frames": [{"file": "/app/main.py", "line": 7, "function": "order", "code": "raise error"}],
    "cause": {"type": "KeyError", "message": "'x'", "frames": []},
}


def line(message: str = "order placed", *, level: str = "INFO", at: int = TIME, **fields: Any):
    """Return a line as the spool keeps it, without its line feed."""
    head = {
        "timestamp": at,
        "level": level,
        "logger": "shop.orders",
        "module": "main",
        "funcName": "order",
        "lineno": 42,
        "message": message,
    }
    text = json.dumps(head | fields, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def span_line(name: str = "checkout", **fields: Any):
    """Return the line of a span as the spool keeps it, without its line feed."""
    head = {
        "timestamp": fields.pop("at", TIME),
        "level": fields.pop("level", "INFO"),
        "logger": "shop.orders",
        "kind": "span",
        "span.kind": "internal",
        "span.status": "unset",
        "message": name,
        "trace_id": TRACE,
        "span_id": SPAN,
        "duration_ns": 1_500_000,
    }
    return json.dumps(head | fields, separators=(",", ":"), ensure_ascii=False).encode()


def batch_of(*lines: bytes, first: int = 0, resource: dict[str, Any] | None = None) -> Batch:
    """Return a batch of lines; an empty one is a line that a filter keeps back."""
    return Batch(
        spool_id=SPOOL,
        first=first,
        count=len(lines),
        lines=b"".join(one + b"\n" for one in lines),
        resource=RESOURCE if resource is None else resource,
    )
