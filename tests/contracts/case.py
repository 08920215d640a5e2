"""What the contract suite must know about a destination and its double."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from clerestory.delivery.pipeline import Pipeline, PipelinePlan
from clerestory.delivery.policy import Route, RoutePolicy
from clerestory.delivery.port import Destination
from clerestory.delivery.retry import RetryPolicy
from clerestory.spool.spool import SpoolLimits
from tests.doubles.receiver import Reply
from tests.doubles.syslog import Daemon

RESOURCE = {
    "service.name": "contract",
    "service.version": "1.2",
    "host.name": "box",
    "process.pid": 4711,
    "process.creation.time": "2026-11-21T10:00:00Z",
}


def _deny(case: "Case", receiver: Any, times: int) -> None:
    receiver.fail("status", times=times, reply=case.denied)


def _trouble(receiver: Any) -> None:
    receiver.fail("status", times=None, reply=Reply(status=503))


@dataclass(frozen=True, kw_only=True)
class Silence:
    """The claim that receivers of a kind never answer; the suite puts it to real ones.

    Attributes:
        witnesses: Start real receivers in a folder, listening at `port`.
        provocations: What each must pass over in silence: good, malformed, too long.
    """

    witnesses: tuple[Callable[[Path], Daemon], ...]
    provocations: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A destination under test.

    Attributes:
        name: Shown in the test's id.
        receiver: Starts the double. It keeps the identity (`spool:number`) of each record it
            accepts in `accepted`, as it found it in what was sent.
        destination: Makes the destination that sends to a double; `timeout` is given in seconds.
        denied: What the receiver answers to a wrong key.
        deny: Lets the receiver turn the program away so many times; by default with `denied`.
            None if it lets everybody in: the destination then has no option for a key.
        trouble: Makes the receiver unable to take anything until it is healed.
        poison: Fields of a record that this receiver alone refuses, or None if it refuses none.
        idempotent: Whether the receiver keeps a record once that is sent twice.
        compresses: Whether bodies travel as gzip.
        secrets: Texts that may not show up in names, errors or reprs.
        messages: Returns the messages that the double accepted, to compare them with what was
            sent; None if the format does not keep them whole.
        statuses: Statuses that mean "later".
        silent: Why no answer can be tested: there is none. None for a receiver that answers. One
            that is silent cannot throttle, redirect or refuse; its connection says everything.
    """

    name: str
    receiver: Callable[[], Any]
    destination: Callable[..., Destination]
    denied: Reply = field(default_factory=lambda: Reply(status=401))
    poison: dict[str, Any] | None = None
    idempotent: bool = False
    compresses: bool = True
    secrets: tuple[str, ...] = ()
    messages: Callable[[Any], list[str]] | None = None
    statuses: tuple[int, ...] = (408, 429, 500, 502, 503, 504)
    deny: Callable[["Case", Any, int], None] | None = _deny
    trouble: Callable[[Any], None] = _trouble
    silent: Silence | None = None


def line(number: int, message: str = "", **fields: Any) -> bytes:
    """Return a record as the spool keeps it."""
    record = {
        "timestamp": time.time_ns(),
        "level": "INFO",
        "logger": "contract",
        "module": "m",
        "funcName": "f",
        "lineno": 7,
        "message": message or f"record {number}",
        "n": number,
        **fields,
    }
    return msgspec.json.encode(record) + b"\n"


class Road:
    """A real pipeline to one destination, with quick retries, and what it was told to alarm."""

    def __init__(self, directory, destination: Destination) -> None:
        self.alarms: list[tuple[str, str]] = []
        policy = RoutePolicy(
            limits=destination.limits,
            retry=RetryPolicy(wait_s_first=0.01, wait_s_max=0.1),
            hold_s=0.1,
            probe_after=0,
        )
        plan = PipelinePlan(
            directory=directory,
            resource=RESOURCE,
            limits=SpoolLimits(segment_bytes=4 * 1024 * 1024, free_bytes_min=0),
            poll_s=0.005,
            adopt_s=0,
            alarm=lambda level, text: self.alarms.append((level, text)),
        )
        self.route = Route(destination=destination, policy=policy)
        self.pipeline = Pipeline(plan, [self.route])
        self.directory = directory

    def put(self, *lines: bytes) -> None:
        """Append lines."""
        for one in lines:
            try:
                self.pipeline.append(one)
            except ValueError:
                self.pipeline.append_when_full(one)

    def start(self):
        self.pipeline.start()
        return self

    @property
    def stats(self):
        """Counts of the destination."""
        return self.pipeline.stats.destinations[self.route.destination.name]

    def ids(self, count: int) -> list[str]:
        """Return the identities of the first lines."""
        return [f"{self.pipeline.spool.id}:{number}" for number in range(count)]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exc):
        self.pipeline.close(1)


def all_arrived(road: Road, receiver: Any, count: int) -> None:
    """Wait until the receiver has each of the first records."""
    wait_until(lambda: set(road.ids(count)) <= set(receiver.accepted))


def extra(receiver: Any) -> int:
    """Return how many records came more than once, each time counted."""
    return len(receiver.accepted) - len(set(receiver.accepted))


def wait_until(condition, timeout_s: float = 20) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)
