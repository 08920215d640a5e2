"""From what somebody wrote under `destinations` to routes.

    settings -> [destinations] -> pipeline

A destination is named by its type (`console`), by an address (`cloudwatch://eu-west-1/shop`), or
by a mapping with a `type` and options. Types are found by name, ours in the table below and those
of other packages through entry points of the group `clerestory.destinations`.

Invariant: a module is imported only when a destination of its type is asked for.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from clerestory.delivery.policy import DestinationConfig, Route, RoutePolicy
from clerestory.delivery.port import BatchLimits
from clerestory.model.errors import ConfigurationError
from clerestory.settings.options import build

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clerestory.settings import Settings

GROUP: Final = "clerestory.destinations"
TYPES: Final[dict[str, str]] = {
    "azure": "clerestory.destinations.services.azure:AzureMonitor",
    "cloudwatch": "clerestory.destinations.services.cloudwatch:CloudWatch",
    "console": "clerestory.destinations.console:Console",
    "datadog": "clerestory.destinations.services.datadog:Datadog",
    "elasticsearch": "clerestory.destinations.services.elasticsearch:Elasticsearch",
    "file": "clerestory.destinations.file:File",
    "google": "clerestory.destinations.services.google:GoogleCloud",
    "http": "clerestory.destinations.http:Http",
    "loki": "clerestory.destinations.services.loki:Loki",
    "memory": "clerestory.destinations.memory:Memory",
    "otlp": "clerestory.destinations.otlp:Otlp",
    "server": "clerestory.destinations.server:Server",
    "splunk": "clerestory.destinations.services.splunk:Splunk",
    "syslog": "clerestory.destinations.syslog:Syslog",
    "xray": "clerestory.destinations.services.xray:Xray",
}
_KINDS: Final = frozenset(("log",))
# Schemes that are not the type's own name, with an optional `+more` behind it.
_SCHEMES: Final[dict[str, str]] = {
    "elasticsearchs": "elasticsearch",
    "honeycomb": "otlp",
    "http": "server",
    "https": "server",
    "http+json": "http",
    "https+json": "http",
    "lokis": "loki",
    "opensearch": "elasticsearch",
    "opensearchs": "elasticsearch",
    "otlps": "otlp",
    "splunks": "splunk",
}


def routes_of(settings: Settings, entries: Iterable[Any]) -> list[Route]:
    """Return a route for each entry.

    Raises:
        ConfigurationError: One of them is not understood, or two mean the same place.
    """
    routes = [_route(entry, settings) for entry in entries]
    names = [route.destination.name for route in routes]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"destinations name the same place twice: {', '.join(names)}")
    return routes


def route_of(destination: Any, config: Any, settings: Settings) -> Route:
    """Return the route to a destination with its options."""
    policy = RoutePolicy.of(
        config,
        getattr(destination, "limits", BatchLimits(size_bytes=settings["delivery.batch_bytes"])),
        hold_s=settings["delivery.hold_interval"],
        probe_after=settings["delivery.breaker_failures"],
        kinds=getattr(destination, "kinds", _KINDS),
    )
    return Route(destination=destination, policy=policy)


def find(kind: str) -> Any:
    """Return the class of a type of destination.

    Raises:
        ConfigurationError: There is no such type, or its package is not installed.
    """
    place = TYPES.get(kind)
    if place is None:
        for entry_point in entry_points(group=GROUP, name=kind):
            return entry_point.load()
        raise ConfigurationError(f"destinations: {_unknown(kind)}")
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _route(entry: Any, settings: Settings) -> Route:
    if hasattr(entry, "send"):
        return route_of(entry, DestinationConfig(flush_interval=0.0), settings)
    kind, options = _understood(entry)
    made = find(kind)
    given = {**_from_settings(kind, made.Config, settings), **options}
    config = build(made.Config, given, f"destinations: {kind}")
    return route_of(made(config), config, settings)


def _understood(entry: Any) -> tuple[str, dict[str, Any]]:
    """Return type and options of an entry."""
    if isinstance(entry, dict):
        options = dict(entry)
        kind = str(options.pop("type", ""))
        if not kind:
            raise ConfigurationError(f"destinations: a mapping needs a `type`, got {entry!r}")
        return kind, options
    text = str(entry)
    scheme, colon, rest = text.partition(":")
    if not colon:
        return text, {}
    if scheme == "file":
        return "file", {"path": rest.removeprefix("//")}
    url = urlsplit(text)
    bare_scheme = url.scheme.partition("+")[0]
    kind = _SCHEMES.get(url.scheme) or _SCHEMES.get(bare_scheme) or bare_scheme
    made = find(kind)
    query = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
    bare = SplitResult(url.scheme, url.netloc, url.path, "", "")
    return kind, {**made.options(bare), **query}


def _from_settings(kind: str, config: type[Any], settings: Settings) -> dict[str, Any]:
    """Return what the settings say about every destination of a type: `file.compress` and such."""
    known = config.__dataclass_fields__
    names = {
        "delivery.timeout": "timeout",
        "delivery.connect_timeout": "connect_timeout",
        **{key: key.partition(".")[2] for key in settings if key.startswith(f"{kind}.")},
    }
    if kind == "server":
        names |= {"endpoint": "endpoint", "token": "token", "delivery.wait_max": "retry_delay_max"}
    return {
        name: settings[key]
        for key, name in names.items()
        if name in known and settings.origin(key) != "default"
    }


def _unknown(kind: str) -> str:
    close = difflib.get_close_matches(kind, [*TYPES, *_SCHEMES], n=1, cutoff=0.6)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return (
        f"{kind!r} is not known: {hint}write one of {', '.join(sorted(TYPES))}, "
        "file:PATH, or an address"
    )
