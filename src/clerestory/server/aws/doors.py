"""The plain HTTP ways into a log group: HLC events, lines, JSON and OTLP.

    socket -> guard -> [doors] -> writer -> store

The group and the stream stand in the headers `x-aws-log-group` and `x-aws-log-stream`, or, but
for OTLP, in `?logGroup=&logStream=`; both must exist. An event without a time gets the time of
its arrival.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_HTTP_Endpoints.html

Invariant: 200 means stored, but for what `rejectedLogRecords` counts.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from clerestory.model.errors import LimitError
from clerestory.server.aws.catalog.catalog import now_ms
from clerestory.server.aws.endpoint import Endpoint, answered, stored, told_of
from clerestory.server.aws.errors import invalid
from clerestory.server.aws.operations.putting import NEW_MS_MAX, OLD_MS_MAX, batch_of
from clerestory.server.aws.service import Service
from clerestory.server.ingest import otlp
from clerestory.server.ingest.records import clean_lines

GROUP_HEADER: Final = "x-aws-log-group"
STREAM_HEADER: Final = "x-aws-log-stream"
EVENTS_MAX: Final = 100_000
_ENVELOPE: Final = frozenset({"event", "time"})

Event = tuple[int | None, str]
Serve = Callable[[Request], Awaitable[Response]]


class Doors:
    """Answers the plain HTTP paths."""

    def __init__(self, endpoint: Endpoint, service: Service) -> None:
        self._endpoint = endpoint
        self._service = service

    async def hlc(self, request: Request) -> Response:
        """Answer `POST /services/collector/event`."""
        return await self._answered(request, hlc_events)

    async def lines(self, request: Request) -> Response:
        """Answer `POST /ingest/bulk`."""
        return await self._answered(request, line_events)

    async def json(self, request: Request) -> Response:
        """Answer `POST /ingest/json`."""
        return await self._answered(request, json_events)

    def otlp_or(self, others: Serve) -> Serve:
        """Return what answers `POST /v1/logs`: this, where the header names a group."""

        async def serve(request: Request) -> Response:
            if GROUP_HEADER not in request.headers:
                return await others(request)
            is_json = "json" in request.headers.get("content-type", "")
            return await self._answered(request, otlp_json_events if is_json else otlp_events)

        return serve

    async def _answered(self, request: Request, read: Callable[[bytes], list[Event]]) -> Response:
        return await answered(self._taken(request, read), self._refusal)

    async def _taken(self, request: Request, read: Callable[[bytes], list[Event]]) -> Response:
        group, stream = self._place(request)
        body = await self._endpoint.body(request)
        events = await asyncio.to_thread(read, body)
        told = await self._store(group, stream, events)
        if request.headers.get("content-type", "").startswith("application/x-protobuf"):
            return Response(_partial_protobuf(told), media_type="application/x-protobuf")
        return Response(msgspec.json.encode(told), media_type="application/json")

    def _refusal(self, error: Exception) -> Response:
        code, status, answer = told_of(error)
        self._endpoint.refused[code] += 1
        return Response(msgspec.json.encode(answer), status, media_type="application/json")

    def _place(self, request: Request) -> tuple[str, str]:
        given = request.query_params if request.url.path != "/v1/logs" else {}
        group = request.headers.get(GROUP_HEADER) or given.get("logGroup", "")
        stream = request.headers.get(STREAM_HEADER) or given.get("logStream", "")
        if not group or not stream:
            raise invalid(
                f"Name the log group and the log stream: in the headers {GROUP_HEADER} and "
                f"{STREAM_HEADER}, or as logGroup and logStream in the address."
            )
        self._service.writable(group)
        self._service.catalog.check(group, stream)
        return group, stream

    async def _store(self, group: str, stream: str, events: list[Event]) -> dict[str, Any]:
        """Store what is in time; return what is told of the others."""
        now = now_ms()
        kept = [(now if at is None else at, text) for at, text in events if text]
        in_time = [one for one in kept if now - OLD_MS_MAX <= one[0] <= now + NEW_MS_MAX]
        if in_time:
            in_time.sort(key=lambda one: one[0])
            times, texts = zip(*in_time, strict=True)
            batch = batch_of(group, stream, list(times), list(texts))
            with self._service.catalog.arriving:
                self._service.catalog.check(group, stream)
                self._service.writer.submit(batch)
            await stored(batch)
        return _told(kept, now)


def _told(kept: list[tuple[int, str]], now: int) -> dict[str, Any]:
    old = sum(at < now - OLD_MS_MAX for at, _ in kept)
    new = sum(at > now + NEW_MS_MAX for at, _ in kept)
    if not old + new:
        return {}
    message = f"tooOld: {old}, tooNew: {new}, expired: 0"
    return {"partialSuccess": {"rejectedLogRecords": old + new, "errorMessage": message}}


def _partial_protobuf(told: dict[str, Any]) -> bytes:
    partial = told.get("partialSuccess")
    if not partial:
        return b""
    text = str(partial["errorMessage"]).encode()
    inner = b"\x08" + _varint(partial["rejectedLogRecords"]) + b"\x12" + _varint(len(text)) + text
    return b"\x0a" + _varint(len(inner)) + inner


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes([*made, number])


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _decoded(body: bytes) -> Iterator[Any]:
    """Yield the values of a body: one, or several that follow one another.

    Raises:
        AwsError: It is no JSON.
    """
    import json

    try:
        text = clean_lines(body).decode().strip()
        at, decoder = 0, json.JSONDecoder(parse_constant=_refused)
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            yield value
            at += len(text[at:]) - len(text[at:].lstrip(" \t\r\n"))
    except (ValueError, RecursionError) as error:
        raise invalid(f"The body is no JSON: {str(error)[:200]}") from error


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def hlc_events(body: bytes) -> list[Event]:
    """Return the events of HLC objects: one, a list, or several that follow one another.

    An object without `event` is skipped. Where it says more than the event and its time (host,
    source, ...), the object itself is the event's text.

    Raises:
        AwsError: The body is no JSON.
    """
    events: list[Event] = []
    for value in _decoded(body):
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict) or one.get("event") in (None, ""):
                continue
            text = _text_of(one["event"] if one.keys() <= _ENVELOPE else one)
            events.append((_time_of(one.get("time")), text))
    return _bounded(events)


def _time_of(seconds: Any) -> int | None:
    """Return ms of an HLC time: seconds as a number or text.

    Raises:
        AwsError: It is no time.
    """
    if seconds is None:
        return None
    try:
        number = float(seconds)
    except (TypeError, ValueError, OverflowError) as error:
        raise invalid(f"time must be seconds since the epoch; got {str(seconds)[:60]!r}") from error
    if not math.isfinite(number):
        raise invalid(f"time must be seconds since the epoch; got {str(seconds)[:60]!r}")
    return int(round(number, 3) * 1000)


def line_events(body: bytes) -> list[Event]:
    """Return one event for each line that is not empty."""
    lines = clean_lines(body).decode().split("\n")
    return _bounded([(None, line.rstrip("\r")) for line in lines if line.strip()])


def json_events(body: bytes) -> list[Event]:
    """Return one event for an object, or for each element of a list.

    Raises:
        AwsError: The body is no JSON.
    """
    try:
        clean = clean_lines(body)
        if clean.lstrip(b" \t\r\n")[:1] == b"[":
            parts = msgspec.json.decode(clean, type=list[msgspec.Raw])
        else:
            msgspec.json.decode(clean)
            parts = [msgspec.Raw(clean.strip())]
    except (msgspec.DecodeError, RecursionError) as error:
        raise invalid(f"The body is no JSON: {str(error)[:200]}") from error
    return _bounded([(None, bytes(part).decode()) for part in parts])


def otlp_events(body: bytes) -> list[Event]:
    """Return the events of an OTLP request in protobuf: each record as one JSON line.

    Raises:
        LimitError: The body is no such request.
    """
    return _line_records(otlp.lines_of_protobuf(body)) if body else []


def otlp_json_events(body: bytes) -> list[Event]:
    """Return the events of an OTLP request in JSON.

    Raises:
        LimitError: The body is no such request.
    """
    return _line_records([(batch.resource, batch.body) for batch in otlp.json_batches(body)])


def _line_records(found: list[tuple[bytes, bytes]]) -> list[Event]:
    events: list[Event] = []
    for resource, lines in found:
        common = msgspec.json.decode(resource)
        for line in lines.split(b"\n") if lines else ():
            record = msgspec.json.decode(line)
            at = record.pop("timestamp", None)
            text = msgspec.json.encode(record | {"resource": common}).decode()
            events.append((None if at is None else at // 1_000_000, text))
    return _bounded(events)


def _bounded(events: list[Event]) -> list[Event]:
    if len(events) > EVENTS_MAX:
        message = f"the body holds {len(events)} events and the limit is {EVENTS_MAX}"
        raise LimitError(message, code="too_many_events")
    return events
