"""A cheap endpoint for benchmarks: CloudWatch Logs with its limits, OTLP logs, faults on demand.

    python benchmarks/cloudwatch_endpoint.py        prints its address

It runs in a process of its own, so that its work is nobody else's. Every record that it keeps and
that holds `id=WHO:NUMBER` is counted under that name.

    POST /control  {"kind": "503", "for_s": 10, "create_s": 0.3}      forgets all, sets a fault
    POST /fault    the same, and what was kept stays
    GET  /ids      {"shop:0": 1, ...}
"""

import json
import re
import socket
import socketserver
import struct
import sys
import threading
import time
from collections import Counter
from typing import ClassVar

import msgspec
from isal import isal_zlib

EVENTS_MAX = 10_000
BYTES_MAX = 1_048_576
DAY_MS = 24 * 3600 * 1000
ID = re.compile(r"id=([\w.-]+:\d+)")


class Event(msgspec.Struct, gc=False):
    """One event of PutLogEvents."""

    timestamp: int
    message: str


class Put(msgspec.Struct):
    """The body of PutLogEvents."""

    logGroupName: str  # noqa: N815  the protocol's name
    logStreamName: str  # noqa: N815  the protocol's name
    logEvents: list[Event]  # noqa: N815  the protocol's name


decode_put = msgspec.json.Decoder(Put).decode


class State:
    """What the endpoint keeps, and what goes wrong with it."""

    ids: ClassVar[Counter[str]] = Counter()
    events = 0
    groups: ClassVar[set[str]] = set()
    streams: ClassVar[set[tuple[str, str]]] = set()
    shortened = 0
    broken = 0
    kind = ""
    until = 0.0
    create_s = 0.0
    times = 0
    lock = threading.Lock()

    @classmethod
    def forget(cls):
        """Keep nothing of what came before."""
        cls.ids, cls.events, cls.groups, cls.streams = Counter(), 0, set(), set()
        cls.shortened = cls.broken = 0

    @classmethod
    def control(cls, wanted):
        """Set the fault that the next requests meet."""
        cls.kind = wanted.get("kind", "")
        cls.until = time.monotonic() + wanted.get("for_s", 0.0)
        cls.times = wanted.get("times", 0)
        cls.create_s = wanted.get("create_s", 0.0)

    @classmethod
    def fault(cls):
        """Return the fault that this request meets, if any."""
        with cls.lock:
            if cls.times > 0:
                cls.times -= 1
                return cls.kind
        return cls.kind if time.monotonic() < cls.until else ""


def error(code, message, status=400):
    return status, {"__type": code, "message": message}


def invalid(message):
    return error("InvalidParameterException", message)


def put_log_events(body):
    try:
        content = decode_put(body)
    except msgspec.DecodeError:
        return error("SerializationException", "")
    place = (content.logGroupName, content.logStreamName)
    if place not in State.streams:
        return error("ResourceNotFoundException", "The specified log stream does not exist.")
    events = content.logEvents
    times = [event.timestamp for event in events]
    messages = [event.message for event in events]
    size = len("".join(messages).encode()) + 26 * len(events)
    if not 1 <= len(events) <= EVENTS_MAX or size > BYTES_MAX:
        return invalid(f"Upload too large: {size} bytes exceeds limit of {BYTES_MAX}")
    if times != sorted(times):
        return invalid(
            "Log events in a single PutLogEvents request must be in chronological order."
        )
    if times[-1] - times[0] > DAY_MS:
        return invalid("The batch of log events cannot span more than 24 hours.")
    if b"poison" in body:
        return invalid("Log event is not acceptable.")
    keep(messages)
    return 200, {"nextSequenceToken": "1"}


def keep(messages):
    State.ids.update([found[0] for found in map(ID.findall, messages) if found])
    State.events += len(messages)
    for message in messages:
        if len(message) > 250_000:
            look_at_large(message)


