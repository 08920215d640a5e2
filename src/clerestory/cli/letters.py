"""`clerestory letters`: the records that a destination refused.

    <spool directory>/dead-letters -> [letters] -> the screen, or the road once more

Invariant: a letter is removed only behind the road that took it, or on request.
"""

import json
import sys
import uuid
from collections.abc import Iterator

import click

from clerestory.settings import load
from clerestory.spool.letters import FOLDER, DeadLetters


def _boxes(destination: str | None) -> Iterator[DeadLetters]:
    directory = load()["spool.directory"]
    names = {path.name.removesuffix(path.suffix) for path in (directory / FOLDER).glob("*.*")}
    for name in sorted(names):
        if destination in {None, name}:
            yield DeadLetters(directory, name)


@click.group()
def letters() -> None:
    """Show, resend or remove records that were refused by their destination."""


@letters.command("list")
@click.argument("destination", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_letters(destination: str | None, as_json: bool) -> None:
    """List dead letters, of all destinations or of one."""
    count = 0
    for box in _boxes(destination):
        for letter in box.read():
            count += 1
            if as_json:
                click.echo(json.dumps(letter, ensure_ascii=False))
            else:
                click.echo(f"{letter['at']}  {letter['destination']}  {letter['record_id']}")
                click.echo(f"    {letter['reason']}")
                click.echo(f"    {letter['record'][:200]}")
    if not count and not as_json:
        click.echo("no dead letters")


@letters.command("resend")
@click.argument("destination")
def resend(destination: str) -> None:
    """Send the dead letters of a destination there again; those it takes are removed."""
    from clerestory.configuration.destinations import routes_of
    from clerestory.delivery.port import Batch
    from clerestory.model.errors import DeliveryError

    settings = load()
    routes = routes_of(settings, settings["destinations"] or ["server"])
    found = [route for route in routes if route.destination.name == destination]
    if not found:
        names = ", ".join(route.destination.name for route in routes)
        raise click.ClickException(f"{destination!r} is not configured; there are {names}")
    [box] = _boxes(destination) or [None]
    sent, kept = 0, []
    for letter in box.read() if box else ():
        batch = Batch(
            spool_id=uuid.uuid4().hex,  # under the old one it would count as sent long ago
            first=0,
            count=1,
            lines=letter["record"].encode() + b"\n",
            resource=letter["resource"],
        )
        try:
            found[0].destination.send(batch)
        except DeliveryError as error:
            kept.append(letter)
            click.echo(f"{letter['record_id']}: {error}", err=True)
        else:
            sent += 1
    found[0].destination.close()
    if box:
        box.replace(kept)
    click.echo(f"sent {sent:,}, kept {len(kept):,}")
    if kept:
        sys.exit(1)


@letters.command("remove")
@click.argument("destination")
def remove(destination: str) -> None:
    """Remove the dead letters of a destination."""
    count = 0
    for box in _boxes(destination):
        count += sum(1 for _ in box.read())
        box.replace([])
    click.echo(f"removed {count:,}")
