"""What holds for every request: which are recorded, whom to believe, what is told.

    settings -> [rules] -> exchange

Invariant: a header is believed only if it comes from a proxy that the settings name.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clerestory.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRules:
    """What holds for every request.

    Attributes:
        records: Whether a request becomes a record.
        keeps_access_lines: Whether those of the servers stay.
        has_console: Whether our records show on the console, so that theirs need not.
        exact: Paths that are passed over.
        prefixes: Beginnings of paths that are passed over.
        query: Whether the query of the URL is recorded.
        request_id_header: Where the id of a request stands, in lower case; empty for nowhere.
        security: Whether refusals become security records.
        failures_per_minute: How many of one client are told; 0 for none.
        trusts: Says whether an address is that of a proxy that is believed.
    """

    records: bool = True
    keeps_access_lines: bool = False
    has_console: bool = False
    exact: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    query: bool = False
    request_id_header: str = "x-request-id"
    security: bool = True
    failures_per_minute: int = 20
    trusts: Callable[[str], bool] = field(default=lambda _address: False)

    def ignores(self, path: str) -> bool:
        """Say whether requests to a path are passed over."""
        return path in self.exact or (bool(self.prefixes) and path.startswith(self.prefixes))

    def client_of(self, peer: str, forwarded: str) -> str:
        """Return the address of who asked: the last in the chain that is no trusted proxy.

        Args:
            peer: Who is connected.
            forwarded: `X-Forwarded-For`, all of it.
        """
        if not forwarded or not self.trusts(peer):
            return peer
        found = peer
        for text in reversed(forwarded.split(",")):
            address = parsed_address(text)
            if not address:
                break  # what stands before it was written by anybody
            found = address
            if not self.trusts(address):
                break
        return found


def parsed_address(text: str) -> str:
    """Return an address as it stands in a header, without brackets and port; empty if it is none.

    >>> parsed_address(" [2001:db8::1]:443 "), parsed_address("10.0.0.1:80"), parsed_address("evil")
    ('2001:db8::1', '10.0.0.1', '')
    """
    import ipaddress

    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return ""


def _trust(named: Iterable[str]) -> Callable[[str], bool]:
    """Return what says whether an address is one of these.

    Raises:
        ValueError: One of them is neither an address nor a network.
    """
    import ipaddress

    names = [name.strip() for name in named if name.strip()]
    by_socket = "unix" in names
    networks = [ipaddress.ip_network(name, strict=False) for name in names if name != "unix"]

    @functools.lru_cache(maxsize=1024)
    def trusts(address: str) -> bool:
        try:
            parsed: Any = ipaddress.ip_address(address)
        except ValueError:
            return by_socket and address in {"", "unix:"}
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed in network for network in networks)

    return trusts


_in_force: list[WebRules] = [WebRules()]


def web_rules() -> WebRules:
    """Return what holds now."""
    return _in_force[0]


def rules_of(settings: Settings, *, has_console: bool) -> WebRules:
    """Return what the settings say.

    Raises:
        ValueError: A trusted proxy is neither an address nor a network.
    """
    ignored = settings["web.paths_ignored"]
    proxies = settings["web.trusted_proxies"]
    return WebRules(
        records=settings["web.records"],
        keeps_access_lines=settings["web.access_lines"],
        has_console=has_console,
        exact=frozenset(path for path in ignored if not path.endswith("*")),
        prefixes=tuple(path[:-1] for path in ignored if path.endswith("*")),
        query=settings["web.query"],
        request_id_header=settings["web.request_id_header"].strip().lower(),
        security=settings["web.security_records"],
        failures_per_minute=settings["web.failures_per_minute"],
        **({"trusts": _trust(proxies)} if proxies else {}),
    )


def put_in_force(new: WebRules) -> None:
    """Let requests be treated in another way from now on."""
    _in_force[0] = new
