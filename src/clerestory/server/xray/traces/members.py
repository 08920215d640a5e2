"""The traces of a group in a time, found once for all parts of a page.

    page -> [members] -> selection -> scope of its questions

A page asks for its list, its heat map and its service map at once. So times are widened to whole
steps, which brings no span more: the questions look at their own time only.

Invariant: nothing older than `FRESH_S` is given, and one thread at a time looks for the same.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from clerestory.model.errors import LimitError
from clerestory.server.store.embedded import Connection
from clerestory.server.xray.catalog.catalog import Catalog
from clerestory.server.xray.filters.groups import expression_of
from clerestory.server.xray.traces.selection import Asked, all_chosen

FRESH_S: Final = 2.0
STEP_NS: Final = 10 * 10**9
KEPT_MAX: Final = 16

_Key = tuple[str, str | None, int, int]


@dataclass(slots=True)
class _Found:
    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float = float("-inf")
    ids: list[str] = field(default_factory=list)


class Members:
    """Finds the traces of groups."""

    def __init__(self, catalog: Catalog, clock: Callable[[], float] = monotonic) -> None:
        self._catalog = catalog
        self._clock = clock
        self._found: dict[_Key, _Found] = {}
        self._lock = threading.Lock()

    def of(self, connection: Connection, group: str, from_ns: int, to_ns: int) -> list[str]:
        """Return the ids of a group's traces that have a span in a time.

        Raises:
            LimitError: There is no such group (`not_found`, 404).
            AwsError: There are too many to look at.
        """
        told = self._catalog.groups.get(group)
        if told is None:
            message = f"there is no group {group[:100]!r}; groups are made by CreateGroup of X-Ray"
            raise LimitError(message, code="not_found", status=404)
        first, last = from_ns // STEP_NS * STEP_NS, -(-to_ns // STEP_NS) * STEP_NS
        found = self._entry((group, told.expression, first, last))
        with found.lock:
            if self._clock() - found.at > FRESH_S:
                asked = Asked(
                    from_ns=first, to_ns=last, expression=expression_of(told), by="Service"
                )
                begun = self._clock()
                found.ids = [trace.id for trace in all_chosen(connection, asked)]
                # what came while it was looked for may be missing
                found.at = begun
            return found.ids

    def _entry(self, key: _Key) -> _Found:
        with self._lock:
            while len(self._found) > KEPT_MAX:
                del self._found[next(iter(self._found))]
            return self._found.setdefault(key, _Found())
