"""`clerestory env`: the variables that point a program at the server.

settings -> [env] -> export lines; also what `clerestory run` sets
"""

import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from clerestory.settings import load

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,-]*")
# Where else AWS's own clients look for credentials.
_AWS_CREDENTIALS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SHARED_CREDENTIALS_FILE",
)


def variables(endpoint: str, service: str | None = None) -> dict[str, str]:
    """Return the variables that point our own, OpenTelemetry's and AWS's SDK at a server."""
    found = {
        "CLERESTORY_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": endpoint,
        # else the SDK asks for a live tail at `stream-127.0.0.1`
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }
    if service:
        found["CLERESTORY_SERVICE"] = service
        found["OTEL_SERVICE_NAME"] = service
    return found


def placeholders(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what AWS's clients need besides an address, where nothing of it is set.

    The server looks at no key; but without one the clients do not even ask.
    """
    found = {}
    if not {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} & environment.keys():
        found["AWS_DEFAULT_REGION"] = "us-east-1"
    shared = Path(environment.get("HOME", "~")).expanduser() / ".aws" / "credentials"
    if not any(name in environment for name in _AWS_CREDENTIALS) and not shared.exists():
        found |= {"AWS_ACCESS_KEY_ID": "clerestory", "AWS_SECRET_ACCESS_KEY": "clerestory"}
    return found


def render(found: dict[str, str], form: str) -> str:
    """Return variables as lines of a shell, a .env file or JSON.

    >>> render({"A": "b c"}, "sh"), render({"A": "b"}, "fish")
    ("export A='b c'", 'set -gx A b;')
    """
    if form == "json":
        return json.dumps(found, indent=2)
    if form == "dotenv":
        return "\n".join(f"{name}={_dotenv(value)}" for name, value in found.items())
    shape = "set -gx {} {};" if form == "fish" else "export {}={}"
    return "\n".join(shape.format(name, shlex.quote(value)) for name, value in found.items())


def _dotenv(value: str) -> str:
    """Return a value as it is where it can be: GitHub and Docker take quotes for a part of it."""
    return value if _PLAIN.fullmatch(value) else json.dumps(value)


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
    found = variables(load({"endpoint": endpoint})["endpoint"], service)
    click.echo(render(found | placeholders(os.environ), form))
