"""Rules of the program's own: for as long as none come from elsewhere, or in their place.

    Asked -> [local] -> decision

Wire format: the sampling manifests of AWS's SDKs, versions 1 and 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from clerestory.model.errors import ConfigurationError
from clerestory.tracing.remote.asked import matches
from clerestory.tracing.remote.rules import Reservoir

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clerestory.tracing.remote.asked import Asked

_HOSTS: Final = {1: "service_name", 2: "host"}


class LocalRule:
    """So many requests a second, and a share of the rest.

    Args:
        told: `fixed_target` and `rate`; without `default`, `host`, `http_method` and `url_path`.
        host_member: Name of the member with the pattern of the host.
        is_default: Whether the rule is for what no other is for.

    Raises:
        ConfigurationError: A member is missing or wrong.
    """

    def __init__(self, told: Mapping[str, Any], host_member: str, *, is_default: bool) -> None:
        names = (host_member, "http_method", "url_path")
        try:
            self._target, self._rate = int(told["fixed_target"]), float(told["rate"])
            self._patterns = ("", "", "") if is_default else tuple(str(told[one]) for one in names)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"sampling_rules: a rule needs fixed_target, rate, {', '.join(names)}; the default "
                f"one the first two: {type(error).__name__}: {error}"
            ) from error
        if self._target < 0 or not 0 <= self._rate <= 1:
            raise ConfigurationError(
                f"sampling_rules: fixed_target must be at least 0 and rate 0 to 1, got "
                f"{self._target} and {self._rate}"
            )
        self._reservoir = Reservoir(quota=self._target, ends_s=float("inf"))

    def is_for(self, asked: Asked) -> bool:
        """Say whether the rule is for a request."""
        return all(map(matches, self._patterns, (asked.host, asked.method, asked.path)))

    def decides(self, now_s: float, unit: float) -> bool:
        """Say whether one more request is recorded."""
        return bool(self._reservoir.take(now_s, may_borrow=False)) or unit < self._rate


class LocalRules:
    """The rules of a manifest, in their order; the default one counts for the rest.

    Args:
        manifest: As AWS's SDKs have it; None for one request a second and 5 % of the rest.

    Raises:
        ConfigurationError: It is no such manifest.
    """

    def __init__(self, manifest: Mapping[str, Any] | None = None) -> None:
        told = manifest or {"version": 2, "default": {"fixed_target": 1, "rate": 0.05}}
        version = told.get("version")
        host_member = _HOSTS.get(version) if type(version) is int else None
        if host_member is None or "default" not in told:
            raise ConfigurationError(
                f"sampling_rules: version must be 1 or 2 and there must be a default rule, got "
                f"version {version!r}"
            )
        listed = told.get("rules") or ()
        self._rules = [LocalRule(one, host_member, is_default=False) for one in listed]
        self._default = LocalRule(told["default"], host_member, is_default=True)

    def decides(self, asked: Asked, now_s: float, unit: float) -> bool:
        """Say whether a request is recorded."""
        rule = next((one for one in self._rules if one.is_for(asked)), self._default)
        return rule.decides(now_s, unit)
