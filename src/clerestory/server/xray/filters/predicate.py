"""Whether a trace fulfils a filter expression, exactly.

    tree -> [predicate] -> trace

A keyword outside a block is about the trace: the outcome, `responsetime` and `http.*` are those of
its root segment, `duration` is from the first beginning to the last end, and texts are those of any
part. Inside a block it is about one node or call.

Invariant: what a trace does not tell matches no comparison, not even `!=`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from clerestory.server.aws.names import ACCOUNT
from clerestory.server.xray.filters import tree
from clerestory.server.xray.filters.tree import Expression, Selector, Value
from clerestory.server.xray.traces.causes import (
    Cause,
    all_parts,
    causes_of,
    coverage,
    ends_remote,
)
from clerestory.server.xray.traces.parts import Node, Part, Trace

Values = Iterable[Any]


class Subject(Protocol):
    """What a block is about."""

    def values(self, keyword: str) -> Values:
        """Return what it tells by a keyword; nothing if it does not tell."""


_ATTRIBUTES: Final = {
    "http.url": ("url.full", "http.url"),
    "http.method": ("http.request.method", "http.method"),
    "http.useragent": ("user_agent.original", "http.user_agent"),
    "http.clientip": ("client.address", "http.client_ip"),
    "user": ("enduser.id",),
    "instance.id": ("host.id",),
    "availabilityzone": ("cloud.availability_zone",),
    "resource.arn": ("aws.xray.resource_arn",),
}
_OF_PROGRAM: Final = frozenset(("instance.id", "availabilityzone"))


def told(one: Part, keyword: str) -> Values:
    """Return what a part tells by a keyword that names an attribute."""
    for name in _ATTRIBUTES[keyword]:
        value = one.attribute(name)
        if value is not None:
            return (value,)
    if keyword in _OF_PROGRAM and (text := one.resource(_ATTRIBUTES[keyword][0])):
        return (text,)
    return ()


class _OfPart:
    """A segment, or a call to a node that is known from calls only."""

    def __init__(self, trace: Trace, one: Part, node: Node) -> None:
        self._trace = trace
        self._one = one
        self._node = node

    def values(self, keyword: str) -> Values:
        one = self._one
        if keyword in _ATTRIBUTES:
            return told(one, keyword)
        found = _COMMON.get(keyword)
        if found is not None:
            return found(one)
        if keyword == "root":
            return (one is self._trace.root,)
        if keyword == "message":
            inside = (part for part in self._trace.parts if part is one or part.segment is one)
            return [message for part in inside for _, message in part.exceptions]
        named = {"name": self._node.name, "type": self._node.type, "inferred": self._node.inferred}
        return (named[keyword],) if keyword in named else ()


_COMMON: Final[Mapping[str, Callable[[Part], Values]]] = {
    "ok": lambda one: (one.outcome == "ok",),
    "fault": lambda one: (one.flags[0],),
    "error": lambda one: (one.flags[1],),
    "throttle": lambda one: (one.flags[2],),
    "partial": lambda one: (one.pending,),
    "responsetime": lambda one: () if one.pending else (one.seconds,),
    "duration": lambda one: (one.seconds,),
    "http.status": lambda one: (one.status,) if one.status else (),
}


class _OfTrace:
    """The trace as a whole."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def values(self, keyword: str) -> Values:
        trace = self._trace
        if keyword == "duration":
            return (trace.seconds,)
        if keyword == "partial":
            return (trace.partial,)
        if keyword.startswith("http."):
            return _OfPart(trace, trace.root, trace.root.node).values(keyword)
        if keyword in _COMMON:
            return _COMMON[keyword](trace.root)
        if keyword in _ATTRIBUTES:
            return [value for one in trace.parts for value in told(one, keyword)]
        if keyword == "message":
            return [message for one in trace.parts for _, message in one.exceptions]
        if keyword in ("name", "type"):
            return [getattr(node, keyword) for node in trace.nodes]
        if keyword == "inferred":
            return (bool(trace.inferred),)
        return (trace.root.parent_id == "",) if keyword == "root" else ()


class _OfCause:
    """A service, an entity or an exception of a root cause."""

    def __init__(self, told_by_keyword: Mapping[str, Any]) -> None:
        self._told = told_by_keyword

    def values(self, keyword: str) -> Values:
        return (self._told[keyword],) if keyword in self._told else ()


def matches(expression: Expression, trace: Trace) -> bool:
    """Return whether a trace fulfils an expression without names of groups."""
    return _holds(expression, trace, _OfTrace(trace))


