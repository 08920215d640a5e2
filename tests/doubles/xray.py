"""A double of AWS X-Ray's PutTraceSegments: its limits, errors and signatures.

https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html; the shape of request and
answer is checked by botocore's own model, the documents by what X-Ray's page about them says.
"""

import functools
import json
import re
import time
import uuid
from email.utils import formatdate

import botocore.session
from botocore.validate import ParamValidator

from tests.doubles.cloudwatch import KEY, SECRET, ApiError, check_signature
from tests.doubles.receiver import Receiver, Reply, Request

__all__ = ["KEY", "SECRET", "XrayApi", "error"]

DOCUMENTS_MAX = 50
DOCUMENT_BYTES_MAX = 65_536
OLD_S_MAX = 28 * 86_400
AHEAD_S_MAX = 300
HEX = re.compile(r"[0-9a-f]{16}")
TRACE = re.compile(r"1-([0-9a-f]{8})-[0-9a-f]{24}")
NAME = re.compile(r"[\w\s.:/%&#=+\\\-@]{1,200}")
KNOWN = {
    *("name", "id", "trace_id", "parent_id", "start_time", "end_time", "in_progress", "type"),
    *("namespace", "http", "aws", "error", "fault", "throttle", "cause", "annotations", "user"),
    *("metadata", "subsegments", "service", "origin", "sql", "precursor_ids", "resource_arn"),
    *("links", "traced"),
}


class UnprocessedError(Exception):
    """A document that is not taken: the code is the first argument."""


def error(code: str, message: str, status: int = 400) -> Reply:
    body = json.dumps({"Message": message}).encode()
    return Reply(status=status, body=body, headers={"x-amzn-ErrorType": code, **_headers()})


def _headers() -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "x-amzn-RequestId": str(uuid.uuid4()),
        "Date": formatdate(usegmt=True),
    }


@functools.cache
def _shape():
    model = botocore.session.get_session().get_service_model("xray")
    return model.operation_model("PutTraceSegments").input_shape


class XrayApi(Receiver):
    """X-Ray in one region.

    Attributes:
        documents: By id, the last that came.
        puts: Number of documents of each call that was answered 200.
        secrets: Secret key by access key; empty to let everybody in.
        token: The session token that temporary credentials must bring.
        clock_s: How far its clock is ahead.
        unprocessed: Called with each document; returns code and message if it is not taken.
    """

    def __init__(self, **more):
        self.documents = {}
        self.puts = []
        self.secrets = {KEY: SECRET}
        self.token = ""
        self.clock_s = 0.0
        self.unprocessed = lambda _document: None
        super().__init__(**more)

    def throttled(self):
        return error("ThrottledException", "Rate exceeded", 429)

    def answer(self, request: Request) -> Reply:
        try:
            check_signature(self, request, "xray")
        except ApiError as refusal:
            return refusal.reply
        if (request.method, request.path) != ("POST", "/TraceSegments"):
            return error("UnknownOperationException", "", 404)
        try:
            content = json.loads(request.body)
        except ValueError:
            return error("SerializationException", "no JSON")
        report = ParamValidator().validate(content, _shape())
        if report.has_errors():
            return error("InvalidRequestException", report.generate_report())
        texts = content["TraceSegmentDocuments"]
        if not 1 <= len(texts) <= DOCUMENTS_MAX:
            return error("InvalidRequestException", f"{len(texts)} documents are not 1 to 50")
        told = [one for text in texts if (one := self._take(text))]
        self.puts.append(len(texts))
        body = json.dumps({"UnprocessedTraceSegments": told}).encode()
        return Reply(body=body, headers=_headers())

    def _take(self, text):
        """Keep a document; return what is said of it if it is not taken."""
        try:
            document = json.loads(text)
        except ValueError:
            return {"ErrorCode": "ParseError", "Message": "Invalid segment"}
        try:
            if len(text.encode()) > DOCUMENT_BYTES_MAX:
                raise UnprocessedError("DocumentTooLarge", len(text.encode()))
            _check(document, time.time() + self.clock_s)
            wanted = self.unprocessed(document)
            if wanted:
                raise UnprocessedError(*wanted)
        except UnprocessedError as why:
            code, message = why.args
            return {"Id": document.get("id"), "ErrorCode": code, "Message": str(message)}
        self.documents[document["id"]] = document
        identity = document.get("metadata", {}).get("default", {}).get("cid")
        if identity:
            self.accepted.append(identity)
        return None


def _check(document, now_s, inside=False):
    """Raise UnprocessedError if a document is not as X-Ray's page says."""
    if unknown := document.keys() - KNOWN:
        raise UnprocessedError("InvalidSegment", f"unknown members {sorted(unknown)}")
    if not HEX.fullmatch(str(document.get("id"))):
        raise UnprocessedError("InvalidId", document.get("id"))
    if not NAME.fullmatch(str(document.get("name", ""))):
        raise UnprocessedError("InvalidName", document.get("name"))
    if not inside:
        found = TRACE.fullmatch(str(document.get("trace_id")))
        if not found or not now_s - OLD_S_MAX <= int(found[1], 16) <= now_s + AHEAD_S_MAX:
            raise UnprocessedError("InvalidTraceId", document.get("trace_id"))
    if not inside and document.get("type") == "subsegment" and "parent_id" not in document:
        raise UnprocessedError("MissingParentId", document["id"])
    if not isinstance(document.get("start_time"), float | int):
        raise UnprocessedError("InvalidStartTime", document.get("start_time"))
    if ("end_time" in document) == (document.get("in_progress") is True):
        raise UnprocessedError("InvalidEndTime", document.get("end_time"))
    for key, value in document.get("annotations", {}).items():
        if not re.fullmatch(r"[A-Za-z0-9_.]+", key) or not isinstance(value, str | int | float):
            raise UnprocessedError("InvalidAnnotation", key)
    for part in document.get("subsegments", ()):
        _check(part, now_s, inside=True)
