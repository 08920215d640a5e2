"""Bytes over TCP or TLS to a receiver that never answers, and datagrams.

    destination -> [stream] ~~> receiver

TCP says what reached the other machine, not what the receiver has read. So the latest bytes are
kept and sent again on the next connection: what broke off comes twice rather than never.

Invariant: `send` returns when the other machine has everything, or raises RetryError.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from clerestory.model.errors import HoldError, RetryError

if TYPE_CHECKING:
    from collections.abc import Sequence

_WINDOW_BYTES: Final = 1024 * 1024
_SIOCOUTQ: Final = 0x5411
_POLL_S: Final = 0.002


class Stream:
    """A connection that is kept, and made again when it broke.

    Args:
        host: Name or address.
        port: Port.
        context: Set-up of TLS; None for plain TCP.
        timeout_s: How long sending may take, in seconds.
        connect_timeout_s: How long connecting may take, in seconds.
        window_bytes: So many of the latest bytes are sent again on a new connection.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        context: ssl.SSLContext | None = None,
        timeout_s: float = 10.0,
        connect_timeout_s: float = 3.0,
        window_bytes: int = _WINDOW_BYTES,
    ) -> None:
        self._address = (host, port)
        self._context = context
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._window: deque[bytes] = deque()
        self._window_size = 0
        self._window_bytes = window_bytes
        self._socket: socket.socket | None = None

    def send(self, frames: Sequence[bytes]) -> None:
        """Send frames, after those of the window if the connection is a new one.

        Raises:
            RetryError: The connection broke or could not be made.
            HoldError: The receiver's certificate is not trusted.
        """
        try:
            self._send(frames)
        except ssl.SSLCertVerificationError as error:
            self._drop()
            raise HoldError(
                f"{self._where()}: the certificate is not trusted: {error.verify_message}; "
                "set ca_file"
            ) from error
        except OSError as error:
            self._drop()
            raise RetryError(f"{self._where()}: {type(error).__name__}: {error}") from error
        self._remember(frames)

    def _send(self, frames: Sequence[bytes]) -> None:
        if self._socket is not None and _is_closed(self._socket):
            self._drop()
        if self._socket is None:
            self._socket = self._connected()
            frames = [*self._window, *frames]
        deadline = time.monotonic() + self._timeout_s
        self._socket.settimeout(self._timeout_s)
        self._socket.sendall(b"".join(frames))
        while _unacknowledged(self._socket):
            # After a reset nothing is confirmed any more, and nothing else would end the wait.
            if _is_closed(self._socket):
                raise ConnectionResetError("the receiver closed the connection")
            if time.monotonic() > deadline:
                raise TimeoutError("the receiver does not take what was sent")
            time.sleep(_POLL_S)
        if _is_closed(self._socket):
            raise ConnectionResetError("the receiver closed the connection")

    def _connected(self) -> socket.socket:
        plain = socket.create_connection(self._address, self._connect_timeout_s)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._context is None:
            return plain
        try:
            return self._context.wrap_socket(plain, server_hostname=self._address[0])
        except OSError:
            plain.close()
            raise

    def _remember(self, frames: Sequence[bytes]) -> None:
        self._window.extend(frames)
        self._window_size += sum(map(len, frames))
        while self._window_size > self._window_bytes:
            self._window_size -= len(self._window.popleft())

    def _where(self) -> str:
        return "{}:{}".format(*self._address)

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Say that nothing more comes, and close."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        self._drop()


class Datagrams:
    """Single packets; nobody says whether they arrive.

    Args:
        host: Name or address.
        port: Port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None

    def send(self, packets: Sequence[bytes]) -> None:
        """Send each as a packet of its own.

        Raises:
            RetryError: The receiver's machine says that nobody listens, or there is no way there.
        """
        try:
            if self._socket is None:
                self._socket = _datagram_socket(self._address)
            for packet in packets:
                self._socket.send(packet)
            _check_last(self._socket)
        except OSError as error:
            self.close()
            where = "{}:{}".format(*self._address)
            raise RetryError(f"{where}: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _check_last(datagrams: socket.socket) -> None:
    """Raise what became of the last packet, which no further one would tell."""
    trouble = datagrams.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if trouble:
        raise OSError(trouble, os.strerror(trouble))


def _datagram_socket(address: tuple[str, int]) -> socket.socket:
    family, kind, protocol, _, target = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
    found = socket.socket(family, kind, protocol)
    try:
        found.connect(target)
    except OSError:
        found.close()
        raise
    return found


def _is_closed(connection: socket.socket) -> bool:
    """Say whether the receiver has closed; it has nothing else to say."""
    if not select.select([connection], [], [], 0)[0]:
        return False
    connection.settimeout(0.0)
    try:
        return connection.recv(4096) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def _unacknowledged(connection: socket.socket) -> int:
    """Return how many bytes the other machine has not confirmed; 0 where nobody can tell."""
    if sys.platform != "linux":
        return 0
    import fcntl

    answer = fcntl.ioctl(connection.fileno(), _SIOCOUTQ, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])
