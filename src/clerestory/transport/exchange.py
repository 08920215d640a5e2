"""One request and its answer, over a connection that is kept.

    destination -> [exchange] ~~> receiver

The proxy variables of the environment are honoured. A broken connection is a RetryError: the
courier sends again. An answer has a deadline as a whole, so a receiver that trickles bytes cannot
hold a courier for ever.

Invariant: `send` returns a whole answer or raises RetryError.
"""

from __future__ import annotations

import http.client
import ssl
import time
from base64 import b64encode
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from clerestory.model.errors import ConfigurationError, RetryError
from clerestory.transport.compression import GZIP_FROM_BYTES, gzip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Signer = Callable[[str, str, Mapping[str, str], bytes], Mapping[str, str]]

_IDLE_S_MAX: Final = 15.0
_ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
_SHOWN_CHARS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver said.

    Attributes:
        status: HTTP status.
        headers: By lower-case name.
        body: All of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def text(self) -> str:
        """Return the beginning of the body on one line, for messages."""
        return " ".join(self.body[:_SHOWN_CHARS].decode("utf-8", "replace").split())

    def retry_after_s(self, now: Callable[[], float] = time.time) -> float | None:
        """Return how long `Retry-After` asks to wait, given as seconds or as a date."""
        given = self.headers.get("retry-after", "")
        try:
            return max(0.0, float(given))
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(given).timestamp() - now())
        except ValueError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What is asked; see `Exchange.send`."""

    method: str
    target: str
    headers: Mapping[str, str]
    sign: Signer | None


class Exchange:
    """Requests to one origin, one at a time.

    Args:
        url: Address; its path is put before the target of each request.
        timeout_s: How long an answer may take, in seconds.
        connect_timeout_s: How long connecting may take, in seconds.
        ca_file: Certificates to trust in place of the system's.
        client: Files of the certificate that says who we are, and of its key; without a key it
            is in the same file.
        compress: Whether bodies travel as gzip.

    Raises:
        ConfigurationError: The address is not http or https; or a client's file is missing, or
            there is a key without a certificate.

    Attributes:
        url: See above.
        ca_file: See above.
        client: See above.
        host: Name or address of the receiver.
        port: Its port.
        path: Put before the target of each request.
        compress: Set to False once the receiver has refused gzip.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 10.0,
        connect_timeout_s: float = 3.0,
        ca_file: str = "",
        client: tuple[str, str] = ("", ""),
        compress: bool = True,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(
                f"an address must begin with http:// or https:// and name a host, got {url!r}"
            )
        self.url = url
        self.ca_file = ca_file
        self.client = _checked(client)
        self.secure = parts.scheme == "https"
        # Where both families are bound, a name may lead to the one nobody listens on.
        self.host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
        self.port = parts.port or (443 if self.secure else 80)
        self.path = parts.path.rstrip("/")
        self.host_header = parts.netloc.rpartition("@")[2]
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self.compress = compress
        self._proxy = _proxy_for(parts)
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0

    def send(
        self,
        body: bytes | Sequence[bytes],
        *,
        target: str = "",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        sign: Signer | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> Answer:
        """Send a request and return its answer, whatever its status.

        Args:
            body: As it is before compression; in parts where it is made of many.
            target: Path and query, added to the path of the address.
            method: HTTP method.
            headers: Further headers.
            sign: Given method, path with query, headers and the body as it travels, returns the
                headers to send.
            meanwhile: Called while the answer is awaited, at most once.

        Raises:
            RetryError: No whole answer came.
        """
        parts = (body,) if isinstance(body, bytes) else body
        request = _Request(method=method, target=target, headers=dict(headers or {}), sign=sign)
        answer = self._send(parts, request, meanwhile)
        if self.compress and _refuses_encoding(answer):
            self.compress = False
            return self._send(parts, request, None)
        return answer

    def _send(
        self, parts: Sequence[bytes], request: _Request, meanwhile: Callable[[], None] | None
    ) -> Answer:
        headers = dict(request.headers)
        size = sum(map(len, parts))
        body = gzip(parts) if self.compress and size >= GZIP_FROM_BYTES else b""
        if body and len(body) < size:
            headers["Content-Encoding"] = "gzip"
        else:
            body = b"".join(parts)
        headers["Host"] = self.host_header
        headers.setdefault("User-Agent", "clerestory")
        path = self.path + request.target or "/"
        if request.sign is not None:
            headers = dict(request.sign(request.method, path, headers, body))
        try:
            connection = self._ask(request.method, path, headers, body)
            if meanwhile is not None:
                meanwhile()
            return self._answer(connection)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            where = f"{self.host}:{self.port}"
            raise RetryError(f"{where}: {type(error).__name__}: {error}") from error
        except BaseException:
            self.close()  # an answer that nobody read would be taken for that of the next request
            raise

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> http.client.HTTPConnection:
        connection = self._connected()
        if self._proxy is not None and not self.secure:
            path = f"http://{self.host_header}{path}"
        connection.request(method, path, body=body, headers=dict(headers))
        return connection

    def _answer(self, connection: http.client.HTTPConnection) -> Answer:
        deadline = time.monotonic() + self._timeout_s
        answer = connection.getresponse()
        content = bytearray()
        while chunk := answer.read1(65536):
            content += chunk
            if time.monotonic() > deadline:
                raise TimeoutError("the answer did not end in time")
            if len(content) > _ANSWER_BYTES_MAX:
                raise http.client.HTTPException(f"the answer is over {_ANSWER_BYTES_MAX} bytes")
        if answer.length:
            raise http.client.IncompleteRead(bytes(content), answer.length)
        answer.close()
        self._used_at = time.monotonic()
        received = {name.lower(): value for name, value in answer.getheaders()}
        if answer.will_close:
            self.close()
        return Answer(status=answer.status, headers=received, body=bytes(content))

    def _connected(self) -> http.client.HTTPConnection:
        if time.monotonic() - self._used_at > _IDLE_S_MAX:
            self.close()
        if self._connection is None:
            connection = self._new_connection()
            connection.connect()
            connection.sock.settimeout(self._timeout_s)
            self._connection = connection
            self._used_at = time.monotonic()
        return self._connection

    def _new_connection(self) -> http.client.HTTPConnection:
        host, port = self.host, self.port
        if self._proxy is not None and self._proxy.hostname:
            host, port = self._proxy.hostname, self._proxy.port or 80
        if not self.secure:
            return http.client.HTTPConnection(host, port, timeout=self._connect_timeout_s)
        context = ssl.create_default_context(cafile=self.ca_file or None)
        certificate, key = self.client
        if certificate:
            context.load_cert_chain(certificate, key or None)
        connection = http.client.HTTPSConnection(
            host, port, timeout=self._connect_timeout_s, context=context
        )
        if self._proxy is not None:
            connection.set_tunnel(self.host, self.port, headers=_proxy_headers(self._proxy))
        return connection

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _checked(client: tuple[str, str]) -> tuple[str, str]:
    certificate, key = client
    if key and not certificate:
        raise ConfigurationError("client_key is given without client_certificate; give both")
    for name, file in (("client_certificate", certificate), ("client_key", key)):
        if file and not Path(file).is_file():
            raise ConfigurationError(f"{name}: there is no file {file!r}")
    return client


def _refuses_encoding(answer: Answer) -> bool:
    """Say whether the receiver does not want gzip."""
    if answer.status == http.client.UNSUPPORTED_MEDIA_TYPE:
        return True
    return answer.status == http.client.BAD_REQUEST and b"encoding" in answer.body.lower()


def _proxy_for(parts: SplitResult) -> SplitResult | None:
    host = parts.hostname or ""
    if host in {"localhost", "127.0.0.1", "::1"} or proxy_bypass(host):
        return None
    proxy = getproxies().get(parts.scheme)
    return urlsplit(proxy if "//" in proxy else f"http://{proxy}") if proxy else None


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
