"""The service graph: nodes, and the calls between them, of many traces.

    traces -> [graph] -> GetServiceGraph, GetTraceGraph

A node is a service by name and type, what calls lead to, or `client` before a trace's root. A call
counts as its caller saw it, where the caller told of it.

Invariant: every segment counts once at its node, every call once at its edge, by the first of
fault, throttle, error and ok that it is.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from clerestory.server.aws.names import ACCOUNT
from clerestory.server.xray.traces.causes import ends_remote
from clerestory.server.xray.traces.parts import NS, Node, Part, Trace

CLIENT: Final = "client"
_DIGITS: Final = 3


@dataclass(slots=True)
class _Figures:
    """What is known of a node or a call.

    Attributes:
        outcomes: How many by their outcome.
        seconds: All their times together.
        histogram: How many took how long.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    histogram: Counter[float] = field(default_factory=Counter)
    start_ns: int = 2**63
    end_ns: int = 0
    is_root: bool = False

    def add(self, one: Part) -> None:
        self.start_ns = min(self.start_ns, one.start_ns)
        self.end_ns = max(self.end_ns, one.end_ns)
        if one.pending:
            return
        self.outcomes[one.outcome] += 1
        self.seconds += one.seconds
        # as many classes as a reader can tell apart, however many traces there are
        self.histogram[float(f"{one.seconds:.{_DIGITS}g}")] += 1

    def told(self) -> dict[str, Any]:
        counts = self.outcomes
        throttle, error, fault = counts["throttle"], counts["error"], counts["fault"]
        return {
            "OkCount": counts["ok"],
            "ErrorStatistics": {
                "ThrottleCount": throttle,
                "OtherCount": error,
                "TotalCount": throttle + error,
            },
            "FaultStatistics": {"OtherCount": fault, "TotalCount": fault},
            "TotalCount": counts.total(),
            "TotalResponseTime": round(self.seconds, 6),
        }

    def histogram_told(self) -> list[dict[str, Any]]:
        return [{"Value": value, "Count": count} for value, count in sorted(self.histogram.items())]

    def times(self) -> dict[str, Any]:
        return {"StartTime": self.start_ns / NS, "EndTime": self.end_ns / NS}


class Graph:
    """A graph that traces are added to."""

    def __init__(self, traces: Iterable[Trace] = ()) -> None:
        self._nodes: dict[Node, _Figures] = {}
        self._edges: dict[tuple[Node, Node], _Figures] = {}
        for trace in traces:
            self.add(trace)

    def add(self, trace: Trace) -> None:
        """Add the segments and calls of a trace."""
        for one in trace.segments:
            self._node(one.node).add(one)
            above = trace.parent(one)
            if above is not None:
                seen = above if ends_remote(above) else one
                self._edge(above.segment.node, one.node).add(seen)
            elif not one.parent_id:
                self._node(one.node).is_root = True
                client = Node(one.node.name, CLIENT, inferred=True)
                self._node(client).add(one)
                self._edge(client, one.node).add(one)
        for one in trace.inferred:
            self._node(one.called).add(one)
            self._edge(one.segment.node, one.called).add(one)

    def _node(self, node: Node) -> _Figures:
        return self._nodes.setdefault(node, _Figures())

    def _edge(self, caller: Node, callee: Node) -> _Figures:
        return self._edges.setdefault((caller, callee), _Figures())

    def services(self) -> list[dict[str, Any]]:
        """Return the nodes as the API tells them, the clients last."""
        order = sorted(self._nodes, key=lambda one: (one.type == CLIENT, one.name, one.type))
        numbers = {node: number for number, node in enumerate(order)}
        edges: dict[Node, list[dict[str, Any]]] = {node: [] for node in order}
        for (caller, callee), figures in self._edges.items():
            edges[caller].append({"ReferenceId": numbers[callee], **_edge_told(figures)})
        found = []
        for node in order:
            figures = self._nodes[node]
            told: dict[str, Any] = {
                "ReferenceId": numbers[node],
                "Name": node.name,
                "Names": [node.name],
                "State": "active",
                **({"Type": node.type} if node.type else {}),
                **({} if node.inferred else {"AccountId": ACCOUNT}),
                **({"Root": True} if figures.is_root else {}),
                **figures.times(),
                "Edges": sorted(edges[node], key=lambda edge: int(edge["ReferenceId"])),
            }
            if node.type != CLIENT:
                histogram = figures.histogram_told()
                told |= {"SummaryStatistics": figures.told(), "DurationHistogram": histogram}
                told["ResponseTimeHistogram"] = histogram
            found.append(told)
        return found


def _edge_told(figures: _Figures) -> dict[str, Any]:
    return {
        **figures.times(),
        "SummaryStatistics": figures.told(),
        "ResponseTimeHistogram": figures.histogram_told(),
        "Aliases": [],
    }
