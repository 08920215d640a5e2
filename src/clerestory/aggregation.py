"""Counts log entries that are alike, and writes one summary for each kind at each interval's end.

    aggregate(level, message, ...) -> [aggregation] -> storage.store(level, template, count=...)

Windows are multiples of the interval since the epoch, the same in all processes.

Invariant: an entry that was counted is in a summary, or still waits; memory is bounded by the
number of groups, never by the number of entries.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from clerestory.model.errors import ConfigurationError
from clerestory.model.severity import name_of, number_surely
from clerestory.process.values import bounded_text, safe_str
from clerestory.storage.keys import unknown
from clerestory.storage.opening import RoadStorage, open_storage
from clerestory.wire.line import iso_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from clerestory.storage.destination import Sender
    from clerestory.storage.opening import LogStorage
    from clerestory.storage.rotator import LogRotator

_KEYS: Final = ("enabled", "interval", "storage")
_COUNTS: Final = ("entries", "summaries", "failed", "rerouted", "overflow")
_TEMPLATE_CHARS: Final = 300
_VARIABLE: Final = re.compile(r"\b\w*?\d\w*(?:[.:-]\w+)*")
_OTHER: Final = "<other>"
_STORED_AT_ONCE: Final = 500
_LAST_FLUSH_S: Final = 2.0


def template_of(message: str) -> str:
    """Return a message with everything that holds a digit replaced, so that alike are equal.

    >>> template_of("order 88417 of 10.0.0.7 took 12.5ms")
    'order <*> of <*> took <*>'
    """
    return _VARIABLE.sub("<*>", message[:_TEMPLATE_CHARS])


class _Key(NamedTuple):
    window: int
    level: int
    logger: str
    template: str


@dataclass(slots=True)
class _Group:
    count: int
    first_s: float
    last_s: float

    def add(self, other: _Group) -> None:
        self.count += other.count
        self.first_s = min(self.first_s, other.first_s)
        self.last_s = max(self.last_s, other.last_s)


class LogAggregator:
    """Counts log entries by level, logger and message template.

    A task of the event loop that aggregates writes the summaries when a window is over; `close`,
    or the end of `asyncio.run`, writes those of the window that is not. Kill the program, and the
    counts of that window are gone; what was logged is not.

    Args:
        config: `enabled` (True), `interval` (300; seconds, or text such as `5m`), `storage`
            (`log`; see `clerestory.storage.opening.open_storage`).
        rotator: Rotates the file of a storage `file`.
        open_destination: Opens a storage `elasticsearch`.
        groups_max: Different groups in memory; beyond it entries count as `<other>`.
        now: The clock, seconds since the epoch.

    Attributes:
        enabled: Whether entries are counted at all.
        interval_s: Length of a window, in seconds.
        storage: Where summaries go.

    Raises:
        ConfigurationError: The configuration has an unknown key or a wrong value.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        rotator: LogRotator | None = None,
        open_destination: Callable[[Mapping[str, Any]], Sender] | None = None,
        groups_max: int = 10_000,
        now: Callable[[], float] = time.time,
    ) -> None:
        options = dict(config or {})
        for key in options:
            if key not in _KEYS:
                raise unknown("aggregation", key, _KEYS)
        self.enabled = bool(options.get("enabled", True))
        self.interval_s = _interval_s(options.get("interval", 300))
        self.storage: LogStorage = open_storage(
            options.get("storage") if self.enabled else None,
            rotator=rotator,
            open_destination=open_destination,
        )
        self._groups_max = groups_max
        self._now = now
        self._lock = threading.Lock()
        self._groups: dict[_Key, _Group] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._counts = dict.fromkeys(_COUNTS, 0)
        self._last_error = ""

    async def aggregate(self, level: str | int, message: str, **kwargs: Any) -> None:
        """Count one entry.

        Args:
            level: A member, a name or a number.
            message: What happened; entries whose messages differ in numbers alone are one group.
            **kwargs: `logger` names the logger; `template` or `log.record.template` the group.
        """
        if not self.enabled:
            return
        given = kwargs.get("template", kwargs.get("log.record.template"))
        text = safe_str(message if given is None else given, 4 * _TEMPLATE_CHARS)
        template = template_of(text) if given is None else text
        now = self._now()
        key = _Key(
            window=int(now // self.interval_s),
            level=number_surely(level),
            logger=bounded_text(safe_str(kwargs.get("logger", ""), 256), 256),
            template=bounded_text(template, _TEMPLATE_CHARS),
        )
        self._add(key, _Group(1, now, now))
        with self._lock:
            self._counts["entries"] += 1
        self._keep_time()

    async def flush(self) -> int:
        """Write the summaries of all windows, the one in progress included.

        Returns:
            How many were written; those that could not be written wait for the next time.
        """
        return await self._write(None)

    async def close(self) -> None:
        """Write what is there, and stop the task.

        What the storage does not take within 2 s is logged instead, as every record is.
        """
        task, self._task = self._task, None
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            self._stopping.set()
            await task
        await self._finish()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def stats(self) -> dict[str, Any]:
        """Return what was counted.

        Returns:
            `entries` given, `summaries` written, `failed` attempts, summaries `rerouted` to the
            road at the end, entries in `overflow`, `groups` that wait, and the `last_error`.
        """
        return {**self._counts, "groups": len(self._groups), "last_error": self._last_error}

    # -- groups --------------------------------------------------------------------------------

    def _add(self, key: _Key, group: _Group) -> None:
        with self._lock:
            if key not in self._groups and len(self._groups) >= self._groups_max:
                self._counts["overflow"] += group.count
                key = key._replace(logger=_OTHER, template=_OTHER)
            known = self._groups.setdefault(key, group)
            if known is not group:
                known.add(group)

    def _taken(self, before: int | None) -> list[tuple[_Key, _Group]]:
        with self._lock:
            keys = [key for key in self._groups if before is None or key.window < before]
            return [(key, self._groups.pop(key)) for key in sorted(keys)]

    async def _write(self, before: int | None) -> int:
        """Write the groups of the windows before one, of all if None."""
        groups = self._taken(before)
        written = 0
        while groups:
            portion, groups = groups[:_STORED_AT_ONCE], groups[_STORED_AT_ONCE:]
            try:
                done = await asyncio.gather(*(self._stored(*one) for one in portion))
            except asyncio.CancelledError:
                for one in groups:
                    self._add(*one)
                raise
            written += sum(done)
        return written

    async def _finish(self) -> None:
        """Write all; what the storage does not take in time goes on the road of every record."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_FLUSH_S):
                await self.flush()
        for key, group in self._taken(None):
            self._counts["rerouted"] += 1
            await RoadStorage().store(name_of(key.level), key.template, **self._summary(key, group))

    async def _stored(self, key: _Key, group: _Group) -> bool:
        try:
            await self.storage.store(name_of(key.level), key.template, **self._summary(key, group))
        except asyncio.CancelledError:
            self._add(key, group)
            raise
        except Exception as error:  # a wall: the storage is somebody else's
            self._counts["failed"] += 1
            self._last_error = f"{type(error).__name__}: {error}"
            self._add(key, group)
            return False
        self._counts["summaries"] += 1
        return True

    def _summary(self, key: _Key, group: _Group) -> dict[str, Any]:
        return {
            "logger": key.logger or "aggregation",
            "count": group.count,
            "first": iso_time(int(group.first_s * 1e9)),
            "last": iso_time(int(group.last_s * 1e9)),
            "interval": self.interval_s,
        }

    # -- time ----------------------------------------------------------------------------------

    def _keep_time(self) -> None:
        """Start the task that writes at the end of windows, in the loop that runs now."""
        loop = asyncio.get_running_loop()
        task = self._task
        if task is None or task.done() or task.get_loop() is not loop:
            self._stopping = asyncio.Event()
            self._task = loop.create_task(
                self._write_at_ends(self._stopping), name="clerestory-aggregation"
            )

    async def _write_at_ends(self, stopping: asyncio.Event) -> None:
        try:
            while self._groups and not stopping.is_set():
                wait_s = self.interval_s - self._now() % self.interval_s
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), wait_s)
                await self._write(int(self._now() // self.interval_s))
        except asyncio.CancelledError:  # the loop ends, and nobody called close()
            await self._finish()
            raise


def _interval_s(value: Any) -> float:
    from clerestory.settings.kinds import seconds

    try:
        interval_s = seconds(value)
    except ValueError as error:
        raise ConfigurationError(f"aggregation.interval: {error}, got {value!r}") from None
    if interval_s <= 0:
        raise ConfigurationError(f"aggregation.interval must be more than 0, got {value!r}")
    return interval_s
