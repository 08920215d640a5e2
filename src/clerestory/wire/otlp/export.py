"""An OTLP request, with one resource, scopes and their records; and what its answer says.

    logs, traces -> [export] -> exchange

Invariant: records of one scope stay in their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clerestory.wire.protobuf import INT64_MAX, field, key_value, members

if TYPE_CHECKING:
    from collections.abc import Mapping

# Pieces are joined by then: thousands of small ones would take fresh memory for each request, and
# to have that from the kernel takes as long as to encode.
_PIECES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Export:
    """A request.

    Attributes:
        count: How many records it has.
        body: Its bytes.
    """

    count: int
    body: bytes


class Scopes:
    """Collects encoded records by the name of their scope."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[bytes]] = {}
        self._joined: dict[str, list[bytes]] = {}
        self._count = 0

    def add(self, name: str, prefix: bytes, content: bytes) -> None:
        """Add a record to a scope.

        Args:
            name: Of the scope.
            prefix: Tag and size of the content.
            content: Of the record.
        """
        pieces = self._pieces.get(name)
        if pieces is None:
            pieces = self._pieces[name] = []
            self._joined[name] = []
        pieces += (prefix, content)
        self._count += 1
        if len(pieces) >= _PIECES_MAX:
            self._joined[name].append(b"".join(pieces))
            pieces.clear()

    def export(self, resource: Mapping[str, Any]) -> Export:
        """Return the request with all that was added."""
        attributes = (field(b"\x0a", key_value(name, value)) for name, value in resource.items())
        groups = [field(b"\x0a", b"".join(attributes))]
        for name, pieces in self._pieces.items():
            raw = name.encode("utf-8", "replace")
            scope = field(b"\x0a", field(b"\x0a", raw) if raw else b"")
            groups.append(field(b"\x12", b"".join([scope, *self._joined[name], *pieces])))
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
