"""The three ways to watch the live tail: WebSocket, server-sent events, lines of JSON.

hub (api/live) -> [tails] ~~> page, command line
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from clerestory.model.errors import ClerestoryError, LimitError
from clerestory.server.api.answers import error_of, error_response
from clerestory.server.api.live import CLIENTS_MAX, FRAME_S, HEARTBEAT_S, Client, Hub, gap
from clerestory.server.store.embedded import EmbeddedStore

MESSAGE_CHARACTERS_MAX: Final = 16_384


class Tails:
    """Serves the live tail."""

    def __init__(self, hub: Hub, store: EmbeddedStore) -> None:
        self._hub = hub
        self._store = store

    def _join(self, params: Any) -> Client:
        if len(self._hub) >= CLIENTS_MAX:
            message = f"{CLIENTS_MAX} tails are open, which is the limit; close one"
            raise LimitError(message, code="too_many_tails", status=429)
        if self._hub.closed:
            raise LimitError("the server is stopping", code="stopping", status=503)
        return self._hub.join(params.get("q", ""), since=params.get("since", ""))

    async def _fill(self, client: Client, since: str) -> None:
        if not since:
            return
        condition = client.condition
        chunk = await asyncio.to_thread(
            self._store.query, lambda connection: gap(connection, condition, since)
        )
        if chunk is not None:
            client.skipped += chunk.skipped
            client.waiting.appendleft(chunk)
            client.wake.set()

    async def _frames(self, client: Client) -> AsyncIterator[bytes]:
        yield client.frame()
        while not client.closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(client.wake.wait(), HEARTBEAT_S)
            if not client.closed:
                yield client.frame()
            await asyncio.sleep(FRAME_S)

    async def stream(self, request: Request) -> Response:
        """Answer `GET /api/v1/tail` with events or lines."""
        params = request.query_params
        try:
            client = self._join(params)
        except ClerestoryError as error:
            return error_response(error)
        events = "text/event-stream" in request.headers.get("accept", "")
        before, after = (b"data: ", b"\n\n") if events else (b"", b"\n")

        async def body() -> AsyncIterator[bytes]:
            try:
                await self._fill(client, params.get("since", ""))
                async for frame in self._frames(client):
                    yield before + frame + after
            finally:
                self._hub.leave(client)

        media = "text/event-stream" if events else "application/x-ndjson"
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(body(), media_type=media, headers=headers)

    async def websocket(self, socket: WebSocket) -> None:
        """Serve `GET /api/v1/tail` as a WebSocket."""
        await socket.accept()
        params = socket.query_params
        try:
            client = self._join(params)
        except ClerestoryError as error:
            await socket.send_text(msgspec.json.encode({"error": error_of(error)[1]}).decode())
            await socket.close(1008)
            return
        sending = asyncio.create_task(self._send(socket, client, params.get("since", "")))
        hearing = asyncio.create_task(self._hear(socket, client))
        try:
            await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(client)
            for task in (sending, hearing):
                task.cancel()
            await asyncio.gather(sending, hearing, return_exceptions=True)
        if client.closed:
            with suppress(RuntimeError, WebSocketDisconnect):  # it may be gone already
                await socket.close(1012)

    async def _send(self, socket: WebSocket, client: Client, since: str) -> None:
        await self._fill(client, since)
        async for frame in self._frames(client):
            await socket.send_text(frame.decode())

    async def _hear(self, socket: WebSocket, client: Client) -> None:
        with suppress(WebSocketDisconnect):
            while True:
                await self._obey(socket, client, await socket.receive_text())

    async def _obey(self, socket: WebSocket, client: Client, text: str) -> None:
        try:
            if len(text) > MESSAGE_CHARACTERS_MAX:
                raise LimitError("the message is too long", code="message_too_long")
            said = msgspec.json.decode(text, type=dict[str, Any])
            if isinstance(said.get("q"), str):
                self._hub.change(client, said["q"])
            if isinstance(said.get("pause"), bool):
                client.paused = said["pause"]
        except msgspec.DecodeError as error:
            refusal = LimitError(f"not understood: {error}", code="bad_message", status=400)
            await _tell(socket, refusal)
        except ClerestoryError as error:
            await _tell(socket, error)


async def _tell(socket: WebSocket, error: Exception) -> None:
    await socket.send_text(msgspec.json.encode({"error": error_of(error)[1]}).decode())
