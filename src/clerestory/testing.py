"""For users' own tests: see what a block of code logs.

call -> line -> [a spool in memory] -> capture.records
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from clerestory import logger as calls
from clerestory.delivery.pipeline import Pipeline, PipelinePlan
from clerestory.delivery.road import ROAD
from clerestory.integrations import stdlib
from clerestory.model.severity import number
from clerestory.process.encode import decode
from clerestory.process.lines import emission
from clerestory.process.redaction import ValueRules
from clerestory.spool.spool import SpoolLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEGMENT_BYTES: Final = 2 * 1024 * 1024


class Capture:
    """What was logged inside a `capture()` block."""

    def __init__(self, pipeline: Pipeline, masks: ValueRules) -> None:
        self._pipeline = pipeline
        self._masks = masks

    @property
    def records(self) -> list[dict[str, Any]]:
        """Every record so far, oldest first, as a destination would get it.

        `timestamp` is an integer of nanoseconds since the epoch.
        """
        segments = self._pipeline.spool.segments
        text = b"".join(
            segments[index].read(0, segments[index].end()) for index in sorted(segments)
        )
        return [decode(line) for line in self._masks.lines(text).splitlines()]

    @property
    def spans(self) -> list[dict[str, Any]]:
        """The records of spans alone, in the order of their ends."""
        return [record for record in self.records if record.get("kind") == "span"]

    @property
    def messages(self) -> list[str]:
        """The messages alone."""
        return [record["message"] for record in self.records]

    def find(self, message: str, **fields: Any) -> dict[str, Any]:
        """Return the first record with this message and these fields.

        Raises:
            AssertionError: There is none; the text lists what was logged.
        """
        for record in self.records:
            same = all(record.get(key) == value for key, value in fields.items())
            if record["message"] == message and same:
                return record
        raise AssertionError(f"no record {message!r} with {fields}; logged: {self.messages}")


@contextmanager
def capture(level: str | int = "TRACE") -> Iterator[Capture]:
    """Catch every record of the block, in place of the destinations in force.

    Args:
        level: Lowest level that is caught.

    >>> from clerestory import get_logger
    >>> with capture() as caught:
    ...     get_logger("doc").info("order placed", order=7)
    >>> caught.records[0]["order"]
    7
    """
    pipeline = Pipeline(
        PipelinePlan(
            directory=None,
            resource={},
            limits=SpoolLimits(segment_bytes=_SEGMENT_BYTES, bytes_max=64 * _SEGMENT_BYTES),
        ),
        (),
    )
    masks = ValueRules(emission().names)
    previous, root_level = ROAD.pipeline, logging.root.level
    stdlib.capture()
    ROAD.lead_to(pipeline)
    logging.root.setLevel(number(level))
    calls.invalidate_all()
    try:
        yield Capture(pipeline, masks)
    finally:
        logging.root.setLevel(root_level)
        if previous is None:
            ROAD.reset()
        else:
            ROAD.lead_to(previous)
        calls.invalidate_all()
