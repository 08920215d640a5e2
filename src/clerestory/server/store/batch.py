"""A request's records on their way into the store.

ingest -> [batch] -> writer -> fresh -> logs, spans
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What a batch's bytes are."""

    RECORDS = "records"
    OTLP = "otlp"
    SPANS = "spans"
    EVENTS = "events"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch.

    Attributes:
        stored: Records that are in the store because of this batch.
        duplicate: Lines that an earlier batch had brought.
        rejected: Lines that are no records; kept raw.
        first_id: Id of the first record, or empty.
    """

    stored: int
    duplicate: int
    rejected: int
    first_id: str = ""


@dataclass(slots=True, kw_only=True)
class Batch:
    """One request's records.

    Attributes:
        kind: What `body` holds: lines, an OTLP request in protobuf (`OTLP` logs, `SPANS`
            traces), or the row of `decode.EVENTS_STRUCTURE` in MessagePack, without its first two
            columns; as `TEXTS` none of its messages is a JSON object.
        body: The bytes, inflated; lines are valid UTF-8.
        spool: Id of the spool that numbers the lines; empty: the server numbers them.
        first: Number of the first line in its spool.
        resource: JSON object that describes the sender; lines only.
        lines_of: Decodes an OTLP body that the engine cannot: `(resource JSON, lines)` pairs.
        plain_of: Returns a body of traces with every list and map as JSON (see spans).
        answer: Completed when the records are stored, or cannot be.
    """

    kind: Kind
    body: bytes
    spool: str = ""
    first: int = 0
    resource: bytes = b"{}"
    lines_of: Callable[[bytes], list[tuple[bytes, bytes]]] | None = None
    plain_of: Callable[[bytes], bytes] | None = None
    answer: "Future[Stored]" = field(default_factory=Future)
