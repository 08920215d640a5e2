"""Where the X-Ray daemon's protocol is served: UDP and TCP of one port.

    settings -> [address] -> run -> receiver, app

Clients have one address for both: they send segments by UDP and ask for sampling rules by HTTP.
"""

import socket
from dataclasses import dataclass
from typing import Final

from clerestory.model.errors import ConfigurationError

OFF: Final = "off"
RECEIVE_BYTES: Final = 8 * 1024 * 1024
BACKLOG: Final = 128
_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class Sockets:
    """The two sockets, and the address that they share."""

    tcp: socket.socket
    udp: socket.socket
    address: str

    def close(self) -> None:
        """Close both."""
        self.tcp.close()
        self.udp.close()


def parse(text: str) -> tuple[str, int] | None:
    """Return host and port of the setting; None if it is off.

    Raises:
        ConfigurationError: It is neither.

    >>> parse("127.0.0.1:2000"), parse("[::1]:0"), parse("off")
    (('127.0.0.1', 2000), ('::1', 0), None)
    """
    if text.strip().lower() in (OFF, ""):
        return None
    host, _, port = text.strip().rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        message = f"server.xray_address must be HOST:PORT or off; got {text[:100]!r}"
        raise ConfigurationError(message)
    return host.removeprefix("[").removesuffix("]"), int(port)


def listen(text: str) -> Sockets | None:
    """Return the sockets of an address; None if it is off.

    Raises:
        ConfigurationError: It is malformed or taken.
    """
    wanted = parse(text)
    if wanted is None:
        return None
    try:
        return _bound(*wanted)
    except OSError as error:
        message = (
            f"cannot listen on {text} for X-Ray (UDP and TCP): {error.strerror}; choose another "
            "address with server.xray_address (port 0 takes any free one), or turn it off"
        )
        raise ConfigurationError(message) from error


def _bound(host: str, port: int) -> Sockets:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(_TRIES):
        tcp = socket.socket(family, socket.SOCK_STREAM)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
            tcp.bind((host, port))
            found = tcp.getsockname()[1]
            udp.bind((host, found))
            tcp.listen(BACKLOG)
        except OSError:
            tcp.close()
            udp.close()
            if port:
                raise
        else:
            shown = f"[{host}]" if ":" in host else host
            return Sockets(tcp, udp, f"{shown}:{found}")
    raise OSError(0, "no port is free for both", host)
