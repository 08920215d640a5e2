"""One record and one server span of each request that an ASGI application answers."""

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import requests
import uvicorn
import websockets.sync.client
from fastapi import FastAPI, HTTPException
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from websockets.exceptions import InvalidStatus

from clerestory import get_logger, span
from clerestory.integrations.asgi import AsgiMiddleware
from clerestory.testing import capture
from tests.contracts.case import wait_until

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
log = get_logger("shop")
started: list[str] = []
held = threading.Event()


async def order(request):
    log.info("order asked")
    await asyncio.sleep(0)
    with span("load"):
        return PlainTextResponse(str(request.path_params["number"]))


async def broken(request):
    raise LookupError("no such order")


async def stream(request):
    async def parts():
        for number in range(3):
            log.info("part")
            yield f"{number}\n"

    return StreamingResponse(parts(), media_type="text/plain")


async def later(request):
    async def work():
        await asyncio.to_thread(held.wait, 10)
        log.info("in the background")

    return PlainTextResponse("soon", background=BackgroundTask(work))


async def echo(websocket):
    if websocket.query_params.get("key") != "right":
        await websocket.close(4401)
        return
    await websocket.accept()
    async for text in websocket.iter_text():
        log.info("said")
        await websocket.send_text(text)


@asynccontextmanager
async def lifespan(app):
    started.append("begin")
    yield
    started.append("end")


