r"""What the X-Ray daemon is sent, and where it listens.

    document -> [daemon] -> datagram ~~> UDP 2000
    sampler -> [daemon] ~~> TCP 2000

A datagram is a header line and one document:
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clerestory.model.errors import ConfigurationError

HEADER: Final = b'{"format":"json","version":1}\n'
VARIABLE: Final = "AWS_XRAY_DAEMON_ADDRESS"
DEFAULT: Final = "127.0.0.1:2000"
DATAGRAM_BYTES_MAX: Final = 65_507
_PORT_MAX: Final = 65_535


@dataclass(frozen=True, slots=True)
class DaemonAddress:
    """Where a daemon takes segments, and where it is asked.

    Attributes:
        udp: Host and port for segments.
        tcp: Host and port for sampling rules.
    """

    udp: tuple[str, int]
    tcp: tuple[str, int]

    @property
    def url(self) -> str:
        """The address for sampling rules."""
        host, port = self.tcp
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def address_of(text: str) -> DaemonAddress:
    """Return what `HOST:PORT`, or `tcp:HOST:PORT udp:HOST:PORT`, says.

    Raises:
        ConfigurationError: It says neither.

    >>> address_of("tcp:127.0.0.1:2000 udp:127.0.0.2:2001").udp
    ('127.0.0.2', 2001)
    """
    words = text.split()
    if len(words) == 1:
        both = _place(words[0], text)
        return DaemonAddress(both, both)
    named = {word.partition(":")[0].lower(): word.partition(":")[2] for word in words}
    if len(words) != 2 or named.keys() != {"tcp", "udp"}:
        raise _wrong(text)
    return DaemonAddress(_place(named["udp"], text), _place(named["tcp"], text))


def _place(word: str, text: str) -> tuple[str, int]:
    host, _, port = word.rpartition(":")
    is_port = port.isascii() and port.isdigit() and 0 < int(port[:9]) <= _PORT_MAX
    bare = host.removeprefix("[").removesuffix("]")
    if not bare or not is_port or (":" in bare and bare == host):
        raise _wrong(text)
    return bare, int(port)


def _wrong(text: str) -> ConfigurationError:
    return ConfigurationError(
        f"the address of the X-Ray daemon must be HOST:PORT, or tcp:HOST:PORT udp:HOST:PORT, "
        f"got {text[:100]!r}"
    )
