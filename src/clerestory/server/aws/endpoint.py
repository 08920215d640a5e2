"""`POST /`: which operation is called, what it answers, and how an error is told.

    socket -> guard -> [endpoint] -> shapes -> operations

Dispatch is by the header X-Amz-Target, as in the JSON 1.1 protocol of AWS.

Invariant: every request gets an answer in the protocol's form; whatever the body holds, it is
never status 500.
"""

import asyncio
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from clerestory.model.errors import ClerestoryError, LimitError
from clerestory.server.aws.errors import PAGE, AwsError
from clerestory.server.aws.names import place_of
from clerestory.server.aws.operations.putting import Put, decode_fast, put_of, queue_events
from clerestory.server.aws.operations.table import ANSWERS
from clerestory.server.aws.protocol import identity, shapes
from clerestory.server.aws.protocol.frames import MEDIA_TYPE as STREAM_TYPE
from clerestory.server.aws.service import Call, Service
from clerestory.server.ingest.body import read_body
from clerestory.server.ingest.records import clean_lines
from clerestory.server.jobs import Jobs
from clerestory.server.limits import ServerOptions
from clerestory.server.store.batch import Batch
from clerestory.server.store.embedded import StoreError

MEDIA_TYPE: Final = "application/x-amz-json-1.1"
THREAD_BYTES_MIN: Final = 64 * 1024

_log = logging.getLogger("clerestory.server.aws")


class Endpoint:
    """Answers calls of the API.

    Attributes:
        refused: How many calls were refused, by the error's code.
    """

    def __init__(self, options: ServerOptions, jobs: Jobs, service: Service) -> None:
        self.refused: Counter[str] = Counter()
        self._options = options
        self._jobs = jobs
        self._service = service

    async def answer(self, request: Request) -> Response:
        """Answer `POST /`."""
        request_id = str(uuid.uuid4())
        return await answered(
            self._answer(request, request_id), lambda error: self._refusal(error, request_id)
        )

    async def _answer(self, request: Request, request_id: str) -> Response:
        target = request.headers.get("x-amz-target", "")
        if not target and (action := identity.action_of(await self.body(request))):
            return identity.answer(action, request_id)
        operation = operation_of(target)
        body = await self.body(request)
        if operation == "PutLogEvents":
            return _response(await self._put(body), request_id)
        call = Call(
            service=self._service,
            operation=operation,
            given=shapes.check(operation, decode(body)),
            place=place_of(request.headers.get("authorization", "")),
            request_id=request_id,
        )
        if operation == "StartLiveTail":
            frames = await asyncio.to_thread(self._service.tails.open, call)
            headers = {"x-amzn-RequestId": request_id}
            return StreamingResponse(frames, media_type=STREAM_TYPE, headers=headers)
        answer = ANSWERS[operation]
        return _response(await asyncio.to_thread(answer, call), request_id)

    async def body(self, request: Request) -> bytes:
        """Return the body of a request, inflated.

        Raises:
            LimitError: It is too large or broken, or there is no space for what it brings.
        """
        if self._jobs.disk_full:
            free, least = self._jobs.vitals.disk_free_bytes, self._options.disk_free_bytes_min
            message = (
                f"{self._options.data_dir} has {free} bytes free and server.disk_free_bytes_min "
                f"is {least}; free some space or keep fewer days (server.retention_days)"
            )
            raise LimitError(message, code="disk_full", status=503)
        with self._service.writer.arriving():
            return await read_body(
                request,
                bytes_max=self._options.body_bytes_max,
                inflated_bytes_max=self._options.inflated_bytes_max,
            )

    async def _put(self, body: bytes) -> dict[str, Any]:
        if len(body) < THREAD_BYTES_MIN:
            batch, answer = self._queue(body)
        else:
            batch, answer = await asyncio.to_thread(self._queue, body)
        if batch is not None:
            await stored(batch)
        return answer

    def _queue(self, body: bytes) -> tuple[Batch | None, dict[str, Any]]:
        put: Put | None = decode_fast(body)
        if put is None:
            put = put_of(shapes.check("PutLogEvents", decode(body)))
        return queue_events(self._service, put)

    def _refusal(self, error: Exception, request_id: str) -> Response:
        code, status, told = told_of(error)
        self.refused[code] += 1
        headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": code}
        return Response(msgspec.json.encode(told), status, headers, media_type=MEDIA_TYPE)


async def answered(
    work: Coroutine[Any, Any, Response], refusal: Callable[[Exception], Response]
) -> Response:
    """Return what a call answers, or the refusal of the error that it ends with."""
    try:
        return await work
    except Exception as error:  # the request boundary
        return refusal(error)


async def stored(batch: Batch) -> None:
    """Wait until a batch is stored.

    Raises:
        ClerestoryError: It cannot be.
    """
    await asyncio.shield(asyncio.wrap_future(batch.answer))


def operation_of(target: str) -> str:
    """Return the operation that a target names.

    Raises:
        AwsError: This server does not have it.
    """
    name = target.removeprefix(shapes.TARGET)
    if target.startswith(shapes.TARGET) and name in shapes.TABLES["operations"]:
        return name
    if target.startswith(shapes.TARGET) and name in shapes.TABLES["others"]:
        what = f"{name} is an operation of CloudWatch Logs that this server does not support"
    elif target:
        what = f"{target[:200]!r} is no operation that this server knows"
    else:
        what = "The header X-Amz-Target is missing, which names the operation"
    message = f"{what}; {PAGE} lists the supported ones."
    raise AwsError("UnknownOperationException", message, status=404)


def decode(body: bytes) -> Any:
    """Return the value of a body; an empty one is an empty object.

    Raises:
        AwsError: It is no JSON.
    """
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(clean_lines(body))
    except (msgspec.DecodeError, RecursionError) as error:
        text = f"the body is not valid JSON: {str(error)[:300]}"
        raise AwsError("SerializationException", text) from error


def told_of(error: Exception) -> tuple[str, int, dict[str, Any]]:
    """Return code, status and body that tell a client of an error."""
    code, status, message, extra = "InternalFailure", 500, "The server failed; see its log.", {}
    if isinstance(error, AwsError):
        code, status, message, extra = error.code, error.status, str(error), error.extra
    elif isinstance(error, LimitError):
        code, status, message = _limit(error)
    elif isinstance(error, StoreError):
        code, status, message = _store(str(error))
    elif isinstance(error, ClerestoryError):
        code, status, message = "InvalidParameterException", 400, str(error)
    else:
        _log.error("a call failed", exc_info=error)
    return code, status, {"__type": code, "message": message, **extra}


def _store(text: str) -> tuple[str, int, str]:
    if "TIMEOUT_EXCEEDED" in text or "MEMORY_LIMIT" in text:
        message = "The search takes too long or too much memory; name a shorter time or streams."
        return "InvalidParameterException", 400, message
    return "ServiceUnavailableException", 503, f"the store refused: {text[:300]}"


def _limit(error: LimitError) -> tuple[str, int, str]:
    if error.status == 429:
        return "ThrottlingException", 400, f"Rate exceeded: {error}"
    if error.status == 503:
        return "ServiceUnavailableException", 503, str(error)
    code = "RequestEntityTooLargeException" if error.status == 413 else "InvalidRequestException"
    return code, error.status, str(error)


def _response(answer: dict[str, Any], request_id: str) -> Response:
    headers = {"x-amzn-RequestId": request_id}
    return Response(msgspec.json.encode(answer), 200, headers, media_type=MEDIA_TYPE)
