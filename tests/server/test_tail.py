"""The live tail over a real WebSocket, as events and as lines."""

import json
import time
import urllib.parse
import urllib.request
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin


def tail(server, **params):
    query = urllib.parse.urlencode(params)
    return connect(server.url.replace("http", "ws") + f"/api/v1/tail?{query}", proxy=None)


def rows_until(socket, count, deadline_s=10):
    rows: list[dict[str, Any]] = []
    frame: dict[str, Any] = {}
    deadline = time.monotonic() + deadline_s
    while len(rows) < count:
        frame = json.loads(socket.recv(timeout=deadline - time.monotonic()))
        rows += frame["rows"]
    return rows, frame


def send(server, service, *texts):
    lines = [{"timestamp": time.time_ns(), "message": text, "n": 1} for text in texts]
    server.send(lines, resource={"service.name": service})


def test_a_stored_record_is_seen_within_a_second(server, service):
    """A tail that lags is no tail."""
    with tail(server, q=f"service:{service} blue") as socket:
        socket.recv(timeout=5)
        started = time.monotonic()
        send(server, service, "a red one", "a blue one")

        rows, _ = rows_until(socket, 1)

        assert time.monotonic() - started < 1
    assert [row["message"] for row in rows] == ["a blue one"]
    assert rows == server.rows(f"service:{service} blue")


def test_a_client_that_comes_back_gets_what_it_missed(server, service):
    """A laptop's lid closes in the middle of an incident."""
    with tail(server, q=f"service:{service}") as socket:
        socket.recv(timeout=5)
        send(server, service, "first")
        _, frame = rows_until(socket, 1)
    send(server, service, "second", "third")

    with tail(server, q=f"service:{service}", since=frame["cursor"]) as socket:
        rows, _ = rows_until(socket, 2)

    assert {"second", "third"} <= {row["message"] for row in rows}


def test_pause_another_search_and_nonsense_are_obeyed_or_told(server, service):
    """The page changes its mind without a new connection."""
    with tail(server, q="service:nobody") as socket:
        socket.recv(timeout=5)
        socket.send("nonsense")
        assert json.loads(socket.recv(timeout=5))["error"]["code"] == "bad_message"
        socket.send(json.dumps({"q": "(open"}))
        assert json.loads(socket.recv(timeout=5))["error"]["position"] == 0
        socket.send(json.dumps({"q": f"service:{service}"}))
        socket.send("nonsense, to know that the search arrived")
        socket.recv(timeout=5)
        send(server, service, "seen")
        rows, _ = rows_until(socket, 1)
    assert rows[0]["message"] == "seen"


def test_a_foreign_page_cannot_watch(server):
    """Any page in the browser can open a WebSocket to localhost."""
    address = server.url.replace("http", "ws") + "/api/v1/tail"

    with (
        pytest.raises(InvalidStatus) as caught,
        connect(address, origin=Origin("http://evil.example"), proxy=None),
    ):
        pass

    assert caught.value.response.status_code == 403


@pytest.mark.parametrize(("accept", "prefix"), [("text/event-stream", b"data: "), ("*/*", b"")])
def test_the_command_line_gets_events_or_lines(server, service, accept, prefix):
    """curl and scripts have no WebSocket."""
    url = f"{server.url}/api/v1/tail?q=service:{service}"
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as stream:
        assert json.loads(stream.readline().removeprefix(prefix))["rows"] == []
        send(server, service, "hello")
        lines = iter(stream.readline, b"never")
        row = next(line for line in lines if b"hello" in line)

    assert json.loads(row.removeprefix(prefix))["rows"][0]["message"] == "hello"


def test_an_open_tail_does_not_keep_a_server_from_stopping(tmp_path):
    """A forgotten browser tab must not hang a restart."""
    from tests.support.server import ServerProcess

    running = ServerProcess(tmp_path).start()
    with tail(running) as socket:
        socket.recv(timeout=5)
        started = time.monotonic()
        code = running.stop()

    assert code == 0
    assert time.monotonic() - started < 8
