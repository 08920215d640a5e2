"""From the arguments of a call to a line of bytes.

    call -> [lines] -> spool

Invariant: the functions here return a line, or None where even the message could not be kept;
they never raise into the program.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from clerestory import context
from clerestory.model.severity import name_of
from clerestory.process.encode import Raw, encode, encode_lines, encode_surely
from clerestory.process.exceptions import describe, resolve, type_name
from clerestory.process.redaction import NameRules, marker
from clerestory.process.values import ValueLimits, safe_str
from clerestory.wire.line import RESERVED, rename

if TYPE_CHECKING:
    from types import FrameType

    from clerestory.process.gates import Gate

LOGGING_FILE: Final = logging.Logger.info.__code__.co_filename
# What `logging` says of a caller that it does not find: file, line, function.
NOWHERE: Final = ("(unknown file)", 0, "(unknown function)")
STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
}
# In place of the message of a call that has none in front.
UNSAID: Final[Any] = object()
# On a LogRecord that is for its logger's handlers alone: the road has another record of it.
ELSEWHERE: Final = "clerestory_elsewhere"


@dataclass(slots=True, kw_only=True)
class Emission:
    """How calls become lines; one is in force for all loggers.

    Attributes:
        names: Which field names are clean, reserved or secret.
        limits: Bounds of values.
        line_bytes_max: Longest line.
        call_site: Whether module, function and line are recorded.
        frames_max: Frames kept of an exception.
        with_locals: Whether local variables of frames are recorded.
        gate: What may keep records below WARNING back; None for nothing.
        errors: Records that only their message survived of, and calls that failed.
        span_names: As `names`, for the attributes of spans.
    """

    names: NameRules = field(default_factory=NameRules)
    limits: ValueLimits = field(default_factory=ValueLimits)
    line_bytes_max: int = 1_000_000
    call_site: bool = True
    frames_max: int = 50
    with_locals: bool = False
    gate: Gate | None = None
    errors: int = 0
    span_names: NameRules = field(init=False)

    def __post_init__(self) -> None:
        self.span_names = self.names.for_spans()


_in_force: list[Emission] = [Emission()]


def emission() -> Emission:
    """Return how calls become lines now."""
    return _in_force[0]


def put_in_force(new: Emission) -> None:
    """Let calls become lines in another way from now on."""
    _in_force[0] = new


def prepared(name: str, value: Any) -> Any:
    """Return the form in which a context value is kept: masked, and certainly encodable."""
    rules = emission()
    rule = rules.names.rule_for(name)
    if rule is not None:
        return marker(rule)
    if type(value) in (int, bool, type(None)):
        return value
    return Raw(encode_surely({"v": value}, rules.limits, rules.line_bytes_max)[5:-2])


context.prepare_with(prepared)


def site(level_name: str, logger_name: str, frame: FrameType | None) -> Any:
    """Return the part of a line that is the same for every call from one place."""
    if frame is None:
        return Raw(b'"%b","logger":%b' % (level_name.encode(), encode(logger_name)))
    code = frame.f_code
    module = code.co_filename.rpartition("/")[2].removesuffix(".py")
    parts = (level_name.encode(), encode(_clean(logger_name)), encode(_clean(module)))
    return Raw(
        b'"%b","logger":%b,"module":%b,"funcName":%b,"lineno":%d'
        % (*parts, encode(_clean(code.co_name)), frame.f_lineno or 0)
    )


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def caller_of(frame: FrameType | None, stacklevel: int = 1) -> FrameType | None:
    """Return the frame that logged: not one of `logging`, and `stacklevel - 1` further out."""
    found = frame
    while found is not None:
        while found.f_code.co_filename == LOGGING_FILE and found.f_back is not None:
            found = found.f_back
        stacklevel -= 1
        if stacklevel < 1 or found.f_back is None:
            return found
        found = found.f_back
    return None


def place_in(frame: FrameType | None) -> tuple[str, int, str]:
    """Return file, line and function of a frame."""
    if frame is None:
        return NOWHERE
    return frame.f_code.co_filename, frame.f_lineno or 0, frame.f_code.co_name


def formatted(message: str, args: Any) -> str:
    """Return `message % args` as the standard library means it; never raises."""
    if type(args) is tuple and len(args) == 1 and isinstance(args[0], dict) and args[0]:
        args = args[0]
    try:
        return str(message % args)
    except Exception:
        return f"{message} [arguments do not fit: {safe_str(args, 256)}]"


def _keep(fields: Mapping[Any, Any], into: dict[str, Any], names: NameRules) -> None:
    """Add fields under names that are free, the secret ones masked."""
    clean = names.clean
    for key, value in fields.items():
        if key in clean:
            into[key] = value
            continue
        name = key if type(key) is str else safe_str(key, 256)
        rule = names.learn(name)
        if name in names.reserved:
            name = rename(name)
        into[name] = value if rule is None or value is None else marker(rule)


def _add_exception(error: BaseException, into: dict[str, Any], rules: Emission) -> None:
    into["exception.type"] = type_name(error)
    into["exception"] = describe(error, frames_max=rules.frames_max, with_locals=rules.with_locals)


def _encoded(place: Any, message: str, fields: dict[str, Any], time_ns: int | None = None) -> bytes:
    rules = emission()
    record = {
        "timestamp": time.time_ns() if time_ns is None else time_ns,
        "level": place,
        "message": message,
        **fields,
    }
    try:
        line = encode_lines([record])
    except Exception:
        line = b""
    if not line or len(line) > rules.limits.chars:
        line = encode_surely(record, rules.limits, rules.line_bytes_max)
    return line


def _members(message: Any, limits: ValueLimits) -> tuple[str, Mapping[Any, Any]]:
    """Return text and fields of a message; one that is a mapping is fields, `message` its text."""
    if not isinstance(message, Mapping):
        return safe_str(message, limits.chars), {}
    members = dict(message)
    return safe_str(take_message(members), limits.chars), members


def take_message(fields: dict[Any, Any]) -> Any:
    """Take the text out of what was said by name: `message`, or else `msg`."""
    for name in ("message", "msg"):
        if name in fields:
            return fields.pop(name)
    return ""


def take(fields: dict[str, Any], name: str, kind: Any, otherwise: Any) -> Any:
    """Take an argument of the standard library's out of a call's fields.

    Returns:
        `otherwise` if it was not given, or is not of its kind; then it stays a field.
    """
    value = fields.get(name)
    if value is None or isinstance(value, kind):
        fields.pop(name, None)
    return value if isinstance(value, kind) else otherwise


class Named(Protocol):
    """What a line is made in the name of: a logger, or the scope of a span."""

    @property
    def name(self) -> str:
        """Dotted name."""


def call_line(
    logger: Named,
    level: int,
    message: Any,
    args: tuple[Any, ...],
    fields: dict[str, Any],
    frame: FrameType | None,
) -> bytes | None:
    """Return a line for any arguments that the standard library or we allow.

    Without a frame it has no call site.
    """
    rules = emission()
    try:
        error = resolve(fields.pop("exc_info", None))
        extra = take(fields, "extra", Mapping, {})
        stack = fields.pop("stack_info", False)
        caller = caller_of(frame, take(fields, "stacklevel", int, 1))
        if message is UNSAID:
            message = take_message(fields)
        text, members = _members(message, rules.limits)
        kept = dict(context.get())
        if members:
            _keep(members, kept, rules.names)
        if args:
            kept["log.record.template"] = text
            text = formatted(text, args)
        _keep(extra, kept, rules.names)
        _keep(fields, kept, rules.names)
        if error is not None:
            _add_exception(error, kept, rules)
        if stack:
            kept["stack"] = stack_text(caller)
        place = caller if rules.call_site else None
        return _encoded(site(name_of(level), logger.name, place), text, kept)
    except Exception:  # a wall: a log call never raises into the program
        rules.errors += 1
        return None


def stack_text(frame: FrameType | None) -> str:
    """Return the stack as the standard library prints it, outermost first."""
    import traceback

    return "".join(traceback.format_stack(frame)).rstrip()


def _free(name: str) -> str:
    """Return a field's own name again, where only a LogRecord had no room for it.

    >>> _free("field.name"), _free("field.level")
    ('name', 'field.level')
    """
    own = name.removeprefix("field.")
    return own if own in STANDARD and own not in RESERVED else name


def record_line(record: logging.LogRecord) -> bytes | None:
    """Return a line for a LogRecord that somebody else made; None if it is not for the road."""
    if ELSEWHERE in record.__dict__:
        return None
    rules = emission()
    try:
        kept = dict(context.get())
        message, members = _members(record.msg, rules.limits)
        if members:
            _keep(members, kept, rules.names)
        if record.args:
            kept["log.record.template"] = message
            message = formatted(message, record.args)
        extra = {_free(k): v for k, v in record.__dict__.items() if k not in STANDARD}
        _keep(extra, kept, rules.names)
        error = resolve(record.exc_info)
        if error is not None:
            _add_exception(error, kept, rules)
        if record.stack_info:
            kept["stack"] = record.stack_info
        return _encoded(_record_site(record, rules), message, kept, int(record.created * 1e9))
    except Exception:  # a wall: a log call never raises into the program
        rules.errors += 1
        return None


def _record_site(record: logging.LogRecord, rules: Emission) -> Any:
    head = b'"%b","logger":%b' % (name_of(record.levelno).encode(), encode(_clean(record.name)))
    if not rules.call_site or record.funcName == NOWHERE[2]:
        return Raw(head)
    module, function = encode(_clean(record.module)), encode(_clean(record.funcName or ""))
    place = b',"module":%b,"funcName":%b,"lineno":%d' % (module, function, record.lineno or 0)
    return Raw(head + place)


def own_line(logger_name: str, level: int, message: str, fields: dict[str, Any]) -> bytes:
    """Return a line of our own making."""
    return _encoded(site(name_of(level), logger_name, None), message, fields)


def span_line(head: Any, own: Mapping[str, Any], fields: Mapping[str, Any], time_ns: int) -> bytes:
    """Return the line of a span, whatever its attributes hold.

    Args:
        head: Level, logger and kind, encoded.
        own: What a span's line needs itself, `message` first.
        fields: Attributes and what was in force; those whose names are taken are renamed.
        time_ns: When it began.
    """
    names = emission().span_names
    ids = {key: fields[key] for key in ("trace_id", "span_id") if key in fields}
    kept: dict[str, Any] = {}
    _keep({key: value for key, value in fields.items() if key not in ids}, kept, names)
    own = dict(own)
    return _encoded(head, own.pop("message"), {**ids, **own, **kept}, time_ns)
