"""What the recorder raises where a program asks for it, under the names of AWS's SDK.

ClerestoryError
  SegmentNotFoundException      nothing is open, and context_missing is RUNTIME_ERROR
  SegmentNameMissingException   a segment has no name, and the recorder has no service
"""

from clerestory.model.errors import ClerestoryError


class SegmentNotFoundException(ClerestoryError):  # noqa: N818  AWS's name
    """No segment is open where one is needed."""


class SegmentNameMissingException(ClerestoryError):  # noqa: N818  AWS's name
    """A segment has no name."""
