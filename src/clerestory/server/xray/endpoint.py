"""The paths of the X-Ray API: which operation is called, and how an error is told.

    socket -> guard -> [endpoint] -> shapes -> operations

Every operation is a POST on a path of its own, as in the REST-JSON protocol of AWS. Nobody has to
sign: the samplers of the X-Ray SDK and of ADOT do not.

Invariant: every request gets an answer in the protocol's form; an operation that is not supported
says so.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clerestory.server.aws.endpoint import answered, decode, stored, told_of
from clerestory.server.aws.errors import AwsError
from clerestory.server.aws.names import place_of
from clerestory.server.aws.protocol.shapes import Model
from clerestory.server.xray.errors import INVALID, PAGE
from clerestory.server.xray.operations.segments import put_trace_segments
from clerestory.server.xray.operations.table import ANSWERS
from clerestory.server.xray.service import Call, Service

MEDIA_TYPE: Final = "application/json"
MODEL: Final = Model("xray.json", page=PAGE, strict=True)
# What both services share is called otherwise here.
_CODES: Final = {
    "InvalidParameterException": INVALID,
    "ThrottlingException": "ThrottledException",
}
_STATUSES: Final = {"ThrottledException": 429}

Read = Callable[[Request], Awaitable[bytes]]


class Endpoint:
    """Answers calls of the API.

    Attributes:
        refused: How many calls were refused, by the error's code.
        unprocessed: How many documents PutTraceSegments refused, by the error's code.
    """

    def __init__(self, service: Service, read: Read) -> None:
        self.refused: Counter[str] = Counter()
        self.unprocessed: Counter[str] = Counter()
        self._service = service
        self._read = read

    def routes(self) -> list[Route]:
        """Return a route for every operation of the service's model."""
        tables = MODEL.tables
        paths = {told["path"]: name for name, told in tables["operations"].items()}
        paths |= {path: name for name, path in tables["others"].items()}
        return [Route(path, self._serving(name), methods=["POST"]) for path, name in paths.items()]

    def _serving(self, operation: str) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            request_id = str(uuid.uuid4())
            return await answered(
                self._answer(request, operation, request_id),
                lambda error: self._refusal(error, request_id),
            )

        return serve

    async def _answer(self, request: Request, operation: str, request_id: str) -> Response:
        if operation in MODEL.tables["others"]:
            message = (
                f"{operation} is an operation of X-Ray that this server does not support; "
                f"{PAGE} lists the supported ones."
            )
            raise AwsError("UnknownOperationException", message, status=404)
        headers = {"x-amzn-RequestId": request_id}
        given = MODEL.check(operation, decode(await self._read(request)))
        if operation == "PutTraceSegments":
            return _response(await self._put(given), 200, headers)
        call = Call(
            service=self._service,
            operation=operation,
            given=given,
            region=place_of(request.headers.get("authorization", "")).region,
        )
        told = await asyncio.to_thread(ANSWERS[operation], call)
        return _response(told, 200, headers)

    async def _put(self, given: dict[str, Any]) -> dict[str, Any]:
        batches, told = await asyncio.to_thread(put_trace_segments, given, self._service.services)
        for batch in batches:
            self._service.writer.submit(batch)
        for batch in batches:
            await stored(batch)
        self.unprocessed.update(one["ErrorCode"] for one in told["UnprocessedTraceSegments"])
        return told

    def _refusal(self, error: Exception, request_id: str) -> Response:
        code, status, told = told_of(error)
        code = _CODES.get(code, code)
        self.refused[code] += 1
        message = told.pop("message")
        told |= {"__type": code, "Message": message}
        headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": code}
        return _response(told, _STATUSES.get(code, status), headers)


def _response(told: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    return Response(msgspec.json.encode(told), status, headers, media_type=MEDIA_TYPE)
