"""How the server says yes and no: JSON bodies and the one shape of an error.

ingest, logs, live, admin -> [answers] -> client
"""

import logging
from typing import Any

from starlette.responses import Response

from clerestory.model.errors import ClerestoryError, LimitError, QueryError
from clerestory.server.api.rows import encode
from clerestory.server.store.embedded import StoreError
from clerestory.server.store.writer import RefusedBatchError

_log = logging.getLogger("clerestory.server.api")


def json_response(
    answer: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return a JSON response that no cache keeps."""
    return Response(
        encode(answer),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def error_of(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return status, error object and headers that tell a client of an error."""
    if isinstance(error, QueryError):
        told: dict[str, Any] = {
            "code": "bad_query",
            "message": str(error),
            "position": error.position,
            "length": error.length,
        }
        if error.hint:
            told["hint"] = error.hint
        return 400, told, {}
    if isinstance(error, LimitError):
        headers = {"Retry-After": "1"} if error.status in (429, 503) else {}
        return error.status, {"code": error.code, "message": str(error)}, headers
    if isinstance(error, RefusedBatchError):
        return 400, {"code": "bad_request", "message": str(error)}, {}
    if isinstance(error, StoreError):
        return _store_error(str(error))
    if isinstance(error, ClerestoryError):
        return 400, {"code": "bad_request", "message": str(error)}, {}
    _log.error("a request failed", exc_info=error)
    message = "the server failed; its log tells why"
    return 500, {"code": "internal", "message": message}, {}


def _store_error(text: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    if "TIMEOUT_EXCEEDED" in text or "MEMORY_LIMIT" in text:
        message = "the search takes too long or too much memory; narrow the time or the words"
        return 503, {"code": "query_too_heavy", "message": message}, {}
    message = f"the store refused: {text[:300]}; send again"
    return 503, {"code": "store_failed", "message": message}, {"Retry-After": "1"}


def error_response(error: Exception) -> Response:
    """Return the response that tells a client of an error."""
    status, told, headers = error_of(error)
    return json_response({"error": told}, status=status, headers=headers)
