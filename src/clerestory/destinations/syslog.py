"""Sends records to a syslog receiver: UDP, TCP or TLS.

    spool -> courier -> [syslog] ~~> receiver

Syslog has no acknowledgement. Over TCP and TLS the latest messages are sent again after a broken
connection; over UDP a lost packet is lost. `_cid` tells a record that came twice.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits, Receipt
from clerestory.model.errors import ConfigurationError, HoldError, RetryError
from clerestory.transport.stream import Datagrams, Stream
from clerestory.wire import syslog as wire

if TYPE_CHECKING:
    from collections.abc import Sequence
    from urllib.parse import SplitResult

    from clerestory.delivery.port import Batch

_PORTS: Final = {"udp": 514, "tcp": 514, "tls": 6514}
_MESSAGE_BYTES: Final = {"udp": 2048, "tcp": 8192, "tls": 8192}
# RFC 3164, section 4.1.
_OLD_PACKET_BYTES: Final = 1024
_MESSAGE_BYTES_MIN: Final = 480
# RFC 5424, section 6.3.2: a name and the private enterprise number of who made it.
_ELEMENT: Final = re.compile(r"(?=.{3,32}\Z)[!#-<>-?A-\\^-~]+@[0-9]+(\.[0-9]+)*\Z")
# How long a receiver has for a session ticket; some send none.
_TICKET_S: Final = 1.0
# What OpenSSL says when the other side turns the program away, or speaks something else.
_TURNED_AWAY: Final = re.compile(
    "CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE|PROTOCOL|WRONG_VERSION|HTTP_REQUEST"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogConfig(DestinationConfig):
    """Options of the destination `syslog`.

    Attributes:
        host: Name or address of the receiver.
        port: Its port; 0 for 514, with TLS 6514.
        protocol: `udp`, `tcp` (octet counting, RFC 6587) or `tls` (RFC 5425).
        format: `rfc5424`, or `rfc3164` for old receivers.
        facility: Name of the facility: `user`, `daemon`, `local0` to `local7` and so on.
        app_name: APP-NAME; empty for the service of the program.
        hostname: HOSTNAME; empty for that of the program.
        structured_data_id: SD-ID of the element that holds a record's fields.
        bom: Whether the text begins with a byte order mark.
        message_bytes: Longest message; 0 for 2048 over UDP (1024 in RFC 3164's form) and 8192 over
            TCP and TLS.
        ca_file: Certificates to trust in place of the system's.
        certificate_file: Certificate of the program, where the receiver asks for one.
        key_file: Its private key, where that is not in the same file.
    """

    host: str = "127.0.0.1"
    port: int = 0
    protocol: Literal["udp", "tcp", "tls"] = "udp"
    format: Literal["rfc5424", "rfc3164"] = "rfc5424"
    facility: str = "user"
    app_name: str = ""
    hostname: str = ""
    structured_data_id: str = "clerestory@32473"
    bom: bool = False
    message_bytes: int = 0
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


class Syslog:
    """A syslog receiver.

    Raises:
        ConfigurationError: The facility is unknown, the limit too low, the SD-ID no SD-ID or a
            certificate not found.
    """

    Config = SyslogConfig
    adopts = True
    limits = BatchLimits(lines=1000, size_bytes=256 * 1024)

    def __init__(self, config: SyslogConfig) -> None:
        if config.facility not in wire.FACILITIES:
            known = ", ".join(wire.FACILITIES)
            raise ConfigurationError(
                f"syslog: facility {config.facility!r} is unknown: expected one of {known}"
            )
        if not _ELEMENT.match(config.structured_data_id):
            raise ConfigurationError(
                f"syslog: structured_data_id {config.structured_data_id!r} is no SD-ID: expected "
                "name@number, at most 32 printable characters without space, =, ] and quote"
            )
        self._bytes_max = config.message_bytes or _bytes_max(config)
        if self._bytes_max < _MESSAGE_BYTES_MIN:
            raise ConfigurationError(
                f"syslog: message_bytes must be at least {_MESSAGE_BYTES_MIN}, "
                f"got {config.message_bytes}"
            )
        self._config = config
        port = config.port or _PORTS[config.protocol]
        self._receiver = _receiver(config, port)
        where = f"{config.protocol}-{config.host}_{port}"
        self.name = "syslog-" + re.sub(r"[^A-Za-z0-9.-]", "_", where)

    @staticmethod
    def options(url: SplitResult) -> dict[str, Any]:
        """Return the options that `syslog://host:514` stands for.

        `syslog+tcp` and `syslog+tls` name the protocol.
        """
        options: dict[str, Any] = {}
        if url.hostname:
            options["host"] = url.hostname
        if url.port:
            options["port"] = url.port
        _, plus, protocol = url.scheme.partition("+")
        if plus:
            options["protocol"] = protocol
        return options

    def send(self, batch: Batch) -> Receipt:
        """Send the batch; it is taken when the receiver's machine has it.

        Raises:
            RetryError: The connection broke, or could not be made.
            HoldError: TLS: one side does not accept the other.
        """
        form = self._form(batch)
        messages = [
            wire.message(line, batch.record_id(index), form) for index, line in batch.records()
        ]
        if self._config.protocol != "udp":
            messages = [wire.frame(one) for one in messages]
        if messages:
            self._send(messages)
        return Receipt(taken=batch.count)

    def _send(self, messages: Sequence[bytes]) -> None:
        try:
            self._receiver.send(messages)
        except RetryError as error:
            cause = error.__cause__
            if isinstance(cause, ssl.SSLError) and _TURNED_AWAY.search(cause.reason or ""):
                raise HoldError(
                    f"{error}; check certificate_file and what the receiver's port speaks"
                ) from error
            raise

    def _form(self, batch: Batch) -> wire.Form:
        config, resource = self._config, batch.resource
        host = config.hostname or resource.get("host.name") or socket.gethostname()
        app = config.app_name or resource.get("service.name", "")
        return wire.Form(
            format=config.format,
            facility=wire.FACILITIES[config.facility],
            # Room for the record is left also where messages are short.
            host=wire.header_text(host, min(255, self._bytes_max // 4)),
            app=wire.header_text(app, 48),
            process=wire.header_text(resource.get("process.pid", ""), 32),
            element=config.structured_data_id,
            bom=config.bom,
            bytes_max=self._bytes_max,
        )

    def close(self) -> None:
        """Close the connection."""
        self._receiver.close()


def _bytes_max(config: SyslogConfig) -> int:
    old = config.format == "rfc3164" and config.protocol == "udp"
    return _OLD_PACKET_BYTES if old else _MESSAGE_BYTES[config.protocol]


def _receiver(config: SyslogConfig, port: int) -> Stream | Datagrams:
    if config.protocol == "udp":
        return Datagrams(config.host, port)
    context = _tls(config) if config.protocol == "tls" else None
    return Stream(
        config.host,
        port,
        context=context,
        timeout_s=config.timeout,
        connect_timeout_s=config.connect_timeout,
    )


def _tls(config: SyslogConfig) -> ssl.SSLContext:
    try:
        context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        if config.ca_file:
            context.load_verify_locations(config.ca_file)
        else:
            context.load_default_certs()
        if config.certificate_file:
            context.load_cert_chain(config.certificate_file, config.key_file or None)
    except OSError as error:
        raise ConfigurationError(f"syslog: a certificate cannot be read: {error}") from error
    return context


class _Context(ssl.SSLContext):
    """Shakes hands to the end: until the receiver has accepted the program's certificate too.

    With TLS 1.3 the program's side is done before the receiver has looked at it. One that turns
    the program away would then look like a connection that broke.
    """

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        connection = super().wrap_socket(*arguments, **options)
        if connection.version() == "TLSv1.3":
            try:
                _await_ticket(connection)
            except OSError:
                connection.close()
                raise
        return connection


def _await_ticket(connection: ssl.SSLSocket) -> None:
    """Read the session ticket that follows the handshake, or the alert in its place."""
    if not select.select([connection], [], [], _TICKET_S)[0]:
        return
    timeout_s = connection.gettimeout()
    connection.settimeout(0.0)
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.recv(1)
    connection.settimeout(timeout_s)
