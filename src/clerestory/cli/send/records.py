"""From lines to records: a line that does not begin a record belongs to the one before.

    lines -> [records] -> (number of the first line, record)

Invariant: every line that is not blank is in exactly one record.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from clerestory.cli.send.formats import SINGLE_LINE, Parser, Record
from clerestory.cli.send.times import Clock
from clerestory.cli.send.tracebacks import parse

LINES_MAX: Final = 1000
CHARS_MAX: Final = 256 * 1024


def records(
    lines: Iterable[str], parser: Parser, clock: Clock
) -> Iterator[tuple[int, Record | str]]:
    """Yield each record with the number, from 0, of its first line.

    A broken JSON object is yielded as its text: the server refuses it, keeps and counts it.
    """
    open_record = _Open()
    for number, line in enumerate(lines):
        record = parser(line, clock)
        if record is None and open_record.takes(line, parser):
            open_record.more.append(line)
            continue
        if record is None and not line.strip():
            continue
        yield from open_record.close()
        if record is None and parser in SINGLE_LINE and line.lstrip().startswith("{"):
            yield number, line
        else:
            open_record.begin(number, record or {"message": line})
    yield from open_record.close()


class _Open:
    """The record that lines may still be added to."""

    def __init__(self) -> None:
        self.number = 0
        self.record: Record | None = None
        self.more: list[str] = []
        self._room = CHARS_MAX

    def takes(self, line: str, parser: Parser) -> bool:
        """Return whether a line that begins no record belongs to this one."""
        if self.record is None or parser in SINGLE_LINE:
            return False
        self._room -= len(line) + 1
        return len(self.more) < LINES_MAX and self._room >= 0

    def begin(self, number: int, record: Record) -> None:
        """Open another record."""
        self.number, self.record, self.more, self._room = number, record, [], CHARS_MAX

    def close(self) -> Iterator[tuple[int, Record]]:
        """Yield the record, if one is open."""
        if self.record is None:
            return
        record, self.record = self.record, None
        yield self.number, _joined(record, self.more)


def _joined(record: Record, more: list[str]) -> Record:
    while more and not more[-1].strip():
        more.pop()
    if not more:
        return record
    found = parse(more)
    if found is None:
        return {**record, "message": "\n".join([str(record.get("message", "")), *more])}
    rest, exception = found
    message = "\n".join([str(record.get("message", "")), *rest])
    return {**record, "message": message, "exception": exception}
