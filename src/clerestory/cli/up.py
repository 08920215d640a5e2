"""`clerestory up`: the server, and the delivery of what killed programs left behind.

settings -> [up] -> server.run.serve;  orphan spools -> [up] -> the same server
"""

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clerestory.model.errors import ClerestoryError
from clerestory.settings import Settings, load

if TYPE_CHECKING:
    from clerestory.delivery.adoption import Adopter


@click.command()
@click.option("--host", help="Address to listen on. [127.0.0.1]")
@click.option("--port", type=int, help="Port to listen on; 0 takes any free one. [4318]")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Directory of the store.")
@click.option("--retention-days", type=int, help="Records older than this are deleted. [30]")
@click.option("--adopt/--no-adopt", default=True, help="Deliver what killed programs left.")
def up(
    host: str | None,
    port: int | None,
    data_dir: Path | None,
    retention_days: int | None,
    adopt: bool,
) -> None:
    """Start the server. Ctrl+C or SIGTERM stops it; nothing acknowledged is lost."""
    settings = load(
        {
            "server": {
                "host": host,
                "port": port,
                "data_dir": data_dir,
                "retention_days": retention_days,
            }
        }
    )
    stopping = threading.Event()

    def on_ready(address: str, doors: list[dict[str, Any]]) -> None:
        click.echo(f"clerestory: open {address}")
        tell_doors(doors)
        click.echo(f"records are kept in {settings['server.data_dir']}; Ctrl+C stops the server")
        sys.stdout.flush()
        if adopt:
            Adoption(address, settings, stopping).start()

    try:
        sys.exit(_serve(settings, on_ready))
    finally:
        stopping.set()


def tell_doors(doors: list[dict[str, Any]]) -> None:
    """Print the addresses beside that of the page, and why one is missing."""
    page = doors[0]["address"]
    for door in doors:
        if not door["open"]:
            click.echo(f"no {door['what']}: {door['why']}", err=True)
        elif door["address"] != page:
            click.echo(f"{door['what']}: {door['address']}")


class Adoption(threading.Thread):
    """Delivers the spools of dead processes of this user, every few seconds."""

    def __init__(self, address: str, settings: Settings, stopping: threading.Event) -> None:
        super().__init__(name="clerestory-adoption", daemon=True)
        self._address = address
        self._settings = settings
        self._stopping = stopping

    def run(self) -> None:
        """Adopt until the server stops."""
        try:
            adopter = adopter_for(self._address, self._settings)
        except ClerestoryError as error:
            click.echo(f"warning: {error}", err=True)
            return
        failed = ""
        while not self._stopping.is_set():
            try:
                adopter.run_once()
                failed = ""
            except (OSError, ClerestoryError) as error:
                # Said once, not every few seconds; the spools stay where they are.
                if str(error) != failed:
                    click.echo(f"warning: orphan spools are not delivered: {error}", err=True)
                failed = str(error)
            self._stopping.wait(self._settings["spool.adopt_interval"])


def adopter_for(address: str, settings: Settings) -> "Adopter":
    """Return what delivers spools to the server at an address and where the settings say.

    Raises:
        ClerestoryError: This installation cannot deliver them.
    """
    try:
        from clerestory.configuration.pipelines import adopter_of
    except ImportError as error:
        raise ClerestoryError(
            f"spools of killed programs are not delivered: {error}; "
            "start the program again to deliver them"
        ) from None
    here = {"type": "server", "endpoint": address}
    return adopter_of(settings, [here, *settings["destinations"]], ships_living=True)


def _serve(settings: Settings, on_ready: Any) -> int:
    try:
        from clerestory.server.limits import options_from
        from clerestory.server.run import serve
    except ImportError as error:
        raise ClerestoryError(
            f"the server needs the package {error.name!r}; "
            "install it with: pip install 'clerestory[server]'"
        ) from None
    return serve(options_from(settings), on_ready=on_ready)