def _holds(expression: Expression, trace: Trace, subject: Subject) -> bool:
    match expression:
        case tree.Every(parts):
            return all(_holds(part, trace, subject) for part in parts)
        case tree.Some(parts):
            return any(_holds(part, trace, subject) for part in parts)
        case tree.Not(part):
            return not _holds(part, trace, subject)
        case tree.Compared(keyword, op, value):
            return _compare(subject.values(keyword), op, value)
        case tree.Annotated(key, op, value):
            found = [one.annotations[key] for one in trace.parts if key in one.annotations]
            return bool(found) if not op else _compare(found, op, value)
        case tree.Service(selector, block):
            return _any_holds(_nodes(trace, selector), trace, block)
        case tree.Edge(caller, callee, block):
            return _any_holds(_calls(trace, caller, callee), trace, block)
        case tree.RootCause(kind, what, block):
            return _any_holds(_of_causes(trace, kind, what), trace, block)
        case tree.RootCausePath(causes):
            return any(_runs_so(trace, one) for one in causes)


def _any_holds(subjects: Iterable[Subject], trace: Trace, block: Expression | None) -> bool:
    return any(block is None or _holds(block, trace, subject) for subject in subjects)


def _compare(values: Values, op: str, value: Value) -> bool:
    alike = [one for one in values if _is_like(one, value)]
    if op == "=":
        return any(one == value for one in alike)
    if op == "!=":
        return bool(alike) and all(one != value for one in alike)
    return any(_OPS[op](one, value) for one in alike)


def _is_like(one: Any, value: Value) -> bool:
    if isinstance(value, bool) or isinstance(one, bool):
        return type(one) is type(value)
    return isinstance(one, str) if isinstance(value, str) else isinstance(one, int | float)


_OPS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": lambda one, value: one < value,
    "<=": lambda one, value: one <= value,
    ">": lambda one, value: one > value,
    ">=": lambda one, value: one >= value,
    "contains": lambda one, value: value in one,
    "beginswith": lambda one, value: one.startswith(value),
    "endswith": lambda one, value: one.endswith(value),
}


def selects(selector: Selector, node: Node) -> bool:
    """Return whether a selector means a node."""
    return (
        selector.name in (None, node.name)
        and selector.type in (None, node.type)
        and selector.account in (None, ACCOUNT)
    )


def _nodes(trace: Trace, selector: Selector) -> Iterable[Subject]:
    for one in trace.segments:
        if selects(selector, one.node):
            yield _OfPart(trace, one, one.node)
    for one in trace.inferred:
        if selects(selector, one.called):
            yield _OfPart(trace, one, one.called)


def _calls(trace: Trace, caller: Selector, callee: Selector) -> Iterable[Subject]:
    for one in trace.segments:
        above = trace.parent(one)
        if above is None or not selects(callee, one.node):
            continue
        if selects(caller, above.segment.node):
            # what the caller saw of the call, where it told
            yield _OfPart(trace, above if ends_remote(above) else one, one.node)
    for one in trace.inferred:
        if selects(caller, one.segment.node) and selects(callee, one.called):
            yield _OfPart(trace, one, one.called)


def _of_causes(trace: Trace, kind: str, what: str) -> Iterable[Subject]:
    for cause in causes_of(trace, kind):
        if what == "service":
            yield from _services_of(cause)
        elif what == "entity":
            yield from _entities_of(cause)
        else:
            yield from _exceptions_of(cause)


def _at(number: int, count: int) -> dict[str, Any]:
    return {"index": number, "first": number == 0, "last": number == count - 1}


def _services_of(cause: Cause) -> Iterable[Subject]:
    for number, step in enumerate(cause.steps):
        node = step[0].segment.node
        yield _OfCause({"name": node.name, "type": node.type} | _at(number, len(cause.steps)))


def _entities_of(cause: Cause) -> Iterable[Subject]:
    parts = list(all_parts(cause))
    for number, one in enumerate(parts):
        yield _OfCause(
            {
                "name": one.name,
                "remote": ends_remote(one),
                "coverage": coverage(one, cause),
                "duration": one.seconds,
                **_at(number, len(parts)),
            }
        )


def _exceptions_of(cause: Cause) -> Iterable[Subject]:
    found = [exception for one in all_parts(cause) for exception in one.exceptions]
    for number, (name, message) in enumerate(found):
        yield _OfCause({"name": name, "message": message, **_at(number, len(found))})


def _runs_so(trace: Trace, wanted: Any) -> bool:
    services = wanted.get("Services") if isinstance(wanted, dict) else None
    if not isinstance(services, list) or not all(isinstance(one, dict) for one in services):
        return False
    kinds = ("fault", "error", "responsetime")
    return any(_is_path(cause, services) for kind in kinds for cause in causes_of(trace, kind))


def _is_path(cause: Cause, services: list[dict[str, Any]]) -> bool:
    if len(services) != len(cause.steps):
        return False
    for step, wanted in zip(cause.steps, services, strict=True):
        node = step[0].segment.node
        if wanted.get("Name", node.name) != node.name or wanted.get("Type", node.type) != node.type:
            return False
        entities = wanted.get("EntityPath")
        names = [one.name for one in step]
        if isinstance(entities, list) and names != [
            one.get("Name") if isinstance(one, dict) else None for one in entities
        ]:
            return False
    return True
