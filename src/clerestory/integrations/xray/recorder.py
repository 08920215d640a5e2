"""`xray_recorder`, as in AWS's SDK: begins and ends segments, and tells what happened in them.

    program -> [recorder] -> entities -> spans -> spool

https://docs.aws.amazon.com/xray-sdk-for-python/latest/reference/

What is told goes where all spans of the program go; X-Ray is one such place. Threads and tasks that
the program starts are in the segment of whoever started them.

Invariant: whatever a program does in the wrong order, it runs on as it would without X-Ray, and
what it told in the right order arrives; what was wrong is counted in `misuses`.
"""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING, Any, Final

from clerestory.integrations.xray import stack
from clerestory.integrations.xray.blocks import InEntity, InSubsegment
from clerestory.integrations.xray.causes import whole_stack
from clerestory.integrations.xray.entities import Entity, Segment, Subsegment
from clerestory.integrations.xray.errors import (
    SegmentNameMissingException,
    SegmentNotFoundException,
)
from clerestory.integrations.xray.header import TraceHeader
from clerestory.integrations.xray.setup.naming import DynamicNaming
from clerestory.integrations.xray.setup.options import Options, checked
from clerestory.integrations.xray.setup.plugins import found_by
from clerestory.integrations.xray.setup.sampling import RuleSampler, manifest_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

SDK: Final = "clerestory"
_MISSING: Final = (
    "no segment is open here: begin one with xray_recorder.in_segment(...), or use XRayMiddleware"
)


