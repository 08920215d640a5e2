"""OpenTelemetry's API on our road: its tracers make our spans, without its SDK.

    opentelemetry.trace.get_tracer(...) -> [opentelemetry] -> Span -> line -> spool

Needs `opentelemetry-api`: install clerestory[otel]. Nothing of it is imported before the program
does so, or asks for it.

Invariant: a provider that the program sets itself is left in force.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any, Final

from clerestory.model.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARK: Final = "clerestory_stands_in"


def is_sdk_expected(*, is_late: bool) -> bool:
    """Say whether the program is likely to set a provider of its own.

    Args:
        is_late: Whether the API is only being imported now: then nobody can tell what the program
            imports next, and what is installed decides.
    """
    if "opentelemetry.sdk.trace" in sys.modules:
        return True
    return is_late and importlib.util.find_spec("opentelemetry.sdk") is not None


def share_context() -> None:
    """Let the API and our own spans see each other's, and records carry the ids of both.

    Raises:
        ConfigurationError: The API is not installed.
    """
    try:
        import opentelemetry.context as api
    except ImportError as error:
        raise ConfigurationError(
            "trace.opentelemetry is on, and opentelemetry-api is not installed: "
            "install clerestory[otel]"
        ) from error
    from clerestory.integrations.opentelemetry.runtime import RuntimeContext

    if not isinstance(api._RUNTIME_CONTEXT, RuntimeContext):  # noqa: SLF001  no other way in
        api._RUNTIME_CONTEXT = RuntimeContext(api._RUNTIME_CONTEXT)  # noqa: SLF001


def serve(forms: Sequence[str] | None = None) -> None:
    """Set our tracer provider, unless the program has set another.

    Args:
        forms: Names of propagators to set as well; None leaves the API's.
    """
    from opentelemetry import trace

    if trace._TRACER_PROVIDER is None:  # noqa: SLF001  asking politely would set one
        from clerestory.integrations.opentelemetry.provider import TracerProvider

        trace.set_tracer_provider(TracerProvider())
    if forms is not None:
        from clerestory.integrations.opentelemetry.propagators import use

        use(forms)


def stand_in() -> None:
    """Record what the API is told until the program sets a provider, and if it never does.

    Whoever has installed the SDK may be about to set one, and setting ours would keep that out.
    """
    from opentelemetry import trace

    proxy: Any = trace.ProxyTracer
    resolved = proxy._tracer  # noqa: SLF001  no other way in
    if hasattr(resolved.fget, _MARK):
        return

    def tracer(self: Any) -> Any:
        found = resolved.fget(self)
        if type(found) is trace.NoOpTracer:
            from clerestory.integrations.opentelemetry.provider import Tracer

            scope = self._instrumenting_module_name
            found = self._noop_tracer = Tracer(scope)
        return found

    setattr(tracer, _MARK, True)
    proxy._tracer = property(tracer)  # noqa: SLF001
