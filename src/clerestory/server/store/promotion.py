"""Attributes that get a column of their own, because slow queries keep reading them.

    insights -> [promotion] -> store

An attribute rests with all others of its record in one map, and who reads one of them reads them
all. A column of its own is filled by the engine: for records that come from the map as they are
stored, for those that are there in the background, and until that is done when a query reads them.

Invariant: a query gives the same rows with such columns and without.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from clerestory.server.store.embedded import EmbeddedStore

SLOW_S: Final = 0.1
READINGS: Final = 3
UNUSED_S: Final = 24 * 3600.0
_CANDIDATES_MAX: Final = 1000

_PREFIX: Final = "attr:"
# what needs no escape in a quoted name or a text
_NAME: Final = re.compile(r"[A-Za-z_@][A-Za-z0-9_.@/-]{0,99}", re.ASCII)
_FOUND: Final = (
    "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'logs' "
    "AND startsWith(name, {prefix:String})"
)
_BUSY: Final = (
    "SELECT count() FROM system.mutations WHERE database = currentDatabase() "
    "AND table = 'logs' AND NOT is_done"
)
# how many values an attribute has among the newest records that have it
_VALUES: Final = (
    "SELECT uniq(attrs[{name:String}]) FROM (SELECT attrs FROM logs "
    "WHERE mapContains(attrs, {name:String}) ORDER BY ts DESC LIMIT 100000)"
)
_FEW: Final = 1000


def column_of(name: str) -> str:
    """Return the column of an attribute, quoted.

    >>> column_of("http.route")
    '`attr:http.route`'
    """
    return f"`{_PREFIX}{name}`"


class Promotion:
    """Knows which attributes have a column, and gives one to those that need it.

    Args:
        store: Whose records these are.
        columns_max: At most so many attributes have one.
        is_full: Whether the disk is too full for more.
    """

    def __init__(
        self, store: EmbeddedStore, columns_max: int, *, is_full: Callable[[], bool]
    ) -> None:
        self._store = store
        self._columns_max = columns_max
        self._is_full = is_full
        self._readings: Counter[str] = Counter()
        with store.querying() as connection:
            found = connection.rows(_FOUND, {"prefix": _PREFIX})
        names = [str(name).removeprefix(_PREFIX) for (name,) in found]
        self._columns: Mapping[str, str] = {name: column_of(name) for name in names}
        self._used = dict.fromkeys(names, time.monotonic())

    @property
    def columns(self) -> Mapping[str, str]:
        """The column of each attribute that has one."""
        return self._columns

    def note(self, attributes: Iterable[str], seconds: float) -> None:
        """Take down that a query has read these attributes, and how long it ran."""
        now = time.monotonic()
        for name in attributes:
            if name in self._columns:
                self._used[name] = now
            elif seconds >= SLOW_S and _NAME.fullmatch(name):
                self._readings[name] += 1
        if len(self._readings) > _CANDIDATES_MAX:
            self._readings = Counter(dict(self._readings.most_common(_CANDIDATES_MAX // 2)))

    def turn(self) -> None:
        """Give a column to the attribute that was read most, if one is due."""
        due = next(iter(self._readings.most_common(1)), ("", 0))
        if due[1] < READINGS or self._is_full():
            return
        with self._store.querying() as connection:
            if connection.rows(_BUSY)[0][0]:
                return
        if len(self._columns) < self._columns_max or self._make_room():
            self._add(due[0])
        del self._readings[due[0]]

    def _add(self, name: str) -> None:
        column = column_of(name)
        held = f"attrs['{name}']"
        there = f"mapContains(attrs, '{name}') AND {held} != 'null'"
        with self._store.querying() as connection:
            values = int(connection.rows(_VALUES, {"name": name})[0][0])
            kind = "Nullable(String)"
            if values <= _FEW:
                kind = f"LowCardinality({kind})"
            connection.run(
                f"ALTER TABLE logs ADD COLUMN IF NOT EXISTS {column} {kind} "
                f"MATERIALIZED if({there}, {held}, NULL) CODEC(ZSTD(1))"
            )
            connection.run(f"ALTER TABLE logs MATERIALIZE COLUMN {column}")
        self._used[name] = time.monotonic()
        self._columns = {**self._columns, name: column}

    def _make_room(self) -> bool:
        """Remove the column that was not read for the longest time, if that is long enough."""
        if not self._columns:
            return False
        oldest = min(self._columns, key=self._used.__getitem__)
        if time.monotonic() - self._used[oldest] < UNUSED_S:
            return False
        self._columns = {name: one for name, one in self._columns.items() if name != oldest}
        with self._store.querying() as connection:
            connection.run(f"ALTER TABLE logs DROP COLUMN IF EXISTS {column_of(oldest)}")
        return True
