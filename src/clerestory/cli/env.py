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
from urllib.parse import urlsplit

import click

from clerestory.cli.remote.client import Client
from clerestory.model.errors import ClerestoryError
from clerestory.settings import load

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,-]*")
STATUS_S_MAX: Final = 3.0
_LOOPBACK: Final = frozenset(("127.0.0.1", "localhost", "::1", "[::1]"))
_WILDCARDS: Final = frozenset(("0.0.0.0", "[::]"))  # noqa: S104 - compared only
# Where else AWS's own clients look for credentials.
_AWS_CREDENTIALS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SHARED_CREDENTIALS_FILE",
)


def variables(endpoint: str, service: str | None = None, *, xray: str = "") -> dict[str, str]:
    """Return the variables that point our own, OpenTelemetry's and AWS's SDK at a server.

    Args:
        endpoint: Address of the server.
        service: Name of the program.
        xray: Where the server plays the X-Ray daemon; empty: nowhere.
    """
    found = {
        "CLERESTORY_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": endpoint,
        "AWS_ENDPOINT_URL_XRAY": endpoint,
        # else the SDK asks for a live tail at `stream-127.0.0.1`
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }
    if xray:
        found["AWS_XRAY_DAEMON_ADDRESS"] = xray
    if service:
        found["CLERESTORY_SERVICE"] = service
        found["OTEL_SERVICE_NAME"] = service
    return found


def xray_address(endpoint: str, token: str = "", *, otherwise: str = "") -> str:
    """Return where a server plays the X-Ray daemon, as a program reaches it; empty: nowhere.

    Args:
        endpoint: Address of the server.
        token: What the server wants to see.
        otherwise: The answer as long as no server is there.
    """
    client = Client(endpoint, token=token, timeout_s=STATUS_S_MAX)
    try:
        told = str(client.get("/api/v1/status").get("xray_address", ""))
    except ClerestoryError:
        told = otherwise
    host, _, port = told.rpartition(":")
    asked = urlsplit(client.endpoint).hostname or ""
    if not host or port == "0":
        return ""
    if host in _WILDCARDS:
        return f"{asked}:{port}"
    # an address of the server's own machine is of no use elsewhere
    return told if host not in _LOOPBACK or asked in _LOOPBACK else ""


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
    settings = load({"endpoint": endpoint})
    address = settings["endpoint"]
    daemon = xray_address(address, settings["token"], otherwise=settings["server.xray_address"])
    found = variables(address, service, xray=daemon)
    click.echo(render(found | placeholders(os.environ), form))
