"""`clerestory doctor`: what could be wrong on this machine, and what to do about it.

this machine, the server -> [doctor] -> one line a finding; exit code 1 if one is bad
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from clerestory import __version__
from clerestory.cli.remote.client import ApiError, Client, ServerError
from clerestory.model.errors import ClerestoryError
from clerestory.settings import Settings, ignored_environment, load

CLOCK_S_MAX: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: The thing.
        state: ok, warning or bad.
        text: What was found.
        todo: What to do; empty when all is well.
    """

    what: str
    state: str
    text: str
    todo: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each thing there is to look at."""
    yield _python()
    yield from _environment()
    yield _spool(settings)
    yield _store_engine()
    for entry in settings["destinations"] or ["server"]:
        if _is_our_server(entry):
            yield from _server(settings)
        else:
            yield from _destination(entry, settings)


def _is_our_server(entry: object) -> bool:
    return entry == "server" or (isinstance(entry, dict) and entry.get("type") == "server")


def _destination(entry: object, settings: Settings) -> Iterator[Finding]:
    from clerestory.cli.receivers import examine as look
    from clerestory.cli.receivers import name_of

    for state, text, todo in look(entry, settings):
        yield _finding(name_of(entry), state, text, todo)


@click.command()
@click.option("--endpoint", help="Address of the server.")
def doctor(endpoint: str | None) -> None:
    """Check this machine and the destinations. Exit code 1 if something is wrong.

    Each destination gets one record of level INFO.
    """
    findings: list[Finding] = []
    try:
        settings = load({"endpoint": endpoint})
    except ClerestoryError as error:
        findings.append(_finding("settings", "bad", str(error), "mend the setting named"))
        settings = load({"endpoint": endpoint}, file=Path(os.devnull), environ={})
    else:
        findings.append(_finding("settings", "ok", "all valid"))
    findings.extend(examine(settings))
    marks = {"ok": "ok  ", "warning": "warn", "bad": "BAD "}
    for finding in findings:
        todo = f"; {finding.todo}" if finding.todo else ""
        click.echo(f"{marks[finding.state]}  {finding.what:<13} {finding.text}{todo}")
    if any(finding.state == "bad" for finding in findings):
        sys.exit(1)


def _finding(what: str, state: str, text: str, todo: str = "") -> Finding:
    return Finding(what=what, state=state, text=text, todo=todo)


def _python() -> Finding:
    text = f"{sys.version.split()[0]} at {sys.executable}, clerestory {__version__}"
    return _finding("python", "ok", text)


def _environment() -> Iterator[Finding]:
    for name in ignored_environment(os.environ):
        yield _finding(
            "settings", "warning", f"nothing reads the variable {name}", "`clerestory config`"
        )


def _spool(settings: Settings) -> Finding:
    directory: Path = settings["spool.directory"]
    if settings["spool.mode"] == "memory":
        return _finding("spool", "warning", "in memory: a killed program loses its last records")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as probe:
            probe.write(b"probe")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        todo = "make it writable, or set CLERESTORY_SPOOL_DIRECTORY"
        return _finding("spool", "bad", f"{directory}: {error.strerror}", todo)
    free, needed = shutil.disk_usage(directory).free, settings["spool.free_bytes_min"]
    text = f"{directory}, {free / 1e9:.1f} GB free"
    if free < needed:
        todo = f"free {(needed - free) / 1e9:.1f} GB, or lower spool.free_bytes_min"
        return _finding("spool", "bad", text, todo)
    return _finding("spool", "ok", text)


def _store_engine() -> Finding:
    # Not imported: that alone takes a second and 200 MB.
    if find_spec("chdb") is None:
        todo = "only `clerestory up` needs it: pip install 'clerestory[server]'"
        return _finding("store", "warning", "chdb is not installed", todo)
    return _finding("store", "ok", f"chdb {version('chdb')}")


def _server(settings: Settings) -> Iterator[Finding]:
    asks: tuple[Callable[[Client], Iterator[Finding]], ...] = (_answers, _status)
    try:
        client = Client(settings["endpoint"], token=settings["token"], timeout_s=5)
        for ask in asks:
            yield from ask(client)
    except ServerError as error:
        yield _finding("server", "bad", str(error))
    except ApiError as error:
        yield _finding("server", "bad", f"answered {error.status}: {error}", "check the token")


def _answers(client: Client) -> Iterator[Finding]:
    begin = time.monotonic()
    client.get("/health")
    took_ms = (time.monotonic() - begin) * 1000
    yield _finding("server", "ok", f"{client.endpoint} answers in {took_ms:.0f} ms")


def _status(client: Client) -> Iterator[Finding]:
    before = time.time()
    status = client.get("/api/v1/status")
    middle = (before + time.time()) / 2
    yield _finding(
        "server",
        "ok",
        f"version {status['version']}, {status['total_records']:,} records, "
        f"{status['disk_free_bytes'] / 1e9:.1f} GB free",
    )
    apart_s = abs(status["now_ms"] / 1000 - middle)
    if apart_s > CLOCK_S_MAX:
        todo = "set both clocks by NTP, else times on the page mislead"
        yield _finding("clock", "bad", f"{apart_s:.1f} s apart from the server's", todo)
    else:
        yield _finding("clock", "ok", "agrees with the server's")
    for door in status["doors"]:
        if not door["open"]:
            yield _finding("server", "warning", f"no {door['what']}: {door['why']}")
    for name in ("dropped", "rejected"):
        if status.get(name):
            yield _finding("server", "warning", f"{status[name]:,} records {name}")
