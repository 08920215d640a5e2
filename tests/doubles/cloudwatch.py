"""A double of CloudWatch Logs: the limits, errors and signatures of the documents, exactly.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

import json
import re
import threading
import time
import uuid
from calendar import timegm
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.doubles.receiver import Receiver, Reply, Request

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # AWS's published example
EVENTS_MAX = 10_000
BATCH_BYTES_MAX = 1_048_576
EVENT_BYTES = 26
DAY_MS = 24 * 3600 * 1000
OLD_MS_MAX = 14 * DAY_MS
AHEAD_MS_MAX = 2 * 3600 * 1000
SKEW_S_MAX = 300
RETENTIONS = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192}
GROUP_NAME = re.compile(r"[\.\-_/#A-Za-z0-9]{1,512}")
STREAM_NAME = re.compile(r"[^:*]{1,512}")


class ApiError(Exception):
    """An error of the API, told in its own form."""

    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.reply: Reply = error(code, message, status)


def error(code, message, status=400):
    body = json.dumps({"__type": code, "message": message}).encode()
    return Reply(status=status, body=body, headers={"x-amzn-ErrorType": code, **_headers()})


def _headers():
    return {
        "Content-Type": "application/x-amz-json-1.1",
        "x-amzn-RequestId": str(uuid.uuid4()),
        "Date": formatdate(usegmt=True),
    }


@dataclass(kw_only=True)
class Group:
    """A log group: its streams' events in the order in which they came."""

    tags: dict[str, str] = field(default_factory=dict)
    retention_days: int | None = None
    created_ms: int = 0
    streams: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class CloudWatchLogs(Receiver):
    """CloudWatch Logs in one region.

    Attributes:
        groups: By name.
        puts: Number of events of each PutLogEvents that was accepted.
        create_s: How long CreateLogStream takes.
        clock_s: How far its clock is ahead of this machine's.
        secrets: Secret key by access key; empty to let everybody in.
        token: The session token that temporary credentials must bring.
        denied: Operations that the caller may not use.
    """

    def __init__(self, **more):
        self.groups: dict[str, Group] = {}
        self.puts: list[int] = []
        self.calls: list[str] = []
        self.create_s = 0.0
        self.clock_s = 0.0
        self.secrets = {KEY: SECRET}
        self.token = ""
        self.denied: set[str] = set()
        self.poison = ""
        super().__init__(**more)

    # -- reading -------------------------------------------------------------------------------

    def events(self, group, stream=None):
        """Return the events of a group, or of one of its streams, ordered by time."""
        streams = self.groups[group].streams
        chosen = streams.values() if stream is None else [streams[stream]]
        return sorted((e for events in chosen for e in events), key=lambda e: e["timestamp"])

    def messages(self, group, stream=None):
        """Return the messages of a group."""
        return [event["message"] for event in self.events(group, stream)]

    def records(self, group, stream=None):
        """Return the messages of a group, decoded."""
        return [json.loads(message) for message in self.messages(group, stream)]

    # -- answering -----------------------------------------------------------------------------

    def throttled(self):
        return error("ThrottlingException", "Rate exceeded")

    def answer(self, request: Request) -> Reply:
        try:
            operation = request.headers.get("x-amz-target", "").removeprefix("Logs_20140328.")
            self.calls.append(operation)
            handler = _OPERATIONS.get(operation)
            if handler is None:
                raise ApiError("UnknownOperationException", "", 400)
            check_signature(self, request, "logs")
            if operation in self.denied:
                raise ApiError("AccessDeniedException", f"User is not allowed logs:{operation}")
            content = handler(self, _decoded(request.body))
        except ApiError as refusal:
            return refusal.reply
        return Reply(body=json.dumps(content).encode(), headers=_headers())

    def now_ms(self):
        return int((time.time() + self.clock_s) * 1000)

    def _group(self, content):
        name = content.get("logGroupName", "")
        if name not in self.groups:
            text = "The specified log group does not exist."
            raise ApiError("ResourceNotFoundException", text)
        return self.groups[name]

    def _create_log_group(self, content):
        name = content["logGroupName"]
        if not GROUP_NAME.fullmatch(name) or name.startswith("aws/"):
            raise ApiError("InvalidParameterException", f"Invalid log group name {name!r}")
        if name in self.groups:
            text = "The specified log group already exists"
            raise ApiError("ResourceAlreadyExistsException", text)
        tags = content.get("tags", {})
        self.groups[name] = Group(tags=tags, created_ms=self.now_ms())
        return {}

    def _create_log_stream(self, content):
        group = self._group(content)
        name = content["logStreamName"]
        if not STREAM_NAME.fullmatch(name):
            raise ApiError("InvalidParameterException", f"Invalid log stream name {name!r}")
        threading.Event().wait(self.create_s)
        if name in group.streams:
            text = "The specified log stream already exists"
            raise ApiError("ResourceAlreadyExistsException", text)
        group.streams[name] = []
        return {}

    def _put_retention_policy(self, content):
        days = content["retentionInDays"]
        if days not in RETENTIONS:
            raise ApiError("InvalidParameterException", f"Invalid retention {days}")
        self._group(content).retention_days = days
        return {}

    def _describe_log_groups(self, content):
        prefix = content.get("logGroupNamePrefix", "")
        names = [name for name in sorted(self.groups) if name.startswith(prefix)]
        groups = [
            {
                "logGroupName": name,
                "creationTime": self.groups[name].created_ms,
                "retentionInDays": self.groups[name].retention_days,
            }
            for name in names
        ]
        return {"logGroups": [{k: v for k, v in g.items() if v is not None} for g in groups]}

    def _describe_log_streams(self, content):
        prefix = content.get("logStreamNamePrefix", "")
        streams = self._group(content).streams
        return {
            "logStreams": [{"logStreamName": n} for n in sorted(streams) if n.startswith(prefix)]
        }

    def _get_log_events(self, content):
        events = self._stream(content)
        ordered = sorted(events, key=lambda event: event["timestamp"])
        token = content.get("nextToken", "f/0")
        start = int(token.partition("/")[2])
        page = ordered[start : start + content.get("limit", EVENTS_MAX)]
        forward = f"f/{start + len(page)}"
        shown = [{**event, "ingestionTime": self.now_ms()} for event in page]
        return {"events": shown, "nextForwardToken": forward, "nextBackwardToken": "b/0"}

    def _stream(self, content):
        streams = self._group(content).streams
        name = content.get("logStreamName", "")
        if name not in streams:
            text = "The specified log stream does not exist."
            raise ApiError("ResourceNotFoundException", text)
        return streams[name]

    def _put_log_events(self, content):
        stream = self._stream(content)
        events = content["logEvents"]
        _check_events(events)
        if self.poison and any(self.poison in event["message"] for event in events):
            raise ApiError("InvalidParameterException", "Log event is not acceptable.")
        retention_days = self.groups[content["logGroupName"]].retention_days
        rejected = _rejected(events, self.now_ms(), retention_days)
        start = max(rejected.get("tooOldLogEventEndIndex", 0), rejected.get("expired", 0))
        kept = events[start : rejected.get("tooNewLogEventStartIndex", len(events))]
        stream += kept
        self.puts.append(len(kept))
        self.accepted += [_identity(event["message"]) for event in kept]
        if "expired" in rejected:
            rejected["expiredLogEventEndIndex"] = rejected.pop("expired")
        answer = {"nextSequenceToken": str(uuid.uuid4().int)}
        return {**answer, "rejectedLogEventsInfo": rejected} if rejected else answer


