r"""One datagram of the daemon's protocol: a header line, and what follows it.

    UDP ~~> [frames] -> daemon

    {"format":"json","version":1}\n   and then one of
      {...}        a segment document
      T1S BASE64   an OTLP traces request: spans that were sampled
      T1U BASE64   the same, not sampled: X-Ray only counts them
      M1 BASE64    OTLP metrics

The last three are the forms of AWS's distribution of OpenTelemetry, without the space.

Invariant: whatever comes is a frame or has a reason why it is none.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

import msgspec

DATAGRAM_BYTES_MAX: Final = 65_535
_USUAL: Final = (b'{"format":"json","version":1}', b'{"format": "json", "version": 1}')
_HEADER_BYTES_MAX: Final = 256
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\s]*={0,2}\s*")


class Form(Enum):
    """What a datagram holds."""

    SEGMENT = "segment"
    SPANS = "T1S"
    UNSAMPLED = "T1U"
    METRICS = "M1"


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands behind the header; of the OTLP forms, in Base64."""

    form: Form
    content: bytes


class FrameError(ValueError):
    """A datagram is none of the protocol; the text is the reason's name."""


def frame_of(datagram: bytes) -> Frame:
    r"""Return the frame of a datagram.

    Raises:
        FrameError: It is none.

    >>> frame_of(b'{"format":"json","version":1}\n{"id":1}')
    Frame(form=<Form.SEGMENT: 'segment'>, content=b'{"id":1}')
    """
    end = datagram.find(b"\n", 0, _HEADER_BYTES_MAX)
    if end < 0:
        raise FrameError("no_header")
    if datagram[:end] not in _USUAL:
        _check_header(datagram[:end])
    content = datagram[end + 1 :]
    if not content:
        raise FrameError("empty")
    for form in (Form.SPANS, Form.UNSAMPLED, Form.METRICS):
        mark = form.value.encode()
        if content.startswith(mark):
            return Frame(form, content[len(mark) :])
    return Frame(Form.SEGMENT, content)


def _check_header(header: bytes) -> None:
    try:
        told = msgspec.json.decode(header)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise FrameError("bad_header") from error
    if not isinstance(told, dict):
        raise FrameError("bad_header")
    form, version = told.get("format"), told.get("version")
    if not isinstance(form, str) or form.lower() != "json":
        raise FrameError("unknown_format")
    if type(version) is not int or version != 1:
        raise FrameError("unknown_version")


def is_base64(content: bytes) -> bool:
    """Return whether bytes can be the text of an OTLP form."""
    return _BASE64.fullmatch(content) is not None
