"""Pages of events: so many rows, and no more than a megabyte of text.

    reading -> [pages] -> store

Events are in the order of (time, ingestion time, spool, number), which no two share.

Invariant: pages that follow one another hold every row once.
"""

# ruff: noqa: S608 - SQL is made of our own words; what was typed travels as parameters

from dataclasses import dataclass
from typing import Any, Final, Self

from clerestory.server.aws.groups import Condition
from clerestory.server.store.embedded import Connection

PAGE_BYTES_MAX: Final = 1_048_576
EVENT_OVERHEAD_BYTES: Final = 26
CHUNK_ROWS: Final = 1000
_ORDER: Final = ("ts", "ingested", "spool", "seq")


@dataclass(frozen=True, slots=True)
class Place:
    """A place between two rows: before or behind the row that it names.

    Attributes:
        inclusive: Whether the row itself belongs to what follows, in either direction.
    """

    ns: int
    ingested_ms: int
    spool: str
    seq: int
    inclusive: bool = False

    @classmethod
    def start(cls) -> Self:
        """Return the place before all rows."""
        return cls(0, 0, "", 0, inclusive=True)

    @classmethod
    def of(cls, key: Any) -> Self:
        """Return the place of a token's key."""
        return cls(*key)

    def key(self, *, inclusive: bool) -> list[Any]:
        """Return what a token holds."""
        return [self.ns, self.ingested_ms, self.spool, self.seq, inclusive or self.is_start]

    @property
    def is_start(self) -> bool:
        """Whether this is the place before all rows."""
        return self.ns == 0


@dataclass(frozen=True, slots=True)
class Row:
    """One event."""

    ns: int
    ingested_ms: int
    spool: str
    seq: int
    stream: str
    message: str

    @property
    def time_ms(self) -> int:
        """Time of the event in ms."""
        return self.ns // 1_000_000

    @property
    def size_bytes(self) -> int:
        """What it takes of a page."""
        return len(self.message.encode()) + EVENT_OVERHEAD_BYTES

    def place(self, *, inclusive: bool) -> Place:
        """Return the place at this row."""
        return Place(self.ns, self.ingested_ms, self.spool, self.seq, inclusive)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and whether there are more behind them."""

    rows: list[Row]
    more: bool


def read_page(
    connection: Connection,
    columns: tuple[str, str],
    where: str,
    made: Condition,
    *,
    place: Place | None,
    limit: int,
    descending: bool,
) -> Page:
    """Return the rows behind a place, at least one if there is any.

    Args:
        connection: Where to ask.
        columns: SQL of a row's stream and of its text.
        where: The condition.
        made: The condition's parameters.
        place: Where to begin; None for the end that the direction begins at.
        limit: Most rows.
        descending: Whether the newest come first.
    """
    rows: list[Row] = []
    size = 0
    chunk = min(limit + 1, CHUNK_ROWS)
    while True:
        found = _chunk(connection, columns, where, made, place, chunk, descending=descending)
        for row in found:
            size += row.size_bytes
            if len(rows) == limit or (rows and size > PAGE_BYTES_MAX):
                return Page(rows, more=True)
            rows.append(row)
        if len(found) < chunk:
            return Page(rows, more=False)
        place = rows[-1].place(inclusive=False)
        room = max(0, PAGE_BYTES_MAX - size) * len(rows) // size + 1
        chunk = min(limit + 1 - len(rows), max(room, 10))


def _chunk(
    connection: Connection,
    columns: tuple[str, str],
    where: str,
    made: Condition,
    place: Place | None,
    count: int,
    *,
    descending: bool,
) -> list[Row]:
    sign, direction = ("<", "DESC") if descending else (">", "ASC")
    parameters = dict(made.parameters)
    if place is not None:
        at = "fromUnixTimestamp64Nano({p_ns:Int64}, 'UTC')"
        taken = "fromUnixTimestamp64Milli({p_taken:Int64}, 'UTC')"
        equal = "=" if place.inclusive else ""
        where += (
            f" AND ts {sign}= {at} AND ({', '.join(_ORDER)}) {sign}{equal} "
            f"({at}, {taken}, {{p_spool:String}}, {{p_seq:UInt64}})"
        )
        parameters |= {
            "p_ns": place.ns,
            "p_taken": place.ingested_ms,
            "p_spool": place.spool,
            "p_seq": place.seq,
        }
    order = ", ".join(f"{name} {direction}" for name in _ORDER)
    # The engine reads in the order of `ts` and stops at the limit, but sorts by more only what it
    # has read whole. The times of the page's rows are those of the first rows by `ts` alone, and
    # few blocks hold them: of 5 million rows a page of 100 takes 28 ms instead of 140.
    times = f"SELECT ts FROM logs WHERE {where} ORDER BY ts {direction} LIMIT {count}"
    found = connection.rows(
        "SELECT toUnixTimestamp64Nano(ts), toUnixTimestamp64Milli(ingested), toString(spool), seq, "
        f"{columns[0]}, {columns[1]} FROM logs WHERE {where} AND ts IN ({times}) "
        f"ORDER BY {order} LIMIT {count}",
        parameters,
    )
    return [Row(*one) for one in found]
