"""`clerestory agent`: ships the spools of other processes.

    spools of this user's programs -> [agent] -> destinations

Programs that set `delivery.by: agent` only write to their spool; whatever killed processes left is
adopted too.

Invariant: what the agent could not deliver stays in the spools.
"""

import signal
import threading
from typing import Any

import click

from clerestory.settings import load


@click.command()
@click.option("--once", is_flag=True, help="Ship what is there now, then end.")
def agent(once: bool) -> None:
    """Ship what other programs have in their spools, until stopped."""
    from clerestory.configuration.pipelines import adopter_of

    settings = load()
    adopter = adopter_of(settings, settings["destinations"] or ["server"], ships_living=True)
    stopping = threading.Event()

    def stop(*_signal: Any) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    names = ", ".join(adopter.destinations)
    click.echo(f"ships {settings['spool.directory']} to {names}", err=True)
    try:
        while adopter.run_once() or not (once or stopping.is_set()):
            stopping.wait(settings["delivery.poll_interval"])
    finally:
        adopter.close()
    click.echo(f"shipped {adopter.delivered:,} records", err=True)
