"""`clerestory send`: log files, or standard input, into the store.

    file -> lines -> format -> records -> [send] -> upload ~~> POST /v1/records

Invariant: a record's number is that of its first line in the file, so a send that was interrupted
can be repeated and stores nothing twice.
"""

import gzip
import hashlib
import math
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import IO, Final

import click

from clerestory.cli.remote.client import Client
from clerestory.cli.send.formats import FORMATS, detect
from clerestory.cli.send.records import records
from clerestory.cli.send.times import Clock
from clerestory.cli.send.upload import Counts, Upload
from clerestory.model.errors import ClerestoryError
from clerestory.settings import load

LINE_BYTES_MAX: Final = 900_000
SAMPLE_LINES: Final = 200


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=str))
@click.option(
    "--format",
    "form",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", *FORMATS]),
    help="Form of the lines; `auto` looks at the first 200.",
)
@click.option("--service", help="Name of the program. [name of the file]")
@click.option("--utc", is_flag=True, help="Times without a zone are UTC, not local.")
@click.option("--again", is_flag=True, help="Store once more what was sent before.")
@click.option("--endpoint", help="Address of the server.")
def send(
    files: tuple[str, ...],
    form: str,
    service: str | None,
    utc: bool,
    again: bool,
    endpoint: str | None,
) -> None:
    """Send log files, or standard input, to the store.

    FILES may be gzipped; `-` is standard input. Sending a file again stores only what is new.
    """
    settings = load({"endpoint": endpoint})
    client = Client(settings["endpoint"], token=settings["token"])
    clock = Clock(zone=UTC if utc else None)
    complete = True
    for name in files or ("-",):
        counts = _send_one(client, name, form, service, clock, again=again)
        complete = complete and counts.made == counts.stored + counts.duplicate
        _warn_about_age(client, counts, name)
    if not complete:
        sys.exit(1)


def _send_one(
    client: Client, name: str, form: str, service: str | None, clock: Clock, *, again: bool
) -> Counts:
    with closing(_open(name)) as source:
        lines = _lines(source)
        head = [line for _, line in zip(range(SAMPLE_LINES), lines, strict=False)]
        chosen = detect(head, clock) if form == "auto" else form
        own = service or ("stdin" if name == "-" else Path(name).name.partition(".")[0])
        upload = Upload(
            client,
            spool_id=_identity(name, head, chosen, own, again=again),
            resource={"service.name": own, "host.name": socket.gethostname(), "log.file": name},
        )
        for number, record in records(_chain(head, lines), FORMATS[chosen], clock):
            upload.add(number, record)
        counts = upload.finish()
    click.echo(
        f"{name}: {chosen}, {counts.made} records made, {counts.stored} stored, "
        f"{counts.duplicate} stored before, {counts.rejected} rejected"
    )
    return counts


def _open(name: str) -> IO[bytes] | gzip.GzipFile:
    if name == "-":
        return sys.stdin.buffer
    try:
        plain = Path(name).open("rb")  # noqa: SIM115 closed by the caller
    except OSError as error:
        raise ClerestoryError(f"{name}: cannot be read: {error.strerror}") from None
    if plain.read(2) == b"\x1f\x8b":
        plain.close()
        return gzip.open(name, "rb")
    plain.seek(0)
    return plain


def _lines(source: IO[bytes] | gzip.GzipFile) -> Iterator[str]:
    """Yield lines without their ends; one that is too long comes in pieces."""
    for line in iter(lambda: source.readline(LINE_BYTES_MAX), b""):
        yield line.decode("utf-8", "replace").rstrip("\r\n")


def _chain(head: list[str], rest: Iterator[str]) -> Iterator[str]:
    yield from head
    yield from rest


def _identity(name: str, head: list[str], form: str, service: str, *, again: bool) -> str:
    """Return the id of the file's spool: the same when the same file is sent again."""
    if name == "-" or again or not head:
        return uuid.uuid4().hex
    parts = (str(Path(name).resolve()), head[0], form, service)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def _warn_about_age(client: Client, counts: Counts, name: str) -> None:
    """Say when records are older than what the server keeps: they will soon be gone."""
    if counts.oldest_ns is None:
        return
    status = client.get("/api/v1/status")
    days = (int(status["now_ms"]) / 1000 - counts.oldest_ns / 1e9) / 86_400
    if days > (int(status["retention_days"]) or math.inf):
        click.echo(
            f"warning: {name}: the oldest record is {days:.0f} days old and the server keeps "
            f"{status['retention_days']}; start it with a larger --retention-days",
            err=True,
        )
