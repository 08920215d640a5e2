"""PutTraceSegments: documents in, and which of them were refused.

endpoint -> [segments] -> writer
"""

from typing import Any

from clerestory.server.store.batch import Batch
from clerestory.server.xray.segments import Segment, Services, batches_of, read
from clerestory.wire.xray.segment import SegmentError


def put_trace_segments(
    given: dict[str, Any], services: Services
) -> tuple[list[Batch], dict[str, Any]]:
    """Return what is to be stored, and the answer."""
    good: list[Segment] = []
    refused: list[dict[str, Any]] = []
    for text in given["TraceSegmentDocuments"]:
        try:
            good.append(read(text.encode("utf-8", "surrogatepass")))
        except SegmentError as error:
            refused.append(_told(error))
    return list(batches_of(good, services)), {"UnprocessedTraceSegments": refused}


def _told(error: SegmentError) -> dict[str, Any]:
    code = "".join(part.capitalize() for part in error.code.split("_"))
    named = {"Id": error.id} if error.id else {}
    return named | {"ErrorCode": code, "Message": str(error)}
