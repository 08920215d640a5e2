"""`clerestory config`: every setting, its value and where it came from.

settings -> [config] -> a table, or JSON
"""

import json
import os
from pathlib import Path

import click

from clerestory.settings import BY_KEY, Settings, environment_name, ignored_environment, load
from clerestory.settings.kinds import show

VARIABLES = frozenset(environment_name(key) for key in BY_KEY)
_SECRET = "token"  # noqa: S105 the name of a setting


def rows(settings: Settings) -> list[tuple[str, str, str]]:
    """Return (key, value as one would write it, origin) of every setting; the token is hidden."""
    found = []
    for key in settings:
        value = show(BY_KEY[key], settings[key])
        hidden = "********" if key == _SECRET and value else value
        found.append((key, hidden, settings.origin(key)))
    return found


@click.group(invoke_without_command=True)
@click.option(
    "--file", type=click.Path(path_type=Path), help="Read this file instead of clerestory.yaml."
)
@click.option(
    "--format",
    "form",
    default="table",
    show_default=True,
    type=click.Choice(["table", "json"]),
    help="Form of the output.",
)
@click.pass_context
def config(ctx: click.Context, file: Path | None, form: str) -> None:
    """Show every setting, its value and origin."""
    if ctx.invoked_subcommand is not None:
        return
    found = rows(load(file=file))
    if form == "json":
        entries = [{"key": key, "value": value, "origin": origin} for key, value, origin in found]
        click.echo(json.dumps(entries, indent=2))
        return
    width = max(len(key) for key, _, _ in found)
    middle = min(48, max(len(value) for _, value, _ in found))
    for key, value, origin in found:
        click.echo(f"{key:<{width}}  {value or '-':<{middle}}  {origin}")
    for name in ignored_environment(os.environ):
        click.echo(f"warning: nothing reads the variable {name}", err=True)


@config.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check a settings file: exit code 1 and one line if it is wrong."""
    # Without our own variables: they would hide what the file says, or be wrong themselves.
    environ = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    settings = load({}, file=file, environ=environ)
    count = sum(settings.origin(key).startswith("file ") for key in settings)
    click.echo(f"{file}: {count} settings, all valid")
