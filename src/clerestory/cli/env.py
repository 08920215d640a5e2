"""`clerestory env`: the variables that point a program at the server.

settings -> [env] -> export lines; also what `clerestory run` sets
"""

import json
import shlex

import click

from clerestory.settings import load


def variables(endpoint: str, service: str | None = None) -> dict[str, str]:
    """Return the variables that point our own and OpenTelemetry's SDK at a server."""
    found = {
        "CLERESTORY_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    if service:
        found["CLERESTORY_SERVICE"] = service
        found["OTEL_SERVICE_NAME"] = service
    return found


def render(found: dict[str, str], form: str) -> str:
    """Return variables as lines of a shell, a .env file or JSON.

    >>> render({"A": "b c"}, "sh"), render({"A": "b"}, "fish")
    ("export A='b c'", 'set -gx A b;')
    """
    if form == "json":
        return json.dumps(found, indent=2)
    if form == "dotenv":
        return "\n".join(f"{name}={json.dumps(value)}" for name, value in found.items())
    shape = "set -gx {} {};" if form == "fish" else "export {}={}"
    return "\n".join(shape.format(name, shlex.quote(value)) for name, value in found.items())


@click.command()
@click.option("--endpoint", help="Address of the server.")
@click.option("--service", help="Name of the program.")
@click.option(
    "--format",
    "form",
    default="sh",
    show_default=True,
    type=click.Choice(["sh", "fish", "dotenv", "json"]),
    help="Form of the lines.",
)
def env(endpoint: str | None, service: str | None, form: str) -> None:
    """Print the variables that point a program here.

    In a shell: eval "$(clerestory env)".
    """
    click.echo(render(variables(load({"endpoint": endpoint})["endpoint"], service), form))
