"""`clerestory query`: search the store with the grammar of the page.

search text -> [query] -> /api/v1/logs, page by page -> table, JSON lines or CSV
"""

import csv
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import click

from clerestory.cli.remote.client import ApiError, Client
from clerestory.cli.remote.output import caret, line_of, wants_colour
from clerestory.settings import load

PAGE_ROWS: Final = 1000
_COLUMNS: Final = ("ts", "level", "service", "logger", "message", "trace_id", "span_id", "id")


class SearchError(click.ClickException):
    """A search that cannot be understood."""

    exit_code = 2


def client_from_settings(endpoint: str | None = None) -> Client:
    """Return a client for the server of the settings, or of an option."""
    settings = load({"endpoint": endpoint})
    return Client(settings["endpoint"], token=settings["token"])


def search(client: Client, text: str, *, limit: int, **params: Any) -> Iterator[dict[str, Any]]:
    """Yield rows that match, over as many pages as it takes.

    Raises:
        SearchError: The search cannot be understood; the text shows the wrong place.
        ServerError: No server.
    """
    cursor: str | None = None
    while limit > 0:
        page = ask(
            client, "/api/v1/logs", text, limit=min(limit, PAGE_ROWS), cursor=cursor, **params
        )
        yield from page["rows"]
        limit -= len(page["rows"])
        cursor = page["next"]
        if cursor is None or not page["rows"]:
            return


def ask(client: Client, path: str, text: str, **params: Any) -> Any:
    """Return the answer to a search; an error in the text becomes a `SearchError`."""
    try:
        return client.get(path, q=text or None, **params)
    except ApiError as error:
        raise explained(error, text) from None


def explained(error: ApiError, text: str) -> "SearchError | ApiError":
    """Return an error of the server with a caret under the wrong part of the search."""
    if error.position is None:
        return error
    hint = f"\n  {error.hint}" if error.hint else ""
    shown = caret(text, error.position, error.length)
    return SearchError(f"{error} (character {error.position + 1})\n{shown}{hint}")


def moment(text: str) -> str:
    """Return a time as the API takes it: `15m` means 15 minutes ago.

    >>> moment("15m"), moment("-2h"), moment("now"), moment("2026-01-02T03:04:05Z")
    ('-15m', '-2h', 'now', '2026-01-02T03:04:05Z')
    """
    is_span = text[:-1].isdigit() and text[-1:] in "smhdw"
    return f"-{text}" if is_span else text


@click.command()
@click.argument("text", metavar="QUERY", default="")
@click.option("--from", "from_", default="-15m", show_default=True, help="Begin: 15m, ISO time.")
@click.option("--to", default="now", show_default=True, help="End: now, 5m, ISO time.")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1), help="Most rows.")
@click.option("--oldest-first", is_flag=True, help="Oldest records first.")
@click.option(
    "--format",
    "form",
    default="table",
    show_default=True,
    type=click.Choice(["table", "json", "csv"]),
    help="`json` prints one object a line.",
)
@click.option("--endpoint", help="Address of the server.")
def query(
    text: str, from_: str, to: str, limit: int, oldest_first: bool, form: str, endpoint: str | None
) -> None:
    """Search the store.

    QUERY is the text of the page's search bar: words, "a phrase", level>=warn, service:shop,
    user_id=42, duration>250ms, -path:/health, has:exception, (a or b).
    """
    rows = search(
        client_from_settings(endpoint),
        text,
        limit=limit,
        from_=moment(from_),
        to=moment(to),
        order="asc" if oldest_first else "desc",
    )
    if form == "csv":
        _print_csv(rows)
        return
    colour = wants_colour()
    count = 0
    for row in rows:
        count += 1
        click.echo(json.dumps(row) if form == "json" else line_of(row, colour=colour))
    if form == "table":
        click.echo(f"{count} records from {from_} to {to}", err=True)


def _print_csv(rows: Iterator[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow([*_COLUMNS, "attrs"])
    for row in rows:
        attributes = json.dumps(row.get("attrs") or {}, ensure_ascii=False)
        writer.writerow([*(row.get(name, "") for name in _COLUMNS), attributes])
