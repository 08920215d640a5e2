"""Run a query for the page: tell how far it is, then give its rows, or a file.

    page, command line -> [asking] -> desk -> insights -> store

Invariant: who closes the connection ends the query in the engine.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from clerestory.model.errors import ClerestoryError, LimitError, QueryError
from clerestory.server.api.answers import error_of, error_response, json_response
from clerestory.server.api.insights_table import FORMATS, PARQUET, table_of
from clerestory.server.api.rows import encode
from clerestory.server.api.times import range_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from clerestory.server.insights import Question, Result

PROGRESS_S: Final = 0.2
BODY_BYTES_MAX: Final = 1_000_000
GROUPS_MAX: Final = 50

Answer = Callable[[Request], Awaitable[Any]]
Body = TypeVar("Body", bound=msgspec.Struct)


class Asked(Protocol):
    """A query that was asked, until its answer is taken."""

    @property
    def done(self) -> "Future[None]":
        """Ends when the query does."""

    def result(self) -> "Result":
        """Return what it gave, or raise why it failed."""

    def progress(self) -> tuple[int, int]:
        """Return how many rows and bytes the engine has read, or raise why it will not end."""

    def close(self) -> None:
        """End it and keep nothing of it."""


class Asking(Protocol):
    """Runs queries."""

    def ask(self, question: "Question") -> Asked:
        """Start a query."""

    def parquet(self, columns: Sequence[tuple[str, str]], lines: Iterable[bytes]) -> bytes:
        """Return rows, each a JSON list, as a Parquet file; columns have a name and a type."""


class RunBody(msgspec.Struct, kw_only=True):
    """The body of a query: its text, its groups (none: all), its time, most rows."""

    query: str
    groups: Annotated[list[str], msgspec.Meta(max_length=GROUPS_MAX)] = msgspec.field(
        default_factory=list
    )
    from_: str | int = msgspec.field(default="", name="from")
    to: str | int = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None


async def body_of(request: Request, kind: type[Body]) -> Body:
    """Return the JSON body of a request.

    Raises:
        LimitError: It is too large, no JSON, or not what is asked for.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            message = f"the body is larger than {BODY_BYTES_MAX} bytes; send a shorter query"
            raise LimitError(message, code="body_too_large")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        message = f"the body is not what is asked for: {error}"
        raise LimitError(message, code="bad_body", status=400) from error


def time_of(start: str | int, end: str | int) -> tuple[int, int]:
    """Return the first and the last millisecond of a request's time.

    Raises:
        LimitError: It is no time.
    """
    try:
        first, last = range_of(str(start), str(end), now_ns=time.time_ns())
    except QueryError as error:
        message = f"{error}; {error.hint}" if error.hint else str(error)
        raise LimitError(message, code="bad_time", status=400) from error
    return first // 1_000_000, (last - 1) // 1_000_000


def places_of(error: QueryError) -> list[dict[str, Any]]:
    """Return an error of a query with its place, as an editor marks it."""
    return [
        {
            "start": error.position,
            "end": error.position + error.length,
            "message": str(error),
            "suggestion": error.hint,
        }
    ]


def refusal(error: Exception) -> Response:
    """Return the response that tells of an error; one of a query tells its places as well."""
    if not isinstance(error, QueryError):
        return error_response(_plain(error))
    status, told, headers = error_of(error)
    answer = {"error": told, "errors": places_of(error)}
    return json_response(answer, status=status, headers=headers)


def _plain(error: Exception) -> Exception:
    """Return the error of a query that did not run to its end as one of the API."""
    state = getattr(error, "status", None)
    if isinstance(state, str):
        return LimitError(str(error), code=f"query_{state.lower()}", status=503)
    return error


def answering(ask: Answer) -> Answer:
    """Return an endpoint that answers with what `ask` returns, or with the error it raises."""

    async def endpoint(request: Request) -> Response:
        try:
            answer = await ask(request)
        except Exception as error:  # the request boundary
            return refusal(error)
        return answer if isinstance(answer, Response) else json_response(answer)

    return endpoint