def shop():
    routes = [
        Route("/order/{number:int}", order),
        Route("/broken", broken),
        Route("/stream", stream),
        Route("/later", later),
        WebSocketRoute("/echo", echo),
        Mount("/v2", routes=[Route("/order/{number:int}", order)]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


@contextmanager
def served(app):
    """Serve an application with uvicorn."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def url():
    # What the server's thread logs between tests must start no road of its own.
    with capture(), served(AsgiMiddleware(shop())) as found:
        yield found


def about(caught):
    """Return the records of requests, without spans."""
    return [one for one in caught.records if "duration_ms" in one]


def server_spans(caught):
    return [one for one in caught.spans if one["span.kind"] == "server"]


def test_a_request_is_one_record_and_one_server_span_of_the_same_trace(url):
    """With the conventions' names, the caller's trace, and no access line of uvicorn."""
    with capture() as caught:
        answer = requests.get(
            f"{url}/order/7",
            headers={"traceparent": PARENT, "X-Request-ID": "req-1", "User-Agent": "tester/1"},
            timeout=10,
        )
        wait_until(lambda: about(caught))

    (record,), (one,) = about(caught), server_spans(caught)
    assert answer.headers["X-Request-ID"] == "req-1"
    assert record["message"] == "GET /order/7 200"
    for told in (record, one):
        assert told["http.route"] == "/order/{number:int}"
        assert told["http.response.status_code"] == 200
        assert told["client.address"] == "127.0.0.1"
        assert told["user_agent.original"] == "tester/1"
        assert told["network.protocol.version"] == "1.1"
        assert told["request_id"] == "req-1"
        assert told["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert record["http.response.body.size"] == 1
    assert (one["message"], one["parent_span_id"]) == ("GET /order/{number:int}", PARENT[36:52])
    assert record["span_id"] == one["span_id"]
    assert caught.find("order asked")["span_id"] == one["span_id"]
    assert caught.find("load")["parent_span_id"] == one["span_id"]
    assert [one for one in caught.records if one["logger"] == "uvicorn.access"] == []


def test_start_and_end_of_the_server_reach_the_application():
    """The lifespan is none of our business."""
    started.clear()
    with capture() as caught, served(AsgiMiddleware(shop())):
        assert started == ["begin"]

    assert started == ["begin", "end"]
    assert about(caught) == []


def test_a_mounted_route_is_whole(url):
    """The path of the mount stands before it."""
    with capture() as caught:
        requests.get(f"{url}/v2/order/7", timeout=10)
        wait_until(lambda: about(caught))

    (record,) = about(caught)
    assert (record["url.path"], record["http.route"]) == ("/v2/order/7", "/v2/order/{number:int}")


def test_uvicorn_without_the_middleware_writes_its_access_line():
    """Nothing else is silenced."""
    with capture() as caught, served(shop()) as bare:
        requests.get(f"{bare}/order/7", timeout=10)
        wait_until(lambda: [one for one in caught.records if one["logger"] == "uvicorn.access"])


def test_an_exception_is_logged_once_and_raised_to_the_server(url):
    """Starlette answers 500 and raises; uvicorn reports it, and is not recorded again."""
    with capture() as caught:
        assert requests.get(f"{url}/broken", timeout=10).status_code == 500
        wait_until(lambda: about(caught))

    (record,), (one,) = about(caught), server_spans(caught)
    (told,) = [one for one in caught.records if "exception" in one]
    assert told["message"] == "LookupError: no such order"
    assert told["span_id"] == record["span_id"] == one["span_id"]
    assert (record["level"], record["error.type"]) == ("ERROR", "LookupError")
    assert (one["span.status"], one["error.type"]) == ("error", "LookupError")


def test_a_stream_belongs_to_its_request_until_its_end(url):
    """Its size is known when it is over."""
    with capture() as caught:
        assert requests.get(f"{url}/stream", timeout=10).text == "0\n1\n2\n"
        wait_until(lambda: about(caught))

    (record,), (one,) = about(caught), server_spans(caught)
    parts = [one for one in caught.records if one["message"] == "part"]
    assert record["http.response.body.size"] == 6
    assert [part["span_id"] for part in parts] == [one["span_id"]] * 3


def test_what_is_done_after_the_answer_is_not_waited_for(url):
    """The client has its answer; the work still carries the request's ids."""
    held.clear()
    with capture() as caught:
        requests.get(f"{url}/later", timeout=10)
        wait_until(lambda: about(caught))
        held.set()
        wait_until(lambda: "in the background" in caught.messages)

    (record,) = about(caught)
    assert caught.find("in the background")["trace_id"] == record["trace_id"]


def test_a_websocket_is_one_request_until_it_is_closed(url):
    """What is said over it belongs to it."""
    address = url.replace("http", "ws")
    with capture() as caught:
        with websockets.sync.client.connect(f"{address}/echo?key=right") as socket:
            socket.send("a")
            assert socket.recv() == "a"
            assert socket.response is not None
            request_id = socket.response.headers["X-Request-ID"]
            assert about(caught) == []
        wait_until(lambda: about(caught))

    (record,), (one,) = about(caught), server_spans(caught)
    assert (record["message"], record["url.scheme"]) == ("GET /echo 101", "ws")
    assert record["websocket.close_code"] == 1000
    assert record["request_id"] == request_id
    assert caught.find("said")["span_id"] == one["span_id"]


def test_a_websocket_that_is_refused_is_a_403(url):
    """As the client sees it."""
    with capture() as caught:
        with pytest.raises(InvalidStatus):
            websockets.sync.client.connect(f"{url.replace('http', 'ws')}/echo")
        wait_until(lambda: about(caught))

    (record,) = about(caught)
    assert record["http.response.status_code"] == 403
    assert "security.forbidden" in [one.get("event.name") for one in caught.records]


def test_concurrent_requests_do_not_mix(url):
    """Each in a task of its own, all in one thread."""
    with capture() as caught:
        threads = [
            threading.Thread(
                target=requests.get, args=(f"{url}/order/{n}",), kwargs={"timeout": 10}
            )
            for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(lambda: len(about(caught)) == 20)

    assert len({one["trace_id"] for one in about(caught)}) == 20
    by_id = {one["span_id"]: one for one in server_spans(caught)}
    loads = [one for one in caught.spans if one["message"] == "load"]
    assert {one["parent_span_id"] for one in loads} == set(by_id)


def test_fastapi_takes_the_middleware_as_its_own():
    """By add_middleware, as every ASGI middleware; an HTTPException is an answer, no exception."""
    app = FastAPI()
    app.add_middleware(AsgiMiddleware)

    @app.get("/items/{item}")
    def read(item: int):
        if item == 0:
            raise HTTPException(status_code=404)
        return {"item": item}

    with capture() as caught, served(app) as url:
        assert requests.get(f"{url}/items/7", timeout=10).json() == {"item": 7}
        assert requests.get(f"{url}/items/0", timeout=10).status_code == 404
        wait_until(lambda: len(about(caught)) == 2)

    assert [one["http.route"] for one in about(caught)] == ["/items/{item}"] * 2
    assert [one["http.response.status_code"] for one in about(caught)] == [200, 404]
    assert [one for one in caught.records if "exception" in one] == []


def test_an_instrumentation_that_makes_the_server_span_is_joined():
    """The mark that FastAPI's and Starlette's instrumentations leave on the application."""
    app = shop()
    app._is_instrumented_by_opentelemetry = True

    with capture() as caught, served(AsgiMiddleware(app)) as url:
        requests.get(f"{url}/order/7", timeout=10)
        wait_until(lambda: about(caught))

    assert server_spans(caught) == []
    assert len(about(caught)) == 1


def test_a_task_that_is_cancelled_ends_its_request():
    """With no status, since there was no answer."""

    async def app(scope, receive, send):
        await asyncio.Event().wait()

    async def ask():
        middleware: Any = AsgiMiddleware(app)
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        task = asyncio.create_task(middleware(scope, None, None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with capture() as caught:
        asyncio.run(ask())

    (record,) = about(caught)
    assert record["message"] == "GET / aborted"
    assert "http.response.status_code" not in record
