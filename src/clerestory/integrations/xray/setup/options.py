"""What `xray_recorder.configure` is given, checked before anything is changed.

    configure(...) -> [options] -> recorder

Invariant: an option of AWS's SDK is honoured, or is an error that says what to do instead.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from typing import Any, Final

from clerestory.model.errors import ConfigurationError
from clerestory.wire.xray import daemon

CONTEXT_MISSING: Final = ("LOG_ERROR", "RUNTIME_ERROR", "IGNORE_ERROR")
_ELSEWHERE: Final = {
    "emitter": "segments travel with all records: name where with "
    "clerestory.configure(destinations=[...]), such as xray://REGION or xray+daemon://HOST:PORT",
    "streaming": "every subsegment travels as soon as it ends: leave it out",
    "context": "segments follow threads and tasks by themselves: leave it out",
}


class AsyncContext:
    """Taken as `context=AsyncContext()` and without effect: tasks are always followed."""

    def __init__(self, *_args: object, **_options: object) -> None:
        """Take what AWS's class takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of AWS's SDK.

    Attributes:
        sampling: Whether sampling rules are asked; if not, every segment is recorded.
        plugins: Names of plugins, such as `("EC2Plugin",)`; `()` for none any more.
        context_missing: See `XRayRecorder`.
        sampling_rules: Local rules: a mapping, or the path of a JSON file.
        daemon_address: `HOST:PORT` where sampling rules are asked for.
        service: Name of segments that are given none.
        context: An `AsyncContext`, or None.
        emitter: Means nothing here.
        streaming: Means nothing here.
        dynamic_naming: A pattern of hosts, or what has `get_name(host)`.
        streaming_threshold: Any number: a subsegment never waits for its segment.
        max_trace_back: Most frames of one exception.
        sampler: What has `should_trace(request)`.
        stream_sql: Whether texts of SQL are told.
    """

    sampling: bool | None = None
    plugins: tuple[str, ...] | None = None
    context_missing: str | None = None
    sampling_rules: Any = None
    daemon_address: str | None = None
    service: str | None = None
    context: Any = None
    emitter: Any = None
    streaming: Any = None
    dynamic_naming: Any = None
    streaming_threshold: int | None = None
    max_trace_back: int | None = None
    sampler: Any = None
    stream_sql: bool = True


def checked(given: dict[str, Any]) -> Options:
    """Return the options.

    Raises:
        ConfigurationError: One is not known, wrong, or means nothing here.
    """
    known = [field.name for field in fields(Options)]
    for name in given.keys() - set(known):
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
        raise ConfigurationError(f"xray_recorder: unknown option {name!r}; {hint}")
    for name, advice in _ELSEWHERE.items():
        value = given.get(name)
        if value is not None and type(value).__name__ != "AsyncContext":
            raise ConfigurationError(f"xray_recorder: {name} means nothing here: {advice}")
    options = Options(**{name: value for name, value in given.items() if value is not None})
    missing = options.context_missing
    if missing is not None and missing not in CONTEXT_MISSING:
        raise ConfigurationError(
            f"xray_recorder: context_missing {missing!r} must be {', '.join(CONTEXT_MISSING)}"
        )
    if options.daemon_address:
        daemon.address_of(options.daemon_address)
    frames = options.max_trace_back
    if frames is not None and (type(frames) is not int or frames < 0):
        raise ConfigurationError(f"xray_recorder: max_trace_back {frames!r} must be 0 or more")
    naming = options.dynamic_naming
    if naming and not isinstance(naming, str) and not hasattr(naming, "get_name"):
        raise ConfigurationError(
            f"xray_recorder: dynamic_naming {naming!r} must be a pattern, or have get_name(host)"
        )
    if options.sampler is not None and not hasattr(options.sampler, "should_trace"):
        raise ConfigurationError("xray_recorder: sampler must have should_trace(request)")
    return options
