"""An OTLP request, with one resource, scopes and their records; and what its answer says.

    logs, traces -> [export] -> exchange

Invariant: records of one scope stay in their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clerestory.wire.protobuf import INT64_MAX, field, key_value, members

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Export:
    """A request.

    Attributes:
        count: How many records it has.
        body: Its bytes.
    """

    count: int
    body: bytes


class Scopes(dict[str, list[bytes]]):
    """Encoded records by the name of their scope: tag and size of each, and its content."""

    def __init__(self) -> None:
        super().__init__()
        self._joined: dict[str, list[bytes]] = {}
        self._count = 0

    def __missing__(self, name: str) -> list[bytes]:
        found = self[name] = []
        self._joined.setdefault(name, [])
        return found

    def join(self) -> None:
        """Make one piece of what each scope has got since the last time.

        Thousands of small pieces would take fresh memory for each request, and to have that from
        the kernel takes as long as to encode.
        """
        for name, pieces in self.items():
            self._count += len(pieces) // 2
            self._joined[name].append(b"".join(pieces))
        self.clear()

    def export(self, resource: Mapping[str, Any]) -> Export:
        """Return the request with all that was joined."""
        attributes = (field(b"\x0a", key_value(name, value)) for name, value in resource.items())
        groups = [field(b"\x0a", b"".join(attributes))]
        for name, joined in self._joined.items():
            raw = name.encode("utf-8", "replace")
            scope = field(b"\x0a", field(b"\x0a", raw) if raw else b"")
            groups.append(field(b"\x12", b"".join([scope, *joined])))
        return Export(self._count, field(b"\x0a", b"".join(groups)))


def decode_response(body: bytes) -> tuple[int, str]:
    """Return how many records an ExportLogsServiceResponse refuses, and what it says about them.

    Raises:
        ValueError: The body is no such message.
    """
    lost, detail = 0, ""
    for number, value in members(body):
        if number != 1 or not isinstance(value, bytes):
            continue
        for inner, content in members(value):
            if inner == 1 and isinstance(content, int):
                lost = content if content <= INT64_MAX else 0
            elif inner == 2 and isinstance(content, bytes):
                detail = content.decode("utf-8", "replace")
    return lost, detail


def decode_status(body: bytes) -> str:
    """Return the message of a google.rpc.Status, the body of an answer that is an error.

    Raises:
        ValueError: The body is no such message.
    """
    found = [value for number, value in members(body) if number == 2]
    return found[-1].decode("utf-8", "replace") if found and isinstance(found[-1], bytes) else ""
