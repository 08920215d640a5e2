"""An OTLP request, with one resource, scopes and their records; and what its answer says.

    encoder -> [export] -> exchange

Invariant: records of one scope stay in their order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from clerestory.wire.protobuf import INT64_MAX, field, key_value, members, varint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clerestory.wire.otlp.shape import Scope

_SIZES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class Export:
    """A request.

    Attributes:
        count: How many records it has.
        body: Its bytes.
    """

    count: int
    body: bytes


class _Prefixes(dict[int, bytes]):
    """What stands before a record, by its size."""

    def __missing__(self, size: int) -> bytes:
        found = b"\x12" + varint(size)
        if len(self) < _SIZES_MAX:
            self[size] = found
        return found


_PREFIXES: Final = _Prefixes()


class Scopes:
    """Encoded records by the kind and the name of their scope."""

    def __init__(self) -> None:
        self._joined: dict[Scope, list[bytes]] = {}
        self._counts: Counter[str] = Counter()

    def add(self, scope: Scope, contents: Sequence[bytes]) -> None:
        """Add records to a scope.

        They are made one piece at once. Thousands of small ones would take fresh memory for each
        request, and to have that from the kernel takes as long as to encode.
        """
        prefixes = map(_PREFIXES.__getitem__, map(len, contents))
        parts = chain.from_iterable(zip(prefixes, contents, strict=True))
        self._joined.setdefault(scope, []).append(b"".join(parts))
        self._counts[scope[0]] += len(contents)

    def export(self, wanted: str, resource: Mapping[str, Any]) -> Export:
        """Return the request with all records of one kind."""
        attributes = (field(b"\x0a", key_value(name, value)) for name, value in resource.items())
        groups = [field(b"\x0a", b"".join(attributes))]
        for (kind, name), joined in self._joined.items():
            if kind == wanted:
                raw = name.encode("utf-8", "replace")
                scope = field(b"\x0a", field(b"\x0a", raw) if raw else b"")
                groups.append(field(b"\x12", b"".join([scope, *joined])))
        return Export(self._counts[wanted], field(b"\x0a", b"".join(groups)))


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
