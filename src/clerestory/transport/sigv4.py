"""AWS Signature Version 4 of one request.

    destination -> exchange -> [sigv4] ~~> AWS

As AWS documents it: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html

Invariant: the signature is the one that botocore makes of the same request at the same time.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clerestory.transport.exchange import Answer

_UNSIGNED: Final = frozenset(
    (
        "authorization",
        "baggage",
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-amzn-trace-id",
    )
)
_CLOCK_CODES: Final = (
    b"InvalidSignatureException",
    b"RequestExpired",
    b"RequestTimeTooSkewed",
    b"SignatureDoesNotMatch",
)
_SKEW_S_MIN: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who signs.

    Attributes:
        access_key: Public half.
        secret_key: Secret half.
        token: Of temporary credentials, empty for lasting ones.
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a signature is good for.

    Attributes:
        region: Such as `eu-central-1`.
        service: AWS's short name of the service, such as `logs`.
    """

    region: str
    service: str

    def on(self, day: str) -> str:
        """Return the scope of a day, `YYYYMMDD`, as AWS writes it."""
        return f"{day}/{self.region}/{self.service}/aws4_request"


def sign(
    request: tuple[str, str, Mapping[str, str], bytes],
    credentials: Credentials,
    scope: Scope,
    time_s: float,
) -> dict[str, str]:
    """Return the headers of a request with date, token and signature added.

    Args:
        request: Method, path with query as it travels, headers (Host among them), body.
        credentials: Who signs.
        scope: What for.
        time_s: When, in seconds since 1970.
    """
    method, target, given, body = request
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time_s))
    replaced = {"x-amz-date", "x-amz-security-token", "authorization"}
    headers = {name: value for name, value in given.items() if name.lower() not in replaced}
    headers["X-Amz-Date"] = moment
    if credentials.token:
        headers["X-Amz-Security-Token"] = credentials.token
    canonical, names = _canonical_request(method, target, headers, body)
    day = moment[:8]
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope.on(day)}\n{digest}"
    signature = hmac.digest(_key(credentials.secret_key, day, scope), text.encode(), "sha256")
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope.on(day)}, "
        f"SignedHeaders={names}, Signature={signature.hex()}"
    )
    return headers


def _canonical_request(
    method: str, target: str, headers: Mapping[str, str], body: bytes
) -> tuple[str, str]:
    """Return the canonical request, and the names of the headers that are signed."""
    path, _, query = target.partition("?")
    signed = sorted(
        (name.lower(), " ".join(value.split()))
        for name, value in headers.items()
        if name.lower() not in _UNSIGNED
    )
    names = ";".join(name for name, _ in signed)
    lines = (
        method.upper(),
        quote(_without_dots(path), safe="/~"),
        _canonical_query(query),
        *(f"{name}:{value}" for name, value in signed),
        "",
        names,
        hashlib.sha256(body).hexdigest(),
    )
    return "\n".join(lines), names


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


def _without_dots(path: str) -> str:
    """Return the path as RFC 3986, 5.2.4 has it, repeated slashes made one."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if kept:
                kept.pop()
        elif part and part != ".":
            kept.append(part)
    end = "/" if kept and path.endswith("/") else ""
    return "/" + "/".join(kept) + end


def _key(secret: str, day: str, scope: Scope) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class Signer:
    """Signs requests, and learns how far this machine's clock is off.

    Args:
        scope: What signatures are good for.
        credentials: Asked for each request.
        now: The clock, in seconds since 1970.
    """

    def __init__(
        self,
        scope: Scope,
        credentials: Callable[[], Credentials],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.scope = scope
        self._credentials = credentials
        self._now = now
        self.skew_s = 0.0

    def __call__(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> dict[str, str]:
        """Return the headers to send."""
        request = (method, target, headers, body)
        return sign(request, self._credentials(), self.scope, self._now() + self.skew_s)

    def learns_from(self, answer: Answer) -> bool:
        """Say whether a refusal taught us the time, so that sending again is worth while.

        The receiver's own clock stands in the `Date` of its answer.
        """
        if answer.status < 400 or not any(code in answer.body for code in _CLOCK_CODES):
            return False
        try:
            theirs = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except ValueError:
            return False
        skew_s = theirs - self._now()
        if abs(skew_s - self.skew_s) < _SKEW_S_MIN:
            return False
        self.skew_s = skew_s
        return True