_OPERATIONS = {
    "CreateLogGroup": CloudWatchLogs._create_log_group,
    "CreateLogStream": CloudWatchLogs._create_log_stream,
    "DescribeLogGroups": CloudWatchLogs._describe_log_groups,
    "DescribeLogStreams": CloudWatchLogs._describe_log_streams,
    "GetLogEvents": CloudWatchLogs._get_log_events,
    "PutLogEvents": CloudWatchLogs._put_log_events,
    "PutRetentionPolicy": CloudWatchLogs._put_retention_policy,
}


def check_signature(double, request, service):
    """Raise ApiError if a request is not signed by somebody whom a double knows."""
    if not double.secrets:
        return
    given = request.headers.get("authorization", "")
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
        r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
        given,
    )
    if found is None:
        raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token")
    key, _day, region, named, names, signature = found.groups()
    if key not in double.secrets:
        text = "The security token included in the request is invalid."
        raise ApiError("UnrecognizedClientException", text)
    if double.token != request.headers.get("x-amz-security-token", ""):
        text = "The security token included in the request is expired"
        raise ApiError("ExpiredTokenException", text)
    _check_clock(request.headers["x-amz-date"], time.time() + double.clock_s)
    expected = _signature(request, (key, double.secrets[key]), (region, named), names)
    if (expected, named) != (signature, service):
        text = "The request signature we calculated does not match the signature you provided."
        raise ApiError("InvalidSignatureException", text)


