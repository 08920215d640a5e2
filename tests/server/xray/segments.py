"""Segments for the tests: drawn up now, and sent in either way."""

import json
import secrets
import socket
import time

HEADER = b'{"format":"json","version":1}\n'


def new_trace():
    return f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"


def new_id():
    return secrets.token_hex(8)


def segment(trace, name="backend-flask", **members):
    """Return a segment that began two seconds ago and took a tenth of one."""
    start = round(time.time() - 2, 3)
    return {
        "name": name,
        "id": new_id(),
        "trace_id": trace,
        "start_time": start,
        "end_time": start + 0.1,
        **members,
    }


def part(name, **members):
    """Return a subsegment, to stand inside of a segment."""
    found = segment("", name, **members)
    del found["trace_id"]
    return found


def put(xray, *documents):
    """Put documents and see that all were taken."""
    answer = xray.put_trace_segments(TraceSegmentDocuments=[json.dumps(one) for one in documents])
    assert answer["UnprocessedTraceSegments"] == []


def send(address, *payloads):
    """Send datagrams to a daemon."""
    host, _, port = address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for payload in payloads:
            sock.sendto(payload, (host, int(port)))


def datagram(document):
    return HEADER + json.dumps(document).encode()


def spans_of(server, trace):
    """Return the spans of a trace as our own API tells them, by id; empty if there are none."""
    told = server.get(f"/api/v1/traces/{trace}")
    return {span["span_id"]: span for span in told.get("spans", [])}


def until(condition, seconds=20.0):
    """Return what a condition gives once it holds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.02)
    return found


def counted(server, name, **labels):
    """Return a counter of /metrics; 0 if it is not there."""
    inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
    wanted = f"{name}{{{inside}}}" if labels else name
    for line in server.call("GET", "/metrics")[1].decode().splitlines():
        if line.startswith(f"{wanted} "):
            return float(line.rpartition(" ")[2])
    return 0.0
