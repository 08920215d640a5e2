"""A double of Google Cloud Logging, of Google's token service and of the metadata server.

What the documents say: an entry over 256 KB and one without a payload are INVALID_ARGUMENT, by
index with partialSuccess; 400 for a request over 10 MB; 401 UNAUTHENTICATED, 403
PERMISSION_DENIED, 429 RESOURCE_EXHAUSTED as google.rpc.Status; repeats with equal insertId and
timestamp are removed. The token service checks the signature of the assertion (RFC 7523).
"""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.doubles.receiver import Receiver, Reply, Request

ENTRY_BYTES_MAX = 256 * 1024
REQUEST_BYTES_MAX = 10 * 1024 * 1024
SEVERITIES = {
    "DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY",
}  # fmt: skip
PARTIAL = "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors"


class GoogleReceiver(Receiver):
    """Keeps entries.

    Attributes:
        entries: What was written, by (insertId, timestamp), with logName, resource and labels.
        tokens: Those that were given out and are still taken.
        needs_token: Whether writing needs one of them.
        lifetime_s: What is said about a token's life.
        busy: So many of the next entries get UNAVAILABLE.
        denied: Whether the account may not write.
    """

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def __init__(self, *, needs_token: bool = True) -> None:
        self.entries: dict[tuple[str, str], dict[str, Any]] = {}
        self.tokens: list[str] = []
        self.given = 0
        self.needs_token = needs_token
        self.lifetime_s = 3600
        self.busy = 0
        self.denied = False
        super().__init__()

    def key_file(self, folder: Path, **more: Any) -> str:
        """Write the key of a service account and return its path."""
        pem = self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        content = {
            "type": "service_account",
            "project_id": "shop-1",
            "private_key_id": "k1",
            "private_key": pem.decode(),
            "client_email": "writer@shop-1.iam.gserviceaccount.com",
            "token_uri": f"{self.url}/token",
        }
        path = folder / "key.json"
        path.write_text(json.dumps(content | more))
        return str(path)

    def answer(self, request: Request) -> Reply:
        if request.path == "/token":
            return self._token(request)
        if request.path.startswith("/computeMetadata/v1/"):
            return self._metadata(request)
        if request.path.partition("?")[0] != "/v2/entries:write":
            return Reply(status=404, body=b"<html>404</html>")
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.needs_token and bearer not in self.tokens:
            return self._error(401, "UNAUTHENTICATED", "invalid authentication credentials")
        if self.denied:
            return self._error(403, "PERMISSION_DENIED", "Permission 'logging.logEntries.create'")
        if len(request.body) > REQUEST_BYTES_MAX:
            return self._error(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit")
        return self._write(json.loads(request.body))

    def throttled(self) -> Reply:
        return self._error(429, "RESOURCE_EXHAUSTED", "Quota exceeded for 'Write requests'")

    def _write(self, content: dict[str, Any]) -> Reply:
        errors = {}
        shared = {name: content.get(name) for name in ("logName", "resource", "labels")}
        for index, one in enumerate(content["entries"]):
            wrong = self._wrong(one)
            if wrong is not None:
                errors[str(index)] = wrong
                continue
            whole = {name: value for name, value in shared.items() if value} | one
            name = (one.get("insertId", f"#{len(self.entries)}"), one.get("timestamp", ""))
            if name not in self.entries:
                self.entries[name] = whole
                self.accepted.append(name[0])
        if not errors:
            return Reply(body=b"{}", headers={"Content-Type": "application/json"})
        if not content.get("partialSuccess"):
            return self._error(400, "INVALID_ARGUMENT", "an entry is wrong")
        detail = {"@type": PARTIAL, "logEntryErrors": errors}
        return self._error(400, "INVALID_ARGUMENT", "Some entries are wrong", detail)

    def _wrong(self, entry: dict[str, Any]) -> dict[str, Any] | None:
        if self.busy > 0:
            self.busy -= 1
            return {"code": 14, "message": "The service is currently unavailable."}
        size = len(json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode())
        if size > ENTRY_BYTES_MAX:
            return {"code": 3, "message": f"Log entry with size {size} exceeds maximum size"}
        payload = entry.get("jsonPayload", {})
        if "poison" in str(payload.get("message")):
            return {"code": 3, "message": "Log entry has an invalid timestamp"}
        if entry.get("severity", "DEFAULT") not in SEVERITIES:
            return {"code": 3, "message": "Invalid value for LogSeverity"}
        return None

    def _token(self, request: Request) -> Reply:
        form = parse_qs(request.body.decode())
        if form["grant_type"] == ["refresh_token"]:
            return self._given() if form["refresh_token"] == ["right"] else self._not_given()
        signed, _, signature = form["assertion"][0].rpartition(".")
        claims = json.loads(_decoded(signed.partition(".")[2]))
        try:
            self.private.public_key().verify(
                _decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return self._not_given()
        if claims["aud"] != f"{self.url}/token" or "logging.write" not in claims["scope"]:
            return self._not_given()
        return self._given()

    def _given(self) -> Reply:
        self.given += 1
        self.tokens.append(f"token-{self.given}")
        content = {"access_token": self.tokens[-1], "expires_in": self.lifetime_s}
        return Reply(body=json.dumps(content | {"token_type": "Bearer"}).encode())

    def _not_given(self) -> Reply:
        return Reply(status=400, body=b'{"error":"invalid_grant","error_description":"bad JWT"}')

    def _metadata(self, request: Request) -> Reply:
        if request.headers.get("metadata-flavor") != "Google":
            return Reply(status=403)
        if request.path.endswith("project-id"):
            return Reply(body=b"machine-1")
        return self._given()

    def _error(self, status: int, name: str, message: str, *details: dict[str, Any]) -> Reply:
        error = {"code": status, "message": message, "status": name, "details": list(details)}
        return Reply(status=status, body=json.dumps({"error": error}).encode())


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
