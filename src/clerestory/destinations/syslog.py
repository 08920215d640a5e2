"""Sends records to a syslog receiver: UDP, TCP or TLS.

    spool -> courier -> [syslog] ~~> receiver

Syslog has no acknowledgement. Over TCP and TLS the latest messages are sent again after a broken
connection; over UDP a lost packet is lost. `_cid` tells a record that came twice.
"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from clerestory.delivery.policy import DestinationConfig
from clerestory.delivery.port import BatchLimits, Receipt
from clerestory.model.errors import ConfigurationError
from clerestory.transport.stream import Datagrams, Stream
from clerestory.wire import syslog as wire

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from clerestory.delivery.port import Batch

_PORTS: Final = {"udp": 514, "tcp": 514, "tls": 6514}
_MESSAGE_BYTES: Final = {"udp": 2048, "tcp": 8192, "tls": 8192}
_MESSAGE_BYTES_MIN: Final = 480


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
        message_bytes: Longest message; 0 for 2048 over UDP and 8192 over TCP and TLS.
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
        ConfigurationError: The facility is unknown, the limit too low or a certificate not found.
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
        self._bytes_max = config.message_bytes or _MESSAGE_BYTES[config.protocol]
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
        """
        form = self._form(batch)
        messages = [
            wire.message(line, batch.record_id(index), form) for index, line in batch.records()
        ]
        if self._config.protocol != "udp":
            messages = [wire.frame(one) for one in messages]
        if messages:
            self._receiver.send(messages)
        return Receipt(taken=batch.count)

    def _form(self, batch: Batch) -> wire.Form:
        config, resource = self._config, batch.resource
        host = config.hostname or resource.get("host.name") or socket.gethostname()
        app = config.app_name or resource.get("service.name", "")
        return wire.Form(
            format=config.format,
            facility=wire.FACILITIES[config.facility],
            host=wire.header_text(host, 255),
            app=wire.header_text(app, 48),
            process=wire.header_text(resource.get("process.pid", ""), 128),
            element=config.structured_data_id,
            bom=config.bom,
            bytes_max=self._bytes_max,
        )

    def close(self) -> None:
        """Close the connection."""
        self._receiver.close()


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
        context = ssl.create_default_context(cafile=config.ca_file or None)
        if config.certificate_file:
            context.load_cert_chain(config.certificate_file, config.key_file or None)
    except OSError as error:
        raise ConfigurationError(f"syslog: a certificate cannot be read: {error}") from error
    return context
