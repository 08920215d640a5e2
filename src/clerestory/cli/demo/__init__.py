"""`clerestory demo`: three real programs, and the proof that nothing they logged is lost.

    shop, trainer, otel-app -> server -> [demo] -> program | made | stored | searchable

Invariant: everything that is started here ends here; exit code 0 means that the three numbers of
each program are equal.
"""

import shutil
import signal
import socket
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from clerestory.cli.demo.books import Line, newest, searchable, stored, table
from clerestory.cli.demo.programs import NAMES, Programs
from clerestory.cli.demo.shoppers import Shoppers
from clerestory.cli.remote.client import Client
from clerestory.cli.remote.output import safe
from clerestory.cli.remote.servers import ServerChild, is_free
from clerestory.cli.run import deliver_rest
from clerestory.model.errors import ClerestoryError
from clerestory.settings import load
from clerestory.settings.kinds import seconds

ARRIVAL_S_MAX: Final = 15.0
START_S_MAX: Final = 60.0
# Asked well before the first record, so that a clock that is read in steps does no harm.
_MARGIN_MS: Final = 1000
_NEEDED: Final = ("flask", "gunicorn", "sklearn", "opentelemetry.sdk", "chdb")


@click.command()
@click.option("--for", "duration", help="How long, such as 30s or 2m. [until Ctrl+C]")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Store. [a temporary one]")
@click.option("--port", default=4318, show_default=True, help="Port of the server.")
@click.option("--keep", is_flag=True, help="Keep the temporary store.")
def demo(duration: str | None, data_dir: Path | None, port: int, keep: bool) -> None:
    """Run three real programs and check that nothing is lost.

    A Flask shop under gunicorn with HTTP traffic, a scikit-learn training, and a program that
    only knows OpenTelemetry. Prints what arrives; at the end, per program, how many records were
    made, stored and found again. Exit code 1 if these differ.
    """
    _check_packages()
    # SIGTERM is Ctrl+C: the programs are stopped and the table is printed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seconds_max = None if duration is None else _seconds(duration)
    directory = data_dir or Path(tempfile.mkdtemp(prefix="clerestory-demo-"))
    try:
        lines = _run(directory.resolve(), port, seconds_max)
    finally:
        if data_dir is None and not keep:
            shutil.rmtree(directory, ignore_errors=True)
    click.echo(table(lines))
    if keep and data_dir is None:
        click.echo(f"see it again: clerestory up --data-dir {directory / 'store'}")
    if not all(line.agrees for line in lines):
        click.echo("clerestory demo: the numbers differ: records were lost or doubled", err=True)
        sys.exit(1)


def _run(directory: Path, port: int, seconds_max: float | None) -> list[Line]:
    if port and not is_free("127.0.0.1", port):
        click.echo(f"port {port} is taken; using a free one")
        port = 0
    with ServerChild(directory / "store", port=port) as server:
        click.echo(f"open {_shown(server.address)}")
        client = Client(server.address)
        since_ms = int(time.time() * 1000) - _MARGIN_MS
        shop_port = _free_port()
        programs = Programs(directory, endpoint=server.address, shop_port=shop_port)
        with programs:
            shoppers = Shoppers(shop_port)
            shoppers.start()
            try:
                _watch(client, programs, since_ms, seconds_max)
            finally:
                shoppers.stop()
        click.echo("programs stopped; waiting until everything has arrived")
        settings = load({"endpoint": server.address, "spool.directory": programs.spool}, environ={})
        deliver_rest(server.address, settings)
        return _balance(client, programs, since_ms)


def _watch(client: Client, programs: Programs, since_ms: int, seconds_max: float | None) -> None:
    """Print a line a second and program until the time is over or somebody presses Ctrl+C."""
    begin = time.monotonic()
    before = dict.fromkeys(NAMES, 0)
    try:
        while not _is_over(time.monotonic() - begin, seconds_max, before):
            time.sleep(min(1.0, seconds_max or 1.0))
            programs.check()
            for name in NAMES:
                count = stored(client, name, since_ms)
                clock = f"{time.monotonic() - begin:5.0f} s"
                rate = f"{count:>7} records {count - before[name]:>+5}"
                message = safe(newest(client, name, since_ms))[:60]
                click.echo(f"{clock}  {name:<9}{rate}  {message}")
                before[name] = count
            sys.stdout.flush()
    except KeyboardInterrupt:
        click.echo()


def _is_over(elapsed_s: float, seconds_max: float | None, counts: dict[str, int]) -> bool:
    """Return whether the time is over; a program that is slow to start is waited for."""
    if seconds_max is None:
        return False
    all_began = all(counts.values())
    return elapsed_s >= (seconds_max if all_began else seconds_max + START_S_MAX)


def _balance(client: Client, programs: Programs, since_ms: int) -> list[Line]:
    """Return the table's lines once stored = made, or when waiting any longer is no use."""
    deadline = time.monotonic() + ARRIVAL_S_MAX
    while time.monotonic() < deadline:
        if all(stored(client, name, since_ms) == programs.made(name) for name in NAMES):
            break
        time.sleep(0.1)
    return [
        Line(
            program=name,
            made=programs.made(name),
            stored=stored(client, name, since_ms),
            searchable=searchable(client, name, since_ms),
        )
        for name in NAMES
    ]


def _seconds(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise click.UsageError(f"--for: {error}, got {text!r}") from None


def _check_packages() -> None:
    for name in _NEEDED:
        if find_spec(name.partition(".")[0]) is None:
            raise ClerestoryError(
                f"the demo needs the package {name!r}; "
                "install it with: pip install 'clerestory[demo]'"
            )


def _shown(address: str) -> str:
    return address.replace("127.0.0.1", "localhost")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
