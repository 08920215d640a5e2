"""The service graph: nodes, and the calls between them, of many traces.

    traces, tallies -> [graph] -> GetServiceGraph, GetTraceGraph

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
DIGITS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Some segments or calls that are alike.

    Attributes:
        pending: Whether they still run.
        outcome: Fault, throttle, error or ok.
        took_ns: What each took, to the digits that a histogram has.
        count: How many they are.
        total_ns: What all took.
        start_ns: When the first began.
        end_ns: When the last ended.
    """

    pending: bool
    outcome: str
    took_ns: int
    count: int
    total_ns: int
    start_ns: int
    end_ns: int

    @classmethod
    def of(cls, one: Part) -> "Tally":
        """Return that of a single one."""
        return cls(
            pending=one.pending,
            outcome=one.outcome,
            took_ns=one.duration_ns,
            count=1,
            total_ns=one.duration_ns,
            start_ns=one.start_ns,
            end_ns=one.end_ns,
        )


@dataclass(slots=True)
class _Figures:
    """What is known of a node or a call.

    Attributes:
        outcomes: How many by their outcome.
        total_ns: All their times together.
        histogram: How many took how long.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    total_ns: int = 0
    histogram: Counter[float] = field(default_factory=Counter)
    start_ns: int = 2**63
    end_ns: int = 0
    is_root: bool = False

    def add(self, tally: Tally) -> None:
        self.start_ns = min(self.start_ns, tally.start_ns)
        self.end_ns = max(self.end_ns, tally.end_ns)
        if tally.pending:
            return
        self.outcomes[tally.outcome] += tally.count
        self.total_ns += tally.total_ns
        # as many classes as a reader can tell apart, however many traces there are
        self.histogram[float(f"{tally.took_ns / NS:.{DIGITS}g}")] += tally.count

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
            "TotalResponseTime": round(self.total_ns / NS, 6),
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
            self.add_segments(one.node, Tally.of(one), begins=not one.parent_id)
            above = trace.parent(one)
            if above is not None:
                seen = above if ends_remote(above) else one
                self.add_calls(above.segment.node, one.node, Tally.of(seen))
        for one in trace.inferred:
            self.add_calls(one.segment.node, one.called, Tally.of(one))

    def add_segments(self, node: Node, tally: Tally, *, begins: bool) -> None:
        """Add segments of a node.

        Args:
            node: Whose they are.
            tally: What they are.
            begins: Whether traces begin with them, so that a client called them.
        """
        self._node(node).add(tally)
        if begins:
            self._node(node).is_root = True
            client = Node(node.name, CLIENT, inferred=True)
            self._node(client).add(tally)
            self._edge(client, node).add(tally)

    def add_calls(self, caller: Node, callee: Node, tally: Tally) -> None:
        """Add calls from one node to another; an inferred one is known from them only."""
        if callee.inferred:
            self._node(callee).add(tally)
        self._edge(caller, callee).add(tally)

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
