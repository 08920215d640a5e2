"""`clerestory tail`: records as they arrive, without a gap.

    /api/v1/tail (NDJSON) -> [tail] -> lines of text or JSON

Invariant: after a broken connection the stream goes on from the last cursor; a row is printed
once; what the server had to skip is said.
"""

import json
import time
from collections import OrderedDict
from typing import Any, Final

import click

from clerestory.cli.query import ask, client_from_settings, explained, moment, search
from clerestory.cli.remote.client import ApiError, Client, ServerError
from clerestory.cli.remote.output import line_of, wants_colour

WAIT_S_FIRST: Final = 0.5
WAIT_S_MAX: Final = 10.0
IDS_REMEMBERED_MAX: Final = 20_000


class Printer:
    """Prints each row once."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._colour = wants_colour()
        self._seen: OrderedDict[str, None] = OrderedDict()

    def show(self, row: dict[str, Any]) -> None:
        """Print a row, unless it was printed before."""
        if row["id"] in self._seen:
            return
        self._seen[row["id"]] = None
        if len(self._seen) > IDS_REMEMBERED_MAX:
            self._seen.popitem(last=False)
        click.echo(json.dumps(row) if self._as_json else line_of(row, colour=self._colour))


@click.command()
@click.option("-q", "--query", "text", default="", help="Only records that match this search.")
@click.option("--since", help="Begin with older records: 5m, 2h, ISO time.")
@click.option("-n", "--lines", default=10, show_default=True, help="Older records without --since.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--follow/--no-follow", default=True, help="Go on, or stop after the older ones.")
@click.option("--endpoint", help="Address of the server.")
def tail(
    text: str, since: str | None, lines: int, as_json: bool, follow: bool, endpoint: str | None
) -> None:
    """Show records as they arrive."""
    client = client_from_settings(endpoint)
    printer = Printer(as_json=as_json)
    try:
        if follow:
            _follow(client, text, printer, since, lines)
        else:
            _older(client, text, printer, since, lines)
    except KeyboardInterrupt:
        return


def _older(client: Client, text: str, printer: Printer, since: str | None, lines: int) -> None:
    """Print what was there before; the newest rows if there are more than fit."""
    limit = 1_000_000 if since else lines
    order = "asc" if since else "desc"
    begin = moment(since) if since else "-15m"
    rows = search(client, text, limit=limit, from_=begin, order=order)
    for row in rows if since else reversed(list(rows)):
        printer.show(row)


def _follow(client: Client, text: str, printer: Printer, since: str | None, lines: int) -> None:
    """Print older rows, then frames; connect again, with the last cursor, when it breaks."""
    # A wrong search or a missing server is told at once; later the server may come and go.
    ask(client, "/api/v1/logs", text, limit=1)
    cursor: str | None = None
    wait_s = WAIT_S_FIRST
    first = True
    while True:
        try:
            frames = client.stream("/api/v1/tail", q=text or None, since=cursor)
            if first:
                # After the stream is open, so that nothing falls between the two.
                _older(client, text, printer, since, lines)
                first = False
            for frame in frames:
                wait_s = WAIT_S_FIRST
                cursor = frame.get("cursor") or cursor
                _show(frame, printer)
        except ApiError as error:
            if error.status < 500 and error.status != 429:
                raise explained(error, text) from None
        except ServerError:
            pass
        click.echo(f"-- connection lost; trying again in {wait_s:g} s --", err=True)
        time.sleep(wait_s)
        wait_s = min(WAIT_S_MAX, wait_s * 2)


def _show(frame: dict[str, Any], printer: Printer) -> None:
    skipped = frame.get("skipped") or 0
    if skipped:
        click.echo(f"-- {skipped} records skipped; `clerestory query` shows them --", err=True)
    for row in frame.get("rows") or ():
        printer.show(row)
