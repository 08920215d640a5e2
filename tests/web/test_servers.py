"""`clerestory run` with Flask's, gunicorn's and uvicorn's commands: no line of code is changed."""

import sys
import textwrap
from contextlib import ExitStack

import pytest
import requests

from tests.cli.shell import Shell
from tests.contracts.case import wait_until
from tests.web.programs import START_S, started

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FLASK = textwrap.dedent("""
    import logging
    from flask import Flask

    app = Flask("shop")
    log = logging.getLogger("shop")

    @app.get("/order/<int:number>")
    def order(number):
        log.warning("order asked")
        return {"order": 10 / number}

    @app.get("/matrix")
    def matrix():
        from concurrent.futures import ThreadPoolExecutor
        work("request")
        with ThreadPoolExecutor() as pool:
            pool.submit(work, "executor").result()
        return "ok"

    def work(where):
        import clerestory
        clerestory.get_logger("ours").warning("log in %s", where)
        log.warning("plain in %s", where)
        with clerestory.span(f"span in {where}"):
            pass

    def plain(environ, start_response):
        start_response("200 OK", [])
        return [b"plain"]
""")
FASTAPI = textwrap.dedent("""
    import logging
    from fastapi import FastAPI

    app = FastAPI()
    log = logging.getLogger("shop")

    @app.get("/order/{number}")
    def order(number: int):
        log.warning("order asked")
        return {"order": 10 / number}

    @app.get("/matrix")
    async def matrix():
        import asyncio
        work("request")
        await asyncio.get_running_loop().run_in_executor(None, work, "executor")

    def work(where):
        import clerestory
        clerestory.get_logger("ours").warning("log in %s", where)
        log.warning("plain in %s", where)
        with clerestory.span(f"span in {where}"):
            pass
""")
COMMANDS = {
    "flask": ["flask", "--app", "flask_shop", "run", "--port", "0"],
    "gunicorn": ["gunicorn", "-b", "127.0.0.1:0", "--access-logfile", "-", "flask_shop:app"],
    "threads": ["gunicorn", "-b", "127.0.0.1:0", "--threads", "2", "--preload", "flask_shop:app"],
    "uvicorn": ["uvicorn", "--port", "0", "fastapi_shop:app"],
    "plain": ["gunicorn", "-b", "127.0.0.1:0", "flask_shop:plain"],
    "off": ["gunicorn", "-b", "127.0.0.1:0", "--access-logfile", "-", "flask_shop:app"],
}


@pytest.fixture(scope="module")
def told(server, tmp_path_factory):
    """Start all at once, ask each for an order, and return what each wrote."""
    folder = tmp_path_factory.mktemp("servers")
    (folder / "flask_shop.py").write_text(FLASK)
    (folder / "fastapi_shop.py").write_text(FASTAPI)
    written = {}
    with ExitStack() as stack:
        programs = {}
        for name, command in COMMANDS.items():
            environ = {"CLERESTORY_WEB_CAPTURE": "false"} if name == "off" else {}
            programs[name] = stack.enter_context(
                started(
                    Shell(folder, server.url),
                    *("run", "--service", name, "--", sys.executable, "-m", *command),
                    **environ,
                )
            )
        for program in programs.values():
            program.ready()
            headers = {"traceparent": PARENT, "X-Request-ID": "r-1"}
            # gunicorn listens before its worker has begun
            requests.get(f"{program.url}/order/5", headers=headers, timeout=START_S)
            requests.get(f"{program.url}/order/0", timeout=START_S)
            requests.get(f"{program.url}/matrix", timeout=START_S)
        for program in programs.values():
            program.process.terminate()
        for name, program in programs.items():
            program.stop()
            written[name] = program.told
    wait_until(lambda: len(server.rows("service=uvicorn logger=clerestory.web")) >= 3)
    return written


def orders(server, name):
    """Return the records of the two requests for an order."""
    found = [one for one in server.rows(f"service={name}") if "duration_ms" in one["attrs"]]
    # a request may end, and be told of, after the next has begun
    found.sort(key=lambda one: one["attrs"]["url.path"], reverse=True)
    return [one for one in found if one["attrs"]["url.path"] != "/matrix"]


