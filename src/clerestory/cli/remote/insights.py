"""Ask a Logs Insights query and print its rows.

    query -> [insights] -> /api/v1/insights -> table, JSON lines, CSV, Parquet

Invariant: rows go to standard output, everything else to standard error.
"""

import json
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

import click

from clerestory.cli.remote.client import ApiError, Client, ServerError
from clerestory.cli.remote.output import safe, wants_colour

PATH: Final = "/api/v1/insights"
CELL_CHARACTERS_MAX: Final = 60

_CLEAR: Final = "\r\x1b[K"


def question(
    text: str, groups: Sequence[str], start: str, end: str, limit: int | None
) -> dict[str, Any]:
    """Return the body of a request."""
    return {"query": text, "groups": list(groups), "from": start, "to": end, "limit": limit}


def answer(client: Client, asked: dict[str, Any], form: str) -> None:
    """Run a query and print its rows.

    Raises:
        ServerError: No server.
        ApiError: The server refused the query, or it failed.
    """
    if form in ("csv", "parquet"):
        _print_file(client, asked, form)
        return
    result = _result(client, asked)
    if form == "table":
        _print_table(result)
    else:
        names = [column["name"] for column in result["columns"]]
        for row in result["rows"]:
            click.echo(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False))
    for warning in _warnings(result):
        click.echo(warning, err=True)


def _print_file(client: Client, asked: dict[str, Any], form: str) -> None:
    if form == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is not for a terminal; write it to a file: > rows.parquet")
    for block in client.file(f"{PATH}/export", asked, format=form):
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()


def _result(client: Client, asked: dict[str, Any]) -> dict[str, Any]:
    is_watched = sys.stderr.isatty()
    for line in client.ask(PATH, asked):
        if is_watched:
            click.echo(_CLEAR + _progress(line), err=True, nl=False)
        if "error" in line:
            raise ApiError(200, line["error"], None)
        if "result" in line:
            result: dict[str, Any] = line["result"]
            return result
    raise ServerError(f"{client.endpoint} ended its answer without a result; ask again")


def _progress(line: dict[str, Any]) -> str:
    told = line.get("progress")
    return f"{told['records_scanned']:,} records read, {told['seconds']:.1f} s" if told else ""


def _warnings(result: dict[str, Any]) -> list[str]:
    found = [f"Warning: {text}" for text in result.get("warnings", ())]
    if result["limited"]:
        most = f"{result['limit']:,}"
        found.append(f"Warning: there are more rows than the limit of {most}; --limit changes it")
    return found


def _print_table(result: dict[str, Any]) -> None:
    names = [column["name"] for column in result["columns"]]
    numeric = [column["type"] == "number" for column in result["columns"]]
    rows = [[_shown(cell) for cell in row] for row in result["rows"]]
    heads = [safe(name) for name in names]
    widths = [max(map(_width, column)) for column in zip(heads, *rows, strict=True)]
    widths = [
        min(width, max(CELL_CHARACTERS_MAX, len(head)))
        for width, head in zip(widths, heads, strict=True)
    ]
    colour = wants_colour()
    for index, row in enumerate([heads, *rows]):
        line = _line(row, widths, numeric)
        click.echo(click.style(line, bold=True) if colour and index == 0 else line)
    taken = result["statistics"]
    click.echo(
        f"{len(rows)} rows; {taken['records_matched']:,} of {taken['records_scanned']:,} records "
        f"matched, {taken['seconds']:.2f} s",
        err=True,
    )


def _shown(cell: Any) -> str:
    return "" if cell is None else safe(cell if isinstance(cell, str) else json.dumps(cell))


def _line(row: list[str], widths: list[int], numeric: list[bool]) -> str:
    """Return cells in columns; only the last one may be longer than its column."""
    last = len(row) - 1
    cells = []
    for index, (cell, width, is_number) in enumerate(zip(row, widths, numeric, strict=True)):
        text = cell if index == last else _cut(cell, width)
        room = " " * max(0, width - _width(text))
        cells.append(room + text if is_number else text + room)
    return "  ".join(cells).rstrip()


def _cut(text: str, width: int) -> str:
    return text if _width(text) <= width else text[: width - 1] + "…"


def _width(text: str) -> int:
    """Return how many places of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in text
    )
