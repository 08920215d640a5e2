"""What a pipeline is made of, as the settings say.

    settings -> [pipelines] -> pipeline

Invariant: a program whose spool cannot be created logs on, in memory, and is told so.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clerestory.configuration.destinations import routes_of
from clerestory.delivery.adoption import Adopter
from clerestory.delivery.pipeline import Pipeline, PipelinePlan
from clerestory.delivery.road import ROAD
from clerestory.model.severity import number
from clerestory.process.lines import own_line
from clerestory.process.redaction import NameRules, ValueRules
from clerestory.spool.spool import SpoolLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from clerestory.delivery.policy import Route
    from clerestory.settings import Settings

_LATE_SEGMENT_BYTES: Final = 64 * 1024


def resource_of(settings: Settings) -> dict[str, Any]:
    """Return what all records of this process have in common, named as OpenTelemetry does."""
    resource = {
        "service.name": settings["service"],
        "service.version": settings["service_version"],
        "deployment.environment.name": settings["environment"],
        "host.name": platform.node(),
        "process.pid": os.getpid(),
        "process.creation.time": _process_creation_time(),
        "process.runtime.version": platform.python_version(),
        "telemetry.sdk.name": "clerestory",
    }
    return {key: value for key, value in resource.items() if value != ""}


def _process_creation_time() -> str:
    """Return when this process began, as ISO text to the second."""
    try:
        # The folder of a process in /proc is made with it.
        began = Path(f"/proc/{os.getpid()}").stat().st_mtime
    except OSError:
        began = datetime.now(tz=UTC).timestamp()
    return datetime.fromtimestamp(began, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def name_rules(settings: Settings) -> NameRules:
    """Return which field names are secret."""
    return NameRules.build(
        enabled=settings["redact.enabled"],
        keys=settings["redact.keys"],
        allowed=settings["redact.keys_allowed"],
    )


def value_rules(settings: Settings, names: NameRules) -> ValueRules:
    """Return what masks secrets as records leave the spool."""
    return ValueRules(names, enabled=settings["redact.enabled"] and settings["redact.values"])


def adopter_of(settings: Settings, entries: Iterable[Any], *, ships_living: bool) -> Adopter:
    """Return what delivers the spools of other processes.

    Args:
        settings: Where spools lie, and how they are delivered.
        entries: Destinations, as under `destinations`; those named twice count once.
        ships_living: Whether living processes that ask for an agent are served too.

    Raises:
        ConfigurationError: An entry is not understood.
    """
    routes = {route.destination.name: route for e in entries for route in routes_of(settings, [e])}
    return Adopter(
        Path(settings["spool.directory"]),
        [route for route in routes.values() if route.destination.adopts],
        mask=value_rules(settings, name_rules(settings)).lines,
        ships_living=ships_living,
        alarm=alarm,
    )


def plan_of(settings: Settings, masks: ValueRules, *, is_late: bool = False) -> PipelinePlan:
    """Return what a pipeline is made of.

    Args:
        settings: The settings in force.
        masks: What lines pass through as they leave the spool.
        is_late: Whether it only keeps what is logged after shutdown.
    """
    in_memory = settings["spool.mode"] == "memory"
    segment_bytes = max(settings["spool.segment_bytes"], settings["limits.line_bytes"] + 4096)
    durability = settings["spool.durability"]
    return PipelinePlan(
        directory=None if in_memory else Path(settings["spool.directory"]),
        resource=resource_of(settings),
        limits=SpoolLimits(
            segment_bytes=_LATE_SEGMENT_BYTES if is_late else segment_bytes,
            bytes_max=settings["spool.memory_bytes_max" if in_memory else "spool.bytes_max"],
            free_bytes_min=settings["spool.free_bytes_min"],
            sync_each=durability == "record",
        ),
        poll_s=settings["delivery.poll_interval"],
        sync_s=settings["spool.sync_interval"] if durability == "interval" else 0.0,
        adopt_s=settings["spool.adopt_interval"],
        ships=in_memory or settings["delivery.by"] == "program",
        alarm=alarm,
        mask=masks.lines,
    )


def open_pipeline(
    plan: PipelinePlan,
    settings: Settings,
    routes: Callable[[], Sequence[Route]],
) -> Pipeline:
    """Return a pipeline, in memory if the disk does not take it.

    Args:
        plan: What it is made of.
        settings: The settings in force.
        routes: Makes the routes; called again for the adopters, which need their own connections.
    """
    try:
        return Pipeline(plan, routes(), [route for route in routes() if route.destination.adopts])
    except OSError as error:
        _warn(f"no spool in {plan.directory} ({error.strerror}): records are kept in memory only")
        bytes_max = settings["spool.memory_bytes_max"]
        limits = replace(plan.limits, bytes_max=bytes_max, segment_bytes=bytes_max // 4)
        return Pipeline(replace(plan, directory=None, limits=limits, ships=True), routes())


def alarm(level: str, text: str) -> None:
    """Make a record of what happened to a destination; without a road, a line on stderr."""
    if ROAD.pipeline is None:
        _warn(text)
    else:
        ROAD.put(own_line("clerestory", number(level), text, {}))


def _warn(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(f"clerestory: {text}", file=sys.stderr)
