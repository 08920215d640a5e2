"""Celery: a task belongs to the request that sent it, and is a span.

    task.delay() -> headers ~~> broker ~~> headers -> [celery] -> fields and span in force -> task

The headers are those of `trace.propagators`, and one more with the fields of `request_context`.

Invariant: whatever goes wrong in here, the task runs as if it were not there.
"""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory import context
from clerestory.integrations.web.access import ErrorFilter
from clerestory.process.exceptions import type_name
from clerestory.process.values import safe_str
from clerestory.trace import extract, inject, span
from clerestory.tracing.spans import parent_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from clerestory.tracing.blocks import Block

__all__ = ["connect"]

HEADER: Final = "clerestory-context"
_HEADER_BYTES: Final = 8192
_IDS: Final = frozenset(("trace_id", "span_id"))
_RUNNING: Final = "clerestory_running"
_TRACE_NAMES: Final = (
    *("traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled"),
    *("x-b3-flags", "X-Amzn-Trace-Id"),
)
_UID: Final = "clerestory"


def connect(signals: Any, set_levels: Callable[[], None], shut_down: Callable[[], object]) -> None:
    """Listen to Celery's signals; again is once.

    Args:
        signals: The module `celery.signals`.
        set_levels: Sets the levels of loggers anew, since a worker sets its own.
        shut_down: Delivers what a process of a pool has recorded, before it ends.
    """

    def relevel(**_told: Any) -> None:
        set_levels()

    def leave(**_told: Any) -> None:
        shut_down()

    listeners = {
        "before_task_publish": _send,
        "task_prerun": _begin,
        "task_postrun": _end,
        "task_failure": _fail,
        "after_setup_logger": relevel,
        "worker_process_shutdown": leave,
    }
    for name, listener in listeners.items():
        signal = getattr(signals, name)
        signal.disconnect(dispatch_uid=_UID)
        signal.connect(listener, weak=False, dispatch_uid=_UID)
    logging.getLogger("celery.app.trace").addFilter(_ONCE)


_ONCE: Final = ErrorFilter()


def _send(headers: dict[str, Any] | None = None, **_told: Any) -> None:
    """Add to a task's message what is in force where it is sent."""
    if headers is None:
        return
    now = context.get()
    parent = parent_context()
    if parent is not None:
        inject(parent, headers)
    fields = {key: value for key, value in now.items() if key not in _IDS}
    try:
        text = msgspec.json.encode(fields).decode() if fields else ""
    except (TypeError, ValueError):
        return
    if 0 < len(text) <= _HEADER_BYTES:
        headers[HEADER] = text


def _begin(task: Any = None, task_id: str = "", **_told: Any) -> None:
    """Put in force what the message brought, and a span of the task."""
    request = task.request
    stack = ExitStack()
    fields = _fields(getattr(request, HEADER, None))
    if fields:
        stack.enter_context(context.request_context(**fields))
    one = None
    if not _is_instrumented():
        one = stack.enter_context(_span_of(task, request, task_id))
    request.__dict__[_RUNNING] = (stack, one)


def _span_of(task: Any, request: Any, task_id: str) -> Block:
    headers = {name: getattr(request, name, None) for name in _TRACE_NAMES}
    place = getattr(request, "delivery_info", None) or {}
    attributes = {
        "messaging.system": "celery",
        "messaging.operation.type": "process",
        "messaging.message.id": task_id,
        "messaging.destination.name": str(place.get("routing_key") or ""),
        "celery.task_name": task.name,
        "celery.retries": getattr(request, "retries", 0) or 0,
    }
    return span(
        f"run {task.name}",
        kind="consumer",
        parent=extract({name: value for name, value in headers.items() if value}),
        **attributes,
    )


def _fields(text: object) -> dict[str, Any]:
    """Return the fields that a message brought; none if it is not one of ours."""
    if not isinstance(text, str) or len(text) > _HEADER_BYTES:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError):
        return {}


def _end(task: Any = None, state: str = "", **_told: Any) -> None:
    running = task.request.__dict__.pop(_RUNNING, None)
    if running is None:
        return
    stack, one = running
    if one is not None:
        one.set_attribute("celery.state", str(state or ""))
    stack.close()


def _fail(sender: Any = None, exception: BaseException | None = None, **_told: Any) -> None:
    """Mark the span; Celery itself logs the exception."""
    running = sender.request.__dict__.get(_RUNNING)
    if running is None or running[1] is None or exception is None:
        return
    kind = type_name(exception)
    running[1].set_status("error", f"{kind}: {safe_str(exception, 8192)}")
    running[1].set_attribute("error.type", kind)


def _is_instrumented() -> bool:
    """Say whether OpenTelemetry's instrumentation makes the spans of tasks."""
    module = sys.modules.get("opentelemetry.instrumentation.celery")
    found = getattr(module, "CeleryInstrumentor", None)
    return found is not None and bool(found().is_instrumented_by_opentelemetry)
