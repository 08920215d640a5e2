"""The doors for records: our own lines, OTLP logs and traces.

    socket -> [intake] -> body -> records, otlp, otlp_spans -> writer -> store

Invariant: a 200 means stored. Everything else leaves the records with the sender.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from clerestory.model.errors import ClerestoryError, LimitError
from clerestory.server.api.answers import error_of, error_response, json_response
from clerestory.server.ingest import otlp, otlp_spans, records
from clerestory.server.ingest.body import read_body
from clerestory.server.ingest.otlp_grpc import Door, Refusal
from clerestory.server.jobs import Jobs
from clerestory.server.limits import ServerOptions
from clerestory.server.programs import Programs
from clerestory.server.store.batch import Batch, Stored
from clerestory.server.store.writer import Writer

_Keeping = Callable[[bytes, bool], Awaitable[None]]


class Intake:
    """Takes requests with records.

    Attributes:
        refused: How many requests were refused, by the error's code.
    """

    def __init__(
        self, options: ServerOptions, writer: Writer, jobs: Jobs, programs: Programs
    ) -> None:
        self.refused: Counter[str] = Counter()
        self._options = options
        self._writer = writer
        self._jobs = jobs
        self._programs = programs

    async def records(self, request: Request) -> Response:
        """Answer `POST /v1/records`."""
        try:
            body = await self._body(request)
            batch = records.batch_of(request.headers, body)
            report = request.headers.get("clerestory-stats", "")
            self._programs.take(batch.spool, batch.resource, report)
            stored = await self.store(batch)
        except Exception as error:  # the request boundary
            return self._refusal(error)
        return json_response(
            {
                "stored": stored.stored,
                "duplicate": stored.duplicate,
                "rejected": stored.rejected,
            }
        )

    async def otlp_logs(self, request: Request) -> Response:
        """Answer `POST /v1/logs`, in the encoding of the request."""
        return await self._otlp(request, self._store_logs)

    async def otlp_traces(self, request: Request) -> Response:
        """Answer `POST /v1/traces`, in the encoding of the request."""
        return await self._otlp(request, self._store_traces)

    async def _otlp(self, request: Request, keep: _Keeping) -> Response:
        media = request.headers.get("content-type", "").split(";")[0].strip().lower()
        in_json = media == "application/json"
        try:
            if media not in ("application/x-protobuf", "application/json"):
                message = (
                    f"Content-Type {media[:60]!r} is not OTLP; "
                    "use application/x-protobuf or application/json"
                )
                raise LimitError(message, code="unknown_media_type", status=415)  # noqa: TRY301
            body = await self._body(request)
            if body or in_json:
                await keep(body, in_json)
        except Exception as error:  # the request boundary
            return self._otlp_refusal(error, in_json=in_json)
        if in_json:
            return json_response({})
        return Response(b"", media_type="application/x-protobuf")

    async def _store_logs(self, body: bytes, in_json: bool) -> None:
        if not in_json:
            await self.store(otlp.protobuf_batch(body))
            return
        batches = await asyncio.to_thread(otlp.json_batches, body)
        await asyncio.gather(*(self.store(batch) for batch in batches if batch.body))

    async def _store_traces(self, body: bytes, in_json: bool) -> None:
        if not in_json:
            await self.store(otlp_spans.protobuf_batch(body))
            return
        batch = await asyncio.to_thread(otlp_spans.json_batch, body)
        if batch.body:
            await self.store(batch)

    def grpc_door(self) -> Door:
        """Return what takes the same over gRPC; it is not open yet."""
        keep = {
            "logs": lambda body: self._keep(otlp.protobuf_batch, body),
            "traces": lambda body: self._keep(otlp_spans.protobuf_batch, body),
        }
        return Door(keep, self._grpc_refusal, self._options.body_bytes_max)

    def _keep(self, batch_of: Callable[[bytes], Batch], body: bytes) -> BaseException | None:
        """Store a body of OTLP in protobuf, from a thread that waits; return what went wrong."""
        try:
            self._check_disk()
            batch = batch_of(body)
            self._writer.submit(batch)
        except ClerestoryError as error:
            return error
        return batch.answer.exception()

    def _grpc_refusal(self, error: BaseException) -> Refusal:
        known = error if isinstance(error, Exception) else RuntimeError(repr(error))
        status, told, headers = error_of(known)
        self.refused[str(told["code"])] += 1
        return Refusal(status, str(told["message"]), int(headers.get("Retry-After", 0)))

    async def store(self, batch: Batch) -> Stored:
        """Store a batch and return what became of it.

        Raises:
            LimitError: The server is busy, stopping or out of disk space.
            ClerestoryError: The batch cannot be stored.
        """
        self._writer.submit(batch)
        return await asyncio.shield(asyncio.wrap_future(batch.answer))

    async def _body(self, request: Request) -> bytes:
        self._check_disk()
        with self._writer.arriving():
            return await read_body(
                request,
                bytes_max=self._options.body_bytes_max,
                inflated_bytes_max=self._options.inflated_bytes_max,
            )

    def _check_disk(self) -> None:
        if self._jobs.disk_full:
            free, least = self._jobs.vitals.disk_free_bytes, self._options.disk_free_bytes_min
            message = (
                f"{self._options.data_dir} has {free} bytes free and server.disk_free_bytes_min "
                f"is {least}; free some space or keep fewer days (server.retention_days)"
            )
            raise LimitError(message, code="disk_full", status=503)

    def _refusal(self, error: Exception) -> Response:
        self.refused[str(error_of(error)[1]["code"])] += 1
        return error_response(error)

    def _otlp_refusal(self, error: Exception, *, in_json: bool) -> Response:
        status, told, headers = error_of(error)
        self.refused[str(told["code"])] += 1
        code = {400: 3, 413: 3, 415: 3, 429: 8, 503: 14}.get(status, 13)
        if in_json:
            answer: dict[str, Any] = {"code": code, "message": told["message"]}
            return Response(
                msgspec.json.encode(answer), status, headers, media_type="application/json"
            )
        text = str(told["message"]).encode()[:10_000]
        status_message = b"\x08" + bytes([code]) + b"\x12" + _varint(len(text)) + text
        return Response(status_message, status, headers, media_type="application/x-protobuf")


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])
