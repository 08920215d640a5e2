"""What every destination can be told about how records come to it.

    settings -> [policy] -> courier, reader

Invariant: the names and meanings are the same for all destinations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping  # noqa: TC003  options are built from annotations
from dataclasses import dataclass, field
from typing import Final

from clerestory.delivery.port import BatchLimits, Destination
from clerestory.delivery.retry import RetryPolicy
from clerestory.delivery.selection import KINDS, Selection
from clerestory.model.errors import ConfigurationError

_SECONDS: Final = {"kind": "seconds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationConfig:
    """The options that every destination has; each destination's own options are added to them.

    Attributes:
        level: Records below this level do not go there. A name or a number.
        loggers: Only records of these loggers and of those below them go there; empty for all.
        fields: Only records whose fields have these values go there; empty for all.
        kinds: `log`, `span` or both; empty for what the destination takes by itself: both for
            `console`, `memory`, `otlp` and `server`, `span` for `xray`, `log` for all others.
        batch_size: So many waiting records are sent at once, without waiting for
            `flush_interval`. A backlog travels in batches as large as the destination takes.
        flush_interval: The oldest record waits at most this long, in seconds. Records of level
            ERROR and above are sent at once.
        max_retries: After so many failed attempts in a row an alarm is raised. Records are never
            dropped because of it: they wait in the spool.
        retry_delay: Upper bound of the first wait after a failure, in seconds.
        retry_delay_max: No wait is longer than this, in seconds.
        exponential_backoff: Whether the bound doubles with each failure; each wait is a random
            part of its bound.
        timeout: How long one answer may take, in seconds.
        connect_timeout: How long connecting may take, in seconds.
    """

    level: str | int = ""
    loggers: tuple[str, ...] = ()
    fields: Mapping[str, object] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    batch_size: int = 1000
    flush_interval: float = field(default=1.0, metadata=_SECONDS)
    max_retries: int = 3
    retry_delay: float = field(default=0.1, metadata=_SECONDS)
    retry_delay_max: float = field(default=60.0, metadata=_SECONDS)
    exponential_backoff: bool = True
    timeout: float = field(default=10.0, metadata=_SECONDS)
    connect_timeout: float = field(default=3.0, metadata=_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePolicy:
    """How a courier behaves towards a destination.

    Attributes:
        limits: The largest batch.
        linger_lines: So many waiting lines are sent at once.
        linger_s: The oldest line waits at most this long, in seconds.
        retry: When a failed batch is sent again.
        hold_s: How often a destination that waits for somebody to act is tried, in seconds.
        alarm_after: After so many failures in a row an alarm is raised.
        probe_after: After so many failures in a row only one line is sent, until one is taken;
            0 for never.
        selection: Which lines go there; None for all.
    """

    limits: BatchLimits = field(default_factory=BatchLimits)
    linger_lines: int = 1
    linger_s: float = 0.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    hold_s: float = 60.0
    alarm_after: int = 3
    probe_after: int = 5
    selection: Selection | None = None

    @classmethod
    def of(
        cls,
        config: DestinationConfig,
        limits: BatchLimits,
        *,
        hold_s: float,
        probe_after: int,
        kinds: Iterable[str] = KINDS,
    ) -> RoutePolicy:
        """Return what a destination's options ask for.

        Raises:
            ConfigurationError: The level or a kind is not known.
        """
        try:
            selection = Selection.of(config, kinds)
        except ValueError as error:
            raise ConfigurationError(f"destinations: {error}") from error
        return cls(
            limits=limits,
            linger_lines=max(1, config.batch_size),
            linger_s=config.flush_interval,
            retry=RetryPolicy(
                wait_s_first=config.retry_delay,
                wait_s_max=config.retry_delay_max,
                doubling=config.exponential_backoff,
            ),
            hold_s=hold_s,
            alarm_after=max(1, config.max_retries),
            probe_after=probe_after,
            selection=selection,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A destination and how records come to it."""

    destination: Destination
    policy: RoutePolicy = field(default_factory=RoutePolicy)