class Runs:
    """Answers the requests that run a query."""

    def __init__(self, desk: Asking) -> None:
        self._desk = desk

    async def run(self, request: Request) -> Response:
        """Answer `POST /api/v1/insights`: lines of JSON, the last one with the rows."""
        return _Lines(await self._ask(request))

    async def export(self, request: Request) -> Response:
        """Answer `POST /api/v1/insights/export`: the rows as a file."""
        form = request.query_params.get("format", "csv")
        if form not in FORMATS and form != "parquet":
            known = ", ".join([*FORMATS, "parquet"])
            message = f"format {form[:40]!r} is not known; use one of {known}"
            raise LimitError(message, code="unknown_format", status=400)
        asked = await self._ask(request)
        try:
            await _ended(request, asked)
            content, media = await asyncio.to_thread(self._file, asked, form)
        finally:
            _close(asked)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {
            "Content-Disposition": f'attachment; filename="insights-{stamp}.{form}"',
            "Cache-Control": "no-store",
        }
        return Response(content, media_type=media, headers=headers)

    async def _ask(self, request: Request) -> Asked:
        return await asyncio.to_thread(self._asked, await body_of(request, RunBody))

    def _asked(self, body: RunBody) -> Asked:
        from clerestory.server.insights import Question

        start_ms, end_ms = time_of(body.from_, body.to)
        question = Question(
            text=body.query,
            groups=tuple(body.groups) or None,
            start_ms=start_ms,
            end_ms=end_ms,
            limit=body.limit,
        )
        return self._desk.ask(question)

    def _file(self, asked: Asked, form: str) -> tuple[bytes, str]:
        table = table_of(asked.result())
        if form == "parquet":
            return self._desk.parquet(table.columns, table.lines()), PARQUET
        media, encoded = FORMATS[form]
        return encoded(table), media


class _Lines(StreamingResponse):
    """Progress while a query runs, then its rows or its error."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(self._lines(), media_type="application/x-ndjson", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines until the end, or until nobody reads them any more."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            _close(self._asked)

    async def _lines(self) -> AsyncIterator[bytes]:
        began = time.monotonic()
        try:
            async for rows, size in _progress(self._asked):
                told = {
                    "records_scanned": rows,
                    "bytes_scanned": size,
                    "records_matched": None,
                    "seconds": round(time.monotonic() - began, 3),
                }
                yield encode({"progress": told}) + b"\n"
            yield await asyncio.to_thread(_result_line, self._asked)
        except Exception as error:  # the request boundary: the status is sent already
            yield _error_line(error)


async def _progress(asked: Asked) -> AsyncIterator[tuple[int, int]]:
    """Yield how much the engine has read, until the query ends."""
    ended = asyncio.wrap_future(asked.done)
    while not (await asyncio.wait({ended}, timeout=PROGRESS_S))[0]:
        reading = asyncio.ensure_future(asyncio.to_thread(asked.progress))
        both: set[asyncio.Future[Any]] = {ended, reading}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            reading.cancel()
            return
        yield reading.result()


def _result_line(asked: Asked) -> bytes:
    return encode({"result": _answer(asked.result())}) + b"\n"


def _error_line(error: Exception) -> bytes:
    told: dict[str, Any] = {"error": error_of(_plain(error))[1]}
    told["errors"] = places_of(error) if isinstance(error, QueryError) else []
    return encode(told) + b"\n"


def _answer(result: "Result") -> dict[str, Any]:
    table = table_of(result)
    taken = result.statistics
    return {
        "columns": [{"name": name, "type": kind} for name, kind in table.columns],
        "rows": list(table.typed_rows()),
        "record_ids": [_record_id(pointer) for pointer in table.pointers],
        "statistics": {
            "records_matched": int(taken.records_matched),
            "records_scanned": int(taken.records_scanned),
            "bytes_scanned": int(taken.bytes_scanned),
            "seconds": round(taken.seconds, 4),
        },
        "limit": result.limit,
        "limited": result.limited,
        "warnings": list(result.warnings),
    }


def _record_id(pointer: str | None) -> str | None:
    """Return the id that `/api/v1/logs/{id}` takes."""
    from clerestory.server.insights import place_of

    if pointer is None:
        return None
    _ns, spool, number = place_of(pointer)
    return f"{spool}:{number}"


async def _ended(request: Request, asked: Asked) -> None:
    """Wait until a query ends.

    Raises:
        LimitError: Its client is gone, or the server stops.
    """
    gone = asyncio.ensure_future(_disconnect(request))
    try:
        async for _read in _progress(asked):
            if gone.done():
                raise LimitError("the client is gone", code="cancelled", status=503)
    finally:
        gone.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _close(asked: Asked) -> None:
    """End a query without waiting: the task that had it may be cancelled already."""

    def work() -> None:
        with suppress(ClerestoryError):
            asked.close()

    asyncio.get_running_loop().run_in_executor(None, work)
