"""Access tokens for Google Cloud.

    key file, metadata server ~~> [google] -> tokens -> destination

The order is that of Application Default Credentials: the file that is named, the one that
GOOGLE_APPLICATION_CREDENTIALS names, gcloud's own, the metadata server of the machine.
https://cloud.google.com/docs/authentication/application-default-credentials

Invariant: a private key stays in its file and in memory; it is in no message and in no dump.
"""

from __future__ import annotations

import os
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec

from clerestory.model.errors import HoldError, RetryError
from clerestory.transport.exchange import Exchange
from clerestory.transport.tokens import TokenCache, read_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clerestory.transport.exchange import Answer

_SCOPE: Final = "https://www.googleapis.com/auth/logging.write"
_TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105  an address
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_METADATA: Final = "metadata.google.internal"
_GCLOUD: Final = "gcloud/application_default_credentials.json"
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_LIFETIME_S: Final = 3600


class GoogleIdentity:
    """Who we are to Google.

    Args:
        credentials_file: Key of a service account, or gcloud's file; empty to look for one.
        timeout_s: How long an answer may take, in seconds.
        environment: Where variables are looked up.
    """

    def __init__(
        self,
        credentials_file: str = "",
        *,
        timeout_s: float = 10.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = os.environ if environment is None else environment
        self._path = credentials_file or self._environment.get("GOOGLE_APPLICATION_CREDENTIALS", "")
        self._timeout_s = timeout_s
        self.token = TokenCache(self._fetch)

    def project(self) -> str:
        """Return the project that the environment, the key or the machine belongs to.

        Raises:
            HoldError: None is named anywhere.
            RetryError: The metadata server does not answer.
        """
        named = self._environment.get("GOOGLE_CLOUD_PROJECT", "")
        content = {} if named else self._key()
        found = named or content.get("project_id") or content.get("quota_project_id")
        if found:
            return str(found)
        if not content:
            answer = self._metadata("/computeMetadata/v1/project/project-id")
            if answer.status == 200:
                return str(answer.body, "ascii", "replace").strip()
        raise HoldError("google: no project is known: set project_id or GOOGLE_CLOUD_PROJECT")

    def _key(self) -> dict[str, Any]:
        path = Path(self._path) if self._path else self._gcloud_file()
        if path is None:
            return {}
        try:
            content = msgspec.json.decode(path.read_bytes(), type=dict)
        except OSError as error:
            raise HoldError(
                f"google: the key file {path} cannot be read: {error.strerror}"
            ) from error
        except msgspec.DecodeError as error:
            raise HoldError(f"google: the key file {path} is no JSON object") from error
        return dict(content)

    def _gcloud_file(self) -> Path | None:
        home = self._environment.get("HOME", "")
        folder = self._environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
        path = Path(folder) / _GCLOUD
        return path if folder and path.exists() else None

    def _fetch(self) -> tuple[str, float]:
        key = self._key()
        if not key:
            path = "/computeMetadata/v1/instance/service-accounts/default/token"
            answer = self._metadata(path)
            todo = "give this machine a service account, or name a key in credentials_file"
            return read_token(answer, "google's metadata server", todo)
        if key.get("type") == "service_account":
            form = {"grant_type": _GRANT, "assertion": _assertion(key)}
        elif key.get("type") == "authorized_user":
            names = ("client_id", "client_secret", "refresh_token")
            form = {name: str(key.get(name, "")) for name in names}
            form["grant_type"] = "refresh_token"
        else:
            raise HoldError(
                f"google: credentials of type {key.get('type')!r} are not understood: use the key "
                "of a service account, or run on a machine that has one"
            )
        exchange = Exchange(
            str(key.get("token_uri") or _TOKEN_URL), timeout_s=self._timeout_s, compress=False
        )
        try:
            answer = exchange.send(urlencode(form).encode(), headers=_FORM)
        finally:
            exchange.close()
        return read_token(answer, "google's token service", "check the key in credentials_file")

    def _metadata(self, path: str) -> Answer:
        host = self._environment.get("GCE_METADATA_HOST", _METADATA)
        exchange = Exchange(f"http://{host}", timeout_s=self._timeout_s, compress=False)
        try:
            headers = {"Metadata-Flavor": "Google"}
            return exchange.send(b"", target=path, method="GET", headers=headers)
        except RetryError as error:
            raise RetryError(
                f"google: no key file was found and no metadata server answers ({error}); "
                "name a key in credentials_file or GOOGLE_APPLICATION_CREDENTIALS"
            ) from error
        finally:
            exchange.close()


def _assertion(key: Mapping[str, Any]) -> str:
    """Return a signed JSON Web Token that says who asks (RFC 7523).

    Raises:
        HoldError: The package `cryptography` is missing, or the key is none.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise HoldError(
            "google: a service account's key needs the package cryptography: "
            "pip install 'clerestory[google]'"
        ) from error
    now = int(time.time())
    header = {"alg": "RS256", "typ": "JWT", "kid": key.get("private_key_id", "")}
    claims = {
        "iss": key.get("client_email", ""),
        "scope": _SCOPE,
        "aud": key.get("token_uri") or _TOKEN_URL,
        "iat": now,
        "exp": now + _LIFETIME_S,
    }
    text = b".".join(_base64(msgspec.json.encode(part)) for part in (header, claims))
    try:
        private = load_pem_private_key(str(key.get("private_key", "")).encode(), None)
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, RSAPrivateKey):
        raise HoldError("google: private_key in the key file is no RSA key in PEM form")
    return b".".join((text, _base64(private.sign(text, PKCS1v15(), SHA256())))).decode()


def _base64(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")
