"""Segment documents on their way into the store: checked, made spans, put together by service.

    PutTraceSegments, daemon -> [segments] -> writer -> store

A subsegment that comes alone does not say whose it is; the service is that of its parent, as long
as this server remembers it.

Invariant: a document is stored whole, with the bytes that came, or it is refused with a reason.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from clerestory.server.ingest.records import clean_lines
from clerestory.server.store.batch import Batch, Kind
from clerestory.wire.xray.segment import SegmentError, resource_of, spans_of

DOCUMENT_BYTES_MAX: Final = 64 * 1024
REMEMBERED_MAX: Final = 100_000
RAW: Final = "span.raw"
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Segment:
    """A document that was read.

    Attributes:
        document: What it says.
        lines: Its spans; the first is its own.
    """

    document: dict[str, Any]
    lines: list[dict[str, Any]]

    @property
    def is_part(self) -> bool:
        """Whether it is a subsegment that came alone."""
        return self.document.get("type") == "subsegment"

    @property
    def parent(self) -> tuple[str, str]:
        """The trace and the id of its parent."""
        return self.lines[0]["trace_id"], self.lines[0].get("parent_span_id", "")


def read(content: bytes) -> Segment:
    """Return what a document says.

    Raises:
        SegmentError: It is too large, or no segment document.
    """
    if len(content) > DOCUMENT_BYTES_MAX:
        message = f"The document has {len(content)} bytes and the limit is {DOCUMENT_BYTES_MAX}."
        raise SegmentError("document_too_large", message)
    content = clean_lines(content)
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SegmentError("parse_error", f"The document is no JSON: {str(error)[:200]}") from error
    lines = spans_of(document)
    lines[0][RAW] = content.decode()
    return Segment(document, lines)


class Services:
    """Remembers which service each of the newest spans is of."""

    def __init__(self, most: int = REMEMBERED_MAX) -> None:
        self._most = most
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, place: tuple[str, str]) -> str:
        """Return the service of a span by trace and id, empty if it is not known."""
        return self._known.get(place, "")

    def note(self, segment: Segment, service: str) -> None:
        """Remember whose the spans of a segment are."""
        with self._lock:
            for line in segment.lines:
                self._known[line["trace_id"], line["span_id"]] = service
            while len(self._known) > self._most:
                self._known.popitem(last=False)


def batches_of(segments: Iterable[Segment], services: Services) -> Iterator[Batch]:
    """Yield one batch for each program whose segments are among them."""
    bodies: dict[bytes, list[bytes]] = {}
    # what came alone is told after the segments, so that it finds its parent among them
    for segment in sorted(segments, key=lambda one: one.is_part):
        resource = resource_of(segment.document, services.of(segment.parent))
        if not segment.is_part or services.of(segment.parent):
            services.note(segment, resource["service.name"])
        bodies.setdefault(_encode(resource), []).extend(_encode(line) for line in segment.lines)
    for resource_json, lines in bodies.items():
        yield Batch(kind=Kind.RECORDS, body=b"\n".join(lines), resource=clean_lines(resource_json))
