"""A double of Azure Monitor's Logs Ingestion API, of Entra and of managed identities.

What the documents say: 204 for rows that were taken; 413 ContentLengthLimitExceeded beyond 1 MB
(uncompressed); 400 InvalidRequest for a body that is no JSON array; 403 OperationFailed until the
role assignment has spread; 404 NotFound for another rule; 429 TooManyRequests with Retry-After.
"""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.doubles.receiver import Receiver, Reply, Request

BYTES_MAX = 1024 * 1024
RULE = "dcr-00000000000000000000000000000001"


class AzureReceiver(Receiver):
    """Keeps rows.

    Attributes:
        rows: What was taken.
        tokens: Those that were given out and are still taken.
        stream: The only one that the rule has.
        needs_token: Whether ingesting needs one of them.
        spread: Whether the role assignment has spread.
    """

    def __init__(self, *, needs_token: bool = True) -> None:
        self.rows: list[dict[str, Any]] = []
        self.tokens: list[str] = []
        self.asked: list[dict[str, Any]] = []
        self.stream = "Custom-App_CL"
        self.needs_token = needs_token
        self.spread = True
        super().__init__()

    def answer(self, request: Request) -> Reply:
        url = urlsplit(request.path)
        if url.path.endswith("/oauth2/v2.0/token"):
            return self._entra(request, url.path)
        if url.path in ("/metadata/identity/oauth2/token", "/msi/token"):
            return self._managed(request, url.path, parse_qs(url.query))
        if url.path != f"/dataCollectionRules/{RULE}/streams/{self.stream}":
            return _error(404, "NotFound", "Data collection rule with immutable Id not found")
        if parse_qs(url.query).get("api-version") != ["2023-01-01"]:
            return _error(400, "InvalidApiVersion", "unsupported api-version")
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.needs_token and bearer not in self.tokens:
            return _error(401, "InvalidToken", "The provided authentication token is invalid")
        if not self.spread:
            return _error(403, "OperationFailed", "The token does not have access to ingest data")
        if len(request.body) > BYTES_MAX:
            return _error(413, "ContentLengthLimitExceeded", "Maximum allowed content length")
        return self._take(request.body)

    def throttled(self) -> Reply:
        reply = _error(429, "TooManyRequests", "The request rate is too high")
        return Reply(status=429, body=reply.body, headers={"Retry-After": "0.05"})

    def _take(self, body: bytes) -> Reply:
        rows = json.loads(body)
        if not isinstance(rows, list):
            return _error(400, "InvalidRequest", "Invalid JSON: an array is expected")
        if any("poison" in str(row.get("Message")) for row in rows):
            return _error(400, "InvalidTransformOutput", "a row does not fit the stream")
        for row in rows:
            self.rows.append(row)
            self.accepted.append(row.get("RecordId", ""))
        return Reply(status=204)

    def _entra(self, request: Request, path: str) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        self.asked.append(form | {"path": path})
        if form.get("client_secret") != "s3cr3t":
            text = "AADSTS7000215: Invalid client secret provided"
            body = {"error": "invalid_client", "error_description": text}
            return Reply(status=401, body=json.dumps(body).encode())
        return self._given(3599)

    def _managed(self, request: Request, path: str, query: dict[str, list[str]]) -> Reply:
        header = "metadata" if path.startswith("/metadata") else "x-identity-header"
        self.asked.append({name: values[0] for name, values in query.items()})
        if request.headers.get(header) not in ("true", "app-header"):
            return Reply(status=400, body=b'{"error":"invalid_request"}')
        return self._given("86399")

    def _given(self, expires_in: Any) -> Reply:
        self.tokens.append(f"token-{len(self.asked)}")
        content = {"token_type": "Bearer", "expires_in": expires_in}
        return Reply(body=json.dumps(content | {"access_token": self.tokens[-1]}).encode())


def _error(status: int, code: str, message: str) -> Reply:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return Reply(status=status, body=body)
