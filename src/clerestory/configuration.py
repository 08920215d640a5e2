"""`configure()`: from settings to a running pipeline. The only joiner.

    settings -> [configuration] -> spool, couriers, destinations; loggers, redaction, gates

Invariant: one pipeline is in force; a forked child gets its own with its first record; what is
logged after shutdown waits in a small spool for the next process.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import platform
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from clerestory import logger as calls
from clerestory.delivery.pipeline import Pipeline, PipelinePlan
from clerestory.delivery.retry import RetryPolicy
from clerestory.delivery.road import ROAD
from clerestory.delivery.spool import SpoolLimits
from clerestory.destinations.console import Console
from clerestory.destinations.file import RotatingFile, RotationPolicy
from clerestory.destinations.memory import Memory
from clerestory.destinations.server import Server
from clerestory.integrations import stdlib
from clerestory.model.errors import ConfigurationError
from clerestory.process.gates import Gate
from clerestory.process.lines import Emission, emission, own_line
from clerestory.process.redaction import NameRules, ValueRules
from clerestory.process.values import ValueLimits
from clerestory.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clerestory.delivery.port import Destination

_LATE_SEGMENT_BYTES: Final = 64 * 1024


class _State:
    """What was configured last, for children and for `start_defaults`."""

    settings: Settings | None = None
    custom: Sequence[Destination] = ()
    masks: ValueRules | None = None
    closed = False
    hooked = False
    lock = threading.RLock()


def configure(**settings: Any) -> None:
    """Set up logging for this program, or change the set-up.

    Without arguments: what the environment and `clerestory.yaml` say, else the defaults. Records
    that were made before are delivered to their old destinations.

    Args:
        **settings: Any setting of the reference under its key, dots as underscores, such as
            `service="shop"`, `level="DEBUG"`, `destinations=["console", "server"]`.

    Raises:
        ConfigurationError: A setting is unknown or wrong; nothing was changed.
    """
    given = dict(settings)
    custom = [entry for entry in given.get("destinations", ()) or () if hasattr(entry, "send")]
    if custom:
        given["destinations"] = [
            entry for entry in given["destinations"] if not hasattr(entry, "send")
        ]
    loaded = load(given)
    with _State.lock:
        _start(loaded, custom)


def start_defaults() -> None:
    """Start what was configured last, or the defaults; the road calls this when it is needed."""
    with _State.lock:
        if ROAD.pipeline is None:
            _start(_State.settings or load(), _State.custom, first=_State.settings is None)


def _start(settings: Settings, custom: Sequence[Destination], *, first: bool = True) -> None:
    if first:
        _prepare_calls(settings)
    destinations = [*_destinations(settings), *custom]
    adopters = [d for d in _destinations(settings) if d.adopts]
    pipeline = _pipeline(settings, destinations, adopters)
    old = ROAD.pipeline
    ROAD.lead_to(pipeline)
    _State.settings, _State.custom = settings, custom
    if not _State.closed:  # what comes after shutdown waits for the next process
        pipeline.start()
    if old is not None:
        old.close(settings["shutdown_timeout"])
    _hook_process()


def _prepare_calls(settings: Settings) -> None:
    """Set up what happens in the call; raises before anything is changed."""
    names = NameRules.build(
        enabled=settings["redact.enabled"],
        keys=settings["redact.keys"],
        allowed=settings["redact.keys_allowed"],
    )
    gate = Gate(
        sample_rate=settings["sample.rate"],
        sample_levels=settings["sample.levels"],
        per_second=settings["rate_limit.per_second"],
        fold=settings["repeats.fold"],
        window_s=settings["repeats.window"],
    )
    new = Emission(
        names=names,
        limits=ValueLimits(
            chars=settings["limits.value_chars"],
            items=settings["limits.items"],
            depth=settings["limits.depth"],
        ),
        line_bytes_max=settings["limits.line_bytes"],
        call_site=settings["call_site"],
        frames_max=settings["exceptions.frames_max"],
        with_locals=settings["exceptions.locals"],
        gate=None if gate.is_open_for_all() else gate,
    )
    calls.use(new)
    if settings["capture_logging"]:
        stdlib.capture()
    else:
        stdlib.add_level_names()
    if settings["logging_config"]:
        stdlib.apply_logging_config(settings["logging_config"])
        if settings.origin("level") != "default":
            stdlib.set_levels(settings["level"], settings["levels"])
    else:
        stdlib.set_levels(settings["level"], settings["levels"])


def resource_of(settings: Settings) -> dict[str, Any]:
    """Return what all records of this process have in common, named as OpenTelemetry does."""
    resource = {
        "service.name": settings["service"],
        "service.version": settings["service_version"],
        "deployment.environment.name": settings["environment"],
        "host.name": platform.node(),
        "process.pid": os.getpid(),
        "process.runtime.version": platform.python_version(),
        "telemetry.sdk.name": "clerestory",
    }
    return {key: value for key, value in resource.items() if value != ""}


def _pipeline(
    settings: Settings, destinations: Sequence[Destination], adopters: Sequence[Destination]
) -> Pipeline:
    masks = _State.masks = ValueRules(
        emission().names, enabled=settings["redact.enabled"] and settings["redact.values"]
    )
    in_memory = settings["spool.mode"] == "memory"
    segment_bytes = _LATE_SEGMENT_BYTES if _State.closed else settings["spool.segment_bytes"]
    plan = PipelinePlan(
        directory=None if in_memory else Path(settings["spool.directory"]),
        resource=resource_of(settings),
        limits=SpoolLimits(
            segment_bytes=max(segment_bytes, settings["limits.line_bytes"] + 4096)
            if not _State.closed
            else segment_bytes,
            bytes_max=settings["spool.memory_bytes_max" if in_memory else "spool.bytes_max"],
            free_bytes_min=settings["spool.free_bytes_min"],
        ),
        batch_bytes=settings["delivery.batch_bytes"],
        poll_s=settings["delivery.poll_interval"],
        sync_s=settings["spool.sync_interval"],
        adopt_s=settings["spool.adopt_interval"],
        policy=RetryPolicy(wait_s_max=settings["delivery.wait_max"]),
        mask=masks.lines,
        ticks=(_tell_held,),
    )
    try:
        return Pipeline(plan, destinations, adopters)
    except OSError as error:
        _warn(f"no spool in {plan.directory} ({error.strerror}): records are kept in memory only")
        return Pipeline(_in_memory(plan, settings), destinations)


def _in_memory(plan: PipelinePlan, settings: Settings) -> PipelinePlan:
    from dataclasses import replace

    bytes_max = settings["spool.memory_bytes_max"]
    limits = replace(plan.limits, bytes_max=bytes_max, segment_bytes=bytes_max // 4)
    return replace(plan, directory=None, limits=limits)


def _tell_held(*, at_once: bool = False) -> None:
    """Make a record for what gates kept back."""
    gate = emission().gate
    if gate is None:
        return
    for held in gate.take_held(at_once=at_once):
        fields: dict[str, Any] = {"held.reason": held.reason, "held.count": held.count}
        text = f"{held.count} records of {held.logger} were {held.reason}"
        if held.message:
            text = f"repeated {held.count} times: {held.message}"
        calls.put(own_line(held.logger, held.level, text, fields))
        if ROAD.pipeline is not None:
            ROAD.pipeline.stats.suppressed[held.reason] += held.count


def _warn(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(f"clerestory: {text}", file=sys.stderr)


# -- destinations ------------------------------------------------------------------------------


def _destinations(settings: Settings) -> list[Destination]:
    """Return the destinations that the settings name.

    Raises:
        ConfigurationError: One of them is not understood.
    """
    named = settings["destinations"]
    if not named:
        named = ["server"] if logging.root.handlers else ["console", "server"]
    found = [_destination(entry, settings) for entry in named]
    names = [destination.name for destination in found]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"destinations name the same place twice: {', '.join(names)}")
    return found


def _destination(entry: Any, settings: Settings) -> Destination:
    if isinstance(entry, dict):
        options = dict(entry)
        kind = str(options.pop("type", ""))
    else:
        options = {}
        kind = str(entry)
    maker = _MAKERS.get(kind)
    if maker is not None:
        return maker(settings, options)
    scheme, _, rest = kind.partition(":")
    if scheme == "file" and rest:
        return _file(settings, {"path": rest.removeprefix("//"), **options})
    if urlsplit(kind).scheme in {"http", "https"}:
        return _server(settings, {"endpoint": kind, **options})
    known = ", ".join(sorted(_MAKERS))
    raise ConfigurationError(
        f"destinations: {kind!r} is not known: write one of {known}, file:PATH, or an http address"
    )


def _server(settings: Settings, options: dict[str, Any]) -> Destination:
    return Server(
        options.get("endpoint", settings["endpoint"]),
        timeout_s=settings["delivery.timeout"],
        connect_timeout_s=settings["delivery.connect_timeout"],
        token=settings["token"],
    )


def _console(settings: Settings, options: dict[str, Any]) -> Destination:
    return Console(
        stream=options.get("stream", settings["console.stream"]),
        form=options.get("format", settings["console.format"]),
        colour=options.get("colour", settings["console.colour"]),
    )


def _file(settings: Settings, options: dict[str, Any]) -> Destination:
    path = options.get("path", settings["file.path"])
    if not path:
        raise ConfigurationError("destinations: file needs file.path, or write file:PATH")
    return RotatingFile(
        path,
        policy=RotationPolicy(
            bytes_max=options.get("bytes_max", settings["file.bytes_max"]),
            rotate_every=options.get("rotate_every", settings["file.rotate_every"]),
            keep_count=options.get("keep_count", settings["file.keep_count"]),
            keep_days=options.get("keep_days", settings["file.keep_days"]),
            compress=options.get("compress", settings["file.compress"]),
        ),
    )


def _memory(_settings: Settings, _options: dict[str, Any]) -> Destination:
    return Memory()


_MAKERS: Final[dict[str, Callable[[Settings, dict[str, Any]], Destination]]] = {
    "console": _console,
    "file": _file,
    "memory": _memory,
    "server": _server,
}


# -- the process --------------------------------------------------------------------------------


def flush(timeout_s: float = 5.0) -> bool:
    """Wait until every record made so far was taken by every destination.

    Returns:
        Whether that happened within `timeout_s` seconds.
    """
    _tell_held(at_once=True)
    return ROAD.pipeline is None or ROAD.pipeline.flush(timeout_s)


def shutdown(timeout_s: float | None = None) -> bool:
    """Deliver what is there and stop; the spool keeps what could not be delivered in time.

    Args:
        timeout_s: How long to try, in seconds; the setting `shutdown_timeout` if None.

    Returns:
        Whether everything was delivered.
    """
    with _State.lock:
        pipeline = ROAD.pipeline
        if pipeline is None or _State.closed:
            return True
        _tell_held(at_once=True)
        if timeout_s is None:
            timeout_s = _State.settings["shutdown_timeout"] if _State.settings else 2.0
        deadline = time.monotonic() + timeout_s
        _State.closed = True
        ROAD.reset()
        return pipeline.close(max(0.0, deadline - time.monotonic()))


def stats() -> dict[str, Any]:
    """Return what the road counted: dropped, suppressed and masked records, and destinations."""
    pipeline = ROAD.pipeline
    if pipeline is None:
        return {"unwritten": ROAD.unwritten}
    counts = pipeline.stats
    return {
        "spool_id": pipeline.spool.id,
        "backlog_bytes": pipeline.spool.backlog_bytes,
        "dropped": dict(counts.dropped),
        "suppressed": dict(counts.suppressed),
        "masked": dict(_State.masks.masked) if _State.masks else {},
        "errors": dict(counts.errors) | {"call": emission().errors},
        "unwritten": ROAD.unwritten,
        "destinations": {
            name: {key: getattr(one, key) for key in one.__slots__}
            for name, one in counts.destinations.items()
        },
    }


def _hook_process() -> None:
    if _State.hooked:
        return
    _State.hooked = True
    atexit.register(shutdown)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    """Leave the parent's pipeline alone; the child's first record opens one of its own."""
    pipeline = ROAD.pipeline
    ROAD.reset()
    _State.lock = threading.RLock()
    _State.closed = False
    if pipeline is not None:
        pipeline.forget_in_child()
