"""How the commands ask the server: GET JSON, stream frames, POST batches.

    command -> [client] ~~> server

Plain http.client: it starts fast, and no proxy variable diverts a request to this machine.

Invariant: every failure is a `ServerError` or `ApiError` that says what to do.
"""

import json
import socket
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from clerestory.model.errors import ClerestoryError

TIMEOUT_S: Final = 30.0
# The server sends a heartbeat every 15 s: two missed ones mean a dead connection.
STREAM_TIMEOUT_S: Final = 35.0
# A query runs for at most a minute; it may wait for others first.
QUESTION_TIMEOUT_S: Final = 300.0
BLOCK_BYTES: Final = 1024 * 1024
BODY_BYTES_MAX: Final = 256 * 1024 * 1024


class ServerError(ClerestoryError):
    """The server cannot be reached, or answers what it should not."""


class ApiError(ClerestoryError):
    """The server refused a request and said why.

    Attributes:
        status: The HTTP status.
        code: The server's short name of the reason.
        position: Offset of the wrong character in the search, or None.
        length: How many characters are wrong.
        hint: What to write instead, or None.
        retry_after_s: Seconds the server asked to wait, or None.
    """

    def __init__(self, status: int, error: Mapping[str, Any], retry_after: str | None) -> None:
        super().__init__(str(error.get("message") or f"the server answered {status}"))
        self.status = status
        self.code = str(error.get("code") or status)
        position = error.get("position")
        self.position = position if isinstance(position, int) else None
        self.length = max(1, int(error.get("length") or 1))
        self.hint = error.get("hint")
        digits = retry_after or ""
        self.retry_after_s = float(digits) if digits.isdigit() else None


class Client:
    """One server, by its address."""

    def __init__(self, endpoint: str, *, token: str = "", timeout_s: float = TIMEOUT_S) -> None:
        """Parse the address.

        Raises:
            ServerError: It is not an http or https address.
        """
        parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in {"http", "https"} or not parts.hostname or port == -1:
            raise ServerError(
                f"endpoint {endpoint!r} is not an address such as http://127.0.0.1:4318"
            )
        self.endpoint = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = port
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout_s = timeout_s

    def get(self, path: str, **params: object) -> Any:
        """Return the decoded JSON answer to a GET.

        Raises:
            ServerError: No server, or no JSON.
            ApiError: The server refused.
        """
        return self._json(self._request("GET", _with(path, params)))

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Any:
        """Return the decoded JSON answer to a POST; raises as `get` does."""
        return self._json(self._request("POST", path, body=body, headers=headers))

    def ask(self, path: str, question: object) -> Iterator[Any]:
        """Post a question, then return the JSON lines of the answer; raises as `stream` does."""
        response = self._question(path, question)
        if response.status != 200:
            self._json(response)
        return self._frames(response)

    def file(self, path: str, question: object, **params: object) -> Iterator[bytes]:
        """Post a question, then return the blocks of the file that answers it.

        Raises:
            ServerError: No server, or the connection broke.
            ApiError: The server refused.
        """
        response = self._question(_with(path, params), question)
        if response.status != 200:
            self._json(response)
        return self._blocks(response)

    def _question(self, target: str, question: object) -> HTTPResponse:
        return self._request(
            "POST",
            target,
            body=json.dumps(question).encode(),
            headers={"Content-Type": "application/json"},
            timeout_s=QUESTION_TIMEOUT_S,
        )

    def _blocks(self, response: HTTPResponse) -> Iterator[bytes]:
        try:
            while block := response.read(BLOCK_BYTES):
                yield block
        except (OSError, HTTPException) as error:
            raise ServerError(f"the answer of {self.endpoint} broke off: {error}") from None
        finally:
            response.close()

    def is_up(self) -> bool:
        """Return whether a clerestory server answers at the address."""
        try:
            answer = self.get("/health")
        except (ServerError, ApiError):
            return False
        return isinstance(answer, dict) and answer.get("status") == "ok"

    def stream(self, path: str, **params: object) -> Iterator[Any]:
        """Connect, then return the JSON frames of an NDJSON stream until the server closes it.

        Raises:
            ServerError: No server, or the connection broke.
            ApiError: The server refused.
        """
        response = self._request(
            "GET",
            _with(path, params),
            headers={"Accept": "application/x-ndjson"},
            timeout_s=STREAM_TIMEOUT_S,
        )
        if response.status != 200:
            self._json(response)
        return self._frames(response)

    def _frames(self, response: HTTPResponse) -> Iterator[Any]:
        try:
            for line in iter(response.readline, b""):
                if line.strip():
                    yield json.loads(line)
        except (OSError, HTTPException, ValueError) as error:
            raise ServerError(f"the stream from {self.endpoint} broke: {error}") from None
        finally:
            response.close()

    def _request(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> HTTPResponse:
        kind = HTTPSConnection if self._secure else HTTPConnection
        connection = kind(self._host, self._port, timeout=timeout_s or self._timeout_s)
        try:
            connection.request(
                method, self._prefix + target, body, {**self._headers, **(headers or {})}
            )
            return connection.getresponse()
        except (OSError, HTTPException) as error:
            connection.close()
            raise ServerError(
                f"no server at {self.endpoint} ({_reason(error)}); "
                "start one with `clerestory up`, or set CLERESTORY_ENDPOINT"
            ) from None

    def _json(self, response: HTTPResponse) -> Any:
        try:
            text = response.read(BODY_BYTES_MAX)
        except (OSError, HTTPException) as error:
            raise ServerError(f"the answer of {self.endpoint} broke off: {error}") from None
        finally:
            response.close()
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if response.status >= 400:
            said = answer.get("error") if isinstance(answer, dict) else None
            details = said if isinstance(said, dict) else {}
            raise ApiError(response.status, details, response.getheader("Retry-After"))
        if answer is None:
            raise ServerError(
                f"{self.endpoint} is not a clerestory server: "
                f"it answered {response.status} without JSON; check CLERESTORY_ENDPOINT"
            )
        return answer


def _with(path: str, params: Mapping[str, object]) -> str:
    given = {key.rstrip("_"): value for key, value in params.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "unknown host"
    return str(error) or type(error).__name__
