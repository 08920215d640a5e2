"""Read a request's body: bounded while it arrives, bounded while it is inflated.

    socket -> [body] -> records, otlp -> store

Invariant: never more than the limit plus one block is held, however small the compressed bytes.
"""

import asyncio
from typing import Final

from starlette.requests import Request

from clerestory.model.errors import LimitError

THREAD_BYTES_MIN: Final = 64 * 1024
DRAIN_FACTOR: Final = 4  # a little too much is read and dropped, so that the sender hears why
_BLOCK_BYTES: Final = 1024 * 1024


async def read_body(request: Request, *, bytes_max: int, inflated_bytes_max: int) -> bytes:
    """Return the inflated body of a request.

    Raises:
        LimitError: It is too large (`body_too_large`, `inflated_too_large`, 413), in an unknown
            encoding (`unknown_encoding`, 415), or broken (`bad_compression`, 400).
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "zstd"):
        message = f"Content-Encoding {encoding[:40]!r} is not known; use identity, gzip or zstd"
        raise LimitError(message, code="unknown_encoding", status=415)
    raw = await _received(request, bytes_max)
    if encoding in ("", "identity"):
        return raw
    inflate = _unzstd if encoding == "zstd" else _gunzip
    if len(raw) < THREAD_BYTES_MIN:
        return inflate(raw, inflated_bytes_max)
    return await asyncio.to_thread(inflate, raw, inflated_bytes_max)


async def _received(request: Request, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max * DRAIN_FACTOR:
            raise _too_large(size, bytes_max)
        if size <= bytes_max:
            chunks.append(chunk)
    if size > bytes_max:
        raise _too_large(size, bytes_max)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(size: int, limit: int) -> LimitError:
    message = f"the body has at least {size} bytes and the limit is {limit}; send smaller batches"
    return LimitError(message, code="body_too_large")


def _inflated_too_large(limit: int) -> LimitError:
    message = f"the body inflates to more than {limit} bytes; send smaller batches"
    return LimitError(message, code="inflated_too_large")


def _broken(error: object) -> LimitError:
    message = f"the compressed body cannot be inflated: {error}"
    return LimitError(message, code="bad_compression", status=400)


def _gunzip(raw: bytes, limit: int) -> bytes:
    from isal import isal_zlib

    parts: list[bytes] = []
    size = 0
    while raw:
        inflater = isal_zlib.decompressobj(31)
        while not inflater.eof:
            try:
                part: bytes = inflater.decompress(raw, _BLOCK_BYTES)
            except Exception as error:  # the library's own error class is not typed
                raise _broken(error) from error
            before, raw = len(raw), inflater.unconsumed_tail
            size += len(part)
            if size > limit:
                raise _inflated_too_large(limit)
            parts.append(part)
            if not part and not inflater.eof and len(raw) in (0, before):
                raise _broken("it ends too early")
        raw = inflater.unused_data
    return b"".join(parts)


def _unzstd(raw: bytes, limit: int) -> bytes:
    import zstandard

    parts: list[bytes] = []
    size = 0
    try:
        reader = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(
            raw, read_across_frames=True
        )
        while part := reader.read(_BLOCK_BYTES):
            size += len(part)
            if size > limit:
                raise _inflated_too_large(limit)
            parts.append(part)
    except zstandard.ZstdError as error:
        raise _broken(error) from error
    return b"".join(parts)
