"""A query's rows as a table with types: JSON, NDJSON, CSV.

    insights -> [table] -> page, command line, files

Invariant: a cell is what Insights prints; a number is written with the same digits.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clerestory.server.api.rows import encode

if TYPE_CHECKING:
    from clerestory.server.insights import Result

DIGITS_EXACT: Final = 15  # a JSON number with more is another number to most readers

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NO_DIGITS: Final = re.compile(r"^-?0?\.?0*|[eE].*$|\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows by column.

    Attributes:
        columns: Name and type of each: `time`, `number` or `text`; a map or a list is its JSON.
        rows: The cells as they are printed; None is a missing value.
        pointers: `@ptr` of each row that is a record.
    """

    columns: tuple[tuple[str, str], ...]
    rows: list[list[str | None]]
    pointers: list[str | None]

    def typed_rows(self) -> Iterator[list[Any]]:
        """Yield the rows with their numbers as JSON numbers."""
        numeric = [kind == "number" for _name, kind in self.columns]
        for row in self.rows:
            yield [
                msgspec.Raw(cell.encode()) if number and cell is not None else cell
                for number, cell in zip(numeric, row, strict=True)
            ]

    def lines(self) -> Iterator[bytes]:
        """Yield each row as a JSON list."""
        return map(encode, self.typed_rows())


def table_of(result: "Result") -> Table:
    """Return a result as a table."""
    rows = [[row.get(name) for name in result.columns] for row in result.rows]
    cells: list[tuple[str | None, ...]] = list(zip(*rows, strict=True))
    columns = tuple(
        (name, _type_of(kind, cells[index] if cells else ()))
        for index, (name, kind) in enumerate(zip(result.columns, result.kinds, strict=True))
    )
    return Table(columns=columns, rows=rows, pointers=[row.get("@ptr") for row in result.rows])


def _type_of(kind: str, cells: tuple[str | None, ...]) -> str:
    """Return the type of a column from the kind of its SQL and from what it holds."""
    if kind == "time":
        return "time"
    held = [cell for cell in cells if cell is not None]
    if kind == "number":
        return "number" if all(map(_NUMBER.fullmatch, held)) else "text"
    return "number" if held and kind != "bool" and all(map(_is_exact, held)) else "text"


def _is_exact(text: str) -> bool:
    """Whether a text is a number that a Float64 holds with every digit.

    >>> _is_exact("12.50"), _is_exact("007"), _is_exact("9007199254740993")
    (True, False, False)
    """
    return bool(_NUMBER.fullmatch(text)) and len(_NO_DIGITS.sub("", text)) <= DIGITS_EXACT


def _csv(table: Table) -> bytes:
    """Return the table as RFC 4180 says; no value is changed, also not one that begins with =."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([name for name, _kind in table.columns])
    writer.writerows(table.rows)
    return text.getvalue().encode("utf-8", "replace")


def _objects(table: Table) -> Iterator[bytes]:
    names = [name for name, _kind in table.columns]
    for row in table.typed_rows():
        yield encode(dict(zip(names, row, strict=True)))


def _json(table: Table) -> bytes:
    return b"[" + b",\n".join(_objects(table)) + b"]\n"


def _ndjson(table: Table) -> bytes:
    return b"".join(line + b"\n" for line in _objects(table))


# Parquet is the engine's to write.
FORMATS: Final[dict[str, tuple[str, Callable[[Table], bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", _csv),
    "json": ("application/json", _json),
    "ndjson": ("application/x-ndjson", _ndjson),
}
PARQUET: Final = "application/vnd.apache.parquet"