def spans(server, name):
    answer = server.get("/api/v1/traces", q=f"service:{name} kind:server", **{"from": "-1d"})
    ids = [one["trace_id"] for one in answer["traces"]]
    return [
        one
        for trace_id in ids
        for one in server.get(f"/api/v1/traces/{trace_id}", **{"from": "-1d"})["spans"]
        if one["service"] == name and one["kind"] == "server"
    ]


@pytest.mark.parametrize("name", ["flask", "gunicorn", "threads", "uvicorn"])
def test_a_request_is_one_record_and_one_server_span(told, server, name):
    """With route, status, client and id, in the caller's trace."""
    route = "/order/{number}" if name == "uvicorn" else "/order/<int:number>"
    rows = orders(server, name)

    assert [one["message"] for one in rows] == ["GET /order/5 200", "GET /order/0 500"], told[name]
    first, second = (one["attrs"] for one in rows)
    assert first["http.route"] == second["http.route"] == route
    module = "fastapi_shop" if name == "uvicorn" else "flask_shop"
    assert (first["module"], first["funcName"]) == (module, "order")
    assert first["client.address"] == "127.0.0.1"
    assert first["request_id"] == "r-1"
    found = {one["attrs"]["url.path"]: one for one in spans(server, name)}
    assert sorted(found) == ["/matrix", "/order/0", "/order/5"]
    assert found["/order/5"]["name"] == f"GET {route}"
    assert found["/order/5"]["parent_span_id"] == PARENT[36:52]
    assert found["/order/0"]["status"] == "error"
    assert rows[0]["trace_id"] == PARENT[3:35]


@pytest.mark.parametrize("name", ["flask", "gunicorn", "threads", "uvicorn"])
def test_nothing_is_told_twice(told, server, name):
    """No access line in the store, and one record of the exception, in the request's trace."""
    rows = server.rows(f"service={name}")

    assert [one["message"] for one in rows if "HTTP/1.1" in one["message"]] == []
    failed = [one for one in rows if "ZeroDivisionError" in str(one)]
    with_frames = [one for one in failed if "exception" in one["attrs"]]
    assert len(with_frames) == 1, [one["message"] for one in failed]
    asked = [one for one in rows if one["message"] == "order asked"]
    assert {one["trace_id"] for one in asked} == {one["trace_id"] for one in orders(server, name)}


@pytest.mark.parametrize("name", ["flask", "gunicorn", "threads", "uvicorn"])
def test_every_record_inside_a_request_carries_its_trace(told, server, name):
    """Our log, the standard library's, a span: in the request, and in an executor it uses."""
    (request,) = [one for one in spans(server, name) if one["attrs"]["url.path"] == "/matrix"]
    (answer,) = [one for one in server.rows(f"service={name}") if "GET /matrix" in one["message"]]
    trace = server.get(f"/api/v1/traces/{answer['trace_id']}", **{"from": "-1d"})

    for where in ("request", "executor"):
        for what in ("log", "plain"):
            (row,) = [one for one in trace["logs"] if one["message"] == f"{what} in {where}"]
            assert row["attrs"]["request_id"] == answer["attrs"]["request_id"]
        (inner,) = [one for one in trace["spans"] if one["name"] == f"span in {where}"]
        assert inner["parent_span_id"] == request["span_id"]


@pytest.mark.parametrize(("name", "line"), [("flask", "GET /order/5"), ("gunicorn", "GET /order/")])
def test_the_terminal_shows_what_it_showed(told, name, line):
    """`clerestory run` takes no line from the developer."""
    assert line in told[name]
    assert "ZeroDivisionError" in told[name]


def test_an_application_of_no_framework_is_seen_by_its_server(told, server):
    """Whatever gunicorn or uvicorn serves."""
    rows = orders(server, "plain")

    assert [one["attrs"]["url.path"] for one in rows] == ["/order/5", "/order/0"]
    assert [one for one in rows if "module" in one["attrs"]] == []
    assert len(spans(server, "plain")) == 3


def test_it_can_be_switched_off(told, server):
    """The setting `web.capture`."""
    rows = server.rows("service=off")

    assert [one for one in rows if "duration_ms" in one["attrs"]] == []
    assert [one for one in rows if "GET /order/5 HTTP/1.1" in one["message"]]
    assert spans(server, "off") == []
