"""Why a trace failed or was slow: the way from its root to where it began.

    parts -> [causes] -> predicate, summary

Of faults and errors there is one way for each part that has the flag while nothing below it has.
The way of a slow trace goes down along the longest part as long as that takes half of the root's
time.

Invariant: a way begins at the topmost part that is stored, and passes services in the order of the
calls.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from clerestory.server.xray.traces.parts import Part, Trace

WAYS_MAX: Final = 10
COVERAGE_MIN: Final = 0.5
_FLAGS: Final = {"fault": 0, "error": 1}


@dataclass(frozen=True, slots=True)
class Cause:
    """One way.

    Attributes:
        steps: For each service that it passes, the parts of its segment.
        impacting: Whether the client saw it: the root has the flag, too.
    """

    steps: tuple[tuple[Part, ...], ...]
    impacting: bool


def causes_of(trace: Trace, kind: str) -> list[Cause]:
    """Return the root causes of a kind: fault, error or responsetime."""
    if kind == "responsetime":
        return [Cause(_steps(_slowest(trace)), True)]
    place = _FLAGS[kind]
    failed = [one for one in trace.parts if one.flags[place]]
    leaves = [one for one in failed if not any(below.flags[place] for below in one.children)]
    impacting = trace.root.flags[place]
    return [Cause(_steps(_way(trace, leaf)), impacting) for leaf in leaves[:WAYS_MAX]]


def _way(trace: Trace, leaf: Part) -> list[Part]:
    found, seen = [leaf], {leaf.id}
    while (above := trace.parent(found[-1])) is not None and above.id not in seen:
        seen.add(above.id)
        found.append(above)
    return found[::-1]


def _slowest(trace: Trace) -> list[Part]:
    found, seen = [trace.root], {trace.root.id}
    least = trace.root.duration_ns * COVERAGE_MIN
    while below := [one for one in found[-1].children if one.id not in seen]:
        longest = max(below, key=lambda one: one.duration_ns)
        if longest.duration_ns < least:
            break
        seen.add(longest.id)
        found.append(longest)
    return found


def _steps(way: list[Part]) -> tuple[tuple[Part, ...], ...]:
    steps: list[list[Part]] = []
    for one in way:
        if not steps or steps[-1][-1].segment is not one.segment:
            steps.append([])
        steps[-1].append(one)
    return tuple(tuple(step) for step in steps)


def coverage(one: Part, cause: Cause) -> float:
    """Return which part of the whole way's time a part took."""
    whole = cause.steps[0][0].duration_ns
    return min(1.0, one.duration_ns / whole) if whole else 1.0


def ends_remote(one: Part) -> bool:
    """Return whether a part is a call to somewhere else."""
    return one.kind in ("client", "producer")


def all_parts(cause: Cause) -> Iterator[Part]:
    """Yield the parts of a way from the top."""
    for step in cause.steps:
        yield from step
