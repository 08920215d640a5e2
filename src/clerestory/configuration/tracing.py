"""What the settings say about spans, put in force.

settings -> [tracing] -> span rules, propagation, OpenTelemetry's API
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Final

from clerestory.configuration.pipelines import alarm
from clerestory.context import carrying
from clerestory.context.late import after_import
from clerestory.tracing.rules import SpanRules, put_in_force
from clerestory.tracing.samplers import Sampler
from clerestory.wire.propagation import FORMS, use_forms

if TYPE_CHECKING:
    from clerestory.settings import Settings
    from clerestory.tracing.remote.sampler import XraySampler

_XRAY: Final = "xray"
_RECORDS_ALL: Final = "parentbased_always_on"
# Forms that are OpenTelemetry's business alone.
_FOREIGN: Final = frozenset(("baggage", "none"))


def prepare_spans(settings: Settings) -> list[str]:
    """Put in force how spans are made, and what goes with threads and processes.

    Returns:
        What somebody asked for by a variable of OpenTelemetry and does not get, in words.
    """
    name = settings["trace.sampler"]
    put_in_force(
        SpanRules(
            sampler=_sampler(settings),
            timed_ids=_wants_timed_ids(settings),
            attributes_max=settings["trace.attributes_max"],
            events_max=settings["trace.events_max"],
            links_max=settings["trace.links_max"],
            pending_s=settings["trace.pending_after"],
        )
    )
    carrying.allow(enabled=settings["context.carry"])
    forms = [form.lower() for form in settings["trace.propagators"]]
    use_forms([] if "none" in forms else forms)
    _prepare_opentelemetry(settings, forms)
    unknown = [form for form in forms if form not in FORMS and form not in _FOREIGN]
    found = [f"trace.propagators: {form!r} is not known" for form in unknown]
    asked = os.environ.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    if asked and settings.origin("trace.sampler") == "default" and asked != name:
        found.append(f"OTEL_TRACES_SAMPLER is {asked!r}, which is not known: {name} is used")
    return found


def _sampler(settings: Settings) -> Sampler | XraySampler | None:
    """Return the sampler; one that asks for rules goes on as long as its settings are the same.

    Raises:
        ConfigurationError: `trace.xray_endpoint` is no address.
    """
    name = settings["trace.sampler"]
    if name == _XRAY:
        # Here, since it brings HTTP with it.
        from clerestory.tracing.remote.sampler import remote_sampler
        from clerestory.wire.xray import daemon

        where = settings["trace.xray_endpoint"] or daemon.DEFAULT
        url = where if "//" in where else daemon.address_of(where).url
        return remote_sampler(url, settings["trace.xray_polling_interval"], settings["service"])
    return None if name == _RECORDS_ALL else Sampler(name, settings["trace.sampler_arg"])


def _wants_timed_ids(settings: Settings) -> bool:
    ids = settings["trace.ids"]
    if ids != "auto":
        return bool(ids == _XRAY)
    entries = settings["destinations"] or ()
    kinds = [one.get("type") if isinstance(one, dict) else str(one) for one in entries]
    named = any(re.fullmatch(r"xray(\+daemon)?(:.*)?", str(kind)) for kind in kinds)
    return named or settings["trace.sampler"] == _XRAY


def _prepare_opentelemetry(settings: Settings, forms: list[str]) -> None:
    wanted = settings["trace.opentelemetry"]
    if wanted == "off":
        return
    asked = forms if settings.origin("trace.propagators") != "default" else None

    def prepare(_module: object) -> None:
        from clerestory.integrations import opentelemetry

        try:
            opentelemetry.share_context()
            # Who has imported the SDK is about to set a provider of its own.
            if wanted == "on" or not opentelemetry.is_sdk_expected(is_late=is_late):
                opentelemetry.serve(asked)
            else:
                opentelemetry.stand_in()
        except (ImportError, AttributeError, TypeError) as error:  # another version of the API
            alarm("WARNING", f"spans of OpenTelemetry's API are not recorded: {error}")

    is_late = "opentelemetry.trace" not in sys.modules
    if wanted == "on":
        prepare(None)
    else:
        after_import("opentelemetry.trace", prepare)
