"""A receiver for tests: a real HTTP server that breaks when it is told to.

A double of a vendor derives from `Receiver` and answers each request as the vendor's documents
say, limits and errors included. The faults lie below it and are the same for all.
"""

import contextlib
import socket
import ssl
import struct
import threading
import time
import zlib
from dataclasses import dataclass, field
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Request:
    """What arrived: `body` is decompressed, `raw` as it travelled; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    raw: bytes


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with the next requests.

    kind: status | throttle | hang | reset | drop_answer | cut_answer | slow_answer | wrong_length
        | redirect | refuse_gzip
    times: How many requests are hit; None: all until `until`.
    until: Time of the monotonic clock at which it ends; None: never.
    """

    kind: str
    times: int | None = None
    until: float | None = None
    reply: Reply = field(default_factory=lambda: Reply(status=503))
    wait_s: float = 30.0


class Receiver:
    """Base of the doubles. Counts requests, breaks on demand, stops by itself.

    Attributes:
        url: Where it listens.
        requests: All that arrived, also those that a fault hit.
        accepted: Identity of each record that was kept, in order; a resend appears twice.
        clock_offset_s: How far its clock is ahead.
    """

    def __init__(self, *, certificate: str = "", clients: str = "") -> None:
        self.requests: list[Request] = []
        self.accepted: list[str] = []
        self.clock_offset_s = 0.0
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http = _Server(("127.0.0.1", 0), _handler(self))
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            if clients:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(clients)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def answer(self, request: Request) -> Reply:
        """Answer as the vendor would; derived classes do."""
        raise NotImplementedError

    def throttled(self) -> Reply:
        """Return the vendor's own words for 'too many requests'."""
        return Reply(status=429, headers={"Retry-After": "0.05"})

    # -- faults --------------------------------------------------------------------------------

    def fail(self, kind: str, *, times: int | None = 1, for_s: float | None = None, **more: Any):
        """Let the next requests meet a fault: so many `times`, or all `for_s` seconds long."""
        until = None if for_s is None else time.monotonic() + for_s
        with self._lock:
            self._faults.append(
                Fault(kind=kind, times=None if for_s is not None else times, until=until, **more)
            )

    def heal(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def _next_fault(self) -> Fault | None:
        with self._lock:
            for fault in list(self._faults):
                if fault.until is not None and time.monotonic() > fault.until:
                    self._faults.remove(fault)
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                return fault
        return None

    def close(self) -> None:
        """Stop listening and end every request."""
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    # -- one request -----------------------------------------------------------------------------

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        request = _read(handler)
        with self._lock:
            self.requests.append(request)
        fault = self._next_fault()
        if fault is None:
            _write(handler, self._answered(request))
        else:
            _FAULTS[fault.kind](self, handler, request, fault)

    def _answered(self, request: Request) -> Reply:
        with self._lock:
            return self.answer(request)

    def _status(self, handler, _request, fault):
        _write(handler, fault.reply)

    def _throttle(self, handler, _request, _fault):
        _write(handler, self.throttled())

    def _hang(self, handler, _request, fault):
        self._closing.wait(fault.wait_s)
        handler.close_connection = True

    def _reset(self, handler, _request, _fault):
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        handler.close_connection = True
        handler.connection.close()

    def _drop_answer(self, handler, request, _fault):
        self._answered(request)
        handler.close_connection = True
        with contextlib.suppress(OSError):
            handler.connection.shutdown(socket.SHUT_RDWR)

    def _cut_answer(self, handler, request, _fault):
        reply = self._answered(request)
        _write(handler, reply, said_length=len(reply.body) + 100)
        handler.close_connection = True

    def _slow_answer(self, handler, request, fault):
        _write(handler, self._answered(request), pause_s=fault.wait_s)

    def _wrong_length(self, handler, request, _fault):
        reply = self._answered(request)
        padded = Reply(status=reply.status, body=reply.body + b" " * 50, headers=reply.headers)
        _write(handler, padded, said_length=len(padded.body) + 7)
        handler.close_connection = True

    def _redirect(self, handler, _request, _fault):
        _write(handler, Reply(status=307, headers={"Location": "http://127.0.0.1:9/elsewhere"}))

    def _refuse_gzip(self, handler, request, _fault):
        if request.headers.get("content-encoding"):
            _write(handler, Reply(status=415, body=b"unsupported content encoding"))
        else:
            _write(handler, self._answered(request))


_FAULTS = {
    "status": Receiver._status,
    "throttle": Receiver._throttle,
    "hang": Receiver._hang,
    "reset": Receiver._reset,
    "drop_answer": Receiver._drop_answer,
    "cut_answer": Receiver._cut_answer,
    "slow_answer": Receiver._slow_answer,
    "wrong_length": Receiver._wrong_length,
    "redirect": Receiver._redirect,
    "refuse_gzip": Receiver._refuse_gzip,
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, _request, _address):
        """Say nothing of connections that a fault broke."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_args):
            """Say nothing."""

        def do_POST(self):
            receiver._serve(self)

        do_GET = do_PUT = do_POST

        def send_reply(self, reply, **how):
            date = self.date_time_string(time.time() + receiver.clock_offset_s)
            headers = {"Date": date, **reply.headers}
            _send(self, Reply(status=reply.status, body=reply.body, headers=headers), **how)

    return Handler


def _read(handler: BaseHTTPRequestHandler) -> Request:
    headers = {name.lower(): value for name, value in handler.headers.items()}
    raw = handler.rfile.read(int(headers.get("content-length", 0)))
    body = zlib.decompress(raw, wbits=31) if headers.get("content-encoding") == "gzip" else raw
    return Request(method=handler.command, path=handler.path, headers=headers, body=body, raw=raw)


def _write(handler: Any, reply: Reply, **how: Any) -> None:
    handler.send_reply(reply, **how)


def _send(
    handler: BaseHTTPRequestHandler,
    reply: Reply,
    *,
    said_length: int | None = None,
    pause_s: float = 0.0,
) -> None:
    length = len(reply.body) if said_length is None else said_length
    head = f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    head += f"Content-Length: {length}\r\n\r\n"
    with contextlib.suppress(OSError):
        handler.wfile.write(head.encode())
        if pause_s:
            for at in range(len(reply.body)):
                handler.wfile.write(reply.body[at : at + 1])
                handler.wfile.flush()
                time.sleep(pause_s)
        else:
            handler.wfile.write(reply.body)
