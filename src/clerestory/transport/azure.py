"""Access tokens of Microsoft Entra for Azure Monitor.

    Entra, managed identity ~~> [azure] -> tokens -> destination

With a client secret the client credentials grant (RFC 6749, section 4.4); else the managed
identity of the machine or the app.
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token

Invariant: the client secret is in no message and in no dump.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from clerestory.model.errors import HoldError, RetryError
from clerestory.transport.exchange import Exchange
from clerestory.transport.tokens import TokenCache, read_token

if TYPE_CHECKING:
    from collections.abc import Mapping

_AUTHORITY: Final = "https://login.microsoftonline.com"
_MACHINE: Final = "http://169.254.169.254"
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureOptions:
    """What a program says about itself; AZURE_* variables say the rest.

    Attributes:
        tenant_id: Directory of the application.
        client_id: Of the application, or of a managed identity that the user assigned.
        client_secret: Of the application; empty for a managed identity.
        authority: Address of Entra; another one in national clouds.
        audience: Whom the token is for.
        timeout_s: How long an answer may take, in seconds.
    """

    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    authority: str = ""
    audience: str = "https://monitor.azure.com"
    timeout_s: float = 10.0


class AzureIdentity:
    """Who we are to Azure.

    Args:
        options: What the program says.
        environment: Where variables are looked up.
    """

    def __init__(
        self, options: AzureOptions, *, environment: Mapping[str, str] | None = None
    ) -> None:
        self._options = options
        self._environment = os.environ if environment is None else environment
        self.token = TokenCache(self._fetch)

    def _fetch(self) -> tuple[str, float]:
        tenant = self._known("tenant_id")
        secret = self._known("client_secret")
        if not secret:
            return self._from_machine()
        client = self._known("client_id")
        if not tenant or not client:
            raise HoldError(
                "azure: a client_secret needs tenant_id and client_id too, or "
                "AZURE_TENANT_ID and AZURE_CLIENT_ID"
            )
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": secret,
            "scope": f"{self._options.audience}/.default",
        }
        authority = self._options.authority or self._environment.get("AZURE_AUTHORITY_HOST", "")
        return self._ask(
            authority or _AUTHORITY,
            f"/{quote(tenant, safe='')}/oauth2/v2.0/token",
            "check tenant_id, client_id and client_secret",
            form=form,
        )

    def _known(self, name: str) -> str:
        return getattr(self._options, name) or self._environment.get(f"AZURE_{name.upper()}", "")

    def _from_machine(self) -> tuple[str, float]:
        query = {"resource": self._options.audience}
        if self._known("client_id"):
            query["client_id"] = self._known("client_id")
        app = self._environment.get("IDENTITY_ENDPOINT", "")
        if app:
            query["api-version"] = "2019-08-01"
            headers = {"X-IDENTITY-HEADER": self._environment.get("IDENTITY_HEADER", "")}
            origin, target = app, ""
        else:
            query["api-version"] = "2018-02-01"
            headers = {"Metadata": "true"}
            origin = self._environment.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") or _MACHINE
            target = "/metadata/identity/oauth2/token"
        todo = "give this machine a managed identity, or set tenant_id, client_id, client_secret"
        return self._ask(origin, f"{target}?{urlencode(query)}", todo, headers=headers)

    def _ask(
        self,
        origin: str,
        target: str,
        todo: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[str, float]:
        origin = origin if "//" in origin else f"https://{origin}"
        exchange = Exchange(origin, timeout_s=self._options.timeout_s, compress=False)
        body = urlencode(form).encode() if form else b""
        try:
            answer = exchange.send(
                body,
                target=target,
                method="POST" if form else "GET",
                headers=headers or _FORM,
            )
        except RetryError as error:
            raise RetryError(f"azure: no token service answers ({error}); {todo}") from error
        finally:
            exchange.close()
        return read_token(answer, "azure's token service", todo)
