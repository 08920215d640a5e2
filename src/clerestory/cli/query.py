"""`clerestory query`: search the store with the grammar of the page, or with Logs Insights.

search text -> [query] -> /api/v1/logs, page by page -> table, JSON lines or CSV
Insights    ->         -> remote/insights
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
SEARCH_ROWS: Final = 200
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
@click.option(
    "--group", "groups", multiple=True, help="Log group of an Insights query; all if none."
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    help="Most rows; 200 of a search, 10,000 of an Insights query without `limit`.",
)
@click.option("--oldest-first", is_flag=True, help="Oldest records first, in a search.")
@click.option(
    "--format",
    "form",
    default="table",
    show_default=True,
    type=click.Choice(["table", "json", "ndjson", "csv", "parquet"]),
    help="`json` and `ndjson` print one object a line; `parquet` is for Insights queries.",
)
@click.option("--endpoint", help="Address of the server.")
def query(
    text: str,
    from_: str,
    to: str,
    groups: tuple[str, ...],
    limit: int | None,
    oldest_first: bool,
    form: str,
    endpoint: str | None,
) -> None:
    """Search the store, or run a Logs Insights query.

    QUERY is the text of the page's search bar: words, "a phrase", level>=warn, service:shop,
    user_id=42, duration>250ms, -path:/health, has:exception, (a or b).

    It is a Logs Insights query when it begins with one of that language's commands (fields,
    filter, parse, stats, sort, limit, ...) and says more, or when a | stands outside of double
    quotes: 'filter level = "ERROR" | stats count(*) by bin(5m)'. A search that begins with such
    a word has it in quotes: '"limit" reached'.

    Exit code 2: QUERY cannot be understood; the wrong place is underlined.
    """
    client = client_from_settings(endpoint)
    if _is_insights(text):
        from clerestory.cli.remote import insights

        if oldest_first:
            raise click.UsageError("--oldest-first is for searches; add: | sort @timestamp asc")
        question = insights.question(text, groups, moment(from_), moment(to), limit)
        try:
            insights.answer(client, question, form)
        except ApiError as error:
            raise explained(error, text) from None
        return
    if groups or form == "parquet":
        what = "--group" if groups else "--format parquet"
        hint = 'write it as one, such as: filter level = "ERROR"'
        raise click.UsageError(f"{what} is for Logs Insights queries, and this is a search; {hint}")
    rows = search(
        client,
        text,
        limit=limit or SEARCH_ROWS,
        from_=moment(from_),
        to=moment(to),
        order="asc" if oldest_first else "desc",
    )
    _print(rows, form, f"from {from_} to {to}")


def _is_insights(text: str) -> bool:
    if "|" not in text and not text.strip().partition(" ")[2]:
        return False  # one word, and the language need not be loaded
    from clerestory.server.insights import is_query

    return is_query(text)


def _print(rows: Iterator[dict[str, Any]], form: str, period: str) -> None:
    if form == "csv":
        _print_csv(rows)
        return
    colour = wants_colour()
    count = 0
    for row in rows:
        count += 1
        click.echo(line_of(row, colour=colour) if form == "table" else json.dumps(row))
    if form == "table":
        click.echo(f"{count} records {period}", err=True)


def _print_csv(rows: Iterator[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow([*_COLUMNS, "attrs"])
    for row in rows:
        attributes = json.dumps(row.get("attrs") or {}, ensure_ascii=False)
        writer.writerow([*(row.get(name, "") for name in _COLUMNS), attributes])
