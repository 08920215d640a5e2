"""The settings of spans, and of what threads and processes bring with them.

[tracing] -> table

The variables that OpenTelemetry names say the default, so that a program that is already set up
for it needs no second set.
"""

from collections.abc import Mapping
from typing import Final

from clerestory.settings.setting import Setting

SAMPLERS: Final = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
    "xray",
)
IDS: Final = ("auto", "random", "xray")
_SAMPLER: Final = "parentbased_always_on"
_LIMIT: Final = 128


def _sampler(environ: Mapping[str, str]) -> str:
    named = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    return named if named in SAMPLERS else _SAMPLER


def _sampler_arg(environ: Mapping[str, str]) -> float:
    try:
        ratio = float(environ.get("OTEL_TRACES_SAMPLER_ARG", ""))
    except ValueError:
        return 1.0
    return ratio if 0.0 <= ratio <= 1.0 else 1.0


def _xray_arg(environ: Mapping[str, str], name: str) -> str:
    """Return a member of `endpoint=http://localhost:2000,polling_interval=300`."""
    if environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() != "xray":
        return ""
    pairs = (one.partition("=") for one in environ.get("OTEL_TRACES_SAMPLER_ARG", "").split(","))
    return {key.strip().lower(): value.strip() for key, _, value in pairs}.get(name, "")


def _xray_endpoint(environ: Mapping[str, str]) -> str:
    return _xray_arg(environ, "endpoint") or environ.get("AWS_XRAY_DAEMON_ADDRESS", "").strip()


def _xray_polling(environ: Mapping[str, str]) -> float:
    try:
        return max(1.0, float(_xray_arg(environ, "polling_interval")))
    except ValueError:
        return 300.0


def _ids(environ: Mapping[str, str]) -> str:
    named = environ.get("OTEL_PYTHON_ID_GENERATOR", "").strip().lower()
    return named if named in IDS else "auto"


def _propagators(environ: Mapping[str, str]) -> list[str]:
    named = environ.get("OTEL_PROPAGATORS", "").split(",")
    return [name.strip().lower() for name in named if name.strip()] or ["tracecontext", "baggage"]


def _limit(name: str, environ: Mapping[str, str]) -> int:
    text = environ.get(f"OTEL_SPAN_{name}_COUNT_LIMIT", "").strip()
    return int(text) if text.isdigit() else _LIMIT


def _attributes_max(environ: Mapping[str, str]) -> int:
    return _limit("ATTRIBUTE", environ)


def _events_max(environ: Mapping[str, str]) -> int:
    return _limit("EVENT", environ)


def _links_max(environ: Mapping[str, str]) -> int:
    return _limit("LINK", environ)


TRACE: Final = (
    Setting(
        key="trace.sampler",
        default=_sampler,
        default_words=f"`OTEL_TRACES_SAMPLER`, else `{_SAMPLER}`",
        kind="text",
        choices=SAMPLERS,
        help="Which traces are recorded. Those that begin with `parentbased_` do as the caller of "
        "the program does, and decide only for traces that begin here. `xray` does, too, and for "
        "those it asks for X-Ray's sampling rules.",
    ),
    Setting(
        key="trace.xray_endpoint",
        default=_xray_endpoint,
        default_words="`endpoint=` in `OTEL_TRACES_SAMPLER_ARG`, else `AWS_XRAY_DAEMON_ADDRESS`, "
        "else 127.0.0.1:2000",
        kind="text",
        help="Where the sampler `xray` asks for rules: X-Ray's daemon, an OpenTelemetry collector "
        "or this server. Nothing is signed.",
        example="http://127.0.0.1:2000",
    ),
    Setting(
        key="trace.xray_polling_interval",
        default=_xray_polling,
        default_words="`polling_interval=` in `OTEL_TRACES_SAMPLER_ARG`, else 300",
        kind="seconds",
        unit="s",
        low=1,
        help="How often the sampler `xray` asks for rules.",
    ),
    Setting(
        key="trace.ids",
        default=_ids,
        default_words="`OTEL_PYTHON_ID_GENERATOR`, else `auto`",
        kind="text",
        choices=IDS,
        help="Trace ids that begin here: `random`, as W3C has them, or `xray`, where the first 8 "
        "of 32 digits are when the trace began, which X-Ray wants. `auto`: `xray` if a destination "
        "or the sampler is X-Ray's.",
    ),
    Setting(
        key="trace.sampler_arg",
        default=_sampler_arg,
        default_words="`OTEL_TRACES_SAMPLER_ARG`, else 1",
        kind="number",
        low=0,
        high=1,
        help="Share of the traces that the samplers named `traceidratio` record.",
        example="0.1",
    ),
    Setting(
        key="trace.propagators",
        default=_propagators,
        default_words="`OTEL_PROPAGATORS`, else `tracecontext,baggage`",
        kind="list",
        items="text",
        help="Forms of trace headers that are read and written: tracecontext (W3C), b3, b3multi, "
        "xray; baggage where OpenTelemetry's API is installed; none.",
        example="tracecontext,xray",
    ),
    Setting(
        key="trace.opentelemetry",
        default="auto",
        kind="text",
        choices=("auto", "on", "off"),
        help="Whether spans made through OpenTelemetry's API are recorded here. `auto`: as long as "
        "the program sets no provider of its own. `on`: even if it sets one later.",
    ),
    Setting(
        key="trace.pending_after",
        default=5.0,
        kind="seconds",
        unit="s",
        low=0,
        help="A span that runs longer is told to the server while it runs; 0 is never.",
    ),
    Setting(
        key="trace.attributes_max",
        default=_attributes_max,
        default_words="`OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`, else 128",
        kind="integer",
        low=1,
        help="Most attributes of one span; further ones are counted.",
    ),
    Setting(
        key="trace.events_max",
        default=_events_max,
        default_words="`OTEL_SPAN_EVENT_COUNT_LIMIT`, else 128",
        kind="integer",
        low=0,
        help="Most events of one span; further ones are counted.",
    ),
    Setting(
        key="trace.links_max",
        default=_links_max,
        default_words="`OTEL_SPAN_LINK_COUNT_LIMIT`, else 128",
        kind="integer",
        low=0,
        help="Most links of one span; further ones are counted.",
    ),
    Setting(
        key="context.carry",
        default=True,
        kind="boolean",
        help="Bring fields and span into the threads, executors and processes that the program "
        "starts.",
    ),
)