def _check_clock(moment, now_s):
    if abs(timegm(time.strptime(moment, "%Y%m%dT%H%M%SZ")) - now_s) > SKEW_S_MAX:
        text = f"Signature expired: {moment} is now earlier than 15 min. before {now_s}"
        refusal = ApiError("InvalidSignatureException", text)
        refusal.reply.headers["Date"] = formatdate(now_s, usegmt=True)
        raise refusal


def _decoded(body):
    try:
        return json.loads(body)
    except ValueError:
        raise ApiError("SerializationException", "") from None


def _check_events(events):
    """Refuse the whole request where AWS does."""
    if not 1 <= len(events) <= EVENTS_MAX:
        text = (
            f"1 validation error detected: Value at 'logEvents' failed to satisfy constraint: "
            f"Member must have length less than or equal to {EVENTS_MAX}"
        )
        raise ApiError("InvalidParameterException", text)
    if any(not event["message"] for event in events):
        text = "Member must have length greater than or equal to 1"
        raise ApiError("InvalidParameterException", text)
    size = sum(len(event["message"].encode()) + EVENT_BYTES for event in events)
    if size > BATCH_BYTES_MAX:
        text = f"Upload too large: {size} bytes exceeds limit of {BATCH_BYTES_MAX}"
        raise ApiError("InvalidParameterException", text)
    times = [event["timestamp"] for event in events]
    if times != sorted(times):
        text = "Log events in a single PutLogEvents request must be in chronological order."
        raise ApiError("InvalidParameterException", text)
    if times[-1] - times[0] > DAY_MS:
        text = (
            "The batch of log events in a single PutLogEvents request cannot span more than 24 "
            "hours."
        )
        raise ApiError("InvalidParameterException", text)


def _rejected(events, now_ms, retention_days):
    """Return the ranges that are not taken; the events are in order."""
    times = [event["timestamp"] for event in events]
    old = sum(moment < now_ms - OLD_MS_MAX for moment in times)
    new = sum(moment > now_ms + AHEAD_MS_MAX for moment in times)
    expired = 0
    if retention_days is not None:
        expired = sum(moment < now_ms - retention_days * DAY_MS for moment in times)
    rejected = {}
    if old:
        rejected["tooOldLogEventEndIndex"] = old
    if expired:
        rejected["expired"] = expired
    if new:
        rejected["tooNewLogEventStartIndex"] = len(events) - new
    return rejected


def _identity(message):
    try:
        return json.loads(message)["_cid"]
    except (ValueError, KeyError, TypeError):
        return message


def _signature(request, pair, scope, names):
    """Return the signature that botocore makes of the request."""
    signer = SigV4Auth(Credentials(*pair), scope[1], scope[0])
    headers = {name: request.headers[name] for name in names.split(";")}
    url = f"http://{request.headers['host']}{request.path}"
    made = AWSRequest(method=request.method, url=url, headers=headers, data=request.raw)
    made.context["timestamp"] = request.headers["x-amz-date"]
    return signer.signature(signer.string_to_sign(made, signer.canonical_request(made)), made)