def look_at_large(message):
    """Count whether a large record came whole, shortened but valid, or broken."""
    if '"_truncated_bytes"' in message:
        State.shortened += 1
    if message.startswith("{"):
        try:
            json.loads(message)
        except ValueError:
            State.broken += 1
    elif not message.endswith("end"):
        State.broken += 1


def create_log_stream(body):
    content = json.loads(body)
    place = (content["logGroupName"], content["logStreamName"])
    if place[0] not in State.groups:
        return error("ResourceNotFoundException", "The specified log group does not exist.")
    if place in State.streams:
        return error("ResourceAlreadyExistsException", "The specified log stream already exists")
    time.sleep(State.create_s)
    State.streams.add(place)
    return 200, {}


def create_log_group(body):
    State.groups.add(json.loads(body)["logGroupName"])
    return 200, {}


def describe_log_groups(_body):
    return 200, {"logGroups": [{"logGroupName": name} for name in State.groups]}


def put_otlp(body):
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    try:
        request = ExportLogsServiceRequest.FromString(body)
    except Exception:
        return 400, {}
    records = [
        record
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]
    if any("poison" in record.body.string_value for record in records):
        return 400, {}
    keep([record.body.string_value for record in records])
    return 200, None


OPERATIONS = {
    "PutLogEvents": put_log_events,
    "CreateLogStream": create_log_stream,
    "CreateLogGroup": create_log_group,
    "DescribeLogGroups": describe_log_groups,
}


def answer(path, headers, body):
    if path in ("/control", "/fault"):
        if path == "/control":
            State.forget()
        State.control(json.loads(body))
        return 200, {}
    if path == "/ids":
        kept = {"ids": State.ids, "events": State.events}
        return 200, {**kept, "shortened": State.shortened, "broken": State.broken}
    if headers.get("content-encoding") == "gzip":
        body = isal_zlib.decompress(body, wbits=31)
    if path == "/v1/logs":
        return put_otlp(body)
    operation = OPERATIONS.get(headers.get("x-amz-target", "").rpartition(".")[2])
    return (400, {}) if operation is None else operation(body)


class Handler(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self):
        """Answer requests until the connection ends."""
        while True:
            try:
                if not self.one():
                    return
            except (OSError, ValueError):
                return

    def one(self):
        """Answer one request; say whether the connection lives on."""
        first = self.rfile.readline().decode()
        if not first:
            return False
        headers = {}
        while line := self.rfile.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect") == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.rfile.read(int(headers.get("content-length", 0)))
        path = first.split()[1]
        fault = "" if path in ("/control", "/fault", "/ids") else State.fault()
        if fault and not self.broken(fault, path, headers, body):
            return False
        if not fault:
            self.reply(*answer(path, headers, body))
        return True

    def broken(self, fault, path, headers, body):
        """Do what goes wrong; say whether the connection lives on."""
        if fault == "503":
            self.reply(503, {"__type": "ServiceUnavailableException", "message": "busy"})
            return True
        if fault == "throttle":
            status = 429 if path == "/v1/logs" else 400
            self.reply(status, {"__type": "ThrottlingException", "message": "Rate exceeded"})
            return True
        if fault == "hang":
            time.sleep(max(0.0, State.until - time.monotonic()))
        elif fault == "drop_answer":
            answer(path, headers, body)
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False

    def reply(self, status, content):
        """Send an answer."""
        body = b"" if content is None else json.dumps(content).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.1\r\n"
        self.wfile.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


class Server(socketserver.ThreadingTCPServer):
    """A thread for each connection."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    disable_nagle_algorithm = True

    def shutdown_request(self, request):
        """Close at once, so that a reset is one."""
        request.close()


def main():
    with Server(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        threading.Thread(target=end_with_parent, args=(server,), daemon=True).start()
        server.serve_forever()


def end_with_parent(server):
    """Stop when the one that started us has gone."""
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