class XRayRecorder:
    """Begins and ends segments, and remembers what is open in each thread and task.

    Args:
        version: Of this package, told in each segment.
        named: Called with the name of the service that `configure` is given.

    Attributes:
        service: Name of segments that are given none.
        sampling: Whether sampling rules are asked; else every segment is recorded.
        sampler: What is asked: has `should_trace(request)`.
        dynamic_naming: Names segments of requests by their hosts; None for by the service.
        context_missing: What is done where no segment is open: `LOG_ERROR`, `IGNORE_ERROR`, or
            `RUNTIME_ERROR`, which raises.
        max_trace_back: Most frames of one exception.
        stream_sql: Whether texts of SQL are told.
        enabled: Whether anything is recorded at all.
    """

    def __init__(
        self, version: str = "", named: Callable[[str], object] = lambda _service: None
    ) -> None:
        told = os.environ
        self.service: str | None = told.get("AWS_XRAY_TRACING_NAME") or None
        self.sampling = True
        self.sampler: Any = RuleSampler()
        self.dynamic_naming: Any = None
        self.context_missing = told.get("AWS_XRAY_CONTEXT_MISSING") or "LOG_ERROR"
        self.max_trace_back = 10
        self.stream_sql = True
        self.enabled = told.get("AWS_XRAY_SDK_ENABLED", "true").strip().lower() != "false"
        self._named = named
        self._origin = ""
        self._sdk = {"xray": {"sdk": SDK, "sdk_version": version}}
        self._aws: dict[str, Any] = dict(self._sdk)
        self._runtime = {
            "runtime": platform.python_implementation(),
            "runtime_version": platform.python_version(),
        }

    @property
    def misuses(self) -> Counter[str]:
        """How often the program did what it should not, by kind."""
        return stack.MISUSES

    def configure(self, **options: Any) -> None:
        """Set up the recorder; what is not given stays as it is.

        The variables AWS_XRAY_TRACING_NAME, AWS_XRAY_CONTEXT_MISSING and AWS_XRAY_DAEMON_ADDRESS go
        before service, context_missing and daemon_address.

        Args:
            **options: Those of AWS's SDK, see `Options`.

        Raises:
            ConfigurationError: An option is not known, wrong, or means nothing here; says what to
                do instead. Nothing was changed.
        """
        given = checked(options)
        origin, members = found_by(given.plugins or ())
        if given.sampling_rules:
            self._load_rules(given)
        if given.sampler is not None:
            self.sampler = given.sampler
        if given.sampling is not None:
            self.sampling = given.sampling
        if given.service:
            self.service = os.environ.get("AWS_XRAY_TRACING_NAME") or given.service
        if given.dynamic_naming:
            naming = given.dynamic_naming
            is_text = isinstance(naming, str)
            self.dynamic_naming = DynamicNaming(naming, self.service) if is_text else naming
        if given.context_missing:
            told = os.environ.get("AWS_XRAY_CONTEXT_MISSING")
            self.context_missing = told or given.context_missing
        if given.daemon_address and isinstance(self.sampler, RuleSampler):
            self.sampler.ask_at(given.daemon_address)
        if given.max_trace_back is not None:
            self.max_trace_back = given.max_trace_back
        self.stream_sql = given.stream_sql
        if given.plugins is not None:
            self._origin, self._aws = origin, self._sdk | members
            if isinstance(self.sampler, RuleSampler):
                self.sampler.service_type = origin
        if given.service and self.service:
            self._named(self.service)

    def _load_rules(self, given: Options) -> None:
        sampler = given.sampler if given.sampler is not None else self.sampler
        sampler.load_local_rules(manifest_of(given.sampling_rules))

    # -- segments -----------------------------------------------------------------------------

    def begin_segment(
        self,
        name: str | None = None,
        traceid: str | None = None,
        parent_id: str | None = None,
        sampling: object = None,
    ) -> Segment:
        """Begin a segment, and let it be the one that is open here.

        Inside a segment that something surely ends - the middleware, a `with` - it is a segment of
        the same trace. Any other that is open here is ended first.

        Args:
            name: Of the service; None for that of the recorder.
            traceid: To go on with.
            parent_id: Of what asked.
            sampling: 0 for not recorded, 1 or the name of a rule for recorded; None to decide.

        Raises:
            SegmentNameMissingException: There is no name.
        """
        named = name or self.service
        if not named:
            raise SegmentNameMissingException(
                "a segment needs a name: give one, or xray_recorder.configure(service=...)"
            )
        around = self._end_left_open()
        known = TraceHeader(traceid, parent_id)
        if (traceid and not known.root) or (parent_id and not known.parent):
            stack.note_misuse("ids", f"{traceid!r} or {parent_id!r} is no id of X-Ray")
        root, parent = known.root, known.parent
        if around is not None and not root:
            root, parent = around.trace_id, around.id
            sampling = int(around.sampled) if sampling is None else sampling
        decision = self._decision(sampling, named)
        segment = Segment(named, root, parent, sampled=bool(decision))
        segment.origin = self._origin or None
        segment.set_aws(self._aws)
        segment.set_service(self._runtime)
        if isinstance(decision, str):
            segment.set_rule_name(decision)
        stack.push(segment)
        segment.put_in_force()
        return segment

    def _end_left_open(self) -> Entity | None:
        """End what was opened here and nothing surely ends; return what is around the new one."""
        listed = stack.opened()
        sure = max((at for at, one in enumerate(listed) if one.is_sure), default=-1)
        if len(listed) > sure + 1 and any(isinstance(one, Segment) for one in listed[sure + 1 :]):
            left = listed[sure + 1]
            text = f"a segment was begun while {left.name!r} was open, which ends it"
            stack.note_misuse("segment_in_segment", f"{text}: use xray_recorder.in_segment(...)")
            stack.end(left)
            listed = listed[: sure + 1]
        if listed:
            stack.note_misuse(
                "segment_in_segment",
                f"a segment was begun inside {listed[-1].name!r}, and is one of the same trace: "
                "use xray_recorder.in_subsegment(...)",
            )
        return listed[-1] if listed else None

    def _decision(self, sampling: object, name: str) -> object:
        if not self.enabled or sampling in (0, "0"):
            return False
        if sampling:
            return sampling
        return self.sampler.should_trace({"service": name}) if self.sampling else True

    def end_segment(self, end_time: float | None = None) -> None:
        """End the innermost segment that is open here, with what is inside of it.

        Args:
            end_time: When, in seconds since 1970; None for now.
        """
        segments = [one for one in stack.opened() if isinstance(one, Segment)]
        if not segments:
            self._note_missing()
            return
        stack.end(segments[-1], end_time)

    def current_segment(self) -> Segment | None:
        """Return the segment that is open here."""
        return stack.segment_of(self.get_trace_entity())

    # -- subsegments --------------------------------------------------------------------------

    def begin_subsegment(self, name: str, namespace: str = "local") -> Subsegment:
        """Begin a subsegment of what is open here.

        Where nothing is, what is told to it is lost, and that is counted.

        Args:
            name: What it does.
            namespace: `local`, or `remote` or `aws` for a call.
        """
        return self._begin_part(name, namespace, None)

    def begin_subsegment_without_sampling(self, name: str) -> Subsegment:
        """Begin a subsegment that is not recorded, with all that is inside of it."""
        return self._begin_part(name, "local", False)

    def _begin_part(self, name: str, namespace: str, sampled: bool | None) -> Subsegment:
        around = stack.current()
        parent = stack.parent_span(around)
        if parent is None:
            self._note_missing()
            return Subsegment(name, namespace, None, None, sampled=False)
        segment = stack.segment_of(around)
        part = Subsegment(name, namespace, segment, parent, sampled=sampled)
        stack.push(part)
        part.put_in_force()
        return part

    def end_subsegment(self, end_time: float | None = None) -> None:
        """End the innermost subsegment that is open here.

        Args:
            end_time: When, in seconds since 1970; None for now.
        """
        innermost = stack.current()
        if not isinstance(innermost, Subsegment):
            stack.note_misuse("no_subsegment", "end_subsegment() was called, and none is open")
            return
        stack.end(innermost, end_time)

    def current_subsegment(self) -> Subsegment | None:
        """Return the innermost subsegment that is open here; None if that is a segment."""
        found = self.get_trace_entity()
        return found if isinstance(found, Subsegment) else None

    # -- what is open -------------------------------------------------------------------------

    def get_trace_entity(self) -> Entity | None:
        """Return the innermost that is open here.

        Raises:
            SegmentNotFoundException: Nothing is, and `context_missing` is RUNTIME_ERROR.
        """
        found = stack.current()
        if found is None and self.enabled:
            self._note_missing()
        return found

    def set_trace_entity(self, trace_entity: Entity) -> None:
        """Let something that was begun elsewhere be open here, and nothing else."""
        stack.put((trace_entity,) if isinstance(trace_entity, Entity) else ())

    def clear_trace_entities(self) -> None:
        """Let nothing be open here; what was is not ended."""
        stack.put(())

    def _note_missing(self) -> None:
        if self.context_missing == "RUNTIME_ERROR":
            raise SegmentNotFoundException(_MISSING)
        if self.context_missing == "LOG_ERROR":
            stack.note_misuse("no_segment", _MISSING)

    def is_sampled(self) -> bool:
        """Say whether what is open here is recorded."""
        found = self.get_trace_entity()
        return found is not None and found.sampled

    def put_annotation(self, key: str, value: Any) -> None:
        """Add an annotation to what is open here; see `Entity`."""
        found = self.get_trace_entity()
        if found is not None:
            found.put_annotation(key, value)

    def put_metadata(self, key: str, value: Any, namespace: str = "default") -> None:
        """Add metadata to what is open here; see `Entity`."""
        found = self.get_trace_entity()
        if found is not None:
            found.put_metadata(key, value, namespace)

    # -- blocks and functions -----------------------------------------------------------------

    def in_segment(self, name: str | None = None, **more: Any) -> InEntity:
        """Return what begins a segment around a `with` or `async with`; see `begin_segment`."""
        return InEntity(self, lambda: self.begin_segment(name, **more))

    def in_subsegment(self, name: str | None = None, namespace: str = "local") -> InSubsegment:
        """Return what begins a subsegment around a `with` or `async with`, or a function."""
        return InSubsegment(self, name, namespace)

    def capture(self, name: str | None = None) -> InSubsegment:
        """Return a decorator that makes a subsegment of each call; its name, or the function's."""
        return InSubsegment(self, name)

    in_segment_async = in_segment
    in_subsegment_async = in_subsegment
    capture_async = capture

    def record_subsegment(
        self,
        wrapped: Callable[..., Any],
        instance: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str,
        namespace: str,
        meta_processor: Callable[..., None] | None,
    ) -> Any:
        """Call a function inside a subsegment, and return what it returns.

        Args:
            wrapped: The function.
            instance: What it is a method of.
            args: Its arguments.
            kwargs: Its arguments by name.
            name: Of the subsegment.
            namespace: Of the subsegment.
            meta_processor: Told by names what went in and came out, to add it to the subsegment.
        """
        part = self.begin_subsegment(name, namespace)
        told: dict[str, Any] = {"return_value": None, "exception": None, "stack": None}
        handled = sys.exc_info()[1]
        try:
            told["return_value"] = wrapped(*args, **kwargs)
            return told["return_value"]
        finally:
            error = sys.exc_info()[1]
            if error is not None and error is not handled:
                told["exception"], told["stack"] = error, whole_stack(error, self.max_trace_back)
            if meta_processor is None and told["exception"] is not None:
                part.add_exception(told["exception"], told["stack"])
            if meta_processor is not None:
                meta_processor(
                    wrapped=wrapped, instance=instance, args=args, kwargs=kwargs, subsegment=part,
                    **told,
                )  # fmt: skip
            stack.end(part)
