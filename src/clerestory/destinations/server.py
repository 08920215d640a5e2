"""Sends records to a clerestory server.

    spool -> courier -> [server] ~~> POST /v1/records

The lines go as they are. The batch says which spool it is from and the number of its first
line, so the server stores a batch that comes twice once.
"""

from __future__ import annotations

import http.client
import json
import re
import zlib
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from clerestory.model.errors import ConfigurationError, RefusedError, RetryError

if TYPE_CHECKING:
    from clerestory.delivery.port import Batch

_COMPRESS_FROM: Final = 2048
_RETRIED: Final = frozenset((401, 403, 404, 408, 425, 429))


class Server:
    """A server's `/v1/records` over one kept-alive connection.

    Args:
        endpoint: Its address, such as `http://127.0.0.1:4318`.
        timeout_s: How long an answer may take, in seconds.
        connect_timeout_s: How long a connection may take, in seconds.
        token: Sent as a bearer token if not empty.

    Raises:
        ConfigurationError: The endpoint is no http or https address.
    """

    adopts = True

    def __init__(
        self,
        endpoint: str = "http://127.0.0.1:4318",
        *,
        timeout_s: float = 10.0,
        connect_timeout_s: float = 3.0,
        token: str = "",
    ) -> None:
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(
                f"endpoint must be an http or https address, got {endpoint!r}: "
                "write for example http://127.0.0.1:4318"
            )
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._secure = parts.scheme == "https"
        self._host, self._port = host, port
        self._path = parts.path.rstrip("/") + "/v1/records"
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._token = token
        self._connection: http.client.HTTPConnection | None = None
        self.name = "server-" + re.sub(r"[^A-Za-z0-9.-]", "_", f"{host}_{port}{parts.path}")

    def send(self, batch: Batch) -> None:
        """Send the batch and wait until the server says that it is stored.

        Raises:
            RetryError: The server is away, busy, or does not know us yet.
            RefusedError: The server will never take this batch.
        """
        headers = {
            "Content-Type": "application/x-ndjson",
            "Clerestory-Spool": batch.spool_id,
            "Clerestory-First": str(batch.first),
            "Clerestory-Resource": quote(json.dumps(batch.resource)),
        }
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        body = batch.lines
        if len(body) > _COMPRESS_FROM and self._host not in {"127.0.0.1", "::1"}:
            body = zlib.compress(body, 1, wbits=31)
            headers["Content-Encoding"] = "gzip"
        status, answer, retry_after = self._post(body, headers)
        if status == 200:
            return
        text = f"{self.name} answered {status}: {answer[:500].decode('utf-8', 'replace')}"
        if status in _RETRIED or status >= 500:
            raise RetryError(text, wait_s=_seconds(retry_after))
        raise RefusedError(text)

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, str | None]:
        try:
            connection = self._connected()
            connection.request("POST", self._path, body=body, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheader("Retry-After")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise RetryError(f"{self.name}: {type(error).__name__}: {error}") from error

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            self._connection = kind(self._host, self._port, timeout=self._connect_timeout_s)
            self._connection.connect()
            self._connection.sock.settimeout(self._timeout_s)
        return self._connection

    def close(self) -> None:
        """Close the connection; the next batch opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None
