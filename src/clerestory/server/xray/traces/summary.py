"""One trace in a few words: outcome, times, annotations, users, services, root causes.

trace -> [summary] -> GetTraceSummaries
"""

from collections.abc import Iterable
from typing import Any, Final

from clerestory.server.aws.names import ACCOUNT
from clerestory.server.xray.filters.predicate import told
from clerestory.server.xray.names import shown_trace_id
from clerestory.server.xray.traces.causes import Cause, causes_of, coverage, ends_remote
from clerestory.server.xray.traces.parts import NS, Node, Part, Trace

_HTTP: Final = {
    "HttpURL": "http.url",
    "HttpMethod": "http.method",
    "UserAgent": "http.useragent",
    "ClientIp": "http.clientip",
}
_PLACES: Final = {
    "ResourceARNs": ("resource.arn", "ARN"),
    "InstanceIds": ("instance.id", "Id"),
    "AvailabilityZones": ("availabilityzone", "Name"),
}


def summary_of(trace: Trace) -> dict[str, Any]:
    """Return the summary of a trace."""
    fault, error, throttle = trace.root.flags
    found: dict[str, Any] = {
        "Id": shown_trace_id(trace.id),
        "StartTime": trace.start_ns / NS,
        "Duration": round(trace.seconds, 6),
        "HasFault": fault,
        "HasError": error,
        "HasThrottle": throttle,
        "IsPartial": trace.partial,
        "Http": _http(trace.root),
        "Annotations": _annotations(trace),
        "Users": _users(trace),
        "ServiceIds": [service_id(node) for node in trace.nodes],
        "EntryPoint": service_id(trace.root.node),
        "FaultRootCauses": [_cause(one) for one in causes_of(trace, "fault")],
        "ErrorRootCauses": [_cause(one) for one in causes_of(trace, "error")],
        "ResponseTimeRootCauses": [
            _cause(one, timed=True) for one in causes_of(trace, "responsetime")
        ],
        "Revision": len(trace.parts),
    }
    if not trace.root.pending:
        found["ResponseTime"] = round(trace.root.seconds, 6)
    for name, (keyword, member) in _PLACES.items():
        values = dict.fromkeys(str(v) for one in trace.parts for v in told(one, keyword))
        found[name] = [{member: value} for value in values]
    return found


def service_id(node: Node) -> dict[str, Any]:
    """Return a node as the API names it."""
    found: dict[str, Any] = {"Name": node.name, "Names": [node.name], "AccountId": ACCOUNT}
    return found | ({"Type": node.type} if node.type else {})


def _http(root: Part) -> dict[str, Any]:
    values = ((name, value) for name, keyword in _HTTP.items() for value in told(root, keyword))
    found: dict[str, Any] = {name: str(value) for name, value in values}
    return found | ({"HttpStatus": root.status} if root.status else {})


def _annotations(trace: Trace) -> dict[str, Any]:
    values: dict[str, dict[tuple[str, Any], list[Node]]] = {}
    for one in trace.parts:
        for key, value in one.annotations.items():
            nodes = values.setdefault(key, {}).setdefault((_kind(value), value), [])
            if one.segment.node not in nodes:
                nodes.append(one.segment.node)
    return {
        key: [
            {"AnnotationValue": {kind: value}, "ServiceIds": [service_id(node) for node in nodes]}
            for (kind, value), nodes in found.items()
        ]
        for key, found in values.items()
    }


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "BooleanValue"
    return "NumberValue" if isinstance(value, int | float) else "StringValue"


def _users(trace: Trace) -> list[dict[str, Any]]:
    users: dict[str, list[Node]] = {}
    for one in trace.parts:
        for name in told(one, "user"):
            nodes = users.setdefault(str(name), [])
            if one.segment.node not in nodes:
                nodes.append(one.segment.node)
    return [
        {"UserName": name, "ServiceIds": [service_id(node) for node in nodes]}
        for name, nodes in users.items()
    ]


def _cause(cause: Cause, *, timed: bool = False) -> dict[str, Any]:
    return {
        "ClientImpacting": cause.impacting,
        "Services": [_step(cause, step, timed=timed) for step in cause.steps],
    }


def _step(cause: Cause, step: Iterable[Part], *, timed: bool) -> dict[str, Any]:
    entities = list(step)
    return {
        **service_id(entities[0].segment.node),
        "Inferred": False,
        "EntityPath": [_entity(cause, one, timed=timed) for one in entities],
    }


def _entity(cause: Cause, one: Part, *, timed: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"Name": one.name, "Remote": ends_remote(one)}
    if timed:
        return found | {"Coverage": round(coverage(one, cause), 4)}
    exceptions = [{"Name": name, "Message": message} for name, message in one.exceptions]
    return found | {"Exceptions": exceptions}
