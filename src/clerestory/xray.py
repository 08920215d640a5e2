"""AWS's X-Ray SDK, spoken here: in place of `aws_xray_sdk`.

from clerestory.xray import xray_recorder, XRayMiddleware
"""

from importlib.metadata import PackageNotFoundError, version

from clerestory.configuration import name_service
from clerestory.integrations.xray.entities import Segment, Subsegment
from clerestory.integrations.xray.errors import (
    SegmentNameMissingException,
    SegmentNotFoundException,
)
from clerestory.integrations.xray.flask import XRayMiddleware
from clerestory.integrations.xray.header import TraceHeader
from clerestory.integrations.xray.patching import patch, patch_all
from clerestory.integrations.xray.recorder import XRayRecorder
from clerestory.integrations.xray.setup.options import AsyncContext

__all__ = [
    "AsyncContext",
    "Segment",
    "SegmentNameMissingException",
    "SegmentNotFoundException",
    "Subsegment",
    "TraceHeader",
    "XRayMiddleware",
    "XRayRecorder",
    "patch",
    "patch_all",
    "xray_recorder",
]


def _version() -> str:
    try:
        return version("clerestory")
    except PackageNotFoundError:
        return ""


xray_recorder = XRayRecorder(_version(), name_service)
