"""Threads, executors and processes begin with the fields of whoever started them.

    with request_context(...), span(...) -> [carrying] -> Thread, Executor.submit, Process, Pool

asyncio carries its tasks' context by itself; nothing else in the standard library does. Each way
to start work is wrapped where it starts: the fields in force go with it. The workers of pools
begin with nothing, since they outlive the block that happened to start them; each task brings its
own. Modules that the program has not imported are wrapped when it imports them.

Invariant: whatever goes wrong in here, the work starts as if it were not there.
"""

from __future__ import annotations

import functools
import threading
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from clerestory.context.fields import Fields, before_binding, reset, use
from clerestory.context.fields import get as fields_in_force
from clerestory.context.late import after_import

if TYPE_CHECKING:
    from collections.abc import Callable

_POOL_WORKERS: Final = frozenset(
    (
        ("concurrent.futures.thread", "_worker"),
        ("concurrent.futures.process", "_process_worker"),
        ("multiprocessing.pool", "worker"),
    )
)
_OWN_THREADS: Final = "clerestory-"


class _State:
    """Whether fields are carried, and whether the wrappers are in place."""

    enabled = True
    installed = False


def allow(*, enabled: bool) -> None:
    """Carry fields from now on, or do not."""
    _State.enabled = enabled
    if enabled:
        install()


def install() -> None:
    """Wrap the ways to start work; once."""
    if _State.installed or not _State.enabled:
        return
    _State.installed = True
    _wrap_threads(threading)
    for name, wrap in _WRAPPERS.items():
        after_import(name, wrap)


class Carried:
    """A function that runs with the fields of whoever handed it over; it travels if both do.

    Args:
        function: What is called.
        fields: What is in force while it runs.
    """

    __slots__ = ("_fields", "_function")

    def __init__(self, function: Callable[..., Any], fields: Fields) -> None:
        self._function = function
        self._fields = fields

    def __reduce__(self) -> tuple[Any, ...]:
        return Carried, (self._function, self._fields)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        token = use(self._fields)
        try:
            return self._function(*args, **kwargs)
        finally:
            reset(token)


def _carried(function: Any) -> Any:
    """Return the function with the fields in force; itself where there are none."""
    fields = fields_in_force()
    if not _State.enabled or not (fields or fields.span or fields.foreign):
        return function
    return Carried(function, fields)


class _Run:
    """The `run` of one thread or process, with the fields of whoever started it."""

    def __init__(self, owner: Any, fields: Fields) -> None:
        self._owner = owner
        self._fields = fields

    def __reduce__(self) -> tuple[Any, ...]:
        return _Run, (self._owner, self._fields)

    def __call__(self) -> None:
        owner = self._owner
        owner.__dict__.pop("run", None)  # else the thread would keep itself alive
        Carried(owner.run, self._fields)()


def _is_pool_worker(owner: Any) -> bool:
    target = getattr(owner, "_target", None)
    place = (getattr(target, "__module__", ""), getattr(target, "__qualname__", ""))
    return place in _POOL_WORKERS


def _wrap_start(owner: Any) -> None:
    start = owner.start

    @functools.wraps(start)
    def start_with_fields(self: Any) -> None:
        fields = fields_in_force()
        if not _State.enabled or not (fields or fields.span or fields.foreign):
            start(self)
        elif _is_pool_worker(self) or str(getattr(self, "name", "")).startswith(_OWN_THREADS):
            Context().run(start, self)  # a forked worker would have them as well
        else:
            if "run" not in self.__dict__:
                self.__dict__["run"] = _Run(self, fields)
            start(self)

    owner.start = start_with_fields


def _wrap_threads(module: Any) -> None:
    _wrap_start(module.Thread)


def _wrap_processes(module: Any) -> None:
    _wrap_start(module.BaseProcess)


def _wrap_submit(executor: Any) -> None:
    submit = executor.submit

    @functools.wraps(submit)
    def submit_with_fields(self: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        return submit(self, _carried(function), *args, **kwargs)

    executor.submit = submit_with_fields


def _wrap_thread_executor(module: Any) -> None:
    _wrap_submit(module.ThreadPoolExecutor)


def _wrap_process_executor(module: Any) -> None:
    _wrap_submit(module.ProcessPoolExecutor)


def _wrap_method(pool: Any, name: str) -> None:
    method = getattr(pool, name)

    @functools.wraps(method)
    def method_with_fields(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        return method(self, _carried(func), *args, **kwargs)

    setattr(pool, name, method_with_fields)


def _wrap_pool(module: Any) -> None:
    for name in ("apply_async", "_map_async", "imap", "imap_unordered"):
        _wrap_method(module.Pool, name)


_WRAPPERS: Final[dict[str, Callable[[Any], None]]] = {
    "concurrent.futures.thread": _wrap_thread_executor,
    "concurrent.futures.process": _wrap_process_executor,
    "multiprocessing.process": _wrap_processes,
    "multiprocessing.pool": _wrap_pool,
}

before_binding(install)
