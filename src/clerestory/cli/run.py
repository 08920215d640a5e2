"""`clerestory run -- PROGRAM`: a program, unchanged, with its logs captured.

    program -> spool or OTLP -> server that was found, or started for as long as this takes

Invariant: the exit code is the program's own; signals reach the program; the server that was
started here stops after the program's records arrived.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final
from urllib.parse import urlsplit

import click

from clerestory.cli.env import variables, xray_address
from clerestory.cli.remote.client import Client
from clerestory.cli.remote.servers import ServerChild, address_in, is_free
from clerestory.model.errors import ClerestoryError
from clerestory.settings import Settings, load

AUTOSTART: Final = Path(__file__).resolve().parent.parent / "autostart"
DELIVERY_S_MAX: Final = 10.0
SPANS_TOO: Final = "server,console://?kinds=span&stream=stdout"
_FORWARDED: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--service", help="Name of the program.")
@click.option("--endpoint", help="Address of the server.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Store, if one is started.")
@click.argument("program", nargs=-1, type=click.UNPROCESSED, required=True)
def run(
    service: str | None, endpoint: str | None, data_dir: Path | None, program: tuple[str, ...]
) -> None:
    """Run a program with its logs captured: clerestory run -- python app.py.

    Finds the server, or starts one for as long as the program runs. Exits with the program's
    own exit code.
    """
    settings = load({"endpoint": endpoint, "server": {"data_dir": data_dir}})
    # Before and after the program's own time: leave by the way that stops the server.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with server_for(settings) as address:
        environ = environment(address, service, settings["token"])
        if settings.origin("destinations") == "default":
            # The program has a console of its own; a second line for each of its lines is noise.
            asked = os.environ.get("OTEL_TRACES_EXPORTER", "").lower().split(",")
            environ["CLERESTORY_DESTINATIONS"] = SPANS_TOO if "console" in asked else "server"
        if settings.origin("web.capture") == "default":
            environ["CLERESTORY_WEB_CAPTURE"] = "1"
        code = _run(list(program), environ)
        deliver_rest(address, settings)
    sys.exit(code)


@contextlib.contextmanager
def server_for(settings: Settings) -> Iterator[str]:
    """Yield the address of the server that is there, or of one started for the while."""
    address = _find(settings)
    if address is not None:
        yield address
        return
    parts = urlsplit(Client(settings["endpoint"]).endpoint)
    if parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ClerestoryError(
            f"no server at {settings['endpoint']}; only one on this machine can be started: "
            "start it there, or set CLERESTORY_ENDPOINT"
        )
    host, port = "127.0.0.1", parts.port or 4318
    if not is_free(host, port):
        raise ClerestoryError(
            f"port {port} is taken by another program; stop it, or choose another address with "
            "--endpoint http://127.0.0.1:PORT"
        )
    with ServerChild(settings["server.data_dir"], port=port, host=host) as child:
        click.echo(f"clerestory: open {child.address} (as long as the program runs)", err=True)
        yield child.address


def environment(address: str, service: str | None, token: str = "") -> dict[str, str]:
    """Return the environment in which a program's logs are captured."""
    told = variables(address, service, xray=xray_address(address, token))
    found = {**os.environ, **told, "CLERESTORY_AUTOSTART": "1"}
    before = os.environ.get("PYTHONPATH")
    found["PYTHONPATH"] = os.pathsep.join(filter(None, (str(AUTOSTART), before)))
    return found


def deliver_rest(address: str, settings: Settings) -> None:
    """Deliver what the program left in its spools, if it was killed or had no time."""
    from clerestory.cli.up import adopter_for

    try:
        adopter = adopter_for(address, settings)
        deadline = time.monotonic() + DELIVERY_S_MAX
        while adopter.run_once() and time.monotonic() < deadline:
            pass
    except (OSError, ClerestoryError) as error:
        click.echo(f"warning: {error}", err=True)


def _find(settings: Settings) -> str | None:
    """Return the server of the settings, or that of the data directory, if it answers."""
    for address in (settings["endpoint"], address_in(settings["server.data_dir"])):
        client = Client(address, token=settings["token"], timeout_s=3) if address else None
        if client is not None and client.is_up():
            return client.endpoint
    return None


def _run(command: list[str], environ: dict[str, str]) -> int:
    try:
        process = subprocess.Popen(command, env=environ)
    except FileNotFoundError:
        click.echo(f"clerestory: program {command[0]!r} not found; is it on PATH?", err=True)
        return 127
    except OSError as error:
        click.echo(f"clerestory: cannot run {command[0]!r}: {error.strerror}", err=True)
        return 126
    with _signals_to(process):
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _signals_to(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Pass signals on to the program; a terminal sends Ctrl+C to it by itself."""

    def forward(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and sys.stdin is not None and sys.stdin.isatty():
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (*_FORWARDED, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
