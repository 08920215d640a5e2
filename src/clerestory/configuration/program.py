"""Starts, changes and stops the program's own road, and the roads of handlers with it.

    settings -> [program] -> pipeline

Invariant: one pipeline is in force on a road; a forked child gets its own with its first record;
what is logged after shutdown waits in a small spool for the next process.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clerestory import logger as calls
from clerestory.configuration.destinations import route_of, routes_of
from clerestory.configuration.pipelines import (
    alarm,
    name_rules,
    open_pipeline,
    plan_of,
    value_rules,
)
from clerestory.configuration.tracing import prepare_spans
from clerestory.configuration.web import prepare_web, prepare_workers
from clerestory.delivery.road import ROAD, ROADS
from clerestory.integrations import stdlib
from clerestory.process.gates import Gate
from clerestory.process.lines import Emission, emission, own_line
from clerestory.process.values import ValueLimits
from clerestory.settings import Settings, load
from clerestory.tracing.pending import tell_pending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clerestory.delivery.pipeline import Pipeline
    from clerestory.delivery.policy import DestinationConfig, Route
    from clerestory.delivery.port import Destination
    from clerestory.delivery.road import Road
    from clerestory.process.redaction import ValueRules


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


def start_road(road: Road, destination: Any, config: DestinationConfig) -> None:
    """Lead a handler's road to a destination of its own.

    Args:
        road: The handler's.
        destination: Its class.
        config: Its options.
    """
    settings = settings_in_force()

    def routes() -> list[Route]:
        return [route_of(destination(config), config, settings)]

    masks = value_rules(settings, emission().names)
    pipeline = open_pipeline(plan_of(settings, masks, is_late=_State.closed), settings, routes)
    road.lead_to(pipeline)
    if not _State.closed:
        pipeline.start()
    _hook_process()


def settings_in_force() -> Settings:
    """Return what was configured last, else what the environment and the file say."""
    return _State.settings or load()


def name_service(name: str) -> None:
    """Let the program be called so, if nobody has configured it or named it otherwise.

    Args:
        name: Of the service, as another package's set-up has it.
    """
    with _State.lock:
        is_named = load().origin("service") != "default" or "OTEL_SERVICE_NAME" in os.environ
        if _State.settings is None and not is_named:
            configure(service=name)


def is_closed() -> bool:
    """Say whether the program is past its shutdown."""
    return _State.closed


def _start(settings: Settings, custom: Sequence[Destination], *, first: bool = True) -> None:
    def routes() -> list[Route]:
        return routes_of(settings, [*_entries(settings, custom), *custom])

    troubles = []
    if first:
        routes()  # raises before anything is changed
        _prepare_calls(settings)
        troubles = prepare_spans(settings)
        prepare_web(settings, _entries(settings, custom))
        prepare_workers(settings, shutdown)
    masks = _State.masks = value_rules(settings, emission().names)
    plan = plan_of(settings, masks, is_late=_State.closed)
    plan = replace(plan, ticks=(_tell_held, tell_pending))
    pipeline = open_pipeline(plan, settings, routes)
    for courier in pipeline.couriers:
        if hasattr(courier.destination, "report"):
            courier.destination.report = stats
    old = ROAD.pipeline
    ROAD.lead_to(pipeline)
    _State.settings, _State.custom = settings, custom
    if not _State.closed:  # what comes after shutdown waits for the next process
        pipeline.start()
    if old is not None:
        old.close(settings["shutdown_timeout"])
    _hook_process()
    for trouble in troubles:
        alarm("WARNING", trouble)


def _entries(settings: Settings, custom: Sequence[Destination]) -> list[Any]:
    """Return what is named under `destinations`; without any, the defaults."""
    if settings["destinations"] or custom:
        return list(settings["destinations"])
    return ["server"] if logging.root.handlers else ["console", "server"]


def _prepare_calls(settings: Settings) -> None:
    """Set up what happens in the call; raises before anything is changed."""
    gate = Gate(
        sample_rate=settings["sample.rate"],
        sample_levels=settings["sample.levels"],
        per_second=settings["rate_limit.per_second"],
        fold=settings["repeats.fold"],
        window_s=settings["repeats.window"],
    )
    new = Emission(
        names=name_rules(settings),
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


# -- the process --------------------------------------------------------------------------------


def flush(timeout_s: float = 5.0) -> bool:
    """Wait until every record made so far was taken by every destination.

    Returns:
        Whether that happened within `timeout_s` seconds.
    """
    _tell_held(at_once=True)
    deadline = time.monotonic() + timeout_s
    done = [pipeline.flush(max(0.0, deadline - time.monotonic())) for pipeline in _pipelines()]
    return all(done)


def shutdown(timeout_s: float | None = None) -> bool:
    """Deliver what is there and stop; the spool keeps what could not be delivered in time.

    Args:
        timeout_s: How long to try, in seconds; the setting `shutdown_timeout` if None.

    Returns:
        Whether everything was delivered.
    """
    with _State.lock:
        pipelines = _pipelines()
        if not pipelines or _State.closed:
            return True
        _tell_held(at_once=True)
        if timeout_s is None:
            timeout_s = settings_in_force()["shutdown_timeout"]
        deadline = time.monotonic() + timeout_s
        _State.closed = True
        for road in ROADS:
            road.reset()
        for pipeline in pipelines:
            pipeline.stop()
        done = [pipeline.close(max(0.0, deadline - time.monotonic())) for pipeline in pipelines]
        return all(done)


def _pipelines() -> list[Pipeline]:
    return [road.pipeline for road in ROADS if road.pipeline is not None]


def stats() -> dict[str, Any]:
    """Return what the road counted about itself.

    Returns:
        `spool_id`; `made_records`: all that calls made; `spooled_records` of them; `backlog_bytes`;
        `dropped`, `suppressed`, `masked` and `errors` by reason; `unwritten`: records that found
        no spool; and `destinations` by name, see `DestinationStats`, each with `backlog_bytes`,
        `oldest_age_s` (how long the first record that it has not taken waits, in seconds) and
        `worker_alive`.
    """
    pipeline = ROAD.pipeline
    if pipeline is None:
        return {"unwritten": ROAD.unwritten}
    found = pipeline.counts()
    errors = found["errors"] | {"call": emission().errors}
    suppressed = sum(found["suppressed"].values())
    return found | {
        "made_records": found["spooled_records"] + suppressed + ROAD.unwritten,
        "masked": dict(_State.masks.masked) if _State.masks else {},
        "errors": errors,
        "unwritten": ROAD.unwritten,
    }


def _hook_process() -> None:
    if _State.hooked:
        return
    _State.hooked = True
    atexit.register(shutdown)


def _after_fork() -> None:
    """Leave the parent's pipelines alone; the child's first record opens one of its own."""
    pipelines = _pipelines()
    for road in ROADS:
        road.reset()
    _State.lock = threading.RLock()
    _State.closed = False
    for pipeline in pipelines:
        pipeline.forget_in_child()


# With the module, not with the first configuration: a thread may be in the middle of that.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
