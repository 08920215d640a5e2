"""What `clerestory doctor` finds out about a destination, step by step.

    settings -> [receivers] -> name, connection, certificate, clock, one record

Each step is tried alone, so that the first that fails is the cause.
"""

import socket
import ssl
import time
import uuid
from collections.abc import Generator, Iterator
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from clerestory.configuration.destinations import routes_of
from clerestory.configuration.pipelines import resource_of
from clerestory.delivery.port import Batch, Destination
from clerestory.model.errors import ClerestoryError, DeliveryError, HoldError, RefusedError
from clerestory.model.severity import number
from clerestory.process.lines import own_line
from clerestory.settings import Settings
from clerestory.transport.exchange import Exchange

CLOCK_S_MAX: Final = 60.0
_PORTS: Final = {"http": 80, "https": 443}

Found = tuple[str, str, str]


def examine(entry: Any, settings: Settings) -> Iterator[Found]:
    """Yield (state, text, what to do) for each thing found about one destination."""
    try:
        [route] = routes_of(settings, [entry])
    except (ClerestoryError, ImportError) as error:
        yield "bad", str(error), "mend this entry of `destinations`"
        return
    destination = route.destination
    try:
        exchange = getattr(destination, "exchange", None)
        if exchange is not None and (yield from _reached(exchange)):
            return
        yield from _taken(destination, settings)
    except HoldError as error:
        yield "bad", str(error), "records wait until that is done"
    finally:
        destination.close()


def name_of(entry: Any) -> str:
    """Return what an entry is called, without its secrets."""
    if isinstance(entry, dict):
        return str(entry.get("type", "destination"))
    return str(entry).partition(":")[0]


def _reached(used: Exchange) -> Generator[Found, None, bool]:
    """Resolve, connect, check the certificate and the clock; return whether one of them failed."""
    url = urlsplit(used.url)
    host = url.hostname or ""
    port = url.port or _PORTS.get(url.scheme, 443)
    where = f"{host}:{port}"
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        todo = "check the address and the region in it, else this machine's resolver"
        yield "bad", f"DNS does not know {host}: {error.strerror or error}", todo
        return True
    exchange = Exchange(
        used.url, ca_file=used.ca_file, client=used.client, timeout_s=5.0, compress=False
    )
    begin = time.monotonic()
    try:
        answer = exchange.send(b"", method="GET")
    except DeliveryError as error:
        yield _unreached(where, error.__cause__)
        return True
    finally:
        exchange.close()
    took_ms = (time.monotonic() - begin) * 1000
    yield "ok", f"{where} answers in {took_ms:.0f} ms", ""
    yield from _clock(answer.headers.get("date", ""))
    return False


def _unreached(where: str, cause: BaseException | None) -> Found:
    if isinstance(cause, ssl.SSLCertVerificationError):
        text = f"TLS: the certificate of {where} is not trusted: {cause.verify_message}"
        return "bad", text, "name its authority in `ca_file`, or mend the certificate"
    if isinstance(cause, ssl.SSLError):
        todo = (
            "check that the address begins with https:// where TLS is spoken, and only there; "
            "if the receiver wants to see a certificate, name it in `client_certificate`"
        )
        return "bad", f"TLS with {where} fails: {cause.reason or cause}", todo
    if isinstance(cause, TimeoutError):
        return "bad", f"{where} does not answer in time", "check firewall, proxy and address"
    if isinstance(cause, ConnectionResetError | BrokenPipeError):
        todo = "see its own log; one that wants a certificate is shown `client_certificate`"
        return "bad", f"{where} ends the connection", todo
    if isinstance(cause, ConnectionRefusedError):
        return "bad", f"nobody listens at {where}", "start the receiver, or check the port"
    return "bad", f"{where}: {type(cause).__name__}: {cause}", "check address and network"


def _clock(date: str) -> Iterator[Found]:
    try:
        apart_s = time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return  # it does not say what time it has
    if abs(apart_s) > CLOCK_S_MAX:
        direction = "fast" if apart_s > 0 else "slow"
        text = f"this machine's clock is {abs(apart_s):.0f} s {direction}, by the receiver's"
        yield "bad", text, "set it by NTP: signatures are refused and times mislead"


def _taken(destination: Destination, settings: Settings) -> Iterator[Found]:
    """Send one real record."""
    text = "clerestory doctor: this record tried the way here"
    batch = Batch(
        spool_id=uuid.uuid4().hex,
        first=0,
        count=1,
        lines=own_line("clerestory", number("INFO"), text, {}),
        resource=resource_of(settings),
    )
    begin = time.monotonic()
    try:
        receipt = destination.send(batch)
    except HoldError as error:
        yield "bad", str(error), "records wait until that is done"
    except RefusedError as error:
        yield "bad", f"a plain record is refused: {error}", "check the options of this destination"
    except DeliveryError as error:
        yield "bad", str(error), "records wait; try again later"
    else:
        if receipt is not None and (receipt.refused or receipt.lost):
            reason = receipt.detail or receipt.refused[0].reason
            yield "bad", f"a plain record is refused: {reason}", "check clock and options"
            return
        took_ms = (time.monotonic() - begin) * 1000
        yield "ok", f"{destination.name} took a record in {took_ms:.0f} ms", ""
